"""A security key that another program's request keeps: asked again for a moment by who sits here, refused at once from afar."""
import unittest

import fido2_bed
import lab
from fido2_bed import PIN, TOUCH, VERIFY

BUSY = bytes([0x06])  # CTAP1_ERR_CHANNEL_BUSY, as the status of a command
WORDS = "another program uses the security key"
CLOSED = ("busy-init",), ("busy", "get_info")


class Case(fido2_bed.Case):
    pin = PIN

    def opened_anew(self):
        self.token.pull()
        self.back()
        self.token.count_anew()

    def served(self, key, presence=TOUCH):
        self.assertEqual(self.signs(key), presence)
        self.assertEqual(self.token.counts()["busy"], 3)
        self.token.fault("none")


class Here(Case):
    def test_it_is_opened_when_it_has_time(self):
        key = self.gives()
        for kind, *command in CLOSED:
            with self.subTest(kind):
                self.opened_anew()
                self.token.fault(kind, 3, *command)
                self.served(key)

    def test_a_question_and_a_signature_are_asked_again(self):
        key = self.gives()
        for silent in (True, False):
            with self.subTest(silent=silent):
                if silent:
                    self.opened_anew()
                self.token.count_anew()
                self.token.fault("busy", 3, "get_assertion")
                self.served(key)

    def test_each_message_on_the_way_of_a_pin_is_asked_again_and_no_try_is_spent(self):
        key = self.gives(options=("verify-required",))
        self.token.count_anew()
        self.token.fault("busy", 3, "client_pin")
        self.served(key, TOUCH | VERIFY)
        self.assertEqual(self.token.counts()["pin_tries"], 1)
        self.assertEqual(len([text for text in self.asks.prompts() if "PIN for the token" in text]), 1)

    def test_a_status_of_the_command_says_so_as_well(self):
        key = self.gives(options=("verify-required",))
        for command in ("get_info", "client_pin", "get_assertion"):
            with self.subTest(command):
                self.opened_anew()
                self.token.replies(BUSY, 2, command)
                self.assertEqual(self.signs(key), TOUCH | VERIFY)
                self.assertEqual(self.token.counts()["pin_tries"], 1)
                self.token.fault("none")

    def test_a_pin_that_may_have_been_looked_at_goes_again_only_where_no_try_is_missing(self):
        key = self.gives(options=("verify-required",))
        self.signs(key)
        self.token.count_anew()
        self.token.replies(BUSY, 2, "client_pin.token_with_permissions")
        self.assertEqual(self.signs(key), TOUCH | VERIFY)
        self.assertEqual(self.token.counts()["pin_tries"], 3)
        self.token.pin("9999")
        self.token.says("tries 5")
        self.token.count_anew()
        self.token.replies(BUSY, 9, "client_pin.token_with_permissions")
        self.refuses(key, WORDS)
        self.assertEqual(self.token.counts()["pin_tries"], 1)
        self.assertEqual(self.token.tries, 4)

    def test_it_ends_and_says_why(self):
        key = self.gives()
        self.token.fault("busy", 9999)
        self.refuses(key, WORDS)
        self.token.fault("none")
        self.signs(key)

    def test_who_leaves_ends_it(self):
        key = self.gives()
        self.signs(key)
        self.token.count_anew()
        self.token.fault("busy", 9999)
        client = self.begin_sign(key.blob)
        lab.wait_for("it is asked again", lambda: self.token.counts().get("busy", 0) > 1)
        client.close()
        self.token.fault("none")
        self.signs(key)


class Afar(Case):
    def test_nothing_is_asked_again_and_the_reason_is_said(self):
        key = self.gives()
        one, login = self.asks_from_afar(key)
        for open_, kind, *command in ((True, *CLOSED[0]), (True, *CLOSED[1]), (False, "busy", "get_assertion")):
            with self.subTest(kind):
                self.opened_anew()
                if not open_:
                    self.signs(key)
                self.token.fault(kind, 99, *command)
                self.refuses(key, WORDS, client=one, data=login)
                self.assertEqual(self.token.counts()["busy"], 1)
                self.token.fault("none")


class Stubborn(Case):
    """Its own last request keeps it: CANCEL does not end it, and beginning anew on its channel does."""

    def test_who_comes_next_is_served(self):
        key = self.gives()
        self.token.fault("stubborn", 1)
        self.token.touch_at_once(False)
        client = self.begins(key)
        client.close()
        self.token.wait_until_dark()
        self.assertGreater(self.token.state()["cancels_all"], 0)
        self.token.touch_at_once()
        self.signs(key)


if __name__ == "__main__":
    unittest.main()
