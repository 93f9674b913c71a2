"""keystile doctor asks readers and TPMs themselves: each fault is made with the real pcscd and a TPM in software."""
import json
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

import lab
from lab import card, tpm

HOLD = """
import ctypes, sys, time
library = ctypes.CDLL("libpcsclite.so.1")
context, handle, protocol = ctypes.c_long(), ctypes.c_long(), ctypes.c_ulong()
assert library.SCardEstablishContext(2, None, None, ctypes.byref(context)) == 0
assert library.SCardConnect(context, sys.argv[1].encode(), 1, 3, ctypes.byref(handle), ctypes.byref(protocol)) == 0
print(flush=True)
time.sleep(3600)
"""
GET_CAPABILITY, MANUFACTURER, FIRMWARE = 0x17a, 0x105, 0x10b


def setUpModule():
    lab.namespaces.enter()


class Case(unittest.TestCase):
    def setUp(self):
        folder = lab.Folder()
        self.addCleanup(folder.close)
        self.env = lab.environment(folder.path)

    def found(self, check, before=()):
        """What it says of that, whatever else is wrong here."""
        done = lab.run([*before, lab.CONTROL, "doctor", "--json"], env=self.env)
        self.assertEqual(done.stderr, "")
        return [(one["verdict"], one["found"], one["remedy"] + one["advice"])
                for one in json.loads(done.stdout)["findings"] if one["check"] == check]

    def one(self, check, verdict, words, remedy="", **how):
        found = self.found(check, **how)
        self.assertTrue(any(one[0] == verdict and words in one[1] and remedy in one[2] for one in found), found)


class Readers(Case):
    def setUp(self):
        super().setUp()
        daemon = card.Pcscd("Lab Reader")
        self.addCleanup(daemon.close)
        self.card = card.Card({"9a": "p256"})
        self.addCleanup(self.card.close)
        card.wait_until_seen()

    def reader(self):
        listed = lab.run_well(["opensc-tool", "--list-readers"], env=self.env).stdout
        return next(line for line in listed.splitlines() if line.rstrip().endswith("Lab Reader 00 00"))[15:].strip()

    def test_a_card_is_seen_and_not_touched(self):
        before = self.card.status()["commands"]
        self.one("card readers", "pass", "a card is in it")
        self.assertEqual(self.card.status()["commands"], before)
        self.card.remove()
        card.wait_until_seen(0)
        self.one("card readers", "pass", "no card is in it")

    def test_a_reader_that_another_program_keeps_is_named_with_it(self):
        with subprocess.Popen([sys.executable, "-c", HOLD, self.reader()], env=self.env,
                              stdout=subprocess.PIPE) as holder:
            try:
                self.assertEqual(holder.stdout.readline(), b"\n")
                self.one("card readers", "fail", "another program keeps it to itself", "end the program that holds it")
                self.one("card readers", "fail", f"(pid {holder.pid})")
            finally:
                holder.kill()
        lab.wait_for("pcscd has it back", lambda: self.found("card readers")[0][0] == "pass")


class Polkit(Case):
    def test_pcscd_that_hangs_up_at_once_is_said_to_refuse(self):
        """Debian's pcscd was built without polkit; with it, it does this with who is not permitted."""
        card.PCSC_SOCKET.parent.mkdir(exist_ok=True)
        self.addCleanup(card.PCSC_SOCKET.unlink)

        def hang_up():
            try:
                while True:
                    listener.accept()[0].close()
            except OSError:
                pass

        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(card.PCSC_SOCKET))
            listener.listen()
            thread = threading.Thread(target=hang_up)
            thread.start()
            self.one("card readers", "fail", "pcscd refuses you by polkit", "org.debian.pcsc-lite.access_pcsc")
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


class Tpm(Case):
    def setUp(self):
        super().setUp()
        self.tpm = tpm.Tpm(tries=2)
        self.addCleanup(self.tpm.close)
        self.env.update(KEYSTILE_TPM2_TCTI=self.tpm.tcti, KEYSTILE_TPM2_SOCKET=self.tpm.bus.path, TSS2_LOG="all+NONE",
                        KEYSTILE_TPM2_STATE=f"{self.env['HOME']}/state")

    def wrong_pin(self):
        key = self.tpm.openssl_key(f"{time.monotonic()}.tpm", pin="right")
        done = lab.run(["openssl", "pkeyutl", "-provider", "tpm2", "-provider", "default", "-propquery", "?provider=tpm2",
                        "-sign", "-inkey", key, "-rawin", "-digest", "sha256", "-in", "/dev/null", "-out", "/dev/null",
                        "-passin", "pass:wrong"], env=self.tpm.env)
        self.assertNotEqual(done.returncode, 0)

    def test_one_that_is_well_and_one_that_wrong_pins_locked(self):
        self.one("TPM", "pass", "can be used")
        self.wrong_pin()
        self.one("TPM", "warn", "one more wrong PIN locks it", "keystile tpm info")
        self.wrong_pin()
        self.one("TPM", "fail", "it is locked", "tpm2_dictionarylockout")

    def claims(self, manufacturer, major, minor):
        """It says of itself from now on that it is of that make and version."""
        def alter(command, response):
            if struct.unpack_from(">I", command, 6)[0] != GET_CAPABILITY:
                return response
            facts = bytearray(response)
            for name, value in ((MANUFACTURER, manufacturer), (FIRMWARE, struct.pack(">HH", major, minor))):
                at = facts.find(struct.pack(">I", name), 10)
                if at > 0:
                    facts[at + 4:at + 8] = value
            return bytes(facts)
        self.tpm.bus.alter = alter

    def test_firmware_that_is_known_to_be_weak(self):
        for manufacturer, major, minor, words in ((b"IFX\0", 5, 61, "ROCA"), (b"IFX\0", 7, 61, "ROCA"),
                                                  (b"STM ", 73, 4, "TPM-FAIL"), (b"STM ", 71, 12, "TPM-FAIL")):
            self.claims(manufacturer, major, minor)
            self.one("TPM", "warn", words, "firmware")
        for manufacturer, major, minor in ((b"IFX\0", 5, 62), (b"STM ", 73, 20), (b"IBM\0", 5, 61)):
            self.claims(manufacturer, major, minor)
            self.assertEqual([one[0] for one in self.found("TPM")], ["pass"])

    def test_one_that_does_not_answer_keeps_nothing_waiting(self):
        self.tpm.bus.answer = lambda command: True
        self.one("TPM", "fail", "does not answer", "keystile tpm info")


if __name__ == "__main__":
    unittest.main()
