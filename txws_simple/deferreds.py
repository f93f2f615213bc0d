"""Deferreds for what is under way whether anybody listens or not."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred

__all__ = ["Outcome"]

_T = TypeVar("_T")


def _listening(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def listened(self: Outcome[Any], *args: Any, **kwargs: Any) -> Any:
        if not self.heard:
            self.heard = True
            self.listen()
        return method(self, *args, **kwargs)

    return listened


class Outcome(Deferred[_T]):
    """A Deferred that fires once somebody listens.

    What is written and then forgotten must not end in the log as an unhandled
    error when the connection goes down, and must cost little: so a result waits
    here until a callback is added or the Deferred is awaited.

    Attributes:
        heard: Whether somebody listens.
        settled: Whether there is a result.
    """

    heard = False
    settled = False
    _result: Any = None

    def settle(self, result: _T | Exception) -> None:
        """Give the result, or the exception to fail with; only the first counts."""
        if self.settled or self.called:
            return
        self.settled = True
        self._result = result
        if self.heard:
            self._fire()

    def listen(self) -> None:
        """Somebody listens now."""
        if self.settled and not self.called:
            self._fire()

    def cancel(self) -> None:
        """As any Deferred's, but a result that is there already stands."""
        if not self.settled:
            super().cancel()

    def _fire(self) -> None:
        result, self._result = self._result, None
        if isinstance(result, Exception):
            self.errback(result)
        else:
            self.callback(result)

    if not TYPE_CHECKING:
        addCallbacks = _listening(Deferred.addCallbacks)
        addCallback = _listening(Deferred.addCallback)
        addErrback = _listening(Deferred.addErrback)
        addBoth = _listening(Deferred.addBoth)
        __iter__ = __await__ = _listening(Deferred.__iter__)
