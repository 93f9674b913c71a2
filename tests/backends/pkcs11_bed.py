"""What the tests of the pkcs11 backend stand on: its worker on SoftHSM, or on the shim before it."""
import os
import pathlib
import shlex
import unittest

import lab
from lab import worker

SHIM = lab.BUILD / "tests" / "modules" / "shim.so"
SPY = "/usr/lib/x86_64-linux-gnu/pkcs11-spy.so"

# Return values that the shim is told to give.
(GENERAL_ERROR, DEVICE_ERROR, DEVICE_REMOVED, FUNCTION_CANCELED, KEY_HANDLE_INVALID, OBJECT_HANDLE_INVALID,
 OPERATION_ACTIVE, SESSION_CLOSED, SESSION_COUNT, SESSION_HANDLE_INVALID, TOKEN_NOT_PRESENT,
 USER_ALREADY_LOGGED_IN, USER_NOT_LOGGED_IN, PIN_LOCKED, PIN_EXPIRED, USER_PIN_NOT_INITIALIZED) = (
     0x5, 0x30, 0x32, 0x50, 0x60, 0x82, 0x90, 0xb0, 0xb1, 0xb3, 0xe0, 0x100, 0x101, 0xa4, 0xa3,
     0x102)
COUNT_LOW, FINAL_TRY, LOCKED, PIN_PAD = 1 << 16, 1 << 17, 1 << 18, 1 << 8


class Worker(worker.Worker):
    """keystile-worker-pkcs11 with the environment that an agent would build for it."""

    def __init__(self, module=None, env=None, wrapper=()):
        pairs = [f"{name}={value}" for name, value in (env or {}).items()]
        valgrind = shlex.split(os.environ.get("KEYSTILE_WORKER_WRAPPER", ""))
        super().__init__(program="pkcs11", 
                         wrapper=["/usr/bin/env", *pairs, *wrapper, *valgrind])
        shim = (env or {}).get("KEYSTILE_SHIM")
        self.grants = [(worker.GRANT_WRITE, shim)] if shim else []
        self.greet()
        if module is not None:
            self.open(str(module))

    def login(self, pin):
        """As `ssh-add -s` with this PIN; what came, and how it ended."""
        return self.call(worker.LOGIN, fds=[worker.pipe_with(pin.encode())])

    def sign_asked(self, key, *pins, **options):
        """Signs; gives the PINs one after the other when asked, then refuses. See .asked."""
        return self.answer(self.begin_sign(key, **options), *pins)

    def answer(self, operation, *pins):
        self.asked, pins = [], list(pins)
        before = []
        while True:
            got = self.receive()
            if got.type == worker.DONE and got.operation == operation:
                return before, got.body
            before.append(got)
            if got.type == worker.ASK_PIN and got.operation == operation:
                self.asked.append(got.body)
                if pins:
                    self.give_pin(operation, pins.pop(0).encode())
                else:
                    self.send(worker.PIN_ANSWER, operation, worker.u32(worker.REFUSED))


class Shim:
    """The folder that tells the shim what to do."""

    def __init__(self, hsm):
        self.folder = lab.Folder()
        self.path = self.folder.path
        self.env = dict(hsm.env, KEYSTILE_SHIM=str(self.path), KEYSTILE_SHIM_MODULE=hsm.module)

    def tell(self, name, text=""):
        """Puts the file there at once, or leaves it out of sight."""
        fresh = self.path / "tmp" / "fresh"
        fresh.write_text(str(text))
        fresh.rename(self.path / name)

    def fail(self, call, value, count=1):
        self.tell(f"{call}.fail", f"{value:x} {count}")

    def stop(self, name):
        (self.path / name).unlink()

    def lines(self):
        """The calls since the last time."""
        path = self.path / "log"
        if not path.exists():
            return []
        taken = path.read_text().splitlines()
        path.unlink()
        return taken

    def calls(self):
        return [line.split()[0] for line in self.lines()]

    def waiting(self, call):
        """True once the call was made."""
        path = pathlib.Path(self.path / "log")
        return path.exists() and any(
            line.startswith(call + " ") for line in path.read_text().splitlines())


class Case(unittest.TestCase):
    """A token "Lab" with the PIN 1234 and a P-256 key: .hsm, .token, .key, .shim."""

    def setUp(self):
        self.hsm = lab.SoftHSM()
        self.addCleanup(self.hsm.close)
        self.token = self.hsm.token("Lab", "1234")
        self.key = self.token.bring("p256")
        self.shim = Shim(self.hsm)
        self.addCleanup(self.shim.folder.close)

    def worker(self, module=None):
        return Worker(module or self.hsm.module, self.hsm.env)

    def shimmed(self):
        return Worker(SHIM, self.shim.env)

    def ready(self):
        """A worker on the shim, logged in, that has signed once: what comes next is the hot path."""
        one = self.shimmed()
        self.assertEqual(one.login("1234")[1].error, worker.OK)
        self.signs(one)
        self.shim.lines()
        return one

    def signs(self, one, *pins, key=None, **options):
        """A signature is made, and it is good; returns what came before it."""
        key = key or self.key
        frames, done = one.sign_asked(key.blob, *pins, token=1, **options)
        self.assertEqual(done.error, worker.OK, done)
        lab.verify(key.blob, done.result, b"data")
        return frames

    def refuses(self, one, error, *pins, key=None, **options):
        """A signature is refused with this error and with words; returns them."""
        _, done = one.sign_asked((key or self.key).blob, *pins, token=1, **options)
        self.assertEqual(done.error, error, done)
        self.assertEqual(done.result, b"")
        self.assertNotEqual(done.words, "")
        return done.words
