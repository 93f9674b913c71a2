"""GnuPG with a home of its own, and its scdaemon, which wants cards that others want too."""
import os
import re
import signal

from . import card, place


SELECT = "00a4040006d27600012401"


class Gnupg:
    """.sees_card(), .scdaemon() (its pid), .let_go(): shared says whether scdaemon does with less than the whole reader."""

    def __init__(self, shared):
        self.folder = place.Folder()
        self.home = self.folder.path / "gnupg"
        self.home.mkdir(mode=0o700)
        # Its own driver for readers wants no pcscd, and has none for ours.
        (self.home / "scdaemon.conf").write_text("disable-ccid\n" + "pcsc-shared\n" * shared)
        self.env = dict(place.environment(self.folder.path), GNUPGHOME=str(self.home))
        self.process = card.start(["gpg-agent", "--daemon", "--no-detach"], self.folder.path / "log", env=self.env)
        place.wait_for("gpg-agent listens", lambda: (self.home / "S.gpg-agent").exists())

    def _run(self, *command):
        return place.run(command, env=self.env)

    def sees_card(self):
        """scdaemon 2.2 does not find out that another program has selected another application: it is told."""
        self._run("gpg-connect-agent", f"scd apdu {SELECT}", "/bye")
        done = self._run("gpg", "--card-status")
        return done.returncode == 0 and "OpenPGP" in done.stdout

    def scdaemon(self):
        return int(re.search(r"D (\d+)", self._run("gpg-connect-agent", "scd getinfo pid", "/bye").stdout).group(1))

    def let_go(self):
        """What a person types to get the reader back."""
        pid = self.scdaemon()
        done = self._run("gpgconf", "--kill", "scdaemon")
        assert done.returncode == 0, done.stderr
        place.wait_for("scdaemon ends", lambda: not os.path.exists(f"/proc/{pid}"))

    def close(self):
        place.end(self.process, signal.SIGTERM)
        self.folder.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
