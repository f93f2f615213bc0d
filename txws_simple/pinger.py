"""What keeps a connection alive, or gives it up, and the pings not answered yet."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
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
    """The connection that is kept alive."""

    def is_deaf(self) -> bool:
        """Whether nobody listens on this side at the moment."""

    def keep_alive(self) -> None:
        """Send a ping."""

    def give_up(self) -> None:
        """The other side is taken for dead."""


class Pinger:
    """Pings once in each period, and gives up after a whole one without a sign.

    Any bytes that arrive are a sign of life.  Nobody is given up whom we do not
    listen to, and nobody for a jump of the clock: what really elapsed counts.

    Args:
        period: Seconds from one ping to the next.
        line: The connection.
        clock: Schedules the pings.
        now: Seconds that really elapsed, from any start.

    Attributes:
        heard: Whether anything arrived since the last ping.
    """

    __slots__ = ("_line", "_loop", "_now", "_pinged", "heard")

    def __init__(
        self,
        period: float,
        line: Line,
        clock: IReactorTime,
        now: Callable[[], float],
    ) -> None:
        self._line = line
        self._now = now
        self._pinged = now()
        self.heard = True
        self._loop = LoopingCall(self._tick)
        self._loop.clock = clock
        self._loop.start(period, now=False)

    def _tick(self) -> None:
        try:
            self._ping_or_give_up()
        except Exception:
            # It would end the loop, and be forgotten with it.
            _log.failure("pinging failed")

    def _ping_or_give_up(self) -> None:
        if not self.heard and not self._line.is_deaf() and self._whole_period_elapsed():
            self._line.give_up()
            return
        self.heard = False
        self._pinged = self._now()
        self._line.keep_alive()

    def _whole_period_elapsed(self) -> bool:
        # Timers of a reactor are early by a rounding at the most.
        return self._now() - self._pinged >= 0.9 * float(self._loop.interval or 0)

    def stop(self) -> None:
        """No more pings."""
        if self._loop.running:
            self._loop.stop()


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
        self._waiting: list[tuple[bytes, float, _Ping | None]] = []
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
        self._waiting.append((payload, self._now(), outcome))
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
        waiting, self._waiting = self._waiting, []
        for _, _, outcome in waiting:
            if outcome is not None:
                outcome.settle(error)

    def forget(self, outcome: _Ping | None) -> None:
        """Nobody waits for it any more."""
        self._waiting = [ping for ping in self._waiting if ping[2] is not outcome]
