"""keystile doctor: each fault is made, and is what it says, with what to do; without it, it passes."""
import json
import os
import re
import shutil
import socket
import subprocess
import unittest

import lab
from control_bed import STATUS, FakeAgent, message

AS_ROOT = [] if os.getuid() == 0 else ["sudo", "-n"]
PASS, WARN, FAIL = 0, 1, 2
# With which a remedy may begin.
PROGRAMS = ("systemctl", "sed", "mkdir", "cp", "echo", "eval", "keystile", "ls", "chmod", "apt", "chown", "usermod", "udevadm",
            "modprobe", "timedatectl", "pkaction", "gpgconf", "tpm2_dictionarylockout")
LISTEN = ("import socket,sys,time;s=socket.socket(socket.AF_UNIX);s.bind(sys.argv[1]);s.listen();"
          "print(flush=True);time.sleep(3600)")
# Devices of a test in the place of the machine's; the script of the test comes before the command.
DEVICES = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /sys
mkdir -p /sys/bus/usb/devices/1-1 /sys/class/hidraw /sys/class/tpm /run/pcscd
mount -t tmpfs tmpfs /run/pcscd
chmod 755 /run/pcscd
%s
exec "$@"
"""
READER = "echo 0b > /sys/bus/usb/devices/1-1/bInterfaceClass\n"
KEY = ("mkdir -p /sys/class/hidraw/hidraw77/device; printf '\\006\\320\\361\\011\\001' > "
       "/sys/class/hidraw/hidraw77/device/report_descriptor\n")
KEYBOARD = ("mkdir -p /sys/class/hidraw/hidraw78/device; printf '\\005\\001\\011\\006' > "
            "/sys/class/hidraw/hidraw78/device/report_descriptor\n")
TPM = "mkdir /sys/class/tpm/tpm0; echo 2 > /sys/class/tpm/tpm0/tpm_version_major\n"
EMPTY_DEV = "mount -t tmpfs -o mode=755 tmpfs /dev; mknod -m 666 /dev/null c 1 3\n"


class Doctor(unittest.TestCase):
    def setUp(self):
        self.folder = lab.Folder()
        self.addCleanup(self.folder.close)
        self.home = self.folder.path
        self.env = lab.environment(self.home)
        self.env.pop("SSH_AUTH_SOCK", None)
        # No session of whoever runs the tests.
        for name in ("systemctl",):
            self.program(name, "exit 1")

    def program(self, name, script):
        """A program in front of PATH."""
        folder = self.home / "bin"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
        if str(folder) not in self.env["PATH"].split(":"):
            self.env["PATH"] = f"{folder}:{self.env['PATH']}"

    def findings(self, *words, before=(), worst=None, env=None, command=lab.CONTROL, **options):
        """{check: [finding, ...]} of a run; its end must say how bad the worst is."""
        done = lab.run([*before, command, "doctor", "--json", *words], env={**self.env, **(env or {})}, **options)
        self.assertEqual(done.stderr, "")
        answer = json.loads(done.stdout)
        self.assertEqual(["pass", "warn", "fail"][done.returncode], answer["worst"])
        if worst is not None:
            self.assertEqual(done.returncode, worst, done.stdout)
        found = {}
        for one in answer["findings"]:
            found.setdefault(one["check"], []).append(one)
            self.assertPasteable(one["remedy"])
        return found

    def assertPasteable(self, remedy):
        """Commands and nothing else: what is typed as it stands has to be understood by a shell."""
        lab.run_well(["sh", "-n", "-c", remedy])
        for command in re.split(r"&&|;", remedy):
            first = command.replace("sudo ", "").split()[:1]
            self.assertIn(first, [[], *([word] for word in PROGRAMS)], remedy)
        self.assertNotRegex(remedy, r"\n|[^\w]sudo$|, (or|then|and)|\"\$USER\",")

    def assertFinding(self, finding, verdict, found, remedy):
        self.assertEqual(finding["verdict"], verdict, finding)
        self.assertIn(found, finding["found"])
        self.assertIn(remedy, f"{finding['remedy']}\n{finding['advice']}")
        self.assertEqual(bool(finding["remedy"] + finding["advice"]), verdict != "pass", finding)


class Agents(Doctor):
    def test_an_agent_of_ours_that_ssh_finds_passes(self):
        with lab.Agent() as agent:
            found = self.findings(env={"SSH_AUTH_SOCK": agent.env["SSH_AUTH_SOCK"], "XDG_RUNTIME_DIR":
                                       agent.env["XDG_RUNTIME_DIR"]})
        self.assertFinding(found["SSH_AUTH_SOCK"][0], "pass", "ssh finds Keystile", "")
        self.assertFinding(found["agent"][0], "pass", "as this command is", "")

    def test_no_agent_at_all(self):
        found = self.findings(worst=FAIL)
        self.assertFinding(found["SSH_AUTH_SOCK"][0], "fail", "is not set", "systemctl --user enable --now keystile.socket")
        self.assertFinding(found["agent"][0], "fail", "no agent runs for you", "keystile-agent -s")

    def test_a_socket_that_nobody_listens_at(self):
        path = self.home / "left.sock"
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
        found = self.findings(env={"SSH_AUTH_SOCK": str(path)}, worst=FAIL)
        self.assertFinding(found["SSH_AUTH_SOCK"][0], "fail", "Connection refused", "keystile-agent -s")

    def listener(self, name):
        """Another agent, by its program's name."""
        program, path = self.home / name, self.home / f"{name}.sock"
        shutil.copy(os.path.realpath("/usr/bin/python3"), program)
        process = subprocess.Popen([program, "-c", LISTEN, path], stdout=subprocess.PIPE,
                                   env={**self.env, "PYTHONHOME": "/usr"})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        process.stdout.readline()
        return {"SSH_AUTH_SOCK": str(path)}

    def test_an_agent_that_the_desktop_starts_is_named_with_what_ends_it(self):
        for name, remedy in (("gpg-agent", "mask --now gpg-agent-ssh.socket"),
                             ("gcr-ssh-agent", "mask --now gcr-ssh-agent.socket"),
                             ("gnome-keyring-daemon", "gnome-keyring-ssh.desktop"),
                             ("something", "keystile env -s")):
            with self.subTest(agent=name):
                found = self.findings(env=self.listener(name), worst=FAIL)
                self.assertFinding(found["SSH_AUTH_SOCK"][0], "fail", f"{name} (pid", remedy)

    def test_ssh_agent_is_known(self):
        path = self.home / "stock.sock"
        process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL, env=self.env)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        lab.wait_for("it listens", lambda: lab.listens(path))
        found = self.findings(env={"SSH_AUTH_SOCK": str(path)}, worst=FAIL)
        self.assertFinding(found["SSH_AUTH_SOCK"][0], "fail", "ssh-agent (pid", "mask --now ssh-agent.service")

    def answered(self, **changes):
        """What it finds where an agent says this of itself."""
        path = self.home / "control.sock"
        agent = FakeAgent(path, FakeAgent.behave(message({**STATUS, **changes})))
        try:
            return self.findings(env={"KEYSTILE_CONTROL": str(path)})
        finally:
            agent.close()
            path.unlink()

    def test_an_agent_of_another_version(self):
        self.assertFinding(self.answered(version="9.9.9")["agent"][0], "warn", "version 9.9.9 runs, but", "restart")

    def test_a_provider_that_does_not_load_and_one_that_does(self):
        failed = {**STATUS["providers"][0], "state": "failed, will be started again", "last_error": "it crashed"}
        found = self.answered(providers=[failed, STATUS["providers"][0]])["provider"]
        self.assertFinding(found[0], "fail", "it crashed", "keystile status")
        self.assertFinding(found[1], "pass", "is loaded", "")

    def test_nobody_who_could_be_asked(self):
        found = self.answered(asking={"obstacle": "no display is known"})
        self.assertFinding(found["asking you"][0], "fail", "no display is known", "keystile env --update")
        self.assertFinding(self.answered()["asking you"][0], "pass", "by pinentry", "")


