"""
Debian packages made, looked at by lintian, installed in a clean Debian, used there by a person whose services are
run by systemd, and purged. KEYSTILE_BUILD names a tree that was configured for /usr.
"""
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import debian  # noqa: E402  (found by the line above)
import lab  # noqa: E402

NEEDED = ("openssh-client", "systemd", "softhsm2", "opensc")
MODULE = "/usr/lib/softhsm/libsofthsm2.so"
SOCKET = f"{debian.RUNTIME}/keystile/agent.sock"
PIN = "4711-abc"
TOKEN_LIBRARIES = ("fido2", "p11-kit", "tss2", "pcsc", "softhsm")


def setUpModule():
    global packages, system
    lab.run_well(["cpack", "--config", lab.BUILD / "CPackConfig.cmake", "-B", lab.BUILD / "packages"], cwd=lab.BUILD)
    packages = sorted((lab.BUILD / "packages").glob("*.deb"), key=lambda path: path.name.split("_"))
    system = debian.Debian(NEEDED)


def tearDownModule():
    system.close()


def field(package, name):
    return lab.run_well(["dpkg-deb", "--field", package, name]).stdout.strip()


class Packages(unittest.TestCase):
    def test_lintian_finds_no_mistake(self):
        names = [path.name.split("_")[0] for path in packages]
        self.assertEqual(names[0], "keystile")
        self.assertIn("keystile-pkcs11", names)
        found = lab.run(["lintian", "--allow-root", "--fail-on", "error,warning", *packages])
        self.assertEqual(found.returncode, 0, found.stdout)

    def test_the_agent_s_package_needs_no_token_library(self):
        needs = field(packages[0], "Depends")
        self.assertIn("libuv1", needs)
        for library in TOKEN_LIBRARIES:
            self.assertNotIn(library, needs)
        for name, library in (("fido2", "libfido2-1"), ("tpm2", "libtss2-esys")):
            brings = next(path for path in packages if path.name.startswith(f"keystile-{name}_"))
            self.assertIn(library, field(brings, "Depends"))

    def test_uninstalling_what_cmake_installed_leaves_no_file(self):
        with lab.Folder() as folder:
            env = {**lab.environment(folder.path), "DESTDIR": str(folder.path / "root")}
            lab.run_well(["cmake", "--install", lab.BUILD], env=env)
            self.assertTrue((folder.path / "root/usr/bin/keystile-agent").exists())
            lab.run_well(["cmake", "--build", lab.BUILD, "--target", "uninstall"], env=env)
            self.assertEqual([path for path in (folder.path / "root").rglob("*") if not path.is_dir()], [])


class Installed(unittest.TestCase):
    """One after the other, as a person does it."""

    @classmethod
    def setUpClass(cls):
        cls.before = system.files()
        for package in packages:
            target = system.path / "tmp" / package.name
            lab.run_well([*debian.AS_ROOT, "cp", package, target])
        system.run("apt-get", "update", seconds=300)
        system.run("apt-get", "install", "-y", "--no-install-recommends",
                   *(f"/tmp/{package.name}" for package in packages), seconds=300)
        system.log_in()

    def typed(self, *command, env=None, says=0):
        done = system.person(*command, env={"SSH_AUTH_SOCK": SOCKET, **(env or {})})
        self.assertEqual(done.returncode, says, f"{command}: {done.stdout}{done.stderr}")
        return done.stdout

    def systemctl(self, *words):
        return self.typed("systemctl", "--user", *words)

    def agent(self):
        """The process number of the service."""
        return int(self.systemctl("show", "--property=MainPID", "--value", "keystile.service"))

    def status(self):
        return json.loads(self.typed("keystile", "status", "--json"))

    @staticmethod
    def brought():
        """All files of the packages."""
        lines = [line.split() for package in packages
                 for line in lab.run_well(["dpkg-deb", "--contents", package]).stdout.splitlines()]
        return {words[5][1:] for words in lines if words[0].startswith("-")}

    def test_1_one_command_makes_the_agent_the_one_of_all_that_starts_from_then_on(self):
        self.systemctl("enable", "--now", "keystile.socket")
        self.assertIn(f"SSH_AUTH_SOCK={SOCKET}\n", self.systemctl("show-environment"))
        self.assertEqual(self.agent(), 0)
        self.assertIn("no identities", self.typed("ssh-add", "-l", says=1))
        self.assertNotEqual(self.agent(), 0)

    def test_2_keys_and_tokens_are_used(self):
        self.typed("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{debian.HOME}/key")
        self.typed("ssh-add", "-q", f"{debian.HOME}/key")
        self.typed("ssh-add", "-T", f"{debian.HOME}/key.pub")
        self.typed("mkdir", "-p", f"{debian.HOME}/.config/softhsm2", f"{debian.HOME}/tokens")
        self.typed("sh", "-c", f"echo directories.tokendir = {debian.HOME}/tokens > {debian.HOME}/.config/softhsm2/softhsm2.conf")
        self.typed("softhsm2-util", "--init-token", "--free", "--label", "card", "--pin", PIN, "--so-pin", PIN)
        self.typed("pkcs11-tool", "--module", MODULE, "--login", "--pin", PIN, "--keypairgen", "--key-type",
                   "EC:prime256v1", "--id", "01", "--label", "login")
        self.typed("sh", "-c", f"printf '#!/bin/sh\\necho {PIN}\\n' > {debian.HOME}/askpass; chmod 700 {debian.HOME}/askpass")
        self.typed("ssh-add", "-s", MODULE, env={"SSH_ASKPASS": f"{debian.HOME}/askpass", "SSH_ASKPASS_REQUIRE": "force"})
        line = next(one for one in self.typed("ssh-add", "-L").splitlines() if one.startswith("ecdsa"))
        self.typed("sh", "-c", f"echo '{line}' > {debian.HOME}/card.pub")
        self.typed("ssh-add", "-T", f"{debian.HOME}/card.pub")
        confined = [one["confinement"] for one in self.status()["providers"]]
        self.assertEqual([one["system_calls"] for one in confined], [True, True])

    def test_3_a_service_that_is_killed_starts_again_with_its_control_socket(self):
        killed = self.agent()
        self.typed("sh", "-c", f"kill -KILL {killed}")
        lab.wait_for("another one runs", lambda: self.agent() not in (0, killed))
        self.assertIn("no identities", self.typed("ssh-add", "-l", says=1))
        self.assertEqual(self.status()["pid"], self.agent())

    def test_4_reload_restart_and_stop(self):
        self.systemctl("reload", "keystile.service")
        before = self.agent()
        self.systemctl("restart", "keystile.service")
        self.assertNotEqual(self.agent(), before)
        self.assertIn("no identities", self.typed("ssh-add", "-l", says=1))
        self.systemctl("disable", "--now", "keystile.socket")
        self.systemctl("stop", "keystile.service")
        self.assertNotIn("SSH_AUTH_SOCK", self.systemctl("show-environment"))
        self.typed("ssh-add", "-l", says=2)

    def test_5_a_purge_leaves_nothing(self):
        system.run("apt-get", "autoremove", "--purge", "-y", *(field(package, "Package") for package in packages))
        system.run("rm", "-rf", "--", debian.HOME)
        left = system.files()
        self.assertEqual({path for path in self.brought() & left if path not in self.before}, set())
        self.assertEqual([path for path in left if "keystile" in path], [])


if __name__ == "__main__":
    unittest.main()
