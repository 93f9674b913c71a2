"""
OpenSSH's own tests of its agent, run against ours.

Debian ships OpenSSH's regression tests as the package openssh-tests. The ten that start an agent, and those that newer
releases have added where they are installed, are run here with a copy of keystile-agent in ssh-agent's place, each in a folder of its own, by Debian's runner, as an
ordinary user who is made for the run and may use sudo without a password (the tests run sshd as root,
change to nobody, and make the agent setgid). All of that is gone at the end.

What counts as passed: the test ended with 0, its last word is "ok", nothing in it was skipped (OpenSSH's tests end with 0
then too), and no process of the agent is left. One line of TAP for each test.

Where a test needs something that our agent refuses unless told otherwise, it gets a wrapper that adds the options which
stand in OPTIONS below, with the reason; its line says so. The others get the agent itself.

    KEYSTILE_BUILD=build/dev /usr/bin/python3 tests/openssh/run.py [--stock] [TEST ...]
    tests/check openssh

--stock runs OpenSSH's own agent instead: a bed in which that one fails can't judge ours.
"""
import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import lab  # noqa: E402  (found by the line above)
from account import Account, Unable  # noqa: E402

REGRESS = pathlib.Path("/usr/lib/openssh/regress")
RUNNER = str(REGRESS / "run-tests")
SK_DUMMY = "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so"
STOCK_AGENT = "/usr/bin/ssh-agent"
TEST_SECONDS = 300
ALL_SECONDS = 1500

REMOTE = "-O allow-remote-without-presence"
DSS = "-O allow-ssh-dss"
SHA1 = "-O allow-rsa-sha1"

# The longest first. What each test needs beyond the defaults, and for which of its steps.
OPTIONS = {
    "agent-restrict": [REMOTE],  # logs in over several hosts with forwarded keys
    "agent-timeout": [DSS],  # adds a key of every kind
    "agent-subprocess": [],
    "agent": [REMOTE, DSS],  # a login from host to host; a key of every kind
    "hostkey-agent": [REMOTE, DSS, SHA1],  # root's sshd signs with keys of every kind, RSA with SHA-1 too
    "sshsig": [DSS],  # signs with a key of every kind
    "agent-pkcs11": [SHA1],  # ssh-add -T of 9.2 has RSA keys sign with SHA-1
    "cert-file": [],
    "agent-getpeereid": [],
    "agent-ptrace": [],
}

# Debian 12 does not have these yet. pubkey-priority, which starts an agent too since 10.4, is not among them: it tests
# ssh, wants keys in the user's home, and fails with OpenSSH's own agent where there are none.
NEWER = {
    "agent-pkcs11-restrict": [REMOTE],  # logs in from host to host with a token's forwarded key
    "agent-pkcs11-cert": [],
}
OPTIONS |= {name: options for name, options in NEWER.items() if (REGRESS / f"{name}.sh").exists()}

# These wait for fixed times, which a machine that is busy elsewhere can exceed: one more try, alone, and said.
TIMED = {
    "agent-restrict": "the agent has to answer 4 s after its start",
    "agent-timeout": "eight keys have to be added within the ten seconds that they live",
    "agent-subprocess": "the agent has to be gone 12 s after its command",
}


class ToldToEnd(Exception):
    """By a signal, or because all takes too long."""


@dataclasses.dataclass
class Outcome:
    """One run of one test: why it failed, None when it passed."""
    wrong: str | None
    output: str
    seconds: float


def judge(code, output):
    """What is wrong with a run, by its exit code and all that it printed."""
    skipped = re.search(r"^.*\bskip(?:ped|ping)?\b.*$", output, re.I | re.M)
    if skipped:
        return f"skipped, which counts as failed: {skipped.group().strip()}"
    if code != 0:
        return f"ended with {code}"
    if not re.search(r"^ok ", output, re.M):
        return "ended with 0, but never said ok"
    return None


