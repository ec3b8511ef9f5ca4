"""A real SSH server for file transfer on loopback, of one user who has a key.

python sftp_server.py HOST_KEY AUTHORIZED_KEYS    prints its port and serves until it is ended
"""

import asyncio
import sys

import asyncssh


async def serve(host_key: str, authorized_keys: str) -> None:
    """Serves the files of this machine that this process may read and write."""
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[host_key],
        authorized_client_keys=authorized_keys,
        sftp_factory=True,
    )
    print(server.get_port(), flush=True)
    await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
