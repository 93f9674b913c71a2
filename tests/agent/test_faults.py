"""What breaks around the agent costs who asked for it: others are served, nothing is lost, and the reason is said."""
import os
import signal
import time

import lab
import token_bed as bed
from lab import client

PIN = "1234"
SHORT = "operation-timeout = 2\n"
ROUNDS = 100


class Case(bed.Case):
    """An agent with a provider "fake:good" that others use meanwhile; .good is its key."""

    config = ""
    timeout = ""

    def setUp(self):
        self.asked = self.askpass(PIN)
        self.begin()

    def begin(self, **options):
        options.setdefault("askpass", self.asked)
        self.start(config=self.timeout + self.config, **options)
        self.good = self.load("fake:good")[0]

    def unharmed(self, keys=None):
        """The agent lives, others are served, and the list is what it was."""
        self.assertTrue(self.agent.alive(), self.agent.log()[-3000:])
        self.served(self.good)
        if keys is not None:
            self.assertEqual(sorted(self.blobs()), sorted(keys))

    def worker_of(self, name):
        """The pid of a provider's worker, once it has one."""
        def find():
            return [one["pid"] for one in self.agent.status()["providers"] if name in one["name"] and one["pid"]]
        return lab.wait_for(f"{name} has a worker", find)[0]

    def asked_again(self, count):
        self.asked.wait_until_asked(count)


class Tokens(Case):
    """SoftHSM through the shim besides: .shim, .key."""

    def setUp(self):
        self.hsm = lab.SoftHSM()
        self.addCleanup(self.hsm.close)
        self.token = self.hsm.token("Lab", PIN)
        self.shim = bed.Shim(self.hsm)
        self.addCleanup(self.shim.folder.close)
        self.config = bed.worker_section("pkcs11", self.shim.env)
        super().setUp()
        self.module = str(bed.SHIM)

    def load_token(self):
        self.key = self.token.bring("p256")
        self.assertEqual(self.load(self.module, PIN), [self.key.blob])
        self.served(self.key.blob)
        self.shim.lines()


class Waiting(Case):
    """While one client waits for a signature that never comes, all others are answered."""

    def others_are_served(self, waiting):
        before = self.agent.status()["prompts"]
        self.served(self.good, ROUNDS)
        waiting.socket.setblocking(False)
        with self.assertRaises(BlockingIOError):
            waiting.socket.recv(1)
        self.assertEqual(self.agent.status()["prompts"], before)

    def nothing_is_left(self):
        lab.wait_for("the prompt is withdrawn", lambda: not self.agent.status()["prompts"])
        lab.wait_for("its program ends", lambda: not self.asked.processes())

    def test_a_touch_that_never_comes(self):
        blob = self.load("fake:stuck,touch=wait")[0]
        self.asked.hangs()
        waiting = self.begin_sign(blob)
        self.asked.wait_until_asked()
        self.assertIn("Touch the token", self.asked.prompts()[0])
        self.others_are_served(waiting)
        waiting.close()
        self.nothing_is_left()
        # Were it not cancelled, the worker would have no thread left for the third of these.
        for count in range(2, 6):
            waiting = self.begin_sign(blob)
            self.asked_again(count)
            waiting.close()
            self.nothing_is_left()
        self.unharmed()

    def test_a_touch_notice_that_ends_by_itself(self):
        blob = self.load("fake:stuck,touch=wait")[0]
        for how in (self.asked.agrees, self.asked.refuses, self.asked.vanishes):
            how()
            waiting = self.begin_sign(blob)
            lab.wait_for("the notice has gone", lambda: not self.agent.status()["prompts"])
            time.sleep(0.2)
            waiting.close()
            self.unharmed()

    def test_an_askpass_left_open(self):
        blob = self.load("fake:asks,pin=always")[0]
        self.asked.hangs()
        waiting = self.begin_sign(blob)
        self.asked.wait_until_asked()
        self.others_are_served(waiting)
        self.assertEqual(len(self.asked.processes()), 1)
        waiting.close()
        self.nothing_is_left()
        self.asked.prints(PIN)
        self.assertIsNotNone(self.sign(blob))
        self.unharmed()

    def test_a_confirmation_left_open(self):
        self.assertEqual(self.add("fake:asks", constraints=client.confirm()), client.SUCCESS)
        blob = next(one for one in self.blobs() if one != self.good)
        self.asked.hangs()
        waiting = self.begin_sign(blob)
        self.asked.wait_until_asked()
        self.others_are_served(waiting)
        waiting.close()
        self.nothing_is_left()
        self.asked.agrees()
        self.assertIsNotNone(self.sign(blob))

    def test_many_who_wait_for_one_prompt_and_go(self):
        blob = self.load("fake:asks,pin=always")[0]
        self.asked.hangs()
        waiting = [self.begin_sign(blob) for _ in range(40)]
        self.asked.wait_until_asked()
        self.served(self.good, 10)
        for one in waiting:
            one.close()
        self.nothing_is_left()
        lab.wait_for("they are gone", lambda: not self.agent.status()["connections"])
        self.asked.prints(PIN)
        self.assertIsNotNone(self.sign(blob))

    def test_a_signature_that_hangs(self):
        blob = self.load("fake:hangs,sign=hang")[0]
        waiting = self.begin_sign(blob)
        self.others_are_served(waiting)


