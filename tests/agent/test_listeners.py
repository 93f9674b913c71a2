"""Configured listeners: who is let in on which socket, with which keys, and what its lists say of them."""
import os
import socket
import stat
import unittest

import lab
from bed import AgentTest
from lab import client as c

LOCK = 22
LISTENER = "it came in on the socket for remote use"


def mode_of(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


class ListenerTest(AgentTest):
    """The agent of these tests is started with the listeners of each one."""

    provider = None

    def setUp(self):
        super().setUp()
        self.agent.stop()
        self.folder = lab.Folder()
        self.addCleanup(self.folder.close)
        self.place = self.folder.path / "sockets"
        self.path = self.place / "one.sock"

    def begin(self, config, keys=("lab",)):
        """An agent with this configuration and a token for each name; self.keys holds their blobs."""
        self.agent = self.start(config=config)
        lab.wait_for("it is set up", lambda: lab.listens(self.agent.remote_socket))
        self.agent.status()  # answered by the loop, which begins when all sockets are there
        self.keys = [self.load(f"fake:{name},pin=once") for name in keys]
        self.key = self.keys[0]
        return self.agent

    def blobs(self, where):
        with lab.AgentClient(str(where)) as client:
            return [key.blob for key in client.list()]

    def sockets(self):
        return {one["name"]: one for one in self.agent.status()["sockets"]}

    def missing(self, name):
        return f"the listener {name} is not there: the log of the start says why" in self.agent.status()["warnings"]


class Places(ListenerTest):
    def test_a_listener_without_a_path_is_beside_the_agents_other_sockets(self):
        self.begin("listener box { }\n")
        path = self.agent.own_folder / "box.sock"
        self.assertEqual(self.blobs(path), self.keys)
        self.assertEqual(mode_of(path), 0o600)
        self.assertEqual(self.sockets()["box"], {"name": "box", "path": str(path), "origin": "remote"})
        self.agent.stop()
        self.assertFalse(path.exists())

    def test_its_folder_is_made_for_nobody_else_and_its_socket_goes_with_the_agent(self):
        self.begin(f'listener one {{ path = "{self.path}"; mode = "0660" }}\n'.replace(";", "\n"))
        self.assertEqual(mode_of(self.place), 0o700)
        self.assertEqual(mode_of(self.path), 0o660)
        self.assertEqual(self.blobs(self.path), self.keys)
        self.agent.stop()
        self.assertEqual(list(self.place.iterdir()), [])

    def refused(self):
        self.begin(f"listener one {{ path = {self.path} }}\n")
        self.assertTrue(self.missing("one"), self.agent.log())
        self.assertNotIn("one", self.sockets())
        self.assertIn("no listener one: ", self.agent.log())
        self.assertEqual(self.blobs(self.agent.socket), self.keys)

    def test_a_folder_that_is_open_to_others_is_refused(self):
        for mode in (0o750, 0o705, 0o777):
            with self.subTest(oct(mode)):
                self.place.mkdir(exist_ok=True)
                os.chmod(self.place, mode)
                self.refused()
                self.assertEqual(list(self.place.iterdir()), [])

    @unittest.skipUnless(os.getuid() == 0, "only root can give a folder away")
    def test_a_folder_of_somebody_else_is_refused(self):
        self.place.mkdir(mode=0o700)
        os.chown(self.place, 65534, 65534)
        self.refused()

    def test_a_folder_behind_a_symbolic_link_is_refused(self):
        elsewhere = self.folder.path / "elsewhere"
        elsewhere.mkdir(mode=0o700)
        self.place.symlink_to(elsewhere)
        self.refused()
        self.assertEqual(list(elsewhere.iterdir()), [])

    def test_nothing_but_a_left_socket_of_ours_is_removed(self):
        self.place.mkdir(mode=0o700)
        self.path.write_text("mine")
        self.refused()
        self.assertEqual(self.path.read_text(), "mine")
        self.path.unlink()
        self.path.symlink_to("nowhere")
        self.refused()
        self.assertTrue(self.path.is_symlink())

    def test_a_socket_that_somebody_listens_on_stays_theirs(self):
        self.place.mkdir(mode=0o700)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(self.path))
            other.listen()
            before = os.stat(self.path).st_ino
            self.refused()
            self.agent.stop()
            self.assertEqual(os.stat(self.path).st_ino, before)

    def test_a_socket_that_an_agent_left_behind_is_replaced(self):
        self.place.mkdir(mode=0o700)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(self.path))
        self.begin(f"listener one {{ path = {self.path} }}\n")
        self.assertEqual(self.blobs(self.path), self.keys)
        self.assertFalse(self.missing("one"))

    def test_what_took_its_place_is_not_removed_at_the_end(self):
        self.begin(f"listener one {{ path = {self.path} }}\n")
        self.path.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(self.path))
            self.agent.stop()
            self.assertTrue(self.path.is_socket())

    def test_a_second_agent_leaves_the_firsts_alone(self):
        config = f"listener one {{ path = {self.path} }}\n"
        first = self.begin(config)
        second = self.start(config=config)
        second.status()
        second.stop()
        self.assertEqual(self.blobs(self.path), self.keys)
        self.assertIs(first, self.agent)

    def test_mistakes_keep_the_agent_from_starting_and_name_the_line(self):
        flaws = {
            "listener one {\npath = here }": r":2: path: the value must be a path that begins with /, in a folder",
            "listener one {\n\norigin = far }": r":3: origin: the value must be local or remote",
            "listener one {\nmode = 0777 }": r":2: mode: the value must be 0600, 0660 or 0666",
            "listener one {\nkeys = {''} }": r":2: keys: an empty pattern matches nothing",
            "listener one {\nkeys = {}\n}": r":3: listener one: keys is empty, so nothing could be signed there",
            "listener one {\ncomments = no }": r":2: comments: the value must be neutral or as-is",
            "listener one {\npolicy = x }": r":2: no such option 'policy'",
            "\nlistener agent { }": r":2: a listener has a name of its own",
            "\nlistener { }": r":2: a listener has a name of its own",
            "listener a { }\nlistener a { }": r':2: "listener a" stands in line 1 already',
            "remote-comments = none": r":1: remote-comments: the value must be neutral or as-is",
        }
        for text, words in flaws.items():
            with self.subTest(text):
                path = self.folder.path / "keystile.conf"
                path.write_text(text + "\n")
                os.chmod(path, 0o600)
                done = lab.run([lab.AGENT, "--config", str(path), "-D", "-a", str(self.folder.path / "a")],
                               env=lab.environment(self.folder.path))
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stderr, words)


