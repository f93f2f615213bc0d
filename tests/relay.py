"""A relay between a client and a server, which fails at any byte.

The server is a real one, on a real socket; the client lives in the relay's hands.  The
reactor turns when the relay says so, and time passes when it says so: nobody sleeps.
"""

from __future__ import annotations

import fcntl
import socket
import ssl
import struct
import termios
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from twisted.internet.protocol import Factory
from twisted.internet.task import Clock

from .counting import Counting
from .wires import SocketWire

#: How often the reactor is turned, a millisecond each, before what is under way counts
#: as lost.
_TURNS = 2000

#: What a session may take, in seconds, until the last deadline has passed.
_PATIENCE = 100


class Fault(NamedTuple):
    """What goes wrong, and where.

    Attributes:
        to_server: Whether it is the bytes to the server that are counted.
        at: After how many of them.
        how: ``"fin"`` and ``"reset"`` cut both ways at once, ``"stall"`` forwards
            nothing more this way, ``"delay"`` holds the rest back for five seconds.
    """

    to_server: bool
    at: int
    how: str


class Step(NamedTuple):
    """What a client sends, once the server has sent so much."""

    after: int
    data: bytes


class PlainClient:
    """Sends its steps, each in its time.

    Attributes:
        out: Bytes to be sent.
        got: What the server said.
        marks: How many bytes will have been sent when each step has.
        begun: How many were sent and received before the first step.
    """

    begun = 0, 0

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = list(steps)
        self._count = 0
        self.out = bytearray()
        self.got = b""
        self.marks: list[int] = []

    def begin(self) -> None:
        self._go_on()

    def receive(self, data: bytes) -> None:
        self.got += data
        self._go_on()

    def _go_on(self) -> None:
        while self._steps and len(self.got) >= self._steps[0].after:
            self._send(self._steps.pop(0).data)
            self.marks.append(self._count)

    def _send(self, data: bytes) -> None:
        self._put(data)

    def _put(self, data: bytes) -> None:
        self.out += data
        self._count += len(data)


class TLSClient(PlainClient):
    """The same under TLS, each step a record of its own."""

    def __init__(self, steps: Sequence[Step], context: ssl.SSLContext) -> None:
        super().__init__(steps)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname="localhost"
        )
        self._is_open = False
        self._arrived = 0

    def begin(self) -> None:
        self._turn()

    def receive(self, data: bytes) -> None:
        self._arrived += len(data)
        self._incoming.write(data)
        self._turn()

    def _turn(self) -> None:
        try:
            if not self._is_open:
                self._tls.do_handshake()
                self._is_open = True
                self._flush()
                self.begun = self._count, self._arrived
                self._go_on()
            while data := self._tls.read(65536):
                super().receive(data)
            # The server's own end of TLS, which is answered in kind.
            self._tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self._flush()

    def _send(self, data: bytes) -> None:
        self._tls.write(data)
        self._flush()

    def _flush(self) -> None:
        self._put(self._outgoing.read())


class Listener(Counting):
    """A server's port, whose connections come one by one.

    Attributes:
        port: Its number.
    """

    reactor = SocketWire.reactor

    def __init__(self, factory: Factory) -> None:
        super().__init__(factory)
        self._port = self.reactor.listenTCP(0, self, 200, "127.0.0.1")
        self.port = self._port.getHost().port

    def stop(self) -> None:
        self._port.stopListening()
        while self._port.connected:
            self.reactor.iterate(0.001)
        self.protocol = None


