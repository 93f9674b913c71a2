"""Security keys: added by ssh-add, found again, touched; what is asked of a token for a signature, and no more."""
import os
import unittest

import fido2_bed
import lab
from fido2_bed import TOUCH
from lab import client as c, keys
from lab.keys import string


SANITIZED = "asan" in lab.run(["ldd", lab.LIBEXEC / "keystile-fido2-token"]).stdout


class Keys(fido2_bed.Case):
    def test_both_kinds_are_added_listed_and_sign(self):
        for kind in ("ed25519-sk", "ecdsa-sk"):
            with self.subTest(kind):
                key = self.gives(kind)
                self.assertIn(key.blob, self.blobs())
                self.assertEqual(self.signs(key), TOUCH)
        self.assertEqual(len(self.blobs()), 2)

    def test_certificates_of_both_sign(self):
        for kind in ("ed25519-sk", "ecdsa-sk"):
            with self.subTest(kind):
                key = self.made(kind)
                certificate = key.certify(self.bed.folder)
                self.added(key)
                self.assertIn(certificate, self.blobs())
                self.signs(key, blob=certificate)

    def test_a_key_that_is_removed_is_gone(self):
        first, second = self.gives(), self.gives("ecdsa-sk")
        self.assertEqual(self.agent.run("ssh-add", "-q", "-d", str(first.path)).returncode, 0)
        self.assertEqual(self.blobs(), [second.blob])
        self.signs(second)

    def test_resident_keys_come_by_ssh_add_k(self):
        self.token.pin(fido2_bed.PIN)
        key = self.made(options=("resident",))
        done = self.agent.run("ssh-add", "-K", env={**self.bed.env, **self.asks.env})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.blobs(), [key.blob])
        self.assertEqual(self.signs(key), TOUCH)

    def test_ssh_logs_in_with_one(self):
        key = self.gives()
        with lab.Sshd() as host:
            host.allow(keys.line_of(key.blob))
            done = self.agent.run(*host.ssh("lab", "echo", "I am in"))
            self.assertEqual((done.stdout, done.returncode), ("I am in\n", 0), done.stderr)

    def test_a_token_of_before_ctap2_signs(self):
        self.token.set("ctap2", "off")
        self.token.pull()
        self.back()
        key = self.gives("ecdsa-sk")
        self.assertEqual(self.signs(key), TOUCH)

    def test_handles_that_no_token_makes_are_refused(self):
        key = self.made()
        for length in (0, 3000, 64000):
            with self.subTest(length), lab.AgentClient(self.agent) as one:
                body = key.blob + bytes([TOUCH]) + string(b"h" * length) + string("") + string("a key")
                self.assertEqual(one.call(c.ADD, body)[0], c.FAILURE)
        self.assertEqual(self.blobs(), [])


class Presence(fido2_bed.Case):
    def test_a_key_without_touch_signs_without_one_here_and_with_one_from_afar(self):
        key = self.gives(options=("no-touch-required",))
        self.assertEqual(self.signs(key), 0)
        one, login = self.asks_from_afar(key)
        self.assertEqual(self.signs(key, one, login), TOUCH)

    def test_a_token_that_signs_without_the_touch_is_not_believed(self):
        key = self.gives()
        self.token.fault("no-touch", 1, "get_assertion")
        self.signs(key)  # that one was spoilt for the silent question, which nobody needs a touch for
        self.token.fault("no-touch", 1)
        self.refuses(key, "signed without the touch")

    def test_a_person_who_refuses_at_the_token_is_heard(self):
        key = self.gives()
        self.token.touch_at_once(False)
        one = self.begins(key)
        self.token.refuse()
        self.assertIsNone(self.gets(one))
        self.refused_with("told no")
        self.token.touch_at_once()
        self.signs(key)

    def test_the_notice_stands_as_long_as_the_light_is_on(self):
        key = self.gives()
        self.token.touch_at_once(False)
        one = self.begins(key)
        lab.wait_for("the person is told", lambda: [p for p in self.asks.prompts() if "Touch" in p])
        self.assertEqual(len(self.agent.status()["prompts"]), 1)
        self.assertIn("Token 0 in software", self.asks.prompts()[-1])
        self.token.touch()
        self.assertIsNotNone(self.gets(one))
        lab.wait_for("the notice is gone", lambda: self.agent.status()["prompts"] == [])
        self.assertEqual(len([p for p in self.asks.prompts() if "Touch" in p]), 1)

    def test_nobody_is_told_of_a_touch_that_is_not_wanted(self):
        self.signs(self.gives(options=("no-touch-required",)))
        self.assertEqual(self.asks.prompts(), [])


