"""session-bind@openssh.com: what is verified, what is recorded, and what makes a connection remote."""
import hashlib
import math
import unittest

import lab
from bed import LOCAL, AgentTest
from lab import client as c
from lab.keys import Reader, mpint, string, u32

FORWARDING = "it came through a forwarded agent (ssh -A)"
REFUSED = "a session bind on it was refused"
UNVERIFIABLE = "a session bind on it could not be verified"
SHA512_PREFIX = bytes.fromhex("3051300d060960864801650304020305000440")


def sid(number=0):
    return hashlib.sha256(b"session %d" % number).digest()


class Certified:
    """A host key that shows a certificate which ssh-keygen made for it."""

    def __init__(self, kind):
        with lab.Folder() as folder:
            for name, one in (("ca", "ed25519"), ("host", kind)):
                lab.run_well(["ssh-keygen", "-q", "-t", one.split(":")[0], "-N", "",
                              *(["-m", "PEM"] if one != "ed25519" else []),
                              *(["-b", one.split(":")[1]] if ":" in one else []), "-f", folder.path / name])
            lab.run_well(["ssh-keygen", "-q", "-s", folder.path / "ca", "-h", "-I", "host", "-n", "host.example",
                          folder.path / "host.pub"])
            self.blob = lab.keys.blob_of_line((folder.path / "host-cert.pub").read_text())
            self.key = lab.HostKey.of(lab.keys.load_private(folder.path / "host"))

    def sign(self, data):
        return self.key.sign(data)


class SecurityKey:
    """A host key on a FIDO token, as far as its signatures go (OpenSSH's PROTOCOL.u2f)."""

    application = b"ssh:"

    def __init__(self, kind):
        self.inner = lab.HostKey(kind)
        self.name = {"ed25519": "sk-ssh-ed25519@openssh.com",
                     "p256": "sk-ecdsa-sha2-nistp256@openssh.com"}[kind]
        reader = Reader(self.inner.blob)
        reader.string()
        self.blob = string(self.name) + reader.data + string(self.application)

    def sign(self, data):
        after = b"\x01" + u32(7)
        signed = hashlib.sha256(self.application).digest() + after + hashlib.sha256(data).digest()
        reader = Reader(self.inner.sign(signed))
        reader.string()
        return string(self.name) + reader.data + after


def small_primes(limit):
    """The odd ones."""
    sieve = bytearray(b"\1") * limit
    for number in range(3, limit, 2):
        if sieve[number]:
            yield number
            sieve[number * number::number] = bytes(len(range(number * number, limit, number)))


def is_prime(number):
    """Fermat's test, which is good enough here: a wrong answer makes a bind fail that should not."""
    return all(pow(base, number - 1, number) == 1 for base in (2, 3, 5, 7, 11, 13, 17))


class SmoothKey:
    """
    An RSA key of as many bits as wanted in no time: the product of all small primes, signed with
    through the Chinese remainder theorem. It protects nothing and is as valid as any.
    """

    def __init__(self, bits, exponent=65537):
        self.bits, self.exponent, self.modulus, self.primes = bits, exponent, 1, []
        for prime in small_primes(1 << 16):
            if self.modulus.bit_length() < bits - 40 and math.gcd(exponent, prime - 1) == 1:
                self.primes.append(prime)
                self.modulus *= prime
        last = (1 << bits - 1) // self.modulus | 1  # the one that gives the modulus its size
        while self.modulus * last < 1 << bits - 1 or not is_prime(last) or math.gcd(exponent, last - 1) > 1:
            last += 2
        self.primes.append(last)
        self.modulus *= last
        assert self.modulus.bit_length() == bits, self.modulus.bit_length()
        self.blob = string("ssh-rsa") + mpint(exponent) + mpint(self.modulus)

    def sign(self, data):
        size = (self.bits + 7) // 8
        digest = SHA512_PREFIX + hashlib.sha512(data).digest()
        padded = b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest
        message, root = int.from_bytes(padded, "big"), 0
        for prime in self.primes:
            others = self.modulus // prime
            part = pow(message % prime, pow(self.exponent, -1, prime - 1), prime)
            root += part * others * pow(others, -1, prime)
        return string("rsa-sha2-512") + string((root % self.modulus).to_bytes(size, "big"))


