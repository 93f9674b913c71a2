"""
The scenes of docs/prompts.md: real programs that ask an agent for a signature, and what a person sees then. capture.py
writes the page, test_prompts.py compares it.
"""
import contextlib
import getpass
import os
import re
import shlex
import signal
import subprocess
import time

import lab
from lab.keys import blob_of_line, fingerprint_of, string

PIN = "1234"
LOCK, UNLOCK = 22, 23
USER = getpass.getuser()
SHELL = '"/usr/bin/bash"'
SCENE = """## {}

{}:

```
{}
```
"""
REFUSAL = """## Unrecognised data from afar

is refused, and nobody is asked. `keystile status` says:

```
{}
```
"""


class Curses:
    """pinentry-curses in a terminal that tmux draws."""

    def __init__(self):
        self.terminal = lab.Terminal(height=70)
        self.env = {}
        self.config = f"prompts = pinentry\npinentry = /usr/bin/pinentry-curses\npinentry-terminal = {self.terminal.path}\n"

    @contextlib.contextmanager
    def asked(self):
        """The lines within the frame that it draws."""
        yield lab.wait_for("the question is there", self._within)

    def _within(self):
        """Empty until the frame is whole; tmux may give the letters of which the terminal draws it."""
        lines = [line.strip() for line in self.terminal.screen().splitlines() if line.strip()]
        frames = [at for at, line in enumerate(lines) if len(line) > 2 and not line[1:-1].strip("q\u2500")]
        return [line[2:-1].rstrip() for line in lines[1:-1]] if frames == [0, len(lines) - 1] and frames[1] > 0 else []

    def wait_until_gone(self):
        self.terminal.wait_until_gone("<")

    def close(self):
        self.terminal.close()


class Graphical:
    """A pinentry that opens a window."""

    def __init__(self, program):
        self.display = lab.Display()
        self.env = self.display.env
        self.config = f"prompts = pinentry\npinentry = {program}\n"

    @contextlib.contextmanager
    def asked(self):
        """A picture of the window."""
        window = self.display.wait_until_shown()
        time.sleep(2)  # for a picture: nothing tells when all of it is drawn
        yield self.display.picture(window)

    def wait_until_gone(self):
        self.display.wait_until_gone()

    def close(self):
        self.display.close()


class Pane:
    """A terminal that tmux draws, for Keystile's own questions: no display is known, no pinentry configured."""

    PROMPTS = ("PIN:", "Allow it? yes or no [no]:")
    WAITS = "Waiting for questions. Ctrl-C ends."

    def __init__(self):
        self.terminal = lab.Terminal(width=80, height=60)
        self.terminal.call("set-option", "-g", "remain-on-exit", "on")  # a prompter ends with its agent
        self.env = {}
        self.config = ""

    def runs(self, *command):
        """Instead of what ran there before, on an empty screen."""
        self.terminal.call("respawn-pane", "-k", shlex.join(map(str, command)))

    def lines(self):
        return [line.rstrip() for line in self.terminal.screen().rstrip().splitlines()]

    def wait_for_last(self, *lasts, times=1):
        """The lines of the screen once the last is one of these, and there as many times."""
        def shown():
            lines = self.lines()
            return lines if lines and lines[-1] in lasts and lines.count(lines[-1]) >= times else None
        try:
            return lab.wait_for(f"the terminal ends with {lasts}", shown, 60)
        except AssertionError as error:
            raise AssertionError("\n".join([str(error), *self.lines()])) from None

    @contextlib.contextmanager
    def asked(self):
        """All of the screen, when an answer can be typed."""
        yield self.wait_for_last(*self.PROMPTS)

    def answer(self, words):
        self.terminal.types("-l", words)
        self.terminal.types("Enter")

    def wait_until_gone(self):
        self.wait_for_last(self.WAITS, times=2)

    def close(self):
        self.terminal.close()


