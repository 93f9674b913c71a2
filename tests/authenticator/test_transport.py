"""CTAPHID of the security key in software: channels, packets, and what it does wrong when it is told to."""
import os
import pathlib
import random
import struct
import threading
import time
import unittest

import host
import lab
from lab import authenticator

GET_INFO, SELECTION = b"\x04", b"\x0b"
OK, DENIED, KEEPALIVE_CANCEL = 0x00, 0x27, 0x2d
PROCESSING, UP_NEEDED = 1, 2


class Case(unittest.TestCase):
    """.bed with one token; .host has a channel of its own."""

    def setUp(self):
        self.bed = authenticator.Bed()
        self.addCleanup(self.bed.close)
        self.token = self.bed.token
        self.host = self.another()

    def another(self):
        one = host.Host(self.bed, self.token)
        self.addCleanup(one.close)
        one.init()
        return one

    def channel(self):
        """One more for the same opener: its number."""
        old = self.host.channel
        self.host.init()
        new, self.host.channel = self.host.channel, old
        return new

    def waiting(self):
        """A selection waits for a touch."""
        self.host.send(host.CBOR, SELECTION)
        self.token.wait_until_it_blinks()


class TestMessages(Case):
    def test_it_tells_its_protocol_and_what_it_can_do(self):
        answer = self.host.init()
        self.assertEqual((len(answer), answer[12], answer[16]), (17, 2, 0x05))

    def test_every_channel_is_another(self):
        self.assertEqual(len({self.channel() for _ in range(20)} | {self.host.channel}), 21)

    def test_messages_of_all_lengths_come_back(self):
        for length in (0, 1, 57, 58, 116, 117, 1024, 7609):
            with self.subTest(length):
                data = os.urandom(length)
                self.assertEqual(self.host.call(host.PING, data), (host.PING, data))

    def test_it_describes_itself(self):
        status, data = self.host.cbor(GET_INFO)
        self.assertEqual(status, OK)
        self.assertIn(b"FIDO_2_1", data)

    def test_a_wink_is_seen(self):
        self.assertEqual(self.host.call(host.WINK), (host.WINK, b""))
        self.assertEqual(self.token.state()["winks"], 1)

    def test_what_it_does_not_know_is_refused(self):
        self.assertEqual(self.host.call(0x55), (host.ERROR, bytes([host.INVALID_COMMAND])))
        self.assertEqual(self.host.cbor(b"\x77")[0], 0x01)

    def test_a_message_that_is_too_long_is_refused(self):
        self.assertEqual(self.host.call(host.PING, b"x", length=7610), (host.ERROR, bytes([host.INVALID_LENGTH])))

    def test_a_channel_that_nobody_has_is_refused(self):
        for channel in (0, host.BROADCAST, self.host.channel + 1):
            with self.subTest(channel):
                self.assertEqual(self.host.call(host.PING, b"x", channel=channel),
                                 (host.ERROR, bytes([host.WRONG_CHANNEL])))

    def test_packets_in_a_wrong_order_are_refused(self):
        self.host.send_report(struct.pack(">IBH", self.host.channel, host.PING | 0x80, 100))
        self.host.send_report(struct.pack(">IB", self.host.channel, 1))
        self.assertEqual(self.host.receive()[1:], (host.ERROR, bytes([host.WRONG_SEQUENCE])))

    def test_a_message_whose_rest_does_not_come_is_given_up(self):
        self.token.set("assembly-ms", 50)
        self.host.send_report(struct.pack(">IBH", self.host.channel, host.PING | 0x80, 100))
        self.assertEqual(self.host.receive()[1:], (host.ERROR, bytes([host.TIMEOUT])))
        self.token.set("assembly-ms", 3000)
        self.assertEqual(self.host.call(host.PING, b"x"), (host.PING, b"x"))

    def test_a_channel_begins_anew(self):
        self.host.send_report(struct.pack(">IBH", self.host.channel, host.PING | 0x80, 100))
        channel = self.host.channel
        self.host.init(channel=channel)
        self.assertEqual(self.host.channel, channel)
        self.assertEqual(self.host.call(host.PING, b"x"), (host.PING, b"x"))

    def test_cbor_that_is_none_is_refused(self):
        for data in (b"\x01\xff", b"\x02\xa1", b"\x06\x80", b"\x02\xbf" + b"\x81" * 400, b"\x01" + b"\x9b" + b"\xff" * 8):
            with self.subTest(data[:8]):
                self.assertEqual(self.host.cbor(data)[0], 0x12)

    def test_a_command_without_what_it_needs_is_refused(self):
        for data in (b"\x01", b"\x01\xa0", b"\x02\xa0", b"\x06\xa0", b"\x0a\xa0"):
            with self.subTest(data):
                self.assertEqual(self.host.cbor(data)[0], 0x14)

    def test_fields_of_another_type_are_refused(self):
        kinds = (b"\x01", b"\x20", b"\x41x", b"\x61x", b"\x80", b"\xa0", b"\xf5", b"\xf6", b"\xf9\x00\x00", b"\x5f\xff")
        for command in (b"\x01", b"\x02", b"\x06", b"\x0a"):
            for kind in kinds:
                data = command + b"\xaa" + b"".join(bytes([key]) + kind for key in range(1, 11))
                self.assertNotEqual(self.host.cbor(data)[0], OK, data)


