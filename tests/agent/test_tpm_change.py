"""keystile tpm passwd, persist and evict: keys that are there are changed, and none is lost."""
import itertools
import json
import os
import unittest

from lab import tpm
from tpm_bed import CommandTest, OTHER_PIN, PIN


class Change(CommandTest):
    def test_another_pin_takes_the_place_of_the_first(self):
        key = self.create_with_pin()
        shown = self.types("passwd", key.name, answers=[("A new PIN", OTHER_PIN), ("once more", OTHER_PIN),
                                                        ("The PIN of", PIN)])
        self.assertIn("copies of the old", shown)
        self.assertFalse([one for one in self.tpm.bus.passed
                          if PIN.encode() in one or OTHER_PIN.encode() in one])
        self.sign_by_openssl(key, key.with_suffix(".pub"), pin=OTHER_PIN)
        self.assertEqual(self.tpm.failures(), 0)
        self.assertEqual(self.mode("pin.tpm"), 0o600)

    def test_a_wrong_pin_changes_nothing_and_is_sent_once(self):
        key = self.create_with_pin()
        before = key.read_text()
        shown = self.types("passwd", "--no-pin", key.name, answers=[("The PIN of", "wrong")], status=1)
        self.assertIn("refused the PIN", shown)
        self.assertEqual(key.read_text(), before)
        self.assertEqual(self.tpm.failures(), 1)
        self.tpm.tool("tpm2_dictionarylockout", "-c")

    def test_a_pin_for_a_key_that_had_none_is_not_counted_and_that_is_said(self):
        key = self.create()
        shown = self.types("passwd", key.name, answers=[("A new PIN", PIN), ("once more", PIN)])
        self.assertIn("does not count wrong ones", shown.replace("\r\n", ""))
        self.sign_by_openssl(key, key.with_suffix(".pub"), pin=PIN)

    def test_a_file_that_denies_a_pin_is_not_believed(self):
        key = self.tpm.key("lies.tpm", pin=PIN, folder=self.path, honest=False)
        self.refuse("--pin where it has one", "passwd", "--no-pin", key.name)
        self.types("passwd", "--no-pin", "--pin", key.name, answers=[("The PIN of", PIN)])
        self.assertEqual(self.tpm.failures(), 0)

    def test_a_key_is_made_to_stay_and_taken_out_again(self):
        key = self.create()
        self.call("persist", key.name, "0x81000010")
        self.sign_by_openssl("handle:0x81000010", self.path / "key.pub")
        listed = json.loads(self.call("list", "--json", key.name).stdout)
        self.assertEqual([(one["handle"], one["use"], one["public_key"]) for one in listed["persistent"]],
                         [("0x81000010", "ssh", self.blob("key.tpm"))])
        self.refuse("something is at that handle already", "persist", key.name, "0x81000010")
        self.call("evict", "0x81000010")
        self.refuse("nothing is at that handle", "evict", "0x81000010")
        self.refuse("a handle is from", "evict", "0x80000000")
        self.assertEqual(self.tpm.handles("persistent"), [])

    def test_a_storage_key_is_taken_out_only_by_force(self):
        primary = self.tpm._primary("ecc")
        self.tpm.tool("tpm2_evictcontrol", "-Q", "-C", "o", "-c", primary, "0x81000001")
        self.tpm.flush()
        self.refuse("is a storage key", "evict", "0x81000001")
        key = self.create("below.tpm", "--parent", "0x81000001")
        self.call("persist", key.name, "0x81000011")
        self.sign_by_openssl("handle:0x81000011", self.path / "below.pub")
        for handle in ("0x81000011", "0x81000001"):
            self.call("evict", "--force", handle)
        self.refuse("not in the TPM", "persist", key.name, "0x81000011")

    def test_the_owners_password_is_asked_for_when_told(self):
        key = self.create()
        self.tpm.tool("tpm2_changeauth", "-c", "owner", "of-owner")
        self.addCleanup(self.tpm.tool, "tpm2_changeauth", "-c", "owner", "-p", "of-owner", "")
        self.refuse("authorisation value for the parent", "persist", key.name, "0x81000012")
        answers = [("The password of the TPM's owner", "of-owner")]
        self.types("persist", "--owner-password", key.name, "0x81000012", answers=answers)
        self.assertEqual(self.tpm.handles("persistent"), ["0x81000012"])
        self.refuse("--owner-password", "evict", "0x81000012")
        self.types("evict", "--owner-password", "0x81000012", answers=answers)
        self.assertEqual(self.tpm.handles("persistent"), [])


