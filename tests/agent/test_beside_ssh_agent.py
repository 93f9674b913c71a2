"""Beside OpenSSH's ssh-agent: framing, adding, constraints, removing, signing. See beside.py."""
import unittest

import beside
from beside import (FAILURE, NO_LIST, SUCCESS, adding, extension, listed, listing, message, raw, removing, signing)
from lab import client as c
from lab.added import AddedKey, associated, destination_host, destinations, hop, sk_provider
from lab.keys import HostKey, mpint, string, u32

KINDS = ("ed25519", "p256", "p384", "p521", "rsa:2048")
KEYS = {kind: AddedKey(kind) for kind in KINDS}
CERTIFICATES = {kind: key.certificate() for kind, key in KEYS.items()}
SECURITY_KEYS = {kind: AddedKey(kind) for kind in ("sk-ed25519", "sk-p256")}
ED, OTHER, THIRD, RSA = KEYS["ed25519"], AddedKey("ed25519"), AddedKey("p256"), KEYS["rsa:2048"]
SECURITY = SECURITY_KEYS["sk-ed25519"]
HOST = HostKey()
EVERYWHERE = destinations(hop(destination_host(host="there", host_keys=[HOST.blob])))

SHA1 = "SHA-1 is refused unless configured"
ORDER = "security keys are listed after all others"


def at_end(body):
    """The list shows whether anything was stored."""
    return message(17, body), listing()


# Without their fields 22 and 23 end ssh-agent; 19 and 9 have none.
NUMBERS = [number for number in range(256) if number not in (c.REMOVE_ALL, 9, c.LIST, 22, 23)]


class Framing(beside.Beside):
    def test_lengths(self):
        self.compare([
            # ssh-agent looks at a length when a byte follows.
            ("a length of 0 closes", raw(u32(0) + b"\x0b", "length 0")),
            ("the longest message is answered", raw(string(b"\x0b" + bytes(262143)), "262144 bytes")),
            ("a longer one closes", raw(u32(262145) + b"\x0b", "length 262145")),
            ("one far longer closes", raw(u32(0xffffffff) + b"\x0b", "length 2^32-1")),
            ("the longest unknown message is answered", raw(string(b"\xf0" + bytes(262143)), "262144 bytes"),
             listing()),
        ])

    def test_every_message_number_without_a_body(self):
        self.compare([(f"message {number}", message(number), listing()) for number in NUMBERS])

    def test_every_message_number_with_a_short_body(self):
        self.compare([(f"message {number}", adding(ED), message(number, b"\0\0\0"), listing())
                      for number in NUMBERS])

    def test_pipelined_messages_are_answered_in_order(self):
        steps = [adding(ED), listing(), message(200), listing(), removing(ED), removing(ED), listing(),
                 extension("no@such.example")]
        whole = raw(b"".join(step.sent for step in steps), "all at once", answers=len(steps))
        self.compare([("eight at once", whole)])

    def test_messages_that_come_byte_by_byte(self):
        self.compare([
            ("a list", adding(ED), listing().byte_by_byte()),
            ("a signature", adding(ED), signing(ED, b"x" * 2000).byte_by_byte()),
            ("a key", adding(ED).byte_by_byte(), listing()),
            ("a long key", adding(RSA, "c" * 2000, c.confirm()).byte_by_byte(), listing()),
            ("what is unknown", message(200, b"x" * 5000).byte_by_byte(), listing()),
        ])

    def test_bytes_after_the_last_field(self):
        tail = b"tail"
        self.compare([
            ("list", adding(ED), message(c.LIST, tail)),
            ("sign", adding(ED), signing_with_tail(tail)),
            ("remove", adding(ED), message(c.REMOVE, string(ED.blob) + tail), listing()),
            ("remove all", adding(ED), message(c.REMOVE_ALL, tail), listing()),
            ("remove all of old", adding(ED), message(9, tail), listing()),
            ("add", message(17, ED.body() + tail), listing()),
            ("add constrained", message(25, ED.body("", c.confirm()) + tail), listing()),
        ])


def signing_with_tail(tail):
    step = signing(ED)
    return beside.dataclasses.replace(step, sent=string(step.sent[4:] + tail))


