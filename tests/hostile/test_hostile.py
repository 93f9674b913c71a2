"""Code that was taken over, a module or a backend, tries to get out of its worker; a worker's confinement is shown."""
import os
import pathlib
import shutil
import threading
import unittest

import hostile_bed as bed
import lab
from lab import client as c, worker as w
from lab.added import AddedKey

SANITIZED = "asan" in lab.run(["ldd", lab.AGENT]).stdout
ROOT = os.getuid() == 0
# What is refused by something else than the filter of system calls, which a build with sanitizers has not.
WITHOUT_FILTER = {
    "read a secret", "write a secret", "cut a secret", "move a secret", "remove a secret", "read /etc/shadow",
    "make a file in /tmp", "make a file without a name", "make a file in /dev/shm", "make a device", "list /", "exec",
    "exec by the loader", "make a symbolic link", "make a hard link", "connect to an abstract socket",
    "signal another process", "signal the agent", "mount", "change its root", "open the terminal",
    "hold capabilities", "take capabilities back", "become another user", "load a kernel module",
    "change the machine's name", "open 10,000 descriptors", "raise the limit of descriptors"}


# Refused only where calls are listed, as it is no way out.
RARE = {"make a rare call"}
# What rights and limits of the kernel's own keep from it, where nobody is asked. A worker that ends by its limit of memory
# is told of by its end, and who has no descriptor left for a file by a line of the log.
UNTOLD = {
    "read what a module needs", "hold capabilities", "take capabilities back", "become another user", "run in real time",
    "raise the limit of descriptors", "raise the limit of dumps", "open 10,000 descriptors", "take memory without end",
    "lock memory without end", "fill the disk", "map a file to write", "cut a file by a descriptor",
    "have a timer signal the agent", *RARE,
    "clone a process by clone3"}  # which the C library tries for each thread
if not ROOT:  # these belong to root, and are kept from everybody else by that
    UNTOLD |= {"open its own memory as a file", "open the agent's memory as a file", "change where dumps go",
               "be spared when memory runs out", "read /etc/shadow"}


class Escapes(bed.Case):
    """What may succeed is the one thing that every module needs; everything else is a way out."""

    def nothing_succeeds(self, agent, but=frozenset()):
        outcomes = self.outcomes()
        self.assertGreater(len(outcomes), 130)
        ways_out = {name for name, outcome in outcomes.items() if outcome == "succeeded"} - {"read what a module needs", *but}
        self.assertEqual(ways_out & WITHOUT_FILTER if SANITIZED else ways_out, set(), agent.log())
        self.assertEqual(outcomes["read what a module needs"], "succeeded")
        self.unharmed(agent)

    def test_a_pkcs11_module_finds_no_way_out(self):
        for user in bed.USERS:
            with self.subTest(user=user):
                agent = self.start("pkcs11", user=user)
                with self.abstract(), agent.connect() as one:
                    self.assertEqual(one.add_token(bed.MODULE), c.FAILURE)
                self.nothing_succeeds(agent, RARE)

    def test_a_security_key_library_finds_no_way_out(self):
        for user in bed.USERS:
            with self.subTest(user=user):
                agent = self.start("middleware", user=user)
                with self.abstract(), agent.connect() as one:
                    self.assertEqual(one.call(c.ADD_CONSTRAINED, bed.library_key())[0], c.FAILURE)
                self.nothing_succeeds(agent, RARE)

    def test_a_backend_that_may_do_most_things_finds_no_way_out(self):
        for user in bed.USERS:
            with self.subTest(user=user):
                agent = self.start("fake", user=user, hostile="fake")
                with self.abstract(), agent.connect() as one:
                    self.assertEqual(one.add_token("fake:hostile"), c.FAILURE)
                self.nothing_succeeds(agent, RARE)

    def test_a_backend_that_may_do_what_is_listed_finds_no_way_out(self):
        for user in bed.USERS:
            with self.subTest(user=user):
                agent = self.start("memory", user=user, hostile="memory")
                with self.abstract(), agent.connect() as one:
                    self.assertEqual(one.call(c.ADD, AddedKey("ed25519").body())[0], c.FAILURE)
                self.nothing_succeeds(agent, {"start 1,000 threads"})  # counted where foreign code runs

    def test_a_backend_that_speaks_with_a_device_finds_no_way_out(self):
        for user in bed.USERS:
            with self.subTest(user=user):
                agent = self.start("tpm2", user=user, hostile="tpm2")
                with self.abstract(), agent.connect() as one:
                    self.assertEqual(one.add_token("tpm2:"), c.FAILURE)
                self.nothing_succeeds(agent)

    def test_what_is_granted_can_be_read_and_nothing_beside_it(self):
        agent = self.start("pkcs11", readable=[self.secret])
        with agent.connect() as one:
            self.assertEqual(one.add_token(bed.MODULE), c.FAILURE)
        outcomes = self.outcomes()
        self.assertEqual(outcomes["read a secret"], "succeeded")
        self.assertNotEqual(outcomes["write a secret"], "succeeded")
        self.assertNotEqual(outcomes["read /etc/shadow"], "succeeded")

    def test_memory_that_is_granted_can_be_used_and_none_be_made(self):
        agent = self.start("pkcs11", more=" grant-shared-memory = true\n")
        with self.abstract(), agent.connect() as one:
            self.assertEqual(one.add_token(bed.MODULE), c.FAILURE)
        self.nothing_succeeds(agent, RARE)


