"""What an operator allows a connection, and what watches that one keeps to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from . import events
from .frames import CloseCode, Frame
from .options import Options
from .peer import WebSocketPeer
from .pinger import clocks

__all__ = ["Guard", "Limits"]

_POLICY, _AWAY = CloseCode.POLICY_VIOLATION, CloseCode.GOING_AWAY


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a factory allows; ``None``, the default of each limit, is no limit.

    Times are in seconds, sizes in bytes.  A deadline but that of ``max_age`` that
    comes while the connection is not read from, because the application has not read
    or a rate was exceeded, begins anew: nobody is blamed whom we do not listen to.

    Attributes:
        max_connections: How many connections there may be, those in their
            handshake included.  One more gets 503 with ``Retry-After``.
        max_per_address: The same for one address, which gets 429.
        ipv6_prefix: How many bits of an IPv6 address count as one address: 64 is
            what one customer usually has at least.
        retry_after: What ``Retry-After`` says with 503 and 429, in whole seconds.
        first_message_timeout: How long after the handshake the first message may
            take to arrive whole; over it: Close 1008.
        message_timeout: How long a frame or a message that has begun may take to
            arrive whole; over it: Close 1008.
        idle_timeout: How long no frame of data may arrive, pings and pongs not
            counting; over it: Close 1001.
        max_message_rate: How many messages a second may arrive in the long run.
            Above it the connection is not read from until that has evened out.
        max_byte_rate: The same for bytes, of whatever kind.
        burst: How many seconds' worth of both rates may arrive at once.
        max_age: How long after the handshake a connection may last; then Close 1001.
        age_jitter: By which part of ``max_age`` that is less, at random, so that
            those who came together do not leave together.

    Raises:
        ValueError: For a number that makes no sense.
    """

    max_connections: int | None = None
    max_per_address: int | None = None
    ipv6_prefix: int = 64
    retry_after: int = 30
    first_message_timeout: float | None = None
    message_timeout: float | None = None
    idle_timeout: float | None = None
    max_message_rate: float | None = None
    max_byte_rate: float | None = None
    burst: float = 1
    max_age: float | None = None
    age_jitter: float = 0.1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None and field.default is None:
                continue
            kind: Any = int if field.name in _WHOLE else (int, float)
            least, most = _RANGES.get(field.name, (1e-9, float(1 << 63)))
            if not isinstance(value, kind) or not least <= value <= most:
                raise ValueError(f"{field.name} is {value!r}, not a number that fits")

    @property
    def is_watched(self) -> bool:
        """Whether a connection has to be watched once it is open."""
        return any(getattr(self, name) is not None for name in _WATCHED)


_WATCHED = (
    *("first_message_timeout", "message_timeout", "idle_timeout", "max_age"),
    *("max_message_rate", "max_byte_rate"),
)
_WHOLE = ("max_connections", "max_per_address", "ipv6_prefix", "retry_after")
_RANGES = {"ipv6_prefix": (1, 128), "age_jitter": (0, 1), "retry_after": (0, 1 << 31)}


class Guard:
    """Keeps one peer within its limits, from the handshake on.

    Args:
        peer: The peer.
        limits: Its limits.
        options: Those of its factory.
        luck: From 0 to 1, for the jitter of the age.
    """

    def __init__(
        self, peer: WebSocketPeer, limits: Limits, options: Options, luck: float
    ) -> None:
        clock, now = clocks(options.clock)
        self._peer = peer
        self._close_timeout = options.close_timeout
        self._bytes = Bucket(limits.max_byte_rate, limits.burst, now)
        self._messages = Bucket(limits.max_message_rate, limits.burst, now)
        self._deadline = partial(Deadline, clock, now)
        self._first = self._within(limits.first_message_timeout, _POLICY, "no message")
        self._whole = self._within(
            limits.message_timeout, _POLICY, "unfinished message"
        )
        self._idle = self._within(limits.idle_timeout, _AWAY, "idle")
        age = limits.max_age and limits.max_age * (1 - limits.age_jitter * luck)
        self._age = self._deadline(age, partial(self._end, _AWAY, "maximum age"))
        self._pause = self._deadline(None, peer.release)
        for deadline in (self._first, self._idle, self._age):
            deadline.start()
        peer.watch(self._arrived)

    def stop(self) -> None:
        """The connection is gone."""
        deadlines = (self._first, self._whole, self._idle, self._age, self._pause)
        for deadline in deadlines:
            deadline.stop()

    def _arrived(self, size: int, frames: list[Frame], is_receiving: bool) -> None:
        """A segment of so many bytes has brought these frames."""
        messages = sum(frame.fin for frame in frames)
        if messages:
            self._first.stop()
        if frames:
            self._idle.start()
        if not is_receiving:
            self._whole.stop()
        elif messages or not self._whole.is_running:
            self._whole.start()
        wait = max(self._bytes.take(size), self._messages.take(messages))
        if wait > 0:
            self._hold(wait)

    def _hold(self, seconds: float) -> None:
        self._pause.stop()
        self._pause = self._deadline(seconds, self._peer.release)
        self._pause.start()
        self._peer.hold()

    def _within(self, seconds: float | None, code: int, reason: str) -> Deadline:
        """By when the client has to do something, or this is the end."""

        def pass_by() -> None:
            if self._peer.is_paused:
                deadline.start()
            else:
                self._end(code, reason)

        deadline = self._deadline(seconds, pass_by)
        return deadline

    def _end(self, code: int, reason: str) -> None:
        if self._peer.closed_by is None:
            events.closing(self._peer, reason)
            self._peer.shutdown(code, reason, self._close_timeout)


class Deadline:
    """Calls ``passed`` when so many seconds have really elapsed.

    Args:
        clock: Schedules it.
        now: Seconds that really elapsed, from any start.
        seconds: How many; ``None`` for never.
        passed: What is called.
    """

    def __init__(
        self,
        clock: IReactorTime,
        now: Callable[[], float],
        seconds: float | None,
        passed: Callable[[], object],
    ) -> None:
        self._clock = clock
        self._now = now
        self._seconds = seconds
        self._passed = passed
        self._due = 0.0
        self._call: IDelayedCall | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has begun, and not passed."""
        return self._call is not None

    def start(self) -> None:
        """Begin, or begin anew."""
        if self._seconds is None:
            return
        self._due = self._now() + self._seconds
        if self._call is None:
            self._call = self._clock.callLater(self._seconds, self._look)
        else:
            self._call.reset(self._seconds)

    def stop(self) -> None:
        """It does not matter any more."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _look(self) -> None:
        self._call = None
        left = self._due - self._now()
        if left > 0:
            # The clock that schedules has jumped.
            self._call = self._clock.callLater(left, self._look)
        else:
            self._passed()


class Bucket:
    """A token bucket: what has come in may be taken, and more, on credit.

    Args:
        rate: How many tokens come in each second; ``None`` for no limit.
        burst: How many seconds' worth it holds.
        now: Seconds that really elapsed, from any start.
    """

    def __init__(
        self, rate: float | None, burst: float, now: Callable[[], float]
    ) -> None:
        self._rate = rate
        self._most = self._level = (rate or 0) * burst
        self._now = now
        self._seen = now()

    def take(self, count: int) -> float:
        """Take so many; the seconds until what was overdrawn has come in."""
        if self._rate is None:
            return 0
        now = self._now()
        come_in = (now - self._seen) * self._rate
        self._seen = now
        self._level = min(self._most, self._level + come_in) - count
        return -self._level / self._rate
