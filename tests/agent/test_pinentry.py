"""Questions by pinentry: one that is scripted and misbehaves in every way, and Debian's own in a terminal."""
import os
import shutil
import signal
import time
import unittest

import lab
from bed import AgentTest
from helper_bed import (BY_PINENTRY, CONFIRM, FAILED, NO, NOBODY, NOTICE, PIN, SECRET, YES,
                        YES_REMEMBER, Helper,
                        question)

CURSES, GTK = "/usr/bin/pinentry-curses", "/usr/bin/pinentry-gtk-2"


class Scripted(unittest.TestCase):
    def setUp(self):
        self.pinentry = lab.Pinentry()
        self.addCleanup(self.pinentry.close)
        self.env = lab.environment(self.pinentry.folder.path)
        self.env.update(ASSUAN_DEBUG="255", GPG_TTY="/dev/tty")

    def start(self, kind, **options):
        helper = Helper(question(kind, self.pinentry.path, way=BY_PINENTRY, **options), self.env)
        self.addCleanup(lambda: helper.ended() or helper.signal(signal.SIGKILL))
        return helper

    def ask(self, kind, **options):
        return self.start(kind, **options).finish()

    def ask_hastily(self, kind, **options):
        """
        The answer where all of it took less than a second, so that none was thought about whoever measures, and how
        often the pinentry asked. A machine that was too busy for that is asked once more.
        """
        for _ in range(50):
            told, began = len(self.pinentry.told()), time.monotonic()
            answer = self.ask(kind, **options)
            if time.monotonic() - began < 1:
                return answer, len([line for line in self.pinentry.told()[told:] if line in ("GETPIN", "CONFIRM")])
        self.fail("fifty questions, and none was over within a second")

    def refused(self, kind, status=FAILED, **options):
        """Asks; fails unless it is refused with that status, heard nowhere, and nothing is left."""
        got, pin, words = self.ask(kind, **options)
        self.assertEqual((got, pin), (status, ""), words)
        self.assertNotIn(SECRET, words)
        self.assertEqual(words.count("\n"), 1 if status in (FAILED, NOBODY) else 0, words)
        lab.wait_for("the pinentry goes", lambda: not self.pinentry.processes())
        return words


