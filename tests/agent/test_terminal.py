"""Questions in a terminal, by the prompt helper alone: what shows, what counts as an answer, and where it is not asked."""
import os
import signal
import termios
import unittest

import lab
from helper_bed import (BY_ASKER, BY_PROMPTER, CONFIRM, FAILED, NO, NOBODY, NOTICE, PIN, SECRET, YES,
                        YES_REMEMBER, Helper, question)

TEXT = 'PIN for the token\n    "lab"\n'
READY = {PIN: "PIN: ", CONFIRM: "yes or no [no]: "}


class InTerminal(unittest.TestCase):
    def setUp(self):
        self.tty = self.terminal()
        self.env = lab.environment(self.tty.folder.path)

    def terminal(self, **size):
        tty = lab.Tty(**size)
        self.addCleanup(tty.close)
        return tty

    def job(self, *command, **options):
        job = self.tty.job(*command, **options)
        self.addCleanup(job.close)
        return job

    def start(self, kind, holder, way=BY_ASKER, terminal=None, start=None, **options):
        """The helper; terminal is where a prompter has it."""
        descriptor = None
        if way == BY_PROMPTER:
            descriptor = (terminal or self.tty).descriptor()
        options.setdefault("text", TEXT)
        helper = Helper(question(kind, "", way=way, holder=holder.pid,
                                 start=holder.start if start is None else start, **options),
                        self.env, terminal=descriptor)
        if descriptor is not None:
            os.close(descriptor)
        self.addCleanup(lambda: helper.ended() or helper.signal(signal.SIGKILL))
        return helper

    def refused(self, words, holder, kind=PIN, **options):
        """Fails unless nobody is asked, for that reason, and the terminal is as it was."""
        before = self.tty.modes()
        self.tty.forget()
        status, pin, said = self.start(kind, holder, **options).finish()
        self.assertEqual((status, pin), (NOBODY, ""), said)
        self.assertIn(words, said)
        self.assertEqual(self.tty.shown(), "")
        self.assertEqual(self.tty.modes(), before)


