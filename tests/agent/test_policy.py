"""Rules of keystile.conf in the agent: what they allow, demand and refuse; reading them anew; `keystile policy`."""
import json
import os
import re
import subprocess
import unittest

import lab
from bed import PIN, PROVIDER, AgentTest
from lab import client as c
from lab.hangfs import HangFS
from lab.keys import add_message, fingerprint_of, private, string

SID = b"s" * 32

RULES = """
rule no-tools {
	origin = local
	executable = {tool, "/opt/tools/*"}
	then = refuse
}
rule git {
	subject = sshsig
	namespace = git
	then = none
}
rule production {
	origin = local
	subject = login
	destination = "*.production.example"
	then = confirm
	remember = 1h
}
rule ask-for-work {
	key = "work *"
	then = confirm
}
"""


class PolicyTest(AgentTest):
    provider = None
    config = RULES

    def add(self, comment):
        """A key in memory; its blob becomes .key."""
        secret = private("ed25519")
        with lab.AgentClient(self.agent) as one:
            self.assertEqual(one.call(c.ADD, add_message(secret, comment))[0], c.SUCCESS)
            self.key = next(key.blob for key in one.list() if key.comment == comment)
        return self.key

    def actor(self, *arguments, **options):
        actor = lab.Actor(*arguments, **options)
        self.addCleanup(actor.close)
        return actor

    def knows(self, host, *names):
        folder = self.agent.home / ".ssh"
        folder.mkdir(exist_ok=True)
        with open(folder / "known_hosts", "a") as file:
            file.write("".join(f"{name} {lab.keys.line_of(host.blob)}\n" for name in names))

    def keystile(self, *words):
        return self.agent.run(lab.CONTROL, *words,
                              env={"KEYSTILE_CONTROL": str(self.agent.own_folder / "control.sock")})

    def write(self, text):
        """The configuration as it is on disk now; all of it at once."""
        path = self.agent.home / ".config" / "keystile" / "keystile.conf"
        fresh = path.with_suffix(".new")
        fresh.write_text(text)
        os.chmod(fresh, 0o600)
        os.replace(fresh, path)

    def refused(self, client, data):
        """It is refused without a question; the newest refusal's words."""
        before = len(self.askpass.prompts())
        self.assertIsNone(client.sign(self.key, data))
        self.assertEqual(len(self.askpass.prompts()), before)
        return self.agent.refusals()[0]


class Rules(PolicyTest):
    """The first rule that matches decides, over real connections."""

    def setUp(self):
        super().setUp()
        self.askpass.agrees()

    def test_without_a_rule_that_matches_a_local_request_is_as_the_key_demands(self):
        self.add("mine")
        self.assertEqual(self.asked(self.client(), self.login()), 0)

    def test_a_program_is_refused_by_its_name(self):
        self.add("mine")
        words = self.refused(self.actor("tool").connect(self.agent), self.login())
        self.assertIn("rule no-tools; a rule refuses it", words)
        self.assertIn("keystile policy show", words)

    def test_a_program_of_another_name_is_not(self):
        self.add("mine")
        self.assertEqual(self.asked(self.actor("tools").connect(self.agent), self.login()), 0)

    def test_a_comment_is_enough_to_be_asked(self):
        self.add("work laptop")
        self.assertEqual(self.asked(self.client(), self.login()), 1)
        self.assertIn("Allow the use of a key", self.askpass.prompts()[0])
        self.askpass.refuses()
        self.assertIsNone(self.client().sign(self.key, self.login()))
        self.assertIn("rule ask-for-work; the person did not allow it", self.agent.refusals()[0])

    def test_a_rule_before_another_counts(self):
        self.add("work laptop")
        self.assertEqual(self.asked(self.client(), lab.sshsig(b"x", "git")), 0)
        self.assertEqual(self.asked(self.client(), lab.sshsig(b"x", "gitlab")), 1)

    def test_ssh_keygen_signs_for_git_and_is_asked_about_files(self):
        self.add("work laptop")
        public = self.agent.home / "key.pub"
        public.write_text(lab.keys.line_of(self.key))
        data = self.agent.home / "data"
        for namespace, questions in (("git", 0), ("file", 1)):
            data.write_text(namespace)
            done = self.agent.run("ssh-keygen", "-Y", "sign", "-n", namespace, "-f", public, data)
            self.assertEqual((done.returncode, len(self.askpass.prompts())), (0, questions), done.stderr)
            os.unlink(f"{data}.sig")

    def test_nothing_lowers_the_floor_for_what_is_remote(self):
        self.add("mine")
        far = self.client(self.agent.remote_socket)
        self.assertIn("keys that were added with ssh-add are not for remote hosts",
                      self.refused(far, lab.sshsig(b"x", "git")))


