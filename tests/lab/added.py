"""Private keys as ssh-add hands them to an agent (messages 17 and 25), their certificates, and constraints on them."""
import hashlib
import struct

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, utils

from . import keys
from .keys import Reader, mpint, string

USER_CERTIFICATE, HOST_CERTIFICATE = 1, 2
FOREVER = b"\0" * 8 + b"\xff" * 8  # from and until: as ssh-keygen writes it without -V


def _raw_ed25519(secret):
    private = secret.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw,
                                   serialization.NoEncryption())
    public = secret.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return private, public


class AddedKey:
    """
    A key of one of lab.KINDS, "dss", "sk-ed25519" or "sk-p256": .blob is its public part, .private
    what cryptography makes of it, .secret the fields that follow the public ones.
    """

    def __init__(self, kind, application="ssh:", handle=b"handle"):
        self.kind = kind
        self.is_security_key = kind.startswith("sk-")
        self.private = dsa.generate_private_key(1024) if kind == "dss" else keys.private(kind.removeprefix("sk-"))
        self.blob = keys.blob_of(self.private.public_key())
        if self.is_security_key:
            reader = Reader(self.blob)
            self.blob = string(_sk_name(reader.string().decode())) + reader.data + string(application)
            self.secret = b"\x01" + string(handle) + string("")
        else:
            self.secret = self._secret_fields()
        self.name = keys.name_of(self.blob)

    def _secret_fields(self):
        if self.kind == "ed25519":
            return string(b"".join(_raw_ed25519(self.private)))
        numbers = self.private.private_numbers()
        if self.kind == "dss":
            return mpint(numbers.x)
        if self.kind.startswith("p"):
            return mpint(numbers.private_value)
        return mpint(numbers.d) + mpint(numbers.iqmp) + mpint(numbers.p) + mpint(numbers.q)

    def public_fields(self):
        reader = Reader(self.blob)
        reader.string()
        return reader.data

    def fields(self):
        """From the type's name to the last secret field."""
        if self.kind.startswith("rsa"):  # the one kind whose order differs from its public part's
            numbers = self.private.private_numbers()
            public = numbers.public_numbers
            return string(self.name) + mpint(public.n) + mpint(public.e) + self.secret
        return string(self.name) + self.public_fields() + self.secret

    def body(self, comment="", constraints=b""):
        """Of message 17, and of message 25 with constraints."""
        return self.fields() + string(comment) + constraints

    def certificate(self, **options):
        return AddedCertificate(self, **options)

    def verify(self, signature, data):
        """Raises unless the signature is right; returns its algorithm."""
        if self.kind != "dss":
            return keys.verify(self.blob, signature, data)
        reader = Reader(signature)
        algorithm, raw = reader.string().decode(), reader.string()
        encoded = utils.encode_dss_signature(*(int.from_bytes(half, "big") for half in (raw[:20], raw[20:])))
        self.private.public_key().verify(encoded, data, hashes.SHA1())
        return algorithm


class AddedCertificate:
    """A certificate of an AddedKey with its private part, as ssh-add hands it over."""

    def __init__(self, key, authority=None, kind=USER_CERTIFICATE, principals=("joe",), validity=FOREVER,
                 critical=b"", extensions=b"", signature=None):
        self.key, self.kind, self.private = key, key.kind, key.private
        self.is_security_key = key.is_security_key
        self.authority = authority or keys.HostKey()
        self.name = _certificate_name(key.name)
        signed = (string(self.name) + string(hashlib.sha256(key.blob).digest()) + key.public_fields()
                  + struct.pack(">QI", 7, kind) + string("lab") + string(b"".join(map(string, principals)))
                  + validity + string(critical) + string(extensions) + string("") + string(self.authority.blob))
        self.blob = signed + string(self.authority.sign(signed) if signature is None else signature)

    def fields(self):
        reader = Reader(self.key.blob)
        reader.string()
        public = b""
        if self.kind in ("ed25519", "sk-ed25519"):  # the others' is in the certificate alone
            public = string(reader.string())
        if self.kind == "sk-ed25519":
            public += string(reader.string())
        if self.kind == "sk-p256":
            reader.string(), reader.string()
            public = string(reader.string())
        return string(self.name) + string(self.blob) + public + self.key.secret

    body = AddedKey.body

    def verify(self, signature, data):
        return self.key.verify(signature, data)


def _sk_name(name):
    return {"ssh-ed25519": "sk-ssh-ed25519@openssh.com",
            "ecdsa-sha2-nistp256": "sk-ecdsa-sha2-nistp256@openssh.com"}[name]


def _certificate_name(name):
    return name.removesuffix("@openssh.com") + "-cert-v01@openssh.com"


def destination_host(user="", host="", host_keys=()):
    """One end of a hop; host_keys are blobs, or pairs of a blob and whether it is a CA's."""
    pairs = [one if isinstance(one, tuple) else (one, False) for one in host_keys]
    listed = b"".join(string(blob) + bytes([ca]) for blob, ca in pairs)
    return string(user) + string(host) + string("") + listed


def hop(to, origin=destination_host(), reserved=""):
    return string(string(origin) + string(to) + string(reserved))


def destinations(*hops):
    """restrict-destination-v00@openssh.com, of the hops that hop() makes."""
    return b"\xff" + string("restrict-destination-v00@openssh.com") + string(b"".join(hops))


def sk_provider(path):
    return b"\xff" + string("sk-provider@openssh.com") + string(path)


def associated(certificates, only=False):
    listed = b"".join(string(blob) for blob in certificates)
    return b"\xff" + string("associated-certs-v00@openssh.com") + bytes([only]) + string(listed)
