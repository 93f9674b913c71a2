"""
The fake backend: its keys are real, and each misdeed that can be asked of it shows on the
agent's socket as the tests of the agent expect it.
"""
import hashlib
import signal
import unittest

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

import lab
from lab import worker as w
from lab.keys import string, u32
from lab.worker import Worker


class Keys(unittest.TestCase):
    def test_every_kind_of_key_signs_with_each_of_its_algorithms(self):
        with Worker("fake:demo,keys=5,kind=mixed") as worker:
            made = []
            for key in worker.tokens()[0].keys:
                for algorithm in self.algorithms(key.blob):
                    done = worker.sign(key.blob, algorithm=algorithm)[1]
                    made.append(lab.verify(key.blob, done.result, b"data"))
            self.assertEqual(made, list(w.ALGORITHMS[:6]))

    @staticmethod
    def algorithms(blob):
        name = lab.keys.name_of(blob)
        return ("rsa-sha2-256", "rsa-sha2-512") if name == "ssh-rsa" else (name,)

    def test_an_algorithm_of_another_kind_is_unsupported(self):
        with Worker("fake:demo,keys=5,kind=mixed") as worker:
            for key in worker.tokens()[0].keys:
                for algorithm in set(w.ALGORITHMS) - set(self.algorithms(key.blob)):
                    done = worker.sign(key.blob, algorithm=algorithm)[1]
                    self.assertEqual((done.error, done.result), (w.UNSUPPORTED, b""))

    def test_keys_follow_from_the_name_as_everybody_can_compute(self):
        secret = hashlib.shake_256(b"keystile fake demo/1/2").digest(32)
        public = ed25519.Ed25519PrivateKey.from_private_bytes(secret).public_key()
        with Worker("fake:demo,tokens=2,keys=3") as worker:
            self.assertEqual(worker.tokens()[1].keys[2].blob, lab.keys.blob_of(public))

    def test_an_unknown_key_or_token_is_named_as_that(self):
        with Worker("fake:demo") as worker:
            key = worker.key()
            self.assertEqual(worker.sign(key[:-1] + b"?")[1].error, w.NO_KEY)
            for token in (1, 16, 0xffffffff):
                self.assertEqual(worker.sign(key, token=token)[1].error, w.NO_TOKEN)

    def test_it_says_loudly_that_it_protects_nothing(self):
        with Worker("fake:demo") as worker:
            self.assertIn("PROTECT NOTHING", worker.log[0])

    def test_several_tokens_have_keys_of_their_own(self):
        with Worker("fake:demo,tokens=3,keys=2") as worker:
            tokens = worker.tokens()
            self.assertEqual([one.id for one in tokens], [0, 1, 2])
            self.assertEqual(len({key.blob for one in tokens for key in one.keys}), 6)


class Size(unittest.TestCase):
    def test_more_keys_than_fit_into_a_frame_are_cut_with_a_line_in_the_log(self):
        with Worker("fake:demo,keys=5000") as worker:
            self.assertEqual(len(worker.tokens()[0].keys), 4096)
            self.assertIn("only 4096 of its 5000 keys", worker.log[-1])

    def test_labels_that_fill_a_frame_are_cut_and_so_is_their_number(self):
        with Worker("fake:demo,keys=300,labels=long") as worker:
            token = worker.tokens()[0]
            self.assertEqual({len(key.label) for key in token.keys}, {4096})
            self.assertEqual(len(token.label), 4096)
            self.assertLess(len(token.keys), 300)
            self.assertGreater(len(token.keys), 100)
            self.assertTrue(any("is cut" in line for line in worker.log))

    def test_control_characters_of_a_label_reach_the_agent_as_they_are(self):
        with Worker("fake:demo,labels=control") as worker:
            token = worker.tokens()[0]
            self.assertTrue(token.label.startswith(b"\x1b]0;"))
            self.assertTrue(token.keys[0].label.endswith(b"%s%n"))

    def test_an_answer_that_fits_into_no_frame_becomes_an_error(self):
        with Worker("fake:demo,signature=oversized") as worker:
            done = worker.sign(worker.key())[1]
            self.assertEqual((done.error, done.result), (w.NO_MEMORY, b""))
            self.assertIn("too large", done.words)

    def test_a_flood_of_log_lines_is_cut_and_counted(self):
        with Worker("fake:demo,list=chatty") as worker:
            worker.tokens()
            self.assertLessEqual(len([one for one in worker.log if "nobody needs" in one]), 300)
            lab.wait_for("the worker says how many lines it dropped",
                         lambda: worker.tokens() and any("dropped" in one for one in worker.log))


