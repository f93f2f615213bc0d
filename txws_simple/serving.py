"""A factory on its endpoints, as a Twisted service that ends in order."""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
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
        self._is_listening = False

    def privilegedStartService(self) -> None:
        """Listen, while the process may still use any port.

        Raises:
            Exception: Where an endpoint says at once that it can't.
        """
        super().privilegedStartService()  # type: ignore[no-untyped-call]  # untyped there
        self._is_listening = True
        for endpoint in self._endpoints:
            self._listen(endpoint)

    def startService(self) -> None:
        """Listen, if that was not done while the process could still use any port.

        Raises:
            Exception: Where an endpoint says at once that it can't.
        """
        if not self._is_listening:
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
        listening = listened.addCallback(self._listens, self.ports)
        if listening.called and isinstance(listening.result, Failure):
            failure = listening.result
            listening.addErrback(lambda _: None)
            self._stop_listening()
            failure.raiseException()
        listening.addErrback(_failed, "an endpoint does not listen")

    def _listens(
        self, port: IListeningPort, ports: list[IListeningPort]
    ) -> Deferred[Any] | None:
        if ports is not self.ports:
            return _stop(port)  # it comes late: what wanted it was stopped
        ports.append(port)
        return None

    def _stop_listening(self) -> Deferred[list[Any]]:
        # Whoever is about to listen is not cancelled: many can't be, and then the port
        # would come all the same, and be nobody's.
        ports, self.ports = self.ports, []
        self._is_listening = False
        return gatherResults(map(_stop, ports))


def _stop(port: IListeningPort) -> Deferred[Any]:
    # One that can't, as that of a UNIX socket whose file is gone, keeps nobody else
    # from ending in order.
    stopped: Deferred[Any] = maybeDeferred(port.stopListening)
    return stopped.addErrback(_failed, "a port does not stop in order")


def _server(endpoint: IStreamServerEndpoint | str) -> IStreamServerEndpoint:
    if not isinstance(endpoint, str):
        return endpoint
    from twisted.internet import reactor

    server: IStreamServerEndpoint = serverFromString(reactor, endpoint)
    return server


def _failed(failure: Failure, what: str) -> None:
    _log.failure("{what}", failure=failure, what=what)
