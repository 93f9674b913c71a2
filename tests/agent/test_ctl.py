"""keystile, the command, against agents that answer in every way, and none at all."""
import array
import fcntl
import json
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
import unittest

import lab
from control_bed import STATUS, FakeAgent, message

# Listens at a path until it is killed: another program that SSH_AUTH_SOCK may belong to.
LISTEN = ("import socket,sys,time;s=socket.socket(socket.AF_UNIX);s.bind(sys.argv[1]);s.listen();"
          "print(flush=True);time.sleep(3600)")

class Command(unittest.TestCase):
    def setUp(self):
        self.folder = lab.place.Folder()
        self.addCleanup(self.folder.close)
        self.home = self.folder.path
        self.env = lab.environment(self.home)
        self.path = self.home / "control.sock"

    def keystile(self, *arguments, **env):
        return lab.run([lab.CONTROL, *arguments], env=dict(self.env, **env))

    def agent(self, talk=None, path=None):
        agent = FakeAgent(path or self.path, talk)
        self.addCleanup(agent.close)
        return agent

    def status(self, *arguments):
        return self.keystile("status", *arguments, KEYSTILE_CONTROL=str(self.path))

    def answered(self, status):
        """What is printed of a status; the command has to succeed."""
        self.agent(FakeAgent.behave(message(status)))
        done = self.status()
        self.path.unlink()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def failed(self, done, *words):
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertTrue(done.stderr.startswith("keystile: "), done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)


