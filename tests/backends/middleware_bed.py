"""Keys of security keys and libraries that sign with them: OpenSSH's own sk-dummy, and one that misbehaves on request."""
import os
import pathlib
import unittest

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

import lab
from lab import keys, worker as w
from lab.keys import SK_ECDSA, SK_ED25519, Reader, string

MODULES = lab.BUILD / "tests" / "modules"
AUTHENTICATOR = MODULES / "authenticator.so"
DUMMY = "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so"
TOUCH, VERIFY = 0x01, 0x04


class Enrolled:
    """A key pair in a folder, made by ssh-keygen with sk-dummy: .path, .blob, .private."""

    def __init__(self, folder, kind="ed25519-sk", options=()):
        self.path = folder.path / f"id_{kind}{len(list(folder.path.iterdir()))}"
        flags = [word for option in options for word in ("-O", option)]
        lab.run_well(["ssh-keygen", "-q", "-t", kind, "-w", DUMMY, *flags, "-N", "", "-f", self.path])
        line = self.path.with_suffix(".pub").read_text()
        self.blob = keys.blob_of_line(line)
        self.private = _private_part(self.path)

    def certified(self, certificate):
        """What ssh-add sends of the key with a certificate."""
        name = keys.name_of(self.blob)
        reader = Reader(self.private)
        public = [string(reader.string()) for _ in range(2 if name == SK_ED25519 else 3)]
        repeated = public[1] if name == SK_ED25519 else b""
        cert_name = keys.name_of(certificate)
        return string(cert_name) + string(certificate) + repeated + reader.data


def _private_part(path):
    """What ssh-add sends of a key file without a passphrase: from the type's name to the last field."""
    lines = path.read_text().splitlines()
    reader = Reader(keys.base64.b64decode("".join(lines[1:-1])))
    reader.raw(len("openssh-key-v1\0"))
    cipher, _, _, count = reader.string(), reader.string(), reader.string(), reader.u32()
    if cipher != b"none" or count != 1:
        raise ValueError(f"{path} is not a single key without a passphrase")
    reader.string()
    inner = Reader(reader.string())
    inner.raw(8)
    whole = inner.data
    name = inner.string().decode()
    for _ in range(2 if name == SK_ED25519 else 3):
        inner.string()
    inner.u8(), inner.string(), inner.string()
    return whole[:len(whole) - len(inner.data)]


class Instructed:
    """A key for the authenticator, whose handle tells it what to do: .blob, .private."""

    def __init__(self, word="", flags=TOUCH, application="ssh:", handle=None, seed=None):
        self.seed = seed or os.urandom(32)
        public = ed25519.Ed25519PrivateKey.from_private_bytes(self.seed).public_key()
        point = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.blob = string(SK_ED25519) + string(point) + string(application)
        handle = self.seed + word.encode() if handle is None else handle
        self.private = self.blob + bytes([flags]) + string(handle) + string("")


class InstructedCurve:
    """The same of the other kind, for signatures that are never verified."""

    POINT = (b"\x04"
             + bytes.fromhex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296")
             + bytes.fromhex("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"))

    def __init__(self, word):
        self.blob = (string(SK_ECDSA) + string("nistp256") + string(self.POINT)
                     + string("ssh:"))
        self.private = self.blob + b"\1" + string(os.urandom(32) + word.encode()) + string("")


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

    def certificate(self, key):
        """A certificate for an enrolled key."""
        authority = self.folder.path / "authority"
        if not authority.exists():
            lab.run_well(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", authority])
        lab.run_well(["ssh-keygen", "-q", "-s", authority, "-I", "me", "-n", "me",
                      f"{key.path}.pub"])
        return keys.blob_of_line(pathlib.Path(f"{key.path}-cert.pub").read_text())

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
