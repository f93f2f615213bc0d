"""A small model of one peer: what each verb's Deferred has to come to, and when.

It knows the contract alone: no bytes, no transport, no Deferred.  What the contract
leaves open, such as whether a write that was cancelled had begun to go, it is told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from txws_simple import (
    CloseTimeout,
    ConnectionClosed,
    Frame,
    Opcode,
    PongTimeout,
    ProtocolError,
    TimedOut,
)

from .given import Call

#: A kind of exception, and its close code where it has one.
Failed = tuple[type[BaseException], "int | None"]


class Timer(NamedTuple):
    """What is due at some time; of two for the same, the first one set."""

    at: float
    number: int
    call: Callable[[], None]


class Model:
    """One peer, from the end of its handshake on.

    Attributes:
        unread: Frames that arrived and were not read.
        readers: Who waits to read, in order.
        writes: Those that wait for their bytes to go.
        sending: The kind of the message of which not all fragments were written.
        sent: The code of our Close, 1005 for an empty one.
        received: The code of theirs.
        is_violated: Whether they broke a rule.
        is_done: Whether the connection is gone.
        error: The kind of exception that ended it.
        closed_by: Who began to end it.
    """

    def __init__(self, ping_frequency: float | None, close_timeout: float) -> None:
        self.unread: deque[Frame] = deque()
        self.readers: deque[Call] = deque()
        self.writes: list[Call] = []
        self.pings: list[tuple[bytes, float, Call]] = []
        self.shutdowns: list[Call] = []
        self.sending: Opcode | None = None
        self.sent: int | None = None
        self.received: int | None = None
        self.is_violated = self.is_done = self.is_graceful = False
        self.error: type[Exception] | None = None
        self.closed_by: str | None = None
        self.now = 0.0
        self.buffered = 0  # as it was last seen
        self.is_deaf = False  # the same: whether nothing is read
        self._is_within = self._discards = self._is_cut = False
        self._close_timeout = close_timeout
        self._frequency = ping_frequency
        self._heard = True
        self._timers: list[Timer] = []
        self._count = 0
        self._deadline: Timer | None = None
        self._tick: Timer | None = None
        if ping_frequency is not None:
            self._tick = self._call_in(ping_frequency, self._keep_alive)

    @property
    def is_over(self) -> bool:
        return self.received is not None or self.is_violated

    @property
    def may_write(self) -> bool:
        return self.sent is None and not self.is_done

    @property
    def closed(self) -> Failed:
        """What verbs fail with once it is over."""
        return ConnectionClosed, self.received or 1006

    @property
    def _end(self) -> Failed | None:
        """What is read at the end."""
        return None if self.received in (1000, 1001, 1005) else self.closed

    # Time

    def _call_in(self, seconds: float, call: Callable[[], None]) -> Timer:
        self._count += 1
        timer = Timer(self.now + seconds, self._count, call)
        self._timers.append(timer)
        return timer

    def _stop(self, timer: Timer | None) -> None:
        if timer in self._timers:
            self._timers.remove(timer)

    def next_step(self, until: float) -> float:
        """The time up to which nothing happens."""
        return min([until, *(timer.at for timer in self._timers)])

    def advance(self, now: float) -> None:
        self.now = now
        while due := [timer for timer in self._timers if timer.at <= now]:
            timer = min(due)
            self._timers.remove(timer)
            timer.call()

    def time_out(self, call: Call, timeout: float | None) -> None:
        """It has so long."""
        if timeout is not None and call.is_pending:
            self._call_in(timeout, lambda: self.give_up(call, TimedOut))

    # Reading

    def read(self, call: Call) -> None:
        self.readers.append(call)
        self._serve()

    def release(self, call: Call, failure: type[Exception] | None) -> None:
        """What the receiver returned has fired."""
        call.is_held = False
        if failure is not None:
            call.come_to((failure, None))
            self._leave(call)
        self._serve()

    def _leave(self, call: Call) -> None:
        if call in self.readers:
            self.readers.remove(call)

    def _serve(self) -> None:
        while self.readers and self._serve_one(self.readers[0]):
            self.readers.popleft()

    def _serve_one(self, call: Call) -> bool:
        """Whether it has come to its end."""
        if call.verb == "read" and self.unread:
            call.come_to(self._take())
        elif call.verb == "receive" and self.unread and self._is_within:
            call.come_to((RuntimeError, None))
        elif call.verb == "receive" and any(frame.fin for frame in self.unread):
            call.come_to(self._take_message())
        elif call.verb == "each":
            while self.unread and not call.is_held:
                call.frames.append(self._take())
                call.is_held = call.frames[-1].data.startswith(b"hold")
            if call.is_held and not self._is_cut:
                return False
        if call.is_pending and (self.is_over or self.is_done):
            call.come_to(self._end)
        return not call.is_pending

    def _take(self) -> Frame:
        frame = self.unread.popleft()
        self._is_within = not frame.fin
        return frame

    def _take_message(self) -> str | bytes:
        first = self._take()
        data = first.data
        while self._is_within:
            data += self._take().data
        return data.decode() if first.opcode is Opcode.TEXT else data

    # Arriving

    def hear(self) -> None:
        """Some bytes have arrived."""
        if not self.is_done:
            self._heard = True

    def arrive(self, frame: Frame) -> None:
        if not (self.is_over or self.is_done):
            self.unread.append(frame)
            self._serve()

    def pong(self, payload: bytes) -> None:
        """It answers for earlier pings too."""
        if self.is_over or payload not in [sent for sent, _, _ in self.pings]:
            return
        sent = None
        while sent != payload:
            sent, at, call = self.pings.pop(0)
            call.come_to(self.now - at)

    def close(self, code: int) -> None:
        """Their Close."""
        if not (self.is_over or self.is_done):
            self.received = code
            self._end_receiving("remote")
            if self.sent is None:
                self.sent = code

    def violate(self) -> None:
        if not (self.is_over or self.is_done):
            self.is_violated = True
            self._blame(ProtocolError)
            self._end_receiving("local")
            if self.sent is None:
                self.sent = 1002

    def _end_receiving(self, by: str) -> None:
        self._begin_end(by)
        self._set_deadline(self._close_timeout)
        self._serve()

    # Writing

    def refuse_or_write(self, call: Call) -> bool:
        """Whether these frames may be written, in their order."""
        if not self.may_write:
            call.come_to(self.closed)
            return False
        call.before = self.sending
        for frame in call.frames:
            if (frame.opcode is Opcode.CONTINUATION) is (self.sending is None):
                call.come_to((ValueError, None))
                return False
            self.sending = None if frame.fin else self.sending or frame.opcode
        call.is_fragment = not (call.frames[0].opcode and call.frames[-1].fin)
        self.writes.append(call)
        return True

    def leave(self, call: Call, size: int) -> None:
        """Its bytes have gone."""
        self.writes.remove(call)
        call.come_to(size)

    def withdraw(self, call: Call) -> None:
        """It was cancelled before any byte of it had gone."""
        if call.is_fragment:
            self.sending = call.before

    def ping(self, call: Call, payload: bytes) -> None:
        if self.may_write:
            self.pings.append((payload, self.now, call))
        else:
            call.come_to(self.closed)

    def _keep_alive(self) -> None:
        assert self._frequency is not None
        if self._heard or self.is_deaf:
            self._heard = False
            self._tick = self._call_in(self._frequency, self._keep_alive)
            return
        self._blame(PongTimeout)
        self._shut_down(1011, self._close_timeout)

    # Ending

    def give_up(self, call: Call, why: type[Exception]) -> None:
        """It was cancelled, or had its time."""
        if not call.is_pending:
            return
        call.come_to((why, None))
        self._leave(call)
        self.shutdowns = [one for one in self.shutdowns if one is not call]
        self.pings = [ping for ping in self.pings if ping[2] is not call]
        self._serve()

    def shutdown(self, call: Call, code: int, timeout: float) -> None:
        if self.is_done:
            call.come_to(self.is_graceful)
            return
        self.shutdowns.append(call)
        self._shut_down(code, timeout)

    def _shut_down(self, code: int, timeout: float) -> None:
        if self.is_over:
            return
        if self.sent is None:
            self._begin_end("local")
            self.sent = code
        self._set_deadline(timeout)

    def _set_deadline(self, seconds: float) -> None:
        self._stop(self._tick)
        if self._deadline is not None:
            if self._deadline.at <= self.now + seconds:
                return
            self._stop(self._deadline)
        self._deadline = self._call_in(seconds, lambda: self.abort(CloseTimeout))

    def _begin_end(self, by: str) -> None:
        self.closed_by = self.closed_by or by

    def _blame(self, error: type[Exception]) -> None:
        self.error = self.error or error

    def cut(self) -> None:
        """Ended here, at once; what was not read is dropped."""
        if not self.is_done:
            self.unread.clear()
            self._is_cut = True
            self.abort(ConnectionClosed)

    def abort(self, error: type[Exception]) -> None:
        self.lose(error, "local")

    def lose(self, error: type[Exception], by: str) -> None:
        """The connection is gone."""
        if self.is_done:
            return
        self._begin_end(by)
        self.is_done = True
        is_answered = self.received is not None and self.sent is not None
        self.is_graceful = is_answered and not self.buffered and not self.is_violated
        if not self.is_graceful:
            self._blame(error)
        self._stop(self._deadline)
        self._stop(self._tick)
        for call in (*self.writes, *(call for _, _, call in self.pings)):
            call.come_to(self.closed)
        self._serve()
        for call in self.shutdowns:
            call.come_to(self.is_graceful)
