"""A module speaks with a command that the agent starts for it (grant-command): p11-kit's client with p11-kit's remote."""
import os
import pathlib
import signal
import unittest

import lab
from lab import client
from lab.added import AddedKey

import test_modules

REACHING = lab.BUILD / "tests" / "modules" / "reaching.so"
ADDRESS = "/keystile/command"
AT_ONCE, PER_MINUTE = 4, 8
# A build with sanitizers has no filter of system calls, and so nobody who could be asked for a command.
SANITIZED = "asan" in lab.run(["ldd", lab.AGENT]).stdout


def setUpModule():
    lab.namespaces.enter()


def granting(*commands, more="", timeout=60):
    words = ", ".join(f'"{one}"' for one in commands)
    return f"operation-timeout = {timeout}\nworker pkcs11 {{\n grant-command = {{{words}}}\n{more}}}\n"


class Case(test_modules.Case):
    """.hsm is at the other end of a command; the worker knows nothing of it."""

    def begin(self, *commands, more="", timeout=60, **env):
        return self.start(askpass=self.asked, env={**self.hsm.env, **env},
                          config=granting(*commands, more=more, timeout=timeout))

    def remote(self, name="hsm", before=""):
        return f"{name}={before}exec p11-kit remote {self.hsm.module}"

    def notes(self):
        return self.hsm.folder.path / "notes"

    def told(self, number=0):
        """What the status says of a command."""
        (provider,) = self.agent.status()["providers"]
        return provider["commands"][number]

    def pids(self):
        """Of all commands; none while the worker is started again."""
        (provider,) = self.agent.status()["providers"]
        return [pid for command in provider["commands"] for pid in command["pids"]]

    def ready(self):
        (provider,) = self.agent.status()["providers"]
        return provider["state"] == "ready"

    def loads(self, module=test_modules.CLIENT):
        done = self.agent.add_token(module, "1234")
        self.assertEqual(done.returncode == 0, not SANITIZED, f"{done.stderr}{self.agent.log()}")
        return not SANITIZED

    def refused(self, *words):
        """The client's module is not loaded, and the log has these words."""
        self.assertNotEqual(self.agent.add_token(test_modules.CLIENT, "1234").returncode, 0)
        for one in () if SANITIZED else words:
            lab.wait_for(f"the log says {one}", lambda words=one: words in self.agent.log())


