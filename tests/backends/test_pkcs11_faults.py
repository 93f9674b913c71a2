"""The pkcs11 backend when a module, a token or a call fails: what it mends, and what it says."""
import lab
from lab import worker

import pkcs11_bed as bed
from pkcs11_bed import Case

TWO_CALLS = ["C_SignInit", "C_Sign"]

# Call, return value, and how many PINs have to be typed until it is mended.
MENDED = [
    ("C_SignInit", bed.SESSION_HANDLE_INVALID, 1), ("C_Sign", bed.SESSION_HANDLE_INVALID, 1),
    ("C_SignInit", bed.SESSION_CLOSED, 1), ("C_Sign", bed.SESSION_CLOSED, 1),
    ("C_SignInit", bed.DEVICE_REMOVED, 1), ("C_Sign", bed.DEVICE_REMOVED, 1),
    ("C_SignInit", bed.TOKEN_NOT_PRESENT, 1), ("C_Sign", bed.TOKEN_NOT_PRESENT, 1),
    ("C_SignInit", bed.DEVICE_ERROR, 1), ("C_Sign", bed.DEVICE_ERROR, 1),
    ("C_SignInit", bed.USER_NOT_LOGGED_IN, 1), ("C_Sign", bed.USER_NOT_LOGGED_IN, 1),
    ("C_SignInit", bed.KEY_HANDLE_INVALID, 0), ("C_Sign", bed.OBJECT_HANDLE_INVALID, 0),
    ("C_SignInit", bed.OBJECT_HANDLE_INVALID, 0), ("C_SignInit", bed.OPERATION_ACTIVE, 0),
]


class Recovery(Case):
    def test_what_went_void_is_opened_again_and_costs_two_calls_afterwards(self):
        with self.ready() as one:
            for call, value, pins in MENDED:
                with self.subTest(call=call, value=hex(value)):
                    self.shim.fail(call, value)
                    self.signs(one, *["1234"] * pins)
                    self.assertEqual(len(one.asked), pins)
                    self.shim.lines()
                    self.signs(one)
                    self.assertEqual(self.shim.calls(), TWO_CALLS)

    def test_with_nobody_to_ask_a_lost_login_refuses(self):
        for value in (bed.SESSION_HANDLE_INVALID, bed.DEVICE_REMOVED, bed.TOKEN_NOT_PRESENT,
                      bed.USER_NOT_LOGGED_IN):
            with self.subTest(value=hex(value)), self.ready() as one:
                self.shim.fail("C_Sign", value)
                operation = one.begin_sign(self.key.blob, token=1)
                while one.receive().type != worker.ASK_PIN:
                    pass
                one.send(worker.PIN_ANSWER, operation, worker.u32(worker.PIN_NEEDED))
                self.assertEqual(one.finish(operation)[1].error, worker.PIN_NEEDED)

    def test_what_fails_again_and_again_is_given_up(self):
        for value, error in ((bed.SESSION_HANDLE_INVALID, worker.NO_TOKEN),
                             (bed.DEVICE_ERROR, worker.DEVICE_FAILED),
                             (bed.KEY_HANDLE_INVALID, worker.NO_KEY),
                             (bed.USER_NOT_LOGGED_IN, worker.PIN_NEEDED)):
            with self.subTest(value=hex(value)), self.ready() as one:
                self.shim.fail("C_SignInit", value, 1000)
                self.refuses(one, error, *["1234"] * 9)
                self.assertLessEqual(len(one.asked), 3)
                self.assertLessEqual(self.shim.calls().count("C_SignInit"), 6)
                self.shim.fail("C_SignInit", 0, 0)
                self.signs(one, "1234")

    def test_a_token_put_back_signs_again(self):
        with self.ready() as one:
            self.shim.tell("removed")
            self.assertIn("not there", self.refuses(one, worker.NO_TOKEN))
            self.refuses(one, worker.NO_TOKEN)
            self.shim.stop("removed")
            self.signs(one, "1234")
            self.shim.lines()
            self.signs(one)
            self.assertEqual(self.shim.calls(), TWO_CALLS)

    def test_a_token_that_went_is_reported_gone_and_comes_back_as_itself(self):
        with self.ready() as one:
            self.shim.tell("removed")
            frames, done = one.call(worker.LIST)
            self.assertEqual((frames, done.error), (
                [worker.Frame(worker.TOKEN_GONE, 0, 1)], worker.OK))
            self.shim.stop("removed")
            back = one.tokens()
            self.assertEqual([token.id for token in back], [1])
            self.assertEqual([key.blob for key in back[0].keys], [self.key.blob])
            self.assertEqual(back[0].flags, worker.NEEDS_LOGIN)
            self.signs(one, "1234")

    def test_a_pin_that_was_asked_for_before_the_token_was_put_back_is_not_sent(self):
        with self.ready() as one:
            self.shim.fail("C_Sign", bed.USER_NOT_LOGGED_IN)
            operation = one.begin_sign(self.key.blob, token=1)
            one.expect(worker.ASK_PIN, operation)
            self.shim.tell("removed")
            one_more = one.begin(worker.LIST)
            one.expect(worker.TOKEN_GONE)
            one.expect(worker.DONE, one_more)
            self.shim.stop("removed")
            one.give_pin(operation, b"1234")
            _, done = one.finish(operation)
            self.assertEqual(done.error, worker.NO_TOKEN, done)
            self.assertIn("taken out after its PIN was typed", done.words)
            self.assertEqual(self.shim.calls().count("C_Login"), 0)
            one.tokens()
            self.signs(one, "1234")

    def test_a_pin_is_not_sent_to_another_card_than_it_was_typed_for(self):
        for demand in (0, worker.PIN):
            with self.subTest(demand=demand), self.shimmed() as one:
                one.tokens()
                self.shim.lines()
                operation = one.begin_sign(self.key.blob, token=1, demand=demand)
                one.expect(worker.ASK_PIN, operation)
                self.shim.tell("serial", "another")
                one.give_pin(operation, b"1234")
                self.assertEqual(one.finish(operation)[1].error, worker.NO_TOKEN)
                self.assertNotIn("C_Login", self.shim.calls())
                self.shim.stop("serial")

    def test_fewer_sessions_than_wanted_are_shared(self):
        with self.ready() as one:
            self.shim.fail("C_OpenSession", bed.SESSION_COUNT, 1000)
            for _ in [one.begin_sign(self.key.blob, token=1) for _ in range(12)]:
                self.assertEqual(one.expect(worker.DONE).error, worker.OK)
            self.assertLessEqual(self.shim.calls().count("C_OpenSession"), 12)