class TestWaiting(Case):
    def test_it_says_that_it_waits_for_a_touch(self):
        self.waiting()
        keepalives = []
        threading.Timer(0.3, self.token.says, ("touch",)).start()
        self.assertEqual(self.host.receive(keepalives), (self.host.channel, host.CBOR, bytes([OK])))
        self.assertEqual(set(keepalives), {UP_NEEDED})

    def test_it_says_that_it_works(self):
        self.token.set("slow-ms", 300)
        keepalives = []
        self.host.send(host.CBOR, GET_INFO)
        self.host.receive(keepalives)
        self.assertEqual(set(keepalives), {PROCESSING})

    def test_a_refusal_is_said(self):
        self.waiting()
        self.token.refuse()
        self.assertEqual(self.host.receive()[2], bytes([DENIED]))

    def test_a_cancelled_wait_ends_and_the_light_goes_out(self):
        self.waiting()
        self.host.send(host.CANCEL)
        self.assertEqual(self.host.receive()[2], bytes([KEEPALIVE_CANCEL]))
        self.token.wait_until_dark()
        self.assertEqual(self.token.state()["cancels"], 1)

    def test_cancelling_nothing_does_nothing(self):
        self.host.send(host.CANCEL)
        self.assertEqual(self.host.call(host.PING, b"x"), (host.PING, b"x"))
        self.assertEqual(self.token.state()["cancels"], 0)

    def test_another_channel_is_told_that_it_is_busy(self):
        other = self.channel()
        self.waiting()
        self.host.send(host.CBOR, GET_INFO, channel=other)
        self.assertEqual(self.receive_of(other), (host.ERROR, bytes([host.BUSY])))
        self.host.send(host.CANCEL, channel=other)
        self.token.says("touch")
        self.assertEqual(self.receive_of(self.host.channel), (host.CBOR, bytes([OK])))
        self.assertEqual(self.token.state()["cancels"], 0)

    def receive_of(self, channel):
        while True:
            found, command, data = self.host.receive()
            if found == channel:
                return command, data

    def test_a_channel_that_begins_anew_ends_its_wait(self):
        self.waiting()
        self.host.init(channel=self.host.channel)
        self.token.wait_until_dark()
        lab.wait_for("it is free", lambda: not self.token.state()["busy"])
        self.assertEqual(self.host.call(host.PING, b"x"), (host.PING, b"x"))

    def test_a_lock_keeps_other_channels_out(self):
        other = self.channel()
        self.assertEqual(self.host.call(host.LOCK, b"\x0a"), (host.LOCK, b""))
        self.assertEqual(self.host.call(host.PING, b"x", channel=other), (host.ERROR, bytes([host.BUSY])))
        self.assertEqual(self.host.call(host.PING, b"x"), (host.PING, b"x"))
        self.host.call(host.LOCK, b"\x00")
        self.assertEqual(self.host.call(host.PING, b"x", channel=other), (host.PING, b"x"))


class TestNode(Case):
    def test_what_nobody_read_is_not_there_for_the_next(self):
        self.host.send(host.PING, bytes(1000))
        lab.wait_for("the answer is there", lambda: self.host.waits() == 17 * 64)
        self.host.close()

        def emptied():
            with host.Host(self.bed, self.token) as one:
                return one.waits() == 0

        lab.wait_for("the testbed has thrown it away", emptied)

    def test_what_comes_while_nobody_listens_is_lost(self):
        self.waiting()
        self.host.close()
        self.token.says("touch")
        self.token.wait_until_dark()
        with host.Host(self.bed, self.token) as one:
            self.assertEqual(len(one.init()), 17)

    def test_one_that_is_pulled_hangs_up(self):
        self.waiting()
        self.token.pull()
        with self.assertRaises(host.Gone):
            while self.host.read_report() is not None:
                pass
        self.assertFalse(self.token.blinks())
        self.token.insert()
        self.assertEqual(self.another().cbor(GET_INFO)[0], OK)

    def test_pulled_and_put_back_at_any_moment_it_works_again(self):
        moments = random.Random(6)
        for _ in range(25):
            one = host.Host(self.bed, self.token)
            try:
                one.init()
                one.send(host.PING, bytes(moments.randrange(7000)))
                if moments.random() < 0.5:
                    one.send(host.CBOR, moments.choice((SELECTION, GET_INFO)))
                for _ in range(moments.randrange(20)):
                    one.read_report(0.05)
            except host.Gone:
                pass
            self.token.pull()
            one.close()
            self.token.insert()
        self.assertEqual(self.another().cbor(GET_INFO)[0], OK)

    def test_without_hosts_the_testbed_rests(self):
        self.host.close()
        folder = pathlib.Path(f"/proc/{self.bed.process.pid}")

        def worked():
            switches = [line for line in (folder / "status").read_text().splitlines() if "ctxt_switches" in line]
            return switches, (folder / "stat").read_text().rpartition(")")[2].split()[11:13]

        def rests():
            before = worked()
            time.sleep(0.2)
            return worked() == before

        lab.wait_for("the testbed does nothing for a while", rests)


