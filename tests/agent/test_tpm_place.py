"""keystile tpm where something is in its way: the disk, the terminal, who typed Ctrl-C."""
import os
import subprocess
import termios
import unittest

import lab
from tpm_bed import CommandTest, PIN


class Disk(CommandTest):
    def mounted(self, prepare, *words):
        """Runs it while the folder "small" is a file system that was prepared so; its end and what is in there."""
        (self.path / "small").mkdir(exist_ok=True)
        script = (f"mount -t tmpfs -o size=8k none small && {prepare} && {{ \"$@\"; echo ended with $?; }}; "
                  "echo there is $(ls small)")
        user = [] if os.geteuid() == 0 else ["-r"]
        return lab.run(["unshare", *user, "-m", "sh", "-c", script, "sh", lab.CONTROL, "tpm", *words],
                       env=self.env(), cwd=self.path)

    def test_a_full_disk_leaves_nothing(self):
        done = self.mounted("! cat /dev/zero > small/filler 2>&-", "create", "--no-pin", "small/key.tpm")
        self.assertIn("No space left", done.stderr)
        self.assertEqual(done.stdout, "ended with 1\nthere is filler\n")

    def test_a_full_disk_leaves_the_old_file_when_a_pin_is_changed(self):
        self.create("key.tpm")
        done = self.mounted("cp key.tpm small/ && ! cat /dev/zero > small/filler 2>&-",
                            "passwd", "--no-pin", "small/key.tpm")
        self.assertIn("No space left", done.stderr)
        self.assertEqual(done.stdout, "ended with 1\nthere is filler key.tpm\n")

    def test_a_disk_that_is_only_read_is_told_before_a_key_is_made(self):
        self.tpm.bus.clear()
        done = self.mounted("mount -o remount,ro small", "create", "small/key.tpm")
        self.assertIn("Read-only file system", done.stderr)
        self.assertEqual(done.stdout, "ended with 1\nthere is\n")
        self.assertEqual(self.tpm.bus.passed, [])

    def test_a_folder_that_is_missing_is_told_before_a_key_is_made(self):
        self.tpm.bus.clear()
        self.refuse("No such file", "create", "missing/key.tpm")
        self.assertEqual(self.tpm.bus.passed, [])

    def test_a_public_file_that_can_not_be_written_is_told_and_printed(self):
        (self.path / "key.pub").mkdir()
        done = self.call("create", "--no-pin", "--force", "key.tpm", status=1)
        self.assertIn("key.pub can't be written", done.stderr)
        self.assertIn("ecdsa-sha2-nistp256", done.stdout)
        self.assertTrue((self.path / "key.tpm").exists())

    def test_the_umask_narrows_modes_and_never_widens_them(self):
        for mask, modes in (("077", (0o600, 0o600)), ("000", (0o600, 0o644))):
            with self.subTest(mask):
                name = f"key{mask}"
                lab.run_well(["sh", "-c", 'umask "$1"; shift; "$@"', "sh", mask, lab.CONTROL, "tpm", "create", "--no-pin",
                              f"{name}.tpm"], env=self.env(), cwd=self.path)
                self.assertEqual((self.mode(f"{name}.tpm"), self.mode(f"{name}.pub")), modes)

    def test_a_link_stays_and_what_it_leads_to_is_replaced(self):
        (self.path / "elsewhere").mkdir()
        key = self.create("elsewhere/key.tpm")
        before = key.read_text()
        os.symlink("elsewhere/key.tpm", self.path / "link.tpm")
        self.refuse("link.tpm is there already", "create", "--no-pin", "link.tpm")
        self.call("passwd", "--no-pin", "link.tpm")
        self.assertTrue((self.path / "link.tpm").is_symlink())
        self.assertNotEqual(key.read_text(), before)
        self.assertEqual(self.mode("elsewhere/key.tpm"), 0o600)


class Terminal(CommandTest):
    def begin(self, *words, **options):
        tty = lab.Tty()
        self.addCleanup(tty.close)
        return tty, tty.run([lab.CONTROL, "tpm", *words], env=self.env(), cwd=str(self.path), **options)

    def test_ctrl_c_at_a_question_makes_nothing_and_restores_the_terminal(self):
        for keys in ("\x03", "12\x03"):
            with self.subTest(keys):
                tty, process = self.begin("create", "key.tpm")
                before = termios.tcgetattr(tty.slave)
                tty.wait_until_shown("PIN: ")
                tty.types(keys)
                self.assertNotEqual(process.wait(lab.place.ANSWER_SECONDS * lab.PATIENCE), 0)
                self.assertEqual(termios.tcgetattr(tty.slave), before)
                self.assertEqual(sorted(os.listdir(self.path)), ["run", "tmp"])

    def test_what_comes_in_by_a_pipe_is_no_pin(self):
        tty, process = self.begin("create", "key.tpm", stdin=subprocess.DEVNULL)
        for words in ("A PIN for the new key", "once more"):
            tty.wait_until_shown(words)
            tty.wait_until_shown("PIN: ")
            tty.forget()
            tty.types(PIN + "\r")
        self.assertEqual(process.wait(lab.place.ANSWER_SECONDS * lab.PATIENCE), 0, tty.shown())
        self.sign_by_openssl(self.path / "key.tpm", self.path / "key.pub", pin=PIN)

    def test_without_a_terminal_no_program_is_asked_instead(self):
        """SSH_ASKPASS is for agents: a PIN that is chosen is typed where it is seen who asks."""
        askpass = lab.Askpass(PIN)
        self.addCleanup(askpass.close)
        (self.path / "typed").write_text("1234\n1234\n")
        with (self.path / "typed").open() as typed:
            done = lab.run([lab.CONTROL, "tpm", "create", "key.tpm"], env={**self.env(), **askpass.env}, cwd=self.path,
                           stdin=typed)
        self.assertEqual(askpass.prompts(), [])
        self.assertEqual(done.returncode, 1)
        self.assertIn("this command has none", done.stderr)
        self.assertFalse((self.path / "key.tpm").exists())


if __name__ == "__main__":
    unittest.main()
