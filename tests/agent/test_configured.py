"""Providers that keystile.conf names: loaded at the start and by reload, tried again, and removed by the person."""
import os
import shutil
import signal

import lab
import token_bed
from lab import client as c
from lab import tpm


def provider(name, load, more=""):
    """A section of keystile.conf."""
    return f'provider {name} {{\n\tload = "{load}"\n{more}}}\n'


class Configured(token_bed.Case):
    def begin(self, config, **options):
        self.start(config=config, **options)

    def configure(self, config):
        """The file says this from now on, and the agent has read it."""
        (self.agent.home / ".config" / "keystile" / "keystile.conf").write_text(config)
        self.reload()

    def reload(self):
        done = self.agent.run(lab.CONTROL, "reload", env={
            "KEYSTILE_CONTROL": str(self.agent.own_folder / "control.sock")})
        self.assertEqual(done.returncode, 0, done.stderr)

    def state(self, name):
        """What status says of the section."""
        return next((one for one in self.agent.status()["configured"] if one["name"] == name), None)

    def pids(self):
        return {one["name"]: one["pid"] for one in self.agent.status()["providers"]}

    def wait_for_keys(self, count):
        lab.wait_for(f"{count} keys are listed", lambda: len(self.blobs()) == count)
        return self.blobs()

    def wait_for_state(self, name, state):
        lab.wait_for(f"{name} is {state}", lambda: self.state(name)["state"] == state)

    def doctor(self):
        done = self.agent.run(lab.CONTROL, "doctor", env={
            "KEYSTILE_CONTROL": str(self.agent.own_folder / "control.sock")})
        return done.stdout

    def soft(self, labels=("Lab",)):
        """A SoftHSM with a key on each token, and the section of its environment."""
        hsm = lab.SoftHSM()
        self.addCleanup(hsm.close)
        keys = [hsm.token(label, "1234").bring("p256") for label in labels]
        return hsm, keys, token_bed.worker_section("pkcs11", hsm.env)


class Start(Configured):
    def test_a_token_is_there_after_each_start_and_asks_for_its_pin_when_it_is_needed(self):
        hsm, keys, section = self.soft()
        config = section + provider("soft", hsm.module)
        for _ in range(2):
            askpass = self.askpass("1234")
            self.begin(config, askpass=askpass)
            self.assertEqual(self.wait_for_keys(1), [keys[0].blob])
            self.assertEqual(askpass.prompts(), [])
            self.assertIsNotNone(self.sign(keys[0].blob), self.agent.log())
            self.assertEqual(len(askpass.prompts()), 1)
            self.assertEqual(self.state("soft")["state"], "loaded")
            self.assertEqual(self.state("soft")["provider"], os.path.realpath(hsm.module))
            self.assertEqual(self.state("soft")["trouble"], "")
            self.agent.stop()

    def test_several_are_loaded_side_by_side_and_one_that_hangs_delays_nobody(self):
        self.begin(provider("slow", "fake:slow,open=hang") + provider("stuck", "fake:stuck,list=stuck")
                   + provider("one", "fake:one") + provider("two", "fake:two"))
        keys = self.wait_for_keys(2)
        self.assertEqual(self.state("slow")["state"], "loading")
        self.assertEqual(self.state("stuck")["state"], "loading")
        for key in keys:
            self.served(key)

    def test_a_module_whose_c_initialize_hangs_is_given_up_and_loaded_once_it_does_not(self):
        hsm, keys, _ = self.soft()
        shim = token_bed.Shim(hsm)
        self.addCleanup(shim.folder.close)
        shim.tell("C_Initialize.hang")
        self.begin("operation-timeout = 1\n" + token_bed.worker_section("pkcs11", shim.env)
                   + provider("hanging", token_bed.SHIM) + provider("other", "fake:other"))
        self.served(self.wait_for_keys(1)[0])
        self.wait_for_state("hanging", "failed, will be tried again")
        self.assertNotEqual(self.state("hanging")["trouble"], "")
        shim.stop("C_Initialize.hang")
        self.assertIn(keys[0].blob, self.wait_for_keys(2))

    def test_the_keys_of_a_tpm_are_there_without_ssh_add(self):
        machine = tpm.Tpm()
        self.addCleanup(machine.close)
        path = machine.openssl_key("key.tpm", pin="1234")
        self.begin(token_bed.worker_section("tpm2", {
            "KEYSTILE_TPM2_TCTI": machine.tcti, "KEYSTILE_TPM2_SOCKET": machine.bus.path,
            "KEYSTILE_TPM2_CONTROL": machine.bus.path + ".ctrl"}) + provider("chip", f"tpm2:{path}"),
            askpass=self.askpass("1234"))
        self.assertIsNotNone(self.sign(self.wait_for_keys(1)[0]), self.agent.log())

    def test_a_signature_is_asked_about_where_the_section_says_confirm(self):
        askpass = self.askpass()
        self.begin(provider("one", "fake:one", "\tconfirm = yes\n"), askpass=askpass)
        key = self.wait_for_keys(1)[0]
        askpass.refuses()
        self.assertIsNone(self.sign(key))
        self.configure(provider("one", "fake:one", "\tconfirm = no\n"))
        self.served(key)
        self.configure(provider("one", "fake:one", "\tconfirm = yes\n"))
        self.assertIsNone(self.sign(key))

    def test_a_worker_that_ends_is_started_again(self):
        self.begin(provider("one", "fake:one"))
        key = self.wait_for_keys(1)[0]
        pid = self.agent.status()["providers"][0]["pid"]
        os.kill(pid, signal.SIGKILL)
        lab.wait_for("another one runs", lambda: self.agent.status()["providers"][0]["pid"] not in (0, pid))
        lab.wait_for("it signs", lambda: self.sign(key))


