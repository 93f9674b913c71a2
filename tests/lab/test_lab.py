"""The fixtures themselves, with OpenSSH's agent as the program under test: what they say must be true."""
import os
import signal
import subprocess
import sys
import unittest

from cryptography.exceptions import InvalidSignature

import lab
from lab import client

SSH_AGENT = "/usr/bin/ssh-agent"


def ssh_agent(**options):
    return lab.Agent(program=SSH_AGENT, **options)


class Tokens(unittest.TestCase):
    def test_every_kind_of_key_can_be_brought_onto_a_token(self):
        with lab.SoftHSM() as hsm:
            token = hsm.token()
            for kind in lab.KINDS:
                token.bring(kind)
            listed = token.pkcs11_tool("--list-objects", "--type", "privkey").stdout
            self.assertEqual(listed.count("Private Key Object"), len(lab.KINDS))

    def test_a_token_makes_keys_whose_public_part_is_known(self):
        with lab.SoftHSM() as hsm:
            token = hsm.token()
            names = [lab.keys.name_of(token.generate(kind).blob)
                     for kind in ("rsa:2048", "p256", "ed25519")]
            self.assertEqual(names, ["ssh-rsa", "ecdsa-sha2-nistp256", "ssh-ed25519"])
            offered = lab.run_well(["ssh-keygen", "-D", hsm.module], env=dict(os.environ, **hsm.env))
            for key in token.keys[:2]:
                self.assertIn(key.line.split()[1], offered.stdout)

    def test_a_certificate_takes_the_place_of_a_public_key(self):
        with lab.SoftHSM() as hsm:
            token = hsm.token()
            token.certify(token.bring("p256"))
            listed = token.pkcs11_tool("--list-objects").stdout
            self.assertIn("Certificate Object", listed)
            self.assertNotIn("Public Key Object", listed)

    def test_two_tokens_are_told_apart(self):
        with lab.SoftHSM() as hsm:
            hsm.token("One", "1111").bring("p256")
            hsm.token("Two", "2222").bring("p256")
            with ssh_agent(env=hsm.env) as agent:
                self.assertEqual(agent.add_token(hsm.module, "1111").returncode, 0)


class Clients(unittest.TestCase):
    def setUp(self):
        self.hsm = lab.SoftHSM()
        self.addCleanup(self.hsm.close)
        token = self.hsm.token()
        for kind in ("rsa:2048", "p256"):
            token.bring(kind)
        self.keys = token.keys
        self.agent = ssh_agent(env=self.hsm.env, options=["-P", "/usr/lib*/*"])
        self.addCleanup(self.agent.stop)
        self.client = lab.AgentClient(self.agent)
        self.addCleanup(self.client.close)

    def test_a_token_is_added_listed_and_signs(self):
        self.assertEqual(self.client.add_token(self.hsm.module, "1234"), client.SUCCESS)
        self.assertCountEqual([one.blob for one in self.client.list()],
                              [key.blob for key in self.keys])
        for key in self.keys:
            signature = self.client.sign(key.blob, b"data", client.RSA_SHA512)
            lab.verify(key.blob, signature, b"data")
            with self.assertRaises(InvalidSignature):
                lab.verify(key.blob, signature, b"other data")

    def test_a_bind_is_taken_and_a_forged_one_refused(self):
        for kind in ("ed25519", "p256", "p384", "p521", "rsa:2048"):
            with self.subTest(kind=kind), lab.AgentClient(self.agent) as one:
                host = lab.HostKey(kind)
                forged = host.sign(b"another session")
                self.assertNotEqual(one.bind(host, b"s" * 32, signature=forged), client.SUCCESS)
                self.assertEqual(one.bind(host, b"s" * 32), client.SUCCESS)

    def test_bytes_that_are_no_message_close_the_connection(self):
        self.client.raw(b"\xff" * 5)
        self.assertTrue(self.client.closed())

    def test_a_login_works_and_one_without_the_key_does_not(self):
        with lab.Sshd() as sshd:
            env = dict(self.agent.env)
            command = sshd.ssh("lab", "echo", "inside")
            self.assertEqual(self.client.add_token(self.hsm.module, "1234"), client.SUCCESS)
            self.assertNotEqual(lab.run(command, env=env).returncode, 0)
            sshd.allow(self.keys[1])
            self.assertEqual(lab.run_well(command, env=env).stdout, "inside\n", sshd.log())


