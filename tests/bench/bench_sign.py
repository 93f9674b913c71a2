"""
Signatures a second on the same emulated token, by paired rounds: Keystile's agent beside
OpenSSH's with its ssh-pkcs11-helper, and beside a bare loop over the module itself.
"""
import rig

import lab

ROUNDS = 21
ROUND_MS = 300


def show(name, rates):
    rig.row(name, f"{rig.median(rates):.0f}", f"{min(rates):.0f}", f"{max(rates):.0f}")


def compare(title, names, one, other, as_percent=False):
    rig.heading(title)
    rig.row(f"{ROUNDS} paired rounds of {ROUND_MS} ms", "median /s", "least", "most")
    first, second = rig.paired(one, other, ROUNDS)
    show(names[0], first)
    show(names[1], second)
    ratio = rig.ratio(first, second)
    rig.row("median of the pairs' ratios", f"{100 * ratio:.0f} %" if as_percent else f"{ratio:.2f}")


def rate(agent, key, connections, flags=0):
    return rig.client(agent, key.blob, "rate", connections, ROUND_MS, flags=flags)[0]


def against_stock(hsm, token, kinds):
    with lab.Agent(env=hsm.env) as ours, rig.StockAgent(env=hsm.env) as stock:
        rig.add(ours, hsm.module, token.pin)
        rig.add(stock, hsm.module, token.pin)
        for kind, flags, connections in kinds:
            key = next(one for one in token.keys if one.kind == kind)
            compare(f"{kind}, {connections} client(s)", ("keystile-agent", "ssh-agent"),
                    lambda: rate(ours, key, connections, flags),
                    lambda: rate(stock, key, connections, flags))


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
                ("keystile-agent", "C_SignInit, C_Sign alone"),
                lambda: rate(ours, key, sessions, flags), bare, as_percent=True)


def main():
    with lab.SoftHSM() as hsm:
        token = hsm.token()
        token.generate("p256")
        token.generate("rsa:2048")
        against_stock(hsm, token, [("p256", 0, 1), ("p256", 0, 2), ("p256", 0, 8), ("rsa:2048", rig.RSA_SHA256, 1)])
        against_module(hsm, token, "rsa:2048", 2)
        against_module(hsm, token, "p256", 1)


if __name__ == "__main__":
    main()