class Over(fido2_bed.Case):
    """The light goes out at once, and the next request is served."""

    def test_when_the_client_goes(self):
        key = self.gives()
        self.token.touch_at_once(False)
        one = self.begins(key)
        one.close()
        self.token.wait_until_dark()
        self.assertEqual(self.token.state()["cancels"], 1)
        self.token.touch_at_once()
        self.signs(key)

    def test_when_the_time_is_over(self):
        self.agent.stop()
        self.config = "operation-timeout = 4\n"
        self.started()
        key = self.gives()
        self.token.touch_at_once(False)
        one = self.begins(key)
        self.assertIsNone(self.gets(one))
        self.refused_with("timed out")
        self.token.wait_until_dark()
        self.token.touch_at_once()
        self.signs(key)

    def test_when_the_key_is_removed(self):
        key, other = self.gives(), self.gives("ecdsa-sk")
        self.token.touch_at_once(False)
        one = self.begins(key)
        with lab.AgentClient(self.agent) as remover:
            self.assertEqual(remover.remove(key.blob), c.SUCCESS)
        self.token.touch()
        self.assertIsNone(self.gets(one))
        self.token.touch_at_once()
        self.signs(other)


class Cost(fido2_bed.Case):
    """What a token is asked for, counted by the token."""

    def counted(self, key):
        self.token.count_anew()
        self.signs(key)
        counts = self.token.counts()
        counts.pop("touches", None)
        return counts

    def test_the_first_signature_finds_the_key_and_those_after_it_are_one_assertion_each(self):
        key = self.gives()
        self.assertEqual(self.counted(key), {"init": 1, "get_info": 1, "get_assertion": 2, "silent": 1})
        for _ in range(3):
            self.assertEqual(self.counted(key), {"get_assertion": 1})

    def test_a_token_that_was_left_alone_is_given_back_and_remembered(self):
        key = self.gives()
        self.signs(key)
        ((token,),) = [self.processes(1)]
        lab.wait_for("the token's process ends", lambda: not token.alive())
        self.assertEqual(self.counted(key), {"init": 1, "get_info": 1, "get_assertion": 1})

    def processes(self, count):
        def those():
            found = [one for one in lab.descendants(self.agent.pid)
                     if one.name.startswith("keystile-fido2") and one.alive()]
            return (found,) if len(found) == count else None
        return lab.wait_for(f"{count} tokens are open", those)[0]


class Confined(fido2_bed.Case):
    def test_the_tokens_process_has_its_device_its_socket_and_no_more(self):
        key = self.gives()
        self.token.touch_at_once(False)
        one = self.begins(key)
        process = next(p for p in lab.descendants(self.agent.pid) if p.name.startswith("keystile-fido2"))
        status = dict(line.split(":\t", 1) for line in open(f"/proc/{process.pid}/status") if ":\t" in line)
        self.assertEqual(status["NoNewPrivs"].strip(), "1")
        self.assertEqual(status["Seccomp"].strip(), "0" if SANITIZED else "2")
        self.assertEqual(self.descriptors(process.pid), ["0", "1", "2", "3", "4"])
        self.token.touch()
        self.assertIsNotNone(self.gets(one))

    @staticmethod
    def descriptors(pid):
        return sorted(os.listdir(f"/proc/{pid}/fd"))


if __name__ == "__main__":
    unittest.main()
