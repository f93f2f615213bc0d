"""``twistd wsproxy``: a real process between a client and a server of bytes."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectingCancelledError, ConnectionLost
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.python.usage import UsageError
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect as _connect
from zope.interface import alsoProvides

from txws_simple import Opcode
from txws_simple.policies import LimitedFactory, Limits
from txws_simple.proxy import Options, ProxyFactory
from txws_simple.wrapping import WrappingFactory, wrap

from .helpers import client_frame, request
from .processes import Server, free_port, running
from .wires import MemoryTransport, MemoryWire

PATIENCE = 20  # seconds
LARGE = bytes(range(256)) * 4096 * 32  # 32 MiB


class Target:
    """A server in the test's hand."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(PATIENCE)
        self.port: int = self._listening.getsockname()[1]

    def accept(self) -> socket.socket:
        connection, _ = self._listening.accept()
        connection.settimeout(PATIENCE)
        return connection

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def target() -> Iterator[Target]:
    target = Target()
    yield target
    target.close()


@pytest.fixture
def wsproxy(tmp_path: Path, target: Target) -> Iterator[Callable[..., Server]]:
    """Starts proxies before the target, and ends those that a test left."""
    listen = "--listen=tcp:{port}:interface=127.0.0.1"
    with ExitStack() as stack:

        def start(*arguments: str, port: int = target.port) -> Server:
            to = f"--to=tcp:127.0.0.1:{port}"
            command = running(tmp_path, "wsproxy", listen, to, *arguments)
            return stack.enter_context(command)

        yield start


def connect(url: str, **options: Any) -> Any:
    return _connect(url, max_size=None, open_timeout=PATIENCE, **options)


def receive(connection: socket.socket, size: int) -> bytes:
    """So many bytes, or up to the end."""
    got = bytearray()
    while len(got) < size and (data := connection.recv(65536)):
        got += data
    return bytes(got)


def receive_messages(client: Any, size: int) -> bytes:
    got = bytearray()
    while len(got) < size:
        got += client.recv(PATIENCE)
    return bytes(got)


def send_messages(client: Any, data: bytes) -> None:
    for start in range(0, len(data), 1 << 20):
        client.send(data[start : start + (1 << 20)])


def close_code(client: Any) -> int:
    with pytest.raises(ConnectionClosed) as closed:
        client.recv(PATIENCE)
    assert closed.value.rcvd is not None
    return int(closed.value.rcvd.code)


def reset(connection: socket.socket) -> None:
    linger = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.close()


def test_both_ways(wsproxy: Callable[..., Server], target: Target) -> None:
    """Bytes, whatever messages they come in; either side's end is the other's."""
    server = wsproxy()
    with connect(server.url) as client, target.accept() as there:
        client.send([b"a", b"b"])
        client.send("ü")
        assert receive(there, 4) == "abü".encode()
        there.sendall(b"\xff\x00")
        assert client.recv(PATIENCE) == b"\xff\x00"
        client.close()
        assert there.recv(1) == b""
    with connect(server.url) as client, target.accept() as there:
        there.sendall(b"last")
        there.close()
        assert client.recv(PATIENCE) == b"last"
        assert close_code(client) == 1000


def test_large(wsproxy: Callable[..., Server], target: Target) -> None:
    """More than any buffer holds, both ways at once."""
    server = wsproxy()
    arrived: list[bytes] = []
    with connect(server.url) as client, target.accept() as there:
        threads = [
            threading.Thread(target=lambda: send_messages(client, LARGE)),
            threading.Thread(target=lambda: there.sendall(LARGE)),
            threading.Thread(target=lambda: arrived.append(receive(there, len(LARGE)))),
        ]
        for thread in threads:
            thread.start()
        assert receive_messages(client, len(LARGE)) == LARGE
        for thread in threads:
            thread.join(PATIENCE)
        assert arrived == [LARGE]


