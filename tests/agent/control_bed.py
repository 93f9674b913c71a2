"""What an agent says to keystile, and something that says it."""
import array
import json
import os
import socket
import struct
import threading

import lab

STATUS = {
    "ok": True, "version": "0.1.0", "pid": 4711, "uptime_seconds": 93784,
    "sockets": [{"path": "/run/a.sock", "origin": "local"}, {"path": "/run/r.sock", "origin": "remote"}],
    "warnings": ["remote requests are signed without a touch or a PIN, because "
                 "allow-remote-without-presence is set in the configuration"],
    "connection_count": 8,
    "connections": [{"id": 3, "pid": 99, "executable": "/usr/bin/ssh", "origin": "remote",
                     "reason": "bound to a forwarded connection", "binds": 2, "forwarded": True,
                     "path": [{"host_key": "SHA256:a", "names": ["bastion", "10.0.0.1"], "remark": "",
                               "forwarding": True},
                              {"host_key": "SHA256:b", "names": [], "remark": "not in known_hosts",
                               "forwarding": False}]}],
    "known_hosts": [{"path": "/home/me/.ssh/known_hosts", "keys": 7, "malformed_lines": 1, "cut": True,
                     "trouble": "Permission denied"}],
    "providers": [{"name": "/usr/lib/softhsm/libsofthsm2.so", "backend": "pkcs11", "state": "ready",
                   "pid": 4712, "restarts": 1, "last_error": "the module crashed",
                   "tokens": [{"label": "Main", "serial": "17", "model": "SoftHSM v2",
                               "location": "slot 0", "logged_in": True, "tries_left": 1,
                               "waiting": 2},
                              {"label": "", "serial": "", "model": "", "location": "",
                               "logged_in": False, "tries_left": None}]}],
    "keys": [{"fingerprint": "SHA256:" + "x" * 43, "type": "ECDSA", "bits": 256, "comment": "work",
              "provider": "/usr/lib/softhsm/libsofthsm2.so", "token": "Main", "reserves": 1}],
    "asking": {"way": "pinentry", "program": "/usr/bin/pinentry", "display": {
        "name": ":0", "wayland": "wayland-0", "from": "systemd's user environment"}, "terminal": None,
               "bus": {"name": "unix:path=/bus", "from": "the agent's start"}},
    "prompts": [{"kind": "open", "for": "a login as root"}],
    "refusals": [{"when": "2026-01-01T00:00:00Z", "key": "SHA256:y", "reason": "nobody could be asked",
                  "remedy": "start the agent with DISPLAY set"}],
}


def message(value):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return struct.pack(">I", len(body)) + body


class FakeAgent:
    """A control socket; talk(connection) is what it does with the one connection it takes."""

    def __init__(self, path, talk=None):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(1)
        self.talk = talk or self.behave(message(STATUS))
        self.heard, self.descriptors, self.error = [], [], None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(30 * lab.place.PATIENCE)
            try:
                self.talk(self, connection)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
            except OSError:
                pass

    def hear(self, connection):
        """One message of the command, and the descriptors that come with its first byte."""
        first, ancillary, _, _ = connection.recvmsg(1, socket.CMSG_SPACE(16))
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                numbers = array.array("i", data)
                self.descriptors += [os.readlink(f"/proc/self/fd/{fd}") for fd in numbers]
                for fd in numbers:
                    os.close(fd)
        header = first + self._read(connection, 3)
        self.heard.append(json.loads(self._read(connection, struct.unpack(">I", header)[0])))

    @staticmethod
    def _read(connection, length):
        data = b""
        while len(data) < length:
            piece = connection.recv(length - len(data))
            if not piece:
                raise OSError("closed")
            data += piece
        return data

    @staticmethod
    def behave(answer, hello=None):
        def talk(self, connection):
            self.hear(connection)
            connection.sendall(message({"keystile": 1, "version": "0.1.0"}) if hello is None else hello)
            self.hear(connection)
            connection.sendall(answer)
        return talk

    def close(self):
        self.listener.close()
