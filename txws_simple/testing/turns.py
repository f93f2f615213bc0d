"""Clients in memory, which take turns with the application until nothing happens.

Each reads what it is sent, and answers pings and Closes.  What it says by itself is for
:mod:`.testing`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any, cast
from weakref import WeakValueDictionary

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocolFactory
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from ..connection import Connection
from ..frames import Frame, Opcode
from ..headers import Headers
from .leftovers import Failures
from .memory import MemoryTransport

__all__ = ["MemoryClient", "request"]

#: A bound that no message meets: what is tested is the other side.
_BOUNDLESS = 1 << 62

#: What a real client picks at random.
_KEY = "dGhlIHNhbXBsZSBub25jZQ=="

#: Who waits for a message looks for it again after so many seconds.
_AGAIN = 0.005

#: With more than this written and not read, who writes is paused, in bytes.
_ENOUGH = 65536

#: With so many messages, or bytes of them, that the test has not received, a client
#: reads no more: or one that is sent messages without end would never return.
_MANY = 100_000
_MUCH = 64 << 20

#: After so many turns the two sides are taken to go on for ever.
_TURNS = 10_000

#: The clients that take part, in their order.
_clients: WeakValueDictionary[int, MemoryClient] = WeakValueDictionary()
_numbers = count()


def request(path: str, fields: Iterable[tuple[str, str]]) -> bytes:
    """The bytes of an opening handshake (RFC 6455, section 4.1)."""
    lines = [
        f"GET {path} HTTP/1.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {_KEY}",
        "Sec-WebSocket-Version: 13",
        *(f"{name}: {value}" for name, value in fields),
    ]
    head = "\r\n".join(lines) + "\r\n\r\n"
    try:
        return head.encode("latin-1")
    except UnicodeEncodeError as error:
        wrong = head[error.start : error.end]
        raise ValueError(f"{wrong!r} can't be sent: it has to be quoted") from None


class _Enough(Exception):
    """All has been run that was due."""


class _Transport(MemoryTransport):
    """One that holds back who writes without end, and that others may end as well."""

    def __init__(self, clock: Clock, address: IAddress | None) -> None:
        super().__init__(clock, address)
        self._size = 0  # of what was written since it was read last
        self._is_holding = False

    def write(self, data: bytes) -> None:
        super().write(data)
        self._size += len(data)
        if self._size > _ENOUGH and self.producer is not None:
            self._is_holding = True
            self.producer.pauseProducing()

    def take(self) -> bytes:
        data = super().take()
        if data:
            self._size = 0
            # Who was held back writes at once, and may be held back again.
            was_holding, self._is_holding = self._is_holding, False
            if was_holding and self.producer is not None:
                self.producer.resumeProducing()
        return data

    def loseConnection(self) -> None:
        self.disconnecting = True


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
        self._status: int | None = None
        self._headers = Headers()
        self._body = ""
        self._frames: list[Frame] = []
        self._pings: list[bytes] = []
        self._pongs: list[bytes] = []
        self._head = b""  # of the answer, until it is whole
        self._unsent: list[bytes] = []
        self._unread: deque[str | bytes] = deque()
        self._unread_size = 0
        self._is_busy = False
        self._is_asking = False
        self._has_closed = False  # before the other side
        self._connection = Connection(
            client=True,
            max_frame_size=_BOUNDLESS,
            max_message_size=None,
            max_fragments=None,
        )
        self._transport = _Transport(clock, address)
        protocol: Any = factory.buildProtocol(self._transport.getPeer())
        if protocol is None:
            raise AssertionError("the factory takes no more connections")
        self._transport.protocol = protocol
        protocol.makeConnection(self._transport)
        self._waiting: list[tuple[Callable[[], object], Deferred[None]]] = []
        self._turning: IDelayedCall | None = None
        self._failures = Failures()
        globalLogPublisher.addObserver(self._failures)
        self._number = next(_numbers)
        _clients[self._number] = self

    # Who takes part

    @property
    def _takes_part(self) -> bool:
        return self._number in _clients

    def _leave(self) -> None:
        """Take no more turns."""
        del _clients[self._number]
        globalLogPublisher.removeObserver(self._failures)
        self._stop_looking()
        self._disappoint(Failure(self._complaint("this did not happen")))

    def _all(self) -> list[MemoryClient]:
        """All clients with this clock."""
        return [one for one in _clients.values() if one.clock is self.clock]

    def _forget(self, failures: list[Failure]) -> None:
        """These were expected; every client has seen them, whatever its clock."""
        for client in _clients.values():
            client._failures.forget(failures)

    def _run(self, seconds: float) -> None:
        """Let time pass, and run what is due then, but not what comes of that.

        Of a clock's own accord, what is put off for no time at all, again and again,
        would run for ever.
        """

        def stop() -> None:
            raise _Enough

        # The last of those that are due at that time.
        last = self.clock.callLater(seconds, stop)
        try:
            self.clock.advance(seconds)
        except _Enough:
            pass
        finally:
            if last.active():
                last.cancel()

    def _due(self) -> float | None:
        """When the next delayed call is due."""
        calls = self.clock.getDelayedCalls()
        return min((call.getTime() for call in calls), default=None)

    def _turn(self) -> None:
        """Let everything happen that can."""
        for _ in range(_TURNS):
            self._run(0)
            moved = sum(client._exchange() for client in self._all())
            due = self._due()
            if not moved and (due is None or due > self.clock.seconds()):
                break
        else:
            raise AssertionError(
                "the two sides, or delayed calls, go on without end: "
                f"{self.clock.getDelayedCalls()}"
            )
        for client in self._all():
            client._tell()

    def _look_again(self) -> None:
        """While somebody waits: what comes next may be of a thread, or a reactor."""
        from twisted.internet import reactor

        try:
            self._turn()
        except AssertionError:
            self._disappoint(Failure())
        if self._waiting:
            later = cast(Any, reactor).callLater
            self._turning = later(_AGAIN, self._look_again)

    def _stop_looking(self) -> None:
        if self._turning is not None and self._turning.active():
            self._turning.cancel()

    def _disappoint(self, failure: Failure) -> None:
        """Nobody gets what they wait for."""
        while self._waiting:
            self._waiting.pop(0)[1].errback(failure)

    def _tell(self) -> None:
        """Tell those who wait for something that it has come, the first one first."""
        for waiting in list(self._waiting):
            condition, deferred = waiting
            # Another may have been told meanwhile, and have cancelled this one.
            if waiting in self._waiting and (result := self._ask(condition)):
                self._waiting.remove(waiting)
                deferred.callback(result if isinstance(result, Failure) else None)

    def _ask(self, condition: Callable[[], object]) -> object:
        """Whether it is so, or why it can't be; it may have a turn taken itself."""
        if self._is_asking:
            return False
        self._is_asking = True
        try:
            return condition()
        except Exception:
            return Failure()
        finally:
            self._is_asking = False

    def _next_message(self) -> str | bytes:
        message = self._unread.popleft()
        self._unread_size -= len(message)
        return message

    # How things are

    @property
    def _is_silent(self) -> bool:
        """Whether nothing more will come."""
        return self._transport.is_lost or self._connection.over

    @property
    def _is_over(self) -> bool:
        """Whether somebody has begun to end the connection."""
        return self._is_silent or self._connection.sent is not None

    def _complaint(self, what: str) -> AssertionError:
        """What a test that fails is told: how things are, and what was logged."""
        text = f"{what}: {self._situation()}"
        if not self._failures.seen:
            return AssertionError(text)
        first = self._failures.seen[0].value
        complaint = AssertionError(f"{text}; logged was {first!r}")
        complaint.__cause__ = first
        return complaint

    def _situation(self) -> str:
        """How things are."""
        if self._status is None:
            return "the handshake was not answered"
        if self._status != 101:
            return f"the handshake was refused: {self._status} {self._body.strip()!r}"
        received = self._connection.received
        if received is not None:
            who = "client" if self._has_closed else "server"
            return f"the {who} closed: {received.code} {received.reason!r}"
        if self._transport.is_lost:
            return "the connection was lost"
        if self._has_closed:
            return "the client has closed"
        return "the connection is open"

    # One turn

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
        if len(self._unread) >= _MANY or self._unread_size >= _MUCH:
            return False
        data = self._transport.take()
        if not data:
            return False
        if self._status is None:
            data = self._read_head(data)
        if self._status == 101:
            self._hear(data)
        else:
            self._body += data.decode()
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
        if not first.startswith("HTTP/1.1 "):
            raise AssertionError(f"the answer is not one of WebSocket: {first!r}")
        self._status = int(first.split(" ")[1])
        self._headers = Headers.parsed(lines)
        return rest

    def _hear(self, data: bytes) -> None:
        connection = self._connection
        for frame in connection.receive(data):
            self._frames.append(frame)
            if frame.fin:
                message = self._last_message()
                self._unread.append(message)
                self._unread_size += len(message)
        if connection.violation is not None:
            raise AssertionError("the protocol was broken") from connection.violation
        for payload in connection.pings:
            if connection.sent is None:
                self._put(connection.pong(payload))
        self._pings += connection.pings
        self._pongs += connection.pongs
        self._put(connection.answer())

    def _last_message(self) -> str | bytes:
        """The last frame, with those before it up to one that begins a message."""
        first = len(self._frames) - 1
        while self._frames[first].opcode is Opcode.CONTINUATION:
            first -= 1
        data = b"".join(frame.data for frame in self._frames[first:])
        return data.decode() if self._frames[first].opcode is Opcode.TEXT else data
