"""
contain.py USER COMMAND ...: runs a command as a user and leaves nothing of it behind. Whatever it started, as root
through sudo too, has this process as its ancestor and is killed when the command has ended, or when
this process is told to end. The code is the command's; 124 where a keystile process stayed behind that
should have ended by itself.
"""
import ctypes
import os
import pathlib
import pwd
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import lab  # noqa: E402  (found by the line above)

PR_SET_CHILD_SUBREAPER = 36
LEFT_BEHIND = 124
PATIENCE_S = 15  # an agent that was given a command looks after it every 10 s


class ToldToEnd(Exception):
    pass


def be_ancestor():
    """Orphans become this process's children, not init's."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")

    def told_to_end(*_):
        raise ToldToEnd

    signal.signal(signal.SIGTERM, told_to_end)


def reap_until(wanted):
    """Waits for a child and for every orphan before it: a zombie would still be seen by kill -0."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == wanted:
            return os.waitstatus_to_exitcode(status)


def reap_ended():
    """False when no child is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
        return True
    except ChildProcessError:
        return False


def agents_left():
    return [one for one in lab.descendants(os.getpid())
            if one.name.startswith("keystile") and one.alive()]


def wait_for_agents():
    end = time.monotonic() + PATIENCE_S
    while agents_left() and time.monotonic() < end:
        time.sleep(0.05)
        reap_ended()
    return agents_left()


def kill_all():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while reap_ended():
        for one in lab.descendants(os.getpid()):
            try:
                os.kill(one.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)


def main():
    user = pwd.getpwnam(sys.argv[1])
    be_ancestor()
    try:
        process = subprocess.Popen(sys.argv[2:], user=user.pw_uid, group=user.pw_gid,
                                   extra_groups=[], start_new_session=True)
        process.returncode = reap_until(process.pid)
        left = wait_for_agents() if process.returncode == 0 else []
        if left:
            print(f"still there {PATIENCE_S} s after the test: {left}", flush=True)
            return LEFT_BEHIND
        return process.returncode
    except ToldToEnd:
        return 128 + signal.SIGTERM
    finally:
        kill_all()


if __name__ == "__main__":
    sys.exit(main())
