"""ssh-add -x and -X: what a locked agent does, and what guessing its password costs."""
import os
import pathlib
import pty
import re
import select
import shlex
import signal
import subprocess
import time
import unittest

import bed
import lab
from lab.client import EXTENSION_FAILURE, FAILURE, SUCCESS
from test_secrets import SANITIZED, root_only

LOCK, UNLOCK = 22, 23
PASSWORD = "Lock-5b1f7e02c96a-nowhere-else"
WRONG = "Lock-000000000000-that-is-wrong"
# All of one process that are tried; the rest is refused at once.
OF_ONE_MAX = 64

# Connects as often as it is told, sends the message on each and waits for the end of its input.
FLOOD = """
import socket, sys
held = []
for _ in range(int(sys.argv[2])):
    held.append(socket.socket(socket.AF_UNIX))
    held[-1].connect(sys.argv[1])
    held[-1].sendall(bytes.fromhex(sys.argv[3]))
print(flush=True)
sys.stdin.read()
"""


def answered(clients):
    """How many of them have a reply to read."""
    return len(select.select([one.socket for one in clients], [], [], 0)[0])


class LockTest(bed.AgentTest):
    """An agent with a key, and a client that locks."""

    def setUp(self):
        super().setUp()
        self.one = self.client()

    def lock(self, password=PASSWORD, client=None):
        return (client or self.one).call(LOCK, lab.keys.string(password))[0]

    def unlock(self, password=PASSWORD, client=None):
        return (client or self.one).call(UNLOCK, lab.keys.string(password))[0]

    def locked(self):
        return self.agent.status()["locked"]

    def failures(self):
        return self.agent.status()["failed_unlocks"]

    def locks(self):
        self.assertEqual(self.lock(), SUCCESS)

    def remote_client(self):
        one = self.client()
        self.assertEqual(one.bind(lab.HostKey(), b"s" * 32, forwarding=True), SUCCESS)
        return one


