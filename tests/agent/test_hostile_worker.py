"""
Workers that were taken over. A script speaks in the place of the pkcs11 backend's worker, to an agent
that is a copy with another folder of workers written into it.
"""
import os
import pathlib
import shutil
import signal
import tempfile

import lab
import token_bed as bed
from lab import client
from lab.security_key import Instructed

PIN = "1234"
CONFIG = "operation-timeout = 2\n"

# What every puppet begins with. KEY and OTHER are blobs.
PUPPET = '''\
#!/usr/bin/python3 -I
import array, os, signal, socket, struct, sys, time
KEY, OTHER = bytes.fromhex("{key}"), bytes.fromhex("{other}")
LOCATE, OPEN, LIST, LOGIN, SIGN, RELEASE, CANCEL, PIN_ANSWER, TOUCH_ANSWER, QUIT = 2, 3, 4, 5, 6, 7, 9, 10, 11, 12
DONE, TOKEN, GONE, ASK_PIN, TOUCH, TOUCH_OVER, PRESENCE, PROGRESS, LOG, CONFINED = range(32, 42)
agent = socket.socket(fileno=3)
signal.alarm(300)

def u32(value):
    return struct.pack(">I", value & 0xffffffff)

def string(value):
    raw_value = value.encode() if isinstance(value, str) else value
    return u32(len(raw_value)) + raw_value

def raw(data):
    agent.sendall(data)

def send(number, operation=0, body=b""):
    raw(string(bytes([number]) + u32(operation) + body))

def read(length):
    data = b""
    while len(data) < length:
        piece = agent.recv(length - len(data))
        if not piece:
            sys.exit(0)
        data += piece
    return data

def receive():
    body = read(struct.unpack(">I", read(4))[0])
    return body[0], struct.unpack(">I", body[1:5])[0], body[5:]

def expect(number):
    while True:
        got = receive()
        if got[0] == number:
            return got

def hello(version=1, name="pkcs11", parallel=4, level=0):
    send(1, 0, u32(version) + string(name) + u32(parallel) + u32(level))

def done(operation, error=0, words="", result=b""):
    send(DONE, operation, u32(error) + string(words) + string(result))

def said(subject="s", issuer="CN=i", name="i", usages="1.2", before=b"\\0" * 8, after=b"\\0" * 8, key="01"):
    return (string(key) + bytes([1]) + string(subject) + string(issuer) + string(name) + string(usages)
            + before + after + u32(0))

def token(number=0, keys=(KEY,), label="puppet", flags=1, tries=-1, more=bytes(5)):
    texts = b"".join(string(text) for text in (label, "1", "model", "slot"))
    send(TOKEN, 0, u32(number) + texts + u32(flags) + u32(tries) + u32(len(keys))
         + b"".join(string(key) + string("a key") + u32(0) + more for key in keys))

def ask_pin(operation, number=0, retry=False):
    send(ASK_PIN, operation, u32(number) + u32(-1) + u32(0) + bytes([retry]))

def confined(operation):
    send(CONFINED, operation, u32(7) + bytes([1, 0]) + string(""))

def open_well(operation):
    confined(operation)
    done(operation)

def serve(sign=None, listing=token, opened=open_well):
    while True:
        number, operation, body = receive()
        if number == LOCATE:
            done(operation, result=b"/usr/lib/puppet.so")
        elif number == OPEN:
            opened(operation)
        elif number in (LIST, LOGIN):
            listing()
            done(operation)
        elif number == SIGN:
            sign(operation)
        elif number == QUIT:
            sys.exit(0)

def garbage_signature():
    return string("ssh-ed25519") + string(bytes(64))

'''


