"""Those who wait for something to read: a frame, a message, or frame after frame."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from .deferreds import PENDING
from .errors import WebSocketError
from .frames import Frame
from .outbox import Outbox, Write
from .unread import Unread

__all__ = ["EachReader", "FrameReader", "MessageReader", "Reader"]

_log = Logger()

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
        outbox: Where what the receiver writes goes.
    """

    def __init__(
        self, place: Place, receiver: Callable[[Frame], object], outbox: Outbox
    ) -> None:
        super().__init__(place)
        self._receiver = receiver
        self._outbox = outbox
        self._last: object = None

    def offer(self, frames: list[Frame]) -> list[Frame]:
        # The fast way: no frame lies anywhere in between.
        if self._outbox.blocked:
            self._look_back()
        if not self.wants:
            return frames
        count = self._take(frames)
        self._place.unread.within = not frames[count - 1].fin
        return frames[count:]

    def serve(self) -> Any:
        unread = self._place.unread
        self._look_back()
        while unread.frames and self.wants:
            self._take((unread.take(),))
        return PENDING

    def _look_back(self) -> None:
        """The last write may be there still, and is waited for then."""
        last, self._last = self._last, None
        self._wait_for(last)

    def _take(self, frames: Sequence[Frame]) -> int:
        """Give these to the receiver, as long as it takes them; how many it took."""
        receiver, outbox = self._receiver, self._outbox
        for count, frame in enumerate(frames, 1):
            try:
                result = receiver(frame)
            except BaseException:
                # Whatever it is, as in a Deferred: the connection goes on.
                self._fail_at_once(Failure())
                return count
            if type(result) is Write and not outbox.blocked and not result.is_heard:
                self._last = result
            elif result is not None:
                self._wait_for(result)
            if not self.wants:
                return count
        return len(frames)

    def _wait_for(self, result: object) -> None:
        if self._goes_along(result):
            return
        if isinstance(result, Coroutine):
            result = ensureDeferred(result)
        if isinstance(result, Deferred):
            self.wants = False
            result.addCallbacks(self._go_on, self._fail)

    def _goes_along(self, result: object) -> bool:
        """Whether it is a write that has gone, or goes with the next flush, unheard.

        Nobody has to wait for it.
        """
        return (
            isinstance(result, Write)
            and not result.is_heard
            and (not self._outbox.blocked or result.called)
        )

    def _go_on(self, _: object) -> None:
        self.wants = True
        self._place.deliver()

    def _fail_at_once(self, failure: Failure) -> None:
        if not self.called:
            self._fail(failure)
        elif not failure.check(WebSocketError):
            # Nobody waits any more, not even a Deferred of the receiver's own.
            _log.failure("a receiver failed", failure=failure)

    def _fail(self, failure: Failure) -> None:
        self._place.forget(self)
        if not self.called:
            self.errback(failure)
            self._place.deliver()
        else:
            # Nobody waits any more: of interest is only what is no news.
            failure.trap(WebSocketError)
