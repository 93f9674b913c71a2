"""A session bus with a service on it that shows notifications to nobody and notes them."""
import json
import os
import subprocess

from . import place

# The service. What it answers to Notify is decided by the file "mode".
SERVICE = '''
import json, os, sys
import dbus, dbus.service
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib

NAME, PATH = "org.freedesktop.Notifications", "/org/freedesktop/Notifications"
folder = sys.argv[1]

def note(*words):
    with open(folder + "/notes", "a") as notes:
        notes.write(json.dumps(words) + "\\n")

class Service(dbus.service.Object):
    ids = 40

    @dbus.service.method(NAME, in_signature="susssasa{sv}i", out_signature="u",
                         async_callbacks=("answer", "fail"))
    def Notify(self, app, replaces, icon, summary, body, actions, hints, timeout, answer, fail):
        mode = open(folder + "/mode").read()
        note("Notify", app, replaces, summary, body, sorted(hints), int(hints["urgency"]), timeout)
        Service.ids += 1
        if mode == "fail":
            fail(dbus.DBusException("no screen", name="org.freedesktop.DBus.Error.Failed"))
        elif mode == "zero":
            answer(0)
        elif mode != "hang":
            answer(Service.ids)
        if mode == "dismiss":
            self.NotificationClosed(Service.ids + 1, 2)
            self.NotificationClosed(Service.ids, 2)
        if mode == "expire":
            self.NotificationClosed(Service.ids, 1)

    @dbus.service.method(NAME, in_signature="u")
    def CloseNotification(self, id):
        note("CloseNotification", id)

    @dbus.service.method("lab.Lab", in_signature="u")
    def CloseLast(self, reason):
        self.NotificationClosed(Service.ids, reason)

    @dbus.service.signal(NAME, signature="uu")
    def NotificationClosed(self, id, reason):
        pass

DBusGMainLoop(set_as_default=True)
bus = dbus.SessionBus()
name = dbus.service.BusName(NAME, bus)
service = Service(bus, PATH)
print("ready", flush=True)
GLib.MainLoop().run()
'''


class Notifications:
    """.env names the bus; .notes() are the calls: [method, arguments...]. mode: "show", "fail", "zero", "hang", "dismiss", "expire"."""

    program = SERVICE

    def __init__(self, service=True):
        self.folder = place.Folder()
        self.processes = []
        self.mode("show")
        self._bus(place.environment(self.folder.path))
        if service:
            self._serve()

    def _serve(self):
        self._start(["/usr/bin/python3", "-c", self.program, str(self.folder.path)],
                    dict(place.environment(self.folder.path), **self.env))

    def _bus(self, env):
        address = f"unix:path={self.folder.path}/bus"
        self.env = {"DBUS_SESSION_BUS_ADDRESS": address}
        self._start(["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address",
                     f"--address={address}"], env)

    def _start(self, command, env):
        process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, start_new_session=True)
        self.processes.append(process)
        if not process.stdout.readline():
            raise AssertionError(f"{command[0]} ended at once")

    def mode(self, mode):
        fresh = self.folder.path / "mode.new"
        fresh.write_text(mode)
        os.replace(fresh, self.folder.path / "mode")

    def notes(self, method=None):
        path = self.folder.path / "notes"
        whole = path.read_text().splitlines() if path.exists() else []
        found = [json.loads(line) for line in whole]
        return [note for note in found if method in (None, note[0])]

    def wait_for_note(self, method, times=1):
        place.wait_for(f"{method} is called {times} times", lambda: len(self.notes(method)) >= times)

    def close(self):
        for process in reversed(self.processes):
            place.end(process, 15)
            process.stdout.close()
        self.folder.close()