class Case(bed.Case):
    """An agent whose worker for paths is the script that does() sets; "fake:good" has a real one."""

    def setUp(self):
        # A short path, to fit where the real one stands in the program.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kw-", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        for name in ("keystile-prompt", "keystile-worker-fake"):
            (self.folder / name).symlink_to(lab.LIBEXEC / name)
        self.asked = self.askpass(PIN)
        self.start(askpass=self.asked, config=CONFIG, options=("-P", "/usr/lib*/*"), program=self.copy_of_agent())
        self.good = self.load("fake:good")[0]
        self.key, self.other = lab.HostKey(), lab.HostKey()

    def copy_of_agent(self):
        program = self.folder / "keystile-agent"
        old = str(lab.LIBEXEC).encode() + b"\0"
        new = str(self.folder).encode() + b"\0"
        code = lab.AGENT.read_bytes()
        self.assertEqual(code.count(old), 1)
        self.assertLessEqual(len(new), len(old))
        program.write_bytes(code.replace(old, new.ljust(len(old), b"\0")))
        program.chmod(0o700)
        return program

    def does(self, script):
        """What the next worker that is started does."""
        path = self.folder / "keystile-worker-pkcs11"
        fresh = path.with_suffix(".new")
        fresh.write_text(PUPPET.format(key=self.key.blob.hex(), other=self.other.blob.hex()) + script + "\n")
        fresh.chmod(0o700)
        os.replace(fresh, path)

    @staticmethod
    def program_of(process):
        try:
            return pathlib.Path(f"/proc/{process.pid}/cmdline").read_text()
        except OSError:
            return ""

    def unharmed(self, *keys):
        self.assertTrue(self.agent.alive(), self.agent.log()[-3000:])
        self.served(self.good)
        self.assertEqual(self.blobs(), [self.good, *keys])

    def is_not_loaded(self, script, *words):
        self.does(script)
        self.assertEqual(self.add("/usr/lib/puppet.so", PIN), client.FAILURE)
        self.refused_with("puppet.so", *words)
        self.unharmed()
        lab.wait_for("it is ended", lambda: len(self.agent.workers()) == 1)

    def is_loaded(self, script):
        self.does(script)
        self.assertEqual(self.add("/usr/lib/puppet.so", PIN), client.SUCCESS, self.agent.log()[-2000:])
        return next(one for one in self.agent.workers() if "pkcs11" in self.program_of(one))

    def signature_is_refused(self, sign, *words, one=None, data=b"data", killed=True):
        """sign is the body of a function of operation; the worker's life ends unless killed is False."""
        body = "\n".join("    " + line for line in sign.splitlines())
        process = self.is_loaded(f"hello()\ndef sign(operation):\n{body}\nserve(sign)")
        one = one or self.client()
        self.assertIsNone(one.sign(self.key.blob, data))
        self.refused_with(lab.keys.fingerprint_of(self.key.blob), *words)
        if killed:
            lab.wait_for("its life ends", lambda: not process.alive())
        else:
            self.assertTrue(process.alive())
        self.unharmed(self.key.blob)


class Greetings(Case):
    def test_a_worker_that_never_says_hello(self):
        self.is_not_loaded("time.sleep(300)", "in time")

    def test_a_worker_that_says_hello_and_no_more(self):
        self.is_not_loaded("hello()\ntime.sleep(300)", "in time")

    def test_a_worker_that_closes_its_socket_and_stays(self):
        self.is_not_loaded("agent.close()\ntime.sleep(300)", "signal 9")

    def test_a_worker_that_is_no_program(self):
        (self.folder / "keystile-worker-pkcs11").write_text("nonsense")
        (self.folder / "keystile-worker-pkcs11").chmod(0o700)
        self.assertEqual(self.add("/usr/lib/puppet.so", PIN), client.FAILURE)
        # Some versions of libuv have a shell try it, others see at once that it can't be run.
        self.refused_with("puppet.so")
        newest = self.agent.refusals()[0]
        self.assertTrue("it ended by itself" in newest or "no worker could be started" in newest, newest)
        self.unharmed()

    def test_a_worker_that_is_missing(self):
        self.assertEqual(self.add("/usr/lib/puppet.so", PIN), client.FAILURE)
        self.refused_with("puppet.so", "worker")
        self.unharmed()

    def test_a_hello_that_makes_no_sense(self):
        for script in ("hello(version=2)", "hello(version=0)", "hello(name='fake')", "hello(name='')",
                       "hello(parallel=0)", "hello(parallel=17)", "hello(parallel=0xffffffff)",
                       "hello(); hello()", "send(1, 7, u32(1) + string('pkcs11') + u32(1) + u32(0))",
                       "token(); hello()", "done(1)", "send(1)"):
            with self.subTest(script):
                self.is_not_loaded(f"{script}\nserve()", "no sense")


