"""Connections for tests, of which both ends are in the test's hand.

The same cases run over a transport in memory and over real sockets, driven by
a reactor that only turns when a test says so.  Nobody sleeps; the clock that
schedules is always a `task.Clock`.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock

from txws_simple import WebSocketFactory
from txws_simple.frames import Decoder, Frame
from txws_simple.testing.memory import MemoryTransport

from .counting import Counting
from .helpers import request

#: How often a real reactor is turned, a millisecond each, before what was
#: waited for counts as not to come.
_TURNS = 1000
_FEW_TURNS = 20


class Wire:
    """One connection, seen from the client.

    Attributes:
        clock: Schedules what the server waits for.
        protocol: The server's protocol.
        got: What the client received.
    """

    def __init__(self, factory: Factory, clock: Clock) -> None:
        self.clock = clock
        self.got = b""
        self.protocol: Any = None
        self._connect(factory)

    def _connect(self, factory: Factory) -> None:
        raise NotImplementedError

    def pump(self) -> None:
        """Let everything happen that can."""
        raise NotImplementedError

    def send(self, data: bytes) -> None:
        """The client sends; the server gets it."""
        raise NotImplementedError

    def stall(self) -> None:
        """The client reads nothing more, and all buffers on the way are full."""
        raise NotImplementedError

    def unstall(self) -> None:
        """The client reads on."""
        raise NotImplementedError

    def fin(self) -> None:
        """The client ends the connection in order."""
        raise NotImplementedError

    def reset(self) -> None:
        """The client resets the connection."""
        raise NotImplementedError

    @property
    def is_ended(self) -> bool:
        """Whether the server has ended its side in order."""
        raise NotImplementedError

    @property
    def is_aborted(self) -> bool:
        """Whether the server has aborted the connection."""
        raise NotImplementedError

    @property
    def is_paused(self) -> bool:
        """Whether the server has stopped to read."""
        raise NotImplementedError

    @property
    def response(self) -> bytes:
        """The head of the response to the handshake."""
        return self.got.partition(b"\r\n\r\n")[0]

    @property
    def frames(self) -> list[Frame]:
        """The frames that the client received, control frames among them."""
        self.pump()
        body = self.got
        if body.startswith(b"HTTP/"):
            body = body.partition(b"\r\n\r\n")[2]
        return Decoder(masked=False, max_frame_size=2**40).receive(body)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)
        self.pump()


class MemoryWire(Wire):
    """A connection in memory, whose transport is one of an unknown kind.

    Attributes:
        address: The client's, that of MemoryTransport by default.
    """

    address: IAddress | None = None

    def _connect(self, factory: Factory) -> None:
        self.transport = MemoryTransport(self.clock, self.address)
        self.protocol = self.transport.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)

    def pump(self) -> None:
        self.clock.advance(0)
        self.got += self.transport.take()

    def send(self, data: bytes) -> None:
        self.transport.protocol.dataReceived(data)
        self.pump()

    def stall(self) -> None:
        self.transport.is_full = True

    def unstall(self) -> None:
        self.transport.is_full = False
        if self.transport.producer is not None:
            self.transport.producer.resumeProducing()
        self.pump()

    def fin(self) -> None:
        self.transport.lose(ConnectionDone())
        self.pump()

    def reset(self) -> None:
        self.transport.lose(ConnectionLost())
        self.pump()

    @property
    def is_ended(self) -> bool:
        return bool(self.transport.disconnecting)

    @property
    def is_aborted(self) -> bool:
        return bool(self.transport.disconnected)

    @property
    def is_paused(self) -> bool:
        return self.transport.is_paused


class SocketWire(Wire):
    """A TCP connection over loopback, with small buffers."""

    reactor = EPollReactor()

    # Joined when it is looked at: to copy all that came before for each piece would
    # take most of the time.
    @property
    def got(self) -> bytes:
        if len(self._pieces) > 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0]

    @got.setter
    def got(self, data: bytes) -> None:
        self._pieces = [data]

    def _connect(self, factory: Factory) -> None:
        self._eof = self._broken = self._stalled = False
        self._sent = self._received = 0
        counting = Counting(factory)
        port = self.reactor.listenTCP(0, counting, interface="127.0.0.1")
        self._client = socket.socket()
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client.setblocking(False)
        self._client.connect_ex(("127.0.0.1", port.getHost().port))
        self._turn(lambda: counting.protocol, _TURNS)
        self._counting = counting
        self.protocol = counting.protocol
        self.transport = self.protocol.transport
        self._server = self.transport.getHandle()
        self._server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        port.stopListening()
        self._turn(lambda: not port.connected, _TURNS)

    def _turn(self, until: Callable[[], object], turns: int) -> None:
        """Turn the reactor until something has happened, or long enough."""
        for _ in range(turns):
            if until():
                return
            self.clock.advance(0)
            self.reactor.iterate(0.001)
            self._read()

    def pump(self) -> None:
        for _ in range(3):
            self.clock.advance(0)
            self.reactor.iterate(0)
            self._read()
        before = -1
        while self._is_under_way and self._received != before:
            before = self._received
            self._turn(self._has_moved_from(before), _TURNS)

    def _has_moved_from(self, before: int) -> Callable[[], bool]:
        return lambda: not self._is_under_way or self._received > before

    @property
    def _is_under_way(self) -> bool:
        """Whether there are bytes that somebody would take."""
        if self._broken or self.transport.disconnected:
            return False
        to_server = self._sent > self._counting.arrived and not self.is_paused
        to_client = not self._stalled and not self._eof and self._is_sending
        return to_server or to_client

    @property
    def _is_sending(self) -> bool:
        if self.transport in self.reactor.getWriters():
            return True
        unacknowledged = fcntl.ioctl(self._server, termios.TIOCOUTQ, b"\0" * 4)
        return unacknowledged != b"\0" * 4

    def _read(self) -> None:
        if self._stalled or self._eof or self._broken:
            return
        try:
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            data = self._client.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            self._broken = True
            return
        self._pieces.append(data)
        self._received += len(data)
        self._eof = not data

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view and not self._broken:
            try:
                count = self._client.send(view)
            except BlockingIOError:
                if self.is_paused:
                    return
                self._turn(lambda: False, 1)
            except OSError:
                self._broken = True
            else:
                view = view[count:]
                self._sent += count
        self.pump()

    def stall(self) -> None:
        self._stalled = True

    def unstall(self) -> None:
        self._stalled = False
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.pump()

    def fin(self) -> None:
        self._client.shutdown(socket.SHUT_WR)
        self._turn(lambda: self.transport.disconnected, _FEW_TURNS)

    def reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._client.close()
        self._broken = True
        self._turn(lambda: self.transport.disconnected, _FEW_TURNS)

    def end(self) -> None:
        """Leave no socket behind."""
        self._client.close()
        self.reactor.disconnectAll()
        self.reactor.iterate(0)

    @property
    def is_ended(self) -> bool:
        self._turn(lambda: self._eof, _FEW_TURNS)
        return self._eof

    @property
    def is_aborted(self) -> bool:
        self._turn(lambda: self._broken, 3)
        return self._broken or bool(self.transport.disconnected)

    @property
    def is_paused(self) -> bool:
        return self.transport not in self.reactor.getReaders()


def never(_: object) -> Deferred[None]:
    """A handler that leaves all to the test, and an answer that never comes."""
    return Deferred()


def opened(handler: Callable[[Any], object] = never, **options: Any) -> MemoryWire:
    """A connection in memory after its handshake, without pings."""
    clock = Clock()
    factory = WebSocketFactory(handler, clock=clock, ping_frequency=None, **options)
    wire = MemoryWire(factory, clock)
    wire.send(request())
    return wire
