"""Twisted, with an answer that is always the same: the floor under any handshake."""

from common import listen
from twisted.internet.protocol import Factory, Protocol

#: To the key that the load sends.
ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


class Fixed(Protocol):
    def dataReceived(self, data: bytes) -> None:
        if self.transport.getHandle().send(ANSWER) != len(ANSWER):
            raise RuntimeError("only for what the kernel takes at once")


listen(Factory.forProtocol(Fixed))
