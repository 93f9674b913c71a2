"""
tests/check: builds and runs everything, one line for each step, logs in build/check/, totals in the last line.
Steps that only compute take the time that tests leave idle.
A step's result is a Tally; single tests are counted from the TAP that test programs print.
A test program that fails while others run beside it is run once more, alone; one that passes then is called unsteady.
"""
import argparse
import concurrent.futures
import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def _build_folder():
    """
    build/ beside the sources. Root's tests also run the agent as another user, who has to reach
    the programs: where he can't enter the checkout (/root, say), the trees lie elsewhere.
    """
    if os.getuid() != 0 or all(path.stat().st_mode & 0o001 for path in (ROOT, *ROOT.parents)):
        return ROOT / "build"
    name = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
    return pathlib.Path("/var/cache/keystile") / name


BUILD = _build_folder()
LOGS = BUILD / "check"
JOBS = len(os.sched_getaffinity(0))
SANITIZERS = "address,undefined"
CODE_FOLDERS = ("src", "include", "backends", "tests")
VALGRIND = ("valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite"
            " --show-leak-kinds=definite")
UNSTEADY_MAX = 3  # test programs of a step that may be run a second time
# Most tests wait more than they compute, less so under the sanitizers, and least under valgrind.
AT_ONCE, AT_ONCE_SANITIZED, AT_ONCE_VALGRIND = 2 * JOBS, JOBS + 1, JOBS + 1
COST_UNKNOWN = 10  # seconds: they begin behind those that are known to be long
FUZZ_SECONDS = 60  # for each target, but for all of them together no more than
FUZZ_SECONDS_ALL = 180
RESULT = re.compile(r"^(not )?ok\b\s*\d*\s*(.*)$")
WRONG = re.compile(r"(error|warning):|undefined reference|ERROR:|^CMake Error", re.I)
PLAN = re.compile(r"^1\.\.(\d+)")
# What a sanitizer or valgrind finds is a fault, however seldom it shows.
FINDING = re.compile(r"ERROR: \w+Sanitizer|runtime error:|==\d+== ?\S|Sanitizer: CHECK failed")


@dataclasses.dataclass
class Test:
    """One that ctest knows; cost is how long it may take, in seconds, and decides who begins first."""
    name: str
    command: list
    env: dict
    seconds: float
    labels: list
    cost: float


