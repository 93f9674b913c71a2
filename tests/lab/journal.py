"""A journal that a test can read: the socket of systemd-journald, for programs in a mount namespace of their own."""
import os
import socket

from . import place

# /run may lack the folder, and is other tests' as well: a fresh one, with nothing but the socket in it.
WRAPPER = """#!/bin/sh
exec unshare {map} -m sh -c 'mount -t tmpfs none /run && mkdir -p /run/systemd/journal &&
	mount --bind {folder} /run/systemd/journal && exec "$0" "$@"' {program} "$@"
"""


class Journal:
    """.program runs a program that finds it; .entries are what it got so far, a dict of bytes each."""

    def __init__(self, program):
        self.folder = place.Folder()
        self.path = self.folder.path / "run" / "socket"
        self.program = self.folder.path / "run-beside-journal"
        self.program.write_text(WRAPPER.format(map="" if os.getuid() == 0 else "-r", folder=self.path.parent,
                                               program=program))
        os.chmod(self.program, 0o755)
        self.entries = []
        self.socket = None
        self.listen()

    def listen(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.setblocking(False)

    def leave(self):
        self.socket.close()
        self.path.unlink()

    def read(self):
        """All entries, with those that came since."""
        while True:
            try:
                data = self.socket.recv(1 << 20)
            except BlockingIOError:
                return self.entries
            self.entries.append(fields(data))

    def close(self):
        self.socket.close()
        self.folder.close()


def fields(data):
    """Of an entry of the native protocol: NAME=value and a newline, or NAME, a newline, the length, the value."""
    found = {}
    while data:
        line, _, rest = data.partition(b"\n")
        name, sign, value = line.partition(b"=")
        if not sign:
            length = int.from_bytes(rest[:8], "little")
            value, rest = rest[8:8 + length], rest[8 + length + 1:]
        found[name.decode()] = value
        data = rest
    return found
