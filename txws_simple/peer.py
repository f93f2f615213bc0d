"""The peer: the verbs of the application, over one connection."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Literal, TypeVar

from twisted.internet.defer import Deferred, fail
from zope.interface import implementer

from .connection import Connection
from .deferreds import Outcome, check_timeout, in_time
from .ending import Ending
from .errors import BufferOverrun, CloseTimeout, ConnectionClosed, PongTimeout
from .frames import MAX_CONTROL, Close, CloseCode, Frame
from .inbox import Inbox
from .interfaces import IOutlet, IWebSocketPeer
from .messages import as_frame, fragments
from .options import Options
from .outbox import Outbox
from .pinger import Pinger, Pings, clocks
from .request import Request

__all__ = ["WebSocketPeer"]

_T = TypeVar("_T")

#: The codes of a normal end, 1005 standing for a Close without a code.
_NORMAL = (CloseCode.NORMAL, CloseCode.GOING_AWAY, CloseCode.NO_STATUS)


@implementer(IWebSocketPeer)
class WebSocketPeer:
    """One connected peer; what it can do is said by `IWebSocketPeer`.

    It is made by `WebSocketFactory` and by `new`, whose protocol tells it what
    happens to the connection: ``opened``, ``data_received``, ``ended``.
    """

    def __init__(self, transport: Any, options: Options) -> None:
        self.transport = transport
        self.request: Request | None = None
        self.subprotocol: str | None = None
        self._options = options
        self.clock, self._now = clocks(options.clock)
        self._connection = Connection(
            max_frame_size=options.max_frame_size,
            max_message_size=options.max_message_size,
            max_fragments=options.max_fragments,
        )
        self._inbox = Inbox(options.max_unread, self._pause, self._resume)
        self._outbox = Outbox()
        self._outlet: IOutlet | None = None
        self._pinger: Pinger | None = None
        self._pings = Pings(self._now)
        self._ending = Ending(self.clock)

    # Reading

    def read(self, timeout: float | None = None) -> Deferred[Frame | None]:
        if timeout is None:
            return self._inbox.read()
        return self._in_time(self._inbox.read, timeout)

    def receive(self, timeout: float | None = None) -> Deferred[str | bytes | None]:
        return self._in_time(self._inbox.receive, timeout)

    def each(self, receiver: Callable[[Frame], object]) -> Deferred[None]:
        return self._inbox.each(receiver, self._outbox.goes_along)

    def __aiter__(self) -> WebSocketPeer:
        return self

    async def __anext__(self) -> Frame:
        frame = await self.read()
        if frame is None:
            raise StopAsyncIteration
        return frame

    # Writing

    def write(
        self, frame: Frame | str | bytes, timeout: float | None = None
    ) -> Deferred[int]:
        if timeout is not None:
            return self._in_time(lambda: self.write(frame), timeout)
        try:
            if type(frame) is not Frame or type(frame.data) is not bytes:
                frame = as_frame(frame)
            if not (frame.fin and frame.opcode):
                return self._write_fragment(frame)
            if not self._may_write():
                return self._refused()
            return self._outbox.write(self._connection.send(frame))
        except (TypeError, ValueError) as error:
            return fail(error)

    def send(
        self,
        message: str | bytes,
        timeout: float | None = None,
        fragment_size: int | None = None,
    ) -> Deferred[int]:
        if isinstance(message, Frame):
            return fail(TypeError("send() takes a message; write() takes a Frame"))
        return self._in_time(
            lambda: self._send(fragments(as_frame(message), fragment_size)), timeout
        )

    def _send(self, frames: list[Frame]) -> Outcome[int]:
        """Send a whole message."""
        if not self._may_write():
            return self._refused()
        pieces = [piece for frame in frames for piece in self._connection.send(frame)]
        return self._outbox.write(pieces)

    def _write_fragment(self, frame: Frame) -> Outcome[int]:
        """Send a fragment, to be taken back only while no other one follows it."""
        if not self._may_write():
            return self._refused()
        before = self._connection.sending
        write = self._outbox.write(self._connection.send(frame))
        after = self._connection.sending
        write.undo = partial(self._connection.take_back, before, after)
        return write

    def _may_write(self) -> bool:
        """Whether the connection is open for writing; a slow listener ends it."""
        buffered = self._outbox.buffered
        if buffered > self._options.max_buffered:
            self._abort(BufferOverrun(buffered))
        return self._connection.sent is None and not self._ending.is_done

    def _refused(self) -> Outcome[Any]:
        outcome: Outcome[Any] = Outcome()
        outcome.settle(self._closed())
        return outcome

    def ping(self, data: bytes = b"") -> Deferred[float]:
        if self._connection.sent is not None or self._ending.is_done:
            return self._refused()
        if not isinstance(data, bytes):
            return fail(TypeError(f"data is {type(data).__name__}, not bytes"))
        if len(data) > MAX_CONTROL:
            return fail(ValueError(f"ping is over {MAX_CONTROL} bytes"))
        payload, outcome = self._pings.add(data)
        self._outbox.write(self._connection.ping(payload))
        return outcome

    # Ending

    def shutdown(
        self, code: int = 1000, reason: str = "", timeout: float = 10
    ) -> Deferred[bool]:
        try:
            if not isinstance(reason, str):
                raise TypeError(f"reason is {type(reason).__name__}, not str")
            Close(code, reason).serialize()
            if timeout is None:
                raise TypeError("timeout is None, not a number of seconds")
            check_timeout(timeout)
        except (TypeError, ValueError) as error:
            return fail(error)
        waiting = self._ending.wait()
        if self._connection.over:
            self._answer()
        elif self._connection.sent is not None:
            self._stop_in(timeout)
        elif not self._ending.is_done:
            self._ending.begin("local")
            self._stop_in(timeout)
            self._outbox.write(self._connection.close(code, reason))
        return waiting

    def close(self) -> None:
        if not self._ending.is_done:
            self._inbox.cut(self._end)
            self._abort(ConnectionClosed(CloseCode.ABNORMAL, "closed here"))

    def error(self) -> Exception | None:
        return self._ending.error

    @property
    def closed_by(self) -> Literal["local", "remote"] | None:
        return self._ending.closed_by

    def leave(self, code: int = CloseCode.NORMAL) -> Deferred[bool]:
        """Shut down, with nobody left to read: what still arrives is dropped."""
        self._inbox.discard()
        return self.shutdown(code, timeout=self._options.close_timeout)

    async def __aenter__(self) -> WebSocketPeer:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.leave(
            CloseCode.NORMAL if error is None else CloseCode.INTERNAL_ERROR
        )

    @property
    def close_code(self) -> int | None:
        received = self._connection.received
        if received is None:
            return CloseCode.ABNORMAL if self._ending.is_done else None
        return received.code

    @property
    def close_reason(self) -> str:
        received = self._connection.received
        return received.reason if received is not None else ""

    @property
    def latency(self) -> float | None:
        return self._pings.latency

    @property
    def buffered(self) -> int:
        return self._outbox.buffered

    def go_on(self, sent: int) -> None:
        """The way out is free again, and ``sent`` bytes more have gone."""
        self._outbox.go_on(sent)

    @property
    def is_open(self) -> bool:
        """Whether the handshake has succeeded."""
        return self._outlet is not None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will arrive."""
        return self._ending.is_done or self._connection.over

    # What the protocol tells

    def opened(self, outlet: IOutlet, response: bytes = b"") -> None:
        """The handshake has succeeded; ``response`` goes out before all else."""
        self._outlet = outlet
        self._outbox.open(outlet, response)
        if self._ending.is_done:
            return
        if self._options.ping_frequency is not None and self._connection.sent is None:
            self._pinger = Pinger(
                self._options.ping_frequency,
                self._keep_alive,
                self._give_up,
                lambda: self._inbox.paused,
                self.clock,
                self._now,
            )

    def data_received(self, data: bytes) -> None:
        """Bytes have arrived behind the handshake."""
        if self._ending.is_done:
            return
        if self._pinger is not None:
            self._pinger.heard = True
        connection, outbox = self._connection, self._outbox
        may_answer = connection.sent is None
        outbox.cork()
        frames = connection.receive(data)
        has_control = connection.has_control
        if has_control:
            self._receive_control(may_answer)
        self._inbox.arrive(frames)
        if has_control and connection.over:
            self._answer()
        outbox.uncork()
        if has_control:
            self._drained()

    def _receive_control(self, may_answer: bool) -> None:
        connection = self._connection
        if may_answer:
            for payload in connection.pings:
                self._outbox.write_pong(connection.pong(payload))
        if connection.over:
            self._end_receiving()
        for payload in connection.pongs:
            self._pings.match(payload)

    def ended(
        self, error: Exception, by: Literal["local", "remote"] = "remote"
    ) -> None:
        """The connection is gone, for this reason if for no other."""
        self._ending.begin(by)
        self._end_all(error)

    # Behind the verbs

    def _in_time(
        self, verb: Callable[[], Deferred[_T]], timeout: float | None
    ) -> Deferred[_T]:
        try:
            check_timeout(timeout)
            deferred = verb()
        except (TypeError, ValueError) as error:
            return fail(error)
        if timeout is None or deferred.called:
            return deferred
        return in_time(deferred, timeout, self.clock)

    def _closed(self) -> ConnectionClosed:
        received = self._connection.received
        if received is not None and self._connection.violation is None:
            return ConnectionClosed(received.code, received.reason)
        error = self._connection.violation or self._ending.error
        reason = getattr(error, "reason", "") or "shut down here"
        closed = ConnectionClosed(CloseCode.ABNORMAL, reason)
        is_same = isinstance(error, ConnectionClosed)
        closed.__cause__ = error.__cause__ if error and is_same else error
        return closed

    def _end(self) -> ConnectionClosed | None:
        """What readers get at the end."""
        if self.close_code in _NORMAL:
            return None
        return self._closed()

    def _keep_alive(self) -> None:
        # What waits to be taken says as much as one more ping.
        if not self._outbox.blocked:
            payload = self._pings.add_keepalive()
            self._outbox.write(self._connection.ping(payload))

    def _give_up(self) -> None:
        error = PongTimeout()
        self._ending.blame(error)
        self.shutdown(error.code, error.reason, self._options.close_timeout)

    def _end_receiving(self) -> None:
        """A Close has arrived, or a violation: nothing after it matters."""
        connection = self._connection
        self._ending.begin("local" if connection.violation else "remote")
        self._ending.blame(connection.violation)
        self._inbox.end(self._end)
        self._stop_in(self._options.close_timeout)

    def _answer(self) -> None:
        """All that arrived was delivered, and replied to: now our Close."""
        if pieces := self._connection.answer():
            self._outbox.write(pieces)

    def _stop_in(self, timeout: float) -> None:
        """The connection has to end within ``timeout`` seconds."""
        if self._pinger is not None:
            self._pinger.stop()
        self._outbox.drained = self._drained
        self._ending.stop_in(timeout, lambda: self._abort(CloseTimeout()))

    def _drained(self) -> None:
        """If all was said, and all that was written has gone, this is the end."""
        connection = self._connection
        if connection.sent is None or not connection.over or self._outbox.buffered:
            return
        if self._outlet is not None:
            self._outlet.finish()

    def _abort(self, error: Exception) -> None:
        if self._ending.is_done:
            return
        self._ending.begin("local")
        if self._outlet is not None:
            self._outlet.abort()
        else:
            self.transport.abortConnection()
        self._end_all(error)

    def _end_all(self, error: Exception) -> None:
        """Every Deferred that waits ends here, every timer too."""
        if self._ending.is_done:
            return
        was_answered = self._connection.done and not self._outbox.buffered
        self._ending.finish(was_answered and not self._connection.violation, error)
        if self._pinger is not None:
            self._pinger.stop()
        self._outbox.lost(self._closed())
        self._inbox.end(self._end)
        self._inbox.deliver()
        self._pings.lost(self._closed())
        self._ending.tell()

    def _pause(self) -> None:
        # A transport that is disconnecting may refuse.
        with suppress(RuntimeError):
            self.transport.pauseProducing()

    def _resume(self) -> None:
        if not self._ending.is_done:
            with suppress(RuntimeError):
                self.transport.resumeProducing()
