"""``twistd wsecho``: a real process, and a client of another house."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.python.usage import UsageError
from websockets.exceptions import (
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidStatus,
)
from websockets.sync.client import connect, unix_connect
from zope.interface.verify import verifyObject

from txws_simple.service import Options

from .helpers import request
from .processes import TWISTD, Server, running


@pytest.fixture
def wsecho(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers, and ends those that a test left."""
    endpoint = "--endpoint=tcp:{port}:interface=127.0.0.1"
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(
            running(tmp_path, "wsecho", endpoint, *arguments)
        )


def test_echo(wsecho: Callable[..., Server]) -> None:
    """Text, binary, fragments, pings, and a line in the log at the end."""
    server = wsecho()
    with connect(f"{server.url}/path") as client:
        for message in ("grün", b"\x00\xff", "", "x" * 1_000_000):
            client.send(message)
            assert client.recv() == message
        client.send(["a", "b", "c"])
        assert client.recv() == "abc"
        assert client.ping().wait(10)
    assert client.close_code == 1000
    assert server.stop() == 0
    lines = server.log.read_text().splitlines()
    [line] = [line for line in lines if "closed" in line]
    assert "127.0.0.1" in line
    assert re.search(r"'/path': 1000 '' by remote after \d+\.\d{3} s", line)
    # With their headers, a ping of four bytes and the Close.
    assert "in 8 frames 1000084 bytes, out 8 frames 1000044 bytes" in line


def test_long_message(wsecho: Callable[..., Server]) -> None:
    """Frame by frame, a message may be longer than any bound."""
    server = wsecho("--max-frame-size=1000")
    with connect(server.url, max_size=None) as client:
        client.send(["x" * 1000] * 3000)
        assert client.recv() == "x" * 3_000_000
        client.send("x" * 1001)
        with pytest.raises(ConnectionClosedError) as closed:
            client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal(wsecho: Callable[..., Server], number: int) -> None:
    """Every client gets 1001, half a handshake 503, the exit status is 0."""
    server = wsecho()
    with connect(server.url) as client, socket.socket() as half:
        half.connect(("127.0.0.1", server.port))
        half.sendall(b"GET / HTTP/1.1\r\n")
        client.send("x")
        assert client.recv() == "x"
        server.process.send_signal(number)
        with pytest.raises(ConnectionClosedOK) as closed:
            client.recv(10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        assert half.recv(1000).startswith(b"HTTP/1.1 503 ")
    assert server.process.wait(30) == 0
    assert "Traceback" not in server.log.read_text()
    assert "Unhandled" not in server.log.read_text()
    counted = "drained: 1 ended in order, 0 aborted, 1 refused"
    assert counted in server.log.read_text()


def test_stops_though_a_client_does_not_answer(wsecho: Callable[..., Server]) -> None:
    server = wsecho()
    with (
        connect(server.url) as client,
        socket.create_connection(("127.0.0.1", server.port)) as mute,
    ):
        mute.sendall(request())
        assert mute.recv(1000).startswith(b"HTTP/1.1 101 ")
        client.send("x")
        assert server.stop() == 0


def test_options(wsecho: Callable[..., Server]) -> None:
    server = wsecho("--origin=https://a.example", "--subprotocol=b", "--subprotocol=a")
    with pytest.raises(InvalidStatus) as refused:
        connect(server.url)
    assert refused.value.response.status_code == 403
    with connect(
        server.url,
        origin="https://a.example",
        subprotocols=["a", "b"],  # type: ignore[arg-type, list-item]
    ) as client:
        assert client.subprotocol == "b"


@pytest.mark.parametrize(
    ("option", "status"), [("--max-connections=1", 503), ("--max-per-address=1", 429)]
)
def test_caps(wsecho: Callable[..., Server], option: str, status: int) -> None:
    server = wsecho(option)
    with connect(server.url) as client:
        with pytest.raises(InvalidStatus) as refused:
            connect(server.url)
        assert refused.value.response.status_code == status
        client.send("still here")
        assert client.recv() == "still here"


def test_pings(wsecho: Callable[..., Server]) -> None:
    """They go out by themselves: a silent client that answers stays."""
    server = wsecho("--ping-frequency=0.05")
    with connect(server.url) as client:
        with pytest.raises(TimeoutError):
            client.recv(0.5)
        client.send("still here")
        assert client.recv() == "still here"


def test_port_in_use(wsecho: Callable[..., Server]) -> None:
    """A server that cannot listen does not pretend to."""
    server = wsecho()
    second = subprocess.run(
        [
            *[*TWISTD, "--nodaemon", "--pidfile=", "wsecho"],
            f"--endpoint=tcp:{server.port}:interface=127.0.0.1",
        ],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert second.returncode != 0
    assert b"in use" in second.stdout + second.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--endpoint=nonsense:1"], "endpoint 'nonsense:1'"),
        (["--endpoint=tcp:port"], "endpoint 'tcp:port'"),
        (["--ping-frequency=0"], "ping_frequency is 0.0, not a positive number"),
        (["--ping-frequency=nan"], "ping_frequency is nan, not a positive number"),
        (["--ping-frequency=1e30"], "ping_frequency is 1e+30, not a positive number"),
        (["--ping-frequency=often"], "often"),
        (["--max-frame-size=1.5"], "1.5"),
        (["--max-frame-size=-1"], "max_frame_size is -1, not a positive integer"),
        (["--max-frame-size=9223372036854775808"], "max_frame_size is 92233720"),
        (["--endpoint=systemd:domain=INET:index=7"], "IndexError"),
        (["--endpoint=systemd:domain=INET:name=x"], "KeyError('x')"),
        (["--max-connections=0"], "max_connections is 0"),
        (["--max-per-address=many"], "many"),
        (["--subprotocol=a b"], "subprotocol 'a b' is not a token"),
        (["--origin=a.example"], "origin 'a.example' is none that a browser sends"),
        (["--nonsense"], "nonsense"),
        (["surplus"], "Wrong number of arguments"),
    ],
)
def test_usage_errors(arguments: list[str], complaint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(complaint)):
        Options().parseOptions(arguments)  # type: ignore[no-untyped-call]


def test_usage_error_is_no_traceback() -> None:
    failed = subprocess.run(
        [*TWISTD, "wsecho", "--ping-frequency=0"],
        capture_output=True,
        timeout=30,
        check=False,
    )
    # What the exit status is then, is twistd's own matter.
    said = failed.stdout + failed.stderr
    assert b"ping_frequency is 0.0, not a positive number" in said
    assert b"Traceback" not in said


def test_help() -> None:
    """Every option has a text."""
    shown = subprocess.run(
        [*TWISTD, "wsecho", "--help"], capture_output=True, timeout=30, check=True
    ).stdout.decode()
    for option in ("endpoint", "ping-frequency", "max-frame-size", "origin"):
        assert re.search(rf"--{option}= +[A-Z][a-z]+", shown), option
    assert "subprotocol" in shown


def test_several_endpoints(wsecho: Callable[..., Server], tmp_path: Path) -> None:
    wsecho(f"--endpoint=unix:{tmp_path}/socket")
    with unix_connect(f"{tmp_path}/socket") as client:
        client.send("x")
        assert client.recv() == "x"


def test_plugin() -> None:
    """twistd finds it, without a word of the library being imported."""
    [plugin] = [p for p in getPlugins(IServiceMaker) if p.tapname == "wsecho"]
    verifyObject(IServiceMaker, plugin)
    assert plugin.module == "txws_simple.service"
