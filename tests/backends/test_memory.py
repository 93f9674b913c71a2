"""The memory backend: keys of every kind, what is refused, and where their private parts are and are not."""
import hashlib
import os
import pathlib
import re
import unittest

import lab
from lab import keys, worker as w
from lab.added import AddedKey
from lab.keys import Reader, mpint, string

SIGNING = ("ed25519", "p256", "p384", "p521", "rsa:1024", "rsa:2048", "dss")
SECURITY_KEYS = ("sk-ed25519", "sk-p256")
KEYS_MAX = 2048
SANITIZED = "asan" in lab.run(["ldd", lab.LIBEXEC / "keystile-worker-memory"]).stdout
root_only = unittest.skipUnless(os.getuid() == 0, "only root can look into processes that can't be dumped")


class Worker(w.Worker):
    """keystile-worker-memory, open; its one token has the id 1."""

    def __init__(self, **options):
        super().__init__("memory:", "memory", **options)

    def adds(self, fields):
        """How the adding of a key ended."""
        return self.call(w.ADD, fds=[w.pipe_with(fields)])[1]

    def add(self, key):
        done = self.adds(key.fields())
        if (done.error, done.result) != (w.OK, key.blob):
            raise AssertionError(f"{key.name} was not taken: {done}")
        return key

    def remove(self, blob):
        return self.call(w.REMOVE, string(blob))[1].error

    def signs(self, blob, **options):
        return self.sign(blob, token=1, **options)[1]

    def status(self, name):
        """A number of kilobytes in /proc/PID/status."""
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE).group(1))


def algorithms(key):
    if key.kind.startswith("rsa"):
        return "rsa-sha2-256", "rsa-sha2-512", "ssh-rsa"
    plain = key.name.removesuffix("-cert-v01@openssh.com")
    return (plain + "@openssh.com" if key.is_security_key and "@" not in plain else plain,)


def both(kind):
    """A fresh key, and a certificate of it."""
    key = AddedKey(kind)
    return key, key.certificate()


def cheap(number):
    """The fields of an ed25519 key that a number stands for, fast."""
    seed = hashlib.sha256(b"%d" % number).digest()
    point = point_of(seed)
    return string("ssh-ed25519") + string(point) + string(seed + point)


def point_of(seed):
    return keys.blob_of(keys.ed25519.Ed25519PrivateKey.from_private_bytes(seed).public_key())[-32:]


def numbers_of(key):
    """n, e, d, iqmp, p, q of an RSA key."""
    own = key.private.private_numbers()
    return [own.public_numbers.n, own.public_numbers.e, own.d, own.iqmp, own.p, own.q]


def rsa_numbers(p, q, e=65537):
    """The same of two numbers, as if they were primes."""
    return [p * q, e, pow(e, -1, (p - 1) * (q - 1)), pow(q, -1, p), p, q]


class Kinds(unittest.TestCase):
    def test_every_kind_signs_with_each_of_its_algorithms(self):
        with Worker() as worker:
            for kind in SIGNING:
                for key in map(worker.add, both(kind)):
                    for algorithm in algorithms(key):
                        with self.subTest(key=key.name, algorithm=algorithm):
                            done = worker.signs(key.blob, algorithm=algorithm)
                            self.assertEqual(done.error, w.OK, done)
                            self.assertEqual(key.verify(done.result, b"data"), algorithm)

    def test_algorithms_of_other_kinds_are_unsupported(self):
        with Worker() as worker:
            for kind in SIGNING:
                key = worker.add(AddedKey(kind))
                for algorithm in set(w.ALGORITHMS) - set(algorithms(key)):
                    done = worker.signs(key.blob, algorithm=algorithm)
                    self.assertEqual((done.error, done.result), (w.UNSUPPORTED, b""), (kind, algorithm))
                    self.assertIn("no signatures of the kind", done.words)

    def test_security_keys_are_kept_but_do_not_sign(self):
        with Worker() as worker:
            for kind in SECURITY_KEYS:
                for key in map(worker.add, both(kind)):
                    done = worker.signs(key.blob, algorithm=algorithms(key)[0])
                    self.assertEqual((done.error, done.result), (w.UNSUPPORTED, b""))
                    self.assertIn("signs with its token", done.words)
                    self.assertEqual(worker.remove(key.blob), w.OK)

    def test_many_keys_sign_in_turn(self):
        """More than are kept in OpenSSL's form at a time, twice."""
        with Worker() as worker:
            added = [worker.add(AddedKey("ed25519")) for _ in range(70)]
            for key in added + added[::-1]:
                key.verify(worker.signs(key.blob).result, b"data")

    def test_data_of_any_length_is_signed(self):
        with Worker() as worker:
            for kind in ("ed25519", "p256"):
                key = worker.add(AddedKey(kind))
                for data in (b"", b"x", bytes(200000)):
                    key.verify(worker.signs(key.blob, data=data).result, data)

    def test_signatures_are_made_side_by_side(self):
        with Worker() as worker:
            key = worker.add(AddedKey("rsa:2048"))
            begun = {}
            for number in range(4):
                data = b"data %d" % number
                begun[worker.begin_sign(key.blob, data, token=1, algorithm="rsa-sha2-512")] = data
            for _ in range(4):
                got = worker.receive()
                self.assertEqual((got.type, got.body.error), (w.DONE, w.OK))
                key.verify(got.body.result, begun.pop(got.operation))
            self.assertEqual(begun, {})

    def test_a_key_that_is_removed_meanwhile_ends_its_signature_one_way_or_the_other(self):
        with Worker() as worker:
            for _ in range(20):
                key = worker.add(AddedKey("ed25519"))
                signing = [worker.begin_sign(key.blob, token=1) for _ in range(2)]
                removing = worker.begin(w.REMOVE, string(key.blob))
                ended = {got.operation: got.body for got in (worker.receive() for _ in range(3))}
                self.assertEqual(ended[removing].error, w.OK)
                for operation in signing:
                    self.assertIn(ended[operation].error, (w.OK, w.NO_KEY))
                    if ended[operation].error == w.OK:
                        key.verify(ended[operation].result, b"data")


