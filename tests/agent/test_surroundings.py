"""The session that the person sits in: learnt from `keystile env --update`, from the agent's start, from systemd, in this order."""
import json
import os
import pathlib
import select
import socket
import struct
import subprocess
import threading
import unittest

import lab
from bed import PIN, AgentTest
from test_ctl import STATUS, Command, FakeAgent, message

MEND = "run `keystile env --update` in your desktop session"


def frame(value):
    text = json.dumps(value).encode()
    return struct.pack(">I", len(text)) + text


class Control:
    """A control connection by hand; proof: with the descriptor that nothing relayed can pass."""

    def __init__(self, path, proof=True):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.socket.settimeout(60 * lab.PATIENCE)
        if proof:
            socket.send_fds(self.socket, [frame({"keystile": 1})], [self.socket.fileno()])
            self.receive()
        else:
            self.socket.sendall(frame({"keystile": 1}))

    def receive(self):
        """The next object, None when the agent closed."""
        data = self._read(4)
        return data and json.loads(self._read(struct.unpack(">I", data)[0]))

    def _read(self, length):
        data = b""
        while len(data) < length:
            try:
                piece = self.socket.recv(length - len(data))
            except ConnectionResetError:
                piece = b""
            if not piece:
                return None
            data += piece
        return data

    def update(self, variables):
        self.socket.sendall(frame({"command": "env-update", "variables": variables}))
        return self.receive()

    def close(self):
        self.socket.close()


class Session(AgentTest):
    """An agent that a service manager started before anybody logged in: no display, and a key that wants a PIN each time."""

    provider = "fake:lab,pin=always"

    def start(self, **options):
        env = {"SSH_ASKPASS_REQUIRE": "prefer", **options.pop("env", {})}
        return super().start(env=env, **options)

    def setUp(self):
        super().setUp()
        self.seen = self.askpass.folder.path / "seen"
        self.askpass.does(f"tr '\\0' '\\n' < /proc/self/environ > {self.seen}; echo {PIN}")

    def control(self, proof=True):
        control = Control(self.agent.own_folder / "control.sock", proof)
        self.addCleanup(control.close)
        return control

    def update(self, *arguments, **env):
        """keystile env --update in a session that has these."""
        return self.agent.run(lab.CONTROL, "env", "--update", *arguments, env=env)

    def sign(self):
        with lab.AgentClient(self.agent, seconds=60) as client:
            return client.sign(self.key, b"data")

    def environment(self):
        """What the prompt program inherited that a signature needed."""
        self.assertIsNotNone(self.sign(), self.agent.log())
        return dict(line.split("=", 1) for line in self.seen.read_text().splitlines())

    def learns(self, name, value):
        """
        Prompt programs come to inherit it, and once they do all that they inherit is returned. On a machine that is very
        busy the manager's answer may be late, and then the question is asked again.
        """
        def learnt():
            seen = self.seen.read_text().splitlines() if self.sign() and self.seen.exists() else []
            return dict(line.split("=", 1) for line in seen) if f"{name}={value}" in seen else None
        return lab.wait_for(f"{name} is {value}", learnt, seconds=60)

    def nothing_evil(self, seen):
        self.assertEqual([value for value in seen.values() if value.endswith(("evil", "/evil.so"))], [])

    def nobody_is_asked(self):
        before = len(self.askpass.prompts())
        self.assertIsNone(self.sign())
        self.assertEqual(len(self.askpass.prompts()), before)


