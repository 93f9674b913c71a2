"""Keys that are resident on security keys: read once with the PIN, known again by what the token signs."""
import os
import unittest

import fido2_bed
import lab
from fido2_bed import PIN, TOUCH, VERIFY
from lab import client as c, keys
from lab.keys import string

PROVIDER = "fido2:"


class Case(fido2_bed.Case):
    pin = PIN

    def resident(self, *options, kind="ed25519-sk", token=None):
        return self.made(kind, ("resident", *options), token=token)

    def loads(self, pin=PIN, provider=PROVIDER):
        """As ssh-add -s does; whether it went well."""
        with lab.AgentClient(self.agent) as one:
            return one.call(c.ADD_TOKEN, string(provider) + string(pin))[0] == c.SUCCESS

    def loads_well(self, pin=PIN):
        self.assertTrue(self.loads(pin), self.agent.log()[-3000:])

    def waits_for(self, *blobs):
        """Until the list has exactly these."""
        lab.wait_for(f"{len(blobs)} keys are listed", lambda: sorted(self.blobs()) == sorted(blobs))

    def types(self, *words):
        """fido2-token, which asks for the PIN."""
        code, shown = self.bed.types(
            ["fido2-token", *words, self.token.node], (f"PIN for {self.token.node}", PIN))
        self.assertEqual(code, 0, shown)
        return code, shown

    def comments(self):
        with lab.AgentClient(self.agent) as one:
            return [key.comment for key in one.list()]

    @property
    def file(self):
        return self.agent.home / ".local/state/keystile/fido2.json"


class Loading(Case):
    def test_ssh_add_s_lists_the_keys_of_ssh_and_they_sign(self):
        plain, other = self.resident(), self.resident("application=ssh:odd", "user=joe", kind="ecdsa-sk")
        self.made(options=())
        done = self.agent.run("ssh-add", "-s", PROVIDER, env=self.asks.env)
        self.assertEqual(done.returncode, 0, done.stderr + self.agent.log())
        self.waits_for(plain.blob, other.blob)
        self.assertEqual(self.signs(plain), TOUCH)
        self.assertEqual(self.signs(other), TOUCH)

    def test_a_login_with_a_verify_required_one(self):
        key = self.resident("verify-required")
        self.loads_well()
        with lab.Sshd() as host:
            host.allow("verify-required " + keys.line_of(key.blob))
            done = self.agent.run(*host.ssh("lab", "echo", "I am in"))
            self.assertEqual((done.stdout, done.returncode), ("I am in\n", 0), done.stderr)
        self.assertEqual((len([text for text in self.asks.prompts() if "PIN for the token" in text]), self.token.tries), (1, 8))

    def test_comments_say_the_application_and_whose_it_is(self):
        self.resident(), self.resident("application=ssh:odd", "user=joe")
        self.loads_well()
        self.assertEqual(sorted(self.comments()), ["ssh:", "ssh:odd joe"])

    def test_an_agent_without_a_token_says_so(self):
        self.token.pull()
        self.assertFalse(self.loads())
        self.refused_with("no security key is plugged in")

    def test_a_wrong_pin_costs_one_try_and_says_how_many_are_left(self):
        self.resident()
        self.assertFalse(self.loads("4321"))
        self.refused_with("7 tries are left")
        self.assertEqual(self.token.tries, 7)
        self.loads_well()
        self.assertEqual(self.token.tries, 8)

    def test_the_last_try_is_not_spent(self):
        self.resident()
        self.token.says("tries 1")
        self.assertFalse(self.loads())
        self.refused_with("one PIN try is left")
        self.assertEqual(self.token.tries, 1)

    def test_a_token_without_a_pin_is_not_read(self):
        self.token.pin()
        self.assertFalse(self.loads())
        self.refused_with("has a PIN")

    def test_a_token_without_credential_management_says_so(self):
        self.token.set("management", "off")
        self.token.pull()
        self.back()
        self.assertFalse(self.loads())
        self.refused_with("no credential management")
        self.assertEqual(self.token.tries, 8)

    def test_a_token_without_keys_of_ssh_says_so(self):
        self.made()
        self.assertFalse(self.loads())
        self.refused_with("no resident key")

    def test_the_list_without_a_pin_brings_nothing_of_an_unknown_token(self):
        self.resident()
        self.token.count_anew()
        self.assertFalse(self.loads(""))
        self.assertEqual(self.token.counts(), {})
        self.assertEqual(self.blobs(), [])


