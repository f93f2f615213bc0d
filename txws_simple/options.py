"""The limits and choices of a connection, each with a finite default."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from .headers import is_token
from .request import Request

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

__all__ = ["Keywords", "Options"]


@dataclass(frozen=True)
class Options:
    """What `WebSocketFactory` and `new` take as keywords.

    Sizes are in bytes, times in seconds.  The rows of the handshake, from
    ``max_line_size`` to ``on_request``, mean nothing to `new` with
    ``handshaked=True``.

    Attributes:
        ping_frequency: Seconds from one ping to the next; when nothing came for
            a whole further period, the connection is closed with 1011.  ``None``
            for no pings.
        max_frame_size: The largest payload of a frame; over it: 1009.
        max_message_size: The same for the fragments of one message together;
            ``None`` for no bound, where frames are handled one by one.
        max_fragments: How many fragments a message may have, over it: 1008;
            ``None`` for no bound.
        max_unread: With more than this unread, each frame counted with an
            overhead of 128, the transport is paused until it has been read.
        max_buffered: A write, or a ping, that finds more than this written and not gone
            aborts the connection: its listener is too slow to keep.
        close_timeout: How long a connection may take to end once it is over.
        open_timeout: How long the handshake may take, from the connection on;
            over it: 408, or 503 where ``on_request`` was what took so long.
        max_line_size: The longest line of the request; over it: 414 or 431.
        max_header_lines: The most header lines; over it: 431.
        max_request_size: The most bytes of a request in all; over it: 431.
        origins: The values of ``Origin`` that may connect, each as a browser
            sends it, in lower case and without a path; any other, and none, gets
            403.  ``None`` for any.
        subprotocols: Those served, in our order of preference.
        on_request: Called with each valid `Request`; returns ``None`` to accept,
            a `Response`, or a Deferred or coroutine of these.
        clock: What schedules all that waits; the reactor by default.

    Raises:
        TypeError: For an unknown keyword.
        ValueError: For a number that is not positive, or a subprotocol that is
            not a token.
    """

    ping_frequency: float | None = 20
    max_frame_size: int = 1024 * 1024
    max_message_size: int | None = 1024 * 1024
    max_fragments: int | None = 1024
    max_unread: int = 64 * 1024
    max_buffered: int = 16 * 1024 * 1024
    close_timeout: float = 10
    open_timeout: float = 10
    max_line_size: int = 8192
    max_header_lines: int = 100
    max_request_size: int = 16384
    origins: Sequence[str] | None = None
    subprotocols: Sequence[str] = ()
    on_request: Callable[[Request], Any] | None = None
    clock: IReactorTime | None = None

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is None and name in _BOUNDLESS:
                continue
            kind, noun = _NUMBER if name in _SECONDS else _INTEGER
            if not isinstance(value, kind) or not 0 < value < 1 << 63:
                raise ValueError(
                    f"{name} is {value!r}, not a positive {noun} below 2**63"
                )
        for name in ("origins", "subprotocols"):
            if isinstance(getattr(self, name), str):
                raise ValueError(f"{name} is a str, not a sequence of them")
        for token in self.subprotocols:
            if not is_token(token):
                raise ValueError(f"subprotocol {token!r} is not a token")
        for origin in self.origins or ():
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"origin {origin!r} is none that a browser sends, as "
                    "'https://example.com' or 'http://localhost:8080' is"
                )


#: RFC 6454, section 6.2; a mistake in it would turn everybody away.
_ORIGIN = re.compile(r"null|[a-z][a-z0-9+.-]*://[^/?#@,\sA-Z]*")

_NUMBER: Any = (int, float), "number"
_INTEGER: Any = int, "integer"

_BOUNDLESS = ("ping_frequency", "max_message_size", "max_fragments")
_SECONDS = ("ping_frequency", "close_timeout", "open_timeout")
_POSITIVE = (
    *_BOUNDLESS,
    "max_frame_size",
    "max_unread",
    "max_buffered",
    "close_timeout",
    "open_timeout",
    "max_line_size",
    "max_header_lines",
    "max_request_size",
)


class Keywords(TypedDict, total=False):
    """`Options` once more, for type checkers, but for ``ping_frequency``.

    A test holds them together.
    """

    max_frame_size: int
    max_message_size: int | None
    max_fragments: int | None
    max_unread: int
    max_buffered: int
    close_timeout: float
    open_timeout: float
    max_line_size: int
    max_header_lines: int
    max_request_size: int
    origins: Sequence[str] | None
    subprotocols: Sequence[str]
    on_request: Callable[[Request], Any] | None
    clock: IReactorTime | None
