"""A transport for a protocol that knows nothing of WebSocket.

What arrives in messages is a stream of bytes to that protocol, and what it writes
leaves in messages.  Where a message begins or ends has no meaning: a stream has no
bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
    ITransport,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import BufferOverrun, CloseTimeout
from ..frames import Close, CloseCode, Frame
from ..peer import WebSocketPeer
from ..pinger import clocks
from .below import Below
from .outgoing import Outgoing
from .reasons import is_whole, lost, reason_of

__all__ = ["StreamTransport"]

_log = Logger()


@implementer(ITransport, IConsumer, IPushProducer)
class StreamTransport(Below):
    """The transport of a protocol whose bytes travel in messages.

    It differs from one of TCP in what WebSocket has no equal of.  There is no half
    of a connection: the other side's Close ends both directions, once what the
    protocol wrote by then, in ``readConnectionLost`` at the latest, has gone; and
    ``loseWriteConnection`` is a Close of ours, after which what still arrives is
    delivered for as long as the other side takes to answer.  A connection that takes
    nothing of what was written before ``loseConnection`` for ``close_timeout`` is
    aborted, and so is one that has not ended so long after a Close, the other side's or
    ours, or for which more than ``max_buffered`` was written.

    Args:
        peer: The other side.
        is_binary: Whether binary messages are sent; otherwise text.

    Attributes:
        peer: The same.
        protocol: Whose transport this is; another one may be put in its place.
        connected: Whether the connection is there, an int as with other transports.
        disconnecting: Whether it is about to be ended from here.
        disconnected: Whether it is gone.
    """

    def __init__(self, peer: WebSocketPeer, *, is_binary: bool) -> None:
        super().__init__(peer)
        self.connected = 0
        self.disconnecting = False
        self.disconnected = 0
        self._close_timeout = peer.options.close_timeout
        self._clock: IReactorTime = clocks(peer.options.clock)[0]
        self._outgoing = Outgoing(
            peer,
            is_binary=is_binary,
            max_buffered=peer.options.max_buffered,
            soon=self._soon,
            drained=self._drained,
            failed=self._fail,
        )
        self.protocol: Any = None
        self._lost: Deferred[None] = Deferred()
        self._reading: Deferred[None] | None = None
        self._turning: IDelayedCall | None = None
        self._deadline: IDelayedCall | None = None
        self._end: Callable[[], object] | None = None  # what to do when all has gone
        self._failure: Failure | None = None
        self._in_order: bool | None = None  # before the end
        self._is_calling = False
        self._is_paused = False
        self._is_read = False  # to the end

    def carry(self, protocol: Any) -> Deferred[None]:
        """Connect this protocol.

        Returns:
            A Deferred that fires when its ``connectionLost`` was called.
        """
        self.protocol = protocol
        self.connected = 1
        self.peer.say_last(self._outgoing.last_words)
        self._call(protocol.makeConnection, self)
        self._read()
        self.peer.ended().addCallback(self._ended)
        return self._lost

    # What the protocol asks for: writing

    def write(self, data: bytes) -> None:
        """Send these bytes, with what else is written in this turn."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data is {type(data).__name__}, not bytes")
        if self.disconnected or self._failure is not None:
            return
        if self._outgoing.is_overrun:
            self._abort(Failure(lost(BufferOverrun(self._outgoing.waiting))))
            return
        self._outgoing.write(bytes(data))

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """The same for several pieces."""
        self.write(b"".join(data))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Who produces what is written, and is paused while too much waits.

        Raises:
            RuntimeError: If somebody is registered already.
        """
        self._outgoing.register(producer, streaming)

    def unregisterProducer(self) -> None:
        """It produces nothing more."""
        self._outgoing.unregister()

    # Reading

    def pauseProducing(self) -> None:
        """Deliver nothing more for now; what then lies unread pauses the client."""
        self._is_paused = True
        self._stop_reading()

    def resumeProducing(self) -> None:
        """Deliver again, from the next turn of the reactor on."""
        self._is_paused = False
        self._soon()

    def stopProducing(self) -> None:
        """End the connection in order."""
        self.loseConnection()

    # Ending

    def loseConnection(self, code: int = CloseCode.NORMAL) -> None:
        """End the connection once what was written has gone; deliver nothing more.

        Args:
            code: The close code.

        Raises:
            ValueError: For a code that must not be sent; nothing has ended.
        """
        Close(code, "").serialize()
        if not self.disconnecting and not self.disconnected:
            self.disconnecting = True
            self._end_with(lambda: self._leave(code))

    def loseWriteConnection(self) -> None:
        """The same, but deliver what still arrives until the other side has closed."""
        if self._end is None and not self.disconnecting and not self.disconnected:
            self._end_with(self._close_writing)

    def abortConnection(self) -> None:
        """End it at once; what was written and has not gone is dropped."""
        self._abort(Failure(ConnectionAborted()))

    # Turns

    def _soon(self) -> None:
        """Go on in the next turn, or when the protocol returns."""
        if not self._is_calling and self._turning is None and not self.disconnected:
            self._turning = self._clock.callLater(0, self._turn)

    def _turn(self) -> None:
        self._turning = None
        self._send()
        self._read()
        self._lose_if_over()

    def _call(self, function: Callable[..., object], *args: object) -> None:
        """Call the protocol, and send what it writes meanwhile as one."""
        self._is_calling = True
        try:
            function(*args)
        except BaseException:  # as the reactor does
            self._fail_with(Failure())
        self._is_calling = False
        self._send()
        if self._reading is None:
            self._soon()  # it may have paused, and resumed

    def _send(self) -> None:
        try:
            self._outgoing.turn()
        except BaseException:  # a producer's
            self._fail_with(Failure())

    # Reading

    def _read(self) -> None:
        """Have what arrives delivered, if it is wanted."""
        if self._reading is None and self._is_wanted:
            self._reading = reading = self.peer.each(self._receive)
            reading.addBoth(self._have_read)
            if not self._is_wanted:
                self._stop_reading()

    @property
    def _is_wanted(self) -> bool:
        return not self._is_paused and not self._is_read

    def _stop_reading(self) -> None:
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()

    def _receive(self, frame: Frame) -> Deferred[None] | None:
        if frame.data and not self.disconnecting:
            self._call(self.protocol.dataReceived, frame.data)
        # One that never fires holds the next frame back until reading is stopped.
        return None if self._is_wanted else Deferred()

    def _have_read(self, result: Any) -> None:
        """Nothing more comes; or it is not wanted for now."""
        if isinstance(result, Failure) and result.check(CancelledError):
            return
        self._reading = None
        self._is_read = True
        is_closed = self.peer.close_code not in (None, CloseCode.ABNORMAL)
        if is_closed and IHalfCloseableProtocol.providedBy(self.protocol):
            self._call(self.protocol.readConnectionLost)
        self._lose_if_over()

    # Ending

    def _end_with(self, end: Callable[[], object]) -> None:
        self._end = end
        self._outgoing.finish()
        self._wait_for_progress()

    def _wait_for_progress(self) -> None:
        """Whoever takes nothing is not waited for, if there is something to take."""
        if self._deadline is not None:
            self._deadline.cancel()
        gone = self.peer.traffic.bytes_out if self._outgoing.waiting else None
        self._deadline = self._clock.callLater(self._close_timeout, self._look, gone)

    def _look(self, gone: int | None) -> None:
        self._deadline = None
        if self.peer.traffic.bytes_out == gone:
            self._abort(Failure(lost(CloseTimeout())))
        else:
            self._wait_for_progress()

    def _drained(self) -> None:
        """All has gone: now the end that was asked for."""
        assert self._end is not None and self._deadline is not None
        self._deadline.cancel()
        self._deadline = None
        self._end()

    def _leave(self, code: int) -> None:
        self._is_read = True
        self._stop_reading()
        self._outgoing.stop()
        self.peer.leave(code)

    def _close_writing(self) -> None:
        self._outgoing.stop()
        self.peer.shutdown(timeout=self._close_timeout)
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self._call(self.protocol.writeConnectionLost)

    def _abort(self, reason: Failure) -> None:
        if self.disconnected:
            return
        self._failure = self._failure or reason
        self.disconnecting = True
        self._is_read = True
        self._stop_reading()
        self._outgoing.stop()
        # Not at once: connectionLost comes in no call of the protocol's own.
        self._clock.callLater(0, self.peer.close)
        self._soon()

    def _fail(self, error: Exception) -> None:
        self._fail_with(Failure(error))

    def _fail_with(self, failure: Failure) -> None:
        """The protocol has failed, and is told so when the connection is gone."""
        _log.failure(
            "protocol of {address!r} failed", failure=failure, address=self.getPeer()
        )
        if self._failure is None:
            self._failure = failure
        self.disconnecting = True
        self._leave(CloseCode.INTERNAL_ERROR)

    def _ended(self, in_order: bool) -> None:
        """The connection is gone."""
        self._in_order = in_order
        self._outgoing.stop()
        if self._is_paused and not self._is_read and is_whole(self.peer):
            return  # what came before the end is delivered, once it is wanted
        self._is_read = True
        self._stop_reading()
        self._lose_if_over()

    def _lose_if_over(self) -> None:
        if self._in_order is None or not self._is_read or self.disconnected:
            return
        self.connected, self.disconnected = 0, 1
        for call in (self._turning, self._deadline):
            if call is not None and call.active():
                call.cancel()
        reason = self._failure or Failure(reason_of(self.peer, self._in_order))
        try:
            self.protocol.connectionLost(reason)
        except BaseException:
            _log.failure("connectionLost of {it!r} failed", it=self.protocol)
        self._lost.callback(None)
