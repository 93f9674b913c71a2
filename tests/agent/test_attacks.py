"""Attacks on keys that were added and on who may do what: races, floods, strangers behind a relay."""
import os
import signal
import unittest

import lab
from bed import AgentTest
from lab import added
from lab import client as c
from lab.keys import string

FORWARDED, LOGIN = True, False


def hop_to(host_key, name="host"):
    return added.hop(added.destination_host(host=name, host_keys=[host_key.blob]))


class AttackTest(AgentTest):
    """An agent without a token."""

    provider = None

    def blobs(self, client=None):
        return [one.blob for one in (client.list() if client else self.serves())]

    def added(self, constraints=b"", client=None):
        """A fresh key that a local client, or this one, has added."""
        key = added.AddedKey("ed25519")
        self.assertEqual(self.add(client or self.client(), key, constraints), c.SUCCESS)
        return key

    @staticmethod
    def add(client, key, constraints=b""):
        return client.call(c.ADD_CONSTRAINED if constraints else c.ADD, key.body("key", constraints))[0]

    def worker(self):
        """The process that keeps the keys."""
        return next(one for one in self.agent.workers() if one.name.startswith("keystile-worker"))

    def stopped_worker(self):
        """It answers nothing until SIGCONT."""
        worker = self.worker()
        self.addCleanup(lambda: os.kill(worker.pid, signal.SIGCONT) if self.agent.process else None)
        os.kill(worker.pid, signal.SIGSTOP)
        lab.wait_for("the worker stands still", worker.stopped)
        return worker.pid

    def wait_until_listed(self, *blobs):
        lab.wait_for("the list is as it should be", lambda: self.blobs() == list(blobs))


class Races(AttackTest):
    def test_a_key_that_is_removed_while_it_is_added_again_is_gone(self):
        key = self.added()
        adding, removing = self.client(), self.client()
        worker = self.stopped_worker()
        adding.send(c.ADD, key.body("again"))
        self.assertEqual(self.blobs(), [key.blob])
        removing.send(c.REMOVE, string(key.blob))
        self.wait_until_listed()
        os.kill(worker, signal.SIGCONT)
        self.assertEqual([adding.receive()[0], removing.receive()[0]], [c.SUCCESS] * 2)
        self.assertEqual(self.blobs(), [])

    def test_a_key_that_is_added_again_while_its_time_ends_begins_a_new_life(self):
        key = self.added(c.lifetime(2))
        adding = self.client()
        worker = self.stopped_worker()
        adding.send(c.ADD, key.body("again"))
        self.wait_until_listed()
        os.kill(worker, signal.SIGCONT)
        self.assertEqual(adding.receive()[0], c.SUCCESS)
        self.added(client=adding)  # behind the removal, which waited in between
        self.assertIn(key.blob, self.blobs())
        self.assertIsNotNone(adding.sign(key.blob, b"data"), self.agent.log())

    def test_what_was_said_first_holds_for_a_question_that_is_open(self):
        key = self.added(c.confirm())
        self.askpass.hangs()
        one = self.client()
        one.send(c.SIGN, one.sign_request(key.blob, b"data"))
        self.askpass.wait_until_asked()
        self.assertEqual(self.add(self.client(), key), c.SUCCESS)
        self.assertEqual(self.client().remove(key.blob), c.SUCCESS)
        self.assertEqual(self.add(self.client(), key), c.SUCCESS)
        for process in self.askpass.processes():
            os.kill(process.pid, signal.SIGKILL)
        self.assertIsNone(c.AgentClient.signature(one.receive()))

    def test_a_key_that_was_removed_while_a_question_is_open_does_not_sign_by_its_successor(self):
        key = self.added(c.confirm())
        self.askpass.does("while [ ! -e \"$0.go\" ]; do sleep 0.01; done")
        one = self.client()
        one.send(c.SIGN, one.sign_request(key.blob, b"data"))
        self.askpass.wait_until_asked()
        self.assertEqual(self.client().remove(key.blob), c.SUCCESS)
        self.assertEqual(self.add(self.client(), key), c.SUCCESS)
        self.askpass.path.with_name("askpass.go").touch()
        self.assertIsNone(c.AgentClient.signature(one.receive()))


