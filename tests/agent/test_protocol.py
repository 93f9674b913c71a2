"""The agent protocol as any client may speak it: framing, each message, constraints, and what is refused."""
import os
import socket
import struct
import unittest

import lab
from bed import PIN, AgentTest
from lab import client as c
from lab.added import destination_host, destinations, hop
from lab.keys import string, u32

SOFTHSM = lab.SoftHSM.module
FOLDER = os.path.dirname(os.path.realpath(SOFTHSM))  # Debian's name for it is a link
MESSAGE_MAX = 262144


def framed(number, body=b""):
    return string(bytes([number]) + body)


class Framing(AgentTest):
    def test_a_message_may_come_byte_by_byte(self):
        client = self.client()
        for byte in framed(c.SIGN, client.sign_request(self.key, b"data")) + framed(c.LIST):
            client.raw(bytes([byte]))
        lab.verify(self.key, client.signature(client.receive()), b"data")
        self.assertEqual(client.receive()[0], c.IDENTITIES)

    def test_pipelined_requests_are_answered_in_their_order(self):
        client = self.client()
        batch = b""
        for i in range(8):
            batch += framed(c.SIGN, client.sign_request(self.key, b"data %d" % i))
            batch += framed(c.LIST) + framed(99) + framed(c.EXTENSION, string("query"))
        client.raw(batch)
        for i in range(8):
            lab.verify(self.key, client.signature(client.receive()), b"data %d" % i)
            self.assertEqual([client.receive()[0] for _ in range(3)],
                             [c.IDENTITIES, c.FAILURE, c.EXTENSION_RESPONSE])

    def test_a_message_of_256_kib_is_taken_and_one_byte_more_closes(self):
        client = self.client()
        data = bytes(MESSAGE_MAX - 1 - 4 - len(self.key) - 4 - 4)
        request = client.sign_request(self.key, data)
        self.assertEqual(len(request) + 1, MESSAGE_MAX)
        lab.verify(self.key, client.signature(client.call(c.SIGN, request)), data)
        client.raw(u32(MESSAGE_MAX + 1))
        self.assertTrue(client.closed())
        self.serves()

    def test_lengths_that_no_message_has_close_the_connection(self):
        for length in (0, MESSAGE_MAX + 1, 0x7fffffff, 0x80000000, 0xffffffff):
            with self.subTest(length=length):
                client = self.client()
                client.raw(u32(length))
                self.assertTrue(client.closed())
        self.serves()

    def test_what_came_before_nonsense_is_still_answered(self):
        client = self.client()
        client.raw(framed(c.LIST) + u32(0))
        self.assertEqual(client.receive()[0], c.IDENTITIES)
        self.assertTrue(client.closed())

    def test_half_a_message_keeps_nobody_waiting(self):
        for half in (b"\0", u32(5), u32(50) + bytes([c.SIGN]), u32(MESSAGE_MAX) + bytes([c.SIGN]) + bytes(1000),
                     u32(50) + bytes([c.EXTENSION]), u32(50) + bytes([99])):
            self.client().raw(half)
        self.assertEqual(self.serves()[0].blob, self.key)

    def test_half_a_message_with_a_secret_keeps_nobody_waiting_for_long(self):
        slow = self.client()
        whole = framed(c.ADD_TOKEN, string("fake:slow") + string(PIN))
        slow.raw(whole[:-1])
        self.assertIsNotNone(self.load("fake:other"))
        self.assertTrue(slow.closed())
        names = [one.comment for one in self.serves()]
        self.assertEqual(names, ["lab key 0", "other key 0"])

    def test_many_halves_of_messages_with_secrets_do_not_add_up(self):
        for number in (17, 20, 22, 23, 25, 26) * 5:
            self.client().raw(u32(100) + bytes([number]) + string("fake:slow"))
        self.assertIsNotNone(self.load("fake:other"))

    def test_the_longest_message_with_a_secret_is_answered(self):
        client = self.client()
        for number in (17, 20, 22, 23, 25, 26):
            self.assertEqual(client.call(number, bytes(MESSAGE_MAX - 1)), (c.FAILURE, b""))
        self.assert_local(client)

    def test_a_client_that_leaves_amid_a_secret_lets_the_next_one_in(self):
        first, second, third = self.client(), self.client(), self.client()
        first.raw(framed(c.ADD_TOKEN, string("fake:first") + string(PIN))[:-1])
        second.send(c.ADD_TOKEN, string("fake:second") + string(PIN))
        third.raw(framed(c.ADD_TOKEN, string("fake:third") + string(PIN)))
        first.close()
        self.assertEqual([second.receive()[0], third.receive()[0]], [c.SUCCESS] * 2)

    def test_a_client_that_has_no_more_to_say_still_gets_its_answers(self):
        self.load("fake:slow,sign=slow")
        slow = self.serves()[-1].blob
        client = self.client()
        client.raw(framed(c.SIGN, client.sign_request(slow, b"data")) + framed(c.LIST))
        client.socket.shutdown(socket.SHUT_WR)
        lab.verify(slow, client.signature(client.receive()), b"data")
        self.assertEqual(client.receive()[0], c.IDENTITIES)
        self.assertTrue(client.closed())

    def test_a_client_that_leaves_takes_its_question_with_it(self):
        self.load("fake:always,pin=always")
        key = self.serves()[-1].blob
        self.askpass.hangs()
        client = self.client()
        client.send(c.SIGN, client.sign_request(key, b"data"))
        self.askpass.wait_until_asked()
        client.close()
        lab.wait_for("the question is withdrawn", lambda: not self.askpass.processes())
        self.askpass.prints(PIN)
        self.assertIsNotNone(self.client().sign(key, b"data"))


