"""Ways to write to listeners of different speed."""

import time

from twisted.internet.task import LoopingCall

from txws_simple import WebSocketFactory, WebSocketPeer

LINES = [f"line {number}" for number in range(1000)]


async def in_step(peer: WebSocketPeer) -> None:
    """Send as fast as the listener reads, and no faster."""
    for line in LINES:
        await peer.write(line)


async def in_time(peer: WebSocketPeer) -> None:
    """Give up a listener that takes nothing for ten seconds."""
    try:
        for line in LINES:
            await peer.write(line, timeout=10)
    except TimeoutError:
        peer.close()


def tell_time(peer: WebSocketPeer) -> None:
    """Skip what a slow listener would get too late."""
    if not peer.buffered:
        peer.write(time.strftime("%H:%M:%S"))


async def newest(peer: WebSocketPeer) -> None:
    ticks = LoopingCall(tell_time, peer)
    ticks.start(0.1)
    try:
        await peer.each(lambda frame: None)  # until the end; what it says is dropped
    finally:
        ticks.stop()


in_step_factory = WebSocketFactory(in_step)
in_time_factory = WebSocketFactory(in_time)
newest_factory = WebSocketFactory(newest)
