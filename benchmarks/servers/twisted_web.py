"""``twisted.web.websocket``."""

from common import listen
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.websocket import WebSocketResource


class Echo:
    def negotiationStarted(self, transport) -> None:
        self.transport = transport

    def negotiationFinished(self) -> None:
        pass

    def bytesMessageReceived(self, data: bytes) -> None:
        self.transport.sendBytesMessage(data)

    def textMessageReceived(self, data: str) -> None:
        self.transport.sendTextMessage(data)

    def connectionLost(self, reason) -> None:
        pass

    def pongReceived(self, payload: bytes) -> None:
        pass


class Factory:
    def buildProtocol(self, request) -> Echo:
        return Echo()


root = Resource()
root.putChild(b"", WebSocketResource(Factory()))
listen(Site(root))
