"""Many who want the same person: who is asked for next, who waits, and who is told that there is no place."""
import os
import select
import unittest

import lab
from bed import PIN, AgentTest
from lab import added
from lab import client as c

REMOTE_PLACES = 32
PATH_PLACES = 16
ROOT = os.getuid() == 0

# Each question waits for one answer, which it takes away: askpass.yes or askpass.no.
STEP = """
while :; do
	if mv "$0.yes" "$0.said" 2>/dev/null; then exit 0; fi
	if mv "$0.no" "$0.said" 2>/dev/null; then exit 1; fi
	sleep 0.02
done
"""


def unshare(*words):
    return ["unshare", *([] if ROOT else ["-r"]), *words]


class QueueTest(AgentTest):
    """A key that has to be confirmed, and a person who answers one question after the other."""

    provider = None
    config = 'remote-memory-keys = "confirm"\nprompt-timeout = 30m\n'

    def setUp(self):
        super().setUp()
        key = added.AddedKey("ed25519")
        self.assertEqual(self.client().call(c.ADD_CONSTRAINED, key.body("key", c.confirm()))[0], c.SUCCESS)
        self.key = key.blob
        self.askpass.does(STEP)
        self.said = 0

    def path(self, program, **options):
        """Another program, all of whose connections came the same way."""
        actor = lab.Actor(program, **options)
        self.addCleanup(actor.close)
        return actor

    def far(self, actor):
        return actor.connect(self.agent.remote_socket)

    def ask(self, client, user, times=1):
        request = client.sign_request(self.key, lab.userauth(b"s" * 32, user, self.key))
        for _ in range(times):
            client.send(c.SIGN, request)

    def prompts(self, kind):
        return [one for one in self.agent.status()["prompts"] if one["kind"] == kind]

    def wait_until(self, waiting):
        """One is asked, and so many wait."""
        lab.wait_for(f"one is asked and {waiting} wait",
                     lambda: len(self.prompts("open")) == 1 and len(self.prompts("waiting")) == waiting)

    def answer(self, word):
        """Of the question that is open or opens next; the user's name that it had."""
        self.askpass.wait_until_asked(self.said + 1)
        question = self.askpass.prompts()[self.said]
        self.said += 1
        path = self.askpass.path.with_name(f"askpass.{word}")
        path.touch()
        lab.wait_for("the answer is taken", lambda: not path.exists())
        return question.split("to log in as the user\n", 1)[1].split('"')[1]

    def answers(self, word, count):
        """The users of so many questions, one after the other."""
        return [self.answer(word) for _ in range(count)]

    @staticmethod
    def answered(clients):
        return [one for one in clients if select.select([one.socket], [], [], 0)[0]]


class Order(QueueTest):
    def test_five_hundred_requests_of_fifty_connections_wait_for_one_person(self):
        crowds, actors = {}, {name: self.path(f"relay-{name}") for name in "abcd"}
        for number, name in enumerate("abcd"):
            crowds[name] = [self.far(actors[name]) for _ in range(10)]
            for client in crowds[name]:
                self.ask(client, name, 12)
            self.wait_until(min(10 * (number + 1) - 1, REMOTE_PLACES))
        lab.wait_for("the others are refused", lambda: len(self.answered(crowds["d"])) == 7)
        for client in self.answered(crowds["d"]):
            self.assertEqual([client.receive() for _ in range(12)], [(c.FAILURE, b"")] * 12)
        self.assertIn("too many remote questions wait for the person already", self.agent.refusals()[0])
        here = [self.client() for _ in range(10)]
        for client in here:
            self.ask(client, "here", 2)
        self.wait_until(REMOTE_PLACES + 10)
        for _ in range(20):
            self.assertEqual([one.blob for one in self.serves()], [self.key])
        self.assertEqual(self.answers("yes", 29), ["a"] + ["here"] * 20 + list("abcdabcd"))
        for client in here:
            for _ in range(2):
                lab.verify(self.key, c.AgentClient.signature(client.receive()), lab.userauth(b"s" * 32, "here", self.key))
        for actor in actors.values():
            actor.close()  # which may hold the last connection too
        lab.wait_for("all questions go", lambda: self.agent.status()["prompts"] == [])

    def test_ten_logins_by_one_way_are_served_one_after_the_other(self):
        actor = self.path("bastion")
        clients = [self.far(actor) for _ in range(10)]
        for number, client in enumerate(clients):
            self.ask(client, f"user{number}")
            self.wait_until(number)
        self.assertEqual(self.answers("yes", 10), [f"user{number}" for number in range(10)])
        for client in clients:
            self.assertEqual(client.receive()[0], c.SIGNATURE)

    def test_a_flood_that_comes_one_way_takes_neither_the_places_nor_the_turn_of_another(self):
        flood, other = self.path("flood"), self.path("other")
        crowd = [self.far(flood) for _ in range(40)]
        for number, client in enumerate(crowd):
            self.ask(client, "flood", 3)
            if number == 0:
                self.wait_until(0)
        self.wait_until(PATH_PLACES)
        lab.wait_for("the others are refused", lambda: len(self.answered(crowd)) == 40 - PATH_PLACES - 1)
        self.assertIn("too many questions that came this way wait for the person already", self.agent.refusals()[0])
        login = self.far(other)
        self.ask(login, "login")
        self.wait_until(PATH_PLACES + 1)
        self.assertEqual(self.answers("yes", 3), ["flood", "flood", "login"])
        self.assertEqual(login.receive()[0], c.SIGNATURE)


