"""What a PKCS#11 worker tells of X.509 certificates, on a SoftHSM that holds real ones."""
import calendar

from cryptography import x509

import lab
import pkcs11_bed
from lab import softhsm
from lab import worker as w

CLIENT = "1.3.6.1.5.5.7.3.2"
LOGON = "1.3.6.1.4.1.311.20.2.2"


def year(number):
    return calendar.timegm((number, 1, 1, 0, 0, 0))


class Certificates(pkcs11_bed.Case):
    def told(self):
        """The keys that a worker tells of, by blob, and what it logged."""
        with self.worker() as one:
            return {key.blob: key for key in one.tokens()[0].keys}, "\n".join(map(str, one.log))

    def certificate(self, key=None):
        return self.told()[0][(key or self.key).blob].certificate

    def test_a_key_without_a_certificate_has_its_id_alone(self):
        key = self.told()[0][self.key.blob]
        self.assertEqual(key.id, self.key.id)
        self.assertIsNone(key.certificate)

    def test_subject_issuer_usages_and_times_are_told(self):
        self.token.certify(self.key, keep_public=True, issuer="Cards", valid=(2021, 2031), usages=(CLIENT, LOGON),
                           names=[x509.RFC822Name("ada@example.org"), softhsm.principal("ada@corp.example")])
        said = self.certificate()
        self.assertEqual(said.subject, "ada@corp.example")
        self.assertEqual(said.issuer, "CN=Cards,O=Example")
        self.assertEqual(said.issuer_name, "Cards")
        self.assertEqual(said.usages, f"{CLIENT},{LOGON}")
        self.assertEqual((said.not_before, said.not_after), (year(2021), year(2031)))
        self.assertEqual(said.others, 0)

    def test_a_certificate_alone_is_told_with_its_key(self):
        other = self.token.bring("rsa:2048", label="Grace")
        self.token.certify(other, names=[x509.RFC822Name("grace@example.org")])
        self.assertEqual(self.certificate(other).subject, "grace@example.org")
        self.assertIsNone(self.certificate())

    def test_of_two_certificates_for_one_key_the_valid_one_counts_and_it_is_said(self):
        self.token.certify(self.key, keep_public=True, issuer="Old", valid=(2010, 2011))
        self.token.certify(self.key, keep_public=True, issuer="New")
        self.token.certify(self.key, keep_public=True, issuer="Older", valid=(2000, 2001))
        keys, log = self.told()
        said = keys[self.key.blob].certificate
        self.assertEqual(said.issuer_name, "New")
        self.assertEqual(said.others, 2)
        self.assertIn("several certificates for one key", log)
        self.assertEqual(len(keys), 1)

    def hostile(self, value):
        """What a worker tells of the key whose certificate has this value instead of its own, and its log."""
        with open(self.shim.path / "certificate", "wb") as file:
            file.write(value)
        with self.shimmed() as one:
            keys = {key.blob: key for key in one.tokens()[0].keys}
            self.assertEqual(list(keys), [self.key.blob])
            self.assertEqual(one.login("1234")[1].error, w.OK)
            self.signs(one)
            return keys[self.key.blob].certificate, "\n".join(map(str, one.log))

    def test_one_with_ten_thousand_names_is_left_unread_and_its_key_signs(self):
        self.token.certify(self.key, keep_public=True)
        names = [x509.DNSName(f"host{number}.example.org") for number in range(10000)]
        said, log = self.hostile(softhsm.certificate(self.key.public, "Ada", names=names))
        self.assertIsNone(said)
        self.assertIn("is over 16384 bytes", log)

    def test_malformed_ones_are_left_unread_and_their_key_signs(self):
        self.token.certify(self.key, keep_public=True)
        good = softhsm.certificate(self.key.public, "Ada", names=[softhsm.principal("ada@corp.example")])
        self.assertEqual(self.hostile(good)[0].subject, "ada@corp.example")
        for number, value in enumerate((b"", b"\x30", good[:-1], good[:len(good) // 2], b"\x30\x80" * 8000,
                                        b"\x30\x84\xff\xff\xff\xff" + good, bytes(16384))):
            with self.subTest(number=number):
                self.assertIsNone(self.hostile(value)[0])

    def test_one_of_another_key_is_no_word_about_this_one(self):
        self.token.certify(self.key, keep_public=True)
        other = lab.keys.private("p256").public_key()
        with open(self.shim.path / "certificate", "wb") as file:
            file.write(softhsm.certificate(other, "Mallory"))
        with self.shimmed() as one:
            said = {key.blob: key.certificate for key in one.tokens()[0].keys}
        self.assertIsNone(said[self.key.blob])
        self.assertEqual([one.subject for one in said.values() if one], ["Mallory"])

    def test_control_characters_in_a_name_are_written_out(self):
        key = self.token.bring("p256", label="a\x1b[2Jb\nc")
        self.token.certify(key, keep_public=True)
        self.assertEqual(self.certificate(key).subject, "a\\1B[2Jb\\0Ac")

    def test_what_is_told_is_forgotten_with_the_certificate(self):
        self.token.certify(self.key, keep_public=True)
        self.assertEqual(self.certificate().subject, self.key.label)
        self.token.remove(self.key, "cert")
        self.assertIsNone(self.certificate())


if __name__ == "__main__":
    lab.main()
