"""when-locked = list: the keys stay in sight on this machine, and a signature asks the person to unlock the agent."""
import json
import os
import shlex
import signal
import time
import unittest

import jsonschema

import lab
from bed import PIN
from lab.client import FAILURE, SIGN, SUCCESS
from lab.keys import fingerprint_of
from test_lock import LOCK, OF_ONE_MAX, PASSWORD, UNLOCK, WRONG, LockTest, answered
from test_secrets import root_only

LIST, HIDE = "when-locked = list\n", "when-locked = hide\n"
QUESTION = "Unlock the agent"
LOCKED = "the agent is locked"
NOT_FOR_REMOTE = "nobody is asked to unlock it for a remote request"
STUCK = "fake:stuck,sign=stuck"


class ListTest(LockTest):
    """An agent that is locked, with a key; askpass knows what unlocks it."""

    config = LIST
    locks_at_once = True

    def setUp(self):
        super().setUp()
        self.before = self.one.list()
        self.askpass.prints(PASSWORD)
        if self.locks_at_once:
            self.locks()

    @property
    def questions(self):
        return self.askpass.prompts()

    def answers(self, *cases, first=""):
        """Does the lines of shell of the first case whose words the question has; none: it refuses."""
        arms = "".join(f"*{shlex.quote(words)}*) {script} ;;\n" for words, script in cases)
        self.askpass.does(f'{first}\ncase $1 in\n{arms}*) exit 1 ;;\nesac')

    @staticmethod
    def prints(text):
        return f"printf '%s\\n' {shlex.quote(text)}"

    def waits_and_prints(self, text=PASSWORD):
        """Askpass answers once what is returned was made; text None: it refuses."""
        go = self.askpass.folder.path / f"go-{len(self.questions)}"
        self.askpass.does(f"until [ -e {go} ]; do sleep 0.02; done\n{self.prints(text) if text else 'exit 1'}")
        return go

    def begin(self, data=b"data", key=None, client=None):
        """A client that has asked for a signature."""
        one = client or self.client()
        one.send(SIGN, one.sign_request(key or self.key, data))
        return one

    def settle(self):
        """What was sent before has been read: the second list is of a later turn of the agent's loop."""
        for _ in range(2):
            self.one.list()

    def signed(self, one, data=b"data", key=None):
        signature = one.signature(one.receive())
        self.assertIsNotNone(signature, self.agent.log())
        lab.verify(key or self.key, signature, data)

    def refused(self, one, *words):
        self.assertEqual(one.receive()[0], FAILURE)
        for text in words:
            self.assertIn(text, self.agent.refusals()[0])

    def nobody_is_asked_any_more(self):
        lab.wait_for("nobody is asked any more", lambda: not self.askpass.processes())
        lab.wait_for("no question is open", lambda: not self.agent.status()["prompts"])

    def configures(self, text):
        path = self.agent.home / ".config" / "keystile" / "keystile.conf"
        fresh = path.with_suffix(".new")
        fresh.write_text(text)
        os.chmod(fresh, 0o600)
        os.replace(fresh, path)
        done = self.agent.run(lab.CONTROL, "reload")
        self.assertEqual(done.returncode, 0, done.stderr)


class Sight(ListTest):
    def test_keys_stay_visible_on_this_machine(self):
        self.assertEqual([self.one.list(), self.client().list()], [self.before] * 2)
        self.assertEqual(len(self.before), 1)
        self.assertIn(fingerprint_of(self.key), self.agent.run("ssh-add", "-l").stdout)
        self.assertEqual(self.questions, [])

    def test_remote_connections_see_none(self):
        far, container = self.remote_client(), self.client(self.agent.remote_socket)
        self.assertEqual([far.list(), container.list()], [[], []])
        self.assertEqual(self.unlock(), SUCCESS)
        self.assertEqual([len(far.list()), len(container.list())], [1, 1])

    def test_a_connection_that_becomes_remote_sees_none_from_then_on(self):
        one = self.client()
        self.assertEqual(len(one.list()), 1)
        self.assertEqual(one.bind(lab.HostKey(), b"s" * 32, forwarding=True), SUCCESS)
        self.assertEqual(one.list(), [])

    def test_all_else_is_refused_and_asks_nobody(self):
        provider = lab.keys.string("fake:more") + lab.keys.string("")
        bodies = {9: b"", 17: b"", 18: lab.keys.string(self.key), 19: b"", 20: provider, 21: provider,
                  22: lab.keys.string(PASSWORD), 25: b"", 26: provider + lab.client.confirm(),
                  27: lab.keys.string("query"), 99: b""}
        for number, body in bodies.items():
            for one in (self.one, self.client()):
                self.assertEqual(one.call(number, body), (FAILURE, b""), number)
        self.assertEqual((self.one.list(), self.locked(), self.questions), (self.before, True, []))

    def test_binds_and_the_unlocking_work_as_ever(self):
        one = self.client()
        self.assertEqual(one.bind(lab.HostKey(), b"s" * 32), SUCCESS)
        self.assertEqual([self.unlock(WRONG), self.unlock()], [FAILURE, SUCCESS])
        self.assert_local(one)

    def test_the_status_says_how_it_is_locked(self):
        lines = self.agent.run(lab.CONTROL, "status").stdout
        self.assertIn("ssh-add -X", lines)
        self.assertIn("keys are listed on this machine alone", " ".join(lines.split()))
        self.assertEqual((self.locked(), self.agent.status()["when_locked"]), (True, "list"))


