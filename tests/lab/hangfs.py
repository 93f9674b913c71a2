"""A folder on a file system that never answers, as a network mount whose server is gone."""
import signal
import subprocess

from . import place


class HangFS:
    """While open, whoever looks at .file waits; after answer() it is told that the file is not there."""

    def __init__(self):
        self.folder = place.Folder()
        self.mount = self.folder.path / "mount"
        self.mount.mkdir()
        self.file = self.mount / "module.so"
        self.process = subprocess.Popen([place.BUILD / "tests" / "hangfs", self.mount],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        place.wait_for("the file system is mounted", self.mount.is_mount)

    def await_asked(self):
        """Returns once somebody waits (the test's own bound ends it otherwise)."""
        if not self.process.stdout.readline():
            raise AssertionError("the file system has ended")

    def answer(self):
        """Ends the file system: everybody who waits gets an error."""
        if self.process.poll() is None:
            place.end(self.process, signal.SIGTERM)
        self.process.stdout.close()
        place.run(["fusermount3", "-u", "-z", self.mount])

    def close(self):
        self.answer()
        self.folder.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
