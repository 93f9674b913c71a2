"""PKCS#11 modules for smartcards in a confined worker: OpenSC's and Yubico's, behind the real pcscd, with a card in software."""
import unittest

import lab
from lab import card, client

import token_bed

KINDS = {"9a": "rsa:2048", "9c": "p384", "9e": "p256"}
SID = b"s" * 32


def setUpModule():
    lab.namespaces.enter()


class Base(token_bed.Case):
    """self.card is in the reader, self.agent has the module."""

    module = reader = policies = None
    yubikey = False

    def setUp(self):
        daemon = card.Pcscd(self.reader)
        self.addCleanup(daemon.close)
        self.card = card.Card(KINDS, self.policies, yubikey=self.yubikey)
        self.addCleanup(self.card.close)
        card.wait_until_seen()
        self.asked = self.askpass(self.card.pin)
        self.start(askpass=self.asked)
        done = self.agent.add_token(self.module, self.card.pin)
        self.assertEqual(done.returncode, 0, f"{done.stderr}{self.agent.log()}")

    def signed(self, one, slot, data):
        """A good signature with the key in that slot."""
        blob = self.card.keys[slot]
        algorithm = "rsa-sha2-256" if slot == "9a" else lab.keys.name_of(blob)
        signature = one.sign(blob, data, 2 if slot == "9a" else 0)
        self.assertIsNotNone(signature, f"{algorithm} in {slot}: {self.agent.log()[-3000:]}")
        lab.verify(blob, signature, data)

    def login(self, slot):
        blob = self.card.keys[slot]
        return lab.userauth(SID, "joe", blob, algorithm="rsa-sha2-256" if slot == "9a" else None)

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
            self.assertEqual(one.bind(host, SID, forwarding=True), client.SUCCESS)
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


class Ykcs11(Tests, Base):
    module, reader, yubikey = card.YKCS11, "Yubico YubiKey CCID", True


if __name__ == "__main__":
    unittest.main()