class Updates(Session):
    def test_without_a_display_nobody_is_asked_and_it_is_said_how_to_mend_it(self):
        self.nobody_is_asked()
        self.assertIn(MEND, self.agent.log())
        self.assertIn(f"no display is known; {MEND}", self.agent.refusals()[0])
        status = self.agent.status()
        self.assertEqual((status["asking"]["way"], status["asking"]["display"]), ("nobody", None))
        self.assertIn(MEND, status["asking"]["obstacle"])
        self.assertTrue(any(MEND in one for one in status["warnings"]))

    def test_nobody_who_could_confirm_is_no_yes(self):
        with lab.AgentClient(self.agent) as client:
            client.add_token("fake:sure", PIN, lab.client.confirm())
            key = next(one.blob for one in client.list() if one.blob != self.key)
            self.assertIsNone(client.sign(key, b"data"))
            self.assertIn("nobody could be asked", self.agent.refusals()[0])
            self.assertIn(MEND, self.agent.refusals()[0])
            self.update(DISPLAY=":78")
            self.askpass.agrees()
            self.assertIsNotNone(client.sign(key, b"data"), self.agent.log())

    def test_a_session_that_tells_of_its_display_is_asked_there(self):
        self.nobody_is_asked()
        done = self.update(DISPLAY=":77", XAUTHORITY="/run/auth", DBUS_SESSION_BUS_ADDRESS="unix:path=/none",
                           SSH_ASKPASS="/bin/evil", GTK_MODULES="evil")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for words in ("DISPLAY: :77", "XAUTHORITY: /run/auth", "askpass", ":77, from keystile env --update"):
            self.assertIn(words, done.stdout)
        seen = self.environment()
        self.assertEqual((seen["DISPLAY"], seen["XAUTHORITY"], seen["DBUS_SESSION_BUS_ADDRESS"]),
                         (":77", "/run/auth", "unix:path=/none"))
        self.assertEqual(seen["SSH_ASKPASS"], str(self.askpass.path))
        self.nothing_evil(seen)
        asking = self.agent.status()["asking"]
        self.assertEqual((asking["way"], asking["display"]),
                         ("askpass", {"name": ":77", "from": "keystile env --update"}))

    def test_the_newest_session_wins_and_nothing_of_the_one_before_is_left(self):
        self.update(DISPLAY=":1", XAUTHORITY="/one", WAYLAND_DISPLAY="wayland-1")
        done = self.update("--json", DISPLAY=":2")
        changed = {one["name"]: (one["before"], one["now"]) for one in json.loads(done.stdout)["changed"]}
        self.assertEqual(changed, {"DISPLAY": (":1", ":2"), "XAUTHORITY": ("/one", None),
                                   "WAYLAND_DISPLAY": ("wayland-1", None)})
        seen = self.environment()
        self.assertEqual(seen["DISPLAY"], ":2")
        self.assertNotIn("XAUTHORITY", seen)
        self.assertNotIn("WAYLAND_DISPLAY", seen)

    def test_a_login_without_a_display_takes_none_away(self):
        self.update(WAYLAND_DISPLAY="wayland-1", XDG_SESSION_TYPE="wayland")
        done = self.update(GPG_TTY="/dev/pts/77", TERM="screen", XDG_SESSION_TYPE="tty")
        self.assertIn("what the agent knew of one stays", " ".join(done.stdout.split()))
        self.assertIn("wayland-1, from keystile env --update", done.stdout)
        self.assertNotIn("not taken", done.stdout)
        seen = self.environment()
        self.assertEqual((seen["WAYLAND_DISPLAY"], seen["XDG_SESSION_TYPE"], seen["GPG_TTY"], seen["TERM"]),
                         ("wayland-1", "wayland", "/dev/pts/77", "screen"))

    def test_the_display_of_another_machine_is_not_taken(self):
        self.update(DISPLAY=":1")
        done = self.update(DISPLAY="localhost:10.0", XAUTHORITY="/far")
        self.assertEqual(done.returncode, 0)
        self.assertIn("DISPLAY is not taken: only a display of this machine", " ".join(done.stdout.split()))
        self.assertEqual(self.environment()["DISPLAY"], ":1")
        self.assertNotIn("XAUTHORITY", self.environment())

    def test_a_prompt_that_waited_is_shown_where_the_person_is_by_then(self):
        self.update(DISPLAY=":1")
        go = self.askpass.folder.path / "go"
        self.askpass.does(f"echo \"$DISPLAY\" >> {self.seen}; until [ -e {go} ]; do sleep 0.01; done; echo {PIN}")
        signers = [threading.Thread(target=self.sign) for _ in range(2)]
        for signer in signers:
            signer.start()
            self.addCleanup(signer.join)
        self.askpass.wait_until_asked()
        lab.wait_for("the other one waits", lambda: len(self.agent.status()["prompts"]) == 2)
        self.update(DISPLAY=":2")
        go.touch()
        for signer in signers:
            signer.join()
        self.assertEqual(self.seen.read_text().split(), [":1", ":2"])


