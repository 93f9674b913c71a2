"""Who counts as remote: each rule, and the attempts to pass as local all the same."""
import contextlib
import os
import signal
import subprocess
import unittest

import lab
from bed import LOCAL, PIN, PROVIDER, AgentTest
from lab import client as c
from lab.keys import string, u32
from lab.security_key import Instructed

CALLER = lab.BUILD / "tests" / "modules" / "caller.so"
NOBODY = 65534
ROOT = os.getuid() == 0
SID = b"s" * 32

LISTENER = "it came in on the socket for remote use"
RELAY = "the program that connected hands on the bytes of others"
SECOND = "it is not the first connection of its ssh"
UNBOUND = "ssh did not bind its session first"
OTHER_DATA = "ssh asked to sign something other than the login it bound"
NAMESPACE = "the program runs in a container (another namespace)"
UNKNOWN = "the program that connected can't be identified"
CHANGED = "the program that connected is not there any more"
CONFIGURED = "the configuration says that unknown clients are remote"
FORWARDING = "it came through a forwarded agent (ssh -A)"


def unshare(*words):
    """Needs no rights of root's where it makes a user namespace too."""
    return ["unshare", *([] if ROOT else ["-r"]), *words]


class OriginTest(AgentTest):
    def actor(self, *arguments, **options):
        actor = lab.Actor(*arguments, **options)
        self.addCleanup(actor.close)
        return actor

    def connect(self, *arguments, **options):
        return self.actor(*arguments, **options).connect(self.agent)

    def reason(self):
        return self.agent.newest_connection()["reason"]


class Listeners(OriginTest):
    def test_the_usual_socket_is_local(self):
        self.assert_local(self.client())
        self.assertEqual(self.reason(), LOCAL)

    def test_every_connection_to_the_remote_socket_is_remote(self):
        for _ in range(2):
            self.assert_remote(self.client(self.agent.remote_socket), LISTENER)

    def test_a_good_bind_does_not_make_it_local(self):
        client = self.client(self.agent.remote_socket)
        host = lab.HostKey()
        self.assertEqual(client.bind(host, SID), c.SUCCESS)
        self.assert_remote(client, LISTENER)

    def test_a_signature_for_git_says_so(self):
        public = self.agent.home / "key.pub"
        public.write_text(lab.keys.line_of(self.key))
        data = self.agent.home / "data"
        data.write_text("data")
        sign = ["ssh-keygen", "-Y", "sign", "-n", "git", "-f", public, data]
        done = self.agent.run(*sign)
        self.assertEqual((done.returncode, self.askpass.prompts()), (0, []), done.stderr)
        os.unlink(f"{data}.sig")
        done = self.agent.run(*sign, env={"SSH_AUTH_SOCK": self.agent.remote_socket})
        self.assertEqual((done.returncode, len(self.askpass.prompts())), (0, 1), done.stderr)
        self.assertIn("a git commit or tag", self.askpass.prompts()[0])