class Strangers(AttackTest):
    """What ssh -R or -L relays comes from ssh, on a connection that is not its first."""

    def setUp(self):
        super().setUp()
        self.ssh = lab.Actor("ssh")
        self.addCleanup(self.ssh.close)
        self.ssh.connect(self.agent)
        self.stranger = self.ssh.connect(self.agent)

    def test_a_stranger_does_not_take_all_places_for_keys(self):
        replies = {self.add(self.stranger, added.AddedKey("ed25519")) for _ in range(200)}
        self.assertEqual(replies, {c.SUCCESS, c.FAILURE})
        self.assertIn("ssh-add -d", self.agent.refusals()[0])
        for _ in range(3):
            self.added()
        with self.ssh.connect(self.agent) as another:
            self.assertEqual(self.add(another, added.AddedKey("ed25519")), c.FAILURE)

    def test_places_of_strangers_are_free_again_when_their_keys_go(self):
        while self.add(self.stranger, added.AddedKey("ed25519")) == c.SUCCESS:
            pass
        self.assertEqual(self.client().remove(self.blobs()[0]), c.SUCCESS)
        self.assertEqual(self.add(self.stranger, added.AddedKey("ed25519")), c.SUCCESS)

    def test_a_stranger_makes_nobody_walk_long_lists_of_destinations(self):
        key, host = added.AddedKey("ed25519"), lab.HostKey()
        self.assertEqual(self.add(self.stranger, key, added.destinations(hop_to(host))), c.FAILURE)
        self.assertEqual(self.blobs(), [])
        self.assertEqual(self.add(self.client(), key, added.destinations(hop_to(host))), c.SUCCESS)

    def test_a_key_for_some_destinations_is_not_shown_to_who_comes_from_nowhere(self):
        host = lab.HostKey()
        restricted, plain = self.added(added.destinations(hop_to(host))), self.added()
        self.assertEqual(self.blobs(), [restricted.blob, plain.blob])
        self.assertEqual(self.blobs(self.stranger), [plain.blob])
        self.assertEqual(self.blobs(self.client(self.agent.remote_socket)), [plain.blob])
        bound = self.client()
        self.assertEqual(bound.bind(host, b"s" * 32, LOGIN), c.SUCCESS)
        self.assertEqual(self.blobs(bound), [restricted.blob, plain.blob])


class Words(AttackTest):
    """A refusal that nobody can find out about is taken for a defect."""

    def test_a_remote_connection_is_told_why_it_may_do_nothing_but_list_and_sign(self):
        remote = self.client(self.agent.remote_socket)
        for number, what in ((c.ADD, "adding a key"), (c.REMOVE, "removing a key"), (c.REMOVE_ALL, "removing all keys"),
                             (c.ADD_TOKEN, "loading a provider"), (22, "locking the agent")):
            self.assertEqual(remote.call(number, string("x"))[0], c.FAILURE)
            self.assertIn(what, self.agent.refusals()[0])
            self.assertIn("remote connections may list and sign, and nothing else", self.agent.refusals()[0])

    def test_a_locked_agent_says_that_it_is_locked(self):
        one = self.client()
        self.assertEqual(one.call(22, string("password"))[0], c.SUCCESS)
        self.assertEqual(self.add(one, added.AddedKey("ed25519")), c.FAILURE)
        self.assertIn("the agent is locked; ssh-add -X", self.agent.refusals()[0])

    def test_a_key_that_is_not_understood_is_a_refusal_that_can_be_seen(self):
        one, key = self.client(), added.AddedKey("ed25519")
        for body in (string("no-such-kind"), key.body("x")[:50], key.body("x", b"\x03\0\0\0\1")):
            before = len(self.agent.refusals())
            self.assertEqual(one.call(c.ADD_CONSTRAINED, body)[0], c.FAILURE)
            self.assertEqual(len(self.agent.refusals()), before + 1)

    def test_a_bound_connection_is_told_that_it_may_load_nothing(self):
        one = self.client()
        self.assertEqual(one.bind(lab.HostKey(), b"s" * 32, LOGIN), c.SUCCESS)
        self.assertEqual(one.add_token("/usr/lib/some.so"), c.FAILURE)
        self.assertIn("/usr/lib/some.so", self.agent.refusals()[0])
        self.assertIn("allow-remote-pkcs11", self.agent.refusals()[0])


class Floods(AttackTest):
    def test_many_first_keys_at_once_are_all_taken_by_one_worker(self):
        clients = [(self.client(), added.AddedKey("ed25519")) for _ in range(100)]
        for one, key in clients:
            one.send(c.ADD, key.body("key"))
        self.assertEqual({one.receive()[0] for one, _ in clients}, {c.SUCCESS})
        self.assertEqual(len(self.agent.workers()), 1)

    def test_huge_host_certificates_fill_no_memory(self):
        host, authority = lab.HostKey(), lab.HostKey()
        subject = added.AddedKey("ed25519")
        host.private, plain = subject.private, subject.blob
        huge = subject.certificate(authority=authority, kind=added.HOST_CERTIFICATE,
                                   extensions=string("x") + string(bytes(100000))).blob
        one, replies = self.client(), []
        for number in range(16):
            sid = b"%d" % number
            host.blob = plain
            signature = host.sign(sid)
            host.blob = huge
            replies.append(one.bind(host, sid, FORWARDED, signature))
        self.assertEqual(replies, [c.SUCCESS] + [c.EXTENSION_FAILURE] * 15)
        self.assertEqual(one.list(), [])


class Questions(AttackTest):
    config = 'remote-memory-keys = "confirm"\n'

    def test_a_no_answers_all_that_wait_on_the_same_way(self):
        key = self.added()
        self.askpass.does("while [ ! -e \"$0.go\" ]; do sleep 0.01; done; exit 1")
        strangers = [self.client(self.agent.remote_socket) for _ in range(5)]
        for number, one in enumerate(strangers):
            data = lab.userauth(b"%d" % number, "joe", key.blob)
            one.send(c.SIGN, one.sign_request(key.blob, data))
        self.askpass.wait_until_asked()
        lab.wait_for("all wait", lambda: len(self.agent.status()["prompts"]) == 5)
        self.askpass.path.with_name("askpass.go").touch()
        self.assertEqual([c.AgentClient.signature(one.receive()) for one in strangers], [None] * 5)
        self.assertEqual(len(self.askpass.prompts()), 1)


if __name__ == "__main__":
    unittest.main()
