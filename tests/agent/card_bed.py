"""What tests with smartcards stand on: pcscd, cards in its readers, and an agent with a module for them."""
import lab
from lab import card, client

import token_bed

KINDS = {"9a": "rsa:2048", "9c": "p384", "9e": "p256"}
SID = b"s" * 32


class Case(token_bed.Case):
    """self.pcscd runs, self.card is in the reader, self.agent has the module; self.asked types the PIN."""

    module, reader = card.OPENSC, "Virtual PCD"
    kinds, policies, yubikey = KINDS, None, False

    def setUp(self):
        self.pcscd = card.Pcscd(self.reader)
        self.addCleanup(self.pcscd.close)
        self.card = self.another_card()
        card.wait_until_seen()
        self.asked = self.askpass(self.card.pin)
        self.start(askpass=self.asked, **self.options())
        done = self.agent.add_token(self.module, self.card.pin)
        self.assertEqual(done.returncode, 0, f"{done.stderr}{self.agent.log()}")

    def options(self):
        """More of them for the agent."""
        return {}

    def pins_by_serial(self, *cards):
        """From now on the person types the PIN of the card that the prompt names."""
        cases = "".join(f"*{one.serial:016x}*) echo {one.pin};; " for one in cards)
        self.asked.does(f'case "$1" in {cases}*) exit 1;; esac')

    def another_card(self, **options):
        one = card.Card(self.kinds, self.policies, yubikey=self.yubikey, **options)
        self.addCleanup(one.close)
        return one

    def request(self, one, slot, data, of=None):
        """The answer to a request for a signature with the key in that slot."""
        return one.sign((of or self.card).keys[slot], data, 2 if slot == "9a" else 0)

    def signed(self, one, slot, data, of=None):
        """A good signature with the key in that slot."""
        blob = (of or self.card).keys[slot]
        signature = self.request(one, slot, data, of)
        self.assertIsNotNone(signature, f"{slot}: {self.agent.refusals()[:1]}{self.agent.log()[-300:]}")
        lab.verify(blob, signature, data)

    def signs(self, slot="9a", of=None):
        with lab.AgentClient(self.agent) as one:
            self.signed(one, slot, b"data", of)

    def login(self, slot, of=None):
        """What a server has signed for a login."""
        blob = (of or self.card).keys[slot]
        return lab.userauth(SID, "joe", blob, algorithm="rsa-sha2-256" if slot == "9a" else None)

    def signs_for_another_machine(self, slot="9a", of=None):
        with lab.AgentClient(self.agent) as one:
            self.assertEqual(one.bind(lab.HostKey(), SID, forwarding=True), client.SUCCESS)
            self.signed(one, slot, self.login(slot, of), of)

    def wait_for_keys(self, *cards):
        """Until the agent lists the keys of these cards, and no others."""
        wanted = {blob for one in cards for blob in one.keys.values()}
        lab.wait_for(f"the keys of {len(cards)} cards", lambda: set(self.blobs()) == wanted)

    def no_pin_was_wrong(self, *cards):
        for one in cards or (self.card,):
            status = one.status()
            self.assertEqual((status["wrong_pins"], status["pin_tries"]), (0, 3), one.serial)
