"""
The same conversation with OpenSSH's ssh-agent and with ours, compared answer by answer: the test files beside_*.py
hold the conversations as tables. An answer has to be the same to the byte; signatures, which are random with some
kinds, have to verify and be of the same algorithm. Where we mean to differ, the table says what both answer, and why.
We follow the newest ssh-agent: what one before OpenSSH 10 answers otherwise is said too.
"""
import dataclasses
import os
import shutil
import unittest

import lab
from lab import client as c
from lab.keys import Reader, string, u32

CLOSED = "closed"
# What a single message is answered with, by its number, where there is no body to compare.
FAILURE, SUCCESS, EXTENSION_FAILURE = "05", "06", "1c"
NO_LIST = "0c00000000"
NEWER = lab.openssh_release() >= 10


@dataclasses.dataclass
class Step:
    """Bytes that are sent on one of the conversation's connections, and what is made of the answer."""
    what: str
    sent: bytes
    on: str = "first"
    key: object = None  # signs this data, where there is a signature
    data: bytes = b""
    answers: int = 1
    slowly: bool = False  # byte by byte
    differs: tuple = None  # what ssh-agent answers, what we do, and why

    def shown(self, reply):
        """A reply in words that are the same for the same bytes."""
        number, body = reply
        if number == c.SIGNATURE and self.key is not None:
            reader = Reader(body)
            signature = reader.string()
            left = f" and {reader.data.hex()}" if reader.data else ""
            return f"a {self.key.verify(signature, self.data)} signature{left}"
        return (bytes([number]) + body).hex()

    def older(self, theirs, ours, why):
        """One before 10 answers otherwise; newer ones as we do."""
        return self.ours(ours if NEWER else theirs, ours, why)

    def ours(self, theirs, ours, why):
        """The same step where we mean to differ."""
        return dataclasses.replace(self, differs=(theirs, ours, why))

    def byte_by_byte(self):
        return dataclasses.replace(self, slowly=True)

    def by(self, connection):
        """The same step on another connection."""
        return dataclasses.replace(self, on=connection)


def message(number, body=b"", what=None):
    return Step(what or f"message {number}", string(bytes([number]) + body))


def raw(data, what, answers=1):
    """Bytes as they are."""
    return Step(what, data, answers=answers)


def listing():
    return message(c.LIST, what="list")


def listed(*entries):
    """The answer to a list, where the two agents' lists differ."""
    pairs = b"".join(string(key.blob) + string(comment) for key, comment in entries)
    return (b"\x0c" + u32(len(entries)) + pairs).hex()


def adding(key, comment="", constraints=b""):
    return message(25 if constraints else 17, key.body(comment, constraints), f"add {key.name}")


def signing(key, data=b"data", flags=0, blob=None):
    step = message(c.SIGN, string(blob or key.blob) + string(data) + u32(flags), f"sign with {key.name}")
    return dataclasses.replace(step, key=key, data=data)


def removing(key):
    return message(c.REMOVE, string(key.blob), f"remove {key.name}")


def extension(name, body=b""):
    return message(c.EXTENSION, string(name) + body, f"extension {name}")


def binding(host, sid, forwarding=False, signature=None, tail=b""):
    signed = host.sign(sid) if signature is None else signature
    body = string(host.blob) + string(sid) + string(signed) + bytes([int(forwarding)]) + tail
    return extension("session-bind@openssh.com", body)


class Conversation:
    """One agent's side: connections by name, and the answers."""

    def __init__(self, agent):
        self.agent, self.clients = agent, {}

    def say(self, step):
        client = self.clients.get(step.on)
        if client is None:
            client = self.clients[step.on] = lab.AgentClient(self.agent)
        try:
            for piece in [bytes([byte]) for byte in step.sent] if step.slowly else [step.sent]:
                client.raw(piece)
            return "; ".join(step.shown(client.receive()) for _ in range(step.answers))
        except (c.Closed, BrokenPipeError, ConnectionResetError):
            client.close()
            del self.clients[step.on]
            return CLOSED

    def close(self):
        for client in self.clients.values():
            client.close()


class Beside(unittest.TestCase):
    """Both agents; each conversation begins with none of them holding anything."""

    options = ("-P", "/usr/lib*/*")
    our_options = ()
    env = None

    @classmethod
    def setUpClass(cls):
        folder = lab.Folder()
        cls.addClassCleanup(folder.close)
        # A copy loses the bit that Debian sets, with which the tests' environment would not reach it.
        program = shutil.copy(shutil.which("ssh-agent"), folder.path / "ssh-agent")
        os.chmod(program, 0o755)
        cls.theirs = lab.Agent(program=program, options=cls.options, env=cls.env)
        cls.addClassCleanup(cls.theirs.stop)
        # ssh-agent's lists have everybody's comments in them.
        cls.ours = lab.Agent(options=[*cls.options, *cls.our_options], config="remote-comments = as-is\n", env=cls.env)
        cls.addClassCleanup(cls.ours.stop)

    def tearDown(self):
        for agent in (self.theirs, self.ours):
            with lab.AgentClient(agent) as client:
                self.assertEqual(client.remove_all(), c.SUCCESS)

    def compare(self, table):
        """Each entry: a sentence and its steps."""
        for sentence, *steps in table:
            with self.subTest(sentence):
                self.tearDown()
                self.converse(steps)

    def converse(self, steps):
        sides = [Conversation(agent) for agent in (self.theirs, self.ours)]
        try:
            for step in steps:
                self.check(step, *(side.say(step) for side in sides))
        finally:
            for side in sides:
                side.close()

    def check(self, step, theirs, ours):
        expected, why = (step.differs[:2], step.differs[2]) if step.differs else ((theirs, theirs), "the same")
        if (theirs, ours) != expected:
            sent = step.sent.hex()
            self.fail(f"{step.what}: ssh-agent answers {theirs}, we {ours}; expected ({why}): {expected}\n"
                      f"we refused last: {self.ours.refusals()[:1]}\nsent: {sent if len(sent) < 3000 else sent[:3000] + '...'}")