class Behaviour(LockTest):
    def test_a_locked_agent_lists_nothing_and_an_unlocked_one_everything(self):
        before = self.one.list()
        self.assertEqual(len(before), 1)
        self.locks()
        self.assertEqual([self.one.list(), self.client().list()], [[], []])
        self.assertEqual(self.unlock(), SUCCESS)
        self.assertEqual([self.one.list(), self.client().list()], [before, before])

    def test_a_locked_agent_refuses_everything_else(self):
        self.locks()
        provider = lab.keys.string("fake:more") + lab.keys.string("")
        bodies = {9: b"", 13: self.one.sign_request(self.key, b"data"), 17: b"", 18: lab.keys.string(self.key),
                  19: b"", 20: provider, 21: provider, 22: lab.keys.string(PASSWORD), 25: b"",
                  26: provider + lab.client.confirm(), 27: lab.keys.string("query"), 99: b""}
        for number, body in bodies.items():
            for one in (self.one, self.client()):
                self.assertEqual(one.call(number, body), (FAILURE, b""), number)
        self.assertEqual(self.unlock(), SUCCESS)
        self.assertEqual([key.blob for key in self.one.list()], [self.key])
        self.assertEqual(self.one.query()[0], "session-bind@openssh.com")
        self.assert_local(self.one)

    def test_binds_count_also_while_it_is_locked(self):
        self.locks()
        other, bad = self.client(), self.client()
        self.assertEqual(other.bind(lab.HostKey(), b"s" * 32, forwarding=True), SUCCESS)
        self.assertEqual(bad.bind(lab.HostKey(), b"s" * 32, signature=b"none"), EXTENSION_FAILURE)
        self.assertEqual(other.list(), [])
        self.assertEqual(self.unlock(), SUCCESS)
        self.assert_remote(other, "it came through a forwarded agent (ssh -A)")
        self.assertEqual(bad.remove_all(), FAILURE)

    def test_what_makes_no_sense_is_refused_and_changes_nothing(self):
        self.assertEqual([self.unlock(), self.unlock(""), self.lock("")], [FAILURE] * 3)
        self.assertFalse(self.locked())
        self.locks()
        self.assertEqual([self.lock(), self.lock(WRONG), self.lock(""), self.unlock("")], [FAILURE] * 4)
        self.assertEqual((self.locked(), self.failures()), (True, 0))
        self.assertEqual([self.unlock(), self.unlock()], [SUCCESS, FAILURE])

    def test_malformed_passwords_are_refused_and_not_counted(self):
        malformed = [b"", b"\0", b"\0\0\0", b"\0\0\0\5abcd", b"\xff\xff\xff\xff", lab.keys.string(b"a\0b"),
                     lab.keys.string(b"\0a"), lab.keys.string(b"a\0\0")]
        for state in (False, True):
            for body in malformed:
                for number in (LOCK, UNLOCK):
                    self.assertEqual(self.one.call(number, body), (FAILURE, b""), body[:8])
            self.assertEqual((self.locked(), self.failures()), (state, 0))
            if not state:
                self.locks()

    def test_any_bytes_are_a_password_and_only_the_same_unlock(self):
        for password in (b"x", b"x\0", b"\0", bytes(range(1, 256)), b"x" * 60000, "pässwörd".encode()):
            self.assertEqual(self.lock(password), SUCCESS)
            for other in (password + b"y", password[:-1] + b"\x7f", password.upper() + b"1"):
                self.assertEqual(self.unlock(other), FAILURE)
            self.assertEqual(self.unlock(password), SUCCESS)

    def test_bytes_behind_the_password_do_no_harm(self):
        body = lab.keys.string(PASSWORD)
        self.assertEqual(self.one.call(LOCK, body + b"more")[0], SUCCESS)
        self.assertEqual(self.one.call(UNLOCK, body + b"\0")[0], SUCCESS)

    def test_remote_clients_neither_lock_nor_unlock_nor_slow_anything_down(self):
        far = self.remote_client()
        self.assertEqual(self.lock(client=far), FAILURE)
        self.assertFalse(self.locked())
        self.locks()
        for password in (PASSWORD, WRONG, WRONG):
            self.assertEqual(self.unlock(password, client=far), FAILURE)
        self.assertEqual(far.list(), [])
        self.assertEqual((self.locked(), self.failures()), (True, 0))

    def test_messages_behind_a_password_wait_for_its_answer(self):
        for number, password in ((LOCK, PASSWORD), (LOCK, PASSWORD), (UNLOCK, WRONG), (UNLOCK, PASSWORD)):
            self.one.send(number, lab.keys.string(password))
            self.one.send(lab.client.LIST)
        replies = [(self.one.receive()[0], len(self.one.receive()[1])) for _ in range(4)]
        self.assertEqual([number for number, _ in replies], [SUCCESS, FAILURE, FAILURE, SUCCESS])
        self.assertEqual([length for _, length in replies[:3]], [4] * 3)
        self.assertGreater(replies[3][1], 4)

    def test_usr1_drops_all_keys_also_while_it_is_locked(self):
        self.locks()
        os.kill(self.agent.pid, signal.SIGUSR1)
        lab.wait_for("the worker is gone", lambda: not self.agent.workers())
        self.assertTrue(self.locked())
        self.assertEqual(self.unlock(), SUCCESS)
        self.assertEqual(self.one.list(), [])

    def test_usr1_drops_the_keys_of_ssh_add_too(self):
        path = self.agent.home / "id"
        lab.run_well(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path])
        for locked in (False, True):
            self.assertEqual(self.agent.run("ssh-add", "-q", path).returncode, 0, self.agent.log())
            self.assertIn(lab.keys.blob_of_line((self.agent.home / "id.pub").read_text()),
                          [key.blob for key in self.one.list()])
            if locked:
                self.locks()
            os.kill(self.agent.pid, signal.SIGUSR1)
            lab.wait_for("the workers are gone", lambda: not self.agent.workers())
            if locked:
                self.assertEqual(self.unlock(), SUCCESS)
            self.assertEqual(self.one.list(), [])

    def test_the_status_says_it_in_words(self):
        self.assertNotIn("locked", self.agent.run(lab.CONTROL, "status").stdout.splitlines()[1])
        self.locks()
        self.assertEqual(self.unlock(WRONG), FAILURE)
        self.assertEqual(self.unlock(WRONG), FAILURE)
        lines = self.agent.run(lab.CONTROL, "status").stdout.splitlines()
        self.assertIn("ssh-add -X", lines[1])
        self.assertIn("2 wrong passwords", lines[2])


    @unittest.skipIf(SANITIZED or "KEYSTILE_AGENT_WRAPPER" in os.environ, "checkers keep what was given back")
    def test_locking_keeps_no_memory(self):
        """scrypt takes 16 MiB each time."""
        before = self.resident_kb()
        for _ in range(4):
            self.locks()
            self.assertEqual(self.unlock(), SUCCESS)
        self.assertLess(self.resident_kb() - before, 8 * 1024)

    def resident_kb(self):
        status = pathlib.Path(f"/proc/{self.agent.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s*(\d+) kB$", status, re.M)[1])


