"""Hostile security keys: whatever one sends costs its own request at most, and the next one is served."""
import unittest

import fido2_bed
import lab
from fido2_bed import PIN

# What the authenticator of the tests can do wrong, see tests/authenticator/fault.c.
ANSWERS = ("malformed", "truncated", "oversized", "empty", "length", "length-most", "missing-continuation",
           "sequence", "command")


class Case(fido2_bed.Case):
    config = "operation-timeout = 6\n"

    def spoilt(self, kind, command, times=1):
        """A signature while the token does that: it fails or is right; then a good one."""
        self.token.fault(kind, times, command)
        with lab.AgentClient(self.agent) as one:
            signature = one.sign(self.key.blob, b"data")
        if signature is not None:
            lab.verify(self.key.blob, signature, b"data")
        self.token.fault("none")
        self.token.pull()
        self.back()
        self.signs(self.key)
        return signature


class Answers(Case):
    def setUp(self):
        super().setUp()
        self.key = self.gives()

    def test_spoilt_answers_to_an_assertion(self):
        for kind in ANSWERS:
            with self.subTest(kind):
                self.spoilt(kind, "get_assertion", 9)

    def test_spoilt_answers_when_it_is_opened(self):
        for kind in ("malformed", "oversized", "length-most", "channel"):
            with self.subTest(kind):
                self.token.pull()
                self.back()
                self.spoilt(kind, "get_info", 9)

    def test_signatures_that_are_not_of_the_key(self):
        for kind in ("signature", "application"):
            with self.subTest(kind):
                self.signs(self.key)
                self.assertIsNone(self.spoilt(kind, "get_assertion", 9))
        self.spoilt("credential", "get_assertion", 9)

    def test_a_token_that_never_answers(self):
        for kind in ("silence", "keepalive"):
            with self.subTest(kind):
                self.signs(self.key)
                self.assertIsNone(self.spoilt(kind, "get_assertion", 9))

    def test_a_token_that_is_deaf_to_cancelling(self):
        self.token.touch_at_once(False)
        one = self.begins(self.key)
        self.token.fault("deaf", 9)
        one.close()
        self.token.pull()
        self.back()
        self.token.fault("none")
        self.token.touch_at_once()
        self.signs(self.key)


class Pins(Case):
    pin = PIN

    def test_spoilt_answers_while_the_pin_goes_over(self):
        self.key = self.gives(options=("verify-required",))
        for kind in ("malformed", "empty", "length", "sequence"):
            with self.subTest(kind):
                self.spoilt(kind, "client_pin", 9)
        self.assertEqual(self.token.tries, 8)

    def test_one_that_signs_without_the_pin_is_not_believed(self):
        self.key = self.gives(options=("verify-required",))
        self.assertIsNone(self.spoilt("no-pin", "get_assertion", 9))


if __name__ == "__main__":
    unittest.main()
