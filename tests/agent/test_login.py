"""The main job: logins with keys on a token, through the agent, by the real ssh, sshd, ssh-add and git."""
import os
import pathlib
import shlex
import stat
import subprocess

import token_bed as bed
import lab

PIN = "1234"
WRONG = "4321"
GIT = ("env", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "git", "-c", "user.name=Lab",
       "-c", "user.email=lab@example.org", "-c", "gpg.format=ssh")


class Case(bed.Case):
    """A token with one key, three hosts with host keys of their own, an askpass, and an agent."""

    @classmethod
    def setUpClass(cls):
        cls.hsm = lab.SoftHSM()
        cls.addClassCleanup(cls.hsm.close)
        cls.hosts = []
        for names in (("first",), ("second",), ("third",)):
            host = lab.Sshd(names=names)
            cls.addClassCleanup(host.close)
            cls.hosts.append(host)
        cls.make_keys()
        for host in cls.hosts:
            for key in cls.token.keys:
                host.allow(key)

    @classmethod
    def make_keys(cls):
        cls.token = cls.hsm.token("Lab card", PIN)
        cls.key = cls.token.generate("p256", "login key")

    def setUp(self):
        self.asked = self.askpass(PIN)
        self.start(askpass=self.asked, env=self.hsm.env)
        self.first, self.second, self.third = self.hosts

    def load_token(self, pin=PIN):
        done = self.agent.add_token(self.hsm.module, pin)
        self.assertEqual(done.returncode, 0, done.stderr)

    def ssh(self, *words, **options):
        return self.agent.run(*words, **options)

    def reaches(self, *words, **options):
        """The command logs in: what is run at its end says so."""
        done = self.ssh(*words, "echo", "I am in", **options)
        self.assertEqual((done.stdout, done.returncode), ("I am in\n", 0), done.stderr + self.agent.log())

    def is_refused(self, *words):
        done = self.ssh(*words, "echo", "I am in")
        self.assertIn("Permission denied", done.stderr)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stdout, "")

    def forwarded(self):
        """ssh to the first host with the agent forwarded, and from there to the second."""
        return [*self.first.ssh("-A", "first"), *self.second.ssh("second")]

    def host_fingerprint(self, host):
        done = lab.run_well(["ssh-keygen", "-l", "-f", host.folder.path / "host_key.pub"])
        return done.stdout.split()[1]


class EveryKind(Case):
    """Keys of all kinds on one token."""

    @classmethod
    def make_keys(cls):
        cls.token = cls.hsm.token("Lab card", PIN)
        for kind in lab.KINDS:
            # The token makes a few itself; OpenSC's tool can't read P-384 and P-521 out again.
            if kind in ("rsa:2048", "p256", "ed25519"):
                cls.token.generate(kind)
            else:
                cls.token.bring(kind)

    def setUp(self):
        super().setUp()
        self.load_token()

    def files(self):
        """Each key with a .pub file of it, by which ssh is told to use this one."""
        for key in self.token.keys:
            path = self.agent.home / f"{key.label}.pub"
            path.write_text(key.line + "\n")
            yield key, path

    def test_all_keys_are_listed_with_their_names(self):
        listed = self.agent.run("ssh-add", "-l").stdout
        for key in self.token.keys:
            self.assertIn(f"{key.fingerprint} {key.label} (", listed)
        lines = self.agent.run("ssh-add", "-L").stdout.splitlines()
        self.assertEqual(sorted(lines), sorted(key.line for key in self.token.keys))

    def test_ssh_add_tests_each_key_and_finds_it_right(self):
        for key, path in self.files():
            with self.subTest(key.kind):
                done = self.agent.run("ssh-add", "-T", path)
                if key.kind.startswith("rsa"):  # ssh-add asks for SHA-1 with these
                    self.assertEqual(done.returncode, 1)
                    self.refused_with("SHA-1", "allow-rsa-sha1")
                else:
                    self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.asked.prompts(), [])

    def test_ssh_add_finds_rsa_keys_right_too_where_sha1_is_configured(self):
        self.start(askpass=self.asked, env=self.hsm.env, config="allow-rsa-sha1 = true\n")
        self.load_token()
        for key, path in self.files():
            with self.subTest(key.kind):
                done = self.agent.run("ssh-add", "-T", path)
                self.assertEqual((done.returncode, done.stderr), (0, ""), self.agent.log())

    def test_each_key_logs_in(self):
        for key, path in self.files():
            with self.subTest(key.kind):
                before = self.first.log().count(key.fingerprint)
                self.reaches(*self.first.ssh("-o", "IdentitiesOnly=yes", "-i", path, "first"))
                accepted = [line for line in self.first.log().splitlines() if "Accepted publickey" in line]
                self.assertIn(key.fingerprint, accepted[-1])
                self.assertGreater(self.first.log().count(key.fingerprint), before)
        self.assertEqual(self.asked.prompts(), [])

    def test_each_key_logs_in_through_another_host_and_is_asked_for(self):
        for number, (key, path) in enumerate(self.files(), 1):
            with self.subTest(key.kind):
                inner = self.second.ssh("-o", "IdentitiesOnly=yes", "-i", path, "second")
                outer = self.first.ssh("-A", "-o", "IdentitiesOnly=yes", "-i", path, "first")
                before = len(self.asked.prompts())
                self.reaches(*outer, *inner)
                asked = self.asked.prompts()[before:]
                # From the second round on the local login asks too: the remote one logged out.
                self.assertEqual(len(asked), 1 if number == 1 else 2)
                self.assertIn("REMOTE REQUEST", asked[-1])
                self.assertIn(key.fingerprint, asked[-1])