class Table(unittest.TestCase):
    def test_its_one_token_is_there_once_it_is_open_and_lists_no_keys(self):
        with w.Worker(program="memory") as worker:
            worker.greet()
            self.assertEqual(worker.call(w.LOCATE, string("memory:"))[1].result, b"memory:")
            frames, done = worker.call(w.OPEN)
            self.assertEqual((done.error, [(got.body.id, got.body.keys) for got in frames]), (w.OK, [(1, [])]))
            worker.call(w.ADD, fds=[w.pipe_with(cheap(1))])
            self.assertEqual(worker.tokens(), [frames[0].body])

    def test_there_is_one_memory(self):
        for name in ("memory:x", "memory", "", "/memory:"):
            with w.Worker(program="memory") as worker:
                worker.greet()
                self.assertEqual(worker.call(w.LOCATE, string(name))[1].error, w.BAD_INPUT)

    def test_a_key_and_its_certificate_are_two(self):
        with Worker() as worker:
            for kind in (*SIGNING, *SECURITY_KEYS):
                key, certificate = both(kind)
                worker.add(key)
                self.assertEqual(worker.remove(certificate.blob), w.NO_KEY)
                worker.add(certificate)
                self.assertEqual(worker.remove(key.blob), w.OK)
                self.assertEqual(worker.remove(key.blob), w.NO_KEY)
                self.assertEqual(worker.remove(certificate.blob), w.OK)

    def test_a_key_that_is_added_again_is_there_once(self):
        with Worker() as worker:
            key = AddedKey("p256")
            for _ in range(3):
                worker.add(key)
                key.verify(worker.signs(key.blob).result, b"data")
            self.assertEqual(worker.remove(key.blob), w.OK)
            self.assertEqual(worker.signs(key.blob).error, w.NO_KEY)

    def test_unknown_keys_and_tokens_are_named_as_that(self):
        with Worker() as worker:
            key = worker.add(AddedKey("ed25519"))
            for blob in (b"", key.blob[:-1], key.blob + b"x", AddedKey("ed25519").blob):
                self.assertEqual(worker.signs(blob, algorithm="ssh-ed25519").error, w.NO_KEY)
                self.assertEqual(worker.remove(blob), w.NO_KEY)
            for token in (0, 2, 0xffffffff):
                self.assertEqual(worker.sign(key.blob, token=token)[1].error, w.NO_TOKEN)

    def test_it_proves_no_presence_and_says_so(self):
        with Worker() as worker:
            key = worker.add(AddedKey("ed25519"))
            for demand in (w.TOUCH, w.PIN, w.TOUCH | w.PIN):
                done = worker.signs(key.blob, demand=demand)
                self.assertEqual((done.error, done.result), (w.UNSUPPORTED, b""))
                self.assertIn("neither a touch nor a PIN", done.words)

    def test_there_is_nothing_to_log_in_to(self):
        with Worker() as worker:
            self.assertEqual(worker.call(w.LOGIN, fds=[w.pipe_with(b"1234")])[1].error, w.UNSUPPORTED)

    def test_it_takes_2048_keys(self):
        with Worker() as worker:
            for number in range(KEYS_MAX):
                self.assertEqual(worker.adds(cheap(number)).error, w.OK)
            done = worker.adds(cheap(KEYS_MAX))
            self.assertEqual((done.error, done.result), (w.BUSY, b""))
            self.assertIn("too many keys", done.words)
            again = worker.adds(cheap(7))
            self.assertEqual(again.error, w.OK, "one that is there is replaced")
            self.assertEqual(worker.remove(again.result), w.OK)
            self.assertEqual(worker.adds(cheap(KEYS_MAX)).error, w.OK)
            for number in (0, 8, KEYS_MAX - 1, KEYS_MAX):
                blob = cheap(number)[:15 + 36]
                keys.verify(blob, worker.signs(blob).result, b"data")

    def test_large_keys_are_bounded_in_sum(self):
        handle = bytes(60000)
        key = AddedKey("sk-ed25519", handle=handle)
        fields = key.fields()
        at = fields.index(b"ssh:")
        with Worker() as worker:
            taken = 0
            while (done := worker.adds(fields[:at] + b"%04d" % taken + fields[at + 4:])).error == w.OK:
                taken += 1
            self.assertEqual(done.error, w.BUSY)
            self.assertAlmostEqual(taken * len(handle), 16 << 20, delta=1 << 19)
            self.assertEqual(worker.adds(cheap(1)).error, w.OK, "a small one still fits")


