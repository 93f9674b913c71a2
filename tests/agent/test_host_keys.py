"""sshd's host key in a TPM as docs/host-keys.md has it: its commands and files, and what the system's units say."""
import os
import re
import signal
import subprocess
import unittest

import lab
from lab import place, tpm
from test_tpm2 import environment

PAGE = (lab.ROOT / "docs" / "host-keys.md").read_text()
SOURCES = lab.ROOT / "src" / "agent" / "systemd"
UNIT = lab.BUILD / "src" / "agent" / "systemd" / "keystile-host-keys.service"
SOCKET = SOURCES / "keystile-host-keys.socket"


def blocks(language=""):
    return [text for name, text in re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.M | re.S) if name == language]


def values(unit, name):
    return re.findall(rf"^{name}=(.*)$", unit.read_text(), re.M)


class Served(unittest.TestCase):
    """Where the page says /etc, /run and /var there is a folder; the rest is as it stands there."""

    @classmethod
    def setUpClass(cls):
        cls.tpm = tpm.Tpm()
        cls.addClassCleanup(cls.tpm.close)

    def setUp(self):
        self.folder = lab.Folder()
        self.addCleanup(self.folder.close)
        self.path = self.folder.path
        for name in ("etc/ssh", "etc/keystile", "run/keystile-host-keys", "var/lib/keystile-host-keys"):
            (self.path / name).mkdir(parents=True, mode=0o700)

    def here(self, text):
        return re.sub(r"(?<![\w.])/(etc|run|var)/", rf"{self.path}/\1/", text)

    def env(self):
        given = dict(one.split("=", 1) for one in self.here(values(UNIT, "Environment")[0]).split())
        return {**place.environment(self.path), **given}

    def make_key(self):
        at = {"KEYSTILE_TPM2_TCTI": self.tpm.tcti, "KEYSTILE_TPM2_SOCKET": self.tpm.bus.path,
              "PATH": f"{lab.CONTROL.parent}:{os.environ['PATH']}"}
        (command,) = [one for one in blocks("sh") if "keystile tpm" in one]
        done = lab.run(["sh", "-euc", self.here(command)], env={**self.env(), **at})
        self.assertEqual(done.returncode, 0, done.stderr)
        return (self.path / "etc/ssh/ssh_host_ecdsa_key.pub").read_text().strip()

    @staticmethod
    def bounded():
        """The powers that the unit leaves to root; nobody else has any."""
        kept = [one.removeprefix("CAP_").lower() for one in values(UNIT, "CapabilityBoundingSet")[0].split()]
        powers = ",".join(["-all", *(f"+{one}" for one in kept)])
        return ["setpriv", "--no-new-privs", f"--bounding-set={powers}"] if os.getuid() == 0 else []

    def start(self):
        """As the service manager does it: the socket first."""
        config = self.path / "etc/keystile/host-keys.conf"
        config.write_text(self.here(blocks()[0]) + environment(self.tpm))
        config.chmod(0o600)
        command = self.here(values(UNIT, "ExecStart")[0]).split()
        (listen,), (name,) = values(SOCKET, "ListenStream"), values(SOCKET, "FileDescriptorName")
        log = self.path / "log"
        with open(log, "wb") as out:
            self.agent = subprocess.Popen(  # pylint: disable=consider-using-with
                [*self.bounded(), "systemd-socket-activate", f"--fdname={name}", "-l", self.here(listen),
                 *(f"-E{one}={value}" for one, value in self.env().items()), lab.AGENT, *command[1:]],
                env=self.env(), stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        self.addCleanup(place.end, self.agent, signal.SIGTERM)
        self.log = log.read_text
        lab.wait_for("it listens", lambda: lab.listens(self.here(listen)))

    def test_sshd_shows_the_key_and_a_client_that_knows_it_logs_in(self):
        line = self.make_key()
        self.start()
        login = self.path / "login"
        lab.run_well(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", login])
        with lab.Sshd(("lab",), lines=self.here(blocks()[1])) as server:
            server.allow(login.with_suffix(".pub").read_text())
            server.known_hosts.write_text(f"lab {line}\n")
            before = self.tpm.bus.codes().count(tpm.SIGN)

            def logs_in():
                done = lab.run([*server.ssh("-i", login, "-o", "IdentityAgent=none", "-o",
                                            "HostKeyAlgorithms=ecdsa-sha2-nistp256", "lab", "echo", "I am in")], env=server.env)
                return done.stdout == "I am in\n"

            lab.wait_for("the key is loaded", logs_in)
            self.assertGreater(self.tpm.bus.codes().count(tpm.SIGN), before, self.log())
            status = lab.run([lab.CONTROL, "status"], env={
                **self.env(), "KEYSTILE_CONTROL": self.here("/run/keystile-host-keys/keystile/control.sock")}).stdout
            self.assertIn("ssh_host_ecdsa_key.tpm", status)
            self.assertIn("loaded", status)
        self.assertTrue((self.path / "var/lib/keystile-host-keys/keystile/tpm2").exists(), "it remembers the storage key")

    def test_the_example_that_is_installed_is_that_of_the_page(self):
        without_words = re.sub(r"\A(#.*\n)+", "", (SOURCES / "host-keys.conf").read_text())
        self.assertEqual(without_words, blocks()[0])


class Units(unittest.TestCase):
    def setUp(self):
        self.folder = lab.Folder()
        self.addCleanup(self.folder.close)
        for unit in (UNIT, SOCKET):
            text = unit.read_text()
            text = re.sub(r"^ExecStart=\S+", f"ExecStart={lab.AGENT}", text, flags=re.M)
            (self.folder.path / unit.name).write_text(text)

    def test_systemd_finds_no_mistake_in_them(self):
        done = lab.run(["systemd-analyze", "verify", "--man=no", *self.folder.path.glob("keystile-*")])
        about = [line for line in done.stderr.splitlines() if "keystile" in line]
        self.assertEqual((about, done.returncode), ([], 0), done.stderr)

    def test_what_it_could_do_is_little(self):
        """Without namespaces, which would make sshd count as remote."""
        done = lab.run(["systemd-analyze", "security", "--offline=yes", "--threshold=40",
                        self.folder.path / UNIT.name])
        self.assertEqual(done.returncode, 0, done.stdout[-300:])

    def test_nothing_in_it_makes_a_namespace(self):
        made = re.findall(r"^((?:Private|Protect(?!Clock)|ReadOnly|ReadWrite|Inaccessible|Exec|NoExec|Temporary|Bind|Dynamic|Root)"
                          r"(?!Start)\w*=.*)$", UNIT.read_text(), re.M)
        self.assertEqual(made, [])


if __name__ == "__main__":
    unittest.main()