def memory_of(server: Server) -> int:
    """The most that the process ever occupied, in bytes."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak
    return int(peak[1]) * 1024


def send_until_full(sender: socket.socket, data: bytes) -> int:
    """Send this again and again; how many bytes went until none did."""
    sender.settimeout(1)
    sent = 0
    while sent < 1 << 30:
        try:
            sent += sender.send(data[sent % len(data) :])
        except TimeoutError:
            return sent
    raise AssertionError("there is no end")


@pytest.mark.parametrize("slow", ["client", "server"])
def test_backpressure(
    wsproxy: Callable[..., Server], target: Target, slow: str
) -> None:
    """Who isn't read from comes to a stop, the proxy stays small, all arrives."""
    server = wsproxy()
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(request())
        with target.accept() as there:
            before = memory_of(server)
            if slow == "client":
                size = send_until_full(there, LARGE[: 1 << 20])
                receiver = client
            else:
                frame = client_frame(Opcode.BINARY, LARGE[: 1 << 16])
                size = send_until_full(client, frame) // len(frame) << 16
                receiver = there
            # What the kernel holds on the way is not the proxy's.
            assert memory_of(server) - before < 8 << 20
            receiver.settimeout(PATIENCE)
            assert len(receive(receiver, size)) >= size


def test_refused(wsproxy: Callable[..., Server]) -> None:
    """1014, and a line in the log that is no traceback."""
    server = wsproxy(port=free_port())
    with connect(server.url) as client:
        assert close_code(client) == 1014
    assert server.stop() == 0
    log = server.log.read_text()
    assert "refused" in log
    assert "Traceback" not in log


def test_reset_by_the_server(wsproxy: Callable[..., Server], target: Target) -> None:
    server = wsproxy()
    with connect(server.url) as client:
        reset(target.accept())
        assert close_code(client) == 1014


def test_reset_by_the_client(wsproxy: Callable[..., Server], target: Target) -> None:
    """Something is missing: the server hears of it by a reset, too."""
    server = wsproxy()
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(request())
        with target.accept() as there:
            there.sendall(b"here")
            got = b""
            while not got.endswith(b"here"):
                got += (data := client.recv(1000))
                assert data
            reset(client)
            with pytest.raises(ConnectionResetError):
                there.recv(1)


def test_stopped(wsproxy: Callable[..., Server], target: Target) -> None:
    server = wsproxy()
    with connect(server.url) as client, target.accept() as there:
        assert server.stop() == 0
        assert close_code(client) == 1001
        assert there.recv(1) == b""


def test_options(wsproxy: Callable[..., Server], target: Target) -> None:
    server = wsproxy(
        "--path=/tcp", "--text", "--origin=https://a.example", "--subprotocol=b"
    )
    for path, origin, status in (
        ("/tcp", "https://b.example", 403),
        ("/", "https://a.example", 404),
    ):
        with pytest.raises(InvalidStatus) as refused:
            connect(server.url + path, origin=origin)
        assert refused.value.response.status_code == status
    with (
        connect(
            f"{server.url}/tcp", origin="https://a.example", subprotocols=["a", "b"]
        ) as client,
        target.accept() as there,
    ):
        assert client.subprotocol == "b"
        there.sendall("grün".encode())
        assert client.recv(PATIENCE) == "grün"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "--to is needed"),
        (["--to=nonsense:1"], "endpoint 'nonsense:1'"),
        (["--to=tcp:a:1", "--listen=tcp:port"], "endpoint 'tcp:port'"),
        (["--to=tcp:a:1", "--subprotocol=a b"], "subprotocol 'a b' is not a token"),
        (["--to=tcp:a:1", "--path=chat"], "path 'chat' does not begin with a slash"),
        (["--to=tcp:a:1", "--path="], "path '' does not begin with a slash"),
        (["--to=tcp:a:1", "--path=/a?b"], "path '/a?b' is not as it is sent"),
    ],
)
def test_usage_errors(arguments: list[str], complaint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(complaint)):
        Options().parseOptions(arguments)  # type: ignore[no-untyped-call]


def test_max_frame_size(wsproxy: Callable[..., Server], target: Target) -> None:
    server = wsproxy("--max-frame-size=2000000")
    with connect(server.url) as client, target.accept() as there:
        client.send(LARGE[:2_000_000])
        assert receive(there, 2_000_000) == LARGE[:2_000_000]
        client.send(LARGE[:2_000_001])
        assert close_code(client) == 1009
    assert "Starting factory" not in server.log.read_text()


def test_caps(wsproxy: Callable[..., Server], target: Target) -> None:
    """They hold from the client's connection on; a place becomes free again."""
    server = wsproxy("--max-connections=1")
    with connect(server.url), target.accept():
        with pytest.raises(InvalidStatus) as refused:
            connect(server.url)
        assert refused.value.response.status_code == 503
    with connect(server.url), target.accept():
        pass


