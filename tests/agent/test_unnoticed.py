"""
The faults that OpenSSH's own tests pass over: one test for each. Its comment names the function and the condition that
it guards; mutations.py takes that condition away, and tests/mutate shows that the test then fails.
"""
import contextlib
import os
import pwd
import re
import signal
import stat
import unittest

import lab
import mutations
from bed import AgentTest
from lab import client as c
from lab.added import AddedKey, destination_host, destinations, hop
from lab.keys import string
from lab.security_key import AUTHENTICATOR, MODULES, Instructed

ROOT = os.getuid() == 0
SOFTHSM = lab.softhsm.MODULE
LOCK, UNLOCK = 22, 23
SID, OTHER_SID = b"s" * 32, b"t" * 32
SITE = "https://site.example"


class UnnoticedTest(AgentTest):
    """An agent without a token; .key is the blob of a key that ssh-add gave it."""

    provider = None
    constraints = b""

    def setUp(self):
        super().setUp()
        self.added = AddedKey("ed25519")
        self.key = self.added.blob
        self.add(self.added, self.constraints)

    def add(self, key, constraints=b"", client=None):
        with lab.AgentClient(self.agent) as own:
            answer = (client or own).call(c.ADD_CONSTRAINED, key.body("a key", constraints))[0]
        self.assertEqual(answer, c.SUCCESS, self.agent.log())

    def signs(self, client, data):
        signature = client.sign(self.key, data)
        self.assertIsNotNone(signature, self.agent.log())
        lab.verify(self.key, signature, data)

    def refuses(self, client, data):
        self.assertIsNone(client.sign(self.key, data))

    def lists(self, client):
        return [one.blob for one in client.list()]


class Binds(UnnoticedTest):
    def test_a_bind_is_verified(self):
        # verify() in session_bind.c: the host's signature over the session.
        host, other = lab.HostKey(), lab.HostKey()
        for signature in (host.sign(OTHER_SID), other.sign(SID)):
            for forwarding in (False, True):
                client = self.client()
                self.assertEqual(client.bind(host, SID, forwarding, signature), c.EXTENSION_FAILURE)
                self.assertEqual(self.agent.newest_connection()["binds"], 0)
        self.assertEqual(self.client().bind(host, SID), c.SUCCESS)

    def test_nothing_is_bound_after_an_authentication(self):
        # ask_records() in session_bind.c: a record that is not forwarding refuses.
        for forwarding in (False, True):
            client = self.client()
            self.assertEqual(client.bind(lab.HostKey(), SID), c.SUCCESS)
            self.assertEqual(client.bind(lab.HostKey(), OTHER_SID, forwarding), c.EXTENSION_FAILURE)
            self.assertEqual(self.agent.newest_connection()["binds"], 1)

    def test_a_bind_that_failed_is_remembered(self):
        # bind_session() in dispatch.c: whatever was refused makes the connection remote, which source_listed() in
        # key_rules.c and rules[] in dispatch.c look at. "attempted" in session_bind_add() alone would hide the key too.
        host = lab.HostKey()
        restricted = AddedKey("p256")
        self.add(restricted, destinations(hop(destination_host(host="there", host_keys=[host.blob]))))
        self.assertEqual(self.lists(self.client()), [self.key, restricted.blob])
        for answer in (lambda one: one.bind(host, SID, signature=host.sign(OTHER_SID)),
                       lambda one: one.extension("session-bind@openssh.com", b"nonsense")[0]):
            client = self.client()
            self.assertEqual(answer(client), c.EXTENSION_FAILURE)
            self.assertEqual(self.lists(client), [self.key])
            self.assertEqual(self.agent.newest_connection()["origin"], "remote")
            self.assertEqual(client.remove_all(), c.FAILURE)


