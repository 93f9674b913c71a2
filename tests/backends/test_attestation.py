"""keystile-worker-attestation: what counts as proof that a card wants a touch for each signature with a key."""
import base64
import json
import os
import unittest

import lab
from cryptography.hazmat.primitives import serialization
from lab import attestation, keys, worker as w
from lab.keys import string

DER = serialization.Encoding.DER


class Proof(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.maker, cls.private = attestation.Maker(), keys.private("p256")
        cls.public = cls.private.public_key()
        cls.blob = keys.blob_of(cls.public)
        cls.signer = cls.maker.card.certificate.public_bytes(DER)
        cls.good = cls.maker.attests(cls.public).public_bytes(DER)

    def setUp(self):
        self.folder = lab.Folder()
        self.addCleanup(self.folder.close)
        self.config = self.folder.path / ".config"
        attestation.trust(self.config, self.maker.trusted())

    def asked(self, request):
        class Worker(w.Worker):
            grants = ((w.GRANT_READ, self.config / "keystile" / "attestation"),)

        with Worker("attestation:", "attestation", wrapper=["env", f"HOME={self.folder.path}"]) as worker:
            return worker.call(w.ADMINISTER, string(json.dumps(request)) + b"\0")[1]

    def answer(self, certificate=None, signer=None, blob=None):
        fields = {"key": blob or self.blob, "certificate": certificate or self.good, "signer": signer or self.signer}
        done = self.asked({"verb": "attest", **{name: base64.b64encode(value).decode() for name, value in fields.items()}})
        self.assertEqual(done.error, w.OK, done)
        return json.loads(done.result)

    def refused(self, words, **claim):
        answer = self.answer(**claim)
        self.assertEqual((answer["touch"], words in answer["why"]), (False, True), answer)

    def test_the_makers_chain_proves_a_touch_for_each_signature(self):
        self.assertEqual(self.answer(), {"touch": True, "why": ""})

    def test_what_stands_between_may_be_with_the_root_in_one_file_or_in_another(self):
        attestation.trust(self.config, self.maker.between.certificate.public_bytes(serialization.Encoding.PEM),
                          b"no certificate\n", self.maker.root.certificate.public_bytes(serialization.Encoding.PEM))
        self.assertTrue(self.answer()["touch"])

    def test_without_a_root_nothing_is_proven(self):
        attestation.trust(self.config)
        self.refused("no maker's certificate is trusted")
        attestation.trust(self.config, self.maker.between.certificate.public_bytes(serialization.Encoding.PEM))
        self.refused("no maker's certificate is trusted")

    def test_another_makers_root_proves_nothing(self):
        attestation.trust(self.config, attestation.Maker("Another").trusted())
        self.refused("leads to the card's")

    def test_a_file_that_others_can_write_is_not_trusted(self):
        attestation.trust(self.config, self.maker.trusted(), mode=0o666)
        self.refused("no maker's certificate is trusted")

    @unittest.skipUnless(os.getuid() == 0, "only root can give a file away")
    def test_a_file_of_somebody_else_is_not_trusted(self):
        os.chown(self.config / "keystile" / "attestation" / "0.pem", 12345, 12345)
        self.refused("no maker's certificate is trusted")

    def test_another_key_is_not_attested(self):
        self.refused("another key", blob=keys.blob_of(keys.private("p256").public_key()))

    def test_other_policies_are_no_touch_for_each_signature(self):
        for touch in (attestation.TOUCH_NEVER, attestation.TOUCH_CACHED, 0, 4):
            self.refused("no touch for each", certificate=self.maker.attests(self.public, touch=touch).public_bytes(DER))
        for values in ([], [b"\x02"], [b"\x02\x02\x02"], [b""], [b"\x04\x02\x02\x02"]):
            with self.subTest(values):
                self.refused("no touch for each", certificate=self.maker.attests(self.public, values=values).public_bytes(DER))

    def test_a_key_that_is_attested_attests_no_other(self):
        leaf = attestation.Authority.__new__(attestation.Authority)
        leaf.key, leaf.name = keys.private("p256"), self.maker.attests(self.public).subject
        own = self.maker.attests(leaf.key.public_key())
        forged = self.maker.attests(self.public, signer=leaf)
        self.refused("leads to the card's", certificate=forged.public_bytes(DER), signer=own.public_bytes(DER))

    def test_the_signer_that_comes_along_is_no_root(self):
        stranger = attestation.Maker("Stranger")
        self.refused("leads to the card's", certificate=stranger.attests(self.public).public_bytes(DER),
                     signer=stranger.root.certificate.public_bytes(DER))

    def test_what_is_no_certificate_makes_no_sense(self):
        for bad in (self.good[:-1], self.good + b"\0", b"\x30", os.urandom(500), b"\x30\x84\xff\xff\xff\xff" + bytes(64)):
            self.refused("make no sense", certificate=bad)
            self.refused("make no sense", signer=bad)
        changed = bytearray(self.good)
        changed[-1] ^= 1
        self.assertFalse(self.answer(certificate=bytes(changed))["touch"])

    def test_a_request_that_makes_no_sense_is_refused(self):
        for request in ({"verb": "attest"}, {"verb": "attest", "key": "?", "certificate": "", "signer": 3}):
            self.assertEqual(self.asked(request).error, w.BAD_INPUT)
        self.assertEqual(self.asked({"verb": "find"}).error, w.UNSUPPORTED)


if __name__ == "__main__":
    unittest.main()
