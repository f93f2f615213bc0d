"""Ways to end."""

from twisted.logger import Logger

from txws_simple import (
    ConnectionClosed,
    WebSocketFactory,
    WebSocketPeer,
)

log = Logger()


async def report(peer: WebSocketPeer) -> None:
    """Echo, and say afterwards how it ended."""
    try:
        async for frame in peer:
            await peer.write(frame)
        log.info("normal end")
    except ConnectionClosed as closed:
        log.info("ended with {code} {reason!r}", code=closed.code, reason=closed.reason)
        if peer.error() is not None:
            log.info("for {error!r}", error=peer.error())


async def goodbye(peer: WebSocketPeer) -> None:
    await peer.send("one thing")
    if not await peer.shutdown(4000, "that was all"):
        log.info("not in order: {error!r}", error=peer.error())


report_factory = WebSocketFactory(report)
goodbye_factory = WebSocketFactory(goodbye)