class Rights(OriginTest):
    """What a remote connection may not do."""

    bodies = {17: string("ssh-ed25519") + string(bytes(32)) + string(bytes(64)) + string(""),
              18: None, 19: b"", 9: b"", 20: string("fake:evil") + string(PIN), 21: string(PROVIDER) + string(""),
              22: string("lock"), 23: string("lock"), 25: string("ssh-ed25519") + b"\x02",
              26: string("fake:evil") + string(PIN) + c.confirm()}

    def powerless(self, client):
        before, workers = self.serves(), [one.pid for one in self.agent.workers()]
        for number, body in self.bodies.items():
            with self.subTest(number=number):
                self.assertEqual(client.call(number, string(self.key) if body is None else body),
                                 (c.FAILURE, b""))
                self.assertEqual(self.serves(), before)
                self.assertEqual([one.pid for one in self.agent.workers()], workers)
        self.assertEqual([key.blob for key in client.list()], [key.blob for key in before])
        self.assertEqual(client.query(), ["session-bind@openssh.com"])
        self.assertEqual(self.askpass.prompts(), [])

    def test_the_remote_socket_lists_signs_and_binds_and_nothing_else(self):
        self.powerless(self.client(self.agent.remote_socket))

    def test_a_forwarded_connection_lists_signs_and_binds_and_nothing_else(self):
        client = self.client()
        client.bind(lab.HostKey(), SID, forwarding=True)
        self.powerless(client)

    def test_not_even_with_the_option_for_remote_providers(self):
        self.agent = self.start(options=["-O", "allow-remote-pkcs11"])
        self.key = self.load(PROVIDER)
        self.powerless(self.client(self.agent.remote_socket))

    def test_a_secret_from_afar_keeps_nobody_waiting(self):
        far = self.client(self.agent.remote_socket)
        far.raw(u32(1000) + bytes([20]) + string("fake:evil"))
        self.load("fake:other")
        far.raw(bytes(1000 - 1 - len(string("fake:evil"))))
        self.assertEqual(far.receive()[0], c.FAILURE)

    def test_data_that_nobody_recognises_is_refused_and_nobody_is_asked(self):
        client = self.client(self.agent.remote_socket)
        login = self.login()
        for data in (b"", b"data", login[:-1], login + b"\0", login.replace(b"ssh-connection", b"ssh-userauth!!"),
                     login.replace(b"\x01" + string("ssh-ed25519"), b"\0" + string("ssh-ed25519")),
                     lab.userauth(b"", "joe", self.key), lab.userauth(SID, "joe", lab.HostKey().blob),
                     b"SSHSIG", lab.sshsig(b"data") + b"\0", lab.sshsig(b"data", namespace="")):
            with self.subTest(data[:60]):
                self.assertIsNone(client.sign(self.key, data))
        self.assertEqual(self.askpass.prompts(), [])
        self.assertEqual(self.asked(client, lab.sshsig(b"data")), 1)


class Without(OriginTest):
    provider = "fake:lab"

    def test_a_key_that_can_prove_no_presence_is_of_no_use_from_afar(self):
        client = self.client(self.agent.remote_socket)
        self.assertIsNone(client.sign(self.key, self.login()))
        self.assertEqual(self.askpass.prompts(), [])
        self.assert_local(self.client())

    def test_a_word_of_its_own_in_the_configuration_lets_it(self):
        self.agent = self.start(config="allow-remote-without-presence = true\n")
        self.key = self.load(self.provider)
        client = self.client(self.agent.remote_socket)
        self.assertEqual(self.asked(client, self.login()), 0)
        self.assertIn("allow-remote-without-presence", "".join(self.agent.status()["warnings"]))