class WaitingForAModule(Tokens):
    def test_a_module_that_hangs_in_c_sign(self):
        self.load_token()
        worker = self.worker_of("shim")
        self.shim.tell("C_Sign.hang")
        waiting = self.begin_sign(self.key.blob)
        lab.wait_for("C_Sign", lambda: self.shim.waiting("C_Sign"))
        self.served(self.good, ROUNDS)
        waiting.close()
        lab.wait_for("it is gone", lambda: not self.agent.status()["connections"])
        self.shim.stop("C_Sign.hang")
        self.served(self.key.blob)
        self.assertEqual(self.worker_of("shim"), worker)
        self.unharmed([self.good, self.key.blob])


class HangingModule(Tokens):
    timeout = SHORT

    def test_a_module_that_hangs_in_c_sign_is_ended_and_the_next_signature_works(self):
        self.load_token()
        worker = lab.Process(self.worker_of("shim"))
        self.shim.tell("C_Sign.hang")
        with lab.AgentClient(self.agent) as one:
            self.assertIsNone(one.sign(self.key.blob, b"data"))
        self.refused_with("in time", self.key.fingerprint)
        lab.wait_for("its worker is ended", lambda: not worker.alive())
        self.unharmed([self.good, self.key.blob])
        self.shim.stop("C_Sign.hang")
        self.assertIsNotNone(self.sign(self.key.blob))
        self.assertEqual(len(self.asked.prompts()), 1, "the login went with the worker")

    def test_a_module_that_hangs_in_c_initialize(self):
        self.shim.tell("C_Initialize.hang")
        self.assertEqual(self.add(self.module, PIN), client.FAILURE)
        self.refused_with(str(lab.BUILD)[:40], "in time")
        lab.wait_for("its worker is ended", lambda: len(self.agent.workers()) == 1)
        self.shim.stop("C_Initialize.hang")
        self.load_token()
        self.unharmed([self.good, self.key.blob])


