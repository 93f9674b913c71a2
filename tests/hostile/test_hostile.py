"""A module that was taken over by its card tries to get out of its worker, and a worker's confinement is shown."""
import contextlib
import pathlib
import socket
import subprocess
import unittest

import lab
from lab import client as c, keys
from lab.security_key import Instructed

MODULE = lab.BUILD / "tests" / "modules" / "hostile.so"
SANITIZED = "asan" in lab.run(["ldd", lab.AGENT]).stdout
# What is refused by Landlock alone: a build with sanitizers has no filter of system calls.
FILES = {"read a secret", "write a secret", "read /etc/shadow", "make a file in /tmp", "list /", "exec",
         "make a symbolic link", "make a hard link", "connect to an abstract socket"}


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = lab.Folder()
        self.addCleanup(self.folder.close)
        self.notes, self.secret = self.folder.path / "notes", self.folder.path / "ssh" / "id_ed25519"
        self.secret.parent.mkdir()
        self.secret.write_text("private")
        self.notes.touch()
        victim = subprocess.Popen(["sleep", "600"])  # pylint: disable=consider-using-with
        self.addCleanup(victim.wait)
        self.addCleanup(victim.kill)
        self.env = {"HOSTILE_NOTES": self.notes, "HOSTILE_SECRET": self.secret, "HOSTILE_VICTIM": victim.pid}

    def start(self, backend, more=""):
        words = ", ".join(f'"{name}={value}"' for name, value in self.env.items())
        config = (f'worker {backend} {{\n environment = {{{words}}}\n grant-write = {{"{self.notes}"}}\n{more}}}\n')
        agent = lab.Agent(options=["-P", f"{lab.BUILD}/*,/usr/lib/*"], config=config)
        self.addCleanup(agent.stop)
        return agent

    def outcomes(self):
        lab.wait_for("it has tried all", lambda: self.notes.read_text().endswith("end\n"))
        return dict(line.split(": ", 1) for line in self.notes.read_text().splitlines() if line != "end")

    def succeeded(self):
        return {name for name, outcome in self.outcomes().items() if outcome == "succeeded"}

    @contextlib.contextmanager
    def abstract(self):
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("\0keystile-hostile")
            listening.listen()
            yield


class Escapes(Case):
    def expected(self):
        """What may succeed here; everything else is a way out."""
        allowed = {"read what a module needs"}
        if SANITIZED:
            allowed |= set(self.outcomes()) - FILES
        return allowed

    def nothing_succeeds(self, agent):
        self.assertLessEqual(self.succeeded(), self.expected(), agent.log())
        self.assertIn("read what a module needs", self.succeeded())
        self.assertEqual(self.secret.read_text(), "private")
        self.assertEqual(self.secret.stat().st_mode & 0o777, 0o644 if SANITIZED else self.mode)
        with lab.AgentClient(agent) as one:
            self.assertEqual(one.list(), [])

    def setUp(self):
        super().setUp()
        self.mode = self.secret.stat().st_mode & 0o777

    def test_a_pkcs11_module_finds_no_way_out(self):
        agent = self.start("pkcs11")
        with self.abstract(), lab.AgentClient(agent) as one:
            self.assertEqual(one.add_token(MODULE), c.FAILURE)
            self.nothing_succeeds(agent)

    def test_a_security_key_library_finds_no_way_out(self):
        agent = self.start("middleware")
        body = Instructed().private + keys.string("a key") + c.constraint(
            "sk-provider@openssh.com", keys.string(str(MODULE)))
        with self.abstract(), lab.AgentClient(agent) as one:
            self.assertEqual(one.call(c.ADD_CONSTRAINED, body)[0], c.FAILURE)
            self.nothing_succeeds(agent)

    def test_what_is_granted_can_be_read_and_nothing_beside_it(self):
        agent = self.start("pkcs11", f' grant-read = {{"{self.secret}"}}\n')
        with lab.AgentClient(agent) as one:
            self.assertEqual(one.add_token(MODULE), c.FAILURE)
        self.assertIn("read a secret", self.succeeded())
        self.assertNotIn("write a secret", self.succeeded())
        self.assertNotIn("read /etc/shadow", self.succeeded())


class Shown(unittest.TestCase):
    """What holds for each worker is told by the status."""

    def test_each_worker_says_how_it_is_confined(self):
        with lab.Agent() as agent, lab.AgentClient(agent) as one:
            self.assertEqual(one.add_token("fake:demo"), c.SUCCESS)
            (provider,) = agent.status()["providers"]
            told = provider["confinement"]
            self.assertEqual(told["system_calls"], not SANITIZED)
            self.assertGreaterEqual(told["landlock"], 1)
            self.assertEqual(told["lacking"] == "", not SANITIZED)

    def test_each_thread_of_a_worker_is_confined(self):
        with lab.Agent() as agent, lab.AgentClient(agent) as one:
            self.assertEqual(one.add_token("fake:demo"), c.SUCCESS)
            (worker,) = [one for one in agent.workers() if "worker-fake" in one.name or one.name.startswith("keystile-worker")]
            threads = list(pathlib.Path(f"/proc/{worker.pid}/task").iterdir())
            self.assertGreater(len(threads), 1)
            for thread in threads:
                status = (thread / "status").read_text()
                self.assertIn("Seccomp:\t" + ("0" if SANITIZED else "2"), status)


if __name__ == "__main__":
    unittest.main()
