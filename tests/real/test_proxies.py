"""Behind real proxies, with the configurations of ``examples/deploy``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.address import IPv4Address
from twisted.internet.defer import ensureDeferred
from twisted.internet.threads import deferToThread
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from txws_simple import ConnectionClosed, WebSocketPeer

from ..test_tcp import Server, echo, eventually
from ..wires import never
from .programs import PATIENCE, Programs
from .proxies import PROXIES, Proxy

BIG = os.urandom(8 * 1024 * 1024)
LARGE = {"max_frame_size": len(BIG), "max_message_size": len(BIG)}


class Site:
    """Proxies, the servers behind them and the clients before them."""

    def __init__(self, kind: type[Proxy]) -> None:
        self.kind = kind
        self.server = Server()
        self._programs: list[Programs] = []
        self._clients = ExitStack()

    async def serve(self, handler: Any = echo, **options: Any) -> int:
        """The port of a server."""
        endpoint = f"{self.kind.server}:0:interface=127.0.0.1"
        port = await self.server.listen(endpoint, handler, **options)
        return int(port.getHost().port)

    async def front(self, server: int, **times: str) -> Proxy:
        """A proxy in front of that."""
        programs = Programs()
        self._programs.append(programs)
        proxy = self.kind(programs, server, **times)
        await eventually(lambda: proxy.is_ready)
        return proxy

    async def connect(self, proxy: Proxy, **options: Any) -> ClientConnection:
        """A client, which pings nobody."""
        options.update(ping_interval=None, max_size=len(BIG))

        def enter() -> ClientConnection:
            return self._clients.enter_context(connect(proxy.url, **options))

        return await deferToThread(enter)

    async def meet(
        self, proxy: Proxy, **options: Any
    ) -> tuple[ClientConnection, WebSocketPeer]:
        """The same, and its peer."""
        count = len(self.server.peers)
        client = await self.connect(proxy, **options)
        await eventually(lambda: len(self.server.peers) > count)
        return client, self.server.peers[count]

    async def end(self) -> None:
        try:
            await self.server.stop()
            await deferToThread(self._clients.close)
        finally:
            for programs in self._programs:
                await deferToThread(programs.end)


@pytest.fixture(params=PROXIES, ids=lambda kind: kind.__name__)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    site = Site(request.param)
    yield site
    pytest_twisted.blockon(ensureDeferred(site.end()))


async def returns(client: ClientConnection, message: str | bytes) -> bool:
    """Whether a message comes back as it was sent."""
    await deferToThread(client.send, message)
    return bool(await deferToThread(client.recv, PATIENCE) == message)


async def is_cut(client: ClientConnection) -> bool:
    """Whether the connection ends without a Close."""
    with pytest.raises(ConnectionClosedError) as closed:
        await deferToThread(client.recv, PATIENCE)
    return closed.value.rcvd is None


@pytest_twisted.ensureDeferred
async def test_messages(site: Site) -> None:
    """Small and large ones, both ways, and a code of the client's at the end."""
    proxy = await site.front(await site.serve(**LARGE))
    client, peer = await site.meet(proxy)
    for message in ("grün", b"\x00\xff", "", "x" * 300_000, BIG):
        assert await returns(client, message)
    await deferToThread(client.close, 4321, "enough")
    assert client.close_code == 4321
    await eventually(lambda: peer.transport.disconnected)
    assert (peer.close_code, peer.close_reason) == (4321, "enough")
    assert (peer.closed_by, peer.error()) == ("remote", None)


@pytest_twisted.ensureDeferred
async def test_server_ends(site: Site) -> None:
    client, peer = await site.meet(await site.front(await site.serve(never)))
    waiting = deferToThread(client.recv, PATIENCE)
    assert await peer.shutdown(4000, "closing time") is True
    with pytest.raises(ConnectionClosedError) as closed:
        await waiting
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4000, "closing time")


@pytest_twisted.ensureDeferred
async def test_address(site: Site) -> None:
    """The client's own, whatever it says it is."""
    proxy = await site.front(await site.serve())
    lie = {"X-Forwarded-For": "203.0.113.1"}
    client, peer = await site.meet(
        proxy, source_address=("127.0.0.9", 0), additional_headers=lie
    )
    assert peer.request is not None
    told = peer.request.headers.get("X-Forwarded-For")
    if proxy.tells_address == "X-Forwarded-For":
        assert told == "127.0.0.9"
        return
    port = client.local_address[1]
    assert peer.transport.getPeer() == IPv4Address("TCP", "127.0.0.9", port)
    assert told is None


@pytest_twisted.ensureDeferred
async def test_refusal(site: Site) -> None:
    proxy = await site.front(await site.serve(origins=["https://a.example"]))
    with pytest.raises(InvalidStatus) as refused:
        await site.connect(proxy, origin="https://b.example")
    assert refused.value.response.status_code == 403
    client = await site.connect(proxy, origin="https://a.example")
    assert await returns(client, "hello")


@pytest_twisted.ensureDeferred
async def test_no_server(site: Site) -> None:
    """The proxy says so, and finds the server when there is one again."""
    port = await site.serve()
    proxy = await site.front(port)
    await site.server.stop()
    with pytest.raises(InvalidStatus) as refused:
        await site.connect(proxy)
    assert refused.value.response.status_code == proxy.away
    endpoint = f"{site.kind.server}:{port}:interface=127.0.0.1"
    site.server = Server()
    await site.server.listen(endpoint, echo)
    assert await returns(await site.connect(proxy), "hello")


@pytest_twisted.ensureDeferred
async def test_pings_keep_it_open(site: Site) -> None:
    """Without them it is cut: the one that was there before it is not."""
    pinged = await site.front(await site.serve(ping_frequency=0.25), idle="2s")
    silent = await site.front(await site.serve(never, ping_frequency=None), idle="2s")
    kept, _ = await site.meet(pinged)
    cut, peer = await site.meet(silent)
    with pytest.raises(ConnectionClosed, match="1006"):
        await peer.read(PATIENCE)
    assert await is_cut(cut)
    assert await returns(kept, "still here")


@pytest_twisted.ensureDeferred
async def test_reload(site: Site) -> None:
    """Connections stay; who comes now is served by the new configuration."""
    proxy = await site.front(await site.serve())
    before = proxy.process
    old, peer = await site.meet(proxy)
    proxy.reload()
    await eventually(lambda: proxy.is_ready)
    new = await site.connect(proxy)
    for client in (new, old):
        assert await returns(client, "hello")
    await deferToThread(old.close)
    await eventually(lambda: peer.transport.disconnected)
    assert (old.close_code, peer.close_code, peer.error()) == (1000, 1000, None)
    assert await returns(new, "still here")
    if proxy.process is not before:
        # The old process was only there for the old connection.
        assert await deferToThread(before.wait, PATIENCE) == 0


@pytest_twisted.ensureDeferred
async def test_reload_does_not_wait_for_ever(site: Site) -> None:
    proxy = await site.front(await site.serve(never), linger="500ms")
    client, peer = await site.meet(proxy)
    proxy.reload()
    with pytest.raises(ConnectionClosed, match="1006"):
        await peer.read(PATIENCE)
    assert await is_cut(client)
    await eventually(lambda: proxy.is_ready)
