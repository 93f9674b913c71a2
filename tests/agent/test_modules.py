"""PKCS#11 modules that reach other modules, in a confined worker: p11-kit's proxy, and its client for modules elsewhere."""
import signal
import subprocess
import unittest

import lab
from lab import client, place

import token_bed

LIBRARIES = "/usr/lib/x86_64-linux-gnu"
PROXY = f"{LIBRARIES}/p11-kit-proxy.so"
CLIENT = f"{LIBRARIES}/pkcs11/p11-kit-client.so"
CONFIGURATION = "/usr/share/p11-kit/modules"
SID = b"s" * 32


def setUpModule():
    lab.namespaces.enter()


class Case(token_bed.Case):
    """A SoftHSM token with two keys: .hsm, .keys."""

    def setUp(self):
        self.hsm = lab.SoftHSM()
        self.addCleanup(self.hsm.close)
        token = self.hsm.token("Lab", "1234")
        self.keys = [token.bring("p256"), token.bring("rsa:2048")]
        self.asked = self.askpass("1234")

    def configure(self, **modules):
        """p11-kit's configuration, in place of the system's."""
        folder = self.hsm.folder.path / "modules"
        folder.mkdir()
        for name, text in modules.items():
            (folder / f"{name}.module").write_text(f"{text}\ncritical: no\n")
        lab.namespaces.put_over(folder, CONFIGURATION)
        self.addCleanup(lab.namespaces.uncover, CONFIGURATION)

    def loads_and_signs(self, module):
        done = self.agent.add_token(module, "1234")
        self.assertEqual(done.returncode, 0, f"{done.stderr}{self.agent.log()}")
        self.assertEqual(set(self.blobs()), {key.blob for key in self.keys})
        for key in self.keys:
            self.signs(self.agent, key)
        self.assertEqual(self.asked.prompts(), [])
        with lab.AgentClient(self.agent) as one:
            self.assertEqual(one.bind(lab.HostKey(), SID, forwarding=True), client.SUCCESS)
            data = lab.userauth(SID, "joe", self.keys[0].blob)
            lab.verify(self.keys[0].blob, one.sign(self.keys[0].blob, data), data)
        self.assertEqual(len(self.asked.prompts()), 1)

    def signs(self, agent, key):
        flags = 2 if key.kind.startswith("rsa") else 0
        with lab.AgentClient(agent) as one:
            signature = one.sign(key.blob, b"data", flags)
        self.assertIsNotNone(signature, agent.log())
        lab.verify(key.blob, signature, b"data")


class Proxy(Case):
    def test_p11_kits_proxy_loads_and_lists_and_signs_here_and_from_afar(self):
        self.start(askpass=self.asked, env=self.hsm.env)
        self.configure(softhsm=f"module: {self.hsm.module}")
        self.loads_and_signs(PROXY)

    def test_a_command_in_p11_kits_configuration_is_not_run(self):
        self.start(askpass=self.asked, env=self.hsm.env)
        ran = self.agent.home / "ran"
        self.configure(softhsm=f"module: {self.hsm.module}", afar=f"remote: |touch {ran}")
        self.loads_and_signs(PROXY)
        self.assertFalse(ran.exists())
        self.agent.run("p11-kit", "list-modules", env=self.hsm.env)
        self.assertTrue(ran.exists(), "where nothing keeps it from that it is run")


class Remote(Case):
    """`p11-kit remote` at the other end of a socket, started for each connection."""

    def serve(self):
        """At the address that p11-kit's client has by itself."""
        path = self.agent.home / "run" / "p11-kit" / "pkcs11"
        path.parent.mkdir()
        command = ["socat", f"UNIX-LISTEN:{path},fork", f"EXEC:p11-kit remote {self.hsm.module}"]
        with open(self.hsm.folder.path / "log", "wb") as log:
            serving = subprocess.Popen(  # pylint: disable=consider-using-with
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env=dict(place.environment(self.hsm.folder.path), **self.hsm.env))
        self.addCleanup(place.end, serving, signal.SIGTERM)
        lab.wait_for("it listens", lambda: lab.listens(path))
        return path

    def test_a_module_elsewhere_loads_and_lists_and_signs_here_and_from_afar(self):
        self.start(askpass=self.asked)
        self.serve()
        self.loads_and_signs(CLIENT)

    def test_the_proxy_reaches_it_by_p11_kits_configuration(self):
        self.start(askpass=self.asked)
        self.configure(afar=f"remote: unix:path={self.serve()}")
        self.loads_and_signs(PROXY)


if __name__ == "__main__":
    unittest.main()
