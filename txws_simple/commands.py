"""What the commands of twistd have in common: options, and an end in order."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IReactorCore
from twisted.python import usage

from .peer import WebSocketPeer
from .policies import LimitedFactory, Limits
from .protocol import WebSocketFactory
from .request import Request
from .serving import WebSocketService

__all__ = ["Command", "CommandOptions", "check_endpoint", "complaining"]


@contextmanager
def complaining() -> Iterator[None]:
    """Make what the library refuses a matter of the command line."""
    try:
        yield
    except ValueError as error:
        raise usage.UsageError(str(error)) from error


def check_endpoint(parse: Callable[[Any, str], object], endpoint: str) -> None:
    """Refuse an endpoint that could only fail later.

    Raises:
        UsageError: For one that can't be parsed.
    """
    from twisted.internet import reactor

    try:
        parse(reactor, endpoint)
    except LookupError as error:  # whose text is but the key
        raise usage.UsageError(f"endpoint {endpoint!r}: {error!r}") from error
    except Exception as error:
        raise usage.UsageError(f"endpoint {endpoint!r}: {error}") from error


class CommandOptions(usage.Options):
    """Where to listen is under the key ``endpoint``, a list."""

    synopsis = "[options]"
    optParameters: ClassVar[list[list[Any]]] = [
        [
            "ping-frequency",
            "p",
            20.0,
            "Seconds from one ping to the next; a client from which nothing came "
            "for one more such period is given up.",
            float,
        ],
        [
            "max-frame-size",
            "m",
            1024 * 1024,
            "The largest payload of a frame, in bytes; over it the connection is "
            "closed with code 1009.",
            int,
        ],
        [
            "max-connections",
            None,
            None,
            "How many connections there may be; one more gets 503. [default: any]",
            int,
        ],
        [
            "max-per-address",
            None,
            None,
            "The same from one address, which gets 429. [default: any]",
            int,
        ],
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # untyped there
        self["endpoint"] = []
        self["origin"] = []
        self["subprotocol"] = []

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

    opt_o = opt_origin
    opt_s = opt_subprotocol

    def postOptions(self) -> None:
        """Refuse what could only fail later."""
        self["endpoint"] = self["endpoint"] or ["tcp:8080"]
        for endpoint in self["endpoint"]:
            check_endpoint(serverFromString, endpoint)
        with complaining():
            self.factory(lambda peer: None)

    def factory(
        self,
        handler: Callable[[WebSocketPeer], object],
        on_request: Callable[[Request], Any] | None = None,
    ) -> WebSocketFactory:
        """What serves this handler as the command line says, frame by frame."""
        return LimitedFactory(
            handler,
            Limits(
                max_connections=self["max-connections"],
                max_per_address=self["max-per-address"],
            ),
            ping_frequency=self["ping-frequency"],
            max_frame_size=self["max-frame-size"],
            max_message_size=None,
            max_fragments=None,
            origins=self["origin"] or None,
            subprotocols=self["subprotocol"],
            on_request=on_request,
        )


class Command(WebSocketService):
    """Serves a factory, and ends in order also on the signals that end a server."""

    #: How long the connections may take to end, in seconds.
    patience = 5

    def __init__(self, factory: WebSocketFactory, endpoints: Sequence[str]) -> None:
        super().__init__(factory, *endpoints, timeout=self.patience)

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
