"""A client of the agent protocol (RFC 9987) that also says what no honest client would."""
import collections
import socket

from . import place
from .keys import Reader, string, u32

FAILURE, SUCCESS, IDENTITIES, SIGNATURE = 5, 6, 12, 14
EXTENSION_FAILURE, EXTENSION_RESPONSE = 28, 29
LIST, SIGN, REMOVE, REMOVE_ALL = 11, 13, 18, 19
ADD, ADD_CONSTRAINED = 17, 25
ADD_TOKEN, REMOVE_TOKEN, ADD_TOKEN_CONSTRAINED, EXTENSION = 20, 21, 26, 27
RSA_SHA256, RSA_SHA512 = 2, 4

Identity = collections.namedtuple("Identity", "blob comment")


class Closed(Exception):
    """The agent closed the connection."""


def lifetime(seconds):
    return b"\x01" + u32(seconds)


def confirm():
    return b"\x02"


def constraint(name, body=b""):
    return b"\xff" + string(name) + body


class AgentClient:
    """One connection, to an Agent or to a socket's path; or a socket that is connected already."""

    def __init__(self, agent, seconds=place.ANSWER_SECONDS):
        if isinstance(agent, socket.socket):
            self.socket = agent
            self.socket.settimeout(seconds * place.PATIENCE)
            return
        self.socket = socket.socket(socket.AF_UNIX)
        # With a time limit a full queue of the listener would be an error at once.
        self.socket.connect(getattr(agent, "socket", agent))
        self.socket.settimeout(seconds * place.PATIENCE)

    def raw(self, data):
        """Bytes as they are, without a length."""
        self.socket.sendall(data)

    def send(self, number, body=b""):
        self.raw(string(bytes([number]) + body))

    def receive(self):
        """The next reply: its number and its body."""
        reply = Reader(self._read(Reader(self._read(4)).u32()))
        return reply.u8(), reply.data

    def _read(self, length):
        data = b""
        while len(data) < length:
            try:
                piece = self.socket.recv(length - len(data))
            except ConnectionResetError:
                piece = b""
            if not piece:
                raise Closed(f"{len(data)} of {length} bytes came")
            data += piece
        return data

    def call(self, number, body=b""):
        self.send(number, body)
        return self.receive()

    def closed(self):
        """True once the agent closed; waits for it. Fails where a reply comes instead."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def list(self):
        number, body = self.call(LIST)
        if number != IDENTITIES:
            raise AssertionError(f"asked for the list, got message {number}")
        reader = Reader(body)
        return [Identity(reader.string(), reader.string().decode(errors="replace"))
                for _ in range(reader.u32())]

    def sign_request(self, blob, data, flags=0):
        return string(blob) + string(data) + u32(flags)

    def sign(self, blob, data, flags=0):
        """The signature, None where the agent refused."""
        return self.signature(self.call(SIGN, self.sign_request(blob, data, flags)))

    @staticmethod
    def signature(reply):
        """The signature in a reply to SIGN, None where it is a refusal."""
        number, body = reply
        if number == FAILURE:
            return None
        if number != SIGNATURE:
            raise AssertionError(f"asked for a signature, got message {number}")
        return Reader(body).string()

    def remove(self, blob):
        return self.call(REMOVE, string(blob))[0]

    def remove_all(self):
        return self.call(REMOVE_ALL)[0]

    def add_token(self, provider, pin="", constraints=b""):
        """ssh-add -s: the number of the reply."""
        number = ADD_TOKEN_CONSTRAINED if constraints else ADD_TOKEN
        return self.call(number, string(provider) + string(pin) + constraints)[0]

    def remove_token(self, provider, pin=""):
        return self.call(REMOVE_TOKEN, string(provider) + string(pin))[0]

    def extension(self, name, body=b""):
        return self.call(EXTENSION, string(name) + body)

    def bind(self, host_key, sid, forwarding=False, signature=None):
        """session-bind@openssh.com with a lab.HostKey: the number of the reply."""
        signed = host_key.sign(sid) if signature is None else signature
        body = string(host_key.blob) + string(sid) + string(signed) + bytes([int(forwarding)])
        return self.extension("session-bind@openssh.com", body)[0]

    def query(self):
        """The names of the extensions that the agent says it has."""
        number, body = self.extension("query")
        if number != EXTENSION_RESPONSE:
            raise AssertionError(f"asked for extensions, got message {number}")
        reader, names = Reader(body), []
        if reader.string() != b"query":
            raise AssertionError("a response that does not name the extension")
        while reader.data:
            names.append(reader.string().decode())
        return names

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
