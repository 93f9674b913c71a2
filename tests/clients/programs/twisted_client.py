"""Twisted's client of the agent, with which its `conch` logs in: list, add and remove; see paramiko_client.py."""
import os
import sys

from twisted.conch.ssh import keys
from twisted.conch.ssh.agent import SSHAgentClient
from twisted.internet import defer, protocol, reactor, task


async def change(agent, order, words):
    if order == "list":
        for blob, comment in await agent.requestIdentities():
            print(blob.hex(), comment.decode())
    elif order == "add":
        for path in words:
            key = keys.Key.fromFile(path)
            await agent.addIdentity(key.privateBlob(), os.path.basename(path).encode())
    elif order == "remove":
        for blob, comment in await agent.requestIdentities():
            if comment.decode() in words:
                await agent.removeIdentity(blob)
    elif order == "remove-all":
        await agent.removeAllIdentities()
    else:
        sys.exit(f"unknown: {order}")


def main(_, order, *words):
    creator = protocol.ClientCreator(reactor, SSHAgentClient)
    connected = creator.connectUNIX(os.environ["SSH_AUTH_SOCK"])
    return connected.addCallback(lambda agent: defer.ensureDeferred(change(agent, order, words)))


if __name__ == "__main__":
    task.react(main, sys.argv[1:])
