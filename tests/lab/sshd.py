"""A throw-away sshd on a free loopback port, in which whoever runs the tests can log in."""
import os
import pathlib
import pwd
import re
import signal
import socket
import subprocess

from . import place

SSHD = "/usr/sbin/sshd"

SERVER = """\
ListenAddress 127.0.0.1
Port {port}
{host_keys}
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
AuthenticationMethods publickey
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PermitUserRC no
StrictModes no
UsePAM no
UseDNS no
PrintMotd no
PrintLastLog no
AllowAgentForwarding yes
AllowStreamLocalForwarding yes
MaxStartups 1000
MaxSessions 1000
LogLevel {log_level}
{lines}
"""

CLIENT = """\
Host {name}
\tHostName 127.0.0.1
\tPort {port}
\tUser {user}
\tHostKeyAlias {name}
\tUserKnownHostsFile {folder}/known_hosts
\tGlobalKnownHostsFile none
\tStrictHostKeyChecking yes
\tIdentityFile none
\tPreferredAuthentications publickey
\tBatchMode yes
\tControlPath none
\tConnectTimeout 20
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Sshd:
    """
    .allow(key) lets a lab.Key (or an authorized_keys line) in; .ssh(...) is the command that
    reaches it as one of names, each of which is a host name of its own in .known_hosts. lines go
    to the end of its configuration. With the private key of an authority it shows a certificate
    for its names, and .known_hosts knows the authority.
    """

    def __init__(self, names=("lab",), host_key="ed25519", log_level="VERBOSE", lines="", authority=None):
        self.names = names
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.folder = place.Folder()
        self.env = place.environment(self.folder.path)
        self.config = self.folder.path / "ssh_config"
        self.known_hosts = self.folder.path / "known_hosts"
        self._log_path = self.folder.path / "sshd.log"
        self._make_host_key(host_key)
        if authority is not None:
            lines += self._certify(authority)
        if place.openssh_release() >= 10:
            lines = f"PerSourcePenalties no\n{lines}"  # who fails a few times is let in no more
        (self.folder.path / "authorized_keys").write_text("")
        os.chmod(self.folder.path, 0o755)  # sshd reads authorized_keys as the user
        if os.getuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        self._start(log_level, lines)

    def _make_host_key(self, kind):
        path = self.folder.path / "host_key"
        place.run_well(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", path])
        self.host_key_line = path.with_suffix(".pub").read_text().strip()
        self.known_hosts.write_text(
            "".join(f"{name} {self.host_key_line}\n" for name in self.names))

    def _certify(self, authority):
        """Returns what the configuration has to say."""
        path = self.folder.path / "host_key"
        place.run_well(["ssh-keygen", "-q", "-s", authority, "-h", "-I", "host", "-n", ",".join(self.names),
                        path.with_suffix(".pub")])
        line = pathlib.Path(f"{authority}.pub").read_text().strip()
        self.known_hosts.write_text(
            "".join(f"@cert-authority {name} {line}\n" for name in self.names))
        return f"HostCertificate {path}-cert.pub\n"

    def _start(self, log_level, lines):
        """A port that was free may be taken a moment later: a few attempts."""
        for _ in range(5):
            self.port = free_port()
            server = self.folder.path / "sshd_config"
            server.write_text(SERVER.format(port=self.port, folder=self.folder.path, log_level=log_level,
                                            lines=lines,
                                            host_keys=f"HostKey {self.folder.path}/host_key"))
            with open(self._log_path, "wb") as log:
                self.process = subprocess.Popen(
                    [SSHD, "-D", "-e", "-f", str(server)], env=self.env, stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL, stderr=log, start_new_session=True)
            place.wait_for("sshd listens", lambda: self.process.poll() is not None or self._greets())
            if self.process.poll() is None:
                break
        else:
            raise AssertionError(f"sshd does not start:\n{self.log()}")
        self.config.write_text("".join(
            CLIENT.format(name=name, port=self.port, user=self.user, folder=self.folder.path)
            for name in self.names))

    def _greets(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                return probe.recv(4) == b"SSH-"
        except OSError:
            return False

    def allow(self, key):
        with open(self.folder.path / "authorized_keys", "a", encoding="utf-8") as file:
            file.write(getattr(key, "line", key) + "\n")

    def allow_only(self, key):
        """Nobody gets in with another key from now on."""
        (self.folder.path / "authorized_keys").write_text("")
        self.allow(key)

    def accepted(self):
        """The fingerprints of the keys that were logged in with, in their order."""
        return re.findall(r"Accepted publickey .* (SHA256:\S+)$", self.log(), re.M)

    def ssh(self, *arguments):
        """The words of a command: options, a name of this host, and what to run there."""
        return ["ssh", "-F", str(self.config), *arguments]

    def log(self):
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    def close(self):
        if self.process is None:
            return
        sessions = place.descendants(self.process.pid)
        if self.process.poll() is None:
            place.end(self.process, signal.SIGTERM)
        for one in sessions:
            if one.alive():
                os.kill(one.pid, signal.SIGKILL)
        self.process = None
        self.folder.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
