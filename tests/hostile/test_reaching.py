"""A module reaches the sockets that are granted to it, through the agent, and no others; what it was kept from is shown."""
import contextlib
import pathlib
import socket
import threading
import unittest

import lab
from lab import client as c, keys
from lab.security_key import Instructed

MODULE = lab.BUILD / "tests" / "modules" / "reaching.so"
AROUND = {"a datagram", "a message with a name", "a socket of sequences", "binding", "an SCTP socket", "an MPTCP socket",
          "a netlink socket", "opening fast", "nonsense", "a flood", "a race"}


class Listening:
    """A socket on which somebody says welcome; .peers are the processes that came."""

    def __init__(self, case, family, address):
        self.socket = socket.socket(family)
        self.socket.bind(address)
        self.socket.listen(64)
        self.address = self.socket.getsockname()
        self.peers = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        case.addCleanup(self.close)

    def _serve(self):
        while True:
            try:
                one, _ = self.socket.accept()
            except OSError:
                return
            with one:
                if one.family == socket.AF_UNIX:
                    peer = one.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
                    self.peers.append(int.from_bytes(peer[:4], "little"))
                else:
                    self.peers.append(0)
                try:
                    one.sendall(b"welcome")
                    one.recv(5)
                except OSError:
                    pass

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self.socket.close()


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = lab.Folder()
        self.addCleanup(self.folder.close)
        self.notes, self.list = self.folder.path / "notes", self.folder.path / "list"
        self.notes.touch()
        self.env = {"REACH_NOTES": self.notes, "REACH_TO": self.list}

    def local(self, name):
        path = self.folder.path / name
        return str(path), Listening(self, socket.AF_UNIX, str(path))

    def tcp(self, family, host):
        listening = Listening(self, family, (host, 0))
        port = listening.address[1]
        return f"tcp:[{host}]:{port}" if family == socket.AF_INET6 else f"tcp:{host}:{port}", listening

    backend = "pkcs11"

    def load(self, one):
        self.assertEqual(one.add_token(MODULE), c.FAILURE)

    def broker_threads(self):
        """One that ends meanwhile is none."""
        names = []
        for thread in pathlib.Path(f"/proc/{self.agent.pid}/task").iterdir():
            with contextlib.suppress(OSError):
                names.append((thread / "comm").read_text())
        return names.count("ks-broker\n")

    def config(self, granted):
        words = ", ".join(f'"{name}={value}"' for name, value in self.env.items())
        addresses = ", ".join(f'"{address}"' for address in granted)
        return (f"worker {self.backend} {{\n environment = {{{words}}}\n grant-write = {{\"{self.notes}\"}}\n"
                f" grant-read = {{\"{self.list}\"}}\n grant-connect = {{{addresses}}}\n}}\n")

    def start(self, granted=()):
        self.agent = lab.Agent(options=["-P", f"{lab.BUILD}/*,/usr/lib/*"], config=self.config(granted))
        self.addCleanup(self.agent.stop)
        return self.agent

    def brokered(self):
        """Whether this kernel, and what we run in, lets the agent connect for its workers."""
        with lab.AgentClient(self.agent) as one:
            self.assertEqual(one.add_token("fake:empty"), c.SUCCESS)
            (provider,) = self.agent.status()["providers"]
            self.assertEqual(one.remove_token("fake:empty"), c.SUCCESS)
        return provider["confinement"]["brokered"]

    def outcomes(self, *addresses):
        self.list.write_text("".join(f"{address}\n" for address in addresses))
        with lab.AgentClient(self.agent) as one:
            self.load(one)
        lab.wait_for("it has tried all", lambda: self.notes.read_text().endswith("end\n"), seconds=120)
        return dict(line.rsplit(": ", 1) for line in self.notes.read_text().splitlines() if line != "end")