class Loading(bed.Case):
    """What is loaded is what was checked and allowed, and nothing of the agent's environment."""

    def swap(self, folder, other, over):
        """The folder is now itself and now a link to the other, as fast as that can be."""
        aside = folder.with_name("aside")
        while not over.is_set():
            folder.rename(aside)
            folder.symlink_to(other)
            folder.unlink()
            aside.rename(folder)

    def test_a_path_that_changes_while_it_is_loaded_never_leads_to_another_library(self):
        allowed, forbidden = self.folder.path / "allowed" / "lib", self.folder.path / "forbidden"
        for one, module in ((allowed, bed.MODULE.with_name("reaching.so")), (forbidden, bed.MODULE)):
            one.mkdir(parents=True)
            shutil.copy(module, one / "module.so")
            (one / "module.so").chmod(0o644)
        agent = self.start("pkcs11", allowed=f"{allowed.parent}/*")
        over = threading.Event()
        swapping = threading.Thread(target=self.swap, args=(allowed, forbidden, over))
        swapping.start()
        try:
            with agent.connect() as one:
                for _ in range(60):
                    self.assertEqual(one.add_token(allowed / "module.so"), c.FAILURE)
        finally:
            over.set()
            swapping.join()
        self.assertEqual(self.notes.read_text(), "")
        with agent.connect() as one:  # the other would have been loaded, were it not for its place
            self.assertEqual(one.add_token(forbidden / "module.so"), c.FAILURE)
        self.assertEqual(self.notes.read_text(), "")
        self.assertIn("allowed providers", agent.refusals()[0])

    def test_a_path_that_leads_elsewhere_when_it_is_loaded_is_not_granted(self):
        good, evil = self.folder.path / "good", self.folder.path / "evil"
        for one in (good, evil):
            one.mkdir()
            shutil.copy(bed.MODULE, one / "module.so")
            (one / "module.so").chmod(0o644)
        self.set_traps(None)
        with w.Worker(None, "pkcs11") as worker:
            worker.greet()
            self.assertEqual(worker.call(w.LOCATE, lab.keys.string(str(good / "module.so")))[1].error, w.OK)
            good.rename(self.folder.path / "aside")
            good.symlink_to(evil)
            done = worker.call(w.OPEN)[1]
            self.assertEqual(done.error, w.NOT_ALLOWED, done)

    @unittest.skipIf(SANITIZED, "a sanitizer wants to be loaded first")
    def test_what_the_loader_takes_from_the_environment_is_not_handed_to_workers(self):
        note = self.folder.path / "loaded"
        code = self.folder.path / "note.c"
        library = self.folder.path / "note.so"
        code.write_text("""
            #include <stdio.h>
            #include <unistd.h>
            __attribute__((constructor)) static void note(void)
            {
                char name[256] = "";
                FILE *file = fopen(NOTE, "ae");
                if (file != NULL && readlink("/proc/self/exe", name, sizeof(name) - 1) > 0)
                    fprintf(file, "%s\\n", name);
                if (file != NULL)
                    fclose(file);
            }
        """)
        lab.run_well(["cc", "-shared", "-fPIC", f'-DNOTE="{note}"', "-o", library, code])
        note.write_text("")
        env = {"LD_PRELOAD": str(library), "LD_LIBRARY_PATH": "/nonexistent", "GCONV_PATH": str(self.folder.path),
               "OPENSSL_CONF": "/nonexistent"}
        with lab.Agent(env=env) as agent, lab.AgentClient(agent) as one:
            self.assertEqual(one.add_token("fake:demo"), c.SUCCESS)
            self.assertEqual(one.call(c.ADD, AddedKey("ed25519").body())[0], c.SUCCESS)
            programs = [pathlib.Path(line).name for line in note.read_text().split()]
        self.assertNotEqual(programs, [])
        self.assertEqual([one for one in programs if "worker" in one], [])