class Remote(Case):
    def test_a_module_behind_a_command_loads_and_lists_and_signs_here_and_from_afar(self):
        self.begin(self.remote())
        if not self.loads():
            return
        self.loads_and_signs(test_modules.CLIENT)
        told = self.told()
        self.assertEqual((told["name"], told["starts"], told["refused"], len(told["pids"])), ("hsm", 1, 0, 1))
        self.assertIn("hsm, started 1 time, 1 running", self.agent.run(lab.CONTROL, "status").stdout)

    def test_a_module_on_another_machine_loads_and_lists_and_signs_through_ssh(self):
        identity = self.hsm.folder.path / "id"
        lab.run_well(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", identity])
        with lab.Sshd(names=("far",)) as host:
            host.allow(identity.with_suffix(".pub").read_text().strip())
            there = f"env SOFTHSM2_CONF={self.hsm.env['SOFTHSM2_CONF']} p11-kit remote {self.hsm.module}"
            self.start(askpass=self.asked, config=granting(
                f"far=exec {' '.join(host.ssh('-i', str(identity), '-a', 'far'))} {there}"))
            if not self.loads():
                return
            self.loads_and_signs(test_modules.CLIENT)
            self.assertEqual(len(host.accepted()), 1)
            self.agent.stop()

    def test_the_proxy_reaches_several_by_p11_kits_configuration(self):
        self.begin("none=exit 1", self.remote("other"))
        self.configure(absent=f"remote: unix:path={ADDRESS}/none", afar=f"remote: unix:path={ADDRESS}/other")
        if not self.loads(test_modules.PROXY):
            return
        self.loads_and_signs(test_modules.PROXY)
        self.assertEqual([self.told(number)["starts"] for number in (0, 1)], [1, 1])

    def test_a_command_runs_as_the_persons_own_and_is_handed_nothing_but_the_stream(self):
        script = self.hsm.folder.path / "script"
        script.write_text("exec >$2 2>&1\ngrep Seccomp_filters: /proc/$1/status\necho display $DISPLAY\n"
                          "for one in /proc/$1/fd/*; do echo ${one##*/} $(readlink $one); done\n"
                          "echo session $1 $(ps -o sid= -p $1)\n")
        self.begin(self.remote(before=f"sh {script} $$ {self.notes()}; "), DISPLAY=":77")
        if not self.loads():
            return
        lines = self.notes().read_text().split("\n")
        self.assertIn("display :77", lines)
        agents = pathlib.Path(f"/proc/{self.agent.pid}/status").read_text().split("\n")
        self.assertEqual([line for line in lines if line.startswith("Seccomp_filters:")],
                         [line for line in agents if line.startswith("Seccomp_filters:")], "it has the agent's filter alone")
        files = dict(line.split(" ", 1) for line in lines if line[:1].isdigit())
        self.assertEqual(set(files), {"0", "1", "2"})
        self.assertTrue(files["0"].startswith("socket:"), files)
        self.assertEqual(files["0"], files["1"])
        self.assertTrue(files["2"].startswith("pipe:"), files)
        _, pid, session = next(line for line in lines if line.startswith("session ")).split()
        self.assertEqual(pid, session)

    def test_the_agent_refuses_a_command_that_asks_it_and_goes_on(self):
        asking = f"SSH_AUTH_SOCK=$HOME/agent.sock ssh-add -l >{self.notes()} 2>&1; echo status $? >>{self.notes()}; "
        self.begin(self.remote(before=asking))
        with lab.AgentClient(self.agent) as one:  # so that there is something to list
            self.assertEqual(one.call(client.ADD, AddedKey("ed25519").body())[0], client.SUCCESS)
        if not self.loads():
            return
        self.assertNotIn("status 0", self.notes().read_text())
        self.assertIn("status ", self.notes().read_text())
        self.signs(self.agent, self.keys[0])

    def test_what_a_command_writes_is_shown_and_holds_nobody_up(self):
        self.begin(self.remote(before="yes flood | head -n 200000 >&2; "))
        if not self.loads():
            return
        self.assertEqual(self.told()["output"], '"flood"')
        self.assertIn('wrote last "flood"', self.agent.run(lab.CONTROL, "status").stdout)

    def test_a_variable_of_the_person_for_the_address_counts(self):
        self.begin("other=exit 1", self.remote(),
                   more=f' environment = {{"P11_KIT_SERVER_ADDRESS=unix:path={ADDRESS}/hsm"}}\n')
        if not self.loads():
            return
        self.assertEqual([self.told(number)["starts"] for number in (0, 1)], [0, 1])

    def test_a_command_ends_with_its_worker_and_all_that_it_started(self):
        self.begin(self.remote(before="sleep 600 & "))
        if not self.loads():
            return
        (pid,) = self.told()["pids"]
        below = [one for one in lab.descendants(self.agent.pid) if one.name == "sleep"]
        self.assertEqual(len(below), 1)
        self.agent.run("ssh-add", "-e", test_modules.CLIENT)
        lab.wait_for("it has gone", lambda: not pathlib.Path(f"/proc/{pid}").exists())
        lab.wait_for("so has its child", lambda: not any(one.alive() for one in below))


class Faults(Case):
    def test_a_command_that_is_killed_is_started_again_for_the_next_signature(self):
        self.begin(self.remote())
        if not self.loads():
            return
        for _ in range(3):
            (pid,) = self.pids()
            os.kill(pid, signal.SIGKILL)
            lab.wait_for("another runs", lambda pid=pid: self.ready() and self.pids() not in ([], [pid]))
        self.signs(self.agent, self.keys[0])
        self.assertIn("its command hsm was ended by signal 9", self.agent.log())

    def test_one_that_is_killed_while_it_is_started_again_is_not_the_end_of_it(self):
        self.begin(self.remote())
        if not self.loads():
            return
        for _ in range(3):
            (pid,) = lab.wait_for("one runs", self.pids)
            os.kill(pid, signal.SIGKILL)
            lab.wait_for("it has gone", lambda pid=pid: pid not in self.pids())
        lab.wait_for("another runs", lambda: self.ready() and self.pids())
        self.signs(self.agent, self.keys[0])

    def test_a_command_that_never_answers_costs_the_loading_its_time_and_is_gone(self):
        self.begin("hsm=exec sleep 600", timeout=1)
        self.refused("it did not answer in time")
        lab.wait_for("it has gone", lambda: not self.agent.workers())

    def test_a_command_that_stops_answering_costs_that_signature_and_nobody_else(self):
        self.begin(self.remote(), timeout=4)
        if not self.loads():
            return
        (pid,) = self.told()["pids"]
        os.kill(pid, signal.SIGSTOP)
        with lab.AgentClient(self.agent) as waiting, lab.AgentClient(self.agent) as other:
            waiting.send(client.SIGN, waiting.sign_request(self.keys[0].blob, b"data"))
            self.assertEqual(len(other.list()), 2)
            self.assertEqual(waiting.receive()[0], client.FAILURE)
        lab.wait_for("it has gone", lambda: not pathlib.Path(f"/proc/{pid}").exists())
        self.signs(self.agent, self.keys[0])

    def test_a_command_that_is_missing_is_told_in_the_shells_words(self):
        self.begin("hsm=/nowhere/p11-kit remote")
        self.refused("its command hsm ended with status 127", "/nowhere/p11-kit: not found")

    def test_one_that_talks_nonsense_costs_its_worker_at_most(self):
        self.begin("hsm=cat /dev/urandom", timeout=1)
        self.refused()
        self.assertEqual(self.agent.run("ssh-add", "-l").returncode, 1)

    def test_a_mistake_in_the_configuration_is_told_with_its_line(self):
        for value, words in (("no name", "must be NAME=command"), ("Hsm=cat", "must be NAME=command"),
                             ("hsm= ", "must be NAME=command"), ('hsm=a", "hsm=b', "given twice"),
                             (f"{'n' * 33}=cat", "must be NAME=command"), ("../x=cat", "must be NAME=command"),
                             ('", "'.join(f"n{i}=cat" for i in range(9)), "too many commands")):
            with self.subTest(value):
                self.assertIn(words, self.start_refused(granting(value)))

    def start_refused(self, config):
        folder = lab.Folder()
        self.addCleanup(folder.close)
        path = folder.path / ".config" / "keystile" / "keystile.conf"
        path.parent.mkdir(parents=True)
        path.write_text(config)
        path.chmod(0o600)
        done = lab.run([lab.AGENT, "-D", "-a", folder.path / "no.sock"], env=lab.environment(folder.path))
        self.assertNotEqual(done.returncode, 0)
        return done.stderr


class Hostile(Case):
    """reaching.so is a module that tries addresses, and notes what came of each."""

    def outcomes(self, command, addresses):
        addressed = self.hsm.folder.path / "addresses"
        addressed.write_text("".join(f"{one}\n" for one in addresses))
        self.notes().touch()
        self.begin(f"hsm={command}", more=(
            f' environment = {{"REACH_NOTES={self.notes()}", "REACH_TO={addressed}"}}\n'
            f' grant-write = {{"{self.notes()}"}}\n grant-read = {{"{addressed}"}}\n'))
        self.assertNotEqual(self.agent.add_token(REACHING, "").returncode, 0)
        lab.wait_for("it has tried all", lambda: self.notes().read_text().endswith("end\n"), seconds=60)
        return [line.rsplit(": ", 1) for line in self.notes().read_text().splitlines() if line != "end"]

    def test_a_module_that_connects_a_thousand_times_has_few_commands_started(self):
        starts = self.hsm.folder.path / "starts"
        outcomes = [words for _, words in self.outcomes(
            f"echo x >>{starts}; printf welcome; head -c 5 >/dev/null", [f"{ADDRESS}/hsm"] * 1000)]
        if SANITIZED:
            self.assertNotIn("reached", outcomes)
            return
        self.assertEqual(outcomes.count("reached"), PER_MINUTE)
        self.assertEqual(outcomes.count("Resource temporarily unavailable"), 1000 - PER_MINUTE)
        self.assertEqual(len(starts.read_text().split()), PER_MINUTE)
        self.assertEqual(self.agent.log().count("asks for its command hsm too often"), 1)
        self.assertEqual(self.agent.run("ssh-add", "-l").returncode, 1)

    def test_few_run_at_once_for_it(self):
        outcomes = [words for _, words in self.outcomes("printf welcome; exec sleep 600", [f"{ADDRESS}/hsm"] * 20)]
        self.assertEqual(outcomes.count("reached"), 0 if SANITIZED else AT_ONCE, outcomes)

    def test_it_has_nothing_started_by_another_name(self):
        ran = self.hsm.folder.path / "ran"
        names = [f"{ADDRESS}/{one}" for one in ("other", "", "hsm/", "hsm=", "../command/hsm", "hsm;true")]
        names += [f"@{ADDRESS}/hsm", f"/{ADDRESS}/hsm", "/bin/sh"]
        outcomes = dict(self.outcomes(f"touch {ran}", names))
        self.assertEqual(set(outcomes), set(names))
        self.assertNotIn("reached", outcomes.values())
        self.assertFalse(ran.exists())


if __name__ == "__main__":
    unittest.main()