class Frames(Case):
    def test_frames_that_make_no_sense(self):
        for script in (
                "raw(u32(0))", "raw(u32(0xffffffff))", "raw(u32(512 * 1024 + 1))", "raw(bytes(70000))",
                "raw(string(b''))", "send(0)", "send(99)", "send(255)",
                "send(LOCATE, 1, u32(1) + string('x'))", "send(CANCEL, 1)", "send(QUIT)",
                "send(DONE, 1)", "send(DONE, 1, u32(0) + string('') + string('') + b'x')",
                "send(DONE, 1, u32(17) + string('') + string(''))", "send(DONE, 1, u32(0) + u32(0xffffffff))",
                "done(0)", "done(99)", "send(TOKEN)", "token(keys=(KEY,) * 4097)",
                "send(TOKEN, 0, u32(0) + string('a' + chr(0)) + string('') * 3 + u32(0) * 3)",
                "send(GONE)", "send(GONE, 0, u32(0) * 2)", "send(LOG)", "send(LOG, 0, u32(3))",
                "ask_pin(0)", "ask_pin(99)", "send(ASK_PIN, 1, u32(0) * 3 + bytes([2]))",
                "send(TOUCH, 99, u32(0))", "send(PRESENCE, 99, u32(1))", "send(PRESENCE, 1, u32(0xffffffff))",
                "send(TOUCH_OVER, 99)", "send(PROGRESS, 99, string('x'))"):
            with self.subTest(script):
                self.is_not_loaded(f"hello()\nexpect(LOCATE)\n{script}\nserve()", "no sense")

    def test_certificates_that_make_no_sense(self):
        """What a worker says of a certificate is text to be shown, in its bounds, or nothing at all."""
        for more in ("said(subject='a' * 256)", "said(subject='a\\n')", "said(subject='\\x1b[2J')",
                     "said(issuer='\\x7f')", "said(name='a' + chr(0))", "said(usages='clientAuth')",
                     "said(usages='1.2 ')", "said(usages='1' * 512)", "said(key='0G')", "said(key='AB')",
                     "said(key='0' * 129)", "said(before=b'\\xff' * 8)", "said(after=b'\\0\\0\\1' + bytes(5))",
                     "said()[:-1]", "said() + b'x'", "string('') + b'\\2'", "string('')", "b''"):
            with self.subTest(more):
                self.is_not_loaded(f"hello()\nserve(listing=lambda: token(more={more}))", "no sense")
        self.is_loaded("hello()\nserve(listing=lambda: token(more=said(subject='a' * 255, usages='1' * 511)))")

    def test_half_a_frame_and_silence(self):
        self.is_not_loaded("hello()\nexpect(LOCATE)\nraw(u32(1000) + b'x' * 500)\ntime.sleep(300)", "in time")

    def test_frames_that_come_byte_by_byte_are_taken(self):
        process = self.is_loaded("whole = raw\ndef raw(data):\n    for byte in data:\n        whole(bytes([byte]))\n"
                                 "hello()\nserve()")
        self.unharmed(self.key.blob)
        self.assertTrue(process.alive())

    def test_a_name_that_is_none(self):
        for name in ("b''", "b'x' * 5000", "b'/usr/lib/a' + bytes(1) + b'b'"):
            with self.subTest(name):
                self.is_not_loaded(f"hello()\nnumber = expect(LOCATE)[1]\ndone(number, result={name})\nserve()")

    def test_a_name_that_is_not_allowed(self):
        for name in ("/tmp/evil.so", "/etc/passwd", "relative.so", "fake:good", "/usr/lib/../../tmp/x.so"):
            with self.subTest(name):
                self.does(f"hello()\nnumber = expect(LOCATE)[1]\ndone(number, result=b{name!r})\nserve()")
                reply = self.add("/usr/lib/puppet.so", PIN)
                if name != "/usr/lib/../../tmp/x.so":  # the pattern is all that is asked of a worker's word
                    self.assertEqual(reply, client.FAILURE)
                self.assertIn(self.good, self.blobs())
                self.served(self.good)
                self.agent.run("ssh-add", "-D")
                self.assertEqual(self.load("fake:good"), [self.good])

    def test_a_flood_of_tokens(self):
        process = self.is_loaded("hello()\nserve(listing=lambda: [token(number) for number in range(1000)])")
        self.unharmed(self.key.blob)
        self.assertTrue(process.alive())
        provider = next(one for one in self.agent.status()["providers"] if "puppet" in one["name"])
        self.assertLessEqual(len(provider["tokens"]), 64)

    def test_a_worker_that_never_stops_talking(self):
        process = self.is_loaded("hello()\nserve(listing=lambda: (token(), os.fork() or flood()))\n"
                                 .replace("hello()", "def flood():\n    while True:\n        token()\n"
                                          "        send(LOG, 0, u32(3) + string('x' * 4000))\nhello()"))
        self.served(self.good, 20)
        self.agent.run("ssh-add", "-e", "/usr/lib/puppet.so")
        lab.wait_for("it is ended", lambda: not process.alive())
        for one in lab.place.descendants(1):
            if self.program_of(one).endswith(f"{self.folder}/keystile-worker-pkcs11\0"):
                os.kill(one.pid, signal.SIGKILL)
        self.unharmed()

    def test_keys_that_are_none(self):
        self.is_not_loaded("hello()\nserve(listing=lambda: token(keys=(b'', b'x', bytes(100), KEY[:-1], KEY + b'x')))",
                           "no key")

    def test_a_token_that_goes_and_was_never_there(self):
        process = self.is_loaded("hello()\nserve(listing=lambda: (token(), send(GONE, 0, u32(77))))")
        self.unharmed(self.key.blob)
        self.assertTrue(process.alive())

    def test_texts_of_a_token_do_not_drive_the_terminal(self):
        self.is_loaded("hello()\nserve(listing=lambda: token(label='\\x1b[2J\\n\\u202e evil'))")
        shown = self.agent.run(lab.CONTROL, "status").stdout
        self.assertNotIn("\x1b", shown)
        self.assertIn("evil", shown)
        self.unharmed(self.key.blob)


