"""Real connections on the real reactor, most with a client of another house."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
import trustme
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.python import runtime
from websockets.asyncio.client import connect as connect_async
from websockets.sync.client import connect, unix_connect

from txws_simple import ConnectionClosed, Frame, Opcode, WebSocketFactory, WebSocketPeer
from txws_simple.frames import Decoder

from .helpers import client_frame, request
from .wires import never

reactor: Any = _reactor

BIG = 64 * 1024 * 1024


async def echo(peer: WebSocketPeer) -> None:
    async for frame in peer:
        await peer.write(frame)


async def eventually(condition: Callable[[], object]) -> None:
    """Turn the reactor until it holds."""
    for _ in range(2000):
        if condition():
            return
        await deferLater(reactor, 0.005)
    raise AssertionError("it never came to hold")


class Server:
    """A server on a real endpoint, and the peers that it has seen."""

    def __init__(self) -> None:
        self.peers: list[WebSocketPeer] = []
        self._ports: list[Any] = []
        self._factories: list[WebSocketFactory] = []

    async def listen(self, endpoint: str, handler: Any = echo, **options: Any) -> Any:
        def remember(peer: WebSocketPeer) -> Any:
            self.peers.append(peer)
            return handler(peer)

        factory = WebSocketFactory(remember, **options)
        port = await serverFromString(reactor, endpoint).listen(factory)
        self._ports.append(port)
        self._factories.append(factory)
        return port

    async def stop(self) -> None:
        for port in self._ports:
            await port.stopListening()
        for peer in self.peers:
            peer.close()
        for factory in self._factories:
            await factory.drain()
        await eventually(lambda: all(p.transport.disconnected for p in self.peers))

    async def open_raw(
        self, handler: Any = never, **options: Any
    ) -> tuple[socket.socket, WebSocketPeer]:
        """A client that is nothing but a socket, after its handshake."""
        count = len(self.peers)
        port = await self.listen("tcp:0:interface=127.0.0.1", handler, **options)
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", port.getHost().port))
        client.sendall(request())
        await eventually(lambda: len(self.peers) > count)
        head = await deferToThread(client.recv, 4096)
        assert head.startswith(b"HTTP/1.1 101 ")
        return client, self.peers[count]


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    pytest_twisted.blockon(ensureDeferred(server.stop()))


def talk(opened: Callable[[], Any]) -> int:
    """All that an echo server has to give back; the code at the end."""
    with opened() as client:
        for message in ("grün", b"\x00\xff", "", "x" * 300_000, b"y" * 1_000_000):
            client.send(message)
            assert client.recv(30) == message
        client.send([b"a" * 70_000, b"b"] * 3)
        assert client.recv(30) == (b"a" * 70_000 + b"b") * 3
        assert client.ping().wait(30)
    return int(client.close_code)


@pytest_twisted.ensureDeferred
async def test_tcp(server: Server) -> None:
    port = await server.listen("tcp:0:interface=127.0.0.1")
    url = f"ws://127.0.0.1:{port.getHost().port}"
    assert await deferToThread(talk, lambda: connect(url)) == 1000
    [peer] = server.peers
    await eventually(lambda: peer.transport.disconnected)
    assert (peer.closed_by, peer.error()) == ("remote", None)


@pytest_twisted.ensureDeferred
async def test_tcp6(server: Server) -> None:
    port = await server.listen(r"tcp6:0:interface=\:\:1")
    url = f"ws://[::1]:{port.getHost().port}"
    assert await deferToThread(talk, lambda: connect(url)) == 1000


@pytest_twisted.ensureDeferred
async def test_unix(server: Server, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    await server.listen(f"unix:{path}")
    opened = lambda: unix_connect(path, "ws://localhost/")  # noqa: E731
    assert await deferToThread(talk, opened) == 1000


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


async def listen_tls(server: Server, ca: trustme.CA, path: Path, **options: Any) -> str:
    certificate = ca.issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(path / "both.pem"))
    pem = path / "both.pem"
    port = await server.listen(
        f"ssl:0:privateKey={pem}:certKey={pem}:interface=127.0.0.1", **options
    )
    return f"wss://localhost:{port.getHost().port}"


async def talk_tls(url: str, context: ssl.SSLContext) -> int:
    """As `talk`, but in one thread: Python's TLS does not bear two at a time."""
    async with connect_async(url, ssl=context) as client:
        for message in ("grün", b"\x00\xff", "", "x" * 300_000, b"y" * 1_000_000):
            await client.send(message)
            assert await client.recv() == message
        await client.send([b"a" * 70_000, b"b"] * 3)
        assert await client.recv() == (b"a" * 70_000 + b"b") * 3
        await (await client.ping())
    # Lost is not closed, to the asyncio of Python 3.10.
    client.transport.close()
    return int(client.close_code or 0)


async def listen_to_tls(url: str, context: ssl.SSLContext) -> tuple[int, int]:
    async with connect_async(url, ssl=context) as client:
        assert [message async for message in client] == []
    client.transport.close()
    received = client.protocol.close_rcvd
    return received.code if received else 0, int(client.close_code or 0)


@pytest_twisted.ensureDeferred
async def test_tls(server: Server, authority: trustme.CA, tmp_path: Path) -> None:
    url = await listen_tls(server, authority, tmp_path)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    assert await deferToThread(asyncio.run, talk_tls(url, context)) == 1000


@pytest_twisted.ensureDeferred
async def test_tls_closes_in_order(
    server: Server, authority: trustme.CA, tmp_path: Path
) -> None:
    """The server's Close, then TLS's own end."""
    url = await listen_tls(server, authority, tmp_path, handler=lambda peer: None)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    ended = await deferToThread(asyncio.run, listen_to_tls(url, context))
    assert ended == (1000, 1000)
    assert await server.peers[0].shutdown() is True


