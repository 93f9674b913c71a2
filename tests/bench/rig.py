"""What the benchmarks share: agents side by side, the C client, and small tables."""
import os
import pathlib
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time

from cryptography.hazmat.primitives import serialization

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import lab  # noqa: E402

CLIENT = lab.BUILD / "tests" / "agent-client"
RAW = lab.BUILD / "tests" / "raw-pkcs11"
SHIM = lab.BUILD / "tests" / "modules" / "shim.so"
RSA_SHA256 = 2


class StockAgent(lab.Agent):
    """OpenSSH's ssh-agent: a copy without its set-group-id bit, so that it keeps its environment."""

    def __init__(self, **options):
        self.copy = lab.Folder()
        program = self.copy.path / "ssh-agent"
        shutil.copy("/usr/bin/ssh-agent", program)
        os.chmod(program, 0o755)
        super().__init__(program=program, **options)

    def stop(self):
        super().stop()
        self.copy.close()


def raise_descriptor_limit():
    """For this process and those that it starts from now on: as far as it may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def processes(agent):
    """The agent and all that it started, by number."""
    return [agent.pid, *(one.pid for one in lab.descendants(agent.pid))]


def memory_kib(pids):
    """Their resident memory that they share with nobody, summed: what strangers start and end changes nothing."""
    total = 0
    for pid in pids:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        total += sum(int(kib) for kib in re.findall(r"^Private_(?:Clean|Dirty):\s+(\d+)", text, re.MULTILINE))
    return total


def processor_s(pids):
    """Seconds of processor time that they have used, all threads."""
    total = 0
    for pid in pids:
        for one in pathlib.Path(f"/proc/{pid}/task").iterdir():
            total += int((one / "schedstat").read_text().split()[0])
    return total / 1e9


def sleeps(pid):
    """How often its threads have waited for something."""
    return sum(int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", (one / "status").read_text(), re.MULTILINE)[1])
               for one in pathlib.Path(f"/proc/{pid}/task").iterdir())


def words(agent, blob, flags, *arguments):
    return [str(word) for word in (CLIENT, agent.socket, bytes(blob).hex() or "-", flags, *arguments)]


def client(agent, blob, *arguments, flags=0, seconds=120, **options):
    """The numbers that the C client printed."""
    done = lab.run_well(words(agent, blob, flags, *arguments), seconds=seconds, **options)
    return [float(line) for line in done.stdout.split()]


class Held:
    """A client that goes on until close(): it waits for a signature, or holds connections open."""

    def __init__(self, agent, blob, *arguments):
        started = time.monotonic()
        self.process = subprocess.Popen(words(agent, blob, 0, *arguments), text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.first = self.process.stdout.readline().strip()
        self.took_s = time.monotonic() - started
        if not self.first:
            raise AssertionError(f"the client ended: {' '.join(map(str, arguments))}")

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


ADD, REMOVE, ADD_CONSTRAINED = 17, 18, 25


def private_keys(kind, count):
    """The key, and what ssh-add sends of it, for as many fresh keys of one of lab.KINDS."""
    return [private_key(kind, f"{kind} {number}") for number in range(count)]


def private_key(kind, comment):
    secret = lab.keys.private(kind)
    blob = lab.keys.blob_of(secret.public_key())
    string, mpint = lab.keys.string, lab.keys.mpint
    if kind == "ed25519":
        plain = secret.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw,
                                     serialization.NoEncryption())
        fields = blob + string(plain + blob[-32:])
    elif kind.startswith("rsa"):
        all_of = secret.private_numbers()
        fields = string("ssh-rsa") + b"".join(mpint(number) for number in (
            all_of.public_numbers.n, all_of.public_numbers.e, all_of.d, all_of.iqmp, all_of.p, all_of.q))
    else:
        fields = blob + mpint(secret.private_numbers().private_value)
    return blob, fields + string(comment)


def add_keys(agent, keys, constraints=b""):
    number = ADD_CONSTRAINED if constraints else ADD
    with lab.AgentClient(agent) as one:
        for _, fields in keys:
            if one.call(number, fields + constraints)[0] != lab.client.SUCCESS:
                raise AssertionError(f"a key was not added:\n{agent.log()}")


def add(agent, provider, pin):
    done = agent.add_token(provider, pin)
    if done.returncode != 0:
        raise AssertionError(f"{provider} was not added: {done.stderr}\n{agent.log()}")


def paired(one, other, rounds):
    """What both gave in turn, each first half of the time."""
    found = [], []
    for number in range(rounds):
        for which in (0, 1) if number % 2 == 0 else (1, 0):
            found[which].append((one, other)[which]())
    return found


def ratio(ours, theirs):
    """The median of the pairs' ratios."""
    return statistics.median(a / b for a, b in zip(ours, theirs))


def highest(values, share):
    """The value that all but this share of them stay below."""
    return sorted(values)[min(len(values) - 1, int(len(values) * (1 - share)))]


def median(values):
    return statistics.median(values)


def heading(title):
    print(f"\n{title}  ({os.cpu_count()} cores, load {os.getloadavg()[0]:.1f})", flush=True)


def row(*cells):
    first, *rest = cells
    print(f"  {first:<44}" + "".join(f"{cell:>14}" for cell in rest), flush=True)
