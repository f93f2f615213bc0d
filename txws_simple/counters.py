"""What is counted: of one connection, and of all connections of a factory.

Each connection counts what passes it; nothing is added up before somebody asks, so
counting costs next to nothing for a frame.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from threading import Lock
from typing import Generic, NamedTuple, Protocol, TypeVar

__all__ = ["Counters", "Tally", "Traffic"]


class Traffic(NamedTuple):
    """What has passed one connection behind its handshake.

    Attributes:
        frames_in: Data frames that arrived.
        bytes_in: Bytes that arrived, control frames and headers among them.
        frames_out: Data frames that were written, those withdrawn among them.
        bytes_out: Bytes that have gone, control frames and headers among them.
    """

    frames_in: int
    bytes_in: int
    frames_out: int
    bytes_out: int


class Counters(NamedTuple):
    """What a `WebSocketFactory` has counted since it was made.

    Attributes:
        connections: Connections that were made, whatever became of them.
        connected: Those of them that there are, in their handshake or not.
        opened: Handshakes that have succeeded.
        open: Those of them whose connection there is.
        refused: How many handshakes were refused, by status.
        closed: How many connections have ended behind their handshake, by the
            peer's ``close_code`` and ``closed_by``.
        buffered: Bytes written and not gone, of all connections.
        frames_in: As of `Traffic`, of all connections, those that have ended too.
        bytes_in: The same.
        frames_out: The same.
        bytes_out: The same.
    """

    connections: int
    connected: int
    opened: int
    open: int
    refused: Mapping[int, int]
    closed: Mapping[tuple[int, str], int]
    buffered: int
    frames_in: int
    bytes_in: int
    frames_out: int
    bytes_out: int


class Counted(Protocol):
    """A connection."""

    @property
    def traffic(self) -> Traffic:
        """What has passed it."""

    @property
    def buffered(self) -> int:
        """Bytes written and not gone."""


_C = TypeVar("_C", bound=Counted)


class Tally(Generic[_C]):
    """The connections of a factory: those there are, and what became of the others.

    It may be asked from another thread than the reactor's: web servers render
    metrics in one.  No sum is seen that a connection is missing from, or in twice.

    Attributes:
        present: The connections that there are.
    """

    __slots__ = (
        "_closed",
        "_connections",
        "_lock",
        "_opened",
        "_past",
        "_refused",
        "present",
    )

    def __init__(self) -> None:
        self.present: set[_C] = set()
        self._connections = 0
        self._opened = 0
        self._refused: Counter[int] = Counter()
        self._closed: Counter[tuple[int, str]] = Counter()
        self._past = Traffic(0, 0, 0, 0)  # of those that are gone
        self._lock = Lock()

    def made(self, connection: _C) -> None:
        """There is a new connection."""
        with self._lock:
            self.present.add(connection)
            self._connections += 1

    def opened(self) -> None:
        """The handshake of one has succeeded."""
        with self._lock:
            self._opened += 1

    def refused(self, status: int) -> None:
        """The handshake of one was refused."""
        with self._lock:
            self._refused[status] += 1

    def closed(self, code: int, by: str) -> None:
        """One whose handshake had succeeded has ended."""
        with self._lock:
            self._closed[code, by] += 1

    def lost(self, connection: _C) -> None:
        """One is gone."""
        past, traffic = self._past, connection.traffic
        with self._lock:
            self.present.discard(connection)
            # Spelled out: for each connection that ends, it is felt.
            self._past = Traffic(
                past[0] + traffic[0],
                past[1] + traffic[1],
                past[2] + traffic[2],
                past[3] + traffic[3],
            )

    def count(self) -> Counters:
        """How it stands; this takes longer the more connections there are."""
        with self._lock:
            present = self.present
            traffics = [self._past, *(each.traffic for each in present)]
            return Counters(
                self._connections,
                len(present),
                self._opened,
                self._opened - self._closed.total(),
                dict(self._refused),
                dict(self._closed),
                sum(each.buffered for each in present),
                *map(sum, zip(*traffics, strict=True)),
            )
