"""The audit log: a line for each request, right by its schema, with no secret in it; and nobody is harmed where it can't be written."""
import base64
import json
import os
import resource
import stat
import subprocess

import jsonschema

import bed
import lab
import token_bed
from lab import client as c, hangfs
from lab.added import AddedKey, hop, destination_host, destinations
from lab.keys import fingerprint_of, string
from lab.security_key import AUTHENTICATOR, MODULES, Instructed

SCHEMA = json.loads((lab.ROOT / "docs" / "audit.schema.json").read_text())
PIN = "Pin-5d8e02c4-nowhere-in-the-log"
PASSWORD = "Password-77aa01-nowhere-in-the-log"
TO_SIGN = b"Data-c0ffee-nowhere-in-the-log"
SID = b"s" * 32
LOCK, UNLOCK = 22, 23


class AuditTest(bed.AgentTest):
    """An agent that writes the file; .requests() are its lines, all of which have been checked."""

    config = "audit = file\n"
    folder = ".local/state/keystile"

    @classmethod
    def setUpClass(cls):
        jsonschema.Draft7Validator.check_schema(SCHEMA)
        cls.schema = jsonschema.Draft7Validator(SCHEMA)

    @property
    def file(self):
        return self.agent.home / self.folder / "audit.jsonl"

    def texts(self, path=None):
        path = path or self.file
        return path.read_bytes().splitlines(keepends=True) if path.exists() else []

    def lines(self, path=None):
        """Each is one whole line of ASCII, not too long, and as the schema says."""
        found = []
        for text in lab.wait_for("the writer has ended what it began", lambda: self.ended(path))[0]:
            self.assertTrue(text.endswith(b"\n"), text)
            self.assertLess(len(text), 32768)
            found.append(json.loads(text.decode("ascii")))
            self.schema.validate(found[-1])
        return found

    def requests(self, name=None):
        return [line for line in self.lines() if line["event"] == "request" and name in (None, line["request"])]

    def ended(self, path=None):
        """The lines, alone in a list; an empty one where what was read ends within a line."""
        texts = self.texts(path)
        return [texts] if not texts or texts[-1].endswith(b"\n") else []

    def settled(self):
        """Whether the writer has ended what it began."""
        return bool(self.ended())

    def wait(self, name, count=1):
        """The line of the newest request of a kind, once there are so many."""
        lab.wait_for(f"{count} lines of {name}", lambda: self.settled() and len(self.requests(name)) >= count)
        found = self.requests(name)
        self.assertEqual(len(found), count, found)
        return found[-1]


