"""What an application is given, and what it implements."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from .frames import Frame

__all__ = ["IOutlet", "IRequest", "IWebSocketHandler", "IWebSocketPeer"]


class IWebSocketPeer(Interface):
    """The other side of a WebSocket connection, seen from the application.

    Verbs return Deferreds.  Each fires exactly once, whatever happens: with its
    result, or with an errback of the errors named here.  Every verb whose
    Deferred waits can be cancelled, and nothing is lost by that.  Times are in
    seconds, sizes in bytes.
    """

    request = Attribute("The request of the handshake, an `IRequest`, or None.")
    subprotocol = Attribute("The subprotocol agreed on, a str, or None.")
    transport = Attribute("The Twisted transport below.")
    buffered = Attribute("How many bytes were written and have not gone yet, an int.")
    traffic = Attribute("What has passed behind the handshake so far, a `Traffic`.")
    latency = Attribute("Seconds from the last answered ping to its pong, or None.")
    close_code = Attribute(
        "The code of the Close frame that the other side sent; 1005 for one without "
        "a code, 1006 where the connection ended without one (RFC 6455, section "
        "7.1.5); None before that."
    )
    close_reason = Attribute("The reason given with it, a str.")
    closed_by = Attribute(
        "Who began to end the connection, 'local' or 'remote'; None before that."
    )

    def read(timeout: float | None = None) -> Deferred[Frame | None]:
        """The next data frame, as it came: fragments one by one.

        Several reads may wait; the first come is the first served.

        Returns:
            A Deferred of a `Frame`; of None at the normal end, which is a
            closing handshake with code 1000, 1001 or none.

        Errors:
            `ConnectionClosed` at any other end, after all frames that arrived
            before it; `TimedOut` after ``timeout`` seconds, and
            the frame goes to the next read.
        """

    def receive(timeout: float | None = None) -> Deferred[str | bytes | None]:
        """The next whole message (RFC 6455, section 5.4).

        Frames and messages may be read in turn, but not within one message:
        that is a `RuntimeError`.

        Returns:
            A Deferred of a str for text, bytes for binary, None at the normal
            end.

        Errors:
            As of `read`.
        """

    def each(receiver: Callable[[Frame], object]) -> Deferred[None]:
        """Call ``receiver(frame)`` for every data frame as it arrives.

        A Deferred or coroutine that the receiver returns holds further frames
        back until it is done.  The Deferred of a `write` to which nobody has
        listened yet does so only when the bytes did not leave with the others
        at the end of the segment.

        Returns:
            A Deferred of None at the normal end.

        Errors:
            What the receiver raises or fails with; `ConnectionClosed` as of
            `read`.
        """

    def write(
        frame: Frame | str | bytes, timeout: float | None = None
    ) -> Deferred[int]:
        """Send one data frame: a `Frame`, a str or bytes (a whole message each).

        Returns:
            A Deferred of the frame's size on the wire, its header included,
            when its bytes have left for the kernel, or, where that can't be
            known, for the transport.  Nobody has to listen to it.

        Errors:
            `ValueError` or `TypeError` for what is no data frame, is out of
            order among fragments, or text that is not UTF-8;
            `ConnectionClosed` after the end, or after `shutdown`; `TimedOut`
            after ``timeout`` seconds.  A frame of which nothing
            was sent yet is withdrawn then; one that is partly out, or that
            others of its message follow, is sent to its end.
        """

    def send(
        message: str | bytes,
        timeout: float | None = None,
        fragment_size: int | None = None,
    ) -> Deferred[int]:
        """Send one whole message: str as text, bytes as binary.

        Args:
            fragment_size: The largest payload of a frame; None for one frame.

        Returns:
            A Deferred of the size on the wire of all its frames.

        Errors:
            As of `write`.
        """

    def ping(data: bytes = b"") -> Deferred[float]:
        """Send a Ping (RFC 6455, section 5.5.2).

        Args:
            data: Up to 125 bytes; where empty, eight bytes are made up.

        Returns:
            A Deferred of the seconds until the matching Pong.  Nobody has to
            listen to it.  Until a Pong comes it is kept; ``addTimeout`` ends that.

        Errors:
            `ValueError` for more than 125 bytes; `ConnectionClosed`.
        """

    def shutdown(
        code: int = 1000, reason: str = "", timeout: float = 10
    ) -> Deferred[bool]:
        """End the connection in order (RFC 6455, section 7.1.2).

        What was written goes out first, then a Close, then the other side's is
        waited for, then TCP is closed.  Frames that arrive meanwhile can still
        be read; if so many lie unread that the transport is paused, somebody
        has to.

        Returns:
            A Deferred of True; of False where it was not done in order, in
            time; `error` says why then, and the connection was aborted.  A
            second call gives the same outcome.

        Errors:
            `ValueError` for a code that must not be sent, or a reason over 123
            bytes in UTF-8; nothing was sent.
        """

    def close() -> None:
        """Abort the connection at once.

        What was written and not sent is discarded, and what was not read.  May
        be called any number of times.
        """

    def error() -> Exception | None:
        """The exception that ended the connection, or None.

        It is None while the connection is open, and after a closing handshake,
        whatever its code.
        """


class IRequest(Interface):
    """The request of an opening handshake (RFC 6455, section 4.1)."""

    path = Attribute("The path of the target, a str, as it came: not decoded.")
    query = Attribute("What followed the target's '?', a str.")
    headers = Attribute("The header fields, in their order; names in any case.")
    origin = Attribute("The value of Origin, or None.")
    subprotocols = Attribute("What the client offers, in its order, a tuple of str.")
    context = Attribute("A dict, empty at first, for what ``on_request`` learns.")


class IWebSocketHandler(Interface):
    """What serves the connections of a `WebSocketFactory`."""

    def __call__(peer: IWebSocketPeer) -> object:
        """Serve one connection, whose handshake has just succeeded.

        Returns:
            None, a Deferred or a coroutine.  When that is done, a connection
            that is still open is closed with code 1000; when it fails, with
            1011, and the failure is logged.
        """


class IOutlet(Interface):
    """The way out of an outbox."""

    lent = Attribute("Bytes of the first writes whose leaving it will tell of.")

    def send(pieces: Sequence[bytes | memoryview], size: int) -> int:
        """Send from these pieces, ``size`` bytes together, what can be sent now.

        Returns:
            How many bytes have gone.  Where it is fewer, the outbox is told
            when to go on.
        """

    def finish() -> None:
        """Everything was sent: end the connection in order."""

    def abort() -> None:
        """End the connection at once."""