class CrashingModule(Tokens):
    def test_a_module_that_crashes_in_c_initialize(self):
        self.shim.tell("C_Initialize.crash")
        self.assertEqual(self.add(self.module, PIN), client.FAILURE)
        self.refused_with(str(lab.BUILD)[:40], "signal 6")
        self.unharmed([self.good])
        self.shim.stop("C_Initialize.crash")
        self.load_token()

    def test_a_module_that_crashes_in_c_sign(self):
        self.load_token()
        self.shim.tell("C_Sign.crash")
        self.assertIsNone(self.sign(self.key.blob))
        self.refused_with("signal 6", self.key.fingerprint)
        self.unharmed([self.good, self.key.blob])
        self.shim.stop("C_Sign.crash")
        self.assertIsNotNone(self.sign(self.key.blob))
        self.assertEqual(len(self.asked.prompts()), 1)
        self.assertEqual(self.agent.status()["providers"][0]["restarts"]
                         + self.agent.status()["providers"][1]["restarts"], 1)

    def test_a_module_that_always_crashes_is_started_again_with_patience(self):
        self.load_token()
        self.shim.tell("C_Sign.crash")
        self.asked.prints(PIN)
        for _ in range(5):
            self.assertIsNone(self.sign(self.key.blob))
            self.unharmed([self.good, self.key.blob])
        provider = next(one for one in self.agent.status()["providers"] if "shim" in one["name"])
        self.assertLess(provider["restarts"], 5)
        self.assertIn("signal 6", provider["last_error"])

    def test_a_module_that_fails_says_how(self):
        self.load_token()
        self.shim.fail("C_Sign", 0x30, 9)
        self.assertIsNone(self.sign(self.key.blob))
        self.refused_with("C_Sign", "CKR_DEVICE_ERROR")
        self.shim.stop("C_Sign.fail")
        self.served(self.key.blob)

    def test_a_worker_killed_while_it_signs(self):
        self.load_token()
        self.shim.tell("C_Sign.hang")
        waiting = self.begin_sign(self.key.blob)
        lab.wait_for("C_Sign", lambda: self.shim.waiting("C_Sign"))
        os.kill(self.worker_of("shim"), signal.SIGKILL)
        self.assertEqual(waiting.receive()[0], client.FAILURE)
        self.shim.stop("C_Sign.hang")
        self.assertIn(self.key.blob, self.blobs(), "keys never leave the list")
        self.refused_with("signal 9", self.key.fingerprint)
        self.assertIsNotNone(self.sign(self.key.blob))
        self.assertEqual(len(self.asked.prompts()), 1, "the login went with the worker")
        self.unharmed([self.good, self.key.blob])

    def test_a_module_that_talks_nonsense(self):
        self.load_token()
        self.shim.tell("C_Sign.nonsense")
        self.assertIsNone(self.sign(self.key.blob))
        self.shim.stop("C_Sign.nonsense")
        self.unharmed([self.good, self.key.blob])
        self.assertIsNotNone(self.sign(self.key.blob))

    def test_a_token_taken_out_and_put_back(self):
        self.load_token()
        self.shim.tell("removed")
        self.assertIsNone(self.sign(self.key.blob))
        self.refused_with("token")
        self.unharmed()
        self.shim.stop("removed")
        self.assertEqual(self.add(self.module, PIN), client.SUCCESS)
        self.served(self.key.blob)
        self.unharmed([self.good, self.key.blob])

    def test_a_token_whose_files_are_gone(self):
        self.load_token()
        tokens = self.hsm.folder.path / "tokens"
        tokens.rename(tokens.with_suffix(".away"))
        self.assertIsNone(self.sign(self.key.blob))
        self.refused_with(self.key.fingerprint, "the token")
        self.assertIsNone(self.remote_client().sign(self.key.blob, lab.sshsig(b"x")))
        self.assertEqual(self.asked.prompts(), [])
        self.unharmed()
        tokens.with_suffix(".away").rename(tokens)
        with lab.AgentClient(self.agent) as one:  # SoftHSM looks for tokens when it is loaded
            self.assertEqual(one.remove_token(self.module), client.SUCCESS)
        self.assertEqual(self.add(self.module, PIN), client.SUCCESS)
        self.served(self.key.blob)
        self.unharmed([self.good, self.key.blob])