class Returning(Case):
    def test_a_token_that_is_put_back_is_known_by_one_silent_signature_a_key(self):
        first, second = self.resident(), self.resident("application=ssh:two")
        self.loads_well()
        self.token.pull()
        self.waits_for()
        self.token.count_anew()
        self.token.insert()
        self.waits_for(first.blob, second.blob)
        self.assertEqual(self.token.counts(), {"init": 1, "get_info": 1, "get_assertion": 2, "silent": 2})
        self.assertEqual(self.signs(second), TOUCH)

    def test_a_verify_required_key_comes_back_and_signs_with_its_pin(self):
        key = self.resident("verify-required")
        self.loads_well()
        self.waits_for(key.blob)
        self.token.pull()
        self.waits_for()
        self.token.insert()
        self.waits_for(key.blob)
        self.assertEqual(self.signs(key), TOUCH | VERIFY)
        self.assertEqual(self.token.tries, 8)

    def test_an_agent_that_starts_anew_knows_the_keys_without_a_pin(self):
        key = self.resident()
        self.loads_well()
        remembered = self.file.read_text()
        self.assertEqual(oct(self.file.stat().st_mode)[-3:], "600")
        self.agent.stop()
        self.starts_with(remembered)
        self.assertTrue(self.loads(""), self.agent.log())
        self.waits_for(key.blob)
        self.assertEqual(self.asks.prompts(), [])
        self.signs(key)

    def starts_with(self, remembered):
        """An agent that finds this in its folder of state."""
        state = self.bed.folder.path / "state" / "keystile"
        state.mkdir(parents=True)
        (state / "fido2.json").write_text(remembered)
        os.chmod(state / "fido2.json", 0o600)
        self.started(environment={"XDG_STATE_HOME": str(state.parent)})

    def test_the_configuration_brings_them_when_the_token_comes(self):
        key = self.resident()
        self.loads_well()
        remembered = self.file.read_text()
        self.agent.stop()
        self.token.pull()
        self.config = 'provider sk {\n\tload = "fido2:"\n}\n'
        self.starts_with(remembered)
        lab.wait_for("the provider is loaded", lambda: self.listed() == [])
        self.assertEqual(self.blobs(), [])
        self.token.insert()
        self.waits_for(key.blob)
        self.signs(key)
        self.assertEqual(self.asks.prompts(), [])

    def test_a_key_that_was_deleted_on_the_token_does_not_come_back(self):
        key, gone = self.resident(), self.resident("application=ssh:gone")
        self.loads_well()
        _, shown = self.types("-L", "-k", "ssh:gone")
        handle = shown.split("00: ")[1].split()[0]
        self.types("-D", "-i", handle)
        self.token.pull()
        self.waits_for()
        self.token.insert()
        self.waits_for(key.blob)

    def test_a_token_that_was_reset_has_none(self):
        self.resident()
        self.loads_well()
        self.token.pull()
        self.waits_for()
        self.token.insert()
        self.bed.run_well(["fido2-token", "-R", self.token.node])
        self.token.pull()
        self.waits_for()
        self.token.count_anew()
        self.token.insert()
        lab.wait_for("it was asked", lambda: self.token.counts().get("get_assertion") == 1)
        self.assertEqual(self.blobs(), [])

    def test_a_changed_pin_needs_no_new_loading(self):
        key = self.resident("verify-required")
        self.loads_well()
        self.token.pin("98765")
        self.asks.close()
        self.asks = self.askpass("98765")
        self.token.pull()
        self.waits_for()
        self.token.insert()
        self.waits_for(key.blob)

    def test_a_removed_provider_asks_no_token(self):
        added, key = self.gives(), self.resident()
        self.loads_well()
        self.waits_for(added.blob, key.blob)
        with lab.AgentClient(self.agent) as one:
            self.assertEqual(one.remove_token(PROVIDER), c.SUCCESS)
        self.waits_for(added.blob)
        self.token.pull()
        self.token.count_anew()
        self.back()
        self.signs(added)
        self.assertEqual(self.token.counts()["init"], 1)
        self.assertEqual(self.blobs(), [added.blob])


