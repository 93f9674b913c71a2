"""opencryptoki in a confined worker: its module shares memory with a daemon, which the configuration has to grant."""
import grp
import os
import pathlib
import signal
import unittest

import lab
from lab import card, client, place

import token_bed

MODULE = "/usr/lib/x86_64-linux-gnu/pkcs11/libopencryptoki.so"
STATE, LOCKS = "/var/lib/opencryptoki", "/run/lock/opencryptoki"
CONFIGURATION = "/etc/opencryptoki/opencryptoki.conf"
SOCKET = "/var/run/pkcsslotd.socket"
MEMORY = "/dev/shm/var.lib.opencryptoki.swtok"
GRANTS = f"""
	grant-connect = {{"{SOCKET}"}}
	grant-read = {{"/etc/group", "/usr/sbin/pkcsslotd"}}
	grant-write = {{"{STATE}", "{LOCKS}", "{MEMORY}"}}
"""
SHARED = "\tgrant-shared-memory = true\n"
SID = b"s" * 32
SANITIZED = "asan" in lab.run(["ldd", lab.AGENT]).stdout
SO_PIN, FIRST_SO_PIN, PIN, FIRST_PIN = "76543210", "87654321", "123456", "654321"


def setUpModule():
    lab.namespaces.enter()


class Module(token_bed.Case):
    """Its token in software, "Lab", with an RSA key."""

    def setUp(self):
        self.folder = lab.Folder()
        self.addCleanup(self.folder.close)
        self.env = lab.environment(self.folder.path)
        self._folders()
        daemon = card.start(["/usr/sbin/pkcsslotd", "-f"], self.folder.path / "log", env=self.env)
        self.addCleanup(place.end, daemon, signal.SIGTERM)
        lab.wait_for("pkcsslotd listens", lambda: lab.listens(SOCKET))
        self._fill()
        self.asked = self.askpass(PIN)

    def _folders(self):
        """As the package makes them, in a place of our own."""
        group = grp.getgrnam("pkcs11").gr_gid
        for path in (STATE, "/dev/shm"):
            own = self.folder.path / path.replace("/", "_")
            own.mkdir()
            lab.namespaces.put_over(own, path)
            self.addCleanup(lab.namespaces.uncover, path)
        for path in (STATE, LOCKS):
            for name in ("", "swtok", "swtok/TOK_OBJ"):
                one = pathlib.Path(path, name)
                one.mkdir(exist_ok=True)
                os.chown(one, 0, group)
                one.chmod(0o770)
        only = self.folder.path / "only.conf"
        only.write_text("version opencryptoki-3.1\nslot 0\n{\nstdll = libpkcs11_sw.so\n}\n")
        lab.namespaces.put_over(only, CONFIGURATION)
        self.addCleanup(lab.namespaces.uncover, CONFIGURATION)

    def tool(self, *command):
        lab.run_well(command, env=self.env)

    def _fill(self):
        self.tool("pkcs11-tool", "--module", MODULE, "--init-token", "--slot-index", "0", "--so-pin", FIRST_SO_PIN,
                  "--label", "Lab")
        self.tool("pkcsconf", "-c", "0", "-P", "-S", FIRST_SO_PIN, "-n", SO_PIN)
        self.tool("pkcsconf", "-c", "0", "-u", "-S", SO_PIN, "-n", FIRST_PIN)
        self.tool("pkcsconf", "-c", "0", "-p", "-U", FIRST_PIN, "-n", PIN)
        self.tool("pkcs11-tool", "--module", MODULE, "--login", "--pin", PIN, "--keypairgen", "--key-type", "rsa:2048",
                  "--label", "one", "--id", "01")

    def begin(self, grants):
        self.start(askpass=self.asked, config=f"worker pkcs11 {{{grants}}}\n")
        return self.agent.add_token(MODULE, PIN)

    def signed(self, one, blob, data):
        signature = one.sign(blob, data, 2)
        self.assertIsNotNone(signature, self.agent.log())
        lab.verify(blob, signature, data)

    def test_it_loads_and_lists_and_signs_here_and_from_afar(self):
        done = self.begin(GRANTS + SHARED)
        self.assertEqual(done.returncode, 0, f"{done.stderr}{self.agent.log()}")
        (blob,) = self.blobs()
        with lab.AgentClient(self.agent) as one:
            self.signed(one, blob, b"data")
            self.assertEqual(self.asked.prompts(), [])
            self.assertEqual(one.bind(lab.HostKey(), SID, forwarding=True), client.SUCCESS)
            self.signed(one, blob, lab.userauth(SID, "joe", blob, algorithm="rsa-sha2-256"))
        self.assertEqual(len(self.asked.prompts()), 1)

    def test_without_the_grant_of_memory_it_is_told_what_would_permit_it(self):
        """A build with sanitizers has no filter of system calls."""
        self.assertEqual(self.begin(GRANTS).returncode != 0, not SANITIZED)
        told = {one["what"]: one["remedy"] for one in self.agent.status()["denials"]}
        self.assertEqual(told.get("shmget"), None if SANITIZED else SHARED.strip())

    def test_memory_that_is_granted_is_shown(self):
        self.begin(GRANTS + SHARED)
        (provider,) = self.agent.status()["providers"]
        self.assertNotEqual(provider["confinement"]["lacking"], "")


if __name__ == "__main__":
    unittest.main()
