"""What the card itself says, asked through PC/SC beside the module: tries left, before a PIN is asked for and before one is sent."""
import unittest

import lab
from lab import card, client

import card_bed


def setUpModule():
    lab.namespaces.enter()


class Tries(card_bed.Case):
    """For each module; OpenSC's flags know of the last try, ykcs11's of none."""

    kinds = {"9a": "p256", "9c": "p384"}

    def token(self):
        (provider,) = self.agent.status()["providers"]
        (token,) = provider["tokens"]
        return token

    def logged_out(self):
        """The agent takes the card for a new one."""
        self.card.remove()
        lab.wait_for("no keys", lambda: not self.blobs())
        self.card.insert()
        self.wait_for_keys(self.card)

    def test_they_are_known_once_the_card_is_there_and_cost_none(self):
        self.card.pin_tries(2)
        self.logged_out()
        self.assertEqual(self.token()["tries_left"], 2)
        self.assertEqual(self.card.status()["pin_tries"], 2)

    def test_the_question_says_them_as_they_are_now(self):
        self.logged_out()
        self.card.pin_tries(2)
        self.signs()
        self.assertIn("Tries left: 2", self.asked.prompts()[-1])
        self.no_pin_was_wrong()

    def test_after_a_wrong_pin_it_says_how_many_are_left(self):
        self.logged_out()
        once = self.card.folder.path / "once"
        self.asked.does(f'if mkdir {once}; then echo 999999; else echo {self.card.pin}; fi')
        self.signs()
        self.assertIn("Tries left: 3", self.asked.prompts()[-2])
        self.assertIn("Tries left: 2", self.asked.prompts()[-1])
        self.assertEqual(self.card.status()["wrong_pins"], 1)

    def test_the_last_one_is_not_spent(self):
        self.logged_out()
        self.card.pin_tries(1)
        self.card.forget()
        before = len(self.asked.prompts())
        with lab.AgentClient(self.agent) as one:
            self.assertIsNone(self.request(one, "9a", b"data"))
        self.refused_with("one PIN try")
        self.assertEqual(len(self.asked.prompts()), before)
        self.assertEqual((self.card.status()["pins"], self.card.status()["pin_tries"]), (0, 1))


class OpenSC(Tries):
    module = card.OPENSC


class Ykcs11(Tries):
    module, reader, yubikey = card.YKCS11, "Yubico YubiKey CCID", True


class Cost(card_bed.Case):
    """What is asked beside the module costs its commands once; a signature is what the module makes of it."""

    reader, yubikey = "Yubico YubiKey CCID", True
    # Of these four OpenSC sends one, the version, once.
    metadata, serial, attestation, version = "f7", "f8", "f9", "fd"

    def asked_for(self):
        commands = self.card.status()["commands"]
        return [commands.get(one, 0) for one in (self.metadata, self.serial, self.attestation, self.version)]

    def test_it_is_paid_when_the_card_comes_and_never_for_a_signature(self):
        self.card.remove()
        lab.wait_for("no keys", lambda: not self.blobs())
        self.card.forget()
        self.card.insert()
        self.wait_for_keys(self.card)
        # Three of the four slots hold a key; the fourth that is asked is the last of them.
        self.assertEqual(self.asked_for(), [4, 1, 0, 2])
        self.signs("9a")
        self.signs("9e")
        for slot in ("9e", "9a", "9e"):
            self.card.forget()
            self.signs(slot)
            self.assertEqual(self.asked_for(), [0, 0, 0, 0])
            self.assertNotIn(card.VERIFY, self.card.status()["commands"])


