"""Keys that ssh-add hands over: adding, replacing, removing, lifetimes, confirmations, and who may do what."""
import os
import pathlib
import signal
import subprocess
import unittest

import lab
from bed import AgentTest
from lab import client as c
from lab.added import AddedKey
from lab.keys import string, u32

KINDS = {"ed25519": [], "ecdsa": ["-b", "256"], "ecdsa-384": ["-b", "384"], "ecdsa-521": ["-b", "521"],
         "rsa": ["-b", "2048"], "rsa-1024": ["-b", "1024"]}


class KeysTest(AgentTest):
    """An agent without a token; .make() makes key files as a person does."""

    provider = None

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.agent.home) / "keys"
        self.folder.mkdir()

    def make(self, kind="ed25519", comment=None):
        """The path of a fresh private key without a passphrase."""
        path = self.folder / f"{kind}-{len(list(self.folder.iterdir()))}"
        done = lab.run(["ssh-keygen", "-q", "-t", kind.split("-")[0], *KINDS[kind], "-N", "", "-f", str(path),
                        "-C", comment or path.name])
        self.assertEqual(done.returncode, 0, done.stderr)
        return path

    @staticmethod
    def blob(path):
        return lab.keys.blob_of_line(path.with_name(path.name + ".pub").read_text())

    def certify(self, path, user="joe", authority=None):
        """Makes PATH-cert.pub; its blob."""
        authority = authority or self.make()
        done = lab.run(["ssh-keygen", "-q", "-s", str(authority), "-I", "joe", "-n", user, f"{path}.pub"])
        self.assertEqual(done.returncode, 0, done.stderr)
        return lab.keys.blob_of_line(pathlib.Path(f"{path}-cert.pub").read_text())

    def ssh_add(self, *arguments, **options):
        return self.agent.run("ssh-add", "-q", *[str(one) for one in arguments], **options)

    def added(self, kind="ed25519", *options):
        """Adds a fresh key with ssh-add, which has to succeed; its blob."""
        path = self.make(kind)
        done = self.ssh_add(*options, path)
        self.assertEqual(done.returncode, 0, done.stderr + self.agent.log())
        return self.blob(path)

    def blobs(self):
        return [one.blob for one in self.serves()]

    def sign(self, blob, data=b"data", flags=c.RSA_SHA512):
        with lab.AgentClient(self.agent) as one:
            signature = one.sign(blob, data, flags)
        if signature is not None:
            lab.verify(blob, signature, data)
        return signature

    def message(self, kind="ed25519", comment="by hand"):
        """The body of message 17 for a fresh key, and its blob."""
        path = self.make(kind, comment)
        return lab.keys.add_message(lab.keys.load_private(path), comment), self.blob(path)


