"""The pkcs11 backend with SoftHSM: which keys it shows, how it signs, and what a PIN is used for."""
import os
import subprocess
import unittest

import lab
from lab import worker

from pkcs11_bed import (COUNT_LOW, FINAL_TRY, LOCKED, PIN_PAD, SPY, Case, Worker)

TWO_CALLS = ["C_SignInit", "C_Sign"]


class Keys(Case):
    def test_every_kind_of_key_is_listed_and_signs(self):
        keys = [self.key] + [self.token.bring(kind) for kind in lab.KINDS if kind != "p256"]
        with self.worker() as one:
            shown = one.login("1234")[0][-1].body.keys
            self.assertEqual({key.blob for key in shown}, {key.blob for key in keys})
            self.assertEqual({key.label.decode() for key in shown}, {key.label for key in keys})
            for key in keys:
                with self.subTest(key.kind):
                    if key.kind.startswith("rsa"):
                        self.signs(one, key=key, algorithm="rsa-sha2-256")
                        self.signs(one, key=key, algorithm="rsa-sha2-512")
                    else:
                        self.signs(one, key=key)

    def test_a_key_that_the_token_made_itself_signs(self):
        key = self.token.generate("ed25519")
        with self.worker() as one:
            one.tokens()
            self.signs(one, "1234", key=key)

    def test_a_certificate_alone_shows_its_key(self):
        keys = [self.token.bring(kind) for kind in ("rsa:2048", "p384")]
        for key in keys:
            self.token.certify(key)
        with self.worker() as one:
            one.login("1234")
            self.assertEqual(len(one.tokens()[0].keys), 3)
            self.signs(one, key=keys[0], algorithm="rsa-sha2-512")
            self.signs(one, key=keys[1])

    def test_a_key_with_a_certificate_stands_in_the_list_once(self):
        self.token.certify(self.key, keep_public=True)
        with self.worker() as one:
            self.assertEqual([key.blob for key in one.tokens()[0].keys], [self.key.blob])

    def test_keys_of_the_same_id_are_told_apart(self):
        others = [self.token.bring("rsa:2048") for _ in range(2)]
        for key in others:
            for kind in ("privkey", "pubkey"):
                self.token.pkcs11_tool("--set-id", "77", "--type", kind, "--id", key.id)
        with self.worker() as one:
            one.login("1234")
            for key in others:
                self.signs(one, key=key, algorithm="rsa-sha2-256")

    def test_small_rsa_keys_are_left_out(self):
        self.token.pkcs11_tool("--keypairgen", "--key-type", "rsa:1024", "--id", "55")
        with self.worker() as one:
            self.assertEqual([key.blob for key in one.tokens()[0].keys], [self.key.blob])

    def test_several_tokens_are_shown_with_their_texts(self):
        second = self.hsm.token("Two", "9999")
        other = second.bring("ed25519")
        with self.worker() as one:
            shown = {token.label: token for token in one.tokens()}
            self.assertEqual(set(shown), {b"Lab", b"Two"})
            two = shown[b"Two"]
            self.assertEqual([key.blob for key in two.keys], [other.blob])
            self.assertEqual(two.flags, worker.NEEDS_LOGIN)
            self.assertEqual((two.model, two.tries), (b"SoftHSM v2", -1))
            self.assertRegex(two.serial, rb"^[0-9a-f]{16}$")
            _, done = one.sign_asked(other.blob, "9999", token=two.id)
            lab.verify(other.blob, done.result, b"data")
            self.assertEqual([asked.token for asked in one.asked], [two.id])

    def test_another_card_in_the_slot_is_another_token(self):
        with self.shimmed() as one:
            first = one.tokens()[0]
            self.shim.tell("serial", "another")
            frames, _ = one.call(worker.LIST)
            self.assertEqual([(got.type, got.body) for got in frames[:1]],
                             [(worker.TOKEN_GONE, first.id)])
            second = frames[1].body
            self.assertEqual(second.serial, b"another")
            self.assertNotIn(second.id, (0, first.id))
            self.shim.stop("serial")
            self.assertEqual([token.id for token in one.tokens()], [first.id])

    def test_an_algorithm_that_is_none_of_the_keys_is_refused(self):
        with self.worker() as one:
            one.tokens()
            self.refuses(one, worker.UNSUPPORTED, algorithm="ssh-ed25519")

    def test_a_key_or_token_that_is_not_there_is_said_to_be_missing(self):
        with self.worker() as one:
            one.tokens()
            stranger = lab.keys.blob_of(lab.keys.private("p256").public_key())
            _, done = one.sign(stranger, token=1)
            self.assertEqual(done.error, worker.NO_KEY)
            _, done = one.sign(self.key.blob, token=7)
            self.assertEqual(done.error, worker.NO_TOKEN)