class Origins(ListenerTest):
    def test_every_connection_is_remote_unless_the_listener_is_local(self):
        self.begin("listener far { }\nlistener far2 { origin = remote }\nlistener near { origin = local }\n")
        client = self.client(str(self.agent.own_folder / "near.sock"))
        self.assert_local(client)
        self.assertEqual(client.add_token("fake:more"), c.SUCCESS)
        for name in ("far", "far2"):
            client = self.client(str(self.agent.own_folder / f"{name}.sock"))
            self.assert_remote(client, LISTENER)
            self.assertEqual(self.agent.newest_connection()["listener"], name)
            self.assertIn(f'on the socket of the listener\n    "{name}"\n', self.askpass.prompts()[-1])
        self.assert_remote(self.client(self.agent.remote_socket), LISTENER)
        self.assertNotIn("of the listener", self.askpass.prompts()[-1])

    def test_a_local_listener_lifts_no_other_rule(self):
        self.begin("listener near { origin = local }\n")
        path = self.agent.own_folder / "near.sock"
        with lab.Actor("socat") as actor:
            self.assert_remote(actor.connect(path), "the program that connected hands on the bytes of others")
        client = self.client(str(path))
        client.bind(lab.HostKey(), b"s" * 32, forwarding=True)
        self.assert_remote(client, "it came through a forwarded agent (ssh -A)")

    def test_a_rule_can_be_for_a_listener(self):
        self.begin("listener shut { origin = local }\n"
                   "rule no { listener = {shut}\nthen = refuse }\n")
        self.assertIsNone(self.client(str(self.agent.own_folder / "shut.sock")).sign(self.key, b"data"))
        self.assert_local(self.client())


