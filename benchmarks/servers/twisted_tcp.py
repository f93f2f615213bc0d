"""The floor: bare Twisted, which sends back the bytes that it gets."""

from common import listen
from twisted.internet.protocol import Factory, Protocol


class Echo(Protocol):
    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)


listen(Factory.forProtocol(Echo))
