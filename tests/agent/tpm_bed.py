"""What the tests of `keystile tpm` stand on: the command at a TPM in software, with and without a terminal."""
import base64
import contextlib
import os
import stat
import subprocess
import unittest

import lab
from lab import tpm, worker

PIN, OTHER_PIN = "mine-4711", "other-0815"
PROVIDER = ("-provider", "tpm2", "-provider", "default", "-propquery", "?provider=tpm2")


class CommandTest(unittest.TestCase):
    """A TPM for all tests of the class, a folder for each."""

    tries = 32

    @classmethod
    def setUpClass(cls):
        cls.tpm = tpm.Tpm(tries=cls.tries)

    @classmethod
    def tearDownClass(cls):
        cls.tpm.close()

    def setUp(self):
        folder = lab.Folder()
        self.addCleanup(folder.close)
        self.path = folder.path
        self.tpm.bus.clear()

    def tearDown(self):
        """Whatever was done, nothing is left in the TPM."""
        for kind in ("transient", "loaded-session"):
            self.assertEqual(self.tpm.handles(kind), [], kind)

    def env(self, other=None):
        at = other or self.tpm
        return {**lab.environment(self.path), "KEYSTILE_TPM2_TCTI": at.tcti, "KEYSTILE_TPM2_SOCKET": at.bus.path,
                "KEYSTILE_TPM2_STATE": str(self.path / "state"), "TSS2_LOG": "all+NONE"}

    # Without a terminal

    def call(self, *words, at=None, status=0, env=None):
        """Runs it, with the status that it has to end with; its CompletedProcess."""
        done = lab.run([lab.CONTROL, "tpm", *map(str, words)], env=env or self.env(at), cwd=self.path)
        self.assertEqual(done.returncode, status, f"{words}: {done.stdout}{done.stderr}")
        return done

    def refuse(self, words, *command, **options):
        """It ends with 1 and says the words; what it said."""
        said = self.call(*command, status=1, **options).stderr
        self.assertIn(words, said)
        return said

    def create(self, name="key.tpm", *options, **how):
        self.call("create", "--no-pin", *options, name, **how)
        return self.path / name

    # In a terminal

    def types(self, *words, answers, status=0):
        """Runs it in a terminal and answers its questions, each by the words that show it; what was shown."""
        return self.in_terminal([lab.CONTROL, "tpm", *map(str, words)], answers, status, env=self.env(), cwd=str(self.path))

    def in_terminal(self, words, answers, status=0, **options):
        """The same with any command."""
        tty = lab.Tty()
        self.addCleanup(tty.close)
        process = tty.run(words, **options)
        for question, keys in answers:
            tty.wait_until_shown(question)
            tty.wait_until_shown(next((label for word, label in (("passphrase", "passphrase"), ("password", "Password: "))
                                       if word in question), "PIN: "))
            tty.forget()
            tty.types(keys + "\r")
        try:
            code = process.wait(lab.place.ANSWER_SECONDS * lab.PATIENCE)
        except subprocess.TimeoutExpired:
            self.fail(f"{words}: it does not end: {tty.shown()}")
        self.assertEqual(code, status, tty.shown())
        return tty.shown()

    def create_with_pin(self, name="pin.tpm", pin=PIN, *options):
        self.types("create", *options, name, answers=[("A PIN for the new key", pin), ("once more", pin)])
        return self.path / name

    # Looking at what came out

    def blob(self, name):
        return (self.path / name).with_suffix(".pub").read_text().split()[1]

    def mode(self, name):
        return stat.S_IMODE(os.stat(self.path / name).st_mode)

    def verify(self, public, digest, signature):
        """By OpenSSL, with the public key in a .pub file."""
        pem = self.path / "public.pem"
        pem.write_text(lab.run_well(["ssh-keygen", "-e", "-m", "PKCS8", "-f", public]).stdout)
        done = lab.run_well(["openssl", "dgst", f"-{digest}", "-verify", pem, "-signature", signature,
                             self.path / "data"])
        self.assertIn("Verified OK", done.stdout)

    @contextlib.contextmanager
    def worker(self, what):
        """The agent's worker, which has loaded it."""
        pairs = [f"{key}={value}" for key, value in self.env().items() if key.startswith("KEYSTILE_") or key == "HOME"]
        started = worker.Worker(program="tpm2", wrapper=["/usr/bin/env", *pairs])
        started.grants = [(worker.GRANT_CONNECT, self.tpm.bus.path + end) for end in ("", ".ctrl")]
        with started:
            started.greet()
            started.open(f"tpm2:{what}")
            yield started

    def sign_by_worker(self, name, algorithm="ecdsa-sha2-nistp256"):
        """The agent's worker signs with a file, and the signature is verified."""
        with self.worker(self.path / name) as started:
            key = started.key()
            self.assertEqual(base64.b64encode(key).decode(), self.blob(name))
            lab.verify(key, started.sign(key, data=b"data", algorithm=algorithm)[1].result, b"data")

    def sign_by_openssl(self, key, public, digest="sha256", pin=None, at=None):
        """tpm2-openssl signs with a file or a handle, and the signature is verified without a TPM."""
        signature = self.path / "signature"
        (self.path / "data").write_text("data\n")
        password = ("-passin", f"pass:{pin}") if pin else ()
        lab.run_well(["openssl", "pkeyutl", *PROVIDER, "-sign", "-inkey", str(key), "-rawin", "-digest", digest,
                      "-in", self.path / "data", "-out", signature, *password], env=(at or self.tpm).env)
        self.verify(public, digest, signature)
