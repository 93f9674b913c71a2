"""Several security keys at once, and such as come and go: the right one is asked, and none waits for another."""
import time
import unittest

import fido2_bed
import lab
from fido2_bed import PIN, TOUCH, VERIFY

RESIDENT = ("resident", "verify-required")


class Case(fido2_bed.Case):
    tokens = 2

    def setUp(self):
        super().setUp()
        self.first, self.second = self.bed.tokens
        self.second.touch_at_once()

    def both(self, options=()):
        keys = [self.gives(options=options, token=token) for token in self.bed.tokens]
        for token in self.bed.tokens:
            token.touch_at_once(False)
            token.count_anew()
        return keys


class Several(Case):
    def test_the_token_that_holds_the_key_is_asked_and_the_other_one_stays_dark(self):
        for key, holder, other in zip(self.both(), (self.first, self.second), (self.second, self.first)):
            holder.touch_at_once()
            other.count_anew()
            self.assertEqual(self.signs(key), TOUCH)
            self.assertEqual(other.counts().get("touches", 0), 0)
            holder.touch_at_once(False)

    def test_it_is_remembered(self):
        key = self.both()[1]
        self.second.touch_at_once()
        self.signs(key)
        self.first.count_anew()
        self.signs(key)
        self.assertEqual(self.first.counts(), {})

    def test_no_token_waits_for_another(self):
        first, second = self.both()
        self.second.touch_at_once()
        waits = self.begin_sign(first.blob)
        self.first.wait_until_it_blinks()
        self.signs(second)
        self.assertTrue(self.first.blinks())
        self.first.touch()
        self.assertIsNotNone(self.gets(waits))

    def test_ten_clients_at_once_are_all_served(self):
        both = self.both()
        for token in self.bed.tokens:
            token.touch_at_once()
        clients = [self.begin_sign(both[i % 2].blob, b"%d" % i) for i in range(10)]
        for i, client in enumerate(clients):
            signature = self.gets(client)
            self.assertIsNotNone(signature, self.agent.log()[-3000:])
            lab.verify(both[i % 2].blob, signature, b"%d" % i)

    def test_a_key_that_is_on_neither_is_not_signed_with(self):
        key = self.both()[0]
        self.first.pull()
        self.refuses(key, "no security key that is plugged in holds this key")
        self.second.pull()
        lab.wait_for("that is known", lambda: self.listed() == [])
        self.refuses(key, "no security key is plugged in")


class Chosen(Case):
    """Credentials that hide from silent questions: the person chooses the token."""

    pin = PIN

    def test_by_touch_and_the_other_one_goes_dark(self):
        key = self.both(RESIDENT)[1]
        client = self.begin_sign(key.blob)
        self.first.wait_until_it_blinks()
        self.second.touch()
        self.first.wait_until_dark()
        self.assertEqual(self.first.state()["cancels"], 1)
        self.second.touch()
        signature = self.gets(client)
        self.assertIsNotNone(signature, self.agent.log()[-3000:])
        self.assertEqual(self.second.tries, 8)
        self.assertNotIn("client_pin.token_with_permissions", self.first.counts())

    def test_once_while_the_token_is_open(self):
        key = self.both(RESIDENT)[1]
        client = self.begin_sign(key.blob)
        self.first.wait_until_it_blinks()
        self.second.touch()
        self.first.wait_until_dark()
        self.second.touch()
        self.assertIsNotNone(self.gets(client))
        self.second.touch_at_once()
        self.first.count_anew()
        self.assertEqual(self.signs(key), TOUCH | VERIFY)
        self.assertEqual(self.first.counts(), {})

    def test_the_wrong_one_gets_a_pin_only_when_it_was_chosen(self):
        key = self.both(RESIDENT)[1]
        client = self.begin_sign(key.blob)
        self.second.wait_until_it_blinks()
        client.close()
        for token in self.bed.tokens:
            token.wait_until_dark()
        self.assertEqual([text for text in self.asks.prompts() if "PIN" in text], [])

    def test_one_that_is_pulled_meanwhile_leaves_the_choice_to_the_rest(self):
        key = self.both(RESIDENT)[1]
        client = self.begin_sign(key.blob)
        self.first.wait_until_it_blinks()
        self.second.wait_until_it_blinks()
        self.first.pull()
        self.second.touch()
        lab.wait_for("its PIN is asked for", lambda: [text for text in self.asks.prompts() if "PIN for" in text])
        self.second.touch()
        self.assertIsNotNone(self.gets(client), self.agent.log()[-3000:])


class ComingAndGoing(fido2_bed.Case):
    def test_the_status_says_which_are_there(self):
        self.gives()
        self.assertEqual(self.listed(), [self.token.node])
        self.token.pull()
        lab.wait_for("it is gone", lambda: self.listed() == [])
        self.back()
        lab.wait_for("it is back", lambda: self.listed() == [self.token.node])

    def test_pulled_while_it_waits_it_fails_at_once_and_works_when_it_is_back(self):
        key = self.gives()
        for _ in range(3):
            self.token.touch_at_once(False)
            client = self.begins(key)
            pulled = time.monotonic()
            self.token.pull()
            self.assertIsNone(self.gets(client))
            self.assertLess(time.monotonic() - pulled, 5 * lab.PATIENCE)
            self.refused_with("token removed")
            self.back()
            self.token.touch_at_once()
            self.signs(key)

    def test_pulled_at_any_moment_nothing_hangs(self):
        key = self.gives()
        for moment in range(20):
            client = self.begin_sign(key.blob)
            time.sleep(moment * 0.0005)
            self.token.pull()
            self.gets(client)
            self.back()
        self.signs(key)

    def test_one_that_comes_later_is_found(self):
        key = self.made()
        self.token.pull()
        self.added(key)
        lab.wait_for("that is known", lambda: self.listed() == [])
        self.refuses(key, "no security key is plugged in")
        self.back()
        self.signs(key)

    def test_nobody_is_asked_for_anything_when_one_is_inserted(self):
        self.gives()
        self.token.pull()
        self.token.count_anew()
        self.back()
        lab.wait_for("it is back", lambda: self.listed() == [self.token.node])
        self.assertEqual((self.token.counts(), self.asks.prompts()), ({}, []))

    def test_requests_for_one_token_wait_for_each_other(self):
        key = self.gives()
        self.token.touch_at_once(False)
        clients = [self.begin_sign(key.blob, b"%d" % i) for i in range(4)]
        self.token.wait_until_it_blinks()
        self.assertEqual(self.blobs(), [key.blob])
        self.token.touch()
        self.token.touch_at_once()
        for i, client in enumerate(clients):
            lab.verify(key.blob, self.gets(client), b"%d" % i)


if __name__ == "__main__":
    unittest.main()