class Offers(Session):
    def test_what_is_no_display_bus_terminal_or_language_is_refused_with_a_reason(self):
        offered = {"SSH_ASKPASS": "/bin/evil", "PATH": ":9", "LD_PRELOAD": "/evil.so", "GTK_MODULES": "evil",
                   "DISPLAY": "far.example:0", "WAYLAND_DISPLAY": "../x", "DBUS_SESSION_BUS_ADDRESS": "tcp:host=far",
                   "GPG_TTY": "/tmp/tty", "LANG": "/tmp/locale", "LC_ALL": "a\nb", "LC_CTYPE": 17, "TERM": "x" * 2000,
                   "A\x1b[2J": "x", "\u00e4": "x"}
        answer = self.control().update(offered)
        self.assertEqual((answer["ok"], answer["taken"], answer["changed"]), (True, [], []))
        self.assertEqual({one["name"] for one in answer["refused"]}, set(offered))
        self.assertTrue(all(one["reason"] for one in answer["refused"]))
        self.nobody_is_asked()

    def test_good_values_are_taken_beside_bad_ones(self):
        answer = self.control().update({"DISPLAY": ":5", "XAUTHORITY": "relative", "LANG": ""})
        self.assertEqual((answer["taken"], [one["name"] for one in answer["refused"]]), (["DISPLAY"], ["XAUTHORITY"]))
        self.assertEqual(self.environment()["DISPLAY"], ":5")

    def test_half_of_a_display_is_none(self):
        self.update(DISPLAY=":1", XAUTHORITY="/one")
        answer = self.control().update({"XAUTHORITY": "/two", "XDG_SESSION_TYPE": "x11", "TERM": "linux"})
        self.assertEqual({one["name"] for one in answer["refused"]}, {"XAUTHORITY", "XDG_SESSION_TYPE", "TERM"})
        self.assertEqual(self.environment()["XAUTHORITY"], "/one")

    def test_variables_of_another_form_are_an_error(self):
        for variables in (None, [], "DISPLAY=:0", 1, True):
            with self.subTest(variables):
                self.assertEqual(self.control().update(variables)["ok"], False)
        self.nobody_is_asked()

    def test_a_client_that_may_have_been_relayed_can_tell_nothing(self):
        control = self.control(proof=False)
        self.assertIsNone(control.receive())
        with self.assertRaises(OSError):
            for _ in range(100):
                control.update({"DISPLAY": ":6"})
                control.socket.sendall(b"\0")
        self.assertIsNone(self.agent.status()["asking"]["display"])


class Starts(Session):
    def start(self, **options):
        return super().start(env={"DISPLAY": ":8", "XAUTHORITY": "/eight"}, **options)

    def test_the_start_counts_until_a_session_says_otherwise(self):
        self.assertEqual(self.agent.status()["asking"]["display"], {"name": ":8", "from": "the agent's start"})
        self.assertEqual(self.environment()["XAUTHORITY"], "/eight")
        self.update(WAYLAND_DISPLAY="wayland-9")
        seen = self.environment()
        self.assertEqual(seen["WAYLAND_DISPLAY"], "wayland-9")
        self.assertNotIn("DISPLAY", seen)
        self.assertNotIn("XAUTHORITY", seen)


