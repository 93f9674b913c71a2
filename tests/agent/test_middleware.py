"""Security keys through the library that ssh-add -S names: what a person does, what it may do, who may name one."""
import os
import shutil
import signal

import lab
from bed import AgentTest
from lab import client as c, keys
from lab.keys import string
from lab.security_key import AUTHENTICATOR, DUMMY, MODULES, TOUCH, VERIFY, Enrolled, Instructed

PROVIDER = "sk-provider@openssh.com"


def added(key, library, comment="a key"):
    """The body of message 25 for a key and its library."""
    return key.private + string(comment) + c.constraint(PROVIDER, string(str(library)))


class Case(AgentTest):
    """An agent without a token that may load the tests' libraries, and a folder for keys."""

    provider = None
    options = ("-P", f"{os.path.realpath(MODULES)}/*,/usr/lib*/*,/tmp/*")

    def setUp(self):
        super().setUp()
        self.folder = lab.Folder()
        self.addCleanup(self.folder.close)
        self.folder.path.chmod(0o755)

    def enrolled(self, kind="ed25519-sk", options=()):
        return Enrolled(self.folder, kind, options)

    def ssh_add(self, *arguments):
        return self.agent.run("ssh-add", "-q", *[str(one) for one in arguments])

    def gives(self, key, library=DUMMY):
        """ssh-add -S, which has to succeed."""
        done = self.ssh_add("-S", library, key.path)
        self.assertEqual(done.returncode, 0, done.stderr + self.agent.log())
        return key

    def given(self, word="", flags=TOUCH, library=AUTHENTICATOR):
        """A key that tells the misbehaving library what to do, added by message."""
        key = Instructed(word, flags)
        with lab.AgentClient(self.agent) as one:
            number = one.call(c.ADD_CONSTRAINED, added(key, library))[0]
        self.assertEqual(number, c.SUCCESS, self.agent.log())
        return key

    def blobs(self):
        return [one.blob for one in self.serves()]

    def signs(self, key, client=None, data=b"data", blob=None):
        """A right signature is made; the presence in it."""
        with lab.AgentClient(self.agent) as own:
            signature = (client or own).sign(blob or key.blob, data)
        self.assertIsNotNone(signature, self.agent.log())
        keys.verify(key.blob, signature, data)
        return keys.presence_in(signature)

    def refuses(self, key, words, client=None, data=b"data"):
        """No signature comes, and the status says why."""
        with lab.AgentClient(self.agent) as own:
            self.assertIsNone((client or own).sign(key.blob, data))
        self.assertIn(words, self.agent.refusals()[0])

    def pids(self, count):
        """The workers' processes, once there are so many: each add has one that finds the library's place."""
        return lab.wait_for(f"{count} workers", lambda: self._pids(count))

    def _pids(self, count):
        found = [one.pid for one in self.agent.workers()
                 if one.parent == self.agent.pid and one.name.startswith("keystile-worker")]
        return (found,) if len(found) == count else None


