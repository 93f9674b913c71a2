"""OpenSSH's programs and git with keys that plain ssh-add gave: here, over jump hosts, shared connections, two hops."""
import shlex
import stat
import subprocess
import unittest

import client_bed as bed
import lab

GIT = ("env", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "git", "-c", "user.name=Lab",
       "-c", "user.email=lab@example.org", "-c", "gpg.format=ssh")


class Here(bed.InMemory, bed.Case):
    def public(self, key):
        path = self.agent.home / f"{key.kind}.pub"
        path.write_text(key.line + "\n")
        return path

    def test_ssh_logs_in_with_each_kind_of_key(self):
        for key in self.keys.all:
            with self.subTest(key.kind):
                self.first.allow_only(key)
                self.reaches(self.first.ssh("-o", "IdentitiesOnly=yes", "-i", self.public(key), "first", "echo I am in"))
                self.assertEqual(self.first.accepted()[-1], key.fingerprint)
        self.assertEqual(self.asked.prompts(), [])

    def test_sftp_and_scp_bring_a_file(self):
        source, copy, other = (self.agent.home / name for name in ("source", "copy", "other"))
        source.write_text("content\n")
        for command in (["sftp", "-q", "-F", self.first.config, f"first:{source}", copy],
                        ["scp", "-q", "-F", self.first.config, f"first:{source}", other]):
            done = self.agent.run(*command)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((copy.read_text(), other.read_text()), ("content\n", "content\n"))

    def test_ssh_keygen_signs_with_each_kind_of_key(self):
        signers, text = self.agent.home / "signers", self.agent.home / "text"
        for key in self.keys.all:
            with self.subTest(key.kind):
                text.write_text(key.kind)
                signers.write_text(f"lab@example.org {key.line}\n")
                signed = self.agent.run("ssh-keygen", "-Y", "sign", "-n", "file", "-f", self.public(key), text)
                self.assertEqual(signed.returncode, 0, signed.stderr)
                with open(text, "rb") as message:
                    verified = self.agent.run("ssh-keygen", "-Y", "verify", "-n", "file", "-I", "lab@example.org",
                                              "-f", signers, "-s", f"{text}.sig", stdin=message)
                self.assertEqual(verified.returncode, 0, verified.stderr)
                (self.agent.home / "text.sig").unlink()

    def test_git_signs_a_commit_and_a_tag(self):
        key, work, signers = self.keys.all[0], self.agent.home / "work", self.agent.home / "signers"
        signers.write_text(f'lab@example.org namespaces="git" {key.line}\n')
        options = ["-c", f"gpg.ssh.allowedSignersFile={signers}", "-c", f"user.signingKey={self.public(key)}"]
        self.assertEqual(self.agent.run(*GIT, "init", "-q", work).returncode, 0)
        for words in (["commit", "-q", "--allow-empty", "-S", "-m", "signed"], ["verify-commit", "HEAD"],
                      ["tag", "-s", "-m", "signed", "one"], ["verify-tag", "one"]):
            done = self.agent.run(*GIT, *options, "-C", work, *words)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_jump_host_needs_nobody(self):
        both = self.agent.home / "both"
        both.write_text(self.first.config.read_text() + self.second.config.read_text())
        before = len(self.second.accepted())
        self.reaches(["ssh", "-F", both, "-J", "first", "second", "echo I am in"])
        self.assertEqual((self.asked.prompts(), self.agent.refusals()), ([], []))
        self.assertEqual(len(self.second.accepted()), before + 1)


class Forwarded(bed.InMemory, bed.Case):
    """What the far side may do with keys in memory: nothing, or what the person says yes to."""

    confirmed = "remote-memory-keys = confirm\n"

    def through_first(self, *options):
        return self.first.ssh("-A", *options, "first", shlex.join(self.second.ssh("second", "echo I am in")))

    def setUp(self):
        super().setUp()
        self.asked.agrees()

    def refuses(self, command):
        done = self.run_client(command)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual((done.stdout, self.asked.prompts()), ("", []))
        self.assertIn("remote", self.agent.refusals()[0])

    def test_a_forwarded_login_is_refused_unless_configured(self):
        self.refuses(self.through_first())
        self.start(config=self.confirmed)
        self.reaches(self.through_first())
        self.assertEqual(self.asked.hints(), ["confirm"])
        self.assertIn("REMOTE REQUEST", self.asked.prompts()[0])

    def test_a_forwarded_login_is_refused_when_the_person_says_no(self):
        self.start(config=self.confirmed)
        self.asked.refuses()
        done = self.run_client(self.through_first())
        self.assertEqual((done.stdout, len(self.asked.prompts())), ("", 1))

    def test_two_hops_are_confirmed_one_by_one(self):
        self.start(config=self.confirmed)
        inner = self.first.ssh("first", "echo I am in")
        outer = self.second.ssh("-A", "second", shlex.join(inner))
        self.reaches(self.first.ssh("-A", "first", shlex.join(outer)))
        self.assertEqual(len(self.asked.prompts()), 2)
        for prompt in self.asked.prompts():
            self.assertIn("REMOTE REQUEST: it came through a forwarded agent (ssh -A)", prompt)

    def test_a_shared_connection_serves_and_what_it_forwards_is_remote(self):
        path = self.agent.home / "master"
        options = ["-o", f"ControlPath={path}"]
        master = subprocess.Popen(self.first.ssh("-A", *options, "-M", "-N", "first"), env=self.agent.env,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: lab.place.end(master, 15))
        lab.wait_for("the master listens", lambda: path.exists() and stat.S_ISSOCK(path.stat().st_mode))
        self.reaches(self.first.ssh(*options, "first", "echo I am in"))
        self.assertEqual((self.asked.prompts(), self.agent.refusals()), ([], []))
        self.refuses(self.through_first(*options))


if __name__ == "__main__":
    unittest.main()
