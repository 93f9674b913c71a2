"""The manuals and what keystile and keystile-agent say of themselves: the same commands, options, values and exit codes."""
import re
import unittest

import lab
from lab import command_table

# Macros of mdoc(7) behind which no option's letters stand any more.
MACROS = {"Ar", "Cm", "Fl", "Op", "Oo", "Oc", "Pq", "Ns", "Xr", "Ic", "Ql", "Dq", "Pa", "Ev", "Li"}


def manual(name):
    return (lab.ROOT / "docs" / name).read_text()


def section(text, name):
    return text.split(f"\n.Sh {name}\n")[1].split("\n.Sh ")[0]


def flags(text):
    """The options that a piece of a manual names: "-f", "--json"."""
    found = set()
    for line in text.splitlines():
        words, inside = line.lstrip(".").split(), False
        for word in words if line.startswith(".") else ():
            if word in MACROS:
                inside = word == "Fl"
            elif inside and re.fullmatch(r"-[a-z][\w-]*", word):
                found.add("-" + word)
            elif inside and re.fullmatch(r"\w+", word):
                found.update(f"-{letter}" for letter in word)
    return found


def synopses(text):
    """Of each command, as a tuple of its words: what its synopses say."""
    found = {}
    for block in re.split(r"^\.Nm", section(text, "SYNOPSIS"), flags=re.M)[1:]:
        name = " ".join([block.split("\n")[0].replace("keystile", ""), *re.findall(r"^\.Cm (.*)", block, re.M)[:1]])
        found.setdefault(tuple(name.split()), []).append(block)
    return {words: "\n".join(blocks) for words, blocks in found.items()}


def page_of(words):
    return f"keystile-{words[0]}.1" if words[0] in ("fido", "tpm") else "keystile.1"


def exit_codes(page):
    return set(re.findall(r"^\.It (\d)", section(manual(page), "EXIT STATUS"), re.M))


class Commands(unittest.TestCase):
    def test_each_command_is_in_a_manual_with_the_options_that_it_has(self):
        for words in command_table.commands():
            with self.subTest(words):
                self.assertIn(words, synopses(manual(page_of(words))))
                written = flags(synopses(manual(page_of(words)))[words])
                self.assertEqual(written, set(command_table.options(words)) - {"--help"})

    def test_each_synopsis_is_of_a_command(self):
        known = {*command_table.commands(), ("help",), (), ("fido",), ("tpm",)}
        for page in ("keystile.1", "keystile-fido.1", "keystile-tpm.1"):
            self.assertEqual(set(synopses(manual(page))) - known, set())

    def test_each_command_and_option_is_described(self):
        for words in command_table.commands():
            text = section(manual(page_of(words)), "DESCRIPTION")
            name = words[-1] if page_of(words) != "keystile.1" else " ".join(words)
            with self.subTest(words):
                self.assertRegex(text, rf"(?m)^\.It Cm {name}( |$)")
                self.assertEqual(set(command_table.options(words)) - {"--help"} - flags(text), set())

    def test_no_manual_names_an_option_that_is_none(self):
        for page in ("keystile.1", "keystile-fido.1", "keystile-tpm.1"):
            known = {"--version", "--help", "-h", "-V"}
            for words in command_table.commands():
                if page_of(words) == page:
                    known.update(command_table.options(words))
            self.assertEqual(flags(section(manual(page), "DESCRIPTION")) - known, set())

    def test_purposes_are_said_for_each(self):
        for words in command_table.commands():
            for line in command_table.helped(*words).splitlines()[1:]:
                self.assertRegex(line, r"\w", words)

    def test_a_wrong_command_line_ends_as_the_manual_says(self):
        for words in command_table.commands():
            with self.subTest(words):
                code = lab.run([lab.CONTROL, *words, "--no-such"]).returncode
                self.assertEqual(code, 3 if words == ("doctor",) else 2)
                self.assertIn("2", exit_codes(page_of(words)))
        self.assertRegex(section(manual("keystile.1"), "EXIT STATUS"), r"(?s)\.Cm doctor\n.*and with 3")

    def test_values_that_help_lists_are_in_the_manual(self):
        text = manual("keystile-tpm.1")
        for kind in lab.run_well([lab.CONTROL, "completion", "fish"]).stdout.split("-l type -x -a '")[1].split("'")[0].split():
            self.assertIn(f".Cm {kind}", text)


class Agent(unittest.TestCase):
    def test_options_of_the_agent(self):
        text = manual("keystile-agent.1")
        options = set(command_table.options(command_table.AGENT))
        self.assertEqual(set(re.findall(r"^\.It Fl (?:\w , )?-?(\w+)", text, re.M)),
                         {option.lstrip("-") for option in options} - {"V"})
        self.assertEqual(flags(section(text, "SYNOPSIS")) | {"--help", "--version"}, options)

    def test_values_of_its_option_o(self):
        listed = re.search(r"-s O -x -a '([^']*)'", lab.run_well([lab.CONTROL, "completion", "fish"]).stdout)[1]
        described = section(manual("keystile-agent.1"), "DESCRIPTION").split(".It Fl O ")[1].split(".El")[0]
        self.assertEqual({one.rstrip("=") for one in listed.split()}, set(re.findall(r"^\.It Cm ([\w-]+)", described, re.M)))
        for one in listed.split():
            with self.subTest(one), lab.Folder() as folder:
                done = lab.run([lab.AGENT, "-O", one, "true"], env=lab.environment(folder.path))
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_its_exit_codes(self):
        self.assertIn("EXIT STATUS", manual("keystile-agent.1"))


if __name__ == "__main__":
    unittest.main()
