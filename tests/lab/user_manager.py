"""The user's service manager on a bus of its own: what `systemctl --user import-environment` filled, as far as it is asked."""
import json
import os

from .notifications import Notifications

# What it answers is in the file "environment", read anew each time; null: nothing ever.
SERVICE = '''
import json, sys
import dbus, dbus.service
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib

folder = sys.argv[1]

class Manager(dbus.service.Object):
    @dbus.service.method("org.freedesktop.DBus.Properties", in_signature="ss", out_signature="v",
                         async_callbacks=("answer", "fail"))
    def Get(self, interface, name, answer, fail):
        with open(folder + "/notes", "a") as notes:
            notes.write(json.dumps(["Get", interface, name]) + "\\n")
        environment = json.load(open(folder + "/environment"))
        if environment is not None:
            answer(dbus.Array(environment, signature="s") if isinstance(environment, list) else environment)

DBusGMainLoop(set_as_default=True)
bus = dbus.SessionBus()
name = dbus.service.BusName("org.freedesktop.systemd1", bus)
manager = Manager(bus, "/org/freedesktop/systemd1")
print("ready", flush=True)
GLib.MainLoop().run()
'''


class UserManager(Notifications):
    """.env names its bus; .notes("Get") are the questions. Its environment is set by holds() and hangs()."""

    program = SERVICE

    def __init__(self, *environment):
        super().__init__(service=False)
        self.holds(*environment)
        self._serve()

    def holds(self, *environment):
        """Entries as they stand in an environment."""
        self._write(list(environment))

    def hangs(self):
        self._write(None)

    def talks_nonsense(self):
        """An answer of another type."""
        self._write(17)

    def _write(self, value):
        fresh = self.folder.path / "environment.new"
        fresh.write_text(json.dumps(value))
        os.replace(fresh, self.folder.path / "environment")