class Hidden(ListTest):
    """The default."""

    config = None

    def test_it_is_as_with_ssh_agent(self):
        self.assertEqual(self.one.list(), [])
        self.assertIsNone(self.one.sign(self.key, b"data"))
        self.assertEqual((self.questions, self.locked(), self.agent.status()["when_locked"]), ([], True, "hide"))


class Asked(ListTest):
    def test_the_right_password_unlocks_and_the_signature_is_made(self):
        self.signed(self.begin())
        self.assertEqual((len(self.questions), self.locked()), (1, False))
        self.assert_local(self.client())

    def test_the_question_says_who_asks_for_what(self):
        data = self.login()
        self.signed(self.begin(data), data)
        self.assertTrue(self.questions[0].startswith(QUESTION), self.questions)
        for words in ("until it is locked again\n", 'to log in as the user\n    "joe"\n',
                      f" {fingerprint_of(self.key)}\n", f"asked on this machine by process {os.getpid()}\n"):
            self.assertIn(words, self.questions[0])
        self.assertEqual(self.askpass.hints(), [""])

    def test_what_is_open_stands_in_the_status(self):
        self.askpass.hangs()
        self.begin(self.login())
        self.askpass.wait_until_asked()
        self.assertEqual([one["kind"] for one in self.agent.status()["prompts"]], ["open"])
        self.assertIn("joe", self.agent.status()["prompts"][0]["for"])

    def test_a_wrong_password_is_refused_in_the_words_of_the_unlocking(self):
        self.askpass.prints(WRONG)
        self.refused(self.begin(), "the password was wrong", "ssh-add -X")
        self.assertEqual((self.locked(), self.failures(), len(self.questions)), (True, 1, 1))

    def test_the_next_question_says_how_many_were_wrong(self):
        self.askpass.prints(WRONG)
        self.refused(self.begin())
        self.assertEqual(self.unlock(WRONG), FAILURE)
        self.askpass.prints(PASSWORD)
        self.signed(self.begin())
        self.assertNotIn("Wrong passwords", self.questions[0])
        self.assertIn("Wrong passwords since it was locked: 2\n", self.questions[1])
        self.assertEqual(self.failures(), 0)

    def test_no_is_no(self):
        self.askpass.refuses()
        self.refused(self.begin(), LOCKED, "the person did not unlock it")
        self.assertEqual((self.locked(), self.failures()), (True, 0))
        self.askpass.prints(PASSWORD)
        self.signed(self.begin())

    def test_anything_but_a_password_is_a_no(self):
        for misbehave in (lambda: self.askpass.prints_and_fails(PASSWORD),
                          lambda: self.askpass.prints_and_crashes(PASSWORD),
                          self.askpass.prints_nothing, lambda: self.askpass.prints_two_lines(PASSWORD),
                          lambda: self.askpass.prints("x" * 256), self.askpass.prints_megabytes):
            misbehave()
            self.refused(self.begin(), LOCKED)
            self.assertEqual((self.locked(), self.failures()), (True, 0))

    def test_where_nobody_can_be_asked_it_is_refused_and_said_why(self):
        self.askpass.vanishes()
        self.refused(self.begin(), "nobody could be asked to unlock it")
        self.assertTrue(self.locked())

    def test_no_way_to_ask_is_told_too(self):
        self.configures(LIST + 'prompts = pinentry\npinentry = "/nowhere/pinentry"\n')
        self.refused(self.begin(), "nobody could be asked to unlock it", "ssh-add -X")
        self.assertEqual(self.questions, [])

    def test_a_key_that_is_not_there_asks_nobody(self):
        self.assertIsNone(self.one.sign(lab.HostKey().blob, b"data"))
        self.assertEqual(self.questions, [])

    def test_a_remote_request_is_refused_and_nobody_is_asked(self):
        for far in (self.remote_client(), self.client(self.agent.remote_socket)):
            for data in (self.login(), b"data", lab.sshsig(b"x", namespace="git")):
                self.assertIsNone(far.sign(self.key, data))
        self.settle()
        self.assertEqual((self.questions, self.locked(), self.agent.status()["prompts"]), ([], True, []))

    def test_a_remote_request_does_not_ride_on_a_local_ones_question(self):
        self.askpass.hangs()
        self.begin()
        self.askpass.wait_until_asked()
        self.assertIsNone(self.remote_client().sign(self.key, self.login()))

    def test_a_key_that_goes_meanwhile_is_not_signed_with(self):
        go = self.waits_and_prints()
        one = self.begin()
        self.askpass.wait_until_asked()
        os.kill(self.agent.pid, signal.SIGUSR1)
        lab.wait_for("the keys are gone", lambda: not self.agent.status()["keys"])
        go.touch()
        self.refused(one)
        self.assertFalse(self.locked())

    def test_an_agent_that_asks_ends_as_it_should(self):
        self.askpass.hangs()
        for _ in range(3):
            self.begin()
        self.askpass.wait_until_asked()
        self.agent.stop()

    @root_only
    def test_the_password_is_nowhere_in_the_agents_memory(self):
        self.askpass.prints(WRONG)
        self.refused(self.begin())
        self.assertEqual(lab.memory.holds(self.agent.pid, [PASSWORD, WRONG]), set())
        self.askpass.prints(PASSWORD)
        self.signed(self.begin())
        self.assertEqual(lab.memory.holds(self.agent.pid, [PASSWORD, WRONG]), set())
        text = self.agent.log() + json.dumps(self.agent.status())
        for secret in (PASSWORD, WRONG):
            self.assertNotIn(secret, text)