class Adding(KeysTest):
    def test_every_kind_is_added_listed_and_signs(self):
        for kind in KINDS:
            with self.subTest(kind):
                blob = self.added(kind)
                self.assertEqual(self.blobs()[-1], blob)
                self.assertIsNotNone(self.sign(blob), self.agent.log())
        self.assertEqual(len(self.blobs()), len(KINDS))

    def test_the_comment_is_the_one_that_was_given(self):
        path = self.make(comment="joe's laptop")
        self.assertEqual(self.ssh_add(path).returncode, 0)
        self.assertEqual(self.serves()[0].comment, "joe's laptop")

    def test_a_certificate_is_a_key_of_its_own_and_signs_with_the_same_key(self):
        path = self.make()
        certificate = self.certify(path)
        self.assertEqual(self.ssh_add(path).returncode, 0)
        self.assertEqual(self.blobs(), [self.blob(path), certificate])
        with lab.AgentClient(self.agent) as one:
            lab.verify(self.blob(path), one.sign(certificate, b"data"), b"data")
            self.assertEqual(one.remove(self.blob(path)), c.SUCCESS)
            lab.verify(self.blob(path), one.sign(certificate, b"data"), b"data")
        self.assertEqual(self.blobs(), [certificate])

    def test_the_order_is_that_of_adding_and_a_key_that_comes_again_stays_where_it_is(self):
        paths = [self.make() for _ in range(4)]
        for path in [*paths, paths[1]]:
            self.assertEqual(self.ssh_add(path).returncode, 0)
        self.assertEqual(self.blobs(), [self.blob(path) for path in paths])

    def test_adding_again_replaces_comment_lifetime_and_confirmation(self):
        body, blob = self.message(comment="old")
        key = body[:-len(string("old"))]
        client = self.client()
        self.assertEqual(client.call(c.ADD_CONSTRAINED, body + c.confirm() + c.lifetime(3600))[0], c.SUCCESS)
        self.askpass.refuses()
        self.assertIsNone(client.sign(blob, b"data"))
        self.assertEqual(client.call(c.ADD, key + string("new"))[0], c.SUCCESS)
        self.assertIsNotNone(client.sign(blob, b"data"))
        self.assertEqual([one.comment for one in client.list()], ["new"])

    def test_a_private_part_that_is_another_keys_is_refused(self):
        body, blob = self.message()
        other, _ = self.message()
        name, key = string("ssh-ed25519"), lab.keys.Reader(body)
        key.string()
        public = key.string()
        stranger = lab.keys.Reader(other)
        stranger.string()
        stranger.string()
        forged = name + string(public) + string(stranger.string()) + string("forged")
        self.assertEqual(self.client().call(c.ADD, forged)[0], c.FAILURE)
        self.assertEqual(self.blobs(), [])
        self.assertEqual(self.client().call(c.ADD, body)[0], c.SUCCESS)
        self.assertEqual(self.blobs(), [blob])

    def test_a_key_that_is_cut_off_anywhere_is_refused_and_nothing_stays(self):
        for kind in ("ed25519", "ecdsa", "rsa-1024"):
            body, _ = self.message(kind, comment="x")
            client = self.client()
            for length in range(len(body)):
                self.assertEqual(client.call(c.ADD, body[:length])[0], c.FAILURE, f"{kind} at {length}")
        self.assertEqual(self.blobs(), [])

    def test_unknown_kinds_and_odd_constraints_are_refused(self):
        body, _ = self.message()
        client = self.client()
        for constraints in (b"\x03" + u32(9), b"\x07", c.confirm() * 2, c.lifetime(5) * 2, b"\x01\x00",
                            c.constraint("no-such@example.org"), c.constraint("sk-provider@openssh.com", string("internal"))):
            for number in (c.ADD, c.ADD_CONSTRAINED):
                self.assertEqual(client.call(number, body + constraints)[0], c.FAILURE, constraints)
        self.assertEqual(client.call(c.ADD, string("ssh-strange") + body[15:])[0], c.FAILURE)
        self.assertEqual(client.call(c.ADD)[0], c.FAILURE)
        self.assertEqual(self.blobs(), [])

    if lab.openssh_release() < 10:  # newer ones make no such keys
        def test_a_dsa_key_is_refused_and_the_option_allows_it(self):
            path = self.folder / "dsa"
            lab.run(["ssh-keygen", "-q", "-t", "dsa", "-N", "", "-f", str(path)])
            self.assertNotEqual(self.ssh_add(path).returncode, 0)
            self.assertEqual(self.blobs(), [])
            self.agent = self.start(options=("-O", "allow-ssh-dss"))
            self.assertEqual(self.ssh_add(path).returncode, 0)
            blob = lab.keys.blob_of_line(pathlib.Path(f"{path}.pub").read_text())
            with lab.AgentClient(self.agent) as one:
                self.assertIsNotNone(one.sign(blob, b"data"))

    @unittest.skipUnless(os.getuid() == 0, "only root can look into processes that can't be dumped")
    def test_the_agent_itself_links_no_backend_and_the_key_is_in_another_process(self):
        path = self.make()
        secret = lab.keys.raw_private(lab.keys.load_private(path))
        self.assertEqual(self.ssh_add(path).returncode, 0)
        self.assertIsNotNone(self.sign(self.blob(path)))
        worker = self.agent.workers()[0].pid
        self.assertFalse(lab.memory.holds(self.agent.pid, [secret]))
        self.assertTrue(lab.memory.holds(worker, [secret]), "this test can't see anything")


