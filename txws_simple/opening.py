"""The opening handshake of one connection: the request, the decision, the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from .errors import HandshakeError
from .handshake import Response, accept, check, choose_subprotocol
from .outlet import finish
from .request import Request, RequestParser
from .session import Session

__all__ = ["Opening"]

_log = Logger()

_ACCEPTED = Response()


class Opening:
    """What a connection is until its handshake has succeeded.

    Args:
        session: The connection.
        on_request: What says who may connect, as of `Options`.
        opened: Called when the request is accepted, with the answer, the request,
            the subprotocol and what arrived behind the request.
        refused: Called when it is refused, with the response, and the request if it
            has arrived whole.

    Attributes:
        is_paused: Whether too much has arrived for nothing more to be read.
    """

    def __init__(
        self,
        session: Session,
        on_request: Callable[[Request], Any] | None,
        opened: Callable[[bytes, Request, str | None, bytes], None],
        refused: Callable[[Response, Request | None], None],
    ) -> None:
        self._session = session
        self._options = options = session.options
        self._on_request = on_request
        self._opened = opened
        self._refused = refused
        self._parser = RequestParser(
            max_line_size=options.max_line_size,
            max_header_lines=options.max_header_lines,
            max_request_size=options.max_request_size,
        )
        self._request: Request | None = None
        self._decision: Deferred[Any] | None = None
        self._held = bytearray()
        self.is_paused = False
        self._is_over = False
        self._deadline: IDelayedCall = session.clock.callLater(
            options.open_timeout, self._be_late
        )

    def receive(self, data: bytes) -> None:
        """More of the request; or, behind it, of what is read after the answer."""
        if self._is_over:
            return  # after a refusal nothing matters
        if self._decision is not None:
            self._hold(data)
            return
        try:
            request = self._request = self._parser.receive(data)
            if request is None:
                return
            check(request, self._options.origins)
        except HandshakeError as error:
            self.refuse(Response(error.status, error.headers, error.reason))
            return
        self._hold(self._parser.rest)
        self._parser.rest = b""
        self._decide(request)

    def stop(self) -> None:
        """It is over: wait for nothing, and nobody, any more."""
        self._is_over = True
        if self._deadline.active():
            self._deadline.cancel()
        decision, self._decision = self._decision, None
        if decision is None:
            return
        try:
            # Nobody needs it any more.
            decision.cancel()
        except BaseException:  # or the connection would stay
            _log.failure("cancelling on_request failed")

    def refuse(self, response: Response) -> None:
        """Answer and end the connection; what still arrives is dropped."""
        if self._is_over:
            return  # asked for by what is cancelled because of a refusal
        session = self._session
        transport = session.transport
        self._refused(response, self._request)
        self.stop()
        self._deadline = session.clock.callLater(
            self._options.close_timeout, transport.abortConnection
        )
        reason = f"handshake refused with {response.status} {response.body}".rstrip()
        error = HandshakeError(response.status, reason)
        # Before the transport is told, which may say at once that it is gone.
        session.refused(error)
        transport.write(response.refusal(self._parser.method))
        finish(transport)
        self._resume()
        session.ended(error)

    def _decide(self, request: Request) -> None:
        """Ask the application, if it wants to be asked."""
        if self._on_request is None:
            self._answer(_ACCEPTED, request)
            return
        decision = self._decision = maybeDeferred(self._on_request, request)
        decision.addCallback(self._decided, request).addErrback(self._not_decided)

    def _hold(self, data: bytes) -> None:
        """What arrives while the application thinks is read after the answer."""
        self._held += data
        if len(self._held) > self._options.max_unread:
            self.is_paused = True
            self._session.pause()

    def _decided(self, response: Response | None, request: Request) -> None:
        if self._is_over:
            return
        response = _ACCEPTED if response is None else response
        if not isinstance(response, Response):
            raise TypeError(f"on_request gave {response!r}, not a Response")
        self._answer(response, request)

    def _not_decided(self, failure: Failure) -> None:
        if self._is_over and failure.check(CancelledError):
            return
        _log.failure("on_request failed", failure=failure)
        if not self._is_over:
            self.refuse(Response(500))

    def _answer(self, response: Response, request: Request) -> None:
        if not response.accepts:
            self.refuse(response)
            return
        if self._session.is_over:
            return  # closed meanwhile: the transport is about to say so
        self.stop()
        subprotocol = choose_subprotocol(request, self._options.subprotocols)
        answer = accept(request, subprotocol, response.headers)
        self._opened(answer, request, subprotocol, bytes(self._held))
        self._resume()

    def _resume(self) -> None:
        # What came early may be more than is read before somebody wants it.
        if self.is_paused and not self._session.is_deaf():
            self._session.resume()

    def _be_late(self) -> None:
        self.refuse(Response(408 if self._decision is None else 503))
