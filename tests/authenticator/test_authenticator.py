"""The security key in software, judged by the programs of libfido2 and OpenSSH as Debian has them."""
import base64
import os
import shutil
import subprocess
import unittest

import lab
from lab import authenticator

PIN = "1234"
TYPES = ("es256", "eddsa")


class Case(unittest.TestCase):
    """.bed with one token, .token, .path: a folder."""

    TOKENS, LINES = 1, ()

    def setUp(self):
        self.bed = authenticator.Bed(self.TOKENS, self.LINES)
        self.addCleanup(self.bed.close)
        self.token = self.bed.token
        self.path = self.bed.folder.path

    def askpass(self, pin=PIN):
        askpass = lab.Askpass(pin)
        self.addCleanup(askpass.close)
        return askpass

    def keygen(self, kind, *options, name="key", askpass=None):
        """The path of a key that ssh-keygen made on the token."""
        flags = [word for option in options for word in ("-O", option)]
        path = self.path / name
        done = self.bed.run_well(["ssh-keygen", "-q", "-t", kind, *flags, "-N", "", "-f", path],
                                 env=(askpass or self.askpass()).env)
        self.assertNotIn("error", done.stderr)
        return path

    def make(self, kind, *flags, pin=None, rp="example.org", user="martin", name="made"):
        """Makes a credential with fido2-cred and verifies it; the path of its identifier and its public key."""
        request, made, public = (self.path / f"{name}.{end}" for end in ("request", "made", "public"))
        request.write_text("\n".join([base64.b64encode(os.urandom(32)).decode(), rp, user,
                                      base64.b64encode(user.encode()).decode(), ""]))
        self.runs_well(["fido2-cred", "-M", *flags, "-i", request, "-o", made, self.token.node, kind], pin)
        level = ["-c", flags[flags.index("-c") + 1]] if "-c" in flags else []
        checks = ["-v"] if "-v" in flags else []
        self.bed.run_well(["fido2-cred", "-V", *checks, *level, "-i", made, "-o", public, kind])
        lines = public.read_text().splitlines()
        key = self.path / f"{name}.pem"
        key.write_text("\n".join(lines[1:]) + "\n")
        return lines[0], key

    def assert_with(self, kind, identifier, key, *flags, pin=None, rp="example.org"):
        """An assertion that fido2-assert gets and verifies."""
        request, got = self.path / "assert.request", self.path / "assert.got"
        words = [base64.b64encode(os.urandom(32)).decode(), rp]
        if identifier is not None:
            words.append(identifier)
        request.write_text("\n".join([*words, ""]))
        self.runs_well(["fido2-assert", "-G", *flags, "-i", request, "-o", got, self.token.node], pin)
        checks = [flag for flag in flags if flag == "-v"]
        self.bed.run_well(["fido2-assert", "-V", *checks, *(["-p"] if "up=false" not in flags else []),
                           "-i", got, key, kind])

    def runs_well(self, command, pin):
        if pin is None:
            self.bed.run_well(command)
            return
        code, shown = self.bed.types(command, (f"PIN for {self.token.node}", pin))
        self.assertEqual(code, 0, shown)

    def fido2_token(self, *words, pin=None, code=0):
        """What fido2-token shows."""
        if pin is None:
            done = self.bed.run(["fido2-token", *words])
            self.assertEqual(done.returncode, code, done.stderr)
            return done.stdout + done.stderr
        ended, shown = self.bed.types(["fido2-token", *words], (f"PIN for {self.token.node}", pin))
        self.assertEqual(ended, code, shown)
        return shown


class TestTokens(Case):
    TOKENS = 2

    def test_those_that_are_plugged_in_are_listed(self):
        shown = self.fido2_token("-L")
        self.assertEqual([line.split(":")[0] for line in shown.splitlines()], ["/dev/hidraw0", "/dev/hidraw1"])

    def test_one_that_is_pulled_is_gone_and_one_that_is_put_back_is_there(self):
        self.token.pull()
        self.assertNotIn("hidraw0", self.fido2_token("-L"))
        self.token.insert()
        self.assertIn("hidraw0", self.fido2_token("-L"))
        self.assertIn("FIDO_2_1", self.fido2_token("-I", "/dev/hidraw0"))

    def test_one_can_be_pulled_and_put_back_many_times(self):
        for _ in range(20):
            self.token.pull()
            self.token.insert()
        self.assertIn("hidraw0", self.fido2_token("-L"))

    def test_it_describes_itself(self):
        shown = self.fido2_token("-I", self.token.node)
        for line in ("version strings: U2F_V2, FIDO_2_0, FIDO_2_1", "extension strings: credProtect",
                     "algorithms: es256 (public-key), eddsa (public-key)", "pin protocols: 2, 1",
                     "pin retries: 8", "minpinlen: 4"):
            self.assertIn(line, shown)
        self.assertIn("noclientPin", shown)

    def test_the_one_that_is_touched_makes_the_key(self):
        self.bed.tokens[1].touch_at_once()
        self.keygen("ed25519-sk")
        self.assertEqual(self.bed.tokens[1].state()["counter"], 1)
        self.assertEqual(self.token.state()["counter"], 0)