class Relays(OriginTest):
    @contextlib.contextmanager
    def running(self, command, **options):
        """A program of ours that runs in the background."""
        with subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                              start_new_session=True, **options) as process:
            try:
                yield process
            finally:
                below = lab.descendants(process.pid)
                lab.place.end(process, signal.SIGTERM)
                for one in below:
                    if one.alive():
                        os.kill(one.pid, signal.SIGKILL)

    def test_socat_is_remote(self):
        path = self.agent.home / "relayed.sock"
        with self.running(["socat", f"UNIX-LISTEN:{path},fork", f"UNIX-CONNECT:{self.agent.socket}"]):
            lab.wait_for("socat listens", lambda: lab.listens(path))
            self.assert_remote(self.client(str(path)), RELAY)

    def test_what_socat_relays_is_remote_however_it_is_bound(self):
        path = self.agent.home / "relayed.sock"
        with self.running(["socat", f"UNIX-LISTEN:{path},fork", f"UNIX-CONNECT:{self.agent.socket}"]):
            lab.wait_for("socat listens", lambda: lab.listens(path))
            client, host = self.client(str(path)), lab.HostKey()
            self.assertEqual(client.bind(host, SID), c.SUCCESS)
            self.assertEqual(self.asked(client, self.login(SID, host.blob)), 1)

    def test_programs_that_relay_are_known_by_name(self):
        for name in ("sshd", "sshd-session", "tsh", "mosh-server", "docker", "dockerd", "buildkitd", "podman",
                     "nc.openbsd", "qemu-system-x86_64"):
            with self.subTest(name):
                self.connect(name).list()
                self.assertEqual(self.reason(), RELAY)
        for name in ("ssh-add", "sshfs", "git", "mysshd", "so"):
            self.connect(name).list()
            self.assertEqual(self.reason(), LOCAL)

    def test_more_of_them_can_be_configured(self):
        self.agent = self.start(config='relays += {"my-*", "/opt/relay"}\n')
        for name, reason in (("my-relay", RELAY), ("sshd", RELAY), ("relay", LOCAL)):
            self.connect(name).list()
            self.assertEqual(self.reason(), reason)

    def forwarded(self, sshd, option, path):
        """ssh that hands on a socket; it logs in with the agent first."""
        sshd.allow(lab.keys.line_of(self.key))
        command = sshd.ssh("-N", option, f"{path}:{self.agent.socket}", "-o", "ExitOnForwardFailure=yes", "lab")
        return self.running(command, env=self.agent.env)

    def test_what_sshd_hands_on_is_remote(self):
        path = self.agent.home / "local.sock"
        with lab.Sshd() as sshd, self.forwarded(sshd, "-L", path):
            lab.wait_for("ssh listens", lambda: lab.listens(path))
            self.assertEqual(self.askpass.prompts(), [])
            self.assert_remote(self.client(str(path)), RELAY)

    def test_what_ssh_hands_on_from_the_other_side_is_remote(self):
        path = self.agent.home / "far.sock"
        with lab.Sshd() as sshd, self.forwarded(sshd, "-R", path):
            lab.wait_for("sshd listens", lambda: lab.listens(path))
            self.assertEqual(self.askpass.prompts(), [])
            client, host = self.client(str(path)), lab.HostKey()
            self.assertEqual(client.bind(host, SID), c.SUCCESS)
            self.assertEqual(self.asked(client, self.login(SID, host.blob)), 1)
            self.assertIn(SECOND, self.askpass.prompts()[-1])


    def test_what_an_ssh_in_the_background_hands_on_is_remote(self):
        """It forked after its login: another process, whose first connection to the agent is a stranger's."""
        path, control = self.agent.home / "far.sock", self.agent.home / "control"
        with lab.Sshd() as sshd:
            sshd.allow(lab.keys.line_of(self.key))
            begin = sshd.ssh("-f", "-N", "-M", "-S", control, "-R", f"{path}:{self.agent.socket}",
                             "-o", "ExitOnForwardFailure=yes", "lab")
            subprocess.run([str(word) for word in begin], env=self.agent.env, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=True)
            try:
                lab.wait_for("sshd listens", lambda: lab.listens(path))
                self.assertEqual(self.askpass.prompts(), [])
                client, host = self.client(str(path)), lab.HostKey()
                self.assertEqual(client.bind(host, SID), c.SUCCESS)
                self.assertEqual(self.asked(client, self.login(SID, host.blob)), 1)
                self.assertIn(SECOND, self.askpass.prompts()[-1])
            finally:
                self.agent.run(*sshd.ssh("-S", str(control), "-O", "exit", "lab"))

    def test_a_relay_of_ones_own_is_remote_once_it_is_configured(self):
        self.agent = self.start(config='relays += {"handover"}\n')
        self.key = self.load(PROVIDER)
        host, relay = lab.HostKey(), self.actor("handover")
        client = relay.connect(self.agent)
        self.assertEqual(client.bind(host, SID), c.SUCCESS)
        self.assertEqual(self.asked(client, self.login(SID, host.blob)), 1)
        self.assert_remote(relay.connect(self.agent), RELAY)


