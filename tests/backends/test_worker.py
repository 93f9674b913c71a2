"""
The worker program, with the fake backend in it: what it gives up at its start, the rules of
the frames, cancels and questions, and its end. The test stands where the agent would.
"""
import os
import pathlib
import select
import shutil
import signal
import socket
import struct
import sys
import tempfile
import unittest

import lab
from lab import worker as w
from lab.keys import string, u32
from lab.worker import Worker

PROGRAM = lab.LIBEXEC / "keystile-worker-fake"
SANITIZED = any(name in PROGRAM.read_bytes() for name in (b"__asan_init", b"__tsan_init"))
WRAPPED = "KEYSTILE_WORKER_WRAPPER" in os.environ
ROOT = os.geteuid() == 0
NOBODY = 65534
# A deadline that comes while a question waits for its answer, not before it was put.
ENOUGH_TO_ASK_MS = 1500


def status(pid):
    """/proc/PID/status as a dictionary."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def limits(pid):
    """Soft and hard limits of /proc/PID/limits."""
    lines = pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]
    return {line[:26].strip(): tuple(line[26:].split()[:2]) for line in lines}


class Start(unittest.TestCase):
    """What was given up before a byte was read shows once it says hello."""

    def greeted(self):
        worker = Worker()
        self.addCleanup(worker.stop)
        worker.greet()
        return worker

    def test_it_says_hello_first_with_version_name_and_how_much_runs_in_parallel(self):
        with Worker() as worker:
            self.assertEqual(worker.expect(w.HELLO, 0), (1, b"fake", 2, 0))

    def test_it_can_get_no_new_privileges(self):
        self.assertEqual(status(self.greeted().pid)["NoNewPrivs"], "1")

    def test_it_creates_files_that_nobody_else_can_read(self):
        self.assertEqual(status(self.greeted().pid)["Umask"], "0077")

    def test_it_leaves_no_core_and_has_few_descriptors(self):
        found = limits(self.greeted().pid)
        self.assertEqual(found["Max core file size"], ("0", "0"))
        self.assertEqual(found["Max open files"], ("256", "256"))

    @unittest.skipIf(SANITIZED, "a sanitizer needs the whole address space")
    def test_its_address_space_is_limited(self):
        soft, hard = limits(self.greeted().pid)["Max address space"]
        self.assertEqual(soft, hard)
        self.assertLessEqual(int(hard), 4 << 30)

    def test_signals_are_as_if_nobody_had_touched_them_but_for_two_and_those_of_crashes(self):
        worker = self.greeted()
        own = ~(3 << 31)  # 32 and 33 are the C library's
        # While a thread is being started everything is blocked.
        lab.wait_for("nothing is blocked", lambda: int(status(worker.pid)["SigBlk"], 16) == 0)
        found = status(worker.pid)
        self.assertEqual(int(found["SigIgn"], 16) & own,
                         1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1))
        if not WRAPPED and not SANITIZED:
            crashes = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGTRAP, signal.SIGILL)
            self.assertEqual(int(found["SigCgt"], 16) & own, sum(1 << (one - 1) for one in crashes))

    def test_it_leaves_the_terminal(self):
        worker = self.greeted()
        self.assertEqual(os.getsid(worker.pid), worker.pid)

    @unittest.skipIf(WRAPPED, "the wrapper has descriptors of its own")
    @unittest.skipIf(os.getuid() != 0, "a worker's descriptors can be seen by root alone")
    def test_it_keeps_no_descriptor_but_its_socket_and_what_waits_for_it(self):
        stray = os.open("/dev/null", os.O_RDONLY)
        os.set_inheritable(stray, True)
        self.addCleanup(os.close, stray)
        worker = self.greeted()
        kept = {number: os.readlink(f"/proc/{worker.pid}/fd/{number}")
                for number in os.listdir(f"/proc/{worker.pid}/fd")}
        self.assertEqual(sorted(kept), ["0", "1", "2", "3", "4", "5"])
        self.assertEqual(kept["4"], f"/proc/{worker.pid}/mem")  # for the agent, before foreign code runs
        self.assertEqual(kept["5"], "anon_inode:[eventpoll]")
        worker.open("fake:demo")
        self.assertNotIn(f"/proc/{worker.pid}/mem", [os.readlink(f"/proc/{worker.pid}/fd/{number}")
                                                     for number in os.listdir(f"/proc/{worker.pid}/fd")])

    @unittest.skipIf(SANITIZED, "LeakSanitizer traces its own process")
    def test_its_memory_can_not_be_dumped(self):
        wrapper = ["setpriv", f"--reuid={NOBODY}", "--clear-groups"] if ROOT else None
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            copy = self.copy_into(folder)
            worker = self.spawn_copy(copy, wrapper)
            worker.greet()
            # The files of a process that can't be dumped belong to root.
            self.assertEqual(os.stat(f"/proc/{worker.pid}/environ").st_uid, 0)

    @unittest.skipUnless(ROOT, "only root can make a file that is set-id for somebody else")
    def test_a_start_with_lent_privileges_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            copy = self.copy_into(folder)
            os.chmod(copy, 0o4755)
            worker = self.spawn_copy(copy, ["setpriv", f"--reuid={NOBODY}", "--clear-groups"])
            self.assertEqual(worker.ended(), 2)
            self.assertIn("set-id", worker.stderr())

    def copy_into(self, folder):
        copy = pathlib.Path(folder) / "keystile-worker-copy"
        shutil.copy(PROGRAM, copy)
        return copy

    def spawn_copy(self, copy, wrapper):
        libexec, lab.place.LIBEXEC = lab.place.LIBEXEC, copy.parent
        try:
            worker = Worker(program="copy", wrapper=wrapper)
        finally:
            lab.place.LIBEXEC = libexec
        self.addCleanup(worker.stop)
        return worker

    def test_without_the_agents_socket_it_says_so_and_ends(self):
        with open("/dev/null", "rb") as null:
            worker = Worker(third=null.fileno())
            self.assertEqual(worker.stop(), 2)
            self.assertIn("the agent's socket", worker.stderr())

    def test_it_ends_where_the_agent_was_gone_before_it_started(self):
        ours, theirs = socket.socketpair()
        ours.close()
        worker = Worker(third=theirs.fileno())
        theirs.close()
        self.assertEqual(worker.stop(), 2)

    def test_it_dies_with_the_agent_even_while_its_socket_is_kept_open(self):
        worker_pid, keep = self.child_of_a_dead_process()
        lab.wait_for("the worker dies", lambda: not alive(worker_pid))
        keep.close()

    def child_of_a_dead_process(self):
        reading, writing = os.pipe()
        keep, kept = socket.socketpair()
        parent = os.fork()
        if parent == 0:
            worker = Worker("fake:demo")
            keep.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                   struct.pack("i", worker.socket.fileno()))])
            os.write(writing, struct.pack("i", worker.pid))
            os._exit(0)
        os.waitpid(parent, 0)
        os.close(writing)
        pid = struct.unpack("i", os.read(reading, 4))[0]
        os.close(reading)
        keep.close()
        return pid, kept  # the descriptor of the agent's end waits in kept


def alive(pid):
    try:
        return lab.place.Process(pid).alive()
    except (FileNotFoundError, ProcessLookupError):
        return False


class Rules(unittest.TestCase):
    """What the agent must not say ends the worker with 1, and its last line says why."""

    def assertEnds(self, worker, words):
        self.assertEqual(worker.ended(), 1)
        self.assertIn(words, worker.log[-1])

    def test_the_agent_has_to_begin_with_hello(self):
        with Worker() as worker:
            worker.send(w.QUIT)
            self.assertEqual(worker.ended(), 1)

    def test_an_agent_of_another_version_is_refused(self):
        with Worker() as worker:
            worker.greet(version=2)
            self.assertEnds(worker, "another version")

    def test_frames_that_are_malformed_or_not_the_agents_to_send(self):
        cases = {
            "hello again": w.frame(w.HELLO, 0, u32(1) + string("") + u32(0) + u32(3)),
            "of the worker": w.frame(w.DONE, 1, u32(0) + string("") + string("")),
            "unknown": w.frame(200, 1),
            "type 0": w.frame(0, 1),
            "left over": w.frame(w.LIST, 9, u32(1000) + b"x"),
            "cut short": w.frame(w.LIST, 9, b"\0\0"),
            "no operation": w.frame(w.LIST, 0, u32(1000)),
            "a length of 0": u32(0),
            "shorter than its head": u32(4) + b"abcd",
            "too long": u32(w.FRAME_MAX + 1),
            "far too long": b"\xff\xff\xff\xff",
            "an unknown algorithm": w.frame(
                w.SIGN, 9, u32(1000) + u32(0) + u32(99) + u32(0) + b"\0" + string("x") + string("x")),
            "a string beyond the end": w.frame(w.ADMINISTER, 9, u32(1000) + u32(5000) + b"{}"),
        }
        for name, data in cases.items():
            with self.subTest(name), Worker("fake:demo") as worker:
                worker.raw(data)
                self.assertEnds(worker, "the agent sent")

    def test_each_step_of_a_provider_is_taken_once_and_in_order(self):
        locate, plain = string("fake:demo"), b""
        cases = {
            "list before open": [(w.LOCATE, locate), (w.LIST, plain)],
            "open before locate": [(w.OPEN, plain)],
            "locate twice": [(w.LOCATE, locate), (w.LOCATE, locate)],
            "open twice": [(w.LOCATE, locate), (w.OPEN, plain), (w.OPEN, plain)],
            "open after a bad name": [(w.LOCATE, string("fake:")), (w.OPEN, plain)],
            "list after a failed open": [(w.LOCATE, string("fake:demo,open=fail")),
                                         (w.OPEN, plain), (w.LIST, plain)],
        }
        for name, steps in cases.items():
            with self.subTest(name), Worker() as worker:
                worker.greet()
                for number, body in steps[:-1]:
                    worker.call(number, body)
                worker.begin(*steps[-1])
                self.assertEqual(worker.ended(), 1)

    def test_more_operations_than_run_in_parallel(self):
        with Worker("fake:demo,sign=stuck") as worker:
            key = worker.key()
            for _ in range(3):
                worker.begin_sign(key)
            self.assertEnds(worker, "more operations")

    def test_two_operations_of_the_same_id(self):
        with Worker("fake:demo,sign=stuck") as worker:
            body = u32(60000) + u32(0) * 3 + b"\0" + string(worker.key()) + string("data")
            for _ in range(2):
                worker.send(w.SIGN, 77, body)
            self.assertEnds(worker, "the same id")

    def test_an_answer_that_nobody_asked_for(self):
        for number in (w.PIN_ANSWER, w.TOUCH_ANSWER):
            with self.subTest(number), Worker("fake:demo,sign=stuck") as worker:
                operation = worker.begin_sign(worker.key())
                worker.send(number, operation, u32(w.REFUSED))
                self.assertEnds(worker, "what was not asked")

    def test_an_answer_for_an_operation_that_never_was(self):
        for number, body in ((w.PIN_ANSWER, u32(w.REFUSED)), (w.TOUCH_ANSWER, u32(w.OK))):
            with self.subTest(number), Worker("fake:demo") as worker:
                worker.send(number, 12345, body)
                self.assertEnds(worker, "never began")

    def test_a_cancel_may_come_at_any_time(self):
        with Worker("fake:demo") as worker:
            worker.send(w.CANCEL, 12345, b"")
            worker.sign(worker.key())

    def test_a_descriptor_that_lacks_or_that_no_frame_takes(self):
        with self.subTest("lacks"), Worker("fake:demo") as worker:
            worker.begin(w.LOGIN)
            self.assertEnds(worker, "malformed")
        with self.subTest("belongs to no frame"), Worker("fake:demo") as worker:
            worker.begin(w.LIST, fds=[w.pipe_with(b"1234")])
            self.assertEnds(worker, "malformed")
        for count in (2, 17):
            with self.subTest(count), Worker("fake:demo") as worker:
                worker.begin(w.LOGIN, fds=[w.pipe_with(b"1234") for _ in range(count)])
                self.assertEnds(worker, "malformed")
        with self.subTest("a second one in the middle"), Worker("fake:demo") as worker:
            login = w.frame(w.LOGIN, 9, u32(30000))
            worker.raw(login[:6], fds=[w.pipe_with(b"1234")])
            worker.raw(login[6:], fds=[w.pipe_with(b"1234")])
            self.assertEnds(worker, "malformed")

    def test_half_a_frame_and_the_end(self):
        with Worker("fake:demo") as worker:
            worker.raw(w.frame(w.LIST, 9, u32(1000))[:-1])
            self.assertEqual(worker.stop(), 0)


class Frames(unittest.TestCase):
    """Frames arrive whole in whatever portions they were sent."""

    def test_a_frame_that_comes_byte_by_byte(self):
        with Worker("fake:demo") as worker:
            for byte in w.frame(w.LIST, 9, u32(30000)):
                worker.raw(bytes([byte]))
            self.assertEqual(worker.finish(9)[1].error, w.OK)

    def test_frames_that_come_in_one_piece_are_all_answered(self):
        with Worker("fake:demo") as worker:
            key = worker.key()
            body = u32(30000) + u32(0) * 3 + b"\0" + string(key)
            worker.raw(b"".join(w.frame(w.SIGN, 100 + i, body + string(str(i))) for i in range(2)))
            done = {one.operation: one.body for one in (worker.receive(), worker.receive())}
            for i in range(2):
                lab.verify(key, done[100 + i].result, str(i).encode())

    def test_the_largest_frame_is_taken_and_small_ones_after_it(self):
        with Worker("fake:demo") as worker:
            key = worker.key()
            room = w.FRAME_MAX - len(w.frame(w.SIGN, 1, u32(0) * 4 + b"\0" + string(key) + string(""))) + 4
            for data in (b"x" * room, b"small"):
                _, done = worker.sign(key, data=data)
                lab.verify(key, done.result, data)

    def test_a_descriptor_is_kept_until_its_frame_is_whole(self):
        with Worker("fake:demo,pin=once") as worker:
            login = w.frame(w.LOGIN, 9, u32(30000))
            worker.raw(login[:3], fds=[w.pipe_with(b"1234")])
            worker.raw(login[3:])
            self.assertEqual(worker.finish(9)[1].error, w.OK)

    def test_two_logins_in_one_go_keep_their_own_descriptors(self):
        with Worker("fake:demo,pin=once") as worker:
            for number, pin in ((8, b"1234"), (9, b"wrong")):
                worker.raw(w.frame(w.LOGIN, number, u32(30000)), fds=[w.pipe_with(pin)])
            done = {}
            while len(done) < 2:
                got = worker.receive()
                if got.type == w.DONE:
                    done[got.operation] = got.body.error
            self.assertEqual(done, {8: w.OK, 9: w.PIN_WRONG})

    def test_what_a_backend_does_not_offer_is_unsupported(self):
        with Worker("fake:demo") as worker:
            self.assertEqual(worker.call(w.ADMINISTER, string("{}") + b"\0")[1].error, w.UNSUPPORTED)
            for done in (worker.call(w.ADD, fds=[w.pipe_with(b"key")])[1], worker.call(w.REMOVE, string("key"))[1]):
                self.assertEqual((done.error, done.words), (w.UNSUPPORTED, "it takes no keys"))

    def test_a_name_that_may_not_be_opened_is_refused_with_words(self):
        for provider in ("fake:", "other:demo", "fake:demo,keys=5001", "fake:demo,keys=1,keys=2",
                         "fake:demo,touch=maybe", "fake:demo,unknown=1", "fake:demo,", "/lib/x.so"):
            with self.subTest(provider), Worker() as worker:
                worker.greet()
                done = worker.call(w.LOCATE, string(provider))[1]
                self.assertEqual(done.error, w.BAD_INPUT)
                self.assertTrue(done.words)
                self.assertEqual(done.result, b"")


class Waiting(unittest.TestCase):
    """Cancels, deadlines and the one thread that is always left to hear of them."""

    def test_two_operations_wait_and_each_is_cancelled_alone(self):
        with Worker("fake:demo,sign=stuck") as worker:
            key = worker.key()
            first, second = worker.begin_sign(key), worker.begin_sign(key)
            for one in (second, first):
                worker.send(w.CANCEL, one)
                self.assertEqual(worker.expect(w.DONE, one).error, w.CANCELLED)

    def test_an_operation_is_done_while_another_waits(self):
        with Worker("fake:demo,touch=wait,keys=1") as worker:
            waiting = worker.begin_sign(worker.key())
            worker.expect(w.TOUCH_AWAITED, waiting)
            for _ in range(50):
                worker.tokens()
            worker.send(w.CANCEL, waiting)
            self.assertEqual(worker.finish(waiting)[1].error, w.CANCELLED)

    def test_what_comes_after_the_deadline_is_a_time_out(self):
        with Worker("fake:demo,sign=stuck") as worker:
            self.assertEqual(worker.sign(worker.key(), timeout_ms=20)[1].error, w.TIMEOUT)

    def test_a_question_that_is_not_answered_ends_with_the_deadline(self):
        for option, question in (("pin=once", w.ASK_PIN), ("touch=given", w.TOUCH_AWAITED)):
            with self.subTest(option), Worker(f"fake:demo,{option}") as worker:
                frames, done = worker.sign(worker.key(), timeout_ms=ENOUGH_TO_ASK_MS)
                self.assertEqual([one.type for one in frames], [question])
                self.assertEqual(done.error, w.TIMEOUT)

    @unittest.skipIf(os.getuid() != 0, "a worker's descriptors can be seen by root alone")
    def test_an_answer_that_comes_too_late_is_dropped_with_its_pin(self):
        with Worker("fake:demo,pin=once") as worker:
            key = worker.key()
            operation = worker.begin_sign(key, timeout_ms=ENOUGH_TO_ASK_MS)
            self.assertEqual(worker.finish(operation)[1].error, w.TIMEOUT)
            before = len(os.listdir(f"/proc/{worker.pid}/fd"))
            worker.give_pin(operation, b"1234")
            worker.send(w.CANCEL, operation)
            self.assertFalse(worker.tokens()[0].flags & w.LOGGED_IN)
            self.assertEqual(len(os.listdir(f"/proc/{worker.pid}/fd")), before)

    def test_a_cancelled_question_may_still_be_answered(self):
        with Worker("fake:demo,pin=once") as worker:
            key = worker.key()
            for _ in range(20):  # the answer comes before the end, or after it
                operation = worker.begin_sign(key)
                worker.expect(w.ASK_PIN, operation)
                worker.send(w.CANCEL, operation)
                worker.give_pin(operation, b"1234")
                self.assertIn(worker.finish(operation)[1].error, (w.CANCELLED, w.OK))
                worker.call(w.RELEASE, u32(0))

    def test_a_cancel_reaches_a_worker_whose_threads_all_wait_for_answers(self):
        with Worker("fake:demo,pin=always") as worker:
            key = worker.key()
            both = [worker.begin_sign(key), worker.begin_sign(key)]
            for _ in both:
                worker.expect(w.ASK_PIN)
            for one in both:
                worker.send(w.CANCEL, one)
            ended = {worker.receive()[:2] for _ in both}
            self.assertEqual(ended, {(w.DONE, one) for one in both})


class Pins(unittest.TestCase):
    """A PIN comes in a pipe, counts for one request, and the last try is not spent."""

    def asked(self, worker, key, **options):
        operation = worker.begin_sign(key, **options)
        return operation, worker.expect(w.ASK_PIN, operation)

    def test_the_right_pin_signs_and_is_told_as_presence(self):
        with Worker("fake:demo,pin=once") as worker:
            key = worker.key()
            operation, question = self.asked(worker, key)
            self.assertEqual(question, (0, 3, w.NEEDS_LOGIN, False))
            worker.give_pin(operation, b"1234")
            frames, done = worker.finish(operation)
            self.assertEqual([one.body for one in frames if one.type == w.PRESENCE], [w.PIN])
            lab.verify(key, done.result, b"data")
            self.assertTrue(worker.tokens()[0].flags & w.LOGGED_IN)

    def test_an_open_login_serves_until_it_is_released(self):
        with Worker("fake:demo,pin=once") as worker:
            key = worker.key()
            operation, _ = self.asked(worker, key)
            worker.give_pin(operation, b"1234")
            worker.finish(operation)
            frames, done = worker.sign(key)
            self.assertEqual((frames, done.error), ([], w.OK))
            worker.call(w.RELEASE, u32(0))
            self.assertEqual(self.asked(worker, key)[1].retry, False)

    def test_a_demand_is_not_met_by_an_open_login_and_leaves_none(self):
        with Worker("fake:demo,pin=once") as worker:
            key = worker.key()
            worker.call(w.LOGIN, fds=[w.pipe_with(b"1234")])
            operation, question = self.asked(worker, key, demand=w.PIN)
            self.assertTrue(question.flags & w.LOGGED_IN)
            worker.give_pin(operation, b"1234")
            frames, done = worker.finish(operation)
            self.assertEqual(done.error, w.OK)
            self.assertIn((w.PRESENCE, operation, w.PIN), frames)
            self.assertFalse(worker.tokens()[0].flags & w.LOGGED_IN)

    def test_a_demand_that_the_token_can_not_meet_is_refused(self):
        with Worker("fake:demo") as worker:
            for demand in (w.PIN, w.TOUCH, w.PIN | w.TOUCH):
                frames, done = worker.sign(worker.key(), demand=demand)
                self.assertEqual((frames, done.error), ([], w.UNSUPPORTED))

    def test_wrong_pins_take_tries_and_the_last_one_is_kept(self):
        with Worker("fake:demo,pin=once") as worker:
            key = worker.key()
            for tries, retry in ((3, False), (2, True)):
                operation, question = self.asked(worker, key)
                self.assertEqual((question.tries, question.retry), (tries, retry))
                worker.give_pin(operation, b"0000")
                frames, done = worker.finish(operation)
                self.assertEqual(done.error, w.PIN_WRONG)
                self.assertNotIn(w.PRESENCE, [one.type for one in frames])
            self.assertEqual(worker.sign(key), ([], (w.PIN_LAST_TRY, "", b"")))
            self.assertEqual(worker.call(w.LOGIN, fds=[w.pipe_with(b"1234")])[1].error,
                             w.PIN_LAST_TRY)
            self.assertTrue(worker.tokens()[0].flags & w.LAST_TRY)

    def test_a_token_that_lets_its_last_try_be_spent_is_blocked(self):
        with Worker("fake:demo,pin=once,tries=1,last-try=spent") as worker:
            key = worker.key()
            operation, _ = self.asked(worker, key)
            worker.give_pin(operation, b"0000")
            self.assertEqual(worker.finish(operation)[1].error, w.PIN_WRONG)
            self.assertEqual(worker.sign(key)[1].error, w.PIN_BLOCKED)
            self.assertTrue(worker.tokens()[0].flags & w.BLOCKED)

    def test_every_no_of_the_agent_reaches_the_end_of_the_operation(self):
        with Worker("fake:demo,pin=once") as worker:
            key = worker.key()
            for verdict in (w.REFUSED, w.PIN_NEEDED, w.PIN_LAST_TRY, w.BUSY):
                operation, _ = self.asked(worker, key)
                worker.send(w.PIN_ANSWER, operation, u32(verdict))
                self.assertEqual(worker.finish(operation)[1].error, verdict)

    def test_bytes_that_are_no_pin_never_reach_the_token(self):
        with Worker("fake:demo,pin=once") as worker:
            key = worker.key()
            for bad in (b"", b"x" * 256, b"12\x0034", b"x" * 4096):
                operation, _ = self.asked(worker, key)
                worker.give_pin(operation, bad)
                frames, done = worker.finish(operation)
                self.assertEqual((frames, done.error), ([], w.BAD_INPUT))
                self.assertEqual(worker.call(w.LOGIN, fds=[w.pipe_with(bad)])[1].error,
                                 w.BAD_INPUT)
            self.assertEqual(worker.tokens()[0].tries, 3)

    def test_the_longest_pin_is_handed_on(self):
        with Worker("fake:demo,pin=once") as worker:
            operation, _ = self.asked(worker, worker.key())
            worker.give_pin(operation, b"x" * 255)
            self.assertEqual(worker.finish(operation)[1].error, w.PIN_WRONG)

    def test_a_pin_given_ahead_logs_in_where_there_is_one_token(self):
        for tokens, logged_in in ((1, w.LOGGED_IN), (2, 0)):
            with self.subTest(tokens), Worker(f"fake:demo,pin=once,tokens={tokens}") as worker:
                frames, done = worker.call(w.LOGIN, fds=[w.pipe_with(b"1234")])
                self.assertEqual(done.error, w.OK)
                self.assertEqual([one.body.flags & w.LOGGED_IN for one in frames],
                                 [logged_in] * tokens)


class Touches(unittest.TestCase):
    def test_a_touch_is_announced_answered_and_told(self):
        with Worker("fake:demo,touch=given") as worker:
            key = worker.key()
            operation = worker.begin_sign(key, demand=w.TOUCH | w.PIN)
            self.assertEqual(worker.expect(w.TOUCH_AWAITED, operation), 0)
            worker.send(w.TOUCH_ANSWER, operation, u32(w.OK))
            worker.expect(w.TOUCH_OVER, operation)
            self.assertEqual(worker.expect(w.PRESENCE, operation), w.TOUCH)
            lab.verify(key, worker.expect(w.DONE, operation).result, b"data")

    def test_a_touch_that_may_not_be_asked_for_refuses(self):
        with Worker("fake:demo,touch=given") as worker:
            operation = worker.begin_sign(worker.key())
            worker.expect(w.TOUCH_AWAITED, operation)
            worker.send(w.TOUCH_ANSWER, operation, u32(w.REFUSED))
            self.assertEqual(worker.finish(operation), ([], (w.REFUSED, "", b"")))

    def test_a_touch_that_never_comes_waits_for_the_cancel(self):
        with Worker("fake:demo,touch=wait") as worker:
            operation = worker.begin_sign(worker.key())
            worker.expect(w.TOUCH_AWAITED, operation)
            worker.send(w.TOUCH_ANSWER, operation, u32(w.OK))
            self.assertFalse(select.select([worker.socket], [], [], 0.1)[0])
            worker.send(w.CANCEL, operation)
            frames, done = worker.finish(operation)
            self.assertEqual([one.type for one in frames], [w.TOUCH_OVER])
            self.assertEqual(done.error, w.CANCELLED)


class End(unittest.TestCase):
    def test_it_ends_with_0_when_it_is_told_to_quit(self):
        with Worker("fake:demo,keys=3") as worker:
            worker.send(w.QUIT)
            self.assertEqual(worker.ended(), 0)

    def test_an_operation_that_heeds_the_cancel_is_ended_with_the_agent(self):
        with Worker("fake:demo,sign=stuck") as worker:
            worker.begin_sign(worker.key())

    def test_an_operation_that_hangs_does_not_keep_it(self):
        with Worker("fake:demo,sign=hang") as worker:
            worker.begin_sign(worker.key())

    def test_it_ends_while_the_agent_leaves_a_question_open(self):
        with Worker("fake:demo,pin=once") as worker:
            worker.expect(w.ASK_PIN, worker.begin_sign(worker.key()))

    def test_a_backend_that_hangs_in_its_end_is_ended(self):
        with Worker("fake:demo,close=hang") as worker:
            worker.tokens()
            worker.send(w.QUIT)
            self.assertEqual(worker.ended(), -signal.SIGALRM)

    def test_a_backend_that_hangs_before_it_is_open_is_ended(self):
        with self.subTest("locate"), Worker() as worker:
            worker.greet()
            worker.begin(w.LOCATE, string("fake:demo,locate=hang"), timeout_ms=1000)
            self.assertEqual(worker.ended(), -signal.SIGALRM)
        with self.subTest("open"), Worker() as worker:
            worker.greet()
            worker.call(w.LOCATE, string("fake:demo,open=hang"))
            worker.begin(w.OPEN)


if __name__ == "__main__":
    sys.exit(unittest.main())
