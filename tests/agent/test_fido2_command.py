"""keystile fido: security keys on a page and as JSON, and the agent told to load what is on them."""
import json
import unittest

import fido2_bed
import lab
from fido2_bed import PIN
from lab import keys


class Case(fido2_bed.Case):
    pin = PIN

    def call(self, *words, status=0):
        """Runs it without a terminal, with the status that it has to end with."""
        done = lab.run([lab.CONTROL, "fido", *words], env=self.agent.env)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr + self.agent.log()[-1000:])
        return done

    def types(self, *words, pins=(PIN,)):
        """The same in a terminal, where these PINs are typed: its status, and what it showed."""
        terminal = lab.Tty()
        self.addCleanup(terminal.close)
        process = terminal.run([lab.CONTROL, "fido", *words], env=self.agent.env)
        shown = ""
        for pin in pins:
            terminal.wait_until_shown("PIN of")
            terminal.wait_until_shown("PIN: ")
            shown += terminal.shown()
            terminal.forget()
            terminal.types(f"{pin}\r")
        code = process.wait(lab.place.ANSWER_SECONDS * lab.PATIENCE)
        return code, shown + terminal.shown()

    def told(self, *words):
        return json.loads(self.call("list", "--json", *words).stdout)["tokens"]


class List(Case):
    def test_a_token_is_described(self):
        told, = self.told()
        self.assertEqual((told["node"], told["busy"], told["fido2"], told["pin_set"], told["pin_tries"]),
                         (self.token.node, False, True, True, 8))
        self.assertEqual((told["product"], told["serial"]), ("Token 0 in software", "SW0"))
        self.assertEqual(told["algorithms"], ["ecdsa-sk", "ed25519-sk"])
        self.assertEqual(len(bytes.fromhex(told["aaguid"])), 16)
        self.assertIn("FIDO_2_1", told["versions"])
        self.assertTrue(told["options"]["clientPin"])
        self.assertNotIn("keys", told)

    def test_a_person_reads_the_same(self):
        shown = self.call("list").stdout
        for words in (self.token.node, "AAGUID", "SW0", "firmware      5.7.1", "set; 8 tries are left", "ecdsa-sk, ed25519-sk"):
            self.assertIn(words, shown)

    def test_what_a_token_lacks_is_said(self):
        self.token.pin()
        self.token.set("management", "off")
        shown = self.call("list").stdout
        self.assertIn("not set", shown)
        self.assertIn("it can't list what is on it", shown)

    def test_a_token_of_before_ctap2_is_shown(self):
        self.token.set("ctap2", "off")
        self.assertIn("U2F", self.call("list").stdout)

    def test_none_is_no_error(self):
        self.token.pull()
        self.assertIn("No security key is plugged in", self.call("list").stdout)
        self.assertEqual(self.told(), [])

    def test_the_resident_keys_are_shown_with_the_pin(self):
        key = self.made(options=("resident", "application=ssh:odd", "user=joe", "verify-required"))
        status, shown = self.types("list", "--pin")
        self.assertEqual(status, 0, shown)
        for words in (keys.fingerprint_of(key.blob), "ssh:odd", "joe", "only with the PIN"):
            self.assertIn(words, shown)
        self.assertEqual(self.token.tries, 8)

    def test_a_wrong_pin_is_asked_for_again_and_the_question_names_the_token(self):
        status, shown = self.types("list", "--pin", pins=("4321", PIN))
        self.assertEqual(status, 0, shown)
        self.assertIn(self.token.node, shown)
        self.assertIn("not the right PIN", shown)
        self.assertIn("no keys for SSH", shown)

    def test_one_that_waits_for_a_touch_is_said_to_be_in_use_and_goes_on_waiting(self):
        key = self.gives()
        self.token.touch_at_once(False)
        client = self.begins(key)
        self.token.count_anew()
        self.assertIn("another program uses it", self.call("list").stdout)
        self.assertEqual((self.token.counts(), self.token.blinks()), ({}, True))
        self.token.touch()
        lab.verify(key.blob, self.gets(client), b"data")

    def test_a_wrong_command_line_is_told_how_it_goes(self):
        for words in ((), ("look",), ("list", "--pim"), ("load", "--pin"), ("list", "one", "more")):
            with self.subTest(words):
                self.assertIn("usage: keystile fido l", self.call(*words, status=2).stderr)


