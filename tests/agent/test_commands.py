"""keystile's smaller commands with a running agent: keys, why, release, lock, unlock and status --watch."""
import json
import signal
import socket
import unittest

import lab
from bed import AgentTest
from control_bed import message
from lab.bare_terminal import Tty
from lab.keys import fingerprint_of

REFUSING = 'rule never {\n\tnamespace = never\n\tthen = refuse\n}\n'


class CommandTest(AgentTest):
    def keystile(self, *arguments):
        return self.agent.run(lab.CONTROL, *arguments)

    def said(self, *arguments):
        done = self.keystile(*arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return " ".join(done.stdout.split())

    def terminal(self, **size):
        terminal = Tty(**size)
        self.addCleanup(terminal.close)
        return terminal

    def start_on(self, terminal, *command):
        return terminal.run(command, env=dict(self.agent.env, TERM="xterm"))

    def ends(self, process):
        return process.wait(60 * lab.place.PATIENCE)


class Keys(CommandTest):
    def test_keys_are_listed_with_what_they_can_prove(self):
        fingerprint = fingerprint_of(self.key)
        shown = self.said("keys")
        self.assertIn(fingerprint, shown)
        self.assertIn("proves pin", shown)
        self.assertEqual(json.loads(self.said("keys", "--json")), self.agent.status()["keys"])
        self.assertEqual(self.agent.status()["keys"][0]["proves"], ["pin"])

    def test_a_key_in_memory_proves_nothing(self):
        path = self.agent.home / "id"
        self.assertEqual(self.agent.run("ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", path).returncode, 0)
        self.assertEqual(self.agent.run("ssh-add", "-q", path).returncode, 0)
        self.assertIn("proves nothing: not for remote requests", self.said("keys"))


class NoKeys(CommandTest):
    provider = None

    def test_an_agent_without_keys_says_how_to_get_some(self):
        self.assertIn("ssh-add -s", self.said("keys"))
        self.assertEqual(self.said("release"), "there was no token to give back")

    def test_why_without_a_refusal_says_where_to_look(self):
        self.assertIn("keystile doctor", self.said("why"))
        self.assertEqual(json.loads(self.said("why", "--json")), {"refusal": None, "from_this_terminal": False})


class Why(CommandTest):
    config = REFUSING

    def refused_in(self, terminal):
        public = self.agent.home / "key.pub"
        public.write_text(lab.keys.line_of(self.key) + "\n")
        command = (f"echo x | ssh-keygen -q -Y sign -n never -f {public} >/dev/null 2>&1;"
                   f"{lab.CONTROL} why; echo done")
        self.ends(self.start_on(terminal, "sh", "-c", command))
        terminal.wait_until_shown("done")
        return " ".join(terminal.shown().split())

    def test_the_last_refusal_of_this_terminal_is_explained(self):
        mine = self.refused_in(self.terminal())
        self.assertIn("rule never", mine)
        self.assertIn("remedy the rules are in keystile.conf(5)", mine)
        self.assertIn("asked by ssh-keygen (pid ", mine)
        self.assertNotIn("Nothing that was asked", mine)
        why = json.loads(self.said("why", "--json"))
        self.assertEqual(why, {"refusal": self.agent.status()["refusals"][0], "from_this_terminal": False})
        self.keystile("unlock")  # refused, from no terminal at all
        other = self.terminal()
        self.ends(self.start_on(other, lab.CONTROL, "why"))
        other.wait_until_shown("Nothing that was asked from this terminal was refused lately")


class Release(CommandTest):
    def logged_in(self):
        return [token["logged_in"] for one in self.agent.status()["providers"] for token in one["tokens"]]

    def test_tokens_are_given_back_and_used_again(self):
        token = self.agent.status()["providers"][0]["tokens"][0]
        self.assertIn("nothing is open of a token with that label", self.said("release", "no such token"))
        self.assertEqual(self.said("release", token["label"]), f"{token['label']}: given back")
        released, = json.loads(self.said("release", "--json"))["tokens"]
        self.assertEqual(released["label"], token["label"])
        client = self.client()
        self.assertEqual(self.asked(client, self.login()), 1, "it was still logged in")

    def test_one_that_can_not_be_given_back_does_not_keep_the_others(self):
        self.load("fake:other,release=fail,kind=p256")
        shown = self.said("release")
        self.assertEqual(shown.count("given back"), 1)
        self.serves()

    def test_one_that_hangs_is_said_to_be_in_use(self):
        self.load("fake:other,release=stuck,kind=p256")
        shown = self.said("release")
        self.assertIn("a request is in work, so it is still in use", shown)
        self.assertIn("given back", shown)

    def test_who_asks_may_go_before_the_answer(self):
        self.load("fake:other,release=stuck,kind=p256")
        path = str(self.agent.own_folder / "control.sock")
        with socket.socket(socket.AF_UNIX) as control, open("/dev/null", encoding="ascii") as proof:
            control.connect(path)
            socket.send_fds(control, [message({"keystile": 1})], [proof.fileno()])
            self.assertIn(b"version", control.recv(4096))
            control.sendall(message({"command": "release"}))
            control.shutdown(socket.SHUT_WR)
            lab.wait_for("the agent closes it", lambda: control.recv(4096) == b"")
        self.assertIsNotNone(self.agent.status())


class Lock(CommandTest):
    def answers(self, command, words):
        terminal = self.terminal()
        process = self.start_on(terminal, lab.CONTROL, command)
        for question in words:
            terminal.wait_until_shown(question)
            terminal.types("secret\r")
        return self.ends(process)

    def test_locked_and_unlocked_with_a_password(self):
        self.assertEqual(self.answers("lock", ["lock password:", "Again:"]), 0)
        self.assertTrue(self.agent.status()["locked"])
        self.assertEqual(self.answers("unlock", ["lock password:"]), 0)
        self.assertFalse(self.agent.status()["locked"])


class Watch(CommandTest):
    def test_the_page_is_drawn_again_until_it_is_interrupted(self):
        terminal = self.terminal(width=80, height=50)
        process = self.start_on(terminal, lab.CONTROL, "status", "--watch")
        terminal.wait_until_shown(fingerprint_of(self.key))
        self.assertEqual(self.agent.run("ssh-add", "-D").returncode, 0)
        terminal.wait_until_shown("none; ssh-add -s MODULE brings in a smartcard's")
        terminal.types("\x03")
        self.assertEqual(self.ends(process), 0)
        terminal.wait_until_shown("\x1b[?25h\x1b[?1049l")

    def test_an_agent_that_went_is_said_and_the_page_stays(self):
        terminal = self.terminal(width=80, height=50)
        process = self.start_on(terminal, lab.CONTROL, "status", "--watch")
        terminal.wait_until_shown(fingerprint_of(self.key))
        self.agent.stop()
        terminal.wait_until_shown("no agent")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.ends(process), 0)

    def test_a_low_terminal_gets_the_beginning(self):
        terminal = self.terminal(width=50, height=8)
        process = self.start_on(terminal, lab.CONTROL, "status", "--watch")
        terminal.wait_until_shown("(more: keystile status)")
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.ends(process), 0)
        drawn = terminal.shown().split("\x1b[H")[1].replace("\x1b[K", "").splitlines()
        self.assertLessEqual(len(drawn), 8)
        self.assertIn("\x1b[?7l", terminal.shown(), "a long word would take two lines")

    def test_without_a_terminal_it_is_refused(self):
        done = self.keystile("status", "--watch")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("--watch is for a terminal", done.stderr)


class Help(CommandTest):
    provider = None

    def test_words_too_many_are_refused_with_the_commands_own_usage(self):
        for words in (["keys", "x"], ["why", "x"], ["lock", "x"], ["unlock", "x"], ["release", "a", "b"],
                      ["release", "--all"], ["reload", "x"], ["prompter", "x"], ["status", "--watch", "--json"]):
            with self.subTest(words):
                done = self.keystile(*words)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn(f"\nusage: keystile {words[0]}", done.stderr)


if __name__ == "__main__":
    unittest.main()
