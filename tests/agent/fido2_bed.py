"""What tests with security keys stand on: tokens in software, an agent that finds them, keys that ssh-keygen made."""
import os

import lab
import token_bed
from lab import client as c, keys
from lab.authenticator import Bed
from lab.security_key import Enrolled, Instructed

PIN = "1234"
TOUCH, VERIFY = 0x01, 0x04


class Made(Enrolled):
    """A key pair that ssh-keygen made on one of a testbed's tokens: .path, .blob, .private."""

    def __init__(self, bed, kind="ed25519-sk", options=(), pin=PIN):
        self._bed, self._pin = bed, pin
        super().__init__(bed.folder, kind, options)

    def keygen(self, kind, flags):
        """Its token is the only one that is touched at once."""
        askpass = lab.Askpass(self._pin)
        with askpass:
            self._bed.run_well(["ssh-keygen", "-q", "-t", kind, *flags, "-N", "", "-f", self.path], env=askpass.env)


class Case(token_bed.Case):
    """A testbed with .token, which is touched at once, an agent, and its askpass that knows the PIN."""

    tokens = 1
    pin = None
    lines = ()
    config = ""
    settings = {}  # of the worker's environment
    desktop = None

    def setUp(self):
        self.bed = Bed(self.tokens, self.lines)
        self.addCleanup(self.bed.close)
        self.token = self.bed.token
        self.asks = self.askpass(PIN)
        if self.pin:
            for one in self.bed.tokens:
                one.pin(self.pin)
        self.token.touch_at_once()
        self.started()

    def started(self, environment=None, **more):
        """environment: what its worker has besides."""
        section = token_bed.worker_section("fido2", {**self.bed.worker_env, **self.settings, **(environment or {})})
        env = dict(self.desktop.env) if self.desktop else {}
        return self.start(askpass=self.asks, options=(), config=section + self.config, env=env, **more)

    def made(self, kind="ed25519-sk", options=(), token=None):
        """A key of that token, or of the first one; all others are out meanwhile."""
        token = token or self.token
        others = [one for one in self.bed.tokens if one is not token]
        for one in others:
            one.pull()
        token.touch_at_once()
        key = Made(self.bed, kind, options)
        for one in others:
            self.back(one)
        return key

    @staticmethod
    def credential(application="ssh:", like=None, flags=TOUCH):
        """A key that tokens can be given, with .holds(); one that is like another has its id."""
        return Instructed(application=application, flags=flags, handle=like.handle if like else os.urandom(48))

    def adds(self, key, comment="a key"):
        """By message, as ssh-add does."""
        with lab.AgentClient(self.agent) as one:
            self.assertEqual(one.call(c.ADD, key.private + keys.string(comment))[0], c.SUCCESS, self.agent.log())
        return key

    def added(self, key):
        """It is added as ssh-add does."""
        done = self.agent.run("ssh-add", "-q", str(key.path))
        self.assertEqual(done.returncode, 0, done.stderr + self.agent.log())
        return key

    def gives(self, *arguments, **options):
        """One that is made and added."""
        return self.added(self.made(*arguments, **options))

    def signs(self, key, client=None, data=b"data", blob=None):
        """A right signature comes; the presence in it."""
        with lab.AgentClient(self.agent) as own:
            signature = (client or own).sign(blob or key.blob, data)
        self.assertIsNotNone(signature, self.agent.log()[-3000:])
        keys.verify(key.blob, signature, data)
        return keys.presence_in(signature)

    def listed(self):
        """The nodes of the tokens that the agent knows of; None before it looks for any."""
        for provider in self.agent.status()["providers"]:
            if provider["backend"] == "fido2":
                return [one["location"] for one in provider["tokens"] if one["location"]]
        return None

    def back(self, token=None):
        """It is put in again, and that it was pulled is no news by then."""
        token = token or self.token
        looked_for = self.listed() is not None
        if looked_for:
            lab.wait_for("it is known to be gone", lambda: token.node not in self.listed())
        token.insert()
        if looked_for:
            lab.wait_for("it is found again", lambda: token.node in self.listed())

    def refuses(self, key, *words, client=None, data=b"data"):
        """No signature comes, and the status says why."""
        with lab.AgentClient(self.agent) as own:
            self.assertIsNone((client or own).sign(key.blob, data))
        self.refused_with(*words)

    def asks_from_afar(self, key):
        """A forwarded connection, and what a login by it would be."""
        one, host = self.client(), lab.HostKey()
        self.assertEqual(one.bind(host, b"s" * 32, forwarding=True), c.SUCCESS)
        return one, lab.userauth(b"s" * 32, "joe", key.blob, host_key=host.blob)

    def begins(self, key, data=b"data"):
        """A client that has asked for a signature, for which the token waits by now."""
        one = self.begin_sign(key.blob, data)
        try:
            self.token.wait_until_it_blinks()
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.token.state()}; {self.agent.log()[-3000:]}") from error
        return one

    def gets(self, client):
        return c.AgentClient.signature(client.receive())
