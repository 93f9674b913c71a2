"""One card, and gpg's scdaemon beside the agent: with pcsc-shared they take turns, without it who has the reader keeps it."""
import unittest

import lab
from lab.gnupg import Gnupg

import card_bed


def setUpModule():
    lab.namespaces.enter()


class Beside(card_bed.Case):
    """A card with an OpenPGP application beside PIV: to select one of them ends the login to the other."""

    kinds = {"9a": "p256", "9c": "p384", "9e": "p256"}
    shared = True

    def options(self):
        return {"config": "release-after = never\n"}

    def request(self, one, slot, data, of=None):
        return one.sign(self.card.keys[slot], data)

    def login(self, slot, of=None):
        return lab.userauth(card_bed.SID, "joe", self.card.keys[slot])

    def another_card(self, **options):
        return super().another_card(openpgp=True, **options)

    def setUp(self):
        super().setUp()
        self.gnupg = Gnupg(self.shared)
        self.addCleanup(self.gnupg.close)

    def prompts(self):
        return len(self.asked.prompts())

    def tell(self, command):
        done = self.agent.run(lab.CONTROL, command, env={"KEYSTILE_CONTROL": str(self.agent.own_folder / "control.sock")})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout


class Shared(Beside):
    def test_they_take_turns(self):
        for _ in range(3):
            self.assertTrue(self.gnupg.sees_card())
            self.signs()
            self.assertTrue(self.gnupg.sees_card())
            self.signs("9c")
            self.signs_for_another_machine()
        self.no_pin_was_wrong()
        # Not one that was typed before the card forgot it.
        self.assertEqual(self.card.status()["pins"], 1 + self.prompts())


class Exclusive(Beside):
    shared = False

    def take(self):
        lab.wait_for("gpg has the card", self.gnupg.sees_card)

    def refusal(self):
        with lab.AgentClient(self.agent) as one:
            self.assertIsNone(self.request(one, "9a", b"data"))
        return self.agent.refusals()[0]

    def test_who_has_the_reader_keeps_it_and_is_named(self):
        self.assertFalse(self.gnupg.sees_card())
        self.signs()
        self.tell("release")
        self.take()
        self.assertEqual(set(self.blobs()), set(self.card.keys.values()))
        words = self.refusal()
        for part in ("has the reader Virtual PCD 00 00 to itself", f"scdaemon (pid {self.gnupg.scdaemon()})",
                     "gpgconf --kill scdaemon"):
            self.assertIn(part, words)
        self.assertEqual(self.prompts(), 0)
        self.gnupg.let_go()
        self.signs()
        self.no_pin_was_wrong()

    def test_a_card_that_is_pulled_meanwhile_is_gone(self):
        self.tell("release")
        self.take()
        self.refusal()
        self.card.remove()
        self.wait_for_keys()
        self.gnupg.let_go()
        self.card.insert()
        self.wait_for_keys(self.card)
        self.signs()

    def test_who_loads_the_module_meanwhile_is_told(self):
        self.tell("release")
        self.take()
        self.agent.run("ssh-add", "-e", self.module)
        self.assertNotEqual(self.agent.add_token(self.module, self.card.pin).returncode, 0)
        self.assertIn("has the reader Virtual PCD 00 00 to itself", self.agent.refusals()[0])
        self.gnupg.let_go()
        self.assertEqual(self.agent.add_token(self.module, self.card.pin).returncode, 0)
        self.signs()


if __name__ == "__main__":
    unittest.main()
