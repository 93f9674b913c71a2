"""The clients of other people, each behind the same few methods, and the agent, keys and hosts they are tried with."""
import os
import subprocess
import unittest

from cryptography.hazmat.primitives import serialization

import lab

PIN = "1234"
PROGRAMS = lab.ROOT / "tests" / "clients" / "programs"
BUILT = lab.BUILD / "tests"
KINDS = ("ed25519", "p256", "p384", "p521", "rsa:2048")


class Client:
    """A client of the agent: the words that make it log in, and what it can't do."""

    sha1_only = False  # asks for RSA signatures as of old

    def login(self, host, words):
        """Logs in on a Host with any key of the agent, and runs words there."""
        raise NotImplementedError

    def forward(self, host, words):
        """The same with the agent forwarded."""
        raise NotImplementedError


class Program(Client):
    """One of those in programs/, which share their command line."""

    def __init__(self, *command, sha1_only=False):
        self.command = [str(word) for word in command]
        self.sha1_only = sha1_only

    @classmethod
    def python(cls, name):
        return cls("/usr/bin/python3", "-W", "ignore", PROGRAMS / f"{name}_client.py")

    @classmethod
    def built(cls, name, **options):
        return cls(BUILT / f"{name}-client", **options)

    def login(self, host, words):
        return self._there("login", host, words)

    def forward(self, host, words):
        return self._there("forward", host, words)

    def _there(self, order, host, words):
        return [*self.command, order, str(host.port), host.user, str(host.known_hosts), words]


class Plink(Client):
    def login(self, host, words, *options):
        fingerprint = lab.keys.fingerprint_of(lab.keys.blob_of_line(host.host_key_line))
        return ["plink", "-batch", "-ssh", "-agent", "-noshare", *options, "-P", str(host.port),
                "-l", host.user, "-hostkey", fingerprint, "127.0.0.1", words]

    def forward(self, host, words):
        return self.login(host, words, "-A")


class Dropbear(Client):
    def login(self, host, words, *options):
        return ["dbclient", "-T", "-y", "-y", *options, "-p", str(host.port), "-l", host.user,
                "127.0.0.1", words]

    def forward(self, host, words):
        return self.login(host, words, "-A")


class Conch(Client):
    """It has an option to forward, but does not know the channel that comes back."""

    sha1_only = True

    def login(self, host, words):
        return ["conch3", "-T", "--user-authentications", "publickey", "--host-key-algorithms", "ssh-ed25519",
                "--known-hosts", str(host.known_hosts), "-p", str(host.port), "-l", host.user,
                "127.0.0.1", words]


class Host(lab.Sshd):
    """An sshd in whose known_hosts it stands as the clients look for it, by its address."""

    def __init__(self, **options):
        # libssh2 and Conch know RSA only with SHA-1: here it is the agent that decides.
        super().__init__(lines="PubkeyAcceptedAlgorithms +ssh-rsa\nSubsystem sftp internal-sftp", **options)
        with open(self.known_hosts, "a", encoding="utf-8") as file:
            file.write(f"[127.0.0.1]:{self.port} {self.host_key_line}\n127.0.0.1 {self.host_key_line}\n")


class Keys:
    """One key of each kind, in files and on a token: made once for all tests of a file."""

    def __init__(self):
        self.hsm = lab.SoftHSM()
        token = self.hsm.token("Lab card", PIN)
        self.folder = lab.Folder()
        self.all = [token.bring(kind, label=kind, private=self._private(kind)) for kind in KINDS]

    def _private(self, kind):
        secret = lab.keys.private(kind)
        self.path(kind).write_bytes(secret.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption()))
        self.path(kind).chmod(0o600)
        # Rewritten by ssh-keygen: AsyncSSH does not read all that cryptography writes.
        lab.run_well(["ssh-keygen", "-q", "-c", "-C", kind, "-P", "", "-f", self.path(kind)])
        return secret

    def path(self, kind):
        """A file with the private key, whose comment is its kind."""
        return self.folder.path / kind

    def close(self):
        self.folder.close()
        self.hsm.close()


class Case(unittest.TestCase):
    """Two hosts, keys, an askpass that knows the PIN, and an agent that has the keys."""

    config = None

    @classmethod
    def setUpClass(cls):
        cls.keys, cls.first, cls.second = Keys(), Host(names=("first",)), Host(names=("second",))
        for one in (cls.keys, cls.first, cls.second):
            cls.addClassCleanup(one.close)

    def setUp(self):
        self.asked = lab.Askpass(PIN)
        self.addCleanup(self.asked.close)
        self.start(config=self.config)
        for host in (self.first, self.second):
            host.allow_only(self.keys.all[0])

    def start(self, **options):
        """An agent with the keys in place of the one before."""
        self.agent = lab.Agent(askpass=self.asked, env=self.keys.hsm.env, **options)
        self.addCleanup(self.agent.stop)
        self.load()

    def load(self):
        raise NotImplementedError

    def run_client(self, command, **options):
        """With standard input held open and silent, as a terminal is: Conch ends with its input."""
        reading, writing = os.pipe()
        try:
            return self.agent.run(*command, stdin=reading, **options)
        finally:
            os.close(reading)
            os.close(writing)

    def is_refused(self, command, *words):
        """
        The agent refuses with these words. The client is ended then: some, Conch among them, wait for
        ever when they get no signature.
        """
        reading, writing = os.pipe()
        process = subprocess.Popen(command, env=self.agent.env, stdin=reading, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        try:
            lab.wait_for(f"the agent refuses with {words}", lambda: any(
                all(word in one for word in words) for one in self.agent.refusals()))
        finally:
            for fd in (reading, writing):
                os.close(fd)
            process.kill()
            said = process.communicate()[0]
        self.assertEqual(said, b"")

    def reaches(self, command, said="I am in\n", **options):
        """The command ends well and prints what was run at its end."""
        done = self.run_client(command, **options)
        self.assertEqual((done.stdout, done.returncode), (said, 0), done.stderr + self.agent.log()[-2000:])
        return done


class OnToken:
    """The keys are those of a token that is logged in."""

    def load(self):
        done = self.agent.add_token(self.keys.hsm.module, PIN)
        self.assertEqual(done.returncode, 0, done.stderr)


class InMemory:
    """The keys were added from files by plain ssh-add."""

    def load(self):
        done = self.agent.run("ssh-add", "-q", *(self.keys.path(kind) for kind in KINDS))
        self.assertEqual(done.returncode, 0, done.stderr)
