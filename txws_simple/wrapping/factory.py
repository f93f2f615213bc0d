"""The factory whose connections are streams of bytes to the protocols of another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory

from ..frames import CloseCode
from ..handshake import Response
from ..peer import WebSocketPeer
from ..protocol import WebSocketFactory
from ..request import Request, check_path
from .stream import StreamTransport

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..options import Keywords

__all__ = ["WrappingFactory", "only_path", "wrap"]


def wrap(
    factory: IProtocolFactory, *, binary: bool = True
) -> Callable[[WebSocketPeer], Deferred[Any]]:
    """A handler that serves the protocols of another factory over WebSocket.

    What arrives is a stream of bytes to them, whatever messages it came in, text
    among it as UTF-8; what they write in one turn of the reactor leaves as one
    message, if it has no more than 64 KiB.  Their transport is a
    :class:`~txws_simple.wrapping.StreamTransport`.

    Args:
        factory: Builds them.  Where it builds none, the connection is closed with
            code 1008.
        binary: Whether binary messages are sent.  Otherwise it is text, and has to
            be UTF-8; a code point may be written in pieces.

    Returns:
        A handler for any `WebSocketFactory`, or for a route of a `Router`.
    """

    def carry(peer: WebSocketPeer) -> Deferred[Any]:
        protocol = factory.buildProtocol(peer.transport.getPeer())
        if protocol is None:
            return peer.leave(CloseCode.POLICY_VIOLATION)
        return StreamTransport(peer, is_binary=binary).carry(protocol)

    return carry


class WrappingFactory(WebSocketFactory):
    """Serves the protocols of another factory over WebSocket, as :func:`wrap` does.

    A message that arrives may have any length and any number of fragments, unless an
    option says otherwise, each of up to ``max_frame_size``.

    Args:
        factory: As of :func:`wrap`; it is told when a port listens, and when none
            does any more.
        binary: As of :func:`wrap`.
        ping_frequency: As of `WebSocketFactory`.
        **options: The fields of `Options`.

    Raises:
        TypeError: For an unknown option.
        ValueError: For an option that makes no sense.
    """

    def __init__(
        self,
        factory: IProtocolFactory,
        *,
        binary: bool = True,
        ping_frequency: float | None = 20,
        **options: Unpack[Keywords],
    ) -> None:
        options.setdefault("max_message_size", None)
        options.setdefault("max_fragments", None)
        handler = wrap(factory, binary=binary)
        super().__init__(handler, ping_frequency=ping_frequency, **options)
        self._factory = factory

    def doStart(self) -> None:
        """A port listens: the other factory's matter, too."""
        self._factory.doStart()
        super().doStart()

    def doStop(self) -> None:
        """It has stopped to."""
        self._factory.doStop()
        super().doStop()  # type: ignore[no-untyped-call]  # untyped there


def only_path(path: str) -> Callable[[Request], Response | None]:
    """For ``on_request``: any other path than this one gets 404.

    Raises:
        ValueError: For one that no request has.
    """
    check_path(path)
    return lambda request: None if request.path == path else Response(404)
