"""What arrives, who it is for, and when the sender has to pause."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred

from .deferreds import PENDING, Outcome
from .frames import Frame
from .outbox import Outbox
from .readers import EachReader, FrameReader, MessageReader, Reader
from .unread import Unread

__all__ = ["Inbox"]

_T = TypeVar("_T")


class Sender(Protocol):
    """Where the frames come from."""

    def pause(self) -> None:
        """Send nothing more for now."""

    def resume(self) -> None:
        """Go on."""


class Inbox:
    """What waits to be read, first in, first out, for readers in their order.

    Args:
        max_unread: Above this many bytes unread, each frame counted with its
            overhead, the sender is paused.
        sender: Who is paused.

    Attributes:
        unread: What waits.
        paused: Whether the sender is paused.
    """

    __slots__ = (
        "_delivering",
        "_discards",
        "_end",
        "_is_cut",
        "_is_held",
        "_max_unread",
        "_readers",
        "_sender",
        "paused",
        "unread",
    )

    def __init__(self, max_unread: int, sender: Sender) -> None:
        self._max_unread = max_unread
        self._sender = sender
        self._readers: list[Reader[Any]] = []
        self._delivering = False
        self._discards = False
        self._is_cut = False
        self._is_held = False
        self._end: Callable[[], Exception | None] | None = None  # before the end
        self.unread = Unread()
        self.paused = False

    # Reading

    def read(self) -> Deferred[Frame | None]:
        """The next frame, or the end."""
        if self.unread.frames and not self._readers:
            frame: Outcome[Frame | None] = Outcome(self.unread.take())
            if self.paused:
                self._balance()
            return frame
        return self._wait(FrameReader(self))

    def receive(self) -> Deferred[str | bytes | None]:
        """The next whole message, or the end."""
        return self._wait(MessageReader(self))

    def each(
        self, receiver: Callable[[Frame], object], outbox: Outbox
    ) -> Deferred[None]:
        """Every frame from now on, until the end."""
        return self._wait(EachReader(self, receiver, outbox))

    def _wait(self, reader: Reader[_T]) -> Deferred[_T]:
        self._readers.append(reader)
        if self.unread.frames or self._end is not None:
            self.deliver()
        return reader

    def forget(self, reader: Deferred[Any]) -> None:
        """It doesn't wait any more."""
        assert isinstance(reader, Reader)
        reader.wants = False
        if reader in self._readers:
            self._readers.remove(reader)

    def leave(self, reader: Deferred[Any]) -> None:
        """The same, and whoever waits behind it is served."""
        self.forget(reader)
        self.deliver()

    # Arriving

    def arrive(self, frames: list[Frame]) -> None:
        """These frames have arrived: hand them out, as far as it goes."""
        if frames and self._readers and not (self.unread.frames or self._delivering):
            self._delivering = True
            try:
                frames = self._readers[0].offer(frames)
            finally:
                self._delivering = False
        if frames and not self._discards:
            self.unread.keep(frames)
        if self.unread.frames or self._end is not None:
            self.deliver()

    def end(self, end: Callable[[], Exception | None]) -> None:
        """Nothing more arrives.

        Args:
            end: Gives ``None`` for the normal end, else the exception that
                every reader gets who finds nothing more to read.
        """
        if self._end is None:
            self._end = end

    def cut(self, end: Callable[[], Exception | None]) -> None:
        """Nothing more is read; as :meth:`end`, but for every reader at once."""
        self.discard()
        self._is_cut = True
        self._end = end
        for reader in self._readers:
            reader.wants = False

    def discard(self) -> None:
        """Forget what was not read, and what still arrives."""
        self._discards = True
        self.unread.clear()
        self._balance()

    def hold(self) -> None:
        """Pause the sender, however little is unread, until :meth:`release`."""
        self._is_held = True
        self._balance()

    def release(self) -> None:
        """Whether the sender is paused depends on what is unread, again."""
        if self._is_held:
            self._is_held = False
            self._balance()

    def deliver(self) -> None:
        """Serve who waits, as far as it goes."""
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._readers and self._serve(self._readers[0]):
                pass
        finally:
            self._delivering = False
        self._balance()

    def _serve(self, reader: Reader[Any]) -> bool:
        """Whether this reader is done with, by what was there or by the end."""
        result = reader.serve()
        if reader.called:
            return True  # it has left meanwhile
        if result is PENDING:
            if self._end is None or not (reader.wants or self._is_cut):
                return False
            result = self._end()
        self.forget(reader)
        reader.finish(result)
        return True

    def _balance(self) -> None:
        """Pause or resume the sender."""
        if self.paused:
            has_room = self.unread.size * 2 <= self._max_unread or self._is_awaited()
            if has_room and not self._is_held:
                self.paused = False
                self._sender.resume()
        elif self._is_held or (
            self.unread.size > self._max_unread and not self._is_awaited()
        ):
            self.paused = True
            self._sender.pause()

    def _is_awaited(self) -> bool:
        # A message can be awaited while its first fragments lie here.
        if self._end is not None:
            return True
        return bool(self._readers) and self._readers[0].wants
