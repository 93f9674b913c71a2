"""keystile-agent in a home of its own, started in the foreground as ssh-agent -D -a is."""
import functools
import json
import os
import pathlib
import shlex
import signal
import subprocess

from . import place


@functools.cache
def _schema():
    """Of what keystile status says; the demo, which needs fewer packages, never asks."""
    import jsonschema
    return jsonschema.Draft7Validator(json.loads((place.ROOT / "docs" / "status.schema.json").read_text()))


class Agent:
    """
    A running agent: .env reaches it (SSH_AUTH_SOCK and the home), .socket, .pid, .home, .log().

    options go in front of -D -a; config becomes the user's keystile.conf; askpass is a
    lab.Askpass; env is added to the agent's environment; program may be another agent, such as
    OpenSSH's; user is somebody else's name, whom root may start it as. stop(), also called at the
    end of a with block, fails when the agent had died, did not end as SIGTERM asks, or left a
    process behind.
    """

    def __init__(self, options=(), config=None, askpass=None, env=None, program=None, user=None):
        self.folder = place.Folder()
        self.home = self.folder.path
        self.identity = place.identity(user)
        self.socket = str(self.home / "agent.sock")
        self.env = place.environment(self.home)
        if config is not None:
            self._write_config(config)
        inside = {**self.env, **(askpass.env if askpass else {}), **(env or {})}
        self._log_path = self.home / "agent.log"
        place.give_away(self.home, user)
        self.process = self._start(program or place.AGENT, options, inside)
        self.pid = self.process.pid
        self.env.update(SSH_AUTH_SOCK=self.socket, SSH_AGENT_PID=str(self.pid))
        try:
            place.wait_for("the agent makes its socket", self._ready)
        except AssertionError as error:
            self._abandon()
            raise AssertionError(f"{error}\n{self._last_words}") from None
        if pathlib.Path(program or place.AGENT).name != "ssh-agent":  # which has none; a wrapper of ours does
            self._wait_for_own_sockets()

    def _write_config(self, text):
        folder = self.home / ".config" / "keystile"
        folder.mkdir(parents=True)
        (folder / "keystile.conf").write_text(text)
        os.chmod(folder / "keystile.conf", 0o600)

    def _start(self, program, options, env):
        wrapper = shlex.split(os.environ.get("KEYSTILE_AGENT_WRAPPER", ""))
        if program != place.AGENT or self.identity:
            wrapper = []  # which writes where only those who run the tests may
        command = [*wrapper, str(program), *options, "-D", "-a", self.socket]
        with open(self._log_path, "wb") as log:
            return subprocess.Popen(command, env=env, cwd=self.home, stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL, stderr=log, start_new_session=True,
                                    **self.identity)

    def _ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the agent ended at once with {self.process.returncode}")
        return place.listens(self.socket)

    def _wait_for_own_sockets(self):
        """They come last, if at all: a test may have taken their folder away."""
        try:
            place.wait_for("", lambda: place.listens(self.remote_socket) or not self.alive(), seconds=5)
        except AssertionError:
            pass

    def _abandon(self):
        if self.process.poll() is None:
            place.end(self.process, signal.SIGTERM)
        self._last_words = self.log()[-4000:]
        self.folder.close()

    def log(self):
        """What the agent wrote to stderr so far."""
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    def alive(self):
        return self.process.poll() is None

    def run(self, *command, **options):
        """A client of this agent: returns its subprocess result; env= adds to the environment."""
        env = dict(self.env, **options.pop("env", {}))
        return place.run(command, env=env, **self.identity, **options)

    def add_token(self, module, pin):
        """ssh-add -s with a PIN, which ssh-add asks an askpass of its own for."""
        script = self.home / "ssh-add-askpass"
        script.write_text(f"#!/bin/sh\nprintf '%s\\n' {shlex.quote(pin)}\n")
        os.chmod(script, 0o755)
        return self.run("ssh-add", "-s", module,
                        env={"SSH_ASKPASS": str(script), "SSH_ASKPASS_REQUIRE": "force"})

    def status(self):
        """What `keystile status --json` says; a machine so busy that it gives the agent up is given time."""
        done = place.wait_for("the agent answers keystile", self._status, place.ANSWER_SECONDS)
        if done.returncode != 0:
            raise AssertionError(f"keystile status ended with {done.returncode}: {done.stderr}")
        status = json.loads(done.stdout)
        _schema().validate(status)
        return status

    def _status(self):
        env = {"KEYSTILE_CONTROL": str(self.own_folder / "control.sock")}
        done = self.run(place.CONTROL, "status", "--json", env=env)
        return None if "does not answer within" in done.stderr else done

    def refusals(self):
        """The refusals in it, the newest first, one text each."""
        return ["; ".join(str(one[name]) for name in ("key", "reason", "remedy"))
                for one in self.status()["refusals"]]

    @property
    def own_folder(self):
        """Where its control.sock and remote.sock are."""
        return self.home / "run" / "keystile" / f"agent-{self.pid}"

    @property
    def remote_socket(self):
        return str(self.own_folder / "remote.sock")

    def newest_connection(self):
        """The status of the connection that was accepted last, once it was."""
        return max(self.status()["connections"], key=lambda one: one["id"])

    def workers(self):
        """The agent's children that live now, as lab.Process."""
        return [one for one in place.descendants(self.pid) if one.alive()]

    def stop(self):
        """Ends the agent and says what was wrong with how it lived and ended."""
        if self.process is None:
            return
        below = place.descendants(self.pid)
        died = self.process.poll()
        code = died if died is not None else place.end(self.process, signal.SIGTERM)
        log = self.log()[-4000:]
        self.process = None
        left = self._left_behind(below)
        remains = os.path.exists(self.socket)
        self.folder.close()
        if died is not None:
            raise AssertionError(f"the agent had died with {died}:\n{log}")
        if code != 2:
            raise AssertionError(f"the agent ended with {code} after SIGTERM, not with 2:\n{log}")
        if left or remains:
            raise AssertionError(f"the agent left behind: {left} {self.socket if remains else ''}\n{log}")

    @staticmethod
    def _left_behind(below):
        """Those that still live after a moment; they are killed then."""
        try:
            place.wait_for("", lambda: not any(one.alive() for one in below), seconds=20)
            return []
        except AssertionError:
            left = [one for one in below if one.alive()]
            for one in left:
                os.kill(one.pid, signal.SIGKILL)
            return left

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        log = self.log()[-4000:]
        try:
            self.stop()
        except AssertionError as second:
            if error is None:
                raise
            error.add_note(f"and: {second}")
        if error is not None:
            error.add_note(f"The agent's log:\n{log}")
