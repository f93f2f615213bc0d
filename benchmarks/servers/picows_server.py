"""``picows``: an echo, or a broadcast."""

import asyncio
import sys

from asyncio_common import MOST, context, run
from picows import WSFrame, WSListener, WSTransport, WSUpgradeRequest, ws_create_server

peers = []


class Echo(WSListener):
    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        transport.send(frame.msg_type, frame.get_payload_as_memoryview(), frame.fin)


class Broadcast(WSListener):
    def on_ws_connected(self, transport: WSTransport) -> None:
        peers.append(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        for peer in peers:
            peer.send(frame.msg_type, payload)


def listener(request: WSUpgradeRequest) -> WSListener:
    return Broadcast() if "broadcast" in sys.argv else Echo()


async def main() -> int:
    server = await ws_create_server(
        listener,
        *("127.0.0.1", 0),
        max_frame_size=MOST,
        enable_auto_ping=True,
        auto_ping_idle_timeout=20,
        backlog=4096,
        ssl=context(),
    )
    asyncio.get_running_loop().server = server
    return server.sockets[0].getsockname()[1]


run(main)
