"""Behind ``haproxy:`` in front of an endpoint: the PROXY protocol, versions 1 and 2."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactor

from txws_simple import Frame, Opcode, WebSocketFactory, WebSocketPeer

from . import test_peer
from .helpers import client_frame, request
from .ledger import WatchedCase
from .test_peer import PeerCase, close_frame
from .wires import MemoryWire, SocketWire, never

V1 = b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n"
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def version_2(source: str, destination: str, *, command: int = 1) -> bytes:
    """A binary header from port 56324 to port 443, and a part that means nothing.

    Args:
        source: The client's address.
        destination: The address that it connected to.
        command: 1 for PROXY, 0 for LOCAL.
    """
    addresses = [ip_address(text).packed for text in (source, destination)]
    family = 0x11 if len(addresses[0]) == 4 else 0x21
    body = b"".join(addresses) + struct.pack("!HH", 56324, 443)
    body += struct.pack("!BH", 0x04, 3) + b"\0\0\0"  # a TLV: NOOP
    return _SIGNATURE + struct.pack("!BBH", 0x20 | command, family, len(body)) + body


V2 = version_2("203.0.113.7", "192.0.2.1")
IPV4 = IPv4Address("TCP", "203.0.113.7", 56324), IPv4Address("TCP", "192.0.2.1", 443)
IPV6 = IPv6Address("TCP", "2001:db8::7", 56324), IPv6Address("TCP", "2001:db8::1", 443)

#: Headers, and whom they name: the client, and whom it connected to.
NAMED = {
    "v1": (V1, IPV4),
    "v1-ipv6": (b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n", IPV6),
    "v2": (V2, IPV4),
    "v2-ipv6": (version_2("2001:db8::7", "2001:db8::1"), IPV6),
}


def proxied(factory: Factory) -> Any:
    """What ``haproxy:`` makes of a factory."""
    reactor: Any = MemoryReactor()
    serverFromString(reactor, "haproxy:tcp:80").listen(factory)
    return reactor.tcpServers[0][1]


def outcome(segments: Iterable[bytes]) -> tuple[IAddress, IAddress, list[Frame]]:
    """Whom the peer's transport names, and what an echo server sends."""
    clock = Clock()
    peers: list[WebSocketPeer] = []

    def echo(peer: WebSocketPeer) -> Deferred[None]:
        peers.append(peer)
        return peer.each(peer.write)

    factory = WebSocketFactory(echo, clock=clock, ping_frequency=None)
    wire = MemoryWire(proxied(factory), clock)
    for segment in segments:
        wire.send(segment)
    frames = wire.frames
    wire.fin()
    [peer] = peers
    return (
        canonical(peer.transport.getPeer()),
        canonical(peer.transport.getHost()),
        frames,
    )


def canonical(address: Any) -> Any:
    """The same, in the one way that an IPv6 address is written (RFC 5952)."""
    return type(address)(address.type, str(ip_address(address.host)), address.port)


ASKED = request() + client_frame(Opcode.TEXT, b"hello") + close_frame(1000)
ANSWERED = [Frame(Opcode.TEXT, b"hello"), Frame(Opcode.CLOSE, b"\x03\xe8")]


@pytest.mark.parametrize("name", NAMED)
class TestHeader:
    def test_in_one_segment_with_all_the_rest(self, name: str) -> None:
        header, (client, server) = NAMED[name]
        assert outcome([header + ASKED]) == (client, server, ANSWERED)

    def test_cut_anywhere(self, name: str) -> None:
        """From where Twisted knows what it is: its first 8 or 16 bytes come whole."""
        header, (client, server) = NAMED[name]
        data, known = header + ASKED, 16 if header.startswith(_SIGNATURE) else 8
        for cut in range(known, len(data)):
            found = outcome([data[:cut], data[cut:]])
            assert found == (client, server, ANSWERED), cut

    def test_byte_by_byte(self, name: str) -> None:
        header, (client, server) = NAMED[name]
        data, known = header + ASKED, 16 if header.startswith(_SIGNATURE) else 8
        rest = (data[at : at + 1] for at in range(known, len(data)))
        assert outcome([data[:known], *rest]) == (client, server, ANSWERED)


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY UNKNOWN 203.0.113.7 192.0.2.1 56324 443\r\n",
        version_2("203.0.113.7", "192.0.2.1", command=0),
    ],
    ids=["v1", "v2"],
)
def test_nobody_is_named(header: bytes) -> None:
    """A proxy that speaks for itself is the client."""
    client, _, frames = outcome([header + ASKED])
    assert client == IPv4Address("TCP", "192.0.2.1", 54321)  # MemoryTransport's
    assert frames == ANSWERED


def test_without_a_header() -> None:
    """Who comes past the proxy gets nothing at all."""
    clock, peers = Clock(), list[WebSocketPeer]()
    factory = WebSocketFactory(peers.append, clock=clock)
    wire = MemoryWire(proxied(factory), clock)
    wire.send(ASKED)
    assert (wire.is_ended, wire.got, peers) == (True, b"", [])
    wire.fin()


class ProxiedWire(SocketWire):
    """A TCP connection whose first bytes say who is behind it."""

    def _connect(self, factory: Factory) -> None:
        super()._connect(proxied(factory))
        self.protocol = self.protocol.wrappedProtocol
        self.send(V2)


class LastWords(WatchedCase):
    """No reset overtakes them, whatever else the client sends."""

    def connect(self) -> ProxiedWire:
        clock = Clock()
        wire = ProxiedWire(WebSocketFactory(never, clock=clock), clock)
        self.addCleanup(lambda: self.assertEqual(clock.getDelayedCalls(), []))
        self.addCleanup(wire.end)
        return wire

    def test_refusal(self) -> None:
        wire = self.connect()
        wire.send(b"POST / HTTP/1.1\r\n" + b"x" * 300_000)
        self.assertTrue(wire.got.startswith(b"HTTP/1.1 405 "), wire.got)
        self.assertTrue(wire.is_ended)
        wire.fin()

    def test_violation(self) -> None:
        wire = self.connect()
        wire.send(request() + b"\xff" * 300_000)
        [close] = wire.frames
        self.assertEqual((close.opcode, close.data[:2]), (Opcode.CLOSE, b"\x03\xea"))
        self.assertTrue(wire.is_ended)
        wire.fin()


def behind_proxy(case: type[PeerCase]) -> type[PeerCase]:
    """The same cases behind a proxy."""
    return type(f"{case.__name__}BehindProxy", (case,), {"wire_class": ProxiedWire})


ReadingBehindProxy = behind_proxy(test_peer.Reading)
EachBehindProxy = behind_proxy(test_peer.Each)
WritingBehindProxy = behind_proxy(test_peer.Writing)
PingingBehindProxy = behind_proxy(test_peer.Pinging)
EndingBehindProxy = behind_proxy(test_peer.Ending)
PausingBehindProxy = behind_proxy(test_peer.Pausing)
