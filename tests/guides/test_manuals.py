"""The examples of the manuals, run as they stand there."""
import re
import unittest

import lab
from guides_bed import Guide
from lab import card
from lab.keys import fingerprint_of


def setUpModule():
    lab.namespaces.enter()


def examples(manual):
    """The literal blocks of its EXAMPLES, without the prompt of a shell."""
    section = (lab.ROOT / "docs" / manual).read_text().split(".Sh EXAMPLES\n")[1].split("\n.Sh ")[0]
    found = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", section, re.M | re.S)
    return [re.sub(r"^\$ ", "", one, flags=re.M).replace("\\e", "\\") for one in found]


class Keystile(Guide):
    def test_the_examples_of_keystile(self):
        fingerprint = fingerprint_of(self.key.blob)
        script = "".join(examples("keystile.1")).replace("SHA256:...", fingerprint)
        shown = self.run_script("keystile.1", f'eval "$(keystile-agent -s)" >/dev/null\n{self.load()}{script}'
                                              'eval "$(keystile-agent -k)"\n')
        self.assertIn(fingerprint, shown)
        self.assertIn("a PIN", shown)


class KeystileAgent(Guide):
    pin = "123456"

    def setUp(self):
        daemon = card.Pcscd()
        self.addCleanup(daemon.close)
        self.card = card.Card({"9a": "p256"})
        self.addCleanup(self.card.close)
        card.wait_until_seen()
        super().setUp()
        self.sshd.allow(lab.keys.line_of(self.card.keys["9a"]))

    def test_the_examples_of_keystile_agent(self):
        (script,) = examples("keystile-agent.1")
        script = script.replace("ssh host.example", "ssh host.example echo it is there")
        shown = self.run_script("keystile-agent.1", script + 'eval "$(keystile-agent -k)"\n')
        self.assertIn("it is there", shown)


class Configuration(unittest.TestCase):
    def test_the_examples_of_keystile_conf(self):
        with lab.Folder() as folder:
            for text in examples("keystile.conf.5"):
                path = folder.path / "keystile.conf"
                path.write_text(text)
                lab.run_well([lab.AGENT, "--config", path, "true"], env=lab.environment(folder.path))


if __name__ == "__main__":
    unittest.main()
