"""What the Python tests stand on: real programs in a temporary home, and a client of the protocol."""
from . import card, client, keys, memory, namespaces, place, softhsm
from .actor import Actor
from .agent import Agent
from .askpass import Askpass
from .bare_terminal import Tty
from .client import AgentClient, Closed
from .display import Display
from .journal import Journal
from .notifications import Notifications
from .pinentry import Pinentry
from .keys import KINDS, HostKey, sshsig, userauth, verify
from .place import (AGENT, BUILD, CONTROL, LIBEXEC, PATIENCE, ROOT, Folder, Process, descendants,
                    environment, listens, openssh_release, run, run_well, runs, wait_for)
from .softhsm import SoftHSM
from .sshd import Sshd
from .terminal import Terminal
from .user_manager import UserManager