class Stage:
    """
    Three hosts, the second of which no known_hosts names; an agent with a token that wants its PIN for each
    signature, and a key that was added with `ssh-add -c`; and what the eye sees of its questions.
    """

    def __init__(self, eye):
        self.eye = eye
        self.closing = contextlib.ExitStack()
        self.closing.callback(eye.close)
        self.bastion, self.inner, self.database = (self._host(name) for name in ("bastion", "inner", "db"))
        self.agent = lab.Agent(config=f"when-locked = list\n{eye.config}", env=eye.env)
        self.closing.callback(self.agent.stop)
        self._know(self.bastion, self.database)
        self._bring_keys()

    def _host(self, name):
        host = lab.Sshd(names=(f"{name}.example",))
        self.closing.callback(host.close)
        return host

    def _know(self, *hosts):
        folder = self.agent.home / ".ssh"
        folder.mkdir(mode=0o700)
        (folder / "known_hosts").write_text("".join(host.known_hosts.read_text() for host in hosts))

    def _bring_keys(self):
        with lab.AgentClient(self.agent) as one:
            one.add_token("fake:lab,pin=always", PIN)
            self.key = one.list()[0].blob
        self.public = self.agent.home / "token.pub"
        self.public.write_text(lab.keys.line_of(self.key))
        self.hops, self.added = self._key_file("hops"), self._key_file("added")
        done = self.agent.run("ssh-add", "-c", self.added)
        assert done.returncode == 0, done.stderr
        self.database.allow(lab.keys.line_of(self.key))
        self.database.allow(self.added.with_suffix(".pub").read_text())
        for host in (self.bastion, self.inner):
            host.allow(self.hops.with_suffix(".pub").read_text())
        blobs = {"token": self.key, "added": blob_of_line(self.added.with_suffix(".pub").read_text())}
        hosts = {"bastion": self.bastion, "inner": self.inner, "db": self.database}
        self.blobs = blobs | {name: blob_of_line(host.host_key_line) for name, host in hosts.items()}

    def _key_file(self, name):
        path = self.agent.home / name
        lab.run_well(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"alice's {name} key", "-f", path])
        return path

    @contextlib.contextmanager
    def running(self, command, **env):
        """A program in the background, and what is below it; both are gone in the end."""
        with subprocess.Popen([str(word) for word in command], env=dict(self.agent.env, **env), cwd=self.agent.home,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              start_new_session=True) as process:
            try:
                yield process
            finally:
                below = lab.descendants(process.pid)
                lab.place.end(process, signal.SIGTERM)
                for one in below:
                    if one.alive():
                        os.kill(one.pid, signal.SIGTERM)

    def see(self, command, **env):
        """What the eye sees when a program asks for a signature."""
        with self.running(command, **env), self.eye.asked() as seen:
            pass
        self.eye.wait_until_gone()
        return seen

    def login(self, key=None):
        return self.database.ssh("-i", key or self.public, "-o", "IdentitiesOnly=yes", "db.example", "true")

    def see_a_login(self, key=None, **env):
        return self.see(self.login(key), **env)

    def see_from_afar(self, *options):
        """A login over two hosts, into which another key lets us that nobody has to be asked for."""
        hops = ("-A", "-i", self.hops, "-o", "IdentitiesOnly=yes")
        last = self.database.ssh("-i", self.public, "-o", "IdentitiesOnly=yes", *options, "db.example", "true")
        middle = self.inner.ssh(*hops, "inner.example", shlex.join(map(str, last)))
        return self.see(self.bastion.ssh(*hops, "bastion.example", shlex.join(map(str, middle))))

    def see_a_commit(self):
        work = self.agent.home / "work"
        lab.run_well(["git", "init", "-q", work], env=self.agent.env)
        settings = {"user.name": "Alice", "user.email": "alice@example.org", "gpg.format": "ssh",
                    "user.signingKey": self.public}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return self.see(["git", "-C", work, *words, "commit", "-q", "--allow-empty", "-S", "-m", "x"])

    def see_from_a_container(self):
        """The socket is mounted into another mount namespace, as a container gets it."""
        inside = self.agent.home / "inside.sock"
        inside.touch()
        words = ["unshare", *([] if os.getuid() == 0 else ["-r"]), "-m", "sh", "-c",
                 'mount --bind "$SSH_AUTH_SOCK" "$0" && SSH_AUTH_SOCK=$0 exec "$@"', inside]
        return self.see([*words, *self.login()])

    def see_it_locked(self):
        """ssh-add -x, and what a login asks for then."""
        with lab.AgentClient(self.agent) as one:
            assert one.call(LOCK, string("password"))[0] == lab.client.SUCCESS
            seen = self.see_a_login()
            assert one.call(UNLOCK, string("password"))[0] == lab.client.SUCCESS
        return seen

    def see_a_prompter(self):
        """What `keystile prompter` says first; it is in the pane from then on."""
        control = self.agent.own_folder / "control.sock"
        self.eye.runs("/usr/bin/env", f"KEYSTILE_CONTROL={control}", lab.CONTROL, "prompter")
        return self.eye.wait_for_last(self.eye.WAITS)

    def in_a_prompter(self, see, *arguments):
        """What stands below its first lines when see() asks."""
        welcome = self.see_a_prompter()
        return see(*arguments)[len(welcome):]

    def see_a_prompter_answered(self, key, answer):
        """From the answer on."""
        self.see_a_prompter()
        with self.running(self.login(key)) as ssh:
            with self.eye.asked() as asked:
                self.eye.answer(answer)
            shown = self.eye.wait_for_last(self.eye.WAITS, times=2)
            lab.wait_for("ssh ends", lambda: ssh.poll() is not None, 60)
            assert (ssh.returncode == 0) == (answer in (PIN, "yes")), self.agent.log()
        return shown[len(asked) - 1:]

    def see_it_where_ssh_is_called(self):
        """A shell in the pane, and all of a login there."""
        config = self.agent.home / "shell"
        login = shlex.join(map(str, self.database.ssh("-i", self.public, "-o", "IdentitiesOnly=yes")))
        config.write_text(f"PS1='$ '\nexport SSH_AUTH_SOCK={self.agent.socket}\nssh() {{ command {login} \"$@\"; }}\n")
        self.eye.runs("/usr/bin/bash", "--rcfile", config, "-i")
        self.eye.wait_for_last("$")
        self.eye.answer("ssh db.example uname")
        with self.eye.asked():
            self.eye.answer(PIN)
        return self.eye.wait_for_last("$")

    def see_a_refusal(self):
        """Of unrecognised data from afar: nobody is asked."""
        done = self.agent.run("ssh-add", "-T", self.public, env={"SSH_AUTH_SOCK": self.agent.remote_socket})
        assert done.returncode != 0, "it was signed"
        return [self.alike(line) for line in self.agent.refusals()[0].split("; ")]

    def alike(self, line):
        """A line without what is another one each time: keys, the number of the process, who runs this."""
        for name, blob in self.blobs.items():
            line = line.replace(fingerprint_of(blob), fingerprint_of(name.encode()))
        line = re.sub(r"(process|connection|pid) [0-9]+", lambda found: f"{found[1]} 4711", line)
        line = re.sub(r"^[0-9:]{8}: ", "09:41:00: ", line)
        return line.replace(f'"{USER}"', '"alice"')

    def alike_all(self, lines):
        """And without the programs that started those who asked, but for git."""
        found, within = [], False
        for line in map(self.alike, lines):
            bare = line.lstrip("| ")
            shell = line.removesuffix(bare) + SHELL
            within = bare == "started by" or (within and bare.startswith('"'))
            if not within or bare in ("started by", '"/usr/bin/git"'):
                found.append(line)
            elif found[-1] != shell:
                found.append(shell)
        return found

    def close(self):
        self.closing.close()