class Reaching(Case):
    def test_what_is_granted_is_reached_and_who_listens_sees_the_agent(self):
        path, listening = self.local("granted.sock")
        abstract = f"@keystile-{self.folder.path.name}"
        other = Listening(self, socket.AF_UNIX, "\0" + abstract[1:])
        ipv4, _ = self.tcp(socket.AF_INET, "127.0.0.1")
        agent = self.start([path, abstract, ipv4])
        self.assertEqual(self.outcomes(path, abstract, ipv4), {path: "reached", abstract: "reached", ipv4: "reached"},
                         agent.log())
        if self.brokered():
            self.assertEqual({*listening.peers, *other.peers}, {agent.pid})
            self.assertEqual([one for one in agent.status()["denials"] if one["kind"] == "connect"], [])

    def test_nothing_else_is_reached_and_each_address_is_told_with_what_would_permit_it(self):
        bus, at_bus = self.local("bus")
        granted, _ = self.local("granted.sock")
        abstract = f"@keystile-{self.folder.path.name}"
        at_abstract = Listening(self, socket.AF_UNIX, "\0" + abstract[1:])
        ipv4, at_ipv4 = self.tcp(socket.AF_INET, "127.0.0.1")
        ipv6, at_ipv6 = self.tcp(socket.AF_INET6, "::1")
        agent = self.start([granted, "tcp:127.0.0.1:1"])
        if not self.brokered():
            return
        own = [agent.socket, agent.remote_socket, str(agent.own_folder / "control.sock")]
        beyond = f"{granted}/../granted.sock"
        listening = [bus, abstract, ipv4, ipv6, *own, beyond, str(self.folder.path / "nobody")]
        outcomes = self.outcomes(*listening)
        self.assertEqual(outcomes, dict.fromkeys(listening, "Permission denied"), agent.log())
        self.assertEqual([one.peers for one in (at_bus, at_abstract, at_ipv4, at_ipv6)], [[], [], [], []])
        self.assertNotIn("connection of a worker", agent.log())
        told = {one["what"]: one for one in agent.status()["denials"]}
        self.assertEqual(set(told), set(listening))
        for address, one in told.items():
            self.assertEqual((one["kind"], one["backend"], one["count"]), ("connect", "pkcs11", 1))
            self.assertEqual(pathlib.Path(one["provider"]).name, "reaching.so")
            self.assertEqual(one["remedy"], f'grant-connect = {{"{address}"}}')

    def test_no_way_around_leads_anywhere_while_the_agent_goes_on(self):
        granted, _ = self.local("one.sock")
        forbidden, at_forbidden = self.local("two.sock")
        self.env.update(REACH_GRANTED=granted, REACH_FORBIDDEN=forbidden)
        agent = self.start([granted, "tcp:127.0.0.1:1"])
        if not self.brokered():
            return
        with lab.AgentClient(agent) as one:
            outcomes = self.outcomes(granted)
            self.assertEqual(one.list(), [])
        self.assertEqual({name for name, outcome in outcomes.items() if outcome == "reached"}, {granted, "nonblocking"},
                         outcomes)
        self.assertLessEqual(AROUND, set(outcomes))
        self.assertEqual(at_forbidden.peers, [])
        (flood,) = [one for one in agent.status()["denials"] if one["what"] == forbidden]
        self.assertGreaterEqual(flood["count"], 600)

    def test_the_agents_own_socket_stays_closed_where_it_is_granted(self):
        agent = self.start()
        config = agent.home / ".config" / "keystile" / "keystile.conf"
        config.write_text(self.config([agent.socket]))
        agent.run(lab.CONTROL, "reload")
        self.assertNotIn("reached", self.outcomes(agent.socket).values())

    def test_who_connects_for_a_worker_ends_with_it(self):
        agent = self.start()
        if not self.brokered():
            return
        with lab.AgentClient(agent) as one:
            self.assertEqual(one.add_token("fake:demo"), c.SUCCESS)
            lab.wait_for("it is there", lambda: self.broker_threads() == 1)
            self.assertEqual(one.remove_token("fake:demo"), c.SUCCESS)
            lab.wait_for("it is gone", lambda: self.broker_threads() == 0)


