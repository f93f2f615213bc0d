"""Bare asyncio, which sends back the bytes that it gets."""

import asyncio

from asyncio_common import context, run


class Echo(asyncio.Protocol):
    def connection_made(self, transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


async def main() -> int:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=4096, ssl=context())
    return server.sockets[0].getsockname()[1]


run(main)