class TestFaults(Case):
    def answer(self, kind, times=1):
        self.token.fault(kind, times, "get_info")
        return self.host.call(host.CBOR, GET_INFO)

    def good(self):
        self.assertEqual(self.host.cbor(GET_INFO)[0], OK)

    def test_bytes_that_are_wrong(self):
        whole = self.host.cbor(GET_INFO)[1]
        self.assertEqual(self.answer("malformed"), (host.CBOR, b"\0" + b"\xff" * 40))
        truncated = self.answer("truncated")[1]
        self.assertTrue(whole.startswith(truncated[1:]) and len(truncated) < len(whole))
        self.assertEqual(len(self.answer("oversized")[1]), 7609)
        self.assertEqual(self.answer("empty")[1], b"")
        self.assertEqual(self.answer("status")[1], b"\xfe")
        self.token.replies(b"\x00\xa0", 1, "get_info")
        self.assertEqual(self.host.call(host.CBOR, GET_INFO)[1], b"\x00\xa0")
        self.good()

    def test_another_channel(self):
        self.token.fault("channel")
        self.host.send(host.CBOR, GET_INFO)
        self.assertNotEqual(self.host.receive()[0], self.host.channel)

    def test_another_command(self):
        self.assertEqual(self.answer("command")[0], host.MSG)
        self.good()

    def test_lengths_beyond_what_comes(self):
        for kind in ("length", "length-most"):
            with self.subTest(kind):
                one = self.another()
                self.token.fault(kind)
                one.send(host.CBOR, GET_INFO)
                packets = 1
                length = int.from_bytes(one.read_report()[5:7], "big")
                while one.read_report(1) is not None:
                    packets += 1
                self.assertGreater(length, 57 + 59 * (packets - 1))

    def test_packets_in_a_wrong_order(self):
        self.token.fault("sequence")
        self.host.send(host.CBOR, GET_INFO)
        self.host.read_report()
        self.assertEqual(self.host.read_report()[4], 1)

    def test_the_first_packet_alone(self):
        self.token.fault("missing-continuation")
        self.host.send(host.CBOR, GET_INFO)
        self.assertEqual(self.host.read_report()[4], host.CBOR | 0x80)
        self.assertEqual(self.host.call(host.PING, b"x"), (host.PING, b"x"))

    def test_silence(self):
        self.token.fault("silence")
        self.host.send(host.CBOR, GET_INFO)
        self.host.send(host.PING, b"x")
        lab.wait_for("it has heard both", lambda: self.token.counts().get("ping") == 1)
        self.assertEqual(self.host.receive()[1:], (host.PING, b"x"))

    def test_keepalives_without_end(self):
        self.token.fault("keepalive")
        self.host.send(host.CBOR, GET_INFO)
        for _ in range(5):
            self.assertEqual(self.host.read_report()[4], host.KEEPALIVE | 0x80)
        self.host.init(channel=self.host.channel)
        lab.wait_for("it is free", lambda: not self.token.state()["busy"])
        self.good()

    def test_deaf(self):
        self.token.fault("deaf")
        self.host.send(host.PING, b"x")
        self.assertIsNone(self.host.read_report(0.2))
        self.token.fault("none")
        self.host.init()
        self.good()

    def test_only_the_command_that_is_meant_is_spoilt_and_only_so_often(self):
        self.token.fault("status", 2, "get_info")
        self.token.touch_at_once()
        self.assertEqual(self.host.cbor(SELECTION)[0], OK)
        self.assertEqual([self.host.cbor(GET_INFO)[0] for _ in range(3)], [0xfe, 0xfe, OK])


if __name__ == "__main__":
    unittest.main()
