"""Frames that arrived and were not read yet, who waits for them, when to pause."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.python.failure import Failure

from .deferreds import Outcome
from .errors import WebSocketError
from .frames import Frame, Opcode

__all__ = ["Inbox"]

#: What a frame occupies beside its payload, about, in bytes.
OVERHEAD = 128

_T = TypeVar("_T")


class _Reader(Deferred[_T]):
    """One that waits for something to read; fires when served, or with the end."""

    #: Whether it would take a frame at once.
    wants = True

    def __init__(self, inbox: Inbox) -> None:
        super().__init__(inbox.leave)

    def offer(self, inbox: Inbox, frames: list[Frame]) -> list[Frame]:
        """These have just arrived, and none lies unread; which were not taken."""
        return frames

    def serve(self, inbox: Inbox) -> bool:
        """Take what is there; whether this reader has got what it waited for."""
        raise NotImplementedError


class _FrameReader(_Reader["Frame | None"]):
    def offer(self, inbox: Inbox, frames: list[Frame]) -> list[Frame]:
        # Its callbacks find the others where they look for them.
        inbox.keep(frames[1:])
        inbox.forget(self)
        inbox.within = not frames[0].fin
        self.callback(frames[0])
        return []

    def serve(self, inbox: Inbox) -> bool:
        if not inbox.frames:
            return False
        inbox.forget(self)
        self.callback(inbox.take())
        return True


class _MessageReader(_Reader["str | bytes | None"]):
    def serve(self, inbox: Inbox) -> bool:
        if inbox.frames and inbox.within:
            inbox.forget(self)
            self.errback(_within_a_message())
            return True
        if not inbox.messages:
            return False
        inbox.forget(self)
        self.callback(inbox.take_message())
        return True


class _EachReader(_Reader[None]):
    """One that stays, and is given frame after frame.

    Args:
        inbox: Where it reads.
        receiver: Called with each frame.
        goes_along: Whether what the receiver returned is a write that leaves by
            itself at the end of the segment, and need not be waited for.
    """

    def __init__(
        self,
        inbox: Inbox,
        receiver: Callable[[Frame], object],
        goes_along: Callable[[object], bool],
    ) -> None:
        super().__init__(inbox)
        self._inbox = inbox
        self._receiver = receiver
        self._goes_along = goes_along
        self._last: object = None

    def offer(self, inbox: Inbox, frames: list[Frame]) -> list[Frame]:
        # The fast way: no frame lies anywhere in between.
        if not self._is_ready():
            return frames
        count = self._take(frames)
        inbox.within = not frames[count - 1].fin
        return frames[count:]

    def serve(self, inbox: Inbox) -> bool:
        while inbox.frames and self._is_ready():
            self._take((inbox.take(),))
        return bool(self.called)

    def _is_ready(self) -> bool:
        """Whether it takes a frame, seen that the last write may still wait."""
        last, self._last = self._last, None
        if last is not None:
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
        self._inbox.deliver()

    def _fail(self, failure: Failure) -> None:
        self._inbox.forget(self)
        if not self.called:
            self.errback(failure)
            self._inbox.deliver()
        else:
            # Nobody waits any more: of interest is only what is no news.
            failure.trap(WebSocketError)


class Inbox:
    """What waits to be read, first in, first out, for readers in their order.

    Args:
        max_unread: Above this many bytes unread, each frame counted with its
            overhead, the sender is paused.
        pause: Called to pause it.
        resume: Called to let it go on.

    Attributes:
        frames: The frames.
        messages: How many whole messages end among them.
        within: Whether the last frame taken was not the last of its message.
        paused: Whether the sender is paused.
    """

    __slots__ = (
        "_delivering",
        "_discards",
        "_end",
        "_ended",
        "_is_cut",
        "_max_unread",
        "_pause",
        "_readers",
        "_resume",
        "_unread",
        "frames",
        "messages",
        "paused",
        "within",
    )

    def __init__(
        self, max_unread: int, pause: Callable[[], None], resume: Callable[[], None]
    ) -> None:
        self._max_unread = max_unread
        self._pause = pause
        self._resume = resume
        self._readers: deque[_Reader[Any]] = deque()
        self._unread = 0
        self._delivering = False
        self._discards = False
        self._ended = False
        self._is_cut = False
        self._end: Callable[[], Exception | None] = lambda: None
        self.frames: deque[Frame] = deque()
        self.messages = 0
        self.within = False
        self.paused = False

    # Reading

    def read(self) -> Deferred[Frame | None]:
        """The next frame, or the end."""
        if self.frames and not self._readers:
            frame: Outcome[Frame | None] = Outcome()
            frame.settle(self.take())
            if self.paused:
                self._balance()
            return frame
        return self._wait(_FrameReader(self))

    def receive(self) -> Deferred[str | bytes | None]:
        """The next whole message, or the end."""
        return self._wait(_MessageReader(self))

    def each(
        self,
        receiver: Callable[[Frame], object],
        goes_along: Callable[[object], bool],
    ) -> Deferred[None]:
        """Every frame from now on, until the end."""
        return self._wait(_EachReader(self, receiver, goes_along))

    def _wait(self, reader: _Reader[_T]) -> Deferred[_T]:
        self._readers.append(reader)
        if self.frames or self._ended:
            self.deliver()
        elif self.paused:
            self._balance()
        return reader

    def forget(self, reader: Deferred[Any]) -> None:
        """It doesn't wait any more."""
        assert isinstance(reader, _Reader)
        reader.wants = False
        with suppress(ValueError):
            self._readers.remove(reader)

    def leave(self, reader: Deferred[Any]) -> None:
        """It is cancelled: whoever waits behind it is served."""
        self.forget(reader)
        self.deliver()

    def take(self) -> Frame:
        """The first frame."""
        frame = self.frames.popleft()
        self._unread -= len(frame.data) + OVERHEAD
        self.messages -= frame.fin
        self.within = not frame.fin
        return frame

    def take_message(self) -> str | bytes:
        """The first message, which is whole."""
        first = self.take()
        parts = [first.data]
        while self.within:
            parts.append(self.take().data)
        data = b"".join(parts) if len(parts) > 1 else first.data
        return data.decode() if first.opcode is Opcode.TEXT else data

    # Arriving

    def arrive(self, frames: list[Frame]) -> None:
        """These frames have arrived: hand them out, as far as it goes."""
        if frames and self._readers and not (self.frames or self._delivering):
            self._delivering = True
            frames = self._readers[0].offer(self, frames)
            self._delivering = False
        if frames:
            self.keep(frames)
        if self.frames or self._ended:
            self.deliver()

    def keep(self, frames: list[Frame]) -> None:
        """These frames wait to be read."""
        if self._discards:
            return
        self.frames.extend(frames)
        for frame in frames:
            self._unread += len(frame.data) + OVERHEAD
            self.messages += frame.fin

    def end(self, end: Callable[[], Exception | None]) -> None:
        """Nothing more arrives.

        Args:
            end: Gives ``None`` for the normal end, else the exception that
                every reader gets who finds nothing more to read.
        """
        if not self._ended:
            self._ended = True
            self._end = end

    def cut(self, end: Callable[[], Exception | None]) -> None:
        """Nothing more is read; as :meth:`end`, but for every reader at once."""
        self.discard()
        self._ended = self._is_cut = True
        self._end = end
        for reader in self._readers:
            reader.wants = False

    def discard(self) -> None:
        """Forget what was not read, and what still arrives."""
        self._discards = True
        self.frames.clear()
        self._unread = self.messages = 0
        self.within = False
        self._balance()

    def deliver(self) -> None:
        """Serve who waits, as far as it goes."""
        if self._delivering:
            return
        self._delivering = True
        while self._readers and (self._readers[0].serve(self) or self._finish()):
            pass
        self._delivering = False
        self._balance()

    def _finish(self) -> bool:
        """Tell the first reader of the end, if it has come; whether it has."""
        if not self._ended or not (self._readers[0].wants or self._is_cut):
            return False
        reader = self._readers.popleft()
        end = self._end()
        reader.wants = False
        if end is None:
            reader.callback(None)
        else:
            reader.errback(end)
        return True

    def _balance(self) -> None:
        """Pause or resume the sender."""
        if self.paused:
            if self._unread * 2 <= self._max_unread or self._is_awaited():
                self.paused = False
                self._resume()
        elif self._unread > self._max_unread and not self._is_awaited():
            self.paused = True
            self._pause()

    def _is_awaited(self) -> bool:
        # A message can be awaited while its first fragments lie here.
        return self._ended or bool(self._readers and self._readers[0].wants)


def _within_a_message() -> RuntimeError:
    return RuntimeError("receive() within a message whose first fragment was read")
