"""What an operator sets against abuse: how many may connect, how fast, how long.

All of it is opt-in, and nothing below knows of it.  The limits that guard memory
and time in any case are those of :mod:`.options`.

Of Twisted's own ``policies`` none fits.  The factories that limit connections close
those in excess without an answer, and all of them put a wrapper between protocol and
transport, which costs the short way to the socket.  ``ThrottlingFactory`` slows all
connections down together.  ``TimeoutMixin`` is one timeout for a protocol, not four,
and trusts a clock that may jump.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Hashable
from functools import partial
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from .handshake import Response
from .limits import Guard, Limits
from .options import Options
from .peer import WebSocketPeer
from .protocol import WebSocketFactory, WebSocketProtocol
from .request import Request

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .options import Keywords

__all__ = ["LimitedFactory", "Limits"]


class LimitedFactory(WebSocketFactory):
    """A `WebSocketFactory` that keeps its connections within limits.

    Args:
        handler: As of `WebSocketFactory`.
        limits: The limits.
        random: Gives a number from 0 to 1 for the jitter.
        ping_frequency: As of `WebSocketFactory`.
        **options: The fields of `Options`.

    Raises:
        TypeError: For an unknown option.
        ValueError: For an option that makes no sense.
    """

    def __init__(
        self,
        handler: Callable[[WebSocketPeer], object],
        limits: Limits,
        *,
        random: Callable[[], float] = random.random,
        ping_frequency: float | None = 20,
        **options: Unpack[Keywords],
    ) -> None:
        super().__init__(handler, ping_frequency=ping_frequency, **options)
        self.protocol = partial(_LimitedProtocol, limits, _Places(limits), random)


class _LimitedProtocol(WebSocketProtocol):
    """A connection that needs a place, and whose peer is guarded.

    The place is taken when the connection is made, first come, first served.  Who
    gets none is told so once the request has been read: an answer that comes before
    it is dropped by browsers and proxies.  By then a place may have become free; and
    only then is the address known behind a proxy that tells it.
    """

    def __init__(
        self,
        limits: Limits,
        places: _Places,
        random: Callable[[], float],
        options: Options,
        opened: Callable[[WebSocketPeer], object],
        **more: Any,
    ) -> None:
        super().__init__(options, self._begin, **more)
        self.on_request = self._ask
        self._limits = limits
        self._places = places
        self._random = random
        self._handle = opened
        self._guard: Guard | None = None

    def connectionMade(self) -> None:
        """Take a place."""
        super().connectionMade()
        self._take_place()
        if self._refusal is not None and self._places.is_overrun:
            self.peer.close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Give it back."""
        self._places.leave(self._network, self._refusal)
        if self._guard is not None:
            self._guard.stop()
        super().connectionLost(reason)

    def _take_place(self) -> None:
        transport: Any = self.transport
        self._network = _network(transport.getPeer(), self._limits.ipv6_prefix)
        self._refusal = self._places.take(self._network)

    def _ask(self, request: Request) -> Any:
        """What ``on_request`` says, if there is a place."""
        self._places.leave(self._network, self._refusal)
        self._take_place()
        if self._refusal is not None:
            retry_after = str(self._limits.retry_after)
            return Response(self._refusal, [("Retry-After", retry_after)])
        ask = self._options.on_request
        return None if ask is None else ask(request)

    def _begin(self, peer: WebSocketPeer) -> None:
        if self._limits.is_watched:
            self._guard = Guard(peer, self._limits, self._options, self._random())
        self._handle(peer)


class _Places:
    """How many connections have a place, in all and from each network.

    Those that wait for their refusal have none, but are counted as well: they
    occupy a file descriptor each.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._taken = 0
        self._taken_from: Counter[Hashable] = Counter()
        self._waiting = 0

    def take(self, network: Hashable) -> int | None:
        """Take a place; or the status that says why there is none."""
        refusal = self._refusal(network)
        if refusal is not None:
            self._waiting += 1
            return refusal
        self._taken += 1
        self._taken_from[network] += 1
        return None

    def leave(self, network: Hashable, refusal: int | None) -> None:
        """The connection that this was given to is gone."""
        if refusal is not None:
            self._waiting -= 1
            return
        self._taken -= 1
        self._taken_from[network] -= 1
        if not self._taken_from[network]:
            del self._taken_from[network]

    @property
    def is_overrun(self) -> bool:
        """Whether more wait for their refusal than could have a place."""
        most = self._limits.max_connections
        return most is not None and self._waiting > most

    def _refusal(self, network: Hashable) -> int | None:
        each, most = self._limits.max_per_address, self._limits.max_connections
        if each is not None and network and self._taken_from[network] >= each:
            return 429  # RFC 6585, section 4
        if most is not None and self._taken >= most:
            return 503
        return None


def _network(address: object, prefix: int) -> Hashable:
    """What counts as one address; ``None`` for one that is none, as a UNIX socket's."""
    host = getattr(address, "host", None)
    if host is None:
        return None
    try:
        ip = ip_address(host)
    except ValueError:
        return str(host)
    if not isinstance(ip, IPv6Address):
        return ip
    # IPv4 on a socket for both: all of it is in one network of IPv6.
    return ip.ipv4_mapped or IPv6Network((int(ip), prefix), strict=False)
