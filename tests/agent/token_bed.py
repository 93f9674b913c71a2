"""What tests with tokens and faults stand on: an agent, providers that misbehave, and clients beside those that wait."""
import sys
import unittest

import lab
from lab import client

sys.path.insert(0, str(lab.ROOT / "tests" / "backends"))

import pkcs11_bed  # noqa: E402  (found by the line above)

SHIM = pkcs11_bed.SHIM
Shim = pkcs11_bed.Shim

# Modules of the build tree may be loaded as well as the system's.
ALLOWED = ("-P", f"/usr/lib*/*,{lab.BUILD}/*")


def worker_section(backend, env):
    """Lines for keystile.conf that put variables into the environment of a backend's workers."""
    variables = ", ".join(f'"{name}={value}"' for name, value in env.items())
    folder = env.get("KEYSTILE_SHIM")
    grants = f'\tgrant-write = {{"{folder}"}}\n' if folder else ""
    return f"worker {backend} {{\n\tenvironment = {{{variables}}}\n{grants}}}\n"


class Case(unittest.TestCase):
    """self.agent is made by start(), once a test."""

    agent = None

    def start(self, **options):
        """Starts the agent of this test; see lab.Agent."""
        options.setdefault("options", ALLOWED)
        self.agent = lab.Agent(**options)
        self.addCleanup(self.agent.stop)
        return self.agent

    def askpass(self, pin=None):
        one = lab.Askpass(pin)
        self.addCleanup(one.close)
        return one

    def client(self):
        one = lab.AgentClient(self.agent)
        self.addCleanup(one.close)
        return one

    def add(self, provider, pin="", constraints=b""):
        """The reply to adding a provider, on a connection of its own."""
        with lab.AgentClient(self.agent) as one:
            return one.add_token(provider, pin, constraints)

    def load(self, provider, pin=""):
        """Adds a provider, which has to succeed; the blobs of the keys that it brought."""
        before = self.blobs()
        self.assertEqual(self.add(provider, pin), client.SUCCESS, self.agent.log()[-2000:])
        return [blob for blob in self.blobs() if blob not in before]

    def blobs(self):
        with lab.AgentClient(self.agent) as one:
            return [identity.blob for identity in one.list()]

    def sign(self, blob, data=b"data"):
        """A signature for a local client, None where it was refused; a wrong one fails the test."""
        with lab.AgentClient(self.agent) as one:
            signature = one.sign(blob, data)
        if signature is not None:
            lab.verify(blob, signature, data)
        return signature

    def begin_sign(self, blob, data=b"data"):
        """A client that has asked for a signature and not read the answer."""
        one = self.client()
        one.send(client.SIGN, one.sign_request(blob, data))
        return one

    def remote_client(self):
        """A client whose connection is bound as a forwarded agent's."""
        one, host = self.client(), lab.HostKey()
        self.assertEqual(one.bind(host, b"s" * 32, forwarding=True), client.SUCCESS)
        return one

    def served(self, blob, times=1):
        """Others are served: lists and signatures, each on a connection of its own."""
        for _ in range(times):
            self.assertIn(blob, self.blobs())
            self.assertIsNotNone(self.sign(blob), self.agent.log()[-2000:])

    def refused_with(self, *words):
        """The newest refusal in the status says all of these."""
        newest = (self.agent.refusals() or ["nothing was refused"])[0]
        for one in words:
            self.assertIn(one, newest)
