"""A worker program driven by its frames (include/keystile/frame.h), with the test in the agent's place."""
import array
import collections
import os
import shlex
import signal
import socket
import struct
import time

from . import place
from .keys import Reader, string, u32

VERSION = 1
FRAME_MAX = 512 * 1024
(HELLO, LOCATE, OPEN, LIST, LOGIN, SIGN, RELEASE, ADMINISTER, CANCEL, PIN_ANSWER, TOUCH_ANSWER,
 QUIT, ADD, REMOVE) = range(1, 15)
(DONE, TOKEN, TOKEN_GONE, ASK_PIN, TOUCH_AWAITED, TOUCH_OVER, PRESENCE, PROGRESS, LOG,
 CONFINED, MEMORY, DENIED, WAITS) = range(32, 45)
GRANT_READ, GRANT_WRITE, GRANT_CONNECT, GRANT_BROKERED = range(4)
(OK, REFUSED, CANCELLED, TIMEOUT, NO_TOKEN, NO_KEY, PIN_NEEDED, PIN_WRONG, PIN_LAST_TRY, PIN_BLOCKED,
 BUSY, DEVICE_FAILED, NOT_ALLOWED, UNSUPPORTED, BAD_INPUT, NO_MEMORY, HELD) = range(17)
TOUCH, PIN, PIN_PAD_USED = 1, 2, 4
NEEDS_LOGIN, LOGGED_IN, PIN_PAD, LAST_TRY, BLOCKED, NO_PIN = (1 << bit for bit in range(6))
ALGORITHMS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
              "rsa-sha2-256", "rsa-sha2-512", "ssh-rsa", "sk-ssh-ed25519@openssh.com",
              "sk-ecdsa-sha2-nistp256@openssh.com", "ssh-dss", "ssh-mldsa44-ed25519",
              "ssh-mldsa44-ed25519@openssh.com")

Key = collections.namedtuple("Key", "blob label flags id certificate", defaults=("", None))
Certificate = collections.namedtuple(
    "Certificate", "subject issuer issuer_name usages not_before not_after others")
Token = collections.namedtuple("Token", "id label serial model location flags tries keys")
Done = collections.namedtuple("Done", "error words result")
AskPin = collections.namedtuple("AskPin", "token tries flags retry")
Confined = collections.namedtuple("Confined", "landlock filtered brokered lacking")
Frame = collections.namedtuple("Frame", "type operation body")


def frame(number, operation=0, body=b""):
    return string(bytes([number]) + u32(operation) + body)


def _signed(value):
    return struct.unpack(">i", u32(value))[0]


def _read_certificate(reader):
    texts = [reader.string().decode("utf-8", "backslashreplace") for _ in range(4)]
    return Certificate(*texts, reader.u64(), reader.u64(), reader.u32())


def _read_key(reader):
    blob, label, flags, number = reader.string(), reader.string(), reader.u32(), reader.string().decode()
    return Key(blob, label, flags, number, _read_certificate(reader) if reader.u8() else None)


def _read_token(reader):
    fields = [reader.u32(), *(reader.string() for _ in range(4)), reader.u32(), _signed(reader.u32())]
    keys = [_read_key(reader) for _ in range(reader.u32())]
    return Token(*fields, keys)


READERS = {
    HELLO: lambda r: (r.u32(), r.string(), r.u32(), r.u32()),
    DONE: lambda r: Done(r.u32(), r.string().decode(), r.string()),
    TOKEN: _read_token,
    TOKEN_GONE: lambda r: r.u32(),
    ASK_PIN: lambda r: AskPin(r.u32(), _signed(r.u32()), r.u32(), bool(r.u8())),
    TOUCH_AWAITED: lambda r: r.u32(),
    TOUCH_OVER: lambda r: None,
    PRESENCE: lambda r: r.u32(),
    PROGRESS: lambda r: r.string().decode(),
    LOG: lambda r: (r.u32(), r.string().decode()),
    CONFINED: lambda r: Confined(r.u32(), bool(r.u8()), bool(r.u8()), r.string().decode()),
    MEMORY: lambda r: None,
    WAITS: lambda r: r.u32(),
    DENIED: lambda r: (bool(r.u8()), r.string().decode()),
}


def pipe_with(data):
    """The reading end of a pipe that holds data and whose writer is closed: how a PIN travels."""
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    return reading


class Ended(Exception):
    """The worker closed its socket."""


