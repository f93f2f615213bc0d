"""txws_simple: ``each``, and ``await read()``."""

import sys

from common import MOST, listen

from txws_simple import WebSocketFactory


async def read(peer) -> None:
    while (frame := await peer.read()) is not None:
        await peer.write(frame)


def each(peer):
    return peer.each(peer.write)


LIMITS = {
    "max_frame_size": MOST,
    "max_message_size": None,
    "max_fragments": None,
    "max_buffered": 4 * MOST,
}

listen(WebSocketFactory(read if "read" in sys.argv else each, **LIMITS))
