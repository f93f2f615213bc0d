"""The protocol of a connection: the opening handshake, then the peer's bytes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import (
    CancelledError,
    Deferred,
    gatherResults,
    maybeDeferred,
)
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocolFactory
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from zope.interface import classImplements, implementer

from .errors import ConnectionClosed, HandshakeError
from .frames import CloseCode
from .handshake import Response, accept, check, choose_subprotocol
from .interfaces import IRequest
from .options import Options
from .outlet import finish, outlet_for
from .peer import WebSocketPeer
from .request import Request, RequestParser
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

    Attributes:
        peer: The peer, from the connection on.
    """

    peer: WebSocketPeer

    def __init__(
        self,
        options: Options,
        opened: Callable[[WebSocketPeer], object],
        *,
        fresh: bool = True,
        among: set[WebSocketProtocol] | None = None,
    ) -> None:
        self._options = options
        self._opened = opened
        self._fresh = fresh
        self._among = set() if among is None else among
        self._receive: Callable[[bytes], None] = self._receive_request
        self._parser = RequestParser(
            max_line_size=options.max_line_size,
            max_header_lines=options.max_header_lines,
            max_request_size=options.max_request_size,
        )
        self._deadline: IDelayedCall | None = None
        self._decision: Deferred[Any] | None = None
        self._is_paused = False

    def connectionMade(self) -> None:
        """Wait for the request, until the deadline."""
        self._session = Session(self.transport, self._options)
        self.peer = WebSocketPeer(self._session)
        self._among.add(self)
        self._stop_in(self._options.open_timeout, self._be_late)

    def dataReceived(self, data: bytes) -> None:
        """More of the request; once it is accepted, the peer's bytes."""
        self._receive(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the peer, and wait for nothing more."""
        self._among.discard(self)
        self._stop_waiting()
        self._abandon()
        how = "ended" if reason.check(ConnectionDone) else "was lost"
        error = ConnectionClosed(CloseCode.ABNORMAL, f"connection {how} without Close")
        error.__cause__ = reason.value
        self._session.ended(error)
        self._receive = _drop

    @property
    def is_open(self) -> bool:
        """Whether the handshake has succeeded."""
        return self._session.is_open

    def begin(self, request: Request | None, subprotocol: str | None) -> None:
        """The handshake was done by somebody else: frames follow."""
        self._open(b"", request, subprotocol)

    def _receive_request(self, data: bytes) -> None:
        try:
            request = self._parser.receive(data)
            if request is None:
                return
            check(request, self._options.origins)
        except HandshakeError as error:
            self._refuse(Response(error.status, error.headers, error.reason))
            return
        self._decide(request)

    def _decide(self, request: Request) -> None:
        """Ask the application, if it wants to be asked."""
        if self._options.on_request is None:
            self._answer(None, request)
            return
        self._receive = self._hold
        decision = maybeDeferred(self._options.on_request, request)
        self._decision = decision
        decision.addCallback(self._decided, request).addErrback(self._not_decided)

    def _hold(self, data: bytes) -> None:
        """What arrives while the application thinks is read after the answer."""
        self._parser.rest += data
        if len(self._parser.rest) > self._options.max_unread:
            self._is_paused = True
            with suppress(RuntimeError):
                self._transport.pauseProducing()

    def _decided(self, response: Response | None, request: Request) -> None:
        if self._decision is not None:
            self._answer(response, request)

    def _not_decided(self, failure: Failure) -> None:
        if self._decision is None and failure.check(CancelledError):
            return
        _log.failure("on_request failed", failure=failure)
        if self._decision is not None:
            self._refuse(Response(500))

    def _abandon(self) -> None:
        """Nobody needs the decision any more."""
        decision, self._decision = self._decision, None
        if decision is not None:
            decision.cancel()

    def _answer(self, response: Response | None, request: Request) -> None:
        response = Response() if response is None else response
        if not isinstance(response, Response):
            raise TypeError(f"on_request gave {response!r}, not a Response")
        self._decision = None
        if not response.accepts:
            self._refuse(response)
            return
        if self._session.is_over:
            return  # closed meanwhile: the transport is about to say so
        subprotocol = choose_subprotocol(request, self._options.subprotocols)
        answer = accept(request, subprotocol, response.headers)
        self._open(answer, request, subprotocol)
        self._resume()
        if self._parser.rest:
            self._receive(self._parser.rest)

    def _open(
        self, answer: bytes, request: Request | None, subprotocol: str | None
    ) -> None:
        self._stop_waiting()
        peer = self.peer
        peer.request = request
        peer.subprotocol = subprotocol
        session = self._session
        self._receive = session.data_received
        outlet = outlet_for(self.transport, session.outbox.go_on, fresh=self._fresh)
        session.opened(outlet, answer)
        self._opened(peer)

    def _refuse(self, response: Response) -> None:
        """Answer and end the connection; what still arrives is dropped."""
        _log.info(
            "refused {address}: {status} {reason!r}",
            address=self._transport.getPeer(),
            status=response.status,
            reason=response.body,
        )
        self._stop_in(self._options.close_timeout, self._transport.abortConnection)
        self._receive = _drop
        self._transport.write(response.refusal(self._parser.method))
        finish(self._transport)
        self._resume()
        reason = f"handshake refused with {response.status} {response.body}".rstrip()
        self._session.ended(HandshakeError(response.status, reason), by="local")

    def _be_late(self) -> None:
        self._refuse(Response(408 if self._decision is None else 503))
        self._abandon()

    def _stop_in(self, timeout: float, stop: Callable[[], object]) -> None:
        self._stop_waiting()
        self._deadline = self._session.clock.callLater(timeout, stop)

    def _stop_waiting(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None and deadline.active():
            deadline.cancel()

    def _resume(self) -> None:
        if self._is_paused:
            # A transport that is disconnecting may refuse.
            with suppress(RuntimeError):
                self._transport.resumeProducing()

    @property
    def _transport(self) -> Any:
        """The transport, of which only the common part has a type."""
        return self.transport


def _drop(data: bytes) -> None:
    """What arrives after a refusal matters no more."""


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

    def __init__(
        self,
        handler: Callable[[WebSocketPeer], object],
        *,
        ping_frequency: float | None = 20,
        **options: Unpack[Keywords],
    ) -> None:
        self._handler = handler
        self._options = Options(ping_frequency=ping_frequency, **options)
        self._protocols: set[WebSocketProtocol] = set()

    def buildProtocol(self, addr: IAddress | None) -> WebSocketProtocol:
        """One protocol for each connection."""
        return WebSocketProtocol(self._options, self._serve, among=self._protocols)

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
                protocol.peer.close()
                # One that was refused is over for its peer, and yet lingers.
                protocol._transport.abortConnection()
        return gatherResults(ends).addCallback(lambda _: None)

    def _serve(self, peer: WebSocketPeer) -> None:
        done = maybeDeferred(self._handler, peer)
        done.addCallback(lambda _: peer.leave())
        done.addErrback(self._handler_failed, peer)

    def _handler_failed(self, failure: Failure, peer: WebSocketPeer) -> None:
        if not (peer.is_over and failure.check(ConnectionClosed)):
            # That a connection was lost is not the handler's fault.
            _log.failure(
                "handler of {address} failed",
                failure=failure,
                address=peer.transport.getPeer(),
            )
        peer.leave(CloseCode.INTERNAL_ERROR)


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
