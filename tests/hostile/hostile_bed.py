"""What the tests of code that was taken over share: who runs it, where it may write down what it tried, the victim."""
import contextlib
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile
import unittest

import lab
from lab import client as c, keys
from lab.added import AddedKey
from lab.security_key import Instructed

MODULE = lab.BUILD / "tests" / "modules" / "hostile.so"
SANITIZED = "asan" in lab.run(["ldd", lab.AGENT]).stdout
ABSTRACT = f"keystile-hostile-{os.getpid()}"
_OPEN_TO_ALL = all(folder.stat().st_mode & 0o001 for folder in (MODULE, *MODULE.parents))
# Whoever runs the tests; and where that is root, somebody else, whom the kernel keeps from more.
USERS = (None, "nobody") if os.getuid() == 0 and _OPEN_TO_ALL else (None,)


def library_key():
    """What ssh-add sends of a key whose library is the hostile one."""
    return Instructed().private + keys.string("a key") + c.constraint(
        "sk-provider@openssh.com", keys.string(str(MODULE)))


class Agent(lab.Agent):
    """One whose clients are its user's: the actor's, or whoever runs the tests."""

    actor = None

    def connect(self):
        return self.actor.connect(self) if self.actor else lab.AgentClient(self)


def actor_of(user):
    entry = pwd.getpwnam(user)
    return lab.Actor(wrapper=["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"])


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = lab.Folder()
        self.addCleanup(self.folder.close)
        self.notes, self.secret = self.folder.path / "notes", self.folder.path / "ssh" / "id_ed25519"
        self.pace = self.folder.path / "pace"
        self.state, self.readable = self.folder.path / "state", self.folder.path / "readable"
        self.hostile = ""  # the backend whose worker is not the real one

    def set_traps(self, user):
        """Fresh for each agent: the file of notes, the secret, and a process to be attacked."""
        self.secret.parent.mkdir(exist_ok=True)
        self.notes.write_text("")
        self.secret.write_text("private")
        self.secret.chmod(0o600)
        self.state.mkdir(exist_ok=True)
        self.readable.write_text("as it was")
        if user is not None:
            self.folder.path.chmod(0o755)
            lab.place.give_away(self.folder.path, user)
        victim = subprocess.Popen(  # pylint: disable=consider-using-with
            ["sleep", "600"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            **lab.place.identity(user))
        self.addCleanup(victim.wait)
        self.addCleanup(victim.kill)
        return victim.pid

    def start(self, backend, user=None, hostile=None, act=None, more="", readable=(), paced=False,
              allowed=f"{lab.BUILD}/*,/usr/lib/*"):
        """An agent; hostile is a backend whose worker is the hostile one, act what it does instead of trying all."""
        env = {"HOSTILE_NOTES": self.notes, "HOSTILE_SECRET": self.secret, "HOSTILE_VICTIM": self.set_traps(user),
               "HOSTILE_ABSTRACT": ABSTRACT, "HOSTILE_STATE": self.state, "HOSTILE_READABLE": self.readable}
        self.hostile = hostile or ""
        if act is not None:
            env["HOSTILE_ACT"] = act
        if paced:
            env["HOSTILE_PACE"] = self.pace
            self.pace.write_text("")
        words = ", ".join(f'"{name}={value}"' for name, value in env.items())
        reads = ", ".join(f'"{path}"' for path in (self.readable, *readable))
        config = (f"operation-timeout = {int(60 * lab.PATIENCE) if paced else int(3 * lab.PATIENCE)}\n"
                  f'worker {backend} {{\n environment = {{{words}}}\n grant-write = {{"{self.notes}", "{self.state}"}}\n'
                  f" grant-read = {{{reads}}}\n{more}}}\n")
        program = self.agent_with(hostile) if hostile is not None else None
        agent = Agent(options=["-P", allowed], config=config, user=user, program=program)
        self.addCleanup(agent.stop)
        if user is not None:
            agent.actor = actor_of(user)
            self.addCleanup(agent.actor.close)
        return agent

    def agent_with(self, hostile):
        """A copy of the agent with another folder of workers written into it; its path is short enough for that."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="kh-", dir="/tmp"))
        self.addCleanup(shutil.rmtree, folder, True)
        folder.chmod(0o755)
        for one in lab.LIBEXEC.iterdir():
            (folder / one.name).symlink_to(one)
        worker = folder / f"keystile-worker-{hostile}"
        worker.unlink()
        worker.symlink_to(lab.BUILD / "tests" / "hostile" / worker.name)
        old, new = str(lab.LIBEXEC).encode() + b"\0", str(folder).encode() + b"\0"
        code = lab.AGENT.read_bytes()
        self.assertEqual(code.count(old), 1)
        self.assertLessEqual(len(new), len(old))
        (folder / "keystile-agent").write_bytes(code.replace(old, new.ljust(len(old), b"\0")))
        (folder / "keystile-agent").chmod(0o755)
        return folder / "keystile-agent"

    def outcomes(self):
        """What came of each attempt, by its name."""
        try:
            lab.wait_for("it has tried all", lambda: self.notes.read_text().endswith("end\n"))
        except AssertionError as error:
            raise AssertionError(f"{error}; last: {self.notes.read_text()[-200:]}") from error
        return dict(line.split(": ", 1) for line in self.notes.read_text().splitlines() if line != "end")

    def unharmed(self, agent):
        """Nothing of the person's changed, and the agent is there for others."""
        self.assertEqual((self.secret.read_text(), self.readable.read_text()), ("private", "as it was"))
        if not SANITIZED:
            self.assertEqual(self.secret.stat().st_mode & 0o777, 0o600)
        self.served(agent)

    def served(self, agent):
        """Others get signatures from the process that was started."""
        self.assertTrue(agent.alive(), agent.log()[-3000:])
        self.assertEqual(agent.status()["pid"], agent.pid)
        with agent.connect() as one:
            blob = self.add_other(one)
            lab.verify(blob, one.sign(blob, b"data"), b"data")

    def add_other(self, one):
        """A key of a worker that is well."""
        if self.hostile != "memory":
            key = AddedKey("ed25519")
            self.assertEqual(one.call(c.ADD, key.body())[0], c.SUCCESS)
            return key.blob
        self.assertEqual(one.add_token("fake:good"), c.SUCCESS)
        return one.list()[0].blob

    @contextlib.contextmanager
    def abstract(self):
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(f"\0{ABSTRACT}")
            listening.listen()
            yield