class Destinations(UnnoticedTest):
    """The key may be used for the second host, directly and through the first."""

    # Or the refusal of remote requests for such keys would hide what is tested.
    options = ("-O", "allow-remote-without-presence")

    def setUp(self):
        self.first, self.second, self.stranger = (lab.HostKey() for _ in range(3))
        first, second = (destination_host(host=name, host_keys=[host.blob])
                         for name, host in (("first", self.first), ("second", self.second)))
        self.constraints = destinations(hop(first), hop(second), hop(second, origin=first))
        super().setUp()

    def bound(self, through=False):
        client = self.client()
        if through:
            self.assertEqual(client.bind(self.first, OTHER_SID, forwarding=True), c.SUCCESS)
        self.assertEqual(client.bind(self.second, SID), c.SUCCESS)
        return client

    def test_a_restricted_key_signs_for_the_session_that_was_bound_last(self):
        # login_refusal() in destination.c: the session id of the login is that of the last bind.
        for through in (False, True):
            client = self.bound(through)
            for sid in (OTHER_SID, SID[:-1], SID + b"s", b"u" * 32):
                self.refuses(client, self.login(sid, self.second.blob))
            self.signs(client, self.login(SID, self.second.blob))

    def test_a_restricted_key_signs_for_the_host_that_was_bound_last(self):
        # login_refusal() in destination.c: the host key in the login is that of the last bind.
        for through in (False, True):
            client = self.bound(through)
            for host in (self.first, self.stranger):
                self.refuses(client, self.login(SID, host.blob))
            self.signs(client, self.login(SID, self.second.blob))

    def test_a_restricted_key_signs_for_afar_only_what_names_its_host(self):
        # login_refusal() in destination.c: with more than one bind a login has to be hostbound.
        self.refuses(self.bound(through=True), self.login(SID))
        self.signs(self.bound(through=True), self.login(SID, self.second.blob))
        self.signs(self.bound(), self.login(SID))

    def no_logins(self):
        """Data that is no login with the key, though all of it but one thing may be right."""
        login = self.login(SID)
        other = lab.userauth(SID, "joe", AddedKey("ed25519").blob)
        key = string(self.key)
        changes = ((SID + b"\x32", SID + b"\x33"), (b"ssh-connection", b"ssh-connectiom"), (b"publickey", b"publickez"),
                   (b"publickey\x01", b"publickey\x00"), (string("ssh-ed25519") + key, string("ssh-ed25518") + key))
        for before, after in changes:
            self.assertEqual(login.count(before), 1)
            yield login.replace(before, after)
        yield from (other, login + b"\0", login[:-1], lab.sshsig(b"message"), b"data", b"")

    def test_a_restricted_key_signs_logins_alone(self):
        # destination_refusal_at() in destination.c: what is no login is refused; and parse_login() in subject.c, which
        # tells what is one, field by field.
        client = self.bound()
        for data in self.no_logins():
            self.refuses(client, data)
        self.signs(client, self.login(SID))


class Process(UnnoticedTest):
    @unittest.skipUnless(ROOT, "only root can be another user")
    def test_other_users_are_not_served(self):
        # may_connect() in connection.c: the peer's uid is our own or 0.
        for path in (self.agent.home, self.agent.home / "run", self.agent.own_folder.parent, self.agent.own_folder):
            os.chmod(path, 0o755)
        nobody = pwd.getpwnam("nobody")
        wrapper = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
        with lab.Actor(wrapper=wrapper) as actor:
            for path in (self.agent.socket, self.agent.remote_socket):
                os.chmod(path, 0o666)
                client = actor.connect(path)
                with contextlib.suppress(BrokenPipeError):
                    client.send(c.LIST)
                self.assertTrue(client.closed())
        self.assertEqual(self.lists(self.client()), [self.key])

    def test_sockets_are_their_owners_alone(self):
        # socket_place_at() in socket_place.c: the mask while a socket is made.
        mask = os.umask(0)
        try:
            agent = self.start()
        finally:
            os.umask(mask)
        sockets = [agent.socket, agent.remote_socket, agent.own_folder / "control.sock"]
        self.assertEqual([oct(stat.S_IMODE(os.lstat(path).st_mode)) for path in sockets], ["0o600"] * 3)

    def test_the_process_can_not_be_looked_into(self):
        # harden() in main.c: PR_SET_DUMPABLE. The kernel gives the files of such a process to root. A build for
        # sanitizers leaves it out: they look into the process themselves.
        user = "nobody" if ROOT else pwd.getpwuid(os.getuid()).pw_name
        sanitized = b"__asan_init" in lab.AGENT.read_bytes()
        with lab.Agent(user=user if ROOT else None) as agent:
            owner = os.stat(f"/proc/{agent.pid}/environ").st_uid
        self.assertEqual(owner, pwd.getpwnam(user).pw_uid if sanitized else 0)

    def test_the_socket_goes_with_the_agent(self):
        # remove_socket() in listener.c: the paths of sockets are unlinked; deinit() in agent.c: so are folders.
        for arguments in ([], ["-T"], ["-a", "here.sock"]):
            with lab.Folder() as folder:
                done = lab.run_well([lab.AGENT, "-s", *arguments], env=lab.environment(folder.path), cwd=folder.path)
                path, pid = re.search(r"SSH_AUTH_SOCK=([^;]*);.*SSH_AGENT_PID=(\d+);", done.stdout, re.S).groups()
                self.assertTrue((folder.path / path).is_socket())
                process = lab.Process(int(pid))
                os.kill(process.pid, signal.SIGTERM)
                lab.wait_for("the agent ends", lambda: not process.alive())
                left = [one for one in folder.path.rglob("*") if one.is_socket() or one.name.startswith("agent-")]
                self.assertEqual(left, [])
                self.assertEqual(list((folder.path / "tmp").iterdir()), [])


