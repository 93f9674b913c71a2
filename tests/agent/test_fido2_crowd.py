"""Many clients and two security keys at once, and whoever waits when a token is pulled or its process killed."""
import os
import select
import signal
import unittest

import fido2_bed
import lab
from fido2_bed import PIN, TOUCH, VERIFY
from lab import client as c, keys

AFAR = ("busy with another request", "needed the token before its touch came", "is awaited already", "was asked already",
        "came this way")


class Case(fido2_bed.Case):
    tokens = 2
    pin = PIN
    config = "operation-timeout = 120\n"

    def setUp(self):
        super().setUp()
        self.first, self.second = self.bed.tokens

    def held(self, token, flags=TOUCH):
        """A key that the agent has and that token alone."""
        key = self.credential(flags=flags)
        token.holds(key)
        return self.adds(key)

    def processes(self):
        return [one for one in lab.descendants(self.agent.pid)
                if one.name.startswith("keystile-fido2") and one.alive()]

    def pins_sent(self):
        return sum(token.counts().get("pin_tries", 0) for token in self.bed.tokens)

    def pins_typed(self):
        return len([text for text in self.asks.prompts() if "PIN for the token" in text])


class Crowd(Case):
    def begins_one(self, key, afar):
        """A client that has asked, and for what."""
        if not afar:
            return self.begin_sign(key.blob), b"data"
        client, login = self.asks_from_afar(key)
        client.send(c.SIGN, client.sign_request(key.blob, login))
        return client, login

    def lists_until_answered(self, clients):
        """The list is served all the while."""
        waiting = [client.socket for client in clients]
        whole = sorted(self.blobs())

        def none_waits():
            self.assertEqual(sorted(self.blobs()), whole)
            for one in select.select(waiting, [], [], 0)[0]:
                waiting.remove(one)
            return not waiting
        lab.wait_for("all are answered", none_waits, seconds=100)

    def test_ten_clients_of_here_and_afar_with_touches_and_pins(self):
        made = [self.held(token, flags) for flags in (TOUCH, TOUCH | VERIFY) for token in self.bed.tokens]
        for token in self.bed.tokens:
            token.touch_at_once()
            token.count_anew()
        asked = [(key, afar, *self.begins_one(key, afar))
                 for key, afar in zip(made * 3, (False, True, False, False, True, False, False, True, False, True))]
        self.assertEqual(len(asked), 10)
        self.lists_until_answered([client for _, _, client, _ in asked])
        for key, afar, client, data in asked:
            signature = self.gets(client)
            self.assertTrue(signature or afar, self.agent.refusals())
            if signature:
                keys.verify(key.blob, signature, data)
                self.assertTrue(keys.presence_in(signature) & TOUCH)
        for reason in self.agent.refusals():
            self.assertTrue(any(words in reason for words in AFAR), reason)
        self.assertEqual([token.tries for token in self.bed.tokens], [8, 8])
        self.assertLessEqual(self.pins_sent(), self.pins_typed())


class Pulled(Case):
    """The one that others wait for, or choose."""

    def test_all_who_wait_are_told_and_the_other_token_goes_on(self):
        key, other = self.held(self.first), self.held(self.second)
        for token in self.bed.tokens:
            token.touch_at_once(False)
        waiting = [self.begins(key), *(self.begin_sign(key.blob) for _ in range(4))]
        elsewhere = self.begin_sign(other.blob)
        self.second.wait_until_it_blinks()
        self.first.pull()
        for client in waiting:
            self.assertIsNone(self.gets(client))
        self.refused_with("token removed")
        self.assertTrue(self.second.blinks())
        self.second.touch()
        lab.verify(other.blob, self.gets(elsewhere), b"data")
        self.first.touch_at_once()
        self.back(self.first)
        self.assertEqual(self.signs(key), TOUCH)

    def test_the_chosen_one_takes_the_question_for_its_pin_along(self):
        key = self.credential(flags=TOUCH | VERIFY)
        self.second.holds(key, protect=3)
        self.adds(key)
        for token in self.bed.tokens:
            token.touch_at_once(False)
        self.asks.does('[ "${SSH_ASKPASS_PROMPT-}" = none ] || : > "$0.pin"\nexec sleep 3600')
        client = self.begin_sign(key.blob)
        self.first.wait_until_it_blinks()
        self.second.touch()
        lab.wait_for("its PIN is asked for", lambda: os.path.exists(f"{self.asks.path}.pin"))
        self.second.pull()
        self.assertIsNone(self.gets(client))
        self.refused_with("token removed")
        lab.wait_for("nobody is asked any more", lambda: self.asks.processes() == [])
        self.assertEqual((self.first.blinks(), self.pins_sent()), (False, 0))


class Killed(Case):
    """The process that speaks with a token ends before its time."""

    def kills(self):
        for one in self.processes():
            os.kill(one.pid, signal.SIGKILL)
        lab.wait_for("they are gone", lambda: not self.processes())

    def test_while_it_waits_for_a_touch_the_request_is_refused_and_the_next_is_served(self):
        key, other = self.held(self.first), self.held(self.second)
        self.second.touch_at_once()
        self.signs(other)
        self.first.touch_at_once(False)
        client = self.begins(key)
        self.kills()
        self.assertIsNone(self.gets(client))
        self.refused_with("did not answer")
        self.assertEqual(self.signs(other), TOUCH)
        self.first.touch()  # nobody told it that there is nobody who wants it
        self.first.touch_at_once()
        self.assertEqual(self.signs(key), TOUCH)

    def test_while_the_pin_is_typed_it_goes_to_nobody(self):
        key = self.held(self.first, TOUCH | VERIFY)
        self.asks.does(f'while [ ! -e "$0.now" ]; do sleep 0.1; done\necho {PIN}')
        client = self.begin_sign(key.blob)
        self.asks.wait_until_asked()
        self.first.count_anew()
        self.kills()
        (self.asks.path.parent / f"{self.asks.path.name}.now").touch()
        self.assertIsNone(self.gets(client))
        self.assertEqual((self.pins_sent(), self.first.tries), (0, 8))
        self.asks.prints(PIN)
        self.assertEqual(self.signs(key), TOUCH | VERIFY)


if __name__ == "__main__":
    unittest.main()
