"""The prompt helper alone, with prompt programs that behave in every way: what it says, and who hears the PIN."""
import os
import pathlib
import select
import signal
import subprocess
import unittest

import lab
from helper_bed import CONFIRM, FAILED, HELPER, NO, NOBODY, NOTICE, PIN, SECRET, YES, Helper, question


class Prompt(unittest.TestCase):
    def setUp(self):
        self.askpass = lab.Askpass()
        self.addCleanup(self.askpass.close)
        self.env = lab.environment(self.askpass.folder.path)
        self.env["SSH_ASKPASS_PROMPT"] = "inherited"

    def start(self, kind, text="Enter it", **options):
        helper = Helper(question(kind, self.askpass.path, text), self.env, **options)
        self.addCleanup(lambda: helper.ended() or helper.signal(signal.SIGKILL))
        return helper

    def ask(self, kind, **options):
        return self.start(kind, **options).finish()

    def refused(self, kind, status):
        """Asks; fails unless it is refused with that status and the answer is heard nowhere."""
        got, pin, words = self.ask(kind)
        self.assertEqual((got, pin), (status, ""))
        self.assertNotIn(SECRET, words)
        self.assertEqual(words.count("\n"), 1 if status in (FAILED, NOBODY) else 0, words)
        return words


class Pins(Prompt):
    def test_a_pin_goes_into_the_pipe_and_nowhere_else(self):
        self.askpass.prints(SECRET)
        self.assertEqual(self.ask(PIN), (YES, SECRET, ""))

    def test_the_program_gets_the_text_and_no_hint(self):
        self.askpass.prints(SECRET)
        self.ask(PIN, text="Key \"a b\"\n$(touch /tmp/x) 'c'\n")
        self.assertEqual(self.askpass.prompts(), ["Key \"a b\"\n$(touch /tmp/x) 'c'\n"])
        self.assertEqual(self.askpass.hints(), [""])

    def test_a_pin_is_heard_only_after_the_program_has_ended(self):
        go = self.askpass.folder.path / "go"
        self.askpass.does(f"printf '%s\\n' {SECRET}; exec 1>&-; until [ -e {go} ]; do sleep 0.01; done")
        helper = self.start(PIN)
        self.askpass.wait_until_asked()
        self.assertEqual(select.select([helper.pin], [], [], 0.3)[0], [])
        go.touch()
        self.assertEqual(helper.finish(), (YES, SECRET, ""))

    def test_a_program_that_fails_after_a_pin_has_refused(self):
        for script in ("exit 1", "exit 2", "kill -SEGV $$", "kill -TERM $$", "kill -KILL $$"):
            with self.subTest(script):
                self.askpass.does(f"echo {SECRET}; {script}")
                self.refused(PIN, FAILED)

    def test_a_person_who_cancels_has_refused(self):
        self.askpass.refuses()
        self.refused(PIN, NO)

    def test_an_answer_that_is_no_pin_is_a_failure(self):
        for printed in ("", "\\n", f"{SECRET}\\n\\n", f"{SECRET}\\n{SECRET}\\n", f"{SECRET}\\0",
                        SECRET * 24):
            with self.subTest(printed):
                self.askpass.does(f"printf '{printed}'")
                self.refused(PIN, FAILED)

    def test_megabytes_of_answer_are_cut_off_and_their_writer_ends(self):
        self.askpass.does("trap '' TERM PIPE; while :; do printf 1; done")
        self.refused(PIN, FAILED)
        self.assertEqual(self.askpass.processes(), [])

    def test_a_program_that_is_not_there_is_nobody(self):
        self.askpass.vanishes()
        self.refused(PIN, NOBODY)

    def test_a_program_that_may_not_be_run_is_nobody(self):
        os.chmod(self.askpass.path, 0o600)
        self.refused(PIN, NOBODY)

    def test_a_shell_that_traces_does_not_bring_the_pin_into_the_log(self):
        self.askpass.does(f"set -x; PIN={SECRET}; echo $PIN; exit 4")
        self.refused(PIN, FAILED)

    def test_what_the_program_leaves_running_is_not_waited_for(self):
        self.askpass.does(f"sleep 3600 & echo $! > {self.askpass.folder.path}/left; echo {SECRET}")
        self.assertEqual(self.ask(PIN), (YES, SECRET, ""))
        os.kill(int((self.askpass.folder.path / "left").read_text()), signal.SIGKILL)

    def test_nobody_is_asked_where_a_pin_could_not_be_handed_on(self):
        self.askpass.prints(SECRET)
        status, _, words = self.ask(PIN, pin=False)
        self.assertEqual((status, self.askpass.prompts()), (FAILED, []))
        self.assertIn("no pipe", words)

    def test_the_program_has_no_descriptor_of_the_helper(self):
        seen = self.askpass.folder.path / "seen"
        self.askpass.does(f"exec ls -l /proc/self/fd > {seen}")
        self.refused(PIN, FAILED)
        found = {line.split()[8]: line.split()[10] for line in seen.read_text().splitlines()[1:]}
        self.assertRegex(found.pop("3"), "^/proc/")  # the folder that ls reads
        self.assertEqual(found, {"0": "/dev/null", "1": str(seen), "2": "/dev/null"})

    def test_the_helper_leaves_no_core_and_gains_no_privileges(self):
        self.askpass.hangs()
        helper = self.start(PIN)
        self.askpass.wait_until_asked()
        limits = pathlib.Path(f"/proc/{helper.pid}/limits").read_text()
        self.assertRegex(limits, r"Max core file size +0 +0 ")
        self.assertIn("NoNewPrivs:\t1", pathlib.Path(f"/proc/{helper.pid}/status").read_text())
        helper.signal(signal.SIGTERM)
        helper.finish()


