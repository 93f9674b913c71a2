"""keystile-prompt alone, as the agent runs it: what it says, and who hears the PIN."""
import fcntl
import os
import select

import lab
from lab.keys import string

HELPER = lab.LIBEXEC / "keystile-prompt"
PIN, CONFIRM, NOTICE = 1, 2, 3
YES, NO, NOBODY, FAILED, YES_REMEMBER = 0, 1, 2, 3, 4
BY_ASKPASS, BY_PINENTRY, BY_PROMPTER, BY_ASKER = 1, 2, 3, 4
SECRET = "Geheim-4711"


def question(kind, program, text="Enter it", way=BY_ASKPASS, notify=False, trouble="", terminal="",
             timeout=90, holder=0, start=0, password=False, remember=0):
    """What the agent writes into the helper's standard input (include/keystile/prompt.h)."""
    return (bytes([kind, way, notify, password]) + string(text) + string(trouble) + string(str(program)) +
            string(terminal) + timeout.to_bytes(4, "big") +
            holder.to_bytes(4, "big") + start.to_bytes(8, "big") + remember.to_bytes(4, "big"))


class Helper:
    """
    A running keystile-prompt; pin=False leaves descriptor 3 out, terminal is its descriptor 4. .shown: it said that
    its notice can be seen.
    """

    def __init__(self, question, env, pin=True, terminal=None):
        self.pin, pin_end = os.pipe()
        question_end, asking = os.pipe()
        self.words, words_end = os.pipe()
        actions = [(os.POSIX_SPAWN_DUP2, question_end, 0), (os.POSIX_SPAWN_DUP2, words_end, 2)]
        if pin:
            actions.append((os.POSIX_SPAWN_DUP2, pin_end, 3))
        else:
            actions.append((os.POSIX_SPAWN_CLOSE, 3))
        if terminal is not None:
            # Not under a number that is given away before.
            terminal = fcntl.fcntl(terminal, fcntl.F_DUPFD_CLOEXEC, 10)
            actions.append((os.POSIX_SPAWN_DUP2, terminal, 4))
        self.pid = os.posix_spawn(HELPER, [HELPER], env, file_actions=actions)
        self.status = None
        self.notice = question[:1] == bytes([NOTICE])
        self.shown = False
        for end in (pin_end, question_end, words_end) + (() if terminal is None else (terminal,)):
            os.close(end)
        os.write(asking, question)
        os.close(asking)

    def ended(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def finish(self):
        """Its exit status, what is in the PIN pipe, and its words."""
        lab.wait_for("the prompt helper ends", self.ended)
        answer = self._rest(self.pin)
        if self.notice and answer:
            self.shown, answer = True, answer.removeprefix("\0")
        return self.status, answer, self._rest(self.words)

    def wait_until_shown(self):
        if not select.select([self.pin], [], [], 20 * lab.place.PATIENCE)[0]:
            raise AssertionError("the notice is not said to be shown")

    @staticmethod
    def _rest(fd):
        data = b""
        while select.select([fd], [], [], 10 * lab.place.PATIENCE)[0]:
            piece = os.read(fd, 65536)
            if not piece:
                os.close(fd)
                return data.decode(errors="replace")
            data += piece
        raise AssertionError("a pipe of the prompt helper stays open")

    def signal(self, number):
        os.kill(self.pid, number)
