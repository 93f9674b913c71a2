"""
An account that exists for the length of a run: an ordinary user with a home under /tmp, who may become root by sudo
without a password, as OpenSSH's tests want it. Everything of it is taken away at the end, and what a run that was
killed has left behind is taken away by the next one.
"""
import fcntl
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

NAME = "keystile-tests"
RULE = pathlib.Path("/etc/sudoers.d") / NAME
LOCK = pathlib.Path("/run") / f"{NAME}.lock"
LOCK_SECONDS = 900  # another run takes two minutes, more on a busy machine
HOMES = ("/tmp", "/var/tmp", "/home")  # the first in which programs run and may be setgid


class Unable(Exception):
    """The account can't be had here; the text says why."""


def _well(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=60)
    if done.returncode != 0:
        raise Unable(f"{' '.join(command)}: {(done.stdout + done.stderr).strip()}")


def _place():
    for folder in HOMES:
        if not os.statvfs(folder).f_flag & (os.ST_NOSUID | os.ST_NOEXEC):
            return folder
    raise Unable(f"none of {', '.join(HOMES)} lets programs run and be setgid")


def _entry():
    try:
        return pwd.getpwnam(NAME)
    except KeyError:
        return None


def _owner(path):
    try:
        return path.lstat().st_uid
    except FileNotFoundError:
        return None


def _left_in_tmp():
    """Where sshd has had forwarded agents, and our agent sockets when it trusts no environment."""
    return [path for pattern in ("ssh-*", "keystile-*") for path in pathlib.Path("/tmp").glob(pattern)]


class Account:
    """Root's to make. .name, .home, .run(command): the result of a command as that user."""

    name = NAME

    def __enter__(self):
        self._lock = self._wait_for_the_others()
        self._remove()
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="keystile-", dir=_place()))
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        """To its end, whatever signal comes: this is the run's last act."""
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        self._remove()
        shutil.rmtree(self.home, ignore_errors=True)  # still there where no user was made
        os.close(self._lock)

    @staticmethod
    def _wait_for_the_others():
        """One run at a time has the account. The lock goes with the process."""
        descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        end = time.monotonic() + LOCK_SECONDS
        while time.monotonic() < end:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return descriptor
            except BlockingIOError:
                time.sleep(0.2)
        raise Unable(f"another run has held {LOCK} for {LOCK_SECONDS} s")

    def _make(self):
        # The password matches nothing, but sshd must not take the account for a locked one.
        _well("useradd", "--no-create-home", "--home-dir", str(self.home), "--shell", "/bin/sh",
              "--password", "*", "--comment", "made and removed by Keystile's tests", NAME)
        entry = pwd.getpwnam(NAME)
        os.chmod(self.home, 0o755)  # sshd's and nobody's processes go through it
        for name in ("run", "tmp"):
            (self.home / name).mkdir(mode=0o700)
        for path in (self.home, *self.home.iterdir()):
            os.chown(path, entry.pw_uid, entry.pw_gid)
        self._allow_sudo()

    def _allow_sudo(self):
        descriptor = os.open(RULE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o440)
        with open(descriptor, "w", encoding="ascii") as rule:
            os.fchmod(descriptor, 0o440)
            rule.write(f"{NAME} ALL=(ALL:ALL) NOPASSWD: ALL\n")
        done = self.run(["sudo", "-n", "true"])
        if done.returncode != 0:
            raise Unable(f"sudo does not follow {RULE}: {done.stderr.strip()}")

    def environment(self):
        """What the user's programs start with: nothing of whoever runs the tests."""
        return {"HOME": str(self.home), "USER": NAME, "LOGNAME": NAME, "LANG": "C.UTF-8",
                "TMPDIR": str(self.home / "tmp"), "XDG_RUNTIME_DIR": str(self.home / "run"),
                "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}

    def identity(self):
        """What subprocess takes to run a program as the user."""
        entry = pwd.getpwnam(NAME)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def run(self, command):
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60,
                              stdin=subprocess.DEVNULL, cwd="/", env=self.environment(),
                              **self.identity())

    @staticmethod
    def _remove():
        """Also where only a part is there. The right to become root goes first."""
        RULE.unlink(missing_ok=True)
        entry = _entry()
        if entry is None:
            return
        end_all_of(entry.pw_uid)
        for folder in (pathlib.Path(entry.pw_dir), *_left_in_tmp()):
            if str(folder.parent) in HOMES and _owner(folder) == entry.pw_uid:
                shutil.rmtree(folder, ignore_errors=True)
        _well("userdel", NAME)


def _belongs_to(pid, uid):
    """By any of its ids: a program that shields itself has a folder of root's in /proc."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    state = status.split("State:\t", 1)[1][0]
    return state not in "ZX" and str(uid) in status.split("Uid:\t", 1)[1].split("\n", 1)[0].split()


def end_all_of(uid):
    """Kills what still runs of a user that was made for the tests."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        living = False
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                handle = os.pidfd_open(int(entry))
            except OSError:
                continue
            try:
                if _belongs_to(entry, uid):
                    living = True
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
            except ProcessLookupError:
                pass
            finally:
                os.close(handle)
        if not living:
            return
        time.sleep(0.05)
    raise Unable(f"processes of {NAME} can't be ended")
