"""Where a PIN is not, once it was typed; and what a worker does not have."""
import os
import pathlib
import resource
import signal
import subprocess
import time
import unittest

import lab
import token_bed as bed
from lab import client

# Long enough that no other bytes in memory look like it.
PIN = "Pin-9f31c07be2a84d56-nowhere-else"
WRONG = "Pin-0000000000000000-that-is-wrong"
SANITIZED = "asan" in lab.run(["ldd", lab.AGENT]).stdout

root_only = unittest.skipUnless(os.getuid() == 0, "only root can look into processes that can't be dumped")


class Case(bed.Case):
    """SoftHSM with a token whose PIN is PIN, and an agent."""

    @classmethod
    def setUpClass(cls):
        cls.hsm = lab.SoftHSM()
        cls.addClassCleanup(cls.hsm.close)
        cls.key = cls.hsm.token("Lab", PIN).bring("p256")

    def setUp(self):
        self.asked = self.askpass(PIN)
        self.start(askpass=self.asked, env=dict(self.hsm.env, SECRET_OF_MINE="not for workers",
                                                LD_BIND_NOW="1", KEYSTILE_SHIM="/nowhere"))

    def load_token(self):
        done = self.agent.add_token(self.hsm.module, PIN)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.worker()

    def worker(self):
        return next(one for one in self.agent.workers() if one.name.startswith("keystile-worker"))

    def sign_remotely(self):
        signature = self.remote_client().sign(self.key.blob, lab.sshsig(b"x"))
        self.assertIsNotNone(signature, self.agent.log())

    def everything_happens(self):
        """PINs by ssh-add, by prompts here and from afar, a wrong one, a refused one."""
        self.asked.prints(WRONG)
        self.assertEqual(self.add(self.hsm.module, WRONG), client.FAILURE)
        self.load_token()
        self.assertIsNotNone(self.sign(self.key.blob))
        self.assertIsNone(self.remote_client().sign(self.key.blob, lab.sshsig(b"x")))
        self.asked.prints_and_fails(PIN)
        self.assertIsNone(self.remote_client().sign(self.key.blob, lab.sshsig(b"x")))
        self.asked.prints(PIN)
        self.sign_remotely()
        self.assertIsNotNone(self.sign(self.key.blob))
        self.assertGreaterEqual(len(self.asked.prompts()), 4)


