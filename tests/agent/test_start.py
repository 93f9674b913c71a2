"""ssh-agent's command line: what is printed, where sockets are, how it ends, and what it shows to others."""
import contextlib
import json
import os
import pathlib
import pwd
import re
import resource
import select
import shutil
import shutil
import signal
import socket
import stat
import subprocess
import time
import unittest

import lab
from lab import client as c

SH = re.compile(r"SSH_AUTH_SOCK=(\S+); export SSH_AUTH_SOCK;\nSSH_AGENT_PID=(\d+); export SSH_AGENT_PID;\n"
                r"echo Agent pid (\d+);\n")
CSH = re.compile(r"setenv SSH_AUTH_SOCK (\S+);\nsetenv SSH_AGENT_PID (\d+);\necho Agent pid (\d+);\n")
TOKEN_LIBRARIES = ("p11-kit", "fido2", "pcsclite", "tss2", "softhsm", "opensc", "cbor", "hidapi", "udev")
HOUR = 3600


def mode_of(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def descriptors(pid, *numbers):
    """What these descriptors of a process are; None where only root may look into it."""
    try:
        return [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in numbers]
    except PermissionError:
        return None


class StartTest(unittest.TestCase):
    """A home of its own; .run() starts agents in it, which end with the test."""

    def setUp(self):
        self.folder = lab.Folder()
        self.addCleanup(self.folder.close)
        self.home = self.folder.path
        self.env = lab.environment(self.home)
        self.path = self.home / "agent.sock"

    def run_agent(self, *arguments, **env):
        """The agent's words and exit status, once its first process has ended."""
        return lab.run([lab.AGENT, *arguments], env={**self.env, **env}, cwd=self.home)

    def background(self, *arguments, pattern=SH, **env):
        """An agent that became a daemon: its socket and its lab.Process."""
        done = self.run_agent(*arguments, **env)
        match = pattern.fullmatch(done.stdout)
        self.assertTrue(match, done.stdout + done.stderr)
        process = lab.Process(int(match[2]))
        self.addCleanup(self.end, process)
        self.assertEqual((done.returncode, done.stderr, match[3]), (0, "", match[2]))
        return match[1], process

    def foreground(self, *arguments, **options):
        """A Popen of `-D -a agent.sock` and what is given, once it serves."""
        env = {**self.env, **options.pop("env", {})}
        process = subprocess.Popen([lab.AGENT, *arguments, "-a", self.path], env=env, cwd=self.home,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, **options)
        self.addCleanup(self.reap, process)
        lab.wait_for("the agent serves", lambda: process.poll() is not None or self.serves())
        return process

    def serves(self, path=None):
        """Where an agent answers: its list."""
        try:
            with lab.AgentClient(str(path or self.path)) as client:
                return [client.list()]
        except (FileNotFoundError, ConnectionRefusedError):
            return []

    @staticmethod
    def reap(process):
        if process.poll() is None:
            lab.place.end(process, signal.SIGTERM)
        process.stdout.close()
        process.stderr.close()

    @staticmethod
    def end(process):
        if process.alive():
            os.kill(process.pid, signal.SIGTERM)
            lab.wait_for("the agent ends", lambda: not process.alive())

    def ended(self, process):
        lab.wait_for(f"{process} ends", lambda: not process.alive())

    def own_folder(self, pid):
        return self.home / "run" / "keystile" / f"agent-{pid}"


class Words(StartTest):
    def test_it_speaks_sh(self):
        for arguments, shell in (([], "/bin/sh"), (["-s"], "/bin/csh"), (["-s", "-s"], "")):
            path, _ = self.background(*arguments, SHELL=shell)
            self.assertTrue(self.serves(path))

    def test_it_speaks_csh(self):
        for arguments, shell in ((["-c"], "/bin/sh"), ([], "/bin/csh"), ([], "/usr/local/bin/tcsh"),
                                 (["-cc"], "/bin/sh")):
            path, _ = self.background(*arguments, pattern=CSH, SHELL=shell)
            self.assertTrue(self.serves(path))

    def test_in_the_foreground_it_says_where_it_is_and_no_pid_to_kill(self):
        for flag in ("-D", "-d"):
            for shell, line in ((["-s"], "SSH_AUTH_SOCK={0}; export SSH_AUTH_SOCK;\n"),
                                (["-c"], "setenv SSH_AUTH_SOCK {0};\n")):
                process = self.foreground(flag, *shell)
                process.terminate()
                output, _ = process.communicate(timeout=30 * lab.PATIENCE)
                self.assertEqual(output, line.format(self.path) + f"echo Agent pid {process.pid};\n")

    def test_debugging_goes_to_stderr(self):
        process = self.foreground("-d")
        process.terminate()
        self.assertIn("keystile-agent: connection 1", process.communicate(timeout=30 * lab.PATIENCE)[1])

    def test_it_kills_the_agent_that_the_environment_names(self):
        for arguments, unset in (([], "unset"), (["-s"], "unset"), (["-c"], "unsetenv")):
            path, process = self.background("-s")
            done = self.run_agent("-k", *arguments, SSH_AGENT_PID=str(process.pid), SHELL="/bin/sh")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(done.stdout, f"{unset} SSH_AUTH_SOCK;\n{unset} SSH_AGENT_PID;\n"
                                          f"echo Agent pid {process.pid} killed;\n")
            self.ended(process)
            self.assertFalse(os.path.lexists(path))

    def test_it_kills_nothing_where_the_environment_names_no_agent(self):
        for value in (None, "", "x", "12x", "0", "-1", "1", "99999999999"):
            with self.subTest(value=value):
                done = self.run_agent("-k", **({} if value is None else {"SSH_AGENT_PID": value}))
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertIn("SSH_AGENT_PID", done.stderr)

    def test_killing_one_that_is_gone_fails(self):
        with subprocess.Popen(["/bin/true"]) as process:
            process.wait()
        done = self.run_agent("-k", SSH_AGENT_PID=str(process.pid))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertTrue(done.stderr)

    def test_it_says_its_version(self):
        done = self.run_agent("-V")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^keystile-agent \d+\.\d+\.\d+\n$")


class Mistakes(StartTest):
    def refused(self, *arguments, code, usage=True):
        with self.subTest(" ".join(map(str, arguments))):
            done = self.run_agent(*arguments)
            self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
            self.assertEqual("usage: " in done.stderr, usage, done.stderr)
            self.assertTrue(done.stderr)

    def test_wrong_combinations_are_a_matter_of_usage(self):
        for arguments in (["-c", "-s"], ["-s", "-c"], ["-d", "-D"], ["-D", "-D"], ["-d", "-d"], ["-x"], ["-a"],
                          ["-t"], ["-P"], ["-O"], ["-E"], ["--unknown"]):
            self.refused(*arguments, code=1)
        for flag in "cskdDu":
            self.refused(f"-{flag}", "true", code=1)
        for lifetime in ("nonsense", "-1", "1x", "", "99999999999"):
            self.refused("-t", lifetime, code=1)

    def test_values_that_mean_nothing_are_fatal(self):
        for arguments in (["-E", "crc32"], ["-O", "made-up"], ["-O", ""], ["-P", "/a", "-P", "/b"]):
            self.refused(*arguments, code=255, usage=False)

    def test_sockets_that_cannot_be_are_refused(self):
        self.path.write_text("not a socket")
        self.refused("-a", self.path, code=1, usage=False)
        self.assertEqual(self.path.read_text(), "not a socket")
        for path in (self.home, self.home / "no" / "folder", "/" + "x" * 108, self.home / ("x" * 200), ""):
            self.refused("-a", path, code=1, usage=False)
        self.path.unlink()
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(self.path))
        self.refused("-a", self.path, code=1, usage=False)
        self.refused("-D", "-a", self.path, code=1, usage=False)
        self.refused("-a", self.path, "true", code=1, usage=False)
        self.assertTrue(self.path.is_socket())

    def test_a_path_of_the_longest_length_is_taken(self):
        path = str(self.home) + "/" + "x" * (107 - len(str(self.home)) - 1)
        self.assertEqual(self.background("-a", path)[0], path)
        self.assertTrue(self.serves(path))

    def test_a_configuration_that_is_not_understood_ends_the_start(self):
        folder = self.home / ".config" / "keystile"
        folder.mkdir(parents=True)
        file = folder / "keystile.conf"
        for text, line in (("prompt-timeout = 90\n\nmade-up = 1\n", 3), ("allow-rsa-sha1 = perhaps\n", 1),
                           ("# one\nworker x {\n", None)):
            file.write_text(text)
            os.chmod(file, 0o600)
            for arguments in ([], ["-D", "-a", self.path], ["true"]):
                done = self.run_agent(*arguments)
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertRegex(done.stderr, rf"keystile-agent: {re.escape(str(file))}:{line or '[0-9]+'}: ")
        self.assertFalse(self.path.exists() or (self.home / ".ssh").exists())
        file.write_text("prompt-timeout = 90\n")
        self.background()

    def test_a_configuration_named_on_the_command_line_is_the_only_one(self):
        folder = self.home / ".config" / "keystile"
        folder.mkdir(parents=True)
        (folder / "keystile.conf").write_text("made-up = 1\n")
        other = self.home / "other.conf"
        other.write_text("allow-rsa-sha1 = true\n")
        self.background("--config", other)
        other.write_text("made-up = 1\n")
        self.refused("--config", other, code=1, usage=False)


