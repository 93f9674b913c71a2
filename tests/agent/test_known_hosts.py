"""Hosts by their names: what known_hosts files say is in prompts, in the status and in rules."""
import os
import unittest

import lab
from bed import AgentTest
from lab import client as c
from lab.hangfs import HangFS

SID = b"s" * 32
UNKNOWN = "a host that is NOT IN YOUR known_hosts"


class NamesTest(AgentTest):
    """.host is one that is bound; .file is the user's known_hosts."""

    def setUp(self):
        super().setUp()
        self.use(self.agent)
        self.host = lab.HostKey()

    def use(self, agent):
        self.agent = agent
        self.folder = agent.home / ".ssh"
        self.folder.mkdir()
        self.file = self.folder / "known_hosts"

    def line(self, names, host=None, marker=""):
        return f"{marker}{names} {lab.keys.line_of((host or self.host).blob, '')}\n"

    def forwarded(self, *hosts):
        """A connection that came through these and logs in at the last one; the text of its prompt."""
        client = self.client()
        for number, host in enumerate(hosts):
            forwarding = number < len(hosts) - 1
            self.assertEqual(client.bind(host, SID + bytes([number]), forwarding), c.SUCCESS)
        return self.asked_for(client, SID + bytes([len(hosts) - 1]), hosts[-1])

    def asked_for(self, client, sid, host):
        self.assertEqual(self.asked(client, self.login(sid, host.blob)), 1)
        return self.askpass.prompts()[-1]

    def prompt(self):
        return self.forwarded(lab.HostKey(), self.host)

    def known_as(self, *names):
        """How a prompt names the destination."""
        lines = "".join(f'    "{name}"\n' for name in names)
        return f"\non the host known as\n{lines}    host key {lab.keys.fingerprint_of(self.host.blob)}\n"

    def files(self):
        """By the name of each file, what the status says of it."""
        return {os.path.basename(one["path"]): one for one in self.agent.status()["known_hosts"]}

    def assert_unread(self, trouble):
        self.assertIn("\non a host that nothing is known of: known_hosts can't be read\n", self.prompt())
        self.assertEqual(self.files()["known_hosts"]["trouble"], trouble)