class Removing(KeysTest):
    def test_a_key_is_removed_alone_and_one_that_is_unknown_is_a_failure(self):
        first, second = self.added(), self.added("ecdsa")
        client = self.client()
        self.assertEqual(client.remove(first), c.SUCCESS)
        self.assertEqual(client.remove(first), c.FAILURE)
        self.assertIsNone(client.sign(first, b"data"))
        self.assertEqual(self.blobs(), [second])
        self.assertIsNotNone(self.sign(second))

    def test_a_key_that_was_removed_can_be_added_again(self):
        body, blob = self.message()
        client = self.client()
        for _ in range(20):
            self.assertEqual(client.call(c.ADD, body)[0], c.SUCCESS)
            self.assertIsNotNone(client.sign(blob, b"data"))
            self.assertEqual(client.remove(blob), c.SUCCESS)
        self.assertEqual(self.blobs(), [])

    def test_both_messages_that_remove_all_do(self):
        for number in (c.REMOVE_ALL, 9):
            self.added()
            self.assertEqual(self.client().call(number), (c.SUCCESS, b""))
            self.assertEqual(self.blobs(), [])
        self.assertEqual(self.client().remove_all(), c.SUCCESS)
        self.assertIsNotNone(self.sign(self.added()))

    def test_changes_of_many_clients_at_once_leave_agent_and_worker_agreed(self):
        bodies = [self.message() for _ in range(6)]
        clients = [self.client() for _ in range(12)]
        for _ in range(10):
            for i, one in enumerate(clients):
                body, blob = bodies[i % len(bodies)]
                one.send(*((c.ADD, body) if i % 3 else (c.REMOVE, string(blob))))
            for one in clients:
                self.assertIn(one.receive()[0], (c.SUCCESS, c.FAILURE))
        left = self.blobs()
        for blob in left:
            self.assertIsNotNone(self.sign(blob), self.agent.log())
        for _, blob in bodies:
            if blob not in left:
                self.assertIsNone(self.sign(blob))

    def test_a_client_that_leaves_while_its_key_is_added_harms_nobody(self):
        body, blob = self.message()
        for _ in range(20):
            one = self.client()
            one.send(c.ADD, body)
            one.close()
        self.assertEqual(self.client().call(c.ADD, body)[0], c.SUCCESS)
        self.assertEqual(self.blobs(), [blob])
        self.assertIsNotNone(self.sign(blob))

    def test_the_worker_that_is_lost_takes_its_keys_and_the_next_one_takes_new_ones(self):
        self.added()
        worker = self.agent.workers()[0]
        os.kill(worker.pid, 9)
        lab.wait_for("its keys are gone", lambda: not self.blobs())
        self.assertIn("keys that were added are lost", self.agent.log())
        self.assertIsNotNone(self.sign(self.added()))

    def test_a_signal_drops_all_keys(self):
        self.added()
        os.kill(self.agent.pid, 10)
        lab.wait_for("they are gone", lambda: not self.blobs())
        self.assertIsNotNone(self.sign(self.added()))


class Lifetimes(KeysTest):
    def test_a_key_goes_when_its_time_is_over_and_others_stay(self):
        stays, goes = self.added(), self.added("ed25519", "-t", "1")
        self.assertEqual(set(self.blobs()) - {goes}, {stays})
        lab.wait_for("it goes", lambda: self.blobs() == [stays])
        self.assertIsNone(self.sign(goes))

    def test_a_lifetime_of_nothing_is_none(self):
        body, _ = self.message()
        client = self.client()
        client.raw(string(bytes([c.ADD_CONSTRAINED]) + body + c.lifetime(0)) + string(bytes([c.LIST])))
        self.assertEqual(client.receive()[0], c.SUCCESS)
        self.assertEqual(client.receive(), (c.IDENTITIES, u32(0)))

    def test_a_long_lifetime_is_long(self):
        """In milliseconds these have more than 32 bits; of the first one, the lower 32 are all 0."""
        client = self.client()
        blobs = []
        for seconds in (1 << 29, 0xffffffff):
            body, blob = self.message()
            self.assertEqual(client.call(c.ADD_CONSTRAINED, body + c.lifetime(seconds))[0], c.SUCCESS)
            blobs.append(blob)
        self.assertEqual([one.blob for one in client.list()], blobs)

    def test_adding_again_begins_a_new_life(self):
        body, blob = self.message()
        client = self.client()
        self.assertEqual(client.call(c.ADD_CONSTRAINED, body + c.lifetime(1))[0], c.SUCCESS)
        self.assertEqual(client.call(c.ADD_CONSTRAINED, body + c.lifetime(3600))[0], c.SUCCESS)
        short = self.added("ed25519", "-t", "1")
        lab.wait_for("the short one goes", lambda: short not in self.blobs())
        self.assertEqual(self.blobs(), [blob])

    def test_the_agents_own_lifetime_is_for_keys_without_one(self):
        self.agent = self.start(options=("-t", "1"))
        stays, goes = self.added("ed25519", "-t", "3600"), self.added()
        lab.wait_for("it goes", lambda: goes not in self.blobs())
        self.assertEqual(self.blobs(), [stays])


