"""OpenSSH certificates in files, for keys of tokens that keystile.conf names: found, followed, and left out when they are over."""
import os

import lab
from lab.hangfs import HangFS
from test_configured import Configured, provider


class CertificateFiles(Configured):
    """.keys are two keys of a token; certificates lie in .certificates/*-cert.pub."""

    def setUp(self):
        self.folder = lab.Folder()
        self.addCleanup(self.folder.close)
        self.certificates = self.folder.path / "certificates"
        self.certificates.mkdir()
        lab.run_well(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder.path / "authority"])

    def config(self, more=""):
        where = f'\tcertificates = {{"{self.certificates}/*-cert.pub"}}\n'
        return provider("card", "fake:card,keys=2", where + more)

    def load(self, more=""):
        self.begin(self.config(more))
        self.keys = self.wait_for_keys(2)

    def certify(self, blob, *options, serial=1):
        """The text of a certificate for a key."""
        public = self.folder.path / "key.pub"
        public.write_text(lab.keys.line_of(blob) + "\n")
        lab.run_well(["ssh-keygen", "-q", "-s", self.folder.path / "authority", "-I", "ada", "-n", "ada",
                      "-z", serial, *options, public])
        return (self.folder.path / "key-cert.pub").read_text()

    def write(self, name, text):
        (self.certificates / name).write_text(text)
        return lab.keys.blob_of_line(text)

    def wait_for_list(self, *blobs):
        lab.wait_for("these are listed", lambda: self.blobs() == list(blobs))

    def said(self, name="card-cert.pub"):
        """What status says of a file."""
        files = self.agent.status()["certificates"]["files"]
        return next((one for one in files if os.path.basename(one["path"]) == name), None)

    def wait_for_trouble(self, words, name="card-cert.pub"):
        lab.wait_for(words, lambda: words in (self.said(name) or {"trouble": ""})["trouble"])


