"""Logins with security keys where the server insists on touch or PIN, over one agent that is forwarded from host to host."""
import pathlib
import shlex

import fido2_bed
import lab
from fido2_bed import PIN
from lab import keys
from test_login import GIT

KINDS = ("ed25519-sk", "ecdsa-sk")
UNTOUCHED, VERIFIED = "no-touch-required", "verify-required"


class Case(fido2_bed.Case):
    """Hosts in a row, and what each of them demands of a security key."""

    hosts_count = 1
    demand = ""

    @classmethod
    def setUpClass(cls):
        cls.authority_folder = lab.Folder()
        cls.addClassCleanup(cls.authority_folder.close)
        cls.authority = cls.authority_folder.path / "authority"
        lab.run_well(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", cls.authority])
        lines = f"PubkeyAuthOptions {cls.demand}\n" if cls.demand else ""
        cls.hosts = []
        for number in range(cls.hosts_count):
            host = lab.Sshd(names=(f"host{number}",), lines=lines)
            cls.addClassCleanup(host.close)
            cls.hosts.append(host)

    def setUp(self):
        super().setUp()
        self.host = self.hosts[0]

    def allowed(self, key, options=""):
        """The hosts let it in, and nothing else."""
        for host in self.hosts:
            host.allow_only(f"{options} {keys.line_of(key.blob)}".strip())
        return key

    def certified(self, key, *options):
        """It has a certificate of the authority, whom alone the hosts believe."""
        words = [word for option in options for word in ("-O", option)]
        lab.run_well(["ssh-keygen", "-q", "-s", self.authority, "-I", "me", "-n", self.host.user, *words,
                      f"{key.path}.pub"])
        line = pathlib.Path(f"{self.authority}.pub").read_text().strip()
        for host in self.hosts:
            host.allow_only(",".join(("cert-authority", *options)) + f" {line}")
        return key

    def way(self, hops):
        """The words that lead to the last of so many hosts, with the agent forwarded up to it."""
        words = [host.ssh("-A", host.names[0]) for host in self.hosts[:hops - 1]]
        words.append(self.hosts[hops - 1].ssh(self.hosts[hops - 1].names[0]))
        return [word for one in words for word in one]

    def reaches(self, hops=1):
        done = self.agent.run(*self.way(hops), "echo", "I am in")
        self.assertEqual((done.stdout, done.returncode), ("I am in\n", 0),
                         done.stderr + self.host.log()[-2000:] + self.agent.log()[-3000:])

    def is_denied(self, hops=1):
        done = self.agent.run(*self.way(hops), "echo", "I am in")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("Permission denied", done.stderr)

    def touches(self):
        """How often it was touched since it was asked last."""
        touches = self.token.counts().get("touches", 0)
        self.token.count_anew()
        return touches

    def prompts(self, words):
        return [text for text in self.asks.prompts() if words in text]

    def only(self, key):
        """The agent has this key and no other."""
        with lab.AgentClient(self.agent) as one:
            one.remove_all()
        self.added(key)
        self.token.count_anew()
        return key


class Touched(Case):
    """A server that wants a touch whatever the key says."""

    demand = "touch-required"

    def test_keys_and_certificates_of_both_kinds_log_in_with_one_touch(self):
        made = [self.made(kind) for kind in KINDS]
        for key in made:
            for allow in (self.allowed, self.certified):
                with self.subTest(f"{key.path.name} {allow.__name__}"):
                    self.only(allow(key))
                    self.reaches()
                    self.assertEqual(self.touches(), 1)

    def test_a_key_without_a_touch_is_not_let_in_from_here(self):
        self.only(self.allowed(self.made(options=(UNTOUCHED,)), UNTOUCHED))
        self.is_denied()
        self.assertEqual(self.touches(), 0)

    def test_a_rule_that_wants_a_touch_lets_it_in(self):
        self.agent.stop()
        self.config = 'rule "touched" { subject = login then = touch }\n'
        self.started()
        self.only(self.allowed(self.made(options=(UNTOUCHED,)), UNTOUCHED))
        self.reaches()
        self.assertEqual(self.touches(), 1)


class Untouched(Case):
    """A server that leaves it to the key's line in authorized_keys, as sshd does unless told otherwise."""

    hosts_count = 2

    def test_a_key_that_is_let_in_without_a_touch_is_touched_for_the_far_host_alone(self):
        made = [self.made(kind, (UNTOUCHED,)) for kind in KINDS]
        for key in made:
            with self.subTest(key.path.name):
                self.only(self.allowed(key, UNTOUCHED))
                self.reaches()
                self.assertEqual((self.touches(), self.prompts("Touch")), (0, []))
        self.reaches(hops=2)
        self.assertEqual((self.touches(), len(self.prompts("Touch"))), (1, 1))

    def test_a_certificate_may_allow_that_too(self):
        self.only(self.certified(self.made(options=(UNTOUCHED,)), UNTOUCHED))
        self.reaches()
        self.assertEqual(self.touches(), 0)

    def test_without_that_word_on_the_server_it_is_not_let_in(self):
        self.only(self.allowed(self.made(options=(UNTOUCHED,))))
        self.is_denied()


class Verified(Case):
    """A server that wants the PIN."""

    demand = "verify-required"
    pin = PIN
    hosts_count = 2

    def pin_prompts(self):
        return self.prompts("PIN for the token")

    def test_keys_and_certificates_of_both_kinds_resident_or_not(self):
        made = [self.made(kind, (VERIFIED, *options)) for kind in KINDS
                for options in ((), ("resident", f"application=ssh:{kind}"))]
        for key in made:
            for allow in (self.allowed, self.certified):
                with self.subTest(f"{key.path.name} {allow.__name__}"):
                    self.only(allow(key))
                    before = len(self.pin_prompts())
                    self.reaches()
                    self.assertEqual(len(self.pin_prompts()) - before, 1)
        self.assertEqual(self.token.tries, 8)

    def test_one_through_a_forwarded_agent_asks_for_the_pin_anew_and_says_who_wants_it(self):
        self.only(self.allowed(self.made(options=("resident", VERIFIED))))
        self.reaches(hops=2)
        here, afar = self.pin_prompts()
        self.assertNotIn("REMOTE REQUEST", here)
        self.assertIn("REMOTE REQUEST", afar)
        self.assertEqual(self.token.tries, 8)

    def test_a_key_that_does_not_verify_is_not_let_in_and_with_a_rule_it_is(self):
        key = self.only(self.allowed(self.made()))
        self.is_denied()
        self.agent.stop()
        self.config = 'rule "typed" { subject = login then = pin }\n'
        self.started()
        self.only(key)
        self.reaches()
        self.assertEqual(len(self.pin_prompts()), 1)

    def test_resident_ones_that_ssh_add_k_brought_log_in(self):
        key = self.allowed(self.made(options=("resident", VERIFIED)))
        done = self.agent.run("ssh-add", "-K", env={**self.bed.env, **self.asks.env})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.blobs(), [key.blob])
        self.reaches()