class Adding(beside.Beside):
    def test_each_kind_of_key_and_its_certificate(self):
        for kind in KINDS:
            key, certificate = KEYS[kind], CERTIFICATES[kind]
            self.compare([
                (f"{kind} alone", adding(key, kind), listing()),
                (f"{kind} as certificate alone", adding(certificate, kind), listing()),
                (f"{kind} with its certificate", adding(key, "plain"), adding(certificate, "certified"), listing(),
                 removing(key), listing(), removing(certificate), listing()),
                (f"{kind} with constraints", adding(key, kind, c.lifetime(3600) + c.confirm()), listing()),
                (f"{kind} by message 25 without any", message(25, key.body(kind)), listing()),
            ])

    def test_sizes_of_rsa_keys(self):
        self.compare([(f"rsa {bits}", adding(AddedKey(f"rsa:{bits}"), "c"), listing())
                      for bits in (1024, 1032, 3072, 4096)])

    def test_security_keys_and_their_certificates(self):
        for kind, key in SECURITY_KEYS.items():
            certificate = key.certificate()
            self.compare([
                (f"{kind}", adding(key, kind), listing()),
                (f"{kind} as certificate", adding(certificate, kind), listing()),
                (f"{kind} with the built-in provider", adding(key, kind, sk_provider("internal")), listing()),
                (f"{kind} with the built-in provider in capitals", adding(key, kind, sk_provider("INTERNAL")),
                 listing()),
                (f"{kind} with a provider that is not there", adding(key, kind, sk_provider("/usr/lib/none.so")),
                 listing()),
                (f"{kind} with a provider that is not allowed", adding(key, kind, sk_provider("/etc/passwd")),
                 listing()),
                (f"{kind} with two providers",
                 adding(key, kind, sk_provider("internal") + sk_provider("internal")), listing()),
            ])
        self.compare([
            ("a provider for a key that is none", adding(ED, "", sk_provider("internal")), listing()),
            ("a provider in message 17", message(17, SECURITY.body("", sk_provider("internal"))), listing()),
        ])

    def test_the_list_keeps_the_order_in_which_keys_came(self):
        self.compare([
            ("as they came", adding(ED, "1"), adding(THIRD, "2"), adding(OTHER, "3"), listing()),
            ("one that comes again keeps its place", adding(ED, "1"), adding(THIRD, "2"), adding(ED, "3"), listing()),
            ("one that was removed comes last", adding(ED, "1"), adding(THIRD, "2"), removing(ED), adding(ED, "3"),
             listing()),
            ("a security key that came first", adding(SECURITY, "1"), adding(ED, "2"), listing().ours(
                listed((SECURITY, "1"), (ED, "2")), listed((ED, "2"), (SECURITY, "1")), ORDER)),
        ])

    def test_comments(self):
        texts = {"empty": b"", "UTF-8": "schlüssel".encode(), "not UTF-8": b"\xff\xfe", "lines": b"a\nb\x1b[2J",
                 "as long as ours may be": b"x" * 4096, "a trailing NUL": b"abc\0", "an inner NUL": b"a\0c",
                 "only a NUL": b"\0", "two NULs": b"ab\0\0"}
        self.compare([(what, adding(ED, text), listing()) for what, text in texts.items()])
        why, text = "a comment has at most 4,096 bytes", b"z" * 4097
        self.compare([("a longer one", adding(ED, text).ours(SUCCESS, FAILURE, why),
                       listing().ours(listed((ED, text)), NO_LIST, why))])

    def test_adding_again_replaces_what_was_said(self):
        self.compare([
            ("the comment", adding(ED, "first"), adding(ED, "second"), listing()),
            ("the lifetime", adding(ED, "", c.lifetime(0)), adding(ED, "again"), listing()),
            ("by one that ends at once", adding(ED, "first"), adding(ED, "second", c.lifetime(0)), listing()),
            ("not by a malformed one", adding(ED, "first"), message(17, ED.body("second")[:-1]), listing()),
            ("not by one with an unknown constraint", adding(ED, "first"), adding(ED, "second", b"\x09"), listing()),
        ])


