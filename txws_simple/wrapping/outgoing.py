"""A byte stream on its way out, as messages: joined, paced, with a producer.

What is written in one turn goes as one message.  The peer is given little more
than it can send: so pings are not stuck behind what waits, and whoever produces is
paused by what really lies here.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from twisted.logger import Logger

from ..frames import Frame
from ..messages import as_frame
from ..peer import WebSocketPeer

__all__ = ["Outgoing"]

_log = Logger()

#: The largest message made of what is written, in bytes.
_MESSAGE = 65536

#: The peer is given no more while so many bytes have not left.
_AHEAD = 65536

#: With more than this waiting, a streaming producer is paused, in bytes.
_ENOUGH = 65536

_Text = getincrementaldecoder("utf-8")


class Outgoing:
    """What was written and has not gone, and who produces it.

    Args:
        peer: Where the messages go.
        is_binary: Whether they are binary; otherwise text.
        max_buffered: With more than this waiting, a write is an overrun.
        soon: Has :meth:`turn` called in the next turn of the reactor.
        drained: Called when all has gone and nobody produces more on demand, if
            it was asked for by :meth:`finish`.
        failed: Called with the exception of what is no UTF-8 where text is sent.
    """

    def __init__(
        self,
        peer: WebSocketPeer,
        *,
        is_binary: bool,
        max_buffered: int,
        soon: Callable[[], None],
        drained: Callable[[], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._peer = peer
        self._decoder = None if is_binary else _Text()
        self._max_buffered = max_buffered
        self._ahead = min(_AHEAD, max_buffered)
        self._soon = soon
        self._drained = drained
        self._failed = failed
        self._pieces: deque[bytes | memoryview] = deque()
        self._size = 0
        self._producer: Any = None
        self._is_streaming = False
        self._is_paused = False  # the producer
        self._is_waiting = False  # for a message to leave
        self._is_finishing = False
        self._is_stopped = False

    @property
    def waiting(self) -> int:
        """Bytes that were written and have not left."""
        return self._size + self._peer.buffered

    @property
    def is_overrun(self) -> bool:
        """Whether too much waits for more to be written."""
        return self.waiting > self._max_buffered

    def write(self, data: bytes) -> None:
        """Send this, with what else is written in this turn."""
        if not data or self._is_stopped:
            return
        self._pieces.append(data)
        self._size += len(data)
        if self._is_streaming and not self._is_paused and self.waiting > _ENOUGH:
            self._is_paused = True
            self._producer.pauseProducing()
        self._soon()

    def finish(self) -> None:
        """Say when all has gone."""
        self._is_finishing = True
        self._soon()

    def stop(self) -> None:
        """Nothing more is sent, and nobody produces for it."""
        self._is_stopped = True
        self._is_finishing = False
        self._decoder = None
        self._pieces.clear()
        self._size = 0
        producer, self._producer = self._producer, None
        self._is_streaming = self._is_paused = False
        if producer is None:
            return
        try:
            producer.stopProducing()
        except BaseException:  # or nobody would be told of the end
            _log.failure("stopProducing of {it!r} failed", it=producer)

    def last_words(self) -> Iterator[Frame]:
        """All that waits, as messages; nothing can follow it."""
        while self._size:
            if message := self._decode(self._take()):
                yield as_frame(message)
        if self._ends_whole():
            self.stop()

    # Producers

    def register(self, producer: Any, is_streaming: bool) -> None:
        """This produces what is sent.

        Raises:
            RuntimeError: If somebody does already.
        """
        if self._producer is not None:
            raise RuntimeError(f"{self._producer!r} is registered already")
        if self._is_stopped:
            producer.stopProducing()
            return
        self._producer = producer
        self._is_streaming = is_streaming
        # One that is not streaming always waits to be asked.
        self._is_paused = not is_streaming
        self._soon()

    def unregister(self) -> None:
        """Nobody produces any more."""
        self._producer = None
        self._is_streaming = self._is_paused = False
        self._soon()

    # Sending

    def turn(self) -> None:
        """Go on, as far as the peer takes more."""
        while self._size and not self._is_waiting:
            self._send()
        if not self._size and not self._is_waiting:
            self._have_sent_all()

    def _send(self) -> None:
        message = self._decode(self._take())
        if not message:
            return
        write = self._peer.write(message)
        is_last = not self._size and (self._is_paused or self._is_finishing)
        if not self._is_waiting and (is_last or self._peer.buffered > self._ahead):
            self._is_waiting = True
            write.addBoth(self._go_on)

    def _decode(self, data: bytes) -> str | bytes | None:
        """What to send: nothing for the mere beginning of a code point."""
        if self._decoder is None:
            return data
        try:
            return self._decoder.decode(data)
        except UnicodeDecodeError as error:
            self._fail(error)
            return None

    def _go_on(self, _: object) -> None:
        # Gone or lost: what is lost is told by the peer.
        self._is_waiting = False
        self._soon()

    def _take(self) -> bytes:
        """The bytes of the next message."""
        pieces: list[bytes | memoryview] = []
        room = min(self._size, _MESSAGE)
        self._size -= room
        while room:
            piece = self._pieces.popleft()
            if len(piece) > room:
                view = memoryview(piece)
                self._pieces.appendleft(view[room:])
                piece = view[:room]
            pieces.append(piece)
            room -= len(piece)
        return b"".join(pieces)

    def _have_sent_all(self) -> None:
        if self._is_paused:
            self._is_paused = not self._is_streaming
            if self._is_finishing and self._is_streaming:
                self._soon()  # it may have nothing more to say
            self._producer.resumeProducing()
        elif self._is_finishing and self._ends_whole():
            self._is_finishing = False
            self._drained()

    def _ends_whole(self) -> bool:
        """Whether the text doesn't end amid a code point; that is a failure."""
        try:
            if self._decoder is not None:
                self._decoder.decode(b"", True)
        except UnicodeDecodeError as error:
            self._fail(error)
            return False
        return True

    def _fail(self, error: Exception) -> None:
        self.stop()
        self._failed(error)