class RealSsh(OriginTest):
    def setUp(self):
        super().setUp()
        self.sshd = lab.Sshd(names=("bastion", "server"))
        self.addCleanup(self.sshd.close)
        self.sshd.allow(lab.keys.line_of(self.key))

    def ssh(self, *arguments):
        return self.agent.run(*self.sshd.ssh(*arguments))

    def test_a_login_is_local_again_and_again(self):
        for _ in range(3):
            self.assertEqual(self.ssh("server", "true").returncode, 0, self.agent.log() + self.sshd.log())
        self.assertEqual(self.askpass.prompts(), [])

    def test_a_login_through_another_host_asks_and_names_both(self):
        inner = self.sshd.ssh("server", "echo", "inside")
        done = self.ssh("-A", "bastion", *inner)
        self.assertEqual(done.stdout, "inside\n", done.stderr + self.agent.log())
        self.assertEqual(len(self.askpass.prompts()), 1)
        prompt = self.askpass.prompts()[0]
        host = lab.keys.blob_of_line(self.sshd.host_key_line)
        self.assertIn("REMOTE REQUEST: ", prompt)
        self.assertEqual(prompt.count(lab.keys.fingerprint_of(host)), 2)
        self.assertNotIn("UNPROVEN", prompt)

    def test_a_far_host_can_list_but_not_sign_what_it_likes_nor_change_anything(self):
        public = self.agent.home / "key.pub"
        public.write_text(lab.keys.line_of(self.key))
        self.assertIn(lab.keys.fingerprint_of(self.key), self.ssh("-A", "bastion", "ssh-add", "-l").stdout)
        self.assertNotEqual(self.ssh("-A", "bastion", "ssh-add", "-T", str(public)).returncode, 0)
        self.assertNotEqual(self.ssh("-A", "bastion", "ssh-add", "-D").returncode, 0)
        self.assertEqual([one.blob for one in self.serves()], [self.key])
        self.assertEqual(self.askpass.prompts(), [])

    def test_logins_over_a_jump_host_are_local(self):
        done = self.ssh("-J", "bastion", "server", "echo inside")
        self.assertEqual(done.stdout, "inside\n", done.stderr + self.agent.log())
        self.assertEqual(self.askpass.prompts(), [])

    def test_what_is_forwarded_over_a_shared_connection_is_remote(self):
        control = str(self.agent.home / "control")
        first = self.sshd.ssh("-A", "-M", "-S", control, "-N", "bastion")
        with subprocess.Popen(first, env=self.agent.env, stdin=subprocess.DEVNULL, start_new_session=True) as master:
            try:
                # Another name is what ssh listens on; it gets this one then.
                lab.wait_for("the connection can be shared", lambda: os.path.exists(control))
                self.assertEqual(self.askpass.prompts(), [])
                inner = self.sshd.ssh("server", "echo", "inside")
                done = self.ssh("-S", control, "-A", "bastion", *inner)
                self.assertEqual(done.stdout, "inside\n", done.stderr + self.agent.log())
                self.assertEqual(len(self.askpass.prompts()), 1)
                self.assertIn(FORWARDING, self.askpass.prompts()[0])
            finally:
                lab.place.end(master, signal.SIGTERM)

    def test_the_remote_socket_serves_what_is_forwarded_to_it(self):
        inner = self.sshd.ssh("server", "echo", "inside")
        done = self.ssh("-o", f"ForwardAgent={self.agent.remote_socket}", "bastion", *inner)
        self.assertEqual(done.stdout, "inside\n", done.stderr + self.agent.log())
        self.assertEqual(len(self.askpass.prompts()), 1)


