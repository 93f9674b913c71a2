"""The PIV card in software, with the test in the reader's place: what it answers to every kind of command."""
import random
import socket
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

import lab
from lab import card

APPLICATION = bytes.fromhex("a000000308000010000100")
DATA = b"what is signed"
DIGEST = hashes.Hash(hashes.SHA256())
DIGEST.update(DATA)
DIGEST = DIGEST.finalize()
PIN, PUK = b"123456\xff\xff", b"12345678"
OK = 0x9000


def tlv(tag, value=b""):
    length = len(value)
    head = bytes([length]) if length < 128 else bytes([0x82, *length.to_bytes(2, "big")])
    return bytes.fromhex(tag) + head + value


def elements(data):
    """{tag: value} of what follows each other."""
    found = {}
    while data:
        size = 2 if data[0] & 0x1f == 0x1f else 1
        tag, length, start = data[:size].hex(), data[size], size + 1
        if length > 0x80:
            start += length - 0x80
            length = int.from_bytes(data[size + 1:start], "big")
        found[tag], data = data[start:start + length], data[start + length:]
    return found


class Reader:
    """The reader's end of vpcd's protocol, on a port of its own: .card is in it."""

    def __init__(self, kinds, **options):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.listening.settimeout(20 * lab.PATIENCE)
        self.card = card.Card(kinds, port=self.listening.getsockname()[1], **options)
        self.socket = None
        self.accept()

    def accept(self):
        if self.socket:
            self.socket.close()
        self.socket = self.listening.accept()[0]
        self.socket.settimeout(20 * lab.PATIENCE)

    def write(self, message):
        self.socket.sendall(len(message).to_bytes(2, "big") + message)

    def read(self):
        message = b""
        length = 2
        while len(message) < length:
            got = self.socket.recv(length - len(message))
            if not got:
                raise EOFError
            message += got
            if len(message) == 2 == length:
                length += int.from_bytes(message, "big")
        return message[2:]

    def send(self, command):
        """The answer to one command, and its status."""
        self.write(command)
        answer = self.read()
        return answer[:-2], int.from_bytes(answer[-2:], "big")

    def call(self, instruction, p1=0, p2=0, data=b""):
        """The same, in as many pieces as it takes, both ways."""
        while len(data) > 255:
            piece, data = data[:255], data[255:]
            status = self.send(bytes([0x10, instruction, p1, p2, 255]) + piece)[1]
            if status != OK:
                return b"", status
        answer, status = self.send(bytes([0, instruction, p1, p2, len(data)]) + data + b"\0" * bool(data))
        while status >> 8 == 0x61:
            more, status = self.send(bytes([0, 0xc0, 0, 0, status & 0xff]))
            answer += more
        return answer, status

    def close(self):
        self.socket.close()
        self.listening.close()
        self.card.close()


class Case(unittest.TestCase):
    """self.reader is made by put_in(), once a test."""

    def put_in(self, kinds, select=True, **options):
        self.reader = Reader(kinds, **options)
        self.addCleanup(self.reader.close)
        self.card = self.reader.card
        if select:
            self.answers(0xa4, 4, 0, APPLICATION[:5])

    def answers(self, *call):
        answer, status = self.reader.call(*call)
        self.assertEqual(status, OK, f"{status:04x}")
        return answer

    def refuses(self, wanted, *call):
        answer, status = self.reader.call(*call)
        self.assertEqual((answer, f"{status:04x}"), (b"", f"{wanted:04x}"))

    def verify(self, pin=PIN):
        self.answers(0x20, 0, 0x80, pin)

    def authenticate(self, slot, algorithm, data, tag="81"):
        template = tlv("7c", tlv("82") + tlv(tag, data))
        return (0x87, algorithm, int(slot, 16), template)

    def made(self, answer):
        return elements(elements(answer)["7c"])["82"]

    def public(self, slot):
        return serialization.load_ssh_public_key(lab.keys.line_of(self.card.keys[slot]).encode())