class Commands(StartTest):
    def test_its_exit_status_is_the_commands(self):
        for script, code in (("exit 0", 0), ("exit 7", 7), ("kill -9 $$", -9), ("kill -TERM $$", -15)):
            with self.subTest(script):
                self.assertEqual(self.run_agent("sh", "-c", script).returncode, code)

    def test_options_behind_the_command_are_the_commands(self):
        done = self.run_agent("-t", "10", "echo", "-k", "-s")
        self.assertEqual((done.returncode, done.stdout), (0, "-k -s\n"))

    def test_a_command_that_is_not_there_is_an_error(self):
        for _ in range(30):  # the agent may see its parent end at any step of its start
            done = self.run_agent("no-such-command")
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("no-such-command", done.stderr)
        self.nothing_is_left()

    def nothing_is_left(self):
        agents = self.home / ".ssh" / "agent"
        lab.wait_for("the socket is gone", lambda: not list(agents.iterdir()))
        lab.wait_for("its own folder is gone", lambda: not list(self.home.glob("run/keystile/agent-*")))

    def test_the_command_finds_the_agent_and_the_agent_ends_with_it(self):
        script = 'ssh-add -l; echo "$SSH_AUTH_SOCK $SSH_AGENT_PID $PPID"; exec keystile status'
        path = f"{lab.CONTROL.parent}:{self.env['PATH']}"
        done = self.run_agent("sh", "-c", script, PATH=path)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0], "The agent has no identities.")
        place, pid, _ = lines[1].split()
        self.assertIn(f"pid {pid}", done.stdout)
        lab.wait_for("the agent is gone", lambda: not lab.runs(pid))
        self.assertFalse(os.path.exists(place))
        self.nothing_is_left()

    def test_the_command_is_no_child_of_the_agent(self):
        done = self.run_agent("sh", "-c", "sed -n 's/^PPid:.//p' /proc/$SSH_AGENT_PID/status; echo $$")
        self.assertEqual(len(set(done.stdout.split())), 1)