class Confirmations(KeysTest):
    def test_each_signature_is_asked_for_and_a_no_is_a_refusal(self):
        blob = self.added("ed25519", "-c")
        self.askpass.agrees()
        before = len(self.askpass.prompts())
        for _ in range(2):
            self.assertIsNotNone(self.sign(blob), self.agent.log())
        self.assertEqual(len(self.askpass.prompts()) - before, 2)
        self.assertIn("added with ssh-add", self.askpass.prompts()[-1])
        self.askpass.refuses()
        self.assertIsNone(self.sign(blob))

    def test_without_anybody_to_ask_it_is_refused(self):
        path = self.make()
        with lab.Agent() as agent:
            self.agent = agent
            self.assertEqual(self.ssh_add("-c", path).returncode, 0)
            self.assertIsNone(self.sign(self.blob(path)))


class Remote(KeysTest):
    def remote_client(self):
        client = self.client()
        self.assertEqual(client.bind(lab.HostKey(), b"s" * 32, forwarding=True), c.SUCCESS)
        return client

    def test_a_remote_connection_lists_and_does_not_sign_add_or_remove(self):
        blob = self.added()
        body, _ = self.message()
        client = self.remote_client()
        self.assertEqual([one.blob for one in client.list()], [blob])
        self.assertIsNone(client.sign(blob, self.login(key=blob)))
        self.assertIn("not for remote hosts", self.agent.refusals()[0])
        for number, message in ((c.ADD, body), (c.ADD_CONSTRAINED, body), (c.REMOVE, string(blob)),
                                (c.REMOVE_ALL, b""), (9, b"")):
            self.assertEqual(client.call(number, message)[0], c.FAILURE)
        self.assertEqual(self.blobs(), [blob])

    def test_configured_a_person_is_asked_each_time(self):
        self.agent = self.start(config='remote-memory-keys = "confirm"\n')
        blob = self.added()
        client = self.remote_client()
        self.askpass.agrees()
        for _ in range(2):
            self.assertIsNotNone(client.sign(blob, self.login(key=blob)), self.agent.log())
        self.assertIn("REMOTE REQUEST", self.askpass.prompts()[-1])
        self.assertEqual(len(self.askpass.prompts()), 2)
        self.askpass.refuses()
        self.assertIsNone(client.sign(blob, self.login(key=blob)))
        self.assertIsNone(client.sign(blob, b"anything"))

    def test_the_option_of_the_tests_allows_it_unasked_and_says_so(self):
        self.agent = self.start(options=("-O", "allow-remote-without-presence"))
        blob = self.added()
        self.assertIsNotNone(self.remote_client().sign(blob, self.login(key=blob)))
        self.assertTrue(any("without-presence" in one for one in self.agent.status()["warnings"]))


class ManyKeys(KeysTest):
    def test_status_tells_of_keys_that_no_list_has_room_for(self):
        one, room = self.client(), 63
        for _ in range(room + 1):
            self.assertEqual(self.cuts(), [])
            body = AddedKey("ed25519").fields() + string("x" * 4096)
            self.assertEqual(one.call(c.ADD, body)[0], c.SUCCESS, self.agent.log())
        self.assertEqual(len(self.blobs()), room)
        self.assertIn("1 of the keys", *self.cuts())

    def cuts(self):
        return [one for one in self.agent.status()["warnings"] if "lists of keys are cut" in one]


