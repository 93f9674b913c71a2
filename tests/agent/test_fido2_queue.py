"""Who waits for a security key: counted, in the order in which they came, and nobody here behind somebody afar."""
import contextlib
import select
import unittest

import fido2_bed
import lab
from fido2_bed import PIN
from lab import client as c


class Case(fido2_bed.Case):
    config = "operation-timeout = 120\n"  # people are slow, and so is a busy machine

    def waiting(self, token=None):
        """How many requests status says wait for that token."""
        for provider in self.agent.status()["providers"]:
            for one in provider["tokens"]:
                if one["location"] == (token or self.token).node:
                    return one["waiting"]
        return None

    def wait_until_waiting(self, number, token=None):
        lab.wait_for(f"{number} wait", lambda: self.waiting(token) == number)

    def begin_from_afar(self, key):
        """A request of a forwarded connection, not answered yet, and what is signed in it."""
        client, login = self.asks_from_afar(key)
        client.send(c.SIGN, client.sign_request(key.blob, login))
        return client, login

    def is_over(self, client):
        """An answer is there to be read."""
        return bool(select.select([client.socket], [], [], 0)[0])

    def touched_from_now_on(self):
        """Also what it blinks for already."""
        self.token.touch_at_once()
        self.token.touch()

    def touched_for_whomever(self):
        """From now on; it may still blink for one that is over, and may blink for the next one already."""
        self.token.touch_at_once()
        with contextlib.suppress(AssertionError):  # it does not blink any more
            self.token.says("touch")


class Counted(Case):
    def test_those_who_wait_are_counted_and_whoever_leaves_is_not(self):
        key = self.gives()
        self.token.touch_at_once(False)
        first = self.begins(key)
        self.assertEqual(self.waiting(), 0)
        others = [self.begin_sign(key.blob) for _ in range(3)]
        self.wait_until_waiting(3)
        self.assertIn("3 requests wait for it", self.agent.run(lab.CONTROL, "status", env={
            "KEYSTILE_CONTROL": str(self.agent.own_folder / "control.sock")}).stdout)
        others.pop().close()
        self.wait_until_waiting(2)
        self.touched_from_now_on()
        for client in [first, *others]:
            self.assertIsNotNone(self.gets(client), self.agent.log()[-3000:])
        self.wait_until_waiting(0)

    def test_requests_beyond_what_the_worker_takes_are_served_too(self):
        key = self.gives()
        self.token.touch_at_once(False)
        clients = [self.begin_sign(key.blob, b"%d" % i) for i in range(30)]
        self.token.wait_until_it_blinks()
        self.assertEqual(self.blobs(), [key.blob])
        self.touched_from_now_on()
        for i, client in enumerate(clients):
            lab.verify(key.blob, self.gets(client), b"%d" % i)


class InTurn(Case):
    def test_first_come_first_served(self):
        key = self.gives()
        self.token.touch_at_once(False)
        clients = [self.begins(key)]
        for number in range(1, 5):
            clients.append(self.begin_sign(key.blob))
            self.wait_until_waiting(number)
        while clients:
            self.token.touch()
            self.assertIsNotNone(self.gets(clients.pop(0)), self.agent.log()[-3000:])
            self.assertEqual([client for client in clients if self.is_over(client)], [])

    def test_a_remote_request_gives_way_to_one_from_here(self):
        key = self.gives()
        self.token.touch_at_once(False)
        remote, _ = self.begin_from_afar(key)
        self.token.wait_until_it_blinks()
        local = self.begin_sign(key.blob)
        self.assertIsNone(self.gets(remote))
        self.refused_with("somebody at this machine needed the token")
        self.touched_for_whomever()
        lab.verify(key.blob, self.gets(local), b"data")

    def test_those_from_afar_wait_behind_those_from_here(self):
        key = self.gives()
        self.token.touch_at_once(False)
        first = self.begins(key)
        remote, login = self.begin_from_afar(key)
        self.wait_until_waiting(1)
        local = self.begin_sign(key.blob)
        self.wait_until_waiting(2)
        self.token.touch()
        self.assertIsNotNone(self.gets(first))
        self.token.touch()
        lab.verify(key.blob, self.gets(local), b"data")
        self.assertFalse(self.is_over(remote), self.agent.refusals())
        self.token.touch()
        lab.verify(key.blob, self.gets(remote), login)

    def test_a_flood_from_afar_keeps_nobody_here_waiting(self):
        key = self.gives()
        self.token.touch_at_once(False)
        flood = [self.begin_from_afar(key) for _ in range(12)]
        self.token.wait_until_it_blinks()
        self.assertEqual(self.blobs(), [key.blob])
        local = self.begin_sign(key.blob)
        lab.wait_for("one of them has given way", lambda: [
            one for one in self.agent.refusals() if "somebody at this machine" in one])
        self.touched_for_whomever()
        lab.verify(key.blob, self.gets(local), b"data")
        for client, _ in flood:
            client.close()
        self.token.wait_until_dark()
        self.wait_until_waiting(0)

    def test_remote_requests_are_served_one_after_the_other(self):
        key = self.gives()
        clients = [self.begin_from_afar(key) for _ in range(3)]
        for client, login in clients:
            lab.verify(key.blob, self.gets(client), login)


class WithPin(Case):
    pin = PIN

    def test_who_asks_from_afar_for_a_pin_gives_way_too(self):
        key = self.gives(options=("verify-required",))
        self.asks.hangs()
        remote, _ = self.begin_from_afar(key)
        self.asks.wait_until_asked()
        local = self.begin_sign(key.blob)
        self.assertIsNone(self.gets(remote))
        self.refused_with("somebody at this machine needed the token")
        local.close()
        self.assertEqual(self.token.tries, 8)


class OfTwo(Case):
    tokens = 2

    def test_a_remote_request_for_one_token_is_left_alone_by_those_for_the_other(self):
        first, second = [self.gives(token=token) for token in self.bed.tokens]
        for token in self.bed.tokens:
            token.touch_at_once(False)
        remote, login = self.begin_from_afar(first)
        self.token.wait_until_it_blinks()
        self.bed.tokens[1].touch_at_once()
        self.signs(second)
        self.assertTrue(self.token.blinks())
        self.token.touch()
        lab.verify(first.blob, self.gets(remote), login)


if __name__ == "__main__":
    unittest.main()
