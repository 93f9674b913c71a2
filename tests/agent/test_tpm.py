"""keystile tpm: keys are made, brought in and changed, in files that other programs take as well."""
import json
import os
import threading
import time
import unittest
import unittest.mock

import lab
from lab import tpm
from tpm_bed import CommandTest, OTHER_PIN, PIN


class Create(CommandTest):
    def test_each_kind_is_made_and_signs_by_tpm2_openssl(self):
        for kind, name in (("ecdsa-p256", "ecdsa-sha2-nistp256"), ("ecdsa-p384", "ecdsa-sha2-nistp384"),
                           ("ecdsa-p521", "ecdsa-sha2-nistp521"), ("rsa2048", "ssh-rsa"), ("rsa3072", "ssh-rsa")):
            with self.subTest(kind):
                made = self.call("create", "--no-pin", "-t", kind, "-C", "alice@home", f"{kind}.tpm")
                public = (self.path / f"{kind}.pub").read_text()
                self.assertEqual(made.stdout, public)
                self.assertEqual((public.split()[0], public.split()[2]), (name, "alice@home"))
                self.assertEqual((self.mode(f"{kind}.tpm"), self.mode(f"{kind}.pub")), (0o600, 0o644))
                self.sign_by_openssl(self.path / f"{kind}.tpm", self.path / f"{kind}.pub")

    def test_tpm2_tools_load_what_was_made(self):
        self.tpm.tool("tpm2_load", "-Q", "-r", self.create(), "-c", self.path / "loaded.ctx")
        self.tpm.flush()

    def test_the_pin_is_asked_for_twice_and_never_passes_the_bus(self):
        key = self.create_with_pin()
        self.assertFalse([one for one in self.tpm.bus.passed if PIN.encode() in one or tpm.PASSWORD_SESSION in one])
        self.sign_by_openssl(key, key.with_suffix(".pub"), pin=PIN)
        self.assertEqual(self.tpm.failures(), 0)

    def test_two_pins_that_differ_are_asked_for_again(self):
        self.types("create", "pin.tpm", answers=[("A PIN for the new key", PIN), ("once more", OTHER_PIN),
                                                 ("not the same", PIN), ("once more", PIN)])
        self.sign_by_openssl(self.path / "pin.tpm", self.path / "pin.pub", pin=PIN)

    def test_nothing_typed_makes_nothing(self):
        shown = self.types("create", "pin.tpm", answers=[("A PIN for the new key", "")], status=1)
        self.assertIn("nothing is done", shown)
        self.assertEqual(sorted(os.listdir(self.path)), ["run", "tmp"])
        self.assertEqual(self.tpm.bus.passed, [])

    def test_a_pin_that_is_too_long_is_refused_in_words(self):
        long_pin = "1" * 33
        shown = self.types("create", "pin.tpm", status=1,
                           answers=[("A PIN for the new key", long_pin), ("once more", long_pin)])
        self.assertIn("32 bytes at the most", shown)

    def test_without_a_terminal_a_pin_is_refused_in_words(self):
        self.refuse("this command has none", "create", "key.tpm")
        self.assertFalse((self.path / "key.tpm").exists())

    def test_nothing_is_overwritten_without_being_told(self):
        first = self.create().read_text()
        public = (self.path / "key.pub").read_text()
        self.refuse("key.tpm is there already", "create", "--no-pin", "key.tpm")
        os.unlink(self.path / "key.tpm")
        self.refuse("key.pub is there already", "create", "--no-pin", "key.tpm")
        self.assertEqual((self.path / "key.pub").read_text(), public)
        self.create("key.tpm", "--force")
        self.assertNotEqual((self.path / "key.tpm").read_text(), first)
        self.assertEqual(sorted(os.listdir(self.path)), ["key.pub", "key.tpm", "run", "state", "tmp"])

    def test_a_link_that_leads_nowhere_is_there_already(self):
        os.symlink("elsewhere", self.path / "key.tpm")
        self.refuse("key.tpm is there already", "create", "--no-pin", "key.tpm")

    def test_a_description_goes_into_the_file_only_when_told(self):
        for option, expected in ((), b"") , (("--description",), b"alice@home"):
            name = f"key{len(option)}.tpm"
            key = self.create(name, "-C", "alice@home", *option)
            der = lab.run_well(["openssl", "asn1parse", "-in", key, "-out", self.path / "der", "-noout"])
            self.assertEqual(b"alice@home" in (self.path / "der").read_bytes(), bool(expected), der.stderr)
            listed = json.loads(self.call("list", "--json", name).stdout)
            self.assertEqual(listed["files"][0]["description"].encode(), expected)

    def test_an_rsa_parent_is_written_down_and_found_again(self):
        key = self.create("key.tpm", "--rsa-parent")
        self.call("persist", key, "0x81000020")
        self.addCleanup(self.call, "evict", "0x81000020")
        self.sign_by_openssl("handle:0x81000020", self.path / "key.pub")

    def test_kinds_and_parents_that_there_are_not_are_refused_in_words(self):
        self.refuse("ecdsa-p256, ecdsa-p384", "create", "--no-pin", "-t", "ed25519", "key.tpm")
        self.refuse("0x81", "create", "--no-pin", "--parent", "lockout", "key.tpm")
        self.refuse("does not have keys of the kind rsa4096: keystile tpm info", "create", "--no-pin", "-t", "rsa4096", "key.tpm")
        self.assertFalse((self.path / "key.tpm").exists())

    def test_a_comment_is_one_line(self):
        self.call("create", "--no-pin", "-C", "two\nlines", "key.tpm", status=2)