class Refused(unittest.TestCase):
    """Nothing that is refused is kept, and the worker goes on."""

    def refuses(self, worker, fields, words="", error=w.BAD_INPUT):
        done = worker.adds(fields)
        self.assertEqual((done.error, done.result), (error, b""), done)
        self.assertIn(words, done.words)

    def test_the_private_part_of_another_key(self):
        with Worker() as worker:
            for kind in SIGNING:
                key, other = AddedKey(kind), AddedKey(kind)
                for one in (key, key.certificate()):
                    fields = one.fields()
                    self.assertTrue(fields.endswith(key.secret))
                    self.refuses(worker, fields[:-len(key.secret)] + other.secret, "do not belong together")
                    self.assertEqual(worker.remove(one.blob), w.NO_KEY)

    def test_the_certificate_of_another_key(self):
        with Worker() as worker:
            for kind in (*SIGNING, *SECURITY_KEYS):
                if kind == "sk-p256":
                    continue  # nothing that ssh-add sends besides its certificate says whose it is
                key, other = both(kind)[1], both(kind)[1]
                crossed = key.fields().replace(string(key.blob), string(other.blob))
                self.refuses(worker, crossed, "do not belong together")

    def test_a_certificate_for_another_application(self):
        with Worker() as worker:
            for kind in SECURITY_KEYS:
                certificate = AddedKey(kind).certificate()
                tail = string("ssh:") + b"\1"
                elsewhere = certificate.fields().replace(tail, string("web:") + b"\1")
                self.assertNotEqual(elsewhere, certificate.fields())
                self.refuses(worker, elsewhere, "do not belong together")

    def test_an_ed25519_key_whose_public_part_is_not_its_own_anywhere(self):
        """A signature made with one half of each would give the private part away."""
        seed, point = bytes(32), AddedKey("ed25519").blob[-32:]
        own = point_of(seed)
        with Worker() as worker:
            for public, second in ((point, own), (own, point), (point, point)):
                self.refuses(worker, string("ssh-ed25519") + string(public) + string(seed + second),
                             "do not belong together")
            self.assertEqual(worker.adds(string("ssh-ed25519") + string(own) + string(seed + own)).error, w.OK)

    def test_rsa_numbers_of_which_one_is_wrong(self):
        key, other = AddedKey("rsa:1024"), AddedKey("rsa:1024")
        right, wrong = numbers_of(key), numbers_of(other)
        with Worker() as worker:
            for number in range(6):
                for value in (wrong[number] if number != 1 else 3, right[number] + 2, 0, 1):
                    changed = [*right[:number], value, *right[number + 1:]]
                    self.refuses(worker, string("ssh-rsa") + b"".join(map(mpint, changed)))
            n, e, d, iqmp, p, q = right
            for factors in ((n, 1), (1, n), (q, p), (p, p)):
                self.refuses(worker, string("ssh-rsa") + b"".join(map(mpint, (n, e, d, iqmp, *factors))))
            self.refuses(worker, string("ssh-rsa") + b"".join(map(mpint, (n, e, d + n, iqmp, p, q))))

    def test_rsa_keys_under_1024_bits(self):
        short = rsa_numbers((1 << 500) - 863, (1 << 500) - 1485)
        right = rsa_numbers((1 << 512) - 569, (1 << 512) - 629)
        with Worker() as worker:
            self.refuses(worker, string("ssh-rsa") + b"".join(map(mpint, short)))
            self.assertEqual(worker.adds(string("ssh-rsa") + b"".join(map(mpint, right))).error, w.OK)

    def test_ecdsa_numbers_out_of_range(self):
        order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
        key = AddedKey("p256")
        public = key.fields()[:-len(key.secret)]
        own = key.private.private_numbers().private_value
        with Worker() as worker:
            for number in (0, 1, own + 1, order - own, order, own + order, (1 << 256) - 1):
                if number >> 256 == 0:
                    self.refuses(worker, public + mpint(number))

    def test_dsa_numbers_out_of_range(self):
        key = AddedKey("dss")
        own = key.private.private_numbers()
        group = own.public_numbers.parameter_numbers
        public = key.fields()[:-len(key.secret)]
        with Worker() as worker:
            for number in (0, own.x + 1, group.q, own.x + group.q):
                self.refuses(worker, public + mpint(number))
            for g in (group.p - 1, 2, group.g + 1):
                y = pow(g, own.x, group.p)
                self.refuses(worker, string("ssh-dss") + b"".join(map(mpint, (group.p, group.q, g, y, own.x))))

    def test_keys_of_unknown_types(self):
        with Worker() as worker:
            for name in ("", "ssh-xmss@openssh.com", "ssh-ed25519x"):
                self.refuses(worker, string(name) + cheap(1)[15:], "type", w.UNSUPPORTED)

    def test_nothing_at_all_and_what_is_too_long(self):
        with Worker() as worker:
            for fields in (b"", b"\0", bytes(65536), cheap(1) + b"\0"):
                self.assertIn(worker.adds(fields).error, (w.BAD_INPUT, w.UNSUPPORTED))

    def test_keys_that_end_anywhere(self):
        with Worker() as worker:
            for kind in ("ed25519", "p256", "rsa:1024", "dss", *SECURITY_KEYS):
                for key in both(kind):
                    fields = key.fields()
                    for length in range(len(fields)):
                        self.assertEqual(worker.adds(fields[:length]).error, w.BAD_INPUT, (key.name, length))
                    self.assertEqual(worker.remove(key.blob), w.NO_KEY)
                    worker.add(key)

    def test_keys_with_any_byte_changed(self):
        """Every byte counts, but in what only a token can judge and in what a certificate says besides."""
        with Worker() as worker:
            for kind in ("ed25519", "p256", "rsa:1024", "dss"):
                key = AddedKey(kind)
                fields = key.fields()
                for at in range(len(fields)):
                    changed = fields[:at] + bytes([fields[at] ^ 1]) + fields[at + 1:]
                    self.assertIn(worker.adds(changed).error, (w.BAD_INPUT, w.UNSUPPORTED), (kind, at))
                worker.add(key)

    def test_an_add_without_a_descriptor_ends_the_worker(self):
        with Worker() as worker:
            worker.begin(w.ADD)
            self.assertEqual(worker.ended(), 1)


