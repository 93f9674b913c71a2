"""A provider that is removed while something waits for it: who waits is answered, and nothing else changes."""
import os
import pathlib
import select
import socket
import time
import unittest

import lab
from bed import PIN, AgentTest
from lab import client as c
from lab.keys import string


class Removal(AgentTest):
    provider = None

    def waiting_signature(self, provider):
        """A client with a signature in work that its token never makes."""
        key = self.load(provider, pin="")
        client = self.client()
        client.send(c.SIGN, client.sign_request(key, b"data"))
        self.wait_for_work(client)
        return client

    def wait_for_work(self, client):
        """Until the request was read and is with the worker; nothing shows that but a moment's silence."""
        self.assertEqual(select.select([client.socket], [], [], 0.3)[0], [])

    def test_all_keys_are_removed_while_a_signature_waits(self):
        client = self.waiting_signature("fake:wait,touch=wait")
        with lab.AgentClient(self.agent) as other:
            self.assertEqual(other.remove_all(), c.SUCCESS)
        self.assertEqual(client.receive()[0], c.FAILURE)
        self.assertEqual(self.serves(), [])

    def test_its_provider_is_removed_while_a_module_hangs(self):
        client = self.waiting_signature("fake:hang,sign=hang")
        with lab.AgentClient(self.agent) as other:
            self.assertEqual(other.remove_token("fake:hang,sign=hang"), c.SUCCESS)
        self.assertEqual(client.receive()[0], c.FAILURE)
        self.assertIsNotNone(self.load("fake:after", pin=""))

    def test_all_keys_are_removed_while_a_provider_is_loading(self):
        for stage in ("locate", "open", "list"):
            with self.subTest(stage=stage):
                client = self.client()
                client.send(c.ADD_TOKEN, string(f"fake:stuck-{stage},{stage}=stuck") + string(""))
                lab.wait_for("it is loading", lambda: self.agent.status()["providers"])
                with lab.AgentClient(self.agent) as other:
                    self.assertEqual(other.remove_all(), c.SUCCESS)
                self.assertEqual(client.receive()[0], c.FAILURE)
        self.assertEqual(self.serves(), [])

    def test_who_leaves_while_a_provider_loads_leaves_nothing_behind(self):
        for i in range(70):  # more than providers may be loaded
            with lab.AgentClient(self.agent) as client:
                client.send(c.ADD_TOKEN, string(f"fake:left{i}") + string(""))
        lab.place.wait_for("nothing is loaded", lambda: not self.agent.status()["providers"])
        self.assertIsNotNone(self.load("fake:after", pin=""))

    def test_who_leaves_while_a_module_hangs_takes_no_place(self):
        for i in range(70):
            with lab.AgentClient(self.agent) as client:
                client.send(c.ADD_TOKEN, string(f"fake:hung{i},open=hang") + string(""))
        lab.place.wait_for("nothing is loading", lambda: not self.agent.status()["providers"])
        self.assertIsNotNone(self.load("fake:after", pin=""))

    def test_one_wrong_pin_does_not_undo_what_another_loads(self):
        first, second = self.client(), self.client()
        for client, pin in ((first, "9999"), (second, PIN)):
            client.send(c.ADD_TOKEN, string("fake:both,pin=once,login=slow") + string(pin))
        self.assertEqual(first.receive()[0], c.FAILURE)
        self.assertEqual(second.receive()[0], c.SUCCESS)
        self.assertEqual(len(self.serves()), 1)

    def test_keys_are_offered_when_their_constraints_are_complete(self):
        client = self.client()
        client.send(c.ADD_TOKEN_CONSTRAINED,
                    string("fake:late,login=slow,list=slow") + string(PIN) + c.confirm())
        keys = []
        while not select.select([client.socket], [], [], 0.02)[0]:
            self.assertEqual(keys, [])
            keys = self.serves()
        self.assertEqual(client.receive()[0], c.SUCCESS)
        key = self.serves()[0].blob
        self.askpass.refuses()
        self.assertIsNone(client.sign(key, b"data"))


class Exhaustion(AgentTest):
    """One client's greed is its own affair."""

    provider = None

    def test_many_half_secrets_keep_nobody_waiting(self):
        for _ in range(100):
            self.client().raw(string(bytes([c.ADD_TOKEN]) + bytes(100))[:-1])
        begun = time.monotonic()
        self.assertIsNotNone(self.load("fake:whole", pin=""))
        self.assertLess(time.monotonic() - begun, 60 * lab.place.PATIENCE)  # in a row they would take minutes

    def test_answers_that_keystile_never_reads_are_not_made(self):
        request = string(b'{"command": "status"}')
        control = socket.socket(socket.AF_UNIX)
        self.addCleanup(control.close)
        control.connect(os.path.join(self.agent.own_folder, "control.sock"))
        socket.send_fds(control, [string(b'{"keystile": 1}')], [control.fileno()])
        control.settimeout(1 * lab.place.PATIENCE)
        sent = 0
        with self.assertRaises(TimeoutError):
            while sent < 64 << 20:
                sent += control.send(request * 1000)
        status = pathlib.Path(f"/proc/{self.agent.pid}/status").read_text()
        resident_kb = int(status.split("VmRSS:")[1].split()[0])
        self.assertLess(resident_kb, 200 << 10)
        self.serves()


class RemotePlaces(AgentTest):
    """Remote requests that wait for a person leave room for who sits here."""

    def test_remote_prompts_left_open_do_not_hold_up_local_signatures(self):
        self.askpass.hangs()
        for _ in range(6):  # the fake's worker does two things at a time
            remote = self.client(self.agent.remote_socket)
            remote.send(c.SIGN, remote.sign_request(self.key, self.login()))
        lab.place.wait_for("a prompt", lambda: self.askpass.processes())
        with lab.AgentClient(self.agent) as local:
            for i in range(20):
                lab.verify(self.key, local.sign(self.key, b"data %d" % i), b"data %d" % i)


class Mute(AgentTest):
    def test_who_was_told_no_does_not_ask_again_at_once(self):
        self.askpass.refuses()
        for _ in range(3):
            remote = self.client(self.agent.remote_socket)
            self.assertIsNone(remote.sign(self.key, self.login()))
        self.assertEqual(len(self.askpass.prompts()), 1)
        self.assertIn("said no", self.agent.log())

    def test_a_no_here_is_no_reason_to_ask_no_more_here(self):
        self.askpass.refuses()
        key = self.load("fake:always,pin=always")
        for _ in range(2):
            self.assertIsNone(self.client().sign(key, b"data"))
        self.assertEqual(len(self.askpass.prompts()), 2)


class Notices(AgentTest):
    """A touch notice is a program that may end whenever it likes."""

    provider = None

    def test_a_notice_that_went_by_itself_is_not_ended_again(self):
        self.askpass.agrees()
        client = self.client()
        client.send(c.SIGN, client.sign_request(self.load("fake:touched,touch=wait", pin=""), b"data"))
        lab.place.wait_for("the notice", lambda: self.askpass.prompts() and not self.askpass.processes())
        self.serves()
        client.close()
        self.serves()


if __name__ == "__main__":
    unittest.main()