class Confirmations(Prompt):
    def test_yes_is_an_empty_answer_or_the_word(self):
        for printed in ("", "\\n", "yes\\n", "YES"):
            with self.subTest(printed):
                self.askpass.does(f"printf '{printed}'")
                self.assertEqual(self.ask(CONFIRM, pin=False), (YES, "", ""))
        self.assertEqual(set(self.askpass.hints()), {"confirm"})

    def test_everything_else_is_no(self):
        for script, status in (("echo no", NO), ("exit 1", NO), ("echo maybe", FAILED),
                               ("echo yes; exit 1", FAILED), ("exit 7", FAILED),
                               ("kill -SEGV $$", FAILED), ("printf 'yes\\nyes\\n'", FAILED)):
            with self.subTest(script):
                self.askpass.does(script)
                self.refused(CONFIRM, status)


class Notices(Prompt):
    def test_a_notice_that_the_person_closes_is_no_answer(self):
        for script in ("exit 0", "echo yes", "exit 1"):
            with self.subTest(script):
                self.askpass.does(script)
                self.refused(NOTICE, NO)
        self.assertEqual(set(self.askpass.hints()), {"none"})

    def test_a_notice_that_cannot_be_shown_is_a_failure(self):
        self.askpass.does("exit 2")
        self.refused(NOTICE, FAILED)
        self.askpass.vanishes()
        self.refused(NOTICE, NOBODY)

    def test_it_is_said_when_a_notice_can_be_seen(self):
        self.askpass.hangs()
        helper = self.start(NOTICE)
        helper.wait_until_shown()
        helper.signal(signal.SIGTERM)
        self.assertEqual(helper.finish(), (NO, "", ""))
        self.askpass.vanishes()
        helper = self.start(NOTICE)
        self.assertEqual(helper.finish()[0], NOBODY)
        self.assertFalse(helper.shown)


