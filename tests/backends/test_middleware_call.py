"""The program that calls a library for the middleware worker: what it is given, what it keeps, what it answers."""
import os
import pathlib
import shutil
import socket
import struct
import unittest

import lab
from lab import keys, memory, worker as w
from lab.keys import Reader, string, u32
from lab.security_key import AUTHENTICATOR, TOUCH, Instructed

from middleware_bed import Case, Worker

PROGRAM = lab.LIBEXEC / "keystile-library-call"
WORKER = lab.LIBEXEC / "keystile-worker-middleware"
SANITIZED = b"__asan_init" in PROGRAM.read_bytes()
VERSION, CHECK, SIGN = 2, 1, 2
ANSWER, REQUEST, SECRET = 3, 4, 5
# What a pipe holds is less: the rest has to be written while the program reads.
LONG = b"data" * 50000


def text(value):
    return string(os.fsencode(str(value)) + b"\0")


def facts(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def worker_of(folder, *arguments, **options):
    """A worker whose programs are the copies in this folder."""
    libexec, lab.place.LIBEXEC = lab.place.LIBEXEC, folder
    try:
        return Worker(*arguments, **options)
    finally:
        lab.place.LIBEXEC = libexec


class Call(Case):
    """A library that waits for its touch."""

    def setUp(self):
        super().setUp()
        self.one = Worker(AUTHENTICATOR)
        self.addCleanup(self.one.__exit__, None, None, None)

    def given(self, word="", **options):
        key = Instructed(word, **options)
        self.one.add(key.private)
        return key

    def waiting(self):
        """The number of the process in which the library has stopped, within its call."""
        operation = self.one.begin_sign(self.given("stop").blob, token=1)
        self.one.expect(w.TOUCH_AWAITED, operation)
        self.one.send(w.TOUCH_ANSWER, operation, w.u32(w.OK))
        (child,) = lab.wait_for("the library stopped",
                                lambda: [one for one in lab.descendants(self.one.pid) if one.stopped()])
        return child.pid

    @unittest.skipIf(os.getuid() != 0, "only root can look into a process that can't be dumped")
    def test_the_library_is_in_a_process_of_another_program_that_has_but_its_answers_socket(self):
        call = self.waiting()
        self.assertEqual(os.readlink(f"/proc/{call}/exe"), str(PROGRAM))
        self.assertEqual(pathlib.Path(f"/proc/{call}/cmdline").read_bytes(), os.fsencode(PROGRAM) + b"\0")
        kept = {number: os.readlink(f"/proc/{call}/fd/{number}") for number in os.listdir(f"/proc/{call}/fd")}
        self.assertEqual(sorted(kept), ["0", "1", "2", "3"])
        self.assertTrue(kept["3"].startswith("socket:"), kept)
        for number in ("0", "1", "2"):
            self.assertEqual(kept[number], os.readlink(f"/proc/{self.one.pid}/fd/{number}"))

    @unittest.skipIf(os.getuid() != 0, "only root can look into a process that can't be dumped")
    def test_its_environment_is_the_workers(self):
        call = self.waiting()
        self.assertEqual(pathlib.Path(f"/proc/{call}/environ").read_bytes(),
                         pathlib.Path(f"/proc/{self.one.pid}/environ").read_bytes())

    @unittest.skipIf(os.getuid() != 0, "only root can look into a process that can't be dumped")
    def test_other_keys_are_not_in_its_memory(self):
        other = self.given()
        call = self.waiting()
        self.assertEqual(memory.holds(self.one.pid, [other.seed]), {other.seed})
        self.assertEqual(memory.holds(call, [other.seed]), set())

    def test_it_leads_a_group_and_has_given_up_what_its_worker_has(self):
        call = self.waiting()
        self.assertEqual(os.getpgid(call), call)
        self.assertEqual(os.getsid(call), self.one.pid)
        found = facts(call)
        self.assertEqual((found["NoNewPrivs"], found["Umask"]), ("1", "0077"))
        limits = pathlib.Path(f"/proc/{call}/limits").read_text()
        self.assertRegex(limits, r"Max core file size +0 +0 ")
        self.assertRegex(limits, r"Max open files +256 +256 ")

    @unittest.skipIf(SANITIZED, "LeakSanitizer traces its own process")
    def test_its_memory_can_not_be_dumped(self):
        wrapper = ["setpriv", "--reuid=65534", "--clear-groups"] if os.getuid() == 0 else None
        for one in (PROGRAM, WORKER, AUTHENTICATOR):
            shutil.copy(one, self.folder.path)
        library = self.folder.path / AUTHENTICATOR.name
        library.chmod(0o644)
        self.one = worker_of(self.folder.path, library, wrapper=wrapper)
        self.addCleanup(self.one.__exit__, None, None, None)
        # The files of a process that can't be dumped belong to root.
        self.assertEqual(os.stat(f"/proc/{self.waiting()}/environ").st_uid, 0)

    def test_what_does_not_fit_into_a_pipe_is_signed_too(self):
        key = self.given()
        done = self.one.answered(self.one.begin_sign(key.blob, token=1, data=LONG))[1]
        self.assertEqual(done.error, w.OK, done)
        keys.verify(key.blob, done.result, LONG)

    def test_a_library_that_ends_before_it_has_read_a_long_request_costs_that_signature(self):
        for word in ("crash", "exit"):
            key = self.given(word)
            done = self.one.answered(self.one.begin_sign(key.blob, token=1, data=LONG))[1]
            self.assertEqual(done.error, w.DEVICE_FAILED, done)
        self.signs(self.one, self.given())

    def test_keys_come_and_go_while_the_library_is_called(self):
        """No lock of the worker's is in the library's process: it is not a copy of it."""
        signer = self.given(flags=0)
        for _ in range(50):
            operation = self.one.begin_sign(signer.blob, token=1)
            key = Instructed()
            added = self.one.begin(w.ADD, fds=[w.pipe_with(key.private)])
            ends = {}
            while len(ends) < 2:
                got = self.one.receive()
                if got.type == w.DONE:
                    ends[got.operation] = got.body
            self.assertEqual({one.error for one in ends.values()}, {w.OK}, ends)
            keys.verify(signer.blob, ends[operation].result, b"data")
            self.assertEqual(ends[added].result, key.blob)


class Program(unittest.TestCase):
    """Run by the test in the worker's place."""

    def setUp(self):
        self.folder = lab.Folder()
        self.addCleanup(self.folder.close)

    def run_it(self, request, secret):
        """What it wrote as its answer, and how it ended."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        given = {ANSWER: theirs.detach(), REQUEST: w.pipe_with(request), SECRET: w.pipe_with(secret)}
        # Moved out of the way of the numbers they shall have.
        high = {number: os.dup2(fd, 100 + number) for number, fd in given.items()}
        env = {name: os.environ[name] for name in lab.place.PASSED_ON if name in os.environ}
        pid = os.posix_spawn(PROGRAM, [PROGRAM], env, setpgroup=0, file_actions=[
            (os.POSIX_SPAWN_DUP2, fd, number) for number, fd in high.items()])
        for fd in (*given.values(), *high.values()):
            os.close(fd)
        answer = b""
        with ours:
            while said := ours.recv(1 << 16):
                frame = Reader(Reader(said).string())
                if frame.u8() == w.DONE:
                    frame.u32()
                    answer = w.READERS[w.DONE](frame).result
        return answer, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def request(self, kind=CHECK, path=AUTHENTICATOR, version=VERSION, worker=None):
        return u32(version) + u32(os.getpid() if worker is None else worker) + bytes([kind]) + text(path) + string("")

    def answer(self, request, secret=b""):
        """The error and the words, from an answer that is whole."""
        said, code = self.run_it(request, secret)
        self.assertEqual(code, 0)
        reader = Reader(said)
        return reader.u32(), reader.string().decode()

    def test_it_says_whether_a_library_can_be_used(self):
        self.assertEqual(self.answer(self.request()), (w.OK, ""))
        error, words = self.answer(self.request(path="/nonexistent.so"))
        self.assertEqual(error, w.DEVICE_FAILED)
        self.assertIn("no security key library", words)

    def test_a_signature_comes_with_its_flags_and_its_counter(self):
        key = Instructed()
        request = self.request(SIGN) + u32(1) + text("ssh:") + bytes([TOUCH, 0]) + string(b"data")
        said, code = self.run_it(request, string(key.seed))
        self.assertEqual(code, 0)
        reader = Reader(said)
        self.assertEqual((reader.u32(), reader.string(), reader.u8(), reader.u32()), (w.OK, b"", TOUCH, 7))
        signature = string(keys.SK_ED25519) + string(reader.string()) + struct.pack(">BI", TOUCH, 7)
        self.assertEqual(reader.string(), b"")
        keys.verify(key.blob, signature, b"data")

    def test_a_request_of_another_version_is_answered_in_words(self):
        error, words = self.answer(self.request(version=1))
        self.assertEqual(error, w.DEVICE_FAILED)
        self.assertIn("upgraded", words)

    def test_malformed_requests_load_nothing(self):
        good, crashes = self.request(), self.request(path=AUTHENTICATOR.with_name("authenticator-crashes.so"))
        signing = self.request(SIGN) + u32(1) + text("ssh:") + bytes([TOUCH, 0]) + string(b"data")
        for number, bad in enumerate((b"", good[:-1], good + b"x", crashes + b"x", signing[:-1], signing + b"x",
                                      self.request(kind=0), self.request(kind=3), self.request(path="/a\0b"),
                                      good[:9] + string(os.fsencode(AUTHENTICATOR)))):
            with self.subTest(number):
                self.assertEqual(self.answer(bad, string(b"x" * 32))[0], w.BAD_INPUT)

    def test_a_secret_that_is_no_key_handle_is_not_handed_to_a_library(self):
        for with_pin, secret in ((0, b"\0\0\0\x20short"), (0, b""), (1, string(b"x" * 32) + b"1234"), (0, b"x" * 5000)):
            request = self.request(SIGN) + u32(1) + text("ssh:") + bytes([TOUCH, with_pin]) + string(b"data")
            self.assertEqual(self.answer(request, secret)[0], w.BAD_INPUT)

    def test_it_serves_nobody_but_the_process_that_started_it(self):
        self.assertEqual(self.run_it(self.request(worker=1), b""), (b"", 1))

    def test_without_its_pipes_it_says_so_and_ends(self):
        done = lab.run([PROGRAM])
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("can't give up descriptors", done.stderr)

    def test_a_worker_that_does_not_find_it_says_so(self):
        shutil.copy(WORKER, self.folder.path)
        with worker_of(self.folder.path, None) as one:
            one.greet()
            one.call(w.LOCATE, string(f"middleware:{AUTHENTICATOR}"))
            done = one.call(w.OPEN)[1]
            self.assertEqual(done.error, w.DEVICE_FAILED)
            self.assertIn("keystile-library-call can't be started", done.words)


if __name__ == "__main__":
    unittest.main()
