"""How and why a connection ends, by when it has to, and who waits for that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Ending"]


class Ending:
    """The end of one connection, from its first sign on.

    Args:
        clock: Schedules the deadline.

    Attributes:
        closed_by: Who began it, ``None`` before.
        error: What ended the connection other than in order, or ``None``.
        is_done: Whether the connection is gone.
    """

    __slots__ = (
        "_clock",
        "_deadline",
        "_is_graceful",
        "_waiting",
        "closed_by",
        "error",
        "is_done",
    )

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._deadline: IDelayedCall | None = None
        self._is_graceful = False
        self._waiting: tuple[Deferred[bool], ...] = ()
        self.closed_by: Literal["local", "remote"] | None = None
        self.error: Exception | None = None
        self.is_done = False

    def begin(self, by: Literal["local", "remote"]) -> None:
        """It has begun; only the first time counts."""
        if self.closed_by is None:
            self.closed_by = by

    def blame(self, error: Exception | None) -> None:
        """This is the reason; only the first one counts."""
        if self.error is None:
            self.error = error

    def stop_in(self, seconds: float, stop: Callable[[], None]) -> None:
        """Call ``stop`` if it is not done by then; the earliest deadline counts."""
        if self.is_done:
            return
        if self._deadline is not None:
            if self._deadline.getTime() <= self._clock.seconds() + seconds:
                return
            self._deadline.cancel()
        self._deadline = self._clock.callLater(seconds, stop)

    def wait(self) -> Deferred[bool]:
        """Fires when it is done, with whether it was done in order."""
        if self.is_done:
            return succeed(self._is_graceful)
        waiting: Deferred[bool] = Deferred(self._forget)
        self._waiting += (waiting,)
        return waiting

    def _forget(self, cancelled: Deferred[bool]) -> None:
        self._waiting = tuple(d for d in self._waiting if d is not cancelled)

    def finish(self, is_graceful: bool, error: Exception) -> None:
        """The connection is gone; :meth:`tell` says so to those who wait."""
        self.is_done = True
        self._is_graceful = is_graceful
        if not is_graceful:
            self.blame(error)
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()

    def tell(self) -> None:
        """Tell who waits."""
        waiting, self._waiting = self._waiting, ()
        for deferred in waiting:
            deferred.callback(self._is_graceful)