class InWork(LockTest):
    """What was begun before the lock came."""

    def test_a_signature_in_work_is_refused(self):
        stuck = self.load("fake:stuck,sign=stuck")
        asker = self.client()
        asker.send(lab.client.SIGN, asker.sign_request(stuck, b"data"))
        with lab.AgentClient(self.agent) as other:  # so that it has reached the worker
            self.assertIsNotNone(other.sign(self.key, b"data"))
        self.locks()
        self.assertEqual(asker.receive()[0], FAILURE)
        self.assertIn("the agent was locked", self.agent.refusals()[0])
        self.assertEqual(self.unlock(), SUCCESS)
        self.assert_local(asker)

    def test_a_question_that_waits_for_the_person_is_withdrawn(self):
        with lab.AgentClient(self.agent) as other:
            self.assertEqual(other.add_token("fake:careful", constraints=lab.client.confirm()), SUCCESS)
            careful = next(key.blob for key in other.list() if key.blob != self.key)
        self.askpass.hangs()
        asker = self.client()
        asker.send(lab.client.SIGN, asker.sign_request(careful, b"data"))
        self.askpass.wait_until_asked()
        self.locks()
        self.assertEqual(asker.receive()[0], FAILURE)
        lab.wait_for("nobody is asked any more", lambda: not self.askpass.processes())
        lab.wait_for("no question is open", lambda: not self.agent.status()["prompts"])

    def test_a_lock_whose_client_has_gone_holds(self):
        other = self.client()
        other.send(LOCK, lab.keys.string(PASSWORD))
        other.close()
        lab.wait_for("it is locked", self.locked)
        self.assertEqual(self.unlock(), SUCCESS)

    def test_an_unlock_whose_client_has_gone_does_not_count(self):
        """Once the agent knows that it has: on a busy machine the password may be tried sooner, but not every time."""
        self.locks()
        for _ in range(20):
            other = self.client()
            other.send(UNLOCK, lab.keys.string(PASSWORD))
            other.close()
            if self.lock() == FAILURE:  # which comes after the other's, and is locked still
                break
        else:
            self.fail("it unlocks for clients that have gone")
        self.assertEqual(self.unlock(), SUCCESS)

    def test_an_agent_with_passwords_in_work_ends_as_it_should(self):
        self.locks()
        for password in (WRONG, PASSWORD, PASSWORD):
            self.client().send(UNLOCK, lab.keys.string(password))
        self.agent.stop()  # fails where the agent does not end well

    def test_an_agent_that_is_locking_ends_as_it_should(self):
        self.one.send(LOCK, lab.keys.string(PASSWORD))
        self.agent.stop()


