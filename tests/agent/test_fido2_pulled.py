"""Security keys that are pulled: at any moment of a signature, while the machine sleeps, while others use them."""
import contextlib
import fcntl
import os
import signal
import time
import unittest

import fido2_bed
import lab
from fido2_bed import PIN, TOUCH, VERIFY

MOMENTS = 20


class Case(fido2_bed.Case):
    pin = PIN

    def refused_as_gone(self):
        """In the words for one that was pulled meanwhile, or for one that was heard to be gone before."""
        newest = self.agent.refusals()[0]
        self.assertRegex(newest, "token removed|no security key is plugged in")


class Moments(Case):

    def time_of(self, work):
        begun = time.monotonic()
        work()
        return time.monotonic() - begun

    def begin_anew(self):
        """It is another one as far as anybody knows, so the next signature begins with finding it."""
        self.token.pull()
        self.back()

    def pulled_after(self, key, seconds):
        """True where a signature was there before."""
        client = self.begin_sign(key.blob)
        time.sleep(seconds)
        self.token.pull()
        answered = self.time_of(lambda: setattr(self, "signature", self.gets(client)))
        self.assertLess(answered, 5 * lab.PATIENCE)
        if self.signature is None:
            self.refused_as_gone()
        self.assertEqual(self.token.tries, 8)
        return self.signature is not None

    def asked(self):
        return len([text for text in self.asks.prompts() if "PIN for the token" in text])

    def at_all_moments(self, key):
        """Between them every command is cut off; each takes its time for that."""
        self.token.set("slow-ms", 20)
        self.begin_anew()
        whole = self.time_of(lambda: self.signs(key))
        finished = 0
        for moment in range(MOMENTS):
            self.begin_anew()
            self.token.count_anew()
            before = self.asked()
            finished += self.pulled_after(key, whole * moment / MOMENTS)
            self.assertLessEqual(self.token.counts().get("pin_tries", 0), self.asked() - before)
            self.back()
            self.signs(key)
        self.assertLess(finished, MOMENTS)

    def test_with_a_touch(self):
        self.at_all_moments(self.gives())

    def test_with_a_pin_and_a_touch(self):
        self.at_all_moments(self.gives(options=("verify-required",)))


class Asleep(Case):
    """What the worker finds when the machine wakes up: nothing that it had open is there any more."""

    def sleeps(self, during):
        """Everything stands still while that happens."""
        processes = [one for one in lab.descendants(self.agent.pid) if one.alive()]
        for one in processes:
            os.kill(one.pid, signal.SIGSTOP)
        try:
            during()
        finally:
            for one in processes:
                with contextlib.suppress(ProcessLookupError):  # its parent, which is awake, has ended it
                    os.kill(one.pid, signal.SIGCONT)

    def put_back(self):
        self.token.pull()
        self.token.insert()

    def test_a_token_that_is_another_device_by_then_signs(self):
        key = self.gives()
        for _ in range(5):
            self.signs(key)
            self.sleeps(self.put_back)
            self.assertEqual(self.signs(key), TOUCH)

    def test_one_with_a_pin_too(self):
        key = self.gives(options=("verify-required",))
        self.signs(key)
        self.sleeps(self.put_back)
        self.assertEqual(self.signs(key), TOUCH | VERIFY)
        self.assertEqual(self.token.tries, 8)

    def test_one_that_was_pulled_is_gone_and_works_when_it_is_back(self):
        key = self.gives()
        self.signs(key)
        self.sleeps(self.token.pull)
        self.refuses(key)
        self.refused_as_gone()
        self.back()
        self.signs(key)

    def test_a_request_that_waited_for_a_touch_is_over(self):
        key = self.gives()
        self.token.touch_at_once(False)
        client = self.begins(key)
        self.sleeps(self.put_back)
        self.assertIsNone(self.gets(client))
        self.refused_with("token removed")
        self.token.touch_at_once()
        self.signs(key)

    def test_a_sleep_alone_changes_nothing(self):
        key = self.gives()
        self.token.touch_at_once(False)
        client = self.begins(key)
        self.sleeps(lambda: time.sleep(2))
        self.token.touch()
        self.assertIsNotNone(self.gets(client), self.agent.log()[-3000:])


class Elsewhere(fido2_bed.Case):
    """Another program has the device, and says so as libfido2 does: by a lock."""

    def setUp(self):
        super().setUp()
        self.key = self.gives()
        self.node = os.open(self.bed.root + self.token.node, os.O_RDWR | os.O_NOCTTY)
        self.addCleanup(os.close, self.node)
        fcntl.flock(self.node, fcntl.LOCK_EX)

    def test_a_request_from_here_waits_for_a_moment_and_is_refused_with_the_reason(self):
        self.refuses(self.key, "another program uses the security key")

    def test_one_from_here_is_served_when_it_is_given_back_in_time(self):
        client = self.begin_sign(self.key.blob)
        fcntl.flock(self.node, fcntl.LOCK_UN)
        self.assertIsNotNone(self.gets(client), self.agent.log()[-3000:])

    def test_one_from_afar_is_refused_at_once_with_the_reason(self):
        client, login = self.asks_from_afar(self.key)
        begun = time.monotonic()
        self.refuses(self.key, "another program uses the security key", client=client, data=login)
        self.assertLess(time.monotonic() - begun, 1.9 * lab.PATIENCE)

    def test_one_that_a_rule_wants_a_touch_for_waits_as_any_other_from_here(self):
        self.agent.stop()
        self.config = 'rule "touched" { then = touch }\n'
        self.started()
        self.added(self.key)
        client = self.begin_sign(self.key.blob)
        self.assertEqual(self.blobs(), [self.key.blob])
        fcntl.flock(self.node, fcntl.LOCK_UN)
        self.assertIsNotNone(self.gets(client), self.agent.log()[-3000:])

    def test_the_list_does_not_wait_for_it(self):
        client = self.begin_sign(self.key.blob)
        self.assertEqual(self.blobs(), [self.key.blob])
        self.assertIsNone(self.gets(client))


if __name__ == "__main__":
    unittest.main()
