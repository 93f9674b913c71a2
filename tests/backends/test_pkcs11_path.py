"""Which files the pkcs11 backend loads as a module, and what it says of the others."""
import os
import pathlib
import shutil
import unittest

import lab
from lab import hangfs, worker

from pkcs11_bed import Worker

MODULE = pathlib.Path(lab.SoftHSM.module)
STRANGER = 54321


class Paths(unittest.TestCase):
    def setUp(self):
        self.folder = lab.Folder()
        self.addCleanup(self.folder.close)
        self.folder.path.chmod(0o755)
        self.module = self.folder.path / "module.so"
        shutil.copyfile(MODULE, self.module)
        self.module.chmod(0o644)

    def locate(self, path, **options):
        with Worker(**options) as one:
            return one.call(worker.LOCATE, worker.string(str(path)))[1]

    def refused(self, path, words, **options):
        done = self.locate(path, **options)
        self.assertEqual(done.error, worker.NOT_ALLOWED, done)
        self.assertIn(words, done.words)

    def accepted(self, path, canonical):
        done = self.locate(path)
        self.assertEqual((done.error, done.result), (worker.OK, os.fsencode(canonical)), done)

    def test_a_file_of_ones_own_is_accepted(self):
        self.accepted(self.module, self.module)

    def test_links_are_resolved_to_the_one_canonical_name(self):
        link = self.folder.path / "link.so"
        link.symlink_to("module.so")
        self.accepted(link, self.module)
        self.accepted(f"{self.folder.path}/tmp/../link.so", self.module)
        self.accepted(MODULE, MODULE.resolve())

    def test_a_file_that_is_missing_is_said_to_be(self):
        self.refused("/nonexistent/module.so", "is not there")
        self.refused(self.folder.path / "nothing.so", "is not there")

    def test_a_relative_path_is_refused(self):
        for path in ("module.so", "./module.so", ""):
            with self.subTest(path):
                self.refused(path, "full path")

    def test_what_is_no_regular_file_is_refused(self):
        os.mkfifo(self.folder.path / "fifo")
        for path in (self.folder.path, self.folder.path / "fifo", "/dev/null"):
            with self.subTest(str(path)):
                self.refused(path, "is not a regular file")

    def test_a_file_that_others_can_write_is_refused_and_how_to_mend_it_said(self):
        for mode in (0o664, 0o646, 0o777):
            with self.subTest(oct(mode)):
                self.module.chmod(mode)
                self.refused(self.module, "chmod go-w")

    def test_a_file_of_another_user_is_refused(self):
        if os.getuid() == 0:
            os.chown(self.module, STRANGER, STRANGER)
            self.refused(self.module, "another user")
        else:  # nobody's own namespace: root is a stranger in it
            self.refused(MODULE, "another user", wrapper=["unshare", "--map-current-user"])

    def test_a_folder_that_everybody_can_write_is_refused_unless_sticky(self):
        self.folder.path.chmod(0o777)
        self.refused(self.module, "chmod o-w")
        self.folder.path.chmod(0o1777)
        self.accepted(self.module, self.module)

    def test_a_folder_that_its_group_can_write_is_accepted(self):
        self.folder.path.chmod(0o2775)
        self.accepted(self.module, self.module)

    def test_a_file_that_is_no_module_is_said_to_be_none(self):
        self.module.write_text("#!/bin/sh\n")
        libm = next(pathlib.Path("/usr/lib").glob("*/libm.so.6"))
        for path in (self.module, libm):
            with self.subTest(str(path)), Worker() as one:
                one.call(worker.LOCATE, worker.string(str(path)))
                _, done = one.call(worker.OPEN)
                self.assertEqual(done.error, worker.DEVICE_FAILED)
                self.assertIn("is no PKCS#11 module", done.words)

    def test_a_file_is_looked_at_again_before_it_is_loaded(self):
        with Worker() as one:
            self.assertEqual(one.call(worker.LOCATE, worker.string(str(self.module)))[1].error,
                             worker.OK)
            self.module.chmod(0o666)
            _, done = one.call(worker.OPEN)
            self.assertEqual(done.error, worker.NOT_ALLOWED)

    def test_on_a_file_system_that_hangs_it_waits_and_then_says_so(self):
        with hangfs.HangFS() as hanging, Worker() as one:
            operation = one.begin(worker.LOCATE, worker.string(str(hanging.file)))
            hanging.await_asked()
            hanging.answer()
            _, done = one.finish(operation)
            self.assertEqual(done.error, worker.NOT_ALLOWED, done)
