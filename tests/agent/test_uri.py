"""PKCS#11 URIs (RFC 7512) as names of providers: which token, of which module, and nothing else."""
import os
import re

import lab
import token_bed
from lab import client as c
from test_configured import Configured, provider


class Uri(Configured):
    def setUp(self):
        self.hsm, self.keys, self.section = self.soft(("One", "Two words"))
        self.module = f"module-path={self.hsm.module}"

    def serial(self, label):
        shown = self.hsm.tool("pkcs11-tool", "--module", self.hsm.module, "--list-slots").stdout
        return re.search(rf"token label\s*: {label}.*?serial num\s*: (\w+)", shown, re.S).group(1)

    def refused(self, uri, *words):
        self.assertEqual(self.add(uri), c.FAILURE)
        self.refused_with(*words)


class Added(Uri):
    def test_only_the_token_that_is_meant_is_loaded(self):
        self.begin(self.section, askpass=self.askpass("1234"))
        for uri, key in (("pkcs11:token=One", self.keys[0]), ("pkcs11:token=Two%20words", self.keys[1]),
                         (f"pkcs11:serial={self.serial('One')}", self.keys[0])):
            with self.subTest(uri=uri):
                self.assertEqual(self.load(f"{uri}?{self.module}"), [key.blob])
                self.assertIsNotNone(self.sign(key.blob), self.agent.log())
                name = self.agent.status()["providers"][0]["name"]
                self.assertEqual(name, f"{uri}?module-path={os.path.realpath(self.hsm.module)}")
                with lab.AgentClient(self.agent) as client:
                    self.assertEqual(client.remove_token(f"{uri}?{self.module}"), c.SUCCESS)
        self.assertEqual(len(self.load(f"pkcs11:?{self.module}")), 2)

    def test_attributes_that_contradict_each_other_mean_no_token(self):
        self.begin(self.section)
        self.refused(f"pkcs11:token=One;serial={self.serial('Two words')}?{self.module}", "offers no key")

    def test_a_pin_in_it_is_refused_and_stands_nowhere(self):
        self.begin(self.section)
        for name in ("pin-value", "pin-source"):
            self.refused(f"pkcs11:token=One?{self.module}&{name}=73571", "a PIN has no place in a URI")
        self.refused(f"pkcs11:token=One?{self.module}&pin-value=%37%33571", "a PIN has no place in a URI")
        self.assertNotIn("73571", self.agent.log() + str(self.agent.status()))
        self.assertNotIn("%37", self.agent.log() + str(self.agent.status()))

    def test_what_can_not_be_kept_to_is_refused(self):
        self.begin(self.section)
        for more in ("object=key", "id=%01", "type=private", "slot-id=1", "library-manufacturer=x", "x-mine=1"):
            self.refused(f"pkcs11:token=One;{more}?{self.module}", "more than which token")
        self.refused("pkcs11:token=%zz?" + self.module, "no PKCS#11 URI")
        self.refused("pkcs11:token=One?module-path=relative.so", "not an absolute path")
        self.refused("pkcs11:token=One?module-name=../x", "without a path")
        self.refused("pkcs11:token=One?module-name=no-such", "no module of that name")
        self.refused("pkcs11:token=One?module-name=opensc-pkcs11", "offers no key")

    def test_its_module_has_to_be_among_the_allowed(self):
        self.begin(self.section, options=("-P", "/nowhere/*,pkcs11:*"))
        self.refused(f"pkcs11:token=One?{self.module}", "not in the list of allowed providers")

    def test_a_token_whose_name_looks_like_a_module_is_none(self):
        self.begin(self.section, options=("-P", "/usr/lib/nothing.so"))
        self.refused(f"pkcs11:token=%3Fmodule-path%3D%2Fusr%2Flib%2Fnothing.so?{self.module}",
                     "not in the list of allowed providers")


class Named(Uri):
    def test_the_configuration_may_name_a_token(self):
        self.begin(self.section + provider("two", f"pkcs11:token=Two%20words?{self.module}"))
        self.assertEqual(self.wait_for_keys(1), [self.keys[1].blob])
        self.assertEqual(self.state("two")["load"], "pkcs11:token=Two%20words")

    def test_a_pin_in_the_configuration_is_a_mistake(self):
        self.begin(provider("other", "fake:other"))
        self.wait_for_keys(1)
        (self.agent.home / ".config" / "keystile" / "keystile.conf").write_text(
            provider("two", f"pkcs11:token=Two?{self.module}&pin-value=73571"))
        done = self.agent.run(lab.CONTROL, "reload", env={
            "KEYSTILE_CONTROL": str(self.agent.own_folder / "control.sock")})
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("a PIN has no place here", done.stderr)
        self.assertNotIn("73571", done.stderr + self.agent.log())
        self.assertEqual(len(self.blobs()), 1)