class ChangePersistent(CommandTest):
    """passwd with a handle: the key is at some handle whatever happens meanwhile."""

    HANDLE, SPARE = "0x81000010", "0x817fff00"

    def tearDown(self):
        self.tpm.bus.answer = None
        for handle in self.tpm.handles("persistent"):
            self.tpm.tool("tpm2_evictcontrol", "-Q", "-C", "o", "-c", handle)
        super().tearDown()

    def persist(self, *options):
        """A key without a PIN, of which no file is left."""
        key = self.create("key.tpm", "--force", *options)
        self.call("persist", key.name, self.HANDLE)
        os.unlink(key)

    def at_eviction(self, number, response, times=1000):
        """From that one on, so many times, the TPM answers so when something is put or taken out."""
        seen = itertools.count(1)
        numbers = range(number, number + times)
        self.tpm.bus.answer = lambda command: (
            response if tpm.code_of(command) == tpm.EVICT_CONTROL and next(seen) in numbers else None)

    def test_another_pin_takes_the_place_of_the_first(self):
        key = self.create_with_pin()
        self.call("persist", key.name, self.HANDLE)
        self.tpm.bus.clear()
        self.refuse("--pin where it has one", "passwd", "--no-pin", self.HANDLE)
        self.types("passwd", "--pin", self.HANDLE, answers=[("A new PIN", OTHER_PIN), ("once more", OTHER_PIN),
                                                            ("The PIN of", PIN)])
        self.assertFalse([one for one in self.tpm.bus.passed if PIN.encode() in one or OTHER_PIN.encode() in one])
        self.assertEqual(self.tpm.handles("persistent"), [self.HANDLE])
        self.sign_by_openssl(f"handle:{self.HANDLE}?pass", self.path / "pin.pub", pin=OTHER_PIN)
        self.assertEqual(self.tpm.failures(), 0)

    def test_the_key_is_somewhere_whenever_the_tpm_goes(self):
        left = ([self.HANDLE], [self.HANDLE, self.SPARE], [self.SPARE], [self.HANDLE, self.SPARE])
        for number, handles in enumerate(left, 1):
            with self.subTest(number):
                self.persist()
                self.at_eviction(number, False)
                self.call("passwd", "--no-pin", self.HANDLE, status=1)
                self.tpm.bus.answer = None
                self.tpm.flush()
                self.assertEqual([handle.lower() for handle in self.tpm.handles("persistent")], handles)
                for handle in handles:
                    self.sign_by_openssl(f"handle:{handle}", self.path / "key.pub")
                    self.call("evict", handle)

    def test_where_it_stopped_is_told(self):
        self.persist()
        self.at_eviction(3, tpm.failure(tpm.RC_NV_UNAVAILABLE))
        self.refuse("is at 0x817fff00 now", "passwd", "--no-pin", self.HANDLE)

    def test_a_moment_in_which_nothing_can_be_written_is_waited_for(self):
        self.persist()
        for number in range(1, 5):
            with self.subTest(number):
                self.at_eviction(number, tpm.failure(tpm.RC_NV_RATE), times=2)
                self.call("passwd", "--no-pin", self.HANDLE)
                self.assertEqual(self.tpm.handles("persistent"), [self.HANDLE])

    def test_a_spare_handle_that_is_taken_is_left_alone(self):
        self.persist()
        self.call("persist", self.create("other.tpm").name, self.SPARE)
        self.call("passwd", "--no-pin", self.HANDLE)
        self.sign_by_openssl(f"handle:{self.SPARE}", self.path / "other.pub")
        self.assertEqual(len(self.tpm.handles("persistent")), 2)

    def test_keys_that_can_not_be_changed_so_are_told(self):
        self.persist("--rsa-parent")
        self.refuse("has another parent", "passwd", "--no-pin", self.HANDLE)
        self.call("passwd", "--no-pin", "--rsa-parent", self.HANDLE)
        self.refuse("nothing is at that handle", "passwd", "--no-pin", "0x81000055")
        self.refuse("a handle is from", "passwd", "--no-pin", "0x80000000")


class LastTry(CommandTest):
    tries = 2

    def test_the_last_try_before_a_lockout_is_never_spent(self):
        key = self.create_with_pin()
        self.types("passwd", "--no-pin", key.name, answers=[("until it is locked: 2", "wrong")], status=1)
        said = self.refuse("one more wrong PIN", "passwd", "--no-pin", key.name)
        self.assertIn("every 600 seconds", said)
        self.assertEqual(self.tpm.failures(), 1)
        info = json.loads(self.call("info", "--json").stdout)
        self.assertEqual(info["lockout"], {"failures": 1, "most": 2, "interval_seconds": 600, "locked": False})


if __name__ == "__main__":
    unittest.main()