class Pins(Case):
    def test_a_pin_given_ahead_is_used_when_one_token_wants_one(self):
        with self.worker() as one:
            frames, done = one.login("1234")
            self.assertEqual(done.error, worker.OK)
            self.assertEqual(frames[-1].body.flags, worker.NEEDS_LOGIN | worker.LOGGED_IN)
            self.signs(one)
            self.assertEqual(one.asked, [])

    def test_a_pin_given_ahead_is_not_used_when_two_tokens_could_be_meant(self):
        self.hsm.token("Two", "9999")
        with self.shimmed() as one:
            frames, done = one.login("1234")
            self.assertEqual(done.error, worker.OK)
            self.assertEqual({one.body.flags for one in frames}, {worker.NEEDS_LOGIN})
            self.assertNotIn("C_Login", self.shim.calls())
            self.assertTrue(any("not clear for which token" in line for line in one.log))

    def test_a_wrong_pin_given_ahead_is_said_to_be_wrong_and_sent_once(self):
        with self.shimmed() as one:
            self.assertEqual(one.login("4321")[1].error, worker.PIN_WRONG)
            self.assertEqual(self.shim.calls().count("C_Login"), 1)

    def test_the_pin_is_asked_for_when_a_key_is_first_used(self):
        with self.worker() as one:
            one.tokens()
            self.signs(one, "1234")
            self.assertEqual([ask.retry for ask in one.asked], [False])
            self.signs(one)
            self.assertEqual(one.asked, [])

    def test_three_pins_may_be_typed_each_after_a_wrong_one(self):
        with self.shimmed() as one:
            one.tokens()
            self.signs(one, "1111", "2222", "1234")
            self.assertEqual([ask.retry for ask in one.asked], [False, True, True])

    def test_after_three_wrong_pins_the_request_fails(self):
        with self.shimmed() as one:
            one.tokens()
            self.refuses(one, worker.PIN_WRONG, "1111", "2222", "3333", "1234")
            self.assertEqual(len(one.asked), 3)
            self.assertEqual(self.shim.calls().count("C_Login"), 3)

    def test_a_wrong_pin_typed_again_is_not_sent_again(self):
        for demand in (0, worker.PIN):
            with self.subTest(demand=demand), self.shimmed() as one:
                one.tokens()
                self.shim.lines()
                words = self.refuses(one, worker.PIN_WRONG, *["4321"] * 3, demand=demand)
                self.assertIn("not sent", words)
                self.assertEqual(len(one.asked), 3)
                self.assertEqual(self.shim.calls().count("C_Login"), 1)

    def test_a_refused_prompt_refuses_the_signature(self):
        with self.shimmed() as one:
            one.tokens()
            _, done = one.sign_asked(self.key.blob, token=1)
            self.assertEqual(done.error, worker.REFUSED)
            self.assertNotIn("C_Login", self.shim.calls())

    def test_with_nobody_to_ask_a_pin_is_needed(self):
        with self.worker() as one:
            one.tokens()
            operation = one.begin_sign(self.key.blob, token=1)
            one.expect(worker.ASK_PIN, operation)
            one.send(worker.PIN_ANSWER, operation, worker.u32(worker.PIN_NEEDED))
            self.assertEqual(one.finish(operation)[1].error, worker.PIN_NEEDED)

    def test_the_last_try_is_never_spent(self):
        for demand in (0, worker.PIN):
            with self.subTest(demand=demand), self.shimmed() as one:
                one.tokens()
                self.shim.lines()
                self.shim.tell("flags", f"{FINAL_TRY:x}")
                self.refuses(one, worker.PIN_LAST_TRY, "1234", demand=demand)
                self.assertEqual(one.asked, [])
                self.assertEqual(one.login("1234")[1].error, worker.PIN_LAST_TRY)
                self.assertNotIn("C_Login", self.shim.calls())
                self.shim.stop("flags")
                self.signs(one, "1234", demand=demand)

    def test_the_last_try_is_not_spent_when_it_is_reached_by_wrong_pins(self):
        for demand in (0, worker.PIN):
            with self.subTest(demand=demand), self.shimmed() as one:
                one.tokens()
                self.shim.lines()
                operation = one.begin_sign(self.key.blob, token=1, demand=demand)
                one.expect(worker.ASK_PIN)
                self.shim.tell("flags", f"{FINAL_TRY:x}")  # somebody else used up the others
                one.give_pin(operation, b"1234")
                self.assertEqual(one.finish(operation)[1].error, worker.PIN_LAST_TRY)
                self.assertNotIn("C_Login", self.shim.calls())
                self.shim.stop("flags")

    def test_the_token_is_shown_with_its_last_try(self):
        self.shim.tell("flags", f"{FINAL_TRY:x}")
        with self.shimmed() as one:
            shown = one.tokens()[0]
            self.assertEqual((shown.flags, shown.tries), (worker.NEEDS_LOGIN | worker.LAST_TRY, 1))

    def test_a_blocked_pin_is_said_to_be_blocked_and_not_asked_for(self):
        self.shim.tell("flags", f"{LOCKED:x}")
        with self.shimmed() as one:
            self.assertEqual(one.tokens()[0].flags, worker.NEEDS_LOGIN | worker.BLOCKED)
            self.assertIn("blocked", self.refuses(one, worker.PIN_BLOCKED, "1234"))
            self.assertEqual(one.asked, [])

    def test_few_tries_are_hinted_at(self):
        self.shim.tell("flags", f"{COUNT_LOW:x}")
        with self.shimmed() as one:
            one.tokens()
            frames = self.signs(one, "1234")
            self.assertIn("few tries", frames[0].body)

    def test_a_pin_of_a_length_that_cannot_be_right_is_not_sent(self):
        self.shim.tell("pin-lengths", "4 8")
        with self.shimmed() as one:
            one.tokens()
            self.shim.lines()
            self.assertEqual(one.login("123")[1].error, worker.PIN_WRONG)
            self.assertNotIn("C_Login", self.shim.calls())
            self.signs(one, "123456789", "1234")
            self.assertEqual(self.shim.calls().count("C_Login"), 1)

    def test_a_pin_pad_gets_a_notice_and_no_pin(self):
        self.shim.tell("flags", f"{PIN_PAD:x}")
        self.shim.tell("C_Login.pretend")
        with self.shimmed() as one:
            one.tokens()
            operation = one.begin_sign(self.key.blob, token=1)
            one.expect(worker.TOUCH_AWAITED, operation)
            one.send(worker.TOUCH_ANSWER, operation, worker.u32(worker.OK))
            one.expect(worker.TOUCH_OVER, operation)
            frames, _ = one.finish(operation)
            self.assertNotIn(worker.ASK_PIN, [frame.type for frame in frames])
            self.assertEqual([frame.body for frame in frames if frame.type == worker.PRESENCE], [worker.PIN_PAD_USED])

    def test_a_pin_that_is_asked_for_blocks_no_other_token(self):
        other = self.hsm.token("Two", "9999").bring("p256")
        with self.worker() as one:
            two = next(token.id for token in one.tokens() if token.label == b"Two")
            lab_token = 3 - two
            waiting = [one.begin_sign(self.key.blob, token=lab_token) for _ in range(8)]
            self.assertIn(one.receive().operation, waiting)
            operation = one.begin_sign(other.blob, token=two)
            _, done = one.answer(operation, "9999")
            lab.verify(other.blob, done.result, b"data")

    def test_one_of_those_that_wait_is_asked_and_all_are_served(self):
        with self.shimmed() as one:
            one.tokens()
            waiting = [one.begin_sign(self.key.blob, token=1) for _ in range(6)]
            asked = one.receive()
            self.assertEqual((asked.type, asked.body.retry), (worker.ASK_PIN, False))
            one.give_pin(asked.operation, b"1234")
            ended = {}
            while len(ended) < len(waiting):
                got = one.receive()
                self.assertIn(got.type, (worker.DONE, worker.TOKEN))
                if got.type == worker.DONE:
                    ended[got.operation] = got.body
            for done in ended.values():
                lab.verify(self.key.blob, done.result, b"data")
            self.assertEqual(self.shim.calls().count("C_Login"), 1)

    def test_one_who_is_refused_leaves_the_next_to_be_asked(self):
        with self.worker() as one:
            one.tokens()
            both = {one.begin_sign(self.key.blob, token=1) for _ in range(2)}
            first = one.receive().operation
            second, = both - {first}
            one.send(worker.PIN_ANSWER, first, worker.u32(worker.REFUSED))
            then = {got.operation: got.body for got in (one.receive(), one.receive())}
            self.assertEqual(then[first].error, worker.REFUSED)
            self.assertFalse(then[second].retry)
            one.give_pin(second, b"1234")
            self.assertEqual(one.finish(second)[1].error, worker.OK)

    def test_released_a_token_wants_its_pin_again(self):
        with self.ready() as one:
            frames, done = one.call(worker.RELEASE, worker.u32(1))
            self.assertEqual(done.error, worker.OK)
            self.assertEqual(frames[-1].body.flags, worker.NEEDS_LOGIN)
            self.assertEqual(self.shim.calls(), ["C_Logout", "C_CloseSession"])
            self.signs(one, "1234")
            self.assertEqual(len(one.asked), 1)

    @unittest.skipIf(os.getuid() != 0, "the worker's memory can be read by root alone")
    def test_no_pin_stays_in_the_worker(self):
        pin = "73915-keystile-pin"
        token = self.hsm.token("Long", pin)
        key = token.bring("p256")
        with self.worker() as one:
            number = next(shown.id for shown in one.tokens() if shown.label == b"Long")
            _, done = one.sign_asked(key.blob, pin, token=number)
            self.assertEqual(done.error, worker.OK)
            found = subprocess.run(
                ["/usr/bin/python3", "-c", SCAN, str(one.pid), pin[::-1]],
                capture_output=True, text=True, check=False)
            self.assertEqual((found.returncode, found.stdout), (0, "marker\n"), found.stderr)