class Policies(card_bed.Case):
    """For each module: how its keys may be used, as a YubiKey says it."""

    reader, yubikey = "Yubico YubiKey CCID", True
    kinds = {"9a": "rsa:2048", "9c": "p384", "9e": "p256"}
    policies = {"9a": "touch=cached,imported", "9e": "touch=always"}

    def keys(self):
        """What the card says of each key, by its slot, as far as status tells."""
        told = {key["fingerprint"]: key["card"] for key in self.agent.status()["keys"]}
        return {slot: told[lab.keys.fingerprint_of(blob)] for slot, blob in self.card.keys.items()}

    def touched(self):
        return any(one["kind"] == "touch" for one in self.agent.status()["prompts"])

    def asks(self, slot):
        one = self.client()
        one.send(client.SIGN, one.sign_request(self.card.keys[slot], b"data", 2 if slot == "9a" else 0))
        return one

    def is_answered(self, one, slot):
        signature = client.AgentClient.signature(one.receive())
        self.assertIsNotNone(signature, self.agent.refusals())
        lab.verify(self.card.keys[slot], signature, b"data")

    def test_status_shows_them(self):
        (token,) = self.agent.status()["providers"][0]["tokens"]
        self.assertEqual(token["card"], {"firmware": "5.4.3", "serial": "1234567"})
        common = {"origin": "generated", "attested": False}
        self.assertEqual(self.keys(), {
            "9a": {"slot": "9a", "pin": "once", "touch": "cached", "origin": "imported", "attested": False},
            "9c": {"slot": "9c", "pin": "always", "touch": "never", **common},
            "9e": {"slot": "9e", "pin": "never", "touch": "always", **common}})
        said = lab.run_well([lab.CONTROL, "keys"], env=self.agent.env).stdout
        self.assertIn("9e, generated, PIN never, touch always", said)

    def test_the_person_is_told_of_the_touch_that_a_key_waits_for(self):
        for _ in range(2):
            one = self.asks("9e")
            lab.wait_for("the notice", self.touched)
            self.card.touch()
            self.is_answered(one, "9e")
            self.assertFalse(self.touched())

    def test_one_that_is_kept_is_not_asked_for_again(self):
        one = self.asks("9a")
        lab.wait_for("the notice", self.touched)
        self.card.touch()
        self.is_answered(one, "9a")
        self.is_answered(self.asks("9a"), "9a")


class Hostile(card_bed.Case):
    """Answers that make no sense to what is asked beside the module: nothing is known then, and all else goes on."""

    reader, yubikey = "Yubico YubiKey CCID", True
    kinds = {"9a": "p256", "9e": "p256"}
    policies = {"9e": "touch=always"}
    metadata = "010111 02020102 030101 044386 41" + "04" + "aa" * 64
    answers = {
        "no status word": ("f7", "61"),
        "nothing": ("f7", "9000"),
        "a length beyond the end": ("f7", "0182ffff 9000"),
        "a length of lengths": ("f7", "0184ffffffff 9000"),
        "a policy that nobody knows": ("f7", "010111 0202ffff 0301ff 9000"),
        "a tag that goes on": ("f7", "1f 9000"),
        "another key": ("f7", metadata + "9000"),
        "a serial number of five bytes": ("f8", "0102030405 9000"),
        "a long version": ("fd", "05" * 90 + "9000"),
    }

    def put_in_again(self):
        self.card.remove()
        lab.wait_for("no keys", lambda: not self.blobs())
        self.card.forget()
        self.card.insert()
        self.wait_for_keys(self.card)

    def policies_told(self):
        return [key["card"] for key in self.agent.status()["keys"] if key["card"]]

    def test_nonsense_is_no_knowledge(self):
        for what, (instruction, answer) in self.answers.items():
            with self.subTest(what):
                self.card.order("truth")
                self.card.lie(instruction, answer)
                self.put_in_again()
                if instruction == "f7":
                    self.assertEqual(self.policies_told(), [])
                self.signs("9a")
        self.card.order("truth")
        self.put_in_again()
        self.assertEqual(len(self.policies_told()), 2)
        self.no_pin_was_wrong()

    def test_an_answer_that_never_ends_is_given_up(self):
        self.card.lie("f7", "61ff")
        self.card.lie("c0", "aa" * 40 + "61ff")
        self.put_in_again()
        self.assertEqual(self.policies_told(), [])
        self.assertLess(self.card.status()["commands"]["c0"], 200)
        self.signs("9a")
        self.no_pin_was_wrong()


class PoliciesOfOpenSC(Policies):
    module = card.OPENSC


class PoliciesOfYkcs11(Policies):
    module = card.YKCS11


del Tries, Policies

if __name__ == "__main__":
    unittest.main()