class Places(StartTest):
    def test_the_usual_place_is_in_the_home(self):
        path, process = self.background()
        host = pathlib.Path(path).name.split(".")[1]
        self.assertRegex(path, f"^{self.home}/\\.ssh/agent/s\\.{host}\\.agent\\.[A-Za-z0-9]{{10}}$")
        self.assertEqual([mode_of(self.home / one) for one in (".ssh", ".ssh/agent")], [0o700, 0o700])
        self.assertEqual(mode_of(path), 0o600)
        other, _ = self.background()
        self.assertNotEqual(path, other)
        self.assertEqual(pathlib.Path(other).name.split(".")[1], host)
        self.end(process)
        self.assertFalse(os.path.exists(path))
        self.assertTrue(self.serves(other))

    def test_a_folder_of_its_own_below_tmpdir(self):
        path, process = self.background("-T")
        self.assertRegex(path, f"^{self.home}/tmp/ssh-[A-Za-z0-9]{{12}}/agent\\.\\d+$")
        self.assertEqual((mode_of(os.path.dirname(path)), mode_of(path)), (0o700, 0o600))
        self.end(process)
        self.assertEqual(os.listdir(self.home / "tmp"), [])

    def test_a_place_without_a_folder_is_taken_away_too(self):
        for arguments in ([], ["-D"]):
            if arguments:
                process = subprocess.Popen([lab.AGENT, "-D", "-a", "here.sock"], env=self.env, cwd=self.home,
                                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
                lab.wait_for("it serves", lambda: self.serves(self.home / "here.sock"))
                process.terminate()
                self.assertEqual(process.wait(30 * lab.PATIENCE), 2)
            else:
                path, process = self.background("-a", "here.sock")
                self.assertEqual(path, "here.sock")
                self.assertTrue(self.serves(self.home / path))
                self.end(process)
            self.assertFalse((self.home / "here.sock").exists())

    def test_sockets_are_private_whatever_the_umask(self):
        for mask in (0o000, 0o077):
            process = self.foreground("-D", umask=mask)
            own = self.own_folder(process.pid)
            lab.wait_for("its own sockets are there", (own / "remote.sock").exists)
            self.assertEqual([mode_of(one) for one in (self.path, own / "remote.sock", own / "control.sock")],
                             [0o600] * 3)
            self.assertEqual([mode_of(one) for one in (own, own.parent)], [0o700] * 2)
            self.reap(process)

    def test_control_and_remote_sockets_come_and_go_with_the_agent(self):
        process = self.foreground("-D")
        own = self.own_folder(process.pid)
        lab.wait_for("they are there", lambda: sorted(os.listdir(own)) == ["control.sock", "remote.sock"])
        self.assertTrue(self.serves(own / "remote.sock"))
        process.terminate()
        process.wait(30 * lab.PATIENCE)
        self.assertFalse(own.exists() or self.path.exists())

    def test_an_agent_whose_own_folder_is_somebody_elses_serves_all_the_same(self):
        os.chmod(self.home / "run", 0o700)
        (self.home / "run" / "keystile").mkdir(mode=0o777)
        os.chmod(self.home / "run" / "keystile", 0o777)
        process = self.foreground("-D")
        self.assertEqual(os.listdir(self.home / "run" / "keystile"), [])
        process.terminate()
        self.assertIn("control socket", process.communicate(timeout=30 * lab.PATIENCE)[1])


class CleanUp(StartTest):
    def setUp(self):
        super().setUp()
        live, _ = self.background()
        self.agents = pathlib.Path(live).parent
        host = os.path.basename(live).split(".")[1]
        self.live = os.path.basename(live)
        self.stale, self.fresh, self.foreign = (f"s.{host}.agent.stale", f"s.{host}.agent.fresh",
                                                "s.elsewhere.agent.x")
        for name in (self.stale, self.fresh, self.foreign):
            with socket.socket(socket.AF_UNIX) as one:
                one.bind(str(self.agents / name))
        (self.agents / f"s.{host}.agent.file").write_text("")
        self.file = f"s.{host}.agent.file"
        for name in (self.live, self.stale, self.foreign, self.file):
            os.utime(self.agents / name, (time.time() - 2 * HOUR,) * 2)

    def left(self):
        return sorted(set(os.listdir(self.agents)) & {self.stale, self.fresh, self.foreign, self.live, self.file})

    def test_old_sockets_of_this_host_are_removed(self):
        done = self.run_agent("-u")
        self.assertEqual((done.returncode, done.stdout), (0, "Deleted stale agent sockets in ~/.ssh/agent\n"))
        self.assertEqual(self.left(), sorted([self.live, self.fresh, self.foreign, self.file]))
        self.assertTrue(self.serves(self.agents / self.live))

    def test_those_of_other_hosts_too_where_it_is_said_twice(self):
        self.assertEqual(self.run_agent("-uu").returncode, 0)
        self.assertEqual(self.left(), sorted([self.live, self.fresh, self.file]))

    def test_every_start_removes_them_unless_told_not_to(self):
        self.background("-U")
        self.assertIn(self.stale, self.left())
        self.background()
        self.assertNotIn(self.stale, self.left())
        self.assertIn(self.foreign, self.left())


class Signals(StartTest):
    def test_it_cleans_up_and_ends_with_2(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            process = self.foreground("-D")
            process.send_signal(number)
            self.assertEqual(process.wait(30 * lab.PATIENCE), 2)
            self.assertFalse(self.path.exists())

    def test_a_daemon_ignores_an_interrupt_and_ends_on_the_others(self):
        for number in (signal.SIGTERM, signal.SIGHUP):
            path, process = self.background()
            for _ in range(3):
                os.kill(process.pid, signal.SIGINT)
            self.assertTrue(self.serves(path))
            os.kill(process.pid, number)
            self.ended(process)
            self.assertFalse(os.path.exists(path))

    def test_a_signal_right_after_the_start_is_not_lost(self):
        for _ in range(30):
            path, process = self.background()
            os.kill(process.pid, signal.SIGINT)
            os.kill(process.pid, signal.SIGUSR1)
            self.end(process)
            self.assertFalse(os.path.exists(path))
        self.assertEqual(os.listdir(self.home / "run" / "keystile"), [])

    def test_the_command_has_the_signals_that_its_caller_gave_it(self):
        script = "sed -n 's/^SigBlk:.//p' /proc/self/status"
        plain, within = lab.run(["sh", "-c", script]), self.run_agent("sh", "-c", script)
        self.assertEqual(within.stdout, plain.stdout)

    def test_a_broken_pipe_does_not_end_it(self):
        process = self.foreground("-D")
        process.send_signal(signal.SIGPIPE)
        self.assertTrue(self.serves())

    def test_usr1_drops_all_keys(self):
        process = self.foreground("-D")
        with lab.AgentClient(str(self.path)) as client:
            for name in ("one", "two"):
                self.assertEqual(client.add_token(f"fake:{name}"), c.SUCCESS)
            process.send_signal(signal.SIGUSR1)
            lab.wait_for("the keys are gone", lambda: not client.list())
        lab.wait_for("so are the workers", lambda: not [
            one for one in lab.descendants(process.pid) if one.alive()])
        self.assertIsNone(process.poll())

    def test_a_client_with_a_request_in_work_does_not_hold_it_back(self):
        process = self.foreground("-D")
        with lab.AgentClient(str(self.path)) as client:
            self.assertEqual(client.add_token("fake:lab,sign=hang"), c.SUCCESS)
            client.send(c.SIGN, client.sign_request(client.list()[0].blob, b"data"))
            below = lab.descendants(process.pid)
            process.terminate()
            self.assertEqual(process.wait(30 * lab.PATIENCE), 2)
            self.assertTrue(client.closed())
        lab.wait_for("the worker is gone", lambda: not any(one.alive() for one in below))


class Activated(StartTest):
    """As systemd starts it: sockets from descriptor 3 on."""

    def activate(self, names, *arguments, kind=socket.SOCK_STREAM, env=None):
        """Starts it with a socket for each name (None: no names are given); their paths."""
        paths = [self.home / f"{number}.sock" for number in range(len(names))]
        listeners = []
        for path in paths:
            listeners.append(socket.socket(socket.AF_UNIX, kind))
            listeners[-1].bind(str(path))
            if kind == socket.SOCK_STREAM:
                listeners[-1].listen()
        script = 'export LISTEN_PID=${LISTEN_PID:-$$}; exec "$@" 2> stderr'
        extra = {"LISTEN_FDS": str(len(names))}
        if None not in names:
            extra["LISTEN_FDNAMES"] = ":".join(names)
        reading, writing = os.pipe()
        actions = [(os.POSIX_SPAWN_DUP2, one.fileno(), 3 + i + 100) for i, one in enumerate(listeners)]
        actions += [(os.POSIX_SPAWN_DUP2, 3 + i + 100, 3 + i) for i in range(len(listeners))]
        actions += [(os.POSIX_SPAWN_CLOSE, 3 + i + 100) for i in range(len(listeners))]
        actions += [(os.POSIX_SPAWN_DUP2, writing, 1), (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDWR, 0)]
        script = f"cd {self.home}; {script}"
        command = ["/bin/sh", "-c", script, "sh", str(lab.AGENT), *(arguments or ["-D"])]
        self.pid = os.posix_spawn("/bin/sh", command, {**self.env, **extra, **(env or {})}, file_actions=actions)
        for one in listeners:
            one.close()
        os.close(writing)
        self.addCleanup(os.close, reading)
        self.output = reading
        self.addCleanup(self.stop)
        return paths

    def stop(self):
        """Its exit status after SIGTERM."""
        if self.pid is None:
            return None
        os.kill(self.pid, signal.SIGTERM)
        lab.wait_for("the agent ends", lambda: os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT))
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = None
        return status

    def test_it_serves_what_it_was_given_says_nothing_and_ends_with_0(self):
        for flag in ("-D", "-d"):
            path = self.activate(["agent.sock"], flag)[0]
            self.assertTrue(self.serves(path))
            own = self.home / "run" / "keystile"
            lab.wait_for("it has a control socket", (own / "control.sock").exists)
            self.assertEqual(self.stop(), 0)
            self.assertEqual(os.read(self.output, 1000), b"")
            self.assertTrue(path.exists())
            self.assertFalse((own / "control.sock").exists())
            path.unlink()

    def test_a_manager_that_waits_is_told_when_it_serves_and_nobody_else_hears_of_it(self):
        where = self.home / "notify.sock"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(where))
            manager.settimeout(30 * lab.PATIENCE)
            path = self.activate(["agent.sock"], env={"NOTIFY_SOCKET": str(where)})[0]
            self.assertEqual(manager.recv(1000), b"READY=1")
            self.assertTrue((self.home / "run" / "keystile" / "control.sock").exists())
        with lab.AgentClient(str(path)) as client:
            self.assertEqual(client.add_token("fake:lab"), c.SUCCESS)
            for one in lab.descendants(self.pid):
                self.assertNotIn(b"NOTIFY_SOCKET", pathlib.Path(f"/proc/{one.pid}/environ").read_bytes())

    def test_one_that_was_killed_does_not_keep_the_next_from_its_control_socket(self):
        control = {**self.env, "KEYSTILE_CONTROL": str(self.home / "run" / "keystile" / "control.sock")}
        for end in (signal.SIGKILL, signal.SIGTERM):
            path = self.activate(["agent.sock"])[0]
            self.assertTrue(self.serves(path))
            lab.wait_for("it can be asked", lambda: lab.run([lab.CONTROL, "status"], env=control).returncode == 0)
            os.kill(self.pid, end)
            os.waitpid(self.pid, 0)
            path.unlink()
        self.pid = None

    def rules(self):
        env = {**self.env, "KEYSTILE_CONTROL": str(self.home / "run" / "keystile" / "control.sock")}
        done = lab.run([lab.CONTROL, "policy", "show", "--json"], env=env)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [one["name"] for one in json.loads(done.stdout)["rules"]]

    def test_a_hangup_reads_the_configuration_anew_and_a_mistake_changes_nothing(self):
        config = self.home / ".config" / "keystile" / "keystile.conf"
        config.parent.mkdir(parents=True)
        config.write_text("rule first { then = none }\n")
        os.chmod(config, 0o600)
        path = self.activate(["agent.sock"], "-D")[0]
        self.assertTrue(self.serves(path))
        lab.wait_for("it has a control socket", (self.home / "run" / "keystile" / "control.sock").exists)
        self.assertEqual(self.rules(), ["first"])
        config.write_text("rule second { then = none }\n")
        os.kill(self.pid, signal.SIGHUP)
        lab.wait_for("the rules are others", lambda: self.rules() == ["second"])
        config.write_text("rule third { then = maybe }\n")
        os.kill(self.pid, signal.SIGHUP)
        lab.wait_for("the mistake is told", lambda: "keystile.conf:1: then: the value must be" in
                     (self.home / "stderr").read_text())
        self.assertEqual(self.rules(), ["second"])
        self.assertTrue(self.serves(path))
        self.assertEqual(self.stop(), 0)

    def origins(self, names):
        """For each socket whether it is local: one that is may add a token."""
        found = []
        for path in self.activate(names):
            with lab.AgentClient(str(path)) as client:
                client.list()
                found.append(client.add_token("fake:lab") == c.SUCCESS)
            path.unlink()
        self.stop()
        return found

    def test_sockets_are_told_apart_by_their_names(self):
        for name in ("agent", "agent.sock", "keystile.socket", "ssh-agent.socket"):
            self.assertEqual(self.origins([name]), [True], name)
        for name in ("remote", "remote.sock", "connection", "unknown", "made-up", ""):
            self.assertEqual(self.origins([name]), [False], name)
        self.assertEqual(self.origins(["remote.sock", "agent.sock", "made-up"]), [False, True, False])

    def test_one_that_the_configuration_names_is_what_it_says_there(self):
        folder = self.home / ".config" / "keystile"
        folder.mkdir(parents=True)
        (folder / "keystile.conf").write_text("listener near { origin = local }\nlistener far { }\n"
                                              "listener unknown { origin = local }\n")
        os.chmod(folder / "keystile.conf", 0o600)
        self.assertEqual(self.origins(["far", "near", "other"]), [False, True, False])
        # "unknown" is also what sockets without names are called by sd_listen_fds_with_names(3).
        self.assertEqual(self.origins([None, None]), [False, False])

    def test_without_names_only_a_single_socket_is_local(self):
        self.assertEqual(self.origins([None]), [True])
        self.assertEqual(self.origins([None, None]), [False, False])

    def test_a_control_socket_can_be_handed_over(self):
        paths = self.activate(["agent.sock", "control"])
        self.assertTrue(self.serves(paths[0]))
        done = lab.run([lab.CONTROL, "status"], env={**self.env, "KEYSTILE_CONTROL": str(paths[1])})
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_sockets_are_not_taken_where_an_address_is_given(self):
        path = self.activate(["agent.sock"], "-D", "-a", str(self.path))[0]
        lab.wait_for("the agent serves", self.serves)
        self.assertEqual(self.serves(path), [])
        self.assertEqual(self.stop(), 2)
        self.assertTrue(path.exists())

    def test_sockets_for_another_process_are_not_taken(self):
        self.activate(["agent.sock"], "-D", env={"LISTEN_PID": "1"})
        place = lab.wait_for("it has a socket of its own", lambda: list(self.home.glob(".ssh/agent/s.*")))[0]
        lab.wait_for("it serves", lambda: self.serves(place))
        self.assertEqual(self.stop(), 2)


