"""A chat and its page: ``python examples/chat/server.py [tcp:8080 [tcp:8081]]``.

The first endpoint is that of the page, the second one that of the WebSocket.  Only
the page may connect, as it is loaded from this machine; any other address that it is
loaded from is said behind the endpoints: ``http://192.168.1.5:8080``.

A text message from the page is what somebody says, a binary one a file.  A text
message to the page is an event in JSON; a binary one is the file that the event
before it tells of.
"""

import json
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import parse_qs

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import LoopingCall, react
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data, File

from txws_simple import CloseCode, Request, WebSocketPeer
from txws_simple.policies import LimitedFactory, Limits

FOLDER = Path(__file__).parent
LOCAL = ("localhost", "127.0.0.1")
SUBPROTOCOL = "chat.v1"
MAX_NAME, MAX_TEXT, MAX_FILE = 30, 2000, 1024 * 1024  # characters twice, bytes
PING_EVERY = 5.0  # seconds, to show the latency

# Close codes from 4000 on are an application's own (RFC 6455, section 7.4.2).
BAD_NAME, NAME_TAKEN = 4000, 4001


class Room:
    """Those who are here, and what they tell each other."""

    def __init__(self) -> None:
        self._peers: dict[str, WebSocketPeer] = {}

    async def serve(self, peer: WebSocketPeer) -> None:
        name = name_of(peer.request)
        # A page sees why it was closed, but not why a handshake was refused.
        if not is_name(name):
            await peer.shutdown(BAD_NAME, f"a name has 1 to {MAX_NAME} characters")
        elif name in self._peers:
            await peer.shutdown(NAME_TAKEN, "this name is taken")
        else:
            await self._welcome(name, peer)

    async def _welcome(self, name: str, peer: WebSocketPeer) -> None:
        self._peers[name] = peer
        self._tell("joined", name)
        self._measure(peer)
        try:
            await self._listen(name, peer)
        finally:
            del self._peers[name]
            self._tell("left", name)

    async def _listen(self, name: str, peer: WebSocketPeer) -> None:
        while (message := await peer.receive()) is not None:
            if isinstance(message, bytes):
                digest = sha256(message).hexdigest()
                self._tell("file", name, size=len(message), sha256=digest)
                self._send(message)
            elif len(message) <= MAX_TEXT:
                self._tell("said", name, text=message)
            else:
                await peer.shutdown(CloseCode.MESSAGE_TOO_BIG, "that is too long")
                return

    def _tell(self, event: str, name: str, **more: object) -> None:
        here = sorted(self._peers)
        self._send(json.dumps({"event": event, "name": name, "here": here, **more}))

    def _send(self, message: str | bytes) -> None:
        # Nobody waits for a slow listener; one that is too slow is given up.
        for peer in list(self._peers.values()):
            peer.send(message)

    def measure(self) -> None:
        """Ping everybody, for pages can't, and tell each how long it took."""
        for peer in list(self._peers.values()):
            self._measure(peer)

    def _measure(self, peer: WebSocketPeer) -> None:
        def tell(seconds: float) -> None:
            peer.send(json.dumps({"event": "latency", "seconds": seconds}))

        # That a peer has gone meanwhile is for its reader to notice.
        peer.ping().addCallbacks(tell, lambda _: None)


def name_of(request: Request | None) -> str:
    query = parse_qs(request.query) if request is not None else {}
    return query.get("name", [""])[0].strip()


def is_name(name: str) -> bool:
    return 0 < len(name) <= MAX_NAME and name.isprintable()


def page(port: int) -> Data:
    """The page, which is told the port of the WebSocket."""
    text = (FOLDER / "index.html").read_text(encoding="utf-8")
    return Data(Template(text).substitute(port=port).encode(), "text/html")


def factory_for(room: Room, origins: Sequence[str]) -> LimitedFactory:
    """The WebSocket, with limits for the worst that a page may do."""
    limits = Limits(
        max_connections=500,
        max_per_address=50,
        max_message_rate=20,
        max_byte_rate=2 * MAX_FILE,
    )
    return LimitedFactory(
        room.serve,
        limits,
        origins=origins,
        subprotocols=[SUBPROTOCOL],
        max_frame_size=MAX_FILE,
        max_message_size=MAX_FILE,
        max_buffered=8 * MAX_FILE,
    )


async def main(
    reactor: Any, page_at: str = "tcp:8080", socket_at: str = "tcp:8081", *others: str
) -> None:
    root = Resource()
    for name in ("chat.css", "chat.js"):
        root.putChild(name.encode(), File(str(FOLDER / name)))
    web = await serverFromString(reactor, page_at).listen(Site(root))
    # What a browser sends as the origin of the page.
    local = [f"http://{host}:{web.getHost().port}" for host in LOCAL]
    room = Room()
    factory = factory_for(room, [*local, *others])
    port = await serverFromString(reactor, socket_at).listen(factory)
    root.putChild(b"", page(port.getHost().port))
    LoopingCall(room.measure).start(PING_EVERY, now=False)

    async def stop() -> None:
        await web.stopListening()
        await port.stopListening()
        await factory.drain()

    reactor.addSystemEventTrigger(
        "before", "shutdown", lambda: Deferred.fromCoroutine(stop())
    )
    print("listening on", web.getHost(), port.getHost(), flush=True)
    await Deferred[None]()  # until the process is stopped


if __name__ == "__main__":
    react(main, sys.argv[1:])
