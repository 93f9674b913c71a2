"""How OpenSSH's tests are judged: what they end with is not enough."""
import unittest

from run import judge, told_by_test

PASSED = "run test agent.sh ...\nok simple agent test\nmake: Leaving directory '/tmp/t1/regress'\n"


class Judging(unittest.TestCase):
    def test_one_that_ends_well_and_says_ok_has_passed(self):
        self.assertIsNone(judge(0, PASSED))

    def test_one_that_fails_has_failed(self):
        self.assertEqual(judge(2, "connect failed\nfailed simple agent test\n"), "ended with 2")

    def test_one_that_says_ok_and_ends_badly_has_failed(self):
        self.assertEqual(judge(124, PASSED), "ended with 124")

    def test_one_that_never_says_ok_has_failed(self):
        self.assertIn("never said ok", judge(0, "run test agent.sh ...\n"))
        self.assertIn("never said ok", judge(0, ""))

    def test_one_that_skips_has_failed_in_all_of_their_words(self):
        for words in ("SKIPPED: skipped (running as root)", "Skipped: running as root",
                      "skipped (gdb not found)", "skipped: Unable to find PKCS#11 token library",
                      "skip test agent.sh"):
            with self.subTest(words=words):
                self.assertIn("counts as failed", judge(0, f"run test agent.sh ...\n{words}\n{PASSED}"))

    def test_the_logs_after_a_failure_are_not_judged(self):
        said = told_by_test("agent.sh failed\n==> /tmp/t1/regress/failed-ssh.log <==\ndebug1: skipped\n")
        self.assertEqual(said, "agent.sh failed\n")


if __name__ == "__main__":
    unittest.main()
