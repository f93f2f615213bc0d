"""Bytes written that have not gone yet: their order, their bound, who is told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from .deferreds import PENDING, Outcome
from .interfaces import IOutlet

__all__ = ["Outbox", "Write"]


#: About so many bytes are sent in one go, if there are more.
_BATCH = 65536

#: Pieces that are smaller than this on average are joined to be sent: cheaper.
_SMALL = 4096


class Write(Outcome[int]):
    """One frame or message on its way; fires with its size, in bytes.

    It doesn't hold its bytes, and nobody tells it that they have gone: it knows
    how many pieces must have, and looks.  Listening to it is what sends it, where
    it would have waited for the end of the segment: who waits does not wait
    longer than needed.

    Attributes:
        last: Its last piece's number among all that were ever written, from 1 on.
        size: How many bytes it has.
        count: How many pieces.
        undo: Takes back what the write did to the conversation, when it is
            withdrawn; or says no.
    """

    count = 1
    undo: Callable[[], bool] | None = None

    def __init__(self, outbox: Outbox, last: int, size: int) -> None:
        self._outbox = outbox
        self.last = last
        self.size = size

    def peek(self) -> Any:
        outbox = self._outbox
        return self.size if self.last <= outbox.gone else outbox.fate

    def hasten(self) -> None:
        self._outbox.flush()

    def hear(self) -> None:
        self._outbox.tell(self)

    def withdraw(self) -> None:
        self._outbox.withdraw(self)


class Outbox:
    """What waits to be sent, first in, first out: the queue is of pieces of bytes.

    Attributes:
        gone: How many pieces have gone, of all that were ever written.
        fate: What becomes of the others: an exception, or `PENDING`.
        buffered: Bytes written and not gone.
        blocked: Whether the way out took less than it was given.
        drained: Called whenever nothing waits any more, if set.
    """

    __slots__ = (
        "_advancing",
        "_corks",
        "_heard",
        "_is_cut",
        "_last_pong",
        "_outlet",
        "_queue",
        "blocked",
        "buffered",
        "drained",
        "fate",
        "gone",
    )

    def __init__(self) -> None:
        self._outlet: IOutlet | None = None
        self._queue: deque[bytes | memoryview] = deque()
        self._is_cut = False  # of the first piece a part has gone
        self._heard: list[tuple[int, Write]] = []  # a heap: the first one first
        self._last_pong: Write | None = None
        self._advancing = False
        self._corks = 0
        self.gone = 0
        self.fate: Any = PENDING
        self.buffered = 0
        self.blocked = False
        self.drained: Callable[[], None] | None = None

    def open(self, outlet: IOutlet, first: bytes) -> None:
        """Here is the way out; ``first`` goes before all that was written."""
        self._outlet = outlet
        if first:
            self._queue.appendleft(first)
            self.gone -= 1  # so the numbers of the others hold
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
        """Send these bytes, none of the pieces empty, after all others."""
        size = sum(map(len, pieces))
        if self.fate is not PENDING:
            return Write(self, self.gone + 1, size)
        self._queue += pieces
        self.buffered += size
        write = Write(self, self.gone + len(self._queue), size)
        write.count = len(pieces)
        if not self._corks:
            self.flush()
        return write

    def write_packed(self, piece: bytes) -> Write:
        """The same for one piece: the common case, and so without a list."""
        size = len(piece)
        if self.fate is not PENDING:
            return Write(self, self.gone + 1, size)
        self._queue.append(piece)
        self.buffered += size
        write = Write(self, self.gone + len(self._queue), size)
        if not self._corks:
            self.flush()
        return write

    def write_pong(self, pieces: list[bytes | memoryview]) -> None:
        """The same for a Pong, of which only the last waits for room.

        RFC 6455, section 5.5.3, allows to answer the most recent ping only.
        """
        last = self._last_pong
        if last is not None:
            [self._queue[last.last - self.gone - 1]] = pieces
            self.buffered += len(pieces[0]) - last.size
            last.size = len(pieces[0])
            return
        write = self.write(pieces)
        if self.blocked and self.fate is PENDING:
            # Until the way out is free again, nothing of it can have gone.
            self._last_pong = write

    def flush(self) -> None:
        """Send what can be sent now, and tell who waits for it."""
        if self._queue and not self.blocked:
            self._advance(0)

    def go_on(self, sent: int) -> None:
        """The way out is free again, and ``sent`` bytes more have gone."""
        self.blocked = False
        self._last_pong = None
        self._advance(sent)

    def _advance(self, sent: int) -> None:
        outlet, queue = self._outlet, self._queue
        if outlet is None or self._advancing:
            return
        self._advancing = True
        if sent:
            self._take_off(sent)
        while queue and not self.blocked:
            pieces, size = self._next_pieces()
            sent = outlet.send(pieces, size)
            self.blocked = sent < size
            self._take_off(sent)
        self._advancing = False
        if self._heard:
            self._tell()
        if self.drained is not None and not queue:
            self.drained()

    def _next_pieces(self) -> tuple[list[bytes | memoryview], int]:
        if self.buffered <= _BATCH:
            pieces, size = list(self._queue), self.buffered
        else:
            pieces, size = self._batch()
        if size <= _SMALL * len(pieces):
            return [b"".join(pieces)], size
        return pieces, size

    def _batch(self) -> tuple[list[bytes | memoryview], int]:
        pieces: list[bytes | memoryview] = []
        size = 0
        for piece in self._queue:
            pieces.append(piece)
            size += len(piece)
            if size > _BATCH:
                break
        return pieces, size

    def _take_off(self, count: int) -> None:
        queue = self._queue
        self.buffered -= count
        if self.buffered <= 0:  # below, if all was lost while it was sent
            self.buffered = 0
            self.gone += len(queue)
            queue.clear()
            self._is_cut = False
            return
        while count >= len(queue[0]):
            count -= len(queue.popleft())
            self.gone += 1
            self._is_cut = False
        if count:
            queue[0] = memoryview(queue[0])[count:]
            self._is_cut = True

    def tell(self, write: Write) -> None:
        """Settle it when its bytes have gone, or are lost."""
        heappush(self._heard, (write.last, write))

    def _tell(self) -> None:
        heard = self._heard
        while heard and (result := heard[0][1].peek()) is not PENDING:
            heappop(heard)[1].settle(result)

    def withdraw(self, write: Write) -> None:
        """Take a write back of which nothing was sent yet, if it may go."""
        if self._is_whole(write) and (write.undo is None or write.undo()):
            end = write.last - self.gone
            for at in range(end - write.count, end):
                # Emptied, not taken out: so the numbers of the others hold.
                self._queue[at] = b""
            self.buffered -= write.size
            self._take_off(0)

    def _is_whole(self, write: Write) -> bool:
        """Whether it waits, and nothing of it was sent yet."""
        at = write.last - write.count - self.gone
        if write.peek() is not PENDING or at < self._is_cut:
            return False
        # What is lent to the transport may be of several pieces, joined.
        lent = self._outlet.lent if self._outlet is not None else 0
        for earlier in range(at):
            if lent <= 0:
                break
            lent -= len(self._queue[earlier])
        return lent <= 0

    def goes_along(self, result: object) -> bool:
        """Whether it is a write that leaves with the next flush, unheard."""
        return (
            isinstance(result, Write)
            and not result.is_heard
            and not self.blocked
            and self.buffered <= _BATCH
        )

    def lost(self, error: Exception) -> None:
        """The connection is gone: end all that waits, or comes, with ``error``."""
        self.fate = error
        self._last_pong = None
        self._queue.clear()
        self.buffered = 0
        self._tell()