class Conversations(InTerminal):
    def setUp(self):
        super().setUp()
        self.holder = self.tty.holder()
        self.before = self.tty.modes()

    def ask(self, kind, keys, ready=None, **options):
        """What the helper ends with when these keys are typed once it takes some."""
        self.tty.forget()
        helper = self.start(kind, self.holder, **options)
        self.tty.wait_until_shown(ready or READY[kind])
        self.tty.types(keys)
        result = helper.finish()
        self.assertEqual(self.tty.modes(), self.before)
        self.assertEqual(self.tty.pending(), 0)
        return result

    def test_a_pin_is_typed_in_either_terminal_and_not_shown(self):
        for way in (BY_ASKER, BY_PROMPTER):
            with self.subTest(way):
                result = self.ask(PIN, SECRET + "\r", way=way, trouble="That PIN was wrong. Tries left: 2")
                self.assertEqual(result, (YES, SECRET, ""))
                shown = self.tty.shown()
                self.assertNotIn(SECRET, shown)
                self.assertNotIn("*", shown)
                for line in ("|! That PIN was wrong. Tries left: 2\r\n|  PIN for the token\r\n|      \"lab\"\r\n",
                             "+-- Keystile asks for a PIN ---", "wait..."):
                    self.assertIn(line, shown)
                self.assertEqual("Keystile: answered." in shown, way == BY_ASKER, "a prompter says it itself")

    def test_a_password_is_not_called_a_pin(self):
        result = self.ask(PIN, SECRET + "\r", ready="Password: ", password=True)
        self.assertEqual(result, (YES, SECRET, ""))
        self.assertIn("+-- Keystile asks for a password ---", self.tty.shown())

    def test_what_was_typed_before_it_could_be_read_is_dropped(self):
        termios.tcflow(self.tty.slave, termios.TCOOFF)
        self.tty.types("early\r")
        helper = self.start(PIN, self.holder)
        lab.wait_for("the question begins", lambda: self.tty.modes() != self.before)
        # However slow the machine is, these keys are there before the question is.
        helper.signal(signal.SIGSTOP)
        self.tty.types("hasty\r")
        lab.wait_for("the keys arrive", lambda: self.tty.pending() >= len("hasty\r"))
        termios.tcflow(self.tty.slave, termios.TCOON)
        helper.signal(signal.SIGCONT)
        self.tty.wait_until_shown("PIN: ")
        self.tty.types("1234\r")
        self.assertEqual(helper.finish(), (YES, "1234", ""))
        self.assertEqual(self.tty.pending(), 0)

    def test_the_terminals_own_keys_edit_a_pin(self):
        self.assertEqual(self.ask(PIN, "99\x15" + "12x\x7f" + "3\u00e4\x7f4\r"), (YES, "1234", ""))

    def test_a_pin_that_a_key_spoilt_is_typed_again(self):
        for keys in ("12\t34\r", "1" * 256 + "\r"):
            with self.subTest(keys[:5]):
                self.tty.forget()
                helper = self.start(PIN, self.holder)
                self.tty.wait_until_shown("PIN: ")
                self.tty.types(keys)
                self.tty.wait_until_shown("held a control character")
                self.tty.wait_until_shown("PIN: ", 2)
                self.tty.types("1234\r")
                self.assertEqual(helper.finish(), (YES, "1234", ""))

    def test_whatever_is_no_pin_is_no(self):
        for keys in ("\r", "\n", "12\x03", "12\x04", "12\x1a", "12\x1c", "12\x1b", "12\x1b[A\r"):
            with self.subTest(keys):
                self.assertEqual(self.ask(PIN, keys), (NO, "", ""))
                self.assertIn("PIN: \r\nKeystile: refused.", self.tty.shown())

    def test_yes_is_yes_and_all_else_is_no(self):
        for keys, status in (("yes\r", YES), ("Y\r", YES), ("nx\x7f\x7fy\r", YES), ("\r", NO), ("n\r", NO),
                             ("No\r", NO), ("yes\x03", NO), ("yes\x1b", NO)):
            with self.subTest(keys):
                self.assertEqual(self.ask(CONFIRM, keys), (status, "", ""))

    def test_a_yes_that_is_to_be_remembered_is_a_word_of_its_own(self):
        for way in (BY_ASKER, BY_PROMPTER):
            for keys, status in (("remember\r", YES_REMEMBER), ("Remember\r", YES_REMEMBER), ("yes\r", YES), ("y\r", YES),
                                 ("no\r", NO), ("\r", NO), ("remember\x1b", NO), ("remember\x03", NO)):
                with self.subTest(way=way, keys=keys):
                    result = self.ask(CONFIRM, keys, ready="yes (once), remember or no [no]: ", way=way, remember=300)
                    self.assertEqual(result, (status, "", ""))
        self.assertIn("|  A yes may count for 5 minutes: for this process, key, user and host\r\n", self.tty.shown())

    def test_less_than_the_whole_word_remembers_nothing(self):
        helper = self.start(CONFIRM, self.holder, remember=3600)
        for times, keys in enumerate(("r\r", "rem\r", "remember \r"), 1):
            self.tty.wait_until_shown("yes (once), remember or no [no]: ", times)
            self.tty.types(keys)
        self.assertEqual(helper.finish(), (NO, "", ""))
        self.assertEqual(self.tty.shown().count("Please type yes, remember or no."), 3)

    def test_the_word_is_none_where_it_was_not_offered(self):
        helper = self.start(CONFIRM, self.holder)
        for times in (1, 2, 3):
            self.tty.wait_until_shown(READY[CONFIRM], times)
            self.tty.types("remember\r")
        self.assertEqual(helper.finish(), (NO, "", ""))
        self.assertNotIn("may count", self.tty.shown())

    def test_nonsense_three_times_is_no(self):
        helper = self.start(CONFIRM, self.holder)
        for times, keys in enumerate(("maybe\r", "yes!\r", "\u00e4\r"), 1):
            self.tty.wait_until_shown(READY[CONFIRM], times)
            self.tty.types(keys)
        self.assertEqual(helper.finish(), (NO, "", ""))
        self.assertEqual(self.tty.shown().count("Please type yes or no."), 3)

    def test_the_terminal_is_put_right_when_the_question_is_withdrawn(self):
        for moment in ("wait...", "PIN: "):
            with self.subTest(moment):
                self.tty.forget()
                helper = self.start(PIN, self.holder)
                self.tty.wait_until_shown(moment)
                self.tty.types("12")
                helper.signal(signal.SIGTERM)
                self.assertEqual(helper.finish(), (NO, "", ""))
                self.assertIn("Keystile: the question is withdrawn.", self.tty.shown())
                self.assertEqual(self.tty.modes(), self.before)
                self.assertEqual(self.tty.pending(), 0)

    def test_a_terminal_that_goes_away_has_asked_nobody(self):
        helper = self.start(PIN, self.holder)
        self.tty.wait_until_shown("PIN: ")
        self.tty.types(SECRET)
        os.close(self.tty.master)
        self.tty.master = None
        status, pin, words = helper.finish()
        self.assertEqual((status, pin), (NOBODY, ""))
        self.assertIn("terminal", words)
        self.assertNotIn(SECRET, words)
        os.close(self.tty.slave)

    def test_a_terminal_that_takes_nothing_holds_nobody_up(self):
        termios.tcflow(self.tty.slave, termios.TCOOFF)
        helper = self.start(PIN, self.holder)
        status, pin, words = helper.finish()
        self.assertEqual((status, pin), (NOBODY, ""), words)
        self.assertIn("takes nothing", words)
        self.assertEqual(self.tty.modes(), self.before)

    def test_a_terminal_that_was_stopped_by_a_key_goes_on(self):
        self.tty.types("\x13")
        self.assertEqual(self.ask(PIN, SECRET + "\r"), (YES, SECRET, ""))

    def test_a_question_that_is_higher_than_the_window_comes_in_parts(self):
        self.tty = self.terminal(height=16)
        holder = self.tty.holder()
        text = "".join(f"line {number}\n" for number in range(1, 21))
        helper = self.start(PIN, holder, text=text)
        self.tty.wait_until_shown("There is more.")
        self.assertNotIn("line 20", self.tty.shown())
        self.tty.types("\r")
        self.tty.wait_until_shown("PIN: ")
        self.assertIn("line 20", self.tty.shown())
        self.tty.types(SECRET + "\r")
        self.assertEqual(helper.finish(), (YES, SECRET, ""))
        self.tty.forget()
        helper = self.start(PIN, holder, text=text)
        self.tty.wait_until_shown("There is more.")
        self.tty.types("\x1b")
        self.assertEqual(helper.finish(), (NO, "", ""))

    def test_a_notice_stands_there_until_it_is_over_and_reads_nothing(self):
        helper = self.start(NOTICE, self.holder, text="Touch the token\n")
        self.tty.wait_until_shown("Touch the token")
        self.tty.wait_until_shown("+-----")
        self.tty.types("for somebody else\n")
        self.assertEqual(self.tty.modes(), self.before)
        helper.signal(signal.SIGTERM)
        self.assertEqual(helper.finish(), (NO, "", ""))
        self.assertIn("the notice is over", self.tty.shown())
        lab.wait_for("what was typed is there", lambda: self.tty.pending() == len("for somebody else\n"))


