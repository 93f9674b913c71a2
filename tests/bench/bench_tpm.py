"""
Signatures a second with the same TPM in software: Keystile's agent, OpenSSH's with tpm2-pkcs11, and a bare loop of
TPM2_Sign. In turns, not at once: swtpm takes one connection.
"""
import pathlib

import rig

import lab
from lab import tpm

ROUNDS = 7
ROUND_MS = 1000
PIN = "12345678"
MODULE = "/usr/lib/x86_64-linux-gnu/libtpm2_pkcs11.so.1"
RAW = lab.BUILD / "tests" / "raw-tpm"


def flushing_tools(machine):
    """tpm2_ptool leaves it to a resource manager to make room, which there is none of here."""
    folder = machine.path / "tools"
    folder.mkdir()
    for tool in pathlib.Path("/usr/bin").glob("tpm2_*"):
        if tool.name not in ("tpm2_ptool", "tpm2_flushcontext"):
            script = folder / tool.name
            script.write_text(f'#!/bin/sh\n{tool} "$@"\ncode=$?\n/usr/bin/tpm2_flushcontext -t >&2\nexit $code\n')
            script.chmod(0o755)
    machine.env["PATH"] = f"{folder}:{machine.env['PATH']}"


def store(machine):
    """A token of tpm2-pkcs11 in this TPM; the environment that names it."""
    env = {"TPM2_PKCS11_STORE": str(machine.path / "store"), "TPM2_PKCS11_TCTI": machine.tcti}
    (machine.path / "store").mkdir()
    machine.env.update(env)
    flushing_tools(machine)
    for words in (["init"], ["addtoken", "--pid=1", "--sopin=87654321", f"--userpin={PIN}", "--label=bench"],
                  ["addkey", "--algorithm=ecc256", "--label=bench", f"--userpin={PIN}"],
                  ["addkey", "--algorithm=rsa2048", "--label=bench", f"--userpin={PIN}"]):
        machine.tool("tpm2_ptool", *words, "--path", machine.path / "store")
    machine.bus.restart()
    return {**env, "TPM2_PKCS11_TCTI": machine.direct}


def rates(agent, connections):
    """Of each kind of key that the agent lists, by its first word."""
    with lab.AgentClient(agent) as client:
        blobs = [key.blob for key in client.list()]
    found = {}
    for blob in blobs:
        kind = "rsa" if b"ssh-rsa" in blob[:16] else "p256"
        flags = rig.RSA_SHA256 if kind == "rsa" else 0
        found[kind] = [rig.client(agent, blob, "rate", connections, ROUND_MS, flags=flags)[0] for _ in range(ROUNDS)]
    return found


def ours(machine, connections):
    home = machine.path / "home"
    keys = f"{machine.path}/p256.tpm:{machine.path}/rsa.tpm"
    config = (f'worker tpm2 {{\n\tenvironment = {{"KEYSTILE_TPM2_TCTI={machine.direct}", "KEYSTILE_TPM2_KEYS={keys}", '
              f'"KEYSTILE_TPM2_SOCKET={machine.path}/swtpm", "KEYSTILE_TPM2_CONTROL={machine.path}/swtpm.ctrl", '
              f'"HOME={home}"}}\n\tgrant-read = {{"{machine.path}/p256.tpm", "{machine.path}/rsa.tpm"}}\n}}\n')
    with lab.Agent(config=config) as agent:
        rig.add(agent, "tpm2:", "none")
        return rates(agent, connections)


def stock(machine, env, connections):
    machine.flush()
    machine.bus.restart()
    with rig.StockAgent(env=env, options=("-P", "/usr/lib/*")) as agent:
        rig.add(agent, MODULE, PIN)
        return rates(agent, connections)


def bare(machine, kind):
    machine.flush()
    machine.bus.restart()
    return [float(lab.run_well([RAW, machine.direct, kind, ROUND_MS], env=machine.env).stdout) for _ in range(ROUNDS)]


def show(name, found):
    rig.row(name, f"{rig.median(found):.0f}", f"{min(found):.0f}", f"{max(found):.0f}")


def main():
    with tpm.Tpm() as machine:
        env = store(machine)
        machine.key("p256.tpm")
        machine.key("rsa.tpm", algorithm="rsa2048")
        machine.bus.restart()
        for connections in (1, 4):
            mine, theirs = ours(machine, connections), stock(machine, env, connections)
            for kind in ("p256", "rsa"):
                rig.heading(f"{kind}, {connections} client(s)")
                rig.row(f"{ROUNDS} rounds of {ROUND_MS} ms", "median /s", "least", "most")
                show("keystile-agent", mine[kind])
                show("ssh-agent, tpm2-pkcs11", theirs[kind])
                show("TPM2_Sign alone", bare(machine, kind))
                rig.row("ratio of the first two", f"{rig.median(mine[kind]) / rig.median(theirs[kind]):.2f}")


if __name__ == "__main__":
    main()