class Signatures(Case):
    def test_a_signature_by_another_key(self):
        self.signature_is_refused("done(operation, result=garbage_signature())", "was not made with the key")

    def test_no_signature_at_all(self):
        for result in ("b''", "b'x'", "bytes(400000)", "string('ssh-ed25519')"):
            with self.subTest(result):
                self.signature_is_refused(f"done(operation, result={result})", "was not made with the key")
                self.agent.run("ssh-add", "-e", "/usr/lib/puppet.so")

    def test_a_signature_for_a_request_that_was_answered_already(self):
        self.signature_is_refused("done(operation, error=1)\ndone(operation, error=1)", "refused")

    def test_errors_that_are_none(self):
        self.signature_is_refused("send(DONE, operation, u32(0x7fffffff) + string('') + string(''))", "no sense")

    def test_words_do_not_drive_the_terminal(self):
        self.signature_is_refused("done(operation, error=1, words='\\x1b[2J\\r\\nok: all is well')", killed=False)
        self.assertNotIn("\x1b", self.agent.log() + self.agent.run(lab.CONTROL, "status").stdout)

    def test_words_without_end(self):
        self.signature_is_refused("done(operation, error=1, words='x' * 400000)")

    def test_a_good_signature_after_all(self):
        """The key is not the puppet's to sign with, so the test signs for it and nothing is refused."""
        signature = self.key.sign(b"data").hex()
        process = self.is_loaded(f"hello()\nserve(lambda operation: "
                                 f"done(operation, result=bytes.fromhex('{signature}')))")
        self.assertIsNotNone(self.sign(self.key.blob))
        self.assertIsNone(self.sign(self.key.blob, b"other data"))
        lab.wait_for("its life ends", lambda: not process.alive())


