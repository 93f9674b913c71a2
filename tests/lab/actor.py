"""Another process that connects to an agent: of another program, user or namespace, as a test needs it."""
import ctypes
import errno
import os
import shutil
import signal
import socket
import struct
import subprocess

from . import place
from .client import AgentClient

PYTHON = "/usr/bin/python3"
CLONE3 = 435  # the same on all platforms

# Its standard input is a socket on which each line is an order; descriptors go back the same way.
PROGRAM = """
import ctypes, os, socket, sys
here = socket.socket(fileno=0)
for line in here.makefile():
    order, _, rest = line.rstrip("\\n").partition(" ")
    if order == "connect":
        there = socket.socket(socket.AF_UNIX)
        try:
            there.connect(rest)
        except OSError as error:
            here.sendall(str(error).encode()[:100])
            continue
        socket.send_fds(here, [b"."], [there.fileno()])
    elif order == "chroot":
        os.chroot(rest)
        os.chdir("/")
    elif order == "hide":
        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
        here.sendall(b"hidden")
    elif order == "become":
        os.execv(rest, [rest, "3600"])
"""


class Actor:
    """
    A Python that is called program (as /proc/PID/exe shows it), run through the words of wrapper; words end
    its command line.

    .connect(agent) is an AgentClient whose connection was made by that process: the kernel
    names it as the peer, whoever uses the connection later.
    """

    def __init__(self, program=None, wrapper=(), words=()):
        self.folder = place.Folder()
        os.chmod(self.folder.path, 0o755)
        self.executable = PYTHON
        if program is not None:
            self.executable = str(self.folder.path / program)
            shutil.copy(os.path.realpath(PYTHON), self.executable)
        self.orders, theirs = socket.socketpair()
        self.orders.settimeout(place.ANSWER_SECONDS * place.PATIENCE)
        self.process = subprocess.Popen([*wrapper, self.executable, "-I", "-c", PROGRAM, *words], stdin=theirs,
                                        cwd="/", start_new_session=True)
        theirs.close()
        self.clients = []
        self.next = 0

    @property
    def pid(self):
        return self.process.pid

    def connect(self, agent):
        self.orders.sendall(f"connect {getattr(agent, 'socket', agent)}\n".encode())
        words, fds, _, _ = socket.recv_fds(self.orders, 100, 1)
        if not fds:
            raise AssertionError(f"the other process could not connect: {words!r}")
        self.clients.append(AgentClient(socket.socket(fileno=fds[0])))
        return self.clients[-1]

    def change_root(self, folder):
        """From now on the process sees nothing but this folder, which is / to it; only root may do that."""
        self.orders.sendall(f"chroot {folder}\n".encode())

    def hide(self):
        """From now on the kernel shows what the process is to root alone."""
        self.orders.sendall(b"hide\n")
        if self.orders.recv(100) != b"hidden":
            raise AssertionError("the other process did not hide")

    def become(self, program):
        """The process goes on as another program, such as /bin/sleep."""
        self.orders.sendall(f"become {program}\n".encode())
        wanted = os.path.realpath(program)
        place.wait_for(f"the process becomes {program}",
                       lambda: os.readlink(f"/proc/{self.pid}/exe") == wanted)

    def end(self):
        self.process.kill()
        self.process.wait()

    def end_and_come_again(self):
        """
        The process ends, and its number becomes that of another one of the same program. Where somebody else got the
        number first, that is as good; where not even root may choose numbers (in some containers), it stays free.
        """
        self.end()
        wanted = ctypes.c_int(self.pid)
        arguments = struct.pack("<11Q", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, ctypes.addressof(wanted), 1, 0)
        pid = ctypes.CDLL(None, use_errno=True).syscall(CLONE3, arguments, len(arguments))
        if pid == 0:
            os.execv(self.executable, [self.executable, "-I", "-c", "import time; time.sleep(3600)"])
        if pid < 0 and ctypes.get_errno() not in (errno.EEXIST, errno.ENOSYS, errno.EPERM):
            raise OSError(ctypes.get_errno(), "no process with a number of choice")
        self.next = pid

    def close(self):
        if self.next > 0:
            os.kill(self.next, signal.SIGKILL)
            os.waitpid(self.next, 0)
        for client in self.clients:
            client.close()
        self.orders.close()
        below = place.descendants(self.pid)
        if self.process.poll() is None:
            self.end()
        for one in below:
            if one.alive():
                os.kill(one.pid, signal.SIGKILL)
        self.folder.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
