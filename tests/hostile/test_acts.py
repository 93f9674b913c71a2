"""What code that was taken over does to its worker and through it: the agent ends it, says why, and serves others."""
import os
import pathlib
import platform
import re
import signal
import unittest

import hostile_bed as bed
import lab
from lab import client as c


def running(pid):
    """One of its threads at least is no zombie, whatever became of the first one."""
    try:
        states = [(one / "stat").read_text().rpartition(")")[2].split()[0]
                  for one in pathlib.Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return False
    return any(state not in "ZX" for state in states)


def resident_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1))


class Acts(bed.Case):
    def does(self, act, user=None, **options):
        agent = self.start("pkcs11", user=user, act=act, **options)
        with agent.connect() as one:
            self.assertEqual(one.add_token(bed.MODULE), c.FAILURE)
        self.assertEqual(self.notes.read_text(), f"{act}\n")
        return agent

    def is_told(self, act, *words, **options):
        """It is the end of the worker, the status says why, and nobody else notices."""
        agent = self.does(act, **options)
        newest = agent.refusals()[0]
        for one in words:
            self.assertIn(one, newest)
        self.unharmed(agent)
        return agent

    def test_nonsense_ends_the_worker(self):
        self.is_told("talk nonsense", "no sense")

    def test_a_worker_that_hangs_up_is_ended(self):
        agent = self.is_told("hang up", "signal 9")
        self.assertNotIn("no memory left", agent.refusals()[0])

    def test_a_worker_that_somebody_else_killed_is_told_of_as_such(self):
        agent = self.start("pkcs11", act="hold out")
        with agent.connect() as one:
            one.send(c.ADD_TOKEN, lab.keys.string(str(bed.MODULE)) + lab.keys.string(""))
            lab.wait_for("it has begun", lambda: self.notes.read_text() == "hold out\n")
            (worker,) = lab.descendants(agent.pid)
            os.kill(worker.pid, signal.SIGKILL)
            self.assertEqual(one.receive()[0], c.FAILURE)
        self.assertIn("no memory left", agent.refusals()[0])
        self.unharmed(agent)

    def test_a_worker_that_stops_is_ended(self):
        self.is_told("stop", "in time")

    @unittest.skipIf(bed.SANITIZED, "there is no filter of system calls")
    def test_calls_in_another_abi_end_the_worker(self):
        for act in ("call in 32 bits", "call in x32") if platform.machine() == "x86_64" else ():
            with self.subTest(act):
                self.is_told(act, f"signal {int(signal.SIGSYS)}")

    @unittest.skipIf(bed.SANITIZED, "a sanitizer needs the whole address space")
    def test_a_worker_that_takes_memory_without_end_crashes_alone(self):
        for user in bed.USERS:
            with self.subTest(user=user):
                self.is_told("take memory", "signal 11", "used up the memory", user=user)


class Floods(bed.Case):
    """A worker writes, or says, as much as it can, while a client waits for it."""

    def flooding(self, act):
        agent = self.start("pkcs11", act=act)
        client = agent.connect()
        self.addCleanup(client.close)
        client.send(c.ADD_TOKEN, lab.keys.string(str(bed.MODULE)) + lab.keys.string(""))
        lab.wait_for("it has begun", lambda: self.notes.read_text() == f"{act}\n")
        return agent, client

    def costs_nothing(self, agent, client):
        """Others are served meanwhile; then it is ended, and what was logged is little."""
        before = resident_kib(agent.pid)
        for _ in range(20):
            self.unharmed(agent)
        self.assertEqual(client.receive()[0], c.FAILURE)
        if not bed.SANITIZED:
            self.assertLess(resident_kib(agent.pid) - before, 8192)
        self.assertLess(len(agent.log()), 1 << 20)
        self.assertNotIn("\033", agent.log())
        self.unharmed(agent)

    def test_output_without_end_is_read_slowly_and_its_last_lines_are_shown(self):
        agent, client = self.flooding("flood output")
        provider = lab.wait_for("its output is shown", lambda: next(
            (one for one in agent.status()["providers"] if one["output"]), None))
        self.assertLessEqual(len(provider["output"]), 6)
        self.assertLess(max(map(len, provider["output"])), 1000)
        self.assertIn("flood", " ".join(provider["output"]))
        self.assertIn("writes", agent.run(lab.CONTROL, "status").stdout)
        self.costs_nothing(agent, client)
        self.assertIn("flood", agent.refusals()[0] + agent.log())

    def test_lines_of_the_log_without_end_are_dropped(self):
        agent, client = self.flooding("flood the agent")
        lab.wait_for("lines are dropped", lambda: "more lines were dropped" in agent.log())
        self.costs_nothing(agent, client)


class Ends(bed.Case):
    """The agent is killed: nobody who did something foreign is left."""

    def begin(self, backend, act):
        """An agent, and the processes of which one is in the middle of the act."""
        agent = self.start(backend, act=act)
        self.client = agent.connect()
        self.addCleanup(self.client.close)
        if backend == "pkcs11":
            self.client.send(c.ADD_TOKEN, lab.keys.string(str(bed.MODULE)) + lab.keys.string(""))
        else:
            self.client.send(c.ADD_CONSTRAINED, bed.library_key())
        lab.wait_for("it has begun", lambda: self.notes.read_text() == f"{act}\n")
        return agent

    def nobody_is_left(self, agent, count):
        below = [one.pid for one in lab.descendants(agent.pid) if running(one.pid)]
        self.assertEqual(len(below), count)
        os.kill(agent.pid, signal.SIGKILL)
        agent.process.wait()
        lab.wait_for("all are gone", lambda: not any(map(running, below)))
        agent.process = None  # nothing to stop any more
        agent.folder.close()

    def test_a_module_does_not_outlive_the_agent(self):
        for act in ("lose the first thread", "stop", "flood output", "flood the agent", "hold out"):
            with self.subTest(act):
                self.nobody_is_left(self.begin("pkcs11", act), 1)

    def test_a_library_does_not_outlive_the_agent(self):
        for act in ("lose the first thread", "stop", "flood output", "hold out"):
            with self.subTest(act):
                self.nobody_is_left(self.begin("middleware", act), 2)


if __name__ == "__main__":
    unittest.main()
