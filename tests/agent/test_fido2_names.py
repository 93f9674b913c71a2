"""Names of applications: whatever is written into a credential signs, and drives nothing where it is shown."""
import unittest

import fido2_bed
import lab
from fido2_bed import PIN, TOUCH

ODD = {
    "with a user's name": "ssh:joe@example.org",
    "of a web site": "webauthn.io",
    "of an address": "https://example.org:443/login",
    "in capitals": "SSH:",
    "nearly ours": "ssh",
    "that moves a terminal": "ssh:\x1b[2J\x1b]0;owned\x07",
    "of two lines": "ssh:\nREMOTE REQUEST: none",
    "in UTF-8": "ssh:\u00fc\u4e2d\u6587",
    "turned around": "ssh:\u202ekcab",
    "as long as a token takes": "ssh:" + "x" * 251,
}
OURS = [name for name in ODD.values() if name.startswith("ssh:") and name[4:].isprintable() or "\u202e" in name]


class Case(fido2_bed.Case):
    pin = PIN

    def on_token(self, application):
        key = self.credential(application)
        self.token.holds(key, application)
        return key

    def is_safe(self, text):
        """Nothing in it that moves a terminal, and nothing that claims to be a line of ours."""
        strange = [letter for letter in text if letter != "\n" and not letter.isprintable()]
        self.assertEqual(strange, [], ascii(text))
        self.assertNotIn("REMOTE REQUEST: none", text.splitlines())

    def is_shown_safely(self):
        control = {"KEYSTILE_CONTROL": str(self.agent.own_folder / "control.sock")}
        for text in (self.agent.run(lab.CONTROL, "status", env=control).stdout, self.agent.log(),
                     *self.asks.prompts(), *self.agent.refusals()):
            self.is_safe(text)


class Added(Case):
    def test_keys_of_all_names_sign_a_login_here(self):
        for what, application in ODD.items():
            with self.subTest(what):
                key = self.adds(self.on_token(application), application)
                login = lab.userauth(b"s" * 32, "joe", key.blob)
                self.assertEqual(self.signs(key, data=login), TOUCH)
        self.is_shown_safely()

    def test_from_afar_no_name_gets_into_the_notice_unquoted(self):
        for what in ("that moves a terminal", "of two lines"):
            with self.subTest(what):
                key = self.adds(self.on_token(ODD[what]), ODD[what])
                self.assertEqual(self.signs(key, *self.asks_from_afar(key)), TOUCH)
        self.assertEqual(len([text for text in self.asks.prompts() if "Touch" in text]), 2)
        self.is_shown_safely()

    def test_from_afar_a_web_sites_data_is_signed_with_no_key_and_a_refusal_moves_nothing(self):
        for what in ("of a web site", "that moves a terminal"):
            with self.subTest(what):
                key = self.adds(self.on_token(ODD[what]), ODD[what])
                one, _ = self.asks_from_afar(key)
                self.refuses(key, client=one, data=b'{"type":"webauthn.get","challenge":"AAAA"}')
        self.assertNotIn("touches", self.token.counts())
        self.is_shown_safely()


class Resident(Case):
    def setUp(self):
        super().setUp()
        self.made_on_it = {name: self.on_token(name) for name in ODD.values()}

    def test_those_of_ssh_are_loaded_and_their_names_drive_nothing(self):
        done = lab.run([lab.CONTROL, "fido", "load"], env=self.agent.env)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(self.blobs()), sorted(self.made_on_it[name].blob for name in OURS))
        with lab.AgentClient(self.agent) as one:
            comments = [key.comment for key in one.list()]
        self.assertIn(ODD["in UTF-8"], [comment.split(" ")[0] for comment in comments])
        for comment in comments:
            self.is_safe(comment)
        self.is_shown_safely()
        for name in OURS:
            self.assertEqual(self.signs(self.made_on_it[name]), TOUCH)

    def test_a_list_is_safe_to_read(self):
        terminal = lab.Tty()
        self.addCleanup(terminal.close)
        process = terminal.run([lab.CONTROL, "fido", "list", "--pin"], env=self.agent.env)
        terminal.wait_until_shown("PIN: ")
        terminal.forget()
        terminal.types(f"{PIN}\r")
        self.assertEqual(process.wait(lab.place.ANSWER_SECONDS * lab.PATIENCE), 0)
        shown = terminal.shown()
        self.is_safe(shown.replace("\r\n", "\n").lstrip())
        self.assertIn("joe@example.org", shown)
        self.assertEqual(shown.count("ed25519-sk  SHA256:"), len(OURS))


if __name__ == "__main__":
    unittest.main()
