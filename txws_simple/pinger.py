"""What keeps a connection alive, or gives it up, and the pings not answered yet."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
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


class Pinger:
    """Pings once in each period, and gives up after a whole one without a sign.

    Any bytes that arrive are a sign of life.  Nobody is given up whom we do not
    listen to, and nobody for a jump of the clock: what really elapsed counts.  Nor
    is anybody for what this side did not get to read: after a turn of the reactor
    that took longer than a period, what has arrived is read first.

    Args:
        period: Seconds from one ping to the next.
        ping: Sends one.
        give_up: Called when the other side is taken for dead.
        is_deaf: Whether we do not listen at the moment.
        clock: Schedules the pings.
        now: Seconds that really elapsed, from any start.

    Attributes:
        heard: Whether anything arrived since the last ping.
    """

    __slots__ = (
        "_clock",
        "_give_up",
        "_is_deaf",
        "_loop",
        "_now",
        "_pinged",
        "_verdict",
        "heard",
        "ping",
    )

    def __init__(
        self,
        period: float,
        ping: Callable[[], object],
        give_up: Callable[[], None],
        is_deaf: Callable[[], bool],
        clock: IReactorTime,
        now: Callable[[], float],
    ) -> None:
        self.ping = ping
        self._give_up = give_up
        self._is_deaf = is_deaf
        self._now = now
        self._clock = clock
        self._verdict: IDelayedCall | None = None
        self._pinged = now()
        self.heard = True
        self._loop = LoopingCall(self._tick)
        self._loop.clock = clock
        self._loop.start(period, now=False).addErrback(_report)

    def _tick(self) -> None:
        if self.heard or self._is_deaf() or not self._whole_period_elapsed():
            self._ping()
            return
        # Not before the reactor has read once more.
        self._verdict = self._clock.callLater(0, self._judge)

    def _judge(self) -> None:
        self._verdict = None
        if self.heard:
            self._ping()
        else:
            self._give_up()

    def _ping(self) -> None:
        self.heard = False
        self._pinged = self._now()
        self.ping()

    def _whole_period_elapsed(self) -> bool:
        # Timers of a reactor are early by a rounding at the most.
        return self._now() - self._pinged >= 0.9 * float(self._loop.interval or 0)

    def stop(self) -> None:
        """No more pings."""
        if self._loop.running:
            self._loop.stop()
        if self._verdict is not None:
            self._verdict.cancel()
            self._verdict = None


def _report(failure: object) -> None:
    _log.failure("pinging failed", failure=failure)  # type: ignore[arg-type]


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

    __slots__ = ("_keepalive", "_now", "_waiting", "latency")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._waiting: deque[tuple[bytes, float, _Ping]] = deque()
        self._keepalive: _Ping | None = None
        self.latency: float | None = None

    def add(self, payload: bytes) -> tuple[bytes, _Ping]:
        """One is sent; its payload, made up where empty, and what tells of its pong."""
        outcome = _Ping(self)
        payload = payload or os.urandom(8)
        self._waiting.append((payload, self._now(), outcome))
        return payload, outcome

    def add_keepalive(self) -> bytes:
        """The same for one that nobody waits for: only the last is remembered."""
        if self._keepalive is not None:
            self.forget(self._keepalive)
        payload, self._keepalive = self.add(b"")
        return payload

    def match(self, payload: bytes) -> None:
        """A pong has arrived; one that was not asked for changes nothing."""
        if all(payload != sent for sent, _, _ in self._waiting):
            return
        answered: list[tuple[float, _Ping]] = []
        sent = None
        while sent != payload:
            # RFC 6455, section 5.5.3: a pong may answer for earlier pings too.
            sent, at, outcome = self._waiting.popleft()
            answered.append((self._now() - at, outcome))
        # Whoever is told may end, ping or cancel: not before all are taken out.
        self.latency = answered[-1][0]
        for latency, outcome in answered:
            outcome.settle(latency)

    def lost(self, error: Exception) -> None:
        """None will be answered any more."""
        waiting, self._waiting = self._waiting, deque()
        for _, _, outcome in waiting:
            outcome.settle(error)

    def forget(self, outcome: _Ping) -> None:
        """Nobody waits for it any more."""
        self._waiting = deque(ping for ping in self._waiting if ping[2] is not outcome)
