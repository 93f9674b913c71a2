#!/usr/bin/python3
"""
Writes docs/prompts.md and docs/pictures: what a person sees of each kind of question, from Debian's pinentry-curses in
a terminal that tmux draws, from pinentry-gtk-2 under Xvfb, and from Keystile itself in a terminal. Run it after a build:
tests/prompts/capture.py [build folder]
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
in a window; then by Keystile itself in a terminal, for machines without a desktop. Askpass shows the same words. What a
stranger chose stands in quotes, on a line of its own; all else is Keystile's. A remote request says so in its first line.
Keys, names of users, numbers of processes and the time of day stand for others.
"""


def capture(eye, show, scenes=stage.scenes):
    """Title, what happens, and what show() makes of what is seen, for each scene and this eye."""
    one = stage.Stage(eye)
    try:
        return [(title, what, show(one, title, look())) for title, what, look in scenes(one)], one.see_a_refusal()
    finally:
        one.close()


def text(one, _, lines):
    return stage.framed(one.alike_all(lines))


def screen(one, _, lines):
    return "\n".join(one.alike_all(lines))


def picture(_, title, data):
    path = PICTURES / (title.lower().replace(" ", "-").replace(",", "").replace("'", "") + ".png")
    path.write_bytes(data)
    return f"![{title}, in a window](pictures/{path.name})"


def main():
    PICTURES.mkdir(exist_ok=True)
    texts, refusal = capture(stage.Curses(), text)
    pictures, _ = capture(stage.Graphical(GRAPHICAL), picture)
    screens, _ = capture(stage.Pane(), screen, stage.terminal_scenes)
    parts = [BEGINNING]
    for (title, what, lines), (_, _, link) in zip(texts, pictures):
        parts += [stage.SCENE.format(title, what, lines), f"{link}\n"]
    parts += [stage.SCENE.format(title, what, lines) for title, what, lines in screens]
    parts.append(stage.REFUSAL.format("\n".join(refusal)))
    (TOP / "docs" / "prompts.md").write_text("\n".join(parts))


if __name__ == "__main__":
    main()
