"""A pinentry that notes what it was told and misbehaves on request."""
import json
import os

from . import place

# The program: reads commands, answers OK; for those that ask, what the file "answers" holds for them.
PROGRAM = '''#!/usr/bin/python3 -I
import json, os, signal, sys, time
folder = os.path.dirname(os.path.abspath(sys.argv[0]))
plan = json.load(open(folder + "/plan"))
noted = os.open(folder + "/told", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
note = lambda *words: os.write(noted, (json.dumps(words) + "\\n").encode())
say = lambda text: (sys.stdout.buffer.write(text), sys.stdout.buffer.flush())
note("start", os.getpid(), sys.argv[1:])

def do(script):
    exec(script, globals())

do(plan.get("greeting", "say(b'OK Pleased to meet you\\\\n')"))
while True:
    line = sys.stdin.readline()
    if not line:
        note("end")
        break
    note("told", line.rstrip("\\n"))
    word = line.split()[0]
    do(plan.get(word, "say(b'OK\\\\n')"))
    if word == "BYE":
        sys.exit(0)
'''
# Longer than it takes to read a question: sooner answers are asked for again.
THINKING = "time.sleep(1.3)"
NOT_OK = b"ERR 83886194 Not confirmed <Pinentry>\n"


class Pinentry:
    """.path is the program; what it does at a command is set by does(), as a line of Python."""

    def __init__(self, pin=None):
        self.folder = place.Folder()
        self.path = self.folder.path / "pinentry"
        self.path.write_text(PROGRAM)
        os.chmod(self.path, 0o700)
        self.plan = {}
        if pin is None:
            self.refuses()
        else:
            self.gives(pin)

    def does(self, **scripts):
        self.plan.update(scripts)
        fresh = self.folder.path / "plan.new"
        fresh.write_text(json.dumps(self.plan))
        os.replace(fresh, self.folder.path / "plan")

    def gives(self, pin):
        answer = f"D {pin}\nOK\n".encode()
        self.does(GETPIN=f"{THINKING}; say({answer!r})")

    def agrees(self):
        self.does(CONFIRM=f"{THINKING}; say(b'OK\\n')")

    def tells_three(self, flavour="gtk2"):
        """What it says it is: one of those that have a third button."""
        self.does(GETINFO=f"say(b'D {flavour}\\nOK\\n')", SETNOTOK="third = True; say(b'OK\\n')")

    def remembers(self):
        """The third button, in parts of a question before that the first."""
        self.does(CONFIRM=f"{THINKING}; say({NOT_OK!r} if globals().get('third') else b'OK\\n')")

    def refuses(self):
        no = "say(b'ERR 83886179 Operation cancelled <Pinentry>\\n')"
        self.does(GETPIN=no, CONFIRM=no)

    def _notes(self, kind):
        told = self.folder.path / "told"
        whole = told.read_text().splitlines() if told.exists() else []
        return [note[1:] for note in map(json.loads, whole) if note[0] == kind]

    def told(self, word=None):
        """The commands so far, those that begin with a word only, without it."""
        lines = [one[0] for one in self._notes("told")]
        if word is None:
            return lines
        return [line.partition(" ")[2] for line in lines if line.split(" ")[0] == word]

    def pids(self):
        return [one[0] for one in self._notes("start")]

    def starts(self):
        """The arguments of each start."""
        return [one[1] for one in self._notes("start")]

    def wait_until_told(self, word, times=1):
        place.wait_for(f"the pinentry is told {word}", lambda: len(self.told(word)) >= times)

    def processes(self):
        found = []
        for pid in self.pids():
            try:
                found.append(place.Process(pid))
            except (FileNotFoundError, ProcessLookupError):
                pass
        return [one for one in found if one.alive()]

    def close(self):
        self.folder.close()
