"""tpm2-pkcs11 in a confined worker: keys in a TPM, here swtpm, which it reaches where the configuration grants that."""
import signal
import unittest

import lab
from lab import card, client, place

import token_bed

MODULE = "/usr/lib/x86_64-linux-gnu/pkcs11/libtpm2_pkcs11.so"
PORT = 2321  # in a network of our own
ADDRESSES = f'"tcp:127.0.0.1:{PORT}", "tcp:127.0.0.1:{PORT + 1}"'
SID = b"s" * 32


def setUpModule():
    lab.namespaces.enter()


class Tpm:
    """swtpm, and a token "Lab" with the PIN 1234 and a P-256 key in it: .env for the module."""

    def __init__(self):
        self.folder = place.Folder()
        path = self.folder.path
        for name in ("state", "store"):
            (path / name).mkdir()
        self.env = {"TPM2_PKCS11_STORE": str(path / "store"), "TSS2_LOG": "all+NONE",
                    "TPM2_PKCS11_TCTI": f"swtpm:host=127.0.0.1,port={PORT}"}
        self._all = dict(place.environment(path), **self.env, TPM2TOOLS_TCTI=self.env["TPM2_PKCS11_TCTI"])
        self.tool("swtpm_setup", "--tpm2", "--tpmstate", path / "state")
        self.process = card.start(
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={path / 'state'}", "--flags", "not-need-init,startup-clear",
             "--server", f"type=tcp,bindaddr=127.0.0.1,port={PORT}", "--ctrl", f"type=tcp,bindaddr=127.0.0.1,port={PORT + 1}"],
            path / "log", env=self._all)
        lab.wait_for("the TPM answers", lambda: place.run(["tpm2_getrandom", "1"], env=self._all).returncode == 0)
        self._fill()

    def tool(self, *command):
        return place.run_well(command, env=self._all)

    def _fill(self):
        on_module = ("pkcs11-tool", "--module", MODULE)
        token = (*on_module, "--token-label", "Lab", "--login")
        self.tool(*on_module, "--init-token", "--slot-index", "0", "--label", "Lab", "--so-pin", "so1234")
        self.tool(*token, "--login-type", "so", "--so-pin", "so1234", "--init-pin", "--pin", "1234")
        self.tool(*token, "--pin", "1234", "--keypairgen", "--key-type", "EC:prime256v1", "--label", "one", "--id", "01")
        # What a resource manager would do: the tools leave objects behind, and there is room for three.
        self.tool("tpm2_flushcontext", "--transient-object")

    def close(self):
        place.end(self.process, signal.SIGTERM)
        self.folder.close()


class Module(token_bed.Case):
    def setUp(self):
        self.tpm = Tpm()
        self.addCleanup(self.tpm.close)
        self.asked = self.askpass("1234")

    def begin(self, grants=""):
        variables = ", ".join(f'"{name}={value}"' for name, value in self.tpm.env.items())
        self.start(askpass=self.asked, config=f"worker pkcs11 {{\n\tenvironment = {{{variables}}}\n{grants}}}\n")
        return self.agent.add_token(MODULE, "1234")

    def test_it_loads_and_lists_and_signs_here_and_from_afar(self):
        done = self.begin(f"\tgrant-connect = {{{ADDRESSES}}}\n")
        self.assertEqual(done.returncode, 0, f"{done.stderr}{self.agent.log()}")
        (blob,) = self.blobs()
        self.served(blob)
        self.assertEqual(self.asked.prompts(), [])
        data = lab.userauth(SID, "joe", blob)
        with lab.AgentClient(self.agent) as one:
            self.assertEqual(one.bind(lab.HostKey(), SID, forwarding=True), client.SUCCESS)
            signature = one.sign(blob, data)
        self.assertIsNotNone(signature, self.agent.log())
        lab.verify(blob, signature, data)
        self.assertEqual(len(self.asked.prompts()), 1)

    def test_without_the_grant_it_does_not_reach_the_tpm(self):
        self.assertNotEqual(self.begin().returncode, 0)
        self.assertEqual(self.blobs(), [])


if __name__ == "__main__":
    unittest.main()
