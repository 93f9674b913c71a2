"""A remote request's touch is not asked for while a finger may be on its way for another one, and no longer than that."""
import time
import unittest

import fido2_bed
import lab
from lab import client as c

QUIET_SECONDS = 3


class Quiet(fido2_bed.Case):
    tokens = 2

    def setUp(self):
        super().setUp()
        self.other = self.bed.tokens[1]

    def begin_from_afar(self, key):
        client, login = self.asks_from_afar(key)
        client.send(c.SIGN, client.sign_request(key.blob, login))
        return client, login

    def touched_here(self, key):
        client = self.begins(key)
        self.token.touch()
        self.assertIsNotNone(self.gets(client), self.agent.log()[-3000:])

    def test_the_same_token_is_left_alone_for_a_while(self):
        key = self.gives()
        self.signs(key)  # it is known by now which token has it
        begun = time.monotonic()
        self.signs(key)
        self.token.touch_at_once(False)
        client, login = self.begin_from_afar(key)
        self.token.wait_until_it_blinks()
        self.assertGreater(time.monotonic() - begun, QUIET_SECONDS)
        self.token.touch()
        lab.verify(key.blob, self.gets(client), login)

    def test_one_that_gave_up_is_waited_for_as_well(self):
        key = self.gives()
        self.signs(key)
        self.token.touch_at_once(False)
        first = self.begins(key)
        begun = time.monotonic()
        first.close()
        self.token.wait_until_dark()
        client, login = self.begin_from_afar(key)
        self.token.wait_until_it_blinks()
        self.assertGreater(time.monotonic() - begun, QUIET_SECONDS)
        self.token.touch()
        lab.verify(key.blob, self.gets(client), login)

    def test_touches_on_another_token_keep_nobody_waiting(self):
        mine, theirs = self.gives(), self.gives(token=self.other)
        self.signs(mine), self.signs(theirs)
        self.token.touch_at_once(False)
        self.other.touch_at_once(False)
        self.touched_here(mine)
        client, login = self.begin_from_afar(theirs)
        end = time.monotonic() + 20 * lab.PATIENCE
        while not self.other.blinks() and time.monotonic() < end:
            self.touched_here(mine)
        self.assertTrue(self.other.blinks(), self.agent.log()[-3000:])
        self.other.touch()
        lab.verify(theirs.blob, self.gets(client), login)


if __name__ == "__main__":
    unittest.main()
