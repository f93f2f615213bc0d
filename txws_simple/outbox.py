"""Bytes written that have not gone yet: their order, their bound, who is told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from .deferreds import Outcome
from .interfaces import IOutlet

__all__ = ["Outbox", "Write"]


#: Up to so many bytes, several small writes are joined: cheaper than as many pieces.
_JOINED = 65536


class Write(Outcome[int]):
    """One frame or message on its way; fires with its size, in bytes.

    Listening to it is what sends it, where it would have waited for the end of
    the segment: who waits does not wait longer than needed.

    Attributes:
        left: How many of its bytes have not gone.
        undo: Takes back what the write did to the conversation, when it is
            withdrawn; or says no.
    """

    undo: Callable[[], bool] | None = None

    def __init__(
        self, outbox: Outbox, pieces: list[bytes | memoryview], size: int
    ) -> None:
        self.outbox = outbox
        self.pieces = pieces
        self.size = self.left = size

    def hear(self) -> None:
        if not self.is_settled:
            self.outbox.flush()

    def withdraw(self) -> None:
        self.outbox.withdraw(self)

    def sent(self, count: int) -> None:
        """The first ``count`` bytes that were left have gone."""
        self.left -= count
        pieces = self.pieces
        while pieces and count >= len(pieces[0]):
            count -= len(pieces.pop(0))
        if count:
            pieces[0] = memoryview(pieces[0])[count:]


class Outbox:
    """What waits to be sent, first in, first out.

    Attributes:
        buffered: Bytes written and not gone.
        blocked: Whether the way out took less than it was given.
        drained: Called whenever nothing waits any more, if set.
    """

    __slots__ = (
        "_advancing",
        "_corks",
        "_error",
        "_last_pong",
        "_outlet",
        "_queue",
        "blocked",
        "buffered",
        "drained",
    )

    def __init__(self) -> None:
        self._outlet: IOutlet | None = None
        self._queue: deque[Write] = deque()
        self._last_pong: Write | None = None
        self._advancing = False
        self._error: Exception | None = None
        self._corks = 0
        self.buffered = 0
        self.blocked = False
        self.drained: Callable[[], None] | None = None

    def open(self, outlet: IOutlet, first: bytes) -> None:
        """Here is the way out; ``first`` goes before all that was written."""
        self._outlet = outlet
        if first:
            self._queue.appendleft(Write(self, [first], len(first)))
            self.buffered += len(first)
        if not self._corks:
            self.flush()

    def cork(self) -> None:
        """What is written from now on goes out together."""
        self._corks += 1

    def uncork(self) -> None:
        """It goes out now."""
        self._corks -= 1
        if self._queue and not self._corks and not self.blocked:
            self._advance(0)

    def write(self, pieces: list[bytes | memoryview]) -> Write:
        """Send these bytes after all others."""
        size = len(pieces[0]) if len(pieces) == 1 else sum(map(len, pieces))
        write = Write(self, pieces, size)
        if self._error is not None:
            write.settle(self._error)
            return write
        self._queue.append(write)
        self.buffered += size
        if not self._corks:
            self.flush()
        return write

    def write_pong(self, pieces: list[bytes | memoryview]) -> None:
        """The same for a Pong, of which only the last waits for room.

        RFC 6455, section 5.5.3, allows to answer the most recent ping only.
        """
        last = self._last_pong
        if self.blocked and last is not None and self._is_whole(last):
            self.buffered += sum(map(len, pieces)) - last.size
            last.pieces = pieces
            last.left = last.size = sum(map(len, pieces))
        else:
            self._last_pong = self.write(pieces)

    def flush(self) -> None:
        """Send what can be sent now, and tell who waits for it."""
        if self._queue and not self.blocked:
            self._advance(0)

    def go_on(self, sent: int) -> None:
        """The way out is free again, and ``sent`` bytes more have gone."""
        self.blocked = False
        self._advance(sent)

    def _advance(self, sent: int) -> None:
        outlet, queue = self._outlet, self._queue
        if outlet is None or self._advancing:
            return
        self._advancing = True
        done: list[Write] = []
        if sent:
            self._take_off(sent, done)
        while queue and not self.blocked:
            pieces, size = self._next_pieces()
            sent = outlet.send(pieces, size)
            self.blocked = sent < size
            self._take_off(sent, done)
        self._advancing = False
        for write in done:
            write.pieces = []  # who keeps the write shall not keep the bytes
            write.settle(write.size)
        if self.drained is not None and not queue:
            self.drained()

    def _next_pieces(self) -> tuple[list[bytes | memoryview], int]:
        if len(self._queue) == 1:
            write = self._queue[0]
            return write.pieces, write.left
        pieces: list[bytes | memoryview] = []
        size = 0
        for write in self._queue:
            pieces += write.pieces
            size += write.left
            if size > _JOINED:
                return pieces, size
        return [b"".join(pieces)], size

    def _take_off(self, count: int, done: list[Write]) -> None:
        if self._error is not None:
            return  # lost while it was sent
        self.buffered -= count
        if not self.buffered:
            done += self._queue
            self._queue.clear()
            return
        while count and count >= self._queue[0].left:
            write = self._queue.popleft()
            count -= write.left
            done.append(write)
        if count:
            self._queue[0].sent(count)

    def withdraw(self, write: Write) -> None:
        """Take a write back of which nothing was sent yet, if it may go."""
        if (
            write in self._queue
            and self._is_whole(write)
            and (write.undo is None or write.undo())
        ):
            self._queue.remove(write)
            self.buffered -= write.size

    def _is_whole(self, write: Write) -> bool:
        """Whether nothing of a write was sent yet."""
        if write.is_settled or write.left != write.size:
            return False
        # What is lent to the transport may be of several writes, joined.
        lent = self._outlet.lent if self._outlet is not None else 0
        for earlier in self._queue:
            if lent <= 0 or earlier is write:
                break
            lent -= earlier.left
        return lent <= 0

    def goes_along(self, result: object) -> bool:
        """Whether it is a write that leaves with the next flush, unheard."""
        return (
            isinstance(result, Write)
            and not result.is_heard
            and not self.blocked
            and self.buffered <= _JOINED
        )

    def lost(self, error: Exception) -> None:
        """The connection is gone: end all that waits, or comes, with ``error``."""
        self._error = error
        lost = list(self._queue)
        self._queue.clear()
        self.buffered = 0
        for write in lost:
            write.settle(error)