class Agents(unittest.TestCase):
    def test_an_agent_that_died_is_noticed_at_its_stop(self):
        agent = ssh_agent()
        os.kill(agent.pid, signal.SIGKILL)
        agent.process.wait()
        with self.assertRaisesRegex(AssertionError, "had died with -9"):
            agent.stop()

    def test_an_agent_that_cannot_start_is_noticed_at_once(self):
        with self.assertRaisesRegex(AssertionError, "ended at once with 1"):
            ssh_agent(options=["-t", "nonsense"])


class Prompts(unittest.TestCase):
    def ask(self, askpass, prompt="PIN?"):
        env = dict(os.environ, SSH_ASKPASS_PROMPT="confirm")
        return lab.run([askpass.path, prompt], env=env)

    def test_askpass_answers_as_told_and_notes_the_whole_prompt(self):
        with lab.Askpass("1234") as askpass:
            prompt = "Key \"one\"\n  of 'token' $HOME `x`\n"
            self.assertEqual(self.ask(askpass, prompt).stdout, "1234\n")
            askpass.refuses()
            self.assertEqual(self.ask(askpass).returncode, 1)
            askpass.prints_and_fails("1234")
            failed = self.ask(askpass)
            self.assertEqual((failed.stdout, failed.returncode), ("1234\n", 1))
            askpass.prints_and_crashes("1234")
            self.assertEqual(self.ask(askpass).returncode, -signal.SIGSEGV)
            askpass.prints_megabytes()
            self.assertEqual(len(self.ask(askpass).stdout), 8388608)
            self.assertEqual(askpass.prompts(), [prompt] + ["PIN?"] * 4)
            self.assertEqual(askpass.hints(), ["confirm"] * 5)

    def test_an_askpass_left_open_is_found_and_ended(self):
        with lab.Askpass() as askpass:
            askpass.hangs()
            with subprocess.Popen([askpass.path, "PIN?"]) as hanging:
                askpass.wait_until_asked()
                lab.wait_for("it runs", lambda: [one.pid for one in askpass.processes()] == [hanging.pid])
                askpass.close()
                self.assertEqual(hanging.wait(), -signal.SIGKILL)


SAMPLE = """
import time, unittest
class Sample(unittest.TestCase):
    def test_that_passes(self): pass
    def test_that_fails(self): self.fail("so")
    def test_with_parts(self):
        for part in (1, 2):
            with self.subTest(part=part): self.assertEqual(part, 1)
    @unittest.skip("why not")
    def test_left_out(self): pass
    def test_that_hangs(self): time.sleep(60)
"""


class Runner(unittest.TestCase):
    def run_file(self, text, *arguments):
        folder = lab.Folder()
        self.addCleanup(folder.close)
        path = folder.path / "test_sample.py"
        path.write_text(text)
        return lab.run([sys.executable, lab.ROOT / "tests/lab/tap.py", *arguments, path])

    def test_every_result_is_counted(self):
        done = self.run_file(SAMPLE, "--seconds", "1")
        lines = [line for line in done.stdout.splitlines() if not line.startswith("#")]
        self.assertEqual(done.returncode, 1)
        self.assertEqual(lines, ["ok 1 - left out # SKIP why not", "not ok 2 - that fails",
                                 "not ok 3 - that hangs", "ok 4 - that passes",
                                 "not ok 5 - with parts", "1..5"])

    def test_a_runner_told_to_end_cleans_up_and_runs_nothing_more(self):
        folder = lab.Folder()
        self.addCleanup(folder.close)
        path = folder.path / "test_sample.py"
        path.write_text("import time, unittest\nclass S(unittest.TestCase):\n"
                        "    def tearDown(self): print('cleaned up')\n"
                        "    def test_a(self): print('begun', flush=True); time.sleep(60)\n"
                        "    def test_b(self): pass\n")
        with subprocess.Popen([sys.executable, lab.ROOT / "tests/lab/tap.py", path], text=True,
                              stdout=subprocess.PIPE) as runner:
            self.assertEqual(runner.stdout.readline(), "begun\n")
            runner.terminate()
            output = runner.communicate(timeout=30)[0]
        self.assertIn("cleaned up\nnot ok 1 - a\n", output)
        self.assertNotIn("- b", output)
        self.assertEqual(runner.returncode, 1)

    def test_a_file_without_tests_fails(self):
        self.assertEqual(self.run_file("x = 1").returncode, 1)

    def test_a_set_up_that_fails_is_a_failure(self):
        done = self.run_file("import unittest\nclass S(unittest.TestCase):\n"
                             "    @classmethod\n    def setUpClass(cls): 1 / 0\n"
                             "    def test_x(self): pass\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("not ok 1 - setUpClass", done.stdout)


if __name__ == "__main__":
    unittest.main()
