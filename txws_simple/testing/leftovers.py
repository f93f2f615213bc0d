"""What an application leaves behind: handlers that wait, failures that were logged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import ILogObserver, LogEvent
from twisted.python.failure import Failure
from zope.interface import implementer

from ..peer import WebSocketPeer

__all__ = ["Failures", "Handler"]


class Handler:
    """A handler, and how many connections it still serves."""

    def __init__(self, handler: Callable[[WebSocketPeer], object]) -> None:
        self._handler = handler
        self.running = 0

    def __call__(self, peer: WebSocketPeer) -> Deferred[Any]:
        self.running += 1
        return maybeDeferred(self._handler, peer).addBoth(self._ended)

    def check(self) -> None:
        if self.running:
            raise AssertionError("the handler still waits, without a connection")

    def _ended(self, result: object) -> object:
        self.running -= 1
        return result


@implementer(ILogObserver)
class Failures:
    """What was logged as a failure."""

    def __init__(self) -> None:
        self.seen: list[Failure] = []

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_failure") is not None:
            self.seen.append(event["log_failure"])

    def check(self) -> None:
        if self.seen:
            first = self.seen[0]
            raise AssertionError(f"logged: {first.getTraceback()}") from first.value

    def forget(self, failures: list[Failure]) -> None:
        self.seen = [one for one in self.seen if one not in failures]