class Prompts(Case):
    """Prompt programs that are not what they should be; nothing but an explicit yes is one."""

    def setUp(self):
        super().setUp()
        self.asking = self.load("fake:asks,pin=always,tries=9")[0]

    def is_refused(self, why):
        self.assertIsNone(self.sign(self.asking))
        self.assertIn(lab.keys.fingerprint_of(self.asking), self.agent.refusals()[0])
        self.assertIn(why, self.agent.refusals()[0])
        self.assertFalse(self.agent.status()["prompts"])
        self.unharmed([self.good, self.asking])
        self.assertEqual(self.tries(), 9, "nothing reached the token")

    def tries(self):
        return next(one["tokens"][0]["tries_left"] for one in self.agent.status()["providers"]
                    if "asks" in one["name"])

    def works_again(self):
        self.asked.prints(PIN)
        self.assertIsNotNone(self.sign(self.asking))

    def test_a_pin_and_then_a_failure(self):
        for how in (self.asked.prints_and_fails, self.asked.prints_and_crashes, self.asked.prints_two_lines):
            with self.subTest(how.__name__):
                how(PIN)
                self.is_refused("the prompt failed")
        self.works_again()

    def test_a_pin_and_then_the_death_of_who_writes_to_nobody(self):
        self.asked.does(f"echo {PIN}; kill -PIPE $$; sleep 3600")
        self.is_refused("the prompt failed")
        self.assertIn("killed or crashed", self.agent.log())
        self.works_again()

    def test_a_person_who_cancels(self):
        self.asked.refuses()
        self.is_refused("the person gave no PIN")
        self.works_again()

    def test_megabytes(self):
        self.asked.prints_megabytes()
        self.is_refused("the prompt failed")
        self.assertIn("printed too much", self.agent.log())
        lab.wait_for("it is ended", lambda: not self.asked.processes())
        self.works_again()

    def test_an_empty_answer(self):
        self.asked.prints_nothing()
        self.is_refused("the prompt failed")
        self.works_again()

    def test_a_program_that_is_missing(self):
        self.asked.vanishes()
        self.is_refused("nobody could be asked")
        self.works_again()

    def test_a_program_that_can_not_be_run(self):
        self.asked.path.chmod(0o600)
        self.is_refused("nobody could be asked")
        self.works_again()

    def test_a_program_that_is_killed(self):
        self.asked.hangs()
        waiting = self.begin_sign(self.asking)
        self.asked.wait_until_asked()
        for one in self.asked.processes():
            os.kill(one.pid, signal.SIGKILL)
        self.assertEqual(waiting.receive()[0], client.FAILURE)
        self.unharmed([self.good, self.asking])
        self.works_again()

    def test_a_prompt_helper_that_is_killed(self):
        self.asked.does(f"echo {PIN}; exec sleep 3600")
        waiting = self.begin_sign(self.asking)
        self.asked.wait_until_asked()
        helper = next(one for one in self.agent.workers() if one.name.startswith("keystile-prompt"))
        os.kill(helper.pid, signal.SIGKILL)
        self.assertEqual(waiting.receive()[0], client.FAILURE)
        lab.wait_for("the program goes with it", lambda: not self.asked.processes())
        self.unharmed([self.good, self.asking])
        self.works_again()

    def test_a_wrong_pin_costs_one_try_and_is_said(self):
        self.asked.prints("4321")
        self.assertIsNone(self.sign(self.asking))
        self.refused_with("wrong PIN")
        self.assertEqual(self.tries(), 8)
        self.works_again()


class Confirmations(Case):
    """Programs that are asked for a yes and say something else."""

    def setUp(self):
        super().setUp()
        self.assertEqual(self.add("fake:asks", constraints=client.confirm()), client.SUCCESS)
        self.asking = next(one for one in self.blobs() if one != self.good)

    def is_refused(self, why):
        self.assertIsNone(self.sign(self.asking))
        self.assertIn(why, self.agent.refusals()[0])
        self.unharmed([self.good, self.asking])
        self.asked.agrees()
        self.assertIsNotNone(self.sign(self.asking))

    def test_a_yes_that_fails_is_no_yes(self):
        for script in ("echo yes; exit 1", "echo yes; exit 7", "echo yes; kill -SEGV $$", "echo yes; kill -PIPE $$"):
            with self.subTest(script):
                self.asked.does(script)
                self.is_refused("the prompt failed, which is no yes")

    def test_a_no_is_one(self):
        self.asked.refuses()
        self.is_refused("the person did not allow it")

    def test_a_program_that_is_missing_is_no_yes(self):
        self.asked.vanishes()
        self.is_refused("nobody could be asked")


class SlowPrompts(Case):
    timeout = "prompt-timeout = 1\n"

    def test_a_prompt_that_nobody_answers_ends(self):
        asking = self.load("fake:asks,pin=always")[0]
        self.asked.does(f"trap '' TERM; echo {PIN}; sleep 3600")
        self.assertIsNone(self.sign(asking))
        self.assertIn(lab.keys.fingerprint_of(asking), self.agent.refusals()[0])
        self.unharmed([self.good, asking])


