"""The notice of a security key's touch, closed by the person or the desktop: a no from afar, nothing here."""
import unittest

import dbus
import fido2_bed
import lab
from fido2_bed import PIN
from lab import client as c

CLOSED = "the notice of the touch was closed"


class Case(fido2_bed.Case):
    """A desktop that shows notices, and a token that is touched when a test says so."""

    tokens = 1

    def setUp(self):
        self.desktop = lab.Notifications()
        self.addCleanup(self.desktop.close)
        super().setUp()
        self.key = self.given()
        for token in self.bed.tokens:
            token.touch_at_once(False)
            token.count_anew()

    def given(self):
        return self.gives()

    def closes(self, reason=2):
        """The person closes the last notice; with 1 it is the desktop that takes it away."""
        bus = dbus.bus.BusConnection(self.desktop.env["DBUS_SESSION_BUS_ADDRESS"])
        service = bus.get_object("org.freedesktop.Notifications", "/org/freedesktop/Notifications")
        service.CloseLast(dbus.UInt32(reason), dbus_interface="lab.Lab")
        bus.close()

    def begins_afar(self):
        """A request from afar that has its notice; the client."""
        one, login = self.asks_from_afar(self.key)
        before = len(self.desktop.notes("Notify"))
        one.send(c.SIGN, one.sign_request(self.key.blob, login))
        self.desktop.wait_for_note("Notify", before + 1)
        return one

    def here(self):
        """A request of this machine is served as if nothing had been."""
        client = self.begin_sign(self.key.blob)
        self.token.touch()
        lab.verify(self.key.blob, self.gets(client), b"data")


class Afar(Case):
    def test_closed_while_the_token_waits_it_goes_dark_and_whoever_came_that_way_is_not_asked_for_again(self):
        one = self.begins_afar()
        self.token.wait_until_it_blinks()
        self.assertIn("Token 0 in software", self.desktop.notes("Notify")[-1][4])
        self.closes()
        self.assertIsNone(self.gets(one))
        self.refused_with(CLOSED)
        self.token.wait_until_dark()
        self.assertEqual(self.token.state()["cancels"], 1)
        self.token.count_anew()
        again, login = self.asks_from_afar(self.key)
        self.assertIsNone(again.sign(self.key.blob, login))
        self.refused_with("the person said no to requests that come this way a moment ago")
        self.assertNotIn("touches", self.token.counts())
        self.here()

    def test_closed_before_the_token_is_asked_it_never_blinks(self):
        one = self.begins_afar()
        self.closes()
        self.assertIsNone(self.gets(one))
        self.refused_with(CLOSED)
        self.assertNotIn("touches", self.token.counts())
        self.assertEqual(self.token.counts().get("get_assertion", 0), self.token.counts().get("silent", 0))
        self.here()

    def test_taken_away_by_the_desktop_it_takes_the_request_along(self):
        one = self.begins_afar()
        self.token.wait_until_it_blinks()
        self.closes(1)
        self.assertIsNone(self.gets(one))
        self.refused_with("nobody could be told of the touch", "took the notice away")
        self.token.wait_until_dark()
        self.here()


class Here(Case):
    def test_closed_the_token_waits_on_and_its_touch_signs(self):
        client = self.begins(self.key)
        self.desktop.wait_for_note("Notify")
        self.closes()
        lab.wait_for("the notice is gone", lambda: self.agent.status()["prompts"] == [])
        self.assertTrue(self.token.blinks())
        self.token.touch()
        lab.verify(self.key.blob, self.gets(client), b"data")
        self.assertEqual(self.agent.refusals(), [])


class Choosing(Case):
    """Two tokens that both blink, so that the person shows which one it is."""

    tokens = 2
    pin = PIN

    def given(self):
        return self.gives(options=("resident", "verify-required"))

    def test_from_afar_a_closed_notice_ends_the_choice_and_no_pin_is_asked_for(self):
        one = self.begins_afar()
        for token in self.bed.tokens:
            token.wait_until_it_blinks()
        self.closes()
        self.assertIsNone(self.gets(one))
        self.refused_with(CLOSED)
        for token in self.bed.tokens:
            token.wait_until_dark()
            self.assertEqual(token.tries, 8)
        self.assertEqual([text for text in self.asks.prompts() if "PIN" in text], [])


if __name__ == "__main__":
    unittest.main()
