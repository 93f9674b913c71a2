"""
docs/guides: every command that stands there as one to be typed, run in the order of its page.

A block ```sh is run, all of a page in one shell; ```keystile.conf is read by an agent, ```ssh_config by ssh,
```json parsed. What can't be run here (a service manager, packages, containers) stands in blocks without a name.
"""
import json
import pathlib
import re
import threading
import unittest

import lab
from guides_bed import GUIDES, Guide, blocks
from lab import card


def setUpModule():
    lab.namespaces.enter()


class WithSoftwareToken(Guide):
    def test_moving_from_ssh_agent(self):
        shown = self.run_page("from-ssh-agent.md")
        self.assertIn("work laptop", shown)

    def test_moving_from_gpg_agent(self):
        self.run_page("from-gpg-agent.md")
        self.assertEqual((self.home / ".gnupg" / "gpg-agent.conf").read_text(), "default-cache-ttl 600\n")

    def test_signing_git_commits(self):
        self.run_with_agent("git.md", self.load(), "git verify-commit HEAD 2>&1 | grep 'Good \"git\" signature'")

    def test_forwarding_safely(self):
        self.run_with_agent("forwarding.md", self.load())
        self.assertIn("REMOTE REQUEST", "".join(self.askpass.prompts()))

    def test_containers(self):
        shown = self.run_with_agent("containers.md", self.load())
        self.assertIn("ECDSA SHA256:", shown)

    def test_questions(self):
        self.run_with_agent("questions.md", self.load())


class WithYubiKey(Guide):
    """In the reader, with somebody who touches it whenever it blinks."""

    reader = "Yubico YubiKey CCID"
    kinds, policies = {"9a": "p256"}, None

    def setUp(self):
        daemon = card.Pcscd(self.reader)
        self.addCleanup(daemon.close)
        self.card = card.Card(self.kinds, self.policies, yubikey=True)
        self.addCleanup(self.card.close)
        card.wait_until_seen()
        super().setUp()
        self.sshd.allow(f"{lab.keys.line_of(self.card.keys['9a'])}")
        over = threading.Event()
        finger = threading.Thread(target=self._touch_until, args=[over])
        finger.start()
        self.addCleanup(finger.join)
        self.addCleanup(over.set)

    def _touch_until(self, over):
        while not over.wait(0.05):
            if self.card.status()["touch_awaited"]:
                self.card.tell("touch")


class FromYubikeyAgent(WithYubiKey):
    pin = "123456"
    policies = {"9a": "touch=always"}

    def test_moving_from_yubikey_agent(self):
        shown = self.run_with_agent("from-yubikey-agent.md")
        self.assertIn(lab.keys.line_of(self.card.keys["9a"]).split()[1], shown)


class YubiKeyPiv(WithYubiKey):
    pin = "654321"

    def test_a_key_is_made_and_used(self):
        shown = self.run_with_agent("yubikey-piv.md")
        self.assertIn("proves", shown)


class Smartcard(Guide):
    pin = "123456"

    def setUp(self):
        daemon = card.Pcscd()
        self.addCleanup(daemon.close)
        self.card = card.Card({"9a": "rsa:2048", "9c": "p256"})
        self.addCleanup(self.card.close)
        card.wait_until_seen()
        super().setUp()
        self.sshd.allow(lab.keys.line_of(self.card.keys["9a"]))

    def test_smartcards_of_a_company(self):
        shown = self.run_with_agent("smartcards.md", "export USER=$(id -un)\n")
        self.assertIn("Virtual PCD", shown)
        self.assertEqual(self.card.status()["wrong_pins"], 0)


class Files(unittest.TestCase):
    def test_every_configuration_is_one(self):
        found = 0
        with lab.place.Folder() as folder:
            for page in sorted(GUIDES.glob("*.md")):
                for text in blocks(page.name, "keystile.conf"):
                    found += 1
                    path = folder.path / "keystile.conf"
                    path.write_text(text)
                    done = lab.run([lab.AGENT, "--config", path, "true"], env=lab.environment(folder.path))
                    self.assertEqual(done.returncode, 0, f"{page.name}: {done.stderr}\n{text}")
        self.assertGreater(found, 2)

    def test_every_ssh_config_and_json_is_one(self):
        with lab.place.Folder() as folder:
            for page in sorted(GUIDES.glob("*.md")):
                for text in blocks(page.name, "json"):
                    json.loads(text)
                for text in blocks(page.name, "ssh_config"):
                    path = folder.path / "config"
                    path.write_text(text)
                    lab.run_well(["ssh", "-G", "-F", path, "bastion"], env=lab.environment(folder.path))

    def test_every_page_is_run_and_every_link_leads_somewhere(self):
        source = pathlib.Path(__file__).read_text()
        for page in sorted(GUIDES.glob("*.md")):
            with self.subTest(page.name):
                text = page.read_text()
                if blocks(page.name, "sh"):
                    self.assertIn(f'"{page.name}"', source)
                self.assertEqual(set(re.findall(r"^```(\S+)$", text, re.M)) -
                                 {"sh", "keystile.conf", "ssh_config", "json"}, set())
                for link in re.findall(r"\]\(([^)#]+)", text):
                    self.assertTrue((GUIDES / link).exists(), link)


if __name__ == "__main__":
    unittest.main()
