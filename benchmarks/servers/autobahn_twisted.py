"""Autobahn|Python on Twisted."""

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from common import listen


class Echo(WebSocketServerProtocol):
    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.sendMessage(payload, isBinary)


factory = WebSocketServerFactory()
factory.protocol = Echo
factory.setProtocolOptions(autoPingInterval=20)
listen(factory)
