"""A page and a WebSocket on one port: ``python examples/upgrade.py [tcp:8080]``.

For a program that has a twisted.web site already: a resource answers the opening
handshake, then hands the connection over to a peer.
"""

import sys
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import react
from twisted.logger import Logger
from twisted.web import server
from twisted.web.resource import Resource
from twisted.web.static import Data

from txws_simple import (
    ConnectionClosed,
    HandshakeError,
    Headers,
    Request,
    WebSocketPeer,
    new,
)
from txws_simple.handshake import accept, check

PAGE = b"""<!DOCTYPE html>
<title>Echo</title>
<input autofocus onchange="socket.send(value); value = ''">
<pre></pre>
<script>
  const socket = new WebSocket(location.href.replace(/^http/, "ws") + "ws");
  socket.onmessage = event =>
    document.querySelector("pre").append(event.data + "\\n");
</script>
"""

log = Logger()


class WebSocketResource(Resource):
    """Hands over each connection that opens a WebSocket to ``handler(peer)``."""

    isLeaf = True

    def __init__(self, handler: Callable[[WebSocketPeer], Awaitable[None]]) -> None:
        Resource.__init__(self)
        self._handler = handler

    def render(self, request: server.Request) -> bytes | int:
        opening = _opening(request)
        try:
            _check_http(request)
            check(opening)
        except HandshakeError as error:
            return _refuse(request, error)
        # From here on the channel has no part in the connection any more.
        channel = request.channel
        channel.setTimeout(None)
        transport: Any = channel.transport
        transport.write(accept(opening, None))
        peer = new(
            transport,
            ping_frequency=20,
            handshaked=True,
            received=channel.clearLineBuffer(),
            request=opening,
        )
        Deferred.fromCoroutine(self._serve(peer))
        return server.NOT_DONE_YET

    async def _serve(self, peer: WebSocketPeer) -> None:
        try:
            async with peer:
                await self._handler(peer)
        except ConnectionClosed:
            pass  # that it was lost is no fault of the handler
        except Exception:
            log.failure("handler failed")


def _opening(request: server.Request) -> Request:
    """The request in the words of txws_simple."""
    path, _, query = request.uri.decode("latin-1").partition("?")
    fields = (
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, values in request.requestHeaders.getAllRawHeaders()
        for value in values
    )
    return Request(path, query, Headers(fields))


def _check_http(request: server.Request) -> None:
    """What is of the request and not of its headers."""
    if request.method != b"GET":
        raise HandshakeError(405, "method is not GET", (("Allow", "GET"),))
    if request.clientproto != b"HTTP/1.1":
        raise HandshakeError(505, "HTTP version is not 1.1")
    if len(request.requestHeaders.getRawHeaders(b"Host", [])) != 1:
        raise HandshakeError(400, "not one Host")


def _refuse(request: server.Request, error: HandshakeError) -> bytes:
    request.setResponseCode(error.status)
    request.setHeader("Content-Type", "text/plain; charset=utf-8")
    for name, value in error.headers:
        request.responseHeaders.addRawHeader(name, value)
    return f"{error.reason}\n".encode()


async def echo(peer: WebSocketPeer) -> None:
    async for frame in peer:
        await peer.write(frame)


async def main(reactor: Any, endpoint: str = "tcp:8080") -> None:
    root = Resource()
    root.putChild(b"", Data(PAGE, "text/html"))
    root.putChild(b"ws", WebSocketResource(echo))
    port = await serverFromString(reactor, endpoint).listen(server.Site(root))
    print("listening on", port.getHost(), flush=True)
    await Deferred[None]()  # until the process is stopped


if __name__ == "__main__":
    react(main, sys.argv[1:])
