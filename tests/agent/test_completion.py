"""Completions, by the real shells: every command, verb and option of keystile and keystile-agent, and what stands for values."""
import os
import signal
import subprocess
import threading
import unittest

import lab
from control_bed import STATUS, FakeAgent, message
from lab import command_table

FINGERPRINT = "SHA256:" + "a" * 43
# A token whose maker wants to be run by whoever types Tab.
HOSTILE = "$(touch pwned)`touch pwned`; touch pwned #"


class Shell(unittest.TestCase):
    """.complete(LINES) is what may stand at the end of each of them."""

    script = None

    def setUp(self):
        self.folder = lab.place.Folder()
        self.addCleanup(self.folder.close)
        self.home = self.folder.path
        self.env = {**lab.environment(self.home), "PATH": f"{lab.CONTROL.parent}:{os.environ['PATH']}", "TERM": "xterm",
                    "KEYSTILE_CONTROL": str(self.home / "control.sock")}
        (self.home / "script").write_text(lab.run_well([lab.CONTROL, "completion", self.script]).stdout)
        (self.home / "a file").touch()

    def answers(self, lines):
        """By line: the words that may complete it."""
        (self.home / "lines").write_text("".join(f"{line}\n" for line in lines))
        self.run_shell()
        found = {line: set() for line in lines}
        for answer in (self.home / "answers").read_text().splitlines():
            number, _, word = answer.partition("\t")
            found[lines[int(number)]].add(word)
        return found

    def with_agent(self):
        token = {"label": HOSTILE}
        provider = {**STATUS["providers"][0], "tokens": [{**STATUS["providers"][0]["tokens"][0], **token},
                                                         {**STATUS["providers"][0]["tokens"][0], "label": "work card"}]}
        key = {**STATUS["keys"][0], "fingerprint": FINGERPRINT, "comment": HOSTILE}
        (self.home / "control.sock").unlink(missing_ok=True)
        agent = FakeAgent(self.home / "control.sock", FakeAgent.behave(message({**STATUS, "providers": [provider], "keys": [key]})))
        self.addCleanup(agent.close)


class Tests:
    def test_every_command_and_option_completes(self):
        wanted = {"keystile ": set(command_table.listed()) | {"help"}}
        wanted["keystile-agent -"] = set(command_table.options(command_table.AGENT))
        for words in command_table.commands():
            if len(words) > 1:
                wanted.setdefault(f"keystile {words[0]} ", set()).add(words[1])
            wanted[f"keystile {' '.join(words)} -"] = set(command_table.options(words)) | {"--help"}
        self.assertGreater(len(wanted), 28)
        found = self.answers([*wanted, *(line + "-" for line in wanted if line.endswith(" -"))])
        for line, words in wanted.items():
            with self.subTest(line):
                offered = found[line] | (found[line + "-"] if line.endswith(" -") else set())
                self.assertEqual(words - offered, set())
                extra = {one for one in offered if one.startswith("--")} - words
                self.assertLessEqual(extra, {"--help", "--version"})

    def test_beginnings_and_values(self):
        wanted = {"keystile st": {"status"}, "keystile policy test --origin r": {"remote"},
                  "keystile tpm create -t rsa2": {"rsa2048"}, "keystile completion f": {"fish"},
                  "keystile help tpm st": {"storage-key"}, "keystile-agent -E sha2": {"sha256"},
                  "keystile-agent -O allow-ssh": {"allow-ssh-dss"}, "keystile keys st": set(),
                  "keystile policy test --json --subject ssh": {"sshsig"}}
        found = self.answers(list(wanted))
        for line, words in wanted.items():
            with self.subTest(line):
                self.assertEqual(found[line], words)

    def test_files(self):
        for line, found in self.answers(["keystile tpm list a", "keystile-agent --config a", "keystile tpm verify --roots a"]).items():
            with self.subTest(line):
                self.assertTrue({one.replace("\\", "") for one in found} & {"a file"}, found)

    def offered(self, line):
        """Of an agent that is fast enough: after a second there is nothing to offer."""
        self.with_agent()
        return {one.replace("\\", "") for one in self.answers([line])[line]} - {"--help", "-h"}

    def test_what_the_agent_has_and_no_label_is_run(self):
        for line, wanted in (("keystile release w", {"work card"}), ("keystile policy test --key ", {FINGERPRINT}),
                             ("keystile log --key ", {FINGERPRINT}), ("keystile release ", {"work card", HOSTILE})):
            with self.subTest(line):
                lab.wait_for("what the agent has is offered", lambda one=line, all_of_it=wanted: self.offered(one) == all_of_it)
        self.assertEqual(list(self.home.glob("**/pwned")), [])

    def test_without_an_agent_nothing_is_offered_or_said(self):
        found = self.answers(["keystile release w", "keystile log --key S"])
        self.assertEqual(list(found.values()), [set(), set()])
        self.assertNotIn("no agent", self.said)


