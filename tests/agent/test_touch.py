"""Touches for requests from afar: told of before and while the token waits, or not asked for, and meant for nothing else."""
import os
import signal
import time
import unittest

import dbus
import lab
import test_middleware
import token_bed
from lab import client as c, keys
from lab.keys import string
from lab.security_key import TOUCH, VERIFY

CLOSED = "the notice of the touch was closed"


class Case(test_middleware.Case):
    """A desktop that shows notices, a key for a touch that never comes, and a forwarded connection."""

    desktop_env = True

    def setUp(self):
        self.desktop = lab.Notifications()
        self.addCleanup(self.desktop.close)
        super().setUp()
        self.host = lab.HostKey()
        self.one = self.remote()

    def start(self, **options):
        return super().start(env=self.desktop.env if self.desktop_env else {}, **options)

    def remote(self):
        one = self.client()
        self.assertEqual(one.bind(self.host, b"s" * 32, forwarding=True), c.SUCCESS)
        return one

    def login_with(self, key):
        return self.login(b"s" * 32, self.host.blob, key.blob)

    def sends(self, key, client=None):
        """A request from afar, whose answer is not waited for."""
        one = client or self.one
        one.send(c.SIGN, one.sign_request(key.blob, self.login_with(key)))

    def is_refused(self, words, client=None):
        self.assertEqual((client or self.one).receive()[0], c.FAILURE)
        self.assertIn(words, self.agent.refusals()[0])

    def waits_for_a_touch(self):
        """The token waits for the touch of a request from afar; the worker's pid."""
        key = self.given("hang")
        ((worker,),) = self.pids(1)
        self.sends(key)
        lab.wait_for("the library runs", lambda: lab.descendants(worker))
        return worker

    def ends(self, worker):
        lab.wait_for("the token waits no longer", lambda: not lab.descendants(worker))

    def closes(self, reason):
        """The service says that its last notice is gone."""
        bus = dbus.bus.BusConnection(self.desktop.env["DBUS_SESSION_BUS_ADDRESS"])
        service = bus.get_object("org.freedesktop.Notifications", "/org/freedesktop/Notifications")
        service.CloseLast(dbus.UInt32(reason), dbus_interface="lab.Lab")
        bus.close()


class Shown(Case):
    def test_a_touch_is_asked_for_once_its_notice_has_stood_a_while(self):
        key = self.given()
        # One second after it was shown, three after the signature before: clocks are not exact.
        begun = time.time()
        self.signs(key)
        told, touched = self.told_and_touched(key)
        self.assertGreater(touched - told, 0.9)
        self.assertGreater(touched - begun, 2.9)

    def told_and_touched(self, key):
        """When the desktop was asked to show the notice, and when the signature was there."""
        before = len(self.desktop.notes("Notify"))
        self.sends(key)
        self.desktop.wait_for_note("Notify", before + 1)
        told = (self.desktop.folder.path / "notes").stat().st_mtime
        signature = c.AgentClient.signature(self.one.receive())
        self.assertIsNotNone(signature, self.agent.log())
        self.assertEqual(keys.presence_in(signature), TOUCH)
        return told, time.time()

    def test_who_closes_the_notice_refuses(self):
        worker = self.waits_for_a_touch()
        self.assertIn("refused if this notice goes away", self.desktop.notes("Notify")[0][4])
        self.closes(2)
        self.is_refused(CLOSED)
        self.ends(worker)
        self.sends(self.given("crash"))
        self.is_refused("the person said no to requests that come this way a moment ago")
        self.assertEqual(len(self.desktop.notes("Notify")), 1)

    def test_a_notice_that_goes_by_itself_takes_its_request_with_it(self):
        worker = self.waits_for_a_touch()
        self.closes(1)
        self.is_refused('nobody could be told of the touch: "the notification service took the notice away"')
        self.ends(worker)

    def test_a_bus_that_goes_takes_the_request_with_it(self):
        worker = self.waits_for_a_touch()
        os.kill(self.desktop.processes[0].pid, signal.SIGKILL)
        self.is_refused("nobody could be told of the touch")
        self.ends(worker)

    def test_a_helper_that_is_killed_takes_the_request_with_it(self):
        worker = self.waits_for_a_touch()
        helper = next(one for one in lab.descendants(self.agent.pid) if one.name.startswith("keystile-prompt"))
        os.kill(helper.pid, signal.SIGKILL)
        self.is_refused("nobody could be told of the touch: the notice failed")
        self.ends(worker)

    def test_here_the_light_on_the_token_is_notice_enough(self):
        key = self.given("hang")
        ((worker,),) = self.pids(1)
        one = self.client()
        one.send(c.SIGN, one.sign_request(key.blob, b"data"))
        self.desktop.wait_for_note("Notify")
        self.assertNotIn("this notice goes away", self.desktop.notes("Notify")[0][4])
        lab.wait_for("the library runs", lambda: lab.descendants(worker))
        self.closes(2)
        lab.wait_for("the notice is gone", lambda: self.agent.status()["prompts"] == [])
        self.assertTrue(lab.descendants(worker), "the touch is not waited for any more")
        one.close()
        self.ends(worker)
        self.assertEqual(self.agent.refusals(), [])


