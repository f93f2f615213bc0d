"""The same with txws_simple: ``python from_txws_after.py [tcp:8080]``."""

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import react

from txws_simple import WebSocketFactory, WebSocketPeer


class Room:
    def __init__(self) -> None:
        self.chats: dict[str, WebSocketPeer] = {}

    async def chat(self, peer: WebSocketPeer) -> None:
        peer.send("who are you?")
        name = await next_line(peer)
        if name is None:
            return
        if name in self.chats:
            peer.send("taken")
            return
        self.chats[name] = peer
        try:
            self.say(f"{name} is here")
            while (line := await next_line(peer)) is not None:
                self.say(f"<{name}> {line}")
        finally:
            del self.chats[name]
            self.say(f"{name} has left")

    def say(self, line: str) -> None:
        for peer in list(self.chats.values()):  # one that is too slow goes
            peer.send(line)


async def next_line(peer: WebSocketPeer) -> str | None:
    """A message is a line: nothing has to be cut or put together."""
    message = await peer.receive()
    return message.decode() if isinstance(message, bytes) else message


async def main(reactor: Any, endpoint: str = "tcp:8080") -> None:
    factory = WebSocketFactory(Room().chat)
    port = await serverFromString(reactor, endpoint).listen(factory)
    print("listening on", port.getHost(), flush=True)
    await Deferred[None]()  # until the process is stopped


react(main, sys.argv[1:])