class Misdeeds(Case):
    """The fake backend does what no backend should."""

    timeout = SHORT

    def evil(self, options):
        """A key of a provider that loads, and misbehaves later."""
        return self.load(f"fake:evil,{options}")[0]

    def signature_is_refused(self, options, *words):
        blob = self.evil(options)
        self.assertIsNone(self.sign(blob))
        self.refused_with(lab.keys.fingerprint_of(blob), *words)
        self.unharmed([self.good, blob])
        return blob

    def test_a_worker_that_fails_says_so(self):
        self.signature_is_refused("sign=fail", "the fake token was told to fail")

    def test_a_worker_that_crashes(self):
        self.signature_is_refused("sign=crash", "signal 11")

    def test_a_worker_that_leaves(self):
        self.signature_is_refused("sign=exit", "status 3")

    def test_a_worker_that_talks_nonsense(self):
        self.signature_is_refused("sign=nonsense", "no sense")

    def test_a_worker_that_hangs(self):
        self.signature_is_refused("sign=hang", "in time")

    def test_a_worker_that_invents_an_error(self):
        self.signature_is_refused("sign=error")

    def test_a_worker_that_writes_a_lot_into_the_log(self):
        blob = self.evil("sign=chatty")
        self.assertIsNotNone(self.sign(blob))
        self.unharmed([self.good, blob])

    def test_a_signature_that_is_garbage(self):
        for kind in ("p256", "ed25519", "rsa"):
            with self.subTest(kind):
                blob = self.load(f"fake:garbage-{kind},kind={kind},signature=garbage")[0]
                with lab.AgentClient(self.agent) as one:
                    self.assertIsNone(one.sign(blob, b"data", client.RSA_SHA256))
                self.refused_with(lab.keys.fingerprint_of(blob), "was not made with the key")
                self.unharmed()

    def test_a_signature_that_is_too_long(self):
        self.signature_is_refused("signature=oversized")

    def test_every_step_that_goes_wrong_while_a_provider_loads(self):
        for step in ("locate", "open", "list", "login"):
            for misdeed in ("fail", "crash", "exit", "nonsense", "hang", "error"):
                with self.subTest(f"{step}={misdeed}"):
                    self.assertEqual(self.add(f"fake:evil,{step}={misdeed}", PIN), client.FAILURE)
                    self.refused_with(f"{step}={misdeed}")
                    self.unharmed([self.good])
        lab.wait_for("no worker is left over", lambda: len(self.agent.workers()) == 1)

    def test_a_worker_that_goes_wrong_at_its_end(self):
        for misdeed in ("crash", "exit", "hang", "nonsense"):
            with self.subTest(misdeed):
                self.load(f"fake:evil,close={misdeed}")
                with lab.AgentClient(self.agent) as one:
                    self.assertEqual(one.remove_token(f"fake:evil,close={misdeed}"), client.SUCCESS)
                self.unharmed([self.good])
        lab.wait_for("no worker is left over", lambda: len(self.agent.workers()) == 1)

    def test_five_thousand_keys(self):
        blobs = self.load("fake:many,keys=5000")
        listed = self.blobs()
        self.assertLessEqual(len(listed), 2048)
        self.assertIn("too many keys", self.agent.log())
        self.assertIsNotNone(self.sign(blobs[-1]))
        self.unharmed(listed)

    def test_a_key_that_is_somebody_elses(self):
        blob = self.evil("claim=victim")
        self.assertIsNone(self.sign(blob))
        self.refused_with(lab.keys.fingerprint_of(blob), "was not made with the key")
        self.unharmed([self.good, blob])

    def test_a_key_that_another_token_has_already_stays_with_that(self):
        self.add("fake:evil,claim=good")
        key = next(one for one in self.agent.status()["keys"] if one["fingerprint"] == lab.keys.fingerprint_of(self.good))
        self.assertEqual((key["provider"], key["reserves"]), ("fake:good", 1))
        self.served(self.good, 5)
        self.assertEqual(self.blobs(), [self.good])

    def test_a_presence_that_was_not_given(self):
        blob = self.evil("pin=always,presence=lie")
        worker = lab.Process(self.worker_of("evil"))
        one = self.remote_client()
        self.assertIsNone(one.sign(blob, lab.sshsig(b"x")))
        self.refused_with(lab.keys.fingerprint_of(blob))
        lab.wait_for("its worker is ended", lambda: not worker.alive())
        self.unharmed([self.good, blob])
        self.assertEqual(one.list()[0].blob, self.good)

    def test_a_presence_that_was_not_given_counts_for_nothing(self):
        blob = self.evil("presence=claim")
        self.assertIsNone(self.remote_client().sign(blob, lab.sshsig(b"x")))
        self.assertEqual(self.asked.prompts(), [])
        self.unharmed([self.good, blob])

    def test_a_login_that_is_open_does_not_serve_a_remote_request(self):
        blob = self.load("fake:opened,pin=once", PIN)[0]
        self.served(blob)
        self.asked.refuses()
        self.assertIsNone(self.remote_client().sign(blob, lab.sshsig(b"x")))
        self.assertEqual(len(self.asked.prompts()), 1)
        self.unharmed([self.good, blob])


