"""Bytes written that have not gone yet: their order, their bound, who is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import Any

from .deferreds import PENDING, Outcome
from .interfaces import IOutlet

__all__ = ["Outbox", "Write"]


#: About so many bytes are sent in one go, if there are more.
_BATCH = 65536

#: Pieces that are smaller than this on average are joined to be sent: cheaper.
_SMALL = 4096

#: So many pieces that have gone may stand before the others.
_BEHIND = 64


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
        sent: Bytes gone, but for those that went before all that was written.
        blocked: Whether the way out took less than it was given.
        drained: Called whenever nothing waits any more, if set.
    """

    __slots__ = (
        "_advancing",
        "_corks",
        "_first",
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
        "sent",
    )

    def __init__(self) -> None:
        self._outlet: IOutlet | None = None
        # A list, for an empty deque occupies ten times as much; what has gone is
        # taken off its head now and then.
        self._queue: list[bytes | memoryview] = []
        self._first = 0  # where in it the first piece is that has not gone
        self._is_cut = False  # of that piece a part has gone
        self._heard: list[tuple[int, Write]] = []  # a heap: the first one first
        self._last_pong: Write | None = None
        self._advancing = False
        self._corks = 0
        self.gone = 0
        self.fate: Any = PENDING
        self.buffered = 0
        self.sent = 0
        self.blocked = False
        self.drained: Callable[[], None] | None = None

    def open(self, outlet: IOutlet, first: bytes) -> None:
        """Here is the way out; ``first`` goes before all that was written."""
        self._outlet = outlet
        if first:
            self._queue.insert(self._first, first)
            self.gone -= 1  # so the numbers of the others hold
            self.sent -= len(first)
            self.buffered += len(first)
        if not self._corks:
            self.flush()

    def cork(self) -> None:
        """What is written from now on goes out together."""
        self._corks += 1

    def uncork(self) -> None:
        """It goes out now."""
        self._corks -= 1
        if self.buffered and not self._corks and not self.blocked:
            self._advance(0)

    def write(self, pieces: list[bytes | memoryview]) -> Write:
        """Send these bytes, none of the pieces empty, after all others."""
        queue, size = self._queue, sum(map(len, pieces))
        if self.fate is not PENDING:
            return Write(self, self.gone + 1, size)
        queue += pieces
        self.buffered += size
        write = Write(self, self.gone + len(queue) - self._first, size)
        write.count = len(pieces)
        # A large one gains nothing by going with others.
        if not self._corks or self.buffered > _BATCH:
            self.flush()
        return write

    def write_packed(self, piece: bytes) -> Write:
        """The same for one piece: the common case."""
        queue, size = self._queue, len(piece)
        if self.fate is not PENDING:
            return Write(self, self.gone + 1, size)
        queue.append(piece)
        self.buffered += size
        write = Write(self, self.gone + len(queue) - self._first, size)
        if not self._corks or self.buffered > _BATCH:
            self.flush()
        return write

    def write_pong(self, pieces: list[bytes | memoryview]) -> None:
        """The same for a Pong, of which only the last waits for room.

        RFC 6455, section 5.5.3, allows to answer the most recent ping only.
        """
        last = self._last_pong
        if last is not None:
            [self._queue[self._place(last)]] = pieces
            self.buffered += len(pieces[0]) - last.size
            last.size = len(pieces[0])
            return
        was_blocked = self.blocked
        write = self.write(pieces)
        if was_blocked and self.fate is PENDING:
            # Until the way out is free again, nothing of it can have gone.
            self._last_pong = write

    def flush(self) -> None:
        """Send what can be sent now, and tell who waits for it."""
        if self.buffered and not self.blocked:
            self._advance(0)

    def go_on(self, sent: int) -> None:
        """The way out is free again, and ``sent`` bytes more have gone."""
        self.blocked = False
        self._last_pong = None
        self._advance(sent)

    def _advance(self, sent: int) -> None:
        outlet = self._outlet
        if outlet is None or self._advancing:
            return
        self._advancing = True
        if sent:
            self._take_off(sent)
        while self.buffered and not self.blocked:
            pieces, size = self._next_pieces()
            sent = outlet.send(pieces, size)
            if sent < size:
                self.blocked = True
            self._take_off(sent)
        self._advancing = False
        if self._heard:
            self._tell()
        if self.drained is not None and not self.buffered:
            self.drained()

    def _next_pieces(self) -> tuple[Sequence[bytes | memoryview], int]:
        pieces, size = self._queue, self.buffered
        if len(pieces) == 1:
            return pieces, size
        if size > _BATCH or self._first:
            pieces, size = self._batch()
        if size <= _SMALL * len(pieces):
            return (b"".join(pieces),), size
        return pieces, size

    def _batch(self) -> tuple[list[bytes | memoryview], int]:
        pieces: list[bytes | memoryview] = []
        size = 0
        for at in range(self._first, len(self._queue)):
            piece = self._queue[at]
            pieces.append(piece)
            size += len(piece)
            if size > _BATCH:
                break
        return pieces, size

    def _take_off(self, count: int) -> None:
        queue, first = self._queue, self._first
        self.buffered -= count
        self.sent += count
        if self.buffered <= 0:  # below, if all was lost while it was sent
            self.buffered = 0
            self.gone += len(queue) - first
            queue.clear()
            self._first = 0
            self._is_cut = False
            return
        while count >= len(queue[first]):
            count -= len(queue[first])
            queue[first] = b""
            first += 1
            self._is_cut = False
        if count:
            queue[first] = memoryview(queue[first])[count:]
            self._is_cut = True
        self.gone += first - self._first
        self._first = first
        if first > _BEHIND and first * 2 > len(queue):
            del queue[:first]
            self._first = 0

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
            last = self._place(write)
            for at in range(last - write.count + 1, last + 1):
                # Emptied, not taken out: so the numbers of the others hold.
                self._queue[at] = b""
            self.buffered -= write.size
            self._take_off(0)

    def _place(self, write: Write) -> int:
        """Where in the queue the last piece of this write is."""
        return write.last - 1 - self.gone + self._first

    def _is_whole(self, write: Write) -> bool:
        """Whether it waits, and nothing of it was sent yet."""
        first = self._place(write) - write.count + 1
        if write.peek() is not PENDING or first < self._first + self._is_cut:
            return False
        # What is lent to the transport may be of several pieces, joined.
        lent = self._outlet.lent if self._outlet is not None else 0
        for earlier in range(self._first, first):
            if lent <= 0:
                break
            lent -= len(self._queue[earlier])
        return lent <= 0

    def lost(self, error: Exception) -> None:
        """The connection is gone: end all that waits, or comes, with ``error``."""
        self.fate = error
        self._last_pong = None
        self._queue.clear()
        self._first = 0
        self.buffered = 0
        self._tell()