def secrets_of(key):
    """The private numbers as they stand on the wire and in OpenSSL's memory, and what is derived from a seed."""
    if key.kind == "ed25519":
        seed = Reader(key.secret).string()[:32]
        return {seed, hashlib.sha512(seed).digest()[1:31], hashlib.sha512(seed).digest()[32:]}
    if key.kind.startswith("rsa"):
        own = key.private.private_numbers()
        numbers = [own.d, own.iqmp, own.p, own.q, own.dmp1, own.dmq1]
    elif key.kind == "dss":
        numbers = [key.private.private_numbers().x]
    else:
        numbers = [key.private.private_numbers().private_value]
    raw = {number.to_bytes((number.bit_length() + 7) // 8, "big") for number in numbers}
    return raw | {one[::-1] for one in raw}


def flags_of(pid):
    """(start, end) of each mapping to its flags, two letters each (proc(5), VmFlags)."""
    flags, where = {}, None
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        found = re.match(r"^([0-9a-f]+)-([0-9a-f]+) ", line)
        if found:
            where = tuple(int(one, 16) for one in found.groups())
        elif line.startswith("VmFlags:"):
            flags[where] = line.split()[1:]
    return flags


@root_only
class Memory(unittest.TestCase):
    def test_private_parts_lie_in_locked_memory_alone(self):
        with Worker() as worker:
            for kind in SIGNING:
                key = worker.add(AddedKey(kind))
                for algorithm in algorithms(key):
                    worker.signs(key.blob, algorithm=algorithm)
                wanted = secrets_of(key)
                flags, kept = flags_of(worker.pid), set()
                for start, end, name in lab.memory.mappings(worker.pid):
                    found = lab.memory.holds_within(worker.pid, start, end, wanted)
                    kept |= found
                    if found:
                        self.assertTrue({"lo", "dd", "wf"} <= set(flags[start, end]), (kind, name, flags[start, end]))
                self.assertTrue(kept, f"the scan finds a {kind} key that is there")

    def test_private_parts_are_gone_with_their_keys(self):
        added = [AddedKey(kind) for kind in SIGNING]
        secrets = set().union(*map(secrets_of, added))
        with Worker() as worker:
            for _ in range(3):
                for key in added:
                    worker.add(key)
                    for algorithm in algorithms(key):
                        worker.signs(key.blob, algorithm=algorithm)
            self.assertGreaterEqual(len(lab.memory.holds(worker.pid, secrets)), len(added))
            for key in added:
                self.assertEqual(worker.remove(key.blob), w.OK)
            self.assertEqual(lab.memory.holds(worker.pid, secrets), set())

    def test_private_parts_that_were_refused_are_gone(self):
        with Worker() as worker:
            for kind in SIGNING:
                key, other = AddedKey(kind), AddedKey(kind)
                crossed = key.fields()[:-len(key.secret)] + other.secret
                for fields in (crossed, key.fields()[:-1], key.fields() + b"x"):
                    self.assertEqual(worker.adds(fields).error, w.BAD_INPUT)
                self.assertEqual(lab.memory.holds(worker.pid, secrets_of(key) | secrets_of(other)), set(), kind)

    def test_a_key_that_pushes_another_out_of_readiness_leaves_nothing_of_it(self):
        with Worker() as worker:
            first = worker.add(AddedKey("p256"))
            worker.signs(first.blob)
            for number in range(40):
                worker.signs(worker.adds(cheap(number)).result)
            (stored,) = [one for one in secrets_of(first) if lab.memory.holds(worker.pid, {one})]
            self.assertEqual(stored, first.private.private_numbers().private_value.to_bytes(32, "big"))


class Room(unittest.TestCase):
    @unittest.skipIf(SANITIZED, "a sanitizer turns munlock() into nothing")
    def test_locked_memory_is_given_back(self):
        with Worker() as worker:
            first = worker.status("VmLck")
            for _ in range(3):
                added = [worker.add(AddedKey("sk-ed25519", handle=bytes(10000))) for _ in range(100)]
                self.assertGreaterEqual(worker.status("VmLck"), first + 1000)
                for key in added:
                    self.assertEqual(worker.remove(key.blob), w.OK)
                self.assertLess(worker.status("VmLck"), first + 600)

    def test_a_key_takes_little_room(self):
        with Worker() as worker:
            self.assertEqual(worker.adds(cheap(0)).error, w.OK)
            before = worker.status("VmRSS")
            for number in range(1, 1001):
                worker.adds(cheap(number))
            each = (worker.status("VmRSS") - before) * 1024 / 1000
            self.assertLess(each, 20000 if SANITIZED else 1200)

    def test_keys_that_come_and_go_leave_no_memory_behind(self):
        """A sanitizer keeps what was freed for a while."""
        added = [AddedKey(kind).fields() for kind in ("ed25519", "p256", "rsa:1024", "sk-ed25519")]
        with Worker() as worker:
            def cycle(times):
                for _ in range(times):
                    for fields in added:
                        self.assertEqual(worker.remove(worker.adds(fields).result), w.OK)
                return worker.status("VmRSS")

            before = cycle(100)
            self.assertLess(cycle(500) - before, 65536 if SANITIZED else 256)

    def test_keys_are_kept_where_no_memory_may_be_locked_and_the_log_says_so_once(self):
        wrapper = ["prlimit", "--memlock=0:0"]
        if os.getuid() == 0:  # whom the limit does not concern
            wrapper = ["setpriv", "--bounding-set=-ipc_lock", *wrapper]
        with Worker(wrapper=wrapper) as worker:
            for _ in range(3):
                key = worker.add(AddedKey("ed25519"))
                key.verify(worker.signs(key.blob).result, b"data")
            self.assertEqual(worker.status("VmLck"), 0)
            self.assertEqual(len([line for line in worker.log if "RLIMIT_MEMLOCK" in line]), 1)