class Failures(Case):
    def test_other_errors_are_named_and_the_next_signature_works(self):
        with self.ready() as one:
            for call in TWO_CALLS:
                with self.subTest(call):
                    self.shim.fail(call, bed.GENERAL_ERROR)
                    words = self.refuses(one, worker.DEVICE_FAILED)
                    self.assertIn(f"{call}: CKR_GENERAL_ERROR", words)
                    self.signs(one)
                    self.assertEqual(one.asked, [])
                    self.shim.fail(call, 0x80001234)
                    self.assertIn("CKR_0x80001234", self.refuses(one, worker.DEVICE_FAILED))
                    self.signs(one)
                    self.assertEqual(one.asked, [])

    def test_a_failed_signature_leaves_no_operation_behind(self):
        with self.ready() as one:
            for _ in range(20):  # more than there are sessions
                self.shim.fail("C_Sign", bed.GENERAL_ERROR)
                self.refuses(one, worker.DEVICE_FAILED)
            self.shim.lines()
            self.signs(one)
            self.assertEqual(self.shim.calls(), TWO_CALLS)

    def test_the_login_survives_a_failed_signature(self):
        self.shim.tell("no-threads")  # one session only
        with self.ready() as one:
            self.shim.fail("C_Sign", bed.GENERAL_ERROR)
            self.refuses(one, worker.DEVICE_FAILED)
            self.signs(one)
            self.assertEqual(one.asked, [])

    def test_a_login_that_nobody_made_is_ended_and_made_again(self):
        with self.shimmed() as one:
            one.tokens()
            self.shim.lines()
            self.shim.fail("C_Login", bed.USER_ALREADY_LOGGED_IN)
            self.signs(one, "1234")
            self.assertEqual(len(one.asked), 1)
            calls = [call for call in self.shim.calls() if call.startswith("C_Log")]
            self.assertEqual(calls, ["C_Login", "C_Logout", "C_Login"])

    def test_a_pin_that_gets_blocked_is_said_to_be(self):
        with self.shimmed() as one:
            one.tokens()
            self.shim.fail("C_Login", bed.PIN_LOCKED)
            self.assertIn("blocked", self.refuses(one, worker.PIN_BLOCKED, "1111", "1234"))
            self.assertEqual(len(one.asked), 1)

    def test_a_pin_that_has_to_be_changed_or_was_never_set_is_said_to_be(self):
        for value, error, words in ((bed.PIN_EXPIRED, worker.PIN_BLOCKED, "has expired; change it"),
                                    (bed.USER_PIN_NOT_INITIALIZED, worker.UNSUPPORTED, "no PIN was set")):
            with self.subTest(words), self.shimmed() as one:
                one.tokens()
                self.shim.fail("C_Login", value)
                self.assertIn(words, self.refuses(one, error, "1111", "1234"))
                self.assertEqual(len(one.asked), 1)

    def test_nonsense_from_the_module_is_refused(self):
        with self.ready() as one:
            self.shim.tell("C_Sign.nonsense")
            self.refuses(one, worker.DEVICE_FAILED)
            self.shim.stop("C_Sign.nonsense")
            self.signs(one)
            self.shim.tell("C_GetSlotList.nonsense")
            self.assertEqual(one.call(worker.LIST)[1].error, worker.DEVICE_FAILED)
            self.shim.stop("C_GetSlotList.nonsense")
            self.assertEqual(len(one.tokens()[0].keys), 1)

    def test_attributes_and_handles_that_cannot_be_are_refused(self):
        for call in ("C_GetAttributeValue", "C_FindObjects"):
            with self.subTest(call):
                self.shim.tell(f"{call}.nonsense")
                with self.shimmed() as one:
                    self.assertEqual([token.keys for token in one.tokens()], [[]])
                    self.shim.stop(f"{call}.nonsense")
                    self.assertEqual([key.blob for key in one.tokens()[0].keys], [self.key.blob])

    def test_keys_in_the_list_survive_a_reading_that_fails(self):
        with self.ready() as one:
            self.shim.fail("C_FindObjectsInit", bed.GENERAL_ERROR)
            self.assertEqual([key.blob for key in one.tokens()[0].keys], [self.key.blob])

    def test_a_module_that_hangs_in_c_sign_keeps_nobody_else_waiting(self):
        other = self.hsm.token("Two", "9999").bring("p256")
        with self.shimmed() as one:
            ids = {token.label: token.id for token in one.tokens()}
            for label, key, pin in ((b"Lab", self.key, "1234"), (b"Two", other, "9999")):
                _, done = one.sign_asked(key.blob, pin, token=ids[label])
                self.assertEqual(done.error, worker.OK)
            self.shim.lines()
            self.shim.tell("C_Sign.hang")
            stuck = one.begin_sign(self.key.blob, token=ids[b"Lab"])
            lab.wait_for("C_Sign", lambda: self.shim.waiting("C_Sign"))
            self.assertEqual(len(one.tokens()), 2)
            _, done = one.sign_asked(other.blob, token=99)
            self.assertEqual(done.error, worker.NO_TOKEN)
            self.shim.stop("C_Sign.hang")
            self.assertEqual(one.finish(stuck)[1].error, worker.OK)

    def test_who_waits_behind_a_hanging_signature_gives_up_at_its_deadline(self):
        with self.ready() as one:
            self.shim.tell("C_Sign.hang")
            stuck = one.begin_sign(self.key.blob, token=1)
            lab.wait_for("C_Sign", lambda: self.shim.waiting("C_Sign"))
            _, done = one.sign_asked(
                self.key.blob, "1234", token=1, demand=worker.PIN, timeout_ms=700)
            self.assertIn(done.error, (worker.TIMEOUT, worker.CANCELLED))
            self.shim.stop("C_Sign.hang")
            self.assertEqual(one.finish(stuck)[1].error, worker.OK)

    def test_one_who_waits_can_be_cancelled(self):
        with self.ready() as one:
            self.shim.tell("C_Sign.hang")
            stuck = one.begin_sign(self.key.blob, token=1)
            lab.wait_for("C_Sign", lambda: self.shim.waiting("C_Sign"))
            waiting = one.begin_sign(self.key.blob, token=1, demand=worker.PIN)
            one.expect(worker.ASK_PIN, waiting)
            one.give_pin(waiting, b"1234")
            one.send(worker.CANCEL, waiting)
            self.assertEqual(one.finish(waiting)[1].error, worker.CANCELLED)
            self.shim.stop("C_Sign.hang")
            self.assertEqual(one.finish(stuck)[1].error, worker.OK)
            self.signs(one)

    def test_a_module_that_crashes_takes_its_worker_with_it(self):
        for call in ("C_Initialize", "C_Sign"):
            with self.subTest(call):
                one = self.shimmed() if call == "C_Sign" else bed.Worker(None, self.shim.env)
                if call == "C_Sign":
                    one.login("1234")
                self.shim.tell(f"{call}.crash")
                if call == "C_Sign":
                    one.begin_sign(self.key.blob, token=1)
                else:
                    one.call(worker.LOCATE, worker.string(str(bed.SHIM)))
                    one.begin(worker.OPEN)
                self.assertEqual(one.ended(), -6)
                one.stop()
                self.shim.stop(f"{call}.crash")

    def test_a_module_that_refuses_to_initialise_is_not_opened(self):
        self.shim.fail("C_Initialize", bed.GENERAL_ERROR)
        with bed.Worker(None, self.shim.env) as one:
            one.call(worker.LOCATE, worker.string(str(bed.SHIM)))
            _, done = one.call(worker.OPEN)
            self.assertEqual(done.error, worker.DEVICE_FAILED)
            self.assertIn("C_Initialize: CKR_GENERAL_ERROR", done.words)
