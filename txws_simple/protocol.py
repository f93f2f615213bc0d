"""The protocol of a connection: the opening handshake, then the peer's bytes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IProtocolFactory, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from zope.interface import classImplements, implementer

from .errors import ConnectionClosed
from .frames import CloseCode
from .interfaces import IRequest
from .opening import Opening
from .options import Options
from .outlet import outlet_for
from .peer import WebSocketPeer
from .pinger import Pinger, clocks
from .request import Request
from .session import Session

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .options import Keywords

__all__ = ["WebSocketFactory", "WebSocketProtocol", "new"]

_log = Logger()

# Said here, for the core knows nothing of interfaces.
classImplements(Request, IRequest)


class WebSocketProtocol(Protocol):
    """One connection: its opening handshake, and behind that its peer.

    Args:
        options: The limits and choices.
        opened: Called with the peer when the handshake has succeeded.
        fresh: Whether nothing else ever wrote to the transport.
        among: The protocols of all connections, while they last.
        pinger: What keeps them alive; by default this one has its own.

    Attributes:
        peer: The peer, from the connection on.
        on_request: What says who may connect, that of the options.
    """

    peer: WebSocketPeer

    def __init__(
        self,
        options: Options,
        opened: Callable[[WebSocketPeer], object],
        *,
        fresh: bool = True,
        among: set[WebSocketProtocol] | None = None,
        pinger: Pinger | None = None,
    ) -> None:
        self._options = options
        self.on_request = options.on_request
        self._opened = opened
        self._pinger = pinger or _pinger_for(options)
        self._fresh = fresh
        self._among = set() if among is None else among

    def connectionMade(self) -> None:
        """Wait for the request, until the deadline."""
        self._session = Session(self.transport, self._options, self._pinger)
        self.peer = WebSocketPeer(self._session)
        self._among.add(self)
        self._opening: Opening | None = Opening(
            self._session, self.on_request, self._open
        )

    def dataReceived(self, data: bytes) -> None:
        """More of the request; once it is accepted, the peer's bytes."""
        if self._opening is None:
            self._session.data_received(data)
        else:
            self._opening.receive(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the peer, and wait for nothing more."""
        self._among.discard(self)
        if self._opening is not None:
            self._opening.stop()
        how = "ended" if reason.check(ConnectionDone) else "was lost"
        error = ConnectionClosed(CloseCode.ABNORMAL, f"connection {how} without Close")
        error.__cause__ = reason.value
        self._session.ended(error)

    @property
    def is_open(self) -> bool:
        """Whether the handshake has succeeded."""
        return self._session.is_open

    def abort(self) -> None:
        """End the connection at once, also one that was refused and lingers."""
        self.peer.close()
        cast(Any, self.transport).abortConnection()

    def begin(self, request: Request | None, subprotocol: str | None) -> None:
        """The handshake was done by somebody else: frames follow."""
        if self._opening is not None:
            self._opening.stop()
        self._open(b"", request, subprotocol)

    def _open(
        self,
        answer: bytes,
        request: Request | None,
        subprotocol: str | None,
        rest: bytes = b"",
    ) -> None:
        """The handshake has succeeded; ``rest`` arrived behind it."""
        peer, session = self.peer, self._session
        peer.request = request
        peer.subprotocol = subprotocol
        # What only an opening needs is let go.
        self._opening = None
        outlet = outlet_for(self.transport, session.outbox, fresh=self._fresh)
        session.opened(outlet, answer)
        self._opened(peer)
        if rest:
            session.data_received(rest)


def _pinger_for(options: Options) -> Pinger | None:
    """What keeps the connections with these options alive, if they want that."""
    if options.ping_frequency is None:
        return None
    return Pinger(options.ping_frequency, *clocks(options.clock))


@implementer(IProtocolFactory)
class WebSocketFactory(Factory):
    """Serves WebSockets on any Twisted server endpoint.

    Args:
        handler: Called with each peer whose handshake has succeeded, see
            `IWebSocketHandler`.
        ping_frequency: Seconds from one ping to the next; ``None`` for no pings.
        **options: The fields of `Options`.

    Raises:
        TypeError: For an unknown option.
        ValueError: For an option that makes no sense.
    """

    noisy = False
    protocol: Callable[..., WebSocketProtocol] = WebSocketProtocol

    def __init__(
        self,
        handler: Callable[[WebSocketPeer], object],
        *,
        ping_frequency: float | None = 20,
        **options: Unpack[Keywords],
    ) -> None:
        self._handler = handler
        self._options = Options(ping_frequency=ping_frequency, **options)
        self._pinger = _pinger_for(self._options)
        self._protocols: set[WebSocketProtocol] = set()

    @property
    def clock(self) -> IReactorTime | None:
        """What schedules all that waits, if it is not the reactor."""
        return self._options.clock

    def buildProtocol(self, addr: IAddress | None) -> WebSocketProtocol:
        """One protocol for each connection."""
        return self.protocol(
            self._options, self._serve, among=self._protocols, pinger=self._pinger
        )

    def drain(self, timeout: float = 10, code: int = 1001) -> Deferred[None]:
        """End all connections, those in their handshake at once.

        To stop listening, before, is the caller's part.

        Args:
            timeout: Seconds until those are aborted that did not end in order.
            code: The close code.

        Returns:
            A Deferred of None, when all have ended.
        """
        ends: list[Deferred[bool]] = []
        for protocol in list(self._protocols):
            if protocol.is_open:
                ends.append(protocol.peer.shutdown(code, timeout=timeout))
            else:
                protocol.abort()
        return gatherResults(ends).addCallback(lambda _: None)

    def _serve(self, peer: WebSocketPeer) -> None:
        maybeDeferred(self._handler, peer).addCallbacks(
            _handler_ended,
            self._handler_failed,
            callbackArgs=(peer,),
            errbackArgs=(peer,),
        )

    def _handler_failed(self, failure: Failure, peer: WebSocketPeer) -> None:
        if peer.closed_by is None or not failure.check(ConnectionClosed):
            # That a connection was lost, or is ended here, is not its fault.
            _log.failure(
                "handler of {address!r} failed",
                failure=failure,
                address=peer.transport.getPeer(),
            )
        peer.leave(CloseCode.INTERNAL_ERROR)


def _handler_ended(_: object, peer: WebSocketPeer) -> None:
    peer.leave()


def new(
    transport: Any,
    ping_frequency: float | None = None,
    handshaked: bool = False,
    *,
    received: bytes = b"",
    request: Request | None = None,
    subprotocol: str | None = None,
    **options: Unpack[Keywords],
) -> WebSocketPeer:
    """Take over a connected transport.

    The transport's protocol is replaced, and hears nothing more; a producer
    that is registered with it is unregistered.

    Args:
        transport: A connected Twisted transport.
        ping_frequency: Seconds from one ping to the next; ``None`` for no pings.
        handshaked: Whether the handshake was done by the caller, so that frames
            follow at once.  Otherwise it is done here; what is written
            meanwhile waits for it.
        received: Bytes that were read from the transport already: the request,
            or what came behind it.
        request: With ``handshaked``, what the peer's ``request`` shall be.
        subprotocol: With ``handshaked``, what was agreed on.
        **options: The fields of `Options`.

    Returns:
        The peer, at once.

    Raises:
        TypeError: For an unknown option.
        ValueError: For an option that makes no sense.
    """
    protocol = WebSocketProtocol(
        Options(ping_frequency=ping_frequency, **options),
        lambda peer: None,
        fresh=False,
    )
    with suppress(RuntimeError):
        # Some transports refuse where none is registered.
        transport.unregisterProducer()
    if isinstance(transport, ProtocolWrapper):
        transport.wrappedProtocol = protocol
    elif getattr(transport, "TLS", False):
        # After startTLS the transport's protocol is the layer of TLS.
        transport.protocol.wrappedProtocol = protocol
    else:
        transport.protocol = protocol
    cast(Any, protocol).makeConnection(transport)
    if handshaked:
        protocol.begin(request, subprotocol)
    if received:
        protocol.dataReceived(bytes(received))
    with suppress(RuntimeError):
        transport.resumeProducing()
    return protocol.peer