def test_several_endpoints(wsproxy: Callable[..., Server], target: Target) -> None:
    other = free_port()
    server = wsproxy(f"--listen=tcp:{other}:interface=127.0.0.1")
    for url in (server.url, f"ws://127.0.0.1:{other}"):
        with connect(url) as client, target.accept() as there:
            there.sendall(b"here")
            assert client.recv(PATIENCE) == b"here"


class KeptAlive(MemoryTransport):
    """A transport that passes for one of TCP."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.asked: list[bool] = []

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.asked.append(enabled)


class Slow:
    """A server to which one is connected when the test says so."""

    def __init__(self, clock: Clock) -> None:
        self.transport = MemoryTransport(clock)
        self.connecting: Deferred[Any] | None = None

    def connect(self, factory: Factory) -> Deferred[Any]:
        self.factory = factory
        # As an endpoint of Twisted says that it was given up.
        self.connecting = Deferred(lambda d: d.errback(ConnectingCancelledError(None)))
        return self.connecting

    def arrive(self) -> None:
        assert self.connecting is not None
        protocol: Any = self.factory.buildProtocol(None)  # type: ignore[arg-type]
        self.transport.protocol = protocol
        protocol.makeConnection(self.transport)
        self.connecting.callback(protocol)


def connected_to_slow(
    *frames: bytes, wrapping: Callable[..., Factory] = WrappingFactory
) -> tuple[Slow, MemoryWire]:
    clock = Clock()
    target: Any = Slow(clock)
    factory: Any = ProxyFactory(target)
    wire = MemoryWire(wrapping(factory, clock=clock, ping_frequency=None), clock)
    wire.send(b"".join([request(), *frames]))
    return target, wire


EARLY = client_frame(Opcode.BINARY, b"early")
LEAVING = client_frame(Opcode.CLOSE, b"\x03\xe8")


def limited(factory: Any, **options: Any) -> LimitedFactory:
    return LimitedFactory(wrap(factory), Limits(), **options)


@pytest.mark.parametrize("wrapping", [WrappingFactory, limited])
@pytest.mark.parametrize(
    "leave",
    [
        lambda wire: wire.send(LEAVING) or (wire.is_ended and wire.fin()),
        lambda wire: wire.fin(),
        lambda wire: wire.reset(),
        lambda wire: wire.send(EARLY[:-1]) or wire.fin(),
    ],
    ids=["Close", "FIN", "RST", "FIN within a frame"],
)
def test_nobody_is_left_to_connect_for(
    leave: Callable[[MemoryWire], object], wrapping: Callable[..., Factory]
) -> None:
    """A client that has sent nothing whole and is gone needs no server."""
    target, wire = connected_to_slow(wrapping=wrapping)
    assert target.connecting is not None and not target.connecting.called
    leave(wire)
    wire.pump()
    assert target.connecting.called
    assert not wire.clock.getDelayedCalls()


def test_the_client_is_lost_before_the_server_is_there() -> None:
    """It is not connected to then, which is no news for the log."""
    events: list[Any] = []
    target, wire = connected_to_slow(EARLY)
    globalLogPublisher.addObserver(events.append)
    wire.reset()
    globalLogPublisher.removeObserver(events.append)
    assert target.connecting is not None and target.connecting.called
    assert [event["log_namespace"] for event in events] == ["txws_simple"]
    events.clear()  # it names the peer


def test_the_server_is_asked_for_a_sign_of_life() -> None:
    """By TCP, if it is TCP: otherwise one that only talks could be gone for ever."""
    target, wire = connected_to_slow()
    transport = target.transport = KeptAlive(wire.clock)
    alsoProvides(transport, ITCPTransport)
    target.arrive()
    assert transport.asked == [True]
    wire.reset()


def test_the_client_is_early() -> None:
    """What it sent before the server was there arrives, though it has closed."""
    target, wire = connected_to_slow(EARLY)
    wire.send(LEAVING)
    wire.fin()
    target.arrive()
    wire.pump()
    assert target.transport.value() == b"early"
    assert target.transport.disconnecting


def test_the_server_is_reset_with_the_client_paused() -> None:
    """Which end it is does not depend on who waits for whom."""
    target, wire = connected_to_slow(EARLY)
    target.arrive()
    wire.pump()
    target.transport.producer.pauseProducing()
    target.transport.lose(ConnectionLost())
    wire.pump()
    assert wire.frames[-1].data[:2] == (1014).to_bytes(2, "big")
    wire.reset()
