"""A maker of smartcards, who attests what the cards say of their keys; its chain is thrown away with it."""
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

POLICIES = x509.ObjectIdentifier("1.3.6.1.4.1.41482.3.8")
PIN_ONCE, TOUCH_NEVER, TOUCH_ALWAYS, TOUCH_CACHED = 2, 1, 2, 3
DER, PEM = serialization.Encoding.DER, serialization.Encoding.PEM


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """.certificate and .key, of a root unless an issuer is given."""

    def __init__(self, name, issuer=None):
        self.key = ec.generate_private_key(ec.SECP256R1())
        issuer = issuer or self
        self.name = _name(name)
        self.certificate = issuer.signs(self.key.public_key(), self.name, [
            (x509.BasicConstraints(ca=True, path_length=None), True)])

    def signs(self, public, name, extensions=()):
        begun = datetime.datetime(2020, 1, 1)
        built = (x509.CertificateBuilder().subject_name(name).issuer_name(self.name).public_key(public)
                 .serial_number(x509.random_serial_number())
                 .not_valid_before(begun).not_valid_after(begun + datetime.timedelta(days=365)))  # it has expired
        for extension, critical in extensions:
            built = built.add_extension(extension, critical)
        return built.sign(self.key, hashes.SHA256())


class Maker:
    """.root is trusted or not, .card is the authority on the card that attests."""

    def __init__(self, name="Maker"):
        self.root = Authority(f"{name} Root")
        self.between = Authority(f"{name} Intermediate", self.root)
        self.card = Authority(f"{name} PIV Attestation", self.between)

    def attests(self, public, pin=PIN_ONCE, touch=TOUCH_ALWAYS, values=None, signer=None):
        """A certificate for that key, with its policies in it, or with these values of the extension."""
        values = [bytes([pin, touch])] if values is None else values
        return (signer or self.card).signs(public, _name("YubiKey PIV Attestation 9a"), [
            (x509.UnrecognizedExtension(POLICIES, value), False) for value in values])

    def trusted(self):
        """What a person puts into the folder: the root, and what stands between it and the cards."""
        return b"".join(one.certificate.public_bytes(PEM) for one in (self.root, self.between))


def trust(config, *texts, mode=0o600):
    """Files of PEM in the folder of a configuration, in place of those that are there."""
    folder = config / "keystile" / "attestation"
    folder.mkdir(parents=True, exist_ok=True)
    for one in folder.iterdir():
        one.unlink()
    for number, text in enumerate(texts):
        path = folder / f"{number}.pem"
        path.write_bytes(text)
        path.chmod(mode)
