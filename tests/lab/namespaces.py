"""
A network, mounts, System V memory and a /run of its own for a test's process and all that it starts: for daemons that have one
place in the system, which somebody else may have taken. For an ordinary user all files of root's seem to be nobody's
then, so a worker loads no module: tests of that want root.
"""
import ctypes
import fcntl
import os
import pathlib
import socket
import struct

_NEW_NAMESPACE, _NEW_IPC, _NEW_USER, _NEW_NETWORK = 0x00020000, 0x08000000, 0x10000000, 0x40000000
_DETACH, _BIND, _RECURSIVE, _PRIVATE = 2, 0x1000, 0x4000, 1 << 18
_SET_FLAGS, _GET_FLAGS, _UP = 0x8914, 0x8913, 1
_libc = ctypes.CDLL(None, use_errno=True)
_entered = []


def _system_call(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _mount(what, where, kind, flags, options=None):
    words = [None if word is None else str(word).encode() for word in (what, where, kind)]
    _system_call(_libc.mount(*words, flags, options.encode() if options else None))


def _leave_the_rest():
    """Namespaces of mounts, memory and network; who is not root needs one of users for that."""
    uid, gid = os.geteuid(), os.getegid()
    flags = _NEW_NAMESPACE | _NEW_IPC | _NEW_NETWORK
    if _libc.unshare(flags) == 0:
        return
    _system_call(_libc.unshare(flags | _NEW_USER))
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        pathlib.Path("/proc/self", name).write_text(text)


def _loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(one, _GET_FLAGS, request))[1]
        fcntl.ioctl(one, _SET_FLAGS, struct.pack("16sh14x", b"lo", flags | _UP))


def entered():
    return bool(_entered)


def enter():
    """Once and for good."""
    if _entered:
        return
    _leave_the_rest()
    _mount("none", "/", None, _RECURSIVE | _PRIVATE)
    _mount("tmpfs", "/run", "tmpfs", 0, "mode=755")
    os.makedirs("/run/lock")
    _loopback_up()
    _entered.append(True)


def put_over(folder, path):
    """From now on whoever looks at path sees the folder, until uncover()."""
    assert _entered, "enter() comes first"
    _mount(folder, path, None, _BIND)


def uncover(path):
    _system_call(_libc.umount2(str(path).encode(), _DETACH))
