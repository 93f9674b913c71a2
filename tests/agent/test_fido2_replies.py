"""Answers with one thing wrong in each: none is believed, none costs more than its request, and no try of the PIN."""
import unittest

import fido2_bed
import lab
from fido2_bed import PIN, TOUCH, VERIFY

# Beyond 2,048 bytes libfido2 takes no message. A testbed's device holds 4,096, and loses parts of what is more.
OK = b"\0"
HUGE = b"\xba\xff\xff\xff\xff"  # a map that claims so many pairs
DEEP = b"\x81" * 2500           # arrays in arrays


def head(kind, value):
    """The first bytes of an item of CBOR (RFC 8949 section 3)."""
    for size, code in ((0, None), (1, 24), (2, 25), (4, 26), (8, 27)):
        if size == 0 and value < 24:
            return bytes([kind << 5 | value])
        if size and value < 1 << 8 * size:
            return bytes([kind << 5 | code]) + value.to_bytes(size, "big")
    raise ValueError(value)


def cbor(item):
    if isinstance(item, bool):
        return b"\xf5" if item else b"\xf4"
    if isinstance(item, int):
        return head(0, item) if item >= 0 else head(1, -1 - item)
    if isinstance(item, bytes):
        return head(2, len(item)) + item
    if isinstance(item, str):
        return head(3, len(item)) + item.encode()
    if isinstance(item, list):
        return head(4, len(item)) + b"".join(map(cbor, item))
    return head(5, len(item)) + b"".join(cbor(key) + cbor(value) for key, value in item.items())


DATA = bytes(32) + b"\x01" + bytes(4)  # authenticator data: application, flags, counter
ASSERTIONS = {
    "nothing in it": {}, "no map": [1, 2], "no signature": {2: DATA}, "no data": {3: b"signature"},
    "an empty signature": {2: DATA, 3: b""}, "a huge signature": {2: DATA, 3: bytes(2500)},
    "short data": {2: DATA[:-1], 3: bytes(70)}, "long data": {2: DATA + bytes(2000), 3: bytes(70)},
    "data as text": {2: "data", 3: bytes(70)}, "a signature as a number": {2: DATA, 3: 7},
    "a credential that is cut": {1: b"id", 2: DATA[:32] + b"\x41" + bytes(4 + 18), 3: bytes(70)},
    "a huge credential": {1: {"id": bytes(2500), "type": "public-key"}, 2: DATA, 3: bytes(70)},
    "a credential of another type": {1: {"id": b"id", "type": "other"}, 2: DATA, 3: bytes(70)},
    "many of them": {1: {"id": b"id", "type": "public-key"}, 2: DATA, 3: bytes(70), 5: (1 << 64) - 1},
    "none of them": {2: DATA, 3: bytes(70), 5: 0},
}
INFOS = {
    "nothing in it": {}, "no map": [1], "no versions": {1: [], 3: bytes(16)},
    "a short AAGUID": {1: ["FIDO_2_0"], 3: bytes(5)}, "messages of no bytes": {1: ["FIDO_2_0"], 3: bytes(16), 5: 0},
    "messages without end": {1: ["FIDO_2_0"], 3: bytes(16), 5: (1 << 64) - 1},
    "a PIN protocol that is none": {1: ["FIDO_2_0"], 3: bytes(16), 4: {"clientPin": True}, 6: [99]},
    "many options": {1: ["FIDO_2_0"], 3: bytes(16), 4: {f"option{i}": True for i in range(200)}},
}
POINT = {1: 2, 3: -25, -1: 1, -2: bytes(32), -3: bytes(32)}
PINS = {
    "retries": ({}, {3: -1}, {3: 1 << 40}, {3: "8"}),
    "key_agreement": ({}, {1: {}}, {1: POINT}, {1: dict(POINT) | {-2: bytes(31)}}, {1: 7}),
    "token_with_permissions": ({}, {2: b"short"}, {2: bytes(2500)}, {2: "token"}),
}


class Case(fido2_bed.Case):
    config = "operation-timeout = 10\n"

    def hostile(self, answer, command):
        """Nothing wrong comes of it, and what is asked next is right at once."""
        self.token.replies(OK + answer, 9, command)
        with lab.AgentClient(self.agent) as one:
            signature = one.sign(self.key.blob, b"data")
        self.token.fault("none")
        if signature is not None:
            lab.verify(self.key.blob, signature, b"data")
        return signature


class Assertions(Case):
    def setUp(self):
        super().setUp()
        self.key = self.gives()
        self.signs(self.key)

    def test_none_is_taken_for_a_signature(self):
        answers = {name: cbor(answer) for name, answer in ASSERTIONS.items()}
        for name, answer in {**answers, "a map without end": HUGE, "arrays in arrays": DEEP}.items():
            with self.subTest(name):
                self.assertIsNone(self.hostile(answer, "get_assertion"))
                self.assertEqual(self.signs(self.key), TOUCH)


class Infos(Case):
    def test_none_keeps_it_from_being_opened_again(self):
        self.key = self.gives()
        answers = {name: cbor(answer) for name, answer in INFOS.items()}
        for name, answer in {**answers, "a map without end": HUGE, "arrays in arrays": DEEP}.items():
            with self.subTest(name):
                self.token.pull()
                self.back()
                self.hostile(answer, "get_info")
                self.assertEqual(self.signs(self.key), TOUCH)


class Pins(Case):
    pin = PIN

    def test_none_costs_a_try_or_the_next_signature(self):
        self.key = self.gives(options=("verify-required",))
        self.signs(self.key)
        for subcommand, answers in PINS.items():
            for answer in answers:
                with self.subTest(subcommand, answer=str(answer)[:60]):
                    self.assertIsNone(self.hostile(cbor(answer), f"client_pin.{subcommand}"))
                    self.assertEqual(self.signs(self.key), TOUCH | VERIFY)
                    self.assertEqual(self.token.tries, 8)


class Late(Case):
    def test_what_comes_after_its_time_is_not_taken_for_the_next_answer(self):
        self.key = self.gives()
        self.token.set("slow-ms", 7000)
        self.refuses(self.key, "did not answer")
        self.token.set("slow-ms", 0)
        self.assertEqual(self.signs(self.key), TOUCH)


if __name__ == "__main__":
    unittest.main()
