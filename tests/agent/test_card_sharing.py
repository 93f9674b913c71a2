"""A card that other programs want too: it is given back when it was not used for the time that is configured."""
import ctypes
import time
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


class Shared(card_bed.Case):
    kinds = {"9a": "p256", "9e": "p384"}
    config = ""

    def options(self):
        return {"config": self.config}

    def request(self, one, slot, data, of=None):
        return one.sign(self.card.keys[slot], data)

    def token(self):
        return self.agent.status()["providers"][0]["tokens"][0]

    def setUp(self):
        super().setUp()
        self.place = self.token()["location"]
        self.other = Exclusive()
        self.addCleanup(self.other.close)

    def wait_until_taken(self):
        lab.wait_for("the card is to be had", lambda: self.other.take(self.place))

    def tell(self, command):
        done = self.agent.run(lab.CONTROL, command, env={"KEYSTILE_CONTROL": str(self.agent.own_folder / "control.sock")})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def configure(self, text):
        (self.agent.home / ".config" / "keystile" / "keystile.conf").write_text(text)
        self.tell("reload")


class AfterASecond(Shared):
    config = "release-after = 1\n"

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

    def signs_without_a_pause(self, seconds):
        """For so long; False where the machine was too busy to."""
        begun = last = time.monotonic()
        with lab.AgentClient(self.agent) as one:
            while last - begun < seconds:
                self.signed(one, "9a", b"data")
                before, last = last, time.monotonic()
                if last - before > 0.5:
                    return False
        return True

    def test_a_card_that_is_used_stays_logged_in(self):
        def stays():
            self.signs()
            asked = len(self.asked.prompts())
            return self.signs_without_a_pause(1.5) and [len(self.asked.prompts()) - asked]

        self.assertEqual(lab.wait_for("a machine that is not too busy", stays), [0])


class AfterTenMinutes(Shared):
    def test_a_login_holds_the_card_until_it_is_released(self):
        self.assertFalse(self.other.take(self.place))
        self.signs()
        self.assertEqual(self.asked.prompts(), [])
        self.tell("release")
        self.wait_until_taken()
        self.other.give_back()
        self.signs()
        self.assertEqual(len(self.asked.prompts()), 1)

    def test_another_time_counts_at_once(self):
        self.configure("release-after = never\n")
        self.assertTrue(self.token()["logged_in"])
        self.configure(f'release-after = never\nprovider card {{ load = "{self.module}"\n release-after = 1 }}\n')
        self.wait_until_taken()

    def test_a_card_that_nobody_is_logged_in_to_is_given_back_soon(self):
        self.card.remove()
        self.wait_for_keys()
        self.card.insert()
        self.wait_for_keys(self.card)
        self.wait_until_taken()
        self.assertEqual(set(self.blobs()), set(self.card.keys.values()))


if __name__ == "__main__":
    unittest.main()
