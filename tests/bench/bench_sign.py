"""
Signatures a second on the same emulated token, by paired rounds: Keystile's agent beside
OpenSSH's with its ssh-pkcs11-helper, and beside a bare loop over the module itself. And what each
process takes for a signature, which tells where the time goes also where others use the machine.
"""
import resource

import rig

import lab

ROUNDS = 21
ROUND_MS = 300


def show(name, rates):
    rig.row(name, f"{rig.median(rates):.0f}", f"{min(rates):.0f}", f"{max(rates):.0f}")


def compare(title, one, other, as_percent=False):
    rig.heading(title)
    rig.row(f"{ROUNDS} paired rounds of {ROUND_MS} ms", "median /s", "least", "most")
    first, second = rig.paired(one.round, other.round, ROUNDS)
    show(one.name, first)
    show(other.name, second)
    ratio = rig.ratio(first, second)
    rig.row("median of the pairs' ratios", f"{100 * ratio:.0f} %" if as_percent else f"{ratio:.2f}")
    one.show()
    other.show()


def rate(agent, key, connections, flags=0):
    return rig.client(agent, key.blob, "rate", connections, ROUND_MS, flags=flags)[0]


def children_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Side:
    """The rounds of one side, and their cost: microseconds of its processes for a signature, and how often these slept."""

    def __init__(self, name, run, agent=None):
        self.name, self.run, self.agent = name, run, agent
        self.rows = []

    def now(self):
        pids = rig.processes(self.agent) if self.agent else []
        return [rig.processor_s([pid]) for pid in pids] + [children_s()], [rig.sleeps(pid) for pid in pids]

    def round(self):
        used, slept = self.now()
        found = self.run()
        used_then, slept_then = self.now()
        count = found * ROUND_MS / 1e3
        self.rows.append([(b - a) * 1e6 / count for a, b in zip(used, used_then)] +
                         [(b - a) / count for a, b in zip(slept, slept_then)])
        return found

    def show(self):
        found = [rig.median(column) for column in zip(*self.rows)]
        if len(found) < 5:
            rig.row(f"{self.name}: us for each", f"{found[0]:.0f}")
            return
        agent, worker, clients, agent_slept, worker_slept = found
        rig.row(f"{self.name}: us of agent, worker, clients", f"{agent:.0f}", f"{worker:.0f}", f"{clients:.0f}")
        rig.row("  how often agent and worker slept", f"{agent_slept:.1f}", f"{worker_slept:.1f}")


def against_stock(hsm, token, kinds):
    with lab.Agent(env=hsm.env) as ours, rig.StockAgent(env=hsm.env) as stock:
        rig.add(ours, hsm.module, token.pin)
        rig.add(stock, hsm.module, token.pin)
        for kind, flags, connections in kinds:
            key = next(one for one in token.keys if one.kind == kind)
            compare(f"{kind}, {connections} client(s)", *(
                Side(name, lambda agent=agent: rate(agent, key, connections, flags), agent)
                for name, agent in (("keystile-agent", ours), ("ssh-agent", stock))))


def against_module(hsm, token, kind, sessions):
    key = next(one for one in token.keys if one.kind == kind)
    flags = rig.RSA_SHA256 if kind.startswith("rsa") else 0

    def bare():
        done = lab.run_well([rig.RAW, hsm.module, token.label, token.pin, key.id, sessions, ROUND_MS],
                            env=dict(lab.environment(hsm.folder.path), **hsm.env))
        return float(done.stdout.split()[0])

    with lab.Agent(env=hsm.env) as ours:
        rig.add(ours, hsm.module, token.pin)
        compare(f"{kind}, {sessions} client(s) against {sessions} bare session(s)",
                Side("keystile-agent", lambda: rate(ours, key, sessions, flags), ours),
                Side("C_SignInit, C_Sign alone", bare), as_percent=True)


def main():
    with lab.SoftHSM() as hsm:
        token = hsm.token()
        token.generate("p256")
        token.generate("rsa:2048")
        against_stock(hsm, token, [("p256", 0, 1), ("p256", 0, 2), ("p256", 0, 4), ("p256", 0, 8), ("rsa:2048", rig.RSA_SHA256, 1)])
        against_module(hsm, token, "rsa:2048", 2)
        against_module(hsm, token, "p256", 1)


if __name__ == "__main__":
    main()
