"""Deferreds for what is under way whether anybody listens or not."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

__all__ = ["PENDING", "Outcome", "TimedOut", "check_timeout", "in_time"]

_T = TypeVar("_T")

#: What an `Outcome` has while it has no result.
PENDING: Any = object()


class TimedOut(defer.TimeoutError, TimeoutError):
    """A verb was not done in its time; nothing is lost by that.

    It is Twisted's ``TimeoutError`` and Python's own, whichever is caught.
    """


def check_timeout(timeout: float | None) -> None:
    """Refuse what is no number of seconds.

    Raises:
        TypeError: For what is no number.
        ValueError: For one that is negative or not finite.
    """
    if timeout is None:
        return
    if not isinstance(timeout, (int, float)):
        raise TypeError(f"timeout is a {type(timeout).__name__}, not seconds")
    if not 0 <= timeout < float("inf"):
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

    Args:
        outcome: The result, or the exception to fail with, where it is known.

    Attributes:
        is_heard: Whether somebody has looked.
    """

    is_heard = False
    _has_fired = False

    def __init__(self, outcome: _T | Exception = PENDING) -> None:
        # Not the Deferred's own, on purpose: that comes with the first look.
        self._outcome = outcome

    def peek(self) -> Any:
        """The result, the exception to fail with, or `PENDING`."""
        return self._outcome

    def settle(self, result: _T | Exception) -> None:
        """Give the result, or the exception to fail with; only the first counts."""
        if self.called:
            return
        if self.is_heard:
            self._fire(result)
        else:
            self._outcome = result

    def hasten(self) -> None:
        """Somebody looks, and there is no result yet: do what brings it now."""

    def hear(self) -> None:
        """That brought none: somebody waits to be told of it."""

    def withdraw(self) -> None:
        """Somebody cancels it, and there is no result yet."""

    def cancel(self) -> None:
        """As any Deferred's, but a result that is there already stands."""
        if not self.is_heard:
            if self.called:
                return
            self._begin()
        super().cancel()

    def __await__(self) -> Generator[Deferred[_T], None, _T]:
        if not self.is_heard:
            result = self._look()
            if result is not PENDING and not isinstance(result, Exception):
                return result  # type: ignore[no-any-return]
        # Not super().__await__, which in Twisted before 25 calls self.__iter__.
        return (yield from Deferred.__iter__(self))

    def _look(self) -> Any:
        if self.peek() is PENDING:
            self.hasten()
        return self.peek()

    def _begin(self) -> None:
        """Be a Deferred from now on."""
        self.is_heard = True
        super().__init__(_withdraw)

    def _fire(self, result: _T | Exception) -> None:
        if isinstance(result, Exception):
            self.errback(result)
        else:
            self.callback(result)

    if not TYPE_CHECKING:

        @property
        def called(self) -> bool:
            """Whether there is a result."""
            return self._has_fired if self.is_heard else self.peek() is not PENDING

        @called.setter
        def called(self, called: bool) -> None:
            self._has_fired = called

        def __getattr__(self, name: str) -> Any:
            if self.is_heard:
                raise AttributeError(name)
            self._begin()
            result = self._look()
            if result is PENDING:
                self.hear()
            elif not self.called:
                self._fire(result)
            return getattr(self, name)


def _withdraw(outcome: Deferred[Any]) -> None:
    assert isinstance(outcome, Outcome)
    outcome.withdraw()
