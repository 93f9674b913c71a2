"""A host of CTAPHID that does what a test wants, right or wrong: reports in, reports out."""
import fcntl
import os
import select
import struct
import termios
import time

import lab

BROADCAST = 0xffffffff
PING, MSG, LOCK, INIT, WINK, CBOR, CANCEL, KEEPALIVE, ERROR = 0x01, 0x03, 0x04, 0x06, 0x08, 0x10, 0x11, 0x3b, 0x3f
INVALID_COMMAND, INVALID_LENGTH, WRONG_SEQUENCE, TIMEOUT, BUSY, WRONG_CHANNEL = 0x01, 0x03, 0x04, 0x05, 0x06, 0x0b


class Gone(Exception):
    """The token was pulled."""


class Host:
    """Holds the node of a token open, and has a channel after .init()."""

    def __init__(self, bed, token):
        self.fd = os.open(bed.root + token.node, os.O_RDWR | os.O_NOCTTY)
        self.channel = BROADCAST

    def send_report(self, report):
        os.write(self.fd, b"\0" + report.ljust(64, b"\0"))

    def read_report(self, seconds=20):
        """None: nothing came for so long."""
        report = b""
        end = time.monotonic() + seconds * lab.PATIENCE
        while len(report) < 64:
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                return None
            try:
                piece = os.read(self.fd, 64 - len(report))
            except OSError:
                piece = b""
            if not piece:
                raise Gone
            report += piece
        return report

    def send(self, command, data=b"", channel=None, length=None):
        channel = struct.pack(">I", self.channel if channel is None else channel)
        first = struct.pack(">BH", command | 0x80, len(data) if length is None else length)
        self.send_report(channel + first + data[:57])
        for sequence, at in enumerate(range(57, len(data), 59)):
            self.send_report(channel + bytes([sequence]) + data[at:at + 59])

    def receive(self, keepalives=None, seconds=20):
        """(channel, command, data) of the next message; keep-alives go into the list."""
        while True:
            report = self.read_report(seconds)
            if report is None:
                raise AssertionError("no answer came")
            channel, command, length = struct.unpack(">IBH", report[:7])
            data = report[7:]
            sequence = 0
            while len(data) < length:
                data += self.read_report()[5:]
                sequence += 1
            if command & 0x7f != KEEPALIVE or channel != self.channel:
                return channel, command & 0x7f, data[:length]
            if keepalives is not None:
                keepalives.append(data[0])

    def init(self, channel=None, nonce=None):
        """A channel of its own; returns the whole answer."""
        nonce = nonce or os.urandom(8)
        self.send(INIT, nonce, channel=BROADCAST if channel is None else channel)
        while True:
            _, command, data = self.receive()
            if command == INIT and data[:8] == nonce:
                break
        self.channel = int.from_bytes(data[8:12], "big")
        return data

    def call(self, command, data=b"", **options):
        self.send(command, data, **options)
        return self.receive()[1:]

    def cbor(self, data):
        """Status and CBOR that a CTAP command is answered with."""
        command, answer = self.call(CBOR, data)
        if command != CBOR:
            raise AssertionError(f"{command:#x} {answer.hex()}")
        return answer[0], answer[1:]

    def waits(self):
        """How many bytes have come and were not read yet."""
        return struct.unpack("i", fcntl.ioctl(self.fd, termios.FIONREAD, b"\0" * 4))[0]

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
