"""The pkcs11 backend when a signature demands a PIN of its own, and keys that always do."""
import lab
from lab import worker

import pkcs11_bed as bed
from pkcs11_bed import Case

TWO_CALLS = ["C_SignInit", "C_Sign"]
# Looking for the private object, whose handle went void with the login before.
FIND = ["C_FindObjectsInit", "C_FindObjects", "C_FindObjects", "C_FindObjectsFinal"]


class Remote(Case):
    def demand(self, one, *pins, demand=worker.PIN):
        return self.signs(one, *pins, demand=demand)

    def test_the_calls_are_those_of_the_design_and_in_their_order(self):
        with self.ready() as one:
            frames = self.demand(one, "1234")
            calls = [call for call in self.shim.calls() if call != "C_GetAttributeValue"]
            self.assertEqual(calls, ["C_GetTokenInfo", "C_Logout", "C_GetSessionInfo",
                                     "C_GetTokenInfo", "C_Login", *FIND, *TWO_CALLS, "C_Logout"])
            self.assertEqual(frames[0].type, worker.ASK_PIN)
            self.assertEqual((frames[-1].type, frames[-1].body), (worker.PRESENCE, worker.PIN))

    def test_a_touch_that_is_demanded_is_a_pin_here(self):
        with self.ready() as one:
            frames = self.demand(one, "1234", demand=worker.TOUCH | worker.PIN)
            self.assertEqual(frames[-1].body, worker.PIN)
            frames = self.demand(one, "1234", demand=worker.TOUCH)
            self.assertEqual(frames[-1].body, worker.PIN)

    def test_an_open_login_does_not_serve_it(self):
        with self.ready() as one:
            _, done = one.sign_asked(self.key.blob, token=1, demand=worker.PIN)
            self.assertEqual(done.error, worker.REFUSED)
            self.assertEqual(len(one.asked), 1)

    def test_a_refused_prompt_leaves_the_open_login_alone(self):
        with self.ready() as one:
            one.sign_asked(self.key.blob, token=1, demand=worker.PIN)
            self.assertNotIn("C_Logout", self.shim.calls())
            self.signs(one)
            self.assertEqual(one.asked, [])

    def test_every_one_asks_again(self):
        with self.ready() as one:
            for _ in range(3):
                self.demand(one, "1234")
                self.assertEqual(len(one.asked), 1)

    def test_it_leaves_no_login_to_local_requests(self):
        with self.ready() as one:
            frames = self.demand(one, "1234")
            self.assertEqual([got.body.flags for got in frames if got.type == worker.TOKEN],
                             [worker.NEEDS_LOGIN])
            _, done = one.sign_asked(self.key.blob, token=1)
            self.assertEqual((done.error, len(one.asked)), (worker.REFUSED, 1))

    def test_local_signatures_take_two_calls_again_after_the_next_login(self):
        with self.ready() as one:
            self.demand(one, "1234")
            self.signs(one, "1234")
            self.shim.lines()
            self.signs(one)
            self.assertEqual(self.shim.calls(), TWO_CALLS)

    def test_a_wrong_pin_is_asked_for_again_and_proves_nothing(self):
        with self.ready() as one:
            frames = self.demand(one, "1111", "1234")
            self.assertEqual([ask.retry for ask in one.asked], [False, True])
            self.assertEqual([got.type for got in frames].count(worker.PRESENCE), 1)
            frames, done = one.sign_asked(
                self.key.blob, "1", "2222", "3333", "1234", token=1, demand=worker.PIN)
            self.assertEqual((done.error, len(one.asked)), (worker.PIN_WRONG, 3))
            self.assertNotIn(worker.PRESENCE, [got.type for got in frames])

    def test_already_logged_in_is_a_failure(self):
        with self.ready() as one:
            self.shim.fail("C_Login", bed.USER_ALREADY_LOGGED_IN)
            self.refuses(one, worker.DEVICE_FAILED, "1234", "1234", demand=worker.PIN)
            calls = self.shim.calls()
            self.assertNotIn("C_Sign", calls)
            self.assertEqual(calls.count("C_Login"), 1)
            self.assertEqual(calls[-1], "C_CloseSession")
            self.assertEqual(calls[-2], "C_Logout")

    def test_a_module_that_does_not_log_out_is_found_out(self):
        with self.ready() as one:
            self.shim.tell("C_Logout.pretend")
            words = self.refuses(one, worker.DEVICE_FAILED, "1234", demand=worker.PIN)
            self.assertIn("does not log out", words)
            self.assertNotIn("C_Login", self.shim.calls())

    def test_a_module_that_fails_to_log_out_is_refused(self):
        with self.ready() as one:
            self.shim.fail("C_Logout", bed.GENERAL_ERROR)
            self.refuses(one, worker.DEVICE_FAILED, "1234", demand=worker.PIN)
            self.assertNotIn("C_Login", self.shim.calls())

    def test_a_login_that_cannot_be_ended_costs_the_token_its_sessions(self):
        with self.ready() as one:
            operation = one.begin_sign(self.key.blob, token=1, demand=worker.PIN)
            one.expect(worker.ASK_PIN)
            self.shim.tell("C_Sign.hang")
            one.give_pin(operation, b"1234")
            lab.wait_for("C_Sign", lambda: self.shim.waiting("C_Sign"))
            self.shim.fail("C_Logout", bed.GENERAL_ERROR)
            self.shim.stop("C_Sign.hang")
            self.assertEqual(one.finish(operation)[1].error, worker.OK)
            self.shim.lines()
            self.signs(one, "1234")
            self.assertEqual(len(one.asked), 1)
            self.assertIn("C_OpenSession", self.shim.calls())

    def test_every_failure_on_the_way_logs_out(self):
        for call in TWO_CALLS:
            with self.subTest(call), self.ready() as one:
                self.shim.fail(call, bed.GENERAL_ERROR)
                self.refuses(one, worker.DEVICE_FAILED, "1234", demand=worker.PIN)
                calls = self.shim.calls()
                self.assertGreater(len(calls) - 1 - calls[::-1].index("C_Logout"),
                                   calls.index(call))
                _, done = one.sign_asked(self.key.blob, token=1)
                self.assertEqual(len(one.asked), 1)

    def test_a_pin_that_was_sent_is_not_sent_again_after_a_failure(self):
        with self.ready() as one:
            self.shim.fail("C_Sign", bed.DEVICE_REMOVED)
            self.refuses(one, worker.NO_TOKEN, "1234", demand=worker.PIN)
            self.assertEqual(self.shim.calls().count("C_Login"), 1)

    def test_void_sessions_are_opened_again_before_the_pin_is_sent(self):
        for value in (bed.SESSION_HANDLE_INVALID, bed.DEVICE_REMOVED, bed.TOKEN_NOT_PRESENT):
            with self.subTest(value=hex(value)), self.ready() as one:
                self.shim.fail("C_Logout", value)
                self.demand(one, "1234")
                self.assertEqual(len(one.asked), 1)
                self.assertEqual(self.shim.calls().count("C_Login"), 1)

    def test_local_requests_go_on_while_the_pin_is_typed(self):
        with self.ready() as one:
            operation = one.begin_sign(self.key.blob, token=1, demand=worker.PIN)
            one.expect(worker.ASK_PIN, operation)
            for _ in range(3):
                self.signs(one)
            one.give_pin(operation, b"1234")
            self.assertEqual(one.finish(operation)[1].error, worker.OK)

    def test_no_local_request_runs_on_the_login_of_a_remote_one(self):
        with self.ready() as one:
            operation = one.begin_sign(self.key.blob, token=1, demand=worker.PIN)
            one.expect(worker.ASK_PIN)
            self.shim.lines()
            self.shim.tell("C_Sign.hang")
            one.give_pin(operation, b"1234")
            lab.wait_for("C_Sign", lambda: self.shim.waiting("C_Sign"))
            local = one.begin_sign(self.key.blob, token=1)
            # Another operation, begun later, has ended: the local one had its chance to run.
            self.assertEqual(one.call(worker.RELEASE, worker.u32(7))[1].error, worker.NO_TOKEN)
            self.assertEqual(self.shim.calls().count("C_SignInit"), 1)
            self.shim.stop("C_Sign.hang")
            frames = [one.receive() for _ in range(4)]
            kinds = [(got.type, got.operation) for got in frames]
            self.assertIn((worker.DONE, operation), kinds)
            self.assertIn((worker.ASK_PIN, local), kinds)
            one.send(worker.PIN_ANSWER, local, worker.u32(worker.REFUSED))
            self.assertEqual(one.finish(local)[1].error, worker.REFUSED)

    def test_a_remote_request_waits_for_local_signatures_to_end(self):
        with self.ready() as one:
            self.shim.tell("C_Sign.hang")
            local = one.begin_sign(self.key.blob, token=1)
            lab.wait_for("C_Sign", lambda: self.shim.waiting("C_Sign"))
            operation = one.begin_sign(self.key.blob, token=1, demand=worker.PIN)
            one.expect(worker.ASK_PIN, operation)
            self.shim.lines()
            one.give_pin(operation, b"1234")
            self.assertEqual(one.call(worker.RELEASE, worker.u32(7))[1].error, worker.NO_TOKEN)
            self.assertEqual([call for call in self.shim.calls() if call != "C_GetTokenInfo"], [])
            self.shim.stop("C_Sign.hang")
            ends = {}
            while len(ends) < 2:
                got = one.receive()
                if got.type == worker.DONE:
                    ends[got.operation] = got.body.error
            self.assertEqual(ends, {local: worker.OK, operation: worker.OK})

    def test_a_pin_pad_proves_nothing(self):
        self.shim.tell("flags", f"{bed.PIN_PAD:x}")
        with self.shimmed() as one:
            one.tokens()
            words = self.refuses(one, worker.UNSUPPORTED, "1234", demand=worker.PIN)
            self.assertIn("reader", words)
            self.assertEqual(one.asked, [])

    def test_a_key_that_is_not_there_asks_for_no_pin(self):
        stranger = lab.keys.blob_of(lab.keys.private("p256").public_key())
        with self.ready() as one:
            _, done = one.sign_asked(stranger, "1234", token=1, demand=worker.PIN)
            self.assertEqual((done.error, one.asked), (worker.NO_KEY, []))