class Managers(Session):
    """systemd's user manager, which the desktop tells of its display once it is there."""

    def setUp(self):
        self.manager = lab.UserManager("PATH=/usr/bin", "LANG=C.UTF-8")
        self.addCleanup(self.manager.close)
        super().setUp()

    def start(self, **options):
        return super().start(env=self.manager.env, **options)

    def test_a_display_that_came_up_later_is_learnt_when_it_is_needed(self):
        self.nobody_is_asked()
        self.manager.holds("DISPLAY=:33", "XAUTHORITY=/run/auth", "SSH_ASKPASS=/bin/evil", "LD_PRELOAD=/evil.so",
                           "WAYLAND_DISPLAY=../evil", "GTK_MODULES=evil", "no value", "=x", "")
        seen = self.learns("DISPLAY", ":33")
        self.assertEqual(seen["XAUTHORITY"], "/run/auth")
        self.assertEqual(seen["SSH_ASKPASS"], str(self.askpass.path))
        self.nothing_evil(seen)
        self.assertEqual(self.agent.status()["asking"]["display"],
                         {"name": ":33", "from": "systemd's user environment"})
        self.assertIn(["Get", "org.freedesktop.systemd1.Manager", "Environment"], self.manager.notes())

    def test_the_next_desktop_is_learnt_too(self):
        for display in (":34", ":35"):
            self.manager.holds(f"DISPLAY={display}")
            self.learns("DISPLAY", display)
        self.manager.holds()
        lab.wait_for("it is forgotten", lambda: self.agent.status()["asking"]["display"] is None, seconds=60)
        self.nobody_is_asked()

    def test_status_knows_the_display_before_anybody_was_asked(self):
        self.assertEqual(self.agent.status()["asking"]["way"], "nobody")
        self.manager.holds("WAYLAND_DISPLAY=wayland-3")
        control = {"KEYSTILE_CONTROL": str(self.agent.own_folder / "control.sock")}
        lab.wait_for("status knows it", lambda: "wayland-3, from systemd's user environment" in " ".join(
            self.agent.run(lab.CONTROL, "status", env=control).stdout.split()), seconds=60)
        self.assertEqual(self.askpass.prompts(), [])

    def test_who_has_told_of_a_display_is_believed_and_systemd_is_not_asked(self):
        self.manager.holds("DISPLAY=:36")
        self.learns("DISPLAY", ":36")
        self.update(DISPLAY=":37")
        asked = len(self.manager.notes("Get"))
        self.assertEqual(self.environment()["DISPLAY"], ":37")
        self.assertEqual(len(self.manager.notes("Get")), asked)

    def test_an_answer_that_makes_no_sense_is_none(self):
        self.manager.talks_nonsense()
        self.nobody_is_asked()
        lab.wait_for("that is said", lambda: "none on the user's bus" in self.agent.status()["asking"]["systemd"],
                     seconds=60)

    def test_a_manager_that_hangs_is_given_up_and_only_that_prompt_waits(self):
        self.manager.hangs()
        with lab.AgentClient(self.agent, seconds=60) as client:
            client.send(lab.client.SIGN, client.sign_request(self.key, b"data"))
            self.assertTrue(self.serves())
            self.assertEqual(client.receive()[0], lab.client.FAILURE)
        self.assertEqual(self.askpass.prompts(), [])
        self.assertEqual(self.agent.status()["asking"]["systemd"], "it did not answer in time")
        self.manager.holds("DISPLAY=:38")
        self.learns("DISPLAY", ":38")

    def test_who_goes_while_systemd_is_asked_leaves_nothing(self):
        self.manager.hangs()
        lab.wait_for("its prompt looks for a display", self.asker_that_waits_for_a_look, seconds=60).close()
        lab.wait_for("its prompt goes", lambda: self.agent.status()["prompts"] == [])
        self.assertEqual(self.askpass.prompts(), [])
        self.manager.holds("DISPLAY=:39")
        self.learns("DISPLAY", ":39")

    def asker_that_waits_for_a_look(self):
        """None where the manager was given up before the question came to it, as a very busy machine may have it."""
        before = len(self.manager.notes("Get"))
        client = self.client()
        client.send(lab.client.SIGN, client.sign_request(self.key, b"data"))
        while len(self.manager.notes("Get")) == before:
            if select.select([client.socket], [], [], 0.01)[0]:
                return None
        return client


class Buses(Session):
    def start(self, **options):
        """A socket that takes connections and says nothing, where the user's bus should be."""
        self.bus = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.bus.close)
        folder = lab.Folder()
        self.addCleanup(folder.close)
        self.bus.bind(str(folder.path / "bus"))
        self.bus.listen(16)
        return super().start(env={"DBUS_SESSION_BUS_ADDRESS": f"unix:path={folder.path}/bus"}, **options)

    def test_a_bus_that_never_greets_is_given_up(self):
        self.nobody_is_asked()
        self.assertEqual(self.agent.status()["asking"]["systemd"], "it did not answer in time")
        self.update(DISPLAY=":40")
        self.assertEqual(self.environment()["DISPLAY"], ":40")

    def test_a_bus_of_another_machine_is_not_asked(self):
        with socket.create_server(("127.0.0.1", 0)) as far:
            address = f"tcp:host=127.0.0.1,port={far.getsockname()[1]}"
            agent = AgentTest.start(self, env={"SSH_ASKPASS_REQUIRE": "prefer", "DBUS_SESSION_BUS_ADDRESS": address})
            self.assertEqual(agent.status()["asking"]["display"], None)
            far.setblocking(False)
            with self.assertRaises(BlockingIOError):
                far.accept()


