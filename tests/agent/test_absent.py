"""Keys of tokens that were pulled and stay listed: who signs with one is told to insert it, and then it goes on."""
import os
import select
import signal

import lab
import token_bed
from lab import client as c
from lab.keys import string
from test_configured import Configured, provider

LOCK = 22
LIST = "\tabsent = list\n"


class Absent(Configured):
    """A SoftHSM behind the shim, whose token a test pulls and puts back."""

    def begin_with_token(self, more=LIST, config="", pin="1234"):
        self.hsm, (self.key,), _ = self.soft()
        self.shim = token_bed.Shim(self.hsm)
        self.addCleanup(self.shim.folder.close)
        self.section = token_bed.worker_section("pkcs11", self.shim.env)
        self.asker = self.askpass(pin)
        self.begin(config + self.section + provider("card", token_bed.SHIM, more), askpass=self.asker)
        lab.wait_for("its key is listed", lambda: self.key.blob in self.blobs())

    def pull(self):
        """The token is out, which is noticed when somebody wants it."""
        self.shim.tell("removed")

    def insert(self):
        self.shim.stop("removed")

    def notices(self):
        return [text for text, hint in zip(self.asker.prompts(), self.asker.hints()) if hint == "none"]

    def waits(self, client=None, data=b"data"):
        """A client whose request waits for the token; the notice that was shown."""
        one = client or self.client()
        before = len(self.notices())
        one.send(c.SIGN, one.sign_request(self.key.blob, data))
        lab.wait_for("the person is told", lambda: len(self.notices()) > before)
        self.assertEqual(select.select([one.socket], [], [], 0)[0], [])
        return one, self.notices()[-1]

    def signed(self, client, data=b"data"):
        signature = client.signature(client.receive())
        self.assertIsNotNone(signature, self.agent.log()[-3000:])
        lab.verify(self.key.blob, signature, data)


class Listed(Absent):
    def test_a_request_waits_for_the_token_and_then_asks_for_the_pin(self):
        self.begin_with_token()
        self.pull()
        one, notice = self.waits()
        self.assertIn("Insert the token", notice)
        self.assertIn('"Lab"', notice)
        self.assertIn("serial", notice)
        self.assertEqual(self.blobs(), [self.key.blob])
        token = self.agent.status()["providers"][0]["tokens"][0]
        self.assertTrue(token["absent"])
        self.assertFalse(token["logged_in"])
        self.assertIn("not inserted", self.keystile_status())
        self.insert()
        self.signed(one)
        self.assertIn("PIN for the token", self.asker.prompts()[-1])
        lab.wait_for("the notice is gone", lambda: not self.asker.processes())
        self.assertFalse(self.agent.status()["providers"][0]["tokens"][0]["absent"])

    def keystile_status(self):
        return self.agent.run(lab.CONTROL, "status", env={
            "KEYSTILE_CONTROL": str(self.agent.own_folder / "control.sock")}).stdout

    def test_others_are_served_while_a_token_is_waited_for(self):
        self.begin_with_token(config=provider("other", "fake:other"))
        other = next(blob for blob in self.wait_for_keys(2) if blob != self.key.blob)
        self.pull()
        self.waits()
        self.served(other, times=3)

    def test_who_closes_the_notice_has_refused(self):
        self.begin_with_token()
        self.pull()
        self.asker.refuses()
        self.assertIsNone(self.sign(self.key.blob))
        self.refused_with("the token was not inserted")

    def test_the_time_of_a_question_is_the_time_to_insert_it(self):
        self.begin_with_token(config="prompt-timeout = 1\n")
        self.pull()
        self.assertIsNone(self.sign(self.key.blob))
        self.refused_with("the token was not inserted", "its time was over")

    def test_the_notice_goes_with_the_client(self):
        self.begin_with_token()
        self.pull()
        one, _ = self.waits()
        one.close()
        lab.wait_for("the notice is gone", lambda: not self.asker.processes())

    def test_a_request_whose_provider_is_removed_ends(self):
        self.begin_with_token()
        self.pull()
        one, _ = self.waits()
        with lab.AgentClient(self.agent) as other:
            self.assertEqual(other.remove_all(), c.SUCCESS)
        self.assertEqual(one.receive()[0], c.FAILURE)
        self.assertEqual(self.blobs(), [])

    def test_a_request_that_waits_ends_when_the_agent_is_locked(self):
        self.begin_with_token()
        self.pull()
        one, _ = self.waits()
        with lab.AgentClient(self.agent) as other:
            self.assertEqual(other.call(LOCK, string("secret"))[0], c.SUCCESS)
        self.assertEqual(one.receive()[0], c.FAILURE)

    def test_another_token_is_not_mistaken_for_it(self):
        self.begin_with_token()
        self.pull()
        one, _ = self.waits()
        self.shim.tell("serial", "another")
        self.insert()
        lab.wait_for("the other one is there", lambda: len(self.agent.status()["providers"][0]["tokens"]) == 2)
        absent = {token["serial"]: token["absent"] for token in self.agent.status()["providers"][0]["tokens"]}
        self.assertFalse(absent.pop("another"))
        self.assertEqual(list(absent.values()), [True])
        # It has the same key, which is what was asked for.
        self.signed(one)

    def test_keys_stay_while_the_worker_starts_again_without_the_token(self):
        self.begin_with_token()
        self.pull()
        self.shim.tell("C_Sign.crash")
        one, _ = self.waits()
        (pid,) = self.pids().values()
        os.kill(pid, signal.SIGKILL)
        lab.wait_for("another one runs", lambda: self.pids() and list(self.pids().values())[0] not in (0, pid))
        self.assertEqual(self.blobs(), [self.key.blob])
        self.shim.stop("C_Sign.crash")
        self.insert()
        self.signed(one)


class Remote(Absent):
    def test_from_afar_it_is_said_to_be_and_inserting_it_proves_nothing(self):
        self.begin_with_token()
        self.assertIsNotNone(self.sign(self.key.blob))
        asked = len(self.asker.prompts())
        self.pull()
        host = lab.HostKey()
        one = self.client()
        self.assertEqual(one.bind(host, b"s" * 32, forwarding=True), c.SUCCESS)
        data = lab.userauth(b"s" * 32, "joe", self.key.blob, host_key=host.blob)
        one.send(c.SIGN, one.sign_request(self.key.blob, data))
        # The PIN comes first where the worker does not know yet that the token is out.
        lab.wait_for("the person is told", self.notices)
        self.assertIn("REMOTE REQUEST", self.notices()[-1])
        self.asker.refuses()
        self.insert()
        self.assertEqual(one.receive()[0], c.FAILURE)
        self.assertIn("REMOTE REQUEST", self.asker.prompts()[-1])
        self.assertIn("PIN for the token", self.asker.prompts()[-1])
        self.assertGreater(len(self.asker.prompts()), asked + 1)


class Hidden(Absent):
    def test_without_the_option_keys_go_with_their_token(self):
        self.begin_with_token(more="")
        self.pull()
        self.assertIsNone(self.sign(self.key.blob))
        self.wait_for_keys(0)
        self.assertEqual(self.notices(), [])

    def test_keys_of_a_token_that_is_away_go_when_the_option_does(self):
        self.begin_with_token()
        self.pull()
        one, _ = self.waits()
        self.configure(self.section + provider("card", token_bed.SHIM))
        self.assertEqual(one.receive()[0], c.FAILURE)
        self.assertEqual(self.blobs(), [])