class Requests(AuditTest):
    def test_a_local_signature(self):
        client = self.client()
        self.assertIsNotNone(client.sign(self.key, lab.sshsig(b"x", namespace="git")))
        line = self.wait("sign")
        self.assertEqual((line["answer"], line["presence"], line["demand"], line["path"]), ("signed", [], [], []))
        self.assertEqual(line["origin"], {"is": "local", "rule": "local", "words": bed.LOCAL, "listener": "agent"})
        self.assertEqual(line["subject"], {"kind": "sshsig", "namespace": "git", "hash": "sha512",
                                           "bytes": len(lab.sshsig(b"x", namespace="git"))})
        self.assertEqual(line["key"], {"fingerprint": fingerprint_of(self.key), "comment": "lab key 0"})
        self.assertEqual(line["token"], {"label": "lab token 0", "serial": "0000", "provider": bed.PROVIDER})
        self.assertEqual(line["process"]["pid"], os.getpid())
        self.assertEqual(line["process"]["executable"], os.readlink("/proc/self/exe"))
        self.assertEqual(line["process"]["parents"][:1], [os.readlink(f"/proc/{os.getppid()}/exe")])
        self.assertEqual((line["agent"], line["connection"]), (self.agent.pid, self.agent.newest_connection()["id"]))

    def test_a_forwarded_login_with_a_pin_and_where_it_goes(self):
        near, far = lab.HostKey(), lab.HostKey()
        client = self.client()
        self.assertEqual(client.bind(near, SID, forwarding=True), c.SUCCESS)
        self.assertEqual(client.bind(far, b"t" * 32), c.SUCCESS)
        self.assertIsNotNone(client.sign(self.key, self.login(b"t" * 32, far.blob)))
        line = self.wait("sign")
        self.assertEqual((line["origin"]["is"], line["origin"]["rule"]), ("remote", "forwarding-bind"))
        self.assertEqual(line["path"],
                         [{"host_key": fingerprint_of(near.blob), "forwarding": True, "names": []},
                          {"host_key": fingerprint_of(far.blob), "forwarding": False, "names": []}])
        self.assertEqual(line["destination"], {"proven": True, "host_key": fingerprint_of(far.blob)})
        self.assertEqual((line["subject"]["kind"], line["subject"]["user"]), ("login", "joe"))
        self.assertEqual(line["demand"], ["pin"])
        self.assertEqual(line["presence"], [{"what": "pin", "attested_by": "agent"}])
        self.assertEqual((line["answer"], line["reason"]), ("signed", "remote: a touch or a PIN for this very request"))

    def test_a_destination_that_is_not_proven(self):
        client = self.client(self.agent.remote_socket)
        other = lab.HostKey()
        self.assertIsNotNone(client.sign(self.key, self.login()))
        self.assertEqual(self.wait("sign")["destination"], {"proven": False})
        self.assertIsNotNone(client.sign(self.key, self.login(SID, other.blob)))
        self.assertEqual(self.wait("sign", 2)["destination"],
                         {"proven": False, "host_key": fingerprint_of(other.blob)})

    def test_refusals_and_their_reasons(self):
        client = self.client(self.agent.remote_socket)
        self.assertIsNone(client.sign(self.key, TO_SIGN))
        line = self.wait("sign")
        self.assertEqual((line["answer"], line["subject"]), ("refused", {"kind": "unrecognised", "bytes": len(TO_SIGN)}))
        self.assertIn("neither a login nor", line["reason"])
        self.askpass.refuses()
        self.assertIsNone(client.sign(self.key, self.login()))
        line = self.wait("sign", 2)
        self.assertEqual((line["answer"], line["presence"], line["demand"]), ("refused", [], ["pin"]))
        self.assertIsNone(client.sign(lab.HostKey().blob, b"x"))
        self.assertEqual(self.wait("sign", 3)["reason"], "there is no such key")
        self.assertEqual(client.remove_all(), c.FAILURE)
        self.assertEqual(self.wait("remove-all-keys")["reason"], "remote connections may list and sign, and nothing else")
        self.assertEqual(client.add_token("fake:other", PIN), c.FAILURE)
        self.assertEqual(self.wait("add-provider", 2)["answer"], "refused")
        self.assertEqual(client.call(99), (c.FAILURE, b""))
        self.assertEqual((self.wait("unknown")["message"], self.wait("unknown")["answer"]), (99, "refused"))
        self.assertEqual(client.call(c.SIGN, b"\0")[0], c.FAILURE)
        self.assertIn("malformed", self.wait("sign", 4)["reason"])
        self.assertEqual(client.extension("nobody@example.org")[0], c.FAILURE)
        self.assertEqual(self.wait("extension")["answer"], "refused")

    def test_a_bind_that_is_refused(self):
        client = self.client()
        self.assertEqual(client.bind(lab.HostKey(), SID, signature=b"wrong"), c.EXTENSION_FAILURE)
        line = self.wait("bind")
        self.assertEqual((line["answer"], line["origin"]["is"]), ("refused", "remote"))
        self.assertIn("a session bind", line["reason"])

    def test_a_client_that_leaves_before_its_answer(self):
        self.askpass.hangs()
        client = self.client(self.agent.remote_socket)
        client.send(c.SIGN, client.sign_request(self.key, self.login()))
        self.askpass.wait_until_asked()
        client.close()
        line = self.wait("sign")
        self.assertEqual((line["answer"], line["reason"]), ("none", "the client went away"))
        self.assertEqual(line["key"]["fingerprint"], fingerprint_of(self.key))

    def test_locking_and_unlocking(self):
        client = self.client()
        for number, password, name, count, answer, reason in (
                (LOCK, PASSWORD, "lock", 1, "done", ""), (LOCK, PASSWORD, "lock", 2, "refused", "the agent is locked"),
                (UNLOCK, "wrong", "unlock", 1, "refused", "the password was wrong"),
                (UNLOCK, PASSWORD, "unlock", 2, "done", ""),
                (UNLOCK, PASSWORD, "unlock", 3, "refused", "it is not locked")):
            client.call(number, string(password))
            line = self.wait(name, count)
            self.assertEqual((line["answer"], line["reason"]), (answer, reason))
        client.call(LOCK, string(PASSWORD))
        self.assertIsNone(client.sign(self.key, b"x"))
        self.assertEqual(self.wait("sign")["reason"], "the agent is locked")

    def test_providers(self):
        self.assertEqual(self.wait("add-provider")["provider"], bed.PROVIDER)
        client = self.client()
        self.assertEqual(client.add_token("fake:bad,pin=once", "wrong-" + PIN), c.FAILURE)
        line = self.wait("add-provider", 2)
        self.assertEqual((line["provider"], line["answer"]), ("fake:bad,pin=once", "refused"))
        self.assertNotEqual(line["reason"], "")
        self.assertEqual(client.add_token("pkcs11:token=x?pin-value=" + PIN, ""), c.FAILURE)
        self.assertEqual(self.wait("add-provider", 3)["provider"], "pkcs11:token=x")
        self.assertEqual(client.remove_token(bed.PROVIDER), c.SUCCESS)
        self.assertEqual(self.wait("remove-provider")["answer"], "done")

    def test_lists_and_good_binds_are_left_out_unless_they_are_wanted(self):
        def ask(client):
            client.list()
            client.query()
            self.assertEqual(client.bind(lab.HostKey(), SID), c.SUCCESS)

        ask(self.client())
        self.agent = self.start(config="audit = file\naudit-all = yes\n")
        ask(self.client())
        for name in ("list", "query", "bind"):
            self.assertEqual(self.wait(name)["answer"], "done")

    def test_only_what_was_asked_is_in_it(self):
        """One line for each request, in the order of the answers."""
        client = self.client()
        for _ in range(300):
            self.assertIsNotNone(client.sign(self.key, b"x"))
        client.list()
        client.remove_all()
        self.wait("remove-all-keys")
        self.assertEqual([line["request"] for line in self.requests()],
                         ["add-provider"] + ["sign"] * 300 + ["remove-all-keys"])
        times = [line["time"] for line in self.requests()]
        self.assertEqual(times, sorted(times))

    def test_what_is_asked_last_is_written_before_the_agent_ends(self):
        folder = self.agent.home / "elsewhere"
        outside = lab.Folder()
        self.addCleanup(outside.close)
        self.agent.stop()
        self.agent = self.start(config="audit = file\n", env={"XDG_STATE_HOME": str(outside.path)})
        self.key = self.load(bed.PROVIDER)
        self.assertIsNotNone(self.client().sign(self.key, b"x"))
        self.agent.stop()
        self.assertFalse(folder.exists())
        names = [line["request"] for line in self.lines(outside.path / "keystile" / "audit.jsonl")]
        self.assertEqual(names, ["add-provider", "sign"])


