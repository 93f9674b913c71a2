"""A bare terminal: what is typed into it, what it shows, in which modes it is, and who runs there."""
import fcntl
import os
import pty
import shutil
import struct
import subprocess
import termios

from . import place

# Session leader of a terminal: a child in a group of its own that is in the foreground; each line that it is told is run as Python, with the child's number as `child`.
LEADER = '''
import os, signal, subprocess, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
stdin = {"tty": None, "null": subprocess.DEVNULL}[sys.argv[1]]
# Before it runs: what reads in the background stops its whole group.
to_front = lambda: os.tcsetpgrp(1, os.getpgrp())
child = subprocess.Popen(sys.argv[2:], stdin=stdin, process_group=0, stderr=1, preexec_fn=to_front).pid
foreground = lambda pid: os.tcsetpgrp(0, os.getpgid(pid))
print("child", child, file=sys.stderr, flush=True)
os.close(2)
for line in os.fdopen(int(os.environ["ORDERS"])):
    exec(line)
    os.write(int(os.environ["DONE"]), b"!")
'''


class Tty:
    """.path is the terminal; close() hangs it up."""

    def __init__(self, width=80, height=0):
        self.master, slave = pty.openpty()
        self.path = os.ttyname(slave)
        self.slave = slave
        self.device = os.fstat(slave).st_rdev
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        os.set_blocking(self.master, False)
        self._shown = b""
        self.started = []
        self.folder = place.Folder()

    def shown(self):
        while self.master is not None:
            try:
                piece = os.read(self.master, 65536)
            except OSError:
                break
            if not piece:
                break
            self._shown += piece
        return self._shown.decode(errors="replace")

    def forget(self):
        self.shown()
        self._shown = b""

    def wait_until_shown(self, words, times=1):
        try:
            place.wait_for(f"the terminal shows {words!r}", lambda: self.shown().count(words) >= times, 30)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.shown()}") from None

    def types(self, keys):
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)

    def modes(self):
        return termios.tcgetattr(self.slave)

    def pending(self):
        """Bytes that wait to be read, of whole lines only in line mode."""
        return struct.unpack("i", fcntl.ioctl(self.slave, termios.FIONREAD, b"\0" * 4))[0]

    def descriptor(self):
        """Of the terminal, as a program there would hand it on; the caller closes it."""
        return os.open(self.path, os.O_RDWR | os.O_NOCTTY)

    def program(self, name):
        """A program of that name that sleeps."""
        path = self.folder.path / name
        if not path.exists():
            shutil.copy("/usr/bin/sleep", path)
        return str(path)

    def run(self, command, **options):
        """Runs a command as the terminal's session leader, in its foreground."""
        def take():
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
        for stream in ("stdin", "stdout", "stderr"):
            options.setdefault(stream, self.slave)
        process = subprocess.Popen([str(word) for word in command], start_new_session=True,
                                   preexec_fn=take, **options)
        self.started.append(process)
        return process

    def holder(self, name="ssh"):
        """A sleeping program of that name alone in the terminal; its Process."""
        return place.Process(self.run([self.program(name), "3600"]).pid)

    def job(self, *command, stdin="tty", env=None):
        """A Job whose command runs in the foreground, in a group of its own."""
        return Job(self, stdin, command, env or os.environ)

    def close(self):
        if self.master is not None:
            self.shown()
            os.close(self.master)
            os.close(self.slave)
            self.master = None
        for process in self.started:
            process.kill()
            process.wait()
        self.folder.close()


class Job:
    """.child is the command's Process, .leader that of the session's leader, which does what it is told."""

    def __init__(self, tty, stdin, command, env):
        orders, self.orders = os.pipe()
        self.done, done = os.pipe()
        heard, errors = os.pipe()
        env = {**env, "ORDERS": str(orders), "DONE": str(done)}
        leader = tty.run(["/usr/bin/python3", "-I", "-c", LEADER, stdin, *command], env=env,
                         stderr=errors, pass_fds=(orders, done))
        for end in (orders, done, errors):
            os.close(end)
        with os.fdopen(heard) as line:
            self.child = place.Process(int(line.readline().split()[1]))
        self.leader = place.Process(leader.pid)

    def does(self, line):
        os.write(self.orders, line.encode() + b"\n")
        assert os.read(self.done, 1) == b"!"

    def close(self):
        os.close(self.orders)
        os.close(self.done)
