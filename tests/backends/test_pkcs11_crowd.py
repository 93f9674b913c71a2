"""The pkcs11 backend with requests of every kind at once and a module that fails now and then."""
import random

import lab
from lab import worker

import pkcs11_bed as bed
from pkcs11_bed import Case

CALLS = ("C_SignInit", "C_Sign", "C_Login", "C_Logout", "C_OpenSession", "C_GetTokenInfo",
         "C_GetSessionInfo", "C_FindObjectsInit", "C_GetSlotList")
VALUES = (bed.GENERAL_ERROR, bed.DEVICE_ERROR, bed.DEVICE_REMOVED, bed.KEY_HANDLE_INVALID,
          bed.OPERATION_ACTIVE, bed.SESSION_HANDLE_INVALID, bed.TOKEN_NOT_PRESENT,
          bed.USER_ALREADY_LOGGED_IN, bed.USER_NOT_LOGGED_IN, bed.SESSION_COUNT)
OPERATIONS = 400
AT_ONCE = 14  # two less than the worker takes


class Crowd(Case):
    """Whatever happens, every request ends, and what is signed is signed well."""

    def setUp(self):
        super().setUp()
        self.random = random.Random(11)
        self.open, self.proven, self.counts = {}, set(), {}

    def begin(self, one):
        kind = self.random.choices(("local", "remote", "list", "release", "cancelled"),
                                   (50, 20, 10, 2, 5))[0]
        if kind == "list":
            operation = one.begin(worker.LIST)
        elif kind == "release":
            operation = one.begin(worker.RELEASE, worker.u32(1))
        else:
            operation = one.begin_sign(
                self.key.blob, token=1, demand=worker.PIN if kind == "remote" else 0)
        self.open[operation] = kind
        if kind == "cancelled":
            one.send(worker.CANCEL, operation)

    def take(self, one):
        got = one.receive()
        if got.type == worker.ASK_PIN:
            one.give_pin(got.operation, self.random.choice((b"1234", b"1234", b"1234", b"4321")))
        elif got.type == worker.PRESENCE:
            self.assertEqual(self.open[got.operation], "remote")
            self.proven.add(got.operation)
        elif got.type == worker.DONE:
            kind = self.open.pop(got.operation)
            self.end(kind, got.operation, got.body)

    def end(self, kind, operation, done):
        self.counts[kind, done.error] = self.counts.get((kind, done.error), 0) + 1
        self.assertEqual(operation in self.proven, kind == "remote" and done.error == worker.OK)
        if done.error == worker.OK and kind in ("local", "remote"):
            lab.verify(self.key.blob, done.result, b"data")

    def run_crowd(self, failing):
        with self.ready() as one:
            for _ in range(OPERATIONS):
                if failing and self.random.random() < 0.15:
                    self.shim.fail(self.random.choice(CALLS), self.random.choice(VALUES),
                                   self.random.choice((1, 1, 2)))
                self.begin(one)
                while len(self.open) >= AT_ONCE:
                    self.take(one)
            while self.open:
                self.take(one)
            for call in CALLS:
                self.shim.fail(call, 0, 0)
            one.tokens()
            self.signs(one, "1234")
            self.shim.lines()
            self.signs(one)
            self.assertEqual(self.shim.calls(), ["C_SignInit", "C_Sign"])
        self.assertGreater(self.counts["local", worker.OK], OPERATIONS // 10)
        self.assertGreater(self.counts["remote", worker.OK], OPERATIONS // 20)

    def test_all_requests_end_and_are_signed_well(self):
        self.run_crowd(failing=False)
        wrong = {worker.PIN_WRONG, worker.BUSY}  # three wrong PINs in a row; too many who wait
        for (kind, error), count in self.counts.items():
            if kind in ("local", "remote") and error != worker.OK:
                self.assertIn(error, wrong, (kind, error, count))

    def test_they_do_so_when_calls_fail(self):
        self.run_crowd(failing=True)
