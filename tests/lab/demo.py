"""
tests/demo: the main job as a transcript. Every command is shown as it is run, with what it printed; after each
the demo says whether that is what should have happened, and ends with 0 only if all of it did.
"""
import contextlib
import glob
import os
import pathlib
import re
import shlex
import signal
import sys

HERE = pathlib.Path(__file__).resolve().parent
os.environ["KEYSTILE_BUILD"] = str(HERE.parents[1] / "build" / "demo")
sys.path.insert(0, str(HERE.parent))

import lab  # noqa: E402  (found by the line above, reads KEYSTILE_BUILD)

REMOTE = '"REMOTE REQUEST"'  # how the agent's prompt begins the line that says so; quoted for sh
ASK = """\
printf 'PIN (nothing is shown): ' >&3
trap 'stty echo <&3' EXIT
stty -echo <&3
IFS= read -r pin <&3
echo >&3
test -n "$pin" && printf '%s\\n' "$pin"
"""
PCSCD_SOCKET = "/run/pcscd/pcscd.comm"


class Wrong(Exception):
    """Something did not happen as it should."""


class EmulatedToken:
    """SoftHSM2 with three keys; its PIN is known, so nobody has to type."""

    pin = "1234"
    wrong_pin = "4321"
    title = "an emulated token (SoftHSM2); its PIN is 1234"
    refusal = "A forwarded login, and the PIN typed is wrong"
    prompts_seen = False

    def __init__(self, stack):
        hsm = stack.enter_context(lab.SoftHSM())
        token = hsm.token("Demo card", self.pin)
        for kind, label in (("p256", "login"), ("rsa:2048", "old login"), ("ed25519", "spare")):
            token.generate(kind, label)
        self.module, self.env = hsm.module, hsm.env
        self.askpass = stack.enter_context(lab.Askpass(self.pin))

    def answers_right(self):
        self.askpass.prints(self.pin)

    def refuses_remote(self):
        """Right for this machine; for a remote request wrong at first and, asked once more, gives up."""
        self.askpass.does(f"""case $1 in
*{REMOTE}*"PIN was wrong"* | *"PIN was wrong"*{REMOTE}*) exit 1 ;;
*{REMOTE}*) echo {self.wrong_pin} ;;
*) echo {self.pin} ;;
esac""")


class RealToken:
    """The token in the reader: a person types its PIN at this terminal. A wrong one is never tried."""

    title = "the token in the reader; you will be asked for its PIN"
    refusal = ("A forwarded login, and the PIN is refused"
               " (a wrong one would cost the card one of its tries)")
    prompts_seen = True
    env = {}

    def __init__(self, stack, module):
        self.module = module
        self.askpass = stack.enter_context(lab.Askpass())
        self.answers_right()

    def at_terminal(self, script):
        """A script that has the terminal as descriptor 3, and shows the prompt there first."""
        return f"exec 3<>{shlex.quote(os.ttyname(0))}; printf '%s\\n' \"$1\" >&3\n{script}"

    def answers_right(self):
        self.askpass.does(self.at_terminal(ASK))

    def refuses_remote(self):
        self.askpass.does(self.at_terminal(
            f"case $1 in *{REMOTE}*) echo '(the demo says no)' >&3; exit 1 ;; esac\n{ASK}"))


def module_in_reader():
    """OpenSC's module where a person is at a terminal and a card that was set up is in a reader."""
    modules = glob.glob("/usr/lib/*/opensc-pkcs11.so")
    if not (modules and sys.stdin.isatty() and os.path.exists(PCSCD_SOCKET)):
        return None
    slots = lab.run(["pkcs11-tool", "--module", modules[0], "-L"]).stdout
    return modules[0] if re.search(r"token flags\s*:.*token initialized", slots) else None


