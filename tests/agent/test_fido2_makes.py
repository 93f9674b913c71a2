"""Security keys as other makers build them: older and newer ones, slow ones, ones that know a finger, ones that can't be asked."""
import contextlib
import unittest

import fido2_bed
import lab
from fido2_bed import PIN, TOUCH, VERIFY

VERIFIED = ("verify-required",)
RESIDENT = ("resident", "verify-required")
OLD = ("set permissions off", "set new-protocol off")


class Case(fido2_bed.Case):
    pin = PIN
    kind = "ed25519-sk"

    def pin_prompts(self):
        return [text for text in self.asks.prompts() if "PIN for the token" in text]

    def makes_the_usual_signatures(self, options=VERIFIED):
        """Here with a touch, and with the PIN; from afar; and no try of the PIN is missing."""
        plain, verified = self.gives(self.kind), self.gives(self.kind, options)
        self.assertEqual(self.signs(plain) & TOUCH, TOUCH)
        self.assertEqual(self.signs(verified), TOUCH | VERIFY)
        one, login = self.asks_from_afar(verified)
        self.assertEqual(self.signs(verified, one, login), TOUCH | VERIFY)
        self.assertEqual(self.token.tries, 8)


class BeforeCtap21(Case):
    """No tokens with permissions, no second PIN protocol, no management of credentials, no Ed25519."""

    lines = (*OLD, "set management off", "set eddsa off", "set message-max 1024")
    kind = "ecdsa-sk"

    def test_it_makes_the_usual_signatures(self):
        self.makes_the_usual_signatures()

    def test_with_resident_keys(self):
        self.makes_the_usual_signatures(RESIDENT)


class WithAPreview(Case):
    """It manages its credentials by the command that CTAP 2.1 made of another number."""

    lines = OLD

    def test_its_resident_keys_are_loaded(self):
        key = self.made(options=RESIDENT)
        with lab.AgentClient(self.agent) as one:
            self.assertEqual(one.add_token("fido2:", PIN), lab.client.SUCCESS, self.agent.log()[-2000:])
        self.assertEqual(self.signs(key), TOUCH | VERIFY)
        self.assertEqual(self.token.tries, 8)


class WithOnePinProtocol(Case):
    lines = ("set new-protocol off",)
    kind = "ecdsa-sk"

    def test_it_makes_the_usual_signatures(self):
        self.makes_the_usual_signatures()


class AlwaysVerifying(Case):
    lines = ("set always-uv on", "set make-without-pin off")

    def test_it_makes_the_usual_signatures(self):
        self.makes_the_usual_signatures()

    def test_a_key_that_wants_no_touch_gets_none_here(self):
        self.assertEqual(self.signs(self.gives(options=("no-touch-required",))), 0)


class SayingLittle(Case):
    """The least of getInfo, no AAGUID, no counter, no credential in an answer that can be of one alone, long handles."""

    lines = ("set terse on", "set counting off", "set id-length 255", "set u2f off")

    def test_it_makes_the_usual_signatures(self):
        self.makes_the_usual_signatures()


class SayingNothingMeanwhile(Case):
    """No keep-alives: neither that it works nor that it waits."""

    lines = ("set keepalives off", "set slow-ms 300")

    def test_it_makes_the_usual_signatures(self):
        self.makes_the_usual_signatures()

    def test_who_leaves_puts_out_its_light(self):
        key = self.gives()
        self.token.touch_at_once(False)
        client = self.begins(key)
        client.close()
        self.token.wait_until_dark()
        self.token.touch_at_once()
        self.signs(key)


class Slow(Case):
    """It says that it works for long before its light goes on."""

    lines = ("set late-light-ms 700",)

    def test_nobody_is_told_of_a_touch_before_its_light_is_on(self):
        key = self.gives()
        self.token.touch_at_once(False)
        client = self.begin_sign(key.blob)
        lab.wait_for("the person is told", self.asks.prompts)
        self.assertTrue(self.token.blinks())
        self.token.touch()
        self.assertIsNotNone(self.gets(client), self.agent.log()[-3000:])

    def test_who_leaves_before_its_light_is_on_leaves_it_free(self):
        key = self.gives()
        self.token.set("late-light-ms", 9000)
        client = self.begin_sign(key.blob)
        lab.wait_for("it works", lambda: self.token.state()["busy"])
        client.close()
        self.token.set("late-light-ms", 0)
        self.signs(key)


