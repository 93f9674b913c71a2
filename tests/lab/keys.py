"""SSH's types on the wire (RFC 4251 section 5), keys, signatures, and what an agent is asked to sign."""
import base64
import hashlib
import struct

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

CURVES = {"p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1}
CURVE_HASHES = {"nistp256": hashes.SHA256, "nistp384": hashes.SHA384, "nistp521": hashes.SHA512}
RSA_HASHES = {"rsa-sha2-256": hashes.SHA256, "rsa-sha2-512": hashes.SHA512, "ssh-rsa": hashes.SHA1}

SK_ED25519, SK_ECDSA = "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"

# Every kind that a token can hold, as the fixtures call it.
KINDS = ("rsa:2048", "rsa:3072", "rsa:4096", "p256", "p384", "p521", "ed25519")


def u32(value):
    return struct.pack(">I", value)


def string(value):
    raw = value.encode() if isinstance(value, str) else bytes(value)
    return u32(len(raw)) + raw


def mpint(value):
    return string(value.to_bytes(value.bit_length() // 8 + 1, "big") if value else b"")


class Reader:
    """Reads the same from bytes; raises ValueError beyond their end."""

    def __init__(self, data):
        self.data = data

    def raw(self, length):
        if len(self.data) < length:
            raise ValueError(f"{length} bytes wanted, {len(self.data)} left")
        piece, self.data = self.data[:length], self.data[length:]
        return piece

    def u8(self):
        return self.raw(1)[0]

    def u32(self):
        return struct.unpack(">I", self.raw(4))[0]

    def u64(self):
        return struct.unpack(">Q", self.raw(8))[0]

    def string(self):
        return self.raw(self.u32())


def private(kind):
    """A fresh private key of one of KINDS."""
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind in CURVES:
        return ec.generate_private_key(CURVES[kind]())
    return rsa.generate_private_key(65537, int(kind.split(":")[1]))


def blob_of(public):
    """The wire form of a public key."""
    line = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return base64.b64decode(line.split()[1])


def line_of(blob, comment="lab"):
    """As it stands in authorized_keys and .pub files."""
    return f"{name_of(blob)} {base64.b64encode(blob).decode()} {comment}"


def blob_of_line(line):
    """The wire form of a key or certificate that stands in a .pub file."""
    return base64.b64decode(line.split()[1])


def load_private(path):
    """A private key that ssh-keygen wrote without a passphrase."""
    text = path.read_bytes()
    if b"OPENSSH PRIVATE KEY" in text:
        return serialization.load_ssh_private_key(text, None)
    return serialization.load_pem_private_key(text, None)


def raw_private(secret):
    """The 32 bytes of an Ed25519 key."""
    return secret.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw,
                                serialization.NoEncryption())


def add_message(secret, comment):
    """The body of message 17 for a private key, as ssh-add sends it."""
    blob = blob_of(secret.public_key())
    if isinstance(secret, ed25519.Ed25519PrivateKey):
        public = Reader(blob[len(string("ssh-ed25519")):]).string()
        return blob + string(raw_private(secret) + public) + string(comment)
    numbers = secret.private_numbers()
    if isinstance(secret, ec.EllipticCurvePrivateKey):
        return blob + mpint(numbers.private_value) + string(comment)
    public = numbers.public_numbers
    fields = (public.n, public.e, numbers.d, numbers.iqmp, numbers.p, numbers.q)
    return string("ssh-rsa") + b"".join(mpint(one) for one in fields) + string(comment)


def ed25519_of(number):
    """A private key that a number stands for: many of them are made at once."""
    return ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(u32(number)).digest())


def name_of(blob):
    return Reader(blob).string().decode()


def fingerprint_of(blob):
    """SHA256:... as ssh-keygen -l prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _public_of(blob):
    return serialization.load_ssh_public_key(line_of(blob).encode())


def _verify_assertion(blob, signature, data):
    """A security key's signature, which is over more than the data (OpenSSH's PROTOCOL.u2f)."""
    key, reader = Reader(blob), Reader(signature)
    name, algorithm = key.string().decode(), reader.string().decode()
    if algorithm != name:
        raise ValueError(f"a {algorithm} signature by a {name} key")
    plain = {SK_ED25519: "ssh-ed25519", SK_ECDSA: "ecdsa-sha2-nistp256"}[name]
    rest = b"".join(string(key.string()) for _ in range(2 if name == SK_ECDSA else 1))
    raw, presence = reader.string(), reader.raw(5)
    if reader.data:
        raise ValueError("bytes after the signature")
    told = hashlib.sha256(key.string()).digest() + presence + hashlib.sha256(data).digest()
    verify(string(plain) + rest, string(plain) + string(raw), told)
    return algorithm


def presence_in(signature):
    """The flags of a security key's signature."""
    reader = Reader(signature)
    reader.string(), reader.string()
    return reader.u8()


