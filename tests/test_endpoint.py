"""``ws:`` before server endpoints, so that Twisted's own commands speak WebSocket."""

from __future__ import annotations

import re
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from twisted.conch.telnet import DO, DONT, WILL, WONT
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import (
    IStreamServerEndpoint,
    IStreamServerEndpointStringParser,
)
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.plugin import getPlugins
from twisted.protocols.wire import Echo
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect as _connect
from zope.interface.verify import verifyObject

from txws_simple import Opcode
from txws_simple.wrapping import WebSocketEndpoint

from .helpers import client_frame, request, server_frame
from .ledger import WatchedCase
from .processes import running
from .wires import MemoryTransport

PATIENCE = 20  # seconds


def connect(url: str, **options: Any) -> Any:
    return _connect(url, open_timeout=PATIENCE, **options)


class Telnet:
    """As much of a telnet client (RFC 854) as a login needs."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._got = b""

    def read_until(self, wanted: bytes) -> None:
        """Read up to this, and agree to what the server would do itself."""
        while wanted not in self._got:
            self._got += self._client.recv(PATIENCE)
            self._got = re.sub(rb"\xff([\xfb-\xfe])(.)", self._negotiate, self._got)
        self._got = self._got.partition(wanted)[2]

    def _negotiate(self, found: re.Match[bytes]) -> bytes:
        verb, option = found.groups()
        answer = {WILL: DO, WONT: DONT, DO: WONT}.get(verb)
        if answer is not None:
            self._client.send(b"\xff" + answer + option)
        return b""

    def enter(self, line: bytes) -> None:
        self._client.send(line + b"\r\n")


# Commands, each unchanged


def test_portforward(tmp_path: Path) -> None:
    """It has a port, and each side is the other's producer."""
    data = bytes(range(256)) * 4096 * 8
    with socket.create_server(("127.0.0.1", 0)) as target:
        target.settimeout(PATIENCE)
        port = r"ws:tcp\:{port}:interface=127.0.0.1:path=/chat"
        to = f"--dest_port={target.getsockname()[1]}"
        with (
            running(tmp_path, "portforward", f"--port={port}", to) as server,
            connect(f"{server.url}/chat") as client,
            target.accept()[0] as there,
        ):
            client.send(b"ping")
            there.settimeout(PATIENCE)
            assert there.recv(10) == b"ping"
            sending = threading.Thread(target=there.sendall, args=(data,))
            sending.start()
            got = bytearray()
            while len(got) < len(data):
                got += client.recv(PATIENCE)
            sending.join(PATIENCE)
            assert got == data
            client.close()
            assert there.recv(1) == b""
            with pytest.raises(InvalidStatus) as refused:
                connect(f"{server.url}/else")
            assert refused.value.response.status_code == 404


def test_manhole(tmp_path: Path) -> None:
    """Telnet, with a login and a terminal."""
    (tmp_path / "passwd").write_text("me:secret\n")
    port = r"ws:tcp\:{port}\:interface\=127.0.0.1"
    command = ("manhole", f"--telnetPort={port}", "--passwd=passwd")
    with running(tmp_path, *command) as server, connect(server.url) as client:
        telnet = Telnet(client)
        telnet.read_until(b"Username: ")
        telnet.enter(b"me")
        telnet.read_until(b"Password: ")
        telnet.enter(b"secret")
        telnet.read_until(b">>> ")
        telnet.enter(b"6 * 7")
        telnet.read_until(b"42")


def test_web(tmp_path: Path) -> None:
    """HTTP, in which a request comes in pieces and the answer is produced."""
    (tmp_path / "page.html").write_text("hello" * 100_000)
    port = "ws:tcp:{port}:interface=127.0.0.1:subprotocols=http,other"
    command = ("web", f"--listen={port}", f"--path={tmp_path}")
    with (
        running(tmp_path, *command) as server,
        connect(server.url, subprotocols=["other"]) as client,
    ):
        assert client.subprotocol == "other"
        client.send(["GET /page.html HTTP/1.0\r\n", "\r\n"])
        got = b"".join(client)  # to the end
        assert got.startswith(b"HTTP/1.0 200 OK\r\n")
        assert got.endswith(b"\r\n\r\n" + b"hello" * 100_000)
        assert client.close_code == 1000


# What may stand in the string