class Withdrawal(Prompt):
    def withdrawn(self, kind, script, number=signal.SIGTERM, least=1):
        """Once so many processes run below the helper, those of the script as far as it has come."""
        self.askpass.does(script)
        asked = len(self.askpass.prompts())
        helper = self.start(kind)
        self.askpass.wait_until_asked(asked + 1)
        lab.wait_for("the script is at it", lambda: len(lab.descendants(helper.pid)) >= least)
        below = lab.descendants(helper.pid)
        helper.signal(number)
        self.assertEqual(helper.finish(), (NO, "", ""))
        lab.wait_for("everything below the helper ends", lambda: not any(one.alive() for one in below))
        return below

    def test_a_prompt_that_is_withdrawn_goes_and_is_a_no(self):
        for kind in (PIN, CONFIRM, NOTICE):
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                with self.subTest(kind=kind, number=number):
                    self.assertTrue(self.withdrawn(kind, "exec sleep 3600", number))

    def test_children_of_the_program_go_with_it(self):
        below = self.withdrawn(PIN, "sleep 3600 & sleep 3600", least=3)
        self.assertGreaterEqual(len(below), 3)

    def test_a_program_that_ignores_the_wish_is_killed(self):
        self.withdrawn(PIN, "trap '' TERM; sleep 3600 & while :; do sleep 0.01; done", least=2)

    def test_an_answer_that_comes_with_the_withdrawal_is_not_used(self):
        self.withdrawn(PIN, f"trap 'echo {SECRET}; exit 0' TERM; while :; do sleep 0.01; done", least=2)

    def test_a_withdrawal_before_the_question_ends_the_helper(self):
        asking = subprocess.Popen([HELPER], stdin=subprocess.PIPE, env=self.env)
        asking.send_signal(signal.SIGTERM)
        self.assertNotEqual(asking.wait(10 * lab.place.PATIENCE), YES)
        asking.stdin.close()

    def test_a_program_does_not_outlive_a_helper_that_was_killed(self):
        self.askpass.hangs()
        helper = self.start(PIN)
        self.askpass.wait_until_asked()
        helper.signal(signal.SIGKILL)
        self.assertEqual(helper.finish()[0], -signal.SIGKILL)
        lab.wait_for("the program ends", lambda: self.askpass.processes() == [])

    def test_a_prompt_goes_when_the_agent_dies(self):
        self.askpass.does("exec sleep 3600")
        stand_in = ("import os,subprocess,sys,time;"
                    "p=subprocess.Popen([sys.argv[1]],stdin=subprocess.PIPE);"
                    "p.stdin.write(bytes.fromhex(sys.argv[2]));p.stdin.close();"
                    "print(p.pid,flush=True);time.sleep(3600)")
        asked = question(CONFIRM, self.askpass.path).hex()
        agent = subprocess.Popen(["/usr/bin/python3", "-c", stand_in, HELPER, asked], env=self.env,
                                 stdout=subprocess.PIPE)
        self.addCleanup(agent.stdout.close)
        agent.stdout.readline()
        self.askpass.wait_until_asked()
        below = lab.descendants(agent.pid)
        self.assertEqual(len(below), 2)
        agent.kill()
        agent.wait()
        lab.wait_for("the prompt goes", lambda: not any(one.alive() for one in below))


class Nonsense(Prompt):
    def test_a_malformed_question_is_a_failure(self):
        good = question(CONFIRM, self.askpass.path)
        self.askpass.agrees()
        for bad in (b"", good[:-1], good + b"x", b"\x00" + good[1:], b"\x04" + good[1:],
                    question(CONFIRM, ""), question(CONFIRM, "/bin/true\0"[:-1] + "\0x"),
                    question(CONFIRM, self.askpass.path, "a\0b"),
                    question(CONFIRM, self.askpass.path, "a" * 32768)):
            with self.subTest(bad[:40]):
                status, _, words = Helper(bad, self.env).finish()
                self.assertEqual((status, words), (FAILED, "the question is malformed\n"))
        self.assertEqual(self.askpass.prompts(), [])

    def test_a_long_question_is_shown_in_full(self):
        self.askpass.agrees()
        text = "a" * 32000
        self.assertEqual(self.ask(CONFIRM, text=text)[0], YES)
        self.assertEqual(self.askpass.prompts(), [text])


if __name__ == "__main__":
    unittest.main()