class SecurityKeys(Case):
    def test_both_kinds_are_added_listed_and_sign(self):
        for kind in ("ed25519-sk", "ecdsa-sk"):
            with self.subTest(kind):
                key = self.gives(self.enrolled(kind))
                self.assertIn(key.blob, self.blobs())
                self.assertEqual(self.signs(key), TOUCH)
        self.assertEqual(len(self.blobs()), 2)
        self.pids(1)

    def test_ssh_logs_in_with_one(self):
        key = self.gives(self.enrolled())
        with lab.Sshd() as host:
            host.allow(keys.line_of(key.blob))
            done = self.agent.run(*host.ssh("lab", "echo", "I am in"))
            self.assertEqual((done.stdout, done.returncode), ("I am in\n", 0), done.stderr)

    def test_a_certificate_is_added_with_its_key_and_signs(self):
        for kind in ("ed25519-sk", "ecdsa-sk"):
            with self.subTest(kind):
                key = self.enrolled(kind)
                certificate = key.certify(self.folder)
                self.gives(key)
                self.assertIn(certificate, self.blobs())
                self.signs(key, blob=certificate)

    def test_a_key_that_is_removed_is_gone_from_the_list(self):
        first, second = self.gives(self.enrolled()), self.gives(self.enrolled())
        self.assertEqual(self.ssh_add("-d", first.path).returncode, 0)
        self.assertEqual(self.blobs(), [second.blob])
        self.signs(second)
        self.assertEqual(self.ssh_add("-D").returncode, 0)
        self.assertEqual(self.blobs(), [])

    def test_each_library_has_a_worker_of_its_own(self):
        self.gives(self.enrolled())
        self.given()
        self.pids(2)

    def test_a_library_by_another_name_is_the_same_one(self):
        link = self.folder.path / "link.so"
        link.symlink_to(DUMMY)
        self.gives(self.enrolled())
        self.gives(self.enrolled(), link)
        self.assertEqual(len(self.blobs()), 2)
        self.pids(1)


class WhoMayNameOne(Case):
    options = ("-P", "/usr/lib*/*")

    def is_refused(self, client, library=DUMMY):
        key = Instructed()
        self.assertEqual(client.call(c.ADD_CONSTRAINED, added(key, library))[0], c.FAILURE)
        self.assertEqual(self.blobs(), [])

    def test_a_library_that_the_list_does_not_allow_is_not_loaded(self):
        key = self.enrolled()
        copy = self.folder.path / "copy.so"
        shutil.copyfile(DUMMY, copy)
        for library in (AUTHENTICATOR, copy, f"/usr/lib/../..{copy}"):
            with self.subTest(str(library)):
                self.assertNotEqual(self.ssh_add("-S", library, key.path).returncode, 0)
                self.assertIn("not in the list of allowed providers", self.agent.refusals()[0])
        self.assertEqual(self.blobs(), [])
        self.pids(0)
        self.gives(key)

    def test_a_link_in_an_allowed_folder_allows_nothing_behind_it(self):
        agent = self.start(options=["-P", f"{self.folder.path}/*"])
        link = self.folder.path / "link.so"
        link.symlink_to(DUMMY)
        with lab.AgentClient(agent) as one:
            self.assertEqual(one.call(c.ADD_CONSTRAINED, added(Instructed(), link))[0], c.FAILURE)

    def test_a_file_that_others_can_write_is_not_loaded(self):
        agent = self.start(options=["-P", f"{self.folder.path}/*"])
        copy = self.folder.path / "copy.so"
        shutil.copyfile(DUMMY, copy)
        copy.chmod(0o666)
        with lab.AgentClient(agent) as one:
            message = added(Instructed(), copy)
            self.assertEqual(one.call(c.ADD_CONSTRAINED, message)[0], c.FAILURE)
            copy.chmod(0o644)
            self.assertEqual(one.call(c.ADD_CONSTRAINED, message)[0], c.SUCCESS)

    def test_relative_and_missing_libraries_are_refused(self):
        for library in ("sk-dummy.so", "./x", "", "/nonexistent.so", "middleware:" + DUMMY):
            with self.subTest(library), lab.AgentClient(self.agent) as one:
                self.is_refused(one, library)

    def test_a_connection_that_is_bound_may_name_none(self):
        one = self.client()
        self.assertEqual(one.bind(lab.HostKey(), b"s" * 32), c.SUCCESS)
        self.is_refused(one)

    def test_an_option_lets_a_bound_connection_name_one(self):
        agent = self.start(options=["-P", "/usr/lib*/*", "-O", "allow-remote-pkcs11"])
        with lab.AgentClient(agent) as one:
            self.assertEqual(one.bind(lab.HostKey(), b"s" * 32), c.SUCCESS)
            self.assertEqual(one.call(c.ADD_CONSTRAINED, added(Instructed(), DUMMY))[0], c.SUCCESS, agent.log())

    def test_a_remote_connection_may_name_none(self):
        self.is_refused(self.client(self.agent.remote_socket))
        forwarded = self.client()
        self.assertEqual(forwarded.bind(lab.HostKey(), b"s" * 32, forwarding=True), c.SUCCESS)
        self.is_refused(forwarded)

    def test_keys_of_other_kinds_have_no_library(self):
        key = Instructed()
        reader = keys.Reader(key.blob)
        point = [reader.string() for _ in range(2)][1]
        plain = string("ssh-ed25519") + string(point) + string(key.seed + point) + string("")
        body = plain + c.constraint(PROVIDER, string(DUMMY))
        with lab.AgentClient(self.agent) as one:
            self.assertEqual(one.call(c.ADD_CONSTRAINED, body)[0], c.FAILURE)

    def test_it_is_no_provider_for_ssh_add_s(self):
        with lab.AgentClient(self.agent) as one:
            self.assertEqual(one.add_token(f"middleware:{DUMMY}"), c.FAILURE)
        self.pids(0)


