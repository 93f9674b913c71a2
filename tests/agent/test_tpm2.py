"""Keys of a TPM in an agent: logins by the real ssh, from here and forwarded, and the host keys of a real sshd."""
import unittest
from concurrent import futures

import lab
from lab import client as c
from lab import tpm

PIN = "1234"


def environment(machine, **more):
    """The section of keystile.conf for this TPM."""
    values = {"KEYSTILE_TPM2_TCTI": machine.tcti, "KEYSTILE_TPM2_SOCKET": machine.bus.path,
              "KEYSTILE_TPM2_CONTROL": machine.bus.path + ".ctrl", **more}
    entries = ", ".join(f'"{name}={value}"' for name, value in values.items())
    return f"worker tpm2 {{\n\tenvironment = {{{entries}}}\n}}\n"


class TpmAgentTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tpm = tpm.Tpm()
        cls.addClassCleanup(cls.tpm.close)

    def setUp(self):
        self.tpm.bus.answer = None
        self.tpm.flush()
        self.askpass = lab.Askpass(PIN)
        self.addCleanup(self.askpass.close)
        self.agent = None

    def start(self, config="", **more):
        self.agent = lab.Agent(askpass=self.askpass, config=environment(self.tpm, **more) + config)
        self.addCleanup(self.agent.stop)

    def load(self, provider, pin="not used"):
        """As a person does it; the lines of ssh-add -L."""
        done = self.agent.add_token(provider, pin)
        self.assertEqual(done.returncode, 0, done.stderr + self.agent.log())
        return self.agent.run("ssh-add", "-L").stdout.splitlines()

    def reaches(self, *words):
        done = self.agent.run(*words, "echo", "I am in")
        self.assertEqual((done.stdout, done.returncode), ("I am in\n", 0), done.stderr + self.agent.log())


class Logins(TpmAgentTest):
    def hosts(self, line):
        both = lab.Sshd(("first",)), lab.Sshd(("second",))
        for host in both:
            self.addCleanup(host.close)
            host.allow(line)
        return both

    def test_key_files_of_the_home_folder_log_in_and_a_forwarded_login_asks_for_the_pin(self):
        self.start(KEYSTILE_TPM2_PIN_MINUTES="5")
        folder = self.agent.home / ".ssh"
        folder.mkdir(mode=0o700)
        self.tpm.openssl_key("id.tpm", pin=PIN, folder=folder)
        (line,) = self.load("tpm2:", PIN)
        first, second = self.hosts(line)
        self.reaches(*first.ssh("first"))
        self.assertEqual(self.askpass.prompts(), [])
        for asked in (1, 2):
            self.reaches(*first.ssh("-A", "first"), *second.ssh("second"))
            self.assertEqual(len(self.askpass.prompts()), asked)
        self.assertIn("REMOTE REQUEST", self.askpass.prompts()[-1])
        self.assertEqual(self.tpm.failures(), 0)

    def test_a_key_without_a_pin_logs_in_from_here_only(self):
        self.start()
        (line,) = self.load(f"tpm2:{self.tpm.openssl_key('none.tpm')}")
        first, second = self.hosts(line)
        self.reaches(*first.ssh("first"))
        done = self.agent.run(*first.ssh("-A", "first"), *second.ssh("second"), "echo", "I am in")
        self.assertEqual((done.stdout, self.askpass.prompts()), ("", []))
        self.assertIn("keystile tpm passwd", " ".join(self.agent.refusals()))

    def test_a_file_that_is_new_is_listed_by_the_next_ssh_add(self):
        self.start()
        folder = self.agent.home / ".ssh"
        folder.mkdir(mode=0o700)
        self.tpm.openssl_key("a.tpm", folder=folder)
        (old,) = self.load("tpm2:")
        self.tpm.openssl_key("b.tpm", folder=folder)
        self.assertIn(old, self.load("tpm2:"))
        with lab.AgentClient(self.agent) as client:
            keys = [key.blob for key in client.list()]
            self.assertEqual(len(keys), 2)
            for key in keys:
                client.sign(key, b"data")
            (folder / "a.tpm").unlink()
            self.load("tpm2:")
            self.assertEqual([key.blob for key in client.list()], keys[1:])

    def test_a_tpm_that_hangs_keeps_nobody_else_waiting(self):
        self.start("operation-timeout = 3\n")
        self.load(f"tpm2:{self.tpm.openssl_key('hangs.tpm')}")
        with lab.AgentClient(self.agent) as client, lab.AgentClient(self.agent) as other:
            blob = client.list()[0].blob
            self.tpm.bus.answer = lambda command: True
            client.send(c.SIGN, client.sign_request(blob, b"data"))
            self.assertEqual([key.blob for key in other.list()], [blob])
            self.assertEqual(client.receive()[0], c.FAILURE)
            self.tpm.bus.answer = None
            self.tpm.bus.drop()
            self.tpm.flush()
            lab.wait_for("it signs again", lambda: client.sign(blob, b"data"))


