"""What the benchmarks share: agents side by side, the C client, and small tables."""
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

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


def words(agent, blob, flags, *arguments):
    return [str(word) for word in (CLIENT, agent.socket, bytes(blob).hex() or "-", flags, *arguments)]


def client(agent, blob, *arguments, flags=0):
    """The numbers that the C client printed."""
    return [float(line) for line in lab.run_well(words(agent, blob, flags, *arguments),
                                                 seconds=120).stdout.split()]


class Held:
    """A client that goes on until close(): it waits for a signature, or holds connections open."""

    def __init__(self, agent, blob, *arguments):
        self.process = subprocess.Popen(words(agent, blob, 0, *arguments), text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.first = self.process.stdout.readline().strip()
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


def add(agent, provider, pin):
    done = agent.add_token(provider, pin)
    if done.returncode != 0:
        raise AssertionError(f"{provider} was not added: {done.stderr}\n{agent.log()}")


def median(values):
    return statistics.median(values)


def heading(title):
    print(f"\n{title}  ({os.cpu_count()} cores, load {os.getloadavg()[0]:.1f})", flush=True)


def row(*cells):
    first, *rest = cells
    print(f"  {first:<44}" + "".join(f"{cell:>14}" for cell in rest), flush=True)
