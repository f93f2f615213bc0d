import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import react

from txws_simple import CloseCode, WebSocketFactory, WebSocketPeer


class Room:
    def __init__(self) -> None:
        self._peers: set[WebSocketPeer] = set()

    async def chat(self, peer: WebSocketPeer) -> None:
        self._peers.add(peer)
        try:
            while (message := await peer.receive()) is not None:
                if isinstance(message, bytes):
                    await peer.shutdown(CloseCode.UNSUPPORTED_DATA, "text only")
                    return
                self._say(message)
        finally:
            self._peers.discard(peer)

    def _say(self, message: str) -> None:
        for peer in list(self._peers):
            peer.send(message)


async def main(reactor: Any, endpoint: str = "tcp:8080") -> None:
    factory = WebSocketFactory(Room().chat, max_buffered=256 * 1024)
    port = await serverFromString(reactor, endpoint).listen(factory)
    print("listening on", port.getHost(), flush=True)
    await Deferred[None]()  # until the process is stopped


react(main, sys.argv[1:])