class Permissions(unittest.TestCase):
    """What lowers the floor is seen in the status."""

    def warnings(self, **settings):
        with lab.Agent(**settings) as agent:
            return "\n".join(one for one in agent.status()["warnings"] if "nobody can be asked" not in one)

    def test_nothing_is_said_where_nothing_was_set(self):
        for config in (None, 'remote-memory-keys = "refuse"\nallow-ssh-dss = false\nallow-rsa-sha1 = no\n'):
            self.assertEqual(self.warnings(config=config), "")
        self.assertEqual(self.warnings(options=["-O", "websafe-allow=ssh:*"]), "")

    def test_what_the_command_line_permits_is_shown(self):
        for option in ("allow-remote-pkcs11", "allow-remote-without-presence", "allow-ssh-dss", "no-restrict-websafe"):
            self.assertRegex(self.warnings(options=["-O", option]), f"^[^\n]*{option} is set:[^\n]*$")
        self.assertRegex(self.warnings(options=["-O", "websafe-allow=ssh:*,a"]), "^-O websafe-allow is set: .*$")

    def test_what_the_configuration_permits_is_shown(self):
        for option, value in (("allow-remote-without-presence", "true"), ("allow-ssh-dss", "yes"),
                              ("allow-rsa-sha1", "yes"), ("remote-memory-keys", "confirm")):
            self.assertRegex(self.warnings(config=f"{option} = {value}\n"), f"^{option}[^\n]* is set:[^\n]*$")


