"""
What confining a process costs it: loading a PKCS#11 module, and signatures with it, in turn with
and without, by paired rounds.
"""
import rig

import lab

ROUNDS = 31
ROUND_MS = 200


def main():
    with lab.SoftHSM() as hsm:
        token = hsm.token()
        token.generate("p256")
        key = token.keys[0]
        loads = {True: [], False: []}

        def signs(confined):
            done = lab.run_well([rig.RAW, hsm.module, token.label, token.pin, key.id, 1, ROUND_MS,
                                 *(["confined"] if confined else [])],
                                env=dict(lab.environment(hsm.folder.path), **hsm.env))
            rate, load = map(float, done.stdout.split())
            loads[confined].append(load)
            return rate

        rates = rig.paired(lambda: signs(True), lambda: signs(False), ROUNDS)
    rig.heading(f"SoftHSM2 in a process of its own, confined and not: median of {ROUNDS} paired rounds")
    rig.row("", "confined", "free", "")
    rig.row("milliseconds until it is loaded", f"{rig.median(loads[True]):.2f}", f"{rig.median(loads[False]):.2f}",
            f"{rig.median([a - b for a, b in zip(loads[True], loads[False])]):+.2f}")
    rig.row("P-256 signatures a second", f"{rig.median(rates[0]):.0f}", f"{rig.median(rates[1]):.0f}",
            f"{rig.ratio(*rates):.3f}")


if __name__ == "__main__":
    main()
