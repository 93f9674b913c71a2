"""
Composite keys of ML-DSA and Ed25519, as OpenSSH 10.6 has them. Where libcrypto has no ML-DSA (before 3.5) they are keys
of a type that is not known, and that is what is tested there, with the same recorded key.
"""
import base64
import ctypes
import re
import unittest

import lab
from bed import AgentTest
from lab import client as c
from lab.added import AddedKey, destination_host, destinations, hop
from lab.keys import Reader

NAME = "ssh-mldsa44-ed25519"
SIGNATURE_BYTES = 2420 + 64
VECTORS = lab.ROOT / "tests" / "unit"


def _libcrypto_has_it():
    libcrypto = ctypes.CDLL("libcrypto.so.3")
    libcrypto.EVP_PKEY_CTX_new_from_name.restype = ctypes.c_void_p
    libcrypto.EVP_PKEY_CTX_free.argtypes = (ctypes.c_void_p,)
    context = libcrypto.EVP_PKEY_CTX_new_from_name(None, b"ML-DSA-44", None)
    libcrypto.EVP_PKEY_CTX_free(context)
    return context is not None


def _openssh_has_it():
    return NAME in lab.run_well(["ssh", "-Q", "key"]).stdout.split()


def recorded(file, name):
    """What a C header of the unit tests has under a name, in base64."""
    text = (VECTORS / file).read_text()
    quoted = re.search(rf'\b{name}(?:\[\])? =\s*((?:"[^"]*"\s*)+)[,;]', text).group(1)
    return base64.b64decode("".join(re.findall(r'"([^"]*)"', quoted)))


KNOWN = _libcrypto_has_it()
BLOB = recorded("composite_vectors.h", "blob")
CERTIFICATE = recorded("composite_vectors.h", "host_certificate")
SIGNATURE = recorded("composite_vectors.h", "signature")
SIGNED = recorded("key_vectors.h", "vector_signed_data")


class Host:
    """The recorded key as a host's, which signed for one session."""

    def __init__(self, blob=BLOB):
        self.blob = blob

    def sign(self, sid):
        assert sid == SIGNED
        return SIGNATURE


class Recorded(AgentTest):
    def added(self):
        """What adding the key, and the key with its certificate, is answered."""
        with self.client() as one:
            return [one.call(c.ADD, recorded("composite_vectors.h", name))[0]
                    for name in ("added", "added_certificate")]

    def bind(self, host):
        client = self.client()
        return client, client.bind(host, SIGNED)

    if KNOWN:
        def test_a_key_is_taken_and_signs(self):
            self.assertEqual(self.added(), [c.SUCCESS, c.SUCCESS], self.agent.log())
            with self.client() as one:
                signature = Reader(one.sign(BLOB, b"data"))
                self.assertEqual([entry.blob for entry in one.list()][-2], BLOB)
            self.assertEqual(signature.string().decode(), NAME)
            self.assertEqual(len(signature.string()), SIGNATURE_BYTES)
            self.assertEqual(signature.data, b"")

        def test_what_it_signs_a_host_proves_itself_with(self):
            self.added()
            with self.client() as one:
                signature = one.sign(BLOB, b"session")
                self.assertEqual(one.bind(Host(), b"session", signature=signature), c.SUCCESS)
            with self.client() as other:
                self.assertEqual(other.bind(Host(), b"another", signature=signature), c.EXTENSION_FAILURE)

        def test_a_connection_bound_to_such_a_host_stays_local(self):
            for blob in (BLOB, CERTIFICATE):
                client, answer = self.bind(Host(blob))
                self.assertEqual(answer, c.SUCCESS)
                self.assert_local(client)

        def test_a_hosts_certificate_by_such_an_authority_opens_no_destination(self):
            """As with OpenSSH, where such an authority has to be allowed by name."""
            there = destinations(hop(destination_host(host="host", host_keys=[(BLOB, True)])))
            given = AddedKey("ed25519")
            client, answer = self.bind(Host(CERTIFICATE))
            self.assertEqual(answer, c.SUCCESS)
            with self.client() as own:
                self.assertEqual(own.call(c.ADD_CONSTRAINED, given.body("a", there))[0], c.SUCCESS)
                self.assertIn(given.blob, [entry.blob for entry in own.list()])
            self.assertNotIn(given.blob, [entry.blob for entry in client.list()])
    else:
        def test_a_key_is_refused(self):
            self.assertEqual(self.added(), [c.FAILURE, c.FAILURE])
            self.assertEqual([entry.blob for entry in self.serves()], [self.key])

        def test_a_connection_bound_to_such_a_host_is_remote(self):
            for blob in (BLOB, CERTIFICATE):
                client, answer = self.bind(Host(blob))
                self.assertEqual(answer, c.EXTENSION_FAILURE)
                self.assert_remote(client, "a session bind on it could not be verified")


