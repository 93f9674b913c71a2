#!/usr/bin/python3
"""
Writes docs/prompts.md: what a person reads, for each kind of question, captured from Debian's pinentry-curses in a
terminal that tmux draws. Run it after a build: tests/prompts/capture.py [build folder]
"""
import os
import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("KEYSTILE_BUILD", str(TOP / "build" if len(sys.argv) < 2 else pathlib.Path(sys.argv[1]).resolve()))
sys.path.insert(0, str(TOP / "tests"))

import base64  # noqa: E402

import lab  # noqa: E402  (found by the lines above)
from lab import client as c  # noqa: E402

PIN = "1234"
SESSION = b"s" * 32
BEGINNING = """# What you are asked

Written by `tests/prompts/capture.py`: pinentry-curses in a terminal, each time for a PIN. Other ways show the same words.
What a stranger chose stands in quotes, on a line of its own; all else is Keystile's. A remote request says so in its first line.
"""


class Stage:
    """An agent with a token that wants its PIN for each signature, and known_hosts with two hosts."""

    def __init__(self):
        self.terminal = lab.Terminal(height=70)
        self.bastion, self.target, self.stranger = lab.HostKey(), lab.HostKey(), lab.HostKey()
        self.agent = lab.Agent(config="prompts = pinentry\npinentry = /usr/bin/pinentry-curses\n"
                                      f"pinentry-terminal = {self.terminal.path}\n")
        hosts = self.agent.home / ".ssh"
        hosts.mkdir(mode=0o700)
        (hosts / "known_hosts").write_text(self._line("bastion.example", self.bastion) +
                                           self._line("db.example", self.target))
        with lab.AgentClient(self.agent) as one:
            if one.add_token("fake:lab,pin=always", PIN) != c.SUCCESS:
                raise SystemExit(f"the token was not loaded:\n{self.agent.log()}")
            self.key = one.list()[0].blob

    @staticmethod
    def _line(name, host):
        return f"{name} {host.name} {base64.b64encode(host.blob).decode()}\n"

    def client(self, socket=None, binds=()):
        one = lab.AgentClient(self.agent if socket is None else socket)
        for number, (host, forwarding) in enumerate(binds):
            session = SESSION if not forwarding else b"%032d" % number
            if one.bind(host, session, forwarding=forwarding) != c.SUCCESS:
                raise SystemExit("a host could not be bound")
        return one

    def login(self, host=None):
        return lab.userauth(SESSION, "alice", self.key, host_key=host.blob if host else None)

    def capture(self, one, data):
        one.send(c.SIGN, one.sign_request(self.key, data))
        self.terminal.wait_until_shown("PIN:")
        screen = self.terminal.screen()
        one.close()
        self.terminal.wait_until_gone("PIN:")
        return "\n".join(self._drawn(line.strip()) for line in screen.splitlines() if line.strip())

    @staticmethod
    def _drawn(line):
        """tmux gives the letters of which the terminal draws a frame."""
        if line[1:-1].strip("q") == "":
            return "+" + "-" * (len(line) - 2) + "+"
        return f"|{line[1:-1]}|"

    def refusal(self, one, data):
        with one:
            if one.sign(self.key, data) is not None:
                raise SystemExit("it was signed")
        return self.agent.refusals()[0].replace("; ", "\n")

    def close(self):
        self.agent.stop()
        self.terminal.close()


def scenes(stage):
    """Title, what happens, and the screen or the words."""
    near = [(stage.target, False)]
    far = [(stage.bastion, True), (stage.target, False)]
    longer = [(stage.bastion, True), (stage.stranger, True), (stage.target, False)]
    remote = stage.agent.remote_socket
    yield ("A login from this machine", "`ssh alice@db.example`",
           stage.capture(stage.client(binds=near), stage.login(stage.target)))
    yield ("A forwarded login, the destination proven",
           "`ssh -A` to bastion.example, from there to a host that is not known, from there `ssh alice@db.example`",
           stage.capture(stage.client(binds=longer), stage.login(stage.target)))
    yield ("A forwarded login, the destination unproven", "the same from an ssh on bastion.example that says too little",
           stage.capture(stage.client(binds=far), stage.login()))
    yield ("A git commit", "`git commit -S`", stage.capture(stage.client(), lab.sshsig(b"tree", "git")))
    yield ("Unrecognised data", "a program on this machine asks to sign something",
           stage.capture(stage.client(), b"anything"))
    yield ("A container's request", "`remote.sock` mounted into a container, a login from there",
           stage.capture(stage.client(remote), stage.login()))
    yield ("Unrecognised data from a container", "is refused, and nobody is asked. `keystile status` says",
           stage.refusal(stage.client(remote), b"anything"))


def main():
    stage = Stage()
    try:
        parts = [BEGINNING] + [f"## {title}\n\n{what}:\n\n```\n{screen}\n```\n"
                               for title, what, screen in scenes(stage)]
    finally:
        stage.close()
    (TOP / "docs" / "prompts.md").write_text("\n".join(parts))


if __name__ == "__main__":
    main()