class BindTest(AgentTest):
    provider = None

    def setUp(self):
        super().setUp()
        self.host = lab.HostKey()

    def origin(self):
        """Of the connection that was made last: its binds and why it is remote, or that it is not."""
        newest = self.agent.newest_connection()
        self.assertEqual(newest["origin"] == "local", newest["reason"] == LOCAL)
        return newest["binds"], newest["reason"]

    def refused(self, answer, binds, reason):
        """Answered 28; the connection lives, has that many records and is remote."""
        self.assertEqual(answer, c.EXTENSION_FAILURE)
        self.assertEqual(self.origin(), (binds, reason))

    def message(self, host_key, session, signature=None, flag=b"\0"):
        signed = host_key.sign(session) if signature is None else signature
        return string(host_key.blob) + string(session) + string(signed) + flag


class Keys(BindTest):
    def test_every_kind_of_host_key_is_verified(self):
        for kind in ("ed25519", "p256", "p384", "p521", "rsa:1024", "rsa:2048", "rsa:4096"):
            with self.subTest(kind):
                host = lab.HostKey(kind)
                client = self.client()
                self.assertEqual(client.bind(host, sid()), c.SUCCESS)
                self.assertEqual(self.origin(), (1, LOCAL))
                wrong = self.client()
                self.refused(wrong.bind(host, sid(), signature=host.sign(sid(1))), 0, REFUSED)

    def test_both_hashes_of_rsa_are_taken_and_sha1_never(self):
        host = lab.HostKey("rsa:2048")
        for algorithm, answer in (("rsa-sha2-256", c.SUCCESS), ("rsa-sha2-512", c.SUCCESS),
                                  ("ssh-rsa", c.EXTENSION_FAILURE)):
            with self.subTest(algorithm):
                signature = host.sign(sid(), algorithm)
                self.assertEqual(self.client().bind(host, sid(), signature=signature), answer)
        self.assertEqual(self.origin(), (0, REFUSED))

    def test_sha1_is_not_taken_either_where_keys_may_sign_with_it(self):
        self.agent = self.start(config="allow-rsa-sha1 = true\n")
        host = lab.HostKey("rsa:2048")
        self.refused(self.client().bind(host, sid(), signature=host.sign(sid(), "ssh-rsa")), 0, REFUSED)

    def test_security_keys_are_verified(self):
        for kind in ("ed25519", "p256"):
            with self.subTest(kind):
                host = SecurityKey(kind)
                self.assertEqual(self.client().bind(host, sid()), c.SUCCESS)
                self.assertEqual(self.origin(), (1, LOCAL))
                wrong = host.sign(sid(1))
                self.refused(self.client().bind(host, sid(), signature=wrong), 0, REFUSED)

    def test_a_certificate_counts_by_its_key(self):
        for kind in ("ed25519", "ecdsa:384", "rsa:2048"):
            with self.subTest(kind):
                host = Certified(kind)
                self.assertEqual(self.client().bind(host, sid()), c.SUCCESS)
                self.assertEqual(self.origin(), (1, LOCAL))
                wrong = self.host.sign(sid())
                self.refused(self.client().bind(host, sid(), signature=wrong), 0, REFUSED)

    def test_rsa_keys_are_taken_up_to_8192_bits(self):
        self.assertEqual(self.client().bind(SmoothKey(8192), sid()), c.SUCCESS)
        for bits in (8193, 16384):
            with self.subTest(bits):
                self.refused(self.client().bind(SmoothKey(bits), sid()), 0, UNVERIFIABLE)

    def test_rsa_exponents_are_taken_up_to_32_bits(self):
        self.assertEqual(self.client().bind(SmoothKey(2048, 0xfffffffb), sid()), c.SUCCESS)
        self.refused(self.client().bind(SmoothKey(2048, 0x10000000f), sid()), 0, UNVERIFIABLE)

    def test_a_kind_that_cannot_be_verified_makes_the_connection_remote(self):
        for name in ("ssh-dss", "ssh-ed448", "ssh-xmss@openssh.com", "made-up", ""):
            with self.subTest(name):
                self.host.blob = string(name) + string(bytes(32))
                self.refused(self.client().bind(self.host, sid()), 0, UNVERIFIABLE)

    def test_a_signature_of_another_algorithm_or_with_bytes_left_over_is_refused(self):
        good = self.host.sign(sid())
        for signature in (b"", good[:-1], good + b"\0", lab.HostKey("p256").sign(sid()),
                          lab.HostKey().sign(sid())):
            with self.subTest(signature[:20]):
                self.assertEqual(self.client().bind(self.host, sid(), signature=signature),
                                 c.EXTENSION_FAILURE)
                self.assertNotEqual(self.origin()[1], LOCAL)


