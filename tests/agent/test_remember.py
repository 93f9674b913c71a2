"""Rules with "remember": the person says whether a yes counts for longer, where it can be told from a yes for once."""
import unittest

import lab
import test_audit
from lab import client as c
from lab.keys import add_message, private, string

SID = b"s" * 32
RULE = """
rule production {
	origin = local
	subject = login
	destination = "*.production.example"
	then = confirm
	remember = 1h
}
"""
QUESTION = "yes (once), remember or no [no]: "


class RememberTest(test_audit.AuditTest):
    """A key in memory, a host that is known, and a pinentry that tells three answers apart."""

    provider = None
    display = {"DISPLAY": ":99"}

    def setUp(self):
        self.pinentry = lab.Pinentry()
        self.addCleanup(self.pinentry.close)
        self.pinentry.tells_three()
        self.config = f"audit = file\nprompts = pinentry\npinentry = {self.pinentry.path}\n{RULE}"
        super().setUp()
        self.add("mine")
        self.host = lab.HostKey()
        self.knows(self.host, "db.production.example")

    def start(self, **options):
        return super().start(env=self.display, **options)

    def add(self, comment, constraints=b""):
        with lab.AgentClient(self.agent) as one:
            kind = c.ADD_CONSTRAINED if constraints else c.ADD
            self.assertEqual(one.call(kind, add_message(private("ed25519"), comment) + constraints)[0], c.SUCCESS)
            self.key = next(key.blob for key in one.list() if key.comment == comment)

    def knows(self, host, name):
        folder = self.agent.home / ".ssh"
        folder.mkdir(exist_ok=True)
        with open(folder / "known_hosts", "a") as file:
            file.write(f"{name} {lab.keys.line_of(host.blob)}\n")

    def keystile(self, *words):
        done = self.agent.run(lab.CONTROL, *words, env={"KEYSTILE_CONTROL": str(self.agent.own_folder / "control.sock")})
        self.assertEqual(done.returncode, 0, done.stderr)

    def bound(self, client=None, host=None):
        client = client or self.client()
        self.assertEqual(client.bind(host or self.host, SID), c.SUCCESS)
        return client

    def to_host(self, host=None):
        return self.login(SID, (host or self.host).blob)

    def questions(self):
        return len(self.pinentry.pids())

    def asked(self, client, data):
        before = self.questions()
        signature = client.sign(self.key, data)
        self.assertIsNotNone(signature, self.agent.log())
        lab.verify(self.key, signature, data)
        return self.questions() - before

    def refused(self, client, data):
        before = self.questions()
        self.assertIsNone(client.sign(self.key, data))
        self.assertEqual(self.questions(), before + 1)

    def assert_asked_each_time(self):
        for _ in range(2):
            self.assertEqual(self.asked(self.bound(), self.to_host()), 1)


