"""Security keys in software, plugged into a testbed of umockdev: tests/authenticator in Python's hands."""
import pathlib
import re
import shutil
import signal
import socket
import subprocess

from . import bare_terminal, place

PROGRAMS = place.BUILD / "tests"
PRELOAD = "libumockdev-preload.so.0"


def preload_for(program):
    """What goes into LD_PRELOAD: the library of a sanitizer, where a program has one, wants to be the first."""
    found = re.search(r"libasan\.so\.\d+", place.run_well(["ldd", program]).stdout)
    return f"{found.group()} {PRELOAD}" if found else PRELOAD


class Token:
    """
    One security key. It is touched, refused, pulled and so on by the methods below; the words of
    .says() are those at the end of tests/authenticator/control.c. .node is its device.
    """

    def __init__(self, bed, number, port, lines):
        self.number = number
        self.node = f"/dev/hidraw{number}"
        self.path = bed.folder.path / f"token{number}"
        self._log = open(bed.folder.path / f"token{number}.log", "wb")
        self.process = subprocess.Popen(
            [PROGRAMS / "authenticator-token", str(port.fileno()), self.path, *lines], pass_fds=[port.fileno()],
            stdin=subprocess.DEVNULL, stderr=self._log, env=place.environment(bed.folder.path))
        port.close()
        place.wait_for("the authenticator listens", lambda: self.process.poll() is not None
                       or place.listens(self.path))
        if self.process.poll() is not None:
            raise AssertionError(f"the authenticator does not start: {self.log()}")
        self.control = socket.socket(socket.AF_UNIX)
        self.control.settimeout(place.ANSWER_SECONDS * place.PATIENCE)
        self.control.connect(str(self.path))
        self.answers = self.control.makefile()

    def log(self):
        return pathlib.Path(self._log.name).read_text(errors="replace")

    def says(self, line):
        """What it answers to a line, which has to be good."""
        self.control.sendall(f"{line}\n".encode())
        verdict, _, rest = self.answers.readline().rstrip("\n").partition(" ")
        if verdict != "ok":
            raise AssertionError(f"{line}: {verdict} {rest} {self.log()}")
        return rest

    # What a person does.

    def blinks(self):
        return self.says("light") == "on"

    def wait_until_it_blinks(self):
        place.wait_for("the token waits for a touch", self.blinks)

    def wait_until_dark(self):
        place.wait_for("the token waits no more", lambda: not self.blinks())

    def touch(self):
        self.wait_until_it_blinks()
        self.says("touch")

    def refuse(self):
        self.wait_until_it_blinks()
        self.says("refuse")

    def touch_at_once(self, wanted=True):
        """Every time it blinks, from now on."""
        self.says(f"touch-at-once {'on' if wanted else 'off'}")

    def pull(self):
        self.says("pull")

    def insert(self):
        self.says("insert")

    # What it is, and what it does wrong.

    def set(self, name, value):
        self.says(f"set {name} {value}")

    def pin(self, text=""):
        """As if it had always had this one, or none."""
        self.says(f"pin {text}")

    def fault(self, kind, times=1, command=""):
        self.says(f"fault {kind} {times} {command}".rstrip())

    def replies(self, data, times=1, command=""):
        """The next answers are these bytes: a status, and CBOR."""
        self.says(f"reply {data.hex()}")
        self.fault("reply", times, command)

    def holds(self, key, application="ssh:", protect=1):
        """The key of a lab.security_key.Instructed is resident on it; on another token as well, if you like."""
        self.says(" ".join(("holds", *(one.hex() for one in (key.seed, key.handle, application.encode())), str(protect))))

    # What it has seen.

    @property
    def tries(self):
        """How many tries of its PIN are left."""
        return int(self.says("tries"))

    def state(self):
        return {name: int(value) for name, _, value in
                (pair.partition("=") for pair in self.says("state").split())}

    def counts(self):
        """What hosts asked of it since the last .count_anew(); what is not in there was not asked."""
        return {name: int(value) for name, _, value in
                (pair.partition("=") for pair in self.says("counts").split())}

    def count_anew(self):
        self.says("count-anew")

    def close(self):
        """It ends by itself when its testbed has, and without a complaint."""
        self.answers.close()
        self.control.close()
        self._log.close()
        try:
            code = self.process.wait(20 * place.PATIENCE)
        except subprocess.TimeoutExpired:
            code = place.end(self.process, signal.SIGTERM)
        if code != 0 or self.log():
            raise AssertionError(f"the authenticator ended with {code}: {self.log()}")


class Bed:
    """
    A testbed with so many tokens, plugged in unless told otherwise: .tokens. lines are what each
    of them is told before that. .env is what a program needs to
    see them, .worker_env the same for our own workers, however they were built.
    """

    def __init__(self, tokens=1, lines=(), plugged=True):
        self.folder = place.Folder()
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(tokens)]
        ours = [pair[0] for pair in pairs]
        self.process = subprocess.Popen(
            [PROGRAMS / "authenticator-bed", *(str(port.fileno()) for port in ours)],
            env={**place.environment(self.folder.path), "LD_PRELOAD": PRELOAD},
            pass_fds=[port.fileno() for port in ours], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for port in ours:
            port.close()
        self.tokens = []
        self.root = self.process.stdout.readline().strip()
        if not self.root:
            raise AssertionError("the testbed does not start")
        self.env = {"UMOCKDEV_DIR": self.root, "LD_PRELOAD": PRELOAD}
        self.worker_env = {**self.env, "LD_PRELOAD": preload_for(place.AGENT)}
        for number, pair in enumerate(pairs):
            self.tokens.append(Token(self, number, pair[1], lines))
            if plugged:
                self.tokens[-1].insert()

    @property
    def token(self):
        return self.tokens[0]

    def environment(self, env=None):
        """Of a program that sees the tokens."""
        return {**place.environment(self.folder.path), **self.env, **(env or {})}

    def run(self, command, env=None, **options):
        """A program that sees the tokens."""
        return place.run(command, env=self.environment(env), **options)

    def run_well(self, command, env=None, **options):
        return place.run_well(command, env=self.environment(env), **options)

    def start(self, command, env=None, **options):
        """A Popen of one, which the caller ends."""
        return subprocess.Popen([str(word) for word in command], env=self.environment(env), **options)

    def types(self, command, *answers, env=None, during=lambda: None):
        """
        A program in a terminal, where each prompt of answers, (words, what is typed) pairs, is waited
        for; during() runs then. Its code, and all that it showed.
        """
        terminal = bare_terminal.Tty()
        try:
            process = terminal.run(command, env=self.environment(env))
            for prompt, text in answers:
                terminal.wait_until_shown(prompt)
                terminal.types(f"{text}\n")
            during()
            place.wait_for(f"{command[0]} ends",
                           lambda: terminal.shown() is not None and process.poll() is not None)
            return process.returncode, terminal.shown()
        finally:
            terminal.close()

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20 * place.PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        try:
            for token in self.tokens:
                token.close()
        finally:
            shutil.rmtree(self.root, ignore_errors=True)
            self.folder.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
