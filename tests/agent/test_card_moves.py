"""Cards that go and come, readers and pcscd too: what was loaded once stays loaded, and nobody's PIN is used for it."""
import os
import signal
import unittest

import lab
from lab import card, client

import card_bed


def setUpModule():
    lab.namespaces.enter()


class Moves:
    """For each module."""

    def prompts(self):
        return len(self.asked.prompts())

    def test_the_keys_go_with_the_card_and_come_back_with_it(self):
        self.signs()
        self.card.remove()
        self.wait_for_keys()
        self.card.insert()
        self.wait_for_keys(self.card)
        self.assertEqual(self.prompts(), 0)
        self.card.forget()
        self.signs()
        self.signs()
        self.assertEqual((self.prompts(), self.card.status()["pins"]), (1, 1))
        self.no_pin_was_wrong()

    def test_a_card_that_blinks_has_lost_its_login(self):
        """Even where pcscd comes too late to see it: the first request may fail then, not the second."""
        for _ in range(3):
            before = self.prompts()
            self.card.order("remove")
            self.card.insert()
            with lab.AgentClient(self.agent) as one:
                signature = self.request(one, "9a", b"data")
            if signature is None:
                lab.wait_for("the card is seen", lambda: card.seen() == 1)
                self.wait_for_keys(self.card)
                self.signs()
            self.assertGreater(self.prompts(), before)
        self.no_pin_was_wrong()

    def token(self):
        return (self.agent.status()["providers"][0]["tokens"] or [{}])[0]

    def wait_for_login_to_go(self):
        lab.wait_for("the login has gone", lambda: self.token().get("logged_in") is False)
        self.wait_for_keys(self.card)

    def test_it_may_come_back_in_another_slot(self):
        before = self.token()
        self.card.remove()
        self.card.move_to(0, 1)
        self.card.insert()
        lab.wait_for("it is elsewhere", lambda: self.token().get("location", before["location"]) != before["location"])
        self.wait_for_keys(self.card)
        self.assertEqual(self.token()["serial"], before["serial"])
        self.signs()
        self.assertEqual(self.prompts(), 1)

    def test_after_a_restart_of_pcscd_all_goes_on(self):
        self.pcscd.restart()
        self.wait_for_login_to_go()
        self.signs()
        self.signs_for_another_machine("9c")
        self.assertEqual(self.prompts(), 2)
        self.no_pin_was_wrong()

    def test_without_pcscd_there_are_no_keys(self):
        self.pcscd.stop()
        self.wait_for_keys()
        with lab.AgentClient(self.agent) as one:
            self.assertIsNone(self.request(one, "9a", b"data"))
        self.pcscd.start()
        self.wait_for_keys(self.card)
        self.signs()
        self.assertEqual(self.agent.status()["providers"][0]["restarts"], 0)

    def test_a_card_that_is_pulled_while_it_signs_costs_that_signature_only(self):
        self.signs()
        self.card.forget()
        self.card.slow(60000)
        waiting = self.client()
        waiting.send(client.SIGN, waiting.sign_request(self.card.keys["9a"], b"data", 2))
        lab.wait_for("the card is asked", lambda: self.card.status()["commands"])
        self.card.remove()
        self.assertEqual(waiting.receive()[0], client.FAILURE)
        self.wait_for_keys()
        self.card.slow(0)
        self.card.insert()
        self.wait_for_keys(self.card)
        self.signs()
        self.assertEqual(self.agent.status()["providers"][0]["restarts"], 0)
        self.no_pin_was_wrong()

    def test_what_moved_while_all_slept_is_seen_on_waking(self):
        self.signs()
        processes = [self.pcscd.process.pid, *(one.pid for one in self.agent.workers())]
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        self.card.remove()
        for pid in processes:
            os.kill(pid, signal.SIGCONT)
        self.wait_for_keys()
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        self.card.order("insert")
        for pid in processes:
            os.kill(pid, signal.SIGCONT)
        self.wait_for_keys(self.card)
        self.signs()
        self.assertEqual(self.prompts(), 1)
        self.no_pin_was_wrong()


class OpenSC(Moves, card_bed.Case):
    def test_another_card_is_not_taken_for_the_first(self):
        other = self.another_card(absent=True, serial=7654321, pin="654321")
        self.pins_by_serial(self.card, other)
        self.card.remove()
        self.wait_for_keys()
        other.insert()
        self.wait_for_keys(other)
        self.signs(of=other)
        with lab.AgentClient(self.agent) as one:
            self.assertIsNone(self.request(one, "9a", b"data"))
        other.remove()
        self.wait_for_keys()
        self.card.insert()
        self.wait_for_keys(self.card)
        self.signs()
        self.no_pin_was_wrong(self.card, other)

    def test_two_cards_at_once_have_each_its_own_pin(self):
        other = self.another_card(absent=True, serial=7654321, pin="654321")
        self.pins_by_serial(self.card, other)
        other.move_to(0, 1)
        other.insert()
        self.wait_for_keys(self.card, other)
        self.signs()
        self.assertEqual(self.prompts(), 0)
        self.signs(of=other)
        self.card.remove()
        self.wait_for_keys(other)
        self.signs(of=other)
        self.assertEqual(self.prompts(), 2)  # the module begins anew when a card leaves
        self.no_pin_was_wrong(self.card, other)


class Ykcs11(Moves, card_bed.Case):
    module, reader, yubikey = card.YKCS11, "Yubico YubiKey CCID", True


if __name__ == "__main__":
    unittest.main()
