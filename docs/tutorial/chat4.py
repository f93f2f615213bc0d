import sys
from typing import Any
from urllib.parse import parse_qs

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import react

from txws_simple import CloseCode, Request, Response, WebSocketFactory, WebSocketPeer


def name_of(request: Request | None) -> str | None:
    query = parse_qs(request.query) if request is not None else {}
    return query.get("name", [None])[0]


def admit(request: Request) -> Response | None:
    if request.path != "/chat":
        return Response(404)
    if name_of(request) is None:
        return Response(400, body="who are you?")
    return None


class Room:
    def __init__(self) -> None:
        self._peers: set[WebSocketPeer] = set()

    async def chat(self, peer: WebSocketPeer) -> None:
        name = name_of(peer.request)
        self._peers.add(peer)
        self._say(f"{name} has come")
        try:
            while (message := await peer.receive(timeout=600)) is not None:
                if isinstance(message, bytes):
                    await peer.shutdown(CloseCode.UNSUPPORTED_DATA, "text only")
                    return
                self._say(f"{name}: {message}")
        except TimeoutError:
            await peer.shutdown(reason="asleep")
        finally:
            self._peers.discard(peer)
            self._say(f"{name} has left")

    def _say(self, message: str) -> None:
        for peer in list(self._peers):
            peer.send(message)


async def main(reactor: Any, endpoint: str = "tcp:8080") -> None:
    factory = WebSocketFactory(
        Room().chat,
        on_request=admit,
        max_message_size=4096,
        max_buffered=256 * 1024,
    )
    port = await serverFromString(reactor, endpoint).listen(factory)

    async def stop() -> None:
        await port.stopListening()
        await factory.drain()

    reactor.addSystemEventTrigger(
        "before", "shutdown", lambda: Deferred.fromCoroutine(stop())
    )
    print("listening on", port.getHost(), flush=True)
    await Deferred[None]()  # until the process is stopped


react(main, sys.argv[1:])
