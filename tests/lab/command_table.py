"""What keystile and keystile-agent take, as their own help says it."""
import re

from . import place

AGENT = ("keystile-agent",)
# "  -c, --csh               for C shells" or "  --json                  print it as JSON"
OPTION = re.compile(r"^  (?:-(?P<letter>\w))?(?:, )?(?:--(?P<name>[\w-]+))?(?: (?P<value>\S+))?(?:  +|$)", re.M)


def helped(*words):
    if words == AGENT:
        return place.run_well([place.AGENT, "--help"]).stdout
    return place.run_well([place.CONTROL, "help", *words]).stdout


def listed(*words):
    """The commands in a list of them: those of keystile, or the verbs of one of them."""
    lines = [line for line in helped(*words).splitlines() if re.match(r"  [a-z]", line)]
    return [line.split()[0] for line in lines if line.split()[0] != "help"]


def commands():
    """Each as a tuple of its words."""
    for name in listed():
        if verbs := listed(name):
            yield from ((name, verb) for verb in verbs)
        else:
            yield (name,)


def options(words):
    """Pairs of what an option is called ("-n", "--json") and the name of its value, or None."""
    found = {}
    for option in OPTION.finditer(helped(*words)):
        for dashes, kind in (("-", "letter"), ("--", "name")):
            if option[kind]:
                found[dashes + option[kind]] = option["value"]
    return found