class Prompts(NamesTest):
    def test_destination_and_path_are_named(self):
        bastion = lab.HostKey("p256")
        self.file.write_text(self.line("server.example") + self.line("bastion,10.0.0.1", bastion))
        prompt = self.forwarded(bastion, self.host)
        self.assertIn(self.known_as("server.example"), prompt)
        self.assertIn('\nthrough the host known as\n    "bastion"\n    "10.0.0.1"\n'
                      f"    host key {lab.keys.fingerprint_of(bastion.blob)}\n", prompt)

    def test_a_host_that_is_not_in_the_file_is_said_to_be_unknown(self):
        self.file.write_text(self.line("other", lab.HostKey()))
        prompt = self.prompt()
        self.assertIn(f"\non {UNKNOWN}\n    host key {lab.keys.fingerprint_of(self.host.blob)}\n", prompt)
        self.assertIn(f"\nthrough {UNKNOWN}\n", prompt)

    def test_without_any_file_all_hosts_are_unknown(self):
        self.assertIn(f"\non {UNKNOWN}\n", self.prompt())
        self.assertEqual(self.files(), {})

    def test_an_unproven_destination_is_not_named(self):
        self.file.write_text(self.line("server.example"))
        client = self.client()
        client.bind(lab.HostKey(), SID, True)
        self.assertEqual(self.asked(client, self.login(SID, self.host.blob)), 1)
        self.assertIn("DESTINATION UNPROVEN", self.askpass.prompts()[-1])
        self.assertNotIn("server.example", self.askpass.prompts()[-1])

    def test_a_revoked_key_is_said_to_be_revoked(self):
        self.file.write_text(self.line("server.example") + self.line("*", marker="@revoked "))
        self.assertIn('\non A HOST WHOSE KEY IS REVOKED in your known_hosts\n    "server.example"\n', self.prompt())

    def test_a_name_that_only_its_hash_is_known_of_is_not_made_up(self):
        self.file.write_text(self.line("server.example"))
        lab.run_well(["ssh-keygen", "-H", "-f", self.file])
        self.assertTrue(self.file.read_text().startswith("|1|"))
        self.assertIn("\non a host that is in your known_hosts, its name hashed\n", self.prompt())

    def test_a_name_cannot_speak_for_the_agent(self):
        self.file.write_bytes(self.line("a\x1b[2J\u202eb\"\\,c").encode())
        prompt = self.prompt()
        self.assertIn(self.known_as("a\\x1b[2j\\xe2\\x80\\xaeb\\\"\\\\", "c"), prompt)
        self.assertEqual([one for one in prompt if one != "\n" and not " " <= one <= "~"], [])

    def test_of_many_names_the_first_are_shown(self):
        self.file.write_text(self.line("one,two") + self.line("three") + self.line("four"))
        self.assertIn('"one"\n    "two"\n    "three"\n    and more names\n    host key', self.prompt())

    def test_names_of_both_files_of_the_user_count(self):
        self.file.write_text(self.line("one"))
        (self.folder / "known_hosts2").write_text(self.line("two"))
        self.assertIn(self.known_as("one", "two"), self.prompt())

    def test_the_status_names_the_hosts_of_a_connection(self):
        self.file.write_text(self.line("server.example") + self.line("[bastion]:2222,b2,b3,b4"))
        client = self.client()
        other = lab.HostKey()
        self.assertEqual(client.bind(self.host, SID, True), c.SUCCESS)
        self.assertEqual(client.bind(other, SID + b"2", True), c.SUCCESS)
        self.asked_for(client, SID + b"2", other)
        self.assertEqual(self.agent.newest_connection()["path"], [
            {"host_key": lab.keys.fingerprint_of(self.host.blob), "forwarding": True, "remark": "",
             "names": ["server.example", "bastion:2222", "b2"]},
            {"host_key": lab.keys.fingerprint_of(other.blob), "forwarding": True,
             "remark": "not in known_hosts", "names": []}])


class Rules(NamesTest):
    """A rule says whole names: these are compared with hashes."""

    config = """\
rule closed {
	subject = login
	destination = {"closed.example", "*.other"}
	then = refuse
}
rule open {
	origin = local
	subject = login
	destination = "server.example:2222"
	then = none
}
"""

    def hashed(self, names):
        self.file.write_text(self.line(names))
        lab.run_well(["ssh-keygen", "-H", "-f", self.file])
        self.assertIn("|1|", self.file.read_text())

    def test_a_hashed_name_that_a_rule_says_is_known(self):
        self.hashed("[server.example]:2222")
        self.assertIn(self.known_as("server.example:2222"), self.prompt())

    def test_a_rule_matches_a_hashed_name(self):
        self.hashed("closed.example")
        client = self.client()
        client.bind(self.host, SID)
        self.assertIsNone(client.sign(self.key, self.login(SID, self.host.blob)))
        self.assertIn("closed", self.agent.refusals()[0])

    def test_it_matches_no_other(self):
        self.hashed("server.example")
        self.assertIn("\non a host that is in your known_hosts, its name hashed\n", self.prompt())


class GuessesTest(NamesTest):
    def hashed(self, names, host=None):
        with open(self.file, "a", encoding="ascii") as file:
            file.write(self.line(names, host))
        lab.run_well(["ssh-keygen", "-H", "-f", self.file])
        self.assertNotIn(names, self.file.read_text())

    def ssh(self, *words, name="ssh"):
        """A connection of a process of that name with these words on its command line."""
        actor = lab.Actor(name, words=words)
        self.addCleanup(actor.close)
        return actor.connect(self.agent)

    def bound(self, client, *hosts):
        for number, host in enumerate(hosts):
            self.assertEqual(client.bind(host, SID + bytes([number]), number < len(hosts) - 1), c.SUCCESS)
        return self.asked_for(client, SID + bytes([len(hosts) - 1]), hosts[-1])

    def names_none(self, prompt):
        self.assertIn("\non a host that is in your known_hosts, its name hashed\n", prompt)