class ByPinentry(ListTest):
    """The way of a desktop."""

    locks_at_once = False

    def test_the_field_is_not_called_a_pins(self):
        pinentry = lab.Pinentry()
        self.addCleanup(pinentry.close)
        pinentry.gives(PASSWORD)
        self.configures(LIST + f'prompts = pinentry\npinentry = "{pinentry.path}"\npinentry-terminal = /dev/tty8\n')
        self.locks()
        self.signed(self.begin())
        self.assertEqual(pinentry.told("SETPROMPT"), ["Password:"])
        self.assertTrue(pinentry.told("SETDESC")[0].startswith(QUESTION))


class Demands(ListTest):
    """What a request has to have besides."""

    locks_at_once = False

    def test_a_key_that_wants_a_confirmation_gets_its_own(self):
        with lab.AgentClient(self.agent) as other:
            self.assertEqual(other.add_token("fake:careful", constraints=lab.client.confirm()), SUCCESS)
            careful = next(key.blob for key in other.list() if key.blob != self.key)
        self.locks()
        self.answers((QUESTION, self.prints(PASSWORD)), ("Allow the use", "exit 0"))
        self.signed(self.begin(key=careful), key=careful)
        self.assertEqual(self.askpass.hints(), ["", "confirm"])
        self.locks()
        self.answers((QUESTION, self.prints(PASSWORD)))
        self.refused(self.begin(key=careful), "the person did not allow it")
        self.assertFalse(self.locked())

    def test_a_token_that_wants_its_pin_gets_its_own(self):
        always = self.load("fake:always,pin=always")
        self.locks()
        self.answers((QUESTION, self.prints(PASSWORD)), ("PIN for the token", self.prints(PIN)))
        self.signed(self.begin(key=always), key=always)
        self.assertEqual([question.split()[0] for question in self.questions], ["Unlock", "PIN"])

    def test_what_the_rules_refuse_asks_nobody(self):
        self.configures(LIST + "rule never { subject = unrecognised then = refuse }\n")
        self.locks()
        self.refused(self.begin(), "a rule refuses it")
        self.assertEqual((self.questions, self.locked()), ([], True))

    def test_rules_that_came_meanwhile_count(self):
        self.locks()
        go = self.waits_and_prints()
        one = self.begin()
        self.askpass.wait_until_asked()
        self.configures(LIST + "rule never { subject = unrecognised then = refuse }\n")
        go.touch()
        self.refused(one, "a rule refuses it")
        self.assertFalse(self.locked())


