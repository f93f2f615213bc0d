"""A connection in memory: its transport, and what a client makes of the bytes.

Nothing here knows what a test wants; that is for :mod:`.testing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IProtocolFactory,
    IPushProducer,
    ITransport,
)
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from .connection import Connection
from .frames import Frame, Opcode
from .headers import Headers

__all__ = ["MemoryClient", "MemoryTransport"]

#: A bound that no message meets: what is tested is the other side.
_BOUNDLESS = 1 << 62


@implementer(ITransport, IConsumer, IPushProducer)
class MemoryTransport:
    """Bytes in memory, and word of the end as a real transport gives it.

    Args:
        clock: Schedules what a reactor would.
        address: The other side's.

    Attributes:
        address: The same.
        protocol: Whom it is for.
        producer: What is registered, and told when to write.
        is_full: Whether what is written waits, for nobody reads it.
        is_paused: Whether the protocol reads nothing.
        is_lost: Whether the protocol was told of the end.
        disconnecting: Whether the connection is being ended in order.
        disconnected: Whether it was aborted.
        moved: Called whenever there is something to see for the other side.
    """

    def __init__(self, clock: Clock, address: IAddress | None = None) -> None:
        self._clock = clock
        self.address = address or IPv4Address("TCP", "192.0.2.1", 54321)
        self._written: list[bytes] = []
        self.protocol: Any = None
        self.producer: Any = None
        self.is_full = False
        self.is_paused = False
        self.is_lost = False
        self.disconnecting = False
        self.disconnected = False
        self.moved: Callable[[], object] = lambda: None

    def getPeer(self) -> IAddress:
        """The other side's address."""
        return self.address

    def getHost(self) -> IAddress:
        """This side's."""
        return IPv4Address("TCP", "192.0.2.2", 80)

    # What the protocol writes

    def write(self, data: bytes) -> None:
        """Keep it until the other side reads."""
        if not isinstance(data, bytes):
            raise TypeError(f"{type(data).__name__} is not bytes")
        self._written.append(data)
        if self.is_full and self.producer is not None:
            self.producer.pauseProducing()
        self.moved()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """The same for several pieces."""
        self.write(b"".join(data))

    def value(self) -> bytes:
        """What was written and not read."""
        return b"".join(self._written)

    def take(self) -> bytes:
        """Read it, unless nobody does."""
        if self.is_full:
            return b""
        data = self.value()
        self._written.clear()
        return data

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """This one is told when to write."""
        if self.producer is not None:
            raise RuntimeError("a producer is registered already")
        if not streaming:
            raise NotImplementedError("a pull producer")
        self.producer = producer

    def unregisterProducer(self) -> None:
        """It is not any more."""
        self.producer = None

    # What it reads

    def pauseProducing(self) -> None:
        """Read nothing for now."""
        self.is_paused = True

    def resumeProducing(self) -> None:
        """Read on."""
        self.is_paused = False

    def stopProducing(self) -> None:
        """Read nothing more, and end the connection."""
        self.loseConnection()

    # How it ends

    def lose(self, error: Exception) -> None:
        """The connection is gone, for this reason."""
        if not self.is_lost:
            self.is_lost = True
            if self.producer is not None:
                self.producer.stopProducing()
            self.protocol.connectionLost(Failure(error))

    def loseConnection(self) -> None:
        """End it, once the other side has read what was written."""
        if self.producer is not None:
            raise AssertionError("a transport with a producer doesn't close")
        self.disconnecting = True
        self.moved()

    def abortConnection(self) -> None:
        """End it in the next turn."""
        if not self.disconnected:
            self.disconnected = True
            self._clock.callLater(0, self.lose, ConnectionAborted())
            self.moved()


class MemoryClient:
    """The client's end of a connection, which takes its turns when it is told so.

    Pings and Closes that come are answered.

    Args:
        factory: Builds the protocol of the other end.
        clock: Schedules what a reactor would.
        address: The client's.
    """

    def __init__(
        self, factory: IProtocolFactory, clock: Clock, address: IAddress | None
    ) -> None:
        self.clock = clock
        self.status: int | None = None
        self.headers = Headers()
        self.body = ""
        self.frames: list[Frame] = []
        self.pings: list[bytes] = []
        self.pongs: list[bytes] = []
        self._head = b""  # of the answer, until it is whole
        self._unsent: list[bytes] = []
        self._unread: list[str | bytes] = []
        self._is_busy = False
        self._connection = Connection(
            client=True,
            max_frame_size=_BOUNDLESS,
            max_message_size=None,
            max_fragments=None,
        )
        self._transport = MemoryTransport(clock, address)
        protocol: Any = factory.buildProtocol(self._transport.getPeer())
        if protocol is None:
            raise AssertionError("the factory takes no more connections")
        self._transport.protocol = protocol
        protocol.makeConnection(self._transport)

    @property
    def _is_over(self) -> bool:
        """Whether somebody has begun to end the connection."""
        connection = self._connection
        return self._transport.is_lost or connection.over or connection.sent is not None

    def _put(self, pieces: Iterable[bytes | memoryview]) -> None:
        """Send this in the next turn."""
        if data := b"".join(pieces):
            self._unsent.append(data)

    def _exchange(self) -> bool:
        """Take a turn: let bytes go one way or the other; whether anything did."""
        if self._is_busy or self._transport.is_lost:
            return False
        self._is_busy = True
        try:
            return self._deliver() or self._read() or self._let_end()
        finally:
            self._is_busy = False

    def _deliver(self) -> bool:
        if not self._unsent or self._transport.is_paused:
            return False
        self._transport.protocol.dataReceived(self._unsent.pop(0))
        return True

    def _read(self) -> bool:
        data = self._transport.take()
        if not data:
            return False
        if self.status is None:
            data = self._read_head(data)
        if self.status == 101:
            self._hear(data)
        else:
            self.body += data.decode()
        return True

    def _let_end(self) -> bool:
        """The application's side ends the connection: so does this one."""
        if self._transport.disconnecting and not self._transport.is_full:
            self._transport.lose(ConnectionDone())
        return self._transport.is_lost

    def _read_head(self, data: bytes) -> bytes:
        """The answer to the handshake, and what came behind it."""
        head, end, rest = (self._head + data).partition(b"\r\n\r\n")
        if not end:
            self._head = head
            return b""
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split(" ")[1])
        self.headers = Headers.parsed(lines)
        return rest

    def _hear(self, data: bytes) -> None:
        connection = self._connection
        for frame in connection.receive(data):
            self.frames.append(frame)
            if frame.fin:
                self._unread.append(self._last_message())
        if connection.violation is not None:
            raise AssertionError("the protocol was broken") from connection.violation
        for payload in connection.pings:
            if connection.sent is None:
                self._put(connection.pong(payload))
        self.pings += connection.pings
        self.pongs += connection.pongs
        self._put(connection.answer())

    def _last_message(self) -> str | bytes:
        """The last frame, with those before it up to one that begins a message."""
        first = len(self.frames) - 1
        while self.frames[first].opcode is Opcode.CONTINUATION:
            first -= 1
        data = b"".join(frame.data for frame in self.frames[first:])
        return data.decode() if self.frames[first].opcode is Opcode.TEXT else data