class Guesses(GuessesTest):
    """A name of which known_hosts has a hash is what the ssh that asks was told, if the hash says so."""

    def test_a_destination_on_the_command_line_is_a_name_if_its_hash_is_there(self):
        self.hashed("server.example")
        bastion = lab.HostKey()
        self.assertIn(self.known_as("server.example"),
                      self.bound(self.ssh("-A", "-J", "joe@other", "joe@Server.Example"), bastion, self.host))

    def test_each_host_of_a_path_gets_its_own_name(self):
        bastion = lab.HostKey()
        self.hashed("[bastion.example]:2222", bastion)
        self.hashed("server.example")
        prompt = self.bound(self.ssh("-p2222", "bastion.example", "ssh", "server.example"), bastion, self.host)
        self.assertIn(self.known_as("server.example"), prompt)
        self.assertIn('\nthrough the host known as\n    "bastion.example:2222"\n', prompt)

    def test_another_name_is_not_believed(self):
        self.hashed("server.example")
        self.names_none(self.bound(self.ssh("server.example.evil", "xserver.example"), lab.HostKey(), self.host))

    def test_a_name_is_not_believed_of_another_key(self):
        other = lab.HostKey()
        self.hashed("server.example", other)
        self.hashed("another.example")
        self.names_none(self.bound(self.ssh("server.example"), other, self.host))

    def test_a_program_that_is_not_ssh_has_no_say(self):
        self.hashed("server.example")
        self.names_none(self.bound(self.ssh("server.example", name="relay"), lab.HostKey(), self.host))

    def test_a_hostile_command_line_names_nothing_and_harms_nobody(self):
        self.hashed("server.example")
        words = ["x" * 100000, "a\nserver.example", "\x1b[2J", "-", "@", "=", ",,,", "[", "[]:", ":", "ssh://",
                 *(f"h{number}" for number in range(1000))]
        self.names_none(self.bound(self.ssh(*words), lab.HostKey(), self.host))
        self.serves()

    def test_a_name_that_was_right_is_remembered_for_who_comes_from_afar(self):
        self.hashed("server.example")
        self.names_none(self.prompt())
        self.bound(self.ssh("server.example"), lab.HostKey(), self.host)
        self.assertIn(self.known_as("server.example"), self.prompt())
        self.assertEqual(self.agent.newest_connection()["path"][1]["names"], ["server.example"])


class GuessesAndRules(GuessesTest):
    """What is only guessed decides nothing."""

    config = """\
rule closed {
	subject = login
	destination = "*.example"
	then = refuse
}
"""

    def test_no_rule_knows_them(self):
        self.hashed("server.example")
        self.assertIn(self.known_as("server.example"),
                      self.bound(self.ssh("server.example"), lab.HostKey(), self.host))
        self.prompt()