class Presence(AuditTest):
    provider = None

    def test_a_touch_that_only_the_worker_saw_is_said_to_be_its_word(self):
        key = self.load("fake:touched,touch=given")
        self.assertIsNotNone(self.client().sign(key, b"x"), self.agent.log())
        self.assertEqual(self.wait("sign")["presence"], [{"what": "touch", "attested_by": "worker"}])

    def test_a_pin_pad_is_the_workers_word_too(self):
        key = self.load("fake:padded,presence=pad")
        self.assertIsNotNone(self.client().sign(key, b"x"), self.agent.log())
        self.assertEqual(self.wait("sign")["presence"], [{"what": "pin-pad", "attested_by": "worker"}])
        shown = self.agent.run(lab.CONTROL, "log").stdout
        self.assertIn("pin-pad, attested by worker", shown)

    def test_what_a_security_key_signed_of_it_is_its_own_word(self):
        self.agent = self.start(config=self.config, options=("-P", f"{MODULES}/*"))
        key = Instructed()
        body = key.private + string("a key") + c.constraint("sk-provider@openssh.com", string(str(AUTHENTICATOR)))
        with lab.AgentClient(self.agent) as client:
            self.assertEqual(client.call(c.ADD_CONSTRAINED, body)[0], c.SUCCESS, self.agent.log())
            self.assertIsNotNone(client.sign(key.blob, lab.sshsig(b"x")), self.agent.log())
        self.assertEqual(self.wait("sign")["presence"], [{"what": "touch", "attested_by": "signature"}])

    def test_a_confirmation(self):
        key = AddedKey("ed25519")
        self.askpass.agrees()
        with lab.AgentClient(self.agent) as client:
            client.call(c.ADD_CONSTRAINED, key.body("a key", c.confirm()))
            self.assertIsNotNone(client.sign(key.blob, lab.sshsig(b"x")), self.agent.log())
            line = self.wait("sign")
            self.assertEqual((line["demand"], line["presence"]),
                             (["confirmation"], [{"what": "confirmation", "attested_by": "agent"}]))
            self.askpass.refuses()
            self.assertIsNone(client.sign(key.blob, lab.sshsig(b"x")))
            line = self.wait("sign", 2)
        self.assertEqual((line["answer"], line["presence"], line["reason"]),
                         ("refused", [], "the person did not allow it"))

    def test_the_rule_that_decided_is_named(self):
        self.agent = self.start(config=self.config + 'rule not-mine { then = refuse }\n')
        key = self.load("fake:lab")
        self.assertIsNone(self.client().sign(key, b"x"))
        line = self.wait("sign")
        self.assertEqual((line["answer"], line["rule"]), ("refused", "not-mine"))


