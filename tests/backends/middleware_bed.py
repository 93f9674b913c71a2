"""What the tests of the middleware backend stand on: its worker, driven by frames, and keys for it."""
import unittest

import lab
from lab import keys, worker as w
from lab.security_key import DUMMY, Enrolled


class Worker(w.Worker):
    """keystile-worker-middleware with a library open; its one token has the id 1."""

    def __init__(self, library=DUMMY, **options):
        provider = None if library is None else f"middleware:{library}"
        super().__init__(provider, "middleware", **options)

    def answered(self, operation, *pins, touch=w.OK):
        """Answers all that an operation asks; what it sent, and how it ended."""
        before, pins = [], list(pins)
        while True:
            got = self.receive()
            if (got.type, got.operation) == (w.DONE, operation):
                return before, got.body
            before.append((got.type, got.body))
            if got.type == w.TOUCH_AWAITED:
                self.send(w.TOUCH_ANSWER, operation, w.u32(touch))
            elif got.type == w.ASK_PIN and pins:
                self.give_pin(operation, pins.pop(0).encode())
            elif got.type == w.ASK_PIN:
                self.send(w.PIN_ANSWER, operation, w.u32(w.REFUSED))

    def sign(self, key, *pins, token=1, touch=w.OK, **options):
        return self.answered(self.begin_sign(key, token=token, **options), *pins, touch=touch)

    def refusal(self, key):
        """How the taking of a private key ended, which was not well."""
        return self.call(w.ADD, fds=[w.pipe_with(key)])[1]


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = lab.Folder()
        self.addCleanup(self.folder.close)
        self.folder.path.chmod(0o755)

    def enrolled(self, kind="ed25519-sk", options=()):
        return Enrolled(self.folder, kind, options)

    def signs(self, one, key, *pins, blob=None, **options):
        """A signature is made, and it is good; what was sent before it, and the flags in it."""
        frames, done = one.sign(blob or key.blob, *pins, **options)
        self.assertEqual(done.error, w.OK, done)
        keys.verify(key.blob, done.result, b"data")
        return frames, keys.presence_in(done.result)

    def refuses(self, one, key, error, *pins, words="", **options):
        """A signature is refused with this error; returns what was sent before."""
        frames, done = one.sign(key.blob, *pins, **options)
        self.assertEqual((done.error, done.result), (error, b""), done)
        self.assertIn(words, done.words)
        return frames
