"""Many connections at once, and one after the other, at a size that any machine bears.

What is measured at full size stands with the benchmarks.
"""

from __future__ import annotations

import gc
import os
import socket
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from twisted.internet.task import Clock

from txws_simple import Opcode, WebSocketFactory, WebSocketPeer

from .helpers import client_frame, request, server_frame
from .wires import SocketWire

TEXT = Opcode.TEXT
CLOSE = client_frame(Opcode.CLOSE, b"\x03\xe8")
LINGER = struct.pack("ii", 1, 0)


class Crowd:
    """An echo server on a real port, and its clients.

    Attributes:
        clock: Schedules what the server waits for.
        clients: Each client's socket, and what it has received.
    """

    reactor = SocketWire.reactor

    def __init__(self) -> None:
        self.clock = Clock()
        self.clients: dict[socket.socket, bytes] = {}
        self._peers: list[WebSocketPeer] = []
        factory = WebSocketFactory(self._echo, clock=self.clock)
        self._port = self.reactor.listenTCP(0, factory, 1000, "127.0.0.1")
        self._address = "127.0.0.1", self._port.getHost().port

    def _echo(self, peer: WebSocketPeer) -> Any:
        return peer.each(peer.write)

    def connect(self, count: int, data: bytes) -> list[socket.socket]:
        """So many more clients, which send this at once."""
        clients = []
        for _ in range(count):
            client = socket.create_connection(self._address)
            client.sendall(data)
            client.setblocking(False)
            self.clients[client] = b""
            clients.append(client)
        return clients

    def turn(self, until: Callable[[], object]) -> None:
        """Let the server work until something holds."""
        for _ in range(5000):
            if until():
                return
            self.clock.advance(0)
            self.reactor.iterate(0.001)
            for client in self.clients:
                self._read(client)
        raise AssertionError("it never came to hold")

    def _read(self, client: socket.socket) -> None:
        try:
            self.clients[client] += client.recv(1 << 16)
        except (BlockingIOError, ConnectionResetError):
            return

    def wait_for(self, clients: list[socket.socket], end: bytes) -> None:
        """Until each has received something that ends so."""
        self.turn(lambda: all(self.clients[client].endswith(end) for client in clients))

    def leave(self, client: socket.socket, resets: bool = False) -> None:
        if resets:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
        del self.clients[client]
        client.close()

    @property
    def count(self) -> int:
        """How many connections the server reads from."""
        return sum(hasattr(one, "protocol") for one in self.reactor.getReaders())

    def stop(self) -> None:
        for client in list(self.clients):
            self.leave(client, resets=True)
        self._port.stopListening()
        self.turn(lambda: self.count == 0 and not self._port.connected)


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    crowd = Crowd()
    yield crowd
    crowd.stop()


def test_idle(crowd: Crowd, record_property: Callable[[str, object], None]) -> None:
    """Each costs about as much as any other, and pings add nothing."""
    opened = server_frame(TEXT, b"x")
    sizes = []
    tracemalloc.start()
    try:
        for _ in range(4):
            clients = crowd.connect(100, request() + client_frame(TEXT, b"x"))
            crowd.wait_for(clients, opened)
            crowd.clients.update(dict.fromkeys(clients, b""))
            sizes.append(tracemalloc.get_traced_memory()[0])
        for _ in range(3):
            crowd.clock.advance(20)
            crowd.turn(lambda: all(crowd.clients.values()))
            for client, got in crowd.clients.items():
                assert got[:2] == b"\x89\x08", "a ping"
                client.sendall(client_frame(Opcode.PONG, got[2:]))
                crowd.clients[client] = b""
            arrived = crowd.connect(1, request() + client_frame(TEXT, b"x"))
            crowd.wait_for(arrived, opened)
            crowd.leave(arrived[0])
            crowd.turn(lambda: crowd.count == 400)
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    each = [(more - less) / 100 for less, more in pairwise(sizes)]
    record_property("bytes of Python per connection", round(each[-1]))
    assert max(each) < 1.5 * min(each), each
    assert after - sizes[-1] < 0.1 * 400 * each[-1]


def test_at_once(crowd: Crowd) -> None:
    """All have connected, and sent, before the server turns."""
    clients = crowd.connect(400, request() + client_frame(TEXT, b"x"))
    crowd.wait_for(clients, server_frame(TEXT, b"x"))
    for client in clients:
        assert crowd.clients[client].startswith(b"HTTP/1.1 101 ")


def cycle(crowd: Crowd) -> None:
    """One connection for each way there is to leave."""
    half, refused = crowd.connect(1, request()[:50]) + crowd.connect(1, b"\x16\x03\x01")
    whole = crowd.connect(4, request() + client_frame(TEXT, b"x"))
    crowd.wait_for(whole, server_frame(TEXT, b"x"))
    crowd.wait_for([refused], b"\n")
    closing, ending, resetting, within = whole
    closing.sendall(CLOSE)
    crowd.wait_for([closing], server_frame(Opcode.CLOSE, b"\x03\xe8"))
    within.sendall(client_frame(TEXT, b"half a frame")[:9])
    for client in (half, refused, closing, ending, within):
        crowd.leave(client)
    crowd.leave(resetting, resets=True)
    crowd.turn(lambda: crowd.count == 0)


def test_cycles(crowd: Crowd) -> None:
    """Nothing is left of those that have gone."""

    def held() -> tuple[int, int]:
        for _ in range(100):
            cycle(crowd)
        gc.collect()
        return tracemalloc.get_traced_memory()[0], len(os.listdir("/proc/self/fd"))

    tracemalloc.start()
    try:
        (before, descriptors), (after, same) = held(), held()
    finally:
        tracemalloc.stop()
    assert same == descriptors
    assert crowd.clock.getDelayedCalls() == []
    # Of 600 connections: less than if the smallest object were left of each.
    assert after - before < 20_000, after - before


#: An echo server that has few file descriptors.
POOR = """
import resource, sys
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import react
from txws_simple import WebSocketFactory

async def main(reactor):
    factory = WebSocketFactory(lambda peer: peer.each(peer.write))
    endpoint = serverFromString(reactor, "tcp:0:interface=127.0.0.1")
    port = await endpoint.listen(factory)
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
    print(port.getHost().port, flush=True)
    await Deferred()

react(main)
"""
ECHO = server_frame(TEXT, b"x")


def ask(port: int) -> socket.socket | None:
    """A client that was given its echo, or ``None`` if the server hung up."""
    client = socket.create_connection(("127.0.0.1", port), timeout=30)
    try:
        client.sendall(request() + client_frame(TEXT, b"x"))
        got = b""
        while not got.endswith(ECHO):
            piece = client.recv(1000)
            if not piece:
                client.close()
                return None
            got += piece
    except ConnectionError:
        client.close()
        return None
    return client


def test_out_of_descriptors() -> None:
    """Who can't be served is hung up on; who is served stays; and it recovers."""
    process = subprocess.Popen(
        [sys.executable, "-c", POOR],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    try:
        port = int(process.stdout.readline())
        asked = [ask(port) for _ in range(60)]
        served = [client for client in asked if client is not None]
        assert 10 < len(served) < 40
        for client in served:
            client.sendall(client_frame(TEXT, b"x"))
            assert client.recv(1000) == ECHO
            client.close()
        # It takes it some turns to see that they have gone.
        again = next(client for _ in range(1000) if (client := ask(port)))
        again.close()
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