class Notices(AgentTest):
    """A touch, for an agent that knew of no desktop at its start."""

    provider = "fake:lab,touch=wait"

    def test_a_desktop_that_told_of_itself_shows_the_notice(self):
        desktop = lab.Notifications()
        self.addCleanup(desktop.close)
        done = self.agent.run(lab.CONTROL, "env", "--update", env=desktop.env)
        self.assertEqual(done.returncode, 0, done.stderr)
        client = self.client()
        client.send(lab.client.SIGN, client.sign_request(self.key, b"data"))
        desktop.wait_for_note("Notify")
        client.close()
        desktop.wait_for_note("CloseNotification")


class Touches(Session):
    """A token that waits for a touch while there is a bus, but nobody on it who shows notices."""

    provider = "fake:lab,touch=wait"

    def setUp(self):
        self.manager = lab.UserManager("LANG=C.UTF-8")
        self.addCleanup(self.manager.close)
        super().setUp()
        self.askpass.hangs()

    def start(self, **options):
        return super().start(env=self.manager.env, **options)

    def test_the_notice_is_shown_on_a_display_that_came_up_later(self):
        self.assertFalse(self.told())
        self.manager.holds("DISPLAY=:41")
        lab.wait_for("the notice is shown", self.told, seconds=60)
        self.assertEqual(self.askpass.hints(), ["none"])

    def told(self):
        """Asks for a signature. False once the agent says that it can show no notice."""
        before = self.agent.log().count("the prompt failed")
        client = self.client()
        client.send(lab.client.SIGN, client.sign_request(self.key, b"data"))
        lab.wait_for("it is told or not", lambda: self.askpass.hints() or
                     self.agent.log().count("the prompt failed") > before)
        client.close()
        return bool(self.askpass.hints())


