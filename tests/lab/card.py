"""
Smartcards in software behind the real pcscd: a virtual reader, and tests/card's PIV card in it.

pcscd has one socket and the virtual reader fixed ports, so a file of tests that wants them calls
lab.namespaces.enter() first (setUpModule).
"""
import datetime
import json
import pathlib
import signal
import socket
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from . import keys, namespaces, place

PROGRAM = place.BUILD / "tests" / "piv-card"
PCSCD = "/usr/sbin/pcscd"
PCSC_SOCKET = pathlib.Path("/run/pcscd/pcscd.comm")
DRIVER = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
OPENSC = f"{LIBRARIES}/opensc-pkcs11.so"
YKCS11 = f"{LIBRARIES}/libykcs11.so"
PORT = 35963

SLOTS = ("9a", "9c", "9d", "9e")
# What may become of its answers (tests/card/fault.h).
FAULTS = ("cut", "byte", "nothing", "long", "endless", "nonsense", "lengths", "failure", "silence")
# By the number that a command goes by.
GET_DATA, VERIFY, AUTHENTICATE = "cb", "20", "87"


def start(command, log, **options):
    """A program that ends with this process at the latest; what it prints goes to a file."""
    with open(log, "ab") as out:
        return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *(str(word) for word in command)],
                                stdin=subprocess.DEVNULL, stdout=out, stderr=out, **options)


class Pcscd:
    """The daemon with virtual readers of these names: .restart(), .stop(), .log()."""

    def __init__(self, *readers):
        assert namespaces.entered(), "lab.namespaces.enter() comes first"
        self.folder = place.Folder()
        self.readers = readers or ("Virtual PCD",)
        config = self.folder.path / "readers"
        config.mkdir()
        config.joinpath("virtual").write_text("".join(
            f'FRIENDLYNAME "{name}"\nDEVICENAME /dev/null:{self.port(i):#x}\nLIBPATH {DRIVER}\n'
            f"CHANNELID {self.port(i):#x}\n" for i, name in enumerate(self.readers)))
        self._config, self._log = config, self.folder.path / "log"
        self.process = None
        self.start()

    @staticmethod
    def port(number):
        """Where the card of the reader's first slot connects; the second one's is the next port."""
        return PORT + 2 * number

    def start(self):
        self.process = start([PCSCD, "-f", "-c", self._config], self._log,
                             env=place.environment(self.folder.path))
        place.wait_for("pcscd listens", lambda: self._ended() or place.listens(PCSC_SOCKET))
        self._ended()

    def _ended(self):
        if self.process.poll() is not None:
            raise AssertionError(f"pcscd ended with {self.process.returncode}:\n{self.log()}")

    def stop(self):
        if self.process is not None:
            place.end(self.process, signal.SIGTERM)
        self.process = None
        for name in ("pcscd.comm", "pcscd.pid"):
            PCSC_SOCKET.with_name(name).unlink(missing_ok=True)

    def restart(self):
        self.stop()
        self.start()

    def log(self):
        return self._log.read_text(errors="replace")

    def close(self):
        self.stop()
        self.folder.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def seen():
    """How many cards a program sees that asks pcscd."""
    done = place.run(["opensc-tool", "--list-readers"], env=place.environment(pathlib.Path("/")))
    return done.stdout.count(" Yes ")


def wait_until_seen(number=1):
    place.wait_for(f"pcscd sees {number} cards", lambda: seen() == number)