class Conversations(Scripted):
    def test_a_pin_goes_into_the_pipe_and_the_words_to_the_pinentry(self):
        self.pinentry.gives("100%25 Geheim")
        self.assertEqual(self.ask(PIN, text='PIN of\n    "100%\\x0a"\n', timeout=77,
                                  trouble="That PIN was wrong. Tries left: 2"),
                         (YES, "100% Geheim", ""))
        self.assertEqual(self.pinentry.told(), [
            "OPTION grab", "SETTITLE Keystile", "SETTIMEOUT 77", "SETPROMPT PIN:",
            'SETDESC PIN of%0A    "100%25\\x0a"', "SETOK OK", "SETCANCEL Cancel",
            "SETERROR That PIN was wrong. Tries left: 2", "GETPIN", "BYE"])
        self.assertEqual(self.pinentry.starts(), [[]])

    def test_a_password_is_not_called_a_pin(self):
        self.pinentry.gives("word")
        self.assertEqual(self.ask(PIN, password=True), (YES, "word", ""))
        self.assertEqual(self.pinentry.told("SETPROMPT"), ["Password:"])

    def test_a_confirmation_is_allowed_or_refused(self):
        self.pinentry.agrees()
        self.assertEqual(self.ask(CONFIRM), (YES, "", ""))
        self.assertEqual(self.pinentry.told()[-5:],
                         ["SETDESC Enter it", "SETOK Allow", "SETCANCEL Refuse", "CONFIRM", "BYE"])
        self.pinentry.refuses()
        self.refused(CONFIRM, NO)

    def test_a_pinentry_that_tells_three_answers_apart_has_a_third_button(self):
        for flavour in ("curses", "gtk2", "gtk2:curses", "qt", "qt:curses"):
            with self.subTest(flavour):
                self.pinentry.tells_three(flavour)
                self.pinentry.remembers()
                self.assertEqual(self.ask(CONFIRM, remember=300, text="Enter it\n"), (YES_REMEMBER, "", ""))
                self.assertEqual(self.pinentry.told()[-7:], [
                    "GETINFO flavor",
                    "SETDESC Enter it%0AA yes may count for 5 minutes: for this process, key, user and host",
                    "SETOK Yes, once", "SETCANCEL Refuse", "SETNOTOK Yes, for 5 minutes", "CONFIRM", "BYE"])
        self.pinentry.agrees()
        self.assertEqual(self.ask(CONFIRM, remember=300), (YES, "", ""))
        for number in (62, 99, 198):
            self.pinentry.does(CONFIRM=f"time.sleep(1.3); say(b'ERR {5 << 24 | number} x\\n')")
            self.refused(CONFIRM, NO, remember=300)

    def test_any_other_has_two_and_its_not_confirmed_is_a_no(self):
        for says in ("D gnome3\\nOK", "D tty\\nOK", "D emacs\\nOK", "D gtk2 \\nOK", "D gtk2x\\nOK", "OK", "ERR 83886355 Unknown"):
            with self.subTest(says):
                self.pinentry.does(GETINFO=f"say(b'{says}\\n')", CONFIRM="time.sleep(1.3); say(b'OK\\n')")
                self.assertEqual(self.ask(CONFIRM, remember=300), (YES, "", ""))
                self.pinentry.remembers()
                self.pinentry.does(CONFIRM="time.sleep(1.3); say(b'ERR 83886194 Not confirmed\\n')")
                self.refused(CONFIRM, NO, remember=300)
        self.assertEqual(self.pinentry.told("SETNOTOK"), [])
        self.assertNotIn("may count", "".join(self.pinentry.told("SETDESC")))

    def test_not_confirmed_is_a_no_where_nothing_was_offered_and_before_the_last_part(self):
        self.pinentry.tells_three()
        not_confirmed = "time.sleep(1.3); say(b'ERR 83886194 Not confirmed\\n')"
        self.pinentry.does(CONFIRM=not_confirmed, GETPIN=not_confirmed)
        self.refused(CONFIRM, NO)
        self.refused(PIN, NO)
        self.assertEqual(self.pinentry.told("GETINFO") + self.pinentry.told("SETNOTOK"), [])
        self.refused(CONFIRM, NO, remember=300, text="line\n" * 200)
        self.assertEqual(self.pinentry.told("SETNOTOK"), [])

    def test_a_yes_that_is_to_be_remembered_must_be_as_good_as_any(self):
        self.pinentry.tells_three()
        self.pinentry.does(CONFIRM="say(b'ERR 83886194 Not confirmed\\n')")
        self.assertEqual(self.ask_hastily(CONFIRM, remember=300), ((NO, "", ""), 3), "hasty ones are asked for again")
        self.pinentry.remembers()
        for word in ("SETNOTOK", "SETOK", "BYE"):
            with self.subTest(word):
                self.pinentry.tells_three()
                self.pinentry.plan.pop("SETOK", None)
                self.pinentry.does(**{word: "say(b'ERR 83886194 Not confirmed\\n')"})
                self.refused(CONFIRM, FAILED, remember=300)
        self.pinentry.does(BYE="os.kill(os.getpid(), signal.SIGSEGV)")
        self.refused(CONFIRM, FAILED, remember=300)

    def test_nothing_lets_a_pinentry_keep_a_pin(self):
        self.pinentry.gives(SECRET)
        self.assertEqual(self.ask(PIN)[0], YES)
        whole = "\n".join(self.pinentry.told())
        self.assertNotIn("cache", whole)
        self.assertNotIn("SETKEYINFO", whole)

    def test_text_cannot_become_a_command(self):
        self.pinentry.refuses()
        self.refused(PIN, NO, text="a\nSETKEYINFO x\r\nOPTION allow-external-password-cache\x1b\u202e\n")
        self.assertEqual(self.pinentry.told("SETDESC"),
                         ["a%0ASETKEYINFO x?%0AOPTION allow-external-password-cache????"])
        self.assertEqual(self.pinentry.told("SETKEYINFO"), [])

    def test_a_strangers_words_stay_on_their_lines_in_a_window(self):
        self.pinentry.refuses()
        self.refused(PIN, NO, text='the user\n    "a stranger who has chosen his words on the host known as"\n')
        self.assertEqual(self.pinentry.told("SETDESC"), [
            'the user%0A    "a stranger who has chosen his "%0A    + "words on the host known as"'])

    def test_a_notice_is_a_message_and_no_answer(self):
        self.pinentry.does(MESSAGE="time.sleep(1.3); say(b'OK\\n')")
        self.refused(NOTICE, NO)
        self.assertEqual(self.pinentry.told()[-2:], ["MESSAGE", "BYE"])

    def test_a_notice_is_said_to_be_shown_when_the_pinentry_is_about_to(self):
        self.pinentry.does(MESSAGE="time.sleep(3600)")
        helper = self.start(NOTICE)
        helper.wait_until_shown()
        helper.signal(signal.SIGTERM)
        self.assertEqual(helper.finish(), (NO, "", ""))
        self.pinentry.does(SETTITLE="os.kill(os.getpid(), 9)")
        helper = self.start(NOTICE)
        self.assertEqual(helper.finish()[0], FAILED)
        self.assertFalse(helper.shown)

    def test_a_long_question_is_shown_in_parts_and_each_must_be_answered(self):
        lines = [f"line {number} " + "x" * 60 for number in range(30)]
        self.pinentry.gives(SECRET)
        self.pinentry.agrees()
        self.assertEqual(self.ask(PIN, text="\n".join(lines) + "\n"), (YES, SECRET, ""))
        pages = self.pinentry.told("SETDESC")
        self.assertEqual(len(self.pinentry.told("CONFIRM")), len(pages) - 1)
        self.assertGreater(len(pages), 1)
        self.assertEqual("%0A".join(page.rpartition("%0A(part ")[0] for page in pages),
                         "%0A".join(lines))
        self.pinentry.refuses()
        self.pinentry.gives(SECRET)
        self.refused(PIN, NO, text="\n".join(lines))

    def test_a_question_that_nobody_would_read_is_refused(self):
        self.pinentry.gives(SECRET)
        self.assertIn("too long", self.refused(PIN, text="x\n" * 10000))

    def test_what_is_typed_before_anybody_can_have_read_is_asked_again(self):
        at_once = f"say(b'D {SECRET}\\nOK\\n')"
        self.pinentry.does(GETPIN=at_once, CONFIRM="say(b'OK\\n')")
        self.assertEqual(self.ask_hastily(PIN), ((NO, "", ""), 3))
        self.assertIn("before you can have read", self.pinentry.told("SETERROR")[0])
        self.assertEqual(self.ask_hastily(CONFIRM), ((NO, "", ""), 3))

    def test_a_hasty_answer_is_not_part_of_the_next(self):
        """On a busy machine the first one may come late enough to count: then once more."""
        self.pinentry.does(greeting="n = 0; say(b'OK\\n')",
                           GETPIN="n += 1; n > 1 and time.sleep(1.3); say(b'D part%d\\nOK\\n' % n)")
        lab.wait_for("a hasty answer is asked for again", lambda: self.says_part_two(self.ask(PIN)))

    def says_part_two(self, answer):
        self.assertIn(answer, [(YES, "part1", ""), (YES, "part2", "")])
        return answer[1] == "part2"


