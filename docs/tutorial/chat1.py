import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import react

from txws_simple import WebSocketFactory, WebSocketPeer


async def chat(peer: WebSocketPeer) -> None:
    await peer.send("welcome")


async def main(reactor: Any, endpoint: str = "tcp:8080") -> None:
    port = await serverFromString(reactor, endpoint).listen(WebSocketFactory(chat))
    print("listening on", port.getHost(), flush=True)
    await Deferred[None]()  # until the process is stopped


react(main, sys.argv[1:])
