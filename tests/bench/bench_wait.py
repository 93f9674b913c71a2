"""
What a client that waits costs the others: the median time of a list and of a signature with another
token while one client waits for a signature that never comes, in turn with nothing waiting; and
how many of 100 requests on 100 connections are answered meanwhile. OpenSSH's agent for comparison.
"""
import contextlib
import os
import signal
import time

import rig

import lab

ROUNDS = 24
REQUESTS = 60
BURST = 100
BURST_MS = 10000
STOCK_BURST_MS = 1500
KINDS = ("list", "sign")


class Shim:
    """The misbehaving module over a SoftHSM of its own; see tests/backends/modules/shim.c."""

    def __init__(self, hsm):
        self.folder = lab.Folder()
        self.path = self.folder.path
        env = dict(hsm.env, KEYSTILE_SHIM=self.path, KEYSTILE_SHIM_MODULE=hsm.module)
        variables = ", ".join(f'"{name}={value}"' for name, value in env.items())
        self.config = f"worker pkcs11 {{\n\tenvironment = {{{variables}}}\n\tgrant-write = {{\"{env['KEYSTILE_SHIM']}\"}}\n}}\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.close()

    def hang(self):
        (self.path / "C_Sign.hang").touch()

    def go_on(self):
        (self.path / "C_Sign.hang").unlink()

    def signs(self):
        return (self.path / "log").read_text().count("C_Sign ")


class Waiting:
    """One way to wait: start() until somebody waits, stop() until nobody does."""

    def __init__(self, agent, blob):
        self.agent, self.blob, self.held = agent, blob, None

    def start(self):
        before = self.begun()
        self.held = rig.Held(self.agent, self.blob, "hold")
        lab.wait_for("somebody waits", lambda: self.begun() > before)

    def stop(self):
        self.held.close()
        self.held = None

    def begun(self):
        raise NotImplementedError


class Touch(Waiting):
    def start(self):
        super().start()
        time.sleep(0.05)  # the token says nothing of the touch that it waits for

    def begun(self):
        return 1 if self.held else 0


class Module(Waiting):
    def __init__(self, agent, blob, shim):
        super().__init__(agent, blob)
        self.shim = shim

    def start(self):
        self.shim.hang()
        super().start()

    def stop(self):
        super().stop()
        self.shim.go_on()

    def begun(self):
        return self.shim.signs()


class Prompt(Waiting):
    """gone_ms: how long each prompt stayed after the client that it was for had gone."""

    def __init__(self, agent, blob, askpass):
        super().__init__(agent, blob)
        self.askpass, self.gone_ms = askpass, []

    def stop(self):
        shown = self.askpass.processes()
        super().stop()
        started = time.monotonic()
        lab.wait_for("the prompt is withdrawn", lambda: not any(one.alive() for one in shown))
        self.gone_ms.append(1e3 * (time.monotonic() - started))

    def begun(self):
        return len(self.askpass.prompts())


def measure(agent, blob, times):
    for kind in KINDS:
        times[kind].append(rig.median(rig.client(agent, blob, kind, REQUESTS)))


def rounds(agent, blob, waiting):
    """Medians of each round without and with somebody waiting, and the fewest answered of a burst."""
    quiet, busy = {kind: [] for kind in KINDS}, {kind: [] for kind in KINDS}
    answered = []
    for number in range(ROUNDS):
        for wait in (False, True) if number % 2 == 0 else (True, False):
            if wait:
                waiting.start()
            measure(agent, blob, busy if wait else quiet)
            if wait:
                answered.append(int(rig.client(agent, blob, "burst", BURST, BURST_MS)[0]))
                waiting.stop()
    return quiet, busy, min(answered)


def compare(name, agent, blob, waiting):
    quiet, busy, answered = rounds(agent, blob, waiting)
    for kind in KINDS:
        rig.row(f"{name}: {kind}", f"{rig.median(quiet[kind]):.0f}", f"{rig.median(busy[kind]):.0f}",
                f"{rig.median(busy[kind]) / rig.median(quiet[kind]):.2f}",
                f"{answered} of {BURST}")


def apart(agent):
    """
    The agent and what it starts on one core, the clients on another: else where the scheduler puts
    them makes more difference than anything that is measured.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(agent.pid, cores[:1])
        os.sched_setaffinity(0, cores[1:2])
    return agent


def load(agent, provider, pin=""):
    """The blob of the first key that came with it."""
    with lab.AgentClient(agent) as one:
        before = {key.blob for key in one.list()}
        if one.add_token(provider, pin) != lab.client.SUCCESS:
            raise AssertionError(f"{provider} was not added:\n{agent.log()}")
        return next(key.blob for key in one.list() if key.blob not in before)


def keystile():
    with contextlib.ExitStack() as stack:
        hsm, askpass = stack.enter_context(lab.SoftHSM()), stack.enter_context(lab.Askpass())
        askpass.hangs()
        hsm.token().generate("p256")
        shim = stack.enter_context(Shim(hsm))
        agent = stack.enter_context(lab.Agent(options=["-P", f"/usr/lib/*,{rig.SHIM}"],
                                              askpass=askpass, config=shim.config))
        served = load(apart(agent), "fake:served,kind=p256")
        compare("a touch that never comes", agent, served,
                Touch(agent, load(agent, "fake:touch,touch=wait")))
        compare("a module that hangs", agent, served,
                Module(agent, load(agent, str(rig.SHIM), "1234"), shim))
        compare("askpass left open", agent, served,
                Prompt(agent, load(agent, "fake:pin,pin=always"), askpass))
        confirmed = Prompt(agent, confirmed_key(agent), askpass)
        compare("a confirmation left open", agent, served, confirmed)
        rig.row("the confirmation is gone after its client, ms", f"{rig.median(confirmed.gone_ms):.0f}",
                f"{max(confirmed.gone_ms):.0f}")


def confirmed_key(agent):
    keys = rig.private_keys("p256", 1)
    rig.add_keys(agent, keys, lab.client.confirm())
    return keys[0][0]


def stock():
    """ssh-agent with a key that it confirms: only the burst, as nothing else would end."""
    with lab.Askpass() as askpass, rig.StockAgent(askpass=askpass) as agent:
        askpass.hangs()
        keys = rig.private_keys("p256", 1)
        rig.add_keys(agent, keys)
        served = keys[0][0]
        quiet = {kind: rig.median(rig.client(agent, served, kind, REQUESTS)) for kind in KINDS}
        waiting = Prompt(agent, confirmed_key(agent), askpass)
        waiting.start()
        answered = int(rig.client(agent, served, "burst", BURST, STOCK_BURST_MS)[0])
        for one in askpass.processes():
            os.kill(one.pid, signal.SIGKILL)
        waiting.stop()
        for kind in KINDS:
            rig.row(f"ssh-agent, confirmation left open: {kind}", f"{quiet[kind]:.0f}", "-", "-",
                    f"{answered} of {BURST}")


def main():
    rig.heading(f"While one client waits: median of {ROUNDS} rounds in turn, {REQUESTS} requests each")
    rig.row("", "alone, us", "waiting, us", "ratio", "answered")
    cores = os.sched_getaffinity(0)
    keystile()
    os.sched_setaffinity(0, cores)
    stock()


if __name__ == "__main__":
    main()
