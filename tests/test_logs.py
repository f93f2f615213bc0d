"""What is logged: nothing of it is written by who connects."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher, textFileLogObserver
from zope.interface import implementer

from txws_simple import Opcode, Response, WebSocketFactory, WebSocketPeer
from txws_simple.errors import ConnectionClosed
from txws_simple.policies import LimitedFactory, Limits
from txws_simple.service import Options, makeService

from .helpers import client_frame, request
from .ledger import Ledger
from .wires import MemoryWire

EVIL = "x\nINJECTED\r\x1b[2J\u2028\u202e"
#: As far as a request may have it in a header.
ODD = "x\x85INJECTED\x9b2J"


@contextmanager
def log() -> Iterator[io.StringIO]:
    """What a file would have of the log meanwhile."""
    file = io.StringIO()
    observer = textFileLogObserver(file)
    globalLogPublisher.addObserver(observer)
    try:
        yield file
    finally:
        globalLogPublisher.removeObserver(observer)


async def fail_with_it(peer: WebSocketPeer) -> None:
    """Another connection's end, which is a failure of this one's handler."""
    try:
        await peer.read()
    except ConnectionClosed as closed:
        raise LookupError("gone") from closed


def refuse_with_it(_: Any) -> Response:
    return Response(403, body=EVIL)


def fail_to_answer(_: Any) -> Response:
    raise ConnectionClosed(4000, EVIL)


def factory(handler: Callable[[WebSocketPeer], object], **options: Any) -> Any:
    return WebSocketFactory(handler, clock=Clock(), **options)


@implementer(IAddress)
class Address:
    """One of a transport of another make."""

    def __str__(self) -> str:
        return EVIL

    def __repr__(self) -> str:
        return "Address()"


def wsecho() -> Any:
    options = Options()
    options.parseOptions([])
    return makeService(options).factory


def bad_request(field: bytes) -> bytes:
    return request(extra=(field.decode("latin-1"),))


CLOSE = client_frame(Opcode.CLOSE, (4000).to_bytes(2, "big") + EVIL.encode())

ROWS: dict[str, tuple[Callable[[], Any], bytes]] = {
    "method": (lambda: factory(fail_with_it), b"GET\x1b / HTTP/1.1\r\n"),
    "target": (lambda: factory(fail_with_it), b"GET /\x1b[2J HTTP/1.1\r\n"),
    "header": (lambda: factory(fail_with_it), bad_request(b"A: \x1b[2J")),
    "name": (lambda: factory(fail_with_it), bad_request(b"A\x1b: b")),
    "origin": (lambda: factory(fail_with_it, origins=[]), request(Origin=ODD)),
    "subprotocol": (
        lambda: factory(fail_with_it),
        request(Sec_WebSocket_Protocol=ODD),
    ),
    **{
        f"{name} of the request": (
            lambda: factory(fail_with_it),
            request(**{name: ODD}),
        )
        for name in (
            *("Host", "Upgrade", "Connection", "Sec_WebSocket_Key"),
            *("Sec_WebSocket_Version", "Sec_WebSocket_Extensions"),
        )
    },
    "refused by the application": (
        lambda: factory(fail_with_it, on_request=refuse_with_it),
        request(Origin=ODD),
    ),
    "on_request fails": (
        lambda: factory(fail_with_it, on_request=fail_to_answer),
        request(Origin=ODD),
    ),
    "reason of a Close": (lambda: factory(fail_with_it), request() + CLOSE),
    "path": (wsecho, request("GET /%0AINJECTED%1b HTTP/1.1") + CLOSE),
}


@pytest.mark.parametrize("row", ROWS)
def test_nothing_is_injected(row: str, ledger: Ledger) -> None:
    """Whatever field it comes in, no line and no control character of it is there."""
    make, data = ROWS[row]
    with log() as file:
        wire = MemoryWire(make(), Clock())
        wire.send(data)
        wire.fin()
        wire.protocol.peer.close()
    # Some rows want a failure to be logged.
    ledger.forgive(list(ledger.failures))
    text = file.getvalue()
    assert text, "nothing was logged"
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e]", text), text
    assert not re.search(r"^\s*INJECTED", text, re.MULTILINE), text


def test_an_address_is_quoted(ledger: Ledger) -> None:
    """Wherever one is logged, and whatever it is."""
    kind = type("MemoryWireFrom", (MemoryWire,), {"address": Address()})
    limits, clock = Limits(max_age=5, age_jitter=0), Clock()
    limited = LimitedFactory(lambda peer: Deferred(), limits, clock=clock)
    with log() as file:
        for made, data in (
            (factory(fail_with_it), b"\x16"),
            (factory(fail_with_it), request() + CLOSE),
            (limited, request()),
            (wsecho(), request() + CLOSE),
        ):
            wire = kind(made, clock)
            wire.send(data)
            wire.advance(5)
            wire.reset()
    ledger.forgive(list(ledger.failures))
    for begins in ("refused", "opened", "closed", "handler of", "closing"):
        assert re.search(rf"\] {begins} Address\(\)", file.getvalue()), begins
    assert "INJECTED" not in re.sub("'.*'", "", file.getvalue())


def test_a_raw_reason_would_be_seen() -> None:
    """The check above can fail."""
    with log() as file:
        from twisted.logger import Logger

        Logger().info("closed: {reason}", reason=EVIL)
    assert re.search(r"^\s*INJECTED", file.getvalue(), re.MULTILINE)