class Malformed(beside.Beside):
    def test_every_truncation_of_a_key(self):
        for key in (ED, THIRD, CERTIFICATES["ed25519"], SECURITY):
            body = key.body("comment")
            # The comment's text is short of bytes too, down to its length.
            self.compare([(f"{key.name} cut to {length}", *at_end(body[:length])) for length in range(len(body))])

    def test_every_truncation_of_constraints(self):
        bare = ED.body("comment")
        whole = c.lifetime(100) + c.confirm() + EVERYWHERE
        good = {0, 5, 6, len(whole)}
        self.compare([(f"constraints cut to {length}", message(25, bare + whole[:length]), listing())
                      for length in range(len(whole) + 1) if length not in good])

    def test_keys_that_are_wrong(self):
        scalar = ED.secret
        self.compare([
            ("an unknown type", *at_end(string("ssh-ed448") + string(bytes(57)) + string(bytes(114)) + string(""))),
            ("no type", *at_end(string("") + string("") + string(""))),
            ("a short public key", *at_end(string("ssh-ed25519") + string(bytes(31)) + scalar + string(""))),
            ("a long public key", *at_end(string("ssh-ed25519") + string(bytes(33)) + scalar + string(""))),
            ("a short private key", *at_end(string("ssh-ed25519") + ED.public_fields() + string(bytes(63))
                                            + string(""))),
            ("another curve's name", *at_end(THIRD.body().replace(b"\0\0\0\x08nistp256", b"\0\0\0\x08nistp384"))),
            ("an unknown curve", *at_end(THIRD.body().replace(b"\0\0\0\x08nistp256", b"\0\0\0\x08nistp999"))),
            ("a point that is not on the curve", *at_end(
                string("ecdsa-sha2-nistp256") + string("nistp256") + string(b"\4" + bytes(64)) + mpint(5)
                + string(""))),
            ("a scalar of 0", *at_end(string(THIRD.name) + THIRD.public_fields() + mpint(0) + string(""))),
            ("a negative scalar", *at_end(string(THIRD.name) + THIRD.public_fields() + string(b"\x80")
                                          + string(""))),
            ("a scalar beyond the order", *at_end(string(THIRD.name) + THIRD.public_fields() + string(b"\0" + b"\xff" * 32)
                                                  + string(""))),
            ("a type with an inner NUL", *at_end(string(b"ssh-ed25519\0x") + ED.fields()[15:] + string(""))),
            ("a type with a trailing NUL", *at_end(string(b"ssh-ed25519\0") + ED.fields()[15:] + string(""))),
            ("an rsa key of 1016 bits", *at_end(AddedKey("rsa:1024").body().replace(b"\0\0\0\x81", b"\0\0\0\x80", 1))),
            ("a certificate in place of a plain key", *at_end(
                string("ssh-ed25519") + string(CERTIFICATES["ed25519"].blob) + ED.secret + string(""))),
            ("a certificate of another kind", *at_end(
                string(CERTIFICATES["ed25519"].name) + string(CERTIFICATES["p256"].blob) + ED.fields()[15:]
                + string(""))),
            ("a certificate whose blob is a plain key", *at_end(
                string(CERTIFICATES["ed25519"].name) + string(ED.blob) + ED.fields()[15:] + string(""))),
        ])

    def test_public_and_private_parts_that_do_not_fit(self):
        why = "private and public part must match"
        for key, other in ((ED, OTHER), (THIRD, AddedKey("p256")), (RSA, AddedKey("rsa:2048"))):
            mixed = key.fields().removesuffix(key.secret) + other.secret
            self.compare([(key.name, message(17, mixed + string("")).ours(SUCCESS, FAILURE, why),
                           listing().ours(listed((key, "")), NO_LIST, why))])


