"""``twistd wsecho``: an echo server, and an example of a well-behaved service."""

from __future__ import annotations

import signal
import time
from collections.abc import Generator
from typing import Any

from twisted.application import strports
from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, inlineCallbacks, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IReactorCore
from twisted.logger import Logger
from twisted.python import usage

from .errors import WebSocketError
from .frames import Frame
from .options import Options as Limits
from .peer import WebSocketPeer
from .protocol import WebSocketFactory

__all__ = ["Options", "makeService"]

_log = Logger()


def _positive(kind: type) -> Any:
    """A coercion to a number of this kind that is greater than zero."""

    def coerce(text: str) -> Any:
        value = kind(text)
        if not 0 < value < float("inf"):
            raise ValueError(f"{text} is not greater than zero")
        return value

    coerce.coerceDoc = "A number greater than zero."  # type: ignore[attr-defined]
    return coerce


class Options(usage.Options):
    """The command line of ``twistd wsecho``."""

    synopsis = "[options]"
    longdesc = (
        "A WebSocket server that sends every data frame back as it came. It reads "
        "frame by frame, so a message of any length passes in bounded memory. On "
        "SIGTERM or Ctrl-C it closes every connection in order, with code 1001."
    )
    optParameters = [  # noqa: RUF012
        [
            "ping-frequency",
            "p",
            20.0,
            "Seconds from one ping to the next; a client from which nothing came "
            "for one more such period is given up.",
            _positive(float),
        ],
        [
            "max-frame-size",
            "m",
            1024 * 1024,
            "The largest payload of a frame, in bytes; over it the connection is "
            "closed with code 1009.",
            _positive(int),
        ],
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["endpoint"] = []
        self["origin"] = []
        self["subprotocol"] = []

    def opt_endpoint(self, endpoint: str) -> None:
        """Where to listen: a Twisted server endpoint, such as
        tcp:8080:interface=127.0.0.1,
        ssl:8443:privateKey=key.pem:certKey=cert.pem or unix:/run/wsecho.sock.
        May be given more than once. [default: tcp:8080]
        """
        self["endpoint"].append(endpoint)

    def opt_origin(self, origin: str) -> None:
        """An Origin that may connect, as a browser sends it, such as
        https://example.com. May be given more than once. By default any may.
        """
        self["origin"].append(origin)

    def opt_subprotocol(self, subprotocol: str) -> None:
        """A subprotocol to agree to. May be given more than once, the most liked
        first. By default none is agreed to.
        """
        self["subprotocol"].append(subprotocol)

    opt_e = opt_endpoint
    opt_o = opt_origin
    opt_s = opt_subprotocol

    def postOptions(self) -> None:
        """Refuse what could only fail later."""
        from twisted.internet import reactor

        self["endpoint"] = self["endpoint"] or ["tcp:8080"]
        for endpoint in self["endpoint"]:
            try:
                serverFromString(reactor, endpoint)
            except Exception as error:
                raise usage.UsageError(f"endpoint {endpoint!r}: {error}") from error
        try:
            Limits(subprotocols=self["subprotocol"])
        except ValueError as error:
            raise usage.UsageError(str(error)) from error


class _Echo:
    """One connection: its echo, and what is counted of it."""

    def __init__(self, peer: WebSocketPeer) -> None:
        self._peer = peer
        self._began = time.monotonic()
        self._frames_in = self._frames_out = self._bytes_in = self._bytes_out = 0

    def serve(self) -> Deferred[None]:
        done = self._peer.each(self._receive)
        # However it ended, it is reported when all is over.
        done.addErrback(lambda failure: failure.trap(WebSocketError))
        ended = done.addCallback(lambda _: self._peer.shutdown())
        return ended.addCallback(lambda _: self._report())

    def _receive(self, frame: Frame) -> Deferred[int]:
        size = len(frame.data)
        self._frames_in += 1
        self._bytes_in += size
        write = self._peer.write(frame)
        self._frames_out += 1
        self._bytes_out += size
        return write

    def _report(self) -> None:
        peer = self._peer
        _log.info(
            "{address!r} {path!r} {seconds:.3f}s "
            "in {frames_in} frames {bytes_in} bytes "
            "out {frames_out} frames {bytes_out} bytes "
            "code {code} closed by {closed_by}",
            address=peer.transport.getPeer(),
            path=peer.request.path if peer.request else "",
            seconds=time.monotonic() - self._began,
            frames_in=self._frames_in,
            bytes_in=self._bytes_in,
            frames_out=self._frames_out,
            bytes_out=self._bytes_out,
            code=peer.close_code,
            closed_by=peer.closed_by,
        )


class _EchoService(MultiService):
    """Listens, and ends in order."""

    #: How long the connections may take to end, in seconds.
    patience = 5

    def __init__(self, factory: WebSocketFactory, endpoints: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._factory = factory
        for endpoint in endpoints:
            strports.service(endpoint, factory).setServiceParent(self)

    def startService(self) -> None:
        """Begin, and take the signals that end a server."""
        super().startService()  # type: ignore[no-untyped-call]
        from twisted.internet import reactor

        # The reactor's own handlers end the process by the signal; a server
        # that has closed its connections in order exits with status 0.
        IReactorCore(reactor).callWhenRunning(_stop_on_signals, reactor)

    @inlineCallbacks
    def stopService(self) -> Generator[Deferred[Any], Any, None]:
        """Stop listening, close every connection, wait a bounded time."""
        yield maybeDeferred(super().stopService)
        yield self._factory.drain(self.patience)


def _stop_on_signals(reactor: Any) -> None:
    def stop(number: int, _: object) -> None:
        # A second one is for the impatient.
        signal.signal(number, signal.SIG_DFL)
        reactor.callFromThread(reactor.stop)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def makeService(options: Options) -> IService:
    """The service of ``twistd wsecho``."""
    factory = WebSocketFactory(
        lambda peer: _Echo(peer).serve(),
        ping_frequency=options["ping-frequency"],
        max_frame_size=options["max-frame-size"],
        max_message_size=None,
        max_fragments=None,
        origins=options["origin"] or None,
        subprotocols=options["subprotocol"],
    )
    return _EchoService(factory, options["endpoint"])