class Devices(Doctor):
    def tried(self, script, user=True):
        """As an ordinary user who has these devices."""
        account, group = ("nobody", "nogroup") if user else ("root", "root")
        return self.findings(before=[*AS_ROOT, "unshare", "--mount", "--pid", "--fork", "sh", "-c", DEVICES % script, "sh", "setpriv",
                                     f"--reuid={account}", f"--regid={group}", "--clear-groups", "env", *(f"{k}={v}" for k, v in self.env.items())])

    def test_without_devices_nothing_is_wrong(self):
        found = self.tried("")
        for check, words in (("card readers", "no USB card reader"), ("security keys", "none is plugged in"),
                             ("TPM", "has none")):
            self.assertFinding(found[check][0], "pass", words, "")

    def test_a_reader_without_pcscd(self):
        found = self.tried(READER + "mount -t tmpfs tmpfs /usr/sbin\n")
        self.assertFinding(found["card readers"][0], "fail", "not installed", "apt install pcscd")

    INSTALLED = "mount -t tmpfs -o mode=755 tmpfs /usr/sbin; touch /usr/sbin/pcscd\n"
    SERVED = (INSTALLED + "python3 -c 'import socket,os;s=socket.socket(socket.AF_UNIX);s.bind(\"/run/pcscd/pcscd.comm\");"
              "os.chmod(\"/run/pcscd/pcscd.comm\",0o%s);s.listen();os.set_inheritable(s.fileno(),True);"
              "os.execvp(\"sleep\",[\"sleep\",\"60\"])' > /dev/null 2>&1 &\n"
              "for i in $(seq 600); do [ -S /run/pcscd/pcscd.comm ] && grep -q 'pcscd.comm' /proc/net/unix && break; sleep 0.05; done\n")

    def test_pcscd_that_does_not_run(self):
        found = self.tried(READER + self.INSTALLED)
        self.assertFinding(found["card readers"][0], "fail", "No such file", "enable --now pcscd.socket")

    def test_pcscd_that_may_not_be_used(self):
        found = self.tried(READER + self.SERVED % "600")
        self.assertFinding(found["card readers"][0], "fail", "Permission denied", "ls -l /run/pcscd")

    def test_pcscd_without_a_driver_for_usb(self):
        found = self.tried(READER + self.SERVED % "666" + "mount -t tmpfs tmpfs /usr/lib/pcsc/drivers\n")
        self.assertFinding(found["card readers"][0], "fail", "does not answer", "systemctl restart pcscd")
        self.assertFinding(found["card readers"][1], "fail", "no driver", "apt install libccid")

    def test_a_security_key_that_the_person_may_not_use(self):
        node = EMPTY_DEV + "mknod -m %s /dev/hidraw77 c 1 3\n"
        found = self.tried(KEY + KEYBOARD + node % "600")["security keys"]
        self.assertEqual(len(found), 1)
        self.assertFinding(found[0], "fail", "/dev/hidraw77 is a security key, but you may not", "70-keystile.rules")
        self.assertFinding(self.tried(KEY + node % "666")["security keys"][0], "pass", "/dev/hidraw77 can be used", "")

    def test_a_tpm_that_the_person_may_not_use_or_that_has_no_node(self):
        node = EMPTY_DEV + "mknod -m %s /dev/tpmrm0 c 1 3\n"
        self.assertFinding(self.tried(TPM + node % "660")["TPM"][0], "warn", "not in its group", "usermod -a -G tss")
        self.assertFinding(self.tried(TPM + EMPTY_DEV)["TPM"][0], "warn", "No such file", "modprobe")
        self.assertFinding(self.tried(TPM + node % "666")["TPM"][0], "warn", "/dev/tpmrm0 is there, but can't be used",
                           "keystile tpm info")

    def test_a_yubikey_with_firmware_that_is_known_to_be_weak(self):
        def yubikey(version, vendor="1050"):
            folder = "/sys/bus/usb/devices/1-2"
            return self.tried(f"mkdir {folder}; echo {vendor} > {folder}/idVendor; echo {version} > {folder}/bcdDevice\n")

        for version, words in (("0426", "firmware 4.2.6: RSA keys"), ("0434", "ROCA"), ("0500", "EUCLEAK"),
                               ("0543", "firmware 5.4.3: who has it")):
            self.assertFinding(yubikey(version)["YubiKey"][0], "warn", words, "firmware" if "5" in version else "RSA")
        for version in ("0425", "0435", "0570", "0574"):
            self.assertNotIn("YubiKey", yubikey(version))
        self.assertNotIn("YubiKey", yubikey("0543", vendor="1209"))


