"""``picows``."""

import asyncio

from asyncio_common import MOST, run
from picows import WSFrame, WSListener, WSTransport, WSUpgradeRequest, ws_create_server


class Echo(WSListener):
    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        transport.send(frame.msg_type, frame.get_payload_as_memoryview(), frame.fin)


def listener(request: WSUpgradeRequest) -> WSListener:
    return Echo()


async def main() -> int:
    server = await ws_create_server(
        listener, "127.0.0.1", 0, max_frame_size=MOST, backlog=4096
    )
    asyncio.get_running_loop().server = server
    return server.sockets[0].getsockname()[1]


run(main)
