"""The counter in a security key's signatures: it goes up, and where it went back that is said."""
import json
import unittest

import jsonschema

import fido2_bed
import lab
from lab.keys import fingerprint_of

WORDS = "went back from"
SCHEMA = json.loads((lab.ROOT / "docs" / "audit.schema.json").read_text())


class Counters(fido2_bed.Case):
    config = "audit = file\n"

    def warnings(self):
        return [one for one in self.agent.status()["warnings"] if WORDS in one]

    def recorded(self):
        """What the audit log has of counters that went back, once all signatures are in it."""
        file = self.agent.home / ".local/state/keystile/audit.jsonl"
        texts = file.read_text().splitlines(keepends=True) if file.exists() else []
        lines = [json.loads(text) for text in texts if text.endswith("\n")]
        for line in lines:
            jsonschema.validate(line, SCHEMA)
        return [line.get("counter_went_back") for line in lines if line.get("request") == "sign"]

    def test_one_that_goes_up_is_no_news(self):
        one, other = self.gives(), self.gives()
        for key in (one, other, one, one, other):
            self.signs(key)
        self.assertEqual(self.warnings(), [])
        lab.wait_for("all are recorded", lambda: self.recorded() == [None] * 5)

    def test_one_that_goes_back_is_told_of_everywhere_and_not_refused(self):
        key = self.gives()
        self.token.set("counter", 70)
        self.signs(key)
        was = self.token.state()["counter"]
        self.token.set("counter", 5)
        self.signs(key)
        now = self.token.state()["counter"]
        words = f"{fingerprint_of(key.blob)} went back from {was} to {now}: somebody may have a copy of that key"
        self.assertEqual([words in one for one in self.warnings()], [True])
        self.assertIn(f"went back from {was} to {now}", self.agent.log())
        lab.wait_for("it is recorded", lambda: self.recorded() == [None, {"from": was, "to": now}])
        self.signs(key)
        lab.wait_for("the next one is good", lambda: self.recorded()[2:] == [None])

    def test_a_copy_that_signs_instead_is_found_out(self):
        """The same credential on a token whose counter stands elsewhere, after the first one was pulled."""
        key = self.gives()
        self.token.set("counter", 70)
        self.signs(key)
        self.token.pull()
        self.token.set("counter", 5)
        self.back()
        self.signs(key)
        self.assertEqual(len(self.warnings()), 1)

    def test_one_that_stays_where_it_is_went_back(self):
        key = self.gives()
        self.token.set("counter", 70)
        self.signs(key)
        last = self.token.state()["counter"]
        self.token.set("counter", last - 1)
        self.signs(key)
        self.assertEqual(len(self.warnings()), 1)

    def test_one_that_is_always_0_says_nothing(self):
        self.token.set("counting", "off")
        key = self.gives()
        for _ in range(3):
            self.signs(key)
        self.assertEqual(self.warnings(), [])


if __name__ == "__main__":
    unittest.main()
