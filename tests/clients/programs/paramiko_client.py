"""
paramiko with the agent of SSH_AUTH_SOCK. Like all programs of this folder:
  list                                      a line for each key: its blob in hexadecimal, its comment where known
  login|forward PORT USER KNOWN_HOSTS WORDS  logs in on 127.0.0.1 with any of the keys and runs WORDS there
"""
import sys

import paramiko


def show_keys():
    agent = paramiko.Agent()
    for key in agent.get_keys():
        print(key.asbytes().hex())
    agent.close()


def log_in(port, user, known_hosts, words, forward):
    with paramiko.SSHClient() as client:
        client.load_host_keys(known_hosts)
        client.connect("127.0.0.1", int(port), user, allow_agent=True, look_for_keys=False)
        channel = client.get_transport().open_session()
        if forward:
            paramiko.agent.AgentRequestHandler(channel)
        channel.exec_command(words)
        sys.stdout.write(channel.makefile("r").read().decode())
        sys.stderr.write(channel.makefile_stderr("r").read().decode())
        return channel.recv_exit_status()


if __name__ == "__main__":
    if sys.argv[1] == "list":
        show_keys()
    else:
        sys.exit(log_in(*sys.argv[2:6], forward=sys.argv[1] == "forward"))