class Misdeeds(Case):
    def setUp(self):
        super().setUp()
        self.well = self.given()

    def test_a_crash_costs_the_one_signature(self):
        crash = self.given("crash")
        before = self.pids(1)
        self.refuses(crash, "the library")
        self.assertEqual(self.blobs(), [self.well.blob, crash.blob])
        self.signs(self.well)
        self.assertEqual(self.pids(1), before)

    def test_who_stops_waiting_for_a_touch_keeps_the_keys(self):
        hang = self.given("hang")
        ((worker,),) = before = self.pids(1)
        client = self.client()
        client.send(c.SIGN, client.sign_request(hang.blob, b"data"))
        lab.wait_for("the library runs", lambda: lab.descendants(worker))
        client.close()
        lab.wait_for("it was ended", lambda: not lab.descendants(worker))
        self.signs(self.well)
        self.assertEqual(self.pids(1), before)

    def test_a_touch_that_never_comes_keeps_nobody_else_waiting(self):
        hang = self.given("hang")
        other = self.gives(self.enrolled())
        client = self.client()
        client.send(c.SIGN, client.sign_request(hang.blob, b"data"))
        self.assertEqual(len(self.blobs()), 3)
        self.signs(other)

    def test_a_touch_that_never_comes_keeps_no_key_of_its_library_from_coming_and_going(self):
        hang = self.given("hang")
        ((worker,),) = before = self.pids(1)
        client = self.client()
        client.send(c.SIGN, client.sign_request(hang.blob, b"data"))
        lab.wait_for("the library runs", lambda: lab.descendants(worker))
        with self.client() as one:
            for blob in (self.well.blob, hang.blob):
                self.assertEqual(one.call(c.REMOVE, string(blob))[0], c.SUCCESS)
        again = self.given()
        self.assertEqual(self.blobs(), [again.blob])
        self.assertTrue(lab.descendants(worker), "the signature was over before")
        client.close()
        self.signs(again)
        self.assertEqual(self.pids(1), before)

    def test_a_key_that_is_removed_while_it_signs_gives_no_signature(self):
        key = self.given("stop")
        ((worker,),) = self.pids(1)
        client = self.client()
        client.send(c.SIGN, client.sign_request(key.blob, b"data"))
        (library,) = lab.wait_for("the library stopped", lambda: [one for one in lab.descendants(worker) if one.stopped()])
        self.assertEqual(self.client().call(c.REMOVE, string(key.blob))[0], c.SUCCESS)
        os.kill(library.pid, signal.SIGCONT)
        self.assertEqual(client.receive()[0], c.FAILURE)
        self.assertIn("was removed before", self.agent.refusals()[0])

    def test_a_signature_by_another_key_is_never_given_out(self):
        with self.client() as one:
            self.assertIsNone(one.sign(self.given("garbage").blob, b"data"))
        self.assertIn("not made with the key", self.agent.refusals()[0])

    def test_a_library_that_is_taken_away_is_told_of(self):
        library = self.folder.path / "library.so"
        shutil.copyfile(AUTHENTICATOR, library)
        key = self.given(library=library)
        self.signs(key)
        library.unlink()
        self.refuses(key, "is not there")
        self.signs(self.well)

    def test_keys_of_a_worker_that_ended_are_gone_and_can_be_added_again(self):
        ((worker,),) = self.pids(1)
        os.kill(worker, signal.SIGKILL)
        lab.wait_for("its keys are gone from the list", lambda: self.blobs() == [])
        self.signs(self.given())