class Together(ListTest):
    """One question for all that wait."""

    def test_ten_requests_share_one_question_and_all_are_signed(self):
        go = self.waits_and_prints()
        clients = [self.begin(b"data %d" % number) for number in range(10)]
        self.askpass.wait_until_asked()
        self.settle()
        self.assertEqual(len(self.agent.status()["prompts"]), 1)
        go.touch()
        for number, one in enumerate(clients):
            self.signed(one, b"data %d" % number)
        self.assertEqual(len(self.questions), 1)

    def test_a_no_refuses_all_of_them(self):
        for text in (None, WRONG):
            before = len(self.questions)
            go = self.waits_and_prints(text)
            clients = [self.begin() for _ in range(10)]
            self.askpass.wait_until_asked(before + 1)
            self.settle()
            go.touch()
            for one in clients:
                self.refused(one, LOCKED if text is None else "the password was wrong")
            self.assertEqual(len(self.questions), before + 1)

    def test_what_comes_while_a_wrong_one_is_held_back_is_asked_about_anew(self):
        """Whether it comes before the others are refused or after."""
        self.answers(("Wrong passwords", self.prints(PASSWORD)), (QUESTION, self.prints(WRONG)))
        first = self.begin()
        lab.wait_for("it was tried", lambda: self.failures() == 1)
        second = self.begin()
        self.refused(first, "the password was wrong")
        self.signed(second)
        self.assertEqual(len(self.questions), 2)

    def test_message_23_from_elsewhere_withdraws_the_question_and_all_go_on(self):
        self.askpass.hangs()
        clients = [self.begin() for _ in range(3)]
        self.askpass.wait_until_asked()
        self.settle()
        self.assertEqual(self.unlock(), SUCCESS)
        for one in clients:
            self.signed(one)
        self.nobody_is_asked_any_more()
        self.assertEqual(len(self.questions), 1)

    def test_a_wrong_one_from_elsewhere_leaves_the_question_open(self):
        go = self.waits_and_prints()
        one = self.begin()
        self.askpass.wait_until_asked()
        self.assertEqual(self.unlock(WRONG), FAILURE)
        go.touch()
        self.signed(one)
        self.assertEqual(len(self.questions), 1)

    def test_a_client_that_leaves_takes_the_question_along(self):
        self.askpass.hangs()
        one = self.begin()
        self.askpass.wait_until_asked()
        one.close()
        self.nobody_is_asked_any_more()
        self.assertTrue(self.locked())

    def test_the_next_one_is_asked_about_when_the_first_leaves(self):
        self.askpass.hangs()
        one = self.begin(self.login())
        self.askpass.wait_until_asked()
        data = lab.sshsig(b"x", namespace="git")
        other = self.begin(data)
        self.settle()
        self.askpass.prints(PASSWORD)
        one.close()
        self.signed(other, data)
        self.assertEqual(len(self.questions), 2)
        self.assertIn("a git commit or tag", self.questions[1])
        self.assertNotIn("joe", self.questions[1])

    def test_the_question_stays_when_another_one_leaves(self):
        go = self.waits_and_prints()
        one = self.begin()
        self.askpass.wait_until_asked()
        other = self.begin()
        self.settle()
        other.close()
        lab.wait_for("it has gone", lambda: len(self.agent.status()["connections"]) == 2)
        go.touch()
        self.signed(one)
        self.assertEqual(len(self.questions), 1)

    def test_a_password_for_somebody_who_has_left_unlocks_nothing(self):
        """The agent stands still until the password lies in its pipe and the client has gone."""
        go = self.waits_and_prints()
        one = self.begin()
        self.askpass.wait_until_asked()
        agent = lab.Process(self.agent.pid)
        os.kill(self.agent.pid, signal.SIGSTOP)
        try:
            lab.wait_for("the agent stands still", agent.stopped)
            go.touch()
            lab.wait_for("the question was answered", lambda: not [process for process in self.agent.workers()
                                                                   if process.name.startswith("keystile-prompt")])
            one.close()
        finally:
            os.kill(self.agent.pid, signal.SIGCONT)
        self.assertEqual(self.unlock(WRONG), FAILURE)
        self.assertTrue(self.locked())
        self.signed(self.begin())