class Changes(NamesTest):
    def test_the_next_prompt_has_the_new_name(self):
        self.file.write_text(self.line("old.example"))
        self.assertIn(self.known_as("old.example"), self.prompt())
        self.file.write_text(self.line("new.example"))
        self.assertIn(self.known_as("new.example"), self.prompt())

    def test_a_file_that_takes_the_place_of_another_is_read(self):
        self.file.write_text(self.line("old.example"))
        self.prompt()
        fresh = self.folder / "fresh"
        fresh.write_text(self.line("new.example"))
        os.utime(fresh, ns=(self.file.stat().st_atime_ns, self.file.stat().st_mtime_ns))
        os.replace(fresh, self.file)
        self.assertIn(self.known_as("new.example"), self.prompt())

    def test_no_change_is_too_quick_to_be_seen(self):
        for number in range(10, 30):
            self.file.write_text(self.line(f"name{number}"))
            self.assertIn(self.known_as(f"name{number}"), self.prompt())

    def test_what_is_deleted_is_forgotten(self):
        self.file.write_text(self.line("old.example"))
        self.assertIn(self.known_as("old.example"), self.prompt())
        self.file.unlink()
        self.assertIn(f"\non {UNKNOWN}\n", self.prompt())

    def test_an_old_connection_sees_the_new_name(self):
        client = self.client()
        client.bind(lab.HostKey(), SID, True)
        client.bind(self.host, SID + b"1")
        self.assertIn(f"\non {UNKNOWN}\n", self.asked_for(client, SID + b"1", self.host))
        self.file.write_text(self.line("new.example"))
        self.assertIn(self.known_as("new.example"), self.asked_for(client, SID + b"1", self.host))

    def test_a_symbolic_link_is_followed_and_so_is_what_it_points_to(self):
        target = self.agent.home / "dotfile"
        target.write_text(self.line("old.example"))
        self.file.symlink_to(target)
        self.assertIn(self.known_as("old.example"), self.prompt())
        target.write_text(self.line("new.example"))
        self.assertIn(self.known_as("new.example"), self.prompt())


class Trouble(NamesTest):
    def test_a_folder_is_no_file(self):
        self.file.mkdir()
        self.assert_unread("Is a directory")

    def test_a_link_to_itself_is_no_file(self):
        self.file.symlink_to(self.file)
        self.assert_unread("Too many levels of symbolic links")

    def test_a_fifo_is_not_waited_for(self):
        os.mkfifo(self.file)
        self.assert_unread("not a regular file")

    def test_a_file_that_can_be_read_again_is(self):
        self.file.mkdir()
        self.assert_unread("Is a directory")
        self.file.rmdir()
        self.file.write_text(self.line("server.example"))
        self.assertIn(self.known_as("server.example"), self.prompt())
        self.assertEqual(self.files()["known_hosts"]["trouble"], "")

    def test_lines_that_are_not_understood_are_passed_over_and_counted(self):
        self.file.write_bytes(b"rubbish\n\0\n# comment\n@nobody x y z\n" + b"x" * 200000 + b"\n"
                              + self.line("server.example").encode())
        self.assertIn(self.known_as("server.example"), self.prompt())
        self.assertEqual(self.files()["known_hosts"],
                         {"path": str(self.file), "keys": 1, "malformed_lines": 4, "cut": False, "trouble": ""})


class Large(NamesTest):
    def test_a_hundred_thousand_lines_keep_nobody_waiting(self):
        blob = bytearray(self.host.blob)
        with open(self.file, "w", encoding="ascii") as file:
            for number in range(100000):
                blob[-4:] = number.to_bytes(4, "big")
                file.write(f"host{number}.example,10.{number >> 16}.{number >> 8 & 255}.{number & 255} "
                           f"{lab.keys.line_of(bytes(blob), '')}\n")
            file.write(self.line("server.example"))
        client = self.client()
        client.bind(lab.HostKey(), SID, True)
        client.bind(self.host, SID + b"1")
        client.send(c.SIGN, client.sign_request(self.key, self.login(SID + b"1", self.host.blob)))
        for _ in range(20):
            self.serves()
        self.assertEqual(client.receive()[0], c.SIGNATURE)
        lab.wait_for("it is read", lambda: self.files().get("known_hosts", {}).get("keys") == 100001)
        self.assertIn(self.known_as("server.example"), self.prompt())