class Presence(Case):
    def remote(self):
        """A forwarded connection, and a login that it may ask for."""
        host, sid = lab.HostKey(), b"s" * 32
        one = self.client()
        self.assertEqual(one.bind(host, sid, forwarding=True), c.SUCCESS)
        return one, host, sid

    def test_a_key_that_needs_no_touch_gives_one_for_a_remote_request(self):
        key = self.given(flags=0)
        self.assertEqual(self.signs(key), 0)
        one, host, sid = self.remote()
        login = self.login(sid, host.blob, key.blob)
        self.assertEqual(self.signs(key, one, login), TOUCH)

    def test_a_remote_request_without_the_touch_in_the_signature_is_refused(self):
        key = self.given("untouched", flags=0)
        self.assertEqual(self.signs(key), 0)
        one, host, sid = self.remote()
        self.refuses(key, "without the touch", one, self.login(sid, host.blob, key.blob))

    def unattended(self, *options):
        """An agent that has no way to tell anybody of anything."""
        self.agent = lab.Agent(options=[*self.options, *options])
        self.addCleanup(self.agent.stop)

    def test_a_remote_request_whose_touch_nobody_can_be_told_of_is_refused(self):
        self.unattended()
        key = self.given()
        self.assertEqual(self.signs(key), TOUCH)
        one, host, sid = self.remote()
        self.refuses(key, "nobody could be told of the touch: nobody can be asked", one,
                     self.login(sid, host.blob, key.blob))

    def test_where_no_presence_is_needed_nobody_has_to_be_told(self):
        self.unattended("-O", "allow-remote-without-presence")
        key = self.given()
        one, host, sid = self.remote()
        self.assertEqual(self.signs(key, one, self.login(sid, host.blob, key.blob)), TOUCH)

    def test_the_pin_that_a_key_wants_is_asked_for(self):
        key = self.given("pin", flags=TOUCH | VERIFY)
        self.assertEqual(self.signs(key), TOUCH | VERIFY)
        self.assertTrue(any("authenticator.so" in one for one in self.askpass.prompts()))

    def test_a_wrong_pin_is_refused_and_not_sent_again(self):
        self.askpass.prints("4321")
        self.refuses(self.given("pin", flags=TOUCH | VERIFY), "did not take the PIN")


class Rules(Case):
    """Presence that a rule demands of a local request, by a key that wants none itself."""

    config = ("rule touched { origin = local subject = sshsig then = touch }\n"
              "rule typed { origin = local subject = login then = pin }\n")

    def test_a_touch_is_in_the_signature_where_a_rule_demands_one(self):
        key = self.given(flags=0)
        self.assertEqual(self.signs(key), 0)
        self.assertEqual(self.signs(key, data=lab.sshsig(b"x")), TOUCH)
        self.refuses(self.given("untouched", flags=0), "without the touch", data=lab.sshsig(b"x"))

    def test_a_pin_is_asked_for_each_time_where_a_rule_demands_one(self):
        key = self.given("pin", flags=0)
        for count in (1, 2):
            self.assertEqual(self.signs(key, data=self.login(key=key.blob)) & VERIFY, VERIFY)
            self.assertEqual(sum("PIN" in one for one in self.askpass.prompts()), count)


if __name__ == "__main__":
    import unittest
    unittest.main()
