"""What the tests of the tpm2 backend stand on: its worker at the bus of a TPM in software."""
import os
import shlex
import struct
import unittest

import lab
from lab import tpm, worker

PIN = "1234"
# Return codes of a TPM (part 2, section 6.6), as it gives them for the first session or handle.
AUTH_FAIL, BAD_AUTH, LOCKED = 0x98e, 0x9a2, 0x921
RETRY, YIELDED, TESTING, NV_RATE = 0x922, 0x908, 0x90a, 0x920
OBJECT_MEMORY, SESSION_MEMORY, INITIALIZE, HASH = 0x902, 0x903, 0x100, 0x2c3
KEY_HANDLE, SESSION_HANDLE, REFERENCE_KEY, REFERENCE_SESSION = 0x18b, 0x98b, 0x910, 0x918


class Worker(worker.Worker):
    """keystile-worker-tpm2 with the environment that an agent would build for it."""

    def __init__(self, bed, provider=None, env=None):
        values = {"HOME": bed.tpm.path, "KEYSTILE_TPM2_TCTI": bed.tpm.tcti,
                  "KEYSTILE_TPM2_SOCKET": bed.tpm.bus.path,
                  "KEYSTILE_TPM2_CONTROL": bed.tpm.bus.path + ".ctrl", "KEYSTILE_TPM2_STATE": bed.state, **(env or {})}
        pairs = [f"{name}={value}" for name, value in values.items()]
        valgrind = shlex.split(os.environ.get("KEYSTILE_WORKER_WRAPPER", ""))
        self.asked = []
        super().__init__(program="tpm2", wrapper=["/usr/bin/env", *pairs, *valgrind])
        if hasattr(worker, "GRANT_CONNECT"):
            self.grants = [(worker.GRANT_CONNECT, bed.tpm.bus.path + end) for end in ("", ".ctrl")]
        self.greet()
        if provider is not None:
            self.open(f"tpm2:{provider}")

    def login(self, pin):
        """As `ssh-add -s` with this PIN; how it ended."""
        return self.call(worker.LOGIN, fds=[worker.pipe_with(pin.encode())])[1]

    def sign_asked(self, key, *pins, **options):
        """Signs; gives the PINs one after the other when asked, then refuses. See .asked."""
        operation, pins = self.begin_sign(key, **options), list(pins)
        self.asked, before = [], []
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


class TpmTest(unittest.TestCase):
    """A TPM for all tests of the class, a folder of state for each."""

    tries = 32

    @classmethod
    def setUpClass(cls):
        cls.tpm = tpm.Tpm(tries=cls.tries)
        cls.addClassCleanup(cls.tpm.close)
        cls.made = {}

    def setUp(self):
        self.folder = lab.Folder()
        self.addCleanup(self.folder.close)
        self.state = self.folder.path / "state"
        self.running = None  # one at a time: the TPM has no resource manager
        self.addCleanup(self.stop)
        self.tpm.flush()
        self.tpm.bus.answer = self.tpm.bus.alter = None
        self.tpm.bus.clear()

    def key(self, pin=None, algorithm="ecc256"):
        """A key file that some test before may have used, too."""
        name = f"{algorithm}-{pin}.tpm"
        if name not in self.made:
            self.made[name] = self.tpm.key(name, algorithm=algorithm, pin=pin)
            self.tpm.bus.clear()
        return self.made[name]

    def start(self, provider, **env):
        """A worker with the provider open; it has to end well, and to leave nothing in the TPM."""
        if self.running is not None:
            self.ends_well(self.running)
        self.running = Worker(self, provider, env)
        return self.running

    def stop(self):
        if self.running is not None:
            self.ends_well(self.running)

    def ends_well(self, started):
        self.running = None
        self.tpm.bus.answer = self.tpm.bus.alter = None
        code = started.stop()
        words = started.stderr()
        os.close(started._stderr)
        self.assertEqual(code, 0, words)

    def assert_nothing_left(self):
        self.assertEqual((self.tpm.handles("transient"), self.tpm.handles("loaded-session")), ([], []))

    def asks(self, started, operation):
        """What it asks of the person next; what it tells of tokens meanwhile is passed over."""
        got = started.receive()
        while got.type == worker.TOKEN:
            got = started.receive()
        self.assertEqual((got.type, got.operation), (worker.ASK_PIN, operation))
        return got.body

    def assert_signs(self, started, key=None, *pins, data=b"data", **options):
        """A signature that verifies; the frames before it."""
        key = key or started.key()
        before, done = started.sign_asked(key, *pins, data=data, **options)
        self.assertEqual(done.error, worker.OK, done.words)
        lab.verify(key, done.result, data)
        return before

    def assert_fails(self, started, error, *pins, words="", **options):
        done = started.sign_asked(started.key(), *pins, **options)[1]
        self.assertEqual((done.error, done.result), (error, b""), done.words)
        self.assertIn(words, done.words)

    def signatures(self):
        """How many commands that sign have passed."""
        return sum(code in (tpm.SIGN, tpm.RSA_DECRYPT) for code in self.tpm.bus.codes())


def refuse(code, *commands, times=1):
    """For Bus.answer: the TPM refuses these commands so many times."""
    left = [times]

    def answer(command):
        if struct.unpack(">I", command[6:10])[0] not in commands or not left[0]:
            return None
        left[0] -= 1
        return tpm.failure(code)
    return answer
