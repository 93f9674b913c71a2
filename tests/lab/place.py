"""Where things lie, how long to wait, and which processes are whose: what all fixtures stand on."""
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("KEYSTILE_BUILD", ROOT / "build"))
AGENT = BUILD / "bin" / "keystile-agent"
CONTROL = BUILD / "bin" / "keystile"
LIBEXEC = BUILD / "libexec" / "keystile"

# Every bound is multiplied with this; tests/check raises it under valgrind.
PATIENCE = float(os.environ.get("KEYSTILE_TEST_PATIENCE", "1"))
# Longer than the agent and its workers give an operation: what went wrong is told by them, not by a time-out here.
ANSWER_SECONDS = 80

# What the programs under test inherit from whoever runs the tests; all else is built here.
PASSED_ON = ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")


def environment(home):
    """A small environment of its own for programs that live in a Folder."""
    env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    env.setdefault("PATH", "/usr/local/bin:/usr/bin:/bin")
    env["PATH"] += ":/usr/sbin:/sbin"
    env.update(LANG="C.UTF-8", HOME=str(home), TMPDIR=str(home / "tmp"),
               XDG_RUNTIME_DIR=str(home / "run"))
    return env


class Folder:
    """A temporary home: .path with run/ (mode 0700) and tmp/ in it; gone after close()."""

    def __init__(self):
        # In /tmp whatever TMPDIR says: the path of a socket has at most 107 bytes.
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="keystile-", dir="/tmp"))
        for name in ("run", "tmp"):
            (self.path / name).mkdir(mode=0o700)

    def close(self):
        shutil.rmtree(self.path, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def identity(user):
    """What subprocess takes to run a program as somebody, None: as whoever runs the tests."""
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def give_away(path, user):
    """Makes a folder and all in it somebody's, None: leaves it."""
    if user is None:
        return
    entry = pwd.getpwnam(user)
    for folder, _, files in os.walk(path):
        for name in (folder, *(os.path.join(folder, file) for file in files)):
            os.chown(name, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def wait_for(what, condition, seconds=30):
    """Polls condition() until it is true, and returns what it gave; says `what` where it never is."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds * PATIENCE:.0f} s in vain: {what}")
        time.sleep(0.01)


def run(command, seconds=ANSWER_SECONDS, **options):
    """subprocess.run() with texts captured, no terminal to read from, and a bound."""
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          errors="replace", timeout=seconds * PATIENCE, check=False, **options)


def run_well(command, **options):
    """The same for a program that has to end with 0."""
    done = run(command, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def openssh_release():
    """The first number of the version that is installed."""
    return int(re.match(r"OpenSSH_(\d+)\.", run_well(["ssh", "-V"]).stderr).group(1))


def listens(path):
    """
    Asked of the kernel: a connection would be counted, and the file is there before anybody listens.
    """
    with open("/proc/net/unix", encoding="utf-8", errors="replace") as sockets:
        return any(line.rstrip().endswith(f" {path}") and int(line.split()[3], 16) & 0x10000
                   for line in sockets)


class Process:
    """A process by number and start time, so that a number used again is not mistaken for it."""

    def __init__(self, pid):
        self.pid = pid
        self.start, self.parent, self.name, _ = self._read(pid)

    @staticmethod
    def _read(pid):
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace")
        name = text[text.index("(") + 1:text.rindex(")")]
        fields = text[text.rindex(")") + 2:].split()
        return int(fields[19]), int(fields[1]), name, fields[0]

    def alive(self):
        try:
            start, _, _, state = self._read(self.pid)
        except (FileNotFoundError, ProcessLookupError):
            return False
        return start == self.start and state not in "ZX"

    def stopped(self):
        """All of its threads: after SIGSTOP some may still run for a moment."""
        try:
            tasks = pathlib.Path(f"/proc/{self.pid}/task").iterdir()
            states = [task.joinpath("stat").read_text(errors="replace").rpartition(") ")[2][:1] for task in tasks]
        except (FileNotFoundError, ProcessLookupError):
            return False
        return set(states) == {"T"}

    def __repr__(self):
        return f"{self.name}[{self.pid}]"


def runs(pid):
    """Whether a process is there and has not ended: one that nobody waited for yet has."""
    try:
        return Process(int(pid)).alive()
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(pid):
    """All processes below pid, nearest first."""
    everything = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                everything.append(Process(int(entry)))
            except (FileNotFoundError, ProcessLookupError):
                pass
    found, parents = [], {pid}
    while True:
        more = [one for one in everything if one.parent in parents and one not in found]
        if not more:
            return found
        found += more
        parents = {one.pid for one in more}


def end(process, signal_first, seconds=20):
    """Ends a Popen of ours: a signal, then SIGKILL. Returns its code, None where it had to be killed."""
    process.send_signal(signal_first)
    try:
        return process.wait(seconds * PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None
