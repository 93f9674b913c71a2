"""The tpm2 backend on swtpm: key files of other programs, PINs, and what passes between worker and TPM."""
import os
import struct
import subprocess
import unittest

import lab
from lab import keys, tpm, worker
from tpm2_bed import PIN, TpmTest


class KeyFilesOfOtherPrograms(TpmTest):
    def test_keys_of_tpm2_tools_sign_with_each_of_their_algorithms(self):
        for algorithm, names in (("ecc256", ["ecdsa-sha2-nistp256"]), ("ecc384", ["ecdsa-sha2-nistp384"]),
                                 ("ecc521", ["ecdsa-sha2-nistp521"]),
                                 ("ecc256:ecdsa-sha256", ["ecdsa-sha2-nistp256"]),
                                 ("rsa2048:rsassa-sha512", ["rsa-sha2-512"]),
                                 ("rsa2048", ["rsa-sha2-256", "rsa-sha2-512"]),
                                 ("rsa3072", ["rsa-sha2-256", "rsa-sha2-512"])):
            started = self.start(self.key(algorithm=algorithm))
            for name in names:
                with self.subTest(name):
                    self.assert_signs(started, algorithm=name)

    def test_keys_of_the_openssl_provider_sign(self):
        for algorithm in (("EC", "group:P-256"), ("EC", "group:P-384"), ("EC", "group:P-521"),
                          ("RSA", "bits:2048")):
            with self.subTest(algorithm):
                file = self.tpm.openssl_key(f"{algorithm[1]}.tpm", algorithm=algorithm)
                name = "rsa-sha2-512" if algorithm[0] == "RSA" else None
                self.assert_signs(self.start(file), algorithm=name)
                self.stop()

    def test_a_key_of_the_openssl_provider_with_a_pin_signs(self):
        started = self.start(self.tpm.openssl_key("pin.tpm", pin=PIN))
        self.assert_signs(started, None, PIN)
        self.assertEqual(self.tpm.failures(), 0)

    def test_a_parent_that_was_made_from_the_rsa_template_is_found(self):
        self.assert_signs(self.start(self.tpm.key("rsa-parent.tpm", parent="rsa")))

    def test_a_key_in_the_tpm_signs(self):
        handle = self.tpm.persistent()
        started = self.start(handle)
        self.assert_signs(started)
        self.tpm.bus.clear()
        self.assert_signs(started)
        self.assertEqual(self.tpm.bus.codes().count(tpm.SIGN), 1)

    def test_sha1_is_never_made(self):
        started = self.start(self.key(algorithm="rsa2048"))
        self.assert_fails(started, worker.UNSUPPORTED, algorithm="ssh-rsa", words="SHA-1")
        self.assertEqual(self.signatures(), 0)

    def test_all_key_files_of_the_home_folder_are_listed_and_bad_ones_left_out(self):
        home = self.folder.path / "home"
        (home / ".ssh").mkdir(parents=True)
        for name in ("a.tpm", "b.tpm"):
            self.tpm.key(name, folder=home / ".ssh")
        (home / ".ssh" / "bad.tpm").write_text("not a key\n")
        os.chmod(home / ".ssh" / "bad.tpm", 0o600)
        started = self.start("", HOME=home)
        tokens = started.tokens()
        self.assertEqual([os.path.basename(one.location) for one in tokens], [b"a.tpm", b"b.tpm"])
        for token in tokens:
            self.assert_signs(started, token.keys[0].blob, token=token.id)

    def test_a_certificate_beside_the_file_is_listed_with_the_key(self):
        file = self.tpm.key("certified.tpm")
        plain = self.start(file).key()
        authority = self.tpm.path / "ca"
        (self.tpm.path / "certified.pub").write_text(keys.line_of(plain, "joe") + "\n")
        lab.run_well(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", authority])
        lab.run_well(["ssh-keygen", "-q", "-s", authority, "-I", "joe", "-n", "joe", self.tpm.path / "certified.pub"])
        started = self.start(file)
        blobs = [key.blob for key in started.tokens()[0].keys]
        self.assertEqual(len(blobs), 2)
        self.assertIn(b"ecdsa-sha2-nistp256-cert-v01@openssh.com", blobs[0])
        before, done = started.sign(blobs[0], algorithm="ecdsa-sha2-nistp256")
        self.assertEqual(done.error, worker.OK, (before, done.words))
        lab.verify(plain, done.result, b"data")


class Parents(TpmTest):
    def secret(self, text):
        path = self.folder.path / "secret"
        path.write_text(text + "\n")
        return path

    def persistent(self, **options):
        file = self.tpm.key_below_persistent(**options)
        self.addCleanup(self.tpm.tool, "tpm2_evictcontrol", "-Q", "-C", "o", "-c", "0x81000001")
        self.addCleanup(self.stop)
        return file

    def test_a_key_below_one_that_stays_in_the_tpm_signs(self):
        started = self.start(self.persistent())
        self.assert_signs(started)
        self.tpm.bus.clear()
        self.assert_signs(started)
        self.assertEqual(self.tpm.bus.codes(), [tpm.SIGN])

    def test_a_parent_that_wants_to_be_authorised_is_with_what_is_configured(self):
        file = self.persistent(of_parent="of the parent")
        started = self.start(file, KEYSTILE_TPM2_PARENT_AUTH=self.secret("of the parent"))
        self.tpm.bus.clear()
        self.assert_signs(started)
        self.assertNotIn(b"of the parent", b"".join(self.tpm.bus.passed))
        self.assertEqual(self.tpm.failures(), 0)

    def test_what_a_parent_refused_is_not_sent_again_nor_as_the_last_try(self):
        file = self.persistent(of_parent="of the parent")
        self.addCleanup(self.tpm.tool, "tpm2_dictionarylockout", "-s", "-n", self.tries, "-t", 600, "-l", 86400)
        self.addCleanup(self.tpm.tool, "tpm2_dictionarylockout", "-c")
        started = self.start(file, KEYSTILE_TPM2_PARENT_AUTH=self.secret("another"))
        self.assert_fails(started, worker.NOT_ALLOWED, words="authorisation value for the parent")
        self.assert_fails(started, worker.NOT_ALLOWED, words="not tried again")
        self.assertEqual(self.tpm.failures(), 1)
        self.tpm.tool("tpm2_dictionarylockout", "-s", "-n", 2, "-t", 600, "-l", 86400)
        started = self.start(file, KEYSTILE_TPM2_PARENT_AUTH=self.secret("another"))
        self.assert_fails(started, worker.PIN_LAST_TRY, words="would lock the TPM")
        self.assertEqual(self.tpm.failures(), 1)

    def test_a_parent_that_has_gone_is_told(self):
        file = self.tpm.key_below_persistent()
        self.tpm.tool("tpm2_evictcontrol", "-Q", "-C", "o", "-c", "0x81000001")
        self.assert_fails(self.start(file), worker.DEVICE_FAILED, words="not in the TPM")

    def test_keys_of_the_endorsement_hierarchy_sign(self):
        self.assert_signs(self.start(self.tpm.key_below_hierarchy("e", "0x4000000b")))

    def test_an_owner_who_wants_to_be_authorised_is(self):
        self.tpm.tool("tpm2_changeauth", "-c", "owner", "of the owner")
        self.addCleanup(self.tpm.tool, "tpm2_changeauth", "-c", "owner", "-p", "of the owner", "")
        file = self.tpm.key_below_hierarchy("o", "0x40000001", of_owner="of the owner")
        started = self.start(file, KEYSTILE_TPM2_PARENT_AUTH=self.secret("of the owner"))
        self.tpm.bus.clear()
        self.assert_signs(started)
        self.assertNotIn(b"of the owner", b"".join(self.tpm.bus.passed))
        self.assert_fails(self.start(file), worker.NOT_ALLOWED, words="authorisation value for the parent")


class WhatPassesToTheTpm(TpmTest):
    def test_a_signature_with_a_loaded_key_is_one_command(self):
        started = self.start(self.key())
        self.assert_signs(started)
        self.tpm.bus.clear()
        for _ in range(5):
            self.assert_signs(started)
        self.assertEqual(self.tpm.bus.codes(), [tpm.SIGN] * 5)

    def test_neither_a_pin_nor_a_password_session_passes(self):
        pin = "a PIN to look for"
        started = self.start(self.tpm.key("secret.tpm", pin=pin), KEYSTILE_TPM2_PIN_MINUTES="5")
        self.tpm.bus.clear()
        self.assert_signs(started, None, "wrong PIN here", pin)
        self.assert_signs(started)
        passed = b"".join(self.tpm.bus.passed)
        self.assertGreater(self.signatures(), 2)
        for secret in (pin.encode(), b"wrong PIN here", tpm.PASSWORD_SESSION):
            self.assertNotIn(secret, passed)

    def test_a_signature_is_authenticated_by_the_session(self):
        started = self.start(self.key())
        self.assert_signs(started)

        def flip(command, response):
            if struct.unpack(">I", command[6:10])[0] != tpm.SIGN:
                return response
            return response[:30] + bytes([response[30] ^ 1]) + response[31:]
        self.tpm.bus.alter = flip
        done = started.sign(started.key())[1]
        self.assertNotEqual(done.error, worker.OK)
        self.tpm.bus.alter = None
        self.assert_signs(started)

    def test_at_most_three_objects_and_two_sessions_are_held(self):
        home = self.folder.path / "home"
        (home / ".ssh").mkdir(parents=True)
        for number in range(4):
            self.tpm.key(f"{number}.tpm", folder=home / ".ssh")
        started = self.start("", HOME=home)
        for token in started.tokens() * 2:
            self.assert_signs(started, token.keys[0].blob, token=token.id)
            self.assertLessEqual(len(self.tpm.handles("transient")), 3)
            self.assertLessEqual(len(self.tpm.handles("loaded-session")), 2)

    def test_nothing_is_left_in_the_tpm(self):
        self.assert_signs(self.start(self.key()))
        self.assertNotEqual(self.tpm.handles("transient"), [])
        self.stop()
        self.assert_nothing_left()

    def test_the_tpm_is_given_back_when_it_is_not_used(self):
        started = self.start(self.key(), KEYSTILE_TPM2_IDLE_SECONDS="0")
        self.assert_signs(started)
        lab.wait_for("it is given back", lambda: not self.tpm.handles("transient"))
        self.assert_nothing_left()
        self.assert_signs(started)

    def test_release_gives_the_tpm_back(self):
        started = self.start(self.key())
        self.assert_signs(started)
        self.assertEqual(started.call(worker.RELEASE, worker.u32(0))[1].error, worker.OK)
        self.assert_nothing_left()
        self.assert_signs(started)


class Pins(TpmTest):
    def setUp(self):
        super().setUp()
        self.tpm.tool("tpm2_dictionarylockout", "-c")

    def presences(self, before):
        return [one.body for one in before if one.type == worker.PRESENCE]

    def test_a_pin_is_asked_for_each_signature_and_counts_as_presence(self):
        started = self.start(self.key(PIN))
        for demand in (0, worker.PIN, worker.PIN | worker.TOUCH):
            before = self.assert_signs(started, None, PIN, demand=demand)
            self.assertEqual((len(started.asked), self.presences(before)), (1, [worker.PIN]))

    def test_a_wrong_pin_costs_one_try_and_is_asked_for_again(self):
        started = self.start(self.key(PIN))
        self.assert_signs(started, None, "0000", PIN)
        self.assertEqual([(one.tries, one.retry) for one in started.asked], [(32, False), (31, True)])
        self.assertEqual(self.tpm.failures(), 1)

    def test_the_same_wrong_pin_typed_again_costs_no_try(self):
        started = self.start(self.key(PIN))
        self.assert_fails(started, worker.PIN_WRONG, "0000", "0000", "0000")
        self.assertEqual((self.tpm.failures(), self.signatures()), (1, 1))

    def test_a_person_who_says_no_is_not_asked_again(self):
        started = self.start(self.key(PIN))
        self.assert_fails(started, worker.REFUSED)
        self.assertEqual((len(started.asked), self.signatures()), (1, 0))

    def test_a_pin_that_is_longer_than_any_is_not_sent(self):
        started = self.start(self.key(PIN))
        self.assert_fails(started, worker.PIN_WRONG, "x" * 33, "x" * 34, "x" * 35)
        self.assertEqual(self.tpm.failures(), 0)

    def test_a_kept_pin_serves_local_requests_with_one_command_and_no_remote_ones(self):
        started = self.start(self.key(PIN), KEYSTILE_TPM2_PIN_MINUTES="5")
        self.assert_signs(started, None, PIN)
        self.tpm.bus.clear()
        self.assert_signs(started)
        self.assertEqual((self.tpm.bus.codes(), started.asked), ([tpm.SIGN], []))
        self.assert_fails(started, worker.REFUSED, demand=worker.PIN)
        self.assert_signs(started)

    def test_a_pin_of_a_remote_request_is_not_kept(self):
        started = self.start(self.key(PIN), KEYSTILE_TPM2_PIN_MINUTES="5")
        self.assert_signs(started, None, PIN, demand=worker.PIN)
        self.assert_fails(started, worker.REFUSED)

    def test_release_forgets_the_kept_pin(self):
        started = self.start(self.key(PIN), KEYSTILE_TPM2_PIN_MINUTES="5")
        self.assert_signs(started, None, PIN)
        started.call(worker.RELEASE, worker.u32(0))
        self.assert_fails(started, worker.REFUSED)

    def test_a_pin_given_ahead_is_tried_and_kept_where_pins_are_kept(self):
        started = self.start(self.key(PIN), KEYSTILE_TPM2_PIN_MINUTES="5")
        self.assertEqual(started.login("0000").error, worker.PIN_WRONG)
        self.assert_fails(started, worker.REFUSED)
        self.assertEqual(started.login(PIN).error, worker.OK)
        self.assert_signs(started)
        self.assertEqual(self.tpm.failures(), 1)
        forgetful = self.start(self.key(PIN))
        self.assertEqual(forgetful.login("0000").error, worker.OK)
        self.assertEqual(self.tpm.failures(), 1)
        self.assert_fails(forgetful, worker.REFUSED)

    def test_a_key_without_a_pin_is_refused_for_remote_use_with_advice(self):
        started = self.start(self.key())
        for demand in (worker.PIN, worker.TOUCH, worker.PIN | worker.TOUCH):
            self.assert_fails(started, worker.UNSUPPORTED, PIN, demand=demand)
            self.assertEqual(started.asked, [])
        self.assert_fails(started, worker.UNSUPPORTED, demand=worker.PIN, words="keystile tpm passwd")
        self.assertEqual(self.tpm.failures(), 0)

    def test_a_file_that_denies_its_pin_costs_one_try_ever(self):
        file = self.tpm.key("denied.tpm", pin=PIN, honest=False)
        started = self.start(file)
        self.assert_signs(started, None, PIN)
        self.assert_signs(started, None, PIN, demand=worker.PIN)
        self.assert_signs(self.start(file), None, PIN)
        self.assertEqual(self.tpm.failures(), 1)

    def test_a_key_that_is_said_to_have_no_pin_is_believed_to_have_none(self):
        file = self.tpm.key("claims.tpm", honest=False)
        self.assert_signs(self.start(file, KEYSTILE_TPM2_WITHOUT_PIN=f"/x:{file}"))
        self.assert_fails(self.start(file), worker.REFUSED)

    def test_others_sign_while_a_person_thinks(self):
        home = self.folder.path / "home"
        (home / ".ssh").mkdir(parents=True)
        self.tpm.key("a.tpm", folder=home / ".ssh", pin=PIN)
        self.tpm.key("b.tpm", folder=home / ".ssh")
        started = self.start("", HOME=home)
        slow, quick = started.tokens()
        asking = started.begin_sign(slow.keys[0].blob, token=slow.id)
        self.asks(started, asking)
        self.assert_signs(started, quick.keys[0].blob, token=quick.id)
        started.give_pin(asking, PIN.encode())
        self.assertEqual(started.finish(asking)[1].error, worker.OK)


class TheLastTry(TpmTest):
    tries = 3

    def test_it_is_not_spent_and_a_locked_tpm_is_told_in_words(self):
        self.tpm.tool("tpm2_dictionarylockout", "-c")
        started = self.start(self.key(PIN))
        self.assert_fails(started, worker.PIN_LAST_TRY, "0000", "0001", PIN, words="would lock the TPM")
        self.assertEqual((len(started.asked), self.tpm.failures()), (2, 2))
        self.assert_fails(started, worker.PIN_LAST_TRY, PIN, words="one try comes back every 10 minutes")
        self.assertEqual(started.asked, [])
        wrong = subprocess.run(["tpm2_dictionarylockout", "-s", "-n", "2", "-t", "600", "-l", "86400"],
                               env=self.tpm.env, capture_output=True, check=False)
        self.assertEqual(wrong.returncode, 0, wrong.stderr)
        self.assert_fails(started, worker.PIN_BLOCKED, PIN, words="the TPM is locked")
        self.tpm.tool("tpm2_dictionarylockout", "-c")
        self.assert_signs(started, None, PIN)


if __name__ == "__main__":
    unittest.main()