class Misbehaviour(Scripted):
    """Each of these pinentries gives a PIN or a yes, and something that makes it worth nothing."""

    PIN_LINE = f"D {SECRET}\\n"

    def test_what_comes_instead_of_a_well_formed_ok_is_no(self):
        answers = ["ERR\\n", "ERR 0\\n", "ERR cancelled\\n", "OKAY\\n", "ok\\n", "\\n", "INQUIRE X\\n", "END\\n",
                   "OK\\0x\\n", "YES\\n", "ERR 536870981 Window too small\\n", "\\xff\\n",
                   "S PASSWORD_FROM_CACHE\\nOK\\n", "# x\\n" * 200 + "OK\\n", "S X\\n" * 200 + "OK\\n"]
        for answer in answers:
            with self.subTest(answer[:30]):
                self.pinentry.does(GETPIN=f"say(b'{self.PIN_LINE}{answer}')")
                self.refused(PIN)

    def test_a_confirmation_is_no_less_strict(self):
        for answer in ("ERR\\n", "ERR 0\\n", "OKAY\\n", "D yes\\nOK\\n", "yes\\n"):
            with self.subTest(answer):
                self.pinentry.does(CONFIRM=f"say(b'{answer}')")
                self.refused(CONFIRM)

    def test_a_pin_that_is_none_is_refused(self):
        for data in ("D %0\\n", "D %zz\\n", "D 1%0A2\\n", "D 1%00\\n", "D 1%0D\\n",
                     f"D {'1' * 258}\\n", f"D {'1' * 200}\\nD {'1' * 200}\\n"):
            with self.subTest(data[:20]):
                self.pinentry.does(GETPIN=f"say(b'{data}OK\\n')")
                self.refused(PIN)

    def test_a_pin_that_is_empty_or_too_long_is_refused(self):
        for data in ("", "D \\n", f"D {'1' * 256}\\n"):
            with self.subTest(data[:20]):
                self.pinentry.does(GETPIN=f"time.sleep(1.3); say(b'{data}OK\\n')")
                self.refused(PIN)

    def test_a_pin_and_then_a_failure_is_no_pin(self):
        self.pinentry.gives(SECRET)
        for end in ("sys.exit(0)", "sys.exit(1)", "say(b'OK\\n'); sys.exit(1)",
                    "say(b'ERR 99 x\\n')", "say(b'nonsense\\n')",
                    "say(b'OK\\n'); os.kill(os.getpid(), signal.SIGSEGV)",
                    "os.kill(os.getpid(), signal.SIGKILL)"):
            with self.subTest(end):
                self.pinentry.does(BYE=end)
                self.refused(PIN)

    def test_one_that_crashes_anywhere_has_refused(self):
        for word in ("greeting", "OPTION", "SETTITLE", "SETPROMPT", "SETDESC", "SETOK", "GETPIN"):
            with self.subTest(word):
                self.pinentry.plan.clear()
                self.pinentry.gives(SECRET)
                self.pinentry.does(**{word: f"say(b'{self.PIN_LINE}'); os.kill(os.getpid(), signal.SIGSEGV)"})
                self.refused(PIN)

    def test_nonsense_before_the_question_is_no_answer_to_it(self):
        for word in ("greeting", "SETTITLE", "SETDESC", "SETCANCEL"):
            with self.subTest(word):
                self.pinentry.plan.clear()
                self.pinentry.gives(SECRET)
                self.pinentry.does(**{word: f"say(b'OK\\n{self.PIN_LINE}OK\\n')"})
                self.refused(PIN)

    def test_megabytes_are_cut_off(self):
        for flood in ("b'x' * 65536", "b'D 1\\n' * 9999", "b'D ' + b'1' * 65536", "b'\\0' * 65536"):
            with self.subTest(flood):
                self.pinentry.does(GETPIN=f"while True: say({flood})")
                self.refused(PIN)

    def test_one_that_is_not_there_or_no_pinentry_says_so(self):
        os.chmod(self.pinentry.path, 0o600)
        self.assertIn("no such pinentry", self.refused(PIN, NOBODY))
        self.pinentry.path.unlink()
        self.refused(PIN, NOBODY)
        shutil.copy("/bin/true", self.pinentry.path)
        self.refused(PIN, FAILED)

    def test_one_that_hangs_goes_when_it_is_withdrawn(self):
        stubborn = "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(3600)"
        for scripts in ({"GETPIN": "time.sleep(3600)"}, {"GETPIN": stubborn},
                        {"BYE": stubborn, "GETPIN": f"time.sleep(1.3); say(b'{self.PIN_LINE}OK\\n')"},
                        {"SETDESC": "time.sleep(3600)"}):
            with self.subTest(scripts):
                self.pinentry.plan.clear()
                self.pinentry.does(**scripts)
                word = next(iter(scripts))
                told = len(self.pinentry.told(word))
                helper = self.start(PIN)
                self.pinentry.wait_until_told(word, told + 1)
                helper.signal(signal.SIGTERM)
                self.assertEqual(helper.finish(), (NO, "", ""))
                lab.wait_for("the pinentry goes", lambda: not self.pinentry.processes())

    def test_it_does_not_outlive_a_helper_that_was_killed(self):
        self.pinentry.does(GETPIN="time.sleep(3600)")
        helper = self.start(PIN)
        self.pinentry.wait_until_told("GETPIN")
        helper.signal(signal.SIGKILL)
        helper.finish()
        lab.wait_for("the pinentry goes", lambda: not self.pinentry.processes())

    def test_it_has_no_descriptor_of_the_helper_and_no_debug_log(self):
        self.pinentry.does(GETPIN="note('told', 'seen ' + ','.join(sorted(os.listdir('/proc/self/fd'))));"
                                  "note('told', 'environ ' + ' '.join(os.environ));"
                                  "say(b'ERR 83886179 x\\n')")
        self.refused(PIN, NO)
        # 3 is what listdir() reads, 4 is the note.
        self.assertLessEqual(len(self.pinentry.told("seen")[0].split(",")), 5)
        self.assertNotIn("ASSUAN_DEBUG", self.pinentry.told("environ")[0])