class Misdeeds(unittest.TestCase):
    def test_a_crash_an_exit_and_a_hang_in_every_function(self):
        endings = {"crash": -signal.SIGSEGV, "exit": 3}
        for step in ("locate", "open", "list", "sign", "release", "login"):
            for misdeed, code in endings.items():
                with self.subTest(step=step, misdeed=misdeed):
                    with Worker() as worker:
                        self.provoke(worker, step, f"fake:demo,{step}={misdeed}")
                        self.assertEqual(worker.ended(), code)

    @staticmethod
    def provoke(worker, step, provider):
        """Begins the step that misbehaves, with those before it done."""
        worker.greet()
        if step == "locate":
            worker.begin(w.LOCATE, string(provider))
            return
        worker.call(w.LOCATE, string(provider))
        if step == "open":
            worker.begin(w.OPEN)
            return
        worker.call(w.OPEN)
        if step == "sign":
            worker.begin_sign(worker.key())
        elif step == "login":
            worker.begin(w.LOGIN, fds=[w.pipe_with(b"1234")])
        else:
            worker.begin({"list": w.LIST, "release": w.RELEASE}[step],
                         u32(0) if step == "release" else b"")

    def test_failures_come_with_words(self):
        for step in ("locate", "open", "list", "sign", "release", "login"):
            with self.subTest(step), Worker() as worker:
                self.provoke(worker, step, f"fake:demo,{step}=fail")
                got = worker.receive()
                self.assertEqual((got.type, got.body.error), (w.DONE, w.DEVICE_FAILED))
                self.assertIn("told to fail", got.body.words)

    def test_a_function_that_is_slow_still_answers(self):
        with Worker("fake:demo,list=slow") as worker:
            self.assertEqual(len(worker.tokens()), 1)

    def test_an_error_that_does_not_exist_becomes_a_failed_device(self):
        with Worker("fake:demo,sign=error") as worker:
            self.assertEqual(worker.sign(worker.key())[1].error, w.DEVICE_FAILED)
            self.assertIn("does not exist", worker.log[-1])

    def test_nonsense_lies_on_the_socket_between_the_frames(self):
        with Worker("fake:demo,sign=nonsense") as worker:
            worker.begin_sign(worker.key())
            with self.assertRaisesRegex(AssertionError, "a frame of 4294967295 bytes"):
                worker.receive()

    def test_a_signature_of_garbage_does_not_verify(self):
        for kind in ("ed25519", "p256"):
            with self.subTest(kind), Worker(f"fake:demo,signature=garbage,kind={kind}") as worker:
                key = worker.key()
                done = worker.sign(key)[1]
                self.assertEqual(done.error, w.OK)
                with self.assertRaises(InvalidSignature):
                    lab.verify(key, done.result, b"data")

    def test_a_claimed_key_is_listed_and_signed_for_with_another(self):
        with Worker("fake:victim") as victim:
            theirs = victim.key()
        for claim in ("victim", "0x" + theirs.hex()):
            with self.subTest(claim[:6]), Worker(f"fake:thief,claim={claim}") as thief:
                self.assertEqual(thief.key(), theirs)
                done = thief.sign(theirs)[1]
                self.assertEqual(done.error, w.OK)
                with self.assertRaises(InvalidSignature):
                    lab.verify(theirs, done.result, b"data")

    def test_the_library_does_not_pass_on_a_pin_that_was_not_given(self):
        with Worker("fake:demo,presence=claim") as worker:
            frames, done = worker.sign(worker.key())
            self.assertEqual((frames, done.error), ([], w.OK))
            self.assertIn("claims a PIN", worker.log[-1])

    def test_a_lie_past_the_library_reaches_the_agent(self):
        with Worker("fake:demo,presence=lie") as worker:
            operation = worker.begin_sign(worker.key())
            self.assertEqual(worker.expect(w.PRESENCE, operation), w.PIN)
            self.assertEqual(worker.expect(w.DONE, operation).error, w.OK)


class Removal(unittest.TestCase):
    def signed(self, worker):
        frames, done = worker.sign(worker.key())
        self.assertEqual(done.error, w.OK)
        return [one.type for one in frames]

    def test_a_token_that_goes_away_after_a_signature(self):
        with Worker("fake:demo,after=gone") as worker:
            key = worker.key()
            self.assertEqual(self.signed(worker), [w.TOKEN_GONE])
            self.assertEqual(worker.sign(key)[1].error, w.NO_TOKEN)
            self.assertEqual(worker.tokens(), [])

    def test_a_token_that_is_back_at_once(self):
        with Worker("fake:demo,after=blink") as worker:
            for _ in range(2):
                self.assertEqual(self.signed(worker), [w.TOKEN_GONE, w.TOKEN])

    def test_a_token_that_is_back_when_it_is_listed(self):
        with Worker("fake:demo,after=return") as worker:
            key = worker.key()
            self.assertEqual(self.signed(worker), [w.TOKEN_GONE])
            self.assertEqual(worker.sign(key)[1].error, w.NO_TOKEN)
            self.assertEqual(self.signed(worker), [w.TOKEN_GONE])


if __name__ == "__main__":
    unittest.main()