class Token(Case):
    def test_a_wrong_pin_loads_nothing_and_says_so(self):
        done = self.agent.add_token(self.hsm.module, WRONG)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(self.blobs(), [])
        self.refused_with("wrong PIN", "softhsm", "ssh-add -s")
        self.load_token()
        self.assertEqual(self.blobs(), [self.key.blob])

    def test_ssh_add_e_takes_the_keys_and_the_worker_away(self):
        self.load_token()
        workers = self.agent.workers()
        self.assertEqual(len(workers), 1)
        done = self.agent.run("ssh-add", "-e", self.hsm.module)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.agent.run("ssh-add", "-l").returncode, 1)
        lab.wait_for("the worker ends", lambda: not workers[0].alive())
        self.is_refused(*self.first.ssh("first"))
        self.load_token()
        self.reaches(*self.first.ssh("first"))

    def test_ssh_add_capital_d_takes_everything_away(self):
        self.load_token()
        self.assertEqual(self.agent.run("ssh-add", "-D").returncode, 0)
        self.assertEqual(self.agent.run("ssh-add", "-l").returncode, 1)
        lab.wait_for("no worker is left", lambda: not self.agent.workers())

    def test_a_module_without_a_pin_is_logged_in_when_it_has_to_sign(self):
        self.assertEqual(bed.client.SUCCESS, self.add(self.hsm.module))
        self.assertEqual(self.asked.prompts(), [])
        self.reaches(*self.first.ssh("first"))
        self.assertEqual(len(self.asked.prompts()), 1)
        self.assertIn("asked on this machine", self.asked.prompts()[0])
        self.reaches(*self.first.ssh("first"))
        self.assertEqual(len(self.asked.prompts()), 1)

    def test_a_module_by_a_link_is_the_same_provider(self):
        self.load_token()
        link = self.agent.home / "link.so"
        link.symlink_to(self.hsm.module)
        self.assertEqual(self.add(str(link)), bed.client.SUCCESS)
        self.assertEqual(len(self.agent.status()["providers"]), 1)
        self.assertEqual(self.blobs(), [self.key.blob])

    def test_keys_confirmed_by_ssh_add_c_are_asked_for(self):
        self.assertEqual(self.add(self.hsm.module, PIN, lab.client.confirm()), bed.client.SUCCESS)
        self.asked.refuses()
        self.is_refused(*self.first.ssh("first"))
        self.assertIn("Allow the use of a key", self.asked.prompts()[0])
        self.assertEqual(self.asked.hints(), ["confirm"])
        self.asked.agrees()
        self.reaches(*self.first.ssh("first"))

    def test_a_lifetime_takes_the_keys_away(self):
        self.assertEqual(self.add(self.hsm.module, PIN, lab.client.lifetime(1)), bed.client.SUCCESS)
        lab.wait_for("the keys go", lambda: self.blobs() == [])
        lab.wait_for("the worker goes", lambda: not self.agent.workers())


