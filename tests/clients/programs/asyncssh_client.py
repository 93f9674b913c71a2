"""AsyncSSH with the agent of SSH_AUTH_SOCK; commands as in paramiko_client.py, and more that change the agent."""
import asyncio
import sys

import asyncssh


async def show_keys():
    async with asyncssh.connect_agent() as agent:
        for key in await agent.get_keys():
            print(key.public_data.hex(), key.get_comment())


async def log_in(port, user, known_hosts, words, forward):
    async with asyncssh.connect("127.0.0.1", int(port), username=user, known_hosts=known_hosts, config=None,
                                client_keys=(), agent_forwarding=forward) as client:
        done = await client.run(words, stdin=asyncssh.DEVNULL)
        sys.stdout.write(done.stdout)
        sys.stderr.write(done.stderr)
        return done.exit_status


async def change(order, words):
    async with asyncssh.connect_agent() as agent:
        if order == "add":
            keys = [asyncssh.load_keypairs(path)[0] for path in words]
            await agent.add_keys(keys)
        elif order == "add-for-an-hour":
            await agent.add_keys([asyncssh.load_keypairs(words[0])[0]], lifetime=3600, confirm=True)
        elif order == "remove":
            await agent.remove_keys([one for one in await agent.get_keys() if one.get_comment() in words])
        elif order == "remove-all":
            await agent.remove_all()
        elif order == "lock":
            await agent.lock(*words)
        elif order == "unlock":
            await agent.unlock(*words)
        elif order == "query":
            print(*await agent.query_extensions(), sep="\n")
        else:
            sys.exit(f"unknown: {order}")


if __name__ == "__main__":
    if sys.argv[1] == "list":
        asyncio.run(show_keys())
    elif sys.argv[1] in ("login", "forward"):
        sys.exit(asyncio.run(log_in(*sys.argv[2:6], forward=sys.argv[1] == "forward")))
    else:
        asyncio.run(change(sys.argv[1], sys.argv[2:]))
