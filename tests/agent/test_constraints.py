"""Where keys may be used: destinations that the real ssh-add -h gives, held on chains of the real ssh and sshd."""
import getpass
import os
import pathlib
import signal

import bed
import lab
import token_bed
from lab import client as c
from lab.keys import string

PIN = "1234"


class Chain(token_bed.Case):
    """
    Four hosts, the last of which shows a certificate, and one key that all of them take: .key is
    its blob. .add(hops) adds it with ssh-add -h.
    """

    @classmethod
    def setUpClass(cls):
        cls.folder = lab.Folder()
        cls.addClassCleanup(cls.folder.close)
        authority = cls.folder.path / "authority"
        lab.run_well(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", authority])
        cls.hosts = []
        for name in ("first", "second", "third", "certified"):
            host = lab.Sshd(names=(name,), authority=authority if name == "certified" else None)
            cls.addClassCleanup(host.close)
            cls.hosts.append(host)
        cls.known = cls.folder.path / "known_hosts"
        cls.known.write_text("".join(host.known_hosts.read_text() for host in cls.hosts))
        cls.make_key()

    def way(self, *names, forwarding=False):
        """The words that log in at the last host through all before it; it may forward as well."""
        words = []
        for number, name in enumerate(names, 1):
            host = next(one for one in self.hosts if name in one.names)
            words += host.ssh(*(["-A"] if forwarding or number < len(names) else []), name)
        return words

    def constraints(self, hops):
        return ["-H", str(self.known), *(word for hop in hops for word in ("-h", hop))]

    def reaches(self, *names):
        done = self.agent.run(*self.way(*names), "echo", "I am in")
        self.assertEqual((done.stdout, done.returncode), ("I am in\n", 0), done.stderr + self.agent.log())

    def is_refused(self, *names):
        done = self.agent.run(*self.way(*names), "echo", "I am in")
        self.assertNotEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertIn("Permission denied", done.stderr)

    def lists_from(self, *names):
        """How many keys ssh-add -l tells at the end of a way whose every host forwards."""
        done = self.agent.run(*self.way(*names, forwarding=True), "ssh-add", "-l")
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return len(done.stdout.splitlines()) if done.returncode == 0 else 0


class Rules:
    """The same for keys in memory and on a token."""

    def test_a_key_for_one_host_logs_in_there_and_nowhere_else(self):
        self.add("first")
        self.assertEqual(self.blobs(), [self.key])
        self.reaches("first")
        self.is_refused("second")
        self.assertEqual(self.lists_from("first"), 0)

    def test_forwarded_it_goes_where_a_hop_leads(self):
        self.add("first", "first>second")
        self.reaches("first")
        self.assertEqual(self.lists_from("first"), 1)
        self.reaches("first", "second")
        self.is_refused("first", "third")
        self.is_refused("second")
        self.assertEqual(self.lists_from("first", "second"), 0)

    def test_each_hop_of_a_long_way_is_needed(self):
        self.add("first", "first>second", "second>third")
        self.reaches("first", "second", "third")
        self.is_refused("first", "third")

    def test_hosts_that_may_be_reached_from_here_are_not_reached_from_there(self):
        self.add("first", "second")
        self.reaches("second")
        self.is_refused("first", "second")

    def test_the_user_counts(self):
        self.add(f"{getpass.getuser()}@first", "second", "nobody@second", "nobody@third")
        self.reaches("first")
        self.reaches("second")
        self.is_refused("third")
        self.assertIn("restricted to other destinations", self.agent.refusals()[0])

    def test_a_host_certificate_is_known_by_its_authority(self):
        self.add("certified", "certified>first")
        self.reaches("certified")
        self.reaches("certified", "first")
        self.is_refused("first")

    def test_nothing_but_logins_is_signed(self):
        self.add("first")
        with lab.AgentClient(self.agent) as one:
            host = lab.HostKey()
            self.assertIsNone(one.sign(self.key, lab.sshsig(b"message")))
            self.assertIsNone(one.sign(self.key, lab.userauth(b"s" * 32, "joe", self.key)))
            self.assertEqual(one.bind(host, b"s" * 32), c.SUCCESS)
            self.assertEqual(one.list(), [])
            self.assertIsNone(one.sign(self.key, lab.userauth(b"s" * 32, "joe", self.key)))
        self.assertEqual(self.blobs(), [self.key])

    def test_a_bind_that_failed_hides_it(self):
        self.add("first")
        with lab.AgentClient(self.agent) as one:
            self.assertEqual(len(one.list()), 1)
            self.assertEqual(one.extension("session-bind@openssh.com", b"no bind")[0], c.EXTENSION_FAILURE)
            self.assertEqual(one.list(), [])

    def test_confirmation_and_lifetime_count_too(self):
        self.add("first", options=("-c", "-t", "3600"))
        self.asked.agrees()
        before = len(self.asked.prompts())
        self.reaches("first")
        self.assertEqual(len(self.asked.prompts()), before + 1)
        self.is_refused("second")
        self.assertEqual(len(self.asked.prompts()), before + 1, "asked for what is refused anyway")
        self.asked.refuses()
        self.is_refused("first")


class Memory(Rules, Chain):
    @classmethod
    def make_key(cls):
        cls.path = cls.folder.path / "key"
        lab.run_well(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "key", "-f", cls.path])
        line = pathlib.Path(f"{cls.path}.pub").read_text().strip()
        cls.key = lab.keys.blob_of_line(line)
        for host in cls.hosts:
            host.allow(line)

    def setUp(self):
        self.asked = self.askpass()
        # Keys in memory are refused to remote hosts otherwise.
        self.start(askpass=self.asked, options=("-O", "allow-remote-without-presence"))

    def add(self, *hops, options=()):
        done = self.agent.run("ssh-add", "-q", *options, *self.constraints(hops), str(self.path))
        self.assertEqual(done.returncode, 0, done.stderr + self.agent.log())

    def test_added_again_without_destinations_it_goes_everywhere(self):
        self.add("first")
        self.is_refused("second")
        self.add()
        self.reaches("second")

    def test_where_it_may_not_be_seen_it_is_not_removed(self):
        self.add("first")
        with lab.AgentClient(self.agent) as one:
            self.assertEqual(one.bind(lab.HostKey(), b"s" * 32), c.SUCCESS)
            self.assertEqual(one.remove(self.key), c.FAILURE)
        self.assertEqual(self.blobs(), [self.key])

    def test_without_any_hop_the_constraint_says_nothing(self):
        secret = lab.keys.load_private(self.path)
        body = lab.keys.add_message(secret, "key")
        empty = c.constraint("restrict-destination-v00@openssh.com", string(b""))
        with lab.AgentClient(self.agent) as one:
            self.assertEqual(one.call(c.ADD_CONSTRAINED, body + empty)[0], c.SUCCESS)
            self.assertEqual(one.call(c.ADD_CONSTRAINED, body + empty * 2)[0], c.FAILURE)
        self.reaches("second")


