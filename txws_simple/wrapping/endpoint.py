"""``ws:`` in front of a server endpoint: whatever listens there speaks WebSocket."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import quoteStringArgument, serverFromString
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory
from zope.interface import implementer

from .factory import WrappingFactory, only_path

__all__ = ["WebSocketEndpoint", "from_arguments"]

_N = TypeVar("_N", int, float)

_WORDS = {"yes": True, "no": False}


@implementer(IStreamServerEndpoint)
class WebSocketEndpoint:
    """Listens on another endpoint, and has the protocols speak WebSocket.

    Args:
        endpoint: Where to listen.
        **options: The keywords of :class:`~txws_simple.wrapping.WrappingFactory`.

    Attributes:
        options: The same.

    Raises:
        TypeError: For an unknown option.
        ValueError: For an option that makes no sense.
    """

    def __init__(self, endpoint: IStreamServerEndpoint, **options: Any) -> None:
        self._endpoint = endpoint
        self.options = options
        WrappingFactory(Factory(), **options)  # what is wrong is said now

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Serve the protocols of this factory, each over WebSocket."""
        return self._endpoint.listen(WrappingFactory(protocolFactory, **self.options))


def from_arguments(
    reactor: Any,
    *arguments: str,
    path: str | None = None,
    binary: str = "yes",
    origins: str | None = None,
    subprotocols: str = "",
    ping: str = "20",
    max_frame_size: str = "1048576",
    **others: str,
) -> WebSocketEndpoint:
    """What the arguments behind ``ws:`` say.

    Args:
        reactor: Listens.
        *arguments: The endpoint to listen on: whole, as it is where each ``:`` in it
            was quoted, or in its parts.
        path: The only path that is served, any other gets 404; by default each is.
        binary: ``no`` for text messages.
        origins: Those that may connect, with commas between them; by default all.
        subprotocols: Those served, in our order of preference, in the same way.
        ping: Seconds from one ping to the next; ``no`` for none.
        max_frame_size: The largest payload of a frame, in bytes.
        **others: The keywords of the endpoint to listen on.

    Raises:
        ValueError: For an argument that makes no sense.
    """
    if binary not in _WORDS:
        raise ValueError(f"binary is {binary!r}, not 'yes' or 'no'")
    if origins in ("http", "https"):
        raise ValueError(
            rf"origins is cut off after {origins!r}: quote each ':' as '\:'"
        )
    return WebSocketEndpoint(
        serverFromString(reactor, _description(arguments, others)),
        binary=_WORDS[binary],
        on_request=None if path is None else only_path(path),
        origins=None if origins is None else _listed("origins", origins),
        subprotocols=_listed("subprotocols", subprotocols) if subprotocols else (),
        ping_frequency=None if ping == "no" else _number("ping", ping, float),
        max_frame_size=_number("max_frame_size", max_frame_size, int),
    )


def _number(name: str, text: str, kind: Callable[[str], _N]) -> _N:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{name} is {text!r}, not a number") from None


def _listed(name: str, text: str) -> list[str]:
    """What has commas between it."""
    values = text.split(",")
    if "" in values:
        raise ValueError(f"{name} is {text!r}, with an empty one")
    return values


def _description(arguments: Sequence[str], keywords: Mapping[str, str]) -> str:
    """These, as they were before they were parsed."""
    if len(arguments) > 1:
        quoted = map(quoteStringArgument, arguments)
        arguments = [each.replace("=", r"\=") for each in quoted]
    named = [f"{name}={quoteStringArgument(keywords[name])}" for name in keywords]
    return ":".join((*arguments, *named))
