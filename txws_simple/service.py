"""``twistd wsecho``: an echo server, and an example of a well-behaved service."""

from __future__ import annotations

import signal
from typing import Any

from twisted.application.service import IService
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IReactorCore
from twisted.python import usage

from .options import Options as Limits
from .protocol import WebSocketFactory
from .serving import WebSocketService

__all__ = ["Options", "makeService"]

#: How long the connections may take to end, in seconds.
_PATIENCE = 5


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


class _EchoService(WebSocketService):
    """Listens, and ends in order, also on the signals that end a server."""

    def startService(self) -> None:
        """Begin, and take the signals."""
        super().startService()
        from twisted.internet import reactor

        # The reactor's own handlers end the process by the signal; a server
        # that has closed its connections in order exits with status 0.
        IReactorCore(reactor).callWhenRunning(_stop_on_signals, reactor)


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
        lambda peer: peer.each(peer.write),
        ping_frequency=options["ping-frequency"],
        max_frame_size=options["max-frame-size"],
        max_message_size=None,
        max_fragments=None,
        origins=options["origin"] or None,
        subprotocols=options["subprotocol"],
    )
    return _EchoService(factory, *options["endpoint"], timeout=_PATIENCE)