class Constraints(beside.Beside):
    def given(self, what, constraints, *more):
        return (what, adding(ED, "c", constraints), listing(), *more)

    def test_constraints(self):
        self.compare([
            self.given("a lifetime", c.lifetime(100)),
            self.given("the longest lifetime", c.lifetime(0xffffffff)),
            self.given("a lifetime of 0", c.lifetime(0)),
            self.given("a lifetime twice", c.lifetime(100) + c.lifetime(100)),
            self.given("confirm", c.confirm()),
            self.given("confirm twice", c.confirm() + c.confirm()),
            self.given("maxsign", b"\x03" + u32(5)),
            self.given("an unknown number", b"\x04"),
            self.given("an unknown extension", c.constraint("no@such.example")),
            self.given("an extension without a name", c.constraint("")),
            self.given("an extension with an inner NUL", c.constraint(b"restrict-destination-v00@openssh.com\0x")),
            self.given("a good one and a bad one", c.lifetime(100) + b"\x09"),
            self.given("a bad one and a good one", b"\x09" + c.lifetime(100)),
            self.given("certificates that belong to tokens", associated([])),
            self.given("all together", EVERYWHERE + c.confirm() + c.lifetime(100)),
        ])

    def test_message_17_takes_them_too(self):
        self.compare([
            ("a lifetime of 0", message(17, ED.body("c", c.lifetime(0))), listing()),
            ("one that is unknown", message(17, ED.body("c", b"\x09")), listing()),
        ])

    def test_destination_constraints(self):
        there = destination_host(host="there", host_keys=[HOST.blob])
        origin = destination_host()
        many = hop(there)
        rows = {
            "none": [],
            "one": [hop(there)],
            "a user": [hop(destination_host("joe", "there", [HOST.blob]))],
            "a user of 256 bytes": [hop(destination_host("j" * 256, "there", [HOST.blob]))],
            "a CA": [hop(destination_host(host="there", host_keys=[(HOST.blob, True)]))],
            "two hops": [hop(there), hop(there, there)],
            "a from-user": [hop(there, destination_host("joe", "there", [HOST.blob]))],
            "a from-host without keys": [hop(there, destination_host(host="there"))],
            "from-keys without a host": [hop(there, destination_host(host_keys=[HOST.blob]))],
            "no to-host": [hop(destination_host(host_keys=[HOST.blob]))],
            "no to-key": [hop(destination_host(host="there"))],
            "nothing at all": [hop(origin)],
            "something reserved": [hop(there, origin, reserved="x")],
            "something reserved in a host": [hop(string("") + string("there") + string("x") + string(HOST.blob)
                                                 + b"\0")],
            "a key that is none": [hop(destination_host(host="there", host_keys=[b"nonsense"]))],
            "a key of an unknown type": [hop(destination_host(host="there", host_keys=[string("ssh-new") + string("x")]))],
            "a flag that is neither": [hop(string("") + string("there") + string("") + string(HOST.blob) + b"\7")],
            "a host with an inner NUL": [hop(destination_host(host=b"a\0b", host_keys=[HOST.blob]))],
            "a certificate as key": [hop(destination_host(host="there", host_keys=[CERTIFICATES["ed25519"].blob]))],
            "as many as there may be": [many] * 1024,
            "one more": [many] * 1025,
        }
        self.compare([self.given(what, destinations(*hops)) for what, hops in rows.items()])
        self.compare([self.given("twice", destinations(hop(there)) + destinations(hop(there)))])
        longer = string(string(origin) + string(there) + string("") + b"x")
        for what, constraints, why in (
                ("an empty one and one more", destinations() + destinations(hop(there)), "a constraint is given once"),
                ("bytes after a hop", destinations(longer), "what is not understood is refused")):
            self.compare([(what, adding(ED, "c", constraints).ours(SUCCESS, FAILURE, why),
                           listing().ours(listed((ED, "c")), NO_LIST, why))])


class Removing(beside.Beside):
    def test_remove(self):
        self.compare([
            ("one of three", adding(ED, "1"), adding(THIRD, "2"), adding(RSA, "3"), removing(THIRD), listing()),
            ("one that is not there", adding(ED), removing(OTHER), listing()),
            ("one twice", adding(ED), removing(ED), removing(ED)),
            ("what is no key", message(c.REMOVE, string("nonsense")), message(c.REMOVE, string("")),
             message(c.REMOVE, b"\0\0\1")),
            ("all", adding(ED), adding(THIRD), message(c.REMOVE_ALL), listing(), message(c.REMOVE_ALL)),
            ("all, as of old", adding(ED), adding(THIRD), message(9), listing(), message(9)),
            ("by another connection", adding(ED), listing().by("other"), removing(ED).by("other"), listing()),
        ])