class Shells(Command):
    """keystile env: what a shell evaluates to use the agent."""

    def printed(self, path, *arguments, **env):
        sockets = [{"path": "/run/other.sock", "origin": "local", "name": "work"},
                   {"path": path, "origin": "local", "name": "agent"}]
        self.agent(FakeAgent.behave(message(dict(STATUS, sockets=sockets))))
        done = self.keystile("env", *arguments, KEYSTILE_CONTROL=str(self.path), **env)
        self.path.unlink()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_each_shell_gets_its_own_words(self):
        named = str(self.path)
        for arguments, shell, expected in (
                ([], "", f"SSH_AUTH_SOCK=/run/a.sock; export SSH_AUTH_SOCK;\n"
                         f"KEYSTILE_CONTROL={named}; export KEYSTILE_CONTROL;\n"),
                (["-s"], "/bin/tcsh", f"SSH_AUTH_SOCK=/run/a.sock; export SSH_AUTH_SOCK;\n"
                                      f"KEYSTILE_CONTROL={named}; export KEYSTILE_CONTROL;\n"),
                ([], "/bin/tcsh", f"setenv SSH_AUTH_SOCK /run/a.sock;\nsetenv KEYSTILE_CONTROL {named};\n"),
                (["-c"], "", f"setenv SSH_AUTH_SOCK /run/a.sock;\nsetenv KEYSTILE_CONTROL {named};\n"),
                ([], "/usr/bin/fish", f"set -gx SSH_AUTH_SOCK /run/a.sock;\nset -gx KEYSTILE_CONTROL {named};\n"),
                (["--fish"], "/bin/sh", f"set -gx SSH_AUTH_SOCK /run/a.sock;\nset -gx KEYSTILE_CONTROL {named};\n")):
            with self.subTest(arguments=arguments, shell=shell):
                self.assertEqual(self.printed("/run/a.sock", *arguments, SHELL=shell), expected)

    def test_what_a_shell_would_read_otherwise_is_quoted(self):
        path = "/run/it's $HOME\\!`id`\n;x"
        done = lab.run(["/bin/sh", "-c", 'eval "$1"; printf %s "$SSH_AUTH_SOCK"', "sh", self.printed(path)],
                       env=self.env)
        self.assertEqual((done.stdout, done.stderr), (path, ""))
        self.assertIn("'/run/it'\\''s $HOME\\\\!`id`\\\n;x'", self.printed(path, "-c"))
        self.assertIn("'/run/it\\'s $HOME\\\\!`id`\n;x'", self.printed(path, "--fish"))

    def test_json_holds_the_same(self):
        self.assertEqual(json.loads(self.printed("/run/a.sock", "--json")),
                         {"SSH_AUTH_SOCK": "/run/a.sock", "KEYSTILE_CONTROL": str(self.path)})

    def test_an_agent_that_does_not_say_where_it_listens_is_an_error(self):
        for sockets in ([], [{"path": "(activated)", "origin": "local", "name": "agent"}],
                        [{"path": "/run/r.sock", "origin": "remote", "name": "remote"}], 17):
            with self.subTest(sockets):
                self.agent(FakeAgent.behave(message(dict(STATUS, sockets=sockets))))
                self.failed(self.keystile("env", KEYSTILE_CONTROL=str(self.path)), "does not say where")
                self.path.unlink()

    def test_wrong_words_are_said_to_be(self):
        for arguments in (["-x"], ["--update", "-c"], ["-c", "--fish"], ["--json", "-s"], ["x"]):
            with self.subTest(arguments):
                done = self.keystile("env", *arguments)
                self.assertEqual((done.returncode, done.stdout), (2, ""))

    def test_the_session_is_described_by_what_it_has(self):
        agent = self.agent(FakeAgent.behave(message({"ok": True})))
        done = self.keystile("env", "--update", KEYSTILE_CONTROL=str(self.path), DISPLAY=":1", XAUTHORITY="",
                             SSH_ASKPASS="/x", GPG_TTY="not a tty", TERM="xterm", LANG="C.UTF-8", LC_ALL="C")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(agent.heard[1], {"command": "env-update",
                                          "variables": {"DISPLAY": ":1", "LANG": "C.UTF-8", "LC_ALL": "C"}})

    def test_what_cannot_be_passed_on_is_said(self):
        agent = self.agent(FakeAgent.behave(message({"ok": True})))
        done = self.keystile("env", "--update", KEYSTILE_CONTROL=str(self.path), DISPLAY=":1",
                             XAUTHORITY=os.fsdecode(b"/\xff"), LANG="x" * 5000)
        self.assertEqual(done.returncode, 0)
        self.assertIn("XAUTHORITY is not passed on", done.stderr)
        self.assertIn("LANG is not passed on", done.stderr)
        self.assertEqual(agent.heard[1]["variables"], {"DISPLAY": ":1"})

    def test_a_real_agent_is_found_by_what_is_printed(self):
        with lab.Agent() as agent:
            done = agent.run("/bin/sh", "-c", f'eval "$({lab.CONTROL} env)"; unset X; env; ssh-add -l')
            shown = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
            self.assertEqual(shown["SSH_AUTH_SOCK"], agent.socket)
            self.assertNotIn("KEYSTILE_CONTROL", shown)
            self.assertIn("no identities", done.stdout)


class Activated(unittest.TestCase):
    def test_a_socket_of_the_service_manager_is_known_by_its_path(self):
        with lab.Folder() as folder:
            path = folder.path / "agent.sock"
            status = self.activated(folder, path)
            self.assertEqual([one["path"] for one in status["sockets"] if one["name"] == "agent"], [str(path)])
            self.assertTrue(path.exists())

    @staticmethod
    def activated(folder, path):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            env = lab.environment(folder.path)
            start = ("import os,sys; os.dup2(int(sys.argv[1]), 3, inheritable=True);"
                     "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='agent');"
                     "os.execv(sys.argv[2], [sys.argv[2], '-D'])")
            process = subprocess.Popen(["/usr/bin/python3", "-c", start, str(listener.fileno()), str(lab.AGENT)],
                                       env=env, pass_fds=[listener.fileno()])
        try:
            control = pathlib.Path(env["XDG_RUNTIME_DIR"]) / "keystile" / "control.sock"
            lab.wait_for("it has a control socket", lambda: lab.listens(str(control)), seconds=30)
            return json.loads(lab.run_well([lab.CONTROL, "status", "--json"],
                                           env=dict(env, KEYSTILE_CONTROL=str(control))).stdout)
        finally:
            process.terminate()
            process.wait(60 * lab.PATIENCE)


if __name__ == "__main__":
    unittest.main()
