"""Modules that are found by p11-kit's configuration: a URI that names none, and p11-kit: for all of them."""
import unittest

import lab
import token_bed
from lab import client, keys

CONFIGURATION = "/usr/share/p11-kit/modules"
LAB = "pkcs11:token=Lab"
EVERY = "p11-kit:"
ENDS = lab.BUILD / "tests" / "modules" / "ends.so"


def setUpModule():
    lab.namespaces.enter()


def provider(load, more=""):
    return f'provider soft {{\n\tload = "{load}"\n{more}}}\n'


class Case(token_bed.Case):
    """A SoftHSM with two tokens, of which each has a key: .hsm, .keys; and a module that can misbehave."""

    def setUp(self):
        self.hsm = lab.SoftHSM()
        self.addCleanup(self.hsm.close)
        self.keys = [self.hsm.token(label, "1234").bring("p256") for label in ("Lab", "Other")]
        self.shim = token_bed.Shim(self.hsm)
        self.addCleanup(self.shim.folder.close)
        self.modules = self.hsm.folder.path / "modules"
        self.modules.mkdir()
        lab.namespaces.put_over(self.modules, CONFIGURATION)
        self.addCleanup(lab.namespaces.uncover, CONFIGURATION)

    def configure(self, **modules):
        """p11-kit's configuration, in place of the system's."""
        for one in self.modules.iterdir():
            one.unlink()
        for name, text in modules.items():
            (self.modules / f"{name}.module").write_text(f"{text}\n")

    def begin(self, config="", **options):
        section = token_bed.worker_section("pkcs11", dict(self.hsm.env, **self.shim.env))
        self.start(config=section + config, **options)

    def entries(self):
        return {one["name"]: one for one in self.agent.status()["configured"]}

    def state(self, name):
        return self.entries().get(name, {}).get("state")

    def wait_for_keys(self, *keys):
        wanted = {key.blob for key in keys}
        lab.wait_for(f"{len(keys)} keys are listed", lambda: set(self.blobs()) == wanted)

    def reload(self):
        done = self.agent.run(lab.CONTROL, "reload")
        self.assertEqual(done.returncode, 0, done.stderr)

    def soft(self):
        return f"module: {self.hsm.module}"


