"""
What many clients cost the others: 10,000 that keep their connection and do nothing, and clients that ask
for lists and never read them. OpenSSH's agent for comparison.
"""
import time

import rig

import lab

IDLE = 10000
REQUESTS = 200
RUNS = 5
ROUNDS = 5
REST_S = 3
GREEDY = 20
GREEDY_REQUESTS = 2000
GREEDY_KEYS = 100
STOCK_S = 20


def list_us(agent):
    return rig.median([rig.median(rig.client(agent, b"", "list", REQUESTS)) for _ in range(RUNS)])


def idle(agent):
    """Seconds to open all; the list alone and beside them; processor time at rest; bytes each."""
    pids = rig.processes(agent)
    alone, memory = list_us(agent), rig.memory_kib(pids)
    with rig.Held(agent, b"", "idle", IDLE) as held:
        beside = list_us(agent)
        share = rig.memory_kib(pids) - memory
        used = rig.processor_s(pids)
        time.sleep(REST_S)
        used = rig.processor_s(pids) - used
    return float(held.first) / 1e3, alone, beside, beside / alone, used / REST_S, 1024 * share / IDLE


def show_idle(name, start, rounds):
    found = []
    for _ in range(rounds):
        with start() as agent:
            rig.add_keys(agent, rig.private_keys("ed25519", 1))
            found.append(idle(agent))
    opened, alone, beside, ratio, used, each = (rig.median(values) for values in zip(*found))
    rig.row(f"{name}, {rounds} round(s)", f"{opened:.2f}", f"{alone:.0f}", f"{beside:.0f}", f"{ratio:.2f}",
            f"{100 * used:.2f} %", f"{each:.0f}")


def lists_us(agent):
    """Times of lists, of one list where that may last: it is given up after a while."""
    if not agent.slow:
        return rig.client(agent, b"", "list", GREEDY_REQUESTS)
    started = time.monotonic()
    try:
        with lab.AgentClient(agent, STOCK_S) as one:
            one.list()
    except TimeoutError:
        pass
    return [1e6 * (time.monotonic() - started)]


def greedy(agent):
    """The highest of 99 % of the lists' times alone and beside them, in us; KiB for each of them."""
    pids = rig.processes(agent)
    alone, memory = rig.highest(lists_us(agent), 0.01), rig.memory_kib(pids)
    with rig.Held(agent, b"", "greedy", GREEDY):
        beside = rig.highest(lists_us(agent), 0.01)
        share = rig.memory_kib(pids) - memory
    return alone, beside, share / GREEDY


def show_greedy(name, start, rounds):
    found = []
    for _ in range(rounds):
        with start() as agent:
            rig.add_keys(agent, rig.private_keys("ed25519", GREEDY_KEYS))
            found.append(greedy(agent))
    alone, beside, each = (rig.median(values) for values in zip(*found))
    rig.row(f"{name}, {rounds} round(s)", f"{alone:.0f}", f"{beside:.0f}",
            f"{rig.median([one[1] / one[0] for one in found]):.2f}", f"{each:.0f}")


class Ours(lab.Agent):
    slow = False


class Stock(rig.StockAgent):
    slow = True


def main():
    rig.raise_descriptor_limit()
    rig.heading(f"{IDLE} connections, served once and kept, then {REST_S} s of rest")
    rig.row("", "open, s", "list alone, us", "beside, us", "ratio", "processor", "bytes each")
    show_idle("keystile-agent", Ours, ROUNDS)
    show_idle("ssh-agent", Stock, 1)
    rig.heading(f"{GREEDY} clients ask for lists of {GREEDY_KEYS} keys and never read")
    rig.row("", "p99 alone, us", "beside, us", "ratio", "KiB each")
    show_greedy("keystile-agent", Ours, ROUNDS)
    show_greedy("ssh-agent", Stock, 1)


if __name__ == "__main__":
    main()
