"""Beside OpenSSH's ssh-agent: session binds, destination constraints, lock, extensions and tokens. See beside.py."""
import struct
import unittest

import beside
import lab
from beside import (EXTENSION_FAILURE, FAILURE, NO_LIST, SUCCESS, adding, binding, extension, listed, listing, message,
                    removing, signing)
from lab import client as c
from lab.added import (HOST_CERTIFICATE, USER_CERTIFICATE, AddedCertificate, AddedKey, associated, destination_host,
                       destinations, hop, sk_provider)
from lab.keys import HostKey, string, u32
from test_session_bind import SecurityKey

A, B, C = (HostKey() for _ in range(3))
AUTHORITY = HostKey()
KEY, OTHER = AddedKey("ed25519"), AddedKey("p256")
SIDS = [bytes([number]) * 32 for number in range(40)]

OLDER = "9.2 answers a bind that failed with 5, 10.5 with 28"
REMOTE = "remote connections change nothing"


def failing(host, sid, **options):
    """A bind that both refuse."""
    return binding(host, sid, **options).older(FAILURE, EXTENSION_FAILURE, OLDER)


def bind_body(host, sid, signature=None):
    return (string("session-bind@openssh.com") + string(host.blob) + string(sid)
            + string(host.sign(sid) if signature is None else signature) + b"\0")


class HostCertificate(AddedCertificate):
    """A host that shows a certificate."""

    def __init__(self, host, **options):
        key = AddedKey("ed25519")
        key.private, key.blob, key.name = host.private, host.blob, host.name
        options.setdefault("principals", ("there",))
        options.setdefault("kind", HOST_CERTIFICATE)
        super().__init__(key, authority=options.pop("authority", AUTHORITY), **options)
        self.host = host

    def sign(self, data):
        return self.host.sign(data)


class Side(beside.Beside):
    """Ours lets forwarded connections sign without a person, as ssh-agent does."""

    our_options = ("-O", "allow-remote-without-presence")