class Places(InTerminal):
    """Where no question is shown at all."""

    def test_a_process_that_ended_or_is_another_by_now(self):
        holder = self.tty.holder()
        self.refused("has ended", holder, start=holder.start + 1)
        self.refused("has ended", holder, way=BY_PROMPTER, start=holder.start + 1)

    def test_a_process_without_a_terminal(self):
        self.refused("has no terminal", lab.Process(self.sleeps().pid))

    def sleeps(self):
        one = lab.place.subprocess.Popen([self.tty.program("ssh"), "3600"], start_new_session=True)
        self.addCleanup(one.wait)
        self.addCleanup(one.kill)
        return one

    def test_a_process_in_the_background(self):
        job = self.job(self.tty.program("ssh"), "3600")
        job.does(f"foreground({job.leader.pid})")
        self.refused("in its background", job.child)
        self.refused("in its background", job.child, way=BY_PROMPTER)
        self.refused("in its background", job.child, kind=NOTICE)
        job.does("foreground(child)")
        helper = self.start(PIN, job.child)
        self.tty.wait_until_shown("PIN: ")
        self.tty.types("1234\r")
        self.assertEqual(helper.finish(), (YES, "1234", ""))

    def test_a_terminal_that_is_not_the_prompters_own(self):
        holder = self.tty.holder()
        self.refused("can't be opened", holder, way=BY_PROMPTER, terminal=self.terminal())

    def test_a_terminal_in_which_single_keys_are_read(self):
        holder = self.tty.holder()
        usual = self.tty.modes()
        for flag in (termios.ICANON, termios.ECHO):
            modes = self.tty.modes()
            modes[3] &= ~flag
            termios.tcsetattr(self.tty.slave, termios.TCSANOW, modes)
            self.refused("reads single keys or a password", holder)
            self.refused("reads single keys or a password", holder, way=BY_PROMPTER)
            termios.tcsetattr(self.tty.slave, termios.TCSANOW, usual)

    def test_a_terminal_that_others_may_read(self):
        holder = self.tty.holder()
        os.chmod(self.tty.path, 0o640)
        self.refused("others may read", holder)

    def test_an_asker_that_may_read_there_itself(self):
        job = self.job(self.tty.program("plink"), "3600")
        self.refused("may itself read", job.child)

    def test_an_asker_whose_input_is_something_else(self):
        job = self.job(self.tty.program("plink"), "3600", stdin="null")
        helper = self.start(PIN, job.child)
        self.tty.wait_until_shown("PIN: ")
        self.tty.types("1234\r")
        self.assertEqual(helper.finish(), (YES, "1234", ""))

    @staticmethod
    def running(path):
        """The process that runs the program, once there is one."""
        def found():
            for entry in os.listdir("/proc"):
                try:
                    if os.readlink(f"/proc/{entry}/exe") == str(path):
                        return lab.Process(int(entry))
                except (OSError, ValueError):
                    pass
            return None
        return lab.wait_for(f"{path} runs", found)

    def shell(self, script):
        """A script in the foreground with all that it starts; the process that runs `ssh` in it."""
        self.job("/bin/sh", "-c", script)
        return self.running(self.tty.program("ssh"))

    def test_a_pipeline_whose_first_program_may_read(self):
        asker = self.shell(f"cat | {self.tty.program('ssh')} 3600; true")
        lab.wait_for("cat runs beside it", lambda: "cat" in [one.name for one in lab.descendants(asker.parent)])
        self.refused("another program may read from its terminal: cat", asker)

    def test_a_script_that_waits_for_its_ssh_does_not_read(self):
        asker = self.shell(f"{self.tty.program('ssh')} 3600; true")
        helper = self.start(PIN, asker)
        self.tty.wait_until_shown("PIN: ")
        self.tty.types("1234\r")
        self.assertEqual(helper.finish(), (YES, "1234", ""))

    def test_a_program_that_ssh_runs_in_the_middle_of_a_session(self):
        """A relay's children, such as the commands of its escape, ask in vain."""
        for name in ("ssh", "docker", "mosh-client"):
            with self.subTest(name):
                self.tty = self.terminal()
                os.rename(self.copy_of_shell(), self.tty.folder.path / name)
                self.job(self.tty.folder.path / name, "-c",
                         f"{self.tty.program('ssh-keygen')} 3600; true")
                asker = self.running(self.tty.program("ssh-keygen"))
                self.refused(f"another program may read from its terminal: {name}", asker)

    def copy_of_shell(self):
        path = self.tty.folder.path / "shell"
        lab.place.shutil.copy("/bin/sh", path)
        return path

    def test_an_ssh_jumps_through_another(self):
        os.rename(self.copy_of_shell(), self.tty.folder.path / "ssh")
        inner = self.tty.folder.path / "inner"
        inner.mkdir()
        lab.place.shutil.copy("/usr/bin/sleep", inner / "ssh")
        self.job(self.tty.folder.path / "ssh", "-c", f"{inner}/ssh 3600 </dev/null; true")
        helper = self.start(PIN, self.running(inner / "ssh"))
        self.tty.wait_until_shown("PIN: ")
        self.tty.types("1234\r")
        self.assertEqual(helper.finish(), (YES, "1234", ""))

    def test_a_relay_that_got_the_terminal_from_elsewhere(self):
        """As a master process of ssh has those of the sessions that it carries."""
        holder = self.tty.holder()
        inner = self.tty.folder.path / "elsewhere"
        inner.mkdir()
        lab.place.shutil.copy("/usr/bin/sleep", inner / "mosh-client")
        one = lab.place.subprocess.Popen([inner / "mosh-client", "3600"], stdin=self.tty.slave,
                                         start_new_session=True)
        self.addCleanup(one.wait)
        self.addCleanup(one.kill)
        self.refused("another program may read from its terminal: mosh-client", holder)

    def test_a_foreground_that_changes_ends_the_question(self):
        job = self.job(self.tty.program("ssh"), "3600")
        before = self.tty.modes()
        helper = self.start(PIN, job.child)
        self.tty.wait_until_shown("PIN: ")
        self.tty.types("12")
        job.does(f"foreground({job.leader.pid})")
        status, pin, words = helper.finish()
        self.assertEqual((status, pin), (NOBODY, ""))
        self.assertIn("another program came to the foreground", words)
        self.assertEqual(self.tty.modes(), before)

    def test_an_asker_that_ends_ends_the_question(self):
        job = self.job(self.tty.program("ssh"), "3600")
        helper = self.start(PIN, job.child)
        self.tty.wait_until_shown("PIN: ")
        os.kill(job.child.pid, signal.SIGKILL)
        status, pin, _ = helper.finish()
        self.assertEqual((status, pin), (NOBODY, ""))

    def test_a_prompter_without_its_terminal_is_an_error(self):
        holder = self.tty.holder()
        helper = Helper(question(PIN, "", way=BY_PROMPTER, holder=holder.pid, start=holder.start), self.env)
        self.assertEqual(helper.finish()[:2], (FAILED, ""))


if __name__ == "__main__":
    unittest.main()
