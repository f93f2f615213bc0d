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
from twisted.internet.task import Clock
from twisted.python.usage import UsageError
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect as _connect

from txws_simple import Opcode
from txws_simple.proxy import Options, ProxyFactory, makeService
from txws_simple.wrapping import WrappingFactory

from .helpers import client_frame, request
from .processes import Server, free_port, running
from .wires import MemoryWire

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
    with connect(server.url) as client, target.accept() as there:
        uploading = threading.Thread(target=lambda: client.send(LARGE[: 1 << 20] * 32))
        client.send(b"")
        sends = [
            threading.Thread(
                target=lambda: [client.send(LARGE[: 1 << 20]) for _ in range(32)]
            ),
            threading.Thread(target=lambda: there.sendall(LARGE)),
        ]
        assert not uploading.is_alive()
        arrived: list[bytes] = []
        reads = threading.Thread(
            target=lambda: arrived.append(receive(there, len(LARGE)))
        )
        for thread in (*sends, reads):
            thread.start()
        assert receive_messages(client, len(LARGE)) == LARGE
        for thread in (*sends, reads):
            thread.join(PATIENCE)
        assert arrived == [LARGE]


def memory_of(server: Server) -> int:
    """The most that the process ever occupied, in bytes."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak
    return int(peak[1]) * 1024


@pytest.mark.parametrize("slow", ["client", "server"])
def test_backpressure(
    wsproxy: Callable[..., Server], target: Target, slow: str
) -> None:
    """Who is not read from comes to a stop, and the proxy stays small."""
    server = wsproxy()
    with (
        socket.create_connection(("127.0.0.1", server.port)) as client,
        target.accept_later() if False else ExitStack(),
    ):
        client.sendall(request())
        with target.accept() as there:
            sender = there if slow == "client" else client
            frame = client_frame(Opcode.BINARY, LARGE[: 1 << 20])
            data = LARGE[: 1 << 20] if slow == "client" else frame
            before = memory_of(server)
            sender.settimeout(1)
            sent = 0
            with pytest.raises(TimeoutError):
                while sent < 1 << 30:
                    sender.sendall(data)
                    sent += len(data)
            # What the kernel holds on the way is not the proxy's.
            assert memory_of(server) - before < 8 << 20


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
    ],
)
def test_usage_errors(arguments: list[str], complaint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(complaint)):
        Options().parseOptions(arguments)  # type: ignore[no-untyped-call]


def test_several_endpoints() -> None:
    options = Options()
    options.parseOptions(["-t", "tcp:a:1", "-l", "tcp:0", "-l", "unix:/nowhere"])  # type: ignore[no-untyped-call]
    assert len(list(makeService(options))) == 2  # type: ignore[call-overload]


class Unreachable:
    """A server that is being connected to for ever."""

    def __init__(self) -> None:
        self.connecting: list[Deferred[Any]] = []

    def connect(self, factory: object) -> Deferred[Any]:
        self.connecting.append(Deferred())
        return self.connecting[-1]


def test_the_client_does_not_wait() -> None:
    """Whoever leaves before the server is there leaves nothing behind."""
    clock, target = Clock(), Unreachable()
    factory: Any = ProxyFactory(target)  # type: ignore[arg-type]
    wrapping = WrappingFactory(factory, clock=clock, ping_frequency=None)
    wire = MemoryWire(wrapping, clock)
    wire.send(request() + client_frame(Opcode.BINARY, b"x"))
    wire.reset()
    assert target.connecting[0].called