class Messages(AgentTest):
    def test_unknown_messages_are_answered_with_failure_and_the_connection_lives(self):
        known = {9, 11, 13, 18, 19, 20, 21, 26, 27}
        client = self.client()
        for number in range(256):
            if number not in known:
                with self.subTest(number=number):
                    self.assertEqual(client.call(number), (c.FAILURE, b""))
                    self.assertEqual(client.call(number, bytes(5000)), (c.FAILURE, b""))
        self.assertEqual([one.blob for one in client.list()], [self.key])

    def test_known_messages_that_break_off_are_refused_and_the_connection_lives(self):
        client = self.client()
        whole = {c.SIGN: client.sign_request(self.key, b"data"), c.REMOVE: string(self.key),
                 c.ADD_TOKEN: string("fake:other") + string(PIN),
                 c.REMOVE_TOKEN: string("fake:lab,pin=once"),
                 c.ADD_TOKEN_CONSTRAINED: string("fake:other") + string(PIN) + c.lifetime(9)}
        for number, body in whole.items():
            ends = set(range(len(body)))
            if number == c.ADD_TOKEN_CONSTRAINED:
                ends -= {len(body) - len(c.lifetime(9))}  # whole, without constraints
            for end in ends:
                self.assertEqual(client.call(number, body[:end])[0], c.FAILURE, (number, end))
            self.assertEqual(client.call(number, b"\xff\xff\xff\xff" + body)[0], c.FAILURE, number)
        self.assertEqual([one.blob for one in client.list()], [self.key])

    def test_query_names_what_is_supported(self):
        self.assertEqual(self.client().query(), ["session-bind@openssh.com"])

    def test_an_unknown_extension_is_a_failure(self):
        client = self.client()
        for name in ("", "query2", "quer", "session-bind", "session-bind@openssh.co", "x" * 70000):
            self.assertEqual(client.extension(name)[0], c.FAILURE)
        self.assertEqual(client.call(c.EXTENSION)[0], c.FAILURE)
        self.assert_local(client)

    def test_the_name_of_an_extension_may_end_with_one_nul(self):
        client = self.client()
        self.assertEqual(client.extension(b"query\0")[0], c.EXTENSION_RESPONSE)
        for name in (b"query\0\0", b"query\0s", b"\0query"):
            self.assertEqual(client.extension(name)[0], c.FAILURE)
        self.assertEqual(client.extension(b"session-bind@openssh.com\0", b"nonsense")[0],
                         c.EXTENSION_FAILURE)
        self.assertEqual(self.agent.newest_connection()["origin"], "remote")

    def test_a_key_that_is_unknown_is_refused(self):
        client = self.client()
        for blob in (b"", b"nonsense", lab.HostKey().blob, self.key[:-1], self.key + b"\0"):
            self.assertIsNone(client.sign(blob, b"data"))
            self.assertEqual(client.remove(blob), c.FAILURE)
        self.assert_local(client)


