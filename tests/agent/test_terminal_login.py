"""Logins by the real ssh to a real sshd, whose PIN is typed into the terminal where ssh was called."""
import unittest

import lab

PIN, WRONG = "1234", "9999"


class Logins(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hsm = lab.SoftHSM()
        cls.addClassCleanup(cls.hsm.close)
        cls.key = cls.hsm.token("Lab card", PIN).generate("p256", "login key")
        cls.host = lab.Sshd(names=("first",), lines="Subsystem sftp internal-sftp\n")
        cls.addClassCleanup(cls.host.close)
        cls.host.allow(cls.key)

    def setUp(self):
        """No display, no askpass, no pinentry: only the terminal."""
        self.agent = lab.Agent(env=self.hsm.env)
        self.addCleanup(self.agent.stop)
        done = self.agent.add_token(self.hsm.module, "")
        self.assertEqual(done.returncode, 0, done.stderr + self.agent.log())
        self.tty = lab.Tty()
        self.addCleanup(self.tty.close)
        self.before = self.tty.modes()

    def ssh(self, *words, **options):
        env = dict(self.agent.env, **options.pop("env", {}))
        return self.tty.run(self.host.ssh(*words), env=env, **options)

    def types(self, keys, times=1):
        self.tty.wait_until_shown("PIN: ", times)
        self.tty.types(keys)

    def ended(self, process):
        return process.wait(60 * lab.PATIENCE)

    def test_ssh_logs_in_with_the_pin_that_is_typed_where_it_was_called(self):
        process = self.ssh("first", "echo", "I am in")
        self.types(PIN + "\r")
        self.assertEqual(self.ended(process), 0, self.tty.shown() + self.agent.log())
        shown = self.tty.shown()
        for words in ("I am in", "PIN for the token", '"Lab card"', "to log in as the user", self.key.fingerprint):
            self.assertIn(words, shown)
        self.assertIn("PIN: \r\nKeystile: answered.", shown)
        self.assertEqual(self.tty.modes(), self.before)

    def test_a_wrong_pin_is_asked_for_again(self):
        process = self.ssh("first", "echo", "I am in")
        self.types(WRONG + "\r")
        self.types(PIN + "\r", times=2)
        self.assertEqual(self.ended(process), 0, self.tty.shown() + self.agent.log())
        self.assertIn("|! ", self.tty.shown())
        self.assertIn("I am in", self.tty.shown())
        self.assertEqual(self.tty.modes(), self.before)

    def test_no_is_no_login(self):
        process = self.ssh("first", "echo", "I am in")
        self.types("\x03")
        self.assertNotEqual(self.ended(process), 0)
        self.assertIn("Permission denied", self.tty.shown())
        self.assertEqual(self.tty.modes(), self.before)

    def test_scp_is_asked_for_as_well(self):
        source = self.tty.folder.path / "source"
        source.write_text("copied\n")
        target = self.tty.folder.path / "target"
        process = self.tty.run(["scp", "-F", self.host.config, source, f"first:{target}"], env=self.agent.env)
        self.types(PIN + "\r")
        self.assertEqual(self.ended(process), 0, self.tty.shown() + self.agent.log())
        self.assertEqual(target.read_text(), "copied\n")

    def test_a_session_that_runs_is_never_asked_in(self):
        """What a forwarded agent asks for would be typed into the host that asks."""
        again = " ".join(str(word) for word in self.host.ssh("first", "true"))
        process = self.ssh("-A", "-tt", "first", f"{again} </dev/null; echo done; read end")
        self.types(PIN + "\r")
        self.tty.wait_until_shown("Permission denied")
        self.tty.wait_until_shown("done")
        self.assertEqual(self.tty.shown().count("PIN: "), 1, self.tty.shown())
        self.assertIn("nobody can be asked", self.agent.log())
        self.tty.types("\r")
        self.ended(process)


if __name__ == "__main__":
    unittest.main()