class Agents(AgentTest):
    """The agent, told by its configuration to ask by pinentry."""

    provider = "fake:lab,pin=always"

    def setUp(self):
        self.pinentry = lab.Pinentry("1234")
        self.addCleanup(self.pinentry.close)
        self.config = f"prompts = pinentry\npinentry = {self.pinentry.path}\n"
        super().setUp()

    def start(self, **options):
        return super().start(env={"DISPLAY": ":99"}, **options)

    def sign(self):
        with lab.AgentClient(self.agent) as one:
            return one.sign(self.key, b"data")

    def test_a_pin_that_was_typed_gives_a_signature_and_askpass_stays_out_of_it(self):
        signature = self.sign()
        self.assertIsNotNone(signature, self.agent.log())
        lab.verify(self.key, signature, b"data")
        self.assertEqual(self.askpass.prompts(), [])
        self.assertIn("PIN for the token%0A    \"", self.pinentry.told("SETDESC")[0])

    def test_a_pin_that_was_typed_before_a_crash_is_not_tried(self):
        self.pinentry.does(BYE="os.kill(os.getpid(), signal.SIGSEGV)")
        self.assertIsNone(self.sign())
        self.assertIn("answered and then failed", self.agent.log())
        self.pinentry.does(BYE="say(b'OK\\n')")
        self.assertIsNotNone(self.sign(), self.agent.log())

    def test_a_prompt_goes_with_its_client(self):
        self.pinentry.does(GETPIN="time.sleep(3600)")
        client = self.client()
        client.send(lab.client.SIGN, client.sign_request(self.key, b"data"))
        self.pinentry.wait_until_told("GETPIN")
        client.close()
        lab.wait_for("the pinentry goes", lambda: not self.pinentry.processes())