class Token(Rules, Chain):
    @classmethod
    def make_key(cls):
        cls.hsm = lab.SoftHSM()
        cls.addClassCleanup(cls.hsm.close)
        card = cls.hsm.token("Lab card", PIN)
        key = card.generate("p256", "login key")
        cls.key = key.blob
        for host in cls.hosts:
            host.allow(key)

    def setUp(self):
        self.asked = self.askpass(PIN)
        self.start(askpass=self.asked, env=self.hsm.env)

    def add(self, *hops, options=()):
        self.asked.prints(PIN)
        # The agent's own prompts come from the same askpass as those of ssh-add.
        done = self.agent.run("ssh-add", "-q", *options, *self.constraints(hops), "-s", self.hsm.module,
                              env=self.asked.env)
        self.assertEqual(done.returncode, 0, done.stderr + self.agent.log())

    def test_the_constraints_outlive_the_worker(self):
        self.add("first")
        lost = {worker.pid for worker in self.agent.workers()}
        for pid in lost:
            os.kill(pid, signal.SIGKILL)
        lab.wait_for("another worker has the key", lambda: self.blobs() == [self.key] and any(
            worker.pid not in lost for worker in self.agent.workers()))
        self.is_refused("second")
        self.reaches("first")


class Associated(bed.AgentTest):
    """ssh-add -C -s, which the installed ssh-add does not know: certificates by hand."""

    provider = None

    def certify(self, blob, folder):
        """A user's certificate for a key."""
        authority, public = folder / "authority", folder / "key.pub"
        if not authority.exists():
            lab.run_well(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", authority])
        public.write_text(lab.keys.line_of(blob) + "\n")
        lab.run_well(["ssh-keygen", "-q", "-s", authority, "-I", "joe", "-n", "joe", public])
        return lab.keys.blob_of_line((folder / "key-cert.pub").read_text())

    @staticmethod
    def along(certificates, only=False):
        content = b"".join(string(one) for one in certificates)
        return c.constraint("associated-certs-v00@openssh.com", bytes([only]) + string(content))

    def test_certificates_of_a_tokens_keys_are_offered_and_sign_with_the_keys(self):
        provider = "fake:lab,keys=2"
        client = self.client()
        self.load(provider)
        keys = [one.blob for one in client.list()]
        comments = [one.comment for one in client.list()]
        with lab.Folder() as folder:
            certificate = self.certify(keys[1], folder.path)
            stranger = self.certify(lab.HostKey().blob, folder.path)
        self.assertEqual(client.remove_token(provider), c.SUCCESS)
        along = self.along([stranger, certificate])
        self.assertEqual(client.add_token(provider, constraints=along), c.SUCCESS, self.agent.log())
        self.assertEqual([one.blob for one in client.list()], [keys[0], certificate, keys[1]])
        self.assertEqual([one.comment for one in client.list()], [comments[0], comments[1], comments[1]])
        data = lab.userauth(b"s" * 32, "joe", certificate)
        signature = client.sign(certificate, data)
        self.assertIsNotNone(signature, self.agent.log())
        lab.verify(keys[1], signature, data)

    def test_certificates_alone_are_offered_when_that_is_asked_for(self):
        provider = "fake:lab,keys=2"
        client = self.client()
        self.load(provider)
        keys = [one.blob for one in client.list()]
        with lab.Folder() as folder:
            certificate = self.certify(keys[0], folder.path)
        self.assertEqual(client.remove_token(provider), c.SUCCESS)
        self.assertEqual(client.add_token(provider, constraints=self.along([], True)), c.FAILURE)
        self.assertEqual(
            client.add_token(provider, constraints=self.along([certificate], True)), c.SUCCESS)
        self.assertEqual([one.blob for one in client.list()], [certificate])
        self.assertIsNone(client.sign(keys[0], b"data"))
