"""A factory as a service: on real ports, up to its end, and anew."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.application.service import IService, MultiService
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, DeferredList, fail
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect, unix_connect
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txws_simple import Drained, Opcode, WebSocketFactory, WebSocketService

from .helpers import client_frame, request
from .ledger import Ledger
from .wires import MemoryWire

ANYWHERE = "tcp:0:interface=127.0.0.1"


@pytest.fixture
def serve() -> Iterator[Callable[..., WebSocketService]]:
    """Makes services of an echo, and stops those that are running at the end."""
    services: list[WebSocketService] = []

    def make(
        *endpoints: Any, clock: Clock | None = None, **options: Any
    ) -> WebSocketService:
        factory = WebSocketFactory(lambda peer: peer.each(peer.write), clock=clock)
        services.append(WebSocketService(factory, *endpoints, **options))
        return services[-1]

    yield make
    for service in services:
        if service.running:
            pytest_twisted.blockon(service.stopService())


def port_of(service: WebSocketService, number: int = 0) -> int:
    address: Any = service.ports[number].getHost()
    return int(address.port)


class Client:
    """One of another make, in a thread of its own.

    Attributes:
        ready: Fires when it has found an echo.
        code: The code of the Close that it gets then.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self.ready: Deferred[None] = Deferred()
        self.code: Deferred[int] = deferToThread(self._run, connect)

    def _run(self, connect: Callable[[], Any]) -> int:
        with connect() as client:
            client.send("x")
            assert client.recv(20) == "x"
            reactor.callFromThread(self.ready.callback, None)
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(20)
        assert closed.value.rcvd is not None
        return int(closed.value.rcvd.code)


async def opened(connect: Callable[[], Any]) -> Deferred[int]:
    """A client is there; the code that it gets in the end."""
    client = Client(connect)
    # Or it fails, and is never ready.
    either = [client.ready, client.code]
    await DeferredList(either, fireOnOneCallback=True, fireOnOneErrback=True)
    return client.code


def over_tcp(service: WebSocketService) -> Callable[[], Any]:
    url = f"ws://127.0.0.1:{port_of(service)}/"
    return lambda: connect(url)


def is_served(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_is_a_service() -> None:
    factory = WebSocketFactory(lambda peer: None)
    verifyObject(IService, WebSocketService(factory, ANYWHERE))


@pytest.mark.parametrize("wrong", [{"code": 1006}, {"timeout": -1}, {"timeout": None}])
def test_an_end_that_can_not_be(wrong: Any) -> None:
    """It is found before the end."""
    factory = WebSocketFactory(lambda peer: None)
    with pytest.raises(ValueError):
        WebSocketService(factory, ANYWHERE, **wrong)


@pytest_twisted.ensureDeferred
async def test_serves_and_ends(
    serve: Callable[..., WebSocketService], tmp_path: Path
) -> None:
    """On each endpoint; when it is stopped, every client gets the Close."""
    path = str(tmp_path / "socket")
    service = serve(ANYWHERE, UNIXServerEndpoint(reactor, path), code=1012)
    service.startService()
    port = port_of(service)
    codes = [
        await opened(over_tcp(service)),
        await opened(lambda: unix_connect(path)),
    ]
    assert await service.stopService() == (2, 0, 0)
    assert [await code for code in codes] == [1012, 1012]
    assert (service.running, service.ports) == (0, [])
    assert not is_served(port)


@pytest_twisted.ensureDeferred
async def test_can_be_started_anew(serve: Callable[..., WebSocketService]) -> None:
    service = serve(ANYWHERE)
    for _ in range(3):
        service.startService()
        code = await opened(over_tcp(service))
        assert await service.stopService() == (1, 0, 0)
        assert await code == 1001
    assert service.factory.counters()[:4] == (3, 0, 3, 0)


@pytest_twisted.ensureDeferred
async def test_in_an_application(serve: Callable[..., WebSocketService]) -> None:
    """With the steps that twistd takes: it listens once, and is waited for."""
    service, application = serve(ANYWHERE), MultiService()
    service.setServiceParent(application)
    application.privilegedStartService()
    [port] = service.ports
    application.startService()
    assert service.ports == [port]
    code = await opened(over_tcp(service))
    await application.stopService()
    assert await code == 1001
    assert service.factory.counters().connected == 0


@pytest_twisted.ensureDeferred
async def test_a_socket_whose_file_is_gone(
    serve: Callable[..., WebSocketService], tmp_path: Path, ledger: Ledger
) -> None:
    """The clients, of whatever port, are waited for all the same."""
    path = tmp_path / "socket"
    service = serve(f"unix:{path}", ANYWHERE)
    service.startService()
    path.unlink()
    socket: Any = service.ports[0]
    client = await opened(lambda: connect(f"ws://127.0.0.1:{port_of(service, 1)}"))
    assert await service.stopService() == (1, 0, 0)
    assert await client == 1001
    socket.socket.close()  # which Twisted leaves open then
    [failure] = ledger.failures
    assert failure.check(FileNotFoundError)
    ledger.forgive([failure])


@pytest_twisted.ensureDeferred
async def test_half_a_handshake(serve: Callable[..., WebSocketService]) -> None:
    service = serve(ANYWHERE)
    service.startService()

    def answer(half: socket.socket) -> bytes:
        with half:
            return half.recv(1000)

    half = socket.create_connection(("127.0.0.1", port_of(service)), 20)
    half.sendall(b"GET / HTTP/1.1\r\n")
    while not service.factory.counters().connected:
        await turn()
    received = deferToThread(answer, half)
    assert await service.stopService() == (0, 0, 1)
    assert (await received).startswith(b"HTTP/1.1 503 ")


def turn() -> Deferred[None]:
    """Fires after another turn of the reactor."""
    done: Deferred[None] = Deferred()
    reactor.callLater(0, done.callback, None)
    return done


@pytest_twisted.ensureDeferred
async def test_a_client_that_does_not_answer(
    serve: Callable[..., WebSocketService],
) -> None:
    """It is aborted in time."""
    service = serve(ANYWHERE, timeout=0.1)
    service.startService()
    client = await deferToThread(mute, port_of(service))
    assert await service.stopService() == (0, 1, 0)
    client.close()


def mute(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), 20)
    client.sendall(request())
    assert client.recv(1000).startswith(b"HTTP/1.1 101 ")
    return client