class Messages(BindTest):
    def test_a_session_id_has_1_to_128_bytes(self):
        for length, answer in ((1, c.SUCCESS), (20, c.SUCCESS), (64, c.SUCCESS), (128, c.SUCCESS)):
            self.assertEqual(self.client().bind(self.host, b"s" * length), answer)
        for length in (0, 129, 1000):
            with self.subTest(length=length):
                self.refused(self.client().bind(self.host, b"s" * length), 0, UNVERIFIABLE)

    def test_a_malformed_bind_makes_the_connection_remote(self):
        whole = self.message(self.host, sid())
        for end in (0, 3, 20, len(self.host.blob) + 4, len(whole) - 70, len(whole) - 1):
            with self.subTest(end=end):
                answer = self.client().extension("session-bind@openssh.com", whole[:end])[0]
                self.refused(answer, 0, UNVERIFIABLE)

    def test_bytes_after_the_flag_are_ignored(self):
        body = self.message(self.host, sid()) + b"and more"
        self.assertEqual(self.client().extension("session-bind@openssh.com", body)[0], c.SUCCESS)
        self.assertEqual(self.origin(), (1, LOCAL))

    def test_every_flag_but_0_is_forwarding(self):
        for flag in (b"\x01", b"\x02", b"\xff"):
            body = self.message(self.host, sid(), flag=flag)
            self.assertEqual(self.client().extension("session-bind@openssh.com", body)[0], c.SUCCESS)
            self.assertEqual(self.origin(), (1, FORWARDING))

    def test_a_forged_bind_with_the_forwarding_flag_makes_the_connection_remote(self):
        answer = self.client().bind(self.host, sid(), forwarding=True, signature=self.host.sign(sid(1)))
        self.refused(answer, 0, FORWARDING)


class Records(BindTest):
    def test_several_forwardings_and_one_authentication_are_recorded(self):
        client = self.client()
        for number in range(3):
            self.assertEqual(client.bind(lab.HostKey(), sid(number), forwarding=True), c.SUCCESS)
        self.assertEqual(client.bind(self.host, sid(9)), c.SUCCESS)
        self.assertEqual(self.origin(), (4, FORWARDING))

    def test_nothing_is_bound_after_an_authentication(self):
        for forwarding in (False, True):
            client = self.client()
            self.assertEqual(client.bind(self.host, sid(1)), c.SUCCESS)
            self.assertEqual(self.origin(), (1, LOCAL))
            self.refused(client.bind(lab.HostKey(), sid(2), forwarding=forwarding), 1,
                         FORWARDING if forwarding else REFUSED)

    def test_the_authentication_itself_cannot_be_repeated(self):
        client = self.client()
        self.assertEqual(client.bind(self.host, sid(1)), c.SUCCESS)
        self.refused(client.bind(self.host, sid(1)), 1, REFUSED)

    def test_a_repeat_of_a_forwarding_changes_nothing(self):
        client = self.client()
        self.assertEqual(client.bind(self.host, sid(1), forwarding=True), c.SUCCESS)
        self.assertEqual(client.bind(self.host, sid(1), forwarding=True), c.SUCCESS)
        self.assertEqual(client.bind(self.host, sid(1), forwarding=False), c.SUCCESS)
        self.assertEqual(self.origin(), (1, FORWARDING))
        # Had the record become an authentication, this one would be refused.
        self.assertEqual(client.bind(lab.HostKey(), sid(2)), c.SUCCESS)
        self.assertEqual(client.bind(self.host, sid(1), forwarding=True), c.SUCCESS)
        self.assertEqual(self.origin(), (2, FORWARDING))

    def test_a_repeat_is_verified_like_any_other(self):
        client = self.client()
        self.assertEqual(client.bind(self.host, sid(1), forwarding=True), c.SUCCESS)
        forged = self.host.sign(sid(2))
        self.assertEqual(client.bind(self.host, sid(1), True, signature=forged), c.EXTENSION_FAILURE)

    def test_a_session_cannot_be_bound_to_another_key(self):
        client = self.client()
        self.assertEqual(client.bind(self.host, sid(1), forwarding=True), c.SUCCESS)
        self.refused(client.bind(lab.HostKey(), sid(1), forwarding=True), 1, FORWARDING)
        self.assertEqual(client.bind(self.host, sid(2), forwarding=True), c.SUCCESS)
        self.assertEqual(self.origin(), (2, FORWARDING))

    def test_16_records_are_taken_and_a_repeat_still_succeeds(self):
        client = self.client()
        for number in range(16):
            self.assertEqual(client.bind(self.host, sid(number), forwarding=True), c.SUCCESS)
        self.refused(client.bind(self.host, sid(16), forwarding=True), 16, FORWARDING)
        for number in (0, 15):
            self.assertEqual(client.bind(self.host, sid(number), forwarding=True), c.SUCCESS)
        self.assertEqual(self.origin(), (16, FORWARDING))

    def test_after_16_failures_nothing_is_verified_any_more(self):
        for failures, answer in ((15, c.SUCCESS), (16, c.EXTENSION_FAILURE)):
            client = self.client()
            for _ in range(failures):
                client.bind(self.host, sid(), signature=self.host.sign(sid(1)))
            self.assertEqual(client.bind(self.host, sid()), answer)
            self.assertEqual(client.list(), [])

    def test_binds_belong_to_their_connection(self):
        first = self.client()
        self.assertEqual(first.bind(self.host, sid()), c.SUCCESS)
        self.assertEqual(self.client().bind(self.host, sid()), c.SUCCESS)
        self.assertEqual(self.origin(), (1, LOCAL))