class AddedBySsh(KeysTest):
    """AddKeysToAgent: ssh connects once more to add the key that it has just used."""

    def setUp(self):
        super().setUp()
        self.host = lab.Sshd()
        self.addCleanup(self.host.close)

    def login(self, *options):
        return self.agent.run(*self.host.ssh(*options, "lab"), "echo in")

    def adding(self, path, *options):
        return self.login("-o", "AddKeysToAgent=yes", "-o", "IdentitiesOnly=yes", "-i", path, *options)

    def test_the_key_is_there_for_the_next_login(self):
        path = self.make()
        self.host.allow(path.with_name(path.name + ".pub").read_text())
        self.assertEqual(self.adding(path).stdout, "in\n", self.agent.log())
        self.assertEqual(self.blobs(), [self.blob(path)])
        path.unlink()
        self.assertEqual(self.login().stdout, "in\n", self.agent.log())

    def test_constraints_that_ssh_gives_count(self):
        path = self.make()
        self.host.allow(path.with_name(path.name + ".pub").read_text())
        done = self.login("-o", "AddKeysToAgent=confirm 1h", "-o", "IdentitiesOnly=yes", "-i", path)
        self.assertEqual(done.stdout, "in\n", done.stderr)
        self.askpass.refuses()
        self.assertIsNone(self.sign(self.blob(path)))
        self.askpass.agrees()
        self.assertIsNotNone(self.sign(self.blob(path)))

    def test_a_certificate_in_a_file_logs_in_with_its_key_in_the_agent(self):
        path, authority = self.make(), self.make()
        self.certify(path, self.host.user, authority)
        self.host.allow("cert-authority " + authority.with_name(authority.name + ".pub").read_text())
        certificate = path.rename(self.folder / "elsewhere").with_name(path.name + "-cert.pub")
        certificate.rename(self.folder / "certificate")
        self.assertEqual(self.ssh_add(self.folder / "elsewhere").returncode, 0)
        self.assertEqual(self.blobs(), [self.blob(path)])
        done = self.login("-o", f"CertificateFile={self.folder}/certificate")
        self.assertEqual(done.stdout, "in\n", done.stderr + self.agent.log())
        self.assertEqual(self.agent.refusals(), [])

    def relayed(self, direction):
        """A client behind ssh: with -R the far host's, whose bytes ssh hands on; with -L ours, through sshd."""
        relay = self.folder / f"relay{direction}"
        path = self.make()
        self.host.allow(path.with_name(path.name + ".pub").read_text())
        command = self.host.ssh("-N", "-o", "ExitOnForwardFailure=yes", "-o", "IdentityAgent=none",
                                "-o", f"IdentityFile={path}", direction, f"{relay}:{self.agent.socket}", "lab")
        ssh = subprocess.Popen([str(one) for one in command], env=self.agent.env, stdin=subprocess.DEVNULL)
        self.addCleanup(lab.place.end, ssh, signal.SIGTERM)
        lab.wait_for("the relay listens", lambda: lab.listens(relay))
        return self.client(str(relay))

    def test_keys_of_strangers_behind_ssh_stand_after_the_persons_own(self):
        stranger = self.relayed("-R")
        for number in range(2):
            self.assertEqual(stranger.call(c.ADD, self.message(comment=f"strange {number}")[0])[0], c.SUCCESS)
        self.assertEqual(self.client().call(c.ADD, self.message(comment="mine")[0])[0], c.SUCCESS)
        self.assertEqual([one.comment for one in self.serves()], ["mine", "strange 0", "strange 1"])

    def test_adds_that_fail_one_after_the_other_take_one_worker(self):
        stranger = self.relayed("-R")
        key = AddedKey("ed25519")
        point = key.blob[-32:]
        bad = key.blob + string(bytes(32) + point) + string("of no seed")
        workers = set()
        for _ in range(3):
            self.assertEqual(stranger.call(c.ADD, bad)[0], c.FAILURE)
            workers |= {one.pid for one in self.agent.workers()}
        self.assertEqual(len(workers), 1)

    def test_a_stranger_behind_ssh_changes_no_key_that_is_there(self):
        """What is relayed by ssh -R comes from ssh too; it may add, as said, and nothing else."""
        body, blob = self.message(comment="mine")
        self.assertEqual(self.client().call(c.ADD_CONSTRAINED, body + c.confirm())[0], c.SUCCESS)
        for direction, adds in (("-L", c.FAILURE), ("-R", c.SUCCESS)):
            one = self.relayed(direction)
            for number, message in ((c.ADD, body), (c.ADD_CONSTRAINED, body + c.lifetime(1)), (c.REMOVE, string(blob)),
                                    (c.REMOVE_ALL, b""), (22, string("x"))):
                self.assertEqual(one.call(number, message)[0], c.FAILURE, direction)
            self.assertEqual(one.call(c.ADD, self.message(comment="new")[0])[0], adds, direction)
        self.assertTrue(any("may not change a key that is there" in one for one in self.agent.refusals()))
        self.assertEqual([one.comment for one in self.serves()], ["mine", "new"])
        self.askpass.refuses()
        self.assertIsNone(self.sign(blob))