class Bash(Shell, Tests):
    script = "bash"
    driver = """
        . /usr/share/bash-completion/bash_completion
        . ./script
        number=0
        while IFS= read -r COMP_LINE; do
            COMPREPLY=()
            read -ra COMP_WORDS <<<"$COMP_LINE"
            [[ $COMP_LINE != *' ' ]] || COMP_WORDS+=('')
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_POINT=${#COMP_LINE} COMP_TYPE=9
            _keystile
            ((${#COMPREPLY[@]} == 0)) || printf "$number\\t%s\\n" "${COMPREPLY[@]}"
            number=$((number + 1))
        done <lines >answers
        """

    def run_shell(self):
        done = lab.run(["bash", "--norc", "-c", self.driver], env=self.env, cwd=self.home)
        self.said = done.stderr
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_fingerprint_that_was_begun_goes_on_behind_its_colon(self):
        lab.wait_for("it is offered", lambda: self.begun() == "a" * 43)

    def begun(self):
        self.with_agent()
        return lab.run(["bash", "--norc", "-c", """
            . /usr/share/bash-completion/bash_completion
            . ./script
            COMP_WORDS=(keystile log --key SHA256 : aa) COMP_CWORD=5 COMP_LINE='keystile log --key SHA256:aa'
            COMP_POINT=${#COMP_LINE}
            _keystile
            echo "${COMPREPLY[@]}" """], env=self.env, cwd=self.home).stdout.strip()

    def test_where_it_is_installed_bash_finds_it(self):
        root = self.home / "root"
        lab.run_well(["cmake", "--install", lab.BUILD, "--component", "agent", "--prefix", root])
        for command in ("keystile", "keystile-agent"):
            done = lab.run(["bash", "--norc", "-c", ". /usr/share/bash-completion/bash_completion; "
                            f"_completion_loader {command}; complete -p {command}"],
                           env={**self.env, "XDG_DATA_DIRS": str(root / "share")})
            self.assertIn("-F _keystile", done.stdout, done.stderr)
        for shell, path in (("zsh", "zsh/site-functions/_keystile"), ("fish", "fish/vendor_completions.d/keystile-agent.fish")):
            places = [root / "share" / path, root / "share" / path.replace("site-functions", "vendor-completions")]
            text = next(place.read_text() for place in places if place.exists())
            self.assertEqual(text, lab.run_well([lab.CONTROL, "completion", shell]).stdout)


class Fish(Shell, Tests):
    script = "fish"
    driver = """
        source script
        set number 0
        for line in (cat lines)
            for word in (complete -C $line)
                printf '%s\\t%s\\n' $number (string split -f 1 \\t -- $word)
            end
            set number (math $number + 1)
        end > answers
        """

    def run_shell(self):
        done = lab.run(["fish", "--no-config", "-c", self.driver], env=self.env, cwd=self.home)
        self.said = done.stderr
        self.assertEqual(done.returncode, 0, done.stderr)


class Zsh(Shell, Tests):
    """Its completion works in its line editor only: a real one, whose matches are written down instead of shown."""

    script = "zsh"
    setup = """
        fpath=($PWD/functions $fpath)
        autoload -Uz compinit
        compinit -u -D
        zstyle ':completion:*' completer _complete
        compadd() {
            if (( ${@[(I)-[OAD]]} )); then builtin compadd "$@"; return; fi
            local -a matched
            builtin compadd -O matched "$@"
            (( ! $#matched )) || print -rl -- "$number"$'\\t'${^matched} >>answers
            builtin compadd "$@"
        }
        complete-all() {
            local line number=0
            while IFS= read -r line; do
                BUFFER=$line CURSOR=$#line
                zle list-choices
                number=$((number + 1))
            done <lines
            : >done
            BUFFER= CURSOR=0
        }
        zle -N complete-all
        bindkey '^X' complete-all
        : >>answers
        : >ready
        """

    def run_shell(self):
        for name in ("ready", "done", "answers"):
            (self.home / name).unlink(missing_ok=True)
        (self.home / "functions").mkdir(exist_ok=True)
        (self.home / "functions" / "_keystile").write_text((self.home / "script").read_text())
        (self.home / "setup").write_text(self.setup)
        main, terminal = os.openpty()
        shell = subprocess.Popen(["setsid", "--ctty", "zsh", "-f", "-i"], stdin=terminal, stdout=terminal, stderr=terminal,
                                 env=self.env, cwd=self.home)
        os.close(terminal)
        shown = []
        reader = threading.Thread(target=self.read_all, args=[main, shown])
        reader.start()
        try:
            os.write(main, b". ./setup\n")
            lab.wait_for("zsh is set up", (self.home / "ready").exists)
            os.write(main, b"\x18")
            lab.wait_for("zsh has completed all", (self.home / "done").exists)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{b''.join(shown).decode(errors='replace')[-3000:]}") from None
        finally:
            lab.place.end(shell, signal.SIGKILL)
            reader.join()
            os.close(main)
        self.said = b"".join(shown).decode(errors="replace")

    @staticmethod
    def read_all(descriptor, shown):
        """Until nobody has the terminal open."""
        try:
            while part := os.read(descriptor, 4096):
                shown.append(part)
        except OSError:
            pass


if __name__ == "__main__":
    unittest.main()
