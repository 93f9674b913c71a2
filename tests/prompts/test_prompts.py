"""docs/prompts.md is what a person sees: each of its scenes once more, in terminals; and a window that is typed into."""
import re
import time
import unittest

import lab
import stage

PAGE = (lab.ROOT / "docs" / "prompts.md").read_text()
GRAPHICAL = "/usr/bin/pinentry-gtk-2"


class Page(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.stage = stage.Stage(stage.Curses())
        self.addCleanup(self.stage.close)

    def test_every_scene_is_as_the_page_shows_it(self):
        scenes = list(stage.scenes(self.stage))
        for title, what, look in scenes:
            with self.subTest(title):
                seen = stage.framed(self.stage.alike_all(look()))
                self.assertIn(stage.SCENE.format(title, what, seen), PAGE, self.stage.agent.log())
        others = list(stage.terminal_scenes(self.stage))
        self.assertEqual(len(re.findall("^## ", PAGE, re.M)), len(scenes) + len(others) + 1)

    def test_what_is_refused_without_a_question_is_too(self):
        self.assertIn(stage.REFUSAL.format("\n".join(self.stage.see_a_refusal())), PAGE)

    def test_every_picture_is_there_and_small(self):
        names = re.findall(r"\(pictures/(.*)\)", PAGE)
        self.assertEqual(len(names), len(list(stage.scenes(self.stage))))
        folder = lab.ROOT / "docs" / "pictures"
        self.assertEqual({path.name for path in folder.iterdir()}, set(names))
        for name in names:
            self.assertLess((folder / name).stat().st_size, 40 * 1024)
            self.assertEqual((folder / name).read_bytes()[:8], b"\x89PNG\r\n\x1a\n")


class Terminal(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.stage = stage.Stage(stage.Pane())
        self.addCleanup(self.stage.close)

    def test_what_keystile_asks_itself_is_as_the_page_shows_it(self):
        for title, what, look in stage.terminal_scenes(self.stage):
            with self.subTest(title):
                seen = "\n".join(self.stage.alike_all(look()))
                self.assertIn(stage.SCENE.format(title, what, seen), PAGE, self.stage.agent.log())


class Window(unittest.TestCase):
    def setUp(self):
        self.stage = stage.Stage(stage.Graphical(GRAPHICAL))
        self.addCleanup(self.stage.close)
        self.display = self.stage.eye.display

    def answered(self, answer):
        """How ssh ends when its question is answered so."""
        with self.stage.running(self.stage.login()) as ssh:
            self.display.wait_until_shown()
            self.display.wait_until_kept()
            time.sleep(1.1)  # sooner answers are asked for again
            answer()
            lab.wait_for("ssh ends", lambda: ssh.poll() is not None, seconds=30)
            self.display.wait_until_gone()
            return ssh.returncode

    def test_a_pin_that_is_typed_into_it_reaches_the_token(self):
        def types():
            self.display.types(stage.PIN)
            self.display.presses("Return")
        self.assertEqual(self.answered(types), 0, self.stage.agent.log())

    def test_escape_refuses(self):
        self.assertEqual(self.answered(lambda: self.display.presses("Escape")), 255, self.stage.agent.log())


if __name__ == "__main__":
    unittest.main()