class Objects(Case):
    def test_it_tells_its_name_when_it_is_selected(self):
        self.put_in({}, select=False)
        self.refuses(0x6d00, 0xcb, 0x3f, 0xff, tlv("5c", b"\x7e"))
        answer = self.answers(0xa4, 4, 0, APPLICATION)
        self.assertEqual(elements(elements(answer)["61"])["4f"], APPLICATION[5:])

    def test_other_applications_are_not_on_it_and_do_not_take_its_place(self):
        self.put_in({})
        self.refuses(0x6a82, 0xa4, 4, 0, bytes.fromhex("d2760001240102"))
        self.refuses(0x6a82, 0xa4, 4, 0, APPLICATION + b"\0")
        self.answers(0xcb, 0x3f, 0xff, tlv("5c", b"\x7e"))

    def test_a_certificate_comes_in_pieces(self):
        self.put_in({"9a": "rsa:2048"})
        answer = self.answers(0xcb, 0x3f, 0xff, tlv("5c", bytes.fromhex("5fc105")))
        certificate = x509.load_der_x509_certificate(elements(elements(answer)["53"])["70"])
        self.assertEqual(lab.keys.blob_of(certificate.public_key()), self.card.keys["9a"])
        self.assertGreater(self.card.status()["commands"]["c0"], 1)

    def test_with_long_lengths_it_comes_at_once(self):
        self.put_in({"9a": "rsa:2048"})
        name = tlv("5c", bytes.fromhex("5fc105"))
        answer, status = self.reader.send(bytes([0, 0xcb, 0x3f, 0xff, 0, 0, len(name)]) + name + b"\0\0")
        self.assertEqual(status, OK)
        self.assertGreater(len(answer), 500)

    def test_what_is_not_on_it_is_not_found(self):
        self.put_in({"9a": "p256"})
        for name in ("5fc10a", "5fc107", "5fff01"):
            self.refuses(0x6a82, 0xcb, 0x3f, 0xff, tlv("5c", bytes.fromhex(name)))


