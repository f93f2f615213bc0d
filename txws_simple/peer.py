"""The peer: the verbs of the application, over one connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from types import TracebackType
from typing import Any, Literal, TypeVar

from twisted.internet.defer import Deferred, fail
from zope.interface import implementer

from .counters import Traffic
from .deferreds import Outcome, check_timeout, in_time
from .errors import BufferOverrun
from .frames import MAX_CONTROL, Close, CloseCode, Frame
from .interfaces import IWebSocketPeer
from .messages import as_frame, fragments
from .options import Options
from .request import Request
from .session import Session

__all__ = ["WebSocketPeer"]

_T = TypeVar("_T")


@implementer(IWebSocketPeer)
class WebSocketPeer:
    """One connected peer; what it can do is said by `IWebSocketPeer`.

    It is made by `WebSocketFactory` and by `new`.
    """

    def __init__(self, session: Session) -> None:
        self.transport = session.transport
        self.request: Request | None = None
        self.subprotocol: str | None = None
        self._session = session
        # At hand, for what is called most often.
        self._connection = session.connection
        self._outbox = session.outbox
        self._inbox = session.inbox
        self._max_buffered = session.options.max_buffered

    # Reading

    def read(self, timeout: float | None = None) -> Deferred[Frame | None]:
        if timeout is None:
            return self._inbox.read()
        return self._in_time(self._inbox.read, timeout)

    def receive(self, timeout: float | None = None) -> Deferred[str | bytes | None]:
        return self._in_time(self._inbox.receive, timeout)

    def each(self, receiver: Callable[[Frame], object]) -> Deferred[None]:
        return self._inbox.each(receiver, self._outbox)

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
        if timeout is None and self._outbox.buffered <= self._max_buffered:
            packed = self._connection.pack(frame)
            if packed is not None:
                return self._outbox.write_packed(packed)
        return self._in_time(lambda: self._write(as_frame(frame)), timeout)

    def _write(self, frame: Frame) -> Outcome[int]:
        """Send a frame, with all that has to be looked at."""
        if not self._may_write():
            return self._refused()
        connection = self._connection
        if frame.fin and frame.opcode:
            return self._outbox.write(connection.send(frame))
        # A fragment can be taken back only while no other one follows it.
        before = connection.sending
        write = self._outbox.write(connection.send(frame))
        write.undo = partial(connection.take_back, before, connection.sending)
        return write

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

    def _may_write(self) -> bool:
        """Whether the connection is open for writing; a slow listener ends it."""
        buffered = self._outbox.buffered
        if buffered > self._max_buffered:
            self._session.abort(BufferOverrun(buffered))
        return self._connection.sent is None and not self._session.ending.is_done

    def _refused(self) -> Outcome[Any]:
        return Outcome(self._session.closed())

    def ping(self, data: bytes = b"") -> Deferred[float]:
        if not self._may_write():
            return self._refused()
        if not isinstance(data, bytes):
            return fail(TypeError(f"data is {type(data).__name__}, not bytes"))
        if len(data) > MAX_CONTROL:
            return fail(ValueError(f"ping is over {MAX_CONTROL} bytes"))
        payload, outcome = self._session.pings.add(data)
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
        waiting = self._session.ending.wait()
        self._session.shut_down(code, reason, timeout)
        return waiting

    def close(self) -> None:
        self._session.cut()

    def error(self) -> Exception | None:
        return self._session.ending.error

    @property
    def closed_by(self) -> Literal["local", "remote"] | None:
        return self._session.ending.closed_by

    def leave(self, code: int = CloseCode.NORMAL) -> Deferred[bool]:
        """Shut down, with nobody left to read: what still arrives is dropped."""
        if self._session.ending.is_done:
            return self._session.ending.wait()
        self._inbox.discard()
        return self.shutdown(code, timeout=self._session.options.close_timeout)

    async def __aenter__(self) -> WebSocketPeer:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        left = self.leave(
            CloseCode.NORMAL if error is None else CloseCode.INTERNAL_ERROR
        )
        # A coroutine that is thrown away can't wait.
        if not isinstance(error, GeneratorExit):
            await left

    @property
    def close_code(self) -> int | None:
        return self._session.close_code

    @property
    def close_reason(self) -> str:
        received = self._connection.received
        return received.reason if received is not None else ""

    @property
    def latency(self) -> float | None:
        return self._session.pings.latency

    @property
    def buffered(self) -> int:
        return self._outbox.buffered

    @property
    def traffic(self) -> Traffic:
        return self._session.traffic

    # For what stands above a peer, and watches or ends it

    def ended(self) -> Deferred[bool]:
        """Wait for the end, beginning nothing.

        Returns:
            A Deferred that fires when the connection is gone, with whether it ended
            in order.
        """
        return self._session.ending.wait()

    def watch(self, watcher: Callable[[int, list[Frame], bool], object]) -> None:
        """Call this for each segment that arrives, before anybody reads of it.

        Args:
            watcher: Called with the segment's size in bytes, the data frames that
                it completes, and whether it leaves a frame or a message unfinished.
        """
        self._session.watcher = watcher

    def say_last(self, last_words: Callable[[], Iterable[Frame]]) -> None:
        """Call this when our Close is about to be sent, whoever wanted the end.

        Args:
            last_words: Gives what has to go before it: whole messages, each as one
                frame, however much waits already.
        """
        self._session.last_words = last_words

    @property
    def options(self) -> Options:
        """The limits and choices."""
        return self._session.options

    def hold(self) -> None:
        """Read nothing more from the transport, until :meth:`release` or the end."""
        if self.closed_by is None:
            self._inbox.hold()

    def release(self) -> None:
        """Read on, as far as what is unread allows."""
        self._inbox.release()

    @property
    def is_paused(self) -> bool:
        """Whether nothing is read from the transport, for whatever reason."""
        return self._inbox.paused

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
        return in_time(deferred, timeout, self._session.clock)