class Library(Case):
    """One for security keys, which is run by a program of its own."""

    backend = "middleware"

    def load(self, one):
        self.assertEqual(one.call(c.ADD_CONSTRAINED, Instructed().private + keys.string("a key") + c.constraint(
            "sk-provider@openssh.com", keys.string(str(MODULE))))[0], c.FAILURE)

    def test_a_library_reaches_what_is_granted_and_is_told_of_what_is_not(self):
        granted, listening = self.local("granted.sock")
        forbidden, at_forbidden = self.local("forbidden.sock")
        agent = self.start([granted])
        if not self.brokered():
            return
        self.assertEqual(self.outcomes(granted, forbidden, agent.socket, "read:/etc/shadow"),
                         {granted: "reached", forbidden: "Permission denied", agent.socket: "Permission denied",
                          "read:/etc/shadow": "Permission denied"}, agent.log())
        self.assertEqual((listening.peers, at_forbidden.peers), ([agent.pid], []))
        told = {one["what"]: one["backend"] for one in agent.status()["denials"]}
        self.assertEqual({forbidden: "middleware", agent.socket: "middleware"},
                         {what: backend for what, backend in told.items() if what != "/etc/shadow"})

    def test_each_call_is_watched_and_nobody_is_left_who_watches(self):
        granted, listening = self.local("granted.sock")
        agent = self.start([granted])
        if not self.brokered():
            return
        for number in range(1, 6):
            self.notes.write_text("")
            self.assertEqual(self.outcomes(granted), {granted: "reached"}, agent.log())
            self.assertEqual(listening.peers, [agent.pid] * number)
        lab.wait_for("all are gone", lambda: self.broker_threads() == 0)


class Shown(Case):
    def test_an_address_that_does_not_fit_is_refused_with_the_file(self):
        for address in ("relative", "tcp:localhost:80", "tcp:127.0.0.1:0", "tcp:127.0.0.1", "tcp:[::1]:99999", "@", "/"):
            with self.subTest(address):
                done = lab.run([lab.AGENT, "-D", "-a", self.folder.path / "no.sock"],
                               env=self.environment_with(f'worker pkcs11 {{ grant-connect = {{"{address}"}} }}\n'))
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("the value must be /path, @name, tcp:", done.stderr)

    def environment_with(self, config):
        home = self.folder.path / "home"
        (home / ".config" / "keystile").mkdir(parents=True, exist_ok=True)
        path = home / ".config" / "keystile" / "keystile.conf"
        path.write_text(config)
        path.chmod(0o600)
        return lab.environment(home)

    def test_files_that_stay_closed_are_told_with_what_would_open_them(self):
        vendor = self.folder.path / "vendor"
        vendor.mkdir()
        for name in ("one", "two", "three"):
            (vendor / name).write_text("x")
        agent = self.start()
        tries = {f"read:{vendor}/one": ("read", f"{vendor}/one"), f"stream:{vendor}/two": ("read", f"{vendor}/two"),
                 f"list:{vendor}": ("read", f"{vendor}"), f"append:{vendor}/three": ("write", f"{vendor}"),
                 f"make:{vendor}/four": ("write", f"{vendor}")}
        absent = f"read:{vendor}/nothing"
        outcomes = self.outcomes(*tries, absent)
        self.assertEqual({name: outcomes[name] for name in tries}, dict.fromkeys(tries, "Permission denied"))
        if not self.brokered():  # a build with sanitizers, whose functions open files there
            return
        told = {(one["kind"], one["what"]): one["remedy"] for one in agent.status()["denials"] if one["kind"] in ("read", "write")}
        expected = {(kind, name.split(":", 1)[1]): f'grant-{kind} = {{"{remedy}"}}' for name, (kind, remedy) in tries.items()}
        self.assertEqual(told, expected, agent.log())

    def test_the_status_page_says_what_a_worker_was_kept_from(self):
        agent = self.start()
        if not self.brokered():
            return
        path, _ = self.local("kept.sock")
        self.outcomes(path)
        page = agent.run(lab.CONTROL, "status").stdout
        self.assertIn(path, page)
        self.assertIn("grant-connect", page)


if __name__ == "__main__":
    unittest.main()