class Found(CertificateFiles):
    def test_one_that_is_there_at_the_start_is_listed_before_its_key_and_signs(self):
        self.load()
        first = self.write("card-cert.pub", self.certify(self.keys[1]))
        self.agent.stop()
        self.begin(self.config())
        self.wait_for_list(self.keys[0], first, self.keys[1])
        with lab.AgentClient(self.agent) as client:
            data = lab.userauth(b"s" * 32, "ada", first)
            lab.verify(self.keys[1], client.sign(first, data), data)
        self.assertEqual(self.said()["belongs"], True)
        self.assertEqual(self.said()["key"], lab.keys.fingerprint_of(self.keys[1]))
        self.assertIsNone(self.said()["not_after"])

    def test_one_that_comes_is_renewed_and_goes_is_followed(self):
        self.load()
        first = self.write("card-cert.pub", self.certify(self.keys[0]))
        self.wait_for_list(first, *self.keys)
        fresh = self.certificates / "fresh"
        fresh.write_text(self.certify(self.keys[0], serial=2))
        second = lab.keys.blob_of_line(fresh.read_text())
        fresh.rename(self.certificates / "card-cert.pub")
        self.wait_for_list(second, *self.keys)
        other = self.write("other-cert.pub", self.certify(self.keys[1], serial=3))
        self.wait_for_list(second, self.keys[0], other, self.keys[1])
        (self.certificates / "card-cert.pub").unlink()
        self.wait_for_list(self.keys[0], other, self.keys[1])
        (self.certificates / "other-cert.pub").rename(self.folder.path / "elsewhere")
        self.wait_for_list(*self.keys)

    def test_one_that_is_half_written_is_left_out_until_it_is_whole(self):
        self.load()
        text = self.certify(self.keys[0])
        with open(self.certificates / "card-cert.pub", "w") as file:
            file.write(text[:len(text) // 2])
            file.flush()
            self.reload()
            self.wait_for_trouble("is not whole")
            self.assertEqual(self.blobs(), self.keys)
            file.write(text[len(text) // 2:])
        self.wait_for_list(lab.keys.blob_of_line(text), *self.keys)

    def test_those_beside_the_persons_keys_are_found_unless_a_section_says_otherwise(self):
        self.begin(provider("card", "fake:card,keys=2"))
        self.keys = self.wait_for_keys(2)
        self.certificates = self.agent.home / ".ssh"
        self.certificates.mkdir(exist_ok=True)
        one = self.write("id_card-cert.pub", self.certify(self.keys[0]))
        self.reload()
        self.wait_for_list(one, *self.keys)
        self.configure(provider("card", "fake:card,keys=2", "\tcertificates = {}\n"))
        self.wait_for_list(*self.keys)
        self.configure(provider("card", "fake:card,keys=2", '\tcertificates = {"~/.ssh/id_card-cert.pub"}\n'))
        self.wait_for_list(one, *self.keys)

    def test_one_of_a_key_that_a_rule_keeps_back_is_kept_back(self):
        self.load()
        name = lab.keys.fingerprint_of(self.keys[1])
        self.write("card-cert.pub", self.certify(self.keys[0]))
        other = self.write("other-cert.pub", self.certify(self.keys[1]))
        self.configure(self.config(f'\tkeys = {{"{name}"}}\n'))
        self.wait_for_list(other, self.keys[1])

    def test_what_ssh_add_loads_alone_gets_none(self):
        self.load()
        self.write("card-cert.pub", self.certify(self.keys[0]))
        self.wait_for_keys(3)
        self.configure("")
        self.wait_for_keys(0)
        self.add("fake:card,keys=2")
        self.assertEqual(self.blobs(), self.keys)


class Bad(CertificateFiles):
    def test_what_is_out_of_date_is_not_offered_and_said(self):
        self.load()
        over = self.write("card-cert.pub", self.certify(self.keys[0], "-V", "20200101:20210101"))
        self.write("later-cert.pub", self.certify(self.keys[1], "-V", "20900101:20910101"))
        good = self.write("good-cert.pub", self.certify(self.keys[1]))
        self.wait_for_list(self.keys[0], good, self.keys[1])
        lab.wait_for("both are known", lambda: self.said("later-cert.pub"))
        self.assertEqual(self.said()["state"], "expired")
        self.assertEqual(self.said("later-cert.pub")["state"], "not yet valid")
        reasons = {one["reason"] for one in self.agent.status()["withheld"]}
        self.assertEqual(reasons, {"the certificate has expired", "the certificate is not valid yet"})
        said = " ".join(self.doctor().split())
        self.assertIn("card-cert.pub: expired", said)
        self.assertNotIn(over, self.blobs())

    def test_what_is_no_certificate_for_a_person_is_left_out_with_the_reason(self):
        self.load()
        plain = lab.keys.line_of(self.keys[0]) + "\n"
        forged = self.certify(self.keys[0])
        blob = bytearray(lab.keys.blob_of_line(forged))
        blob[-1] ^= 1
        for name, text, words in (
                ("empty", "", "no certificate"), ("plain", plain, "no certificate"),
                ("words", "ssh-ed25519-cert-v01@openssh.com", "no certificate"),
                ("bad", "ssh-ed25519-cert-v01@openssh.com AAAA= x", "no certificate"),
                ("binary", "\0" * 5000, "no certificate"), ("huge", forged + "x" * 70000, "over 64 KiB"),
                ("forged", lab.keys.line_of(bytes(blob)) + "\n", "signature is not good"),
                ("host", self.certify(self.keys[0], "-h"), "a host's")):
            with self.subTest(name):
                (self.certificates / f"{name}-cert.pub").write_text(text)
                self.wait_for_trouble(words, f"{name}-cert.pub")
        os.mkfifo(self.certificates / "fifo-cert.pub")
        (self.certificates / "folder-cert.pub").mkdir()
        (self.certificates / "loop-cert.pub").symlink_to("loop-cert.pub")
        self.reload()
        for name, words in (("fifo", "no file"), ("folder", "no file"), ("loop", "can't be read")):
            self.wait_for_trouble(words, f"{name}-cert.pub")
        self.assertEqual(self.blobs(), self.keys)
        for key in self.keys:
            self.served(key)

    def test_that_of_another_key_is_no_key_of_the_token(self):
        self.load()
        self.write("card-cert.pub", self.certify(lab.HostKey().blob))
        lab.wait_for("it is known", self.said)
        self.assertEqual(self.said()["belongs"], False)
        self.assertEqual(self.blobs(), self.keys)

    def test_thousands_of_files_are_not_read(self):
        self.load()
        text = self.certify(lab.HostKey().blob)
        for number in range(100):
            (self.certificates / f"{number}-cert.pub").write_text(text)
        self.reload()
        lab.wait_for("it is said", lambda: self.agent.status()["certificates"]["more"])
        self.assertEqual(len(self.agent.status()["certificates"]["files"]), 64)
        self.served(self.keys[0])

    def test_a_file_system_that_hangs_keeps_nobody_waiting(self):
        self.load()
        first = self.write("card-cert.pub", self.certify(self.keys[0]))
        self.wait_for_list(first, *self.keys)
        hanging = HangFS()
        self.addCleanup(hanging.close)
        (self.certificates / "hangs-cert.pub").symlink_to(hanging.file)
        self.reload()
        hanging.await_asked()
        self.served(self.keys[0])
        self.reload()
        lab.wait_for("it is said", lambda: self.agent.status()["certificates"]["hangs"])
        self.served(self.keys[0])
        hanging.answer()
        lab.wait_for("it is over", lambda: not self.agent.status()["certificates"]["hangs"])
        self.wait_for_trouble("can't be read", "hangs-cert.pub")
        self.assertEqual(self.blobs(), [first, *self.keys])

    def test_the_agent_ends_while_a_file_hangs(self):
        self.load()
        hanging = HangFS()
        self.addCleanup(hanging.close)
        (self.certificates / "hangs-cert.pub").symlink_to(hanging.file)
        self.reload()
        hanging.await_asked()
        self.agent.stop()


if __name__ == "__main__":
    lab.main()