class OfTwo(Case):
    tokens = 2

    def test_one_is_named_by_its_device_or_its_serial_number(self):
        for name in (self.bed.tokens[1].node, "SW1"):
            with self.subTest(name):
                self.assertEqual([one["serial"] for one in self.told(name)], ["SW1"])
        self.assertEqual(len(self.told()), 2)
        self.assertIn("no security key that is plugged in has", self.call("list", "SW2", status=1).stderr)

    def test_the_pin_of_the_one_that_is_named_is_asked_for_and_of_no_other(self):
        status, shown = self.types("list", "--pin", "SW1")
        self.assertEqual((status, shown.count("/dev/hidraw1")), (0, 2), shown)
        self.assertEqual([one.counts().get("client_pin.token_with_permissions", 0) for one in self.bed.tokens], [0, 1])


class Load(Case):
    tokens = 2

    def test_the_one_that_is_named_is_read_and_no_other(self):
        first, second = (self.made(options=("resident",), token=one) for one in self.bed.tokens)
        for name, key in (("SW1", second), (self.bed.tokens[0].node, first)):
            before = self.blobs()
            self.call("load", name)
            self.assertEqual([blob for blob in self.blobs() if blob not in before], [key.blob])
            self.assertIn(name if name != "SW1" else self.bed.tokens[1].node, self.asks.prompts()[-1])
        self.assertEqual(len(self.asks.prompts()), 2)
        self.assertIn("no security key that is plugged in has", self.call("load", "SW2", status=1).stderr)

    def test_the_agent_asks_for_the_pin_of_each_and_lists_what_is_there(self):
        first, second = (self.made(options=("resident",), token=one) for one in self.bed.tokens)
        self.assertEqual(self.call("load").stdout, "2 resident keys are listed\n")
        self.assertEqual(sorted(self.blobs()), sorted((first.blob, second.blob)))
        self.assertEqual(len(self.asks.prompts()), 2)
        for one, prompt in zip(self.bed.tokens, self.asks.prompts()):
            self.assertIn(one.node, prompt)
        self.assertEqual([one.tries for one in self.bed.tokens], [8, 8])

    def test_a_refused_pin_leaves_that_token_out(self):
        self.made(options=("resident",))
        self.asks.refuses()
        self.assertIn("refuses", self.call("load", status=1).stderr)
        self.assertEqual(self.blobs(), [])
        self.assertEqual([one.tries for one in self.bed.tokens], [8, 8])

    def test_a_pin_that_stays_wrong_is_asked_for_three_times_and_costs_as_many_tries(self):
        self.bed.tokens[1].pull()
        self.asks.does('n=$(cat "$0.n" 2>/dev/null || echo 0); echo $((n + 1)) > "$0.n"; echo "wrong$n"')
        self.assertIn("take the security key out", self.call("load", status=1).stderr)
        self.assertEqual(len(self.asks.prompts()), 3)
        self.assertEqual(self.token.tries, 5)

    def test_nothing_plugged_in_is_said(self):
        for one in self.bed.tokens:
            one.pull()
        self.assertIn("no security key is plugged in", self.call("load", status=1).stderr)

    def test_a_locked_agent_loads_nothing(self):
        with lab.AgentClient(self.agent) as one:
            one.call(22, keys.string("secret"))
        self.assertIn("locked", self.call("load", status=1).stderr)
        self.assertEqual(self.asks.prompts(), [])


if __name__ == "__main__":
    unittest.main()
