"""PKCS#11 tokens in software: SoftHSM2 with a folder of its own, filled by its and OpenSC's tools."""
import dataclasses
import datetime
import re

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from . import keys, place

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
GENERATED = {"p256": "EC:prime256v1", "p384": "EC:secp384r1", "p521": "EC:secp521r1",
             "ed25519": "EC:edwards25519"}


@dataclasses.dataclass
class Key:
    """A key on a token."""
    label: str
    id: str  # hexadecimal, as the tools take it
    kind: str
    blob: bytes

    @property
    def line(self):
        """As it stands in authorized_keys."""
        return keys.line_of(self.blob, self.label)

    @property
    def public(self):
        """As the cryptography package has it."""
        return serialization.load_ssh_public_key(self.line.encode())

    @property
    def fingerprint(self):
        return keys.fingerprint_of(self.blob)


class Token:
    """One token of a SoftHSM; .keys are the lab.Key on it."""

    def __init__(self, hsm, label, pin):
        self.hsm, self.label, self.pin = hsm, label, pin
        self.so_pin = "so-" + pin
        self.keys = []
        hsm.tool("softhsm2-util", "--init-token", "--free", "--label", label,
                 "--so-pin", self.so_pin, "--pin", pin)

    def pkcs11_tool(self, *arguments):
        """OpenSC's tool on this token, logged in."""
        return self.hsm.tool("pkcs11-tool", "--module", MODULE, "--token-label", self.label,
                             "--login", "--pin", self.pin, *arguments)

    def _next(self, label, kind):
        number = f"{len(self.keys) + 1:02x}"
        return Key(label or f"{kind.replace(':', '')}-{number}", number, kind, b"")

    def generate(self, kind, label=None):
        """The token makes a key of one of lab.KINDS, as a real one does."""
        key = self._next(label, kind)
        self.pkcs11_tool("--keypairgen", "--key-type", GENERATED.get(kind, kind),
                         "--label", key.label, "--id", key.id)
        key.blob = self._read_public(key)
        self.keys.append(key)
        return key

    def _read_public(self, key):
        if key.kind == "ed25519":  # pkcs11-tool does not write these out
            listed = self.pkcs11_tool("--list-objects", "--type", "pubkey", "--id", key.id).stdout
            point = re.search(r"EC_POINT:\s*0420([0-9a-f]{64})", listed).group(1)
            return keys.string("ssh-ed25519") + keys.string(bytes.fromhex(point))
        path = self.hsm.folder.path / "public.der"
        self.pkcs11_tool("--read-object", "--type", "pubkey", "--id", key.id, "-o", path)
        return keys.blob_of(serialization.load_der_public_key(path.read_bytes()))

    def bring(self, kind, label=None, private=None):
        """A key that was made outside and brought onto the token by softhsm2-util."""
        key = self._next(label, kind)
        secret = private or keys.private(kind)
        path = self.hsm.folder.path / "private.pem"
        path.write_bytes(secret.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))
        self.hsm.tool("softhsm2-util", "--import", path, "--token", self.label,
                      "--label", key.label, "--id", key.id, "--pin", self.pin)
        path.unlink()
        key.blob = keys.blob_of(secret.public_key())
        self.keys.append(key)
        return key

    def certify(self, key, keep_public=False, **options):
        """A certificate for a key, see certificate(); its public-key object goes unless keep_public."""
        path = self.hsm.folder.path / "certificate.der"
        path.write_bytes(certificate(key.public, key.label, **options))
        self.pkcs11_tool("--write-object", path, "--type", "cert",
                         "--label", key.label, "--id", key.id)
        if not keep_public:
            self.remove(key, "pubkey")

    def remove(self, key, kind):
        """Takes one object away: kind is pubkey, privkey or cert."""
        self.pkcs11_tool("--delete-object", "--type", kind, "--id", key.id)


def certificate(public, name, issuer=None, valid=(2020, 2119), usages=(), names=()):
    """
    An X.509 certificate in DER for a public key, signed by a key that is thrown away: issuer is the
    CN of its issuer, valid the years in whose beginning it begins and ends, usages OIDs, names what
    stands in its subjectAltName.
    """
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"),
                        x509.NameAttribute(NameOID.COMMON_NAME, issuer or name)])
    built = (x509.CertificateBuilder().subject_name(subject).issuer_name(signer)
             .public_key(public).serial_number(x509.random_serial_number())
             .not_valid_before(datetime.datetime(valid[0], 1, 1))
             .not_valid_after(datetime.datetime(valid[1], 1, 1)))
    if usages:
        listed = x509.ExtendedKeyUsage([x509.ObjectIdentifier(one) for one in usages])
        built = built.add_extension(listed, critical=False)
    if names:
        built = built.add_extension(x509.SubjectAlternativeName(names), critical=False)
    signed = built.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.DER)


def principal(name):
    """A user principal name for a subjectAltName."""
    encoded = name.encode()
    return x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"),
                          bytes([0x0c, len(encoded)]) + encoded)


class SoftHSM:
    """A module with tokens: .module, .env (SOFTHSM2_CONF) for the agent that loads it, .token()."""

    module = MODULE

    def __init__(self):
        self.folder = place.Folder()
        tokens = self.folder.path / "tokens"
        tokens.mkdir(mode=0o700)
        config = self.folder.path / "softhsm2.conf"
        config.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\n"
                          "log.level = ERROR\n")
        self.env = {"SOFTHSM2_CONF": str(config)}
        self.tokens = []

    def tool(self, *command):
        return place.run_well(command, env=dict(place.environment(self.folder.path), **self.env))

    def token(self, label="Lab", pin="1234"):
        """A fresh token."""
        self.tokens.append(Token(self, label, pin))
        return self.tokens[-1]

    def close(self):
        self.folder.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
