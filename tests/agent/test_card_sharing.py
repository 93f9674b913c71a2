"""A card that other programs want too: the worker gives it back when it was not used for the time that is configured."""
import ctypes
import unittest

import lab

import card_bed

SHARE_EXCLUSIVE, ANY_PROTOCOL, LEAVE = 1, 3, 0


def setUpModule():
    lab.namespaces.enter()


class Exclusive:
    """A program that has the card in a reader for itself: .take() tells whether it got it."""

    def __init__(self):
        self.library = ctypes.CDLL("libpcsclite.so.1")
        self.context, self.handle = ctypes.c_long(), ctypes.c_long()
        assert self.library.SCardEstablishContext(2, None, None, ctypes.byref(self.context)) == 0

    def take(self, reader):
        protocol = ctypes.c_ulong()
        return self.library.SCardConnect(self.context, reader.encode(), ctypes.c_ulong(SHARE_EXCLUSIVE),
                                         ctypes.c_ulong(ANY_PROTOCOL), ctypes.byref(self.handle),
                                         ctypes.byref(protocol)) == 0

    def give_back(self):
        assert self.library.SCardDisconnect(self.handle, ctypes.c_ulong(LEAVE)) == 0

    def close(self):
        self.library.SCardReleaseContext(self.context)


class Sharing(card_bed.Case):
    kinds = {"9a": "p256", "9e": "p384"}

    def options(self):
        return {"config": 'worker pkcs11 { environment = {"KEYSTILE_PKCS11_IDLE_SECONDS=1"} }\n'}

    def request(self, one, slot, data, of=None):
        return one.sign(self.card.keys[slot], data)

    def setUp(self):
        super().setUp()
        self.place = self.agent.status()["providers"][0]["tokens"][0]["location"]
        self.other = Exclusive()
        self.addCleanup(self.other.close)

    def wait_until_taken(self):
        lab.wait_for("the card is to be had", lambda: self.other.take(self.place))

    def test_an_idle_card_can_be_had_and_its_keys_stay_listed(self):
        for number in range(1, 3):
            self.card.wait_until(verified=False)
            self.wait_until_taken()
            self.assertEqual(set(self.blobs()), set(self.card.keys.values()))
            self.other.give_back()
            self.signs()
            self.assertEqual(len(self.asked.prompts()), number)
        self.no_pin_was_wrong()

    def test_it_is_ours_again_when_the_other_has_done(self):
        self.wait_until_taken()
        with lab.AgentClient(self.agent) as one:
            self.assertIsNone(self.request(one, "9a", b"data"))
        self.assertEqual(self.asked.prompts(), [])
        self.other.give_back()
        self.wait_for_keys(self.card)
        self.signs()
        self.no_pin_was_wrong()


if __name__ == "__main__":
    unittest.main()