class Usage(Command):
    def test_help_and_version_are_given(self):
        self.assertRegex(self.keystile("--version").stdout, r"^keystile \d+\.\d+\.\d+\n$")
        done = self.keystile("help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(done.stdout.startswith("usage: keystile COMMAND"))
        self.assertEqual(self.keystile("--help").stdout, done.stdout)
        usage = self.keystile("help", "status").stdout
        self.assertTrue(usage.startswith("usage: keystile status [--json | --watch]\n"), usage)
        self.assertEqual(self.keystile("status", "--help").stdout, usage)

    def test_a_mistyped_word_is_told_what_was_meant(self):
        for words, meant in ((["stauts"], "did you mean 'status'?"), (["comp"], "did you mean 'completion'?"),
                             (["policy", "tset"], "did you mean 'test'?"), (["help", "reloda"], "did you mean 'reload'?"),
                             (["log", "--refused!"], "did you mean --refused"), (["tpm", "list", "--jsno"], "did you mean --json")):
            with self.subTest(words):
                done = self.keystile(*words)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn(meant, done.stderr)
        for words in (["x"], ["gpg"], ["status", "--yaml"], ["x" * 500]):
            self.assertNotIn("did you mean", self.keystile(*words).stderr)

    def test_what_is_wrong_with_the_words_is_said(self):
        for words, said in ((["status", "--json", "--watch"], "status: --json and --watch exclude each other"),
                            (["env", "--fish", "--json"], "env: --fish and --json exclude each other"),
                            (["policy", "test"], "policy test: --key FINGERPRINT is needed"),
                            (["log", "-n"], "log: -n needs a value"), (["log", "-n", "x"], "log: -n takes a number"),
                            (["log", "-n", "1", "-n", "2"], "log: -n is given twice"),
                            (["keys", "--json=x"], "keys: no value goes with --json=x"),
                            (["release", "a", "b"], "release: one word too many: b"),
                            (["tpm", "persist", "a"], "tpm persist: HANDLE is missing"), (["fido"], "fido: say what"),
                            (["completion"], "completion: bash|zsh|fish is missing"),
                            (["completion", "tcsh"], "completion: bash, zsh or fish: tcsh")):
            with self.subTest(words):
                done = self.keystile(*words)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn(f"keystile: {said}", done.stderr)
                self.assertIn("\nusage: keystile", done.stderr)

    def test_wrong_usage_is_said_and_ends_with_2(self):
        for arguments in ([], ["no-such"], ["status", "--yaml"], ["status", "--json", "x"],
                          ["help", "x"], ["--version", "x"], [""]):
            with self.subTest(arguments):
                done = self.keystile(*arguments)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn("usage: keystile" if arguments != ["help", "x"] else "no command 'x'", done.stderr)

    def test_output_that_cannot_be_written_is_a_failure(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([lab.CONTROL, "help"], stdout=full, stderr=subprocess.PIPE,
                                  env=self.env, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"No space left", done.stderr)


class Conversation(Command):
    def test_the_command_proves_itself_and_asks_for_the_status(self):
        agent = self.agent()
        self.assertEqual(self.status().returncode, 0)
        self.assertEqual(agent.heard, [{"keystile": 1}, {"command": "status"}])
        self.assertEqual(agent.descriptors, ["/dev/null"])

    def test_json_is_what_the_agent_said(self):
        self.agent()
        self.assertEqual(json.loads(self.status("--json").stdout), STATUS)

    def test_a_refusal_is_shown_in_the_agents_words(self):
        self.agent(FakeAgent.behave(message({"ok": False, "error": "not\x1b[31m now"})))
        self.failed(self.status(), "the agent refuses: not\\x1b[31m now")

    def test_a_refused_greeting_is_shown_in_the_agents_words(self):
        self.agent(FakeAgent.behave(b"", hello=message({"ok": False, "error": "relayed"})))
        self.failed(self.status(), "the agent refuses: relayed")

    def test_an_agent_of_another_version_is_named(self):
        self.agent(FakeAgent.behave(b"", hello=message({"keystile": 2, "version": "7.0\x07"})))
        self.failed(self.status(), "Keystile 7.0\\x07", "restart the agent")

    def test_garbage_is_no_agent(self):
        for garbage in (b"", b"\0\0\0\0", message(b"{"), message([1]), message("x"), message({}),
                        message({"keystile": "1"}), message(b"[" * 100000), message(b"\xff\xfe"),
                        message(b'{"keystile":1,"keystile":1}'), b"HTTP/1.1 400 Bad Request\r\n",
                        struct.pack(">I", 100) + b"{}", struct.pack(">I", 0xffffffff)):
            with self.subTest(garbage[:40]):
                self.agent(lambda agent, connection, said=garbage: connection.sendall(said))
                self.failed(self.status(), str(self.path))
                self.path.unlink()

    def test_garbage_in_place_of_the_status_is_refused(self):
        for garbage in (b"", message(b"{"), message({}), message({"ok": 1}), message({"ok": None}),
                        message([STATUS])):
            with self.subTest(garbage[:40]):
                self.agent(FakeAgent.behave(garbage))
                self.failed(self.status())
                self.path.unlink()

    def test_an_answer_over_four_mebibytes_is_refused_before_it_is_read(self):
        self.agent(FakeAgent.behave(struct.pack(">I", 4 * 1024 * 1024 + 1)))
        self.failed(self.status(), "broken")

    def test_an_answer_of_almost_four_mebibytes_is_shown(self):
        comment = "x" * (4 * 1024 * 1024 - 10000)
        self.agent(FakeAgent.behave(message(dict(STATUS, warnings=[comment]))))
        self.assertIn(comment, self.status().stdout)

    def test_an_agent_that_hangs_is_given_up(self):
        def after_the_greeting(agent, connection):
            agent.hear(connection)
            connection.sendall(message({"keystile": 1, "version": "0.1.0"}))
            time.sleep(20)

        for talk in (lambda agent, connection: time.sleep(20), after_the_greeting):
            with self.subTest(talk):
                self.agent(talk)
                self.failed(self.status(), "does not answer within 5 seconds", f"pid {os.getpid()}")
                self.path.unlink()

    def test_an_agent_that_answers_a_byte_a_second_is_given_up(self):
        def drip(agent, connection):
            for byte in message({"keystile": 1, "version": "0.1.0"}):
                connection.sendall(bytes([byte]))
                time.sleep(1)

        self.agent(drip)
        self.failed(self.status(), "does not answer")

    def test_an_agent_that_takes_no_connection_is_given_up(self):
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(self.path))
        listener.listen(0)
        waiting = socket.socket(socket.AF_UNIX)
        self.addCleanup(waiting.close)
        waiting.connect(str(self.path))
        self.failed(self.status(), "does not take connections")


class Finding(Command):
    def listen_elsewhere(self, path):
        """Another process that listens there; it is ended with the test."""
        process = subprocess.Popen([sys.executable, "-c", LISTEN, str(path)], stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        process.stdout.readline()
        return process

    def runtime(self, *names):
        folder = self.home / "run" / "keystile" / "/".join(names)
        folder.mkdir(parents=True)
        return folder / "control.sock"

    def test_no_agent_at_all_is_said_with_what_to_do(self):
        self.failed(self.keystile("status"), "SSH_AUTH_SOCK is not set", "keystile-agent -s")

    def test_a_dead_socket_is_named(self):
        dead = self.home / "dead.sock"
        self.failed(self.keystile("status", SSH_AUTH_SOCK=str(dead)), str(dead),
                    "No such file", "keystile-agent -s")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(dead))
        self.failed(self.keystile("status", SSH_AUTH_SOCK=str(dead)), "Connection refused")

    def test_another_program_behind_ssh_auth_sock_is_named(self):
        path = self.home / "other.sock"
        process = self.listen_elsewhere(path)
        self.failed(self.keystile("status", SSH_AUTH_SOCK=str(path)), os.path.realpath(sys.executable),
                    f"(pid {process.pid})", "not to Keystile", "keystile-agent -s")

    def test_the_agent_behind_ssh_auth_sock_is_asked_by_its_own_folder(self):
        auth = self.home / "auth.sock"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(auth))
            listener.listen()
            self.agent(path=self.runtime(f"agent-{os.getpid()}"))
            done = self.keystile("status", SSH_AUTH_SOCK=str(auth))
        self.assertEqual(done.returncode, 0)
        self.assertNotIn("SSH_AUTH_SOCK", done.stdout)

    def test_the_persons_own_agent_is_found_and_a_shadowed_one_said_to_be(self):
        self.agent(path=self.runtime())
        path = self.home / "other.sock"
        process = self.listen_elsewhere(path)
        done = self.keystile("status", SSH_AUTH_SOCK=str(path))
        self.assertEqual(done.returncode, 0)
        shown = " ".join(done.stdout.split())
        self.assertIn("SSH_AUTH_SOCK belongs to", shown)
        self.assertIn(f"(pid {process.pid})", shown)
        self.assertIn("export SSH_AUTH_SOCK=/run/a.sock", shown)

    def test_a_socket_that_the_agent_says_is_its_own_is_no_shadow(self):
        path = self.home / "activated.sock"
        self.listen_elsewhere(path)
        status = dict(STATUS, sockets=[{"path": str(path), "origin": "local"}])
        self.agent(FakeAgent.behave(message(status)), path=self.runtime())
        self.assertNotIn("SSH_AUTH_SOCK", self.keystile("status", SSH_AUTH_SOCK=str(path)).stdout)

    def test_a_variable_that_is_not_set_is_said(self):
        self.agent(path=self.runtime())
        self.assertIn("SSH_AUTH_SOCK is not set here", self.keystile("status").stdout)

    def test_what_keystile_control_names_goes_before_all_and_is_not_fallen_back_from(self):
        self.agent(path=self.runtime())
        self.failed(self.keystile("status", KEYSTILE_CONTROL=str(self.home / "none")),
                    "which KEYSTILE_CONTROL names", str(self.home / "none"))

    def test_a_path_that_is_too_long_for_a_socket_is_said(self):
        self.failed(self.keystile("status", KEYSTILE_CONTROL="/" + "x" * 200), "too long")

    @unittest.skipIf(os.geteuid() != 0, "only root can listen as another user")
    def test_another_users_agent_is_not_asked(self):
        os.chmod(self.home, 0o755)
        foreign = self.home / "foreign"
        foreign.mkdir()
        os.chown(foreign, 65534, 65534)
        process = subprocess.Popen([sys.executable, "-c", LISTEN, str(foreign / "s")],
                                   stdout=subprocess.PIPE, user=65534, group=65534)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        process.stdout.readline()
        self.failed(self.keystile("status", KEYSTILE_CONTROL=str(foreign / "s")),
                    "belongs to another user (uid 65534)")


