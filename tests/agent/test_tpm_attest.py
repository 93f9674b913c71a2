"""keystile tpm attest, challenge, answer and verify: whether a key is in a TPM, and in which."""
import base64
import json
import unittest

import lab
from lab import tpm
from tpm_bed import CommandTest, PIN


class AttestTest(CommandTest):
    def save(self, name, value):
        (self.path / name).write_text(value if isinstance(value, str) else json.dumps(value))

    def attest(self, *options, name="key.tpm", **how):
        text = self.call("attest", *options, name, **how).stdout
        self.save("proof", text)
        return json.loads(text)

    def converse(self, *roots, at=None):
        """Challenge and answer to the proof, in files."""
        self.save("challenge", self.call("challenge", *roots, "proof").stdout)
        self.save("answer", self.call("answer", "challenge", at=at).stdout)

    def verify(self, *options, **how):
        return json.loads(self.call("verify", "--json", *options, "proof", **how).stdout)

    ANSWERED = ("--challenge", "challenge", "--answer", "answer")


class Statement(AttestTest):
    def refuse_changed(self, words, proof, **changed):
        self.save("proof", {**proof, **changed})
        self.refuse(words, "verify", "--nonce", "today", "proof")

    def test_a_key_that_was_made_in_the_tpm_is_certified_as_that(self):
        self.create()
        self.attest("--nonce", "today")
        self.tpm.bus.clear()
        proved = self.verify("--nonce", "today")
        self.assertEqual(self.tpm.bus.passed, [])
        self.assertEqual((proved["public_key"], proved["made_inside"], proved["stays_inside"]),
                         (self.blob("key.tpm"), True, True))
        said = self.call("verify", "--nonce", "today", "proof").stdout
        for words in ("was made in the TPM", "not proved", proved["attestation_key"]):
            self.assertIn(words, said)

    def test_the_attestation_key_is_the_same_each_time(self):
        names = set()
        for name in ("a.tpm", "b.tpm"):
            self.create(name)
            self.attest(name=name)
            names.add(self.verify()["attestation_key"])
        self.assertEqual(len(names), 1)

    def test_a_key_from_outside_is_told_from_one_that_was_made_inside(self):
        lab.run_well(["ssh-keygen", "-q", "-N", "", "-f", self.path / "outside", "-t", "ecdsa"])
        self.call("import", "--no-pin", "outside", "key.tpm")
        self.attest()
        proved = self.verify()
        self.assertEqual((proved["made_inside"], proved["stays_inside"]), (False, False))
        self.assertIn("may be outside", self.call("verify", "proof").stdout)

    def test_whatever_was_changed_is_noticed(self):
        self.create()
        good = self.attest("--nonce", "today")
        self.create("other.tpm")
        other = self.attest("--nonce", "today", name="other.tpm")
        self.refuse_changed("not signed with", good, statement=other["statement"])
        self.refuse_changed("another key", good, key=other["key"])
        self.refuse_changed("not signed with", good, signature=other["signature"])
        self.refuse_changed("might sign anything", good, attestation_key=other["key"])
        self.refuse_changed("not signed with", good, statement=good["statement"][:-4])
        self.refuse_changed("malformed", good, key="AAAA")
        self.save("proof", good)
        self.verify("--nonce", "today")
        self.refuse("another nonce", "verify", "--nonce", "tomorrow", "proof")
        self.save("proof", [])
        self.refuse("holds no proof", "verify", "proof")

    def test_the_pin_of_the_key_is_asked_for(self):
        key = self.create_with_pin()
        shown = self.types("attest", key.name, answers=[("The PIN of", PIN)])
        self.assertIn('"statement"', shown)
        self.assertEqual(self.tpm.failures(), 0)


