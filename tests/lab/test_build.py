"""What the build makes: no token library in the agent, hardened programs, and what an installation holds."""
import os
import unittest

import lab

TOKEN_LIBRARIES = ("libfido2", "libp11-kit", "libpcsclite", "libtss2", "libsofthsm", "libykpiv")


def programs():
    return [lab.AGENT, lab.CONTROL, *sorted(lab.LIBEXEC.iterdir())]


class Build(unittest.TestCase):
    def test_the_agent_links_no_token_library(self):
        linked = lab.run_well(["ldd", lab.AGENT]).stdout
        self.assertIn("libuv", linked)
        for library in TOKEN_LIBRARIES:
            self.assertNotIn(library, linked)

    def test_every_program_is_hardened(self):
        names = [path.name for path in programs()]
        self.assertIn("keystile-prompt", names)
        for path in programs():
            with self.subTest(program=path.name):
                read = lab.run_well(["readelf", "--wide", "--file-header", "--segments", "--dynamic",
                                     path]).stdout
                self.assertRegex(read, r"Type:\s+DYN")
                self.assertRegex(read, r"FLAGS_1\).*PIE")
                self.assertRegex(read, r"FLAGS\).*BIND_NOW")
                self.assertIn("GNU_RELRO", read)
                self.assertRegex(read, r"GNU_STACK.* RW  ")

    def test_installed_programs_use_installed_workers_and_the_fake_one_is_not_installed(self):
        with lab.Folder() as folder:
            lab.run_well(["cmake", "--install", lab.BUILD],
                         env=dict(os.environ, DESTDIR=str(folder.path)))
            installed = {path.name: path for path in folder.path.rglob("*")
                         if path.is_file() and path.parent.name in ("bin", "keystile")}
            wanted = {path.name for path in programs()} - {"keystile-worker-fake"}
            self.assertEqual(set(installed), wanted)
            cache = (lab.BUILD / "CMakeCache.txt").read_text()
            prefix = next(line.split("=", 1)[1] for line in cache.splitlines()
                          if line.startswith("CMAKE_INSTALL_PREFIX:"))
            code = installed["keystile-agent"].read_bytes()
            self.assertIn(f"{prefix}/libexec/keystile\0".encode(), code)
            self.assertNotIn(f"{lab.LIBEXEC}\0".encode(), code)
            self.assertIn(f"{lab.LIBEXEC}\0".encode(), lab.AGENT.read_bytes())


if __name__ == "__main__":
    unittest.main()