class Bound(BindTest):
    """CVE-2023-38408: what was bound once, even in vain, loads no providers."""

    def loads(self, client):
        return client.add_token("fake:lab") == c.SUCCESS

    def test_a_bound_connection_loads_no_provider(self):
        client = self.client()
        client.bind(self.host, sid())
        self.assertEqual(self.origin(), (1, LOCAL))
        self.assertFalse(self.loads(client))
        self.assertEqual(self.agent.workers(), [])
        self.assertTrue(self.loads(self.client()))

    def test_an_option_lets_a_bound_connection_load_but_not_a_remote_one(self):
        self.agent = self.start(options=["-O", "allow-remote-pkcs11"])
        for forwarding in (True, False):
            client = self.client()
            client.bind(self.host, sid(), forwarding=forwarding)
            self.assertEqual(self.loads(client), not forwarding)


class Served(AgentTest):
    """The case to get right: one connection that carries one session after the other."""

    def test_a_second_session_on_a_connection_is_refused_and_then_served_as_remote(self):
        host, other = lab.HostKey(), lab.HostKey("p256")
        client = self.client()
        self.assertEqual(client.bind(host, sid(1)), c.SUCCESS)
        self.assertEqual(self.asked(client, self.login(sid(1), host.blob)), 0)
        self.assertEqual(client.bind(other, sid(2)), c.EXTENSION_FAILURE)
        self.assertEqual(self.asked(client, self.login(sid(2), other.blob)), 1)
        prompt = self.askpass.prompts()[-1]
        self.assertIn(f"REMOTE REQUEST: {REFUSED}", prompt)
        self.assertIn("DESTINATION UNPROVEN", prompt)
        self.assertEqual(self.asked(client, self.login(sid(2))), 1)
        self.assert_remote(client, REFUSED)
        self.assertEqual(len(client.list()), 1)

    def test_a_malformed_bind_is_served_as_remote(self):
        client = self.client()
        self.assertEqual(client.extension("session-bind@openssh.com")[0], c.EXTENSION_FAILURE)
        self.assert_remote(client, UNVERIFIABLE)

    def test_a_forwarding_is_served_as_remote(self):
        client = self.client()
        client.bind(lab.HostKey(), sid(), forwarding=True)
        self.assert_remote(client, FORWARDING)

    def test_a_forged_bind_is_served_as_remote(self):
        host = lab.HostKey()
        client = self.client()
        client.bind(host, sid(), signature=host.sign(sid(1)))
        self.assert_remote(client, REFUSED)

    def test_a_good_bind_cannot_make_it_local_again(self):
        host = lab.HostKey()
        client = self.client()
        client.bind(host, sid(), signature=host.sign(sid(1)))
        self.assertEqual(client.bind(host, sid()), c.SUCCESS)
        self.assert_remote(client, REFUSED)

    def test_a_destination_is_named_where_it_is_proven(self):
        bastion, host = lab.HostKey(), lab.HostKey("p256")
        client = self.client()
        client.bind(bastion, sid(1), forwarding=True)
        client.bind(host, sid(2))
        self.asked(client, self.login(sid(2), host.blob))
        prompt = self.askpass.prompts()[-1]
        self.assertIn(lab.keys.fingerprint_of(host.blob), prompt)
        self.assertIn(lab.keys.fingerprint_of(bastion.blob), prompt)
        self.assertNotIn("UNPROVEN", prompt)
        for data in (self.login(sid(2)), self.login(sid(2), bastion.blob), self.login(sid(1), host.blob)):
            self.asked(client, data)
            self.assertIn("DESTINATION UNPROVEN", self.askpass.prompts()[-1])


if __name__ == "__main__":
    unittest.main()