class Failures(Configured):
    def test_a_module_that_is_missing_is_said_and_loaded_when_it_comes(self):
        hsm, keys, section = self.soft()
        folder = lab.Folder()
        self.addCleanup(folder.close)
        module = folder.path / "late.so"
        self.begin(section + provider("late", module), options=("-P", f"{folder.path}/*"))
        self.wait_for_state("late", "failed, will be tried again")
        self.assertIn("is not there", self.state("late")["trouble"])
        said = self.doctor()
        self.assertIn(f"late ({module})", said)
        self.assertIn("is not there", said)
        shutil.copy(hsm.module, module)
        self.assertEqual(self.wait_for_keys(1), [keys[0].blob])
        self.assertEqual(self.state("late")["trouble"], "")
        self.assertEqual(self.agent.log().count("provider late of the configuration: "), 1)

    def test_a_token_that_comes_late_is_found(self):
        hsm, keys, _ = self.soft()
        shim = token_bed.Shim(hsm)
        self.addCleanup(shim.folder.close)
        shim.tell("removed")
        self.begin(token_bed.worker_section("pkcs11", shim.env) + provider("empty", token_bed.SHIM))
        self.wait_for_state("empty", "loaded")
        lab.wait_for("it is said", lambda: "is its token there" in self.state("empty")["trouble"])
        shim.stop("removed")
        self.assertEqual(self.wait_for_keys(1), [keys[0].blob])
        self.assertEqual(self.state("empty")["trouble"], "")

    def test_what_is_not_allowed_is_not_loaded(self):
        hsm, _, section = self.soft()
        self.begin(section + provider("soft", hsm.module), options=("-P", "/nowhere/*"))
        self.wait_for_state("soft", "failed, will be tried again")
        self.assertIn("not in the list of allowed providers", self.state("soft")["trouble"])
        self.assertEqual(self.blobs(), [])

    def test_what_keeps_added_keys_is_no_provider_to_load(self):
        self.begin(provider("memory", "memory:"))
        self.wait_for_state("memory", "failed, will be tried again")
        self.assertIn("ssh-add", self.state("memory")["trouble"])

    def test_one_whose_list_fails_offers_nothing_and_is_tried_again(self):
        for misdeed in ("fail", "crash"):
            with self.subTest(misdeed=misdeed):
                self.begin(provider("bad", f"fake:bad,list={misdeed}"))
                self.wait_for_state("bad", "failed, will be tried again")
                self.assertEqual(self.blobs(), [])
                lab.wait_for("nothing of it is left", lambda: not self.agent.status()["providers"])
                self.agent.stop()


class Persons(Configured):
    """What the person says counts until the configuration is read anew."""

    def test_what_is_removed_stays_away_until_the_configuration_is_read_anew(self):
        self.begin(provider("one", "fake:one") + provider("two", "fake:two"))
        self.wait_for_keys(2)
        with lab.AgentClient(self.agent) as client:
            self.assertEqual(client.remove_token("fake:one"), c.SUCCESS)
        self.wait_for_state("one", "removed until the configuration is read anew")
        self.assertIn("keystile reload", self.doctor())
        self.assertEqual(len(self.blobs()), 1)
        self.reload()
        self.wait_for_keys(2)
        with lab.AgentClient(self.agent) as client:
            self.assertEqual(client.remove_all(), c.SUCCESS)
        for name in ("one", "two"):
            self.wait_for_state(name, "removed until the configuration is read anew")
        self.assertEqual(self.blobs(), [])
        self.reload()
        self.wait_for_keys(2)

    def test_what_is_removed_while_it_loads_stays_away(self):
        self.begin(provider("one", "fake:one,list=stuck") + provider("two", "fake:two,open=fail"))
        lab.wait_for("it lists", lambda: [one["state"] for one in self.agent.status()["providers"]] == ["ready"])
        self.wait_for_state("two", "failed, will be tried again")
        for name in ("fake:one,list=stuck", "fake:two,open=fail"):
            with lab.AgentClient(self.agent) as client:
                self.assertEqual(client.remove_token(name), c.SUCCESS)
        for name in ("one", "two"):
            self.assertEqual(self.state(name)["state"], "removed until the configuration is read anew")
        lab.wait_for("nothing of it is left", lambda: not self.agent.status()["providers"])

    def test_a_single_key_that_was_removed_comes_back_with_the_next_reading(self):
        self.begin(provider("one", "fake:one,keys=2"))
        key = self.wait_for_keys(2)[0]
        with lab.AgentClient(self.agent) as client:
            self.assertEqual(client.remove(key), c.SUCCESS)
        self.assertNotIn(key, self.blobs())
        self.reload()
        self.assertIn(key, self.blobs())

    def test_ssh_add_of_the_same_is_the_same_provider_and_its_constraints_count_too(self):
        askpass = self.askpass()
        self.begin(provider("one", "fake:one"), askpass=askpass)
        key = self.wait_for_keys(1)[0]
        self.assertEqual(self.add("fake:one", constraints=c.confirm()), c.SUCCESS)
        self.assertEqual(len(self.agent.status()["providers"]), 1)
        askpass.refuses()
        self.assertIsNone(self.sign(key))

    def test_what_was_asked_for_as_well_stays_when_its_section_goes(self):
        self.begin(provider("one", "fake:one") + provider("two", "fake:two"))
        self.wait_for_keys(2)
        self.assertEqual(self.add("fake:one"), c.SUCCESS)
        self.configure("")
        key = self.wait_for_keys(1)[0]
        self.served(key)
        self.assertEqual([one["name"] for one in self.agent.status()["providers"]], ["fake:one"])
        self.assertEqual(self.agent.status()["configured"], [])


