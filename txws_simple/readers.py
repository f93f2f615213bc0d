"""Those who wait for something to read: a frame, a message, or frame after frame."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.python.failure import Failure

from .deferreds import PENDING
from .errors import WebSocketError
from .frames import Frame
from .unread import Unread

__all__ = ["EachReader", "FrameReader", "MessageReader", "Reader"]

_T = TypeVar("_T")


class Place(Protocol):
    """Where readers wait."""

    unread: Unread

    def forget(self, reader: Deferred[Any]) -> None:
        """It doesn't wait any more."""

    def leave(self, reader: Deferred[Any]) -> None:
        """The same, and whoever waits behind it is served."""

    def deliver(self) -> None:
        """Serve who waits, as far as it goes."""


class Reader(Deferred[_T]):
    """One that waits for something to read; fires when served, or with the end.

    Attributes:
        wants: Whether it would take a frame at once.
    """

    wants = True

    def __init__(self, place: Place) -> None:
        super().__init__(place.leave)
        self._place = place

    def offer(self, frames: list[Frame]) -> list[Frame]:
        """These have just arrived, and none lies unread; which were not taken."""
        return frames

    def serve(self) -> Any:
        """Take what is there: the result, what to fail with, or `PENDING`."""
        raise NotImplementedError

    def finish(self, result: Any) -> None:
        """This is the result, or what to fail with."""
        self.wants = False
        if isinstance(result, (Exception, Failure)):
            self.errback(result)
        else:
            self.callback(result)


class FrameReader(Reader["Frame | None"]):
    """Waits for the next frame."""

    def serve(self) -> Any:
        unread = self._place.unread
        return unread.take() if unread.frames else PENDING


class MessageReader(Reader["str | bytes | None"]):
    """Waits for the next whole message."""

    def serve(self) -> Any:
        unread = self._place.unread
        if unread.frames and unread.within:
            return RuntimeError(
                "receive() within a message whose first fragment was read"
            )
        return unread.take_message() if unread.messages else PENDING


class EachReader(Reader[None]):
    """One that stays, and is given frame after frame.

    Args:
        place: Where it reads.
        receiver: Called with each frame.
        goes_along: Whether what the receiver returned is a write that leaves by
            itself at the end of the segment, and need not be waited for.
    """

    def __init__(
        self,
        place: Place,
        receiver: Callable[[Frame], object],
        goes_along: Callable[[object], bool],
    ) -> None:
        super().__init__(place)
        self._receiver = receiver
        self._goes_along = goes_along
        self._last: object = None

    def offer(self, frames: list[Frame]) -> list[Frame]:
        # The fast way: no frame lies anywhere in between.
        if not self._is_ready():
            return frames
        count = self._take(frames)
        self._place.unread.within = not frames[count - 1].fin
        return frames[count:]

    def serve(self) -> Any:
        unread = self._place.unread
        while unread.frames and self._is_ready():
            self._take((unread.take(),))
        return PENDING

    def _is_ready(self) -> bool:
        """Whether it takes a frame, seen that the last write may still wait."""
        last = self._last
        if last is not None:
            self._last = None
            self._wait_for(last)
        return self.wants

    def _take(self, frames: Sequence[Frame]) -> int:
        """Give these to the receiver, as long as it takes them; how many it took."""
        receiver, goes_along = self._receiver, self._goes_along
        result: object = None
        for count, frame in enumerate(frames, 1):
            try:
                result = receiver(frame)
            except BaseException:
                # Whatever it is, as in a Deferred: the connection goes on.
                self._fail(Failure())
                return count
            if result is not None and not goes_along(result):
                self._wait_for(result)
                result = None
            if not self.wants:
                return count
        self._last = result
        return len(frames)

    def _wait_for(self, result: object) -> None:
        if self._goes_along(result):
            return
        if isinstance(result, Coroutine):
            result = ensureDeferred(result)
        if isinstance(result, Deferred):
            self.wants = False
            result.addCallbacks(self._go_on, self._fail)

    def _go_on(self, _: object) -> None:
        self.wants = True
        self._place.deliver()

    def _fail(self, failure: Failure) -> None:
        self._place.forget(self)
        if not self.called:
            self.errback(failure)
            self._place.deliver()
        else:
            # Nobody waits any more: of interest is only what is no news.
            failure.trap(WebSocketError)