class Binds(Side):
    def test_each_kind_of_host_key(self):
        self.compare([(kind, binding(HostKey(kind), SIDS[0], forwarding=True), binding(HostKey(kind), SIDS[1]))
                      for kind in ("ed25519", "p256", "p384", "p521", "rsa:2048", "rsa:1024")])
        self.compare([(f"security key {kind}", binding(SecurityKey(kind), SIDS[0])) for kind in ("ed25519", "p256")])

    def test_hosts_that_show_a_certificate(self):
        long_ago = struct.pack(">QQ", 1, 2)
        self.compare([
            ("a good one", binding(HostCertificate(A), SIDS[0])),
            ("one that is over", binding(HostCertificate(A, validity=long_ago), SIDS[0])),
            ("a user's", binding(HostCertificate(A, kind=USER_CERTIFICATE), SIDS[0])),
        ])

    def test_rsa_signatures(self):
        host, why = HostKey("rsa:2048"), "SHA-1 proves nothing"
        self.compare([
            ("sha2-256", binding(host, SIDS[0], signature=host.sign(SIDS[0], "rsa-sha2-256"))),
            ("sha2-512", binding(host, SIDS[0], signature=host.sign(SIDS[0], "rsa-sha2-512"))),
            ("sha1", binding(host, SIDS[0], signature=host.sign(SIDS[0], "ssh-rsa")).ours(
                SUCCESS, EXTENSION_FAILURE, why)),
        ])

    def test_session_ids(self):
        why = "upstream answers 6 without recording it, its bug"
        self.compare([
            ("none", binding(A, b"").ours(SUCCESS, EXTENSION_FAILURE, "a session id has 1 to 128 bytes")),
            ("a byte", binding(A, b"x")),
            ("128 bytes", binding(A, b"x" * 128)),
            ("129 bytes", binding(A, b"x" * 129).ours(SUCCESS, EXTENSION_FAILURE, why)),
        ])

    def test_signatures_that_are_wrong(self):
        self.compare([
            ("of another session", failing(A, SIDS[0], signature=A.sign(SIDS[1]))),
            ("of another host", failing(A, SIDS[0], signature=B.sign(SIDS[0]))),
            ("of another kind", failing(A, SIDS[0], signature=HostKey("p256").sign(SIDS[0]))),
            ("none", failing(A, SIDS[0], signature=b"")),
            ("with a byte more", failing(A, SIDS[0], signature=A.sign(SIDS[0]) + b"x")),
        ])

    def test_truncated_ones(self):
        body = bind_body(A, SIDS[0])
        start = len(string("session-bind@openssh.com"))
        self.compare([(f"cut to {length}", message(c.EXTENSION, body[:length]).older(FAILURE, EXTENSION_FAILURE, OLDER))
                      for length in range(start, len(body))])

    def test_flags_and_bytes_after_them(self):
        forwarding_by_another_name = message(c.EXTENSION, bind_body(A, SIDS[0])[:-1] + b"\x80")
        self.compare([
            ("bytes after the flag", binding(A, SIDS[0], tail=b"tail")),
            ("a flag of 128", forwarding_by_another_name, binding(B, SIDS[1])),
        ])

    def test_sequences(self):
        forward, login = binding(A, SIDS[0], forwarding=True), binding(B, SIDS[1])
        self.compare([
            ("a repeat of a forwarding one", forward, forward, forward, login),
            ("a repeat with another flag keeps the old one", forward, binding(A, SIDS[0]), login),
            ("a repeat of a login", login, failing(B, SIDS[1])),
            ("another login after a login", login, failing(A, SIDS[2])),
            ("a forwarding one after a login", login, failing(A, SIDS[0], forwarding=True)),
            ("a repeat of the forwarding one after a login", forward, login, forward),
            ("a repeat of the login after a forwarding one", forward, login, failing(B, SIDS[1])),
            ("the same session with another key", forward, failing(B, SIDS[0], forwarding=True)),
            ("the same key with a new session", forward, binding(A, SIDS[3], forwarding=True),
             binding(A, SIDS[4], forwarding=True)),
            ("a good one after a failed one", failing(A, SIDS[0], signature=b"x"), binding(A, SIDS[0])),
            ("on two connections", forward, forward.by("other"), login.by("other"), login),
        ])

    def test_how_many_there_may_be(self):
        sixteen = [binding(A, sid, forwarding=True) for sid in SIDS[:16]]
        self.compare([
            ("sixteen", *sixteen),
            ("seventeen", *sixteen, failing(A, SIDS[16], forwarding=True)),
            ("a repeat when it is full", *sixteen, sixteen[0], sixteen[15]),
            ("a login as the sixteenth", *sixteen[:15], binding(B, SIDS[20]), sixteen[3], failing(A, SIDS[21])),
        ])
        failed = [failing(A, sid, signature=b"x") for sid in SIDS[:16]]
        why = "after 16 failures nothing is verified any more"
        self.compare([
            ("fifteen failures, then a good one", *failed[:15], binding(A, SIDS[0])),
            ("sixteen failures, then a good one", *failed, binding(A, SIDS[0]).ours(
                SUCCESS, EXTENSION_FAILURE, why)),
        ])

    def test_what_a_bound_connection_may_do(self):
        forward = binding(A, SIDS[0], forwarding=True)
        login = lab.userauth(SIDS[1], "joe", KEY.blob)
        own = adding(KEY, "own").by("own")
        refused = (SUCCESS, FAILURE, REMOTE)
        there = listing().by("own")
        self.compare([
            ("list", own, forward, listing()),
            ("sign a login", own, forward, signing(KEY, login)),
            ("add", own, forward, adding(OTHER).ours(*refused)),
            ("remove", own, forward, removing(KEY).ours(*refused)),
            ("remove all", own, forward, message(c.REMOVE_ALL).ours(*refused)),
            ("remove all as of old", own, forward, message(9).ours(*refused)),
            ("load a provider", own, forward, message(20, string("/usr/lib/x.so") + string("")), there),
            ("lock and unlock", own, forward, message(22, string("x")).ours(*refused),
             message(23, string("x")).ours(*refused), there),
            ("what is bound to log in may add", own, binding(B, SIDS[1]), adding(OTHER), listing()),
            ("and sign what it likes", own, binding(B, SIDS[1]), signing(KEY, login), signing(KEY, b"data")),
        ])