class Limits(KeysTest):
    @staticmethod
    def numbered(number):
        return lab.keys.add_message(lab.keys.ed25519_of(number), f"key {number}")

    def test_the_2049th_key_is_refused_and_the_list_is_what_clients_take(self):
        client = self.client()
        for i in range(2048):
            self.assertEqual(client.call(c.ADD, self.numbered(i))[0], c.SUCCESS)
        self.assertEqual(client.call(c.ADD, self.numbered(2048))[0], c.FAILURE)
        self.assertEqual(len(client.list()), 2048)
        self.assertEqual(client.call(c.ADD, self.numbered(7))[0], c.SUCCESS)
        self.assertEqual(client.remove_all(), c.SUCCESS)


    @staticmethod
    def hops(count):
        """Destination constraints with that many hops, each as short as it can be."""
        key = string(lab.HostKey().blob) + b"\0"
        hop = string(string("") * 3) + string(string("") + string("h") + string("") + key) + string("")
        return c.constraint("restrict-destination-v00@openssh.com", string(string(hop) * count))

    def test_a_thousand_destinations_are_taken_and_one_more_than_1024_is_not(self):
        client = self.client()
        self.assertGreater(len(self.hops(1024)), 65536)
        self.assertEqual(client.call(c.ADD_CONSTRAINED, self.numbered(1) + self.hops(1024))[0], c.SUCCESS)
        self.assertEqual(client.call(c.ADD_CONSTRAINED, self.numbered(2) + self.hops(1025))[0], c.FAILURE)
        self.assertEqual(len(client.list()), 1)

    def test_a_long_message_that_does_not_come_holds_up_nobody_for_long(self):
        slow = self.client()
        whole = string(bytes([c.ADD_CONSTRAINED]) + self.numbered(1) + self.hops(900))
        slow.raw(whole[:70000])
        self.assertEqual(self.client().call(c.ADD, self.numbered(2))[0], c.SUCCESS)
        other = self.client()
        self.assertEqual(other.call(c.ADD_CONSTRAINED, self.numbered(3) + self.hops(1000))[0], c.SUCCESS)
        self.assertTrue(slow.closed())
        self.assertEqual(len(self.blobs()), 2)

    def test_half_a_long_message_whose_client_leaves_is_nothing(self):
        slow = self.client()
        slow.raw(string(bytes([c.ADD_CONSTRAINED]) + self.numbered(1) + self.hops(900))[:70000])
        slow.close()
        one = self.client()
        self.assertEqual(one.call(c.ADD_CONSTRAINED, self.numbered(3) + self.hops(1000))[0], c.SUCCESS)


class Providers(KeysTest):
    def test_the_keeper_of_keys_is_no_provider_for_people(self):
        for name in ("memory:", "memory:x", "middleware:/usr/lib/x.so"):
            self.assertEqual(self.client().add_token(name), c.FAILURE)
        blob = self.added()
        self.assertEqual(self.client().add_token("memory:"), c.FAILURE)
        self.client().remove_token("memory:")
        self.assertEqual(self.blobs(), [blob])


if __name__ == "__main__":
    unittest.main()
