#!/usr/bin/python3
"""
Writes docs/prompts.md and docs/pictures: what a person sees of each kind of question, from Debian's pinentry-curses in
a terminal that tmux draws, and from pinentry-gtk-2 under Xvfb. Run it after a build: tests/prompts/capture.py [build folder]
"""
import os
import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("KEYSTILE_BUILD", str(TOP / "build" if len(sys.argv) < 2 else pathlib.Path(sys.argv[1]).resolve()))
sys.path.insert(0, str(TOP / "tests"))

import stage  # noqa: E402  (found by the lines above)

GRAPHICAL = "/usr/bin/pinentry-gtk-2"
PICTURES = TOP / "docs" / "pictures"
BEGINNING = """# What you are asked

Written by `tests/prompts/capture.py`: real programs, asked about by pinentry-curses in a terminal, and by pinentry-gtk-2
in a window. Other ways show the same words. What a stranger chose stands in quotes, on a line of its own; all else is
Keystile's. A remote request says so in its first line. Keys, names of users and numbers of processes stand for others.
"""


def capture(eye, show):
    """Title, what happens, and what show() makes of what is seen, for each scene and this eye."""
    one = stage.Stage(eye)
    try:
        return [(title, what, show(one, title, look())) for title, what, look in stage.scenes(one)], \
            one.see_a_refusal()
    finally:
        one.close()


def text(one, _, lines):
    return stage.framed(one.alike_all(lines))


def picture(_, title, data):
    path = PICTURES / (title.lower().replace(" ", "-").replace(",", "").replace("'", "") + ".png")
    path.write_bytes(data)
    return f"![{title}, in a window](pictures/{path.name})"


def main():
    PICTURES.mkdir(exist_ok=True)
    texts, refusal = capture(stage.Curses(), text)
    pictures, _ = capture(stage.Graphical(GRAPHICAL), picture)
    parts = [BEGINNING]
    for (title, what, lines), (_, _, link) in zip(texts, pictures):
        parts.append(f"## {title}\n\n{what}:\n\n```\n{lines}\n```\n\n{link}\n")
    parts.append(stage.REFUSAL.format("\n".join(refusal)))
    (TOP / "docs" / "prompts.md").write_text("\n".join(parts))


if __name__ == "__main__":
    main()
