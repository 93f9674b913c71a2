"""Command lines that our agent and ssh-agent answer alike: exit status, output, and whether stderr says something."""
import itertools
import os
import re
import signal
import unittest

import lab
from beside import NEWER

SSH_AGENT = "/usr/bin/ssh-agent"
LONG = "x" * 120


class CommandLineTest(unittest.TestCase):
    def setUp(self):
        self.folder = lab.Folder()
        self.addCleanup(self.folder.close)
        self.home = self.folder.path

    def answer(self, program, arguments, env):
        """What the program does, with what differs from run to run made the same."""
        inside = {**lab.environment(self.home), "SHELL": "/bin/sh", **env}
        done = lab.run([program, *arguments], cwd=self.home,
                       env={name: value for name, value in inside.items() if value is not None})
        for pid in re.findall(r"SSH_AGENT_PID[= ](\d+);\n?(?: export|echo)", done.stdout):
            os.kill(int(pid), signal.SIGTERM)
            lab.wait_for("the agent ends", lambda: not lab.runs(pid))
        for name in ("fresh", "one", "two"):  # ssh-agent leaves those that were no absolute path
            (self.home / name).unlink(missing_ok=True)
        output = re.sub(r"(SSH_AUTH_SOCK[= ])[^;]+", r"\1PATH", done.stdout)
        return (done.returncode, re.sub(r"\d{2,}", "N", output), bool(done.stderr), "usage: " in done.stderr)

    def same(self, *arguments, **env):
        theirs = self.answer(SSH_AGENT, arguments, env)
        ours = self.answer(lab.AGENT, arguments, env)
        self.assertEqual(ours, theirs, f"{arguments} {env}")

    def test_flags_alone_and_before_a_command(self):
        for flag in ("-c", "-s", "-k", "-cc", "-ss", "-cs", "-ck", "-sk", "-dk", "-Dk", "-dd", "-dD", "-Dd", "-DD",
                     "-x", "-h", "-?", "--", "-", "--foo", ""):
            self.same(flag, SSH_AGENT_PID="x")
            self.same(flag, "true")
        for flag in ("-d", "-D"):
            self.same(flag, "true")

    def test_pairs_of_flags(self):
        for pair in itertools.permutations(["-c", "-s", "-k", "-d", "-D"], 2):
            if "-k" in pair or set(pair) in ({"-c", "-s"}, {"-d", "-D"}):
                self.same(*pair, SSH_AGENT_PID="x")
        self.same("-c", "-k", "-s")
        self.same("-k", "-d", "-d")

    def test_shells(self):
        for shell in ("/bin/csh", "csh", "/bin/tcsh", "sh", "", None):
            self.same(SHELL=shell)
            self.same("-s", SHELL=shell)
            self.same("-k", SHELL=shell, SSH_AGENT_PID="x")

    def test_lifetimes(self):
        for value in ("10", "10s", "1H", "0", "", "x", "-1", "1x", "2147483647", "2147483648", "1w1d", "5 ", "0x10",
                      "w", "10m10"):
            self.same("-t", value)
        if not NEWER:  # 10.6 takes fractions, and neither spaces nor signs; we have stayed
            for value in ("1h 30m", " 5", "+5", "1.5"):
                self.same("-t", value)
        self.same("-t", "x", "true")

    def test_values(self):
        for value in ("sha256", "SHA256", "md5", "MD5", "sha1", "sha384", "sha512", "ripemd160", "", "x"):
            self.same("-E", value)
        for value in ("no-restrict-websafe", "allow-remote-pkcs11", "x", "", "no-restrict-websafex",
                      "ALLOW-REMOTE-PKCS11"):
            self.same("-O", value)
        for arguments in (["-P", "x"], ["-P", ""], ["-P", "x", "-P", "y"], ["-Px", "-Py", "true"]):
            self.same(*arguments)
        for flag in "aEOPt":
            self.same(f"-{flag}")

    def test_the_first_mistake_counts(self):
        for arguments in (["-E", "x", "-x"], ["-x", "-E", "x"], ["-t", "x", "-E", "x"], ["-c", "-s", "true"],
                          ["-k", "-t", "x"], ["-k", "true"]):
            self.same(*arguments, SSH_AGENT_PID="x")

    def test_addresses(self):
        (self.home / "file").write_text("")
        (self.home / "link").symlink_to("/nonexistent")
        for path in ("fresh", "./fresh", "no/fresh", ".", LONG, "file", "link"):
            for flags in ([], ["-c"], ["-k"]):
                self.same(*flags, "-a", path, SSH_AGENT_PID="x")
        for path in ("no/fresh", LONG, "file", "link"):
            for flag in ("-D", "-d"):
                self.same(flag, "-a", path)
            self.same("-a", path, "true")
        self.same("-a", "one", "-a", "two")

    def test_commands(self):
        for arguments in (["true"], ["false"], ["sh", "-c", "exit 7"], ["sh", "-c", "kill -9 $$"],
                          ["sh", "-c", "kill -15 $$"], ["no-such-command"], ["/"], ["/etc/passwd"],
                          ["-t", "5", "echo", "-k"], ["--", "echo", "x"], ["", "x"],
                          ["sh", "-c", "ssh-add -l; echo $?"], ["sh", "-c", "echo $SSH_AGENT_PID"]):
            self.same(*arguments)

    def test_killing(self):
        for value in (None, "", "x", "0", "1", "-1", "2147483648", "99999999999", " 2147483647", "+2147483647", "0x10",
                      "7x", "2147483647"):
            for flags in ([], ["-c"], ["-s"]):
                self.same("-k", *flags, SSH_AGENT_PID=value)

    def test_why_it_kills_nothing(self):
        for value in (None, "", "x", "0", "-1", "2147483648", "99999999999", "99999999999999999999", "7x"):
            env = {name: text for name, text in {**lab.environment(self.home), "SSH_AGENT_PID": value}.items()
                   if text is not None}
            theirs, ours = (lab.run([program, "-k"], env=env).stderr for program in (SSH_AGENT, lab.AGENT))
            self.assertEqual(ours, theirs, value)


if __name__ == "__main__":
    unittest.main()
