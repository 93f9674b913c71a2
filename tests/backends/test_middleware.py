"""The middleware backend with OpenSSH's own software security key, driven by frames."""
import os
import time
import unittest

from lab import keys, worker as w
from lab.keys import string
from lab.security_key import AUTHENTICATOR, DUMMY, TOUCH, VERIFY, Instructed

from middleware_bed import Case, Worker

ASKED = [(w.TOUCH_AWAITED, 1), (w.TOUCH_OVER, None)]
TOUCHED = ASKED + [(w.PRESENCE, w.TOUCH)]


class Keys(Case):
    def test_both_kinds_of_key_are_taken_and_sign(self):
        with Worker() as one:
            for kind in ("ed25519-sk", "ecdsa-sk"):
                with self.subTest(kind):
                    key = self.enrolled(kind)
                    self.assertEqual(one.add(key.private), key.blob)
                    self.assertEqual(self.signs(one, key), (TOUCHED, TOUCH))

    def test_a_certificate_signs_as_the_key_that_it_is_for(self):
        for kind in ("ed25519-sk", "ecdsa-sk"):
            with self.subTest(kind), Worker() as one:
                key = self.enrolled(kind)
                certificate = key.certify(self.folder)
                self.assertEqual(one.add(key.certified(certificate)), certificate)
                name = keys.name_of(key.blob)
                self.signs(one, key, blob=certificate, algorithm=name)
                self.refuses(one, key, w.NO_KEY)

    def test_a_key_that_was_removed_is_not_there_any_more(self):
        first, second = self.enrolled(), self.enrolled()
        with Worker() as one:
            for key in (first, second):
                one.add(key.private)
            self.assertEqual(one.remove(first.blob).error, w.OK)
            self.refuses(one, first, w.NO_KEY)
            self.signs(one, second)
            self.assertEqual(one.remove(first.blob).error, w.NO_KEY)

    def test_a_key_that_is_there_is_replaced(self):
        key = Instructed(flags=TOUCH)
        again = Instructed(flags=TOUCH | VERIFY, seed=key.seed)
        self.assertEqual(key.blob, again.blob)
        with Worker(AUTHENTICATOR) as one:
            one.add(key.private)
            one.add(again.private)
            self.assertEqual(self.signs(one, key)[1], TOUCH | VERIFY)
            self.assertEqual(one.remove(key.blob).error, w.OK)
            self.refuses(one, key, w.NO_KEY)

    def test_the_library_is_shown_as_a_token_without_keys_of_its_own(self):
        with Worker() as one:
            one.add(self.enrolled().private)
            (token,) = one.tokens()
            self.assertEqual((token.id, token.label, token.location, token.keys),
                             (1, b"sk-dummy.so", DUMMY.encode(), []))
            (again,) = [body for _, body in one.answered(one.begin(w.LOGIN, fds=[w.pipe_with(b"1")]))[0]]
            self.assertEqual(token, again)

    def test_keys_of_other_kinds_are_not_taken(self):
        seed = os.urandom(32)
        point = keys.blob_of(keys.ed25519.Ed25519PrivateKey.from_private_bytes(seed).public_key())[-32:]
        plain = string("ssh-ed25519") + string(point) + string(seed + point)
        with Worker() as one:
            done = one.refusal(plain)
            self.assertEqual(done.error, w.UNSUPPORTED)
            self.assertIn("only keys of security keys", done.words)

    def test_malformed_keys_are_refused_and_the_worker_goes_on(self):
        whole = self.enrolled().private
        with Worker() as one:
            for number, bad in enumerate((whole[:-1], whole + b"x", b"\0\0\0\1", string("ssh:") * 5,
                                          Instructed(handle=b"").private,
                                          Instructed(handle=b"x" * 2049).private,
                                          Instructed(application="ssh:\0x").private)):
                with self.subTest(number):
                    self.assertIn(one.refusal(bad).error, (w.BAD_INPUT, w.UNSUPPORTED))
            self.assertEqual(one.add(whole)[:4], whole[:4])

    def test_a_certificate_of_another_key_or_application_is_refused(self):
        with Worker() as one:
            key, other = self.enrolled("ecdsa-sk"), self.enrolled("ed25519-sk")
            certificate = key.certify(self.folder)
            elsewhere = key.certified(certificate).replace(string("ssh:") + b"\1", string("web:") + b"\1")
            self.assertNotEqual(elsewhere, key.certified(certificate))
            crossed = key.certified(other.certify(self.folder))
            for bad in (elsewhere, crossed):
                self.assertEqual(one.refusal(bad).error, w.BAD_INPUT)

    def test_unknown_keys_tokens_and_algorithms_are_named_as_that(self):
        key = self.enrolled()
        with Worker() as one:
            self.refuses(one, key, w.NO_KEY)
            one.add(key.private)
            for token in (0, 2, 0xffffffff):
                self.refuses(one, key, w.NO_TOKEN, token=token)
            for algorithm in set(w.ALGORITHMS) - {keys.SK_ED25519}:
                self.refuses(one, key, w.UNSUPPORTED, algorithm=algorithm)


class Presence(Case):
    def test_a_key_made_for_use_without_a_touch_is_used_so(self):
        key = self.enrolled(options=["no-touch-required"])
        with Worker() as one:
            one.add(key.private)
            self.assertEqual(self.signs(one, key), ([], 0))

    def test_a_demand_asks_even_such_a_key_for_a_touch(self):
        key = self.enrolled(options=["no-touch-required"])
        with Worker() as one:
            one.add(key.private)
            for demand in (w.TOUCH, w.TOUCH | w.PIN):
                self.assertEqual(self.signs(one, key, demand=demand), (TOUCHED, TOUCH))

    def test_without_a_way_to_tell_the_person_nothing_is_signed(self):
        key = self.enrolled()
        with Worker() as one:
            one.add(key.private)
            self.assertEqual(self.refuses(one, key, w.REFUSED, touch=w.REFUSED)[0], ASKED[0])

    def test_a_demand_for_a_pin_asks_for_it_and_has_the_key_verify_it(self):
        key = self.enrolled()
        with Worker() as one:
            one.add(key.private)
            frames, flags = self.signs(one, key, "1234", demand=w.PIN)
            self.assertEqual(flags, TOUCH | VERIFY)
            self.assertEqual([number for number, _ in frames],
                             [w.ASK_PIN, w.TOUCH_AWAITED, w.TOUCH_OVER, w.PRESENCE, w.PRESENCE])
            self.assertEqual([body for number, body in frames if number == w.PRESENCE], [w.TOUCH, w.PIN])
            self.refuses(one, key, w.REFUSED, demand=w.PIN)


if __name__ == "__main__":
    unittest.main()
