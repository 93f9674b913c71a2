"""PINs of security keys: asked for when they are wanted and no more, for the right token, never to the last try."""
import unittest

import fido2_bed
import lab
from fido2_bed import PIN, TOUCH, VERIFY
from lab import keys

VERIFIED = ("verify-required",)
RESIDENT = ("resident", "verify-required")


class Case(fido2_bed.Case):
    pin = PIN

    def pin_prompts(self):
        return [text for text in self.asks.prompts() if "PIN for the token" in text]


class Asked(Case):
    def test_a_key_that_wants_it_is_signed_with_after_the_pin_and_a_touch(self):
        for kind in ("ed25519-sk", "ecdsa-sk"):
            with self.subTest(kind):
                self.assertEqual(self.signs(self.gives(kind, VERIFIED)), TOUCH | VERIFY)
        self.assertEqual(len(self.pin_prompts()), 2)
        self.assertIn("Tries left: 8", self.pin_prompts()[0])
        self.assertIn("Token 0 in software", self.pin_prompts()[0])

    def test_it_is_asked_for_each_signature_anew(self):
        key = self.gives(options=VERIFIED)
        for _ in range(3):
            self.signs(key)
        self.assertEqual(len(self.pin_prompts()), 3)

    def test_a_resident_key_that_hides_is_found_by_its_pin(self):
        key = self.gives(options=RESIDENT)
        self.assertEqual(self.signs(key), TOUCH | VERIFY)

    def test_the_token_is_chosen_by_a_touch_before_its_pin_is_asked_for(self):
        key = self.gives(options=RESIDENT)
        self.token.touch_at_once(False)
        client = self.begins(key)
        self.assertEqual(self.pin_prompts(), [])
        lab.wait_for("the person is told", self.asks.prompts)
        self.assertIn("Token 0 in software", self.asks.prompts()[-1])
        self.token.touch()
        lab.wait_for("its PIN is asked for", self.pin_prompts)
        self.token.touch()
        self.assertIsNotNone(self.gets(client), self.agent.log()[-3000:])
        self.token.touch_at_once()
        self.token.count_anew()
        self.signs(key)
        self.assertEqual(self.token.counts()["touches"], 1)
        lab.wait_for("it is given back", lambda: not [p for p in lab.descendants(self.agent.pid)
                                                      if p.name.startswith("keystile-fido2") and p.alive()])
        self.signs(key)
        self.assertEqual(self.token.counts()["touches"], 2)
        self.token.pull()
        self.back()
        self.signs(key)
        self.assertEqual(self.token.counts()["touches"], 4)

    def test_one_that_is_not_chosen_gets_no_pin(self):
        key = self.gives(options=RESIDENT)
        self.token.touch_at_once(False)
        client = self.begins(key)
        self.token.refuse()
        self.assertIsNone(self.gets(client))
        self.refused_with("told no")
        self.assertEqual((self.pin_prompts(), self.token.tries), ([], 8))

    def test_what_shows_the_key_silently_is_not_chosen_by_touch(self):
        key = self.gives()
        self.token.set("always-uv", "on")
        self.token.count_anew()
        self.assertEqual(self.signs(key), TOUCH | VERIFY)
        self.assertEqual(self.token.counts()["touches"], 1)

    def test_a_resident_key_works_through_a_forwarded_agent(self):
        key = self.gives(options=RESIDENT)
        one, login = self.asks_from_afar(key)
        self.assertEqual(self.signs(key, one, login), TOUCH | VERIFY)
        self.assertEqual(len(self.pin_prompts()), 1)

    def test_ssh_logs_in_where_the_server_wants_it(self):
        key = self.gives(options=VERIFIED)
        with lab.Sshd(lines="PubkeyAuthOptions verify-required\n") as host:
            host.allow(keys.line_of(key.blob))
            done = self.agent.run(*host.ssh("lab", "echo", "I am in"))
            self.assertEqual((done.stdout, done.returncode), ("I am in\n", 0), done.stderr)

    def test_a_token_that_wants_it_always_gets_it(self):
        key = self.gives()
        self.token.set("always-uv", "on")
        self.assertEqual(self.signs(key), TOUCH | VERIFY)

    def test_a_rule_that_wants_it_is_obeyed(self):
        self.agent.stop()
        self.config = 'rule "pin" { then = pin }\n'
        self.started()
        key = self.gives()
        self.assertEqual(self.signs(key), TOUCH | VERIFY)

    def test_nobody_is_asked_where_a_touch_will_do(self):
        self.signs(self.gives())
        self.assertEqual(self.pin_prompts(), [])


