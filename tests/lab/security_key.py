"""Keys of security keys, and libraries that sign with them: OpenSSH's sk-dummy, and one that misbehaves as told."""
import base64
import hashlib
import os
import pathlib

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from . import keys, place
from .keys import SK_ECDSA, SK_ED25519, Reader, string

MODULES = place.BUILD / "tests" / "modules"
AUTHENTICATOR = MODULES / "authenticator.so"
DUMMY = "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so"
TOUCH, VERIFY = 0x01, 0x04


class Enrolled:
    """A key pair in a folder, made by ssh-keygen with sk-dummy: .path, .blob, .private."""

    def __init__(self, folder, kind="ed25519-sk", options=()):
        self.path = folder.path / f"id_{kind}{len(list(folder.path.iterdir()))}"
        self.keygen(kind, [word for option in options for word in ("-O", option)])
        line = self.path.with_suffix(".pub").read_text()
        self.blob = keys.blob_of_line(line)
        self.private = _private_part(self.path)

    def keygen(self, kind, flags):
        place.run_well(["ssh-keygen", "-q", "-t", kind, "-w", DUMMY, *flags, "-N", "", "-f", self.path])

    def certify(self, folder):
        """Makes a certificate by an authority in the folder, beside the key; its blob."""
        authority = folder.path / "authority"
        if not authority.exists():
            place.run_well(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", authority])
        place.run_well(["ssh-keygen", "-q", "-s", authority, "-I", "me", "-n", "me", f"{self.path}.pub"])
        return keys.blob_of_line(pathlib.Path(f"{self.path}-cert.pub").read_text())

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
    reader = Reader(base64.b64decode("".join(lines[1:-1])))
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
        self.handle = handle
        self.private = self.blob + bytes([flags]) + string(handle) + string("")
        self.application = application

    def sign(self, data, flags=TOUCH):
        """What an authenticator gives out that saw this much of a person."""
        presence = bytes([flags]) + (7).to_bytes(4, "big")
        digests = [hashlib.sha256(one).digest() for one in (self.application.encode(), data)]
        key = ed25519.Ed25519PrivateKey.from_private_bytes(self.seed)
        return string(SK_ED25519) + string(key.sign(digests[0] + presence + digests[1])) + presence


class InstructedCurve:
    """The same of the other kind, for signatures that are never verified."""

    POINT = (b"\x04"
             + bytes.fromhex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296")
             + bytes.fromhex("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"))

    def __init__(self, word):
        self.blob = (string(SK_ECDSA) + string("nistp256") + string(self.POINT)
                     + string("ssh:"))
        self.private = self.blob + b"\1" + string(os.urandom(32) + word.encode()) + string("")