class TestCredentials(Case):
    """fido2-cred, fido2-assert."""

    LINES = ("touch-at-once on",)

    def test_credentials_are_made_and_assert(self):
        for kind in TYPES:
            with self.subTest(kind):
                identifier, key = self.make(kind, name=kind)
                self.assert_with(kind, identifier, key)

    def test_credentials_are_made_and_assert_with_a_pin(self):
        self.token.pin(PIN)
        for kind in TYPES:
            with self.subTest(kind):
                identifier, key = self.make(kind, "-v", name=kind, pin=PIN)
                self.assert_with(kind, identifier, key, "-v", pin=PIN)

    def test_the_older_pin_protocol_and_tokens_without_permissions_do(self):
        self.token.pin(PIN)
        for setting in ("new-protocol", "permissions"):
            with self.subTest(setting):
                self.token.set(setting, "off")
                identifier, key = self.make("es256", "-v", name=setting, pin=PIN)
                self.assert_with("es256", identifier, key, "-t", "pin=true", pin=PIN)

    def test_resident_ones_are_found_without_an_identifier(self):
        self.token.pin(PIN)
        _, key = self.make("es256", "-r", "-v", pin=PIN)
        self.assert_with("es256", None, key, "-r", "-v", pin=PIN)

    def test_resident_ones_of_one_application_are_all_given(self):
        self.token.pin(PIN)
        for user in ("anna", "berta", "carla"):
            self.make("es256", "-r", "-v", pin=PIN, user=user, name=user)
        request, got = self.path / "request", self.path / "got"
        request.write_text(base64.b64encode(bytes(32)).decode() + "\nexample.org\n")
        self.runs_well(["fido2-assert", "-G", "-r", "-v", "-i", request, "-o", got, self.token.node], PIN)
        users = {name for name in ("anna", "berta", "carla")
                 if base64.b64encode(name.encode()).decode() in got.read_text()}
        self.assertEqual(users, {"anna", "berta", "carla"})
        self.assertEqual(self.token.counts()["get_next_assertion"], 2)

    def test_levels_of_protection_hide_credentials_from_who_gives_no_pin(self):
        self.token.pin(PIN)
        for level, asked in ((1, True), (2, True), (3, False)):
            with self.subTest(level):
                identifier, key = self.make("es256", "-r", "-v", "-c", str(level), pin=PIN, name=f"level{level}")
                self.assert_with("es256", identifier, key, "-v", pin=PIN)
                if asked:
                    self.assert_with("es256", identifier, key)
                else:
                    with self.assertRaisesRegex(AssertionError, "NO_CREDENTIALS"):
                        self.assert_with("es256", identifier, key)

    def test_a_credential_that_another_application_made_is_not_found(self):
        identifier, key = self.make("es256")
        with self.assertRaisesRegex(AssertionError, "NO_CREDENTIALS"):
            self.assert_with("es256", identifier, key, rp="other.org")

    def test_asked_silently_it_does_not_wait_for_a_touch(self):
        identifier, key = self.make("es256")
        self.token.touch_at_once(False)
        self.token.count_anew()
        self.assert_with("es256", identifier, key, "-t", "up=false")
        counts = self.token.counts()
        self.assertEqual(counts["silent"], 1)
        self.assertNotIn("touches", counts)

    def waiting(self):
        """fido2-cred, which waits for a touch."""
        self.token.touch_at_once(False)
        request = self.path / "request"
        request.write_text(base64.b64encode(bytes(32)).decode() + "\nexample.org\nanna\nYW5uYQ==\n")
        host = self.bed.start(["fido2-cred", "-M", "-i", request, "-o", self.path / "made", self.token.node],
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(host.stderr.close)
        self.addCleanup(host.kill)
        self.token.wait_until_it_blinks()
        return host

    def ends(self, host, words):
        self.assertIn(words, host.communicate(timeout=30 * lab.PATIENCE)[1])
        self.assertNotEqual(host.returncode, 0)
        self.token.wait_until_dark()

    def test_a_touch_can_be_refused(self):
        host = self.waiting()
        self.token.refuse()
        self.ends(host, "OPERATION_DENIED")

    def test_a_touch_that_does_not_come_is_waited_for_only_so_long(self):
        self.token.set("touch-ms", 300)
        self.ends(self.waiting(), "ACTION_TIMEOUT")

    def test_a_token_that_is_pulled_ends_the_wait(self):
        host = self.waiting()
        self.token.pull()
        self.ends(host, "FIDO_ERR")

    def test_the_counter_goes_up_with_each_assertion(self):
        identifier, key = self.make("es256")
        before = self.token.state()["counter"]
        for _ in range(3):
            self.assert_with("es256", identifier, key)
        self.assertEqual(self.token.state()["counter"], before + 3)


class TestPin(Case):
    """fido2-token and the PIN."""

    def right(self, pin=PIN):
        self.assertIn("existing rk", self.fido2_token("-I", "-c", self.token.node, pin=pin))

    def wrong(self, pin="0000"):
        """A wrong PIN; what is said of it."""
        return self.fido2_token("-I", "-c", self.token.node, pin=pin, code=1)

    def test_it_is_set_and_changed(self):
        new = f"new PIN for {self.token.node}"
        code, shown = self.bed.types(["fido2-token", "-S", self.token.node], (new, PIN), ("again", PIN))
        self.assertEqual(code, 0, shown)
        code, shown = self.bed.types(["fido2-token", "-C", self.token.node],
                                     ("current PIN", PIN), (new, "geheim"), ("again", "geheim"))
        self.assertEqual(code, 0, shown)
        self.right("geheim")
        self.assertIn("PIN_INVALID", self.wrong(PIN))
        self.assertEqual(self.token.counts()["pin_tries"], 3)

    def test_one_that_is_too_short_is_not_taken(self):
        self.token.says("pin-length 6")
        code, shown = self.bed.types(["fido2-token", "-S", self.token.node],
                                     (f"new PIN for {self.token.node}", PIN), ("again", PIN))
        self.assertNotEqual(code, 0)
        self.assertIn("PIN_POLICY_VIOLATION", shown)

    def test_wrong_ones_spend_tries_and_a_right_one_gives_them_back(self):
        self.token.pin(PIN)
        self.assertIn("PIN_INVALID", self.wrong())
        self.assertEqual(self.token.tries, 7)
        self.right()
        self.assertEqual(self.token.tries, 8)

    def test_after_three_wrong_ones_it_has_to_be_pulled(self):
        self.token.pin(PIN)
        self.assertIn("PIN_INVALID", self.wrong())
        self.assertIn("PIN_INVALID", self.wrong())
        self.assertIn("PIN_AUTH_BLOCKED", self.wrong())
        self.assertIn("PIN_AUTH_BLOCKED", self.wrong(PIN))
        self.assertEqual(self.token.tries, 5)
        self.token.pull()
        self.token.insert()
        self.right()

    def test_when_no_try_is_left_the_right_one_is_refused_too(self):
        self.token.pin(PIN)
        self.token.says("tries 1")
        self.assertIn("PIN_BLOCKED", self.wrong())
        self.assertIn("PIN_BLOCKED", self.wrong(PIN))
        self.assertEqual(self.token.counts()["pin_tries"], 1)

    def test_one_that_has_to_be_changed_is_good_for_nothing_else(self):
        self.token.pin(PIN)
        self.token.says("force-change on")
        self.assertIn("pin change required: true", self.fido2_token("-I", self.token.node))
        self.wrong(PIN)
        self.assertEqual(self.token.tries, 8)

    def test_a_reset_takes_pin_and_keys_away(self):
        self.token.touch_at_once()
        self.token.pin(PIN)
        self.make("es256", "-r", "-v", pin=PIN)
        self.fido2_token("-R", self.token.node)
        state = self.token.state()
        self.assertEqual((state["pin"], state["residents"]), (0, 0))

    def test_a_reset_can_be_bound_to_the_time_after_plugging_in(self):
        self.token.touch_at_once()
        self.token.set("reset-ms", 1)
        lab.wait_for("the reset is too late",
                     lambda: "NOT_ALLOWED" in self.fido2_token("-R", self.token.node, code=1))

    def test_resident_credentials_are_listed_and_deleted(self):
        self.token.touch_at_once()
        self.token.pin(PIN)
        for rp in ("example.org", "ssh:work"):
            self.make("es256", "-r", "-v", pin=PIN, rp=rp, name=rp.replace(":", ""))
        shown = self.fido2_token("-L", "-r", self.token.node, pin=PIN)
        self.assertIn("example.org", shown)
        self.assertIn("ssh:work", shown)
        shown = self.fido2_token("-L", "-k", "ssh:work", self.token.node, pin=PIN)
        identifier = next(line.split()[1] for line in shown.splitlines() if "es256" in line)
        self.fido2_token("-D", "-i", identifier, self.token.node, pin=PIN)
        shown = self.fido2_token("-L", "-r", self.token.node, pin=PIN)
        self.assertNotIn("ssh:work", shown)
        self.assertEqual(self.token.state()["residents"], 1)

    def test_one_that_is_older_lists_them_as_well(self):
        self.token.touch_at_once()
        self.token.set("permissions", "off")
        self.token.pin(PIN)
        self.make("es256", "-r", "-v", pin=PIN)
        self.assertIn("example.org", self.fido2_token("-L", "-r", self.token.node, pin=PIN))
        self.assertIn("credential_management_preview", self.token.counts())

    def test_no_more_resident_ones_than_there_is_room(self):
        self.token.touch_at_once()
        self.token.pin(PIN)
        self.token.set("resident-max", 1)
        self.make("es256", "-r", "-v", pin=PIN, user="anna")
        with self.assertRaisesRegex(AssertionError, "KEY_STORE_FULL"):
            self.make("es256", "-r", "-v", pin=PIN, user="berta")


class TestSsh(Case):
    """ssh-keygen, ssh and ssh-agent."""

    LINES = ("touch-at-once on",)

    def sshd(self, *options, key):
        server = lab.Sshd()
        self.addCleanup(server.close)
        line = key.with_suffix(".pub").read_text().strip()
        server.allow(f"{','.join(options)} {line}" if options else line)
        return server

    def login(self, server, key, askpass):
        """Logs in with the key's file."""
        return self.bed.run(server.ssh("-i", key, "-o", "IdentityAgent=none", "-o", "BatchMode=no",
                                       "lab", "echo", "inside"), env=askpass.env)

    def test_keys_are_made_and_sign(self):
        for kind in ("ed25519-sk", "ecdsa-sk"):
            with self.subTest(kind):
                key = self.keygen(kind, name=kind)
                data = self.path / f"{kind}.data"
                data.write_text("data")
                self.bed.run_well(["ssh-keygen", "-Y", "sign", "-n", "test", "-f", key, data])
                allowed = self.path / "allowed"
                allowed.write_text("me " + key.with_suffix(".pub").read_text())
                with open(data, encoding="utf-8") as file:
                    self.bed.run_well(["ssh-keygen", "-Y", "verify", "-n", "test", "-f", allowed, "-I", "me",
                                       "-s", f"{data}.sig"], stdin=file)

    def test_a_key_for_which_a_touch_is_required_logs_in(self):
        key = self.keygen("ed25519-sk")
        askpass = self.askpass()
        done = self.login(self.sshd(key=key), key, askpass)
        self.assertEqual(done.stdout, "inside\n", done.stderr)

    def test_a_key_for_which_a_pin_is_required_logs_in(self):
        self.token.pin(PIN)
        for kind in ("ed25519-sk", "ecdsa-sk"):
            with self.subTest(kind):
                key = self.keygen(kind, "resident", "verify-required", f"application=ssh:{kind}", name=kind)
                askpass = self.askpass()
                done = self.login(self.sshd("verify-required", key=key), key, askpass)
                self.assertEqual(done.stdout, "inside\n", done.stderr)
                self.assertEqual(len([one for one in askpass.prompts() if "PIN" in one]), 1)

    def test_a_login_through_stock_ssh_agent_works(self):
        key = self.keygen("ed25519-sk")
        server = self.sshd(key=key)
        program = self.path / "ssh-agent"  # Debian's has a group of its own, and is not preloaded
        shutil.copyfile("/usr/bin/ssh-agent", program)
        os.chmod(program, 0o700)
        socket = self.path / "agent"
        agent = self.bed.start([program, "-D", "-a", socket], stdout=subprocess.DEVNULL)
        self.addCleanup(agent.wait)
        self.addCleanup(agent.terminate)
        lab.wait_for("ssh-agent listens", lambda: lab.listens(socket))
        env = {"SSH_AUTH_SOCK": str(socket)}
        self.bed.run_well(["ssh-add", "-q", key], env=env)
        done = self.bed.run(server.ssh("lab", "echo", "inside"), env=env)
        self.assertEqual(done.stdout, "inside\n", done.stderr)

    def test_resident_keys_are_read_back(self):
        self.token.pin(PIN)
        first = self.keygen("ed25519-sk", "resident", "verify-required", "application=ssh:first", name="first")
        second = self.keygen("ecdsa-sk", "resident", "application=ssh:second", name="second")
        folder = self.path / "back"
        folder.mkdir()
        self.bed.run_well(["ssh-keygen", "-q", "-K", "-N", ""], env=self.askpass().env, cwd=folder)
        found = {tuple(file.read_text().split()[:2]) for file in folder.glob("*.pub")}
        self.assertEqual(found, {tuple(key.with_suffix(".pub").read_text().split()[:2])
                                 for key in (first, second)})

    def test_a_key_without_a_touch_signs_in_the_dark(self):
        key = self.keygen("ed25519-sk", "no-touch-required")
        self.token.touch_at_once(False)
        self.token.count_anew()
        server = self.sshd("no-touch-required", key=key)
        done = self.login(server, key, self.askpass())
        self.assertEqual(done.stdout, "inside\n", done.stderr)
        self.assertNotIn("touches", self.token.counts())



class TestOldKey(Case):
    """One that knows U2F alone."""

    LINES = ("set ctap2 off", "touch-at-once on")

    def test_it_says_so(self):
        self.assertIn("caps: 0x01", self.fido2_token("-I", self.token.node))

    def test_ssh_makes_a_key_of_the_older_kind_and_logs_in(self):
        key = self.keygen("ecdsa-sk")
        with lab.Sshd() as server:
            server.allow(key.with_suffix(".pub").read_text().strip())
            done = self.bed.run(server.ssh("-i", key, "-o", "IdentityAgent=none", "lab", "echo", "inside"))
            self.assertEqual(done.stdout, "inside\n", done.stderr)
        self.assertGreater(self.token.counts()["u2f"], 1)

    def test_it_waits_for_a_touch_by_being_asked_again(self):
        self.token.touch_at_once(False)
        host = self.bed.start(["ssh-keygen", "-q", "-t", "ecdsa-sk", "-N", "", "-f", self.path / "key"],
                              stdin=subprocess.DEVNULL)
        lab.wait_for("it was asked again", lambda: self.token.counts().get("touches", 0) > 2)
        self.assertIsNone(host.poll())
        self.token.touch()
        self.assertEqual(host.wait(30 * lab.PATIENCE), 0)


class TestKinds(Case):
    """Settings that make other tokens of it."""

    LINES = ("touch-at-once on",)

    def test_one_that_always_wants_a_pin_wants_it_for_any_touch(self):
        self.token.pin(PIN)
        self.token.set("always-uv", "on")
        self.assertIn(" alwaysUv", self.fido2_token("-I", self.token.node))
        identifier, key = self.make("es256", pin=PIN)
        self.assert_with("es256", identifier, key, "-t", "pin=true", pin=PIN)
        with self.assertRaisesRegex(AssertionError, "PIN_REQUIRED"):
            self.assert_with("es256", identifier, key)
        self.token.count_anew()
        self.assert_with("es256", identifier, key, "-t", "up=false")
        self.assertNotIn("pin_tries", self.token.counts())

    def test_one_that_is_slow_gets_there(self):
        self.token.set("slow-ms", 400)
        self.keygen("ed25519-sk")

    def test_one_without_ed25519_makes_the_older_kind(self):
        self.token.set("eddsa", "off")
        done = self.bed.run(["ssh-keygen", "-q", "-t", "ed25519-sk", "-N", "", "-f", self.path / "key"])
        self.assertNotEqual(done.returncode, 0)
        self.keygen("ecdsa-sk", name="other")

    def test_protection_can_be_more_than_was_asked_for(self):
        self.token.pin(PIN)
        self.token.set("protect", 3)
        identifier, key = self.make("es256", "-v", pin=PIN)
        self.assert_with("es256", identifier, key, "-v", pin=PIN)
        with self.assertRaisesRegex(AssertionError, "NO_CREDENTIALS"):
            self.assert_with("es256", identifier, key)


if __name__ == "__main__":
    unittest.main()
