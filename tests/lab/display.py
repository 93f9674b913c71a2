"""An X display without a screen, on which programs show windows: Xvfb, which keeps what it shows in a file."""
import ctypes
import os
import signal
import struct
import subprocess
import zlib

from . import place

WIDTH, HEIGHT = 1000, 1000
GRABBED, ALREADY_GRABBED, CLIENT_MESSAGE = 0, 1, 33  # of X.h
DUMP_HEADER = struct.Struct(">25I")  # of the file formats/xwd.h; what follows are a name and a table of colours


class ClientMessage(ctypes.Structure):
    """XClientMessageEvent of Xlib.h, as large as any XEvent."""

    _fields_ = [("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("sent", ctypes.c_int), ("display", ctypes.c_void_p),
                ("window", ctypes.c_ulong), ("name", ctypes.c_ulong), ("format", ctypes.c_int),
                ("data", ctypes.c_ulong * 5), ("rest", ctypes.c_long * 12)]


class Display:
    """.env names it to programs; .windows() are the ids of what it shows; .picture() is a PNG of one."""

    def __init__(self):
        self.folder = place.Folder()
        here, there = os.pipe()
        command = ["Xvfb", "-displayfd", str(there), "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-fbdir",
                   str(self.folder.path), "-nolisten", "tcp", "-noreset"]
        self.process = subprocess.Popen(command, pass_fds=(there,), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        os.close(there)
        with open(here, encoding="ascii") as numbers:  # it comes when clients may, or the pipe is closed
            number = numbers.readline().strip()
        if not number:
            self.process.wait()
            raise AssertionError(f"Xvfb ended with {self.process.returncode}")
        self.env = {"DISPLAY": f":{number}"}

    def call(self, *arguments):
        return place.run(["xdotool", *arguments], env=dict(place.environment(self.folder.path), **self.env)).stdout

    def windows(self):
        return self.call("search", "--onlyvisible", "--name", ".").split()

    def wait_until_shown(self):
        return place.wait_for("a window appears", self.windows)[-1]

    def wait_until_gone(self):
        place.wait_for("the window goes", lambda: not self.windows())

    def wait_until_kept(self):
        """A program that asks for a PIN keeps the keyboard for itself: what is typed from then on is its own."""
        x11 = ctypes.CDLL("libX11.so.6")
        x11.XOpenDisplay.restype = ctypes.c_void_p
        display = ctypes.c_void_p(x11.XOpenDisplay(self.env["DISPLAY"].encode()))
        try:
            root = x11.XDefaultRootWindow(display)
            place.wait_for("the keyboard is kept", lambda: self._refuses_keyboard(x11, display, root))
        finally:
            x11.XCloseDisplay(display)

    @staticmethod
    def _refuses_keyboard(x11, display, root):
        answer = x11.XGrabKeyboard(display, ctypes.c_ulong(root), 0, 1, 1, ctypes.c_ulong(0))
        if answer == GRABBED:
            x11.XUngrabKeyboard(display, ctypes.c_ulong(0))
            x11.XSync(display, 0)
        return answer == ALREADY_GRABBED

    def types(self, text):
        self.call("type", text)

    def presses(self, key):
        self.call("key", key)

    def focus(self, window):
        """What is typed from then on is for this window; without a window manager nobody else sees to that."""
        self.call("windowfocus", "--sync", window)

    def asks_to_close(self, window):
        """As a window manager does it."""
        x11 = ctypes.CDLL("libX11.so.6")
        x11.XOpenDisplay.restype = ctypes.c_void_p
        x11.XInternAtom.restype = ctypes.c_ulong
        display = ctypes.c_void_p(x11.XOpenDisplay(self.env["DISPLAY"].encode()))
        try:
            names = (x11.XInternAtom(display, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW"))
            event = ClientMessage(CLIENT_MESSAGE, 0, 0, None, int(window), next(names), 32, (next(names),))
            x11.XSendEvent(display, ctypes.c_ulong(int(window)), 0, ctypes.c_long(0), ctypes.byref(event))
            x11.XSync(display, 0)
        finally:
            x11.XCloseDisplay(display)

    def place_of(self, window):
        """x, y, width and height of a window."""
        words = dict(line.split("=") for line in self.call("getwindowgeometry", "--shell", window).split())
        return [int(words[name]) for name in ("X", "Y", "WIDTH", "HEIGHT")]

    def pixels(self, left, top, width, height):
        """Rows of that part of the screen, three bytes a pixel."""
        dump = (self.folder.path / "Xvfb_screen0").read_bytes()
        header = DUMP_HEADER.unpack_from(dump)
        begin, line, colours = header[0], header[12], header[19]
        begin += 12 * colours
        rows = []
        for y in range(top, top + height):
            row = dump[begin + y * line + left * 4:begin + y * line + (left + width) * 4]
            colour = bytearray(3 * width)
            colour[0::3], colour[1::3], colour[2::3] = row[2::4], row[1::4], row[0::4]  # blue comes first
            rows.append(bytes(colour))
        return rows

    def picture(self, window):
        return png(self.pixels(*self.place_of(window)))

    def close(self):
        place.end(self.process, signal.SIGTERM)
        self.folder.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(rows):
    """A PNG of rows of three bytes a pixel, in 16 shades of grey: text needs no more, and it is small."""
    shades = [[(row[i] * 299 + row[i + 1] * 587 + row[i + 2] * 114) // 16000 for i in range(0, len(row), 3)]
              for row in rows]
    packed = [bytes(left << 4 | right for left, right in zip(row[0::2], [*row[1::2], 0])) for row in shades]
    head = struct.pack(">2I5B", len(shades[0]), len(shades), 4, 0, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in packed), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")
