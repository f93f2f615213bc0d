"""txws_simple: ``each``, ``await read()``, with writes awaited, a broadcast."""

import sys

from common import MOST, listen

from txws_simple import WebSocketFactory

peers = []


async def read(peer) -> None:
    while (frame := await peer.read()) is not None:
        peer.write(frame)


async def awaited(peer) -> None:
    while (frame := await peer.read()) is not None:
        await peer.write(frame)


def each(peer):
    return peer.each(peer.write)


def broadcast(peer):
    def to_all(frame) -> None:
        for listener in peers:
            listener.write(frame)

    peers.append(peer)
    return peer.each(to_all)


HANDLERS = {"each": each, "read": read, "awaited": awaited, "broadcast": broadcast}
LIMITS = {
    "max_frame_size": MOST,
    "max_message_size": None,
    "max_fragments": None,
    "max_buffered": 4 * MOST,
}

listen(WebSocketFactory(HANDLERS[sys.argv[1]], **LIMITS))
