"""
A day in the life of two cards, at random: pulled, swapped, put into another slot, pcscd restarted, the machine put to sleep, gpg beside
us, signatures between. At every turn the agent comes to show what is there, what can be signed is signed, and no card sees a PIN that
nobody typed for it.

KEYSTILE_DAY_STEPS makes it longer, KEYSTILE_DAY_SEED another one: 0 is for one that was never had.
"""
import os
import random
import signal
import unittest

import lab
from lab import card, client
from lab.gnupg import Gnupg

import card_bed

STEPS = int(os.environ.get("KEYSTILE_DAY_STEPS", "30"))
SEED = int(os.environ.get("KEYSTILE_DAY_SEED", "20261121")) or random.SystemRandom().randrange(1 << 32)


def setUpModule():
    lab.namespaces.enter()


class Day(card_bed.Case):
    kinds = {"9a": "p256", "9c": "rsa:2048", "9e": "p384"}

    def setUp(self):
        super().setUp()
        print(f"# KEYSTILE_DAY_SEED={SEED} KEYSTILE_DAY_STEPS={STEPS}", flush=True)
        self.random = random.Random(SEED)
        self.other = self.another_card(absent=True, serial=7654321, pin="654321")
        self.cards = [self.card, self.other]
        self.slots = {self.card: 0, self.other: 1}
        self.other.move_to(0, 1)
        self.inside = {self.card}
        self.moved = False
        self.typed = {self.card: -1, self.other: -1}
        self.pins_by_serial(*self.cards)
        self.gnupg = {shared: Gnupg(shared) for shared in (True, False)}
        for one in self.gnupg.values():
            self.addCleanup(one.close)

    def another_card(self, **options):
        return super().another_card(openpgp=True, **options)

    def any_inside(self):
        return self.random.choice(sorted(self.inside, key=self.cards.index)) if self.inside else None

    # What may happen: each leaves self.inside as it is then.

    def insert_or_remove(self):
        one = self.random.choice(self.cards)
        if one in self.inside:
            one.remove()
            self.inside.remove(one)
        else:
            one.insert()
            self.inside.add(one)

    def blink(self):
        one = self.any_inside()
        if one:
            one.remove()
            one.insert()

    def change_places(self):
        for one in self.inside:
            one.remove()
        for one in self.cards:
            self.slots[one] = 1 - self.slots[one]
            one.move_to(0, self.slots[one])
        for one in self.inside:
            one.insert()

    def restart_pcscd(self):
        self.pcscd.restart()
        for one in self.inside:
            one.wait_until(inserted=True)

    def pause_pcscd(self):
        self.pcscd.stop()
        self.wait_for_keys()
        self.pcscd.start()
        for one in self.inside:
            one.wait_until(inserted=True)

    def sleep(self):
        """All stands still; a card may be pulled or put in meanwhile, and each has lost its power."""
        processes = [self.pcscd.process.pid, self.agent.pid, *(one.pid for one in self.agent.workers())]
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        for one in self.cards:
            was = one in self.inside
            if was:
                one.remove()
            if was != (self.random.random() < 0.3):
                one.order("insert")
                self.inside.add(one)
            else:
                self.inside.discard(one)
        for pid in processes:
            os.kill(pid, signal.SIGCONT)

    def gpg_beside_us(self):
        self.gnupg[True].sees_card()
        self.sign()
        self.gnupg[True].sees_card()
        self.sign()
        self.gnupg[True].let_go()

    def gpg_has_a_reader_to_itself(self):
        self.settle()
        self.release()
        if any(self.slots[one] == 0 for one in self.inside):  # scdaemon looks into the first reader only
            lab.wait_for("gpg has its turn", self.gnupg[False].sees_card)
        self.sign_at_a_bad_moment()
        self.gnupg[False].let_go()

    def release(self):
        done = self.agent.run(lab.CONTROL, "release",
                              env={"KEYSTILE_CONTROL": str(self.agent.own_folder / "control.sock")})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def pull_while_it_signs(self):
        one = self.any_inside()
        if not one:
            return
        self.settle()
        one.slow(60000)
        waiting = self.client()
        one.forget()
        waiting.send(client.SIGN, waiting.sign_request(one.keys["9e"], b"data"))
        lab.wait_for("the card is asked", lambda: one.status()["commands"])
        one.remove()
        one.slow(0)
        self.inside.remove(one)
        self.assertEqual(waiting.receive()[0], client.FAILURE)

    def sign_at_a_bad_moment(self):
        """Whether there is a signature is a matter of luck."""
        with lab.AgentClient(self.agent) as one:
            one.sign(self.random.choice(self.cards).keys["9a"], b"data")

    def sign(self):
        one = self.any_inside()
        slot = self.random.choice(("9a", "9c", "9e"))
        if one:
            with lab.AgentClient(self.agent) as asking:
                self.comes_to(one, slot, asking, b"data")

    def sign_for_another_machine(self):
        one = self.any_inside()
        if not one:
            return
        with lab.AgentClient(self.agent) as asking:
            self.assertEqual(asking.bind(lab.HostKey(), card_bed.SID, forwarding=True), client.SUCCESS)
            self.comes_to(one, "9a", asking, self.login("9a", one))

    def comes_to(self, one, slot, asking, data):
        """A signature: at once where all has been quiet since the last one, else the second request gets it at the latest."""
        self.settle()
        blob = one.keys[slot]
        signature = asking.sign(blob, data, 2 if slot == "9c" else 0)
        if signature is None and self.moved:
            lab.wait_for("pcscd has seen it all", lambda: card.seen() == len(self.inside))
            self.settle()
            signature = asking.sign(blob, data, 2 if slot == "9c" else 0)
        self.assertIsNotNone(signature, f"{slot}: {self.agent.refusals()[:1]}")
        lab.verify(blob, signature, data)
        self.moved = False

    def no_pin_is_older_than_its_card(self):
        """Where one was sent since the card was put in, somebody has typed it since then (for ssh-add -s, at first)."""
        prompts = self.asked.prompts()
        for one in self.cards:
            typed = sum(f"{one.serial:016x}" in text for text in prompts)
            if one.status()["pins_here"] == 0:
                self.typed[one] = typed
            self.assertTrue(one.status()["pins_here"] == 0 or typed > self.typed[one], f"{one.serial}: {typed}")

    def settle(self):
        self.wait_for_keys(*self.inside)

    def login(self, slot, of=None):
        return lab.userauth(card_bed.SID, "joe", (of or self.card).keys[slot])

    def test_at_its_end_everything_works(self):
        happenings = (self.insert_or_remove, self.insert_or_remove, self.insert_or_remove, self.blink, self.change_places,
                      self.restart_pcscd, self.pause_pcscd, self.sleep, self.gpg_beside_us,
                      self.gpg_has_a_reader_to_itself, self.release, self.pull_while_it_signs, self.sign_at_a_bad_moment, self.sign,
                      self.sign, self.sign, self.sign, self.sign_for_another_machine)
        done = []
        for _ in range(STEPS):
            happening = self.random.choice(happenings)
            done.append(f"{happening.__name__} {sorted(map(self.cards.index, self.inside))}")
            self.moved |= not happening.__name__.startswith("sign")
            try:
                happening()
                self.no_pin_was_wrong(*self.cards)
                self.no_pin_is_older_than_its_card()
            except AssertionError as error:
                raise AssertionError(f"seed {SEED}, after {done[-8:]}: {error}") from None
        for one in self.cards:
            if one not in self.inside:
                self.inside.add(one)
                one.insert()
        self.settle()
        for _ in range(4):
            self.sign()
            self.sign_for_another_machine()
        self.no_pin_was_wrong(*self.cards)
        self.assertEqual(self.agent.status()["providers"][0]["restarts"], 0)


if __name__ == "__main__":
    unittest.main()