class List(AgentTest):
    provider = None

    def comments(self):
        return [one.comment for one in self.serves()]

    def test_an_agent_without_keys_has_an_empty_list(self):
        self.assertEqual(self.client().call(c.LIST), (c.IDENTITIES, u32(0)))

    def test_keys_stand_in_the_order_in_which_they_came(self):
        for name in ("b", "a", "c"):
            self.load(f"fake:{name},keys=2")
        self.assertEqual(self.comments(), [f"{name} key {i}" for name in "bac" for i in (0, 1)])
        self.assertEqual(self.client().remove_token("fake:b,keys=2"), c.SUCCESS)
        self.load("fake:b,keys=2")
        self.assertEqual(self.comments(), [f"{name} key {i}" for name in "acb" for i in (0, 1)])

    def test_a_list_is_cut_to_what_clients_take(self):
        for i in range(3):
            self.load(f"fake:many{i},keys=1000")
        self.assertEqual(len(self.serves()), 2048)
        listed = self.agent.run("ssh-add", "-l").stdout
        self.assertEqual(listed.count(" key "), 2048)

    def test_one_provider_does_not_fill_the_list(self):
        self.load("fake:greedy,keys=5000")
        self.load("fake:modest")
        self.assertEqual(len(self.serves()), 1024 + 1)
        self.assertIn("too many keys", self.agent.log())

    def test_a_list_is_cut_to_256_kib(self):
        for i in range(4):
            self.load(f"fake:long{i},keys=80,labels=long")
        number, body = self.client().call(c.LIST)
        self.assertEqual(number, c.IDENTITIES)
        self.assertLessEqual(len(body) + 1, MESSAGE_MAX)
        self.assertGreater(len(body), MESSAGE_MAX - 10000)
        self.assertEqual(len(self.serves()), struct.unpack(">I", body[:4])[0])

    def test_every_kind_of_key_is_listed_and_signs(self):
        self.load("fake:all,kind=mixed,keys=5")
        client = self.client()
        for one in client.list():
            lab.verify(one.blob, client.sign(one.blob, b"data", c.RSA_SHA512), b"data")