class AlwaysAuthenticate(Case):
    def setUp(self):
        super().setUp()
        self.token.pkcs11_tool("--keypairgen", "--key-type", "EC:prime256v1", "--id", "99",
                               "--label", "careful", "--always-auth")
        self.careful = lab.softhsm.Key("careful", "99", "p256", b"")
        self.careful.blob = self.token._read_public(self.careful)

    def context_logins(self):
        return self.shim.lines().count("C_Login 2")

    def test_each_signature_asks_for_the_pin(self):
        with self.ready() as one:
            for _ in range(2):
                self.signs(one, "1234", key=self.careful)
                self.assertEqual(len(one.asked), 1)
                self.assertEqual(self.context_logins(), 1)

    def test_the_login_comes_between_init_and_sign(self):
        with self.ready() as one:
            self.signs(one, "1234", key=self.careful)
            self.shim.lines()
            self.signs(one, "1234", key=self.careful)
            calls = [call for call in self.shim.calls() if call != "C_GetTokenInfo"]
            self.assertEqual(calls, ["C_SignInit", "C_Login", "C_Sign"])

    def test_one_pin_serves_the_tokens_login_and_the_keys(self):
        with self.shimmed() as one:
            one.tokens()
            self.signs(one, "1234", key=self.careful)
            self.assertEqual(len(one.asked), 1)
            self.assertEqual(self.context_logins(), 1)

    def test_a_wrong_pin_ends_the_operation_and_is_asked_for_again(self):
        with self.ready() as one:
            self.signs(one, "1111", "1234", key=self.careful)
            self.assertEqual([ask.retry for ask in one.asked], [False, True])
            self.refuses(one, worker.PIN_WRONG, "1", "2222", "3333", "1234", key=self.careful)
            self.assertEqual(len(one.asked), 3)
            self.signs(one)
            self.assertEqual(one.asked, [])
            self.signs(one, "1234", key=self.careful)

    def test_a_remote_request_types_the_pin_once(self):
        with self.ready() as one:
            frames = self.signs(one, "1234", key=self.careful, demand=worker.PIN)
            self.assertEqual((len(one.asked), frames[-1].type), (1, worker.PRESENCE))
            self.assertEqual(self.context_logins(), 1)

    def test_the_key_is_shown_as_one_that_always_wants_it(self):
        with self.ready() as one:
            self.signs(one, "1234", key=self.careful)
            flags = {key.label: key.flags for key in one.tokens()[0].keys}
            self.assertEqual(flags[b"careful"], 1)
            self.assertEqual(flags[self.key.label.encode()], 0)