class Keys(UnnoticedTest):
    options = ("-P", f"{os.path.realpath(MODULES)}/*")

    def test_a_lock_locks(self):
        # take_lock() in lock.c: "locked" is set; list() and extension() in dispatch.c look at it, and find_rule() does
        # for every message whose rule says that it is not there while the agent is locked.
        client = self.client()
        self.assertEqual(client.call(LOCK, string("word"))[0], c.SUCCESS)
        for one in (client, self.client()):
            self.assertEqual(one.list(), [])
            self.refuses(one, b"data")
            for number, body in ((c.ADD, self.added.body()), (c.REMOVE, string(self.key)), (c.REMOVE_ALL, b""),
                                 (c.EXTENSION, string("query")), (LOCK, string("word"))):
                self.assertEqual(one.call(number, body), (c.FAILURE, b""), number)
        self.assertEqual(client.call(UNLOCK, string("other"))[0], c.FAILURE)
        self.assertEqual(client.list(), [])
        self.assertEqual(client.call(UNLOCK, string("word"))[0], c.SUCCESS)
        self.assertEqual(self.lists(client), [self.key])
        self.signs(client, b"data")

    def test_a_confirmation_is_asked_for(self):
        # sign_begin() in sign.c: a verdict that wants a confirmation; it comes from parse_confirm() in constraints.c
        # through key_wants_confirmation() in key_rules.c and policy_decide() in policy.c.
        client = self.client()
        self.signs(client, b"data")
        self.assertEqual(self.askpass.prompts(), [])
        self.add(self.added, c.confirm())
        for does, answered in ((self.askpass.refuses, self.refuses), (self.askpass.agrees, self.signs)):
            does()
            before = len(self.askpass.prompts())
            answered(client, b"data")
            self.assertEqual(len(self.askpass.prompts()), before + 1)

    def test_a_web_sites_key_signs_nothing_for_the_web(self):
        # sign_decide() in sign_check.c: what websafe_permits() in websafe.c says, with options_parse()'s list.
        key = Instructed(application=SITE)
        body = key.private + string("a key") + c.constraint("sk-provider@openssh.com", string(str(AUTHENTICATOR)))
        client = self.client()
        self.assertEqual(client.call(c.ADD_CONSTRAINED, body)[0], c.SUCCESS, self.agent.log())
        self.key = key.blob
        self.refuses(client, b"\x5a" * 32 + b"\x05\0\0\0\1" + b"\x77" * 32)
        self.signs(client, self.login(SID))
        self.signs(client, lab.sshsig(b"message"))

    def test_a_provider_that_the_list_does_not_allow_is_not_loaded(self):
        # may_load() in provider_load.c: agent_provider_allowed() for the canonical path.
        with lab.SoftHSM() as hsm:
            hsm.token().bring("p256")
            for allowed, answer in (("/opt/*", c.FAILURE), ("/usr/lib/*", c.SUCCESS)):
                agent = self.start(options=("-P", allowed), env=hsm.env)
                with lab.AgentClient(agent) as client:
                    self.assertEqual(client.add_token(SOFTHSM, hsm.tokens[0].pin), answer, agent.log())
                    self.assertEqual(len(client.list()), int(answer == c.SUCCESS))
                agent.stop()

    def test_the_extensions_are_told(self):
        # extension() in dispatch.c: the branch for "query"; and what query() puts into its answer.
        client = self.client()
        self.assertEqual(client.query(), ["session-bind@openssh.com"])
        answer = client.extension("query")
        self.assertEqual(answer, (c.EXTENSION_RESPONSE, string("query") + string("session-bind@openssh.com")))
        self.assertEqual(client.extension("quer")[0], c.FAILURE)


