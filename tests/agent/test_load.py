"""Many clients at once, clients that never read, and what is left of them: bounds, not times."""
import os
import resource
import select
import socket
import unittest

import lab
from bed import AgentTest
from lab import client as c

CROWD = 1000
SILENT = 500
SIGNATURES = 200
KIB = 1024


def setUpModule():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


class LoadTest(AgentTest):
    def crowd(self, count):
        return [self.client() for _ in range(count)]

    def descriptors(self):
        """How many it has open; 0 where only root may look into it."""
        try:
            return len(os.listdir(f"/proc/{self.agent.pid}/fd"))
        except PermissionError:
            return 0

    def at_rest(self):
        """The same once no client is there any more."""
        lab.wait_for("all clients are gone", lambda: self.agent.status()["connection_count"] == 0)
        return self.descriptors()

    def back_at(self, before):
        """Statuses that were just asked for may still count, in both."""
        self.at_rest()
        lab.wait_for("all descriptors are given back", lambda: self.descriptors() <= before + 1)


class Crowd(LoadTest):
    def test_a_thousand_connections_are_all_served(self):
        clients = self.crowd(CROWD)
        for client in clients:
            client.send(c.LIST)
        for client in clients:
            self.assertEqual(client.receive()[0], c.IDENTITIES)
        self.assertEqual(self.agent.status()["connection_count"], CROWD)
        lab.verify(self.key, clients[-1].sign(self.key, b"data"), b"data")
        for client in clients[1:]:
            client.close()
        lab.wait_for("the agent lets go of them", lambda: self.agent.status()["connection_count"] == 1)
        self.assertEqual(len(clients[0].list()), 1)

    def test_a_thousand_requests_for_one_token_are_all_answered(self):
        clients = self.crowd(100)
        for client in clients:
            for number in range(10):
                client.send(c.SIGN, client.sign_request(self.key, b"%d" % number))
        for client in clients:
            for number in range(10):
                lab.verify(self.key, client.signature(client.receive()), b"%d" % number)


def waits(process):
    """How often its threads have slept until something came."""
    total = 0
    for thread in os.listdir(f"/proc/{process}/task"):
        with open(f"/proc/{process}/task/{thread}/status", encoding="ascii") as status:
            total += next(int(line.split()[1]) for line in status if line.startswith("voluntary_ctxt_switches:"))
    return total


class Waits(LoadTest):
    """Each change of process costs about as much as all that a process does for a signature."""

    def test_a_signature_wakes_the_agent_twice_and_its_worker_once(self):
        worker, = (one.pid for one in lab.descendants(self.agent.pid) if one.name == "keystile-worker")
        client = self.client()
        client.sign(self.key, b"data")
        before = waits(self.agent.pid), waits(worker)
        for number in range(SIGNATURES):
            client.sign(self.key, b"%d" % number)
        after = waits(self.agent.pid), waits(worker)
        # Half a time for what comes on the way: the agent's clock, a page of memory that was not there.
        self.assertLess(after[0] - before[0], 2.5 * SIGNATURES)
        self.assertLess(after[1] - before[1], 1.5 * SIGNATURES)


