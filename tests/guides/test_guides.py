"""
docs/guides: every command that stands there as one to be typed, run in the order of its page.

A block ```sh is run, all of a page in one shell; ```keystile.conf is read by an agent, ```ssh_config by ssh,
```json parsed. What can't be run here (a service manager, packages, containers) stands in blocks without a name.
"""
import json
import os
import pathlib
import pwd
import re
import threading
import unittest

import lab
from lab import card

GUIDES = lab.ROOT / "docs" / "guides"
HOME = pathlib.Path(pwd.getpwuid(0).pw_dir)
# ssh and its like take the home folder from the system's list of users, whatever HOME says.
PRELUDE = """
set -eu -o pipefail
cd "$HOME"
"""


def setUpModule():
    lab.namespaces.enter()


def blocks(page, language):
    return re.findall(rf"^```{re.escape(language)}\n(.*?)^```$", (GUIDES / page).read_text(), re.M | re.S)


class Guide(unittest.TestCase):
    """.run_page(NAME) runs a page's commands in a home of its own, with a host that is called server and one called bastion."""

    pin = "1234"

    def setUp(self):
        self.folder = lab.place.Folder()
        self.addCleanup(self.folder.close)
        self.home = self.folder.path
        (self.home / ".ssh").mkdir(mode=0o700)
        (self.home / ".gnupg").mkdir(mode=0o700)
        self.hsm = lab.SoftHSM()
        self.addCleanup(self.hsm.close)
        self.token = self.hsm.token("work", self.pin)
        self.key = self.token.generate("p256", "work laptop")
        self.sshd = lab.Sshd(names=("bastion", "server"))
        self.addCleanup(self.sshd.close)
        self.sshd.allow(self.key)
        self.askpass = lab.Askpass(self.pin)
        self.addCleanup(self.askpass.close)
        self._make_files()

    def _make_files(self):
        ssh = self.home / ".ssh"
        (ssh / "config").write_text(self.sshd.config.read_text())
        (ssh / "known_hosts").write_text(self.sshd.known_hosts.read_text())
        lab.run_well(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "laptop", "-f", ssh / "id_ed25519"])
        self.sshd.allow((ssh / "id_ed25519.pub").read_text().strip())
        (self.home / ".gitconfig").write_text("[user]\n\tname = Joe\n\temail = joe@example.org\n")
        (self.home / ".gnupg" / "gpg-agent.conf").write_text("enable-ssh-support\ndefault-cache-ttl 600\n")
        for name in (".bashrc", ".profile", ".zshrc"):
            (self.home / name).write_text("# nothing\n")
        config = self.home / ".config" / "keystile"
        config.mkdir(parents=True)
        (config / "keystile.conf").write_text('audit = "file"\n')

    def env(self):
        env = lab.environment(HOME)
        env.update(self.hsm.env)
        env["PATH"] = f"{lab.BUILD}/bin:{env['PATH']}"
        env.update(XDG_RUNTIME_DIR=str(self.home / "run"), TMPDIR=str(self.home / "tmp"),
                   SSH_ASKPASS=str(self.askpass.path), SSH_ASKPASS_REQUIRE="force", SHELL="/bin/bash")
        return env

    def _cover_home(self):
        """Our folder instead of the home folder; where the clone is below that, it stays in its place."""
        clone = os.open(lab.ROOT, os.O_PATH)
        self.addCleanup(os.close, clone)
        lab.namespaces.put_over(self.home, HOME)
        self.addCleanup(lab.namespaces.uncover, HOME)
        if HOME in lab.ROOT.parents:
            lab.ROOT.mkdir(parents=True)
            lab.namespaces.put_over(f"/proc/self/fd/{clone}", lab.ROOT)
            self.addCleanup(lab.namespaces.uncover, lab.ROOT)

    def run_page(self, page, before="", after=""):
        script = PRELUDE + before + "".join(blocks(page, "sh")) + after
        self._cover_home()
        done = lab.run(["bash", "-c", script], env=self.env())
        self.assertEqual(done.returncode, 0, f"{page}:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def run_with_agent(self, page, load="", after=""):
        """Where the page takes for granted that an agent runs."""
        before = f'eval "$(keystile-agent -s)" >/dev/null\n{load}'
        return self.run_page(page, before, f'{after}\neval "$(keystile-agent -k)"\n')

    def load(self):
        return f"ssh-add -q -s {self.hsm.module}\n"


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