class Keys(ListenerTest):
    def begin_with(self, patterns, origin="remote", keys=("work", "home")):
        words = ", ".join(f'"{one}"' for one in patterns)
        self.begin(f"listener some {{ origin = {origin}\nkeys = {{{words}}} }}\n", keys)
        return str(self.agent.own_folder / "some.sock")

    def test_only_its_keys_are_listed_and_sign(self):
        path = self.begin_with(["work *"])
        self.assertEqual(self.blobs(path), [self.keys[0]])
        client = self.client(path)
        self.assertEqual(self.asked(client, self.login()), 1)
        before = len(self.askpass.prompts())
        self.assertIsNone(client.sign(self.keys[1], self.login(key=self.keys[1])))
        self.assertEqual(len(self.askpass.prompts()), before)
        self.assertIn("the key is not among those of the listener it was asked on", self.agent.refusals()[0])
        self.assertEqual(self.blobs(self.agent.remote_socket), self.keys)

    def test_a_fingerprint_names_a_key(self):
        secret = lab.keys.private("ed25519")
        blob = lab.keys.blob_of(secret.public_key())
        path = self.begin_with([lab.keys.fingerprint_of(blob)])
        self.assertEqual(self.blobs(path), [])
        with lab.AgentClient(self.agent) as client:
            self.assertEqual(client.call(c.ADD, lab.keys.add_message(secret, "SHA256:*"))[0], c.SUCCESS)
        self.assertEqual(self.blobs(path), [blob])

    def test_a_comment_is_not_taken_for_a_fingerprint(self):
        path = self.begin_with(["SHA256:*"])
        with lab.AgentClient(self.agent) as client:
            message = lab.keys.add_message(lab.keys.private("ed25519"), "SHA256:*")
            self.assertEqual(client.call(c.ADD, message)[0], c.SUCCESS)
        self.assertEqual(self.blobs(path), [])

    def test_a_pattern_with_an_exclamation_mark_excludes(self):
        path = self.begin_with(["*", "!home *"])
        self.assertEqual(self.blobs(path), [self.keys[0]])

    def test_a_local_listener_for_some_keys_changes_nothing(self):
        path = self.begin_with(["work *"], origin="local")
        client = self.client(path)
        self.assert_local(client)
        message = lab.keys.add_message(lab.keys.private("ed25519"), "work new")
        for number, body in ((c.ADD, message), (c.REMOVE, lab.keys.string(self.keys[1])),
                             (c.REMOVE, lab.keys.string(self.keys[0])), (c.REMOVE_ALL, b""), (9, b""),
                             (LOCK, lab.keys.string("word"))):
            self.assertEqual(client.call(number, body)[0], c.FAILURE, number)
        self.assertEqual(client.add_token("fake:work-too"), c.FAILURE)
        self.assertEqual([one.blob for one in self.serves()], self.keys)


class Comments(ListenerTest):
    """What a list says beside each key."""

    def comments(self, where):
        with lab.AgentClient(str(where)) as client:
            return [key.comment for key in client.list()]

    def neutral(self, blob):
        return f"ED25519 {lab.keys.fingerprint_of(blob)[:15]}"

    def begin_with_two(self, config):
        """A token's key and one of ssh-add, with a comment that is nobody's business."""
        secret = lab.keys.private("ed25519")
        self.begin(config)
        with lab.AgentClient(self.agent) as client:
            self.assertEqual(client.call(c.ADD, lab.keys.add_message(secret, "joe@corp.example"))[0], c.SUCCESS)
        self.keys.append(lab.keys.blob_of(secret.public_key()))
        self.own = ["lab key 0", "joe@corp.example"]

    def test_a_list_for_afar_names_kinds_and_fingerprints_only(self):
        self.begin_with_two(None)
        expected = [self.neutral(blob) for blob in self.keys]
        self.assertEqual(self.comments(self.agent.remote_socket), expected)
        self.assertEqual(self.comments(self.agent.socket), self.own)
        with lab.AgentClient(self.agent) as client:
            client.bind(lab.HostKey(), b"s" * 32, forwarding=True)
            self.assertEqual([key.comment for key in client.list()], expected)

    def test_the_configuration_can_leave_them_as_they_are(self):
        self.begin_with_two("remote-comments = as-is\n")
        self.assertEqual(self.comments(self.agent.remote_socket), self.own)

    def test_a_listeners_own_word_comes_first(self):
        self.begin_with_two("listener open { comments = as-is }\n"
                            "listener quiet { origin = local\ncomments = neutral }\n")
        self.assertEqual(self.comments(self.agent.own_folder / "open.sock"), self.own)
        self.assertEqual(self.comments(self.agent.own_folder / "quiet.sock"),
                         [self.neutral(blob) for blob in self.keys])
        self.assertNotIn("lab", str(self.comments(self.agent.remote_socket)))


if __name__ == "__main__":
    unittest.main()