class Forwarded(Case):
    def setUp(self):
        super().setUp()
        self.load_token()

    def test_a_forwarded_login_asks_and_the_right_pin_opens(self):
        self.reaches(*self.forwarded())
        self.assertEqual(len(self.asked.prompts()), 1)

    def test_the_prompt_names_all_that_is_known(self):
        self.reaches(*self.forwarded())
        prompt = self.asked.prompts()[0]
        ssh = str(pathlib.Path("/usr/bin/ssh").resolve())
        for words in ("PIN for the token", '"Lab card"', "softhsm", '"login key"', self.key.fingerprint,
                      f'"{self.second.user}"', "through a host that is NOT IN YOUR known_hosts", "\non a host that is NOT IN YOUR",
                      self.host_fingerprint(self.first), self.host_fingerprint(self.second),
                      "by process ", f'"{ssh}"'):
            self.assertIn(words, prompt)
        self.assertNotIn("UNPROVEN", prompt)
        places = [prompt.index(words) for words in (
            "through a host that is NOT", self.host_fingerprint(self.first),
            "\non a host that is NOT", self.host_fingerprint(self.second))]
        self.assertEqual(places, sorted(places))
        self.assertTrue(prompt.startswith("REMOTE REQUEST: it came through a forwarded agent (ssh -A)\n"), prompt)

    def test_a_wrong_pin_refuses_and_is_not_sent_again(self):
        self.asked.prints(WRONG)
        self.is_refused(*self.forwarded())
        self.refused_with("wrong PIN", "login as", self.key.fingerprint)
        self.asked.prints(PIN)
        self.reaches(*self.forwarded())

    def test_a_prompt_that_is_cancelled_refuses(self):
        self.asked.refuses()
        self.is_refused(*self.forwarded())
        self.assertEqual(len(self.asked.prompts()), 1)
        self.refused_with("refused", self.key.fingerprint)

    def test_after_a_remote_signature_a_local_one_asks_again(self):
        self.reaches(*self.first.ssh("first"))
        self.assertEqual(self.asked.prompts(), [])
        self.reaches(*self.forwarded())
        self.assertEqual(len(self.asked.prompts()), 1)
        self.reaches(*self.first.ssh("first"))
        self.assertEqual(len(self.asked.prompts()), 2)
        self.assertIn("asked on this machine", self.asked.prompts()[1])
        self.reaches(*self.first.ssh("first"))
        self.assertEqual(len(self.asked.prompts()), 2)

    def test_each_forwarded_login_asks_for_itself(self):
        self.reaches(*self.forwarded())
        self.reaches(*self.forwarded())
        asked = self.asked.prompts()
        self.assertEqual(["REMOTE REQUEST" in prompt for prompt in asked], [True, False, True])

    def test_two_hops_show_the_whole_path(self):
        self.reaches(*self.first.ssh("-A", "first"), *self.second.ssh("-A", "second"),
                     *self.third.ssh("third"))
        remote = [prompt for prompt in self.asked.prompts() if "REMOTE REQUEST" in prompt]
        self.assertEqual(len(remote), 2)
        fingerprints = [self.host_fingerprint(host) for host in self.hosts]
        self.assertIn(fingerprints[1], remote[0])
        self.assertNotIn(fingerprints[2], remote[0])
        places = [remote[1].index(one) for one in fingerprints]
        self.assertEqual(places, sorted(places), "the path in its order, then the destination")

    def test_a_far_host_can_list_but_not_change(self):
        for command, good in ((("ssh-add", "-l"), True), (("ssh-add", "-D"), False),
                              (("ssh-add", "-e", self.hsm.module), False)):
            done = self.ssh(*self.first.ssh("-A", "first"), *command)
            self.assertEqual(done.returncode == 0, good, f"{command}: {done.stdout}{done.stderr}")
        self.assertEqual(self.blobs(), [self.key.blob])

    def test_status_shows_who_waits_and_why_it_was_refused(self):
        self.asked.does("while [ -e \"$0\" ]; do sleep 0.05; done; exit 1")
        waiting = subprocess.Popen(
            [*self.forwarded(), "true"], env=self.agent.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(waiting.wait)
        self.addCleanup(waiting.kill)
        self.asked.wait_until_asked()
        status = self.agent.status()
        self.assertEqual([one["for"] for one in status["prompts"]], [f'login as "{self.second.user}"'])
        one = next(one for one in status["connections"] if one["origin"] == "remote")
        self.assertEqual((one["binds"], one["forwarded"], os.path.basename(one["executable"])), (2, True, "ssh"))
        self.assertEqual([key["fingerprint"] for key in status["keys"]], [self.key.fingerprint])
        token = status["providers"][0]["tokens"][0]
        self.assertEqual(token["label"], "Lab card")
        self.asked.vanishes()
        self.assertNotEqual(waiting.wait(60 * lab.PATIENCE), 0)
        self.refused_with("refused", "login as")
        words = self.agent.run(lab.CONTROL, "status").stdout
        for expected in ("Lab card", self.key.fingerprint, "Refused lately", "login as"):
            self.assertIn(expected, words)
        self.assertFalse(self.agent.status()["prompts"])


class Proof(Case):
    """What the prompt says where a destination is not proven, by clients that speak for themselves."""

    def setUp(self):
        super().setUp()
        self.load_token()
        self.one, self.host = self.client(), lab.HostKey()
        self.there = lab.HostKey()

    def prompt_for(self, data):
        signature = self.one.sign(self.key.blob, data)
        self.assertIsNotNone(signature, self.agent.log())
        lab.verify(self.key.blob, signature, data)
        self.assertEqual(len(self.asked.prompts()), 1)
        return self.asked.prompts()[0]

    def bind_path(self, sid=b"t" * 32):
        self.assertEqual(self.one.bind(self.host, b"s" * 32, forwarding=True), bed.client.SUCCESS)
        self.assertEqual(self.one.bind(self.there, sid), bed.client.SUCCESS)

    def unproven(self, data):
        prompt = self.prompt_for(data)
        self.assertIn("DESTINATION UNPROVEN", prompt)
        self.assertNotIn("on the host", prompt)
        self.assertNotIn(lab.keys.fingerprint_of(self.there.blob), prompt)

    def test_a_hostbound_login_to_the_last_bind_is_proven(self):
        self.bind_path()
        prompt = self.prompt_for(lab.userauth(b"t" * 32, "root", self.key.blob, host_key=self.there.blob))
        self.assertIn(lab.keys.fingerprint_of(self.there.blob), prompt)
        self.assertNotIn("UNPROVEN", prompt)

    def test_a_plain_login_is_unproven(self):
        self.bind_path()
        self.unproven(lab.userauth(b"t" * 32, "root", self.key.blob))

    def test_a_login_to_another_session_is_unproven(self):
        self.bind_path()
        self.unproven(lab.userauth(b"u" * 32, "root", self.key.blob, host_key=self.there.blob))

    def test_a_login_to_another_host_key_is_unproven(self):
        self.bind_path()
        other = lab.HostKey().blob
        prompt_data = lab.userauth(b"t" * 32, "root", self.key.blob, host_key=other)
        self.unproven(prompt_data)
        self.assertNotIn(lab.keys.fingerprint_of(other), self.asked.prompts()[0])

    def test_a_login_whose_last_bind_forwards_is_unproven(self):
        self.assertEqual(self.one.bind(self.host, b"s" * 32, forwarding=True), bed.client.SUCCESS)
        self.unproven(lab.userauth(b"t" * 32, "root", self.key.blob, host_key=self.there.blob))

    def test_unrecognised_data_is_refused_without_a_prompt(self):
        self.bind_path()
        self.assertIsNone(self.one.sign(self.key.blob, b"a TLS handshake, perhaps"))
        self.assertEqual(self.asked.prompts(), [])
        self.refused_with("neither a login nor")

    def test_a_user_name_with_control_characters_stays_on_its_line(self):
        self.bind_path()
        name = "root\nPIN for the token\n\x1b[2J\u202e"
        prompt = self.prompt_for(lab.userauth(b"t" * 32, name, self.key.blob, host_key=self.there.blob))
        self.assertEqual(prompt.splitlines().count("PIN for the token"), 1)
        self.assertNotIn("\x1b", prompt)
        self.assertTrue(prompt.isascii())


class Counted(Case):
    """The same with a module in between that counts its calls."""

    def setUp(self):
        self.shim = bed.Shim(self.hsm)
        self.addCleanup(self.shim.folder.close)
        self.asked = self.askpass(PIN)
        self.start(askpass=self.asked, config=bed.worker_section("pkcs11", self.shim.env))
        self.first, self.second, self.third = self.hosts
        self.assertEqual(self.add(str(bed.SHIM), PIN), bed.client.SUCCESS, self.agent.log())
        self.shim.lines()

    def logins(self):
        return self.shim.calls().count("C_Login")

    def test_a_wrong_pin_reaches_the_token_once(self):
        self.asked.prints(WRONG)
        self.is_refused(*self.forwarded())
        self.assertEqual(self.logins(), 1)

    def test_a_prompt_that_is_cancelled_reaches_the_token_never(self):
        self.asked.refuses()
        self.is_refused(*self.forwarded())
        self.assertEqual(self.logins(), 0)

    def test_askpass_that_prints_the_pin_and_fails_reaches_the_token_never(self):
        for how in (self.asked.prints_and_fails, self.asked.prints_and_crashes, self.asked.prints_two_lines):
            with self.subTest(how.__name__):
                how(PIN)
                self.is_refused(*self.forwarded())
                self.assertEqual(self.logins(), 0)

    def test_the_last_try_is_never_spent(self):
        self.shim.tell("flags", f"{1 << 17:x}")  # CKF_USER_PIN_FINAL_TRY, which SoftHSM never sets
        self.is_refused(*self.forwarded())
        self.assertEqual(self.logins(), 0)
        self.refused_with("only one PIN try is left", "own tool")

    def test_a_local_login_makes_two_calls(self):
        self.reaches(*self.first.ssh("first"))
        self.shim.lines()
        self.reaches(*self.first.ssh("first"))
        self.assertEqual(self.shim.calls(), ["C_SignInit", "C_Sign"])


class Git(Case):
    def setUp(self):
        super().setUp()
        self.load_token()
        self.work = self.agent.home / "work"
        self.signers = self.agent.home / "signers"
        self.signers.write_text(f'lab@example.org namespaces="git" {self.key.line}\n')
        self.git("init", "-q", "-b", "main")

    def words(self, *arguments):
        return [*GIT, "-c", f"gpg.ssh.allowedSignersFile={self.signers}",
                "-c", "user.signingKey=key::" + " ".join(self.key.line.split()[:2]),
                *(("-C", str(self.work)) if arguments[0] != "init" else ()), *arguments]

    def git(self, *arguments):
        where = [str(self.work)] if arguments[0] == "init" else []
        return lab.run_well([*self.words(*arguments), *where], env=self.agent.env)

    def test_a_commit_is_signed_here_and_verified(self):
        self.git("commit", "-q", "--allow-empty", "-S", "-m", "Signed here")
        self.assertIn('Good "git" signature', self.git("verify-commit", "HEAD").stderr)
        self.assertEqual(self.asked.prompts(), [])

    def test_a_commit_over_a_forwarded_agent_asks_and_is_verified(self):
        commit = self.words("commit", "-q", "--allow-empty", "-S", "-m", "Signed far away")
        done = self.ssh(*self.first.ssh("-A", "first"), shlex.join(commit))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('Good "git" signature', self.git("verify-commit", "HEAD").stderr)
        self.assertEqual(len(self.asked.prompts()), 1)
        self.assertIn("to sign a git commit or tag", self.asked.prompts()[0])

    def test_a_commit_over_a_forwarded_agent_is_not_signed_when_the_person_says_no(self):
        self.asked.refuses()
        commit = self.words("commit", "-q", "--allow-empty", "-S", "-m", "Not signed")
        done = self.ssh(*self.first.ssh("-A", "first"), shlex.join(commit))
        self.assertNotEqual(done.returncode, 0)
        self.assertNotEqual(lab.run(self.words("rev-parse", "HEAD"), env=self.agent.env).returncode, 0)


class Ways(Case):
    """Other ways of ssh to get there."""

    def setUp(self):
        super().setUp()
        self.load_token()

    def test_a_jump_host_needs_no_pin(self):
        both = self.agent.home / "both"
        both.write_text(self.first.config.read_text() + self.second.config.read_text())
        self.reaches("ssh", "-F", both, "-J", "first", "second")
        self.assertEqual(self.asked.prompts(), [])
        self.assertEqual(self.agent.refusals(), [])

    def test_a_shared_connection_serves_and_forwards(self):
        path = self.agent.home / "master"
        options = ["-o", f"ControlPath={path}"]
        master = subprocess.Popen(
            self.first.ssh("-A", *options, "-M", "-N", "first"), env=self.agent.env,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: lab.place.end(master, 15))
        lab.wait_for("the master listens", lambda: path.exists() and stat.S_ISSOCK(path.stat().st_mode))
        self.reaches(*self.first.ssh(*options, "first"))
        self.assertEqual(self.asked.prompts(), [])
        self.reaches(*self.first.ssh("-A", *options, "first"), *self.second.ssh("second"))
        self.assertEqual(len(self.asked.prompts()), 1)
        self.assertIn("REMOTE REQUEST", self.asked.prompts()[0])

    def test_a_relay_by_socat_counts_as_remote(self):
        path = self.agent.home / "relay"
        relay = subprocess.Popen(
            ["socat", f"UNIX-LISTEN:{path},fork", f"UNIX-CONNECT:{self.agent.socket}"],
            stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: lab.place.end(relay, 15))
        lab.wait_for("socat listens", lambda: lab.listens(path))
        self.reaches(*self.first.ssh("first"), env={"SSH_AUTH_SOCK": str(path)})
        self.assertEqual(len(self.asked.prompts()), 1)
        self.assertIn("REMOTE REQUEST", self.asked.prompts()[0])


def strangers_may_run():
    """Whether somebody else can reach the build tree, and we can become somebody else."""
    if os.getuid() != 0:
        return False
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (lab.AGENT, *lab.AGENT.parents))