class Section(Case):
    def test_a_uri_without_a_module_finds_the_one_that_has_the_token(self):
        self.configure(soft=self.soft(), none="module: /usr/lib/nothing.so")
        self.begin(provider(LAB), askpass=self.askpass("1234"))
        self.wait_for_keys(self.keys[0])
        self.assertIsNotNone(self.sign(self.keys[0].blob), self.agent.log())
        self.assertEqual(self.state("soft"), "loaded")
        self.assertEqual(self.entries()["soft"]["trouble"], "")
        lab.wait_for("the other one is given up", lambda: "failed" in self.state("soft/nothing.so"))
        self.assertIn("is not there", self.entries()["soft/nothing.so"]["trouble"])
        self.assertEqual(self.state("soft/libsofthsm2.so"), "loaded")

    def test_all_modules_are_meant_but_those_of_certificates_that_are_trusted_and_remote_ones(self):
        ran = self.hsm.folder.path / "ran"
        self.configure(soft=self.soft(), trust=f"module: {token_bed.SHIM}\ntrust-policy: yes",
                       far=f"remote: |touch {ran}")
        self.begin(provider(EVERY))
        self.wait_for_keys(*self.keys)
        self.assertEqual(set(self.entries()), {"soft", "soft/libsofthsm2.so"})
        self.assertIn("of p11-kit's configuration is left out: it is remote", self.agent.log())
        self.assertFalse(ran.exists())

    def test_one_is_meant_by_its_name_there(self):
        self.configure(soft=self.soft(), other=f"module: {token_bed.SHIM}")
        self.begin(provider(EVERY + "soft"))
        self.wait_for_keys(*self.keys)
        self.assertEqual(set(self.entries()), {"soft", "soft/libsofthsm2.so"})

    def test_what_it_says_of_programs_counts(self):
        self.configure(soft=self.soft(), browser=f"module: {token_bed.SHIM}\nenable-in: firefox",
                       none=f"module: {ENDS}\ndisable-in: keystile-agent", blank="module:")
        self.begin(provider(EVERY))
        self.wait_for_keys(*self.keys)
        self.assertEqual(set(self.entries()), {"soft", "soft/libsofthsm2.so"})

    def test_one_that_ends_whoever_loads_it_and_one_that_hangs_delay_nobody(self):
        self.shim.tell("C_Initialize.hang")
        self.configure(ends=f"module: {ENDS}\ncritical: yes", hangs=f"module: {token_bed.SHIM}\npriority: 9",
                       soft=self.soft())
        self.begin("operation-timeout = 100\n" + provider(EVERY))
        self.wait_for_keys(*self.keys)
        lab.wait_for("its end is told", lambda: "status 3" in self.entries()["soft/ends.so"]["trouble"])
        self.assertEqual(self.state("soft/shim.so"), "loading")

    def test_a_module_that_is_not_allowed_is_not_loaded(self):
        self.configure(soft=self.soft(), shim=f"module: {token_bed.SHIM}")
        self.begin(provider(EVERY), options=("-P", "/usr/lib*/*"))
        self.wait_for_keys(*self.keys)
        lab.wait_for("it is refused", lambda: "allowed-providers" in self.entries()["soft/shim.so"]["trouble"])

    def test_no_module_and_no_token_are_said(self):
        self.begin(provider(LAB))
        lab.wait_for("it is said", lambda: "lists no such module" in self.entries()["soft"]["trouble"])
        self.configure(soft=self.soft())
        self.wait_for_keys(self.keys[0])
        self.configure_section(provider("pkcs11:token=Nobody"))
        lab.wait_for("it is said", lambda: "is its token there" in self.entries()["soft"]["trouble"])
        self.assertEqual(self.entries()["soft/libsofthsm2.so"]["trouble"], "")

    def test_a_token_that_comes_later_is_there_by_itself(self):
        self.shim.tell("removed")
        self.configure(shim=f"module: {token_bed.SHIM}")
        self.begin(provider(LAB))
        lab.wait_for("it is said", lambda: "is its token there" in self.entries()["soft"]["trouble"])
        self.shim.stop("removed")
        self.wait_for_keys(self.keys[0])
        self.assertEqual(self.entries()["soft"]["trouble"], "")

    def test_what_the_section_says_counts_for_each(self):
        self.configure(soft=self.soft())
        askpass = self.askpass()
        askpass.refuses()
        self.begin(provider(EVERY, "\tconfirm = yes\n"), askpass=askpass)
        self.wait_for_keys(*self.keys)
        self.assertIsNone(self.sign(self.keys[0].blob))
        self.configure_section(provider(EVERY, f'\tkeys = {{"{self.fingerprint(self.keys[1])}"}}\n'))
        self.wait_for_keys(self.keys[1])

    def test_read_anew_it_follows_the_modules(self):
        self.configure(shim=f"module: {token_bed.SHIM}")
        self.begin(provider(LAB))
        self.wait_for_keys(self.keys[0])
        self.configure(soft=self.soft())
        self.reload()
        lab.wait_for("it is the other module", lambda: set(self.entries()) == {"soft", "soft/libsofthsm2.so"})
        self.wait_for_keys(self.keys[0])
        self.configure_section("")
        self.wait_for_keys()
        self.assertEqual(self.entries(), {})

    def test_what_is_removed_stays_away_until_the_configuration_is_read_anew(self):
        self.configure(soft=self.soft())
        self.begin(provider(LAB))
        self.wait_for_keys(self.keys[0])
        self.assertEqual(self.client().remove_token(LAB), client.SUCCESS)
        self.assertEqual(self.blobs(), [])
        self.assertIn("removed", self.state("soft"))
        self.assertIn("removed", self.state("soft/libsofthsm2.so"))
        self.reload()
        self.wait_for_keys(self.keys[0])
        self.agent.run("ssh-add", "-D")
        self.assertEqual(self.blobs(), [])
        self.reload()
        self.wait_for_keys(self.keys[0])

    def configure_section(self, text):
        section = token_bed.worker_section("pkcs11", dict(self.hsm.env, **self.shim.env))
        (self.agent.home / ".config" / "keystile" / "keystile.conf").write_text(section + text)
        self.reload()

    def fingerprint(self, key):
        lines = self.agent.run("ssh-add", "-l").stdout.splitlines()
        return lines[self.blobs().index(key.blob)].split()[1]


