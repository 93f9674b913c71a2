"""
What 1,000 clients that keep their connection cost an agent: the time to connect and be served once,
and the private memory of the agent a connection. OpenSSH's for comparison.
"""
import rig

import lab

CONNECTIONS = 1000
ROUNDS = 5


def measure(start):
    """Milliseconds to open all, memory before and with them, in KiB."""
    with start() as agent:
        rig.client(agent, b"", "list", 1)
        before = rig.memory_kib([agent.pid])
        with rig.Held(agent, b"", "idle", CONNECTIONS) as held:
            return float(held.first), before, rig.memory_kib([agent.pid])


def main():
    rig.heading(f"{CONNECTIONS} connections, served once and kept: median of {ROUNDS} rounds in turn")
    rig.row("", "open, ms", "KiB before", "KiB with them", "bytes each")
    found = {"keystile-agent": [], "ssh-agent": []}
    for _ in range(ROUNDS):
        found["keystile-agent"].append(measure(lab.Agent))
        found["ssh-agent"].append(measure(rig.StockAgent))
    for name, rounds in found.items():
        open_ms, before, after = (rig.median(values) for values in zip(*rounds))
        rig.row(name, f"{open_ms:.0f}", f"{before:.0f}", f"{after:.0f}",
                f"{1024 * (after - before) / CONNECTIONS:.0f}")


if __name__ == "__main__":
    main()
