"""Any Twisted protocol over WebSocket: an existing factory, served unchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory

from .draining import Drained
from .frames import CloseCode
from .handshake import Response
from .peer import WebSocketPeer
from .pinger import clocks
from .protocol import WebSocketFactory
from .request import Request
from .stream import StreamTransport

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .options import Keywords

__all__ = ["WrappingFactory", "only_path"]


class WrappingFactory(WebSocketFactory):
    """Serves the protocols of another factory over WebSocket.

    What arrives is a stream of bytes to them, whatever messages it came in, text
    among it as UTF-8; what they write in one turn of the reactor leaves as one
    message, if it has no more than 64 KiB.  A message that arrives may be of any
    length, unless an option says otherwise.

    Their transport is a :class:`~txws_simple.stream.StreamTransport`.

    Args:
        factory: Builds them.  Where it builds none, the connection is closed with
            code 1008.
        binary: Whether binary messages are sent.  Otherwise it is text, and has to
            be UTF-8; a code point may be written in pieces.
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
        super().__init__(self._carry, ping_frequency=ping_frequency, **options)
        self._factory = factory
        self._is_binary = binary
        self._transports: set[StreamTransport] = set()

    def doStart(self) -> None:
        """A port listens: the other factory's matter, too."""
        self._factory.doStart()
        super().doStart()

    def doStop(self) -> None:
        """It has stopped to."""
        self._factory.doStop()
        super().doStop()  # type: ignore[no-untyped-call]

    def drain(self, timeout: float = 10, code: int = 1001) -> Deferred[Drained]:
        """As of `WebSocketFactory`; what was written goes out first."""
        for transport in list(self._transports):
            transport.hand_over()
        return super().drain(timeout, code)

    def _carry(self, peer: WebSocketPeer) -> Deferred[Any]:
        protocol: Any = self._factory.buildProtocol(peer.transport.getPeer())
        if protocol is None:
            return peer.leave(CloseCode.POLICY_VIOLATION)
        options = self._options
        transport = StreamTransport(
            peer,
            is_binary=self._is_binary,
            max_buffered=options.max_buffered,
            close_timeout=options.close_timeout,
            clock=clocks(options.clock)[0],
        )
        self._transports.add(transport)
        lost = transport.carry(protocol)
        return lost.addCallback(lambda _: self._transports.discard(transport))


def only_path(path: str) -> Callable[[Request], Response | None]:
    """For ``on_request``: any other path than this one gets 404."""
    return lambda request: None if request.path == path else Response(404)