class Signatures(Case):
    def test_each_key_signs_with_a_good_signature(self):
        self.put_in({"9a": "p256", "9d": "p384", "9e": "rsa:2048"})
        self.verify()
        for slot, algorithm in (("9a", 0x11), ("9d", 0x14)):
            made = self.made(self.answers(*self.authenticate(slot, algorithm, DIGEST)))
            self.public(slot).verify(made, DIGEST, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        info = bytes.fromhex("3031300d060960864801650304020105000420") + DIGEST
        block = b"\0\1" + b"\xff" * (256 - 3 - len(info)) + b"\0" + info
        made = self.made(self.answers(*self.authenticate("9e", 7, block)))
        self.public("9e").verify(made, DATA, padding.PKCS1v15(), hashes.SHA256())
        self.assertEqual(self.card.status()["signatures"], 3)

    def test_a_secret_is_agreed_upon(self):
        self.put_in({"9d": "p256"})
        self.verify()
        other = ec.generate_private_key(ec.SECP256R1())
        point = other.public_key().public_bytes(serialization.Encoding.X962,
                                                serialization.PublicFormat.UncompressedPoint)
        made = self.made(self.answers(*self.authenticate("9d", 0x11, point, tag="85")))
        self.assertEqual(made, other.exchange(ec.ECDH(), self.public("9d")))
        self.refuses(0x6a80, *self.authenticate("9d", 0x11, point[:-1] + b"\0", tag="85"))

    def test_without_a_pin_only_the_key_for_doors_signs(self):
        self.put_in({"9a": "p256", "9e": "p256"})
        self.refuses(0x6982, *self.authenticate("9a", 0x11, DIGEST))
        self.answers(*self.authenticate("9e", 0x11, DIGEST))

    def test_the_key_for_documents_wants_a_pin_each_time(self):
        self.put_in({"9c": "p256"})
        sign = self.authenticate("9c", 0x11, DIGEST)
        self.verify()
        self.answers(*sign)
        self.refuses(0x6982, *sign)
        self.verify()
        self.answers(0xcb, 0x3f, 0xff, tlv("5c", b"\x7e"))
        self.refuses(0x6982, *sign)
        self.verify()
        self.answers(*sign)

    def test_a_key_that_is_not_there_or_another_algorithm_is_refused(self):
        self.put_in({"9a": "p256"})
        self.verify()
        self.refuses(0x6a88, *self.authenticate("9d", 0x11, DIGEST))
        self.refuses(0x6a86, *self.authenticate("9a", 0x14, DIGEST))
        self.refuses(0x6a80, *self.authenticate("9a", 0x11, DIGEST + b"x"))

    def test_a_key_waits_for_its_touch(self):
        self.put_in({"9e": "p256"}, policies={"9e": "touch=always"})
        self.assertEqual(self.card.tell("touch"), "not understood")
        for _ in range(2):
            self.reader.write(bytes([0, 0x87, 0x11, 0x9e, 38]) + self.authenticate("9e", 0x11, DIGEST)[3])
            self.card.touch()
            answer = self.reader.read()
            self.assertEqual(answer[-2:], b"\x90\0")
            self.public("9e").verify(self.made(answer[:-2]), DIGEST, ec.ECDSA(utils.Prehashed(hashes.SHA256())))

    def test_a_touch_is_kept_a_while_where_the_key_says_so(self):
        self.put_in({"9e": "p256"}, policies={"9e": "touch=cached"})
        self.reader.write(bytes([0, 0x87, 0x11, 0x9e, 38]) + self.authenticate("9e", 0x11, DIGEST)[3])
        self.card.touch()
        self.assertEqual(self.reader.read()[-2:], b"\x90\0")
        self.answers(*self.authenticate("9e", 0x11, DIGEST))

    def test_a_touch_that_never_comes_is_refused(self):
        self.put_in({"9e": "p256"}, policies={"9e": "touch=always"})
        self.card.order("touch-time 10")
        self.refuses(0x6982, *self.authenticate("9e", 0x11, DIGEST))


class Pins(Case):
    def test_a_wrong_pin_costs_a_try_and_a_right_one_gives_them_back(self):
        self.put_in({})
        self.refuses(0x63c3, 0x20, 0, 0x80)
        self.refuses(0x63c2, 0x20, 0, 0x80, b"000000\xff\xff")
        self.refuses(0x63c1, 0x20, 0, 0x80, b"000000\xff\xff")
        self.verify()
        self.answers(0x20, 0, 0x80)
        self.answers(0x20, 0xff, 0x80)
        self.refuses(0x63c3, 0x20, 0, 0x80)
        status = self.card.status()
        self.assertEqual((status["pins"], status["wrong_pins"]), (3, 2))

    def test_three_wrong_ones_block_it_until_it_is_unblocked(self):
        self.put_in({})
        for status in (0x63c2, 0x63c1, 0x6983, 0x6983):
            self.refuses(status, 0x20, 0, 0x80, b"000000\xff\xff")
        self.refuses(0x6983, 0x20, 0, 0x80, PIN)
        self.refuses(0x63c2, 0x2c, 0, 0x80, b"00000000" + b"654321\xff\xff")
        self.answers(0x2c, 0, 0x80, PUK + b"654321\xff\xff")
        self.verify(b"654321\xff\xff")

    def test_it_can_be_changed_by_who_knows_it(self):
        self.put_in({})
        self.refuses(0x63c2, 0x24, 0, 0x80, b"000000\xff\xff" + b"654321\xff\xff")
        self.refuses(0x6a80, 0x24, 0, 0x80, PIN + b"654\xff\xff\xff\xff\xff")
        self.refuses(0x6a80, 0x24, 0, 0x80, PIN + b"654\xff321\xff")
        self.answers(0x24, 0, 0x80, PIN + b"654321\xff\xff")
        self.verify(b"654321\xff\xff")
        self.answers(0x24, 0, 0x81, PUK + b"87654321")
        self.answers(0x2c, 0, 0x80, b"87654321" + PIN)
        self.verify()

    def test_a_pin_of_another_length_costs_no_try(self):
        self.put_in({})
        self.refuses(0x6a80, 0x20, 0, 0x80, b"123456")
        self.refuses(0x63c3, 0x20, 0, 0x80)

    def test_the_reader_can_take_its_power_and_with_it_the_login(self):
        self.put_in({})
        for signal in (0, 1, 2):
            self.verify()
            self.reader.write(bytes([signal]))
            self.answers(0xa4, 4, 0, APPLICATION)
            self.refuses(0x63c3, 0x20, 0, 0x80)


class Hand(Case):
    """The control socket."""

    def test_it_goes_out_and_comes_back_without_its_login(self):
        self.put_in({})
        self.verify()
        self.card.remove()
        self.assertEqual(self.reader.socket.recv(1), b"")
        self.card.insert()
        self.reader.accept()
        self.refuses(0x6d00, 0x20, 0, 0x80)

    def test_it_is_put_into_a_reader_that_comes_back(self):
        self.put_in({})
        self.reader.accept()
        self.answers(0xa4, 4, 0, APPLICATION)

    def test_it_can_be_slow(self):
        self.put_in({})
        self.card.slow(5000000)
        self.reader.write(bytes([0, 0x20, 0, 0x80, 0]))
        self.card.wait_until(commands={"a4": 1, "20": 1})
        self.reader.socket.setblocking(False)
        with self.assertRaises(BlockingIOError):
            self.reader.read()

    def test_its_tries_can_be_taken_away(self):
        self.put_in({})
        self.card.pin_tries(0)
        self.refuses(0x6983, 0x20, 0, 0x80, PIN)
        self.assertEqual(self.card.tell("pin-tries 9"), "not understood")
        self.assertEqual(self.card.tell("dance"), "not understood")

    def test_its_commands_are_counted(self):
        self.put_in({})
        self.verify()
        self.assertEqual(self.card.status()["commands"], {"20": 1, "a4": 1})
        self.card.forget()
        self.assertEqual(self.card.status()["commands"], {})


class YubiKey(Case):
    def test_it_tells_version_and_serial_number_and_another_maker_s_does_not(self):
        self.put_in({}, yubikey=True, serial=7654321)
        self.assertEqual(self.answers(0xfd), bytes([5, 4, 3]))
        self.assertEqual(self.answers(0xf8), (7654321).to_bytes(4, "big"))
        self.put_in({})
        for instruction in (0xfd, 0xf8, 0xf7, 0xf9):
            self.refuses(0x6d00, instruction)

    def test_it_tells_what_a_key_wants(self):
        self.put_in({"9a": "p256", "9c": "rsa:2048"}, yubikey=True,
                    policies={"9a": "touch=cached", "9c": "imported"})
        first = elements(self.answers(0xf7, 0, 0x9a))
        self.assertEqual([first[tag].hex() for tag in ("01", "02", "03")], ["11", "0203", "01"])
        self.assertEqual(elements(first["04"])["86"],
                         self.public("9a").public_bytes(serialization.Encoding.X962,
                                                        serialization.PublicFormat.UncompressedPoint))
        second = elements(self.answers(0xf7, 0, 0x9c))
        self.assertEqual([second[tag].hex() for tag in ("01", "02", "03")], ["07", "0301", "02"])
        self.assertEqual(int.from_bytes(elements(second["04"])["81"], "big"), self.public("9c").public_numbers().n)
        self.refuses(0x6a88, 0xf7, 0, 0x9d)

    def test_it_tells_the_tries_left(self):
        self.put_in({}, yubikey=True)
        self.refuses(0x63c2, 0x20, 0, 0x80, b"000000\xff\xff")
        self.assertEqual(elements(self.answers(0xf7, 0, 0x80))["06"], bytes([3, 2]))

    def test_a_pin_lasts_until_the_next_signature(self):
        self.put_in({"9c": "p256"}, yubikey=True)
        self.verify()
        self.answers(0xfd)
        self.answers(*self.authenticate("9c", 0x11, DIGEST))
        self.refuses(0x6982, *self.authenticate("9c", 0x11, DIGEST))


class Malformed(Case):
    """Nothing that a host sends ends the card: .close() fails where it ended or a sanitizer spoke."""

    def still_there(self):
        self.answers(0xa4, 4, 0, APPLICATION)

    def test_a_command_that_is_cut_off_is_refused(self):
        self.put_in({"9a": "p256"})
        whole = bytes([0, 0xcb, 0x3f, 0xff, 5, 0x5c, 3, 0x5f, 0xc1, 0x05])
        for length in range(2, len(whole)):
            self.assertNotEqual(self.reader.send(whole[:length])[1], OK)
        self.still_there()

    def test_a_chain_without_end_is_refused(self):
        self.put_in({"9a": "p256"})
        statuses = {self.reader.send(bytes([0x10, 0x87, 7, 0x9a, 255]) + bytes(255))[1] for _ in range(60)}
        self.assertEqual(statuses, {OK, 0x6700})
        self.still_there()

    def test_a_chain_that_becomes_another_command_is_forgotten(self):
        self.put_in({})
        self.reader.send(bytes([0x10, 0x24, 0, 0x80, 4]) + PIN[:4])
        self.verify()

    def test_random_bytes_are_survived(self):
        self.put_in({"9a": "p256", "9e": "rsa:2048"}, yubikey=True)
        seed = random.randrange(1 << 32)
        print(f"# seed {seed}")
        numbers = random.Random(seed)
        instructions = (0x20, 0x24, 0x2c, 0x47, 0x87, 0xa4, 0xc0, 0xcb, 0xdb, 0xf7, 0xf8, 0xf9, 0xfd)
        templates = (b"\x7c\x04\x82\x00\x81\x00", b"\x5c\x03\x5f\xc1\x05", b"\x7c\x82\xff\xff", b"\x7c\x02\x80\x00")
        for _ in range(3000):
            tail = numbers.choice((b"", numbers.choice(templates))) + numbers.randbytes(numbers.choice((0, 1, 3, 9, 250)))
            length = numbers.choice((len(tail), numbers.randrange(256), 0))
            command = bytes([numbers.choice((0, 0, 0x10, numbers.randrange(256))), numbers.choice(instructions),
                             numbers.choice((0, 4, 7, 0x11, 0x3f, 0xff)), numbers.choice((0, 0x80, 0x9a, 0x9b, 0x9e, 0xff)),
                             length % 256]) + tail
            self.reader.send(command[:numbers.randrange(2, len(command) + 1)])
        self.still_there()

    def test_messages_of_no_length_and_of_the_greatest_are_survived(self):
        self.put_in({})
        self.reader.write(b"")
        self.reader.write(b"\xee")
        self.assertNotEqual(self.reader.send(bytes(65535))[1], OK)
        self.still_there()


if __name__ == "__main__":
    unittest.main()