class Destinations(Side):
    """Keys with destination constraints, added on a connection of their own."""

    def key_for(self, *hops):
        return adding(KEY, "c", destinations(*hops)).by("own")

    def login(self, sid, user="joe", host_key=None):
        return signing(KEY, lab.userauth(sid, user, KEY.blob, host_key=host_key))

    def setUp(self):
        at_a = destination_host(host="a", host_keys=[A.blob])
        self.to_a = hop(at_a)
        self.to_b = hop(destination_host(host="b", host_keys=[B.blob]), at_a)
        self.at_a, self.through_a = binding(A, SIDS[0]), binding(A, SIDS[0], forwarding=True)
        self.at_b = binding(B, SIDS[1])

    def test_without_a_bind(self):
        key = self.key_for(self.to_a)
        self.compare([
            ("it is listed", key, listing()),
            ("it signs nothing", key, self.login(SIDS[0]), signing(KEY, b"data"), signing(KEY, lab.sshsig(b"x"))),
            ("it can be removed", key, removing(KEY), listing()),
            ("it can be replaced", key, adding(KEY, "free"), listing(), signing(KEY)),
        ])

    def test_one_hop(self):
        key = self.key_for(self.to_a)
        self.compare([
            ("listed at its host", key, self.at_a, listing()),
            ("signs there", key, self.at_a, self.login(SIDS[0]), self.login(SIDS[0], "root"),
             self.login(SIDS[0], host_key=A.blob)),
            ("not for another session", key, self.at_a, self.login(SIDS[1])),
            ("not for another host key", key, self.at_a, self.login(SIDS[0], host_key=B.blob)),
            ("not what is no login", key, self.at_a, signing(KEY, b"data"), signing(KEY, lab.sshsig(b"data"))),
            ("not at another host", key, self.at_b, listing(), self.login(SIDS[1])),
            ("not when forwarded to its host", key, self.through_a, listing(), self.login(SIDS[0])),
            ("not from there", key, self.through_a, self.at_b, listing(), self.login(SIDS[1], host_key=B.blob)),
            ("not after a bind that failed", key, failing(A, SIDS[0], signature=b"x"),
             listing().older(listed((KEY, "c")), NO_LIST, "9.2 forgets binds that failed"), self.login(SIDS[0])),
        ])

    def test_a_user(self):
        for pattern in ("joe", "j*", "*,!root", "!root,*", "?oe"):
            key = self.key_for(hop(destination_host(pattern, "a", [A.blob])))
            self.compare([(pattern, key, self.at_a, listing(), self.login(SIDS[0]), self.login(SIDS[0], "root"),
                           self.login(SIDS[0], ""), self.login(SIDS[0], "Joe"))])

    def test_two_hops(self):
        key = self.key_for(self.to_a, self.to_b)
        bound = (key, self.through_a, self.at_b)
        self.compare([
            ("listed on the way", key, self.through_a, listing()),
            ("signs nothing on the way", key, self.through_a, self.login(SIDS[0])),
            ("listed at the end", *bound, listing()),
            ("signs the hostbound form", *bound, self.login(SIDS[1], host_key=B.blob)),
            ("not the plain form", *bound, self.login(SIDS[1])),
            ("not for the host on the way", *bound, self.login(SIDS[0], host_key=A.blob),
             self.login(SIDS[1], host_key=A.blob)),
            ("not when the way is another", key, binding(C, SIDS[2], forwarding=True), listing(), self.at_b, listing(),
             self.login(SIDS[1], host_key=B.blob)),
            ("not at the end alone", key, self.at_b, listing(), self.login(SIDS[1], host_key=B.blob)),
            ("the first hop alone", key, self.at_a, listing(), self.login(SIDS[0])),
            ("only the second hop is permitted", self.key_for(self.to_b), self.through_a, self.at_b, listing(),
             self.login(SIDS[1], host_key=B.blob)),
        ])

    def test_certificates_of_hosts(self):
        long_ago = struct.pack(">QQ", 1, 2)
        critical = string("force-command") + string(string("x"))
        key = self.key_for(hop(destination_host(host="there", host_keys=[(AUTHORITY.blob, True)])))
        plain = self.key_for(hop(destination_host(host="there", host_keys=[A.blob])))
        by_itself = self.key_for(hop(destination_host(host="there", host_keys=[(A.blob, True)])))
        rows = {
            "a good one": HostCertificate(A),
            "a second name": HostCertificate(A, principals=("elsewhere", "there")),
            "another name": HostCertificate(A, principals=("elsewhere",)),
            "over": HostCertificate(A, validity=long_ago),
            "not yet": HostCertificate(A, validity=b"\xf0" + bytes(7) + b"\xff" * 8),
            "a user's": HostCertificate(A, kind=USER_CERTIFICATE),
            "a critical option": HostCertificate(A, critical=critical),
            "another authority's": HostCertificate(A, authority=C),
        }
        self.compare([(what, key, binding(one, SIDS[0]), listing(), self.login(SIDS[0]))
                      for what, one in rows.items()])
        hidden, shown, signed = NO_LIST, listed((KEY, "c")), "a ssh-ed25519 signature"
        why = "10.5 refuses an empty list of names", "10.5 takes a name in a certificate as a pattern"
        self.compare([
            ("no name", key, binding(HostCertificate(A, principals=()), SIDS[0]),
             listing().older(shown, hidden, why[0]), self.login(SIDS[0]).older(signed, FAILURE, why[0])),
            ("a pattern", key, binding(HostCertificate(A, principals=("th*",)), SIDS[0]),
             listing().older(hidden, shown, why[1]), self.login(SIDS[0]).older(FAILURE, signed, why[1])),
        ])
        self.compare([
            ("a plain host key and a CA's entry", by_itself, self.at_a, listing(), self.login(SIDS[0])),
            ("a certificate and a plain key's entry", plain, binding(HostCertificate(A), SIDS[0]), listing(),
             self.login(SIDS[0])),
            ("an authority's own key", key, binding(AUTHORITY, SIDS[0]), listing()),
        ])

    def test_what_is_hidden_can_not_be_changed(self):
        key = self.key_for(self.to_a)
        self.compare([
            ("remove", key, self.at_b, removing(KEY), listing().by("own")),
            ("replace", key, self.at_b, adding(KEY, "free"), listing().by("own")),
            ("what is listed can", key, self.at_a, removing(KEY), listing().by("own")),
            ("remove all takes it all the same", key, self.at_b, message(c.REMOVE_ALL), listing().by("own")),
        ])

    def test_other_keys_beside_it(self):
        self.compare([("only it is hidden", self.key_for(self.to_a), adding(OTHER).by("own"), self.at_b, listing(),
                       signing(OTHER, lab.userauth(SIDS[1], "joe", OTHER.blob)))])


