"""The exceptions, each carrying its consequence.

A refused handshake carries the HTTP status that answers it, a violation of the
framing rules the close code that goes out, and the end of a connection the
close code that the application sees.  Whoever catches one needs no table.
"""

from __future__ import annotations

__all__ = [
    "BufferOverrun",
    "CloseTimeout",
    "ConnectionClosed",
    "HandshakeError",
    "PongTimeout",
    "ProtocolError",
    "WebSocketError",
]


class WebSocketError(Exception):
    """What all exceptions of this library have in common."""


class HandshakeError(WebSocketError):
    """An opening handshake that is refused (RFC 6455, section 4.2.2).

    Attributes:
        status: The HTTP status that answers the request, for example 400.
        reason: One line that says why.  Where the refusal is the library's, it
            repeats nothing of the request.
        headers: Headers that the answer needs, for example ``Allow``.
    """

    def __init__(
        self, status: int, reason: str, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.headers = headers

    def __str__(self) -> str:
        # An application may have put into it what came from outside.
        plain = self.reason.isprintable()
        return f"{self.status} {self.reason if plain else repr(self.reason)}"


class _Closing(WebSocketError):
    """A :class:`WebSocketError` with a close code."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(int(code), reason)
        self.code = int(code)
        self.reason = reason

    def __str__(self) -> str:
        # Quoted, for it comes from the other side, and this goes into logs.
        return f"{self.code} {self.reason!r}" if self.reason else str(self.code)


class ProtocolError(_Closing):
    """The other side broke the rules of the protocol (RFC 6455, section 7.1.7).

    Attributes:
        code: The close code that the connection is failed with: 1002, 1007,
            1008 or 1009.
        reason: Which rule it was.
    """


class ConnectionClosed(_Closing):
    """The connection is over, and not in the normal way.

    Attributes:
        code: The code of the Close frame that the other side sent, or 1006
            where none came (RFC 6455, section 7.1.5).
        reason: The reason given in that frame, or what was seen instead.
    """


class PongTimeout(_Closing):
    """The other side left a ping unanswered; ``code`` is 1011."""

    def __init__(self) -> None:
        super().__init__(1011, "pong timeout")


class CloseTimeout(_Closing):
    """The closing handshake was not done by its deadline; ``code`` is 1006."""

    def __init__(self) -> None:
        super().__init__(1006, "close timeout")


class BufferOverrun(_Closing):
    """The other side reads too slowly for what is written; ``code`` is 1006."""

    def __init__(self, buffered: int) -> None:
        super().__init__(1006, f"{buffered} bytes written and not taken")
