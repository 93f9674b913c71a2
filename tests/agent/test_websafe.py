"""What a security key that was made for a web site signs: nothing that could be a login to the site."""
import json

import lab
from bed import AgentTest
from lab import client as c, keys
from lab.keys import string
from lab.security_key import AUTHENTICATOR, MODULES, Instructed

SITE = "https://site.example"
SID = b"s" * 32
# What a browser has signed begins with this: a hash of the site's name, then flags and a counter.
WEB_LOGIN = b"\x5a" * 32 + b"\x05\0\0\0\1" + b"\x77" * 32
CLIENT_DATA = json.dumps({"type": "webauthn.get", "challenge": "AAAA", "origin": SITE}).encode()


class WebsafeTest(AgentTest):
    provider = None
    allowed = ("-P", f"{MODULES}/*")

    def setUp(self):
        self.options = (*self.allowed, *self.options)
        super().setUp()

    def given(self, application):
        key = Instructed(application=application)
        body = key.private + string("a key") + c.constraint("sk-provider@openssh.com", string(str(AUTHENTICATOR)))
        with lab.AgentClient(self.agent) as one:
            self.assertEqual(one.call(c.ADD_CONSTRAINED, body)[0], c.SUCCESS, self.agent.log())
        return key

    def signs(self, key, data):
        with lab.AgentClient(self.agent) as one:
            signature = one.sign(key.blob, data)
        self.assertIsNotNone(signature, self.agent.log())
        keys.verify(key.blob, signature, data)

    def refuses(self, key, data):
        with lab.AgentClient(self.agent) as one:
            self.assertIsNone(one.sign(key.blob, data), data)
        self.assertIn("made for a web site", self.agent.refusals()[0])

    @staticmethod
    def near_misses(key):
        """Data that is almost a login with the key or an SSH signature."""
        login, signature = lab.userauth(SID, "joe", key.blob), lab.sshsig(b"x")
        other = Instructed(application=SITE)
        return (login + b"\0", login[:-1], lab.userauth(b"", "joe", key.blob), lab.userauth(SID, "joe", other.blob),
                lab.userauth(SID, "joe", key.blob, algorithm="ssh-ed25519"),
                login.replace(b"publickey", b"publickez"), login.replace(b"ssh-connection", b"ssh-connectiom"),
                login.replace(b"\x32", b"\x33", 1), signature + b"\0", signature[:-1], signature[1:],
                b"sshsig" + signature[6:], WEB_LOGIN, CLIENT_DATA, b"", b"data")


class Restricted(WebsafeTest):
    def test_a_web_sites_key_signs_logins_and_ssh_signatures(self):
        host = lab.HostKey()
        for application in (SITE, "site.example", "ssh", ""):
            key = self.given(application)
            self.signs(key, lab.userauth(SID, "joe", key.blob))
            self.signs(key, lab.userauth(SID, "joe", key.blob, host_key=host.blob))
            self.signs(key, lab.sshsig(b"x"))

    def test_a_web_sites_key_signs_nothing_else(self):
        for application in (SITE, "site.example", "ssh", "SSH:", ""):
            self.refuses(self.given(application), WEB_LOGIN)
        key = self.given(SITE)
        for data in self.near_misses(key):
            self.refuses(key, data)

    def test_a_key_made_for_ssh_signs_anything(self):
        for application in ("ssh:", "ssh:work"):
            key = self.given(application)
            for data in self.near_misses(key):
                self.signs(key, data)


class Unrestricted(WebsafeTest):
    options = ("-O", "no-restrict-websafe")

    def test_every_key_signs_anything(self):
        for application in ("ssh:", SITE, ""):
            self.signs(self.given(application), WEB_LOGIN)


class Listed(WebsafeTest):
    options = ("-O", "websafe-allow=https://*,!https://bank.*")

    def test_only_keys_on_the_list_sign_anything(self):
        self.signs(self.given(SITE), WEB_LOGIN)
        for application in ("https://bank.example", "ssh:", ""):
            key = self.given(application)
            self.refuses(key, WEB_LOGIN)
            self.signs(key, lab.sshsig(b"x"))


if __name__ == "__main__":
    import unittest
    unittest.main()
