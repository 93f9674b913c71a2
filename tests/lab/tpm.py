"""
A TPM 2.0 in software: swtpm, and a bus before it that takes any number of clients, keeps what passed, and lets a
test answer in the TPM's place.
"""
import base64
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import threading
import tty

from . import place

NO_SESSIONS, SESSIONS = 0x8001, 0x8002
(CREATE_PRIMARY, NV_READ, LOAD, SIGN, RSA_DECRYPT, FLUSH_CONTEXT, READ_PUBLIC, START_AUTH_SESSION, GET_CAPABILITY,
 IMPORT, STARTUP) = (0x131, 0x14e, 0x157, 0x15d, 0x159, 0x165, 0x173, 0x176, 0x17a, 0x156, 0x144)
SHUTDOWN, EVICT_CONTROL = 0x145, 0x120
RC_NV_RATE, RC_NV_UNAVAILABLE = 0x920, 0x923
HEADER = struct.Struct(">HII")
PASSWORD_SESSION = struct.pack(">I", 0x40000009)


def _read(sock, length):
    data = b""
    while len(data) < length:
        piece = sock.recv(length - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def read_message(sock):
    """A command or a response: both say their length."""
    head = _read(sock, HEADER.size)
    return head + _read(sock, HEADER.unpack(head)[1] - HEADER.size)


def code_of(command):
    """Which command it is."""
    return HEADER.unpack(command[:HEADER.size])[2]


def failure(code):
    """What a TPM answers when it refuses."""
    return HEADER.pack(NO_SESSIONS, HEADER.size, code)


class Bus:
    """
    Listens at .path as swtpm does, control channel and all. .passed holds what was sent, as bytes. .answer may be a
    function of a command: bytes are sent back in the TPM's place, None lets it pass, False closes the
    connection, True leaves it without an answer. .alter is one of a command and its true response, and returns what is
    sent instead of that.
    """

    def __init__(self, path, real):
        self.path, self.real = str(path), str(real)
        self.passed, self.answered = [], []
        self.answer = self.alter = None
        self._turn, self._upstream = threading.Lock(), None
        self._open = []
        self._listeners = [self._listen(self.path, self._serve), self._listen(self.path + ".ctrl", self._control)]

    def _listen(self, path, serve):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(16)
        threading.Thread(target=self._accept, args=(listener, serve), daemon=True).start()
        return listener

    def _accept(self, listener, serve):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self._open.append(client)
            threading.Thread(target=self._until_end, args=(client, serve), daemon=True).start()

    @staticmethod
    def _until_end(client, serve):
        try:
            with client:
                serve(client)
        except (EOFError, OSError):
            pass

    @staticmethod
    def _control(client):
        """Whatever is asked has worked."""
        while client.recv(4096):
            client.sendall(bytes(4))

    def _serve(self, client):
        while True:
            response = self.take(read_message(client))
            if response is False:
                return
            if response is not True:
                client.sendall(response)

    def take(self, command):
        """What it is answered with, see above."""
        with self._turn:
            self.passed.append(command)
            instead = self.answer(command) if self.answer else None
            response = self._forward(command) if instead is None else instead
            if instead is None and self.alter:
                response = self.alter(command, response)
            self.answered.append(response)
        return response

    def _forward(self, command):
        if self._upstream is None:
            fresh = socket.socket(socket.AF_UNIX)
            fresh.connect(self.real)
            self._upstream = fresh
        try:
            self._upstream.sendall(command)
            return read_message(self._upstream)
        except (EOFError, OSError):
            self._upstream = None  # the TPM has gone; whoever asked hears nothing
            raise

    def command(self, code, body=b"", tag=NO_SESSIONS):
        """Sends one of the test's own, past the record; its response code and what follows."""
        with self._turn:
            response = self._forward(HEADER.pack(tag, HEADER.size + len(body), code) + body)
        return HEADER.unpack(response[:HEADER.size])[2], response[HEADER.size:]

    def codes(self):
        """The command codes that passed, in their order."""
        return [HEADER.unpack(command[:HEADER.size])[2] for command in self.passed]

    def clear(self):
        self.passed.clear()
        self.answered.clear()

    def restart(self):
        """The TPM behind it is another process from now on."""
        with self._turn:
            if self._upstream is not None:
                self._upstream.close()
            self._upstream = None

    def drop(self):
        """Closes all connections."""
        for one in self._open:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._open.clear()

    def close(self):
        for listener in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.drop()
        self.restart()


class Device:
    """A device node through which a bus is reached, as /dev/tpm0: what is written is a command, what is read the answer."""

    def __init__(self, bus):
        self._bus = bus
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        try:
            while True:
                os.write(self._master, self._bus.take(self._command()))
        except (EOFError, OSError):
            pass

    def _command(self):
        data = b""
        while len(data) < HEADER.size or len(data) < HEADER.unpack(data[:HEADER.size])[1]:
            data += os.read(self._master, 4096)
        return data

    def close(self):
        os.close(self._slave)
        os.close(self._master)


class Tpm:
    """A TPM of its own: .tcti names it for any tss2 program, .bus is what lies between."""

    def __init__(self, tries=32, endorsed=False):
        """endorsed: with certificates for its endorsement keys, of the authority in .root and .issuer."""
        self.folder = place.Folder()
        self.path = self.folder.path
        self.state = self.path / "state"
        self.state.mkdir()
        self.env = {**place.environment(self.path), "XDG_CONFIG_HOME": str(self.path)}
        place.run_well(["swtpm_setup", "--tpm2", "--tpmstate", self.state, *(self._authority() if endorsed else ())],
                       env=self.env)
        self.process = None
        self.start()
        self.bus = Bus(self.path / "tpm", self.path / "swtpm")
        self.tcti = f"swtpm:path={self.bus.path}"
        self.direct = f"swtpm:path={self.path / 'swtpm'}"
        self.env.update(TPM2TOOLS_TCTI=self.tcti, TPM2OPENSSL_TCTI=self.tcti, TSS2_LOG="all+NONE",
                        TPM2_PKCS11_TCTI=self.direct)
        if tries is not None:
            self.tool("tpm2_dictionarylockout", "-s", "-n", tries, "-t", 600, "-l", 86400)

    def _authority(self):
        """Options by which swtpm_setup has certificates made, as a maker does: RSA 2048 and ECC P-384."""
        folder = self.path / "authority"
        folder.mkdir()
        self.root, self.issuer = folder / "swtpm-localca-rootca-cert.pem", folder / "issuercert.pem"
        (folder / "authority").write_text("".join(f"{name} = {folder}/{file}\n" for name, file in (
            ("statedir", ""), ("signingkey", "signkey.pem"), ("issuercert", "issuercert.pem"),
            ("certserial", "certserial"))))
        (folder / "options").write_text("--platform-manufacturer Lab --platform-version 1 --platform-model Lab\n")
        (folder / "setup").write_text(
            f"create_certs_tool = /usr/bin/swtpm_localca\ncreate_certs_tool_config = {folder}/authority\n"
            f"create_certs_tool_options = {folder}/options\nactive_pcr_banks = sha256\n")
        return ["--create-ek-cert", "--config", folder / "setup"]

    def start(self):
        for name in ("swtpm", "swtpm.ctrl"):
            (self.path / name).unlink(missing_ok=True)
        self.process = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.state}",
             "--server", f"type=unixio,path={self.path / 'swtpm'}",
             "--ctrl", f"type=unixio,path={self.path / 'swtpm.ctrl'}",
             "--flags", "not-need-init,startup-clear"],
            env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        place.wait_for("swtpm listens", lambda: place.listens(self.path / "swtpm"))

    def tool(self, *command, **options):
        """A program of tpm2-tools or OpenSSL, which has to end well."""
        return place.run_well(command, env=self.env, cwd=self.path, **options)

    def restart(self):
        """As after a reset: what was loaded is gone, what is persistent stays."""
        self.stop()
        self.start()

    def stop(self):
        """The TPM goes, as one that is pulled out; said before, so that it does not count as a try."""
        self.bus.command(SHUTDOWN, b"\0\0")
        self.bus.restart()
        place.end(self.process, signal.SIGTERM)

    def handles(self, kind):
        """Handles that are in use: kind is transient, loaded-session, persistent."""
        listed = self.tool("tpm2_getcap", f"handles-{kind}").stdout
        return [line.split()[-1] for line in listed.splitlines() if "0x" in line]

    def failures(self):
        """How many wrong authorisation values count now."""
        listed = self.tool("tpm2_getcap", "properties-variable").stdout
        line = next(line for line in listed.splitlines() if "LOCKOUT_COUNTER" in line)
        return int(line.split()[-1], 16)

    def _primary(self, algorithm, hierarchy="o", **secrets):
        """secrets: of_owner, what the hierarchy wants to know; of_parent, what the key will want to know."""
        context = self.path / "primary.ctx"
        words = [word for name, option in (("of_owner", "-P"), ("of_parent", "-p")) if name in secrets
                 for word in (option, secrets[name])]
        self.tool("tpm2_createprimary", "-Q", "-C", hierarchy, "-G", algorithm, "-g", "sha256", "-c", context, *words)
        self.flush()
        return context

    def flush(self):
        for kind in ("-t", "-l"):
            self.tool("tpm2_flushcontext", kind)

    def key(self, name="key.tpm", algorithm="ecc256", pin=None, attributes=None, folder=None, parent="ecc",
            honest=True):
        """
        A key file as tpm2-tools write it; its path. With their own option for keys with a PIN, which not honest is, those
        of 5.4 write that there is none, and the other way round.
        """
        file = pathlib.Path(folder or self.path) / name
        primary = self._primary(parent)
        secret = ["-p", pin] if pin else []
        more = ["-a", attributes] if attributes else []
        public, private = self.path / "key.pub", self.path / "key.priv"
        self.tool("tpm2_create", "-Q", "-C", primary, "-G", algorithm, "-u", public, "-r", private, *secret, *more)
        self.flush()
        self.tool("tpm2_encodeobject", "-C", "0x40000001", "-u", public, "-r", private, "-o", file,
                  *(["-p"] if honest != bool(pin) else []))
        self.flush()
        os.chmod(file, 0o600)
        return file

    def wrapped(self, name, parent, handle, of_parent=None):
        """A key file of what is below this context, which is said to be below that handle; its path."""
        file, public, private = self.path / name, self.path / "key.pub", self.path / "key.priv"
        secret = ["-P", of_parent] if of_parent else []
        self.tool("tpm2_create", "-Q", "-C", parent, *secret, "-G", "ecc256", "-u", public, "-r", private)
        self.tool("tpm2_encodeobject", "-C", handle, "-u", public, "-r", private, "-o", file, "-p")
        self.flush()
        os.chmod(file, 0o600)
        return file

    def key_below_hierarchy(self, hierarchy, handle, **secrets):
        """Of "e" or such, which has that handle; tpm2_encodeobject writes the owner's whatever one says."""
        file = self.wrapped("below.tpm", self._primary("ecc", hierarchy, **secrets), "0x40000001")
        first, *lines, last = file.read_text().splitlines()
        der = base64.b64decode("".join(lines)).replace(b"\2\4\x40\0\0\1", b"\2\4" + bytes.fromhex(handle[2:]))
        file.write_text("\n".join((first, base64.b64encode(der).decode(), last, "")))
        return file

    def key_below_persistent(self, handle="0x81000001", of_parent=None):
        """The parent stays in the TPM."""
        primary = self._primary("ecc", **({"of_parent": of_parent} if of_parent else {}))
        self.tool("tpm2_evictcontrol", "-Q", "-C", "o", "-c", primary, handle)
        self.flush()
        return self.wrapped("below.tpm", handle, handle, of_parent)

    def openssl_key(self, name="openssl.tpm", pin=None, folder=None, algorithm=("EC", "group:P-256")):
        """A key file as tpm2-openssl writes it; its path."""
        file = pathlib.Path(folder or self.path) / name
        auth = ["-pkeyopt", f"user-auth:{pin}"] if pin else []
        self.tool("openssl", "genpkey", "-provider", "tpm2", "-provider", "default", "-propquery", "?provider=tpm2",
                  "-algorithm", algorithm[0], "-pkeyopt", algorithm[1], *auth, "-out", file)
        os.chmod(file, 0o600)
        return file

    def persistent(self, handle="0x81000010", algorithm="ecc256", pin=None):
        """A key that stays in the TPM; its handle."""
        primary = self._primary("ecc")
        secret = ["-p", pin] if pin else []
        public, private, context = self.path / "key.pub", self.path / "key.priv", self.path / "key.ctx"
        self.tool("tpm2_create", "-Q", "-C", primary, "-G", algorithm, "-u", public, "-r", private, *secret)
        self.flush()
        self.tool("tpm2_load", "-Q", "-C", primary, "-u", public, "-r", private, "-c", context)
        self.flush()
        self.tool("tpm2_evictcontrol", "-Q", "-C", "o", "-c", context, handle)
        self.flush()
        return handle

    def close(self):
        self.bus.close()
        if self.process.poll() is None:
            place.end(self.process, signal.SIGTERM)
        shutil.rmtree(self.state, ignore_errors=True)
        self.folder.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