class Uncertified(AttestTest):
    def test_a_tpm_without_certificates_answers_for_its_endorsement_key(self):
        self.create()
        proof = self.attest()
        self.assertEqual([one["place"] for one in proof["endorsement_keys"]], ["0x01c0000a"])
        self.converse()
        proved = self.verify(*self.ANSWERED)
        self.assertEqual([(one["answered"], one["trusted"], one["certificate"]) for one in proved["endorsement_keys"]],
                         [(True, False, None)])
        said = self.call("verify", *self.ANSWERED, "proof").stdout
        self.assertIn("answered the challenge", said)
        self.assertIn("without a certificate", said)
        self.assertNotIn("not proved", said)

    def test_what_the_owner_of_the_endorsement_hierarchy_keeps_is_asked_for_when_told(self):
        self.create()
        self.tpm.tool("tpm2_changeauth", "-c", "endorsement", "of-makers")
        self.addCleanup(self.tpm.tool, "tpm2_changeauth", "-c", "endorsement", "-p", "of-makers", "")
        self.tpm.bus.clear()
        self.refuse("--endorsement-password", "attest", "key.tpm")
        answers = [("The password of the TPM's endorsement", "of-makers")]
        shown = self.types("attest", "--endorsement-password", "key.tpm", answers=answers)
        self.save("proof", shown[shown.index("{"):])
        self.save("challenge", self.call("challenge", "proof").stdout)
        self.refuse("--endorsement-password", "answer", "challenge")
        shown = self.types("answer", "--endorsement-password", "challenge", answers=answers)
        self.save("answer", shown[shown.index("{"):])
        self.assertTrue(self.verify(*self.ANSWERED)["endorsement_keys"][0]["answered"])
        self.assertFalse([one for one in self.tpm.bus.passed if b"of-makers" in one])

    def test_a_template_or_a_nonce_of_the_maker_makes_another_key(self):
        self.create()
        usual = base64.b64decode(self.attest()["endorsement_keys"][0]["public"])
        template = usual[2:-68] + 2 * (b"\0\x20" + bytes(31) + b"\1")  # the public part, and what is unique of it
        seen = {usual}
        for place, content in (("0x01c0000b", b"nonce of a maker"), ("0x01c0000c", template)):
            with self.subTest(place):
                self.write(place, content)
                seen.add(base64.b64decode(self.attest()["endorsement_keys"][0]["public"]))
                self.converse()
                self.assertTrue(self.verify(*self.ANSWERED)["endorsement_keys"][0]["answered"])
        self.assertEqual(len(seen), 3)

    def write(self, place, content):
        file = self.path / "content"
        file.write_bytes(content)
        self.tpm.tool("tpm2_nvdefine", place, "-C", "o", "-s", len(content), "-a", "ownerread|authread|ownerwrite")
        self.addCleanup(self.tpm.tool, "tpm2_nvundefine", place, "-C", "o")
        self.tpm.tool("tpm2_nvwrite", place, "-C", "o", "-i", file)


