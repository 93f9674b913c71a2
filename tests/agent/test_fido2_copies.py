"""What can be copied between security keys is no proof: one id on two tokens; a token that returns as another device."""
import unittest

import fido2_bed
import lab
from fido2_bed import PIN, TOUCH, VERIFY
from lab import keys

PROTECT_PIN = 3


class OneId(fido2_bed.Case):
    """Two tokens that have a credential with the same id each, for different keys."""

    tokens = 2

    def setUp(self):
        super().setUp()
        self.first, self.second = self.bed.tokens
        self.key = self.credential()
        self.other = self.credential(like=self.key)

    def test_the_one_that_signs_for_the_key_is_asked_and_the_other_is_not_touched(self):
        self.first.holds(self.other)
        self.second.holds(self.key)
        self.adds(self.key), self.adds(self.other)
        for token in self.bed.tokens:
            token.touch_at_once()
        for key, holder, stranger in ((self.key, self.second, self.first), (self.other, self.first, self.second)):
            stranger.count_anew()
            self.assertEqual(self.signs(key), TOUCH)
            self.assertNotIn("touches", stranger.counts())
            self.assertEqual(holder.counts()["touches"], 1)

    def test_where_only_the_wrong_one_is_in_nothing_is_signed_and_nobody_touches(self):
        self.first.holds(self.other)
        self.second.pull()
        self.adds(self.key)
        self.refuses(self.key, "no security key that is plugged in holds this key")
        self.assertNotIn("touches", self.first.counts())

    def test_a_key_on_two_tokens_is_signed_with_by_either(self):
        for token in self.bed.tokens:
            token.holds(self.key)
            token.touch_at_once()
        self.adds(self.key)
        for token in self.bed.tokens:
            token.pull()
            lab.wait_for("that is known", lambda: token.node not in (self.listed() or ()))
            self.assertEqual(self.signs(self.key), TOUCH)
            self.back(token)
        self.assertEqual(self.signs(self.key), TOUCH)


class OneIdThatHides(fido2_bed.Case):
    """The same where only the PIN shows which key it is."""

    tokens = 2
    pin = PIN

    def test_what_the_wrong_one_signs_is_given_to_nobody_and_the_right_one_signs(self):
        wrong, right = self.bed.tokens
        key = self.credential(flags=TOUCH | VERIFY)
        wrong.holds(self.credential(like=key), protect=PROTECT_PIN)
        right.holds(key, protect=PROTECT_PIN)
        self.adds(key)
        wrong.touch_at_once(False)
        for chosen in (wrong, right):
            client = self.begin_sign(key.blob)
            chosen.touch()
            chosen.touch()
            signature = self.gets(client)
            if chosen is wrong:
                self.assertIsNone(signature)
                self.refused_with("signature does not verify")
        self.assertIsNotNone(signature, self.agent.log()[-3000:])
        keys.verify(key.blob, signature, b"data")
        self.assertEqual([token.tries for token in self.bed.tokens], [8, 8])


class AnotherNumber(fido2_bed.Case):
    """The machine woke up, or the person took another port: the token is there under another name."""

    tokens = 2
    pin = PIN

    def setUp(self):
        super().setUp()
        self.here, self.there = self.bed.tokens
        self.there.pull()
        self.there.touch_at_once()

    def moves(self):
        self.here.pull()
        self.there.insert()

    def test_it_signs_at_once_also_where_the_pin_is_wanted(self):
        for flags in (TOUCH, TOUCH | VERIFY):
            key = self.credential(flags=flags)
            for token in self.bed.tokens:
                token.holds(key)
            self.adds(key)
            self.assertEqual(self.signs(key), flags)
            self.moves()
            self.assertEqual(self.signs(key), flags)
            self.here, self.there = self.there, self.here
        self.assertEqual([token.tries for token in self.bed.tokens], [8, 8])

    def test_a_question_for_the_pin_does_not_move_along(self):
        key = self.credential(flags=TOUCH | VERIFY)
        for token in self.bed.tokens:
            token.holds(key)
            token.count_anew()
        self.adds(key)
        self.asks.hangs()
        client = self.begin_sign(key.blob)
        self.asks.wait_until_asked()
        self.moves()
        self.assertIsNone(self.gets(client))
        self.refused_with("token removed")
        self.assertEqual(self.asks.processes(), [])
        self.assertEqual([token.counts().get("pin_tries", 0) for token in self.bed.tokens], [0, 0])

    def test_resident_keys_that_were_read_there_are_known_here(self):
        key = self.credential()
        for token in self.bed.tokens:
            token.holds(key)
        self.assertEqual(lab.run([lab.CONTROL, "fido", "load"], env=self.agent.env).returncode, 0, self.agent.log())
        before = len(self.asks.prompts())
        self.moves()
        lab.wait_for("it is listed again", lambda: self.listed() == [self.there.node] and self.blobs() == [key.blob])
        self.assertEqual(self.signs(key), TOUCH)
        self.assertEqual(len([text for text in self.asks.prompts()[before:] if "PIN" in text]), 0)


if __name__ == "__main__":
    unittest.main()