class Relay:
    """One connection of a client to the server.

    Attributes:
        to_server: Bytes that were forwarded to the server.
        to_client: Bytes that were forwarded to the client.
    """

    def __init__(
        self,
        listener: Listener,
        client: PlainClient,
        clock: Clock,
        fault: Fault | None = None,
    ) -> None:
        self._listener = listener
        self._client = client
        self._clock = clock
        self._fault = fault
        self._held = b""  # what the server said, and was not forwarded
        self._is_cut = self._has_ended = False
        self.to_server = self.to_client = 0
        listener.protocol = None
        self._socket = socket.create_connection(("127.0.0.1", listener.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._turn_until(lambda: listener.protocol is not None)
        self._transport: Any = listener.protocol.transport
        self._handle = self._transport.getHandle()

    def run(self) -> None:
        """All of it, until the server's connection is gone."""
        self._client.begin()
        self._forward()
        until = self._clock.seconds() + _PATIENCE
        while not self._transport.disconnected:
            assert self._clock.seconds() < until, "it never ends"
            self._clock.advance(5)
            if self._fault is not None and self._fault.how == "delay":
                self._fault = None
            self._forward()
        self._socket.close()

    @property
    def extent(self) -> Iterator[tuple[bool, int, int]]:
        """For each way, where the session began, and where it ended, in bytes."""
        to_server, to_client = self._client.begun
        yield True, to_server, self.to_server
        yield False, to_client, self.to_client

    def _forward(self) -> None:
        """All that can be, both ways, unless it is cut."""
        self._settle()
        while not (self._cut_if_due() or self._is_cut):
            if not (self._to_server() or self._to_client() or self._end()):
                return
            self._settle()

    def _allowed(self, to_server: bool, count: int) -> int:
        """How many of so many bytes may go this way."""
        fault = self._fault
        if fault is None or fault.to_server is not to_server:
            return count
        return min(count, fault.at - self._forwarded(to_server))

    def _forwarded(self, to_server: bool) -> int:
        return self.to_server if to_server else self.to_client

    def _to_server(self) -> bool:
        count = self._allowed(True, len(self._client.out))
        if count:
            count = self._socket.send(self._client.out[:count])
            del self._client.out[:count]
            self.to_server += count
        return bool(count)

    def _to_client(self) -> bool:
        count = self._allowed(False, len(self._held))
        if count:
            data, self._held = self._held[:count], self._held[count:]
            self.to_client += count
            self._client.receive(data)
        return bool(count)

    def _end(self) -> bool:
        """The server has ended its side; the client ends its own."""
        if self._has_ended and self._fault is None:
            self._is_cut = True
            self._socket.shutdown(socket.SHUT_WR)
        return self._is_cut

    def _cut_if_due(self) -> bool:
        fault = self._fault
        if fault is None or fault.how not in ("fin", "reset"):
            return False
        if self._forwarded(fault.to_server) < fault.at:
            return False
        self._is_cut = True
        if fault.how == "fin":
            self._socket.shutdown(socket.SHUT_WR)
        else:
            linger = struct.pack("ii", 1, 0)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._socket.close()
        self._settle()
        return True

    def _settle(self) -> None:
        """Let the server take what was forwarded, and come what it says."""
        for turn in range(_TURNS):
            self._clock.advance(0)
            # Most is there at once.
            self._listener.reactor.iterate(0 if turn < 10 else 0.001)
            self._read()
            if not self._is_under_way:
                return
        raise AssertionError("what is under way does not arrive")

    def _turn_until(self, condition: Callable[[], bool]) -> None:
        for _ in range(_TURNS):
            if condition():
                return
            self._listener.reactor.iterate(0.001)
        raise AssertionError("it never comes to hold")

    @property
    def _is_under_way(self) -> bool:
        if self._transport.disconnected:
            return False
        if self._is_cut or self._listener.arrived < self.to_server:
            return True
        if self._transport in self._listener.reactor.getWriters():
            return True
        return fcntl.ioctl(self._handle, termios.TIOCOUTQ, bytes(4)) != bytes(4)

    def _read(self) -> None:
        if self._socket.fileno() < 0:
            return
        # That all has arrived is known by what was acknowledged.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        try:
            data = self._socket.recv(1 << 16)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        self._held += data
        self._has_ended |= not data
