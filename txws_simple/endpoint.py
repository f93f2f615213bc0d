"""``ws:`` in front of a server endpoint: whatever listens there speaks WebSocket."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory
from zope.interface import implementer

from .wrapping import WrappingFactory, only_path

__all__ = ["WebSocketEndpoint", "from_arguments"]

_WORDS = {"yes": True, "no": False}


@implementer(IStreamServerEndpoint)
class WebSocketEndpoint:
    """Listens on another endpoint, and has the protocols speak WebSocket.

    Args:
        endpoint: Where to listen.
        **options: The keywords of `WrappingFactory`.

    Raises:
        TypeError: For an unknown option.
        ValueError: For an option that makes no sense.
    """

    def __init__(self, endpoint: IStreamServerEndpoint, **options: Any) -> None:
        self._endpoint = endpoint
        self._options = options
        WrappingFactory(Factory(), **options)  # what is wrong is said now

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Serve the protocols of this factory, each over WebSocket."""
        return self._endpoint.listen(WrappingFactory(protocolFactory, **self._options))


def from_arguments(
    reactor: Any,
    endpoint: str,
    *surplus: str,
    path: str | None = None,
    binary: str = "yes",
    origins: str | None = None,
    subprotocols: str = "",
    ping: str = "20",
) -> WebSocketEndpoint:
    """What the arguments behind ``ws:`` say.

    Args:
        reactor: Listens.
        endpoint: Where, such as ``tcp:8080``.
        *surplus: What there must not be.
        path: The only path that is served, any other gets 404; by default each is.
        binary: ``no`` for text messages.
        origins: Those that may connect, with commas between them; by default all.
        subprotocols: Those served, in our order of preference, in the same way.
        ping: Seconds from one ping to the next; ``no`` for none.

    Raises:
        ValueError: For an argument that makes no sense.
    """
    if surplus:
        raise ValueError(
            f"ws: has one endpoint, in which each ':' is written '\\:', not "
            f"{':'.join((endpoint, *surplus))!r}"
        )
    if binary not in _WORDS:
        raise ValueError(f"binary is {binary!r}, not 'yes' or 'no'")
    return WebSocketEndpoint(
        serverFromString(reactor, endpoint),
        binary=_WORDS[binary],
        on_request=None if path is None else only_path(path),
        origins=None if origins is None else origins.split(","),
        subprotocols=subprotocols.split(",") if subprotocols else (),
        ping_frequency=None if ping == "no" else float(ping),
    )