class Again(ListTest):
    """Locking, and other configurations, while requests wait."""

    def test_it_can_not_be_locked_twice_and_the_question_stays(self):
        go = self.waits_and_prints()
        one = self.begin()
        self.askpass.wait_until_asked()
        self.assertEqual(self.lock(WRONG), FAILURE)
        go.touch()
        self.signed(one)

    def test_a_request_that_went_on_is_refused_by_the_next_lock(self):
        self.assertEqual(self.unlock(), SUCCESS)
        stuck = self.load(STUCK)
        self.locks()
        one = self.begin(key=stuck)
        lab.wait_for("it is unlocked", lambda: not self.locked())
        self.locks()
        self.refused(one, "the agent was locked")
        self.signed(self.begin())
        self.assertEqual(len(self.questions), 2)

    def test_who_unlocks_and_locks_at_once_leaves_nobody_waiting(self):
        self.askpass.hangs()
        clients = [self.begin() for _ in range(5)]
        self.askpass.wait_until_asked()
        self.settle()
        for number in (UNLOCK, LOCK):
            self.one.send(number, lab.keys.string(PASSWORD))
        self.assertEqual([self.one.receive()[0] for _ in range(2)], [SUCCESS, SUCCESS])
        for one in clients:
            self.assertIn(one.receive()[0], (FAILURE, lab.client.SIGNATURE))
        self.nobody_is_asked_any_more()
        self.assertEqual((self.locked(), len(self.questions)), (True, 1))

    def test_hiding_them_refuses_what_waits(self):
        self.askpass.hangs()
        clients = [self.begin() for _ in range(3)]
        self.askpass.wait_until_asked()
        self.settle()
        self.configures(HIDE)
        for one in clients:
            self.refused(one, "the configuration hides its keys now")
        self.nobody_is_asked_any_more()
        self.assertEqual((self.one.list(), self.one.sign(self.key, b"data")), ([], None))
        self.assertEqual((len(self.questions), self.locked()), (1, True))

    def test_listing_them_counts_from_then_on(self):
        self.configures(HIDE)
        self.assertEqual(self.one.list(), [])
        self.configures(LIST)
        self.assertEqual(self.one.list(), self.before)
        self.signed(self.begin())

    def test_the_same_configuration_read_anew_leaves_the_question_open(self):
        go = self.waits_and_prints()
        one = self.begin()
        self.askpass.wait_until_asked()
        self.configures(LIST + "allow-rsa-sha1 = yes\n")
        go.touch()
        self.signed(one)
        self.assertEqual(len(self.questions), 1)


class Guessing(ListTest):
    """Questions are no faster way to guess than message 23."""

    def test_both_ways_are_counted_together_and_held_back(self):
        """Five take 1.5 seconds at least; were either way counted apart, less than one."""
        self.askpass.prints(WRONG)
        began = time.monotonic()
        for count in range(1, 6):
            if count % 2 == 0:
                self.assertEqual(self.unlock(WRONG), FAILURE)
            else:
                self.refused(self.begin(), "the password was wrong")
            self.assertEqual(self.failures(), count)
        self.assertGreater(time.monotonic() - began, 1.4)

    def test_what_was_typed_is_tried_after_the_failure_that_is_held_back(self):
        go = self.waits_and_prints()
        one = self.begin()
        self.askpass.wait_until_asked()
        other = self.client()
        other.send(UNLOCK, lab.keys.string(WRONG))
        lab.wait_for("it was tried", lambda: self.failures() == 1)
        go.touch()
        self.signed(one)
        self.assertEqual(answered([other]), 1)

    def test_passwords_of_other_processes_leave_room_for_it(self):
        """All that clients may have waiting do wait; what is typed comes after the one in work."""
        waiting = [self.client() for _ in range(OF_ONE_MAX)]
        for one in waiting:
            one.send(UNLOCK, lab.keys.string(WRONG))
        child = os.fork()
        if child == 0:
            try:
                for _ in range(OF_ONE_MAX):
                    waiting.append(lab.AgentClient(self.agent))
                    waiting[-1].send(UNLOCK, lab.keys.string(WRONG))
                signal.pause()
            finally:
                os._exit(0)
        self.addCleanup(os.waitpid, child, 0)
        self.addCleanup(os.kill, child, signal.SIGKILL)
        lab.wait_for("they guess", lambda: self.failures() > 0)
        self.signed(self.begin())
        self.assertEqual(self.failures(), 0)