def _certificate(public, name, more=()):
    """For a public key, signed by one that is thrown away."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start_time = datetime.datetime(2020, 1, 1)
    built = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
             .public_key(public).serial_number(x509.random_serial_number())
             .not_valid_before(start_time).not_valid_after(start_time + datetime.timedelta(days=36500)))
    for extension in more:
        built = built.add_extension(extension, critical=False)
    return built.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())


class Card:
    """
    A PIV card, in the reader from the start unless absent: .keys (blobs by slot), .insert(), .remove(), .touch().

    kinds says which key is in which slot ({"9a": "p256"}), policies what else of it ({"9c": "touch=always"}). A maker
    (attestation.Maker) attests those with touch=always.
    """

    def __init__(self, kinds, policies=None, pin="123456", port=PORT, yubikey=False, absent=False, serial=1234567,
                 openpgp=False, maker=None):
        self.folder = place.Folder()
        self.pin, self.serial, self.maker = pin, serial, maker
        self.keys, self._privates = {}, {}
        self.control = self.folder.path / "control"
        slots = [self._slot(slot, kind, (policies or {}).get(slot)) for slot, kind in kinds.items()]
        if maker is not None:
            slots.append(self._file("f9", maker.card.key, maker.card.certificate))
        flags = [flag for flag, wanted in (("--yubikey", yubikey), ("--absent", absent), ("--openpgp", openpgp)) if wanted]
        self.process = start(
            [PROGRAM, "--control", self.control, "--port", port, "--pin", pin, "--serial", serial, *flags, *slots],
            self.folder.path / "log", env=place.environment(self.folder.path))
        place.wait_for("the card is there", lambda: self.control.exists() or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise AssertionError(f"the card ended with {self.process.returncode}: {self._words()}")
        if not absent:
            self.wait_until(inserted=True)

    def _slot(self, slot, kind, policy):
        private = keys.private(kind)
        self.keys[slot] = keys.blob_of(private.public_key())
        self._privates[slot] = private
        attested = None
        if self.maker is not None and policy == "touch=always":
            attested = self.folder.path / f"{slot}.attestation"
            attested.write_bytes(self.maker.attests(private.public_key()).public_bytes(serialization.Encoding.PEM))
        return ",".join(filter(None, [self._file(slot, private, _certificate(private.public_key(), f"slot {slot}")),
                                      policy, attested and f"attestation={attested}"]))

    def _file(self, slot, private, certificate):
        """What the card reads the slot's key and certificate from."""
        key, path = self.folder.path / f"{slot}.key", self.folder.path / f"{slot}.pem"
        key.write_bytes(private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                              serialization.NoEncryption()))
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return f"{slot},key={key},cert={path}"

    def _words(self):
        return (self.folder.path / "log").read_text(errors="replace")

    def tell(self, words):
        """What the card answers to words on its control socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
            one.bind("")  # a name of the kernel's choice, to be answered at
            one.settimeout(20 * place.PATIENCE)
            one.sendto(words.encode(), str(self.control))
            return one.recv(65536).decode()

    def order(self, words):
        answer = self.tell(words)
        if answer != "ok":
            raise AssertionError(f"the card answered {answer!r} to {words!r}")

    def status(self):
        return json.loads(self.tell("status"))

    def move_to(self, reader, slot=0):
        """The reader, by its number at Pcscd, and its slot that the card is put into the next time."""
        self.order(f"port {Pcscd.port(reader) + slot}")

    def wait_until(self, **wanted):
        """Until its status has these values."""
        place.wait_for(f"the card's {wanted}", lambda: wanted.items() <= self.status().items())

    def insert(self):
        self.order("insert")
        self.wait_until(inserted=True)

    def remove(self):
        self.order("remove")
        self.wait_until(inserted=False)

    def touch(self):
        """Once it waits for it."""
        self.wait_until(touch_awaited=True)
        self.order("touch")

    def slow(self, milliseconds):
        self.order(f"slow {milliseconds}")

    def spoil(self, fault):
        """Its answers from now on: one of FAULTS, or "none"."""
        self.order(f"fault {fault}")

    def pin_tries(self, number):
        self.order(f"pin-tries {number}")

    def lie(self, instruction, answer):
        """From now on, and until .order("truth"), what is answered to it; both in hexadecimal digits."""
        self.order(f"lie {instruction} {answer}")

    def forget(self):
        """All counts begin again."""
        self.order("forget")

    def close(self):
        code, log = place.end(self.process, signal.SIGTERM), self._words()
        self.folder.close()
        if code != 0 or log:
            raise AssertionError(f"the card ended with {code}:\n{log}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
