"""The tpm2 backend with a TPM that loses things, is busy, lies, goes, and with files that are not right."""
import os
import signal
import struct
import unittest

import lab
from lab import tpm, worker
from tpm2_bed import (HASH, INITIALIZE, KEY_HANDLE, NV_RATE, OBJECT_MEMORY, PIN, REFERENCE_KEY, REFERENCE_SESSION, RETRY,
                      SESSION_HANDLE, TESTING, YIELDED, TpmTest, refuse)

COMMANDS_MOST = 100  # what one request may cause at the most


def number(handle):
    return struct.pack(">I", int(handle, 16))


class WhatIsLost(TpmTest):
    def flush_transient(self, handle):
        self.assertEqual(self.tpm.bus.command(tpm.FLUSH_CONTEXT, number(handle))[0], 0)

    def test_keys_parents_and_sessions_that_others_flushed_come_back(self):
        started = self.start(self.key())
        self.assert_signs(started)
        for lost in ((0,), (1,), (2,), (0, 2), (1, 2), (0, 1, 2)):
            with self.subTest(lost=lost):
                held = self.tpm.handles("transient") + self.tpm.handles("loaded-session")
                for index in lost:
                    if index < len(held):
                        self.flush_transient(held[index])
                self.assert_signs(started)
                started.call(worker.RELEASE, worker.u32(0))
                self.assert_nothing_left()
                self.assert_signs(started)
        self.stop()
        self.assert_nothing_left()

    def test_what_the_tpm_says_is_gone_is_loaded_again(self):
        started = self.start(self.key())
        for code in (KEY_HANDLE, SESSION_HANDLE, REFERENCE_KEY, REFERENCE_SESSION):
            with self.subTest(hex(code)):
                self.assert_signs(started)
                self.tpm.bus.clear()
                self.tpm.bus.answer = refuse(code, tpm.SIGN)
                self.assert_signs(started)
                missed = tpm.LOAD if code in (KEY_HANDLE, REFERENCE_KEY) else tpm.START_AUTH_SESSION
                self.assertEqual(self.tpm.bus.codes().count(missed), 1)
                started.call(worker.RELEASE, worker.u32(0))
                self.tpm.flush()  # it was a lie

    def test_a_tpm_that_says_so_each_time_is_not_asked_for_ever(self):
        started = self.start(self.key())
        for code in (KEY_HANDLE, SESSION_HANDLE, REFERENCE_KEY, REFERENCE_SESSION):
            with self.subTest(hex(code)):
                self.tpm.bus.clear()
                self.tpm.bus.answer = refuse(code, tpm.SIGN, times=10000)
                self.assertNotEqual(started.sign(started.key())[1].error, worker.OK)
                self.assertLess(len(self.tpm.bus.passed), COMMANDS_MOST)
                self.tpm.bus.answer = None
                started.call(worker.RELEASE, worker.u32(0))
                self.tpm.flush()
        self.assert_signs(started)

    def test_a_tpm_that_stands_still_for_a_while_is_waited_for(self):
        started = self.start(self.key())
        self.assert_signs(started)
        self.tpm.process.send_signal(signal.SIGSTOP)
        try:
            operation = started.begin_sign(started.key())
            lab.wait_for("it waits", lambda: len(self.tpm.bus.passed) > len(self.tpm.bus.answered))
        finally:
            self.tpm.process.send_signal(signal.SIGCONT)
        self.assertEqual(started.finish(operation)[1].error, worker.OK)

    def test_a_restarted_tpm_is_no_obstacle(self):
        started = self.start(self.key(PIN), KEYSTILE_TPM2_PIN_MINUTES="5")
        self.assert_signs(started, None, PIN)
        for _ in range(2):
            self.tpm.restart()
            self.assert_signs(started)
        self.assertEqual(self.tpm.failures(), 0)

    def test_a_tpm_that_has_gone_is_told_and_one_that_is_back_used(self):
        started = self.start(self.key())
        self.assert_signs(started)
        self.tpm.stop()
        self.assert_fails(started, worker.NO_TOKEN, words="no TPM that answers")
        self.tpm.start()
        self.assert_signs(started)

    def test_a_worker_ends_to_be_started_anew_when_its_device_comes_late(self):
        device = self.folder.path / "tpmrm0"
        started = self.start(self.key(), KEYSTILE_TPM2_TCTI=f"device:{device}")
        for _ in range(2):
            self.assert_fails(started, worker.NO_TOKEN, words="no TPM that answers")
        os.mkfifo(device)
        self.assert_fails(started, worker.NO_TOKEN)
        self.assertEqual(started.ended(), 0)
        self.assertIn("starts anew", " ".join(started.log))

    def test_a_tpm_that_is_busy_is_asked_again_but_not_for_ever(self):
        started = self.start(self.key())
        self.assert_signs(started)
        for code in (RETRY, YIELDED, TESTING, NV_RATE):
            with self.subTest(hex(code)):
                self.tpm.bus.answer = refuse(code, tpm.SIGN)
                self.assert_signs(started)
        self.tpm.bus.clear()
        self.tpm.bus.answer = refuse(RETRY, tpm.SIGN, times=10000)
        self.assert_fails(started, worker.BUSY, words="busy")
        self.assertLess(len(self.tpm.bus.passed), COMMANDS_MOST)
        self.tpm.bus.answer = None
        self.assert_signs(started)

    def test_a_tpm_that_was_not_started_is_started(self):
        started = self.start(self.key())
        self.assert_signs(started)
        self.tpm.bus.answer = refuse(INITIALIZE, tpm.SIGN)
        self.assert_signs(started)
        self.assertIn(tpm.STARTUP, self.tpm.bus.codes())
        self.tpm.flush()

    def test_a_full_tpm_is_waited_for_and_then_told(self):
        started = self.start(self.key())
        self.tpm.bus.answer = refuse(OBJECT_MEMORY, tpm.LOAD)
        self.assert_signs(started)
        started.call(worker.RELEASE, worker.u32(0))
        self.tpm.bus.answer = refuse(OBJECT_MEMORY, tpm.LOAD, times=10000)
        self.assert_fails(started, worker.BUSY, words="other programs hold all")
        self.tpm.bus.answer = None
        self.assert_signs(started)

    def test_a_pin_is_not_sent_again_when_the_answer_got_lost(self):
        started = self.start(self.key(PIN))
        self.assert_signs(started, None, PIN)
        self.tpm.bus.clear()
        self.tpm.bus.alter = lambda command, response: (
            False if struct.unpack(">I", command[6:10])[0] == tpm.SIGN else response)
        done = started.sign_asked(started.key(), PIN, PIN)[1]
        self.assertNotIn(done.error, (worker.OK, worker.PIN_WRONG))
        self.assertEqual((self.signatures(), len(started.asked)), (1, 1))
        self.tpm.bus.alter = None
        self.tpm.flush()
        self.assert_signs(started, None, PIN)

    def test_a_tpm_without_the_hash_decrypts_what_was_padded_here(self):
        started = self.start(self.key(algorithm="rsa2048"))
        self.tpm.bus.answer = refuse(HASH, tpm.SIGN)
        self.assert_signs(started, algorithm="rsa-sha2-512")
        self.tpm.bus.clear()
        for name in ("rsa-sha2-512", "rsa-sha2-256"):
            self.assert_signs(started, algorithm=name)
        self.assertEqual(self.tpm.bus.codes(), [tpm.RSA_DECRYPT] * 2)

    def test_nothing_is_left_after_many_signatures_and_faults(self):
        started = self.start(self.key())
        for round_number in range(150):
            if round_number % 15 == 14:
                self.tpm.bus.answer = refuse((RETRY, OBJECT_MEMORY, NV_RATE)[round_number % 3], tpm.SIGN, tpm.LOAD)
            if round_number % 50 == 49:
                self.tpm.bus.alter = lambda command, response: response[:-1] + bytes([response[-1] ^ 1])
                started.sign(started.key())
                self.tpm.bus.alter = None
            if round_number % 60 == 59:
                started.call(worker.RELEASE, worker.u32(0))
            self.assert_signs(started)
        self.assertLessEqual(len(self.tpm.handles("transient")), 3)
        self.stop()
        self.assert_nothing_left()