class Removing(AgentTest):
    provider = None

    def setUp(self):
        super().setUp()
        self.load("fake:lab,keys=3")
        self.keys = [one.blob for one in self.serves()]

    def blobs(self):
        return [one.blob for one in self.serves()]

    def test_one_key_is_removed_once(self):
        client = self.client()
        self.assertEqual(client.remove(self.keys[1]), c.SUCCESS)
        self.assertEqual(self.blobs(), [self.keys[0], self.keys[2]])
        self.assertIsNone(client.sign(self.keys[1], b"data"))
        self.assertEqual(client.remove(self.keys[1]), c.FAILURE)

    def test_a_removed_key_is_back_when_its_token_is_added_again(self):
        client = self.client()
        client.remove(self.keys[1])
        self.assertEqual(client.add_token("fake:lab,keys=3"), c.SUCCESS)
        self.assertCountEqual(self.blobs(), self.keys)

    def test_all_keys_are_removed_by_either_message(self):
        for number in (c.REMOVE_ALL, 9):
            with self.subTest(number=number):
                self.assertEqual(self.client().call(number)[0], c.SUCCESS)
                self.assertEqual(self.blobs(), [])
                lab.wait_for("the workers end", lambda: not self.agent.workers())
                self.load("fake:lab,keys=3")

    def test_a_token_is_removed_by_name(self):
        self.load("fake:other")
        client = self.client()
        self.assertEqual(client.remove_token("fake:lab,keys=3"), c.SUCCESS)
        self.assertEqual([one.comment for one in self.serves()], ["other key 0"])

    def test_a_path_that_exists_but_is_not_loaded_counts_as_removed(self):
        client = self.client()
        self.assertEqual(client.remove_token(SOFTHSM), c.SUCCESS)
        for path in ("/usr/lib/no-such-module.so", "no-such-module.so", "", "/"):
            self.assertEqual(client.remove_token(path), c.FAILURE, path)
        self.assertEqual(self.blobs(), self.keys)

    def test_bytes_after_the_last_field_are_ignored(self):
        client = self.client()
        more = b"and more"
        self.assertEqual(client.call(c.LIST, more)[0], c.IDENTITIES)
        request = client.sign_request(self.keys[0], b"data") + more
        lab.verify(self.keys[0], client.signature(client.call(c.SIGN, request)), b"data")
        self.assertEqual(client.call(c.REMOVE, string(self.keys[0]) + more)[0], c.SUCCESS)
        self.assertEqual(self.blobs(), self.keys[1:])
        removal = string("fake:lab,keys=3") + string("") + more
        self.assertEqual(client.call(c.REMOVE_TOKEN, removal)[0], c.SUCCESS)
        self.assertEqual(self.blobs(), [])
        self.load("fake:lab,keys=3")
        self.assertEqual(client.call(c.REMOVE_ALL, more)[0], c.SUCCESS)
        self.assertEqual(self.blobs(), [])


