"""The middleware backend with libraries that are wrong, crash, hang or lie: one signature fails, the keys stay."""
import os
import pathlib
import shutil
import signal
import unittest

import lab
from lab import keys, worker as w
from lab.keys import string
from lab.security_key import AUTHENTICATOR, MODULES, TOUCH, VERIFY, Instructed, InstructedCurve

from middleware_bed import Case, Worker


class Libraries(Case):
    def setUp(self):
        super().setUp()
        self.library = self.folder.path / "library.so"
        shutil.copyfile(AUTHENTICATOR, self.library)
        self.library.chmod(0o644)

    def located(self, provider):
        with Worker(None) as one:
            one.greet()
            return one.call(w.LOCATE, string(provider))[1]

    def opened(self, library):
        with Worker(None) as one:
            one.greet()
            located = one.call(w.LOCATE, string(f"middleware:{library}"))[1]
            self.assertEqual(located.error, w.OK, located)
            return one.call(w.OPEN)[1]

    def test_the_path_behind_the_scheme_is_made_canonical(self):
        link = self.folder.path / "link.so"
        link.symlink_to("library.so")
        done = self.located(f"middleware:{link}")
        self.assertEqual((done.error, done.result), (w.OK, f"middleware:{self.library}".encode()))

    def test_a_path_that_must_not_be_loaded_is_refused(self):
        self.library.chmod(0o666)
        for provider, words in ((f"middleware:{self.library}", "chmod go-w"),
                                ("middleware:library.so", "full path"),
                                ("middleware:", "full path"),
                                ("middleware:/nonexistent.so", "is not there"),
                                ("middleware:/etc", "regular file")):
            with self.subTest(provider):
                done = self.located(provider)
                self.assertEqual(done.error, w.NOT_ALLOWED, done)
                self.assertIn(words, done.words)
        self.assertEqual(self.located(str(self.library)).error, w.BAD_INPUT)

    def test_a_file_is_looked_at_again_before_it_is_loaded(self):
        with Worker(None) as one:
            one.greet()
            one.call(w.LOCATE, string(f"middleware:{self.library}"))
            self.library.chmod(0o666)
            self.assertEqual(one.call(w.OPEN)[1].error, w.NOT_ALLOWED)

    def test_a_library_of_another_version_is_not_used(self):
        done = self.opened(MODULES / "authenticator-old.so")
        self.assertEqual(done.error, w.DEVICE_FAILED)
        self.assertIn("version 9", done.words)

    def test_what_is_no_library_of_this_kind_is_said_to_be_none(self):
        self.library.write_text("#!/bin/sh\n")
        libm = next(pathlib.Path("/usr/lib").glob("*/libm.so.6"))
        for path in (self.library, libm):
            with self.subTest(str(path)):
                done = self.opened(path)
                self.assertEqual(done.error, w.DEVICE_FAILED)
                self.assertIn("no security key library", done.words)

    def test_a_library_that_crashes_when_it_is_loaded_is_told_of(self):
        done = self.opened(MODULES / "authenticator-crashes.so")
        self.assertEqual(done.error, w.DEVICE_FAILED)
        self.assertIn("crashed", done.words)

    def test_a_library_that_never_comes_to_the_end_of_being_loaded_is_given_up_in_words(self):
        done = self.opened(MODULES / "authenticator-hangs.so")
        self.assertEqual(done.error, w.DEVICE_FAILED)
        self.assertIn("was not loaded within", done.words)

    def test_the_loading_of_a_library_can_be_cancelled(self):
        with Worker(None) as one:
            one.greet()
            one.call(w.LOCATE, string(f"middleware:{MODULES / 'authenticator-hangs.so'}"))
            operation = one.begin(w.OPEN)
            (child,) = lab.wait_for("the library is being loaded", lambda: lab.descendants(one.pid))
            one.send(w.CANCEL, operation)
            self.assertEqual(one.finish(operation)[1].error, w.CANCELLED)
            self.assertFalse(child.alive())

    def test_a_library_that_is_taken_away_fails_in_words_and_may_come_back(self):
        key, away = Instructed(), self.folder.path / "away.so"
        with Worker(self.library) as one:
            one.add(key.private)
            self.signs(one, key)
            self.library.rename(away)
            self.refuses(one, key, w.NOT_ALLOWED, words="is not there")
            away.rename(self.library)
            self.signs(one, key)
            self.library.chmod(0o666)
            self.refuses(one, key, w.NOT_ALLOWED, words="chmod go-w")