class Guessing(LockTest):
    def setUp(self):
        super().setUp()
        self.locks()

    def send_unlock(self, password, count=1):
        """Clients that have sent it and wait."""
        clients = [self.client() for _ in range(count)]
        for one in clients:
            one.send(UNLOCK, lab.keys.string(password))
        return clients

    def flood(self, count):
        """Another process that tries a wrong password on that many connections."""
        message = lab.keys.string(bytes([UNLOCK]) + lab.keys.string(WRONG)).hex()
        process = subprocess.Popen(["/usr/bin/python3", "-c", FLOOD, self.agent.socket, str(count), message],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(process.communicate)
        process.stdout.readline()
        return process

    def test_wrong_ones_are_counted_over_all_connections_until_a_right_one(self):
        for count in range(1, 5):
            self.assertEqual(self.unlock(WRONG, client=self.client()), FAILURE)
            self.assertEqual(self.failures(), count)
        self.assertEqual(self.unlock(), SUCCESS)
        self.assertEqual(self.failures(), 0)
        self.locks()
        self.assertEqual(self.failures(), 0)

    def test_each_failure_is_held_back_for_longer_than_the_one_before(self):
        """Five take 1.5 seconds at least; a tenth each would be half of that, though more on a busy machine."""
        began = time.monotonic()
        for _ in range(5):
            self.assertEqual(self.unlock(WRONG), FAILURE)
        self.assertGreater(time.monotonic() - began, 1.1)

    def test_others_are_served_while_a_failure_is_held_back(self):
        """Thirty of them take three quarters of a minute: no load makes them end before one list."""
        waiting = self.send_unlock(WRONG, 30)
        self.assertEqual(self.client().list(), [])
        self.assertEqual(self.client().bind(lab.HostKey(), b"s" * 32), SUCCESS)
        self.assertLess(answered(waiting), 30)

    def test_many_connections_try_no_more_than_one(self):
        """The next password is tried only when the failure before it was answered."""
        waiting = self.send_unlock(WRONG, 10)
        while True:
            failures = self.failures()
            done = answered(waiting)
            self.assertLessEqual(failures, done + 1)
            if done >= 4:
                break
        self.assertLess(failures, 10)

    def test_a_client_that_leaves_stops_neither_the_count_nor_the_clock(self):
        """The one behind it is answered after both."""
        first = self.send_unlock(WRONG)[0]
        lab.wait_for("it was tried", lambda: self.failures() == 1)
        first.close()
        self.assertEqual(self.unlock(WRONG), FAILURE)
        self.assertEqual(self.failures(), 2)

    def test_a_right_password_whose_client_has_left_unlocks_nothing(self):
        first = self.send_unlock(WRONG)[0]
        gone = self.send_unlock(PASSWORD)[0]
        gone.close()
        self.assertEqual(first.receive()[0], FAILURE)
        self.assertEqual(self.unlock(WRONG), FAILURE)
        self.assertTrue(self.locked())
        self.assertEqual(self.unlock(), SUCCESS)

    def test_a_process_that_guesses_does_not_keep_the_persons_waiting(self):
        """All its tries would take minutes; the person's comes after the one in work."""
        self.flood(60)
        lab.wait_for("it guesses", lambda: self.failures() > 0)
        self.assertEqual(self.unlock(), SUCCESS)
        self.assertEqual(self.failures(), 0)

    def test_two_that_guess_by_turns_do_not_keep_the_persons_waiting(self):
        """Each makes room for the other alone; what they try before the person's would take minutes."""
        for _ in range(2):
            self.flood(60)
        lab.wait_for("both guess", lambda: self.failures() > 2)
        self.assertEqual(self.unlock(), SUCCESS)
        self.assertEqual(self.failures(), 0)

    def test_a_process_leaves_room_for_others(self):
        """What it tries beyond its share is refused at once, and not even tried."""
        waiting = self.send_unlock(WRONG, OF_ONE_MAX + 20)
        lab.wait_for("the rest is refused", lambda: answered(waiting) >= 20)
        self.assertLess(self.failures(), 20)
        message = lab.keys.string(bytes([UNLOCK]) + lab.keys.string(PASSWORD))
        script = ("import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
                  "s.sendall(bytes.fromhex(sys.argv[2])); print(s.recv(9)[4])")
        done = lab.run(["/usr/bin/python3", "-c", script, self.agent.socket, message.hex()])
        self.assertEqual(done.stdout, f"{SUCCESS}\n", done.stderr)
        lab.wait_for("all are answered", lambda: answered(waiting) == len(waiting))


class RealClient(LockTest):
    """ssh-add, which asks a person."""

    def ssh_add(self, flag, password):
        script = self.agent.home / "ssh-add-askpass"
        script.write_text(f"#!/bin/sh\nprintf '%s\\n' {shlex.quote(password)}\n")
        script.chmod(0o755)
        return self.agent.run("ssh-add", flag, env={"SSH_ASKPASS": str(script), "SSH_ASKPASS_REQUIRE": "force"})

    def test_it_locks_and_unlocks(self):
        done = self.ssh_add("-x", PASSWORD)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, "Agent locked.\n"))
        self.assertIn("no identities", self.agent.run("ssh-add", "-l").stdout)
        done = self.ssh_add("-x", PASSWORD)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (1, "Failed to lock agent: agent refused operation\n"))
        done = self.ssh_add("-X", WRONG)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (1, "Failed to unlock agent: agent refused operation\n"))
        done = self.ssh_add("-X", PASSWORD)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, "Agent unlocked.\n"))
        self.assertEqual(self.agent.run("ssh-add", "-l").returncode, 0)

    def test_it_locks_from_a_terminal(self):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execvpe("ssh-add", ["ssh-add", "-x"], self.agent.env)
        self.addCleanup(os.close, terminal)
        self.read_until(terminal, b"password: ")
        os.write(terminal, PASSWORD.encode() + b"\n")
        self.read_until(terminal, b"Again: ")
        os.write(terminal, PASSWORD.encode() + b"\n")
        self.read_until(terminal, b"locked.")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
        self.assertEqual(self.unlock(), SUCCESS)

    def read_until(self, terminal, text):
        seen = b""
        while text not in seen:
            readable = select.select([terminal], [], [], 30 * lab.PATIENCE)[0]
            self.assertTrue(readable, seen)
            seen += os.read(terminal, 1000)

    @root_only
    def test_the_password_is_nowhere_in_the_agents_memory(self):
        self.ssh_add("-x", PASSWORD)
        self.assertEqual(lab.memory.holds(self.agent.pid, [PASSWORD]), set())
        self.ssh_add("-X", WRONG)
        waiting = self.client()
        waiting.send(UNLOCK, lab.keys.string(WRONG))
        lab.wait_for("it was tried", lambda: self.failures() == 2)
        self.assertEqual(lab.memory.holds(self.agent.pid, [PASSWORD, WRONG]), set())
        self.ssh_add("-X", PASSWORD)
        self.assertFalse(self.locked())
        self.assertEqual(lab.memory.holds(self.agent.pid, [PASSWORD, WRONG]), set())

    def test_the_password_is_not_in_the_log_or_the_status(self):
        self.ssh_add("-x", PASSWORD)
        self.ssh_add("-X", WRONG)
        self.ssh_add("-X", PASSWORD)
        text = self.agent.log() + self.agent.run(lab.CONTROL, "status", "--json").stdout
        self.assertIn("wrong password", text)
        for secret in (PASSWORD, WRONG):
            self.assertNotIn(secret, text)


if __name__ == "__main__":
    unittest.main()
