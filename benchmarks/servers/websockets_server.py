"""``websockets``: an echo, or a broadcast."""

import sys

from asyncio_common import MOST, context, run
from websockets.asyncio.server import broadcast, serve

peers = set()


async def echo(connection) -> None:
    async for message in connection:
        await connection.send(message)


async def to_all(connection) -> None:
    peers.add(connection)
    async for message in connection:
        broadcast(peers, message)


async def main() -> int:
    server = await serve(
        to_all if "broadcast" in sys.argv else echo,
        *("127.0.0.1", 0),
        max_size=MOST,
        compression=None,
        backlog=4096,
        ssl=context(),
    )
    return server.sockets[0].getsockname()[1]


run(main)