# Reads all memory of a process that it may write. The PIN comes in reverse, so that this is not found.
SCAN = """
import sys
pid, pin, found = sys.argv[1], sys.argv[2][::-1].encode(), []
with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
    for line in maps:
        start, end = (int(one, 16) for one in line.split()[0].split("-"))
        if " rw" not in line or "[vvar" in line or end - start > 1 << 30:  # a sanitizer's shadow
            continue
        try:
            memory.seek(start)
            content = memory.read(end - start)
        except OSError:
            continue
        if b"keystile-worker" in content:
            found.append("marker")
        if pin in content:
            sys.exit("the PIN is in " + line)
print(*sorted(set(found)))
"""


class Calls(Case):
    def test_a_local_signature_takes_two_calls(self):
        with self.ready() as one:
            for _ in range(5):
                self.signs(one)
            self.assertEqual(self.shim.calls(), TWO_CALLS * 5)

    def test_other_keys_of_the_token_take_two_calls_as_well(self):
        rsa = self.token.bring("rsa:2048")
        with self.ready() as one:
            self.signs(one, key=rsa, algorithm="rsa-sha2-256")
            self.shim.lines()
            for _ in range(3):
                self.signs(one, key=rsa, algorithm="rsa-sha2-512")
                self.signs(one)
            self.assertEqual(self.shim.calls(), TWO_CALLS * 6)

    def test_they_stay_two_after_a_list(self):
        with self.ready() as one:
            one.tokens()
            self.shim.lines()
            self.signs(one)
            self.assertEqual(self.shim.calls(), TWO_CALLS)

    def test_opensc_spy_sees_two_calls_too(self):
        log = self.shim.path / "spy.log"
        env = dict(self.hsm.env, PKCS11SPY=self.hsm.module, PKCS11SPY_OUTPUT=str(log))
        with Worker(SPY, env) as one:
            one.login("1234")
            self.signs(one)
            size = log.stat().st_size
            self.signs(one)
            seen = log.read_bytes()[size:].decode()
        calls = [line.split()[1] for line in seen.splitlines() if ": C_" in line]
        self.assertEqual(calls, TWO_CALLS)

    def test_two_at_once_use_two_sessions(self):
        with self.ready() as one:
            self.shim.tell("C_Sign.meet", "2")
            both = [one.begin_sign(self.key.blob, token=1) for _ in range(2)]
            for _ in both:
                done = one.expect(worker.DONE)
                self.assertEqual(done.error, worker.OK)
                lab.verify(self.key.blob, done.result, b"data")
            sessions = {line for line in self.shim.lines() if line.startswith("C_Sign ")}
            self.assertEqual(len(sessions), 2)

    def test_two_at_once_begin_one_after_the_other(self):
        with self.ready() as one:
            self.shim.tell("C_SignInit.hang")
            first = one.begin_sign(self.key.blob, token=1)
            lab.wait_for("the first is in C_SignInit", lambda: self.shim.waiting("C_SignInit"))
            second = one.begin_sign(self.key.blob, token=1)
            lab.wait_for("the second has a session", lambda: self.shim.waiting("C_OpenSession"))
            one.send(worker.CANCEL, second)
            self.assertEqual(one.expect(worker.DONE, second).error, worker.CANCELLED)
            self.assertEqual(self.shim.calls().count("C_SignInit"), 1)
            self.shim.stop("C_SignInit.hang")
            self.assertEqual(one.expect(worker.DONE, first).error, worker.OK)

    def test_many_at_once_use_eight_sessions_at_the_most(self):
        with self.ready() as one:
            self.shim.tell("C_Sign.meet", "8")
            for _ in [one.begin_sign(self.key.blob, token=1) for _ in range(16)]:
                self.assertEqual(one.expect(worker.DONE).error, worker.OK)
            sessions = {line for line in self.shim.lines() if line.startswith("C_Sign ")}
            self.assertEqual(len(sessions), 8)

    def test_a_module_without_threads_is_called_by_one_at_a_time(self):
        self.shim.tell("no-threads")
        with self.ready() as one:
            for _ in [one.begin_sign(self.key.blob, token=1) for _ in range(12)]:
                done = one.expect(worker.DONE)
                self.assertEqual(done.error, worker.OK)
                lab.verify(self.key.blob, done.result, b"data")
            self.assertEqual(set(self.shim.calls()), set(TWO_CALLS))
