"""Modules, file systems and folders that are not as they should be: who asked is told, others are served."""
import os
import pathlib
import shutil
import signal
import subprocess
import unittest

import lab
from lab import client, hangfs
from test_faults import PIN, ROUNDS, SHORT, Case


class BadModules(Case):
    """Files that are no module, or may not be loaded."""

    def setUp(self):
        self.folder = lab.Folder()
        self.addCleanup(self.folder.close)
        self.folder.path.chmod(0o755)
        self.file = self.folder.path / "module.so"
        super().setUp()

    def begin(self, **options):
        super().begin(options=("-P", f"/usr/lib*/*,{self.folder.path}/*"), **options)

    def is_refused(self, *words):
        self.assertEqual(self.add(str(self.file), PIN), client.FAILURE)
        self.refused_with(*words)
        self.assertEqual(len(self.agent.status()["providers"]), 1)
        lab.wait_for("no worker is left over", lambda: len(self.agent.workers()) == 1)
        self.unharmed([self.good])

    def put_module(self):
        shutil.copyfile(pathlib.Path(lab.SoftHSM.module).resolve(), self.file)
        self.file.chmod(0o644)

    def test_a_file_that_is_no_module(self):
        for content in (b"", b"\x7fELF", b"#!/bin/sh\nexit 0\n", os.urandom(65536)):
            with self.subTest(content[:8]):
                self.file.write_bytes(content)
                self.file.chmod(0o644)
                self.is_refused("module.so")

    def test_a_library_that_is_no_module(self):
        library = next(pathlib.Path("/usr/lib").glob("*/libz.so.1"))
        shutil.copyfile(library, self.file)
        self.file.chmod(0o644)
        self.is_refused("module.so", "C_GetFunctionList")

    def test_a_file_that_is_not_there(self):
        self.is_refused("module.so", "is not there")

    def test_a_folder(self):
        self.file.mkdir()
        self.is_refused("module.so", "not a regular file")

    def test_a_path_that_is_not_allowed(self):
        self.put_module()
        elsewhere = lab.Folder()
        self.addCleanup(elsewhere.close)
        elsewhere.path.chmod(0o755)
        shutil.move(self.file, elsewhere.path / "module.so")
        self.file = elsewhere.path / "module.so"
        self.is_refused("module.so", "-P")

    def test_a_link_out_of_what_is_allowed(self):
        elsewhere = lab.Folder()
        self.addCleanup(elsewhere.close)
        elsewhere.path.chmod(0o755)
        self.put_module()
        shutil.move(self.file, elsewhere.path / "module.so")
        self.file.symlink_to(elsewhere.path / "module.so")
        self.is_refused("module.so", "-P")

    def test_a_file_that_others_can_write(self):
        self.put_module()
        self.file.chmod(0o666)
        self.is_refused("module.so", "can be written by others", "chmod go-w")

    @unittest.skipUnless(os.getuid() == 0, "only root can give a file away")
    def test_a_file_of_another_user(self):
        self.put_module()
        os.chown(self.file, 54321, 54321)
        self.is_refused("module.so", "belongs to another user")

    def test_names_that_are_none(self):
        for name in ("", "module.so", "/" + "x" * 5000, "/usr/lib/\x1b[2J/x.so", "fake:", "fake:x,open=unheard-of"):
            with self.subTest(name):
                self.assertEqual(self.add(name, PIN), client.FAILURE)
        with lab.AgentClient(self.agent) as one:
            self.assertEqual(one.call(client.ADD_TOKEN, lab.keys.string(b"/usr/lib/a\0b.so") + lab.keys.string(b""))[0],
                             client.FAILURE)
        self.assertTrue(all(refusal.isprintable() and refusal.isascii() for refusal in self.agent.refusals()))
        self.unharmed([self.good])


class HangingFileSystem(Case):
    timeout = SHORT

    def begin(self, **options):
        super().begin(options=("-P", "/*"), **options)

    def test_a_module_on_a_file_system_that_hangs(self):
        with hangfs.HangFS() as hung:
            waiting = self.client()
            waiting.send(client.ADD_TOKEN, lab.keys.string(str(hung.file)) + lab.keys.string(PIN))
            hung.await_asked()
            self.served(self.good, ROUNDS)
            self.assertEqual(waiting.receive()[0], client.FAILURE)
            self.refused_with("module.so", "in time")
            self.unharmed([self.good])
            with lab.AgentClient(self.agent) as one:  # also ssh-add -e has a path
                self.assertEqual(one.remove_token(str(hung.file)), client.FAILURE)
            self.unharmed([self.good])
            hung.answer()
        lab.wait_for("the workers end once they can", lambda: len(self.agent.workers()) == 1)


