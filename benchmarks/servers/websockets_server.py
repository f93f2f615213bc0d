"""``websockets``."""

from asyncio_common import MOST, run
from websockets.asyncio.server import serve


async def echo(connection) -> None:
    async for message in connection:
        await connection.send(message)


async def main() -> int:
    server = await serve(
        echo, "127.0.0.1", 0, max_size=MOST, compression=None, backlog=4096
    )
    return server.sockets[0].getsockname()[1]


run(main)