class Hanging(NamesTest):
    def setUp(self):
        super().setUp()
        self.hanging = HangFS()
        self.addCleanup(self.hanging.close)

    def test_others_are_served_and_nobody_waits_twice(self):
        self.file.symlink_to(self.hanging.file)
        client = self.client()
        client.bind(lab.HostKey(), SID, True)
        client.bind(self.host, SID + b"1")
        client.send(c.SIGN, client.sign_request(self.key, self.login(SID + b"1", self.host.blob)))
        self.hanging.await_asked()
        self.serves()
        self.assert_local(self.client())
        self.assertEqual(client.receive()[0], c.SIGNATURE)
        self.assert_unread("it does not answer")
        for _ in range(20):
            self.prompt()

    def test_the_file_counts_again_when_it_answers(self):
        self.file.write_text(self.line("old.example"))
        self.assertIn(self.known_as("old.example"), self.prompt())
        self.file.unlink()
        self.file.symlink_to(self.hanging.file)
        self.assertIn(self.known_as("old.example"), self.prompt())
        self.file.unlink()
        self.file.write_text(self.line("new.example"))
        self.assertIn(self.known_as("old.example"), self.prompt())
        self.hanging.answer()
        lab.wait_for("it has answered", lambda: self.known_as("new.example") in self.prompt())

    def test_the_agent_ends_all_the_same(self):
        self.file.symlink_to(self.hanging.file)
        self.prompt()
        self.assertEqual(self.files()["known_hosts"]["trouble"], "it does not answer")
        self.agent.stop()

    def test_a_client_may_leave_while_it_waits(self):
        self.file.symlink_to(self.hanging.file)
        client = self.client()
        client.bind(lab.HostKey(), SID, True)
        client.send(c.SIGN, client.sign_request(self.key, self.login(SID, self.host.blob)))
        self.hanging.await_asked()
        client.close()
        self.assert_unread("it does not answer")


class RealSsh(NamesTest):
    def sshd(self, *names, **options):
        sshd = lab.Sshd(names=names, **options)
        self.addCleanup(sshd.close)
        sshd.allow(lab.keys.line_of(self.key))
        return sshd

    def through(self, first, second):
        done = self.agent.run(*first.ssh("-A", first.names[0], *second.ssh(second.names[0], "echo", "inside")))
        self.assertEqual(done.stdout, "inside\n", done.stderr + self.agent.log())
        return self.askpass.prompts()[-1]

    def test_a_login_over_two_hops_names_both_hosts(self):
        bastion, server = self.sshd("bastion"), self.sshd("server")
        self.file.write_text(bastion.known_hosts.read_text() + server.known_hosts.read_text())
        prompt = self.through(bastion, server)
        self.assertIn('\nthrough the host known as\n    "bastion"\n    host key SHA256:', prompt)
        self.assertIn('\non the host known as\n    "server"\n    host key SHA256:', prompt)

    def test_a_host_certificate_is_named_by_its_authority(self):
        authority = self.agent.home / "authority"
        lab.run_well(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", authority])
        bastion, server = self.sshd("bastion"), self.sshd("server", authority=authority)
        self.file.write_text(server.known_hosts.read_text())
        prompt = self.through(bastion, server)
        self.assertIn('\non the host that an authority of your known_hosts certifies as\n    "server"\n', prompt)
        self.assertIn(f"\nthrough {UNKNOWN}\n", prompt)

    def test_what_ssh_writes_into_the_file_is_there_for_the_same_login(self):
        server = self.sshd("server")
        self.agent = self.start()
        self.use(self.agent)
        self.key = self.load("fake:always,pin=always")
        server.allow(lab.keys.line_of(self.key))
        done = self.agent.run(*server.ssh("-o", "StrictHostKeyChecking=accept-new", "-o",
                                          f"UserKnownHostsFile={self.file}", "server", "echo", "inside"))
        self.assertEqual(done.stdout, "inside\n", done.stderr + self.agent.log())
        self.assertIn('\non the host known as\n    "server"\n', self.askpass.prompts()[-1])


if __name__ == "__main__":
    unittest.main()
