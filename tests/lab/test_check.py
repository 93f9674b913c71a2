"""How tests/check counts: a failure must never be lost, whatever way a test program ends."""
import unittest

from lab.check import tally_tap


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


if __name__ == "__main__":
    unittest.main()