class Wrong(Case):
    """What happens to the tries, as the token counts them."""

    def setUp(self):
        super().setUp()
        self.key = self.gives(options=VERIFIED)
        self.token.count_anew()

    def test_a_wrong_pin_costs_one_try_and_is_not_sent_again(self):
        self.asks.prints("4321")
        self.refuses(self.key, "wrong PIN", "the same wrong PIN again")
        self.assertEqual(self.token.tries, 7)
        self.assertIn("That PIN was wrong", self.pin_prompts()[-1])
        self.assertIn("Tries left: 7", self.pin_prompts()[-1])

    def test_the_right_one_after_a_wrong_one_is_taken(self):
        count = self.bed.folder.path / "asked"
        self.asks.does(f'[ "${{SSH_ASKPASS_PROMPT-}}" = none ] && exec sleep 3600\n'
                       f'[ -e {count} ] && echo {PIN} || echo 4321; : > {count}')
        self.assertEqual(self.signs(self.key), TOUCH | VERIFY)
        self.assertEqual(self.token.tries, 8)

    def test_the_last_try_is_not_spent(self):
        self.token.says("tries 1")
        self.refuses(self.key, "one PIN try is left")
        self.assertEqual((self.token.tries, self.pin_prompts()), (1, []))

    def test_a_pin_that_is_blocked_is_not_asked_for(self):
        self.token.says("tries 0")
        self.refuses(self.key, "blocked")
        self.assertEqual(self.pin_prompts(), [])

    def test_after_three_wrong_ones_the_token_has_to_be_pulled(self):
        self.token.says("block-until-pulled")
        for prompts in (1, 1):
            self.refuses(self.key, "take the security key out")
            self.assertEqual((self.token.tries, len(self.pin_prompts())), (8, prompts))
        self.token.pull()
        self.back()
        self.signs(self.key)

    def test_without_a_pin_or_with_one_to_be_changed_it_says_so(self):
        self.token.says("force-change on")
        self.refuses(self.key, "has to be changed")
        self.token.says("force-change off")
        self.token.pin("")
        self.token.pull()
        self.back()
        self.refuses(self.key, "has no PIN")

    def test_one_that_can_be_none_is_not_sent(self):
        for text in ("123", "1" * 64):
            with self.subTest(text):
                self.asks.prints(text)
                self.refuses(self.key, "4 to 63 characters")
        self.assertEqual(self.token.tries, 8)

    def test_a_person_who_gives_none_costs_no_try(self):
        self.asks.refuses()
        self.refuses(self.key, "the person gave no PIN")
        self.assertEqual(self.token.tries, 8)

    def test_one_pulled_while_it_is_asked_for_is_not_sent_to_another_token(self):
        self.asks.hangs()
        one = self.begin_sign(self.key.blob)
        self.asks.wait_until_asked()
        self.token.pull()
        self.assertIsNone(self.gets(one))
        self.refused_with("token removed")
        self.back()
        self.assertEqual(self.token.tries, 8)
        self.asks.prints(PIN)
        self.signs(self.key)


class Kept(Case):
    """A PIN that the configuration gives a time."""

    settings = {"KEYSTILE_FIDO2_PIN_MINUTES": "5"}

    def setUp(self):
        super().setUp()
        self.key = self.gives(options=VERIFIED)

    def prompts_for(self, *arguments):
        """How often the PIN is asked for while that key is signed with."""
        before = len(self.pin_prompts())
        self.assertEqual(self.signs(self.key, *arguments), TOUCH | VERIFY)
        return len(self.pin_prompts()) - before

    def test_it_is_asked_for_once(self):
        self.assertEqual([self.prompts_for() for _ in range(3)], [1, 0, 0])

    def test_for_a_request_from_afar_it_is_not_used_and_not_kept(self):
        self.assertEqual(self.prompts_for(*self.asks_from_afar(self.key)), 1)
        self.assertEqual(self.prompts_for(), 1)
        self.assertEqual(self.prompts_for(*self.asks_from_afar(self.key)), 1)
        self.assertEqual(self.prompts_for(), 0)

    def test_it_goes_with_the_token(self):
        self.assertEqual(self.prompts_for(), 1)
        self.token.pull()
        self.back()
        self.assertEqual(self.prompts_for(), 1)

    def test_one_that_was_changed_costs_one_try_and_is_asked_for_anew(self):
        self.assertEqual(self.prompts_for(), 1)
        self.token.pin("9012")
        self.token.count_anew()
        self.asks.prints("9012")
        self.assertEqual(self.prompts_for(), 1)
        self.assertEqual(self.token.counts()["pin_tries"], 2)
        self.assertEqual(self.prompts_for(), 0)

    def test_with_few_tries_left_it_is_not_sent(self):
        self.assertEqual(self.prompts_for(), 1)
        self.token.says("tries 2")
        self.token.count_anew()
        self.assertEqual(self.prompts_for(), 1)
        self.assertEqual(self.token.counts()["pin_tries"], 1)

    def test_a_rule_that_wants_it_gets_it_for_each_signature(self):
        self.agent.stop()
        self.config = 'rule "pin" { then = pin }\n'
        self.started()
        self.added(self.key)
        self.assertEqual([self.prompts_for() for _ in range(2)], [1, 1])


class KeptForNoTime(Case):
    settings = {"KEYSTILE_FIDO2_PIN_MINUTES": "soon"}

    def test_a_time_that_is_none_is_refused_with_its_name(self):
        key = self.made()
        done = self.agent.run("ssh-add", "-q", str(key.path))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("KEYSTILE_FIDO2_PIN_MINUTES must be a number from 0 to 1440", self.agent.log())


if __name__ == "__main__":
    unittest.main()
