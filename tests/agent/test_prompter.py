"""Questions in terminals, the whole way: `keystile prompter`, and the terminal of the process that asks."""
import os
import re
import signal
import termios
import unittest

import lab
from bed import AgentTest, PIN
from lab.client import SIGN

ALWAYS = "fake:lab,pin=always"


class TerminalTest(AgentTest):
    provider = ALWAYS
    config = "prompts = terminal\n"

    def setUp(self):
        super().setUp()
        self.tty = self.terminal()

    def start(self, **options):
        """An agent that knows of no display and no askpass."""
        options.pop("askpass", None)
        agent = lab.Agent(**options)
        self.addCleanup(agent.stop)
        return agent

    def terminal(self, **size):
        tty = lab.Tty(**size)
        self.addCleanup(tty.close)
        return tty

    def keystile(self, tty=None, **options):
        """keystile prompter in a terminal, which waits for questions; its subprocess."""
        tty = tty or self.tty
        env = dict(self.agent.env, KEYSTILE_CONTROL=str(self.agent.own_folder / "control.sock"))
        process = tty.run([lab.CONTROL, "prompter"], env=env, **options)
        tty.wait_until_shown("Waiting for questions")
        return process

    def asks(self, data=b"data", where=None):
        """A client that asked for a signature; heard by signed()."""
        client = self.client(where)
        client.send(SIGN, client.sign_request(self.key, data))
        return client

    def signed(self, client, data=b"data"):
        """The signature, None where it was refused."""
        signature = client.signature(client.receive())
        if signature is not None:
            lab.verify(self.key, signature, data)
        return signature

    def way(self):
        return self.agent.status()["asking"]["way"]


class Prompters(TerminalTest):
    def answers(self, keys=PIN + "\r", prompt="PIN: ", times=1, tty=None):
        tty = tty or self.tty
        tty.wait_until_shown(prompt, times)
        tty.types(keys)

    def test_a_pin_is_typed_and_the_terminal_is_as_before(self):
        before = self.tty.modes()
        self.keystile()
        self.assertEqual(self.way(), "prompter")
        client = self.asks()
        self.answers()
        self.assertIsNotNone(self.signed(client), self.agent.log())
        self.tty.wait_until_shown("the question was answered.")
        self.tty.wait_until_shown("Waiting for questions", 2)
        shown = self.tty.shown()
        self.assertRegex(shown, r"PIN: \r\n[0-9:]{8}: the question was answered\.")
        self.assertIn("PIN for the token", shown)
        self.assertEqual(self.tty.modes(), before)

    def test_a_remote_request_is_shown_there_too_and_a_no_is_a_no(self):
        self.keystile()
        client = self.asks(self.login(), self.agent.remote_socket)
        self.tty.wait_until_shown("REMOTE REQUEST")
        self.answers("\r")
        self.assertIsNone(self.signed(client, self.login()))
        self.tty.wait_until_shown("the question was refused.")

    def test_without_a_prompter_nobody_can_be_asked(self):
        self.assertEqual(self.way(), "nobody")
        with lab.AgentClient(self.agent.remote_socket) as client:
            self.assertIsNone(client.sign(self.key, self.login()))
        self.assertIn("run `keystile prompter` in a terminal", self.agent.log())

    def test_one_that_ends_is_asked_no_more(self):
        process = self.keystile()
        self.tty.types("\x03")
        self.assertEqual(process.wait(30 * lab.PATIENCE), 0)
        lab.wait_for("the agent notices", lambda: self.way() == "nobody")

    def test_the_question_goes_on_elsewhere_when_its_prompter_is_killed(self):
        other = self.terminal()
        self.keystile(other)
        process = self.keystile()
        client = self.asks()
        self.tty.wait_until_shown("PIN: ")
        before = other.modes()
        process.kill()
        self.answers(tty=other)
        self.assertIsNotNone(self.signed(client), self.agent.log())
        self.assertEqual(other.modes(), before)

    def test_the_latest_that_is_in_the_foreground_is_asked(self):
        """A terminal in which somebody else reads is passed over."""
        other = self.terminal()
        self.keystile(other)
        job = self.tty.job(str(lab.CONTROL), "prompter", env=dict(
            os.environ, **self.agent.env, KEYSTILE_CONTROL=str(self.agent.own_folder / "control.sock")))
        self.addCleanup(job.close)
        self.tty.wait_until_shown("Waiting for questions")
        job.does(f"foreground({job.leader.pid})")
        client = self.asks()
        self.answers(tty=other)
        self.assertIsNotNone(self.signed(client), self.agent.log())
        self.assertNotIn("PIN", self.tty.shown())
        job.does("foreground(child)")
        client = self.asks()
        self.answers()
        self.assertIsNotNone(self.signed(client), self.agent.log())

    def test_a_terminal_where_the_helper_will_not_ask_is_passed_over(self):
        other = self.terminal()
        self.keystile(other)
        process = self.keystile()
        modes = self.tty.modes()
        modes[3] &= ~termios.ICANON
        termios.tcsetattr(self.tty.slave, termios.TCSANOW, modes)
        client = self.asks()
        self.answers(tty=other)
        self.assertIsNotNone(self.signed(client), self.agent.log())
        self.assertEqual(process.wait(30 * lab.PATIENCE), 1)
        self.assertIn("reads single keys", self.tty.shown())

    def test_a_question_goes_when_its_client_does(self):
        before = self.tty.modes()
        self.keystile()
        client = self.asks()
        self.tty.wait_until_shown("PIN: ")
        client.close()
        self.tty.wait_until_shown("the question is withdrawn")
        self.tty.wait_until_shown("Waiting for questions", 2)
        self.assertEqual(self.tty.modes(), before)

    def test_the_next_question_follows_the_one_before(self):
        before = self.tty.modes()
        self.keystile()
        clients = [self.asks(), self.asks()]
        self.answers()
        self.answers(times=2)
        for client in clients:
            self.assertIsNotNone(self.signed(client), self.agent.log())
        self.tty.wait_until_shown("Waiting for questions", 3)
        self.assertEqual(len(re.findall(r"PIN: \r\n[0-9:]{8}: the question was answered\.", self.tty.shown())), 2,
                         self.tty.shown())
        self.assertEqual(self.tty.modes(), before)

    def test_a_helper_that_is_killed_has_refused_and_the_terminal_is_put_right(self):
        before = self.tty.modes()
        self.keystile()
        client = self.asks()
        self.tty.wait_until_shown("PIN: ")
        self.tty.types(PIN)
        helper = [one for one in lab.descendants(self.agent.pid) if one.name == "keystile-prompt"]
        os.kill(helper[0].pid, signal.SIGKILL)
        self.assertIsNone(self.signed(client))
        lab.wait_for("the terminal is put right", lambda: self.tty.modes() == before)

    def test_many_are_not_too_many(self):
        terminals = [self.terminal() for _ in range(9)]
        processes = [self.keystile(tty) for tty in terminals]
        self.assertEqual(processes[0].wait(30 * lab.PATIENCE), 1)
        self.assertIn("too many prompters", terminals[0].shown())
        self.assertEqual(self.way(), "prompter")
        client = self.asks()
        self.answers(tty=terminals[-1])
        self.assertIsNotNone(self.signed(client), self.agent.log())

    def test_what_is_no_terminal_of_its_own_is_refused(self):
        env = {"KEYSTILE_CONTROL": str(self.agent.own_folder / "control.sock")}
        done = self.agent.run(lab.CONTROL, "prompter", env=env)
        self.assertEqual(done.returncode, 1)
        self.assertIn("needs a terminal", done.stderr)
        self.assertEqual(self.way(), "nobody")