class Strings(WatchedCase):
    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()

    def listen(self, description: str) -> tuple[Any, ...]:
        """Where it listens, behind the factory."""
        factory = Factory.forProtocol(Echo)
        endpoint = serverFromString(self.reactor, description)
        verifyObject(IStreamServerEndpoint, endpoint)
        self.successResultOf(endpoint.listen(factory))
        where, self.factory, *rest = self.reactor.tcpServers[-1]
        return where, *rest

    def answer(self, asked: bytes) -> bytes:
        """What a client is sent."""
        transport = MemoryTransport(self.reactor)
        protocol = transport.protocol = self.factory.buildProtocol(None)
        protocol.makeConnection(transport)
        protocol.dataReceived(asked)
        transport.lose(ConnectionLost())
        return bytes(transport.value())

    def test_where(self) -> None:
        """The endpoint behind it is quoted, or in its parts, or both."""
        for description in (
            r"ws:tcp\:8080\:interface\=127.0.0.1",
            r"ws:tcp\:8080:interface=127.0.0.1",
            r"ws:tcp:8080:interface=127.0.0.1",
            r"ws:path=/chat:tcp:port=8080:interface=127.0.0.1",
        ):
            self.assertEqual(self.listen(description), (8080, 50, "127.0.0.1"))
        self.assertEqual(self.listen(r"ws:tcp:1:interface=\:\:1")[2], "::1")

    def test_echo(self) -> None:
        self.listen("ws:tcp:1")
        sent = self.answer(request() + client_frame(Opcode.TEXT, b"x"))
        self.assertTrue(sent.endswith(b"\r\n\r\n" + server_frame(Opcode.BINARY, b"x")))

    def test_text(self) -> None:
        self.listen("ws:tcp:1:binary=no")
        sent = self.answer(request() + client_frame(Opcode.TEXT, b"x"))
        self.assertTrue(sent.endswith(b"\r\n\r\n" + server_frame(Opcode.TEXT, b"x")))

    def test_origins(self) -> None:
        self.listen(r"ws:tcp:1:origins=https\://a.example,https\://b.example")
        for origin, status in (("b", b"101"), ("c", b"403")):
            sent = self.answer(request(Origin=f"https://{origin}.example"))
            self.assertEqual(sent.split(b" ")[1], status)

    def test_pings(self) -> None:
        for words, frequency in (("", 20), (":ping=0.5", 0.5), (":ping=no", None)):
            endpoint: Any = serverFromString(self.reactor, f"ws:tcp:1{words}")
            self.assertEqual(endpoint.options["ping_frequency"], frequency)

    def test_max_frame_size(self) -> None:
        endpoint: Any = serverFromString(self.reactor, "ws:tcp:1:max_frame_size=5")
        self.assertEqual(endpoint.options["max_frame_size"], 5)

    def test_nonsense(self) -> None:
        """It is said when the string is read, not when a client comes."""
        for words in (
            "",
            "nonsense:1",
            "tcp:1:binary=maybe",
            "tcp:1:ping=0",
            "tcp:1:ping=often",
            "tcp:1:subprotocols=a b",
            "tcp:1:path=chat",
            "tcp:1:origins=",
            "tcp:1:max_frame_size=0",
            "tcp:1:nonsense=1",
        ):
            with self.assertRaises((ValueError, TypeError)):
                serverFromString(self.reactor, f"ws:{words}")
        for words, complaint in (
            ("ping=often", "ping is 'often', not a number"),
            ("max_frame_size=1k", "max_frame_size is '1k', not a number"),
            ("path=/a?b", "path '/a?b' is not as it is sent"),
            ("origins=https://a.example", "quote each ':' as '\\:'"),
        ):
            with self.assertRaises(ValueError) as raised:
                serverFromString(self.reactor, f"ws:tcp:1:{words}")
            self.assertIn(complaint, str(raised.exception))

    def test_quoted(self) -> None:
        """What is quoted in a part stays so on the way to the endpoint within."""
        for path in ("/tmp/a=b.sock", "/tmp/a:b.sock", r"/tmp/a\b.sock"):
            quoted = re.sub(r"([\\:=])", r"\\\1", path)
            for words in (f"unix:{quoted}", f"unix:address={quoted}"):
                endpoint: Any = serverFromString(self.reactor, f"ws:{words}:mode=600")
                endpoint.listen(Factory())
                self.assertEqual(self.reactor.unixServers.pop()[0], path)

    def test_options(self) -> None:
        inner = serverFromString(self.reactor, "tcp:1")
        self.assertRaises(TypeError, WebSocketEndpoint, inner, nonsense=1)


def test_plugin() -> None:
    [plugin] = [
        p for p in getPlugins(IStreamServerEndpointStringParser) if p.prefix == "ws"
    ]
    verifyObject(IStreamServerEndpointStringParser, plugin)
