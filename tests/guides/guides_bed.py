"""A home folder, hosts and a token with which the commands of a page are run."""
import os
import pathlib
import pwd
import re
import unittest

import lab

GUIDES = lab.ROOT / "docs" / "guides"
HOME = pathlib.Path(pwd.getpwuid(0).pw_dir)
# ssh and its like take the home folder from the system's list of users, whatever HOME says.
PRELUDE = """
set -eu -o pipefail
cd "$HOME"
"""


def blocks(page, language):
    """What stands in the page's blocks of that name."""
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
        self.sshd = lab.Sshd(names=("bastion", "server", "host.example", "db.example"))
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
        return self.run_script(page, before + "".join(blocks(page, "sh")) + after)

    def run_script(self, page, script):
        """Commands of that page; what they print."""
        self._cover_home()
        done = lab.run(["bash", "-c", PRELUDE + script], env=self.env())
        self.assertEqual(done.returncode, 0, f"{page}:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def run_with_agent(self, page, load="", after=""):
        """Where the page takes for granted that an agent runs."""
        before = f'eval "$(keystile-agent -s)" >/dev/null\n{load}'
        return self.run_page(page, before, f'{after}\neval "$(keystile-agent -k)"\n')

    def load(self):
        return f"ssh-add -q -s {self.hsm.module}\n"