class Automatic(TerminalTest):
    config = None

    def test_a_prompter_serves_where_there_is_no_display(self):
        self.assertEqual(self.way(), "nobody")
        self.keystile()
        self.assertNotIn("as long as it can", self.tty.shown())
        client = self.asks()
        self.tty.wait_until_shown("PIN: ")
        self.tty.types(PIN + "\r")
        self.assertIsNotNone(self.signed(client), self.agent.log())


class Display(TerminalTest):
    config = None

    def start(self, **options):
        return super().start(env=self.askpass.env, **options)

    def test_a_prompter_is_told_when_questions_go_elsewhere(self):
        self.keystile()
        self.assertIn("it asks by askpass as long as it can", self.tty.shown())
        with lab.AgentClient(self.agent) as client:
            self.assertIsNotNone(client.sign(self.key, b"data"), self.agent.log())
        self.assertNotIn("PIN for", self.tty.shown())


class Askers(TerminalTest):
    """Real programs of OpenSSH that ask in the terminal they run in."""

    def setUp(self):
        super().setUp()
        self.public = self.tty.folder.path / "key.pub"
        self.public.write_text(lab.keys.line_of(self.key) + "\n")
        self.message = self.tty.folder.path / "message"

    def keygen(self, tty=None):
        """ssh-keygen signs as git has it sign; its subprocess."""
        self.message.write_text("hello\n")
        return (tty or self.tty).run(["ssh-keygen", "-Y", "sign", "-f", self.public, "-n", "git", self.message],
                                     env=self.agent.env)

    def test_who_signs_is_asked_where_they_are(self):
        before = self.tty.modes()
        process = self.keygen()
        self.tty.wait_until_shown("PIN: ")
        self.tty.types(PIN + "\r")
        self.assertEqual(process.wait(30 * lab.PATIENCE), 0, self.tty.shown())
        self.assertTrue(self.message.with_suffix(".sig").exists())
        self.assertIn("Keystile asks for a PIN", self.tty.shown())
        self.assertEqual(self.tty.modes(), before)

    def test_no_is_an_answer(self):
        process = self.keygen()
        self.tty.wait_until_shown("PIN: ")
        self.tty.types("\x03")
        self.assertNotEqual(process.wait(30 * lab.PATIENCE), 0)

    def test_a_prompter_comes_first(self):
        prompter = self.terminal()
        self.keystile(prompter)
        process = self.keygen()
        prompter.wait_until_shown("PIN: ")
        prompter.types(PIN + "\r")
        self.assertEqual(process.wait(30 * lab.PATIENCE), 0, self.tty.shown())
        self.assertNotIn("PIN", self.tty.shown())

    def test_a_refusal_says_what_reads_there(self):
        modes = self.tty.modes()
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(self.tty.slave, termios.TCSANOW, modes)
        process = self.keygen()
        self.assertNotEqual(process.wait(30 * lab.PATIENCE), 0)
        self.assertIn("reads single keys or a password", self.agent.log())
        self.assertIn("reads single keys or a password", "".join(self.agent.status()["warnings"]))
        self.assertNotIn("PIN: ", self.tty.shown())

    def test_an_asker_that_dies_has_its_terminal_back_soon(self):
        before = self.tty.modes()
        job = self.tty.job("ssh-keygen", "-Y", "sign", "-f", str(self.public), "-n", "git", str(self.public),
                           env={**os.environ, **self.agent.env})
        self.addCleanup(job.close)
        self.tty.wait_until_shown("PIN: ")
        self.tty.types("12")
        os.kill(job.child.pid, signal.SIGKILL)
        self.tty.wait_until_shown("the question is withdrawn")
        lab.wait_for("the terminal is put right", lambda: self.tty.modes() == before)


if __name__ == "__main__":
    unittest.main()