class Signing(beside.Beside):
    def test_each_kind_with_and_without_flags(self):
        for kind in KINDS:
            if kind.startswith("rsa"):
                continue
            for key in (KEYS[kind], CERTIFICATES[kind]):
                self.compare([(f"{key.name}, flags {flags}", adding(key), signing(key, flags=flags))
                              for flags in (0, 1, 2, 4, 6, 0x80000000)])

    def test_rsa_by_its_flags(self):
        old = "a ssh-rsa signature", FAILURE, SHA1
        for key in (RSA, CERTIFICATES["rsa:2048"]):
            self.compare([(f"{key.name}, flags {flags}", adding(key), signing(key, flags=flags))
                          for flags in (2, 4, 6, 3, 10, 0x80000004)])
            self.compare([(f"{key.name}, flags {flags}", adding(key), signing(key, flags=flags).ours(*old))
                          for flags in (0, 1, 8, 0x80000000)])

    def test_data_of_all_sizes(self):
        self.compare([(f"{size} bytes", adding(ED), signing(ED, b"x" * size))
                      for size in (0, 1, 1000, 70000, 200000)])

    def test_keys_that_are_not_there(self):
        certificate = CERTIFICATES["ed25519"]
        self.compare([
            ("an empty agent", signing(ED)),
            ("another key", adding(ED), signing(OTHER)),
            ("the plain key of a certificate", adding(certificate), signing(ED)),
            ("the certificate of a plain key", adding(ED), signing(certificate)),
            ("what is no key", adding(ED), signing(ED, blob=b"nonsense")),
            ("a key with a byte more", adding(ED), signing(ED, blob=ED.blob + b"x")),
            ("a key that was removed", adding(ED), removing(ED), signing(ED)),
            ("a key whose time is over", adding(ED, "", c.lifetime(0)), signing(ED)),
        ])

    def test_truncated_requests(self):
        body = string(ED.blob) + string("data") + u32(0)
        self.compare([(f"cut to {length}", adding(ED), message(c.SIGN, body[:length]))
                      for length in range(len(body))])

    def test_a_confirmation_that_nobody_can_give(self):
        self.compare([("no askpass", adding(ED, "", c.confirm()), signing(ED), listing())])


def known(step, answer):
    """What we answer; OpenSSH 10 has no such keys any more."""
    refused = NO_LIST if step.what == "list" else FAILURE
    return step.ours(refused if beside.NEWER else answer, answer, "ssh-dss has gone from OpenSSH 10")


class Dsa(beside.Beside):
    """Where an option allows it: Debian's 9.2 has it without."""

    our_options = ("-O", "allow-ssh-dss")

    def test_dsa_keys_where_an_option_allows_them(self):
        key = AddedKey("dss")
        certificate = key.certificate()
        self.compare([(one.name, known(adding(one, "old"), SUCCESS), known(listing(), listed((one, "old"))),
                       known(signing(one), "a ssh-dss signature"), known(signing(one, flags=2), "a ssh-dss signature"),
                       known(removing(one), SUCCESS), listing()) for one in (key, certificate)])
        self.compare([(f"cut to {length}", *at_end(key.body()[:length])) for length in range(0, len(key.body()), 7)])


class WithoutDsa(beside.Beside):
    def test_dsa_keys_are_refused_without_the_option(self):
        key, why = AddedKey("dss"), "ssh-dss is off unless an option asks for it"
        self.compare([("add", adding(key).older(SUCCESS, FAILURE, why), listing().older(listed((key, "")), NO_LIST, why),
                       signing(key).older("a ssh-dss signature", FAILURE, why))])


class OldRsa(beside.Beside):
    our_options = ("-O", "allow-rsa-sha1")

    def test_rsa_without_flags_where_an_option_allows_it(self):
        self.compare([(f"{key.name}, flags {flags}", adding(key), signing(key, flags=flags))
                      for key in (RSA, CERTIFICATES["rsa:2048"]) for flags in (0, 1, 2, 4, 8)])


class Lifetimes(beside.Beside):
    """-t gives a lifetime to those that come without."""

    options = ("-t", "1000")

    def test_a_default_lifetime_gives_way_to_one_that_was_given(self):
        self.compare([
            ("none given", adding(ED, "c"), listing()),
            ("one that ends at once", adding(ED, "c", c.lifetime(0)), listing()),
            ("a longer one", adding(ED, "c", c.lifetime(5000)), listing()),
        ])


if __name__ == "__main__":
    unittest.main()
