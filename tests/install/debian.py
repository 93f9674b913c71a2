"""A Debian of its own in a folder, in which a person logs in: mount and process namespaces, and a real systemd --user."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import lab

PERSON = 1000
HOME = "/home/person"
RUNTIME = f"/run/user/{PERSON}"
AS_ROOT = [] if os.getuid() == 0 else ["sudo", "-n"]
# The kernel's hierarchies as a service manager's processes find them, and the first process of the namespace.
ENTER = """
set -e
root=$1; shift
mount --make-rprivate /
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mkdir -p "$root/run/systemd/system" "$root/run/user/PERSON"
chown PERSON:PERSON "$root/run/user/PERSON"
chmod 700 "$root/run/user/PERSON"
exec chroot "$root" sleep infinity
""".replace("PERSON", str(PERSON))


def own_cgroups():
    """Folders of this process in the hierarchies that systemd uses."""
    mounts = {}
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, place, kind, options = line.split()[:4]
        if kind == "cgroup2":
            mounts[""] = place
        elif kind == "cgroup" and "name=systemd" in options.split(","):
            mounts["name=systemd"] = place
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, name, path = line.split(":", 2)
        if name in mounts:
            yield pathlib.Path(mounts[name] + path)


class Debian:
    """
    A fresh root with these packages beside the essential ones. .run() is root in there, .person() the
    person, .log_in() starts their service manager. Everything in there ends with close().
    """

    def __init__(self, packages, release="bookworm"):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="keystile-root-"))
        self.cgroups, self.keeper, self.manager = [], None, None
        try:
            lab.run_well([*AS_ROOT, "mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(packages)}",
                          release, self.path], seconds=600)
            self._enter()
            self.run("useradd", "--create-home", "--home-dir", HOME, "--uid", PERSON, "person")
        except BaseException:
            self.close()
            raise

    def _enter(self):
        self.keeper = subprocess.Popen([*AS_ROOT, "unshare", "--mount", "--pid", "--fork", "--kill-child",
                                        "/bin/sh", "-c", ENTER, "sh", self.path], stderr=subprocess.DEVNULL)
        lab.wait_for("its first process runs", self._first)

    def _first(self):
        """The process that has number 1 in there."""
        return [one.pid for one in lab.descendants(self.keeper.pid) if one.name == "sleep"]

    def _inside(self):
        return [*AS_ROOT, "nsenter", "-t", self._first()[0], "--mount", "--pid", "--root", "--wd=/"]

    def run(self, *command, **options):
        """Somebody does it as root; has to go well."""
        return lab.run_well([*self._inside(), "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                             "DEBIAN_FRONTEND=noninteractive", *command], **options)

    def _as_person(self, command, environment):
        settings = {"HOME": HOME, "XDG_RUNTIME_DIR": RUNTIME, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **environment}
        return [*self._inside(), "setpriv", f"--reuid={PERSON}", f"--regid={PERSON}", "--init-groups", "env", "-i",
                *(f"{name}={value}" for name, value in settings.items()), *command]

    def person(self, *command, env=None, **options):
        """What the person types, in an environment as a login makes it: what happened, well or not."""
        return lab.run(self._as_person(command, env or {}), **options)

    def log_in(self):
        self._make_cgroups()
        script = "".join(f"echo $$ > {folder}/cgroup.procs\n" for folder in self.cgroups) + 'exec "$@"'
        self.manager = subprocess.Popen(
            [str(word) for word in [*AS_ROOT, "sh", "-c", script, "sh",
                                    *self._as_person(["/lib/systemd/systemd", "--user"], {})]],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lab.wait_for("the person's services have started",
                     lambda: self.person("systemctl", "--user", "is-active", "basic.target").returncode == 0)

    def _make_cgroups(self):
        for folder in own_cgroups():
            place = folder / f"keystile-{self.path.name}"
            lab.run_well([*AS_ROOT, "sh", "-c", f"mkdir {place} && chown -R {PERSON} {place}"])
            self.cgroups.append(place)

    def files(self):
        """All there is below /, but for what the packages' own tools write down."""
        found = self.run("find", "/", "-xdev", "-not", "-path", "/tmp/*", "-not", "-path", "/var/cache/*", "-not",
                         "-path", "/var/log/*", "-not", "-path", "/var/lib/apt/*", "-not", "-path", "/var/lib/dpkg/*")
        return set(found.stdout.splitlines())

    def close(self):
        if self.keeper is not None:
            for one in lab.descendants(self.keeper.pid):
                lab.run([*AS_ROOT, "kill", "-KILL", one.pid])
            lab.place.end(self.keeper, signal.SIGTERM)
        if self.manager is not None:
            self.manager.wait(20 * lab.PATIENCE)
        for folder in self.cgroups:
            lab.wait_for(f"{folder} is empty", lambda one=folder: self._remove_cgroup(one))
        lab.run([*AS_ROOT, "rm", "-rf", "--one-file-system", self.path])
        shutil.rmtree(self.path, ignore_errors=True)

    @staticmethod
    def _remove_cgroup(folder):
        """Deepest first."""
        return lab.run([*AS_ROOT, "find", folder, "-depth", "-type", "d", "-delete"]).returncode == 0
