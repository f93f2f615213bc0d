"""The end of all connections of a factory: in order, and in bounded time."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple, Protocol

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime

from . import events
from .deferreds import check_timeout
from .frames import Close
from .handshake import Response
from .peer import WebSocketPeer
from .request import Request

__all__ = ["Drained", "Draining", "check_end"]

_UNAVAILABLE = Response(503, body="shutting down")


class Drained(NamedTuple):
    """What became of the connections of a factory that was drained.

    Attributes:
        ended: How many did their closing handshake in time.
        aborted: How many did not: they were aborted, or lost.
        refused: How many handshakes were refused, with 503, those of connections that
            have sent nothing yet among them.
    """

    ended: int
    aborted: int
    refused: int


def check_end(timeout: float | None, code: int) -> None:
    """Refuse what no connection can be ended with.

    Raises:
        ValueError: For a code that must not be sent, or what is no number of seconds.
    """
    if timeout is None:  # which elsewhere means no limit; here there has to be one
        raise ValueError("timeout is None, not a number of seconds")
    check_timeout(timeout)
    Close(code, "").serialize()


class Leaving(Protocol):
    """A connection, in whatever state."""

    peer: WebSocketPeer

    @property
    def is_open(self) -> bool:
        """Whether its handshake has succeeded."""

    @property
    def is_opening(self) -> bool:
        """Whether its handshake goes on."""

    def refuse(self, response: Response) -> None:
        """Refuse the handshake."""

    def gone(self) -> Deferred[None]:
        """Fires when the connection is gone."""


class Draining:
    """The end of all connections of one factory, once it has begun.

    Attributes:
        has_begun: Whether it has.
    """

    def __init__(self) -> None:
        self.has_begun = False
        self._refused = 0

    def refuse(self, _: Request | None = None) -> Response:
        """What a handshake gets from then on."""
        self._refused += 1
        return _UNAVAILABLE

    def begin(
        self,
        connections: Collection[Leaving],
        clock: IReactorTime,
        timeout: float,
        code: int,
    ) -> Deferred[Drained]:
        """End these, as `WebSocketFactory.drain` says."""
        check_end(timeout, code)
        self.has_begun = True
        before = self._refused
        gone = gatherResults([each.gone() for each in connections], consumeErrors=True)
        shut = gatherResults(list(self._end(connections, timeout, code)))
        deadline = clock.callLater(timeout, _abort, connections)

        # Of its own: that nobody waits for it any more does not keep it from ending.
        drained: Deferred[Drained] = Deferred()

        def count(in_order: list[bool]) -> None:
            ended = sum(in_order)
            counts = Drained(ended, len(in_order) - ended, self._refused - before)
            events.drained(*counts)
            if not drained.called:
                drained.callback(counts)

        def tell(_: object) -> None:
            if deadline.active():
                deadline.cancel()
            shut.addCallback(count)

        gone.addCallback(tell)
        return drained

    def _end(
        self, connections: Iterable[Leaving], timeout: float, code: int
    ) -> Iterable[Deferred[bool]]:
        """Begin to end each; whether those that are open end in order."""
        for connection in connections:
            if connection.is_open:
                yield connection.peer.shutdown(code, timeout=timeout)
            elif connection.is_opening:
                connection.refuse(self.refuse())
            else:
                # It was refused before: it ends once its answer has left.
                connection.peer.transport.loseConnection()


def _abort(connections: Iterable[Leaving]) -> None:
    for connection in connections:
        connection.peer.close()