@pytest_twisted.ensureDeferred
async def test_tls_slow_reader(
    server: Server, authority: trustme.CA, tmp_path: Path
) -> None:
    """What TLS has not taken can be discarded too."""
    url = await listen_tls(server, authority, tmp_path, handler=lambda peer: Deferred())
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as raw:
        client = await deferToThread(
            context.wrap_socket, raw, server_hostname="localhost"
        )
        await deferToThread(client.sendall, request())
        await eventually(lambda: server.peers)
        [peer] = server.peers
        write = peer.write(b"x" * BIG)
        await deferLater(reactor, 0)
        assert peer.buffered > BIG // 2
        peer.close()
        with pytest.raises(ConnectionClosed):
            await write
        await eventually(lambda: not peer.transport.connected)
        client.close()


@pytest_twisted.ensureDeferred
async def test_write_waits_for_the_kernel(server: Server) -> None:
    client, peer = await server.open_raw()
    assert await peer.write("small") == 7
    write = peer.write(b"x" * 8_000_000)
    await deferLater(reactor, 0)
    assert not write.called
    assert peer.buffered > 1_000_000

    def drain() -> int:
        left = 7 + 8_000_010
        while left:
            left -= len(client.recv(1 << 20))
        return left

    draining = deferToThread(drain)
    assert await write == 8_000_010
    assert (await draining, peer.buffered) == (0, 0)
    client.close()


@pytest_twisted.ensureDeferred
async def test_close_discards_what_is_not_taken(server: Server) -> None:
    """64 MiB to a client that reads nothing, then close: it is gone at once."""
    client, peer = await server.open_raw()
    write = peer.write(b"x" * BIG)
    await deferLater(reactor, 0)
    peer.close()
    with pytest.raises(ConnectionClosed):
        await write
    await eventually(lambda: peer.transport.disconnected)

    def drain() -> int:
        count = 0
        with pytest.raises(ConnectionResetError):
            while data := client.recv(1 << 20):
                count += len(data)
        return count

    assert await deferToThread(drain) < BIG
    client.close()


@pytest_twisted.ensureDeferred
async def test_reset(server: Server) -> None:
    """An RST ends all that waits with 1006."""
    client, peer = await server.open_raw()
    waiting = [peer.read(), peer.write(b"x" * BIG), peer.ping()]
    await deferLater(reactor, 0)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    for deferred in waiting:
        with pytest.raises(ConnectionClosed, match="1006"):
            await deferred
    assert await peer.shutdown() is False


@pytest_twisted.ensureDeferred
async def test_fin(server: Server) -> None:
    client, peer = await server.open_raw()
    client.sendall(client_frame(1, b"last"))  # type: ignore[arg-type]
    client.shutdown(socket.SHUT_WR)
    assert await peer.read() == Frame(1, b"last")  # type: ignore[arg-type]
    with pytest.raises(ConnectionClosed, match="1006"):
        await peer.read()
    client.close()


@pytest_twisted.ensureDeferred
async def test_close_never_answered(server: Server) -> None:
    client, peer = await server.open_raw()
    assert await peer.shutdown(timeout=0.05) is False
    await eventually(lambda: peer.transport.disconnected)
    client.close()


@pytest_twisted.ensureDeferred
async def test_refusal_is_read_to_its_end(server: Server) -> None:
    """No reset overtakes the response, whatever else the client sends."""
    port = await server.listen("tcp:0:interface=127.0.0.1")

    def ask() -> bytes:
        answer = b""
        with socket.create_connection(("127.0.0.1", port.getHost().port)) as client:
            client.sendall(b"POST / HTTP/1.1\r\n" + b"x" * 200_000)
            while data := client.recv(4096):
                answer += data
        return answer

    answer = await deferToThread(ask)
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert answer.endswith(b"\n")


@pytest_twisted.ensureDeferred
async def test_no_delayed_call_stays(server: Server) -> None:
    before = set(reactor.getDelayedCalls())
    port = await server.listen("tcp:0:interface=127.0.0.1", ping_frequency=0.02)
    url = f"ws://127.0.0.1:{port.getHost().port}"
    await deferToThread(talk, lambda: connect(url))
    await eventually(lambda: server.peers[0].transport.disconnected)
    assert set(reactor.getDelayedCalls()) <= before


@pytest_twisted.ensureDeferred
async def test_clock_jumps(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour ahead and two back: nobody is given up for what did not elapse."""
    clients = [(await server.open_raw(handler=echo))[0] for _ in range(3)]
    for hours in (1, -1):
        monkeypatch.setattr(reactor, "seconds", partial(shifted, hours * 3600))
        await deferLater(reactor, 0)
        for client in clients:
            client.sendall(client_frame(Opcode.TEXT, b"still here"))
    for client in clients:
        got = await deferToThread(read_frames, client, 2)
        assert [frame.opcode for frame in got] == [Opcode.TEXT] * 2
    assert [peer.error() for peer in server.peers] == [None] * 3
    for client in clients:
        client.close()


def shifted(seconds: float) -> float:
    return runtime.seconds() + seconds


def read_frames(client: socket.socket, count: int) -> list[Frame]:
    client.settimeout(30)  # rather an error than a test that never ends
    decoder = Decoder(masked=False, max_frame_size=1 << 20)
    frames: list[Frame] = []
    while len(frames) < count:
        data = client.recv(4096)
        assert data, frames
        frames += decoder.receive(data)
    return frames