class Page(Command):
    def test_everything_of_the_status_is_shown(self):
        shown = " ".join(self.answered(STATUS).split())
        for words in ("Keystile 0.1.0, pid 4711, runs for 1 d 2 h", "local /run/a.sock",
                      "! remote requests are signed without", "/usr/lib/softhsm/libsofthsm2.so",
                      "backend pkcs11, ready, pid 4712, 1 restart", "last error the module crashed",
                      "token Main, logged in", "SoftHSM v2, serial 17, in slot 0", "1 PIN try left", "2 requests wait for it",
                      "token (without a label), not logged in", "ECDSA 256", "comment work",
                      "reserves 1", "remote /usr/bin/ssh (pid 99), 2 binds, forwarded",
                      "bound to a forwarded connection", "through bastion, 10.0.0.1, SHA256:a",
                      "to a host (not in known_hosts), SHA256:b", "/home/me/.ssh/known_hosts: 7 keys",
                      "1 line not understood", "the rest is not read", "not read: Permission denied",
                      "by pinentry, /usr/bin/pinentry", "display :0 and wayland-0, from systemd's user environment",
                      "notices unix:path=/bus, from the agent's start", "and 7 more", "open a login as root",
                      "2026-01-01T00:00:00Z SHA256:y",
                      "reason nobody could be asked", "remedy start the agent with DISPLAY set"):
            self.assertIn(words, shown)

    def test_lines_fit_into_80_columns(self):
        long = dict(STATUS, warnings=["word " * 100], refusals=[dict(
            STATUS["refusals"][0], reason="some words " * 30, remedy="more words " * 30)])
        for line in self.answered(long).splitlines():
            self.assertLessEqual(len(line), 80, line)

    def test_control_characters_and_other_alphabets_are_escaped(self):
        evil = "a\x1b[2Jb\nc\td\x7fe\u202ef\u00e4\r\x9b"

        def poison(value):
            if isinstance(value, dict):
                return {key: poison(one) for key, one in value.items()}
            if isinstance(value, list):
                return [poison(one) for one in value]
            return evil if isinstance(value, str) else value

        shown = self.answered(poison(STATUS))
        self.assertEqual([one for one in shown if one != "\n" and not " " <= one <= "~"], [])
        self.assertIn("a\\x1b[2Jb\\x0ac\\x09d\\x7fe\\xe2\\x80\\xaef\\xc3\\xa4\\x0d\\xc2\\x9b", shown)

    def test_json_output_holds_no_control_characters_either(self):
        self.agent(FakeAgent.behave(message(dict(STATUS, version="a\x1b[2J\u009b\u202e"))))
        shown = self.status("--json").stdout
        self.assertEqual([one for one in shown if one != "\n" and not " " <= one <= "~"], [])

    def test_what_is_missing_or_of_another_kind_is_passed_over(self):
        self.assertIn("Keystile", self.answered({"ok": True}))
        for wrong in (None, 1, "x", [], {}, [1, None, "x", [], {}], True, -1.5):
            with self.subTest(wrong):
                self.answered({key: True if key == "ok" else wrong for key in STATUS})
        for part in ("sockets", "connections", "providers", "keys", "prompts", "refusals", "known_hosts"):
            for wrong in (None, 1, [], {}, "x"):
                with self.subTest(part=part, wrong=wrong):
                    item = {key: wrong for key in STATUS[part][0]}
                    self.answered(dict(STATUS, **{part: [item]}))
        self.assertIn("1970-01-0", self.answered(dict(STATUS, refusals=[{"when": 86400}])))
        self.answered(dict(STATUS, uptime_seconds=-(2 ** 63), connection_count=-(2 ** 63), pid=2 ** 63 - 1,
                           refusals=[{"when": 2 ** 63 - 1}, {"when": -(2 ** 63)}, {"when": "noon"}]))

    def test_an_empty_agent_says_what_to_do(self):
        self.assertIn("ssh-add -s MODULE", self.answered({"ok": True, "providers": [], "keys": []}))

    def on_a_terminal(self, **env):
        self.agent()
        env = dict(self.env, KEYSTILE_CONTROL=str(self.path), **env)
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(lab.CONTROL, ["keystile", "status"], env)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        shown = b""
        while select.select([terminal], [], [], 10 * lab.place.PATIENCE)[0]:
            try:
                piece = os.read(terminal, 65536)
            except OSError:  # the terminal's way to say that it ended
                break
            if not piece:
                break
            shown += piece
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
        self.path.unlink()
        return shown

    def test_colours_are_for_terminals_whose_owner_wants_them(self):
        self.assertIn(b"\x1b[1m", self.on_a_terminal(TERM="xterm"))
        self.assertIn(b"\x1b[1m", self.on_a_terminal(TERM="xterm", NO_COLOR=""))
        for env in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}, {}):
            with self.subTest(env):
                self.assertNotIn(b"\x1b", self.on_a_terminal(**env))


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    unittest.main()
