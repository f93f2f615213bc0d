"""An echo server: ``python examples/echo.py [tcp:8080]``."""

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import react

from txws_simple import WebSocketFactory, WebSocketPeer


async def echo(peer: WebSocketPeer) -> None:
    async for frame in peer:
        await peer.write(frame)


async def main(reactor: Any, endpoint: str = "tcp:8080") -> None:
    port = await serverFromString(reactor, endpoint).listen(WebSocketFactory(echo))
    print("listening on", port.getHost(), flush=True)
    await Deferred[None]()  # until the process is stopped


react(main, sys.argv[1:])
