"""
Puts one fault after the other into a copy of the tree, builds the agent and runs the test that has to notice. The
faults are in tests/agent/mutations.py; tests/agent/test_unnoticed.py sees that they still fit the sources.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "agent"))

import mutations  # noqa: E402  (found by the line above)

TEST_SECONDS = 60


class Copy:
    """A copy of the working tree with a build of its own, where other users may enter; gone after a with block."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="keystile-mutate-")
        self.root = pathlib.Path(self.folder.name) / "tree"
        self.build = self.root / "build"
        self.root.mkdir()
        os.chmod(self.folder.name, 0o755)

    def make(self):
        """With what is not committed yet."""
        listed = self.tell(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        for name in filter(None, listed.split("\0")):
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).exists():
                shutil.copy(ROOT / name, self.root / name)
        self.tell(["cmake", "-G", "Ninja", "-S", self.root, "-B", self.build, "-DKEYSTILE_WERROR=OFF"])
        self.tell(["ninja", "-C", self.build])

    @staticmethod
    def tell(command):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{command} ended with {done.returncode}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
        return done.stdout

    def builds(self):
        """What went wrong, None where nothing did."""
        done = subprocess.run(["ninja", "-C", str(self.build), "keystile-agent"], capture_output=True, text=True,
                              check=False)
        return None if done.returncode == 0 else done.stdout[-2000:]

    def test(self, here, name):
        """Whether the test passes, and what it printed."""
        runner = self.root / "tests" / "lab" / "tap.py"
        command = ["/usr/bin/python3", runner, self.root / here, name, "--seconds", str(TEST_SECONDS)]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False,
                              env=dict(os.environ, KEYSTILE_BUILD=str(self.build)))
        return done.returncode == 0, done.stdout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()


def notices(copy, one):
    """Whether the test fails once the fault is in; says what else happened."""
    path = copy.root / one.file
    before = path.read_text()
    if before.count(one.old) != 1:
        return f"its text occurs {before.count(one.old)} times"
    path.write_text(before.replace(one.old, one.new))
    try:
        wrong = copy.builds()
        if wrong is not None:
            return f"it does not build:\n{wrong}"
        passed, output = copy.test(one.here, one.test)
        if passed:
            return f"{one.test} passes all the same"
        if not any(line.startswith("not ok") for line in output.splitlines()):
            return f"{one.test} did not run:\n{output}"
        return None
    finally:
        path.write_text(before)


def main():
    parser = argparse.ArgumentParser(prog="tests/mutate", description=__doc__)
    parser.add_argument("wanted", nargs="*", help="only faults, files and tests whose names contain one of these")
    wanted = parser.parse_args().wanted
    chosen = [one for one in mutations.ALL
              if not wanted or any(word in text for word in wanted for text in (one.fault, one.file, one.test, one.here))]
    unnoticed, started = 0, time.monotonic()
    with Copy() as copy:
        copy.make()
        for here, name in sorted({(one.here, one.test) for one in chosen}):
            passed, output = copy.test(here, name)
            if not passed:
                raise SystemExit(f"{name} fails without any fault:\n{output}")
        for one in chosen:
            wrong = notices(copy, one)
            unnoticed += wrong is not None
            print(f"{'noticed' if wrong is None else 'NOT NOTICED'}: {one.fault} ({one.file})", wrong or "", flush=True)
    print(f"{len(chosen) - unnoticed} of {len(chosen)} faults noticed, {time.monotonic() - started:.0f} s")
    return 1 if unnoticed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