class Presence(Case):
    """A remote request, whose signature needs a PIN that was given for it."""

    def setUp(self):
        super().setUp()
        self.data = lab.sshsig(b"x")
        self.signature = f"bytes.fromhex('{self.key.sign(self.data).hex()}')"
        self.one = self.remote_client()

    def remote_is_refused(self, sign, *words, **options):
        self.signature_is_refused(sign, *words, one=self.one, data=self.data, **options)

    def answer(self):
        return f"\ndone(operation, result={self.signature})"

    def test_a_signature_without_asking(self):
        self.remote_is_refused(self.answer().lstrip(), "without the touch or PIN")
        self.assertEqual(self.asked.prompts(), [])

    def test_a_pin_that_is_claimed(self):
        self.remote_is_refused("send(PRESENCE, operation, u32(2))" + self.answer(), "no sense")
        self.assertEqual(self.asked.prompts(), [])

    def test_a_touch_that_is_claimed(self):
        self.remote_is_refused("send(PRESENCE, operation, u32(1))" + self.answer(), "without the touch or PIN")

    def test_a_pin_pad_that_is_claimed(self):
        self.remote_is_refused("send(PRESENCE, operation, u32(4))" + self.answer(), "without the touch or PIN")
        self.assertEqual(self.asked.prompts(), [])

    def test_everything_that_can_be_claimed_at_once(self):
        self.remote_is_refused("send(TOUCH, operation, u32(0)); expect(TOUCH_ANSWER); send(TOUCH_OVER, operation)\n"
                               "send(PRESENCE, operation, u32(5))" + self.answer(), "without the touch or PIN")

    def test_a_presence_that_is_none(self):
        self.remote_is_refused("send(PRESENCE, operation, u32(8))" + self.answer(), "no sense")

    def signs_as_a_security_key(self, before=""):
        """The signature is right and says that there was a touch."""
        self.key = Instructed()
        return f"{before}\ndone(operation, result=bytes.fromhex('{self.key.sign(self.data).hex()}'))"

    def test_a_touch_that_nobody_was_told_of(self):
        self.remote_is_refused(self.signs_as_a_security_key(), "without the touch or PIN")
        self.assertEqual(self.asked.prompts(), [])

    def test_a_touch_that_somebody_was_told_of(self):
        body = self.signs_as_a_security_key("send(TOUCH, operation, u32(0)); expect(TOUCH_ANSWER)").replace("\n", "; ")
        self.is_loaded(f"hello()\ndef sign(operation):\n    {body}\nserve(sign)")
        signature = self.one.sign(self.key.blob, self.data)
        self.assertIsNotNone(signature, self.agent.log())
        lab.verify(self.key.blob, signature, self.data)
        self.assertIn("Touch the token", self.asked.prompts()[0])

    def test_touches_without_end(self):
        self.signature_is_refused("while True:\n    send(TOUCH, operation, u32(0))\n    expect(TOUCH_ANSWER)\n"
                                  "    send(TOUCH_OVER, operation)", "no sense")

    def test_a_touch_that_is_over_before_it_was_asked_for(self):
        self.remote_is_refused("send(TOUCH, operation, u32(0))\nsend(TOUCH_OVER, operation)" + self.answer(), "no sense")

    def test_a_pin_that_was_given_and_not_proven(self):
        self.remote_is_refused("ask_pin(operation)\nexpect(PIN_ANSWER)" + self.answer(), "without the touch or PIN")

    def test_a_pin_that_was_refused_and_claimed(self):
        self.asked.refuses()
        self.remote_is_refused(
            "ask_pin(operation)\nexpect(PIN_ANSWER)\nsend(PRESENCE, operation, u32(2))" + self.answer(), "no sense")

    def test_a_pin_for_a_token_that_does_not_hold_the_key(self):
        self.is_loaded("hello()\ndef sign(operation):\n    ask_pin(operation, 5)\n"
                       "    verdict = expect(PIN_ANSWER)[2]\n    done(operation, error=verdict[3])\n"
                       "serve(sign, listing=lambda: (token(), token(5, keys=(OTHER,), label='other')))")
        self.assertIsNone(self.one.sign(self.key.blob, self.data))
        self.assertEqual(self.asked.prompts(), [])
        self.unharmed(self.key.blob, self.other.blob)

    def test_a_pin_is_never_asked_in_the_name_of_another_provider(self):
        """The token goes while it signs; another provider has the key too, and a token of that number."""
        self.is_loaded("hello()\ndef sign(operation):\n    send(GONE, 0, u32(0))\n    ask_pin(operation, 0)\n"
                       "    verdict = expect(PIN_ANSWER)[2]\n    done(operation, error=verdict[3])\nserve(sign)")
        self.assertEqual(self.add(f"fake:reserve,pin=always,claim=0x{self.key.blob.hex()}"), client.SUCCESS)
        self.assertIsNone(self.one.sign(self.key.blob, self.data))
        self.assertEqual(self.asked.prompts(), [])
        self.unharmed(self.key.blob)

    def asked_after_a_moment(self, number):
        """How often the person is, for a token that goes and comes back under that number before it wants its PIN."""
        self.is_loaded(f"hello()\ndef sign(operation):\n    send(GONE, 0, u32(0))\n    token({number})\n"
                       f"    ask_pin(operation, {number})\n    expect(PIN_ANSWER)\n    done(operation, error=1)\nserve(sign)")
        self.assertIsNone(self.one.sign(self.key.blob, self.data))
        self.unharmed(self.key.blob)
        return len(self.asked.prompts())

    def test_a_token_that_was_out_for_a_moment_asks_for_its_pin(self):
        self.assertEqual(self.asked_after_a_moment(0), 1)

    def test_another_token_that_came_in_its_place_does_not(self):
        self.assertEqual(self.asked_after_a_moment(7), 0)

    def test_two_prompts_at_once(self):
        self.asked.hangs()
        self.remote_is_refused("ask_pin(operation)\nask_pin(operation)\nexpect(PIN_ANSWER)", "no sense")
        lab.wait_for("the prompt is withdrawn", lambda: not self.asked.processes())

    def test_prompts_without_end(self):
        self.remote_is_refused("while True:\n    ask_pin(operation, retry=True)\n    expect(PIN_ANSWER)", "no sense")
        self.assertLess(len(self.asked.prompts()), 10)

    def test_a_prompt_for_a_request_that_is_over(self):
        self.remote_is_refused("done(operation, error=1)\nask_pin(operation)", "refused")
        self.assertEqual(self.asked.prompts(), [])

    def test_a_prompt_while_a_provider_is_opened(self):
        self.is_not_loaded("hello()\ndef opened(operation):\n    ask_pin(operation)\n    "
                           "verdict = expect(PIN_ANSWER)[2]\n    done(operation, error=verdict[3])\n"
                           "serve(opened=opened)")
        self.assertEqual(self.asked.prompts(), [])

    def test_a_presence_of_one_request_does_not_serve_another(self):
        self.is_loaded("hello()\nopen_ones = []\ndef sign(operation):\n"
                       "    open_ones.append(operation)\n"
                       "    if len(open_ones) < 2:\n        return\n"
                       "    first, second = open_ones\n"
                       "    ask_pin(first)\n    expect(PIN_ANSWER)\n    send(PRESENCE, first, u32(2))\n"
                       f"    done(second, result={self.signature})\n    time.sleep(300)\nserve(sign)")
        clients = [self.one, self.remote_client()]
        for one in clients:
            one.send(client.SIGN, one.sign_request(self.key.blob, self.data))
        self.assertEqual([one.receive()[0] for one in clients], [client.FAILURE] * 2)
        self.unharmed(self.key.blob)
