"""Touch notices on the desktop: shown before the token is asked, taken away after, and what happens where they can't be."""
import os
import signal
import unittest

import lab
from bed import AgentTest
from helper_bed import FAILED, NO, NOBODY, NOTICE, Helper, question

TEXT = 'Touch the token\n    "<b>x</b> & y"\n'


class Helpers(unittest.TestCase):
    def setUp(self):
        self.desktop = lab.Notifications()
        self.addCleanup(self.desktop.close)
        self.askpass = lab.Askpass()
        self.addCleanup(self.askpass.close)
        self.askpass.hangs()
        self.env = dict(lab.environment(self.askpass.folder.path), **self.desktop.env)

    def start(self, program=None, text=TEXT):
        path = self.askpass.path if program is None else program
        helper = Helper(question(NOTICE, path, text=text, notify=True, timeout=90), self.env)
        self.addCleanup(lambda: helper.ended() or helper.signal(signal.SIGKILL))
        return helper

    def falls_back(self):
        """The notice comes by askpass instead, and goes when it is withdrawn."""
        helper = self.start()
        self.askpass.wait_until_asked()
        self.assertEqual(self.askpass.hints(), ["none"])
        self.assertEqual(self.askpass.prompts(), [TEXT])
        helper.signal(signal.SIGTERM)
        self.assertEqual(helper.finish(), (NO, "", ""))
        lab.wait_for("the askpass goes", lambda: not self.askpass.processes())

    def test_a_notice_is_shown_until_it_is_withdrawn(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(number):
                before = len(self.desktop.notes("Notify"))
                helper = self.start()
                self.desktop.wait_for_note("Notify", before + 1)
                helper.wait_until_shown()
                self.assertFalse(helper.ended())
                helper.signal(number)
                self.assertEqual(helper.finish(), (NO, "", ""))
                self.assertTrue(helper.shown)
                self.desktop.wait_for_note("CloseNotification", before + 1)
        self.assertEqual([note[1] for note in self.desktop.notes("CloseNotification")], [41, 42, 43])
        self.assertEqual(self.askpass.prompts(), [])

    def test_markup_in_foreign_text_is_text_and_the_notice_stands_above_others(self):
        helper = self.start(text=TEXT + "\x1b[31m\u202e\n")
        self.desktop.wait_for_note("Notify")
        _, app, replaces, summary, body, hints, urgency, timeout = self.desktop.notes()[0]
        self.assertEqual((app, replaces, summary), ("Keystile", 0, "Keystile: the token waits for you"))
        self.assertEqual(body, 'Touch the token\n    "&lt;b&gt;x&lt;/b&gt; &amp; y"\n?[31m???\n')
        self.assertEqual((hints, urgency, timeout), (["transient", "urgency"], 2, 90000))
        helper.signal(signal.SIGTERM)
        helper.finish()

    def test_a_notice_that_the_person_closes_is_no_answer(self):
        self.desktop.mode("dismiss")
        self.assertEqual(self.start().finish(), (NO, "", ""))
        self.assertEqual(self.desktop.notes("CloseNotification"), [])

    def test_a_notice_that_the_desktop_takes_away_has_failed(self):
        self.desktop.mode("expire")
        helper = self.start()
        status, _, words = helper.finish()
        self.assertEqual((status, words.strip()), (FAILED, "the notification service took the notice away"))
        self.assertTrue(helper.shown)
        self.assertEqual(self.askpass.prompts(), [])

    def test_where_the_desktop_shows_nothing_askpass_does(self):
        for mode in ("fail", "zero"):
            with self.subTest(mode):
                self.desktop.mode(mode)
                self.askpass.close()
                self.askpass.__init__()
                self.askpass.hangs()
                self.falls_back()

    def test_a_service_that_hangs_is_not_waited_for_long(self):
        self.desktop.mode("hang")
        self.falls_back()

    def test_without_a_service_or_a_bus_of_this_machine_askpass_does(self):
        for address in ("", "unix:path=/nonexistent/bus", "unixexec:path=/bin/false",
                        f"{self.env['DBUS_SESSION_BUS_ADDRESS']};unixexec:path=/bin/false"):
            with self.subTest(address):
                self.env["DBUS_SESSION_BUS_ADDRESS"] = address
                self.askpass.close()
                self.askpass.__init__()
                self.askpass.hangs()
                self.falls_back()
        self.assertEqual(self.desktop.notes(), [])

    def test_where_nothing_shows_a_notice_it_says_so(self):
        self.desktop.mode("fail")
        helper = self.start(program="")
        status, _, words = helper.finish()
        self.assertEqual(status, NOBODY)
        self.assertFalse(helper.shown)
        self.assertIn("no notification service", words)

    def test_a_bus_that_ends_ends_the_notice(self):
        helper = self.start(program="")
        self.desktop.wait_for_note("Notify")
        os.kill(self.desktop.processes[0].pid, signal.SIGKILL)
        # Whether the answer to Notify got through is not known here.
        self.assertIn(helper.finish()[0], (FAILED, NOBODY))


class Agents(AgentTest):
    """A token that waits for a touch."""

    provider = "fake:lab,touch=wait"

    def setUp(self):
        self.desktop = lab.Notifications()
        self.addCleanup(self.desktop.close)
        super().setUp()

    def start(self, **options):
        return super().start(env=self.desktop.env, **options)

    def test_a_touch_is_asked_for_on_the_desktop_and_the_notice_goes_with_its_client(self):
        client = self.client()
        client.send(lab.client.SIGN, client.sign_request(self.key, b"data"))
        self.desktop.wait_for_note("Notify")
        client.close()
        self.desktop.wait_for_note("CloseNotification")
        notify, closed = self.desktop.notes()
        self.assertIn("Touch the token", notify[4])
        self.assertEqual(closed, ["CloseNotification", 41])
        self.assertEqual(self.askpass.prompts(), [])


if __name__ == "__main__":
    unittest.main()