class Off(AuditTest):
    config = None

    def test_nothing_is_written_by_default(self):
        self.assertIsNotNone(self.client().sign(self.key, b"x"))
        self.agent.process.send_signal(15)
        self.agent.process.wait(60)
        self.assertFalse(self.file.parent.exists())
        self.agent.process = None


class Names(AuditTest):
    """Text from strangers: a line stays one line, and bounded."""

    provider = None
    nasty = ("two\nlines", "\"quoted\" \\", "\xff\xfe\x80", "\x1b[31mred\x1b[0m \u202e", "x" * 200000, "a\0b", "")

    def add(self, comment):
        key = AddedKey("ed25519")
        with lab.AgentClient(self.agent) as client:
            reply = client.call(c.ADD, key.fields() + string(comment))[0]
        return key, reply

    def test_comments(self):
        for count, comment in enumerate(self.nasty, 1):
            _, reply = self.add(comment.encode("latin-1", "backslashreplace"))
            line = self.wait("add-key", count)
            self.assertEqual(line["answer"], "done" if reply == c.SUCCESS else "refused")
        self.assertIn("two\\x0alines", [line.get("key", {}).get("comment") for line in self.requests("add-key")])

    def test_users_and_namespaces(self):
        key, _ = self.add("a key")
        with lab.AgentClient(self.agent) as client:
            for count, name in enumerate(self.nasty, 1):
                raw = name.encode("latin-1", "backslashreplace")
                client.sign(key.blob, _login_as(raw, key.blob))
                client.sign(key.blob, _signature_for(raw))
                self.wait("sign", 2 * count)
        users = [line["subject"]["user"] for line in self.requests("sign") if "user" in line["subject"]]
        self.assertIn("\\\"quoted\\\" \\\\", users)
        self.assertIn("\\xff\\xfe\\x80", users)
        self.assertIn("x" * 64 + "...", users)

    def test_providers(self):
        with lab.AgentClient(self.agent) as client:
            for count, name in enumerate(("/no\nwhere", "/\xff", "/" + "x" * 3000, "/" + "x" * 200000), 1):
                self.assertEqual(client.add_token(name.encode("latin-1"), ""), c.FAILURE)
                self.wait("add-provider", count)

    def test_the_asking_program(self):
        actor = lab.Actor("ssh\n\"\xe4")
        self.addCleanup(actor.close)
        actor.connect(self.agent).sign(lab.HostKey().blob, b"x")
        self.assertIn("\\x0a\\\"", self.wait("sign")["process"]["executable"])


def _login_as(user, blob):
    return (string(SID) + b"\x32" + string(user) + string("ssh-connection") + string("publickey") + b"\1"
            + string("ssh-ed25519") + string(blob))


def _signature_for(namespace):
    return b"SSHSIG" + string(namespace) + string("") + string("sha512") + string(bytes(64))


class Secrets(AuditTest):
    provider = None

    def everything(self):
        key = AddedKey("ed25519")
        with lab.AgentClient(self.agent) as client:
            self.askpass.prints(PIN)
            client.call(c.ADD, key.body("a key"))
            client.call(c.ADD_CONSTRAINED, key.body("a key", destinations(hop(destination_host(host="there")))))
            client.sign(key.blob, TO_SIGN)
            client.sign(key.blob, lab.sshsig(TO_SIGN))
            client.add_token("fake:token,pin=once", PIN)
            client.add_token("fake:token,pin=once", PIN + "x")
            client.call(LOCK, string(PASSWORD))
            client.call(c.ADD, key.body("a key"))
            client.call(UNLOCK, string(PASSWORD + "x"))
            client.call(UNLOCK, string(PASSWORD))
            client.call(UNLOCK, string(PASSWORD)[:-1])
            client.call(c.ADD, key.body("a key")[:-9])
            client.call(c.ADD_TOKEN, string("fake:x") + string(PIN) + b"more")
            with lab.AgentClient(self.agent.remote_socket) as far:
                far.add_token("fake:token", PIN)
                far.call(LOCK, string(PASSWORD))
                far.call(c.ADD, key.body("a key"))
            client.remove(key.blob)
            client.remove_all()
        self.wait("remove-all-keys")
        return key

    def test_there_is_none_in_it_in_any_form(self):
        key = self.everything()
        self.assertGreater(len(self.requests()), 15)
        log = self.file.read_bytes()
        secret = key.secret[4:36]
        for one in (PIN.encode(), PASSWORD.encode(), TO_SIGN, secret, secret[:16], secret[16:]):
            for form in _forms(one):
                self.assertNotIn(form.lower(), log.lower())

    def test_the_forms_that_are_looked_for_would_be_found(self):
        self.assertIn(b"7c00", _forms(b"\x7c\x00"))
        self.assertIn(PIN.encode(), _forms(PIN.encode()))