class Above(CommandTest):
    """What wraps a key: each hierarchy, and a key that stays in the TPM, each with a password of its own."""

    def test_keys_are_made_below_each_hierarchy(self):
        for parent in ("owner", "endorsement", "platform", "null"):
            with self.subTest(parent):
                self.create(f"{parent}.tpm", "--parent", parent)
                listed = json.loads(self.call("list", "--json", f"{parent}.tpm").stdout)
                self.assertEqual(listed["files"][0]["parent"], parent)
                self.sign_by_worker(f"{parent}.tpm")

    def with_password(self, *options, name):
        """The key is made, and the password asked for; without, that is said."""
        self.refuse("--parent-password", "create", "--no-pin", *options, name)
        shown = self.types("create", "--no-pin", "--parent-password", *options, name,
                           answers=[("The password of the hierarchy or key above", "from-above")])
        self.assertIn("ecdsa-sha2-nistp256", shown)
        self.assertFalse([one for one in self.tpm.bus.passed if b"from-above" in one])
        self.types("passwd", "--no-pin", "--parent-password", name,
                   answers=[("The password of the hierarchy or key above", "from-above")])

    def test_a_hierarchy_with_a_password_is_asked_for_it_when_told(self):
        for name, short in (("owner", "owner"), ("endorsement", "endorsement"), ("platform", "platform")):
            with self.subTest(name):
                self.tpm.tool("tpm2_changeauth", "-c", short, "from-above")
                self.tpm.bus.clear()
                try:
                    self.with_password("--parent", name, name=f"{name}.tpm")
                finally:
                    self.tpm.tool("tpm2_changeauth", "-c", short, "-p", "from-above", "")

    def test_a_persistent_parent_with_a_password_is_asked_for_it_when_told(self):
        context = self.path / "parent.ctx"
        self.tpm.tool("tpm2_createprimary", "-Q", "-C", "o", "-G", "ecc", "-p", "from-above", "-c", context,
                      "-a", "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|decrypt|noda")
        self.tpm.flush()
        self.tpm.tool("tpm2_evictcontrol", "-Q", "-C", "o", "-c", context, "0x81000003")
        self.addCleanup(self.tpm.tool, "tpm2_evictcontrol", "-Q", "-C", "o", "-c", "0x81000003")
        self.tpm.flush()
        self.tpm.bus.clear()
        self.with_password("--parent", "0x81000003", name="below.tpm")
        self.assertEqual(self.tpm.failures(), 0)


class Agent(CommandTest):
    def test_the_agents_worker_signs_with_what_is_made_in_each_way(self):
        lab.run_well(["ssh-keygen", "-q", "-N", "", "-t", "ecdsa", "-f", self.path / "outside"])
        self.create("plain.tpm")
        self.create("rsa.tpm", "-t", "rsa2048")
        self.create("described.tpm", "--description", "-C", "in so many words")
        self.create("rsa-parent.tpm", "--rsa-parent")
        self.call("import", "--no-pin", "outside", "imported.tpm")
        self.call("storage-key", "storage")
        self.call("wrap", "--no-pin", "--for", "storage", "outside", "wrapped.tpm")
        for name in ("plain", "described", "rsa-parent", "imported", "wrapped"):
            with self.subTest(name):
                self.sign_by_worker(f"{name}.tpm")
        self.sign_by_worker("rsa.tpm", "rsa-sha2-512")


