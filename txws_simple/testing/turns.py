"""Clients in memory, which take turns with the application until nothing happens.

Each reads what it is sent, and answers pings and Closes.  What it says by itself is for
:mod:`.testing`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from ..connection import Connection
from .heard import Heard
from .leftovers import Failures
from .memory import MemoryTransport
from .waiting import Waiting

__all__ = ["MemoryClient"]

#: A bound that no message meets: what is tested is the other side.
_BOUNDLESS = 1 << 62

#: With more than this written and not read, who writes is paused, in bytes.
_ENOUGH = 65536

#: After so many turns the two sides are taken to go on for ever.
_TURNS = 10_000

#: The clients that take part, in their order.
_clients: WeakValueDictionary[int, MemoryClient] = WeakValueDictionary()
_numbers = count()


class _Enough(Exception):
    """All has been run that was due."""


class _Transport(MemoryTransport):
    """One that holds back who writes without end, and that others may end as well."""

    def __init__(self, clock: Clock, address: IAddress | None) -> None:
        super().__init__(clock, address)
        self._size = 0  # of what was written since it was read last

    def write(self, data: bytes) -> None:
        super().write(data)
        self._size += len(data)
        if self._size > _ENOUGH and self.producer is not None:
            self.producer.pauseProducing()

    def take(self) -> bytes:
        data = super().take()
        if data:
            # Who was held back writes at once, and may be held back again.
            size, self._size = self._size, 0
            if size > _ENOUGH and self.producer is not None:
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
        self._unsent: list[bytes] = []
        self._is_busy = False
        self._has_closed = False  # before the other side
        self._connection = Connection(
            client=True,
            max_frame_size=_BOUNDLESS,
            max_message_size=None,
            max_fragments=None,
        )
        self._heard = Heard(self._connection)
        self._transport = _Transport(clock, address)
        protocol: Any = factory.buildProtocol(self._transport.getPeer())
        if protocol is None:
            raise AssertionError("the factory takes no more connections")
        self._transport.protocol = protocol
        protocol.makeConnection(self._transport)
        self._waiting = Waiting(self._turn, self._complaint)
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
        self._waiting.stop()

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
            client._waiting.tell()

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
        status, body = self._heard.status, self._heard.body
        if status is None:
            return "the handshake was not answered"
        if status != 101:
            return f"the handshake was refused: {status} {body.strip()!r}"
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
        data = b"" if self._heard.is_enough else self._transport.take()
        if data:
            self._put(self._heard.receive(data))
        return bool(data)

    def _let_end(self) -> bool:
        """The application's side ends the connection: so does this one."""
        is_read = not self._transport.value()
        if self._transport.disconnecting and is_read and not self._transport.is_full:
            self._transport.lose(ConnectionDone())
        return self._transport.is_lost
