"""How much is read at a time, of real connections."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
import trustme
from twisted.internet.defer import ensureDeferred
from twisted.internet.threads import deferToThread
from websockets.asyncio.client import connect

from txws_simple import Opcode, WebSocketPeer
from txws_simple.reading import FIRST, LITTLE, MUCH, is_dense

from .helpers import client_frame, request
from .test_tcp import Server, eventually, listen_tls

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
    """Little of it at a time, for good; nothing is lost by that."""
    peer = await watched.receive(frame * 5000)
    full = watched.sizes.index(FIRST)
    assert max(watched.sizes[full + 1 :]) <= LITTLE
    watched.sizes.clear()
    await watched.receive_more(watched.client, LARGE)
    assert max(watched.sizes) <= LITTLE
    assert peer.transport.bufferSize == LITTLE


@pytest_twisted.ensureDeferred
async def test_tiny_fragments(watched: Watched) -> None:
    rest = client_frame(Opcode.CONTINUATION, b"", fin=False) * 5000
    peer = await watched.receive(FRAGMENT, rest)
    assert peer.transport.bufferSize == LITTLE


@pytest_twisted.ensureDeferred
async def test_tiny_after_large(watched: Watched) -> None:
    peer = await watched.receive(LARGE, SMALL * 20_000)
    assert peer.transport.bufferSize == LITTLE


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
    ("size", "frames", "dense"),
    [(96, 6, False), (96, 7, True), (64000, 1, False), (6000, 1000, True)],
)
def test_dense(size: int, frames: int, dense: bool) -> None:
    assert is_dense(size, frames) is dense