class NotShown(Case):
    """Notices come by an askpass that does not show them."""

    desktop_env = False

    def test_where_no_notice_is_shown_the_token_is_not_asked(self):
        crash = self.given("crash")
        for number, script in enumerate(("exit 3", "kill -SEGV $$", "sleep 0.2; exit 4")):
            with self.subTest(script):
                self.askpass.does(script)
                self.sends(crash)
                self.is_refused("nobody could be told of the touch: \"the prompt program")
                self.assertEqual(len(self.askpass.prompts()), number + 1)
        self.askpass.vanishes()
        self.sends(crash)
        self.is_refused("nobody could be told of the touch: \"there is no such prompt program")

    def test_a_request_of_this_machine_is_served_without_one(self):
        key = self.given()
        for script in ("exit 3", "exit 0", "kill -SEGV $$"):
            self.askpass.does(script)
            self.assertEqual(self.signs(key), TOUCH)
        self.askpass.vanishes()
        self.assertEqual(self.signs(key), TOUCH)

    def test_a_notice_that_fails_while_the_token_waits_ends_that(self):
        worker = self.waits_for_a_touch()
        os.kill(self.askpass.processes()[0].pid, signal.SIGKILL)
        self.is_refused('nobody could be told of the touch: "the prompt program was killed or crashed"')
        self.ends(worker)

    def test_who_leaves_takes_the_notice_and_the_touch_along(self):
        for at_the_token in (False, True):
            with self.subTest(at_the_token):
                key = self.given("hang")
                worker = self.pids(1)[0][0]
                self.sends(key)
                self.askpass.wait_until_asked(1 + at_the_token)
                if at_the_token:
                    lab.wait_for("the library runs", lambda: lab.descendants(worker))
                self.one.close()
                lab.wait_for("the notice goes", lambda: not self.askpass.processes())
                self.ends(worker)
                self.one = self.remote()
        self.serves()


class Another(Case):
    """A touch that is meant for something else."""

    def test_who_is_here_does_not_touch_for_who_is_not(self):
        key = self.given()
        worker = self.waits_for_a_touch()
        self.signs(key)
        self.is_refused("somebody at this machine needed the token")
        self.ends(worker)

    def test_one_that_waits_behind_another_from_afar_has_a_notice_of_its_own(self):
        worker = self.waits_for_a_touch()
        second = self.remote()
        self.sends(self.given("hang"), second)
        self.assertEqual(len(self.desktop.notes("Notify")), 1)
        self.one.close()
        self.desktop.wait_for_note("Notify", 2)
        second.close()
        self.ends(worker)


    def test_one_touch_is_for_one_request(self):
        """Two that were sent at once: the second is told of after the first is over."""
        key = self.given()
        for _ in range(2):
            self.sends(key)
        for number in (1, 2):
            self.assertIsNotNone(c.AgentClient.signature(self.one.receive()), self.agent.log())
            self.assertGreaterEqual(len(self.desktop.notes("Notify")), number)
        self.assertEqual(len(self.desktop.notes("Notify")), 2)

    def test_what_turns_remote_meanwhile_is_asked_for_anew(self):
        """A touch that began as one of this machine's is not handed to the connection's next request."""
        key = self.given()
        one = self.client()
        one.send(c.SIGN, one.sign_request(key.blob, b"data"))
        one.send(c.EXTENSION, string("session-bind@openssh.com") + string(self.host.blob) + string(b"s" * 32)
                 + string(self.host.sign(b"s" * 32)) + b"\1")
        one.send(c.SIGN, one.sign_request(key.blob, self.login_with(key)))
        self.assertIsNotNone(c.AgentClient.signature(one.receive()), self.agent.log())
        self.assertEqual(one.receive()[0], c.SUCCESS)
        self.assertIsNotNone(c.AgentClient.signature(one.receive()), self.agent.log())
        remote = [note[4] for note in self.desktop.notes("Notify") if "REMOTE REQUEST" in note[4]]
        self.assertEqual(len(remote), 1)

    def test_a_pin_that_was_typed_here_serves_nobody_else(self):
        key = self.given("pin", flags=TOUCH | VERIFY)
        self.assertIsNotNone(self.client().sign(key.blob, b"data"), self.agent.log())
        self.sends(key)
        self.assertIsNotNone(c.AgentClient.signature(self.one.receive()), self.agent.log())
        typed = [text for text in self.askpass.prompts() if "PIN for the token" in text]
        self.assertEqual(["REMOTE REQUEST" in text for text in typed], [False, True])


class Fake(token_bed.Case):
    """A token that serves two requests at once, and whose touch never comes."""

    def test_a_token_that_is_busy_gives_no_touch_to_who_is_not_here(self):
        desktop = lab.Notifications()
        self.addCleanup(desktop.close)
        asked = self.askpass("1234")
        self.start(askpass=asked, env=desktop.env)
        (key,) = self.load("fake:lab,touch=wait,pin=once", "1234")
        here = self.client()
        here.send(c.SIGN, here.sign_request(key, b"data"))
        desktop.wait_for_note("Notify")
        afar = self.remote_client()
        self.assertIsNone(afar.sign(key, lab.sshsig(b"x")))
        self.refused_with("busy")
        self.assertEqual(len(desktop.notes("Notify")), 1)
        self.assertEqual(len(asked.prompts()), 1)


if __name__ == "__main__":
    unittest.main()
