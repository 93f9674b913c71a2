"""Tokens with many keys, and modules that lie about what is on theirs."""
import types
import unittest

import lab
import token_bed
from lab import client

CROWD = lab.BUILD / "tests" / "modules" / "crowd.so"
TAKEN = 1024  # of one provider


class Case(token_bed.Case):
    """The module shows a token with as many keys as it is told, and words say what is wrong with them."""

    def begin(self, count, words="", config=""):
        env = {"KEYSTILE_CROWD": f"{count} {words}"}
        self.start(config=token_bed.worker_section("pkcs11", env) + config)

    def begin_counting(self, count, words="", config=""):
        """The same behind the module that writes down each call: .shim."""
        self.shim = token_bed.Shim(types.SimpleNamespace(env={}, module=str(CROWD)))
        self.addCleanup(self.shim.folder.close)
        env = dict(self.shim.env, KEYSTILE_CROWD=f"{count} {words}")
        self.start(config=token_bed.worker_section("pkcs11", env) + config)

    def labels(self):
        with lab.AgentClient(self.agent) as one:
            return [identity.comment for identity in one.list()]

    def other_is_served(self):
        self.served(self.load("fake:other")[0])


class Many(Case):
    def test_a_thousand_keys_are_listed_in_their_order_and_the_last_signs_with_two_calls(self):
        self.begin_counting(1000)
        blobs = self.load(token_bed.SHIM)
        self.assertEqual(self.labels(), [f"crowd {number}" for number in range(1, 1001)])
        self.assertIsNotNone(self.sign(blobs[999]), self.agent.log())
        self.shim.lines()
        self.assertIsNotNone(self.sign(blobs[999]), self.agent.log())
        self.assertEqual(self.shim.calls(), ["C_SignInit", "C_Sign"])
        self.assertEqual(len(self.agent.run("ssh-add", "-L").stdout.splitlines()), 1000)

    def test_reading_a_key_costs_as_many_calls_on_a_token_with_ten_times_as_many(self):
        self.begin_counting(40)
        self.load(token_bed.SHIM)
        few = len(self.shim.calls())
        self.agent.stop()
        self.begin_counting(400)
        self.load(token_bed.SHIM)
        self.assertLess(len(self.shim.calls()), 10 * few + 100)

    def test_each_of_a_thousand_keys_without_an_id_signs(self):
        self.begin(1000, "no-ids")
        blobs = self.load(CROWD)
        for number in (0, 255, 256, 999):
            self.assertIsNotNone(self.sign(blobs[number]), self.agent.log())

    def test_of_five_thousand_keys_some_are_taken_and_the_rest_is_said_to_be_left_out(self):
        self.begin(5000)
        blobs = self.load(CROWD)
        self.assertEqual(len(blobs), TAKEN)
        self.assertIsNotNone(self.sign(blobs[-1]), self.agent.log())
        self.assertIn("more than 4096 objects", self.agent.log())
        said = "".join(self.agent.status()["warnings"])
        self.assertIn(f"of one provider {TAKEN} keys are taken", said)
        self.other_is_served()
        self.assertEqual(self.client().remove_token(str(CROWD)), client.SUCCESS)
        self.assertNotIn("of one provider", "".join(self.agent.status()["warnings"]))


class Lies(Case):
    def test_keys_that_are_no_points_of_their_curve_are_left_out_and_the_others_sign(self):
        self.begin(20, "off-curve")
        blobs = self.load(CROWD)
        self.assertEqual(self.labels(), [f"crowd {number}" for number in range(1, 20, 2)])
        for blob in blobs:
            self.assertIsNotNone(self.sign(blob), self.agent.log())

    def test_keys_of_one_id_each_sign_for_themselves(self):
        self.begin(300, "one-id")
        blobs = self.load(CROWD)
        for blob in (blobs[0], blobs[1], blobs[299]):
            self.assertIsNotNone(self.sign(blob), self.agent.log())

    def test_labels_of_control_characters_reach_no_terminal(self):
        self.begin(3, "control")
        self.load(CROWD)
        for command in ("status", "keys"):
            shown = self.agent.run(lab.CONTROL, command).stdout
            self.assertEqual([one for one in shown if not one.isprintable() and one != "\n"], [], shown)

    def test_labels_without_end_cost_their_own_keys(self):
        self.begin(1000, "long")
        blobs = self.load(CROWD)
        self.assertGreater(len(blobs), 200)
        self.assertLess(max(map(len, self.labels())), 2000)
        self.assertIsNotNone(self.sign(blobs[-1]), self.agent.log())
        self.other_is_served()

    def test_attributes_longer_than_memory_are_none(self):
        self.begin(10, "huge")
        self.assertEqual(self.add(str(CROWD)), client.FAILURE)
        self.refused_with("no key that can be used")
        self.other_is_served()

    def test_a_module_that_hangs_when_asked_for_its_slots_is_given_up(self):
        self.begin_counting(3, "", f"operation-timeout = {int(3 * lab.PATIENCE)}\n")
        self.shim.tell("C_GetSlotList.hang")
        waiting = self.client()
        waiting.send(client.ADD_TOKEN, lab.keys.string(str(token_bed.SHIM)) + lab.keys.string(""))
        lab.wait_for("it hangs", lambda: self.shim.waiting("C_GetSlotList"))
        self.other_is_served()
        self.assertEqual(waiting.receive()[0], client.FAILURE)
        self.refused_with("in time")
        self.shim.stop("C_GetSlotList.hang")
        self.assertEqual(len(self.load(token_bed.SHIM)), 3)


if __name__ == "__main__":
    unittest.main()