@unittest.skipIf(SANITIZED, "there is no filter of system calls")
class Told(bed.Case):
    """What somebody looks at after each attempt."""

    def newest(self, agent):
        denials = agent.status()["denials"]
        return (denials[0]["kind"], denials[0]["what"], denials[0]["count"]) if denials else None

    def told(self, agent):
        """What is told of each attempt, by its name, which is made while we look."""
        before, made, told = None, 0, {}
        while True:
            lab.wait_for("the next attempt is made", lambda: self.notes.read_text().count("\n") > made)
            line = self.notes.read_text().splitlines()[made]
            if line == "end":
                return told
            now, made = self.newest(agent), made + 1
            told[line.split(":")[0]] = now if now != before else None
            before = now
            with self.pace.open("a") as pace:
                pace.write(".")

    def test_each_attempt_of_a_module_is_told_in_the_status(self):
        agent = self.start("pkcs11", paced=True)
        with self.abstract(), agent.connect() as one:
            one.send(c.ADD_TOKEN, lab.keys.string(str(bed.MODULE)) + lab.keys.string(""))
            told = self.told(agent)
            self.assertEqual(one.receive()[0], c.FAILURE)
        self.assertEqual({name for name, what in told.items() if what is None}, UNTOLD)
        self.assertIn("descriptors", agent.log())
        kept = {one["what"] for one in agent.status()["denials"]}
        self.assertEqual({what for _, what, _ in filter(None, told.values())} - kept, set())

    def test_each_attempt_of_a_library_is_told_in_the_status(self):
        agent = self.start("middleware", paced=True)
        with self.abstract(), agent.connect() as one:
            one.send(c.ADD_CONSTRAINED, bed.library_key())
            told = self.told(agent)
            self.assertEqual(one.receive()[0], c.FAILURE)
        self.assertEqual({name for name, what in told.items() if what is None}, UNTOLD)


class Shown(unittest.TestCase):
    """What holds for each worker is told by the status."""

    def test_each_worker_says_how_it_is_confined(self):
        with lab.Agent() as agent, lab.AgentClient(agent) as one:
            self.assertEqual(one.add_token("fake:demo"), c.SUCCESS)
            (provider,) = agent.status()["providers"]
            told = provider["confinement"]
            self.assertEqual(told["system_calls"], not SANITIZED)
            self.assertGreaterEqual(told["landlock"], 1)
            self.assertEqual(told["lacking"] == "", not SANITIZED)

    def test_the_agent_gives_up_what_it_has_no_use_for_and_says_so(self):
        kept = 1 << 1 | 1 << 2 | 1 << 14 | 1 << 19  # files of others, locked memory, who a client is
        with lab.Agent() as agent:
            for thread in pathlib.Path(f"/proc/{agent.pid}/task").iterdir():
                found = dict(line.split(":\t", 1) for line in (thread / "status").read_text().splitlines())
                self.assertEqual((found["NoNewPrivs"], found["Seccomp"]), ("1", "0" if SANITIZED else "2"))
                for one in ("CapEff", "CapPrm", "CapInh", "CapAmb") + (("CapBnd",) if ROOT else ()):
                    self.assertEqual(int(found[one], 16) & ~kept, 0, one)
            self.assertEqual(agent.status()["given_up"],
                             {"privileges": True, "capabilities": True, "system_calls": not SANITIZED})
            self.assertIn("gave up" if not SANITIZED else "no seccomp", agent.run(lab.CONTROL, "status").stdout)

    def test_a_command_that_is_started_with_the_agent_is_free_of_it(self):
        with lab.Folder() as folder:
            done = lab.run_well([lab.AGENT, "cat", "/proc/self/status"], env=lab.environment(folder.path))
        found = dict(line.split(":\t", 1) for line in done.stdout.splitlines())
        mine = dict(line.split(":\t", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
        for one in ("NoNewPrivs", "Seccomp", "CapBnd"):
            self.assertEqual(found[one], mine[one])

    def test_each_thread_of_a_worker_is_confined(self):
        with lab.Agent() as agent, lab.AgentClient(agent) as one:
            self.assertEqual(one.add_token("fake:demo"), c.SUCCESS)
            (worker,) = [one for one in agent.workers() if "worker-fake" in one.name or one.name.startswith("keystile-worker")]
            threads = list(pathlib.Path(f"/proc/{worker.pid}/task").iterdir())
            self.assertGreater(len(threads), 1)
            for thread in threads:
                status = (thread / "status").read_text()
                self.assertIn("Seccomp:\t" + ("0" if SANITIZED else "2"), status)


if __name__ == "__main__":
    unittest.main()