class AnotherTpm(TpmTest):
    def test_another_storage_key_than_the_first_time_is_an_error(self):
        started = self.start(self.key(PIN))
        self.assert_signs(started, None, PIN)
        self.stop()
        with tpm.Tpm() as other:
            other.bus.restart()  # it takes one connection, which ours is now
            mine, self.tpm.bus.real = self.tpm.bus.real, other.bus.real
            self.tpm.bus.restart()
            try:
                started = self.start(self.key(PIN))
                before = self.signatures()
                self.assert_fails(started, worker.NOT_ALLOWED, PIN, words="another one than the first time")
                self.assertEqual(self.signatures(), before)
                self.stop()
            finally:
                self.tpm.bus.real = mine
                self.tpm.bus.restart()
        self.assert_signs(self.start(self.key(PIN)), None, PIN)

    def test_a_key_of_another_tpm_is_told_so(self):
        with tpm.Tpm() as other:
            file = other.key("foreign.tpm")
            started = self.start(file)
            self.assert_fails(started, worker.NO_KEY, words="another TPM")
        self.assertLess(len(self.tpm.bus.passed), COMMANDS_MOST)


class AHostileTpm(TpmTest):
    answers = (
        struct.pack(">HII", tpm.NO_SESSIONS, 10, 0),
        struct.pack(">HII", tpm.SESSIONS, 10, 0),
        struct.pack(">HII", tpm.SESSIONS, 0xffffffff, 0),
        struct.pack(">HII", tpm.SESSIONS, 9, 0),
        struct.pack(">HIII", tpm.SESSIONS, 14, 0, 0xffffffff),
        struct.pack(">HIII", tpm.NO_SESSIONS, 4096, 0, 0x80000000) + b"\xff" * 4082,
        b"\xff" * 64,
        False)

    def test_no_answer_of_it_ends_the_worker_or_makes_a_signature(self):
        commands = (tpm.CREATE_PRIMARY, tpm.START_AUTH_SESSION, tpm.LOAD, tpm.SIGN, tpm.GET_CAPABILITY,
                    tpm.FLUSH_CONTEXT)
        started = self.start(self.key(PIN))
        for code in commands:
            all_of = code in (tpm.LOAD, tpm.SIGN)
            for index, answer in enumerate(self.answers if all_of else self.answers[3:5]):
                with self.subTest(command=hex(code), answer=index):
                    self.lie(code, answer)
                    started.call(worker.RELEASE, worker.u32(0))
                    done = started.sign_asked(started.key(), PIN)[1]
                    if code != tpm.FLUSH_CONTEXT:  # without which a signature can be made
                        self.assertNotEqual(done.error, worker.OK)
                    self.tpm.bus.answer = None
                    started.call(worker.RELEASE, worker.u32(0))
                    self.tpm.flush()
        self.assert_signs(started, None, PIN)
        self.assertEqual(self.tpm.failures(), 0)

    def lie(self, code, answer):
        wanted = struct.pack(">I", code)
        self.tpm.bus.answer = lambda command: answer if command[6:10] == wanted else None


