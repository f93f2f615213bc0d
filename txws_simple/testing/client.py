"""A client in memory that does what the test says.

There is no port, no thread and no sleep: a call returns when all that can happen has
happened, and time passes when the test says so.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from types import TracebackType

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ..frames import CloseCode, Frame, Opcode, encode
from ..headers import Headers
from ..messages import as_frame, fragments
from . import ports
from .leftovers import Handler
from .turns import MemoryClient

__all__ = ["Client"]

#: What a real client picks at random.
_MASK = b"\x37\xfa\x21\x3d"


def _check_bytes(data: bytes) -> None:
    if not isinstance(data, bytes):
        raise TypeError(f"data is {type(data).__name__}, not bytes")


class Client(MemoryClient):
    """The client's side of a connection; made by :func:`.connect`.

    As a context manager it calls :meth:`finish` at the end of the block.

    With 64 MiB or 100,000 messages come that the test has not received, it reads no
    more until some were.

    Attributes:
        clock: What schedules all that waits.
    """

    def __init__(
        self,
        factory: IProtocolFactory,
        clock: Clock,
        address: IAddress | None,
        handler: Handler | None,
        request: bytes,
    ) -> None:
        ports.come(factory)
        self._factory = factory
        try:
            super().__init__(factory, clock, address)
        except BaseException:
            ports.leave(factory)
            raise
        self._handler = handler
        try:
            self.raw(request)
        except BaseException:
            self._end()
            raise

    # What the client does

    def send(self, message: str | bytes, fragment_size: int | None = None) -> None:
        """Send a whole message, str as text and bytes as binary.

        Args:
            message: The message.
            fragment_size: The largest payload of a frame, in bytes; ``None`` for one
                frame.

        Raises:
            AssertionError: If the connection is not open.
        """
        self._check_open()
        for frame in fragments(as_frame(message), fragment_size):
            self._put(self._connection.send(frame))
        self._turn()

    def frame(self, opcode: Opcode, data: bytes = b"", fin: bool = True) -> None:
        """Send one frame, whether the protocol allows it here or not."""
        _check_bytes(data)
        self._check_open()
        self._put(encode(opcode, data, fin, _MASK))
        self._turn()

    def ping(self, data: bytes = b"") -> None:
        """Send a ping of up to 125 bytes; the answer is the last of ``pongs``."""
        self._check_open()
        self._put(self._connection.ping(data))
        self._turn()

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        _check_bytes(data)
        self._put([data])
        self._turn()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin the closing handshake."""
        self._check_open()
        self._put(self._connection.close(code, reason))
        self._has_closed = True
        self._turn()

    def lose(self, error: Exception | None = None) -> None:
        """Lose the connection, without a Close.

        Args:
            error: What the application's side is told; by default a
                ``ConnectionLost``, as of a reset.  ``ConnectionDone()`` is that of an
                end in order.
        """
        self._transport.lose(ConnectionLost() if error is None else error)
        self._turn()

    def stall(self) -> None:
        """Read nothing more, not even pings: what is written from now on waits."""
        self._transport.is_full = True
        if self._transport.producer is not None:
            self._transport.producer.pauseProducing()

    def unstall(self) -> None:
        """Read on."""
        self._transport.is_full = False
        self._turn()
        if self._transport.producer is not None:
            self._transport.producer.resumeProducing()
        self._turn()

    def advance(self, seconds: float) -> None:
        """Let time pass, for all clients with this clock.

        It goes from one time at which something is due to the next, and what comes of
        that happens before.
        """
        end = self.clock.seconds() + seconds
        while (due := self._due()) is not None and due < end:
            self._run(max(due - self.clock.seconds(), 0))
            self._turn()
        self._run(max(end - self.clock.seconds(), 0))
        self._turn()

    # What has come

    def receive(self) -> str | bytes:
        """The next message.

        Raises:
            AssertionError: If none has come.
        """
        self._turn()
        if not self._heard.unread:
            raise self._complaint("no message has come")
        return self._heard.next_message()

    def received(self) -> list[str | bytes]:
        """All messages that have come and were not received yet."""
        self._turn()
        return [self._heard.next_message() for _ in range(self._heard.unread)]

    def arrival(self, timeout: float = 5) -> Deferred[str | bytes]:
        """The next message, which may come later: for a test in which a reactor runs.

        Args:
            timeout: Seconds of that reactor.

        Returns:
            A Deferred of the message.

        Errors:
            `AssertionError` if none comes in time, or the connection ends before.
        """

        def has_come() -> bool:
            if not self._heard.unread and self._is_silent:
                raise self._complaint("no message came")
            return bool(self._heard.unread)

        arrival = self._waiting.until(has_come, "no message came in time", timeout)
        return arrival.addCallback(lambda _: self._heard.next_message())

    def until(
        self, condition: Callable[[], object], timeout: float = 5
    ) -> Deferred[None]:
        """Wait for something else, in the same way: an answer, a Close, a ping.

        Args:
            condition: Called again and again, as in
                ``until(lambda: client.close_code)``; what it raises ends the wait.
            timeout: Seconds of the reactor.

        Returns:
            A Deferred that fires with ``None`` once the condition is true.

        Errors:
            `AssertionError` if it is not in time; what the condition raised.
        """
        return self._waiting.until(condition, "this did not happen in time", timeout)

    @property
    def status(self) -> int | None:
        """The HTTP status of the handshake's answer; ``None`` before it."""
        self._turn()
        return self._heard.status

    @property
    def headers(self) -> Headers:
        """The header fields of the answer."""
        self._turn()
        return self._heard.headers

    @property
    def body(self) -> str:
        """Its text, where the handshake was refused."""
        self._turn()
        return self._heard.body

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol agreed on."""
        return self.headers.get("Sec-WebSocket-Protocol")

    @property
    def frames(self) -> list[Frame]:
        """All data frames that came, fragments one by one."""
        self._turn()
        return self._heard.frames

    @property
    def pings(self) -> list[bytes]:
        """The payloads of the pings that came; each was answered."""
        self._turn()
        return self._heard.pings

    @property
    def pongs(self) -> list[bytes]:
        """Those of the pongs."""
        self._turn()
        return self._heard.pongs

    @property
    def is_open(self) -> bool:
        """Whether the handshake was accepted, and nobody has begun to end it."""
        self._turn()
        return self.status == 101 and not self._is_over

    @property
    def is_paused(self) -> bool:
        """Whether the application reads nothing; what is sent waits for it."""
        self._turn()
        return self._transport.is_paused

    @property
    def close_code(self) -> int | None:
        """The code of the Close that came.

        It is 1005 for one without a code, 1006 where the connection ended without
        one, and ``None`` before that.
        """
        self._turn()
        if self._connection.received is not None:
            return self._connection.received.code
        return CloseCode.ABNORMAL if self._transport.is_lost else None

    @property
    def close_reason(self) -> str:
        """The reason given with it."""
        self._turn()
        received = self._connection.received
        return received.reason if received is not None else ""

    def flush_failures(self, *kinds: type[BaseException]) -> list[Failure]:
        """What was logged as a failure since the client connected, and forget it.

        A test that makes a handler fail takes the failure out by this; of all others
        :meth:`finish` complains.  Trial has a ``flushLoggedErrors`` of its own, which
        is to be called as well.

        Args:
            *kinds: The exceptions meant; all if none is given.
        """
        seen = self._failures.seen
        flushed = [one for one in seen if not kinds or one.check(*kinds)]
        self._forget(flushed)
        return flushed

    # Its end

    def finish(self) -> None:
        """End the connection, if it has not ended, and look at what it leaves behind.

        A connection that is open is closed with code 1000.

        Raises:
            AssertionError: If a handler that was given to :func:`connect` still waits;
                if something was logged as a failure; or if, after the last client of
                its clock, a delayed call is left.
        """
        if self._takes_part:
            self._end()
            if self._handler is not None:
                self._handler.check()
            self._failures.check()
            self._check_calls()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.finish()
        elif self._takes_part:
            # What went wrong first is what there is to be told.
            self._end()

    def _end(self) -> None:
        try:
            if self._transport.is_full:
                self.lose()
            if self.is_open:
                self.close()
            self.lose(ConnectionDone())
            gc.collect()  # a failure that nobody has handled is logged by that
        finally:
            self._leave()
            ports.leave(self._factory)

    def _check_calls(self) -> None:
        # Before that they may be another's.
        is_last = not self._all()
        if is_last and (left := self.clock.getDelayedCalls()):
            raise AssertionError(f"delayed calls are left: {left}")

    def _check_open(self) -> None:
        if not self.is_open:
            raise self._complaint("the client can't send")