class Pins(Case):
    @root_only
    def test_the_scan_finds_what_is_there(self):
        held = subprocess.Popen(["/usr/bin/python3", "-c", "import sys; print(flush=True); sys.stdin.read()", PIN],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        held.stdout.readline()
        self.assertEqual(lab.memory.holds(held.pid, [PIN, WRONG]), {PIN})
        held.communicate()

    @root_only
    def test_the_scan_of_the_agent_reaches_what_it_handles(self):
        self.load_token()
        self.assertEqual(lab.memory.holds(self.agent.pid, ["SECRET_OF_MINE", self.key.blob]),
                         {"SECRET_OF_MINE", self.key.blob})

    @root_only
    def test_no_pin_is_in_the_agents_memory_after_ssh_add(self):
        self.load_token()
        self.assertEqual(lab.memory.holds(self.agent.pid, [PIN]), set())

    @root_only
    def test_no_pin_is_in_the_agents_memory_after_anything(self):
        self.everything_happens()
        self.assertEqual(lab.memory.holds(self.agent.pid, [PIN, WRONG]), set())

    @root_only
    def test_no_pin_is_in_the_agents_memory_after_a_refused_message(self):
        """Neither where a remote client sends one, nor in half a message, nor with a wrong constraint."""
        body = lab.keys.string(self.hsm.module) + lab.keys.string(PIN)
        self.assertEqual(self.remote_client().call(client.ADD_TOKEN, body)[0], client.FAILURE)
        self.assertEqual(self.client().call(client.ADD_TOKEN_CONSTRAINED, body + b"\x77")[0], client.FAILURE)
        for number in (17, 23, 25):  # no keys; a password where nothing is locked
            self.assertEqual(self.client().call(number, lab.keys.string(PIN) * 3)[0], client.FAILURE)
        half = self.client()
        half.raw(lab.keys.string(bytes([client.ADD_TOKEN]) + body)[:-3])
        lab.wait_for("it was read", lambda: self.agent.status()["connection_count"] >= 1)
        time.sleep(0.3)
        half.close()
        lab.wait_for("it is gone", lambda: self.agent.status()["connection_count"] <= 6)
        self.client().call(client.LIST)
        self.assertEqual(lab.memory.holds(self.agent.pid, [PIN]), set())

    @root_only
    def test_a_worker_keeps_no_pin_once_the_token_took_it(self):
        """SoftHSM itself keeps none in the clear either, so any would be ours."""
        worker = self.load_token()
        self.assertIsNotNone(self.sign(self.key.blob))
        self.sign_remotely()
        self.assertIsNotNone(self.sign(self.key.blob))
        self.assertEqual(lab.memory.holds(worker.pid, [PIN]), set())

    def test_no_pin_is_in_the_log_or_the_status(self):
        self.everything_happens()
        status = self.agent.run(lab.CONTROL, "status", "--json").stdout
        for text in (self.agent.log(), status, self.agent.run(lab.CONTROL, "status").stdout):
            self.assertNotIn(PIN, text)
            self.assertNotIn(WRONG, text)
            self.assertNotIn(PIN.encode().hex(), text)
        self.assertIn("wrong PIN", status)

    def test_no_pin_is_in_the_log_of_an_agent_that_debugs(self):
        path = self.agent.home / "debug.sock"
        log = self.agent.home / "debug.log"
        with open(log, "wb") as stderr:
            other = subprocess.Popen([lab.AGENT, "-d", "-a", str(path)], stdin=subprocess.DEVNULL,
                                     env={**self.agent.env, **self.hsm.env, **self.asked.env},
                                     stdout=subprocess.DEVNULL, stderr=stderr)
        self.addCleanup(lambda: lab.place.end(other, signal.SIGTERM))
        lab.wait_for("it listens", lambda: path.exists() and self.connects(path))
        with lab.AgentClient(str(path)) as one:
            self.assertEqual(one.add_token(self.hsm.module, WRONG), client.FAILURE)
            self.assertEqual(one.add_token(self.hsm.module, PIN), client.SUCCESS)
            one.bind(lab.HostKey(), b"s" * 32, forwarding=True)
            self.assertIsNotNone(one.sign(self.key.blob, lab.sshsig(b"x")))
        text = log.read_text(errors="replace")
        self.assertNotIn(PIN, text)
        self.assertNotIn(WRONG, text)
        self.assertIn("wrong PIN", text)

    @staticmethod
    def connects(path):
        try:
            lab.AgentClient(str(path)).close()
            return True
        except OSError:
            return False

    def test_no_pin_is_in_the_arguments_or_environment_of_anybody(self):
        self.load_token()
        self.asked.does(f"cat /proc/$PPID/cmdline /proc/$PPID/environ > {self.agent.home}/seen; echo {PIN}")
        self.sign_remotely()
        seen = (self.agent.home / "seen").read_bytes()
        self.assertIn(b"keystile-prompt", seen)
        for pid in (self.agent.pid, *(one.pid for one in self.agent.workers())):
            try:
                seen += pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                seen += pathlib.Path(f"/proc/{pid}/environ").read_bytes()
            except PermissionError:
                pass  # hidden: as good
        self.assertNotIn(PIN.encode(), seen)

    def test_the_prompt_helper_is_gone_with_its_pin(self):
        self.load_token()
        self.sign_remotely()
        lab.wait_for("the helper has gone", lambda: [one.name for one in self.agent.workers()
                                                     if "prompt" in one.name] == [])
        self.assertEqual(self.asked.processes(), [])

    @root_only
    def test_no_pipe_with_a_pin_is_left_open(self):
        self.load_token()
        before = self.descriptors(self.agent.pid)
        worker_before = self.descriptors(self.worker().pid)
        for _ in range(3):
            self.sign_remotely()
        self.assertEqual(self.add(self.hsm.module, PIN), client.SUCCESS)
        self.asked.prints_and_fails(PIN)
        self.assertIsNone(self.remote_client().sign(self.key.blob, lab.sshsig(b"x")))
        lab.wait_for("descriptors are given back", lambda: [
            one for one in self.descriptors(self.agent.pid) if one.startswith("pipe")] == [
            one for one in before if one.startswith("pipe")])
        self.assertEqual([one for one in self.descriptors(self.worker().pid) if one.startswith("pipe")],
                         [one for one in worker_before if one.startswith("pipe")])

    @staticmethod
    def descriptors(pid):
        found = []
        for name in os.listdir(f"/proc/{pid}/fd"):
            try:
                found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
            except FileNotFoundError:
                pass
        return sorted(found)


class Workers(Case):
    """What a process that runs foreign code has been left with."""

    def setUp(self):
        super().setUp()
        self.found = self.load_token()

    def status(self):
        text = pathlib.Path(f"/proc/{self.found.pid}/status").read_text()
        return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)

    @root_only
    def test_its_environment_holds_allowed_names_only(self):
        raw = pathlib.Path(f"/proc/{self.found.pid}/environ").read_bytes()
        names = {one.split(b"=", 1)[0].decode() for one in raw.split(b"\0") if one}
        self.assertEqual(names, {"HOME", "XDG_RUNTIME_DIR", "LANG", "SOFTHSM2_CONF"})

    @root_only
    def test_its_environment_holds_what_is_configured(self):
        self.agent.stop()
        config = bed.worker_section("pkcs11", {"SOFTHSM2_CONF": self.hsm.env["SOFTHSM2_CONF"], "MINE": "a b"})
        self.start(config=config, env={"SOFTHSM2_CONF": "/nonexistent", "MINE": "other"})
        self.found = self.load_token()
        raw = pathlib.Path(f"/proc/{self.found.pid}/environ").read_bytes().split(b"\0")
        self.assertIn(b"MINE=a b", raw)
        self.assertEqual([one for one in raw if one.startswith(b"SOFTHSM2_CONF")],
                         [b"SOFTHSM2_CONF=" + self.hsm.env["SOFTHSM2_CONF"].encode()])

    @root_only
    def test_it_has_its_own_descriptors_only(self):
        clients = [self.client() for _ in range(5)]
        self.assertEqual(len(clients[0].list()), 1)
        links = {number: os.readlink(f"/proc/{self.found.pid}/fd/{number}")
                 for number in os.listdir(f"/proc/{self.found.pid}/fd")}
        self.assertEqual(links["0"], "/dev/null")
        output = links["1"]
        self.assertTrue(output.startswith("pipe:") and output == links["2"], links)
        sockets = [number for number, link in links.items() if link.startswith("socket:")]
        self.assertEqual(sockets, ["3"])
        agents = {os.readlink(f"/proc/{self.agent.pid}/fd/{number}")
                  for number in os.listdir(f"/proc/{self.agent.pid}/fd")}
        shared = {link for link in agents & set(links.values()) if link.startswith(("socket:", "pipe:"))}
        self.assertEqual(shared, {output}, "none of the agent's but where it writes to")
        own = (str(self.hsm.folder.path), "anon_inode:", "pipe:", "/usr/lib/")
        others = [link for number, link in links.items() if number not in "0123" and not link.startswith(own)]
        self.assertEqual(others, [])

    def test_it_can_not_gain_privileges(self):
        self.assertEqual(self.status()["NoNewPrivs"], "1")

    def test_it_leaves_no_core_file(self):
        self.assertEqual(resource.prlimit(self.found.pid, resource.RLIMIT_CORE), (0, 0))

    def test_it_has_a_session_of_its_own(self):
        self.assertNotEqual(os.getsid(self.found.pid), os.getsid(self.agent.pid))

    @unittest.skipIf(SANITIZED, "a sanitizer looks into its own process")
    def test_it_can_not_be_dumped(self):
        for pid in (self.found.pid, self.agent.pid):
            # The kernel gives the files of such a process to root.
            owner = os.stat(f"/proc/{pid}/mem").st_uid
            self.assertEqual(owner, 0)
            if os.getuid() != 0:
                with self.assertRaises(PermissionError):
                    open(f"/proc/{pid}/mem", "rb").close()

    @unittest.skipIf(SANITIZED, "a sanitizer looks into its own process")
    @root_only
    def test_others_of_the_same_user_can_not_look_into_it(self):
        if not all(folder.stat().st_mode & 0o001 for folder in (lab.AGENT, *lab.AGENT.parents)):
            self.skipTest("takes a build tree that everybody may read")
        mine = lab.SoftHSM()
        self.addCleanup(mine.close)
        mine.token("Mine", PIN).bring("p256")
        lab.place.give_away(mine.folder.path, "nobody")
        agent = lab.Agent(env=mine.env, user="nobody")
        self.addCleanup(agent.stop)
        self.assertEqual(agent.add_token(mine.module, PIN).returncode, 0)
        for pid in (agent.pid, agent.workers()[0].pid):
            for file in ("mem", "environ"):
                done = agent.run("head", "-c", "1", f"/proc/{pid}/{file}")
                self.assertIn("Permission denied", done.stderr, f"{pid} {file}")

    def test_it_dies_with_the_agent(self):
        self.agent.process.kill()
        self.agent.process.wait()
        lab.wait_for("the worker dies with the agent", lambda: not self.found.alive())
        self.agent.process = None  # nothing to stop any more
        self.agent.folder.close()

    def test_it_dies_with_the_agent_even_where_it_does_not_listen(self):
        os.kill(self.found.pid, signal.SIGSTOP)
        self.test_it_dies_with_the_agent()

    def test_a_prompt_dies_with_the_agent(self):
        self.asked.hangs()
        one = self.remote_client()
        one.send(client.SIGN, one.sign_request(self.key.blob, lab.sshsig(b"x")))
        self.asked.wait_until_asked()
        below = self.agent.workers()
        self.assertEqual(len(below), 3, below)
        self.agent.process.kill()
        self.agent.process.wait()
        lab.wait_for(f"all of {below} die with the agent", lambda: not any(one.alive() for one in below))
        self.agent.process = None
        self.agent.folder.close()

    def test_the_agent_links_no_token_library(self):
        libraries = lab.run_well(["ldd", lab.AGENT]).stdout
        for name in ("p11-kit", "fido2", "tss2", "pcsc", "softhsm", "opensc"):
            self.assertNotIn(name, libraries)
        for start, _, name in lab.memory.mappings(self.agent.pid) if os.getuid() == 0 else ():
            self.assertNotRegex(name, "p11-kit|fido2|tss2|pcsc|softhsm", hex(start))
