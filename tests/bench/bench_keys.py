"""
What keys that were added cost, beside OpenSSH's agent: signatures a second, with all processes on one
processor and on all, the list of 1,000 keys, memory for each key, and what is left after 100,000 were
added and removed.
"""
import os

import rig

import lab

ROUNDS = 15
ROUND_MS = 300
KINDS = (("ed25519", 0), ("p256", 0), ("rsa:3072", rig.RSA_SHA256))
CONNECTIONS = (1, 4)
KEYS = 1000
LISTS = 100
CYCLES = 100000
CYCLED_KEYS = 100


def signatures(where):
    keys = {kind: rig.private_keys(kind, 1) for kind, _ in KINDS}
    rig.heading(f"Signatures a second, {where}: median of {ROUNDS} paired rounds of {ROUND_MS} ms")
    rig.row("", "keystile", "ssh-agent", "ratio")
    with lab.Agent() as ours, rig.StockAgent() as stock:
        for agent in (ours, stock):
            for one in keys.values():
                rig.add_keys(agent, one)
        for kind, flags in KINDS:
            for connections in CONNECTIONS:
                def rate(agent):
                    return rig.client(agent, keys[kind][0][0], "rate", connections, ROUND_MS, flags=flags)[0]
                found = rig.paired(lambda: rate(ours), lambda: rate(stock), ROUNDS)
                rig.row(f"{kind}, {connections} connection(s)", f"{rig.median(found[0]):.0f}",
                        f"{rig.median(found[1]):.0f}", f"{rig.ratio(*found):.2f}")


def lists():
    keys = rig.private_keys("ed25519", KEYS)
    rig.heading(f"{KEYS} ed25519 keys: median of {ROUNDS} paired rounds of {LISTS} lists; private memory of all processes")
    rig.row("", "list, us", "KiB without", "KiB with them", "bytes each")
    with lab.Agent() as ours, rig.StockAgent() as stock:
        agents = {"keystile-agent": ours, "ssh-agent": stock}
        before, after = {}, {}
        for name, agent in agents.items():
            rig.add_keys(agent, keys[:1])
            before[name] = rig.memory_kib(rig.processes(agent))
            rig.add_keys(agent, keys[1:])
            after[name] = rig.memory_kib(rig.processes(agent))
        found = rig.paired(*(lambda agent=agent: rig.median(rig.client(agent, b"", "list", LISTS))
                             for agent in agents.values()), ROUNDS)
        for name, times in zip(agents, found):
            rig.row(name, f"{rig.median(times):.0f}", before[name], after[name],
                    f"{1024 * (after[name] - before[name]) / (KEYS - 1):.0f}")
        rig.row("median of the pairs' ratios", f"{rig.ratio(*found):.2f}")


def cycles():
    string = lab.keys.string
    requests = b"".join(string(bytes([rig.ADD]) + fields) + string(bytes([rig.REMOVE]) + string(blob))
                        for blob, fields in rig.private_keys("ed25519", CYCLED_KEYS))
    rig.heading(f"{CYCLES} keys added and removed one after the other")
    rig.row("", "KiB before", "KiB after", "us each")
    with lab.Agent() as agent, lab.Folder() as folder:
        (folder.path / "requests").write_bytes(requests)

        def replay(times):
            with open(folder.path / "requests", "rb") as file:
                return rig.client(agent, b"", "replay", times, seconds=600, stdin=file)[0]
        replay(1)
        before = rig.memory_kib(rig.processes(agent))
        took_ms = replay(CYCLES // CYCLED_KEYS)
        rig.row("keystile-agent", before, rig.memory_kib(rig.processes(agent)), f"{1e3 * took_ms / CYCLES:.0f}")


def main():
    cores = os.sched_getaffinity(0)
    signatures(f"on {len(cores)} processor(s)")
    if len(cores) > 1:
        os.sched_setaffinity(0, {min(cores)})
        signatures("all processes on one processor")
        lists()
        os.sched_setaffinity(0, cores)
    else:
        lists()
    cycles()


if __name__ == "__main__":
    main()