class Chain(Case):
    """Three hosts in a row: each login from one of them is asked for, and says over which it came."""

    demand = "touch-required"
    hosts_count = 3

    def fingerprint(self, host):
        done = lab.run_well(["ssh-keygen", "-l", "-f", host.folder.path / "host_key.pub"])
        return done.stdout.split()[1]

    def test_every_hop_is_a_touch_of_its_own_and_the_notice_names_the_path(self):
        self.only(self.allowed(self.made()))
        self.reaches(hops=3)
        self.assertEqual(self.touches(), 3)
        first, second = self.prompts("REMOTE REQUEST")
        hosts = [self.fingerprint(host) for host in self.hosts]
        self.assertNotIn(hosts[2], first)
        for prompt, path in ((first, hosts[:2]), (second, hosts)):
            places = [prompt.index(one) for one in path]
            self.assertEqual(places, sorted(places), prompt)
            self.assertIn("Token 0 in software", prompt)

    def test_who_refuses_at_the_second_host_goes_no_further(self):
        self.only(self.allowed(self.made()))
        self.asks.does('case "$1" in *"REMOTE REQUEST"*) exit 1;; esac\nexec sleep 3600')
        self.is_denied(hops=3)
        self.assertEqual(self.touches(), 1)
        self.token.wait_until_dark()


class Confirmed(Case):
    def test_ssh_add_c_asks_before_the_token_does(self):
        key = self.allowed(self.made())
        self.assertEqual(self.agent.run("ssh-add", "-q", "-c", str(key.path)).returncode, 0)
        self.token.count_anew()
        self.asks.refuses()
        self.is_denied()
        self.assertEqual((self.touches(), len(self.prompts("Allow the use of a key"))), (0, 1))
        self.asks.does('[ "${SSH_ASKPASS_PROMPT-}" = none ] && exec sleep 3600\nexit 0')
        self.reaches()
        self.assertEqual(self.touches(), 1)


class Git(Case):
    """ssh-keygen -Y sign, as git runs it."""

    def setUp(self):
        super().setUp()
        self.key = self.only(self.allowed(self.made()))
        self.work = self.agent.home / "work"
        line = keys.line_of(self.key.blob)
        (self.agent.home / "signers").write_text(f'lab@example.org namespaces="git" {line}\n')
        lab.run_well([*GIT, "init", "-q", "-b", "main", self.work], env=self.agent.env)

    def words(self, *arguments):
        return [*GIT, "-C", str(self.work), "-c", f"gpg.ssh.allowedSignersFile={self.agent.home}/signers",
                "-c", f"user.signingKey=key::{keys.line_of(self.key.blob)}", *arguments]

    def is_signed(self):
        done = lab.run_well(self.words("verify-commit", "HEAD"), env=self.agent.env)
        self.assertIn('Good "git" signature', done.stderr)

    def test_a_commit_is_signed_with_a_touch_here_and_on_a_far_host(self):
        commit = self.words("commit", "-q", "--allow-empty", "-S", "-m", "Signed")
        lab.run_well(commit, env=self.agent.env)
        self.is_signed()
        self.assertEqual(self.touches(), 1)
        done = self.agent.run(*self.host.ssh("-A", "host0"), shlex.join(commit))
        self.assertEqual(done.returncode, 0, done.stderr + self.agent.log()[-2000:])
        self.is_signed()
        self.assertEqual(self.touches(), 2)  # its login, and the commit
        self.assertIn("to sign a git commit or tag", self.prompts("REMOTE REQUEST")[0])


if __name__ == "__main__":
    import unittest
    unittest.main()
