"""The same with txws_simple: ``python from_twisted_web_after.py [tcp:8080]``."""

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import react

from txws_simple import Request, Response, WebSocketFactory, WebSocketPeer

crowd: list[WebSocketPeer] = []


def check(request: Request) -> Response | None:
    return None if request.path == "/megaphone" else Response(404)


async def megaphone(peer: WebSocketPeer) -> None:
    crowd.append(peer)
    try:
        while (message := await peer.receive()) is not None:
            if isinstance(message, bytes):
                await peer.shutdown(1003)
                return
            if message == "":
                await peer.shutdown(4001)
                return
            times, words = message.split(" ", 1)
            for each in list(crowd):  # one that is too slow goes
                each.send(words.upper() * int(times))
    finally:
        crowd.remove(peer)


async def main(reactor: Any, endpoint: str = "tcp:8080") -> None:
    factory = WebSocketFactory(megaphone, on_request=check)
    port = await serverFromString(reactor, endpoint).listen(factory)
    print("listening on", port.getHost(), flush=True)
    await Deferred[None]()  # until the process is stopped


react(main, sys.argv[1:])
