"""A page without content, and a WebSocket whose paths are what a browser has to meet.

``python tests/real/served.py`` says where they listen: the page first.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import deferLater, react
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data

from txws_simple import WebSocketFactory, WebSocketPeer

reactor: Any = _reactor

SERVER = "tcp:0:interface=127.0.0.1"
PONGS = 5


async def echo(peer: WebSocketPeer) -> None:
    while (message := await peer.receive()) is not None:
        await peer.send(message)


async def fragments(peer: WebSocketPeer) -> None:
    """Each message comes back in frames of a thousand bytes."""
    while (message := await peer.receive()) is not None:
        await peer.send(message, fragment_size=1000)


async def close(peer: WebSocketPeer) -> None:
    """Closes as the query says it."""
    assert peer.request is not None
    query = parse_qs(peer.request.query)
    await peer.shutdown(int(query["code"][0]), query["reason"][0])


async def patience(peer: WebSocketPeer) -> None:
    """Says how many pings were answered, once it is several."""
    latencies: set[float] = set()
    while len(latencies) < PONGS:
        await deferLater(reactor, 0.01)
        if peer.latency is not None:
            latencies.add(peer.latency)
    await peer.send(f"{PONGS} pongs")
    await echo(peer)


class Ends:
    """Tells how the connection before ended for the server."""

    def __init__(self) -> None:
        self._end: Deferred[str] = Deferred()

    async def farewell(self, peer: WebSocketPeer) -> None:
        """Waits for the end."""
        try:
            await peer.receive()
        finally:
            self._end.callback(f"{peer.close_code} {peer.close_reason}")

    async def report(self, peer: WebSocketPeer) -> None:
        """Waits for that end, too, and says it."""
        await peer.send(await self._end)
        self._end = Deferred()


async def main(_: Any) -> None:
    root = Resource()
    root.putChild(b"", Data(b"<!DOCTYPE html><title>Blank</title>", "text/html"))
    site = await serverFromString(reactor, SERVER).listen(Site(root))
    ends = Ends()
    handlers: dict[str, Any] = {
        handler.__name__: handler
        for handler in (echo, fragments, close, patience, ends.farewell, ends.report)
    }

    def serve(peer: WebSocketPeer) -> Any:
        assert peer.request is not None
        return handlers[peer.request.path[1:]](peer)

    factory = WebSocketFactory(
        serve,
        ping_frequency=0.2,
        origins=[f"http://127.0.0.1:{site.getHost().port}"],
        subprotocols=["second.example", "first.example"],
    )
    port = await serverFromString(reactor, SERVER).listen(factory)
    print("listening on", site.getHost(), port.getHost(), flush=True)
    await Deferred[None]()  # until the process is stopped


if __name__ == "__main__":
    react(main)
