"""
Runs the unittest cases of one file and prints TAP, a line for each test, so that tests/check can count them.
"""
import argparse
import importlib.util
import pathlib
import signal
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import lab  # noqa: E402  (found by the line above)


class TooLong(AssertionError):
    """A test that hangs fails, and its clean-up runs."""


def watch(result):
    """A test beyond its bound fails; told to end, the runner still cleans up behind the one in work."""
    def too_long(*_):
        raise TooLong("the test took too long")

    def told_to_end(*_):
        result.stop()
        raise TooLong("told to end")

    signal.signal(signal.SIGALRM, too_long)
    signal.signal(signal.SIGTERM, told_to_end)


class TapResult(unittest.TestResult):
    """Prints each result when it is known: a run that dies leaves what came before."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds
        self.count = 0
        self.started = 0.0
        self.wrong = []

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()
        self.wrong = []
        signal.alarm(self.seconds)

    def _note(self, error, test):
        self.wrong += self._exc_info_to_string(error, test).splitlines()

    def addError(self, test, err):
        super().addError(test, err)
        self._note(err, test)
        if not hasattr(test, "_testMethodName"):  # setUpClass or setUpModule: no test ran
            self._print("not ok", str(test))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._note(err, test)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.wrong.append(f"with {subtest._subDescription()}:")
            self._note(err, test)

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.wrong.append("expected to fail, but passed")

    def stopTest(self, test):
        signal.alarm(0)
        super().stopTest(test)
        reason = next((why for one, why in self.skipped if one is test), None)
        name = test._testMethodName.removeprefix("test_").replace("_", " ")
        if reason is not None and not self.wrong:
            name += f" # SKIP {reason}"
        self._print("not ok" if self.wrong else "ok", name)

    def _print(self, verdict, name):
        self.count += 1
        print(f"{verdict} {self.count} - {name}")
        print(f"# {time.monotonic() - self.started:.2f} s")
        for line in self.wrong:
            print(f"#   {line}")
        self.wrong = []
        sys.stdout.flush()


def load(path, wanted):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    sys.path.insert(0, str(path.parent))
    spec.loader.exec_module(module)
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{pattern}*" for pattern in wanted] or None
    return loader.loadTestsFromModule(module)


def main():
    parser = argparse.ArgumentParser(description="Runs one file of tests and prints TAP.")
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("wanted", nargs="*", help="only tests whose names contain one of these")
    parser.add_argument("--seconds", type=int, default=120, help="bound for a single test")
    arguments = parser.parse_args()
    suite = load(arguments.file.resolve(), arguments.wanted)
    result = TapResult(int(arguments.seconds * lab.PATIENCE))
    watch(result)
    suite.run(result)
    print(f"1..{result.count}")
    if result.testsRun == 0:
        print("# no test ran")
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
