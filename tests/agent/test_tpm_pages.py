"""Every command of docs/tpm.md and keystile-tpm(1) is run as it stands there, at a TPM in software."""
import os
import re
import unittest

import lab
from lab import tpm
from test_tpm2 import environment
from tpm_bed import CommandTest, OTHER_PIN, PIN

PAGE = lab.ROOT / "docs" / "tpm.md"
MANUAL = lab.ROOT / "docs" / "keystile-tpm.1"
NEW = [("A PIN for the new key", PIN), ("once more", PIN)]
CHANGED = [("A new PIN", OTHER_PIN), ("once more", OTHER_PIN), ("The PIN of", PIN)]

# What they ask, by their beginning; all others ask nothing.
ANSWERS = {
    "keystile tpm create ~": NEW,
    "keystile tpm import": NEW,
    "keystile tpm wrap": NEW,
    "keystile tpm attest": [("The PIN of", OTHER_PIN)],
    "keystile tpm passwd ~": CHANGED,
    "keystile tpm passwd --pin 0x81000010": [(question, PIN if keys == OTHER_PIN else OTHER_PIN)
                                             for question, keys in CHANGED],
}
OTHERS = ("ssh-copy-id",)  # a program that is not ours, at a host of nobody's


def commands_of_page():
    """Those in its blocks, without what shows where they are typed and what they are for."""
    blocks = re.findall(r"^```\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    return commands_in("".join(block for block in blocks if not block.startswith("worker ")))


def commands_of_manual():
    blocks = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", MANUAL.read_text(), re.M | re.S)
    return commands_in("".join(blocks).replace("\\e\n", " "))


def commands_in(text):
    lines = (re.sub(r"  +# .*", "", re.sub(r"^(there|here)\$ +", "", line)) for line in text.splitlines())
    return [" ".join(command.split()) for line in lines for command in line.split(";") if command.strip()]


class Pages(CommandTest):
    @classmethod
    def setUpClass(cls):
        cls.tpm = tpm.Tpm(endorsed=True)
        cls.addClassCleanup(cls.tpm.close)

    @classmethod
    def tearDownClass(cls):
        pass

    def setUp(self):
        super().setUp()
        self.agent = lab.Agent(config=environment(self.tpm))
        self.addCleanup(self.agent.stop)
        self.path = self.agent.home
        (self.path / ".ssh").mkdir(mode=0o700)
        (self.path / "makers.pem").write_text(self.tpm.root.read_text() + self.tpm.issuer.read_text())
        for name, kind in (("id_rsa", "rsa"), ("id_ecdsa", "ecdsa")):
            lab.run_well(["ssh-keygen", "-q", "-N", "", "-t", kind, "-f", self.path / name,
                          *(["-b", "2048"] if kind == "rsa" else [])])
        self.programs = self.path / "programs"
        self.programs.mkdir()
        os.symlink(lab.CONTROL, self.programs / "keystile")

    def carry_out(self, command):
        answers = next((answers for start, answers in ANSWERS.items() if command.startswith(start)), [])
        env = {**self.env(), "PATH": f"{self.programs}:{os.environ['PATH']}"}
        self.in_terminal(["sh", "-c", command.replace("/etc/ssh/", "./")], answers, env=env, cwd=str(self.path))

    def load(self, command):
        """ssh-add -s, as the agent's own worker does it."""
        name = command.split()[-1].replace("/path/to/key.tpm", str(self.path / ".ssh" / "id_ecdsa.tpm"))
        done = self.agent.add_token(name, PIN)
        self.assertEqual(done.returncode, 0, f"{command}: {done.stderr}{self.agent.log()}")
        self.assertIn("ecdsa-sha2-nistp256", self.agent.run("ssh-add", "-L").stdout)
        self.agent.run("ssh-add", "-e", name)

    def test_each_command_does_what_the_page_and_the_manual_say(self):
        page, manual = commands_of_page(), commands_of_manual()
        self.assertGreaterEqual(len(page), 16)
        self.assertGreaterEqual(len(manual), 9)
        ours = [one for one in dict.fromkeys(page + manual) if not one.startswith(OTHERS)]  # each once, in its order
        for command in ours:
            with self.subTest(command):
                if not command.startswith("ssh-add"):
                    self.carry_out(command)
        for command in ours:
            with self.subTest(command):
                if command.startswith("ssh-add"):
                    self.load(command)
        self.call("evict", "0x81000010")


if __name__ == "__main__":
    unittest.main()