class SshAdd(Case):
    def test_the_pin_logs_in_where_one_token_is_meant(self):
        askpass = self.askpass("1234")
        self.configure(soft=self.soft(), none="module: /usr/lib/nothing.so")
        self.begin(askpass=askpass)
        done = self.agent.add_token(LAB, "1234")
        self.assertEqual(done.returncode, 0, done.stderr + self.agent.log())
        self.assertEqual(self.blobs(), [self.keys[0].blob])
        self.assertIsNotNone(self.sign(self.keys[0].blob))
        self.assertEqual(askpass.prompts(), [])

    def test_a_wrong_pin_loads_nothing(self):
        self.configure(soft=self.soft())
        self.begin()
        self.assertNotEqual(self.agent.add_token(LAB, "4321").returncode, 0)
        self.refused_with("libsofthsm2.so", "wrong PIN")
        self.assertEqual(self.blobs(), [])
        self.assertEqual(self.agent.status()["providers"], [])

    def test_a_pin_of_which_nobody_knows_whose_it_is_goes_to_no_token(self):
        askpass = self.askpass("1234")
        self.configure(soft=self.soft(), shim=f"module: {token_bed.SHIM}")
        self.begin(askpass=askpass)
        self.assertEqual(self.add(LAB, "4321"), client.SUCCESS)
        self.assertIn("it is not clear for which token", self.agent.log())
        self.assertNotIn("C_Login", self.shim.calls())
        self.assertIsNotNone(self.sign(self.keys[0].blob))
        self.assertEqual(len(askpass.prompts()), 1)

    def test_one_that_hangs_keeps_nobody_waiting(self):
        self.shim.tell("C_Initialize.hang")
        self.configure(soft=self.soft(), shim=f"module: {token_bed.SHIM}")
        self.begin()
        self.assertEqual(self.add(EVERY), client.SUCCESS)
        self.assertEqual(set(self.blobs()), {key.blob for key in self.keys})
        self.shim.stop("C_Initialize.hang")
        lab.wait_for("the other is there, too", lambda: [
            one["state"] for one in self.agent.status()["providers"]] == ["ready", "ready"])

    def test_none_is_refused_in_words(self):
        self.begin()
        self.assertEqual(self.add(LAB), client.FAILURE)
        self.refused_with("lists no such module")
        self.configure(none="module: /usr/lib/nothing.so")
        self.assertEqual(self.add(LAB), client.FAILURE)
        self.refused_with("nothing.so", "is not there")
        self.configure(soft=self.soft())
        self.assertEqual(self.add("pkcs11:token=Nobody"), client.FAILURE)
        self.refused_with("libsofthsm2.so", "no key that is meant")
        self.assertEqual(self.agent.status()["providers"], [])

    def test_a_pin_in_it_is_refused_and_not_repeated(self):
        self.configure(soft=self.soft())
        self.begin()
        self.assertEqual(self.add(f"{LAB}?pin-value=1234"), client.FAILURE)
        self.refused_with("a PIN has no place in a URI")
        self.assertNotIn("1234", self.agent.log())

    def test_a_session_from_afar_loads_nothing(self):
        self.configure(soft=self.soft())
        self.begin()
        self.assertEqual(self.remote_client().add_token(LAB), client.FAILURE)
        self.assertEqual(self.blobs(), [])

    def test_who_leaves_meanwhile_leaves_nothing(self):
        self.shim.tell("C_Initialize.hang")
        self.configure(shim=f"module: {token_bed.SHIM}")
        self.begin()
        one = self.client()
        one.send(client.ADD_TOKEN, keys.string(LAB) + keys.string("1234"))
        lab.wait_for("it hangs", lambda: self.shim.waiting("C_Initialize"))
        one.close()
        lab.wait_for("it is gone", lambda: self.agent.status()["providers"] == [])

    def test_what_ssh_add_says_counts_for_each(self):
        self.configure(soft=self.soft())
        askpass = self.askpass()
        askpass.refuses()
        self.begin(askpass=askpass)
        self.assertEqual(self.add(EVERY, "", b"\x02"), client.SUCCESS)
        self.assertIsNone(self.sign(self.keys[1].blob))
        self.assertEqual(self.client().remove_token(EVERY), client.SUCCESS)
        self.assertEqual(self.blobs(), [])


if __name__ == "__main__":
    unittest.main()
