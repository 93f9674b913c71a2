"""What the tests of the agent share: an agent with keys that behave, and the question whether a connection is remote."""
import unittest

import lab
from lab.client import SUCCESS

PIN = "1234"
# One key of each kind; the PIN that came with ssh-add -s keeps the token open for local use.
PROVIDER = "fake:lab,pin=once"
LOCAL = "asked on this machine"


class AgentTest(unittest.TestCase):
    """An agent, an askpass that knows the PIN, and a token that is logged in; .key is its blob."""

    provider = PROVIDER
    options = ()
    config = None

    def setUp(self):
        self.askpass = lab.Askpass(PIN)
        self.addCleanup(self.askpass.close)
        self.agent = self.start(options=self.options, config=self.config)
        self.key = None
        if self.provider is not None:
            self.key = self.load(self.provider)

    def start(self, **options):
        agent = lab.Agent(askpass=self.askpass, **options)
        self.addCleanup(agent.stop)
        return agent

    def client(self, where=None):
        client = lab.AgentClient(self.agent if where is None else where)
        self.addCleanup(client.close)
        return client

    def load(self, provider, pin=PIN, client=None):
        """Adds a provider as ssh-add -s does; the blob of its first key."""
        with lab.AgentClient(self.agent) as own:
            one = client or own
            before = {key.blob for key in one.list()}
            self.assertEqual(one.add_token(provider, pin), SUCCESS, self.agent.log())
            return next((key.blob for key in one.list() if key.blob not in before), None)

    def serves(self):
        """Fails unless a fresh client is served."""
        with lab.AgentClient(self.agent) as fresh:
            return fresh.list()

    def login(self, sid=b"s" * 32, host_key=None, key=None):
        """What ssh would have signed to log in with the key."""
        return lab.userauth(sid, "joe", key or self.key, host_key=host_key)

    def asked(self, client, data):
        """Signs data; how many questions that took. Fails where no right signature comes."""
        before = len(self.askpass.prompts())
        signature = client.sign(self.key, data)
        self.assertIsNotNone(signature, self.agent.log())
        lab.verify(self.key, signature, data)
        return len(self.askpass.prompts()) - before

    def assert_local(self, client, data=b"data"):
        """It signs, even what nobody recognises, and nobody is asked."""
        self.assertEqual(self.asked(client, data), 0, "it asked, or counted as remote")

    def assert_remote(self, client, reason):
        """
        A login is signed after a PIN was asked for that says why; unrecognised data is refused
        and nobody is asked.
        """
        before = len(self.askpass.prompts())
        self.assertIsNone(client.sign(self.key, b"data"))
        self.assertEqual(len(self.askpass.prompts()), before)
        self.assertEqual(self.asked(client, self.login()), 1)
        self.assertIn(f"REMOTE REQUEST: {reason}", self.askpass.prompts()[-1])
        self.assertIn(f"({reason}): a remote request to sign data that is neither", self.agent.log())
