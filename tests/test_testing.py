"""The testing kit: what a test sees through it, and what it complains of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock, LoopingCall, deferLater
from twisted.logger import Logger

from txws_simple import (
    ConnectionClosed,
    Frame,
    Opcode,
    PongTimeout,
    Request,
    Response,
    WebSocketFactory,
    WebSocketPeer,
)
from txws_simple.testing import Client, connect

from .ledger import Ledger, WatchedCase
from .wires import never

TEXT, CONTINUATION = Opcode.TEXT, Opcode.CONTINUATION


async def echo(peer: WebSocketPeer) -> None:
    async for frame in peer:
        await peer.write(frame)


def serve(handler: Callable[[WebSocketPeer], object], **options: Any) -> Client:
    """A client of a factory with these options."""
    return connect(WebSocketFactory(handler, clock=Clock(), **options))


# What a handler can be


def deferring(peer: WebSocketPeer) -> Deferred[None]:
    return peer.each(peer.write)


def plain(peer: WebSocketPeer) -> None:
    peer.read().addCallback(peer.write).addBoth(lambda _: peer.shutdown())
    peer.leave = lambda code=1000: Deferred()  # type: ignore[method-assign]


@pytest.mark.parametrize("handler", [echo, deferring])
def test_a_handler_echoes(handler: Callable[[WebSocketPeer], object]) -> None:
    with connect(handler) as client:
        client.send("hello")
        assert client.receive() == "hello"
        client.send(b"\0\xff")
        client.send("")
        assert client.received() == [b"\0\xff", ""]
        assert client.received() == []
    assert client.close_code == 1000


def test_a_plain_function() -> None:
    """It is done at once, so the connection is closed."""
    with connect(lambda peer: peer.send("bye")) as client:
        assert client.receive() == "bye"
        assert (client.is_open, client.close_code) == (False, 1000)


# The handshake


def test_what_the_application_is_asked() -> None:
    asked: list[Request] = []
    factory = WebSocketFactory(
        never, clock=Clock(), subprotocols=["b", "a"], on_request=asked.append
    )
    with connect(
        factory,
        "/chat?room=1",
        headers=[("X-Token", "t")],
        origin="http://example.com",
        subprotocols=["a", "b"],
    ) as client:
        [request] = asked
        assert (request.path, request.query) == ("/chat", "room=1")
        assert request.headers["X-Token"] == "t"
        assert request.origin == "http://example.com"
        assert request.subprotocols == ("a", "b")
        assert (client.status, client.subprotocol) == (101, "b")


def test_refused() -> None:
    client = serve(
        never, on_request=lambda _: Response(401, [("X-Why", "token")], "who?")
    )
    with client:
        assert (client.status, client.body) == (401, "who?\n")
        assert client.headers["X-Why"] == "token"
        assert not client.is_open
        with pytest.raises(AssertionError, match="refused: 401 'who"):
            client.send("x")
    assert client.close_code == 1006


def test_an_answer_that_comes_later() -> None:
    decision: Deferred[None] = Deferred()
    with serve(never, on_request=lambda _: decision) as client:
        assert client.status is None
        with pytest.raises(AssertionError, match="not answered"):
            client.receive()
        decision.callback(None)
        assert client.is_open


def test_an_answer_that_never_comes() -> None:
    with serve(never, on_request=never, open_timeout=3) as client:
        client.advance(3)
        assert client.status == 503


def test_the_address() -> None:
    address = IPv4Address("TCP", "192.0.2.77", 7)
    peers: list[WebSocketPeer] = []
    with connect(peers.append, address=address):
        [peer] = peers
        assert peer.transport.getPeer() == address


# Frames and bytes


def test_fragments() -> None:
    with connect(echo) as client:
        client.send("hello", fragment_size=2)
        assert client.frames == [
            Frame(TEXT, b"he", False),
            Frame(CONTINUATION, b"ll", False),
            Frame(CONTINUATION, b"o"),
        ]
        assert client.receive() == "hello"
        client.frame(TEXT, "\N{EURO SIGN}".encode()[:1], False)
        client.frame(CONTINUATION, "\N{EURO SIGN}".encode()[1:])
        assert client.receive() == "\N{EURO SIGN}"


def test_a_frame_that_is_not_allowed() -> None:
    with connect(echo) as client:
        client.frame(CONTINUATION)
        assert client.close_code == 1002


def test_bytes_that_are_no_frame() -> None:
    with connect(echo) as client:
        client.raw(b"\xff" * 14)
        assert client.close_code == 1002


def test_pings_go_both_ways() -> None:
    told: list[float] = []

    def ping(peer: WebSocketPeer) -> Deferred[None]:
        peer.ping(b"?").addCallback(told.append)
        return Deferred()

    with connect(ping_and_wait := ping) as client:
        assert (client.pings, told) == ([b"?"], [0])
        client.ping(b"!")
        assert client.pongs == [b"!"]
    assert ping_and_wait is ping