if KNOWN and _openssh_has_it():
    class WithOpenssh(AgentTest):
        """The real programs, from 10.6 on."""

        provider = None

        def setUp(self):
            super().setUp()
            self.folder = lab.Folder()
            self.addCleanup(self.folder.close)
            self.path = self.folder.path / "key"
            self.keygen("-q", "-t", "mldsa44-ed25519", "-N", "", "-C", "a comment", "-f", self.path)
            self.public = self.path.with_suffix(".pub")
            self.does("ssh-add", "-q", self.path)
            self.path.unlink()

        def does(self, *command, **options):
            done = self.agent.run(*command, **options)
            self.assertEqual(done.returncode, 0, done.stderr + self.agent.log())
            return done.stdout

        @staticmethod
        def keygen(*words):
            return lab.run_well(["ssh-keygen", *words]).stdout

        def test_it_is_listed_as_ssh_keygen_shows_it_and_tested_by_ssh_add(self):
            self.assertEqual(self.does("ssh-add", "-l"), self.keygen("-l", "-f", self.public))
            self.does("ssh-add", "-T", self.public)

        def test_it_logs_in_at_a_host_with_such_a_key_and_nobody_is_asked(self):
            with lab.Sshd(host_key="mldsa44-ed25519") as host:
                host.allow(self.public.read_text().strip())
                told = self.does(*host.ssh(f"-oHostKeyAlgorithms={NAME}", host.names[0], "echo", "I am in"))
                self.assertEqual(told, "I am in\n")
            self.assertEqual(self.askpass.prompts(), [])

        def test_what_it_signs_ssh_keygen_verifies(self):
            message, allowed = self.folder.path / "message", self.folder.path / "allowed"
            message.write_bytes(b"hello")
            allowed.write_text(f"joe {self.public.read_text()}")
            self.does("ssh-keygen", "-q", "-Y", "sign", "-f", self.public, "-n", "file", message)
            verify = f"ssh-keygen -Y verify -f {allowed} -I joe -n file -s {message}.sig < "
            self.does("sh", "-c", verify + str(message))
            message.write_bytes(b"hullo")
            self.assertNotEqual(self.agent.run("sh", "-c", verify + str(message)).returncode, 0)

        def test_a_certificate_by_such_an_authority_logs_in(self):
            key = self.folder.path / "certified"
            self.keygen("-q", "-t", "mldsa44-ed25519", "-N", "", "-f", key)
            allowed = f"CASignatureAlgorithms +{NAME}\n"  # not by default
            with lab.Sshd(lines=allowed) as host:
                self.does("ssh-keygen", "-q", "-U", "-s", self.public, "-I", "id", "-n", host.user,
                          key.with_suffix(".pub"))
                self.does("ssh-add", "-D")
                self.does("ssh-add", "-q", key)
                host.allow(f"cert-authority {self.public.read_text().strip()}")
                told = self.does(*host.ssh(f"-oCASignatureAlgorithms=+{NAME}", host.names[0], "echo", "I am in"))
            self.assertEqual(told, "I am in\n")

        def test_it_serves_the_host_that_it_was_given_for_alone(self):
            with lab.Sshd(names=("one",)) as one, lab.Sshd(names=("two",), host_key="mldsa44-ed25519") as two:
                self.keygen("-q", "-t", "mldsa44-ed25519", "-N", "", "-f", self.path, "-C", "")
                self.does("ssh-add", "-D")
                self.does("ssh-add", "-q", "-h", "two", "-H", two.known_hosts, self.path)
                for host in (one, two):
                    host.allow(self.public.read_text().strip())
                    done = self.agent.run(*host.ssh(host.names[0], "echo", "I am in"))
                    self.assertEqual(done.stdout, "I am in\n" if host is two else "", done.stderr)


if __name__ == "__main__":
    unittest.main()
