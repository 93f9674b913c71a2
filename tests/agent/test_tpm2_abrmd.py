"""Keys of a TPM behind tpm2-abrmd, the resource manager of user space: the real one, on a bus of its own."""
import signal
import subprocess
import unittest

import lab
from lab import tpm

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
<type>session</type>
<listen>unix:path={path}</listen>
<auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
"""


class ResourceManager:
    """A message bus at .bus, and the daemon on it. .env is how tools find them."""

    def __init__(self, machine):
        self.machine, self.bus = machine, machine.path / "bus"
        config = machine.path / "bus.conf"
        config.write_text(BUS.format(path=self.bus))
        self.env = {**machine.env, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.bus}", "TPM2TOOLS_TCTI": "tabrmd:"}
        self._bus = self._run("dbus-daemon", "--nofork", "--config-file", config)
        self._daemon = None

    def _run(self, *command):
        return subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    def tool(self, *command):
        return subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)

    def start(self):
        lab.wait_for("the bus listens", lambda: lab.listens(self.bus))
        self._daemon = self._run("tpm2-abrmd", "--allow-root", "--tcti", self.machine.tcti)
        lab.wait_for("it answers", lambda: self.tool("tpm2_getrandom", "--hex", "8").returncode == 0)

    def stop(self):
        if self._daemon is not None:
            lab.place.end(self._daemon, signal.SIGTERM)
        self._daemon = None

    def close(self):
        self.stop()
        lab.place.end(self._bus, signal.SIGTERM)


class AResourceManager(unittest.TestCase):
    def setUp(self):
        self.tpm = tpm.Tpm()
        self.addCleanup(self.tpm.close)
        self.folder = self.tpm.path / "keys"
        self.folder.mkdir()
        self.files = [self.tpm.openssl_key(f"{number}.tpm", folder=self.folder) for number in range(4)]
        self.manager = ResourceManager(self.tpm)
        self.addCleanup(self.manager.close)
        self.manager.start()
        values = {"KEYSTILE_TPM2_TCTI": "tabrmd:", "KEYSTILE_TPM2_SOCKET": self.manager.bus,
                  "DBUS_SYSTEM_BUS_ADDRESS": self.manager.env["DBUS_SYSTEM_BUS_ADDRESS"]}
        entries = ", ".join(f'"{name}={value}"' for name, value in values.items())
        self.agent = lab.Agent(config=f"worker tpm2 {{\n\tenvironment = {{{entries}}}\n}}\n")
        self.addCleanup(self.agent.stop)

    def sign_all(self):
        with lab.AgentClient(self.agent) as client:
            blobs = [key.blob for key in client.list()]
            for blob in blobs:
                lab.verify(blob, client.sign(blob, b"data"), b"data")
        return len(blobs)

    def test_workers_share_the_tpm_with_each_other_and_with_other_programs(self):
        for file in self.files:
            done = self.agent.add_token(f"tpm2:{file}", "not used")
            self.assertEqual(done.returncode, 0, done.stderr + self.agent.log())
        for _ in range(2):
            self.assertEqual(self.sign_all(), 4)
            self.assertEqual(self.manager.tool("tpm2_createprimary", "-Q", "-c", self.tpm.path / "p").returncode, 0)

    def test_one_that_was_restarted_is_found_again(self):
        done = self.agent.add_token(f"tpm2:{self.files[0]}", "not used")
        self.assertEqual(done.returncode, 0, done.stderr + self.agent.log())
        self.sign_all()
        self.manager.stop()
        self.manager.start()
        self.sign_all()


if __name__ == "__main__":
    unittest.main()
