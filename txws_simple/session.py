"""One connection behind the peer: what arrives on it, what leaves, how it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from .connection import Connection
from .counters import Traffic
from .ending import Ending
from .errors import CloseTimeout, ConnectionClosed, PongTimeout
from .frames import CloseCode, Frame
from .inbox import Inbox
from .interfaces import IOutlet
from .options import Options
from .outbox import Outbox
from .pinger import Pinger, Pings, clocks
from .reading import FIRST, LONG, MUCH, amount, read_at_most

__all__ = ["Session"]

#: The codes of a normal end, 1005 standing for a Close without a code.
_NORMAL = (CloseCode.NORMAL, CloseCode.GOING_AWAY, CloseCode.NO_STATUS)


class Session:
    """The parts of one connection, and what it takes to keep them in step.

    The protocol tells it what happens: ``opened``, ``data_received``, ``ended``.

    Args:
        transport: The transport below.
        options: The limits and choices.
        pinger: What keeps connections alive; ``None`` for no pings.

    Attributes:
        transport: The same.
        options: The same.
        heard: Whether anything arrived since the last ping.
        is_gone: Whether the transport is no more.
        clock: What schedules all that waits.
        seconds: Gives the seconds that really elapsed, from any start.
        connection: The conversation.
        inbox: What arrived and was not read.
        outbox: What was written and has not gone.
        pings: What was pinged and not answered.
        ending: How and why it ends.
        watcher: Called for each segment, if set: see :meth:`.WebSocketPeer.watch`.
        last_words: Called once before our Close, if set: see
            :meth:`.WebSocketPeer.say_last`.
    """

    __slots__ = (
        "_arrivals",
        "_bytes_in",
        "_controls_in",
        "_frames_in",
        "_look_at",
        "_looked_at",
        "_outlet",
        "_pinger",
        "_reads",
        "clock",
        "connection",
        "ending",
        "heard",
        "inbox",
        "is_gone",
        "last_words",
        "options",
        "outbox",
        "pings",
        "seconds",
        "transport",
        "watcher",
    )

    def __init__(self, transport: Any, options: Options, pinger: Pinger | None) -> None:
        self.transport = transport
        self.options = options
        self.clock, self.seconds = clocks(options.clock)
        self.heard = True
        self.is_gone = False
        self.connection = Connection(
            max_frame_size=options.max_frame_size,
            max_message_size=options.max_message_size,
            max_fragments=options.max_fragments,
        )
        self.inbox = Inbox(options.max_unread, self)
        self.outbox = Outbox()
        self.pings = Pings(self.seconds)
        self.ending = Ending(self.clock)
        self._outlet: IOutlet | None = None
        self._pinger = pinger
        self._frames_in = self._controls_in = self._bytes_in = 0
        self._arrivals = 0
        self._looked_at = (0, 0)  # so much work, and so many bytes
        self._look_at = self._reads = FIRST
        read_at_most(transport, FIRST)
        self.watcher: Callable[[int, list[Frame], bool], object] | None = None
        self.last_words: Callable[[], Iterable[Frame]] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the handshake has succeeded."""
        return self._outlet is not None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will arrive."""
        return self.ending.is_done or self.connection.over

    @property
    def close_code(self) -> int | None:
        """The other side's, once it is known."""
        received = self.connection.received
        if received is None:
            return CloseCode.ABNORMAL if self.ending.is_done else None
        return received.code

    @property
    def traffic(self) -> Traffic:
        """What has passed it."""
        sent = max(self.outbox.sent, 0)  # not even the response may have gone
        frames_out = self.connection.frames_sent
        return Traffic(self._frames_in, self._bytes_in, frames_out, sent)

    # What the protocol tells

    def opened(self, outlet: IOutlet, response: bytes = b"") -> None:
        """The handshake has succeeded; ``response`` goes out before all else."""
        self._outlet = outlet
        self.outbox.open(outlet, response)
        if self.ending.is_done:
            return
        if self._pinger is not None and self.connection.sent is None:
            self._pinger.add(self)

    def data_received(self, data: bytes) -> None:
        """Bytes have arrived behind the handshake."""
        if self.ending.is_done:
            return
        self.heard = True
        connection, outbox = self.connection, self.outbox
        outbox.cork()
        try:
            frames = connection.receive(data)
            size = len(data)
            self._arrivals += 1
            self._bytes_in += size
            self._frames_in += len(frames)
            if self.watcher is not None:
                self.watcher(size, frames, connection.is_receiving)
            if connection.has_control:
                self._receive_more(frames)
            else:
                self.inbox.arrive(frames)
            if self._bytes_in >= self._look_at:
                self._pace()
        finally:
            outbox.uncork()

    def refused(self, error: Exception) -> None:
        """The handshake has failed, for this reason: the connection is about to end."""
        self.ending.begin("local")
        self.ending.blame(error)

    def ended(self, error: Exception) -> None:
        """The connection is gone, for this reason if for no other."""
        self.ending.begin("remote")
        self._end_all(error)

    # What the inbox and the pinger ask for

    def pause(self) -> None:
        """Read nothing more for now."""
        # A transport that is disconnecting may refuse.
        with suppress(RuntimeError):
            self.transport.pauseProducing()

    def resume(self) -> None:
        """Read on."""
        if not self.ending.is_done:
            with suppress(RuntimeError):
                self.transport.resumeProducing()

    def is_deaf(self) -> bool:
        """Whether nothing is read at the moment."""
        return self.inbox.paused

    def keep_alive(self) -> None:
        """It is time for a ping."""
        # What waits to be taken says as much as one more ping.
        if not self.outbox.blocked:
            payload = self.pings.add_keepalive()
            self.outbox.write(self.connection.ping(payload))

    def give_up(self) -> None:
        """No sign of life came for too long."""
        error = PongTimeout()
        self.ending.blame(error)
        self.shut_down(error.code, error.reason, self.options.close_timeout)

    # Ending

    def shut_down(self, code: int, reason: str, timeout: float) -> None:
        """End the connection in order, if that has not begun."""
        if self.connection.over:
            self._answer()
        elif self.connection.sent is not None:
            self._stop_in(timeout)
        elif not self.ending.is_done:
            self.ending.begin("local")
            self._stop_in(timeout)
            self._say_last()
            if self.connection.sent is None and not self.ending.is_done:
                self.outbox.write(self.connection.close(code, reason))

    def cut(self) -> None:
        """End it at once; what was not read is dropped too."""
        if not self.ending.is_done:
            self.inbox.cut(self._end)
            self.abort(ConnectionClosed(CloseCode.ABNORMAL, "closed here"))
        elif self._outlet is None and not self.is_gone:
            # It was refused, and lingers so that the client gets the answer.
            self.transport.abortConnection()

    def abort(self, error: Exception) -> None:
        """End it at once, for this reason."""
        if self.ending.is_done:
            return
        self.ending.begin("local")
        # Before the transport is told, which may say at once that it is gone.
        self._end_all(error)
        if self._outlet is not None:
            self._outlet.abort()
        else:
            self.transport.abortConnection()

    def closed(self) -> ConnectionClosed:
        """What the verbs fail with once the connection is over."""
        received = self.connection.received
        if received is not None and self.connection.violation is None:
            return ConnectionClosed(received.code, received.reason)
        error = self.connection.violation or self.ending.error
        reason = getattr(error, "reason", "") or "shut down here"
        closed = ConnectionClosed(CloseCode.ABNORMAL, reason)
        is_same = isinstance(error, ConnectionClosed)
        closed.__cause__ = error.__cause__ if error and is_same else error
        return closed

    # Behind these

    def _pace(self) -> None:
        """Judge anew how much to read at a time."""
        work, size = self._looked_at
        work_now = self._frames_in + self._controls_in + self._arrivals
        self._looked_at = (work_now, self._bytes_in)
        reads = amount(self._bytes_in - size, work_now - work)
        self._look_at = self._bytes_in + (FIRST if reads == MUCH else LONG)
        if reads != self._reads:
            self._reads = reads
            read_at_most(self.transport, reads)

    def _receive_more(self, frames: list[Frame]) -> None:
        """Among what has arrived is more than data."""
        connection = self.connection
        self._controls_in += len(connection.pings) + len(connection.pongs)
        if connection.pings and connection.sent is None:
            self._answer_pings()
        if connection.over:
            self._end_receiving()
        for payload in connection.pongs:
            self.pings.match(payload)
        self.inbox.arrive(frames)
        if connection.over:
            self._answer()
        self._drained()

    def _answer_pings(self) -> None:
        """Each at once, where there is room; otherwise the last stands for all.

        All in one piece: thousands of small ones would occupy far more than they are.
        """
        pings = self.connection.pings
        if self.outbox.blocked:
            pings = pings[-1:]
        pongs = [piece for data in pings for piece in self.connection.pong(data)]
        self.outbox.write_pong([b"".join(pongs)])

    def _end_receiving(self) -> None:
        """A Close has arrived, or a violation: nothing after it matters."""
        violation = self.connection.violation
        self.ending.begin("local" if violation else "remote")
        self.ending.blame(violation)
        self.inbox.end(self._end)
        self._stop_in(self.options.close_timeout)

    def _end(self) -> ConnectionClosed | None:
        """What readers get at the end."""
        return None if self.close_code in _NORMAL else self.closed()

    def _answer(self) -> None:
        """All that arrived was delivered, and replied to: now our Close."""
        self._say_last()
        if pieces := self.connection.answer():
            self.outbox.write(pieces)

    def _say_last(self) -> None:
        """What waits above the peer goes before our Close, however much it is."""
        last_words, self.last_words = self.last_words, None
        for frame in () if last_words is None else last_words():
            if self.connection.sent is None:
                self.outbox.write(self.connection.send(frame))

    def _stop_in(self, timeout: float) -> None:
        """The connection has to end within ``timeout`` seconds."""
        self._stop_pinging()
        self.inbox.release()  # or the other side's Close would not be heard
        self.outbox.drained = self._drained
        self.ending.stop_in(timeout, lambda: self.abort(CloseTimeout()))

    def _drained(self) -> None:
        """If all was said, and all that was written has gone, this is the end."""
        connection = self.connection
        if connection.sent is None or not connection.over or self.outbox.buffered:
            return
        if self._outlet is not None:
            self._outlet.finish()

    def _end_all(self, error: Exception) -> None:
        """Every Deferred that waits ends here, every timer too."""
        if self.ending.is_done:
            return
        was_answered = self.connection.done and not self.outbox.buffered
        self.ending.finish(was_answered and not self.connection.violation, error)
        self._stop_pinging()
        closed = self.closed()
        self.outbox.lost(closed)
        self.inbox.end(self._end)
        self.inbox.deliver()
        self.pings.lost(closed)
        self.ending.tell()

    def _stop_pinging(self) -> None:
        if self._pinger is not None:
            self._pinger.discard(self)
