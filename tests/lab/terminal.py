"""A terminal that a test can type into and read."""
from . import place


class Terminal:
    """A tmux server of its own with a terminal in which nothing runs but a program that sleeps."""

    def __init__(self, width=100, height=50):
        self.folder = place.Folder()
        self.env = place.environment(self.folder.path)
        self.socket = str(self.folder.path / "tmux")
        self.call("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height), "exec sleep 3600")
        self.path = self.call("list-panes", "-F", "#{pane_tty}").strip()

    def call(self, *arguments):
        done = place.run(["tmux", "-u", "-S", self.socket, *arguments], env=self.env)
        if done.returncode != 0:
            raise AssertionError(f"tmux {arguments}: {done.stderr}")
        return done.stdout

    def screen(self):
        return self.call("capture-pane", "-p")

    def wait_until_shown(self, words):
        try:
            place.wait_for(f"the terminal shows {words!r}", lambda: words in self.screen())
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.screen()}") from None

    def wait_until_gone(self, words):
        place.wait_for(f"{words!r} goes from the terminal", lambda: words not in self.screen())

    def types(self, *keys):
        self.call("send-keys", *keys)

    def close(self):
        self.call("kill-server")
        self.folder.close()
