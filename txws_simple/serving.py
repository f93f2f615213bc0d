"""A factory on its endpoints, as a Twisted service that ends in order."""

from __future__ import annotations

from twisted.application.service import Service
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    gatherResults,
    maybeDeferred,
)
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from .draining import Drained, check_end
from .protocol import WebSocketFactory

__all__ = ["WebSocketService"]

_log = Logger("txws_simple")


class WebSocketService(Service):
    """Serves a factory; when it is stopped, all its connections end in order.

    It can be started anew after that.

    Args:
        factory: What serves the connections; to drain it ends all of them, so another
            service has another one.
        *endpoints: Where to listen: each a Twisted server endpoint, or a text that
            stands for one, such as ``"tcp:8080"``.
        timeout: Seconds that the connections may take to end.
        code: The close code that they get.

    Attributes:
        ports: Where it listens at present.

    Raises:
        ValueError: For a code or a timeout that `WebSocketFactory.drain` refuses.
    """

    def __init__(
        self,
        factory: WebSocketFactory,
        *endpoints: IStreamServerEndpoint | str,
        timeout: float = 10,
        code: int = 1001,
    ) -> None:
        check_end(timeout, code)
        self.factory = factory
        self.ports: list[IListeningPort] = []
        self._endpoints = endpoints
        self._timeout = timeout
        self._code = code
        self._listening: list[Deferred[None]] = []

    def privilegedStartService(self) -> None:
        """Listen, while the process may still use any port.

        Raises:
            Exception: Where an endpoint says at once that it can't.
        """
        super().privilegedStartService()  # type: ignore[no-untyped-call]  # untyped there
        for endpoint in self._endpoints:
            self._listen(endpoint)

    def startService(self) -> None:
        """Listen, if that was not done while the process could still use any port.

        Raises:
            Exception: Where an endpoint says at once that it can't.
        """
        if not self._listening:
            self.privilegedStartService()
        super().startService()  # type: ignore[no-untyped-call]  # untyped there

    def stopService(self) -> Deferred[Drained]:
        """Stop listening, and drain the factory.

        Returns:
            A Deferred of what `WebSocketFactory.drain` gives, when that is done and
            nobody listens any more.
        """
        super().stopService()  # type: ignore[no-untyped-call]  # untyped there
        stopped = self._stop_listening()
        drained = self.factory.drain(self._timeout, self._code)
        return stopped.addCallback(lambda _: drained)

    def _listen(self, endpoint: IStreamServerEndpoint | str) -> None:
        listened = _server(endpoint).listen(self.factory)
        listening = listened.addCallback(self.ports.append)
        if listening.called and isinstance(listening.result, Failure):
            failure = listening.result
            listening.addErrback(lambda _: None)
            self._stop_listening()
            failure.raiseException()
        self._listening.append(listening.addErrback(_not_listening))

    def _stop_listening(self) -> Deferred[list[object]]:
        for listening in self._listening:
            listening.cancel()
        ports = self.ports.copy()
        self.ports.clear()
        self._listening.clear()
        return gatherResults([maybeDeferred(port.stopListening) for port in ports])


def _server(endpoint: IStreamServerEndpoint | str) -> IStreamServerEndpoint:
    if not isinstance(endpoint, str):
        return endpoint
    from twisted.internet import reactor

    server: IStreamServerEndpoint = serverFromString(reactor, endpoint)
    return server


def _not_listening(failure: Failure) -> None:
    if not failure.check(CancelledError):
        _log.failure("an endpoint does not listen", failure=failure)