class Worker:
    """
    A running worker: .send(), .receive(), .call(); .log holds its log lines, .pid, .socket.

    With a provider it is greeted and opened. stop(), also called at the end of a with block,
    closes the socket; at the end of a block the worker has to end by itself and with 0,
    unless the test has already called ended().
    """

    grants = ()  # (GRANT_..., path), what open() hands over
    confined = None  # what the worker said of its confinement

    def __init__(self, provider=None, program="fake", wrapper=None, third=None):
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(place.ANSWER_SECONDS * place.PATIENCE)
        self.log, self._next, self._code = [], 0, None
        self._words = ""
        self._stderr, writing = os.pipe()
        fds = {3: theirs.fileno() if third is None else third, 2: writing}
        self.pid = self._spawn(fds, place.LIBEXEC / f"keystile-worker-{program}", wrapper)
        theirs.close()
        os.close(writing)
        if provider is not None:
            self.greet()
            self.open(provider)

    @staticmethod
    def _spawn(fds, program, wrapper):
        if wrapper is None:
            wrapper = shlex.split(os.environ.get("KEYSTILE_WORKER_WRAPPER", ""))
        command = [*wrapper, str(program)]
        env = {name: os.environ[name] for name in place.PASSED_ON if name in os.environ}
        actions = [(os.POSIX_SPAWN_DUP2, old, new) for new, old in sorted(fds.items())]
        actions += [(os.POSIX_SPAWN_OPEN, new, "/dev/null", os.O_RDWR, 0) for new in (0, 1)]
        return os.posix_spawnp(command[0], command, env, file_actions=actions)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        known = self._code is not None
        code, words = self.stop(), self.stderr()
        os.close(self._stderr)
        if kind is None and not known and code != 0:
            raise AssertionError(f"the worker ended with {code}: {words}")

    # What the agent says

    def raw(self, data, fds=()):
        """Bytes as they are, with descriptors at the first one, which are closed here."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        sent = self.socket.sendmsg([data], rights)
        for fd in fds:
            os.close(fd)
        if sent < len(data):
            self.socket.sendall(data[sent:])

    def send(self, number, operation=0, body=b"", fds=()):
        self.raw(frame(number, operation, body), fds)

    def greet(self, version=VERSION, level=3):
        hello = self.receive()
        self.send(HELLO, 0, u32(version) + string("") + u32(0) + u32(level))
        return hello

    def begin(self, number, body=b"", timeout_ms=60000, fds=()):
        """Begins an operation and returns its id."""
        if number == OPEN and not body:
            body = string(b"".join(bytes([kind]) + string(str(path)) for kind, path in self.grants))
        self._next += 1
        self.send(number, self._next, u32(timeout_ms) + body, fds)
        return self._next

    def begin_sign(self, key, data=b"data", token=0, algorithm=None, demand=0, timeout_ms=60000, remote=False):
        name = algorithm or Reader(key).string().decode()
        body = (u32(token) + u32(ALGORITHMS.index(name)) + u32(demand) + bytes([remote])
                + string(key) + string(data))
        return self.begin(SIGN, body, timeout_ms)

    def give_pin(self, operation, pin):
        self.send(PIN_ANSWER, operation, u32(OK), fds=[pipe_with(pin)])

    # What the worker says

    def receive(self):
        """The next frame that is no log line and not about confinement."""
        while True:
            length = Reader(self._read(4)).u32()
            if length > FRAME_MAX:
                raise AssertionError(f"a frame of {length} bytes")
            reader = Reader(self._read(length))
            number, operation = reader.u8(), reader.u32()
            got = Frame(number, operation, READERS[number](reader))
            if reader.data:
                raise AssertionError(f"bytes left over in {got}")
            if number == CONFINED:
                self.confined = got.body
            elif number in (MEMORY, DENIED):
                continue
            elif number != LOG:
                return got
            else:
                self.log.append(got.body[1])

    def expect(self, number, operation=None):
        """The body of the next frame, which has to be of this type."""
        got = self.receive()
        if got.type != number or operation not in (None, got.operation):
            raise AssertionError(f"type {number} of {operation} wanted, got {got}")
        return got.body

    def finish(self, operation):
        """What came until the operation was done, and how it ended."""
        before = []
        while True:
            got = self.receive()
            if (got.type, got.operation) == (DONE, operation):
                return before, got.body
            before.append(got)

    def call(self, number, body=b"", **options):
        return self.finish(self.begin(number, body, **options))

    def open(self, provider):
        """Locates and opens, which has to succeed; returns the canonical name."""
        canonical = self.call(LOCATE, string(provider))[1]
        opened = self.call(OPEN)[1] if canonical.error == OK else canonical
        if opened.error != OK:
            raise AssertionError(f"{provider} could not be opened: {opened}")
        return canonical.result.decode()

    def add(self, key):
        """Hands a private key over, as ssh-add sends it; its blob."""
        done = self.call(ADD, fds=[pipe_with(key)])[1]
        if done.error != OK:
            raise AssertionError(f"a key was not taken: {done}")
        return done.result

    def remove(self, blob):
        return self.call(REMOVE, string(blob))[1]

    def tokens(self):
        """The tokens that a list reports."""
        frames, done = self.call(LIST)
        if done.error != OK:
            raise AssertionError(f"list failed: {done}")
        return [one.body for one in frames if one.type == TOKEN]

    def key(self, number=0, token=0):
        return self.tokens()[token].keys[number].blob

    def sign(self, key, **options):
        return self.finish(self.begin_sign(key, **options))

    def _read(self, length):
        data = b""
        while len(data) < length:
            try:
                piece = self.socket.recv(min(length - len(data), 1 << 16))
            except ConnectionResetError:
                piece = b""
            if not piece:
                raise Ended(f"after {data!r}; {self.stderr()}")
            data += piece
        return data

    # How it ends

    def ended(self, seconds=30):
        """Waits for its end, with the socket read on; the exit status, or minus the signal."""
        try:
            while self._code is None:
                self.receive()
        except Ended:
            pass
        return self._wait(seconds)

    def stop(self):
        self.socket.close()
        return self._wait(30)

    def _wait(self, seconds):
        end = time.monotonic() + seconds * place.PATIENCE
        while self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                self._code = "killed, as it did not end by itself"
            else:
                time.sleep(0.002)
        return self._code

    def stderr(self):
        """What it wrote there; waits for its end."""
        self._wait(30)
        with open(self._stderr, "rb", closefd=False) as file:
            self._words += file.read().decode(errors="replace")
        return self._words