class Curses(unittest.TestCase):
    """Debian's pinentry-curses."""

    def setUp(self):
        self.terminal = lab.Terminal()
        self.addCleanup(self.terminal.close)
        self.env = lab.environment(self.terminal.folder.path)

    def start(self, kind, **options):
        helper = Helper(question(kind, CURSES, way=BY_PINENTRY, terminal=self.terminal.path, **options),
                        self.env)
        self.addCleanup(lambda: helper.ended() or helper.signal(signal.SIGKILL))
        return helper

    def test_a_pin_is_typed_and_not_shown(self):
        helper = self.start(PIN, text='PIN for the token\n    "A & <b>"\n', trouble="That PIN was wrong.")
        self.terminal.wait_until_shown("PIN:")
        for words in ("PIN for the token", '"A & <b>"', "That PIN was wrong."):
            self.assertIn(words, self.terminal.screen())
        time.sleep(1.1)
        self.terminal.types(SECRET)
        self.terminal.wait_until_shown("***")
        self.assertNotIn(SECRET, self.terminal.screen())
        self.terminal.types("Enter")
        self.assertEqual(helper.finish(), (YES, SECRET, ""))

    def test_the_button_refuses(self):
        for kind, steps in ((PIN, ("Tab", "Tab")), (CONFIRM, ("Tab",))):
            with self.subTest(kind):
                helper = self.start(kind)
                self.terminal.wait_until_shown("Cancel" if kind == PIN else "Refuse")
                self.terminal.types(*steps, "Enter")
                self.assertEqual(helper.finish(), (NO, "", ""))

    def test_three_answers_are_told_apart(self):
        for steps, status in ((("Enter",), YES), (("Tab", "Enter"), YES_REMEMBER), (("Tab", "Tab", "Enter"), NO)):
            with self.subTest(steps):
                helper = self.start(CONFIRM, remember=300)
                for button in ("Yes, once", "Yes, for 5 minutes", "Refuse"):
                    self.terminal.wait_until_shown(f"<{button}>")
                time.sleep(1.1)
                self.terminal.types(*steps)
                self.assertEqual(helper.finish(), (status, "", ""))
                self.terminal.wait_until_gone("Refuse")

    def test_the_screen_is_put_right_when_the_question_is_withdrawn(self):
        helper = self.start(CONFIRM, text="Allow the use\n")
        self.terminal.wait_until_shown("Refuse")
        helper.signal(signal.SIGTERM)
        self.assertEqual(helper.finish(), (NO, "", ""))
        self.terminal.wait_until_gone("Refuse")

    def test_what_was_typed_ahead_is_dropped(self):
        self.terminal.types(SECRET)
        self.terminal.wait_until_shown(SECRET)
        helper = self.start(PIN)
        self.terminal.wait_until_shown("PIN:")
        self.assertNotIn("*", self.terminal.screen())
        self.terminal.types("Tab", "Tab", "Enter")
        self.assertEqual(helper.finish()[0], NO)

    def test_a_question_that_is_higher_than_the_terminal_comes_in_parts(self):
        self.terminal.call("resize-window", "-x", "80", "-y", "24")
        helper = self.start(PIN, text="".join(f"line {number}\n" for number in range(1, 31)))
        for part in (1, 2):
            self.terminal.wait_until_shown(f"(part {part} of 3)")
            time.sleep(1.1)
            self.terminal.types("Enter")
        self.terminal.wait_until_shown("(part 3 of 3)")
        self.assertIn("line 30", self.terminal.screen())
        self.assertIn("PIN:", self.terminal.screen())
        time.sleep(1.1)
        self.terminal.types(SECRET, "Enter")
        self.assertEqual(helper.finish(), (YES, SECRET, ""))


class Window(unittest.TestCase):
    """Debian's pinentry-gtk-2."""

    def test_three_answers_are_told_apart_and_closing_it_is_none_of_the_yeses(self):
        with lab.Display() as display:
            for keys, status in ((["Return"], NO), (["space"], NO), (["Escape"], NO), (["Tab", "Return"], YES_REMEMBER),
                                 (["Tab", "Tab", "Return"], YES), ([], NO)):
                with self.subTest(keys):
                    self.answer(display, keys, status)

    def answer(self, display, keys, status):
        env = dict(lab.environment(display.folder.path), **display.env)
        helper = Helper(question(CONFIRM, GTK, way=BY_PINENTRY, remember=300), env)
        self.addCleanup(lambda: helper.ended() or helper.signal(signal.SIGKILL))
        window = display.wait_until_shown()
        display.focus(window)
        time.sleep(1.1)  # sooner answers are asked for again
        for key in keys:
            display.presses(key)
        if not keys:
            display.asks_to_close(window)
        self.assertEqual(helper.finish(), (status, "", ""))
        display.wait_until_gone()


if __name__ == "__main__":
    unittest.main()
