"""The PIV card in software behind the real pcscd: the programs that people use for their cards are content with it."""
import subprocess
import unittest

import lab
from lab import card

KINDS = {"9a": "rsa:2048", "9c": "p384", "9d": "p256", "9e": "p256"}
YUBIKEY = "Yubico YubiKey CCID"
# The one that cards leave the factory with.
MANAGEMENT_KEY = ":".join(["01:02:03:04:05:06:07:08"] * 3)


def setUpModule():
    lab.namespaces.enter()


class Case(unittest.TestCase):
    """One pcscd for all tests of a class, a fresh card for each."""

    reader, yubikey, policies = "Virtual PCD", False, None

    @classmethod
    def setUpClass(cls):
        cls.daemon = card.Pcscd(cls.reader)
        cls.addClassCleanup(cls.daemon.close)

    def setUp(self):
        self.card = card.Card(KINDS, self.policies, yubikey=self.yubikey)
        self.addCleanup(self.take_out)
        self.env = lab.environment(self.card.folder.path)
        card.wait_until_seen()

    def take_out(self):
        """So that no test meets the one before's."""
        self.card.close()
        card.wait_until_seen(0)

    def run_tool(self, *command):
        return lab.run(command, env=self.env)

    def tool(self, *command):
        done = self.run_tool(*command)
        self.assertEqual(done.returncode, 0, f"{command}:\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def module_is_content(self, module):
        said = self.tool("pkcs11-tool", "--module", module, "--login", "--pin", self.card.pin, "--test")
        self.assertTrue(said.count("SHA256-RSA-PKCS: OK"), said)
        self.assertIn("No errors", said)

    def signs(self, module, number, slot):
        """By pkcs11-tool with the key of that number, as OpenSC and ykcs11 count them."""
        folder = self.card.folder.path
        (folder / "data").write_bytes(bytes(32))
        self.tool("pkcs11-tool", "--module", module, "--login", "--pin", self.card.pin, "--sign", "--id", number,
                  "--mechanism", "ECDSA", "--signature-format", "openssl", "-i", folder / "data", "-o", folder / "made")
        public = folder / "public.pem"
        public.write_text(lab.run_well(["openssl", "x509", "-in", folder / f"{slot}.pem", "-noout", "-pubkey"]).stdout)
        self.tool("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public, "-in", folder / "data",
                  "-sigfile", folder / "made")


class OpenSC(Case):
    def test_opensc_tool_knows_what_it_is(self):
        self.assertIn("Personal Identity Verification Card", self.tool("opensc-tool", "--name"))

    def test_pkcs11_tool_finds_no_errors(self):
        self.module_is_content(card.OPENSC)

    def test_pkcs11_tool_signs_with_every_curve_and_with_the_key_that_always_wants_its_pin(self):
        for number, slot in (("02", "9c"), ("04", "9e")):
            self.signs(card.OPENSC, number, slot)

    def test_piv_tool_reads_and_writes_it(self):
        self.assertIn("Personal Identity Verification Card", self.tool("piv-tool", "--name"))
        self.assertIn("4B 65 79 73", self.tool("piv-tool", "--serial"))
        key = self.card.folder.path / "management"
        key.write_text(MANAGEMENT_KEY)
        self.env["PIV_EXT_AUTH_KEY"] = str(key)
        # Its exit status says nothing: the number of bytes that the card took.
        self.run_tool("piv-tool", "-A", "M:9B:03", "-C", "9C", "-i", self.card.folder.path / "9e.pem")
        self.assertIn("CN=slot 9e", self.tool("pkcs11-tool", "--module", card.OPENSC, "-O", "--type", "cert", "--id", "02"))

    def test_a_card_that_is_taken_out_is_gone_and_one_that_is_put_in_is_there(self):
        self.card.remove()
        card.wait_until_seen(0)
        self.card.insert()
        card.wait_until_seen()
        self.daemon.restart()
        card.wait_until_seen()


class Yubico(Case):
    reader, yubikey = YUBIKEY, True

    def test_yubico_piv_tool_shows_it(self):
        said = self.tool("yubico-piv-tool", "-a", "status")
        for words in ("5.4.3", "1234567", "RSA2048", "ECCP384", "CN=slot 9e"):
            self.assertIn(words, said)

    def test_yubico_piv_tool_makes_keys_and_certificates_and_signs(self):
        folder = self.card.folder.path
        self.tool("yubico-piv-tool", "-a", "import-certificate", "-s", "9d", "-i", folder / "9a.pem")
        self.assertIn("Successful ECDSA verification", self.tool(
            "yubico-piv-tool", "-a", "verify-pin", "-P", self.card.pin, "-a", "test-signature", "-s", "9e",
            "-i", folder / "9e.pem"))
        self.tool("yubico-piv-tool", "-a", "generate", "-s", "9c", "-A", "ECCP384", "-o", folder / "fresh.pem")
        self.assertIn("384 bit", self.tool("openssl", "pkey", "-pubin", "-in", folder / "fresh.pem", "-noout", "-text"))

    def test_yubico_piv_tool_changes_and_unblocks_the_pin(self):
        self.tool("yubico-piv-tool", "-a", "change-pin", "-P", self.card.pin, "-N", "654321")
        self.card.pin_tries(0)
        self.tool("yubico-piv-tool", "-a", "unblock-pin", "-P", "12345678", "-N", "246810")
        self.tool("yubico-piv-tool", "-a", "verify-pin", "-P", "246810")

    def test_ykcs11_is_content(self):
        self.module_is_content(card.YKCS11)


class Touched(Case):
    reader, yubikey, policies = YUBIKEY, True, {"9e": "touch=always"}

    def test_ykcs11_signs_when_the_key_is_touched(self):
        folder = self.card.folder.path
        (folder / "data").write_bytes(bytes(32))
        with subprocess.Popen(["pkcs11-tool", "--module", card.YKCS11, "--login", "--pin", self.card.pin, "--sign",
                               "--id", "04", "--mechanism", "ECDSA", "-i", folder / "data", "-o", folder / "made"],
                              env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as signing:
            self.card.touch()
            self.assertEqual(signing.wait(lab.place.ANSWER_SECONDS * lab.PATIENCE), 0)
        self.assertEqual(len((folder / "made").read_bytes()), 64)


if __name__ == "__main__":
    unittest.main()