class FilesThatAreNotRight(TpmTest):
    def refused(self, path, words, error=worker.BAD_INPUT):
        started = self.start(path)
        done = started.call(worker.LIST)[1]
        self.assertEqual(done.error, error, done.words)
        self.assertIn(words, done.words)

    def test_they_are_refused_in_words(self):
        good = self.key().read_text()
        lines = good.splitlines()
        folder = self.folder.path
        for name, text in (("empty", ""), ("text", "no key\n"), ("cut", "\n".join(lines[:-2] + lines[-1:]) + "\n"),
                           ("no-end", "\n".join(lines[:-1]))):
            with self.subTest(name):
                path = folder / f"{name}.tpm"
                path.write_text(text)
                os.chmod(path, 0o600)
                self.refused(path, f"{name}.tpm")

    def test_one_that_others_may_read_is_refused_also_behind_a_link(self):
        path = self.folder.path / "open.tpm"
        path.write_text(self.key().read_text())
        os.chmod(path, 0o644)
        self.refused(path, "open.tpm", worker.NOT_ALLOWED)
        (self.folder.path / "link.tpm").symlink_to(path)
        self.refused(self.folder.path / "link.tpm", "open.tpm", worker.NOT_ALLOWED)

    def test_names_that_can_not_be_are_refused(self):
        for name in ("x", "0x80000001", "0x8100001", "0x810000010", "relative/key.tpm", "0x81zzzzzz"):
            with self.subTest(name), worker.Worker(program="tpm2") as fresh:
                fresh.greet()
                self.assertEqual(fresh.call(worker.LOCATE, worker.string(f"tpm2:{name}"))[1].error, worker.BAD_INPUT)

    def test_a_handle_that_holds_nothing_is_told(self):
        started = self.start("0x81004711")
        self.assertNotEqual(started.call(worker.LIST)[1].error, worker.OK)


if __name__ == "__main__":
    unittest.main()