class Adding(AgentTest):
    provider = None

    def add(self, provider, pin=PIN, constraints=b""):
        return self.client().add_token(provider, pin, constraints)

    def kept_out(self, *arguments, **named):
        """It is refused and nothing is loaded or left running."""
        self.assertEqual(self.add(*arguments, **named), c.FAILURE)
        self.assertEqual(self.serves(), [])
        lab.wait_for("no worker is left", lambda: not self.agent.workers())

    def test_a_nul_inside_a_name_or_a_pin_is_refused(self):
        self.kept_out(b"fake:la\0b")
        self.kept_out(b"\0fake:lab")
        self.kept_out(b"fake:lab\0\0")
        self.kept_out("fake:lab,pin=once", b"12\00034")
        self.kept_out("fake:lab,pin=once", b"1234\0\0")
        self.kept_out("fake:lab,pin=once", b"1234\0x")

    def test_one_nul_at_the_end_is_tolerated(self):
        self.assertEqual(self.add(b"fake:lab,pin=once\0", b"1234\0"), c.SUCCESS)
        self.key = self.serves()[0].blob
        self.assert_local(self.client())
        client = self.client()
        self.assertEqual(client.remove_token(b"fake:lab,pin=once\0\0"), c.FAILURE)
        self.assertEqual(client.remove_token(b"fake:lab,pin=o\0nce"), c.FAILURE)
        self.assertEqual(client.remove_token(b"fake:lab,pin=once\0"), c.SUCCESS)

    def test_a_wrong_pin_a_long_one_and_an_unusable_name_are_refused(self):
        self.kept_out("fake:lab,pin=once", "4321")
        self.kept_out("fake:lab,pin=once", "1" * 100000)
        self.kept_out("", PIN)
        self.kept_out("fake:", PIN)
        self.kept_out("fake:lab,no-such-option=1", PIN)
        self.kept_out("/" + "x" * 5000, PIN)

    def test_adding_what_is_there_changes_nothing_in_the_list(self):
        for _ in range(3):
            self.assertEqual(self.add("fake:lab,keys=2"), c.SUCCESS)
        self.assertEqual([one.comment for one in self.serves()], ["lab key 0", "lab key 1"])
        lab.wait_for("one worker", lambda: len(self.agent.workers()) == 1)

    def test_a_provider_takes_no_other_destinations_until_it_is_removed(self):
        here, there = (destinations(hop(destination_host(host=name, host_keys=[lab.HostKey().blob])))
                       for name in ("here", "there"))
        self.assertEqual(self.add("fake:lab", constraints=here), c.SUCCESS)
        self.assertEqual(self.add("fake:lab", constraints=there), c.FAILURE)
        self.assertIn("other destination constraints", self.agent.refusals()[0])
        key = self.serves()[0].blob
        for constraints in (here, b""):
            self.assertEqual(self.add("fake:lab", constraints=constraints), c.SUCCESS)
            self.assertIsNone(self.client().sign(key, b"data"))
        self.assertEqual(self.client().remove_token("fake:lab"), c.SUCCESS)
        self.assertEqual(self.add("fake:lab", constraints=there), c.SUCCESS)

    def test_a_lifetime_ends(self):
        self.load("fake:stays")
        self.assertEqual(self.add("fake:goes", constraints=c.lifetime(1)), c.SUCCESS)
        self.assertEqual(self.add("fake:long", constraints=c.lifetime(3600)), c.SUCCESS)
        lab.wait_for("the keys expire", lambda: len(self.serves()) == 2)
        self.assertEqual([one.comment for one in self.serves()], ["stays key 0", "long key 0"])

    def test_a_lifetime_of_0_is_over_at_once(self):
        self.assertEqual(self.add("fake:goes", constraints=c.lifetime(0)), c.SUCCESS)
        self.assertEqual(self.serves(), [])
        lab.wait_for("the worker ends", lambda: not self.agent.workers())

    def test_constraints_that_cannot_be_are_refused(self):
        cases = {"lifetime twice": c.lifetime(9) * 2, "confirm twice": c.confirm() * 2,
                 "half a lifetime": c.lifetime(9)[:-1], "maxsign": b"\x03" + u32(1),
                 "unknown": b"\x4d", "0": b"\0", "254": b"\xfe", "half an extension": b"\xff\0\0",
                 "good and unknown": c.confirm() + c.lifetime(9) + b"\x4d",
                 "no name": c.constraint("")}
        for name, constraints in cases.items():
            with self.subTest(name):
                self.kept_out("fake:lab", constraints=constraints)

    def test_constraints_that_cannot_be_understood_are_refused_by_their_name(self):
        cases = {"restrict-destination-v00@openssh.com": string("no hop"),
                 "associated-certs-v00@openssh.com": b"\0" + string("no certificate"),
                 "sk-provider@openssh.com": string("/usr/lib/sk.so"),  # not for tokens
                 "made-up@example.org": string("")}
        for name, body in cases.items():
            with self.subTest(name):
                self.kept_out("fake:lab", constraints=c.constraint(name, body))
                self.assertRegex(self.agent.log(), f'refused: .*constraint "?{name}')

    def test_message_20_honours_constraints_too(self):
        self.assertEqual(self.client().call(c.ADD_TOKEN, string("fake:lab") + string(PIN) + c.confirm())[0],
                         c.SUCCESS)
        self.key = self.serves()[0].blob
        self.askpass.refuses()
        self.assertIsNone(self.client().sign(self.key, b"data"))
        body = string("fake:lab") + string(PIN) + b"\x4d"
        self.assertEqual(self.client().call(c.ADD_TOKEN, body)[0], c.FAILURE)

    def test_message_26_may_come_without_constraints(self):
        body = string("fake:lab") + string(PIN)
        self.assertEqual(self.client().call(c.ADD_TOKEN_CONSTRAINED, body)[0], c.SUCCESS)
        self.key = self.serves()[0].blob
        self.assert_local(self.client())

    def test_confirm_asks_and_only_a_yes_is_a_yes(self):
        self.assertEqual(self.add("fake:lab,keys=2", constraints=c.confirm()), c.SUCCESS)
        client = self.client()
        for self.key in [one.blob for one in client.list()]:
            self.askpass.agrees()
            self.assertEqual(self.asked(client, b"data"), 1)
            self.assertEqual(self.askpass.hints()[-1], "confirm")
            for script in ("exit 1", "echo no", "kill -SEGV $$", "echo yes; exit 1", "echo maybe"):
                with self.subTest(script):
                    self.askpass.does(script)
                    self.assertIsNone(client.sign(self.key, b"data"))
            self.askpass.vanishes()
            self.assertIsNone(client.sign(self.key, b"data"))

    def test_confirm_is_refused_where_nobody_can_be_asked(self):
        with lab.Agent() as agent, lab.AgentClient(agent) as client:
            self.assertEqual(client.add_token("fake:lab", PIN, c.confirm()), c.SUCCESS)
            self.assertIsNone(client.sign(client.list()[0].blob, b"data"))
            self.assertIn("nobody could be asked", agent.log())


