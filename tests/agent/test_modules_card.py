"""PKCS#11 modules for smartcards in a confined worker: OpenSC's and Yubico's, behind the real pcscd, with a card in software."""
import unittest

import lab
from lab import card, client

import card_bed


def setUpModule():
    lab.namespaces.enter()


class Base(card_bed.Case):
    def signs_here(self):
        self.assertEqual(set(self.blobs()), set(self.card.keys.values()))
        with lab.AgentClient(self.agent) as one:
            for slot in self.card.keys:
                self.signed(one, slot, b"data")
        # The login of ssh-add lasts, but for the key that always wants its PIN.
        self.assertEqual(len(self.asked.prompts()), 1)

    def signs_from_afar(self, slots):
        host = lab.HostKey()
        with lab.AgentClient(self.agent) as one:
            self.assertEqual(one.bind(host, card_bed.SID, forwarding=True), client.SUCCESS)
            for number, slot in enumerate(slots, 1):
                self.card.forget()
                self.signed(one, slot, self.login(slot))
                self.assertEqual(len(self.asked.prompts()), number)
                self.assertIn("REMOTE REQUEST", self.asked.prompts()[-1])
                status = self.card.status()
                self.assertEqual(status["wrong_pins"], 0)
                self.assertGreaterEqual(status["pins"], 1)

    def confined(self):
        (provider,) = self.agent.status()["providers"]
        self.assertGreaterEqual(provider["confinement"]["landlock"], 1)


class Tests:
    """For each module."""

    def test_it_loads_and_lists_and_signs_here(self):
        self.confined()
        self.signs_here()

    def test_it_signs_from_afar_with_a_pin_for_each_request(self):
        self.signs_from_afar(("9a", "9c"))


class OpenSC(Tests, Base):
    module, reader = card.OPENSC, "Virtual PCD"

    def test_a_signature_after_the_login_costs_two_commands(self):
        """As docs/modules.md says."""
        with lab.AgentClient(self.agent) as one:
            self.signed(one, "9e", b"once")  # its object is looked for
            for number in range(1, 4):
                self.card.forget()
                self.signed(one, "9e", b"%d" % number)
                self.assertEqual(self.card.status()["commands"], {card.GET_DATA: 1, card.AUTHENTICATE: 1})


class Ykcs11(Tests, Base):
    module, reader, yubikey = card.YKCS11, "Yubico YubiKey CCID", True


if __name__ == "__main__":
    unittest.main()