class Limits(LoadTest):
    provider = None
    most = 256

    def start(self, **options):
        """An agent that may have few descriptors."""
        folder = lab.Folder()
        self.addCleanup(folder.close)
        script = folder.path / "agent"
        script.write_text(f'#!/bin/sh\nulimit -n {self.most}\nexec {lab.AGENT} "$@"\n')
        script.chmod(0o755)
        agent = super().start(program=script, **options)
        lab.wait_for("its own sockets are there too", lambda: lab.listens(agent.remote_socket))
        return agent

    def paused(self):
        return "new ones wait" in self.agent.log()

    def fill(self, *request):
        """Clients that asked, for the list if nothing else: as many as have a place, and 20 that wait for one."""
        clients = []
        while not self.paused():
            self.assertLess(len(clients), self.most)
            clients += self.crowd(1)
            clients[-1].send(*request or (c.LIST,))
            lab.wait_for("it is served, or accepting pauses",
                         lambda: select.select([clients[-1].socket], [], [], 0)[0] or self.paused())
        for client in self.crowd(20):
            client.send(c.LIST)
            clients.append(client)
        return clients

    def test_beyond_the_limit_clients_wait_for_a_place(self):
        clients = self.fill()
        places = self.agent.status()["connection_count"]
        ready = select.select([client.socket for client in clients], [], [], 0)[0]
        served = [client for client in clients if client.socket in ready]
        waiting = [client for client in clients if client not in served]
        self.assertGreaterEqual(len(waiting), 20)
        self.assertEqual(len(served), places)
        self.assertGreater(places, self.most / 4)
        for client in served:
            self.assertEqual(client.receive()[0], c.IDENTITIES)
        self.assertEqual(self.agent.status()["connection_count"], places)
        self.assertLess(self.descriptors(), self.most)
        for one in served:
            one.close()
        for client in waiting:
            self.assertEqual(client.receive()[0], c.IDENTITIES)

    def test_with_all_places_taken_tokens_are_still_loaded_and_used(self):
        clients = self.fill()
        self.assertEqual(clients[0].receive()[0], c.IDENTITIES)
        for name in ("one", "two", "three"):
            self.assertEqual(clients[0].add_token(f"fake:{name}"), c.SUCCESS)
            key = clients[0].list()[-1].blob
            lab.verify(key, clients[0].sign(key, b"data"), b"data")

    def test_what_is_kept_of_a_client_that_signed_takes_no_descriptor_from_workers(self):
        first = self.client()
        self.assertEqual(first.add_token("fake:one"), c.SUCCESS)
        key = first.list()[-1].blob
        clients = self.fill(c.SIGN, first.sign_request(key, b"data"))
        self.assertLess(len(clients), self.most / 2)
        lab.verify(key, clients[0].signature(clients[0].receive()), b"data")
        self.assertEqual(first.add_token("fake:two"), c.SUCCESS)
        other = first.list()[-1].blob
        lab.verify(other, first.sign(other, b"data"), b"data")

    def test_connections_that_come_and_go_leave_nothing_behind(self):
        before = self.at_rest()
        for number in range(5000):
            client = lab.AgentClient(self.agent)
            if number % 3 == 1:
                client.send(c.LIST)
            elif number % 3 == 2:
                client.raw(b"\0\0\0\x20\x14half")
            client.close()
        self.back_at(before)
        self.assertEqual(self.serves(), [])


class Silent(LoadTest):
    """Clients that ask for more and more and never read."""

    provider = "fake:many,keys=1000"

    def start(self, **options):
        # Where memory that was given back is kept from use to find mistakes, that is little here.
        mine = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"), "quarantine_size_mb=8")))
        return super().start(env={"ASAN_OPTIONS": mine}, **options)

    def test_they_cost_a_bounded_part_of_memory_and_nobody_waits_for_them(self):
        self.serves()
        before = resident_kib(self.agent.pid)
        clients = self.crowd(SILENT)
        for client in clients:
            client.raw(b"\0\0\0\x01\x0b" * 50)
        for client in clients:
            self.assertTrue(select.select([client.socket], [], [], 60 * lab.place.PATIENCE)[0])
        self.assertEqual(len(self.serves()), 1000)
        lab.verify(self.key, self.client().sign(self.key, b"data"), b"data")
        grown = resident_kib(self.agent.pid) - before
        self.assertLess(grown, SILENT * 2 * 256, f"{grown} KiB more")
        for _ in range(50):
            self.assertEqual(len(clients[0].receive()[1]), len(clients[1].receive()[1]))

    def test_a_client_that_reads_at_last_has_missed_nothing(self):
        client = self.client()
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        for number in range(20):
            client.send(c.SIGN, client.sign_request(self.key, b"%d" % number))
            client.send(c.LIST)
        self.serves()
        for number in range(20):
            lab.verify(self.key, client.signature(client.receive()), b"%d" % number)
            self.assertEqual(client.receive()[0], c.IDENTITIES)

    def test_one_that_leaves_without_reading_is_let_go(self):
        before = self.at_rest()
        for client in self.crowd(50):
            client.raw(b"\0\0\0\x01\x0b" * 50)
            client.close()
        self.back_at(before)


if __name__ == "__main__":
    unittest.main()