class Certified(AttestTest):
    @classmethod
    def setUpClass(cls):
        cls.tpm = tpm.Tpm(endorsed=True)
        cls.other = tpm.Tpm(endorsed=True)
        cls.addClassCleanup(cls.other.close)

    def setUp(self):
        super().setUp()
        self.roots = self.path / "roots.pem"
        self.roots.write_text(self.tpm.root.read_text() + self.tpm.issuer.read_text())

    def test_the_tpm_answers_with_either_key_and_the_maker_vouches_for_it(self):
        self.create()
        proof = self.attest()
        keys = {one["place"]: one for one in proof["endorsement_keys"]}
        self.assertEqual(sorted(keys), ["0x01c00002", "0x01c00016"])
        for place in keys:
            with self.subTest(place):
                self.save("proof", {**proof, "endorsement_keys": [keys[place]]})
                self.converse("--roots", self.roots)
                [proved] = self.verify("--roots", self.roots, *self.ANSWERED)["endorsement_keys"]
                self.assertEqual((proved["answered"], proved["trusted"]), (True, True))
                self.assertIn("swtpm-localca", proved["certificate"]["issuer"])
                said = " ".join(self.call("verify", "--roots", self.roots, *self.ANSWERED, "proof").stdout.split())
                self.assertIn("leads to an authority that was given", said)
                self.assertIn("that the key is in the TPM", said)

    def test_the_secret_does_not_pass_the_bus(self):
        self.create()
        self.attest()
        self.converse()
        secret = base64.b64decode(json.loads((self.path / "answer").read_text())["answer"])
        self.assertEqual(len(secret), 32)
        self.assertFalse([one for one in self.tpm.bus.answered if secret in bytes(one)])

    def test_another_tpm_can_not_answer(self):
        self.create()
        self.attest()
        self.save("challenge", self.call("challenge", "--roots", self.roots, "proof").stdout)
        self.refuse("was made for another TPM", "answer", "challenge", at=self.other)

    def test_a_proof_with_the_endorsement_keys_of_another_tpm_gets_no_answer(self):
        """Somebody's certificates beside an attestation key that is not in that TPM."""
        self.create()
        mine = self.attest()
        self.create("theirs.tpm", at=self.other)
        theirs = self.attest(name="theirs.tpm", at=self.other)
        self.save("proof", {**theirs, "endorsement_keys": mine["endorsement_keys"]})
        self.verify("--roots", self.roots)  # each part of it is true
        self.save("challenge", self.call("challenge", "--roots", self.roots, "proof").stdout)
        self.refuse("was made for another TPM", "answer", "challenge")
        self.refuse("was made for another TPM", "answer", "challenge", at=self.other)

    def test_an_answer_to_another_challenge_is_refused(self):
        self.create()
        proof = self.attest()
        self.converse()
        old = (self.path / "answer").read_text()
        self.converse()
        self.verify(*self.ANSWERED)
        self.save("answer", old)
        self.refuse("the answer is wrong", "verify", *self.ANSWERED, "proof")
        self.save("answer", {"answer": "AAAA"})
        self.refuse("the answer is wrong", "verify", *self.ANSWERED, "proof")
        self.converse()
        self.save("proof", {**proof, "endorsement_keys": proof["endorsement_keys"][1:]})
        self.refuse("the answer is wrong", "verify", *self.ANSWERED, "proof")

    def test_an_answer_for_another_attestation_key_is_refused(self):
        self.create()
        self.attest()
        self.converse()
        self.create("theirs.tpm", at=self.other)
        mine = json.loads((self.path / "proof").read_text())
        theirs = self.attest(name="theirs.tpm", at=self.other)
        self.save("proof", {**theirs, "endorsement_keys": mine["endorsement_keys"]})
        self.refuse("the answer is wrong", "verify", *self.ANSWERED, "proof")

    def test_roots_that_are_given_have_to_vouch(self):
        self.create()
        self.attest()
        self.converse()
        strangers = self.path / "strangers.pem"
        strangers.write_text(self.other.root.read_text() + self.other.issuer.read_text())
        self.refuse("no certificate that leads", "verify", "--roots", strangers, *self.ANSWERED, "proof")
        self.refuse("no certificate that leads", "verify", "--roots", strangers, "proof")
        self.refuse("certificate that leads to one", "challenge", "--roots", strangers, "proof")
        self.assertIn("not checked", self.call("verify", *self.ANSWERED, "proof").stdout)
        (self.path / "empty").write_text("")
        self.refuse("holds no certificates", "verify", "--roots", "empty", "proof")

    def test_a_certificate_of_another_key_counts_as_none(self):
        self.create()
        mine = self.attest()
        first, second = mine["endorsement_keys"]
        self.save("proof", {**mine, "endorsement_keys": [{**first, "certificate": second["certificate"]}]})
        self.refuse("no certificate that leads", "verify", "--roots", self.roots, "proof")

    def test_certificates_between_root_and_tpm_may_come_from_the_tpm(self):
        issuer = self.path / "issuer.der"
        lab.run_well(["openssl", "x509", "-in", self.tpm.issuer, "-outform", "DER", "-out", issuer])
        self.create()
        self.attest()
        self.refuse("no certificate that leads", "verify", "--roots", self.tpm.root, "proof")
        self.tpm.tool("tpm2_nvdefine", "0x01c00100", "-C", "o", "-s", issuer.stat().st_size,
                      "-a", "ownerread|authread|ownerwrite")
        self.addCleanup(self.tpm.tool, "tpm2_nvundefine", "0x01c00100", "-C", "o")
        self.tpm.tool("tpm2_nvwrite", "0x01c00100", "-C", "o", "-i", issuer)
        self.attest()
        self.verify("--roots", self.tpm.root)

    def test_malformed_challenges_are_refused_in_words(self):
        self.create()
        self.attest()
        good = json.loads(self.call("challenge", "proof").stdout)
        for changed in ({"place": "0x01c000ff"}, {"place": 1}, {"credential": ""}, {"seed": "AAAA"},
                        {"seed": good["credential"]}):
            with self.subTest(changed):
                self.save("challenge", {**good, **changed})
                self.refuse("challenge", "answer", "challenge")
        self.save("challenge", "no JSON")
        self.refuse("holds no challenge", "answer", "challenge")
        self.save("proof", {})
        self.refuse("the proof is malformed", "challenge", "proof")
        self.call("verify", "--challenge", "challenge", "proof", status=2)


if __name__ == "__main__":
    unittest.main()