class PlayedSsh(OriginTest):
    """Programs that are called ssh: what an honest one never does makes it remote."""

    def setUp(self):
        super().setUp()
        self.host = lab.HostKey()
        self.ssh = self.actor("ssh")

    def bound(self):
        client = self.ssh.connect(self.agent)
        self.assertEqual(client.bind(self.host, SID), c.SUCCESS)
        return client

    def test_a_bound_login_is_local(self):
        client = self.bound()
        client.list()
        self.assertEqual(self.asked(client, self.login(SID, self.host.blob)), 0)
        self.assertEqual(self.asked(client, self.login(SID)), 0)

    def test_its_second_connection_is_remote_also_after_the_first_is_closed(self):
        for closed in (False, True):
            with self.subTest(closed=closed):
                self.ssh = self.actor("ssh")
                first = self.bound()
                if closed:
                    first.close()
                client = self.bound()
                self.assertEqual(self.asked(client, self.login(SID, self.host.blob)), 1)
                self.assertIn(SECOND, self.askpass.prompts()[-1])

    def test_another_ssh_is_not_taken_for_the_same(self):
        self.bound()
        self.ssh = self.actor("ssh")
        self.assertEqual(self.asked(self.bound(), self.login(SID)), 0)

    def test_anything_before_the_bind_makes_it_remote(self):
        messages = {"list": (c.LIST, b""), "query": (c.EXTENSION, string("query")), "unknown": (99, b""),
                    "remove all": (9, b""), "half an extension": (c.EXTENSION, b"\0\0")}
        for name, (number, body) in messages.items():
            with self.subTest(name):
                self.ssh = self.actor("ssh")
                client = self.ssh.connect(self.agent)
                client.call(number, body)
                self.assertEqual(client.bind(self.host, SID), c.SUCCESS)
                self.assertEqual(self.asked(client, self.login(SID)), 1)
                self.assertIn(UNBOUND, self.askpass.prompts()[-1])
        self.assertEqual([one.blob for one in self.serves()], [self.key])

    def test_signing_at_once_asks(self):
        self.assertEqual(self.asked(self.ssh.connect(self.agent), self.login(SID)), 1)

    def test_it_is_remote_from_its_first_bytes_on(self):
        client = self.ssh.connect(self.agent)
        client.raw(u32(5) + bytes([c.SIGN]))
        lab.wait_for("it counts as remote", lambda: self.reason() == UNBOUND)

    def test_another_session_than_the_bound_one_asks(self):
        client = self.bound()
        self.assertEqual(self.asked(client, self.login(b"t" * 32)), 1)
        self.assertIn(OTHER_DATA, self.askpass.prompts()[-1])
        self.assertEqual(self.asked(client, self.login(SID)), 1)

    def test_what_is_no_login_is_not_signed_as_local(self):
        self.assertEqual(self.asked(self.bound(), lab.sshsig(b"data")), 1)
        self.assertIn(OTHER_DATA, self.askpass.prompts()[-1])
        self.ssh = self.actor("ssh")
        self.assertIsNone(self.bound().sign(self.key, b"data"))
        self.assertEqual(len(self.askpass.prompts()), 1)

    def test_a_forwarding_bind_makes_it_remote(self):
        client = self.ssh.connect(self.agent)
        client.bind(self.host, SID, forwarding=True)
        self.assertEqual(self.asked(client, self.login(SID)), 1)
        self.assertIn(FORWARDING, self.askpass.prompts()[-1])

    def test_an_ssh_that_binds_nothing_can_be_configured_to_be_local(self):
        self.agent = self.start(config="ssh-without-session-bind = local\n")
        self.load(PROVIDER)
        client = self.ssh.connect(self.agent)
        client.list()
        self.assertEqual(self.asked(client, self.login(SID)), 0)
        second = self.ssh.connect(self.agent)
        self.assertEqual(self.asked(second, self.login(SID)), 1)

    def test_then_one_that_does_bind_is_still_held_to_it(self):
        self.agent = self.start(config="ssh-without-session-bind = local\n")
        self.load(PROVIDER)
        self.assertEqual(self.asked(self.bound(), self.login(b"t" * 32)), 1)


