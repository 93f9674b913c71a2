"""Why there is no card: what is said where a module that speaks with pcscd offers no key."""
import socket
import threading
import unittest

import lab
from lab import card

import token_bed


def setUpModule():
    lab.namespaces.enter()


class Missing(token_bed.Case):
    def said(self):
        """About a module that was to be loaded, in vain."""
        self.start()
        self.assertNotEqual(self.agent.add_token(card.OPENSC, "123456").returncode, 0)
        return self.agent.refusals()[0]

    def configured(self):
        section = f'provider card {{ load = "{card.OPENSC}" }}\n'
        self.start(config=section)
        return lab.wait_for("it is said", lambda: self.agent.status()["configured"][0]["trouble"])

    def pcscd(self, *readers):
        one = card.Pcscd(*readers)
        self.addCleanup(one.close)

    def test_pcscd_is_not_there(self):
        self.assertIn("pcscd, which serves card readers, can't be reached", self.said())

    def test_pcscd_hangs_up_as_it_does_when_polkit_refuses(self):
        card.PCSC_SOCKET.parent.mkdir(exist_ok=True)
        listening = socket.socket(socket.AF_UNIX)
        self.addCleanup(card.PCSC_SOCKET.unlink)
        self.addCleanup(listening.close)
        listening.bind(str(card.PCSC_SOCKET))
        listening.listen()

        def hang_up():
            while True:
                try:
                    listening.accept()[0].close()
                except OSError:
                    return
        threading.Thread(target=hang_up, daemon=True).start()
        self.addCleanup(listening.shutdown, socket.SHUT_RDWR)
        self.assertIn("polkit", self.said())

    def test_no_card_is_in_the_reader(self):
        self.pcscd()
        self.assertIn("no card is in the reader Virtual PCD", self.said())

    def test_a_provider_of_the_configuration_says_so_too(self):
        self.pcscd()
        self.assertIn("no card is in the reader Virtual PCD", self.configured())


if __name__ == "__main__":
    unittest.main()
