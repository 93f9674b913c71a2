"""Cards that answer what no card should: each time the request ends, in words, and an honest card works afterwards."""
import unittest

import lab
from lab import card, client

import card_bed

SECONDS = 2


def setUpModule():
    lab.namespaces.enter()


class Hostile(card_bed.Case):
    """The honest card is in the other slot."""

    kinds = {"9a": "p256", "9e": "p256"}

    def options(self):
        return {"config": f"operation-timeout = {SECONDS}\n"}

    def request(self, one, slot, data, of=None):
        return one.sign((of or self.card).keys[slot], data)

    def setUp(self):
        super().setUp()
        self.good = self.load("fake:good")[0]
        self.honest = self.another_card(absent=True, serial=7654321, pin="654321")
        self.pins_by_serial(self.card, self.honest)
        self.honest.move_to(0, 1)

    def load(self, provider):
        before = self.blobs()
        with lab.AgentClient(self.agent) as one:
            self.assertEqual(one.add_token(provider, ""), client.SUCCESS)
        return [blob for blob in self.blobs() if blob not in before]

    def other_tokens_sign(self):
        with lab.AgentClient(self.agent) as one:
            signature = one.sign(self.good, b"data")
        self.assertIsNotNone(signature, self.agent.log()[-1000:])
        lab.verify(self.good, signature, b"data")

    def is_replaced(self):
        """By the honest one."""
        self.card.remove()
        self.card.spoil("none")
        self.honest.insert()
        self.wait_for_honest_keys()
        self.signs(of=self.honest)
        self.no_pin_was_wrong(self.honest)

    def wait_for_honest_keys(self):
        wanted = {self.good, *self.honest.keys.values()}
        lab.wait_for("the honest card's keys", lambda: set(self.blobs()) == wanted)

    def fails(self, slot="9a"):
        """A request to it, while others are served."""
        waiting = self.client()
        waiting.send(client.SIGN, waiting.sign_request(self.card.keys[slot], b"data"))
        self.other_tokens_sign()
        self.assertEqual(waiting.receive()[0], client.FAILURE)
        self.assertRegex(self.agent.refusals()[0], "makes nothing of the card in the reader|did not answer in time")


def _named(method, fault):
    def test(self):
        method(self, fault)
    return test


def _spoiled_while_it_signs(self, fault):
    self.signs()
    self.card.spoil(fault)
    self.fails()
    self.is_replaced()


def _spoiled_from_the_start(self, fault):
    self.card.remove()
    lab.wait_for("it is gone", lambda: self.blobs() == [self.good])
    self.card.spoil(fault)
    self.card.order("insert")
    self.card.wait_until(inserted=True)
    self.other_tokens_sign()
    with lab.AgentClient(self.agent) as one:
        self.assertIsNone(self.request(one, "9a", b"data"))
    self.is_replaced()


for _fault in card.FAULTS:
    setattr(Hostile, f"test_{_fault}_while_it_signs", _named(_spoiled_while_it_signs, _fault))
for _fault in ("cut", "long", "nonsense", "silence"):
    setattr(Hostile, f"test_{_fault}_from_the_start", _named(_spoiled_from_the_start, _fault))


if __name__ == "__main__":
    unittest.main()
