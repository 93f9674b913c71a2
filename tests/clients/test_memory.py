"""Every client with keys that plain ssh-add gave, as most people have them; and libraries that add keys themselves."""
import unittest

import client_bed as bed
import lab
from client_cases import Clients
from lab import client as c


class MemoryKeys(Clients, bed.InMemory, bed.Case):
    def test_what_dbclient_forwards_is_refused(self):
        """Its first connection is its own login's, as ssh's is; the others come from the far side."""
        before = self.second.accepted()
        self.is_refused(self.lists_there(bed.Dropbear()), "remote")
        self.assertEqual((self.asked.prompts(), self.second.accepted()), ([], before))

    def test_plink_on_the_socket_for_remote_use_lists_and_is_refused(self):
        before = self.first.accepted()
        command = bed.Plink().login(self.first, "echo I am in")
        done = self.run_client(command, env={"SSH_AUTH_SOCK": self.agent.remote_socket})
        self.assertEqual((done.stdout, self.first.accepted()), ("", before))
        self.assertIn("remote", self.agent.refusals()[0])


class Changes(bed.Case):
    """Libraries that change what the agent holds."""

    asyncssh = bed.Program.python("asyncssh")
    go = bed.Program.built("go")
    twisted = bed.Program.python("twisted")

    def load(self):
        """Nothing yet."""

    def does(self, client, *words):
        done = self.agent.run(*client.command, *words)
        self.assertEqual(done.returncode, 0, done.stderr + self.agent.log()[-2000:])
        return done.stdout

    def comments(self):
        with lab.AgentClient(self.agent) as own:
            return [one.comment for one in own.list()]

    def adds_and_removes(self, client):
        paths = [self.keys.path(kind) for kind in bed.KINDS]
        self.does(client, "add", *paths)
        with lab.AgentClient(self.agent) as own:
            self.assertEqual([one.blob for one in own.list()], [key.blob for key in self.keys.all])
            for key in self.keys.all:
                lab.verify(key.blob, own.sign(key.blob, b"data", c.RSA_SHA512), b"data")
        names = self.comments()
        self.does(client, "remove", names[1])
        self.assertEqual(self.comments(), [names[0], *names[2:]])
        self.does(client, "remove-all")
        self.assertEqual(self.comments(), [])

    def asks_for_each_use(self, client):
        """Added with a lifetime and confirmation."""
        self.does(client, "add-for-an-hour", self.keys.path("ed25519"))
        self.asked.agrees()
        self.reaches(client.login(self.first, "echo I am in"))
        self.assertEqual(self.asked.hints(), ["confirm"])
        self.does(client, "remove-all")

    def locks(self, client):
        self.does(client, "add", self.keys.path("p256"))
        self.does(client, "lock", "word")
        self.assertEqual(self.comments(), [])
        self.does(client, "unlock", "word")
        self.assertEqual(len(self.comments()), 1)

    def test_asyncssh_adds_removes_and_locks(self):
        self.adds_and_removes(self.asyncssh)
        self.asks_for_each_use(self.asyncssh)
        self.locks(self.asyncssh)

    def test_go_adds_removes_and_locks(self):
        self.adds_and_removes(self.go)
        self.asks_for_each_use(self.go)
        self.locks(self.go)

    def test_go_asks_for_the_extensions(self):
        answer = bytes.fromhex(self.does(self.go, "query"))
        self.assertEqual(answer[0], c.EXTENSION_RESPONSE)
        self.assertIn(b"session-bind@openssh.com", answer)

    def test_twisted_adds_and_removes(self):
        self.adds_and_removes(self.twisted)


if __name__ == "__main__":
    unittest.main()