class Tokens(PolicyTest):
    """Demands that a token meets, or can't."""

    provider = PROVIDER
    config = """
rule fresh-pin { origin = local subject = login then = pin }
rule touched { origin = local subject = sshsig then = touch }
rule far { origin = remote then = none }
"""

    def test_a_pin_that_a_rule_demands_is_asked_for_each_time(self):
        client = self.client()
        self.assertEqual(self.asked(client, b"data"), 0, "the token is logged in")
        for _ in range(2):
            self.assertEqual(self.asked(client, self.login()), 1)

    def test_the_floor_stays_over_a_rule_that_demands_nothing(self):
        far = self.client(self.agent.remote_socket)
        self.assertEqual(self.asked(far, self.login()), 1)
        self.assertIn("REMOTE REQUEST", self.askpass.prompts()[-1])
        self.assertIn("neither a login nor an SSH signature", self.refused(far, b"data"))

    def test_a_touch_that_no_key_in_memory_can_prove_is_refused(self):
        self.add("mine")
        self.assertIn("rule touched; a rule demands a touch, which this key's token can't prove",
                      self.refused(self.client(), lab.sshsig(b"x")))

    def test_a_rule_that_names_the_key_lets_unrecognised_data_be_signed_after_a_pin(self):
        fingerprint = fingerprint_of(self.key)
        self.write(f'rule tls {{ subject = unrecognised key = "{fingerprint}" then = none }}')
        self.assertEqual(self.keystile("reload").returncode, 0)
        far = self.client(self.agent.remote_socket)
        self.assertEqual(self.asked(far, b"data"), 1)
        self.write('rule tls { subject = unrecognised key = "*" then = none }')
        self.assertEqual(self.keystile("reload").returncode, 0)
        self.assertIn("neither a login nor an SSH signature", self.refused(far, b"data"))


class Destinations(PolicyTest):
    """Names count where the host is proven."""

    def setUp(self):
        super().setUp()
        self.askpass.agrees()
        self.add("mine")
        self.host = lab.HostKey()
        self.knows(self.host, "db.production.example")

    def bound(self, client=None, host=None):
        client = client or self.client()
        self.assertEqual(client.bind(host or self.host, SID), c.SUCCESS)
        return client

    def to_host(self, host=None):
        return self.login(SID, (host or self.host).blob)

    def test_a_proven_destination_matches_by_its_name(self):
        self.assertEqual(self.asked(self.bound(), self.to_host()), 1)

    def test_the_real_ssh_is_asked_about_by_the_name_of_the_host(self):
        self.write('rule one { destination = one.example then = confirm }\n'
                   'rule other { destination = two.example then = refuse }\n')
        self.assertEqual(self.keystile("reload").returncode, 0)
        for name, code, questions in (("one.example", 0, 1), ("two.example", 255, 1), ("three.example", 0, 1)):
            with self.subTest(name), lab.Sshd(names=(name,)) as host:
                host.allow(lab.keys.line_of(self.key))
                with open(self.agent.home / ".ssh" / "known_hosts", "a") as file:
                    file.write(host.known_hosts.read_text())
                done = self.agent.run(*host.ssh(name, "true"))
                self.assertEqual((done.returncode, len(self.askpass.prompts())), (code, questions), done.stderr)

    def test_a_hashed_name_matches_a_destination_that_is_named_in_full(self):
        for name, rule, questions in (("db.example", "DB.example", 1), ("[db.example]:2222", "db.example:2222", 1),
                                      ("www.example", "db.example", 0), ("db.example", "*.example", 0)):
            with self.subTest(name=name, rule=rule):
                self.write(f'rule one {{ destination = "{rule}" then = confirm }}')
                self.assertEqual(self.keystile("reload").returncode, 0)
                host = lab.HostKey()
                known = self.agent.home / ".ssh" / "known_hosts"
                known.write_text(f"{name} {lab.keys.line_of(host.blob)}\n")
                done = lab.run(["ssh-keygen", "-q", "-H", "-f", known], env=self.agent.env)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertTrue(known.read_text().startswith("|1|"))
                self.assertEqual(self.asked(self.bound(host=host), self.to_host(host)), questions)

    def test_an_unproven_one_and_another_do_not(self):
        self.assertEqual(self.asked(self.bound(), self.login(SID)), 0)
        self.assertEqual(self.asked(self.client(), self.to_host()), 0)
        other = lab.HostKey()
        self.knows(other, "db.example")
        self.assertEqual(self.asked(self.bound(host=other), self.to_host(other)), 0)

    def test_askpass_has_two_answers_and_a_yes_by_it_counts_once(self):
        for _ in range(2):
            self.assertEqual(self.asked(self.bound(), self.to_host()), 1)
        self.assertNotIn("may count", self.askpass.prompts()[0])


