"""Autobahn|Python on Twisted: an echo, or a broadcast, prepared or not."""

import sys

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from common import listen

peers = []


class Echo(WebSocketServerProtocol):
    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.sendMessage(payload, isBinary)


class Broadcast(WebSocketServerProtocol):
    def onOpen(self) -> None:
        peers.append(self)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        for peer in peers:
            peer.sendMessage(payload, isBinary)


class Prepared(Broadcast):
    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        message = self.factory.prepareMessage(payload, isBinary)
        for peer in peers:
            peer.sendPreparedMessage(message)


KINDS = {"broadcast": Broadcast, "prepared": Prepared}

factory = WebSocketServerFactory()
factory.protocol = KINDS.get(sys.argv[-1], Echo)
factory.setProtocolOptions(autoPingInterval=20)
listen(factory)