def verify(blob, signature, data):
    """Raises InvalidSignature or ValueError unless signature is blob's over data; returns the algorithm."""
    if name_of(blob) in (SK_ED25519, SK_ECDSA):
        return _verify_assertion(blob, signature, data)
    reader = Reader(signature)
    algorithm, raw = reader.string().decode(), reader.string()
    if reader.data:
        raise ValueError("bytes after the signature")
    name, public = name_of(blob), _public_of(blob)
    if name == "ssh-rsa":
        public.verify(raw, data, padding.PKCS1v15(), RSA_HASHES[algorithm]())
        return algorithm
    if algorithm != name:
        raise ValueError(f"a {algorithm} signature by a {name} key")
    if name == "ssh-ed25519":
        public.verify(raw, data)
    else:
        numbers = Reader(raw)
        r, s = (int.from_bytes(numbers.string(), "big") for _ in range(2))
        digest = CURVE_HASHES[name.rsplit("-", 1)[1]]()
        public.verify(utils.encode_dss_signature(r, s), data, ec.ECDSA(digest))
    return algorithm


class HostKey:
    """A private key that signs as a host does, for session-bind: .blob, .sign(sid)."""

    def __init__(self, kind="ed25519"):
        self._take(private(kind))

    @classmethod
    def of(cls, secret):
        """The same with a private key that was made before."""
        host_key = cls.__new__(cls)
        host_key._take(secret)
        return host_key

    def _take(self, secret):
        self.private = secret
        self.blob = blob_of(self.private.public_key())
        self.name = name_of(self.blob)

    def sign(self, data, rsa_algorithm="rsa-sha2-512"):
        if self.name == "ssh-rsa":
            raw = self.private.sign(data, padding.PKCS1v15(), RSA_HASHES[rsa_algorithm]())
            return string(rsa_algorithm) + string(raw)
        if self.name == "ssh-ed25519":
            return string(self.name) + string(self.private.sign(data))
        digest = CURVE_HASHES[self.name.rsplit("-", 1)[1]]()
        r, s = utils.decode_dss_signature(self.private.sign(data, ec.ECDSA(digest)))
        return string(self.name) + string(mpint(r) + mpint(s))


def userauth(sid, user, blob, algorithm=None, host_key=None):
    """What ssh has signed to log in (RFC 4252 section 7); with host_key the hostbound form."""
    method = "publickey-hostbound-v00@openssh.com" if host_key else "publickey"
    return (string(sid) + b"\x32" + string(user) + string("ssh-connection") + string(method)
            + b"\x01" + string(algorithm or name_of(blob)) + string(blob)
            + (string(host_key) if host_key else b""))


def sshsig(message, namespace="file", digest="sha512"):
    """What ssh-keygen -Y sign and git have signed (OpenSSH's PROTOCOL.sshsig)."""
    return (b"SSHSIG" + string(namespace) + string("") + string(digest)
            + string(hashlib.new(digest, message).digest()))