class Processes(OriginTest):
    def test_a_process_in_another_namespace_is_remote(self):
        kinds = {"mount": ["-m"], "user": ["-U"], "pid": ["--fork", "--kill-child", "-p"]}
        for kind, words in kinds.items():
            with self.subTest(kind):
                self.assert_remote(self.connect(wrapper=unshare(*words)), NAMESPACE)

    def test_a_process_to_which_the_socket_was_mounted_is_remote(self):
        """As a container gets it: another path in another mount namespace."""
        inside = self.agent.home / "inside.sock"
        inside.touch()
        mount = 'mount --bind "$0" "$1" && shift && exec "$@"'
        actor = self.actor(wrapper=unshare("-m", "sh", "-c", mount, self.agent.socket, str(inside)))
        self.assert_remote(actor.connect(str(inside)), NAMESPACE)
        client, host = actor.connect(str(inside)), lab.HostKey()
        self.assertEqual(client.bind(host, SID), c.SUCCESS)
        self.assertEqual(self.asked(client, self.login(SID, host.blob)), 1)

    @unittest.skipUnless(ROOT, "only root can change the root folder and stay in the namespaces")
    def test_a_process_with_another_root_is_remote(self):
        actor = self.actor()
        self.assert_local(actor.connect(self.agent))
        actor.change_root(self.agent.home)
        self.assert_remote(actor.connect("/" + os.path.basename(self.agent.socket)), NAMESPACE)

    def test_a_process_that_became_another_program_before_it_asks_gets_no_signature(self):
        for name, becomes in (("anything", "/usr/bin/sleep"), ("ssh", "/usr/bin/sleep"), ("anything", "/usr/bin/ssh")):
            with self.subTest(name=name, becomes=becomes):
                actor, host = self.actor(name), lab.HostKey()
                client = actor.connect(self.agent)
                self.assertEqual(client.bind(host, SID), c.SUCCESS)
                self.assertEqual(self.asked(client, self.login(SID, host.blob)), 0)
                actor.become(becomes)
                self.assertIsNone(client.sign(self.key, self.login(SID, host.blob)))
                self.assertEqual(self.reason(), CHANGED)

    def test_a_process_that_cannot_be_seen_is_remote(self):
        """The agent in a pid namespace of its own: who connects from outside has the number 0."""
        folder = lab.Folder()
        self.addCleanup(folder.close)
        path = folder.path / "agent.sock"
        command = unshare("--fork", "--kill-child", "-p", "--mount-proc", lab.AGENT, "-D", "-a", path)
        with subprocess.Popen([str(word) for word in command], env=lab.environment(folder.path),
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
            try:
                lab.wait_for("the agent listens", lambda: lab.listens(path))
                client = self.client(str(path))
                self.assertEqual(client.list(), [])
                self.assertEqual(client.add_token("fake:lab"), c.FAILURE)
            finally:
                process.kill()

    @unittest.skipUnless(ROOT, "only root can be another user")
    def test_a_process_that_shows_nobody_what_it_is_is_remote(self):
        nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        with lab.Agent(user="nobody") as agent, lab.Actor(wrapper=nobody) as actor:
            for hides, reason in ((False, LOCAL), (True, UNKNOWN)):
                if hides:
                    actor.hide()
                actor.connect(agent).list()
                self.assertEqual(agent.newest_connection()["reason"], reason)

    def test_a_program_that_was_deleted_is_remote(self):
        actor = self.actor("short-lived")
        self.assert_local(actor.connect(self.agent))
        os.unlink(actor.executable)
        self.assert_remote(actor.connect(self.agent), UNKNOWN)

    def test_a_name_that_looks_like_another_line_of_proc_is_a_name(self):
        """It is in /proc/PID/stat as the kernel's name of the process, and in the link to the executable."""
        actors = [self.actor(name) for name in ("a) R 1 1\n(b", "x\nUid: 0", "))) ((", "ssh (deleted", " ", "\x1b\"\n")]
        for actor in actors:
            with self.subTest(actor.executable):
                self.assert_local(actor.connect(self.agent))
                self.assertEqual(self.agent.newest_connection()["pid"], actor.pid)
        for actor in actors:
            with self.subTest(actor.executable):
                self.assert_remote(actor.connect(self.agent.remote_socket), LISTENER)
                prompt = self.askpass.prompts()[-1]
                shown = prompt.split(f"\nit came by process {actor.pid}\n", 1)[1].split("\n")
                self.assertRegex(shown[0], r'^    ".*"(\.\.\.)?$')
                self.assertEqual(shown[1:], [""])
                self.assertEqual([one for one in prompt if one != "\n" and not " " <= one <= "~"], [])

    def test_a_name_that_says_that_it_was_deleted_is_believed_to_be(self):
        self.assert_remote(self.connect("ssh (deleted)"), UNKNOWN)

    def test_unknown_clients_can_be_configured_to_be_remote(self):
        self.agent = self.start(config="unknown-clients = remote\n")
        with self.connect("ssh-add") as known:
            self.assertEqual(known.add_token(PROVIDER, PIN), c.SUCCESS)
            self.assert_local(known)
        self.assert_remote(self.client(), CONFIGURED)

    def answered(self, change):
        """The reply to a process with which something happens while the person is asked; and the key."""
        self.load("fake:always,pin=always")
        key = self.serves()[-1].blob
        go = self.agent.home / "go"
        self.askpass.does(f"until [ -e {go} ]; do sleep 0.01; done; echo {PIN}")
        actor = self.actor()
        client = actor.connect(self.agent)
        client.send(c.SIGN, client.sign_request(key, b"data"))
        self.askpass.wait_until_asked()
        change(actor)
        go.touch()
        return client.receive(), key

    def refused(self, change):
        self.assertEqual(self.answered(change)[0], (c.FAILURE, b""))
        self.assertIn(f": {CHANGED}", self.agent.log())
        self.assertEqual(self.reason(), CHANGED)

    def test_a_process_that_became_another_gets_no_signature(self):
        self.refused(lambda actor: actor.become("/bin/sleep"))

    def test_a_process_that_ended_gets_no_signature(self):
        self.refused(lambda actor: actor.end())

    @unittest.skipUnless(ROOT, "only root can choose the number of a process")
    def test_a_process_that_got_the_number_of_the_one_that_asked_gets_no_signature(self):
        self.refused(lambda actor: actor.end_and_come_again())

    def test_a_process_that_stays_what_it_is_gets_one(self):
        reply, key = self.answered(lambda actor: None)
        lab.verify(key, lab.AgentClient.signature(reply), b"data")


class UnboundSsh(OriginTest):
    """It may list and sign; what it may add is in test_keys.py."""

    def refuses(self, client, number, body=b""):
        self.assertEqual(client.call(number, body), (c.FAILURE, b""), number)

    def test_an_ssh_that_binds_nothing_changes_nothing(self):
        client = self.connect("ssh")
        token, word = string("fake:more") + string(""), string("word")
        for number, body in ((c.REMOVE, string(self.key)), (c.REMOVE_ALL, b""), (9, b""), (c.ADD_TOKEN, token),
                             (c.ADD_TOKEN_CONSTRAINED, token + c.lifetime(60)), (c.REMOVE_TOKEN, string(PROVIDER) + string("")),
                             (22, word)):
            self.refuses(client, number, body)
        with lab.AgentClient(self.agent) as own:
            self.assertEqual([one.blob for one in own.list()], [self.key])
            self.assertEqual(own.call(22, word)[0], c.SUCCESS)
            self.refuses(client, 23, word)
            self.assertEqual(own.call(23, word)[0], c.SUCCESS)


class Workers(OriginTest):
    """What a card's broken module may reach: not the agent."""

    def refuses_what_runs_below(self, backend, load):
        link, notes = self.agent.home / "link.sock", self.agent.home / "notes"
        environment = {"CALLER_SOCKET": str(link), "CALLER_NOTES": str(notes)}
        words = ", ".join(f'"{name}={value}"' for name, value in environment.items())
        notes.touch()
        agent = self.start(config=f"worker {backend} {{ environment = {{{words}}}\n grant-write = {{\"{notes}\"}} }}\n",
                           options=["-P", f"{lab.BUILD}/*"])
        link.symlink_to(agent.socket)
        self.assertEqual(load(self.client(agent)), c.FAILURE)
        # A module is not connected to the agent's socket, and a library has none, where the kernel can ask the agent.
        alone = [f"module: {one}\nchild: not started\n" for one in ("closed", "not connected", "no socket")]
        # A build with sanitizers has no filter of system calls: there it has children, which try too.
        others = "module: closed\nchild: closed\norphan: closed\n"
        lab.wait_for("all have tried", lambda: notes.read_text() in (*alone, others))
        lab.wait_for("nothing of them is left", lambda: not lab.descendants(agent.pid))

    def test_a_worker_and_what_it_starts_are_not_served(self):
        self.refuses_what_runs_below("pkcs11", lambda client: client.add_token(CALLER))

    def test_the_program_that_a_worker_calls_a_library_with_is_not_served(self):
        key = Instructed().private + string("a key") + c.constraint("sk-provider@openssh.com", string(str(CALLER)))
        self.refuses_what_runs_below("middleware", lambda client: client.call(c.ADD_CONSTRAINED, key)[0])

    def test_the_same_code_elsewhere_is_served(self):
        notes = self.agent.home / "notes"
        env = dict(os.environ, CALLER_SOCKET=self.agent.socket, CALLER_NOTES=str(notes))
        lab.run_well([lab.BUILD / "tests" / "caller"], env=env)
        lab.wait_for("all have tried", lambda: notes.read_text().count("\n") == 3)
        self.assertEqual(notes.read_text(), "module: answered\nchild: answered\norphan: answered\n")


@unittest.skipUnless(ROOT, "only root can be another user")
class Users(unittest.TestCase):
    def test_another_user_is_not_served_whatever_the_permissions(self):
        wrapper = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        with lab.Agent() as agent, lab.Actor(wrapper=wrapper) as actor:
            for path in (agent.home, agent.home / "run", agent.own_folder.parent, agent.own_folder):
                os.chmod(path, 0o755)
            for path in (agent.socket, agent.remote_socket):
                os.chmod(path, 0o666)
                client = actor.connect(path)
                with contextlib.suppress(BrokenPipeError):
                    client.send(c.LIST)
                self.assertTrue(client.closed())
            with lab.AgentClient(agent) as own:
                self.assertEqual(own.list(), [])

    def test_root_is_served_by_everybodys_agent(self):
        with lab.Agent(user="nobody") as agent, lab.AgentClient(agent) as client:
            self.assertEqual(client.list(), [])


if __name__ == "__main__":
    unittest.main()