@implementer(IStreamServerEndpoint)
class Slow:
    """An endpoint that does not listen yet."""

    def __init__(self) -> None:
        self.listening: Deferred[Any] = Deferred()

    def listen(self, factory: object) -> Deferred[Any]:
        return self.listening


class Port:
    """It may not be able to stop."""

    def __init__(self, error: Exception | None = None) -> None:
        self.is_stopped = False
        self._error = error

    def stopListening(self) -> None:
        self.is_stopped = True
        if self._error is not None:
            raise self._error


@pytest_twisted.ensureDeferred
async def test_an_endpoint_that_can_not_listen(
    serve: Callable[..., WebSocketService],
) -> None:
    """It is said at once, and the other port is let go."""
    slow = Slow()
    slow.listening = fail(CannotListenError("there", 1, OSError("in use")))
    service = serve(ANYWHERE, slow)
    with pytest.raises(CannotListenError):
        service.privilegedStartService()
    assert service.ports == []
    await turn()
    assert service.factory.numPorts == 0
    assert not service.running


@pytest_twisted.ensureDeferred
async def test_stopped_before_it_listens(
    serve: Callable[..., WebSocketService], ledger: Ledger
) -> None:
    """A port that comes too late is let go; one of a new start is kept."""
    slow, late = Slow(), Port()
    service = serve(slow)
    service.startService()
    assert await service.stopService() == (0, 0, 0)
    first, slow.listening = slow.listening, Deferred()
    service.startService()
    first.callback(late)
    assert late.is_stopped
    assert service.ports == []
    slow.listening.callback(Port())
    [port] = service.ports
    assert await service.stopService() == (0, 0, 0)
    assert port.is_stopped
    assert ledger.failures == []


@pytest_twisted.ensureDeferred
async def test_a_port_that_does_not_stop(
    serve: Callable[..., WebSocketService], ledger: Ledger
) -> None:
    """As one of a UNIX socket whose file is gone: all else ends as it would."""
    broken, clock = Slow(), Clock()
    service = serve(broken, clock=clock)
    service.startService()
    broken.listening.callback(Port(FileNotFoundError("socket")))
    wire = MemoryWire(service.factory, clock)
    wire.send(request())
    ended: list[Drained] = []
    stopped = service.stopService().addCallback(ended.append)
    await turn()
    assert ended == []
    wire.send(client_frame(Opcode.CLOSE, b"\x03\xe9"))
    wire.fin()
    await stopped
    assert ended == [(1, 0, 0)]
    [failure] = ledger.failures
    assert failure.check(FileNotFoundError)
    ledger.forgive([failure])


def test_a_failure_that_comes_late(
    serve: Callable[..., WebSocketService], ledger: Ledger
) -> None:
    """It is logged: there is nobody else to tell."""
    slow = Slow()
    service = serve(slow)
    service.startService()
    slow.listening.errback(CannotListenError("there", 1, OSError("no")))
    [failure] = ledger.failures
    assert failure.check(CannotListenError)
    ledger.forgive([failure])


def test_a_failure_leaves_it_able_to_start(
    serve: Callable[..., WebSocketService],
) -> None:
    slow = Slow()
    slow.listening = fail(CancelledError())
    service = serve(slow)
    with pytest.raises(CancelledError):
        service.startService()
    assert not service.running
    slow.listening = Deferred()
    service.startService()
    assert service.running
