"""A TCP connection of Twisted's own, over a socket that does what a test says.

Everything above the socket is what runs in a server: the transport, its buffer, its
producer.  Below it nothing is left to the kernel: how many bytes are taken, when, and
at which of them the connection breaks.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Sequence
from errno import ECONNRESET, EWOULDBLOCK
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.tcp import Server
from twisted.python.failure import Failure

from .wires import Wire

#: Room for whatever may come.
ENDLESS = 1 << 60


class ScriptedSocket:
    """What Twisted asks of a connected socket.

    Attributes:
        room: How many bytes it takes before it is full.
        taken: Those that it took.
        is_broken: Whether a reset has arrived.
        has_ended: Whether a FIN has arrived, behind all that did.
        is_shut: Whether a FIN was sent.
        is_closed: Whether it was closed.
        was_reset: Whether a reset was sent.
    """

    def __init__(self) -> None:
        self.room = ENDLESS
        self.taken = bytearray()
        self.is_broken = self.has_ended = False
        self.is_shut = self.is_closed = self.was_reset = False
        self._arrived: deque[bytes] = deque()

    def arrive(self, data: bytes) -> None:
        """The other side's bytes are here."""
        self._arrived.append(data)

    @property
    def is_readable(self) -> bool:
        return self.is_broken or self.has_ended or bool(self._arrived)

    @property
    def is_writable(self) -> bool:
        return self.is_broken or self.room > 0

    # As a socket

    def recv(self, size: int) -> bytes:
        self._fail_if_broken()
        if self._arrived:
            data = self._arrived.popleft()
            if len(data) > size:
                self._arrived.appendleft(data[size:])
            return data[:size]
        if not self.has_ended:
            raise BlockingIOError(EWOULDBLOCK, "nothing is here")
        return b""

    def send(self, data: bytes | memoryview) -> int:
        return self.sendmsg([data])

    def sendmsg(self, pieces: Sequence[bytes | memoryview]) -> int:
        self._fail_if_broken()
        data = b"".join(pieces)[: self.room]
        if not data:
            raise BlockingIOError(EWOULDBLOCK, "no room")
        self.room -= len(data)
        self.taken += data
        return len(data)

    def _fail_if_broken(self) -> None:
        if self.is_broken:
            raise ConnectionResetError(ECONNRESET, "reset")

    def shutdown(self, how: int) -> None:
        self._fail_if_broken()
        self.is_shut = True

    def setsockopt(self, level: int, option: int, value: object) -> None:
        self.was_reset |= option == socket.SO_LINGER and level == socket.SOL_SOCKET

    def setblocking(self, is_blocking: bool) -> None:
        assert not is_blocking

    def close(self) -> None:
        self.is_closed = True

    def fileno(self) -> int:
        raise AssertionError("there is none")


class ScriptedReactor:
    """What a transport asks of a reactor; it turns when it is told to."""

    def __init__(self, clock: Clock) -> None:
        self.callLater = clock.callLater
        self.getDelayedCalls = clock.getDelayedCalls
        self._readers: list[Any] = []
        self._writers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        if reader not in self._readers:
            self._readers.append(reader)

    def addWriter(self, writer: Any) -> None:
        if writer not in self._writers:
            self._writers.append(writer)

    def removeReader(self, reader: Any) -> None:
        if reader in self._readers:
            self._readers.remove(reader)

    def removeWriter(self, writer: Any) -> None:
        if writer in self._writers:
            self._writers.remove(writer)

    def getReaders(self) -> list[Any]:
        return self._readers

    def iterate(self, delay: float) -> None:
        """As any reactor's, but that it never waits."""
        self.turn()

    def turn(self) -> bool:
        """Read and write once, where it can be done; whether it could."""
        readers = [one for one in self._readers if one.socket.is_readable]
        for reader in readers:
            self._lose_if(reader.doRead(), reader, is_reading=True)
        writers = [one for one in self._writers if one.socket.is_writable]
        for writer in writers:
            self._lose_if(writer.doWrite(), writer, is_reading=False)
        return bool(readers or writers)

    def _lose_if(self, why: Exception | None, one: Any, is_reading: bool) -> None:
        if why is None:
            return
        self.removeReader(one)
        if is_reading and isinstance(why, ConnectionDone):
            one.readConnectionLost(Failure(why))
        else:
            self.removeWriter(one)
            one.connectionLost(Failure(why))


class _Transport(Server):
    """Counts what is given to it to write, and what of that has gone."""

    _given = _gone = _latest = 0

    def write(self, data: bytes) -> None:
        self._latest = len(data)
        self._given += len(data)
        super().write(data)

    def writeSomeData(self, data: bytes) -> Any:
        count = super().writeSomeData(data)
        if isinstance(count, int):
            self._gone += count
        return count

    @property
    def begun(self) -> int:
        """How much has gone of the last write, where that has not gone whole."""
        rest = self._given - self._gone
        return self._latest - rest if rest else 0


class ScriptedWire(Wire):
    """A connection over a `ScriptedSocket`.

    Attributes:
        socket: That one.
    """

    def _connect(self, factory: Factory) -> None:
        self.socket = ScriptedSocket()
        self.reactor = ScriptedReactor(self.clock)
        self.protocol = factory.buildProtocol(None)
        self.transport = _Transport(
            self.socket,  # type: ignore[arg-type]
            self.protocol,
            ("127.0.0.1", 1),
            None,  # type: ignore[arg-type]
            1,
            self.reactor,  # type: ignore[arg-type]
        )
        self.protocol.makeConnection(self.transport)

    def pump(self) -> None:
        self.clock.advance(0)
        while self.reactor.turn():
            self.clock.advance(0)
        self.got += bytes(self.socket.taken)
        self.socket.taken.clear()

    def send(self, data: bytes) -> None:
        self.socket.arrive(data)
        self.pump()

    def stall(self) -> None:
        self.socket.room = 0

    def unstall(self) -> None:
        self.socket.room = ENDLESS
        self.pump()

    def take(self, count: int) -> None:
        """The client takes so many bytes, and then no more."""
        self.socket.room = count
        self.pump()

    def fin(self) -> None:
        self.socket.has_ended = True
        self.pump()

    def reset(self) -> None:
        self.socket.is_broken = True
        self.pump()

    @property
    def is_ended(self) -> bool:
        self.pump()
        return self.socket.is_shut or self.socket.is_closed

    @property
    def is_aborted(self) -> bool:
        self.pump()
        return self.socket.was_reset

    @property
    def is_paused(self) -> bool:
        return self.transport not in self.reactor.getReaders()