class Quiet(QueueTest):
    """After a no."""

    def says_no_to(self, client, user):
        self.ask(client, user)
        self.assertEqual(self.answer("no"), user)
        self.assertEqual(client.receive(), (c.FAILURE, b""))

    def is_quiet(self, client):
        self.ask(client, "again")
        self.assertEqual(client.receive(), (c.FAILURE, b""))
        self.assertEqual(len(self.askpass.prompts()), self.said)
        self.assertIn("the person said no to requests that come this way a moment ago", self.agent.refusals()[0])

    def is_asked(self, client):
        self.ask(client, "other")
        self.assertEqual(self.answer("yes"), "other")
        self.assertEqual(client.receive()[0], c.SIGNATURE)

    def test_one_way_is_quiet_and_others_are_not(self):
        one, other = self.path("one"), self.path("other")
        self.says_no_to(self.far(one), "one")
        self.is_quiet(self.far(one))
        self.is_asked(self.far(other))
        self.is_asked(self.client())

    def test_another_process_of_the_same_program_comes_the_same_way(self):
        self.says_no_to(self.client(self.agent.remote_socket), "one")
        self.is_quiet(self.far(self.path(None)))

    def test_another_ssh_comes_another_way(self):
        one, other = self.path("ssh"), self.path("ssh")
        self.says_no_to(self.far(one), "one")
        self.is_quiet(self.far(one))
        self.is_asked(self.far(other))

    def test_a_container_can_not_make_up_another_way(self):
        self.says_no_to(self.far(self.path("ssh", wrapper=unshare("-m"))), "one")
        for name in ("ssh", "made-up"):
            with self.subTest(name):
                self.is_quiet(self.far(self.path(name, wrapper=unshare("-m"))))
        self.is_asked(self.far(self.path("ssh")))


class Tokens(QueueTest):
    """The places of a token's worker, where requests wait before the person is asked for a PIN."""

    provider = "fake:lab,pin=always"

    def test_a_flood_that_comes_one_way_does_not_keep_another_from_the_token(self):
        key = self.load("fake:asks,pin=always", PIN)
        self.askpass.does(STEP.replace("exit 0", f"echo {PIN}; exit 0", 1))
        flood, other = self.path("flood"), self.path("other")
        crowd = [self.far(flood) for _ in range(80)]
        self.key = key
        for client in crowd:
            self.ask(client, "flood")
        lab.wait_for("some find no place", lambda: len(self.answered(crowd)) >= 80 - 64 - 1)
        self.assertIn("too many requests wait for this token", self.agent.refusals()[0])
        login = self.far(other)
        self.ask(login, "login")
        self.assertEqual(self.client().list()[-1].blob, key)
        self.assertIn("login", self.answers("yes", 3))
        self.assertEqual(login.receive()[0], c.SIGNATURE)


class Touches(QueueTest):
    """Notices do not queue: of one way there is one at a time. PINs are known at once."""

    provider = "fake:one"

    def setUp(self):
        super().setUp()
        self.askpass.does(f'if [ "$SSH_ASKPASS_PROMPT" = none ]; then exec sleep 3600; fi; echo {PIN}')
        self.keys = [self.load(f"fake:{name},pin=once,touch=wait") for name in ("two", "three")]

    def begin(self, client, key):
        client.send(c.SIGN, client.sign_request(key, lab.userauth(b"s" * 32, "joe", key)))
        return client

    def test_a_second_touch_for_the_same_way_is_refused_until_the_first_is_over(self):
        first, second = self.keys
        actor, other = self.path("relay"), self.path("other")
        waiting = self.begin(self.far(actor), first)
        lab.wait_for("the first is shown", lambda: len(self.prompts("touch")) == 1)
        refused = self.begin(self.far(actor), second)
        self.assertEqual(refused.receive(), (c.FAILURE, b""))
        self.assertIn("a touch is awaited already for a request that came this way", self.agent.refusals()[0])
        self.begin(self.far(other), second)
        lab.wait_for("the other way's is shown", lambda: len(self.prompts("touch")) == 2)
        waiting.close()
        lab.wait_for("the first goes", lambda: len(self.prompts("touch")) == 1)
        self.begin(self.far(actor), first)
        lab.wait_for("the next is shown", lambda: len(self.prompts("touch")) == 2)

    def test_touches_for_requests_from_here_are_not_counted(self):
        for key in self.keys:
            self.begin(self.client(), key)
        lab.wait_for("both are shown", lambda: len(self.prompts("touch")) == 2)


if __name__ == "__main__":
    unittest.main()
