"""The protocol of a connection: the opening handshake, then the peer's bytes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IProtocolFactory, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from zope.interface import classImplements, implementer

from . import events
from .counters import Counters, Tally, Traffic
from .draining import Drained, Draining
from .errors import ConnectionClosed
from .frames import CloseCode
from .handshake import Response
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
        tally: What counts this one, among others.
        pinger: What keeps them alive; by default this one has its own.

    Attributes:
        peer: The peer, from the connection on.
        on_request: What says who may connect, that of the options.
    """

    peer: WebSocketPeer
    _gone: tuple[Deferred[None], ...] = ()

    def __init__(
        self,
        options: Options,
        opened: Callable[[WebSocketPeer], object],
        *,
        fresh: bool = True,
        tally: Tally[WebSocketProtocol] | None = None,
        pinger: Pinger | None = None,
    ) -> None:
        self._options = options
        self.on_request = options.on_request
        self._opened = opened
        self._pinger = pinger or _pinger_for(options)
        self._fresh = fresh
        self._tally = Tally() if tally is None else tally

    def connectionMade(self) -> None:
        """Wait for the request, until the deadline."""
        self._session = Session(self.transport, self._options, self._pinger)
        self.peer = WebSocketPeer(self._session)
        self._tally.made(self)
        self._opening: Opening | None = Opening(
            self._session, self.on_request, self._open, self._refused
        )

    def dataReceived(self, data: bytes) -> None:
        """More of the request; once it is accepted, the peer's bytes."""
        if self._opening is None:
            self._session.data_received(data)
        else:
            self._opening.receive(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the peer, and wait for nothing more."""
        if self._opening is not None:
            self._opening.stop()
        how = "ended" if reason.check(ConnectionDone) else "was lost"
        error = ConnectionClosed(CloseCode.ABNORMAL, f"connection {how} without Close")
        error.__cause__ = reason.value
        self._session.is_gone = True
        self._session.ended(error)
        if self.is_open:
            self._closed()
        self._tally.lost(self)
        for gone in self._gone:
            gone.callback(None)

    @property
    def is_open(self) -> bool:
        """Whether the handshake has succeeded."""
        return self._session.is_open

    @property
    def is_opening(self) -> bool:
        """Whether the handshake goes on."""
        return not self._session.is_open and not self._session.is_over

    @property
    def is_paused(self) -> bool:
        """Whether more has arrived than is read for now."""
        opening = self._opening
        return self.peer.is_paused or (opening is not None and opening.is_paused)

    @property
    def traffic(self) -> Traffic:
        """What has passed behind the handshake."""
        return self._session.traffic

    @property
    def buffered(self) -> int:
        """Bytes written and not gone."""
        return self._session.outbox.buffered

    def refuse(self, response: Response) -> None:
        """Refuse the handshake, which still goes on."""
        assert self._opening is not None
        self._opening.refuse(response)

    def gone(self) -> Deferred[None]:
        """A Deferred of None, when the connection is gone."""
        gone: Deferred[None] = Deferred()
        self._gone += (gone,)
        return gone

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
        self._began = session.seconds()
        self._tally.opened()
        events.opened(peer)
        self._opened(peer)
        if rest:
            session.data_received(rest)

    def _refused(self, response: Response, request: Request | None) -> None:
        self._tally.refused(response.status)
        events.refused(self.transport, response, request)

    def _closed(self) -> None:
        peer = self.peer
        code = int(cast(int, peer.close_code))
        self._tally.closed(code, str(peer.closed_by))
        events.closed(peer, code, self._session.seconds() - self._began)


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
        self._tally: Tally[WebSocketProtocol] = Tally()
        self._draining = Draining()

    @property
    def clock(self) -> IReactorTime | None:
        """What schedules all that waits, if it is not the reactor."""
        return self._options.clock

    def buildProtocol(self, addr: IAddress | None) -> WebSocketProtocol:
        """One protocol for each connection."""
        protocol = self.protocol(
            self._options, self._serve, tally=self._tally, pinger=self._pinger
        )
        if self._draining.has_begun:
            protocol.on_request = self._draining.refuse
        return protocol

    def doStart(self) -> None:
        """Somebody listens: what was drained serves again."""
        self._draining = Draining()
        super().doStart()  # type: ignore[no-untyped-call]  # untyped there

    def counters(self) -> Counters:
        """What was counted so far."""
        return self._tally.count()

    def drain(self, timeout: float = 10, code: int = 1001) -> Deferred[Drained]:
        """End all connections, and take no more.

        What was written goes out first, then a Close.  A handshake is refused with
        503, wherever it is, and so are those to come, until somebody listens anew.
        To stop listening is the caller's part; `WebSocketService` does both.

        Args:
            timeout: Seconds until those are aborted that did not end in order.
            code: The close code.

        Returns:
            A Deferred of a `Drained`, when all those connections are gone.  To cancel
            it ends the waiting, nothing else.

        Raises:
            ValueError: For a code that must not be sent, or a timeout that is no
                number of seconds; nothing has ended.
        """
        clock = clocks(self._options.clock)[0]
        connections = list(self._tally.present)
        return self._draining.begin(connections, clock, timeout, code)

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
    if not protocol.is_paused:
        with suppress(RuntimeError):
            transport.resumeProducing()
    return protocol.peer
