"""Deferreds for what is under way whether anybody listens or not."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

__all__ = ["Outcome", "TimedOut", "check_timeout", "in_time"]

_T = TypeVar("_T")


class TimedOut(defer.TimeoutError, TimeoutError):
    """A verb was not done in its time; nothing is lost by that.

    It is Twisted's ``TimeoutError`` and Python's own, whichever is caught.
    """


def check_timeout(timeout: float | None) -> None:
    """Refuse what is no number of seconds.

    Raises:
        ValueError: For one that is negative or not finite.
    """
    if timeout is not None and not 0 <= timeout < float("inf"):
        raise ValueError(f"timeout is {timeout!r}, not a number of seconds")


def in_time(
    deferred: Deferred[_T], timeout: float, clock: IReactorTime
) -> Deferred[_T]:
    """Cancel it after ``timeout`` seconds, which makes it fail with `TimedOut`."""

    def time_out(result: _T | Failure, seconds: float) -> _T | Failure:
        # A result that came with the cancelling is a result.
        if isinstance(result, Failure) and result.check(defer.CancelledError):
            return Failure(TimedOut(f"not done in {seconds} seconds"))
        return result

    return deferred.addTimeout(timeout, clock, time_out)


class Outcome(Deferred[_T]):
    """A Deferred that becomes one when somebody looks at it.

    What is written and then forgotten must not end in the log as an unhandled
    error when the connection goes down, and must cost little.  So there is
    nothing of a Deferred in this until one of its attributes is asked for, to add
    a callback or to chain it to another; a result that is there already fires
    then.

    Attributes:
        is_heard: Whether somebody has looked.
        is_settled: Whether there is a result.
    """

    is_heard = False
    is_settled = False
    _outcome: Any = None

    def __init__(self) -> None:
        # Not the Deferred's own, on purpose: that comes with the first look.
        pass

    def settle(self, result: _T | Exception) -> None:
        """Give the result, or the exception to fail with; only the first counts."""
        if self.is_settled or self.called:
            return
        self.is_settled = True
        if self.is_heard:
            self._fire(result)
        else:
            self._outcome = result
            self.called = True

    def hear(self) -> None:
        """Somebody looks for the first time."""

    def withdraw(self) -> None:
        """Somebody cancels it, and it has no result."""

    def cancel(self) -> None:
        """As any Deferred's, but a result that is there already stands."""
        if self.is_heard or not self.is_settled:
            super().cancel()

    def __await__(self) -> Generator[Deferred[_T], None, _T]:
        if not self.is_heard:
            self.hear()
            if self.is_settled and not isinstance(self._outcome, Exception):
                return self._outcome  # type: ignore[no-any-return]
        # Not super().__await__, which in Twisted before 25 calls self.__iter__.
        return (yield from Deferred.__iter__(self))

    def _fire(self, result: _T | Exception) -> None:
        if isinstance(result, Exception):
            self.errback(result)
        else:
            self.callback(result)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if self.is_heard:
                raise AttributeError(name)
            self.is_heard = True
            super().__init__(type(self).withdraw)
            if self.is_settled:
                self.called = False
                self._fire(self._outcome)
            else:
                self.hear()
            return getattr(self, name)