class ADevice(TpmAgentTest):
    def test_a_tpm_behind_a_device_signs_with_one_command_and_is_given_back(self):
        device = tpm.Device(self.tpm.bus)
        self.addCleanup(device.close)
        config = (f'worker tpm2 {{\n\tenvironment = {{"KEYSTILE_TPM2_TCTI=device:{device.path}"}}\n'
                  f'\tgrant-write = {{"{device.path}"}}\n}}\n')
        self.agent = lab.Agent(askpass=self.askpass, config=config)
        self.addCleanup(self.agent.stop)
        provider = f"tpm2:{self.tpm.openssl_key('device.tpm')}"
        self.load(provider)
        with lab.AgentClient(self.agent) as client:
            blob = client.list()[0].blob
            client.sign(blob, b"data")
            self.tpm.bus.clear()
            lab.verify(blob, client.sign(blob, b"more"), b"more")
        self.assertEqual(self.tpm.bus.codes(), [tpm.SIGN])
        self.assertEqual(self.agent.run("ssh-add", "-e", provider).returncode, 0)
        lab.wait_for("it is given back", lambda: not self.tpm.handles("transient"))


class ManyAtOnce(TpmAgentTest):
    def test_ten_clients_sign_with_two_keys_and_one_command_each(self):
        self.start()
        folder = self.agent.home / ".ssh"
        folder.mkdir(mode=0o700)
        for name in ("a.tpm", "b.tpm"):
            self.tpm.openssl_key(name, folder=folder)
        self.load("tpm2:")
        with lab.AgentClient(self.agent) as client:
            blobs = [key.blob for key in client.list()]
            for blob in blobs:
                client.sign(blob, b"data")
        self.tpm.bus.clear()
        with futures.ThreadPoolExecutor(10) as pool:
            done = [pool.submit(self.sign_five, blobs[number % 2], number) for number in range(10)]
            for one in done:
                one.result()
        self.assertEqual(self.tpm.bus.codes(), [tpm.SIGN] * 50)

    def sign_five(self, blob, number):
        with lab.AgentClient(self.agent) as client:
            for index in range(5):
                data = f"{number} {index}".encode()
                lab.verify(blob, client.sign(blob, data), data)


    def test_workers_of_two_keys_make_room_for_each_other(self):
        self.start()
        for name in ("one.tpm", "two.tpm"):
            self.load(f"tpm2:{self.tpm.openssl_key(name)}")
            self.tpm.flush()
        with lab.AgentClient(self.agent) as client:
            for blob in [key.blob for key in client.list()] * 2:
                lab.verify(blob, client.sign(blob, b"data"), b"data")
                self.assertLessEqual(len(self.tpm.handles("transient")), 3)


class WhatIsHeld(TpmAgentTest):
    def held(self):
        return self.tpm.handles("transient") + self.tpm.handles("loaded-session")

    def sign(self):
        with lab.AgentClient(self.agent) as client:
            client.sign(client.list()[0].blob, b"data")
        self.assertNotEqual(self.held(), [])

    def test_it_is_given_back_when_the_provider_goes_and_when_the_agent_ends(self):
        provider = f"tpm2:{self.tpm.openssl_key('held.tpm')}"
        self.start()
        self.load(provider)
        self.sign()
        self.assertEqual(self.agent.run("ssh-add", "-e", provider).returncode, 0)
        lab.wait_for("it is given back", lambda: not self.held())
        self.load(provider)
        self.sign()
        self.agent.stop()
        self.assertEqual(self.held(), [])

    def test_a_tpm_that_hangs_does_not_keep_the_agent_from_its_end(self):
        self.start("operation-timeout = 60\n")
        self.load(f"tpm2:{self.tpm.openssl_key('end.tpm')}")
        with lab.AgentClient(self.agent) as client:
            blob = client.list()[0].blob
            self.tpm.bus.answer = lambda command: True
            client.send(c.SIGN, client.sign_request(blob, b"data"))
            lab.wait_for("it hangs", lambda: self.tpm.bus.answered[-1:] == [True])
            self.agent.stop()
        self.tpm.bus.answer = None
        self.tpm.bus.drop()


class HostKeys(TpmAgentTest):
    def test_sshd_shows_a_key_of_the_tpm(self):
        self.start('relays = {"socat"}\nlistener hosts {\n\torigin = local\n}\n')
        (line,) = self.load(f"tpm2:{self.tpm.openssl_key('host.tpm')}")
        public = self.agent.home / "host.pub"
        public.write_text(line + "\n")
        socket = self.agent.own_folder / "hosts.sock"
        login = self.agent.home / "login"
        lab.run_well(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", login])
        with lab.Sshd(("lab",), lines=f"HostKeyAgent {socket}\nHostKey {public}\n") as server:
            server.allow(login.with_suffix(".pub").read_text())
            server.known_hosts.write_text(f"lab {line}\n")
            before = self.tpm.bus.codes().count(tpm.SIGN)
            done = self.agent.run(*server.ssh("-i", login, "-o", "IdentityAgent=none",
                                              "-o", "HostKeyAlgorithms=ecdsa-sha2-nistp256", "lab", "echo", "I am in"))
            self.assertEqual(done.stdout, "I am in\n", done.stderr + self.agent.log() + server.log())
            self.assertGreater(self.tpm.bus.codes().count(tpm.SIGN), before)
        self.assertEqual(self.askpass.prompts(), [])


if __name__ == "__main__":
    unittest.main()
