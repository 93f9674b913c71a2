"""Smartcards that are a company's single sign-on: what X.509 certificates say, and which keys are offered."""
import json

import lab
import token_bed
from lab import softhsm
from test_configured import Configured, provider

CLIENT, MAIL, LOGON = "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.4", "1.3.6.1.4.1.311.20.2.2"


class Corporate(Configured):
    """
    A token with four keys: "login" (clientAuth and smartcardLogon by "Staff CA"), "mail" (emailProtection by "Mail CA",
    expired), "any" (a certificate without usages by "Staff CA"), and "bare", which has no certificate.
    """

    def setUp(self):
        self.hsm = lab.SoftHSM()
        self.addCleanup(self.hsm.close)
        token = self.hsm.token("Badge", "1234")
        self.keys = {label: token.bring("p256", label=label) for label in ("login", "mail", "any", "bare")}
        certify = {"login": {"issuer": "Staff CA", "usages": (CLIENT, LOGON), "names": [softhsm.principal("ada@corp")]},
                   "mail": {"issuer": "Mail CA", "usages": (MAIL,), "valid": (2015, 2016)},
                   "any": {"issuer": "Staff CA"}}
        for label, options in certify.items():
            token.certify(self.keys[label], keep_public=True, **options)
        self.section = token_bed.worker_section("pkcs11", self.hsm.env)

    def config(self, more=""):
        return self.section + provider("badge", self.hsm.module, "".join(f"\t{line}\n" for line in more.split("; ")))

    def names(self):
        """The labels of the keys that are offered."""
        labels = {key.blob: label for label, key in self.keys.items()}
        return {labels[blob] for blob in self.blobs()}

    def wait_for_names(self, *names):
        lab.wait_for(f"{names} are offered", lambda: self.names() == set(names))

    def control(self, *words):
        done = self.agent.run(lab.CONTROL, *words, env={
            "KEYSTILE_CONTROL": str(self.agent.own_folder / "control.sock")})
        self.assertEqual(done.stderr, "")
        return done.stdout


class Certificates(Corporate):
    def test_status_says_whose_a_key_is_and_that_it_has_expired(self):
        self.begin(self.config())
        self.wait_for_keys(4)
        said = {one["comment"]: one["x509"] for one in self.agent.status()["keys"]}
        self.assertEqual(said["login"], {
            "subject": "ada@corp", "issuer": "CN=Staff CA,O=Example", "usages": ["clientAuth", "smartcardLogon"],
            "not_before": "2020-01-01T00:00:00Z", "not_after": "2119-01-01T00:00:00Z", "state": "valid", "others": 0})
        self.assertEqual(said["mail"]["state"], "expired")
        self.assertEqual(said["any"]["usages"], [])
        self.assertIsNone(said["bare"])
        shown = self.control("keys")
        for line in ("subject    ada@corp", "issuer     CN=Staff CA,O=Example", "usages     clientAuth, smartcardLogon",
                     "valid      2020-01-01 to 2119-01-01\n", "valid      2015-01-01 to 2016-01-01: expired"):
            self.assertIn(line, shown)
        self.assertIn("of mail, on Badge: expired", " ".join(self.control("doctor").split()))
        self.assertEqual({one["comment"] for one in json.loads(self.control("keys", "--json"))}, set(self.keys))

    def test_keys_of_ssh_add_have_them_too(self):
        self.start(config=self.section)
        self.load(self.hsm.module)
        said = {one["comment"]: one["x509"] for one in self.agent.status()["keys"]}
        self.assertEqual(said["login"]["subject"], "ada@corp")


class Rules(Corporate):
    def test_each_rule_offers_what_it_says_and_is_read_anew_without_the_token(self):
        self.begin(self.config())
        self.wait_for_keys(4)
        pid = self.pids()
        for more, names in (
                ('usages = {clientAuth}', {"login"}),
                ('usages = {"1.3.6.1.5.5.7.3.4"}', {"mail"}),
                ('usages = {any}', {"any"}),
                ('usages = {smartcardLogon, any}', {"login", "any"}),
                ('usages = {"*", "!emailProtection"}', {"login", "any", "bare"}),
                ('usages = {secureShellClient}', set()),
                ('issuers = {"Staff CA"}', {"login", "any"}),
                ('issuers = {"*O=Example"}', {"login", "any", "mail"}),
                ('issuers = {"*", "!Mail *"}', {"login", "any", "bare"}),
                ('ids = {"01", "04"}', {"login", "bare"}),
                ('ids = {"0?", "!02"}', {"login", "any", "bare"}),
                ('keys = {login, bare}; issuers = {"Staff CA"}', {"login"}),
                ('usages = {clientAuth, any}; ids = {"03"}', {"any"}),
                ('', set(self.keys))):
            with self.subTest(more):
                self.configure(self.config(more))
                self.assertEqual(self.names(), names)
        self.assertEqual(self.pids(), pid)

    def test_what_is_kept_back_is_shown_with_the_rule(self):
        self.begin(self.config('usages = {clientAuth}'))
        self.wait_for_names("login")
        said = {one["comment"]: one["reason"] for one in self.agent.status()["withheld"]}
        self.assertEqual(said, dict.fromkeys(("mail", "any", "bare"), "usages in provider badge of keystile.conf"))
        shown = self.control("keys", "--all")
        self.assertEqual(shown.count("not offered: usages in provider badge of keystile.conf"), 3)
        self.assertIn(self.keys["mail"].fingerprint, shown)
        self.assertNotIn(self.keys["mail"].fingerprint, self.control("keys"))
        self.assertIn("3 more keys are known and not offered", self.control("keys"))
        self.assertIn("3 more keys are known and not offered", self.control("status"))

    def test_a_key_that_is_kept_back_signs_nothing(self):
        self.begin(self.config('ids = {"01"}'), askpass=self.askpass("1234"))
        self.wait_for_names("login")
        self.assertIsNone(self.sign(self.keys["bare"].blob))
        self.assertIsNotNone(self.sign(self.keys["login"].blob), self.agent.log()[-2000:])

    def test_where_all_keys_are_kept_back_it_is_said(self):
        self.begin(self.config('usages = {secureShellClient}'))
        lab.wait_for("it is said", lambda: "keeps back all keys" in self.state("badge")["trouble"])
        self.configure(self.config())
        self.wait_for_keys(4)




if __name__ == "__main__":
    lab.main()