class Hardening(StartTest):
    def test_it_links_no_token_library(self):
        libraries = lab.run_well(["ldd", lab.AGENT]).stdout
        self.assertIn("libuv", libraries)
        for name in TOKEN_LIBRARIES:
            self.assertNotIn(name, libraries)

    def test_it_leaves_no_core(self):
        process = self.foreground("-D")
        self.assertEqual(resource.prlimit(process.pid, resource.RLIMIT_CORE), (0, 0))

    @unittest.skipUnless(os.getuid() == 0, "only root can give a file to another group")
    def test_a_set_gid_copy_gives_its_group_up(self):
        copy = self.home / "copy"
        shutil.copy(lab.AGENT, copy)
        os.chown(copy, 0, pwd.getpwnam("nobody").pw_gid)
        os.chmod(copy, 0o2755)
        process = subprocess.Popen([copy, "-D", "-a", self.path], env=self.env, cwd=self.home,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.addCleanup(lab.place.end, process, signal.SIGTERM)
        lab.wait_for("the agent serves", self.serves)
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        self.assertEqual(re.search(r"^Gid:\t(.*)$", status, re.M)[1].split(), [str(os.getgid())] * 4)

    def test_it_cannot_be_looked_into(self):
        """The kernel shows who may: files of a process that may not be dumped are root's."""
        user = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        sanitized = b"__asan_init" in lab.AGENT.read_bytes()
        with lab.Agent(user=user.pw_name if os.getuid() == 0 else None) as agent:
            owner = os.stat(f"/proc/{agent.pid}/environ").st_uid
            self.assertEqual(owner, user.pw_uid if sanitized else 0)

    @staticmethod
    def remove_if_empty(folder):
        with contextlib.suppress(OSError):
            os.rmdir(folder)

    @unittest.skipUnless(os.getuid() == 0, "only root can give a file a group that its user lacks")
    def test_made_setgid_it_gives_the_group_up(self):
        """Guards setresgid() in main.c; `id` shows first that the bit counts in this folder."""
        user, group = pwd.getpwnam("nobody"), 0
        programs = {"id": "/usr/bin/id", "agent": lab.AGENT}
        for name, program in programs.items():
            shutil.copyfile(program, self.home / name)
            os.chown(self.home / name, 0, group)
            os.chmod(self.home / name, 0o2755)
        os.chown(self.home, user.pw_uid, user.pw_gid)
        identity = dict(env=self.env, cwd=self.home, **lab.place.identity("nobody"))
        self.assertEqual(lab.run_well(["./id", "-g"], **identity).stdout, f"{group}\n")
        self.addCleanup(self.remove_if_empty, f"/tmp/keystile-{user.pw_uid}")  # as it trusts no XDG_RUNTIME_DIR
        script = "grep ^Gid: /proc/self/status /proc/$SSH_AGENT_PID/status"
        done = lab.run_well(["./agent", "-a", self.path, "sh", "-p", "-c", script], **identity)
        ids = [line.split()[1:] for line in done.stdout.splitlines()]
        self.assertEqual(ids, [[str(user.pw_gid)] * 4] * 2)

    def start_with(self, actions):
        """An agent whose descriptors were prepared; it is ended with the test."""
        pid = os.posix_spawn(lab.AGENT, [lab.AGENT, "-D", "-a", self.path], self.env, file_actions=actions)
        self.addCleanup(os.waitpid, pid, 0)
        self.addCleanup(os.kill, pid, signal.SIGTERM)
        lab.wait_for("the agent serves", self.serves)
        return pid

    def test_what_it_inherits_is_closed(self):
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        actions = [(os.POSIX_SPAWN_DUP2, writing, fd) for fd in (300, 90, 30)]
        self.start_with([*actions, (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_RDWR, 0)])
        os.close(writing)
        self.assertEqual(select.select([reading], [], [], 30 * lab.place.PATIENCE)[0], [reading])
        self.assertEqual(os.read(reading, 1), b"")

    def test_closed_standard_descriptors_do_no_harm(self):
        pid = self.start_with([(os.POSIX_SPAWN_CLOSE, fd) for fd in (0, 1, 2)])
        self.assertIn(descriptors(pid, 0, 1, 2), (None, ["/dev/null"] * 3))
        with lab.AgentClient(str(self.path)) as client:
            self.assertEqual(client.add_token("fake:lab"), c.SUCCESS)  # writes a line into the log
            self.assertEqual(len(client.list()), 1)

    def test_a_daemon_holds_on_to_nothing(self):
        folder = self.home / "folder"
        folder.mkdir()
        done = lab.run([lab.AGENT], env=self.env, cwd=folder)
        process = lab.Process(int(SH.fullmatch(done.stdout)[2]))
        self.addCleanup(self.end, process)
        self.assertIn(descriptors(process.pid, 0, 1, 2), (None, ["/dev/null"] * 3))
        self.assertIn(descriptors(process.pid, "../cwd"), (None, ["/"]))
        self.assertEqual(os.getsid(process.pid), process.pid)


if __name__ == "__main__":
    unittest.main()
