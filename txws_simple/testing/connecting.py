"""Connecting a client to an application: the opening handshake."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.internet.task import Clock

from ..peer import WebSocketPeer
from ..protocol import WebSocketFactory
from .client import Client
from .leftovers import Handler

__all__ = ["connect"]

#: What a real client picks at random.
_KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def connect(
    served: Callable[[WebSocketPeer], object] | IProtocolFactory,
    path: str = "/",
    *,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    origin: str | None = None,
    subprotocols: Sequence[str] = (),
    clock: Clock | None = None,
    address: IAddress | None = None,
) -> Client:
    """Connect a client to an application, and do the opening handshake.

    The factory is started, as by a port that listens, and stopped with its last client.
    All clients with the same clock take part in what happens: to test what several
    do together, connect each of them to the same factory.

    Args:
        served: A handler, served by a `WebSocketFactory` with all options at their
            defaults; or a factory.
        path: What is asked for, with a query if there is one.
        headers: Header fields to add to the request: pairs of a name and a value, or a
            mapping.
        origin: The ``Origin``, as a browser sends it.
        subprotocols: Those that the client offers.
        clock: What schedules all that waits; by default that of the factory, and for
            a handler a new one.
        address: The client's address.

    Returns:
        The client, also where the handshake was refused: see its ``status``.

    Raises:
        TypeError: For what is neither; for subprotocols that are one string.
        ValueError: For a factory that waits for another clock; for a path or a header
            field that has characters which have to be quoted.
    """
    if isinstance(subprotocols, str):
        raise TypeError("subprotocols is a str, not a sequence of them")
    handler = None
    headers = list(headers.items() if isinstance(headers, Mapping) else headers)
    if not IProtocolFactory.providedBy(served):
        if not callable(served):
            raise TypeError(f"{served!r} is neither a handler nor a factory")
        handler = Handler(served)
        clock = Clock() if clock is None else clock
        served = WebSocketFactory(handler, clock=clock)
    factory = cast(IProtocolFactory, served)
    fields = headers
    if not any(name.lower() == "host" for name, _ in headers):
        fields = [("Host", "localhost"), *headers]
    if origin is not None:
        fields.append(("Origin", origin))
    if subprotocols:
        fields.append(("Sec-WebSocket-Protocol", ", ".join(subprotocols)))
    data = _request(path, fields)
    return Client(factory, _clock_of(factory, clock), address, handler, data)


def _clock_of(factory: IProtocolFactory, clock: Clock | None) -> Clock:
    """The clock of a factory, which a test can turn."""
    own = getattr(factory, "clock", clock)
    if not isinstance(own, Clock):
        raise ValueError(
            "make the factory with a clock of the test: clock=task.Clock()"
        )
    if clock is not None and clock is not own:
        raise ValueError("the factory was made with another clock")
    return own


def _request(path: str, fields: Iterable[tuple[str, str]]) -> bytes:
    """The bytes of an opening handshake (RFC 6455, section 4.1)."""
    lines = [
        f"GET {path} HTTP/1.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {_KEY}",
        "Sec-WebSocket-Version: 13",
        *(f"{name}: {value}" for name, value in fields),
    ]
    head = "\r\n".join(lines) + "\r\n\r\n"
    try:
        return head.encode("latin-1")
    except UnicodeEncodeError as error:
        wrong = head[error.start : error.end]
        raise ValueError(f"{wrong!r} can't be sent: it has to be quoted") from None