class Disks(Case):
    """Folders that are full or gone."""

    def test_a_log_that_can_not_be_written(self):
        path = self.agent.home / "other.sock"
        with open("/dev/full", "wb") as full:
            other = subprocess.Popen([lab.AGENT, "-d", "-a", str(path)], env=self.agent.env,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=full)
        self.addCleanup(lambda: lab.place.end(other, signal.SIGTERM))
        lab.wait_for("it listens", lambda: lab.listens(path))
        with lab.AgentClient(str(path)) as one:
            self.assertEqual(one.add_token("fake:good,sign=chatty"), client.SUCCESS)
            blob = one.list()[0].blob
            lab.verify(blob, one.sign(blob, b"data"), b"data")
        self.assertIsNone(other.poll())

    def test_the_sockets_folder_goes_while_clients_are_connected(self):
        one = self.client()
        self.assertEqual([identity.blob for identity in one.list()], [self.good])
        aside = self.agent.home.with_name(self.agent.home.name + "-aside")
        self.agent.home.rename(aside)
        try:
            lab.verify(self.good, one.sign(self.good, b"data"), b"data")
            self.assertEqual(one.add_token("fake:later"), client.SUCCESS)
            self.assertEqual(len(one.list()), 2)
        finally:
            aside.rename(self.agent.home)
        self.unharmed()

    def test_its_own_folder_goes(self):
        shutil.rmtree(self.agent.own_folder)
        self.served(self.good)
        later = self.load("fake:later")[0]
        self.served(later)

    def test_its_socket_goes(self):
        one = self.client()
        os.unlink(self.agent.socket)
        lab.verify(self.good, one.sign(self.good, b"data"), b"data")
        self.assertTrue(self.agent.alive())

    def test_a_runtime_folder_that_is_a_file(self):
        other = lab.Folder()
        self.addCleanup(other.close)
        (other.path / "run").rmdir()
        (other.path / "run").write_text("")
        self.starts_without_a_control_socket(other.path / "run")

    def starts_without_a_control_socket(self, runtime):
        """Clients are served all the same, and the log says what is missing."""
        agent = lab.Agent(env={"XDG_RUNTIME_DIR": str(runtime)})
        self.addCleanup(agent.stop)
        with lab.AgentClient(agent) as one:
            self.assertEqual(one.add_token("fake:good"), client.SUCCESS)
            blob = one.list()[0].blob
            lab.verify(blob, one.sign(blob, b"data"), b"data")
        self.assertIn("control", agent.log())


@unittest.skipUnless(os.getuid() == 0, "only root can mount a small disk")
class FullDisks(Disks):
    def setUp(self):
        super().setUp()
        self.disk = lab.Folder()
        self.addCleanup(self.disk.close)
        self.mount = self.disk.path / "disk"
        self.mount.mkdir()
        lab.run_well(["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=8,mode=0700", "none", self.mount])
        self.addCleanup(lab.run, ["umount", "-l", self.mount])

    def fill(self):
        """No byte and no file more fits."""
        with self.assertRaises(OSError), open(self.mount / "fill", "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        for number in range(8):
            try:
                (self.mount / f"fill-{number}").touch()
            except OSError:
                return
        self.fail("the disk has room left")

    def test_full_at_the_start(self):
        self.fill()
        self.starts_without_a_control_socket(self.mount)

    def test_full_where_the_socket_should_be(self):
        self.fill()
        done = lab.run([lab.AGENT, "-D", "-a", self.mount / "agent.sock"], env=self.agent.env)
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left", done.stderr)

    def test_full_later(self):
        agent = lab.Agent(env={"XDG_RUNTIME_DIR": str(self.mount), "HOME": str(self.mount)})
        self.addCleanup(agent.stop)
        with lab.AgentClient(agent) as one:
            self.assertEqual(one.add_token("fake:good"), client.SUCCESS)
            self.fill()
            blob = one.list()[0].blob
            lab.verify(blob, one.sign(blob, b"data"), b"data")
            self.assertEqual(one.add_token("fake:later"), client.SUCCESS)
            self.assertEqual(len(one.list()), 2)
