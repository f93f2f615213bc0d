"""Behind a proxy that tells the addresses of its clients, on a real endpoint."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.threads import deferToThread

from txws_simple.policies import LimitedFactory, Limits

from .helpers import request

reactor: Any = _reactor


class Proxied:
    """A server behind a proxy that tells the addresses of its clients."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []

    async def listen(self, limits: Limits) -> None:
        self._factory = LimitedFactory(lambda peer: Deferred(), limits)
        endpoint = serverFromString(reactor, "haproxy:tcp:0:interface=127.0.0.1")
        self._port = await endpoint.listen(self._factory)

    async def connect(self) -> socket.socket:
        address = ("127.0.0.1", self._port.getHost().port)
        client = await deferToThread(socket.create_connection, address, 30)
        self._sockets.append(client)
        return client

    async def status(self, client: socket.socket, host: str) -> int:
        """What the request of a client at such an address gets."""
        header = b"PROXY TCP4 %s 127.0.0.1 1000 80\r\n" % host.encode()
        client.sendall(header + request())
        answer = await deferToThread(client.recv, 4096)
        return int(answer.split(b" ", 2)[1])

    async def stop(self) -> None:
        await self._port.stopListening()
        for client in self._sockets:
            client.close()
        await self._factory.drain()


@pytest.fixture
def proxied() -> Iterator[Proxied]:
    proxied = Proxied()
    yield proxied
    pytest_twisted.blockon(ensureDeferred(proxied.stop()))


@pytest_twisted.ensureDeferred
async def test_behind_a_proxy(proxied: Proxied) -> None:
    """The address that counts is the client's, though it comes after the connection."""
    await proxied.listen(Limits(max_connections=9, max_per_address=1))
    clients = [await proxied.connect() for _ in range(4)]
    hosts = ("203.0.113.1", "203.0.113.2", "203.0.113.1", "203.0.113.3")
    statuses = [
        await proxied.status(client, host)
        for client, host in zip(clients, hosts, strict=True)
    ]
    assert statuses == [101, 101, 429, 101]


@pytest_twisted.ensureDeferred
async def test_two_addresses(proxied: Proxied) -> None:
    """The proxy's own place is free again for the next."""
    await proxied.listen(Limits(max_connections=2, max_per_address=1))
    for number, status in ((1, 101), (2, 101), (3, 503)):
        client = await proxied.connect()
        assert await proxied.status(client, f"203.0.113.{number}") == status
