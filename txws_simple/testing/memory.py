"""A transport in memory, of which a test has the other end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IPushProducer,
    ITransport,
)
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["MemoryTransport"]


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
        self._options = {"TcpNoDelay": False, "TcpKeepAlive": False}

    def getPeer(self) -> IAddress:
        """The other side's address."""
        return self.address

    def getHost(self) -> IAddress:
        """This side's."""
        return IPv4Address("TCP", "192.0.2.2", 80)

    # What an application may set; nothing comes of it

    def getTcpNoDelay(self) -> bool:
        """What was set."""
        return self._options["TcpNoDelay"]

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Remember it."""
        self._options["TcpNoDelay"] = bool(enabled)

    def getTcpKeepAlive(self) -> bool:
        """What was set."""
        return self._options["TcpKeepAlive"]

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Remember it."""
        self._options["TcpKeepAlive"] = bool(enabled)

    # What the protocol writes

    def write(self, data: bytes) -> None:
        """Keep it until the other side reads."""
        if not isinstance(data, bytes):
            raise TypeError(f"{type(data).__name__} is not bytes")
        self._written.append(data)
        if self.is_full and self.producer is not None:
            self.producer.pauseProducing()

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

    def abortConnection(self) -> None:
        """End it in the next turn."""
        if not self.disconnected:
            self.disconnected = True
            self._clock.callLater(0, self.lose, ConnectionAborted())