class Outside(CommandTest):
    def keygen(self, name, *options, passphrase=""):
        lab.run_well(["ssh-keygen", "-q", "-N", passphrase, "-f", self.path / name, "-C", "from outside", *options])
        return self.path / name

    def test_keys_of_ssh_keygen_are_brought_in(self):
        for name, digest, options in (("p256", "sha256", ("-t", "ecdsa", "-b", "256")),
                                      ("p384", "sha384", ("-t", "ecdsa", "-b", "384")),
                                      ("rsa", "sha512", ("-t", "rsa", "-b", "2048")),
                                      ("pem", "sha256", ("-t", "rsa", "-b", "2048", "-m", "PEM"))):
            with self.subTest(name):
                key = self.keygen(name, *options)
                made = self.call("import", "--no-pin", name, f"{name}-inside.tpm")
                self.assertIn("was outside of a TPM", made.stderr)
                self.assertEqual(made.stdout.split()[:2], key.with_suffix(".pub").read_text().split()[:2])

    def test_what_was_brought_in_signs_and_did_not_pass_the_bus(self):
        key = self.keygen("outside", "-t", "ecdsa", "-b", "256")
        self.call("import", "--no-pin", key.name, "inside.tpm")
        self.sign_by_openssl(self.path / "inside.tpm", self.path / "inside.pub")
        scalar = lab.run_well(["ssh-keygen", "-p", "-N", "", "-m", "PKCS8", "-f", key]) and lab.run_well(
            ["openssl", "ec", "-in", key, "-text", "-noout"]).stdout
        secret = bytes.fromhex("".join(scalar.split("priv:")[1].split("pub:")[0].split()).replace(":", ""))
        self.assertGreaterEqual(len(secret), 31)
        self.assertFalse([one for one in self.tpm.bus.passed if secret[-31:] in one])

    def test_its_public_file_stays_as_it_is_and_another_keys_is_not_taken_for_it(self):
        key = self.keygen("id", "-t", "ecdsa", "-b", "256")
        public = key.with_suffix(".pub")
        public.write_text(public.read_text().replace("from outside", "with words of mine"))
        before = public.read_text()
        self.call("import", "--no-pin", "id", "id.tpm")
        self.assertEqual(public.read_text(), before)
        self.sign_by_openssl(self.path / "id.tpm", public)
        self.keygen("other", "-t", "ecdsa", "-b", "256")
        for held in (before, "", "no key at all"):
            with self.subTest(held):
                (self.path / "new.pub").write_text(held)
                self.refuse("new.pub is there already", "import", "--no-pin", "other", "new.tpm")
                self.assertFalse((self.path / "new.tpm").exists())
                self.assertEqual((self.path / "new.pub").read_text(), held)

    def test_a_passphrase_and_a_pin_are_asked_for(self):
        key = self.keygen("locked", "-t", "ecdsa", "-b", "256", passphrase="open-sesame")
        self.types("import", key.name, "inside.tpm", answers=[
            ("Enter passphrase for", "open-sesame"), ("A PIN for the new key", PIN), ("once more", PIN)])
        self.sign_by_openssl(self.path / "inside.tpm", self.path / "inside.pub", pin=PIN)

    def test_kinds_that_tpms_lack_and_files_that_are_no_keys_are_refused_in_words(self):
        key = self.keygen("ed", "-t", "ed25519")
        self.refuse("ECDSA and RSA", "import", "--no-pin", key.name, "inside.tpm")
        (self.path / "text").write_text("no key\n")
        os.chmod(self.path / "text", 0o600)
        self.refuse("could not be read as a private key", "import", "--no-pin", "text", "inside.tpm")
        self.refuse("could not be read as a private key", "import", "--no-pin", "missing", "inside.tpm")
        self.assertFalse((self.path / "inside.tpm").exists())
        self.assertEqual(os.listdir(self.path / "run"), [])