class Lock(beside.Beside):
    def test_lock_and_unlock(self):
        lock, unlock = message(22, string("word")), message(23, string("word"))
        self.compare([
            ("nothing is listed", adding(KEY), lock, listing(), unlock, listing()),
            ("nothing else is done", adding(KEY), lock, signing(KEY), adding(OTHER), removing(KEY),
             message(c.REMOVE_ALL), message(9), message(20, string("/x") + string("")), message(200), unlock,
             listing()),
            ("on another connection too", adding(KEY), lock, listing().by("other"), unlock.by("other"), listing()),
            ("a session is bound", lock, binding(A, SIDS[0]).older(FAILURE, SUCCESS, "10.5 binds while it is locked"),
             failing(A, SIDS[1]), unlock.by("other")),
            ("no extension is known", lock, extension("no@such.example"), unlock),
            ("not twice", lock, lock, unlock, unlock),
            ("not with nothing", message(22, string("")), listing()),
            ("not by another word", lock, message(23, string("Word")), message(23, string("")), unlock),
            ("bytes after the word", message(22, string("word") + b"tail"), message(23, string("word") + b"tail")),
            ("a long word", message(22, string("w" * 5000)), message(23, string("w" * 5000))),
            ("a word of a NUL alone", message(22, string(b"\0")), message(23, string(b"\0")), listing()),
            # One with a NUL elsewhere ends ssh-agent.
            ("a word that ends in a NUL", message(22, string(b"word\0")), unlock, message(23, string(b"word\0"))),
        ])


class Extensions(beside.Beside):
    def test_extensions(self):
        answer = b"\x1d" + string("query") + string("session-bind@openssh.com")
        self.compare([
            ("query", extension("query").older(FAILURE, answer.hex(), "10.5 has it")),
            ("unknown", extension("no@such.example"), listing()),
            ("no name", extension("")),
            ("a name with an inner NUL", extension(b"query\0x")),
            ("a name that is cut", message(c.EXTENSION, u32(9) + b"query")),
            ("nothing", message(c.EXTENSION)),
        ])


class Public:
    """A key of which only the public part is here."""

    name = "a key on a token"

    def __init__(self, blob):
        self.blob = blob

    def verify(self, signature, data):
        return lab.verify(self.blob, signature, data)


class TokenCertificate(AddedCertificate):
    """Of a key whose private part is on a token."""

    def __init__(self, blob):
        key = AddedKey("p256")
        key.blob = blob
        super().__init__(key)


