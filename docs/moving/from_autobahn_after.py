"""The same with txws_simple: ``python from_autobahn_after.py [tcp:8080]``."""

import json
import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import react

from txws_simple import Request, Response, WebSocketFactory, WebSocketPeer


def check(request: Request) -> Response | None:
    return None if request.path == "/counter" else Response(404, body="no such counter")


class Counter:
    def __init__(self) -> None:
        self.total = 0
        self.peers: list[WebSocketPeer] = []

    async def serve(self, peer: WebSocketPeer) -> None:
        self.peers.append(peer)
        try:
            self.tell(peer)
            while (message := await peer.receive()) is not None:
                if isinstance(message, bytes):
                    await peer.shutdown(4003, "text only")
                    return
                try:
                    order = json.loads(message)
                except ValueError:
                    await peer.shutdown(4000, "not JSON")
                    return
                self.total += order["add"]
                for each in list(self.peers):  # one that is too slow goes
                    self.tell(each)
        finally:
            self.peers.remove(peer)

    def tell(self, peer: WebSocketPeer) -> None:
        peer.send(json.dumps({"total": self.total}))


async def main(reactor: Any, endpoint: str = "tcp:8080") -> None:
    factory = WebSocketFactory(
        Counter().serve,
        on_request=check,
        subprotocols=["counter.v1"],
        ping_frequency=20,
        max_message_size=65536,
    )
    port = await serverFromString(reactor, endpoint).listen(factory)
    print("listening on", port.getHost(), flush=True)
    await Deferred[None]()  # until the process is stopped


react(main, sys.argv[1:])
