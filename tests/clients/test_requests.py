"""Many requests in flight on one connection, and an order of the list that no client stumbles over."""
import unittest

import client_bed as bed
import lab
from lab import client as c
from lab.added import AddedKey
from lab.keys import Reader

IN_FLIGHT = 32
ROUNDS = 20
ADD = 17


class Requests(bed.InMemory, bed.Case):
    def requests(self, own, number):
        """A key, data of its own, and the message that asks for the signature."""
        for place in range(IN_FLIGHT):
            key = self.keys.all[place % len(bed.KINDS)]
            data = b"round %d, request %d" % (number, place)
            yield key, data, own.sign_request(key.blob, data, c.RSA_SHA512)

    def test_thirty_two_requests_in_flight_are_answered_in_their_order(self):
        with lab.AgentClient(self.agent) as own:
            for number in range(ROUNDS):
                asked = list(self.requests(own, number))
                own.raw(b"".join(lab.keys.string(bytes([c.SIGN]) + body) for _, _, body in asked))
                for key, data, _ in asked:
                    lab.verify(key.blob, own.signature(own.receive()), data)

    def test_requests_of_every_sort_in_flight_are_answered_in_their_order(self):
        key = self.keys.all[0]
        with lab.AgentClient(self.agent) as own:
            bodies = [(c.LIST, b""), (c.SIGN, own.sign_request(key.blob, b"data")), (200, b""),
                      (c.EXTENSION, lab.keys.string("query"))] * (IN_FLIGHT // 4)
            for _ in range(ROUNDS):
                own.raw(b"".join(lab.keys.string(bytes([number]) + body) for number, body in bodies))
                answers = [own.receive() for _ in bodies]
                self.assertEqual([number for number, _ in answers],
                                 [c.IDENTITIES, c.SIGNATURE, c.FAILURE, c.EXTENSION_RESPONSE] * (IN_FLIGHT // 4))
                self.assertEqual(Reader(answers[0][1]).u32(), len(bed.KINDS))
                for answer in answers[1::4]:
                    lab.verify(key.blob, own.signature(answer), b"data")


class Order(bed.InMemory, bed.Case):
    """A security key was added first: dbclient exits and Conch hangs where it sees one before the key it needs."""

    def load(self):
        self.security_keys = [AddedKey(kind) for kind in ("sk-ed25519", "sk-p256")]
        self.security_keys.append(self.security_keys[0].certificate())
        with lab.AgentClient(self.agent) as own:
            for key in self.security_keys:
                self.assertEqual(own.call(ADD, key.body("touch me"))[0], c.SUCCESS)
        super().load()

    def test_keys_are_listed_as_they_came_and_security_keys_after_all_others(self):
        with lab.AgentClient(self.agent) as own:
            listed = [one.blob for one in own.list()]
        self.assertEqual(listed, [key.blob for key in [*self.keys.all, *self.security_keys]])

    def test_dbclient_finds_its_key(self):
        self.reaches(bed.Dropbear().login(self.first, "echo I am in"))

    def test_conch_finds_its_key(self):
        self.reaches(bed.Conch().login(self.first, "echo I am in"))

    def test_every_library_lists_security_keys(self):
        for name in ("paramiko", "asyncssh", "twisted"):
            self.shows_all(bed.Program.python(name), name)
        for name in ("go", "libssh2"):
            self.shows_all(bed.Program.built(name), name)

    def shows_all(self, client, name):
        with self.subTest(name):
            shown = self.run_client([*client.command, "list"]).stdout
            for key in self.security_keys[:2]:
                self.assertIn(key.blob.hex(), shown)


if __name__ == "__main__":
    unittest.main()