class Tokens(beside.Beside):
    @classmethod
    def setUpClass(cls):
        cls.hsm = lab.SoftHSM()
        cls.addClassCleanup(cls.hsm.close)
        cls.key = cls.hsm.token("Lab", "1234").generate("p256", "the label")
        cls.env = cls.hsm.env
        super().setUpClass()

    def add(self, provider, pin="", constraints=b""):
        return message(26 if constraints else 20, string(provider) + string(pin) + constraints)

    def test_providers_that_can_not_be_loaded(self):
        names = {"not there": "/usr/lib/none.so", "not allowed": "/etc/passwd", "no library": "/usr/lib/os-release",
                 "no module": "/usr/lib/x86_64-linux-gnu/libz.so.1", "a folder": "/usr/lib", "relative": "lib.so",
                 "empty": "", "with a NUL": b"/usr/lib/a\0b"}
        self.compare([(what, self.add(name), self.add(name, constraints=c.confirm()), listing())
                      for what, name in names.items()])

    def test_malformed_ones(self):
        module = self.hsm.module
        body = string(module) + string("1234") + c.lifetime(100)
        whole = len(string(module) + string("1234"))
        self.compare([(f"cut to {length}", message(26, body[:length]), listing())
                      for length in range(len(body)) if length != whole])
        self.compare([
            ("an unknown constraint", self.add(module, "1234", b"\x09"), listing()),
            ("a provider for security keys", self.add(module, "1234", sk_provider("internal")), listing()),
        ])

    def remove(self, name):
        return message(21, string(name) + string(""))

    def test_a_token(self):
        module = self.hsm.module
        key = signing(Public(self.key.blob))
        again = (FAILURE, SUCCESS, "ours logs in again")
        self.compare([
            ("it is listed and signs", self.add(module, "1234"), listing(), key, self.remove(module), listing()),
            ("in message 26", message(26, string(module) + string("1234")), listing(), key, self.remove(module)),
            ("the wrong PIN", self.add(module, "4321"), listing()),
            ("twice removed", self.add(module, "1234"), self.remove(module), self.remove(module).older(
                FAILURE, SUCCESS, "10.5 answers 6 even when it is not loaded")),
            ("a lifetime of 0", self.add(module, "1234", c.lifetime(0)), listing(), self.remove(module)),
            ("confirm, which nobody can", self.add(module, "1234", c.confirm()), listing(), key, self.remove(module)),
            ("one key removed", self.add(module, "1234"), removing(Public(self.key.blob)), listing(), self.remove(module)),
        ])
        if not beside.NEWER:  # 10.6 ends when a token that was added twice is removed
            self.compare([("again", self.add(module, "1234"), self.add(module, "1234").ours(*again), listing(),
                           self.remove(module))])

    def test_a_token_for_a_destination(self):
        add = self.add(self.hsm.module, "1234", destinations(hop(destination_host(host="a", host_keys=[A.blob]))))
        key = Public(self.key.blob)
        there, elsewhere = binding(A, SIDS[0]).by("there"), binding(B, SIDS[1]).by("elsewhere")
        login = signing(key, lab.userauth(SIDS[0], "joe", key.blob))
        self.compare([("it signs there alone", add, listing(), login, there, listing().by("there"), login.by("there"),
                       elsewhere, listing().by("elsewhere"), login.by("elsewhere"), self.remove(self.hsm.module))])

    def test_certificates_that_come_with_a_token(self):
        one = TokenCertificate(self.key.blob)
        public, why = Public(self.key.blob), "10.5 has associated certificates"
        both, alone = listed((one, "the label"), (public, "the label")), listed((one, "the label"))
        for only, shown in ((False, both), (True, alone)):
            self.compare([(f"only: {only}", self.add(self.hsm.module, "1234", associated([one.blob], only)).older(
                FAILURE, SUCCESS, why), listing().older(NO_LIST, shown, why), self.remove(self.hsm.module).older(
                    FAILURE, SUCCESS, why))])

    def test_removing(self):
        self.compare([
            ("a path that is not there", self.remove("/usr/lib/none.so")),
            ("one that is there and not loaded", self.remove("/usr/lib/os-release").older(
                FAILURE, SUCCESS, "10.5 answers 6 even when it is not loaded")),
            ("nothing", message(21)), ("a NUL", self.remove(b"/usr/lib/a\0b")),
            ("bytes after it", message(21, string("/usr/lib/none.so") + string("") + b"tail")),
        ])


if __name__ == "__main__":
    unittest.main()