class Providers(UnnoticedTest):
    """Of two kinds: a module, and a library that uses a security key."""

    def setUp(self):
        self.hsm = lab.SoftHSM()
        self.addCleanup(self.hsm.close)
        self.hsm.token().bring("p256")
        super().setUp()

    def start(self, options=(), **rest):
        return super().start(options=("-P", f"/usr/lib/*,{os.path.realpath(MODULES)}/*", *options), env=self.hsm.env, **rest)

    def loads(self, client):
        """Whether either is loaded; the list tells so of an agent that lies."""
        before = len(self.serves())
        key = Instructed()
        body = key.private + string("a key") + c.constraint("sk-provider@openssh.com", string(str(AUTHENTICATOR)))
        loaded = [client.add_token(SOFTHSM, self.hsm.tokens[0].pin), client.call(c.ADD_CONSTRAINED, body)[0]]
        self.assertEqual(len(self.serves()) - before, loaded.count(c.SUCCESS))
        return [one == c.SUCCESS for one in loaded]

    def bound(self, **options):
        client, host = self.client(), lab.HostKey()
        client.bind(host, SID, **options)
        return client

    def unbound_ssh(self):
        """Such a one may add keys (AddKeysToAgent), whoever is behind it."""
        actor = lab.Actor("ssh")
        self.addCleanup(actor.close)
        return actor.connect(self.agent)

    def test_who_is_not_here_loads_no_provider(self):
        # rules[] in dispatch.c: adding a token is for local connections; objection() in key_request.c: so is naming a
        # library; may_load() in provider_request.c and objection(): and only where session_bind_add() noted no bind.
        for client in (self.client(self.agent.remote_socket), self.unbound_ssh(), self.bound(forwarding=True),
                       self.bound(signature=b"forged"), self.bound()):
            self.assertEqual(self.loads(client), [False, False])
        self.agent = self.start(options=("-O", "allow-remote-pkcs11"))
        self.assertEqual(self.loads(self.bound(forwarding=True)), [False, False])
        self.assertEqual(self.loads(self.client()), [True, True])


class Table(unittest.TestCase):
    """mutations.py is about the sources as they are, and about the tests above."""

    def test_each_fault_can_still_be_put_in(self):
        for one in mutations.ALL:
            with self.subTest(one.fault):
                text = (lab.ROOT / one.file).read_text()
                self.assertEqual(text.count(one.old), 1)
                self.assertNotEqual(one.old, one.new)

    def test_each_test_here_has_a_fault_and_each_fault_a_test(self):
        here = {name for value in list(globals().values()) if isinstance(value, type) and issubclass(value, UnnoticedTest)
                for name in vars(value) if name.startswith("test_")}
        self.assertEqual(here, {one.test for one in mutations.ALL if one.here == mutations.HERE})
        self.assertEqual(len(here), 17)

    def test_each_fault_names_a_test_that_is_there(self):
        for one in mutations.ALL:
            self.assertIn(f"    def {one.test}(self):\n", (lab.ROOT / one.here).read_text())


if __name__ == "__main__":
    unittest.main()
