"""What every client has to be able to do through our agent, whoever keeps the keys; token and memory make tests of it."""
import shlex

import client_bed as bed
import lab


class Clients:
    """Mixed into a bed.Case: one test for each client that Debian ships."""

    def logs_in(self, client):
        """With every kind of key, each in turn the only one that the host takes."""
        for key in self.keys.all:
            if client.sha1_only and key.kind.startswith("rsa"):
                continue
            self.first.allow_only(key)
            with self.subTest(key.kind):
                self.reaches(client.login(self.first, "echo I am in"))
                self.assertEqual(self.first.accepted()[-1], key.fingerprint)
        self.assertEqual(self.asked.prompts(), [])

    def lists(self, client):
        """All keys in the agent's order, with their comments where it tells them."""
        shown = self.run_client([*client.command, "list"]).stdout.splitlines()
        with lab.AgentClient(self.agent) as own:
            listed = own.list()
        self.assertEqual(len(listed), len(bed.KINDS))
        self.assertEqual([line.split()[0] for line in shown], [one.blob.hex() for one in listed])
        for line, one in zip(shown, listed):
            self.assertIn(line.split()[1:], ([], [one.comment]))

    def lists_there(self, client):
        """The far side lists through what the client forwards; returns what it runs next."""
        self.first.allow_only(self.keys.all[0])
        # Without the comments: a list for afar has neutral ones.
        listed = "".join(" ".join(line.split()[:2]) + "\n" for line in
                         self.agent.run("ssh-add", "-L").stdout.splitlines())
        self.reaches(client.forward(self.first, "ssh-add -L | cut -d' ' -f-2"), said=listed)
        return client.forward(self.first, shlex.join(self.second.ssh("second", "echo I am in")))

    def forwards(self, client):
        """
        The far side lists, and logs in on the second host. These clients bind nothing that they
        forward, as ssh does: the agent can't tell it from their own (docs/SECURITY.md).
        """
        self.reaches(self.lists_there(client))
        self.assertEqual(self.second.accepted()[-1], self.keys.all[0].fingerprint)
        self.assertEqual(self.asked.prompts(), [])

    def signs_rsa_as_configured(self, client):
        """It asks for SHA-1, which is refused and said so, unless the configuration allows it."""
        self.first.allow_only(next(key for key in self.keys.all if key.kind.startswith("rsa")))
        self.is_refused(client.login(self.first, "echo I am in"), "SHA-1", "allow-rsa-sha1")
        self.start(config="allow-rsa-sha1 = true\n")
        self.reaches(client.login(self.first, "echo I am in"))

    def test_paramiko_lists_logs_in_and_forwards(self):
        client = bed.Program.python("paramiko")
        self.lists(client)
        self.logs_in(client)
        self.forwards(client)

    def test_asyncssh_lists_logs_in_and_forwards(self):
        client = bed.Program.python("asyncssh")
        self.lists(client)
        self.logs_in(client)
        self.forwards(client)

    def test_go_lists_logs_in_and_forwards(self):
        client = bed.Program.built("go")
        self.lists(client)
        self.logs_in(client)
        self.forwards(client)

    def test_libssh_logs_in_and_forwards(self):
        client = bed.Program.built("libssh")
        self.logs_in(client)
        self.forwards(client)

    def test_libssh2_lists_and_logs_in_with_rsa_where_sha1_is_configured(self):
        client = bed.Program.built("libssh2", sha1_only=True)
        self.lists(client)
        self.logs_in(client)
        self.signs_rsa_as_configured(client)

    def test_plink_logs_in_and_forwards(self):
        self.logs_in(bed.Plink())
        self.forwards(bed.Plink())

    def test_dbclient_logs_in(self):
        self.logs_in(bed.Dropbear())

    def test_conch_lists_and_logs_in_with_rsa_where_sha1_is_configured(self):
        self.lists(bed.Program.python("twisted"))
        self.logs_in(bed.Conch())
        self.signs_rsa_as_configured(bed.Conch())