class Reload(PolicyTest):
    config = "rule all { then = refuse }\n"

    def test_rules_that_are_read_anew_count_at_once(self):
        self.add("mine")
        client = self.client()
        self.refused(client, self.login())
        self.write("")
        done = self.keystile("reload")
        self.assertEqual((done.returncode, done.stdout), (0, "the configuration was read anew\n"), done.stderr)
        self.assertEqual(self.asked(client, self.login()), 0)

    def test_a_mistake_is_refused_whole_and_what_was_before_stays(self):
        self.add("mine")
        client = self.client()
        self.write("operation-timeout = 5\nrule all {\n\tthem = none\n}\n")
        done = self.keystile("reload")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"keystile\.conf:3: no such option 'them'")
        self.refused(client, self.login())
        self.assertTrue(any("keystile.conf:3" in one for one in self.agent.status()["warnings"]))
        self.write("")
        self.assertEqual(self.keystile("reload").returncode, 0)
        self.assertEqual(self.asked(client, self.login()), 0)
        self.assertFalse(any("keystile.conf" in one for one in self.agent.status()["warnings"]))

    def test_a_file_that_others_can_write_is_refused(self):
        os.chmod(self.agent.home / ".config" / "keystile" / "keystile.conf", 0o666)
        done = self.keystile("reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn("can be written by others", done.stderr)

    def test_options_of_the_command_line_stay_in_force(self):
        self.agent = self.start(options=["-O", "allow-ssh-dss"], config="")
        self.assertEqual(self.keystile("reload").returncode, 0)
        self.assertTrue(any("allow-ssh-dss is set" in one for one in self.agent.status()["warnings"]))

    def test_a_request_that_waits_for_an_answer_is_decided_again(self):
        self.write("rule all { then = confirm }\n")
        self.assertEqual(self.keystile("reload").returncode, 0)
        self.add("mine")
        go = self.agent.home / "go"
        self.askpass.does(f"while ! test -e {go}; do sleep 0.02; done")
        client = self.client()
        client.send(c.SIGN, client.sign_request(self.key, self.login()))
        self.askpass.wait_until_asked()
        self.write("rule all { then = refuse }\n")
        self.assertEqual(self.keystile("reload").returncode, 0)
        go.touch()
        self.assertEqual(client.receive(), (c.FAILURE, b""))
        self.assertIn("a rule refuses it", self.agent.refusals()[0])

    def test_a_pin_that_comes_after_the_rules_changed_gets_no_signature(self):
        self.write("rule all { then = pin }\n")
        self.assertEqual(self.keystile("reload").returncode, 0)
        self.key = self.load(PROVIDER)
        go = self.agent.home / "go"
        self.askpass.does(f"while ! test -e {go}; do sleep 0.02; done; echo {PIN}")
        client = self.client()
        client.send(c.SIGN, client.sign_request(self.key, self.login()))
        self.askpass.wait_until_asked()
        self.write("rule all { then = refuse }\n")
        self.assertEqual(self.keystile("reload").returncode, 0)
        go.touch()
        self.assertEqual(client.receive(), (c.FAILURE, b""))
        self.assertIn("a rule refuses it", self.agent.refusals()[0])

    def test_a_file_system_that_hangs_keeps_nobody_waiting_nor_the_agent_from_ending(self):
        self.add("mine")
        path = self.agent.home / ".config" / "keystile" / "keystile.conf"
        with HangFS() as hung:
            path.unlink()
            path.symlink_to(hung.file)
            control = {"KEYSTILE_CONTROL": str(self.agent.own_folder / "control.sock")}
            waiting = subprocess.Popen([lab.CONTROL, "reload"], env={**self.agent.env, **control},
                                       stderr=subprocess.PIPE, text=True)
            hung.await_asked()
            self.assertIn("a rule refuses it", self.refused(self.client(), self.login()))
            self.agent.stop()
            self.assertIn("keystile: ", waiting.communicate(timeout=30 * lab.PATIENCE)[1])
            self.assertEqual(waiting.returncode, 1)

    def test_many_at_once_are_all_answered(self):
        control = self.agent.own_folder / "control.sock"
        processes = [subprocess.Popen([lab.CONTROL, "reload"], stdout=subprocess.PIPE,
                                      env={**self.agent.env, "KEYSTILE_CONTROL": str(control)})
                     for _ in range(12)]
        for one in processes:
            self.assertEqual(one.communicate(timeout=30 * lab.PATIENCE)[0], b"the configuration was read anew\n")


class Command(PolicyTest):
    """keystile policy show and test."""

    config = RULES + 'rule far { origin = remote token = "lab token *" then = pin }\n'
    provider = PROVIDER

    def tested(self, *words, fingerprint=None):
        done = self.keystile("policy", "test", "--key", fingerprint or fingerprint_of(self.key), *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def answer(self, *words):
        return json.loads(self.tested("--json", *words))

    def test_the_rules_are_listed_in_their_order(self):
        done = self.keystile("policy", "show")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(re.findall(r"^  (\d)\. (\S+)$", done.stdout, re.M),
                         [("1", "no-tools"), ("2", "git"), ("3", "production"), ("4", "ask-for-work"), ("5", "far")])
        self.assertRegex(done.stdout, r"executable +tool\n +or +/opt/tools/\*\n")
        self.assertRegex(done.stdout, r"remember +3600 s")
        rules = json.loads(self.keystile("policy", "show", "--json").stdout)["rules"]
        self.assertEqual(rules[1], {"name": "git", "then": "none", "subject": ["sshsig"], "namespace": ["git"]})

    def test_it_says_which_rule_decides_and_why_not_another(self):
        shown = self.tested("--to", "db.production.example")
        self.assertIn("allowed by the rule production\n", shown)
        self.assertIn("demanded: a confirmation", shown)
        self.assertIn("remembered for: 3600 s", shown)
        self.assertIn("not by the rule no-tools: its executable does not match", shown)
        self.assertIn("not by the rule git: its subject does not match", shown)

    def test_it_answers_as_a_request_is_answered(self):
        rows = [((), True, None, "none", False),
                (("--executable", "/x/tool"), False, "no-tools", "none", False),
                (("--executable", "/opt/tools/a/b"), False, "no-tools", "none", False),
                (("--namespace", "git"), True, "git", "none", False),
                (("--namespace", "git", "--origin", "remote"), True, "git", "pin", False),
                (("--to", "db.production.example"), True, "production", "none", True),
                (("--to", "DB.Production.example"), True, "production", "none", True),
                (("--to", "production.example"), True, None, "none", False),
                (("--origin", "remote", "--to", "a.production.example"), True, "far", "pin", False),
                (("--origin", "remote", "--subject", "unrecognised"), False, "far", "none", False),
                (("--subject", "certificate"), True, None, "none", False)]
        for words, allowed, rule, demand, confirm in rows:
            with self.subTest(words):
                answer = self.answer(*words)
                self.assertEqual((answer["allowed"], answer.get("rule"), answer["demand"], answer["confirm"]),
                                 (allowed, rule, demand, confirm))
                self.assertTrue(answer["reason"])

    def test_a_certificate_is_found_by_its_key(self):
        folder = self.agent.home
        for name in ("ca", "id"):
            lab.run_well(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name])
        lab.run_well(["ssh-keygen", "-q", "-s", folder / "ca", "-I", "x", "-n", "joe", folder / "id.pub"])
        plain = lab.keys.blob_of_line((folder / "id.pub").read_text())
        done = self.agent.run("ssh-add", "-q", folder / "id")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.write(f'rule one {{ key = "{fingerprint_of(plain)}" then = refuse }}')
        self.assertEqual(self.keystile("reload").returncode, 0)
        with lab.AgentClient(self.agent) as one:
            self.assertEqual(one.remove(plain), c.SUCCESS)
            blobs = [key.blob for key in one.list()]
        self.assertNotIn(plain, blobs)
        certificate, = (blob for blob in blobs if b"-cert-v01" in blob)
        self.assertIn("refused by the rule one", self.tested(fingerprint=fingerprint_of(certificate)))
        self.assertIn("refused by the rule one", self.tested(fingerprint=fingerprint_of(plain)))

    def test_what_makes_no_sense_is_refused(self):
        key = ("--key", fingerprint_of(self.key))
        for words, code, error in [
                ((), 2, "policy: say what"), (("list",), 2, "no command 'policy list'"), (("test",), 2, "--key"),
                (("show", "--key", "a"), 2, "no such option: --key"), (("test", *key, "--for"), 2, "--for"),
                (("test", "--key"), 2, "--key needs a value"), (("test", *key, *key), 2, "--key is given twice"),
                (("test", "--key", "SHA256:none"), 1, "no key with that fingerprint"),
                (("test", *key, "--origin", "elsewhere"), 1, "local or remote"),
                (("test", *key, "--subject", "git"), 1, "the subject must be"),
                (("test", *key, "--to", "a", "--namespace", "git"), 1, "only a login has a destination"),
                (("test", *key, "--subject", "login", "--namespace", "git"), 1, "only the subject sshsig")]:
            with self.subTest(words):
                done = self.keystile("policy", *words)
                self.assertEqual((done.returncode, done.stdout), (code, ""))
                self.assertIn(error, done.stderr)


if __name__ == "__main__":
    unittest.main()