@dataclasses.dataclass
class Tally:
    """How many of a step's tests passed, failed and were skipped, and what to show of the failed."""
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    words: list = dataclasses.field(default_factory=list)
    unsteady: int = 0  # of the passed: test programs that passed only when they ran alone

    def __iadd__(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.words += other.words
        self.unsteady += other.unsteady
        return self

    @staticmethod
    def of(good, words=()):
        """A step that is one check."""
        return Tally(1 if good else 0, 0 if good else 1, 0, [] if good else list(words))


def tally_tap(name, output, code):
    """Counts TAP. Results that were promised and never came are failures, and so is a bad end."""
    tally, planned, showing = Tally(), 0, False
    for line in output.splitlines():
        line = line.strip()
        plan, result = PLAN.match(line), RESULT.match(line)
        if plan:
            planned += int(plan.group(1))
        elif result:
            skipped = "# skip" in line.lower()  # cmocka says "not ok" to these as well
            showing = bool(result.group(1)) and not skipped
            if showing:
                tally.failed += 1
                tally.words.append(f"{name}: {line}")
            elif skipped:
                tally.skipped += 1
            else:
                tally.passed += 1
        elif showing:
            tally.words.append(f"    {line}")
    seen = tally.passed + tally.failed + tally.skipped
    if seen < planned or seen == 0:
        tally.failed += max(1, planned - seen)
        tally.words.append(f"{name}: {seen} of {planned} results came, ended with {code}")
    elif code != 0 and tally.failed == 0:
        tally.failed += 1
        tally.words.append(f"{name}: all results are good, but it ended with {code}")
    if tally.failed and not any(word.startswith("    ") for word in tally.words):
        tally.words += [f"    {line}" for line in output.splitlines()[-15:]]
    return tally


class Log:
    """One file under build/check/ that commands write to; .end() is its end."""

    def __init__(self, name):
        LOGS.mkdir(parents=True, exist_ok=True)
        self.path = LOGS / f"{name}.log"
        self.path.write_text("")

    def write(self, text):
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(text)

    def run(self, command, env=None, seconds=1800):
        """Runs a command with its output at the end of the log; returns output and code."""
        output, code = run(command, env=env, seconds=seconds)
        self.write(f"$ {' '.join(map(str, command))}\n{output}\n")
        return output, code

    def end(self):
        """What a reader wants to see of it: lines that say what is wrong, and the last ones."""
        text = [line for line in self.path.read_text(errors="replace").splitlines()
                if not line.endswith(("warning generated.", "warnings generated."))]
        wrong = [line for line in text[:-20] if WRONG.search(line)]
        return [f"    {line}" for line in wrong[:20] + text[-20:]]


RUNNING = set()  # what run() has started
STOPPED = threading.Event()  # nothing is started any more


def run(command, env=None, cwd=ROOT, seconds=1800):
    """
    Output (both streams) and exit code of a command, which has no terminal and a session of its
    own. One that takes too long is told to end, so that it can clean up, then killed.
    """
    if STOPPED.is_set():
        return "stopped", -1
    process = subprocess.Popen([str(word) for word in command], cwd=cwd, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors="replace", env={**os.environ, **(env or {})},
                               start_new_session=True)
    RUNNING.add(process)
    try:
        output, _ = process.communicate(timeout=seconds)
        return output, process.returncode
    except subprocess.TimeoutExpired:
        output = _end(process)
        return f"{output}\ntook longer than {seconds} s", -1
    except BaseException:
        _end(process)
        raise
    finally:
        RUNNING.discard(process)


def stop():
    """For who interrupts: what runs in other threads ends too."""
    STOPPED.set()
    for process in list(RUNNING):
        process.terminate()


def _end(process):
    process.terminate()
    try:
        return process.communicate(timeout=60)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()[0]


def build(name, folder, compiler="gcc", target="all", **options):
    """Configures and builds a tree with warnings as errors: one check."""
    log = Log(f"{name}-build")
    settings = [f"-D{key}={value}" for key, value in {"KEYSTILE_WERROR": "ON", **options}.items()]
    for command in (["cmake", "-S", ROOT, "-B", folder, *settings],
                    ["cmake", "--build", folder, "--parallel", JOBS, "--target", target]):
        _, code = log.run(command, env={"CC": compiler})
        if code != 0:
            return Tally.of(False, [f"{name}: see {log.path}", *log.end()])
    say_hardening(name, log.path.read_text(errors="replace"))
    return Tally.of(True)


def say_hardening(name, output):
    for line in re.findall(r"^-- (Hardening, (?:refused|left out).*)$", output, re.M):
        say(f"    {name}: {line}")


SAID = threading.local()  # .lines, of the step that this thread performs


def say(line):
    """Shown with the step's result: two steps may run side by side."""
    SAID.lines.append(line)


def tests_of(folder):
    """Each test that ctest knows in a build tree."""
    output, code = run(["ctest", "--test-dir", folder, "--show-only=json-v1"])
    if code != 0:
        raise RuntimeError(output)
    for test in json.loads(output[output.index("{"):])["tests"]:
        properties = {one["name"]: one["value"] for one in test.get("properties", [])}
        yield Test(test["name"], test.get("command", []),
                   dict(one.split("=", 1) for one in properties.get("ENVIRONMENT", [])),
                   properties.get("TIMEOUT", 600), properties.get("LABELS", []),
                   TOOK.get(test["name"], properties.get("COST", COST_UNKNOWN)))


TOOK = {}  # seconds that each test took in an earlier step


def run_tests(name, folder, wanted=lambda test: True, patience=1, at_once=AT_ONCE, wrapper=(), **extra):
    """Every wanted test of a tree, the longest first; wrapper is a command that runs its command."""
    log, total = Log(f"{name}-tests"), Tally()
    tests = sorted(filter(wanted, tests_of(folder)), key=lambda test: -test.cost)
    extra["KEYSTILE_TEST_PATIENCE"] = str(patience)

    def one(test):
        if not test.command:
            return Tally.of(False, [f"{test.name}: was not built"])
        started = time.monotonic()
        output, code = run([*wrapper, *test.command], {**test.env, **extra}, cwd=folder,
                           seconds=test.seconds * patience)
        TOOK[test.name] = time.monotonic() - started
        log.write(f"==== {test.name}: {' '.join(test.command)}\n{output}\n"
                  f"==== ended with {code} after {TOOK[test.name]:.1f} s\n\n")
        return tally_tap(f"{name}, {test.name}", output, code)

    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        tallies = list(pool.map(one, tests))
    again = worth_a_second_run(tallies)
    for place in again:
        tallies[place] = after_second_run(tallies[place], one(tests[place]))
    for tally in tallies:
        total += tally
    if not tests:
        total += Tally.of(False, [f"{name}: no tests"])
    return total


def worth_a_second_run(tallies):
    """
    Places of the test programs that are run again, alone: on a busy machine a test may fail by the
    machine. It is no way around a failure: a second one counts, many at once count, and so does
    whatever a sanitizer found.
    """
    failed = [place for place, tally in enumerate(tallies) if tally.failed]
    if len(failed) > UNSTEADY_MAX:
        return []
    return [place for place in failed
            if not any(FINDING.search(word) for word in tallies[place].words)]


def after_second_run(first, second):
    """The second run counts; what failed in the first is shown all the same."""
    if second.failed:
        return second
    second.unsteady = 1
    second.words = ["UNSTEADY, passed when it ran alone:", *first.words, *second.words]
    return second


def sources(*endings):
    """Our C files that are not generated."""
    return sorted(path for folder in CODE_FOLDERS for ending in endings
                  for path in (ROOT / folder).rglob(f"*{ending}"))


def compiled_sources(folder):
    commands = json.loads((folder / "compile_commands.json").read_text())
    files = {pathlib.Path(one["file"]) for one in commands}
    return sorted(path for path in files if BUILD not in path.parents)


def backends():
    """Names of all backends, from the list of parts."""
    return re.findall(r"^keystile_backend\((\w+)", (ROOT / "CMakeLists.txt").read_text(), re.M)


def check_each(name, commands):
    """Runs commands side by side; all have to end with 0; one check."""
    log = Log(name)
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        codes = list(pool.map(lambda command: log.run(command)[1], commands))
    good = bool(codes) and not any(codes)
    return Tally.of(good, [f"{name}: see {log.path}", *log.end()])


# ---- The steps, in their order. Each returns a Tally.

def step_gcc():
    """gcc build, warnings as errors, and every test"""
    tally = build("gcc", BUILD, BUILD_TESTING="ON")
    return tally if tally.failed else _plus(tally, run_tests("gcc", BUILD, patience=2))


def step_openssh():
    """OpenSSH's own ten tests of an agent, with ours in its place"""
    tally = build("gcc", BUILD, BUILD_TESTING="ON")
    if tally.failed:
        return tally
    output, code = Log("openssh").run(["/usr/bin/python3", ROOT / "tests/openssh/run.py"],
                                      env={"KEYSTILE_BUILD": str(BUILD)}, seconds=3000)
    for line in filter(RESULT.match, output.splitlines()):
        say(f"    {line}")
    return tally_tap("openssh", output, code)


def step_format():
    """clang-format finds nothing to change"""
    return check_each("clang-format",
                      [["clang-format", "--dry-run", "-Werror", *sources(".c", ".h")]])


def step_manuals():
    """mandoc has nothing to say of the manuals"""
    pages = sorted((ROOT / "docs").glob("*.[1-8]"))
    if not pages:
        return Tally()
    return check_each("mandoc", [["mandoc", "-Tlint", "-Wwarning", *pages]])


def step_clang():
    """clang build, warnings as errors"""
    return build("clang", BUILD / "clang", "clang", BUILD_TESTING="ON")


def step_tidy():
    """clang-tidy, with what the clang build knows"""
    folder = BUILD / "clang"
    return check_each("clang-tidy", [["clang-tidy", "-p", folder, "--quiet", path]
                                     for path in compiled_sources(folder)])


def step_cppcheck():
    """cppcheck"""
    folder = BUILD / "clang"
    return check_each("cppcheck", [[
        "cppcheck", f"--project={folder}/compile_commands.json", "--quiet", "--inline-suppr", "-j", JOBS,
        "--enable=warning,performance,portability", "--error-exitcode=1", f"-i{BUILD}",
        f"--suppressions-list={ROOT}/tests/lab/cppcheck.suppressions"]])


def step_backends():
    """a build without each backend"""
    total, folder = Tally(), BUILD / "without"
    for name in backends():
        # One tree for all: what no backend changes is compiled once.
        shutil.rmtree(folder / "libexec", ignore_errors=True)
        wanted = {f"KEYSTILE_BACKEND_{one.upper()}": "OFF" if one == name else "ON" for one in backends()}
        tally = build(f"without-{name}", folder, BUILD_TESTING="OFF", **wanted)
        worker = folder / "libexec" / "keystile" / f"keystile-worker-{name}"
        if tally.passed and worker.exists():
            tally = Tally.of(False, [f"{worker} was built all the same"])
        total += tally
    return total


def step_install():
    """Debian packages in a clean Debian, used by a person with systemd, and purged"""
    folder = BUILD / "install"
    tally = build("install", folder, CMAKE_INSTALL_PREFIX="/usr", BUILD_TESTING="OFF",
                  KEYSTILE_PACKAGER="Keystile's own tests <keystile-tests@debian.org>")
    if tally.failed:
        return tally
    output, code = Log("install").run(["/usr/bin/python3", ROOT / "tests/lab/tap.py", ROOT / "tests/install/test_install.py"],
                                      env={"KEYSTILE_BUILD": str(folder)}, seconds=1200)
    return _plus(tally, tally_tap("install", output, code))


def step_sanitizers():
    """every test with the address and undefined-behaviour sanitizers"""
    folder = BUILD / "sanitizers"
    tally = build("sanitizers", folder, BUILD_TESTING="ON", KEYSTILE_SANITIZE=SANITIZERS)
    if tally.failed:
        return tally
    return _plus(tally, run_tests("sanitizers", folder, patience=2,
                                  at_once=AT_ONCE_SANITIZED,
                                  UBSAN_OPTIONS="print_stacktrace=1",
                                  ASAN_OPTIONS="fast_unwind_on_malloc=0",
                                  LSAN_OPTIONS="print_suppressions=0:suppressions="
                                  f"{ROOT}/tests/lab/leaks.suppressions"))


def step_valgrind():
    """under valgrind: unit tests, and the agent where much is read that others sent"""
    def labelled(*kinds):
        return lambda test: "valgrind" in test.labels and test.name.startswith(kinds)

    tally = run_tests("valgrind-units", BUILD, labelled("unit-", "fuzz-"), patience=5, at_once=AT_ONCE_VALGRIND,
                      wrapper=VALGRIND.split())
    with tempfile.TemporaryDirectory(prefix="keystile-valgrind-") as folder:
        tally += run_tests("valgrind", BUILD, labelled("agent-"), patience=5, at_once=AT_ONCE_VALGRIND,
                           KEYSTILE_AGENT_WRAPPER=f"{VALGRIND} --log-file={folder}/%p")
        log = Log("valgrind-reports")
        for path in sorted(pathlib.Path(folder).iterdir()):
            said = path.read_text(errors="replace").splitlines(keepends=True)
            log.write("".join(line for line in said if line.startswith("==")))
    if tally.failed and log.path.stat().st_size:
        tally.words += [f"valgrind: what it says is in {log.path}", *log.end()]
    return tally


def step_fuzz():
    """each fuzz target for a minute, or as long as three minutes suffice for all"""
    folder = BUILD / "fuzz"
    tally = build("fuzz", folder, "clang", "fuzz-targets", BUILD_TESTING="ON", KEYSTILE_FUZZ="ON",
                  KEYSTILE_SANITIZE=SANITIZERS)
    if tally.failed:
        return tally
    targets = sorted((folder / "tests").glob("fuzz-*"))
    rounds = -(-len(targets) // JOBS)
    seconds = min(FUZZ_SECONDS, FUZZ_SECONDS_ALL // max(rounds, 1))
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for one in pool.map(fuzz, targets, [seconds] * len(targets)):
            tally += one
    return tally if targets else _plus(tally, Tally.of(False, ["fuzz: no targets"]))


def fuzz(target, seconds):
    """What it finds lies in build/fuzz/found/; a corpus of its own grows there too."""
    log = Log(target.name)
    corpus = ROOT / "tests/fuzz/corpus" / target.name.removeprefix("fuzz-")
    found = BUILD / "fuzz" / "found"
    grown = found / target.name
    grown.mkdir(parents=True, exist_ok=True)
    _, code = log.run([target, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048",
                       f"-artifact_prefix={found}/{target.name}-", grown, corpus])
    return Tally.of(code == 0, [f"{target.name}: see {log.path}", *log.end()])


def _plus(first, second):
    first += second
    return first


STEPS = {name.removeprefix("step_"): function for name, function in list(globals().items())
         if name.startswith("step_")}
QUICK = ("gcc",)
# They only compute, and watch no clock: done in the time that waiting tests leave idle. Fuzzing does watch one: it
# would take an input for a slow one.
IDLE = ("format", "manuals", "clang", "tidy", "cppcheck", "backends")


def perform(name, step):
    started = time.monotonic()
    SAID.lines = []
    print(f"{name}: {step.__doc__}\n", end="", flush=True)
    try:
        tally = step()
    except Exception as error:  # a step that breaks must not hide the others
        tally = Tally.of(False, [f"{name}: {type(error).__name__}: {error}"])
    verdict = "FAILED" if tally.failed else "ok"
    if tally.unsteady:
        verdict += f", {tally.unsteady} UNSTEADY"
    print("\n".join([*SAID.lines, *tally.words[:200],
                     f"{name}: {verdict}, {tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped,"
                     f" {time.monotonic() - started:.0f} s\n\n"]), end="", flush=True)
    return tally


def perform_all(names, idle=False):
    total = Tally()
    if idle:  # this thread, and what it starts
        with contextlib.suppress(OSError):  # where that is forbidden they compete
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    for name in names:
        total += perform(name, STEPS[name])
    return total


def main():
    parser = argparse.ArgumentParser(prog="tests/check", description="Builds and runs everything.",
                                     epilog="steps: " + ", ".join(STEPS))
    parser.add_argument("--quick", action="store_true", help="the gcc build and its tests only")
    parser.add_argument("step", nargs="*", metavar="STEP", help="only these (all: none named)")
    arguments = parser.parse_args()
    for name in arguments.step:
        if name not in STEPS:
            parser.error(f"no step {name}; there are: {', '.join(STEPS)}")
    shutil.rmtree(LOGS, ignore_errors=True)
    if BUILD.parent != ROOT:
        print(f"Other users can't enter {ROOT}, but some tests have to: building in {BUILD}\n")
    names = arguments.step or (QUICK if arguments.quick else STEPS)
    with concurrent.futures.ThreadPoolExecutor() as lanes:
        idle = lanes.submit(perform_all, [name for name in names if name in IDLE], True)
        try:
            total = perform_all([name for name in names if name not in IDLE])
            total += idle.result()
        except BaseException:
            stop()
            raise
    if total.unsteady:
        print(f"{total.unsteady} unsteady: see above what failed at first and find out why")
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped", flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
