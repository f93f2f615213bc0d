"""``twistd wsproxy``: WebSocket before a server that knows only bytes."""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IPushProducer,
    IStreamClientEndpoint,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.failure import Failure
from zope.interface import implementer

from .commands import Command, CommandOptions, check_endpoint, complaining
from .frames import CloseCode
from .wrapping import only_path, wrap

__all__ = ["Options", "ProxyFactory", "makeService"]

_log = Logger()


class Options(CommandOptions):
    """The command line of ``twistd wsproxy``."""

    synopsis = "--to ENDPOINT [options]"
    longdesc = (
        "Carries the bytes of WebSocket clients to a server, and its bytes back. "
        "Each client has a connection of its own; neither side is read faster than "
        "the other takes. A client whose server can't be reached, or resets the "
        "connection, gets close code 1014."
    )
    optParameters: ClassVar[list[list[Any]]] = [
        ["to", "t", None, "The server: a Twisted client endpoint, tcp:HOST:PORT."],
        ["path", None, None, "The only path served; any other gets 404."],
    ]
    optFlags: ClassVar[list[list[Any]]] = [
        ["text", None, "Send text messages, of UTF-8, not binary ones."]
    ]

    def opt_listen(self, endpoint: str) -> None:
        """Where to listen: a Twisted server endpoint, such as
        tcp:8080:interface=127.0.0.1. May be given more than once.
        [default: tcp:8080]
        """
        self["endpoint"].append(endpoint)

    opt_l = opt_listen

    def postOptions(self) -> None:
        """Refuse what could only fail later."""
        super().postOptions()
        if self["to"] is None:
            raise usage.UsageError("--to is needed: the server to connect to")
        check_endpoint(clientFromString, self["to"])
        if self["path"] is not None:
            with complaining():
                only_path(self["path"])


class _BackFactory(Factory):
    noisy = False


class ProxyFactory(Factory):
    """Builds for each client what connects to the server.

    It is for :func:`.wrap`: the transport of a client has to be one of WebSocket.

    Args:
        target: The server.
    """

    noisy = False

    def __init__(self, target: IStreamClientEndpoint) -> None:
        self._target = target

    def buildProtocol(self, addr: object) -> Protocol:
        """One connection to the server for each of a client."""
        return _Front(self._target)


@implementer(IPushProducer)
class _Side(Protocol):
    """One of two connections, whose bytes go to the other."""

    transport: Any
    there: Any = None  # the transport of the other one

    def join(self, there: Any) -> None:
        """Give that one what arrives here, no faster than it takes."""
        self.there = there
        there.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        """Pass it on."""
        self.there.write(data)

    def pauseProducing(self) -> None:
        """The other side has enough for now."""
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """It takes more."""
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """It is lost; what follows from that, its own end decides."""


class _Front(_Side):
    """The client's side."""

    def __init__(self, target: IStreamClientEndpoint) -> None:
        self._target = target
        self._connecting: Deferred[Any] | None = None

    def connectionMade(self) -> None:
        """Connect to the server; what arrives meanwhile waits."""
        self.transport.pauseProducing()
        self._connecting = self._target.connect(_BackFactory.forProtocol(_Back))
        self._connecting.addCallbacks(self._connected, self._refused)
        self.transport.peer.ended().addCallback(self._gone)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End the other side; in order, if this one has."""
        connecting, self._connecting = self._connecting, None
        if connecting is not None:
            connecting.cancel()
        if self.there is None:
            return
        self.there.unregisterProducer()
        if reason.check(ConnectionDone):
            self.there.loseConnection()
        else:
            self.there.abortConnection()

    def _gone(self, _: object) -> None:
        """Who is gone, and has sent nothing, needs no server."""
        if self._connecting is not None and not self.transport.peer.traffic.frames_in:
            self.transport.resumeProducing()  # up to the end, which gives up

    def _connected(self, back: _Back) -> None:
        self._connecting = None
        if ITCPTransport.providedBy(back.transport):
            # Nothing else would notice that a server is gone that only talks.
            back.transport.setTcpKeepAlive(True)
        self.join(back.transport)
        back.join(self.transport)
        self.transport.resumeProducing()

    def _refused(self, failure: Failure) -> None:
        if self._connecting is None:
            return  # given up by us, for the client is gone
        self._connecting = None
        _log.error(
            "server of {address!r}: {reason!r}",
            address=self.transport.getPeer(),
            reason=failure.getErrorMessage(),
        )
        self.transport.loseConnection(CloseCode.BAD_GATEWAY)


class _Back(_Side):
    """The server's side."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End the client's side, and tell it whether this one was cut off."""
        in_order = reason.check(ConnectionDone)
        self.there.unregisterProducer()
        self.there.loseConnection(
            CloseCode.NORMAL if in_order else CloseCode.BAD_GATEWAY
        )


def makeService(options: Options) -> IService:
    """The service of ``twistd wsproxy``."""
    from twisted.internet import reactor

    target = clientFromString(reactor, options["to"])
    path = options["path"]
    factory = options.factory(
        wrap(ProxyFactory(target), binary=not options["text"]),
        on_request=None if path is None else only_path(path),
    )
    return Command(factory, options["endpoint"])