class Keys(Configured):
    """Which keys of a provider are offered."""

    def offered(self, *patterns):
        words = ", ".join(f'"{pattern}"' for pattern in patterns)
        return provider("three", "fake:three,keys=3", f"\tkeys = {{{words}}}\n")

    def comments(self):
        with lab.AgentClient(self.agent) as client:
            return [key.comment for key in client.list()]

    def test_the_keys_that_are_named_are_offered_and_no_others(self):
        self.begin(provider("three", "fake:three,keys=3"))
        keys = self.wait_for_keys(3)
        first, second, third = self.comments()
        fingerprint = lab.keys.fingerprint_of(keys[1])
        for patterns, left in (((first,), [first]), ((fingerprint,), [second]), (("*", "!" + first), [second, third]),
                               (("*",), [first, second, third])):
            with self.subTest(patterns=patterns):
                self.configure(self.offered(*patterns))
                lab.wait_for("the list changes", lambda: sorted(self.comments()) == sorted(left))
        self.configure(self.offered(first))
        lab.wait_for("the list changes", lambda: self.comments() == [first])
        self.assertIsNone(self.sign(keys[1]))
        self.assertEqual(self.add("fake:three,keys=3"), c.SUCCESS)
        self.assertEqual(self.comments(), [first])
        self.configure(provider("three", "fake:three,keys=3"))
        self.wait_for_keys(3)

    def test_they_are_chosen_at_the_start_too_and_by_each_section(self):
        self.begin(self.offered("no such key") + provider("other", "fake:other"))
        self.wait_for_state("three", "loaded")
        self.assertEqual(len(self.wait_for_keys(1)), 1)
        lab.wait_for("it is said", lambda: "keeps back all keys" in self.state("three")["trouble"])
        self.configure(self.offered("no such key") + provider("other", "fake:three,keys=3"))
        self.wait_for_keys(3)


class Reading(Configured):
    def test_reading_anew_loads_what_is_new_and_removes_what_is_gone(self):
        self.begin(provider("one", "fake:one") + provider("two", "fake:two"))
        before = self.wait_for_keys(2)
        pid = self.pids()["fake:two"]
        self.configure(provider("renamed", "fake:two") + provider("three", "fake:three"))
        lab.wait_for("it changed", lambda: set(self.pids()) == {"fake:two", "fake:three"})
        keys = self.wait_for_keys(2)
        self.assertEqual(len(set(keys) & set(before)), 1)
        self.assertEqual(sorted(each["name"] for each in self.agent.status()["configured"]), ["renamed", "three"])
        self.assertEqual(self.pids()["fake:two"], pid)
        self.configure("")
        self.wait_for_keys(0)
        lab.wait_for("their workers are gone", lambda: not self.agent.workers())

    def test_two_sections_of_one_provider_are_one(self):
        self.begin(provider("one", "fake:one") + provider("again", "fake:one"))
        for name in ("one", "again"):
            self.wait_for_state(name, "loaded")
        self.assertEqual((len(self.blobs()), len(self.agent.status()["providers"])), (1, 1))
        self.configure(provider("again", "fake:one"))
        self.served(self.wait_for_keys(1)[0])

    def test_sections_that_go_while_they_load_leave_nothing(self):
        self.begin(provider("one", "fake:one,open=hang") + provider("two", "fake:two,list=stuck")
                   + provider("three", "fake:three,open=fail"))
        self.wait_for_state("three", "failed, will be tried again")
        self.configure("")
        lab.wait_for("nothing of it is left", lambda: not self.agent.status()["providers"])
        self.assertEqual(self.agent.status()["configured"], [])
