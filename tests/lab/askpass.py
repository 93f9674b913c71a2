"""An askpass program that does what a test tells it, and notes what it was asked."""
import os
import shlex
import signal

from . import place


class Askpass:
    """
    .env names it to an agent. What it does is set by the methods below, also while the agent
    runs; .prompts() are the texts it was asked, .hints() the SSH_ASKPASS_PROMPT of each.
    """

    def __init__(self, pin=None):
        self.folder = place.Folder()
        self.path = self.folder.path / "askpass"
        self._asked = self.folder.path / "asked"
        self.env = {"SSH_ASKPASS": str(self.path), "SSH_ASKPASS_REQUIRE": "force"}
        if pin is None:
            self.refuses()
        else:
            self.prints(pin)

    def does(self, script):
        """Any lines of shell; $1 is the prompt."""
        note = (f"printf '%s\\037%s\\037%s\\036' \"$$\" \"${{SSH_ASKPASS_PROMPT-}}\" \"$1\" "
                f">> {shlex.quote(str(self._asked))}")
        fresh = self.path.with_suffix(".new")
        fresh.write_text(f"#!/bin/sh\n{note}\n{script}\n")
        os.chmod(fresh, 0o700)
        os.replace(fresh, self.path)

    def prints(self, pin):
        """As a person who types it, and leaves notices alone."""
        self.does(f"[ \"${{SSH_ASKPASS_PROMPT-}}\" = none ] && exec sleep 3600\nprintf '%s\\n' {shlex.quote(pin)}")

    def refuses(self):
        """As a person who presses Cancel."""
        self.does("exit 1")

    def agrees(self):
        """Yes to a question that wants no PIN."""
        self.does("exit 0")

    def hangs(self):
        self.does("exec sleep 3600")

    def prints_and_fails(self, pin):
        self.does(f"printf '%s\\n' {shlex.quote(pin)}; exit 1")

    def prints_and_crashes(self, pin):
        self.does(f"printf '%s\\n' {shlex.quote(pin)}; kill -SEGV $$")

    def prints_nothing(self):
        """Success with an empty line: no PIN."""
        self.does("echo")

    def prints_two_lines(self, pin):
        self.does(f"printf '%s\\n%s\\n' {shlex.quote(pin)} {shlex.quote(pin)}")

    def prints_megabytes(self):
        self.does("exec head -c 8388608 /dev/zero | tr '\\0' 1")

    def vanishes(self):
        """The program is not there any more."""
        self.path.unlink()

    def _records(self):
        if not self._asked.exists():
            return []
        whole = self._asked.read_text(errors="replace").split("\036")[:-1]
        return [record.split("\037", 2) for record in whole]

    def prompts(self):
        return [prompt for _, _, prompt in self._records()]

    def hints(self):
        return [hint for _, hint, _ in self._records()]

    def processes(self):
        """Those that were started and live now, as lab.Process."""
        found = []
        for pid, _, _ in self._records():
            try:
                found.append(place.Process(int(pid)))
            except (FileNotFoundError, ProcessLookupError):
                pass
        return [one for one in found if one.alive() and one.name in ("askpass", "sleep", "sh")]

    def wait_until_asked(self, times=1):
        place.wait_for(f"askpass is asked {times} times", lambda: len(self._records()) >= times)

    def close(self):
        for one in self.processes():
            os.kill(one.pid, signal.SIGKILL)
        self.folder.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