class Demo:
    """The agent, the sshd and the transcript."""

    def __init__(self, stack):
        module = module_in_reader()
        self.token = RealToken(stack, module) if module else EmulatedToken(stack)
        self.agent = stack.enter_context(lab.Agent(env=self.token.env, askpass=self.token.askpass))
        self.sshd = stack.enter_context(lab.Sshd(names=("bastion", "server")))
        self.folder = self.agent.home
        self.shown_prompts = 0
        self.steps = 0

    def step(self, title):
        self.steps += 1
        print(f"\n{self.steps}. {title}\n")

    def plain(self, text):
        """Paths of the temporary folders as variables, so that lines stay readable."""
        text = text.replace(str(self.sshd.folder.path), "$SSHD").replace(str(self.folder), "$DEMO")
        return text.replace(str(lab.BUILD / "bin") + "/", "")

    def show(self, *command, expect=0, says=None, **options):
        """Runs a command and shows it; Wrong unless it ended with expect and printed `says`."""
        print("   $ " + self.plain(shlex.join(map(str, command))))
        done = self.agent.run(*command, **options)
        output = done.stdout + done.stderr
        self.show_prompts()
        for line in self.plain(output).splitlines():
            print("   " + line)
        if (done.returncode == 0) != (expect == 0):
            raise Wrong(f"it ended with {done.returncode}, which is not what should happen")
        if says and says not in output:
            raise Wrong(f"it should have said {says!r}")
        return done

    def show_prompts(self):
        """What the agent's askpass was asked since last time, word for word."""
        fresh = self.token.askpass.prompts()[self.shown_prompts:]
        self.shown_prompts += len(fresh)
        for prompt in [] if self.token.prompts_seen else fresh:
            print("   ,-- the agent asks the person")
            for line in self.plain(prompt).rstrip().splitlines():
                print(f"   |  {line}")
            print("   `--")

    def expect_remote_prompt(self, before):
        """The forwarded login itself was asked about, not only the one to the host between."""
        fresh = self.token.askpass.prompts()[before:self.shown_prompts]
        if not any(REMOTE.strip('"') in prompt for prompt in fresh):
            raise Wrong("nobody was asked about the forwarded login")

    def add(self):
        self.step("The agent learns the token; ssh-add asks for its PIN")
        print(f"   $ ssh-add -s {self.token.module}")
        if isinstance(self.token, EmulatedToken):
            done = self.agent.add_token(self.token.module, self.token.pin)
        else:
            env = dict(self.agent.env, SSH_ASKPASS=str(self.token.askpass.path), SSH_ASKPASS_REQUIRE="force")
            done = lab.run(["ssh-add", "-s", self.token.module], env=env, seconds=300)
            self.shown_prompts = len(self.token.askpass.prompts())
        print("   " + (done.stdout + done.stderr).strip())
        if done.returncode != 0:
            raise Wrong(f"ssh-add ended with {done.returncode}")

    def keys(self):
        self.step("The keys on the token, as ssh-add shows them")
        self.show("ssh-add", "-l")
        lines = self.agent.run("ssh-add", "-L").stdout.splitlines()
        if not lines:
            raise Wrong("the token holds no key")
        others = [line for line in lines if not line.startswith("ssh-rsa ")]
        self.test_keys(others)
        return (others or lines)[0]

    def test_keys(self, lines):
        """RSA keys are left out: ssh-add asks them for SHA-1, which the agent refuses by default."""
        self.step("Each key signs something that ssh-add verifies (not RSA: it would ask for SHA-1 there)")
        public = self.folder / "keys.pub"
        public.write_text("".join(f"{line}\n" for line in lines))
        if lines:
            self.show("ssh-add", "-T", public, seconds=300)
            print("   (silence: every signature was right)")
        else:
            print("   (all keys of this token are RSA)")

    def login(self):
        self.step("A login: the token is open, so nobody is asked")
        self.show(*self.sshd.ssh("server", "echo", "logged", "in"), says="logged in", seconds=300)

    def inner(self):
        """ssh to the bastion with the agent forwarded, and from there to the server."""
        return [*self.sshd.ssh("-A", "bastion"),
                *self.sshd.ssh("server", "echo", "logged", "in", "through", "the", "bastion")]

    def forwarded_login(self):
        self.step("A login through another host, with the agent forwarded: the PIN is asked for this very request")
        before = self.shown_prompts
        self.show(*self.inner(), says="logged in through the bastion", seconds=300)
        self.expect_remote_prompt(before)

    def refused_login(self):
        self.step(self.token.refusal)
        before = self.shown_prompts
        self.token.refuses_remote()
        self.show(*self.inner(), expect=1, says="Permission denied", seconds=300)
        self.token.answers_right()
        self.expect_remote_prompt(before)
        print("   (refused, as it should be)")

    def commit(self, key):
        self.step("A git commit, signed with the key on the token and verified")
        work = self.folder / "work"
        signers = self.folder / "allowed_signers"
        signers.write_text(f'demo@example.org namespaces="git" {" ".join(key.split()[:2])}\n')
        git = ["git", "-C", work]
        env = {"GIT_CONFIG_NOSYSTEM": "1"}
        settings = {"user.name": "Demo", "user.email": "demo@example.org", "gpg.format": "ssh",
                    "user.signingKey": "key::" + " ".join(key.split()[:2]),
                    "gpg.ssh.allowedSignersFile": str(signers)}
        lab.run_well(["git", "init", "-q", "-b", "main", work], env={**self.agent.env, **env})
        for name, value in settings.items():
            lab.run_well([*git, "config", name, value], env={**self.agent.env, **env})
        (work / "README").write_text("signed\n")
        self.show(*git, "add", "README", env=env)
        self.show(*git, "commit", "-q", "-S", "-m", "Signed by a key on a token", env=env, seconds=300)
        self.show(*git, "verify-commit", "HEAD", env=env, says='Good "git" signature')

    def run(self):
        print(f"The agent runs with {self.token.title}.")
        print(f"   DEMO={self.folder}  SSHD={self.sshd.folder.path} (sshd on 127.0.0.1:{self.sshd.port})")
        print("   $ keystile-agent -D -a $DEMO/agent.sock &")
        self.add()
        key = self.keys()
        self.sshd.allow(key)
        self.login()
        self.forwarded_login()
        self.refused_login()
        self.commit(key)
        self.step("What the agent says of itself")
        self.show(lab.CONTROL, "status")


def build():
    """The programs alone, in a tree of the demo's own."""
    print("Building Keystile in build/demo ...", flush=True)
    jobs = str(len(os.sched_getaffinity(0)))
    for command in (["cmake", "-S", lab.ROOT, "-B", lab.BUILD, "-DBUILD_TESTING=OFF"],
                    ["cmake", "--build", lab.BUILD, "--parallel", jobs]):
        done = lab.run(command, seconds=1800)
        if done.returncode != 0:
            print((done.stdout + done.stderr)[-6000:])
            raise Wrong("the build failed")


def interrupted(*_):
    raise KeyboardInterrupt


def main():
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    try:
        build()
        with contextlib.ExitStack() as stack:
            Demo(stack).run()
    except (Wrong, AssertionError) as error:
        notes = "\n".join(getattr(error, "__notes__", []))
        print(f"\nThe demo FAILED: {error}\n{notes}")
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; everything the demo started was ended.")
        return 130
    print("\nAll of it happened as it should. The agent, the sshd and their folders are gone again.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
