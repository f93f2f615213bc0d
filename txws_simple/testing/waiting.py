"""Those who wait for something that a reactor or a thread brings about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

__all__ = ["Waiting"]

#: While somebody waits, it is looked at again after so many seconds.
_AGAIN = 0.005


class Waiting:
    """Conditions, and a Deferred for each that fires once it is so.

    Args:
        turn: Lets happen what can, and has those who wait told.
        complaint: Makes of what did not happen the error that it is.
    """

    def __init__(
        self, turn: Callable[[], object], complaint: Callable[[str], AssertionError]
    ) -> None:
        self._turn = turn
        self._complaint = complaint
        self._all: list[tuple[Callable[[], object], Deferred[None]]] = []
        self._looking: IDelayedCall | None = None
        self._is_asking = False

    def until(
        self, condition: Callable[[], object], what: str, timeout: float
    ) -> Deferred[None]:
        """Wait for it, and complain of ``what`` after ``timeout`` seconds.

        Errors:
            That complaint, or what the condition has raised.
        """
        from twisted.internet import reactor

        def complain(_: object, __: float) -> None:
            raise self._complaint(what)

        deferred: Deferred[None] = Deferred(lambda _: self._all.remove(waiting))
        waiting = (condition, deferred)
        self._all.append(waiting)
        deferred.addTimeout(timeout, cast(Any, reactor), complain)
        self._stop_looking()
        self._look()
        return deferred

    def tell(self) -> None:
        """Tell those for whom it is so, the first one first."""
        for waiting in list(self._all):
            condition, deferred = waiting
            # Another may have been told meanwhile, and have cancelled this one.
            if waiting in self._all and (result := self._ask(condition)):
                self._all.remove(waiting)
                deferred.callback(result if isinstance(result, Failure) else None)

    def stop(self) -> None:
        """What has not happened by now will not."""
        self._stop_looking()
        self._fail(Failure(self._complaint("this did not happen")))

    def _ask(self, condition: Callable[[], object]) -> object:
        """Whether it is so, or why it can't be; it may have a turn taken itself."""
        if self._is_asking:
            return False
        self._is_asking = True
        try:
            return condition()
        except Exception:
            return Failure()
        finally:
            self._is_asking = False

    def _look(self) -> None:
        from twisted.internet import reactor

        try:
            self._turn()
        except AssertionError:
            self._fail(Failure())
        if self._all:
            self._looking = cast(Any, reactor).callLater(_AGAIN, self._look)

    def _stop_looking(self) -> None:
        if self._looking is not None and self._looking.active():
            self._looking.cancel()

    def _fail(self, failure: Failure) -> None:
        while self._all:
            self._all.pop(0)[1].errback(failure)