class Session(Doctor):
    def test_an_ssh_that_is_too_old_and_none(self):
        self.program("ssh", "echo 'OpenSSH_8.4p1 Debian-5, OpenSSL 1.1.1' >&2")
        self.assertFinding(self.findings()["ssh"][0], "fail", "version 8.4 does not say", "ssh-without-session-bind")
        self.program("ssh", "exit 127")
        self.assertFinding(self.findings()["ssh"][0], "warn", "no ssh of OpenSSH", "apt install openssh-client")
        (self.home / "bin" / "ssh").unlink()
        self.assertFinding(self.findings()["ssh"][0], "pass", "binds its sessions", "")

    def test_a_program_that_never_ends_does_not_keep_the_others(self):
        self.program("ssh", "exec sleep 600")
        self.assertFinding(self.findings()["ssh"][0], "warn", "no ssh of OpenSSH", "apt install")

    def test_a_service_manager_that_does_not_know_the_display(self):
        session = {"DISPLAY": ":7", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/bus"}
        self.program("systemctl", "echo HOME=/home/me; echo NODISPLAY=:7")
        found = self.findings(env=session)["session"][0]
        self.assertFinding(found, "warn", "DISPLAY DBUS_SESSION_BUS_ADDRESS", "import-environment DISPLAY")
        self.program("systemctl", "echo DISPLAY=:7; echo DBUS_SESSION_BUS_ADDRESS=unix:path=/bus")
        self.assertFinding(self.findings(env=session)["session"][0], "pass", "knows what this session has", "")
        self.assertFinding(self.findings()["session"][0], "pass", "knows what this session has", "")

    def test_known_hosts_that_can_not_be_read(self):
        file = self.home / ".ssh" / "known_hosts"
        file.parent.mkdir()
        self.assertFinding(self.findings()["known_hosts"][0], "pass", "there is no", "")
        file.write_text("")
        user = "nobody" if os.getuid() == 0 else None
        lab.place.give_away(self.home, user)
        self.assertFinding(self.findings(**lab.place.identity(user))["known_hosts"][0], "pass", "can be read", "")
        file.chmod(0)
        self.assertFinding(self.findings(**lab.place.identity(user))["known_hosts"][0], "fail", "Permission denied", "chmod")

    def test_a_clock_that_is_behind(self):
        program = self.home / "keystile"
        shutil.copy(lab.CONTROL, program)
        os.utime(program, (4e9, 4e9))
        self.assertFinding(self.findings(command=program)["clock"][0], "fail", "before this program", "set-ntp")
        self.assertFinding(self.findings()["clock"][0], "pass", "not behind", "")


class Library(Doctor):
    def setUp(self):
        super().setUp()
        self.library = self.home / "module.so"
        shutil.copy(os.path.realpath(lab.softhsm.MODULE), self.library)
        self.library.chmod(0o644)

    def found(self, path=None):
        return self.findings(str(path or self.library))["library"][0]

    def test_one_that_may_be_loaded(self):
        self.assertFinding(self.found(lab.softhsm.MODULE), "pass", "may be loaded", "")

    def test_one_that_is_not_allowed_or_not_there(self):
        self.assertFinding(self.found(), "fail", "not among the providers", "allowed-providers")
        found = self.found(self.home / "none.so")
        self.assertEqual((found["verdict"], found["found"]), ("fail", f"{self.home}/none.so: No such file or directory"))

    def test_one_of_another_architecture_and_what_is_no_library(self):
        code = bytearray(self.library.read_bytes())
        code[18] = 0xf3  # RISC-V
        self.library.write_bytes(code)
        self.assertFinding(self.found(), "fail", "no library that programs of this machine", "architecture")
        self.library.write_text("text")
        self.assertFinding(self.found(), "fail", "no library that programs of this machine", "architecture")

    def test_one_that_others_can_change(self):
        self.library.chmod(0o666)
        self.assertFinding(self.found(), "fail", "can be changed by others", "chmod go-w")

    def test_what_is_no_path_is_bad_usage(self):
        done = lab.run([lab.CONTROL, "doctor", "opensc-pkcs11.so"], env=self.env)
        self.assertEqual((done.returncode, done.stdout), (3, ""))
        self.assertIn("not the path of a library", done.stderr)


class Page(Doctor):
    def test_a_remedy_is_a_line_that_can_be_copied(self):
        done = lab.run([lab.CONTROL, "doctor"], env=self.env)
        self.assertIn("\n      systemctl --user enable --now keystile.socket\n      (without systemd:", done.stdout)
        self.assertNotIn("\033", done.stdout)


if __name__ == "__main__":
    unittest.main()