class Answers(RememberTest):
    def test_a_yes_for_once_counts_once(self):
        self.pinentry.agrees()
        self.assert_asked_each_time()
        self.assertEqual(set(self.pinentry.told("SETNOTOK")), {"Yes, for 1 hour"})

    def test_a_yes_to_be_remembered_counts_for_the_same_key_process_and_host_alone(self):
        self.pinentry.remembers()
        self.assertEqual(self.asked(self.bound(), self.to_host()), 1)
        self.assertEqual(self.asked(self.bound(), self.to_host()), 0)
        data = lab.userauth(SID, "root", self.key, host_key=self.host.blob)
        self.assertEqual(self.asked(self.bound(), data), 1, "another user")
        actor = lab.Actor()
        self.addCleanup(actor.close)
        self.assertEqual(self.asked(self.bound(actor.connect(self.agent)), self.to_host()), 1, "another process")
        second = lab.HostKey()
        self.knows(second, "www.production.example")
        self.assertEqual(self.asked(self.bound(host=second), self.to_host(second)), 1, "another host")
        self.add("another")
        self.assertEqual(self.asked(self.bound(), self.to_host()), 1, "another key")

    def test_a_no_is_not_remembered(self):
        self.pinentry.refuses()
        self.refused(self.bound(), self.to_host())
        self.pinentry.agrees()
        self.assertEqual(self.asked(self.bound(), self.to_host()), 1)

    def test_a_pinentry_with_two_buttons_is_not_asked_for_a_third(self):
        self.pinentry.does(GETINFO="say(b'D gnome3\\nOK\\n')", CONFIRM="time.sleep(1.3); say(b'OK\\n')")
        self.assert_asked_each_time()
        self.pinentry.does(CONFIRM="time.sleep(1.3); say(b'ERR 83886194 Not confirmed\\n')")
        self.refused(self.bound(), self.to_host())
        self.assertEqual(self.pinentry.told("SETNOTOK"), [])

    def test_a_helper_that_was_not_asked_for_it_has_not_said_yes(self):
        """The pinentry says so to `ssh-add -c`, for which nothing is remembered."""
        self.add("careful", c.confirm())
        self.pinentry.does(CONFIRM="time.sleep(1.3); say(b'ERR 83886194 Not confirmed\\n')")
        self.refused(self.bound(), self.to_host())
        self.assertEqual(self.pinentry.told("SETNOTOK"), [])

    def test_a_key_that_is_to_be_confirmed_is_asked_for_each_time(self):
        self.add("careful", c.confirm())
        self.pinentry.remembers()
        self.assert_asked_each_time()

    def test_what_was_remembered_is_forgotten_when_the_rules_are_read_anew_or_the_agent_is_locked(self):
        self.pinentry.remembers()
        self.assertEqual(self.asked(self.bound(), self.to_host()), 1)
        self.keystile("reload")
        self.assertEqual(self.asked(self.bound(), self.to_host()), 1)
        client = self.client()
        self.assertEqual(client.call(22, string("secret"))[0], c.SUCCESS)
        self.assertEqual(client.call(23, string("secret"))[0], c.SUCCESS)
        self.assertEqual(self.asked(self.bound(), self.to_host()), 1)

    def test_a_yes_to_a_question_that_is_older_than_the_rules_counts_once(self):
        self.pinentry.does(CONFIRM="time.sleep(1.3)\nwhile not os.path.exists(folder + '/go'): time.sleep(0.1)\n"
                                   f"say({lab.pinentry.NOT_OK!r})")
        client = self.bound()
        client.send(c.SIGN, client.sign_request(self.key, self.to_host()))
        self.pinentry.wait_until_told("CONFIRM")
        self.keystile("reload")
        (self.pinentry.folder.path / "go").touch()
        self.assertIsNotNone(client.signature(client.receive()), self.agent.log())
        self.assertEqual(self.asked(self.bound(), self.to_host()), 1)
        self.assertEqual(self.asked(self.bound(), self.to_host()), 0)

    def test_nothing_is_offered_for_what_is_remote(self):
        path = self.agent.home / ".config" / "keystile" / "keystile.conf"
        path.write_text(self.config.replace("\torigin = local\n", "").replace("\tremember = 1h\n", "") +
                        'remote-memory-keys = "confirm"\n')
        self.keystile("reload")
        self.pinentry.agrees()
        for _ in range(2):
            far = self.client(self.agent.remote_socket)
            self.assertEqual(self.asked(self.bound(far), self.to_host()), 1)
        self.assertEqual(self.pinentry.told("SETNOTOK"), [])

    def test_the_audit_log_tells_which_yes_it_was(self):
        given, kept = ({"what": what, "attested_by": "agent"} for what in ("confirmation", "remembered-confirmation"))
        for count, (answer, presence, seconds) in enumerate(((self.pinentry.agrees, given, None),
                                                             (self.pinentry.remembers, given, 3600),
                                                             (self.pinentry.refuses, kept, None)), 1):
            answer()
            self.assertIsNotNone(self.bound().sign(self.key, self.to_host()), self.agent.log())
            line = self.wait("sign", count)
            self.assertEqual((line["presence"], line.get("remember_seconds")), ([presence], seconds))


class InTerminal(RememberTest):
    """The words, in the terminal of a `keystile prompter`."""

    display = {}

    def setUp(self):
        super().setUp()
        path = self.agent.home / ".config" / "keystile" / "keystile.conf"
        path.write_text(f"prompts = terminal\n{RULE}")
        self.keystile("reload")
        self.tty = lab.Tty()
        self.addCleanup(self.tty.close)
        env = dict(self.agent.env, KEYSTILE_CONTROL=str(self.agent.own_folder / "control.sock"))
        self.tty.run([lab.CONTROL, "prompter"], env=env)
        self.tty.wait_until_shown("Waiting for questions")

    def answered(self, word, times):
        client = self.bound()
        client.send(c.SIGN, client.sign_request(self.key, self.to_host()))
        self.tty.wait_until_shown(QUESTION, times)
        self.tty.types(word + "\r")
        return client.signature(client.receive())

    def test_yes_counts_once_and_remember_for_longer(self):
        self.assertIsNone(self.answered("no", 1))
        self.assertIsNotNone(self.answered("yes", 2), self.agent.log())
        self.assertIsNotNone(self.answered("remember", 3), self.agent.log())
        self.assertIsNotNone(self.bound().sign(self.key, self.to_host()), self.agent.log())
        self.assertEqual(self.tty.shown().count(QUESTION), 3)


if __name__ == "__main__":
    unittest.main()