class Users(Case):
    """An agent of an ordinary user, who logs in as root and as that user."""

    user = "nobody"

    def setUp(self):
        if not strangers_may_run():
            self.skipTest("takes root, and a build tree that everybody may read")
        self.mine = lab.SoftHSM()
        self.addCleanup(self.mine.close)
        self.here = self.mine.token("Mine", PIN).bring("p256")
        lab.place.give_away(self.mine.folder.path, self.user)
        self.asked = self.askpass(PIN)
        lab.place.give_away(self.asked.folder.path, self.user)
        self.start(askpass=self.asked, env=self.mine.env, user=self.user)
        self.first, self.second, self.third = self.hosts
        self.first.allow(self.here)
        self.load_token()

    def load_token(self, pin=PIN):
        done = self.agent.add_token(self.mine.module, pin)
        self.assertEqual(done.returncode, 0, done.stderr + self.agent.log())

    def test_it_logs_in_as_root(self):
        done = self.agent.run(*self.first.ssh("root@first", "id", "-un"))
        self.assertEqual(done.stdout, "root\n", done.stderr)

    def test_it_logs_in_as_an_ordinary_user(self):
        # This user has no shell: the connection is used to reach the sshd once more.
        done = self.agent.run(*self.first.ssh("-W", f"127.0.0.1:{self.first.port}", f"{self.user}@first"),
                              input="nonsense\n", stdin=None)
        self.assertTrue(done.stdout.startswith("SSH-2.0-"), done.stderr)

    def test_it_serves_its_user_and_root_and_nobody_else(self):
        self.assertEqual(self.blobs(), [self.here.blob])  # root
        other = lab.run(["ssh-add", "-l"], env=self.agent.env, **lab.place.identity("daemon"))
        self.assertEqual(other.returncode, 2, other.stdout)