class NotToBeAskedSilently(Case):
    """What it says to a question without a touch, whether it has the key or not."""

    def test_it_signs_whatever_it_says(self):
        key, verified = self.gives(), self.gives(options=VERIFIED)
        for status in (0x27, 0x2b, 0x2c, 0x33, 0x35, 0x36, 0x3b):
            with self.subTest(hex(status)):
                self.token.set("silent-status", status)
                self.token.pull()
                self.back()
                self.assertEqual(self.signs(key), TOUCH)
                if status in (0x2b, 0x36):
                    self.assertEqual(self.signs(verified), TOUCH | VERIFY)
        self.assertEqual(self.token.tries, 8)

    def test_from_afar(self):
        self.token.set("silent-status", 0x2b)
        key = self.gives(options=VERIFIED)
        one, login = self.asks_from_afar(key)
        self.assertEqual(self.signs(key, one, login), TOUCH | VERIFY)


class OfTwoNotToBeAsked(Case):
    tokens = 2
    lines = ("set silent-status 0x2b",)

    def test_the_person_chooses(self):
        first, second = self.bed.tokens
        key = self.gives(token=second)
        for token in self.bed.tokens:
            token.touch_at_once(False)
        client = self.begin_sign(key.blob)
        first.wait_until_it_blinks()
        second.touch()
        first.wait_until_dark()
        second.touch()
        self.assertIsNotNone(self.gets(client), self.agent.log()[-3000:])


class U2fOnly(fido2_bed.Case):
    lines = ("set ctap2 off",)

    def test_it_signs_for_those_here_and_afar(self):
        key = self.gives("ecdsa-sk")
        self.assertEqual(self.signs(key), TOUCH)
        one, login = self.asks_from_afar(key)
        self.assertEqual(self.signs(key, one, login), TOUCH)

    def test_one_that_is_busy_is_asked_again(self):
        key = self.gives("ecdsa-sk")
        self.token.fault("busy", 3)
        self.assertEqual(self.signs(key), TOUCH)
        self.assertEqual(self.token.counts()["busy"], 3)

    def test_what_wants_a_pin_is_refused_with_the_reason(self):
        self.agent.stop()
        self.config = 'rule "pin" { then = pin }\n'
        self.started()
        self.refuses(self.gives("ecdsa-sk"), "has no PIN")


class WhosePinIsForNoAssertion(Case):
    def test_it_says_so_and_no_try_is_spent(self):
        key = self.gives(options=VERIFIED)
        self.token.set("pin-asserts", "off")
        self.token.pull()
        self.back()
        self.refuses(key, "takes a fingerprint and no PIN")
        self.assertEqual(self.token.tries, 8)


class ByFinger(Case):
    """It knows its person by the finger that touches it: an assertion without a PIN is tried first."""

    def setUp(self):
        super().setUp()
        self.key = self.gives(options=VERIFIED)
        self.token.set("fingerprint", "on")
        self.token.pull()
        self.back()
        self.token.count_anew()

    def test_the_finger_is_the_touch_and_no_pin_is_asked_for(self):
        self.assertEqual(self.signs(self.key), TOUCH | VERIFY)
        self.assertEqual(self.token.counts()["touches"], 1)
        self.assertEqual(self.pin_prompts(), [])

    def test_one_that_it_does_not_know_is_followed_by_the_pin(self):
        self.token.touch_at_once(False)
        client = self.begin_sign(self.key.blob)
        self.token.refuse()
        self.token.touch_at_once()  # it is chosen, and signs
        with contextlib.suppress(AssertionError):  # unless it blinks for that already
            self.token.says("touch")
        self.assertIsNotNone(self.gets(client), self.agent.log()[-3000:])
        self.assertEqual(len(self.pin_prompts()), 1)

    def test_from_afar_a_finger_will_do(self):
        one, login = self.asks_from_afar(self.key)
        self.assertEqual(self.signs(self.key, one, login), TOUCH | VERIFY)
        self.assertEqual(self.pin_prompts(), [])

    def test_who_leaves_puts_out_its_light(self):
        self.token.touch_at_once(False)
        client = self.begins(self.key)
        client.close()
        self.token.wait_until_dark()
        self.token.touch_at_once()
        self.signs(self.key)


class ByFingerBeforeCtap21(ByFinger):
    lines = OLD


class Answering(Case):
    """Statuses that come in the place of a signature."""

    def test_each_is_told_in_words_and_costs_one_request(self):
        key = self.gives()
        for status, words in ((0x30, "the security key failed"), (0x2e, "does not hold this key"),
                              (0x2f, "nobody touched"), (0x27, "told no"), (0x7f, "the security key failed"),
                              (0xf0, "the security key failed"), (0x39, "too large")):
            with self.subTest(hex(status)):
                self.signs(key)
                self.token.replies(bytes([status]), 1, "get_assertion")
                self.refuses(key, words)
                self.token.fault("none")
                self.signs(key)

    def test_one_that_was_not_touched_in_its_own_time_says_so(self):
        key = self.gives()
        self.signs(key)
        self.token.touch_at_once(False)
        self.token.set("touch-ms", 100)
        self.refuses(key, "nobody touched")


if __name__ == "__main__":
    unittest.main()