class Lying(Case):
    """A token that says of itself what is not so."""

    LISTING = "credential_management_preview"

    def test_spoilt_lists_are_refused_and_cost_nothing(self):
        key = self.resident()
        for kind in ("truncated", "oversized", "empty", "malformed", "status", "channel"):
            with self.subTest(kind):
                self.token.fault(kind, 1, self.LISTING)
                self.loads()
                self.token.fault("none")
                self.assertEqual(self.token.tries, 8)
        self.token.pull()
        self.back()
        self.loads_well()
        self.waits_for(key.blob)

    def test_a_hundred_thousand_applications_that_never_come_are_refused(self):
        self.resident()
        claimed = bytes.fromhex("00a3 03a1 626964 64 7373683a 04 5820") + bytes(32) + bytes.fromhex("05 1a000186a0")
        self.token.replies(claimed, 1, self.LISTING)
        self.assertFalse(self.loads())
        self.token.fault("none")
        self.assertEqual((self.blobs(), self.token.tries), ([], 8))
        self.loads_well()

    def test_a_key_that_it_does_not_sign_with_is_not_listed(self):
        self.resident()
        self.token.fault("signature", 9, "get_assertion")
        self.assertFalse(self.loads())
        self.refused_with("no resident key")
        self.assertEqual(self.blobs(), [])

    def test_a_token_that_comes_back_and_does_not_sign_shows_nothing(self):
        self.resident()
        self.loads_well()
        self.token.pull()
        self.waits_for()
        self.token.fault("signature", 9, "get_assertion")
        self.token.count_anew()
        self.token.insert()
        lab.wait_for("it was asked", lambda: self.token.counts().get("get_assertion") == 1)
        lab.wait_for("that is over", lambda: "can't show it" in self.agent.log())
        self.assertEqual(self.blobs(), [])

    def test_what_would_move_a_terminal_is_no_application(self):
        self.resident("application=ssh:a\x1b[2J")
        self.assertFalse(self.loads())
        self.refused_with("no resident key")

    def test_a_file_of_nonsense_is_as_good_as_none(self):
        key = self.resident()
        self.loads_well()
        whole = self.file.read_text()
        for text in ("", "[]", "{}", '{"keys": 7}', '{"keys": [7, {}, {"key": "AAAA"}]}', whole[:200], "x" * 3000000):
            with self.subTest(text[:40]):
                self.file.write_text(text)
                with lab.AgentClient(self.agent) as one:
                    one.remove_token(PROVIDER)
                self.waits_for()
                self.assertFalse(self.loads(""))
        self.loads_well()
        self.waits_for(key.blob)


class Worker(Case):
    def test_a_worker_that_crashes_loses_what_was_added_and_nothing_else(self):
        added, key = self.gives(), self.resident()
        self.loads_well()
        self.waits_for(added.blob, key.blob)
        for worker in self.agent.status()["providers"]:
            os.kill(worker["pid"], 9)
        self.waits_for(key.blob)
        lab.wait_for("it is there again", lambda: self.listed() == [self.token.node])
        self.signs(key)
        self.assertEqual(self.asks.prompts(), [])


class Two(Case):
    tokens = 2

    def test_each_token_brings_its_own_keys_and_no_others(self):
        one, two = self.bed.tokens
        first, second = self.resident(token=one), self.resident("application=ssh:two", token=two)
        two.pull()
        self.loads_well()
        one.pull()
        self.waits_for()
        two.insert()
        self.loads_well()
        self.waits_for(second.blob)
        one.insert()
        self.waits_for(first.blob, second.blob)
        two.pull()
        self.waits_for(first.blob)
        self.assertEqual(self.signs(first), TOUCH)
        one.pull()
        self.waits_for()
        two.insert()
        self.waits_for(second.blob)

    def test_a_pin_that_nobody_said_whose_it_is_goes_to_neither(self):
        self.resident()
        self.assertFalse(self.loads("4321"))
        self.refused_with("several security keys")
        self.assertEqual([one.tries for one in self.bed.tokens], [8, 8])


if __name__ == "__main__":
    unittest.main()