def framed(lines):
    """As the terminal shows them."""
    width = max(map(len, lines))
    edge = "+" + "-" * (width + 2) + "+"
    return "\n".join([edge, *(f"| {line:{width}} |" for line in lines), edge])


def scenes(stage):
    """Title, what happens, and what does it and returns what is seen."""
    yield ("A login from this machine", "`ssh alice@db.example`", stage.see_a_login)
    yield ("A forwarded login, the destination proven",
           "`ssh -A` to bastion.example, from there to a host that is not known, from there `ssh alice@db.example`",
           stage.see_from_afar)
    yield ("A forwarded login, the destination unproven",
           "the same with an ssh that does not say for which host it is (`PubkeyAuthentication=unbound`, or an old one)",
           lambda: stage.see_from_afar("-o", "PubkeyAuthentication=unbound"))
    yield ("A git commit", "`git commit -S`", stage.see_a_commit)
    yield ("Unrecognised data", "`ssh-add -T token.pub` asks to sign something",
           lambda: stage.see(["ssh-add", "-T", stage.public]))
    yield ("A container's request", "`agent.sock` mounted into a container, a login from there",
           stage.see_from_a_container)
    yield ("A request on the socket for remote use", "`SSH_AUTH_SOCK` is `remote.sock`, for a login",
           lambda: stage.see_a_login(SSH_AUTH_SOCK=stage.agent.remote_socket))
    yield ("A key that was added with ssh-add -c", "`ssh alice@db.example` with it",
           lambda: stage.see_a_login(stage.added.with_suffix(".pub")))
    yield ("A locked agent that keeps its keys in sight", "`ssh-add -x`, `when-locked = list`, a login from this machine",
           stage.see_it_locked)


def terminal_scenes(stage):
    """The same for a terminal without any pinentry: its eye is a Pane."""
    added = stage.added.with_suffix(".pub")
    yield "A prompter that waits", "`keystile prompter` in a terminal of its own", stage.see_a_prompter
    yield ("A login from this machine, in a prompter's terminal", "`ssh alice@db.example` in another terminal",
           lambda: stage.in_a_prompter(stage.see_a_login))
    yield ("The answer, in a prompter's terminal", "the PIN is typed, of which nothing shows, and Return",
           lambda: stage.see_a_prompter_answered(stage.public, PIN))
    yield ("A forwarded login, in a prompter's terminal",
           "`ssh -A` to bastion.example, from there to a host that is not known, from there `ssh alice@db.example`",
           lambda: stage.in_a_prompter(stage.see_from_afar))
    yield ("A confirmation, in a prompter's terminal", "`ssh alice@db.example` with a key that was added with `ssh-add -c`",
           lambda: stage.in_a_prompter(stage.see_a_login, added))
    yield ("A no, in a prompter's terminal", "the same, and `no` is typed",
           lambda: stage.see_a_prompter_answered(added, "no"))
    yield ("A login without a display or a prompter", "it asks where ssh was called, and the PIN is typed there",
           stage.see_it_where_ssh_is_called)