class Misdeeds(Case):
    def setUp(self):
        super().setUp()
        self.one = Worker(AUTHENTICATOR)
        self.addCleanup(self.one.__exit__, None, None, None)
        self.well = Instructed()
        self.one.add(self.well.private)

    def given(self, word, flags=TOUCH):
        key = Instructed(word, flags)
        self.one.add(key.private)
        return key

    def goes_on(self):
        self.signs(self.one, self.well)

    def test_a_crash_or_an_end_costs_the_one_signature(self):
        for word, words in (("crash", "the library"), ("exit", "without an answer")):
            with self.subTest(word):
                self.refuses(self.one, self.given(word), w.DEVICE_FAILED, words=words)
                self.goes_on()

    def test_what_comes_back_malformed_is_no_signature(self):
        for word in ("nothing", "null", "endless", "short", "empty"):
            with self.subTest(word):
                self.refuses(self.one, self.given(word), w.DEVICE_FAILED, words="no usable signature")
                self.goes_on()

    def test_numbers_that_no_curve_has_are_no_signature(self):
        for word in ("zero", "long", "empty"):
            with self.subTest(word):
                key = InstructedCurve(word)
                self.one.add(key.private)
                self.refuses(self.one, key, w.DEVICE_FAILED, words="no usable signature")

    def test_leading_zeros_of_a_number_are_left_away(self):
        key = InstructedCurve("padded")
        self.one.add(key.private)
        done = self.one.sign(key.blob)[1]
        self.assertEqual(done.error, w.OK, done)
        reader = keys.Reader(done.result)
        self.assertEqual(reader.string(), keys.SK_ECDSA.encode())
        numbers = keys.Reader(reader.string())
        self.assertEqual([numbers.string() for _ in range(2)],
                         [b"\x7f" + b"\0" * 30 + b"\1", b"\1"])

    def test_failures_of_the_library_are_told_apart(self):
        for word, error, words in (("general", w.DEVICE_FAILED, "error -1"),
                                   ("unheard-of", w.DEVICE_FAILED, "error 12345"),
                                   ("unsupported", w.UNSUPPORTED, "can't do"),
                                   ("absent", w.NO_TOKEN, "plug in")):
            with self.subTest(word):
                self.refuses(self.one, self.given(word), error, words=words)
        self.goes_on()

    def test_a_signature_that_lacks_the_touch_that_was_asked_for_is_not_given_out(self):
        key = self.given("untouched")
        for demand in (0, w.TOUCH):
            self.refuses(self.one, key, w.DEVICE_FAILED, words="without the touch", demand=demand)
        self.assertEqual(self.signs(self.one, self.given("untouched", flags=0)), ([], 0))

    def test_the_library_finds_no_socket_but_that_of_its_answers(self):
        self.signs(self.one, self.given("socket"))

    def test_nobody_touching_it_is_cancelled_and_the_keys_stay(self):
        operation = self.one.begin_sign(self.given("hang").blob, token=1)
        self.one.expect(w.TOUCH_AWAITED, operation)
        self.one.send(w.TOUCH_ANSWER, operation, w.u32(w.OK))
        (child,) = self.children()
        self.one.send(w.CANCEL, operation)
        done = self.one.answered(operation)[1]
        self.assertEqual(done.error, w.CANCELLED)
        self.assertFalse(child.alive())
        self.goes_on()

    def test_nobody_touching_it_ends_with_the_time_and_the_keys_stay(self):
        key = self.given("hang")
        done = self.one.sign(key.blob, timeout_ms=300)[1]
        self.assertIn(done.error, (w.TIMEOUT, w.CANCELLED))
        self.assertEqual(lab.descendants(self.one.pid), [])
        self.goes_on()

    def test_what_a_library_starts_ends_with_its_signature(self):
        """It can start nothing where system calls are filtered: its number is -1 then."""
        key = self.given("leave")
        done = self.one.sign(key.blob)[1]
        keys.verify(key.blob, done.result, b"data")
        left = int.from_bytes(done.result[-4:], "big")
        lab.wait_for("what the library left has ended", lambda: not lab.runs(left))

    def test_a_worker_that_ends_takes_its_library_along(self):
        operation = self.one.begin_sign(self.given("hang").blob, token=1)
        self.one.expect(w.TOUCH_AWAITED, operation)
        self.one.send(w.TOUCH_ANSWER, operation, w.u32(w.OK))
        (child,) = self.children()
        os.kill(self.one.pid, signal.SIGKILL)
        self.assertEqual(self.one.ended(), -signal.SIGKILL)
        lab.wait_for("the library's process has ended", lambda: not child.alive())

    def children(self):
        return lab.wait_for("the library runs", lambda: lab.descendants(self.one.pid))


class Pin(Case):
    def setUp(self):
        super().setUp()
        self.one = Worker(AUTHENTICATOR)
        self.addCleanup(self.one.__exit__, None, None, None)

    def given(self, word, flags=TOUCH | VERIFY):
        key = Instructed(word, flags)
        self.one.add(key.private)
        return key

    def test_a_key_that_wants_a_pin_is_asked_for_without_one_first(self):
        frames, flags = self.signs(self.one, self.given("pin"), "1234")
        self.assertEqual(flags, TOUCH | VERIFY)
        self.assertEqual([number for number, _ in frames],
                         [w.TOUCH_AWAITED, w.TOUCH_OVER, w.ASK_PIN, w.TOUCH_AWAITED, w.TOUCH_OVER,
                          w.PRESENCE, w.PRESENCE])

    def test_a_key_that_knows_its_person_otherwise_asks_for_no_pin_and_claims_none(self):
        frames, flags = self.signs(self.one, self.given(""))
        self.assertEqual(flags, TOUCH | VERIFY)
        self.assertEqual(frames[-1], (w.PRESENCE, w.TOUCH))
        self.assertNotIn(w.ASK_PIN, [number for number, _ in frames])

    def test_a_wrong_pin_is_sent_once(self):
        frames = self.refuses(self.one, self.given("pin"), w.PIN_WRONG, "4321", "1234",
                              words="did not take the PIN")
        self.assertEqual([number for number, _ in frames].count(w.ASK_PIN), 1)

    def test_a_pin_that_is_refused_ends_it(self):
        self.refuses(self.one, self.given("pin"), w.REFUSED)

    def test_a_signature_that_lacks_the_pin_that_was_asked_for_is_not_given_out(self):
        self.refuses(self.one, self.given("pin-unverified"), w.DEVICE_FAILED, "1234",
                     words="without the touch or PIN")

    def test_a_pin_of_the_longest_kind_reaches_the_library(self):
        self.signs(self.one, self.given("pin-long"), "x" * 255)
        self.refuses(self.one, self.given("pin-long"), w.PIN_WRONG, "x" * 254)


if __name__ == "__main__":
    unittest.main()
