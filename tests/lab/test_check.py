"""How tests/check counts: a failure must never be lost, whatever way a test program ends."""
import unittest

from lab.check import UNSTEADY_MAX, Tally, after_second_run, tally_tap, worth_a_second_run


def counted(output, code=0):
    tally = tally_tap("t", output, code)
    return tally.passed, tally.failed, tally.skipped


class Counting(unittest.TestCase):
    def test_results_are_counted_one_by_one(self):
        self.assertEqual(counted("1..3\nok 1 - a\nok 2 - b # SKIP why\nok 3 - c\n"), (2, 0, 1))

    def test_a_failed_one_is_shown_with_what_follows_it(self):
        tally = tally_tap("t", "ok 1 - a\nnot ok 2 - b\n# because\nok 3 - c\n# fine\n1..3\n", 1)
        self.assertEqual((tally.passed, tally.failed), (2, 1))
        self.assertEqual(tally.words, ["t: not ok 2 - b", "    # because"])

    def test_what_cmocka_calls_not_ok_and_skipped_is_skipped(self):
        self.assertEqual(counted("1..1\nnot ok 1 # SKIP a\n"), (0, 0, 1))

    def test_several_groups_of_one_program_add_up(self):
        self.assertEqual(counted("1..1\nok 1 - a\n1..2\nok 1 - b\nok 2 - c\n"), (3, 0, 0))

    def test_results_that_never_came_are_failures(self):
        self.assertEqual(counted("1..3\nok 1 - a\n", -6), (1, 2, 0))

    def test_a_program_that_says_nothing_has_failed_even_with_code_0(self):
        self.assertEqual(counted("", 0), (0, 1, 0))
        self.assertEqual(counted("Segmentation fault\n", -11), (0, 1, 0))

    def test_a_bad_end_after_good_results_is_a_failure(self):
        self.assertEqual(counted("1..1\nok 1 - a\n==1==ERROR: LeakSanitizer\n", 23), (1, 1, 0))


def failed(*words):
    return Tally(failed=1, words=list(words))


class SecondRuns(unittest.TestCase):
    def test_a_failed_program_is_run_again_and_no_other(self):
        self.assertEqual(worth_a_second_run([Tally(1), failed("timed out"), Tally(2)]), [1])

    def test_where_many_fail_none_is_run_again(self):
        self.assertEqual(len(worth_a_second_run([failed()] * UNSTEADY_MAX)), UNSTEADY_MAX)
        self.assertEqual(worth_a_second_run([failed()] * (UNSTEADY_MAX + 1)), [])

    def test_what_a_sanitizer_found_is_never_run_again(self):
        for finding in ("#   ==12==ERROR: AddressSanitizer: heap-use-after-free on address",
                        "#   src/agent/sign.c:3:4: runtime error: member access within null",
                        "==77==ERROR: LeakSanitizer: detected memory leaks",
                        "    ==31== Invalid read of size 8"):
            with self.subTest(finding):
                self.assertEqual(worth_a_second_run([failed(finding)]), [])

    def test_a_second_failure_counts(self):
        again = after_second_run(failed("first"), failed("second"))
        self.assertEqual((again.failed, again.unsteady, again.words), (1, 0, ["second"]))

    def test_what_failed_at_first_is_shown_and_counted_as_unsteady(self):
        again = after_second_run(failed("first"), Tally(5))
        self.assertEqual((again.passed, again.failed, again.unsteady), (5, 0, 1))
        self.assertIn("first", again.words)


if __name__ == "__main__":
    unittest.main()