class AnotherMachine(CommandTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other = tpm.Tpm()

    @classmethod
    def tearDownClass(cls):
        cls.other.close()
        super().tearDownClass()

    def wrap(self, *options):
        """A key for the other TPM, wrapped here; the file."""
        lab.run_well(["ssh-keygen", "-q", "-N", "", "-f", self.path / "outside", "-t", "ecdsa"])
        self.call("storage-key", *options, "storage", at=self.other)
        self.tpm.bus.clear()
        self.call("wrap", "--no-pin", "--for", "storage", "outside", "wrapped.tpm")
        self.assertEqual(self.tpm.bus.passed, [])
        os.unlink(self.path / "storage")
        return self.path / "wrapped.tpm"

    def test_a_key_is_wrapped_for_another_tpm_and_signs_there(self):
        for options in ((), ("--rsa-parent",)):
            with self.subTest(options):
                key = self.wrap(*options)
                self.call("persist", key.name, "0x81000010", at=self.other)
                self.sign_by_openssl("handle:0x81000010", self.path / "wrapped.pub", at=self.other)
                self.call("evict", "0x81000010", at=self.other)
                for name in ("outside", "outside.pub", "wrapped.tpm", "wrapped.pub"):
                    os.unlink(self.path / name)

    def test_this_tpm_does_not_take_it(self):
        key = self.wrap()
        self.refuse("TPM", "persist", key.name, "0x81000010")

    def test_a_file_that_is_no_storage_key_is_refused_in_words(self):
        key = self.create()
        lab.run_well(["ssh-keygen", "-q", "-N", "", "-f", self.path / "outside", "-t", "ecdsa"])
        (self.path / "storage").write_bytes(b"no key")
        self.refuse("storage key is not right", "wrap", "--no-pin", "--for", "storage", "outside", "w.tpm")
        self.call("wrap", "--no-pin", "outside", "w.tpm", status=2)
        self.assertTrue(key.exists())


class Labels(CommandTest):
    def test_a_key_is_called_as_in_the_public_file_beside_it(self):
        folder = self.path / ".ssh"
        folder.mkdir(mode=0o700)
        for name, *options in (("a", "-C", "alice at home"), ("b", "--description", "-C", "described"), ("c",), ("d",)):
            self.create(f".ssh/{name}.tpm", *options)
        for name in "bc":
            (folder / f"{name}.pub").unlink()
        (folder / "d.pub").write_text((folder / "a.pub").read_text())
        lab.run_well(["ssh-keygen", "-q", "-N", "", "-f", self.path / "ca"])
        lab.run_well(["ssh-keygen", "-q", "-s", self.path / "ca", "-I", "id", folder / "a.pub"])
        with self.worker("") as started:
            labels = sorted((token.label.decode(), [key.label.decode() for key in token.keys])
                            for token in started.tokens())
        self.assertEqual(labels, sorted([("alice at home", 2 * ["alice at home"]), ("described", ["described"]),
                                         *((f"{folder}/{name}.tpm", [f"{folder}/{name}.tpm"]) for name in "cd")]))


class Configured(CommandTest):
    """What keystile.conf says of the worker holds for the command as well."""

    def setUp(self):
        super().setUp()
        self.file = self.path / "config" / "keystile" / "keystile.conf"
        self.file.parent.mkdir(parents=True)

    def configure(self, variables, *grants):
        listed = ", ".join(f'"{name}={value}"' for name, value in variables.items())
        self.file.write_text("worker tpm2 {\n\tenvironment = {" + listed + "}\n" + "".join(grants) + "}\n")

    def bare(self, **more):
        return {**lab.environment(self.path), "XDG_CONFIG_HOME": str(self.file.parent.parent), **more}

    def test_the_tpm_and_the_folder_of_state_may_be_configured(self):
        variables = {name: value for name, value in self.env().items() if name.startswith("KEYSTILE_TPM2")}
        self.refuse("no TPM that answers", "create", "--no-pin", "key.tpm", env=self.bare())
        self.configure({**variables, "KEYSTILE_TPM2_STATE": self.path / "elsewhere"})
        self.create(env=self.bare())
        self.assertEqual(len(os.listdir(self.path / "elsewhere")), 1)
        self.sign_by_openssl(self.path / "key.tpm", self.path / "key.pub")

    def test_a_variable_of_the_command_itself_goes_before(self):
        self.configure({"KEYSTILE_TPM2_TCTI": "swtpm:path=/nonexistent"})
        self.refuse("no TPM that answers", "info", env=self.bare())
        self.call("info", env={**self.bare(), **self.env(), "XDG_CONFIG_HOME": str(self.file.parent.parent)})

    def test_a_file_that_is_granted_may_hold_the_password_of_the_parent(self):
        """needs.c permits it by the variable; a folder elsewhere is read by the grant."""
        variables = {name: value for name, value in self.env().items() if name.startswith("KEYSTILE_TPM2")}
        self.tpm.tool("tpm2_changeauth", "-c", "owner", "of-owner")
        self.addCleanup(self.tpm.tool, "tpm2_changeauth", "-c", "owner", "-p", "of-owner", "")
        (self.path / "password").write_text("of-owner\n")
        self.configure({**variables, "KEYSTILE_TPM2_PARENT_AUTH": self.path / "password"})
        self.create(env=self.bare())
        self.refuse("--parent-password", "create", "--no-pin", "other.tpm")

    def test_a_file_that_is_not_understood_is_told(self):
        self.file.write_text("worker tpm2 {\n\tnonsense = 1\n}\n")
        self.assertIn("keystile.conf:2", self.refuse("nonsense", "info", env=self.bare()))


class Looking(CommandTest):
    def test_info_tells_of_the_tpm(self):
        said = self.call("info").stdout
        for words in ("IBM", "ecdsa-p256", "rsa2048", "sha256", "32 lock the TPM"):
            self.assertIn(words, said)
        self.assertIn("sha512", json.loads(self.call("info", "--json").stdout)["hashes"])

    def test_what_takes_long_shows_on_a_terminal_that_it_goes_on(self):
        waited = threading.Event()

        def late(_):
            waited.wait(60 * lab.PATIENCE)

        self.tpm.bus.answer = late
        self.addCleanup(setattr, self.tpm.bus, "answer", None)
        self.addCleanup(waited.set)
        tty = lab.Tty()
        self.addCleanup(tty.close)
        process = tty.run([lab.CONTROL, "tpm", "info"], env=self.env(), cwd=str(self.path))
        tty.wait_until_shown("\rworking, 1 s ")
        waited.set()
        self.assertEqual(process.wait(lab.place.ANSWER_SECONDS * lab.PATIENCE), 0)
        tty.wait_until_shown("lock the TPM")
        self.assertRegex(tty.shown(), r"s +\r {24}\r", "what was shown is still there")

    def test_without_a_terminal_nothing_is_shown_of_that(self):
        self.tpm.bus.answer = lambda _: time.sleep(1.2) if len(self.tpm.bus.passed) == 1 else None
        self.addCleanup(setattr, self.tpm.bus, "answer", None)
        self.assertEqual(self.call("info").stderr, "")

    def test_list_tells_of_the_files_in_the_home_folder(self):
        (self.path / ".ssh").mkdir()
        self.create(".ssh/a.tpm")
        self.create_with_pin(".ssh/b.tpm")
        (self.path / ".ssh" / "c.tpm").write_text("no key\n")
        os.chmod(self.path / ".ssh" / "c.tpm", 0o600)
        said = self.call("list").stdout
        for words in ("a.tpm", "without a PIN", "b.tpm", "with a PIN", "c.tpm", "is not PEM"):
            self.assertIn(words, said)
        self.assertIn("SHA256:", said)

    def test_files_are_read_as_ssh_reads_private_keys(self):
        key = self.create()
        text = key.read_text()
        os.chmod(key, 0o644)
        self.refuse("chmod 600", "persist", key.name, "0x81000010")
        os.chmod(key, 0o600)
        key.write_text(text[:-60])
        self.refuse("cut short", "persist", key.name, "0x81000010")
        key.write_text(text + "more\n")
        self.refuse("goes on after the key", "persist", key.name, "0x81000010")
        key.write_bytes(b"\xff\xfe")
        self.refuse("not even text", "persist", key.name, "0x81000010")
        os.mkfifo(self.path / "pipe", 0o600)
        self.refuse("no regular file", "persist", "pipe", "0x81000010")
        self.refuse("can't be opened", "persist", "missing", "0x81000010")

    def test_where_there_is_no_tpm_that_is_said(self):
        nowhere = unittest.mock.Mock(tcti=f"swtpm:path={self.path}/none", bus=unittest.mock.Mock(path=f"{self.path}/none"))
        self.refuse("no TPM that answers", "info", at=nowhere)
        self.assertIn("is not known", self.call("list", at=nowhere).stdout)

    def test_wrong_command_lines_are_told_how_it_goes(self):
        for words in ((), ("make",), ("create",), ("create", "a", "b"), ("info", "a"), ("persist", "a"),
                      ("evict", "--json", "0x81000000"), ("create", "--pin", "a")):
            with self.subTest(words):
                self.assertIn("usage: keystile tpm", self.call(*words, status=2).stderr)


if __name__ == "__main__":
    unittest.main()
