"""What keeps connections alive, or gives them up, and the pings not answered yet."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import takewhile
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from .deferreds import Outcome

__all__ = ["Pinger", "Pings", "clocks"]

_log = Logger()


def clocks(
    clock: IReactorTime | None,
) -> tuple[IReactorTime, Callable[[], float]]:
    """What schedules, and what tells the seconds that really elapsed."""
    if clock is not None:
        return clock, clock.seconds
    from twisted.internet import reactor

    return IReactorTime(reactor), time.monotonic


class Line(Protocol):
    """A connection that is kept alive.

    Attributes:
        heard: Whether anything arrived since the last ping.
    """

    heard: bool

    def is_deaf(self) -> bool:
        """Whether nobody listens on this side at the moment."""

    def keep_alive(self) -> None:
        """Send a ping."""

    def give_up(self) -> None:
        """The other side is taken for dead."""


class Pinger:
    """Pings each connection once in a period, and gives up one that was silent for it.

    Any bytes that arrive are a sign of life.  Nobody is given up whom we do not
    listen to, and nobody for a jump of the clock: what really elapsed counts.  Nor
    is anybody for what this side did not get to read: after a turn of the reactor
    that took longer than a period, what has arrived is read first.

    All connections of a factory have one pinger and so one timer.  A loop for each
    would occupy a kilobyte for each, and be the dearest part of a handshake.

    Args:
        period: Seconds from one ping to the next.
        clock: Schedules the pings.
        now: Seconds that really elapsed, from any start.
    """

    __slots__ = ("_clock", "_due", "_now", "_period", "_silent", "_timer", "_verdict")

    def __init__(
        self, period: float, clock: IReactorTime, now: Callable[[], float]
    ) -> None:
        self._period = period
        self._clock = clock
        self._now = now
        # When each is due.  The first is due first, for all have the same period.
        self._due: dict[Line, float] = {}
        self._timer: IDelayedCall | None = None
        # Those that seem to be dead, until what has arrived was read.
        self._silent: dict[Line, None] = {}
        self._verdict: IDelayedCall | None = None

    def add(self, line: Line) -> None:
        """Ping this one from now on, first in a period."""
        line.heard = True
        self._due[line] = self._now() + self._period
        self._schedule()

    def discard(self, line: Line) -> None:
        """No more pings for this one, if it had any."""
        self._due.pop(line, None)
        self._silent.pop(line, None)
        if not self._due and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._silent and self._verdict is not None:
            self._verdict.cancel()
            self._verdict = None

    def _schedule(self) -> None:
        if self._due and self._timer is None:
            first = next(iter(self._due.values()))
            delay = max(first - self._now(), 0)
            self._timer = self._clock.callLater(delay, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self._now()
        due = list(takewhile(lambda line: self._due[line] <= now, self._due))
        for line in due:
            # One may end with another.
            if line in self._due:
                self._visit(line, now)
        self._schedule()

    def _visit(self, line: Line, now: float) -> None:
        del self._due[line]
        if line.heard or line.is_deaf():
            self._ping(line, now)
            return
        self._silent[line] = None
        if self._verdict is None:
            # Not before the reactor has read once more.
            self._verdict = self._clock.callLater(0, self._judge)

    def _judge(self) -> None:
        self._verdict = None
        for line in list(self._silent):
            # One may end with another.
            if line in self._silent:
                del self._silent[line]
                self._decide(line)
        self._schedule()

    def _decide(self, line: Line) -> None:
        if line.heard:
            self._ping(line, self._now())
            return
        try:
            line.give_up()
        except Exception:
            # The others are looked at all the same.
            _log.failure("giving up failed")

    def _ping(self, line: Line, now: float) -> None:
        line.heard = False
        self._due[line] = now + self._period
        try:
            line.keep_alive()
        except Exception:
            # The others are pinged all the same.
            _log.failure("pinging failed")


class _Ping(Outcome[float]):
    """A ping's latency, once it has been answered."""

    def __init__(self, pings: Pings) -> None:
        super().__init__()
        self._pings = pings

    def withdraw(self) -> None:
        self._pings.forget(self)


class Pings:
    """Pings that were sent and not answered yet.

    Args:
        now: Seconds that really elapsed, from any start.

    Attributes:
        latency: Seconds that the last answer took, or ``None``.
    """

    __slots__ = ("_now", "_waiting", "latency")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        # Payload, when it was sent, and who waits, if anybody does.
        self._waiting: tuple[tuple[bytes, float, _Ping | None], ...] = ()
        self.latency: float | None = None

    def add(self, payload: bytes) -> tuple[bytes, _Ping]:
        """One is sent; its payload, made up where empty, and what tells of its pong."""
        outcome = _Ping(self)
        return self._add(payload, outcome), outcome

    def add_keepalive(self) -> bytes:
        """The same for one that nobody waits for: only the last is remembered."""
        self.forget(None)
        return self._add(b"", None)

    def _add(self, payload: bytes, outcome: _Ping | None) -> bytes:
        payload = payload or os.urandom(8)
        self._waiting += ((payload, self._now(), outcome),)
        return payload

    def match(self, payload: bytes) -> None:
        """A pong has arrived; one that was not asked for changes nothing."""
        sent = [ping[0] for ping in self._waiting]
        if payload not in sent:
            return
        # RFC 6455, section 5.5.3: a pong may answer for earlier pings too.
        count = sent.index(payload) + 1
        answered, self._waiting = self._waiting[:count], self._waiting[count:]
        now = self._now()
        self.latency = now - answered[-1][1]
        # Whoever is told may end, ping or cancel: not before all are taken out.
        for _, at, outcome in answered:
            if outcome is not None:
                outcome.settle(now - at)

    def lost(self, error: Exception) -> None:
        """None will be answered any more."""
        waiting, self._waiting = self._waiting, ()
        for _, _, outcome in waiting:
            if outcome is not None:
                outcome.settle(error)

    def forget(self, outcome: _Ping | None) -> None:
        """Nobody waits for it any more."""
        self._waiting = tuple(ping for ping in self._waiting if ping[2] is not outcome)