class Bed:
    """Runs single tests as the account's user."""

    def __init__(self, account, stock):
        self.account = account
        self.program = STOCK_AGENT if stock else str(lab.AGENT)
        self.stock = stock
        self.logs = lab.BUILD / "openssh"
        self.running = set()
        self._lock = threading.Lock()
        self._count = 0
        shutil.rmtree(self.logs, ignore_errors=True)
        self.logs.mkdir(parents=True)
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)

    def check_reach(self):
        """
        The user runs the agent from a copy, but its workers from the build tree. Without sk-dummy
        the tests leave security keys out and say nothing.
        """
        workers = [] if self.stock else sorted(lab.LIBEXEC.glob("keystile-*"))
        if not os.path.exists(SK_DUMMY):
            raise Unable(f"{SK_DUMMY} is missing: install openssh-tests")
        for path in (RUNNER, self.program, *workers):
            if self.account.run(["test", "-x", str(path)]).returncode != 0:
                raise Unable(f"the user made for the tests can't reach {path}:"
                             " build where other users can enter")

    def options_of(self, name):
        return [] if self.stock else OPTIONS[name]

    def _new_folder(self):
        """Plain names: the tests strike lines with words such as hostkey or pidfile from their files."""
        with self._lock:
            self._count += 1
            folder = self.account.home / f"t{self._count}"
        folder.mkdir()
        return folder

    def _make_agent(self, folder, options):
        """The path of what the test starts as ssh-agent: a copy, which it may make setgid, or a wrapper."""
        agent = folder / "ssh-agent"
        shutil.copyfile(self.program, agent)
        os.chmod(agent, 0o755)
        if not options:
            return agent
        wrapper = folder / "ssh-agent-for-tests"
        wrapper.write_text(f'#!/bin/sh\nexec {agent} {" ".join(options)} "$@"\n')
        os.chmod(wrapper, 0o755)
        return wrapper

    def run(self, name):
        started = time.monotonic()
        folder = self._new_folder()
        agent = self._make_agent(folder, self.options_of(name))
        lab.place.give_away(folder, self.account.name)
        env = dict(self.account.environment(), TEST_SSH_SSHAGENT=str(agent),
                   TEST_SSH_OPENSSL="/usr/bin/openssl",  # newer ones make a token's keys, and have no default
                   TEST_SSH_PORT=str(free_port()))
        command = [sys.executable, str(HERE / "contain.py"), self.account.name, RUNNER, str(folder),
                   f"LTESTS={name}", "t-exec"]
        code, output = self._contained(command, env, folder)
        self._keep(name, output, folder)
        return Outcome(judge(code, told_by_test(output)), output, time.monotonic() - started)

    def _contained(self, command, env, folder):
        process = subprocess.Popen(command, env=env, cwd=folder, stdin=subprocess.DEVNULL, text=True,
                                   errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.running.add(process)
        try:
            output, _ = process.communicate(timeout=TEST_SECONDS * lab.PATIENCE)
            return process.returncode, output
        except subprocess.TimeoutExpired:
            process.terminate()
            output, _ = process.communicate(timeout=60)
            return -1, f"{output}\ntook longer than {TEST_SECONDS * lab.PATIENCE:.0f} s"
        finally:
            self.running.discard(process)

    def _keep(self, name, output, folder):
        """All that it said, and the agent's own log where the test kept one."""
        log = folder / "regress" / "agent.log"
        with open(self.logs / f"{name}.log", "a", encoding="utf-8") as file:
            file.write(output)
            if log.exists():
                file.write(f"==== agent.log\n{log.read_text(errors='replace')}")

    def stop(self):
        for process in list(self.running):
            process.terminate()


def told_by_test(output):
    """Without the logs that Debian's runner prints after a test that failed."""
    return re.split(r"^==> ", output, maxsplit=1, flags=re.M)[0]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Report:
    """TAP, a line for each test as soon as it is known."""

    def __init__(self, bed):
        self.bed = bed
        self.count = self.failed = 0

    def print(self, name, outcome, before=None):
        self.count += 1
        self.failed += outcome.wrong is not None
        words = [f"{'not ok' if outcome.wrong else 'ok'} {self.count} - {name}, {outcome.seconds:.0f} s"]
        if self.bed.options_of(name):
            words.append(f"with {' '.join(self.bed.options_of(name))}")
        if before:
            words.append(f"at the second try (the first: {before.wrong}; {TIMED[name]})")
        print(", ".join(words))
        if outcome.wrong:
            print(f"#   {outcome.wrong}; all of it is in {self.bed.logs / name}.log")
            for line in told_by_test(outcome.output).splitlines()[-30:]:
                print(f"#   {line}")
        sys.stdout.flush()


def run_all(bed, names):
    """As many side by side as there are processors; second tries after all the others, one by one."""
    report, again = Report(bed), []
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        jobs = {pool.submit(bed.run, name): name for name in names}
        try:
            for job in concurrent.futures.as_completed(jobs):
                name, outcome = jobs[job], job.result()
                if outcome.wrong and name in TIMED:
                    again.append((name, outcome))
                else:
                    report.print(name, outcome)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            bed.stop()
            raise
    for name, first in again:
        report.print(name, bed.run(name), before=first)
    return report.failed


def end_by_signal():
    def told_to_end(number, _):
        raise ToldToEnd(f"ended by {signal.Signals(number).name}")

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, told_to_end)
    signal.alarm(int(ALL_SECONDS * lab.PATIENCE))


def become_root():
    """Through sudo, where it asks nothing; does not come back then."""
    if os.getuid() == 0:
        return
    sudo = shutil.which("sudo")
    if sudo is None or subprocess.run([sudo, "-n", "true"], check=False, capture_output=True,
                                      stdin=subprocess.DEVNULL).returncode != 0:
        raise Unable("these tests make a user, which takes root or sudo without a password")
    os.execv(sudo, [sudo, "-n", "env", f"KEYSTILE_BUILD={lab.BUILD}",
                    f"KEYSTILE_TEST_PATIENCE={lab.PATIENCE}", sys.executable, *sys.argv])


def main():
    parser = argparse.ArgumentParser(description="OpenSSH's own agent tests with our agent.")
    parser.add_argument("--stock", action="store_true", help="with OpenSSH's agent, to judge the bed")
    parser.add_argument("test", nargs="*", help=f"of {', '.join(OPTIONS)} (all)")
    arguments = parser.parse_args()
    names = [name for name in OPTIONS if name in arguments.test or not arguments.test]
    if set(arguments.test) - set(names):
        parser.error(f"unknown: {', '.join(set(arguments.test) - set(names))}")
    try:
        become_root()
        end_by_signal()
        os.umask(0o022)
        print(f"1..{len(names)}", flush=True)
        with Account() as account:
            bed = Bed(account, arguments.stock)
            bed.check_reach()
            return 1 if run_all(bed, names) else 0
    except (Unable, ToldToEnd) as error:
        print(f"not ok - OpenSSH's tests could not be run to their end: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
