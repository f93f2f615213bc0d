"""Twisted, without any WebSocket, sending at once: the floor under its reactor."""

from common import listen
from twisted.internet.protocol import Factory, Protocol


class Echo(Protocol):
    def dataReceived(self, data: bytes) -> None:
        if self.transport.getHandle().send(data) != len(data):
            raise RuntimeError("only for what the kernel takes at once")


listen(Factory.forProtocol(Echo))