def _forms(secret):
    """How it could stand in a line: as it is, in hexadecimal, escaped, in base64 at any offset."""
    escaped = "".join(chr(byte) if 0x20 <= byte < 0x7f and byte not in b'"\\' else f"\\x{byte:02x}" for byte in secret)
    inside = [base64.b64encode(bytes(skip) + secret)[(skip * 8 + 5) // 6:-4] for skip in range(3)]
    return [secret, secret.hex().encode(), escaped.encode(), json.dumps(escaped)[1:-1].encode(),
            *(one for one in inside if one)]


class File(AuditTest):
    def mode(self, path):
        return stat.S_IMODE(path.stat().st_mode)

    def sign(self, times=1):
        with lab.AgentClient(self.agent) as client:
            for _ in range(times):
                self.assertIsNotNone(client.sign(self.key, b"x"))

    def test_nobody_else_may_read_it(self):
        self.wait("add-provider")
        self.assertEqual((self.mode(self.file), self.mode(self.file.parent)), (0o600, 0o700))
        os.chmod(self.file, 0o666)
        os.chmod(self.file.parent, 0o777)
        self.sign()
        self.wait("sign")
        self.assertEqual((self.mode(self.file), self.mode(self.file.parent)), (0o600, 0o700))

    def replaced(self, make):
        """Something else stands in the file's place: it is left alone, and the agent goes on."""
        self.wait("add-provider")
        self.file.unlink()
        make(self.file)
        self.sign(3)
        lab.wait_for("the agent says so", lambda: "the audit log can't be written" in self.agent.log())
        self.sign(3)
        self.assertTrue(any("lines of the audit log were lost" in one for one in self.agent.status()["warnings"]))

    def goes_on(self, at_least):
        """After that what was lost is counted."""
        self.sign()
        lost = lab.wait_for("the lost are counted", lambda: [
            line for line in (self.lines() if self.settled() else []) if line["event"] == "lost"])
        self.assertGreaterEqual(lost[0]["count"], at_least)
        self.assertEqual(self.lines()[0], lost[0])

    def test_a_symbolic_link_in_its_place_is_not_followed(self):
        target = self.agent.home / "target"
        target.write_text("mine\n")
        self.replaced(lambda path: path.symlink_to(target))
        self.assertEqual(target.read_text(), "mine\n")
        self.file.unlink()
        self.goes_on(at_least=3)

    def test_a_second_name_of_another_file_is_not_written_to(self):
        target = self.agent.home / "target"
        target.write_text("mine\n")
        self.replaced(lambda path: os.link(target, path))
        self.assertEqual(target.read_text(), "mine\n")

    def test_a_fifo_in_its_place_keeps_nobody_waiting(self):
        self.replaced(os.mkfifo)

    def test_a_folder_in_its_place_harms_nobody(self):
        self.replaced(os.mkdir)

    def test_a_folder_that_is_a_link_is_not_followed(self):
        self.wait("add-provider")
        self.file.unlink()
        self.file.parent.rmdir()
        target = self.agent.home / "target"
        target.mkdir()
        self.file.parent.symlink_to(target)
        self.sign(3)
        lab.wait_for("the agent says so", lambda: "the audit log can't be written" in self.agent.log())
        self.assertEqual(list(target.iterdir()), [])

    def test_a_line_that_was_cut_off_spoils_no_other(self):
        self.wait("add-provider")
        with open(self.file, "ab") as file:
            file.write(b'{"time":"2026')
        self.sign()
        lab.wait_for("a line more", lambda: self.settled() and len(self.texts()) == 3)
        self.assertEqual(json.loads(self.texts()[2])["request"], "sign")

    def test_when_it_is_full_it_becomes_the_old_one(self):
        self.agent = self.start(config="audit = file\naudit-size = 64k\n")
        self.key = self.load(bed.PROVIDER)
        old = self.file.with_name("audit.jsonl.1")
        self.sign(400)
        lab.wait_for("all is written", lambda: self.settled() and old.exists() and self.lines()
                     and sum(len(line) for line in self.texts()) > 0)
        self.client().remove_all()
        lab.wait_for("the last line", lambda: self.settled() and self.requests("remove-all-keys"))
        for path in (self.file, old):
            self.assertLessEqual(path.stat().st_size, 65536)
            self.assertEqual(self.mode(path), 0o600)
        self.assertGreater(len(self.lines(old)), 50)
        self.assertEqual({line["event"] for line in self.lines() + self.lines(old)}, {"request"})
        self.assertEqual(sorted(path.name for path in self.file.parent.iterdir()), ["audit.jsonl", "audit.jsonl.1"])

    def test_two_agents_write_to_one_file_and_no_line_is_lost(self):
        second = self.start(config="audit = file\n", env={"XDG_STATE_HOME": str(self.agent.home / ".local/state")})
        with lab.AgentClient(second) as other, lab.AgentClient(self.agent) as client:
            for _ in range(200):
                other.sign(self.key, b"x")
                client.sign(self.key, b"x")
        lab.wait_for("all lines", lambda: self.settled() and len(self.requests("sign")) == 400)
        self.assertEqual({line["agent"] for line in self.requests("sign")}, {self.agent.pid, second.pid})

    def test_a_full_disk_harms_nobody_and_what_was_lost_is_counted(self):
        self.wait("add-provider")
        size = self.file.stat().st_size + 20  # a part of a line still goes in
        limits = resource.prlimit(self.agent.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.agent.pid, resource.RLIMIT_FSIZE, (size, limits[1]))
        self.sign(5)
        lab.wait_for("it is lost", lambda: any(
            "audit log were lost" in one for one in self.agent.status()["warnings"]))
        self.assertEqual(len(self.lines()), 1)
        resource.prlimit(self.agent.pid, resource.RLIMIT_FSIZE, limits)
        with lab.AgentClient(self.agent) as client:
            lab.wait_for("it goes on", lambda: client.sign(self.key, b"x") and self.settled() and any(
                line["event"] == "lost" for line in self.lines()))
        self.assertGreaterEqual(self.lines()[1]["count"], 1)

    def test_a_file_system_that_hangs_keeps_nobody_waiting_not_even_the_end(self):
        with hangfs.HangFS() as hung:
            self.agent = self.start(config="audit = file\n", env={"XDG_STATE_HOME": str(hung.file)})
            self.key = self.load(bed.PROVIDER)
            hung.await_asked()
            self.sign(500)
            self.agent.process.send_signal(15)
            self.assertEqual(self.agent.process.wait(30 * lab.PATIENCE), 2)
            self.agent.process = None

    def test_a_flood_from_afar_does_not_push_everything_else_out(self):
        with lab.AgentClient(self.agent.remote_socket) as far:
            for _ in range(20):
                far.raw((string(bytes([99]))) * 100)
                for _ in range(100):
                    far.receive()
        self.sign()
        self.wait("sign")
        refused = len(self.requests("unknown"))
        lost = sum(line["count"] for line in self.lines() if line["event"] == "lost")
        self.assertEqual(refused + lost, 2000)
        self.assertGreaterEqual(refused, 1000)
        self.assertGreater(lost, 0)


class Log(AuditTest):
    """keystile log"""

    def log(self, *words):
        return self.agent.run(lab.CONTROL, "log", *words)

    def sign(self, times, data=b"x"):
        with lab.AgentClient(self.agent) as client:
            for _ in range(times):
                client.sign(self.key, data)

    def test_in_words(self):
        near, far = lab.HostKey(), lab.HostKey()
        client = self.client()
        client.bind(near, SID, forwarding=True)
        client.bind(far, b"t" * 32)
        self.assertIsNotNone(client.sign(self.key, self.login(b"t" * 32, far.blob)))
        self.assertIsNone(client.sign(self.key, b"x"))
        self.wait("sign", 2)
        words = " ".join(self.log().stdout.split())
        for one in (f"done: add-provider {bed.PROVIDER}", f"signed: login as joe on {fingerprint_of(far.blob)}",
                    "person pin, attested by agent", f"through {fingerprint_of(near.blob)}",
                    "refused: unrecognised data, 1 bytes reason a remote request to sign data",
                    "token lab token 0", f"key {fingerprint_of(self.key)} lab key 0", f"(pid {os.getpid()})"):
            self.assertIn(one, words)

    def test_the_last_lines_as_they_are(self):
        self.sign(30)
        self.wait("sign", 30)
        written = self.file.read_text().splitlines(keepends=True)
        self.assertEqual(self.log("--json").stdout, "".join(written[-20:]))
        self.assertEqual(self.log("-n", "3", "--json").stdout, "".join(written[-3:]))
        self.assertEqual(self.log("--json", "-n1000").stdout, "".join(written))

    def test_only_what_is_asked_for_is_shown(self):
        far = lab.HostKey()
        client = self.client()
        client.bind(far, SID, forwarding=False)
        self.assertIsNotNone(client.sign(self.key, self.login(SID, far.blob)))
        afar = lab.AgentClient(self.agent.remote_socket)
        self.addCleanup(afar.close)
        self.assertIsNone(afar.sign(self.key, b"x"))
        self.sign(40)
        self.wait("sign", 42)

        def shown(*words):
            return [(line["request"], line["answer"], line["origin"]["is"])
                    for line in map(json.loads, self.log("--json", *words).stdout.splitlines())]

        self.assertEqual(shown("--refused"), [("sign", "refused", "remote")])
        self.assertEqual(shown("--origin", "remote"), [("sign", "refused", "remote")])
        self.assertEqual(shown("--host", fingerprint_of(far.blob)), [("sign", "signed", "local")])
        self.assertEqual(shown("--host", "nowhere.*"), [])
        self.assertEqual(len(shown("--key", fingerprint_of(self.key), "-n", "100")), 42)
        self.assertEqual(len(shown("--key", "lab key*", "-n", "100", "--origin", "local")), 41)
        self.assertEqual(shown("--key", "SHA256:no"), [])
        self.assertEqual(shown("--refused", "--key", "lab key 0", "--origin", "local"), [])

    def test_it_goes_back_into_the_old_file(self):
        self.wait("add-provider")
        old = self.file.read_text()
        self.file.rename(self.file.with_name("audit.jsonl.1"))
        self.sign(2)
        self.wait("sign", 2)
        self.assertEqual(self.log("--json").stdout, old + self.file.read_text())

    def test_it_follows_also_into_the_next_file(self):
        self.wait("add-provider")
        seen = self.agent.home / "seen"

        def followed(*names):
            lab.wait_for(f"{names} are printed", lambda: [
                json.loads(line)["request"] for line in seen.read_text().splitlines(keepends=True)
                if line.endswith("\n")] == list(names))

        with open(seen, "wb") as out, subprocess.Popen([lab.CONTROL, "log", "-f", "--json", "-n1"],
                                                       env=self.agent.env, stdout=out) as process:
            try:
                followed("add-provider")
                self.sign(1)
                followed("add-provider", "sign")
                self.file.rename(self.file.with_name("audit.jsonl.1"))
                self.client().remove_all()
                followed("add-provider", "sign", "remove-all-keys")
            finally:
                process.kill()

    def test_lines_that_are_none_are_said_to_be_unreadable(self):
        self.wait("add-provider")
        with open(self.file, "ab") as file:
            file.write(b'\x1b[31m\xff\n{"event":"request"}\n[]\n{"event":"lost","count":3}\n')
        done = self.log()
        self.assertEqual(done.stdout.count("a line that can't be read"), 2)
        self.assertIn("3 lines were lost", done.stdout)
        self.assertNotIn("\x1b", done.stdout + self.log("--json").stdout)

    def test_where_there_is_none_it_says_how_to_get_one(self):
        done = self.agent.run(lab.CONTROL, "log", env={"XDG_STATE_HOME": str(self.agent.home / "tmp")})
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn('audit = "file" in keystile.conf(5)', done.stderr)

    def test_wrong_words_are_refused(self):
        for words in (["-n"], ["-n", "0"], ["-n", "x"], ["-n", "-3"], ["-n3x"], ["more"], ["-x"], ["--json=x"], ["--key"],
                      ["--origin", "mars"], ["--refused=no"]):
            with self.subTest(words):
                self.assertEqual(self.log(*words).returncode, 2)


class Journal(bed.AgentTest):
    """Who is in another namespace than the agent counts as remote, which matters to none of these."""

    config = "audit = journal\n"
    provider = None

    def start(self, **options):
        self.journal = lab.Journal(lab.AGENT)
        self.addCleanup(self.journal.close)
        return super().start(program=self.journal.program, **options)

    def lines(self):
        """The messages, once each is found to be one of ours."""
        for entry in self.journal.read():
            self.assertEqual((entry["PRIORITY"], entry["SYSLOG_IDENTIFIER"], entry["MESSAGE_ID"]),
                             (b"6", b"keystile-audit", b"0c0b8a0e2b7d4c5e9a41d6f38e7b5a12"))
        found = [json.loads(entry["MESSAGE"].decode("ascii")) for entry in self.journal.entries]
        for line in found:
            jsonschema.Draft7Validator(SCHEMA).validate(line)
        return found

    def refused(self, number):
        """So many signatures."""
        with lab.AgentClient(self.agent) as client:
            for _ in range(number):
                self.assertIsNone(client.sign(lab.HostKey().blob, TO_SIGN))

    def test_a_line_goes_into_the_journal(self):
        self.refused(1)
        line = lab.wait_for("an entry", self.lines)[0]
        self.assertEqual((line["event"], line["request"], line["answer"], line["reason"], line["agent"]),
                         ("request", "sign", "refused", "there is no such key", self.agent.pid))
        self.assertNotIn(TO_SIGN, self.journal.entries[0]["MESSAGE"])

    def test_a_secret_does_not(self):
        with lab.AgentClient(self.agent) as client:
            self.assertEqual(client.add_token("fake:lab", PIN), c.FAILURE)
        lab.wait_for("an entry", self.lines)
        self.assertNotIn(PIN.encode(), b"".join(self.journal.entries[0].values()))

    def test_what_was_lost_while_the_journal_was_away_is_counted(self):
        self.journal.leave()
        self.refused(3)
        lab.wait_for("the agent says so", lambda: "the audit log can't be written: No such file" in self.agent.log())
        self.journal.listen()

        def counted():
            self.refused(1)
            return [line for line in self.lines() if line["event"] == "lost"]
        self.assertGreaterEqual(lab.wait_for("the lost are counted", counted)[0]["count"], 1)


class Real(token_bed.Case):
    """The real ssh, ssh-add and git, with a token of SoftHSM."""

    lines, texts, requests, ended, settled, wait = (AuditTest.lines, AuditTest.texts, AuditTest.requests,
                                                    AuditTest.ended, AuditTest.settled, AuditTest.wait)
    file, folder = AuditTest.file, AuditTest.folder

    @classmethod
    def setUpClass(cls):
        cls.schema = jsonschema.Draft7Validator(SCHEMA)
        cls.hsm = lab.SoftHSM()
        cls.addClassCleanup(cls.hsm.close)
        cls.sshd = lab.Sshd(names=("near", "far"))
        cls.addClassCleanup(cls.sshd.close)
        cls.key = cls.hsm.token("Lab card", PIN).generate("p256", "login key")
        cls.sshd.allow(cls.key)

    def setUp(self):
        self.asked = self.askpass(PIN)
        self.start(askpass=self.asked, env=self.hsm.env, config="audit = file\n")
        ssh = self.agent.home / ".ssh"
        ssh.mkdir(mode=0o700)
        ssh.joinpath("known_hosts").write_text(f"near,far {' '.join(self.sshd.host_key_line.split()[:2])}\n")
        done = self.agent.add_token(self.hsm.module, PIN)
        self.assertEqual(done.returncode, 0, done.stderr)

    def host(self):
        return fingerprint_of(lab.keys.blob_of_line(self.sshd.host_key_line))

    def test_a_login_and_one_through_another_host(self):
        self.assertEqual(self.agent.run(*self.sshd.ssh("near", "true")).returncode, 0)
        line = self.wait("sign")
        self.assertEqual((line["origin"]["is"], line["answer"], line["presence"]), ("local", "signed", []))
        self.assertEqual(line["destination"], {"proven": True, "host_key": self.host()})
        self.assertEqual(os.path.basename(line["process"]["executable"]), "ssh")
        inner = self.sshd.ssh("far", "true")
        done = self.agent.run(*self.sshd.ssh("-A", "near"), *inner)
        self.assertEqual(done.returncode, 0, done.stderr)
        line = self.wait("sign", 3)
        self.assertEqual((line["origin"]["is"], line["answer"]), ("remote", "signed"))
        self.assertEqual(line["presence"], [{"what": "pin", "attested_by": "agent"}])
        self.assertEqual([hop["forwarding"] for hop in line["path"]], [True, False])
        self.assertEqual({hop["host_key"] for hop in line["path"]}, {self.host()})
        self.assertEqual(line["token"]["label"], "Lab card")
        self.assertNotIn(PIN, self.file.read_text())

    def test_a_commit_signed_with_git(self):
        work = self.agent.home / "work"
        git = ["env", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "git", "-c", "user.name=Lab", "-c",
               "user.email=lab@example.org", "-c", "gpg.format=ssh", "-c",
               "user.signingKey=key::" + " ".join(self.key.line.split()[:2])]
        lab.run_well([*git, "init", "-q", work], env=self.agent.env)
        lab.run_well([*git, "-C", work, "commit", "-q", "--allow-empty", "-S", "-m", "x"], env=self.agent.env)
        line = self.wait("sign")
        self.assertEqual((line["subject"]["kind"], line["subject"]["namespace"]), ("sshsig", "git"))
        self.assertEqual(os.path.basename(line["process"]["executable"]), "ssh-keygen")
        self.assertIn("git", [os.path.basename(one) for one in line["process"]["parents"]])

    def test_ssh_add_of_a_key_and_its_removal(self):
        path = self.agent.home / "id"
        lab.run_well(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a comment", "-f", path])
        self.assertEqual(self.agent.run("ssh-add", str(path)).returncode, 0)
        self.assertEqual(self.wait("add-key")["key"]["comment"], "a comment")
        self.assertEqual(self.agent.run("ssh-add", "-d", str(path)).returncode, 0)
        line = self.wait("remove-key")
        self.assertEqual((line["answer"], line["key"]["comment"]), ("done", "a comment"))
        self.assertEqual(self.agent.run("ssh-add", "-e", self.hsm.module).returncode, 0)
        self.assertEqual(self.wait("remove-provider")["answer"], "done")


if __name__ == "__main__":
    import unittest
    unittest.main()
