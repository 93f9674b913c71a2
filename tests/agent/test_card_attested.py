"""Touches of a smartcard from afar: they count where the card's maker attests that each signature wants one."""
import unittest

import lab
from lab import attestation, card, client

import card_bed


def setUpModule():
    lab.namespaces.enter()


class Attested(card_bed.Case):
    """A YubiKey whose 9a wants a touch each time, and 9e none, with a maker that its owner may trust."""

    module, reader, yubikey = card.OPENSC, "Yubico YubiKey CCID", True
    kinds = {"9a": "p256", "9e": "p384"}
    policies = {"9a": "touch=always"}

    def setUp(self):
        self.maker = attestation.Maker()
        super().setUp()

    def another_card(self, **options):
        return super().another_card(maker=self.maker, **options)

    def trusts(self, *makers):
        attestation.trust(self.agent.home / ".config", *(one.trusted() for one in makers))
        self.put_in_again()

    def put_in_again(self):
        self.card.remove()
        lab.wait_for("no keys", lambda: not self.blobs())
        self.card.insert()
        lab.wait_for("its keys", lambda: set(self.card.keys.values()) <= set(self.blobs()))  # ykcs11 has the maker's, too

    def attested(self):
        told = {key["fingerprint"]: key for key in self.agent.status()["keys"]}
        return [told[lab.keys.fingerprint_of(self.card.keys[slot])]["card"]["attested"] for slot in ("9a", "9e")]

    def logs_in(self):
        """Once with a PIN, as somebody does who sits here."""
        one = self.client()
        one.send(client.SIGN, one.sign_request(self.card.keys["9a"], b"data"))
        self.card.touch()
        self.assertIsNotNone(client.AgentClient.signature(one.receive()), self.agent.refusals())

    def asks_from_afar(self):
        one, host = self.client(), lab.HostKey()
        self.assertEqual(one.bind(host, card_bed.SID, forwarding=True), client.SUCCESS)
        data = lab.userauth(card_bed.SID, "joe", self.card.keys["9a"], host_key=host.blob)
        one.send(client.SIGN, one.sign_request(self.card.keys["9a"], data))
        return one, data

    def pins(self):
        return self.card.status()["pins"]

    def pin_prompts(self):
        return [text for text in self.asked.prompts() if "PIN for the token" in text]

    def test_a_touch_serves_where_the_maker_is_trusted(self):
        self.trusts(self.maker)
        lab.wait_for("it is attested", lambda: self.attested() == [True, False])
        self.logs_in()
        before, pins = len(self.pin_prompts()), self.pins()
        one, data = self.asks_from_afar()
        self.card.touch()
        signature = client.AgentClient.signature(one.receive())
        self.assertIsNotNone(signature, self.agent.refusals())
        lab.verify(self.card.keys["9a"], signature, data)
        self.assertEqual((len(self.pin_prompts()), self.pins()), (before, pins))
        self.assertTrue([text for text in self.asked.prompts() if "touch" in text.lower() and "joe" in text])

    def test_without_trust_the_pin_is_asked_for(self):
        self.trusts()
        self.logs_in()
        self.needs_a_pin()

    def test_with_trust_in_another_maker_too(self):
        self.trusts(attestation.Maker("Another"))
        self.logs_in()
        self.needs_a_pin()

    def needs_a_pin(self):
        self.assertEqual(self.attested(), [False, False])
        before = len(self.pin_prompts())
        one, data = self.asks_from_afar()
        self.card.touch()
        lab.verify(self.card.keys["9a"], client.AgentClient.signature(one.receive()), data)
        self.assertEqual(len(self.pin_prompts()), before + 1)

    def test_where_nobody_has_logged_in_the_pin_is_asked_for(self):
        self.trusts(self.maker)
        lab.wait_for("it is attested", lambda: self.attested() == [True, False])
        before = len(self.pin_prompts())
        one, data = self.asks_from_afar()
        self.card.touch()
        lab.verify(self.card.keys["9a"], client.AgentClient.signature(one.receive()), data)
        self.assertEqual(len(self.pin_prompts()), before + 1)

    def test_a_request_from_afar_gives_way_to_one_from_here(self):
        self.trusts(self.maker)
        lab.wait_for("it is attested", lambda: self.attested() == [True, False])
        self.logs_in()
        far, _ = self.asks_from_afar()
        self.card.wait_until(touch_awaited=True)
        near = self.client()
        near.send(client.SIGN, near.sign_request(self.card.keys["9a"], b"data"))
        self.assertIsNone(client.AgentClient.signature(far.receive()))
        self.refused_with("somebody at this machine needed the token")
        for _ in range(2):  # the first one is for what nobody waits for any more
            self.card.touch()
        lab.verify(self.card.keys["9a"], client.AgentClient.signature(near.receive()), b"data")

    def test_what_is_trusted_later_counts_once_the_configuration_is_read_anew(self):
        attestation.trust(self.agent.home / ".config", self.maker.trusted())
        self.assertEqual(self.attested(), [False, False])
        lab.run_well([lab.CONTROL, "reload"], env=self.agent.env)
        lab.wait_for("it is attested", lambda: self.attested() == [True, False])
        attestation.trust(self.agent.home / ".config")
        lab.run_well([lab.CONTROL, "reload"], env=self.agent.env)
        self.assertEqual(self.attested(), [False, False])

    def test_it_is_proven_anew_when_the_card_comes_again(self):
        self.trusts(self.maker)
        lab.wait_for("it is attested", lambda: self.attested() == [True, False])
        self.trusts()
        self.assertEqual(self.attested(), [False, False])
        lab.wait_for("nothing is left of the one who looked", lambda: not any(
            one["name"].startswith("attestation") for one in self.agent.status()["providers"]))
        self.assertEqual(self.attested(), [False, False])


class WithYkcs11(Attested):
    module = card.YKCS11


if __name__ == "__main__":
    unittest.main()