class Workers(Case):
    timeout = SHORT

    def test_a_provider_that_hangs_while_it_is_opened(self):
        waiting = self.client()
        waiting.send(client.ADD_TOKEN, lab.keys.string("fake:slow,open=hang") + lab.keys.string(""))
        lab.wait_for("its worker is there", lambda: len(self.agent.workers()) == 2)
        self.served(self.good, ROUNDS // 2)
        waiting.close()
        self.served(self.good, ROUNDS // 2)
        lab.wait_for("half a provider goes", lambda: len(self.agent.status()["providers"]) == 1)
        lab.wait_for("and so does its worker", lambda: len(self.agent.workers()) == 1)
        self.unharmed([self.good])

    def test_a_worker_killed_while_it_signs(self):
        blob = self.load("fake:stuck,sign=slow")[0]
        for _ in range(3):
            waiting = self.begin_sign(blob)
            os.kill(self.worker_of("stuck"), signal.SIGKILL)
            self.assertEqual(waiting.receive()[0], client.FAILURE)
            self.assertEqual(self.blobs(), [self.good, blob])
            lab.wait_for("it is back", lambda: self.sign(blob))
        self.unharmed([self.good, blob])

    def test_keys_never_leave_the_list_while_a_worker_starts_again(self):
        blob = self.load("fake:back,keys=3")[0]
        before = self.blobs()
        old = self.worker_of("back")
        os.kill(old, signal.SIGKILL)
        lab.wait_for("another worker", lambda: self.assertEqual(self.blobs(), before) or
                     any(one["pid"] not in (0, old) and one["state"] == "ready" and "back" in one["name"]
                         for one in self.agent.status()["providers"]))
        self.assertEqual(self.blobs(), before)
        self.assertIsNotNone(self.sign(blob))

    def test_a_worker_that_is_stopped(self):
        blob = self.load("fake:still")[0]
        worker = lab.Process(self.worker_of("still"))
        self.stop(worker.pid)
        waiting = self.begin_sign(blob)
        self.served(self.good, ROUNDS)
        self.assertEqual(waiting.receive()[0], client.FAILURE)
        self.refused_with("in time", lab.keys.fingerprint_of(blob))
        lab.wait_for("it is ended", lambda: not worker.alive())
        self.assertIsNotNone(self.sign(blob))
        self.unharmed([self.good, blob])

    def stop(self, pid):
        """Until each of its threads has stopped: the signal alone may come too late for one."""
        os.kill(pid, signal.SIGSTOP)
        lab.wait_for("it stopped", lab.Process(pid).stopped)

    def test_a_stopped_worker_that_many_ask(self):
        blob = self.load("fake:still")[0]
        self.stop(self.worker_of("still"))
        waiting = [self.begin_sign(blob, bytes(200000)) for _ in range(50)]
        self.served(self.good, 10)
        answers = [one.receive()[0] for one in waiting]
        self.assertEqual(answers[0], client.FAILURE)
        self.assertLessEqual(set(answers), {client.FAILURE, client.SIGNATURE})
        self.unharmed([self.good, blob])
        self.assertIsNotNone(self.sign(blob))

    def test_a_stopped_worker_does_not_keep_the_agent_from_ending(self):
        self.load("fake:still")
        self.stop(self.worker_of("still"))  # lab.Agent.stop() says whether it ends

    def test_more_requests_than_may_wait(self):
        blob = self.load("fake:stuck,sign=stuck")[0]
        waiting = [self.begin_sign(blob) for _ in range(300)]
        self.served(self.good, 5)
        self.assertEqual({one.receive()[0] for one in waiting}, {client.FAILURE})
        self.unharmed([self.good, blob])
