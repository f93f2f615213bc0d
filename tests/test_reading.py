"""How much is read at a time, of real connections."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
import trustme
from twisted.internet.defer import ensureDeferred
from twisted.internet.threads import deferToThread
from websockets.asyncio.client import connect

from txws_simple import Opcode, WebSocketPeer
from txws_simple.reading import FIRST, LONG, MUCH, amount

from .helpers import client_frame, request
from .test_tcp import Server, eventually, listen_tls
from .wires import never

PING = client_frame(Opcode.PING, b"")
SMALL = client_frame(Opcode.TEXT, b"x")
FRAGMENT = client_frame(Opcode.TEXT, b"", fin=False)
LARGE = client_frame(Opcode.BINARY, bytes(1 << 20))


class Watched:
    """A server that takes all that comes, and the sizes of the segments."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.sizes: list[int] = []

    def serve(self, peer: WebSocketPeer) -> Any:
        peer.watch(lambda size, frames, is_receiving: self.sizes.append(size))
        return peer.each(lambda frame: None)

    async def receive(self, *pieces: bytes) -> WebSocketPeer:
        """Have this sent, in one go, by a client that has opened."""
        client, peer = await self.server.open_raw(self.serve, max_fragments=None)
        await self.receive_more(client, *pieces)
        self.client = client
        return peer

    async def receive_more(self, client: socket.socket, *pieces: bytes) -> None:
        data = b"".join(pieces)
        size = sum(self.sizes) + len(data)
        await deferToThread(client.sendall, data)
        await eventually(lambda: sum(self.sizes) == size)


@pytest.fixture
def watched() -> Iterator[Watched]:
    watched = Watched(Server())
    yield watched
    watched.client.close()
    pytest_twisted.blockon(ensureDeferred(watched.server.stop()))


@pytest_twisted.ensureDeferred
async def test_large(watched: Watched) -> None:
    """Little until something is known, then as much as may be."""
    peer = await watched.receive(LARGE)
    assert watched.sizes[0] <= FIRST
    assert max(watched.sizes[1:]) > FIRST
    assert peer.transport.bufferSize == MUCH


@pytest.mark.parametrize("frame", [PING, SMALL], ids=["pings", "messages"])
@pytest_twisted.ensureDeferred
async def test_tiny(watched: Watched, frame: bytes) -> None:
    """Some hundred of them at a time, and nothing is lost by that."""
    peer = await watched.receive(frame * 20_000)
    assert max(watched.sizes[2:]) < 260 * len(frame)
    assert peer.transport.bufferSize < 260 * len(frame)


@pytest_twisted.ensureDeferred
async def test_tiny_fragments(watched: Watched) -> None:
    rest = client_frame(Opcode.CONTINUATION, b"", fin=False) * 20_000
    peer = await watched.receive(FRAGMENT, rest)
    assert peer.transport.bufferSize < 260 * len(FRAGMENT)


@pytest_twisted.ensureDeferred
async def test_tiny_after_large(watched: Watched) -> None:
    peer = await watched.receive(LARGE, SMALL * 40_000)
    assert peer.transport.bufferSize < 260 * len(SMALL)


@pytest_twisted.ensureDeferred
async def test_large_after_tiny(watched: Watched) -> None:
    """It is forgotten, but not at once."""
    peer = await watched.receive(SMALL * (FIRST // len(SMALL) + 1))
    before = len(watched.sizes)
    await watched.receive_more(watched.client, LARGE)
    later = watched.sizes[before:]
    little = list(takewhile(lambda size: size < 260 * len(SMALL), later))
    assert LONG - FIRST < sum(little) < LONG + FIRST
    assert peer.transport.bufferSize == MUCH


@pytest_twisted.ensureDeferred
async def test_behind_a_request(watched: Watched) -> None:
    """What comes in the same segment as the request is no more than the first."""
    port = await watched.server.listen("tcp:0:interface=127.0.0.1", watched.serve)
    watched.client = socket.create_connection(("127.0.0.1", port.getHost().port))
    data = request() + PING * 5000
    await deferToThread(watched.client.sendall, data)
    size = len(data) - len(request())
    await eventually(lambda: sum(watched.sizes) == size)
    assert watched.sizes[0] <= FIRST


async def send_over_tls(url: str, authority: trustme.CA, message: bytes) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with connect(url, ssl=context) as client:
        await client.send(message)
    # Lost is not closed, to the asyncio of Python 3.10.
    client.transport.close()


@pytest_twisted.ensureDeferred
async def test_over_tls(tmp_path: Path) -> None:
    """The connection below is meant, whose bytes are not the frames'."""
    server, authority = Server(), trustme.CA()
    sizes: list[int] = []

    async def serve(peer: WebSocketPeer) -> None:
        sizes.append(peer.transport.transport.bufferSize)
        await peer.receive()
        sizes.append(peer.transport.transport.bufferSize)

    url = await listen_tls(server, authority, tmp_path, handler=serve)
    sending = send_over_tls(url, authority, bytes(1 << 20))
    await deferToThread(asyncio.run, sending)
    assert sizes == [FIRST, MUCH]
    await server.stop()


@pytest.mark.parametrize(
    "records",
    [[PING * 300] * 10, [LARGE[i : i + 1] for i in range(10_000)]],
    ids=["many frames a record", "many records a frame"],
)
@pytest_twisted.ensureDeferred
async def test_tiny_over_tls(tmp_path: Path, records: list[bytes]) -> None:
    """Frames or records: each is work, and others wait for it."""
    server, authority = Server(), trustme.CA()
    url = await listen_tls(server, authority, tmp_path, handler=never)
    context = ssl.create_default_context()
    authority.configure_trust(context)

    def send() -> None:
        port = int(url.rpartition(":")[2])
        with (
            socket.create_connection(("127.0.0.1", port)) as raw,
            context.wrap_socket(raw, server_hostname="localhost") as client,
        ):
            client.sendall(request())
            for record in records:
                client.sendall(record)
            received.wait(30)

    received = threading.Event()
    sent = deferToThread(send)
    size = sum(map(len, records))
    await eventually(lambda: server.peers and server.peers[0].traffic.bytes_in == size)
    [peer] = server.peers
    assert peer.transport.transport.bufferSize < 260 * len(PING)
    received.set()
    await sent
    await server.stop()


@pytest.mark.parametrize(
    ("size", "work", "reads"),
    [
        (4096, 1, MUCH),
        (70_000, 1000, 70 * 256),
        (6000, 1000, 6 * 256),
        (4096, 4096, 1024),
    ],
)
def test_amount(size: int, work: int, reads: int) -> None:
    assert amount(size, work) == reads