class DefaultLifetime(AgentTest):
    provider = None
    options = ("-t", "1")

    def test_it_counts_only_where_none_was_given(self):
        client = self.client()
        self.assertEqual(client.add_token("fake:long", PIN, c.lifetime(3600)), c.SUCCESS)
        self.assertEqual(client.add_token("fake:goes", PIN), c.SUCCESS)
        lab.wait_for("the keys expire", lambda: len(self.serves()) == 1)
        self.assertEqual(self.serves()[0].comment, "long key 0")


class Allowed(AgentTest):
    """-P against the canonical path; what is not allowed is never opened."""
    provider = None

    def answer(self, patterns, path=SOFTHSM):
        """Whether a provider is refused by the list, rather than for what is in it."""
        with lab.SoftHSM() as hsm:
            hsm.token().bring("p256")
            options = [] if patterns is None else ["-P", patterns]
            agent = lab.Agent(options=options, env=hsm.env)
            with agent, lab.AgentClient(agent) as client:
                number = client.add_token(path, PIN)
                self.assertEqual("not in the list of allowed providers" in agent.log(), number == c.FAILURE)
                self.assertEqual(len(client.list()), 1 if number == c.SUCCESS else 0)
                return number == c.SUCCESS

    def test_the_usual_places_are_allowed_by_default(self):
        self.assertTrue(self.answer(None))

    def test_patterns_decide(self):
        for patterns, allowed in ((f"{FOLDER}/*", True), (os.path.realpath(SOFTHSM), True),
                                  ("/opt/*", False), ("/opt/*,/usr/*", True), ("", False),
                                  (f"!{FOLDER}/*,/usr/*", False), (FOLDER, False), (SOFTHSM, False)):
            with self.subTest(patterns):
                self.assertEqual(self.answer(patterns), allowed)

    def test_a_link_counts_as_what_it_leads_to(self):
        with lab.Folder() as folder:
            link = folder.path / "module.so"
            link.symlink_to(SOFTHSM)
            self.assertTrue(self.answer("/usr/lib/*", link.as_posix()))
            self.assertFalse(self.answer(f"{folder.path}/*", link.as_posix()))


class Rsa(AgentTest):
    provider = "fake:lab,kind=rsa"

    def algorithm(self, flags, client=None):
        signature = (client or self.client()).sign(self.key, b"data", flags)
        return lab.verify(self.key, signature, b"data") if signature else None

    def test_the_flags_choose_the_hash(self):
        for flags, algorithm in ((2, "rsa-sha2-256"), (4, "rsa-sha2-512"), (6, "rsa-sha2-256"),
                                 (0xfffffffb, "rsa-sha2-256"), (0xfffffffc, "rsa-sha2-512")):
            with self.subTest(flags=flags):
                self.assertEqual(self.algorithm(flags), algorithm)

    def test_sha1_is_refused(self):
        for flags in (0, 1, 8, 0xfffffff9):
            with self.subTest(flags=flags):
                self.assertIsNone(self.algorithm(flags))
        self.assertIn("SHA-1", self.agent.log())


class OtherKinds(AgentTest):
    def test_flags_mean_nothing_to_other_keys(self):
        client = self.client()
        for flags in (0, 2, 4, 0xffffffff):
            lab.verify(self.key, client.sign(self.key, b"data", flags), b"data")


if __name__ == "__main__":
    unittest.main()