class Recorded(ListTest):
    """In the audit log."""

    config = LIST + "audit = file\n"

    def lines(self, count):
        path = self.agent.home / ".local/state/keystile/audit.jsonl"

        def found():
            text = path.read_text() if path.exists() else ""
            lines = [json.loads(line) for line in text.splitlines()] if text.endswith("\n") else []
            return [line for line in lines if line["request"] == "sign"]

        lab.wait_for(f"{count} lines", lambda: len(found()) == count)
        schema = jsonschema.Draft7Validator(json.loads((lab.ROOT / "docs" / "audit.schema.json").read_text()))
        for line in found():
            schema.validate(line)
        return found()

    def test_it_says_how_a_request_came_through(self):
        self.askpass.prints(WRONG)
        self.refused(self.begin())
        self.askpass.prints(PASSWORD)
        self.signed(self.begin())
        self.locks()
        self.askpass.hangs()
        one = self.begin()
        self.askpass.wait_until_asked(3)
        self.assertEqual(self.unlock(), SUCCESS)
        self.signed(one)
        self.signed(self.begin())
        lines = self.lines(4)
        self.assertEqual([(line["answer"], line.get("unlocked_by")) for line in lines],
                         [("refused", None), ("signed", "prompt"), ("signed", "message"), ("signed", None)])
        self.assertEqual(lines[0]["reason"], "the password was wrong")

    def test_a_remote_request_is_refused_with_its_reason(self):
        self.assertIsNone(self.client(self.agent.remote_socket).sign(self.key, self.login()))
        self.assertIn(NOT_FOR_REMOTE, self.lines(1)[0]["reason"])


class RealLogin(ListTest):
    """ssh, sshd and ssh-add."""

    def setUp(self):
        super().setUp()
        self.host = lab.Sshd(names=("one.example",))
        self.addCleanup(self.host.close)
        self.host.allow(lab.keys.line_of(self.key))
        folder = self.agent.home / ".ssh"
        folder.mkdir(exist_ok=True)
        (folder / "known_hosts").write_text(self.host.known_hosts.read_text())

    def reaches(self):
        done = self.agent.run(*self.host.ssh("one.example", "echo", "I am in"))
        return done.stdout == "I am in\n", done.stderr + self.agent.log()

    def test_ssh_logs_in_once_the_person_has_unlocked_the_agent(self):
        reached, words = self.reaches()
        self.assertTrue(reached, words)
        self.assertEqual((len(self.questions), self.locked()), (1, False))
        for words in (QUESTION, "to log in as the user", 'on the host known as\n    "one.example"', "ssh"):
            self.assertIn(words, self.questions[0])
        self.assertTrue(self.reaches()[0])
        self.assertEqual(len(self.questions), 1)

    def test_ssh_does_not_log_in_with_a_wrong_password_or_a_no(self):
        for misbehave in (lambda: self.askpass.prints(WRONG), self.askpass.refuses):
            misbehave()
            self.assertFalse(self.reaches()[0])
        self.assertEqual((len(self.questions), self.locked()), (2, True))

    def test_a_forwarded_ssh_is_refused_and_nobody_is_asked(self):
        """The first login unlocks; then it is locked again, under the session that it forwards to."""
        script = f"{shlex.join(self.host.ssh('one.example'))} echo I am in; ssh-add -l"
        self.askpass.refuses()
        done = self.agent.run("ssh-add", "-l")
        self.assertIn(fingerprint_of(self.key), done.stdout)
        self.assertEqual(self.unlock(), SUCCESS)
        locks = lab.keys.string(bytes([LOCK]) + lab.keys.string(PASSWORD)).hex()
        lock = ("import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
                "s.sendall(bytes.fromhex(sys.argv[2])); assert s.recv(5)[4] == 6")
        remote = (f"/usr/bin/python3 -c {shlex.quote(lock)} {shlex.quote(self.agent.socket)} {locks} && {script}")
        done = self.agent.run(*self.host.ssh("-A", "one.example", remote))
        self.assertNotIn("I am in", done.stdout)
        self.assertIn("no identities", done.stdout)
        self.assertEqual((self.locked(), self.questions), (True, []), done.stderr)


if __name__ == "__main__":
    unittest.main()
