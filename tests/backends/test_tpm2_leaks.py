"""
Nothing of ours stays in a TPM without resource manager: many signatures, and faults of each kind that leaves the TPM
itself as it was. KEYSTILE_TPM_SIGNATURES and KEYSTILE_TPM_FAULTS make them more than the few of every run.
"""
import os
import struct
import unittest

import lab
from lab import tpm, worker
from tpm2_bed import (INITIALIZE, NV_RATE, OBJECT_MEMORY, PIN, RETRY, SESSION_MEMORY, TESTING, YIELDED, TpmTest,
                      refuse)

SIGNATURES = int(os.environ.get("KEYSTILE_TPM_SIGNATURES", "200"))
FAULTS = int(os.environ.get("KEYSTILE_TPM_FAULTS", "3"))
FAILURE = 0x101


class NothingIsLeft(TpmTest):
    def setUp(self):
        super().setUp()
        home = self.folder.path / "home"
        (home / ".ssh").mkdir(parents=True)
        for number in range(3):
            self.tpm.key(f"{number}.tpm", folder=home / ".ssh")
        self.tpm.key("pin.tpm", pin=PIN, folder=home / ".ssh")
        self.started = self.start("", HOME=home)
        *self.plain, self.locked = self.started.tokens()

    def sign(self, token, *pins):
        self.assert_signs(self.started, token.keys[0].blob, *pins, token=token.id)

    def held(self, capability):
        """How many handles of a range are in use: as tpm2_getcap, without a process each time."""
        code, answer = self.tpm.bus.command(tpm.GET_CAPABILITY, struct.pack(">III", 1, capability, 64))
        self.assertEqual(code, 0)
        return struct.unpack(">I", answer[5:9])[0]

    def assert_little_held(self):
        self.assertLessEqual(self.held(0x80000000), 3)
        self.assertLessEqual(self.held(0x02000000), 2)

    def test_after_many_signatures_with_more_keys_than_the_tpm_has_places(self):
        for number in range(SIGNATURES):
            if number % 50 == 0:
                self.sign(self.locked, PIN)
            self.sign(self.plain[number // 7 % len(self.plain)])
            if number % 20 == 0:
                self.assert_little_held()
        self.stop()
        self.assert_nothing_left()

    # Faults: what happens to the next request, by name

    def refused(self, code, *commands):
        self.tpm.bus.answer = refuse(code, *commands)
        self.sign(self.plain[0])

    def malformed(self, answer):
        self.tpm.bus.answer = lambda command: answer if command[6:10] == struct.pack(">I", tpm.SIGN) else None
        self.assertNotEqual(self.started.sign(self.plain[0].keys[0].blob, token=self.plain[0].id)[1].error, worker.OK)
        self.tpm.bus.answer = None

    def altered(self):
        self.tpm.bus.alter = lambda command, response: response[:-1] + bytes([response[-1] ^ 1])
        self.assertNotEqual(self.started.sign(self.plain[0].keys[0].blob, token=self.plain[0].id)[1].error, worker.OK)
        self.tpm.bus.alter = None

    def flushed(self):
        for handle in self.tpm.handles("transient") + self.tpm.handles("loaded-session"):
            self.tpm.bus.command(tpm.FLUSH_CONTEXT, struct.pack(">I", int(handle, 16)))

    def wrong_pin(self):
        self.sign(self.locked, "0000", PIN)
        self.tpm.tool("tpm2_dictionarylockout", "-c")

    def refused_pin(self):
        done = self.started.sign_asked(self.locked.keys[0].blob, token=self.locked.id)[1]
        self.assertEqual(done.error, worker.REFUSED)

    def cancelled(self):
        operation = self.started.begin_sign(self.locked.keys[0].blob, token=self.locked.id)
        self.asks(self.started, operation)
        self.started.send(worker.CANCEL, operation)
        self.assertEqual(self.started.finish(operation)[1].error, worker.CANCELLED)

    def cancelled_in_the_tpm(self):
        operation = self.started.begin_sign(self.plain[0].keys[0].blob, token=self.plain[0].id)
        self.started.send(worker.CANCEL, operation)
        self.assertIn(self.started.finish(operation)[1].error, (worker.OK, worker.CANCELLED))

    def released(self):
        self.started.call(worker.RELEASE, worker.u32(0))
        self.assert_nothing_left()

    def faults(self):
        for code in (RETRY, YIELDED, TESTING, NV_RATE):
            yield lambda code=code: self.refused(code, tpm.SIGN)
        for code in (OBJECT_MEMORY, SESSION_MEMORY):
            yield lambda code=code: self.refused(code, tpm.LOAD, tpm.START_AUTH_SESSION)
        yield lambda: self.refused(INITIALIZE, tpm.SIGN)
        for answer in (struct.pack(">HII", tpm.SESSIONS, 10, 0), b"\xff" * 64, False, tpm.failure(FAILURE)):
            yield lambda answer=answer: self.malformed(answer)
        yield from (self.altered, self.flushed, self.tpm.restart, self.wrong_pin, self.refused_pin, self.cancelled,
                    self.cancelled_in_the_tpm, self.released)

    def test_after_faults_of_each_kind(self):
        for index, fault in enumerate(self.faults()):
            for _ in range(FAULTS):
                with self.subTest(index):
                    self.sign(self.plain[1])
                    fault()
                    self.sign(self.plain[0])
                    self.assert_little_held()
        self.stop()
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()
