"""What an operator reads of each connection: the events, their fields, their levels."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.logger import (
    LogLevel,
    eventAsText,
    eventsFromJSONLogFile,
    globalLogPublisher,
    jsonFileLogObserver,
)

from txws_simple import Opcode, Response, WebSocketFactory, WebSocketPeer, new

from .helpers import client_frame, request
from .wired import WiredCase
from .wires import MemoryTransport, MemoryWire, SocketWire, Wire

TEXT = client_frame(Opcode.TEXT, b"hello")
CLOSE = client_frame(Opcode.CLOSE, b"\x03\xe8bye")


class Case(WiredCase):
    """What the cases share; which wire they run over is said below."""

    def setUp(self) -> None:
        super().setUp()
        self.logged: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.append)

    def connect(self, handler: Any, *segments: bytes, **options: Any) -> Wire:
        factory = WebSocketFactory(handler, clock=self.clock, **options)
        return self.connected(factory, *segments)

    def names(self) -> list[str]:
        """Of the events so far."""
        return [event["event"] for event in self.logged if "event" in event]

    def only(self, name: str) -> dict[str, Any]:
        """The one event of this name."""
        [event] = [event for event in self.logged if event.get("event") == name]
        self.assertEqual(event["log_namespace"], "txws_simple")
        return event

    def text(self, name: str) -> str:
        return eventAsText(self.only(name), includeTimestamp=False)


def echo(peer: WebSocketPeer) -> Deferred[None]:
    return peer.each(peer.write)


class Kept(Case):
    def test_as_json(self) -> None:
        """All that an event tells but Twisted's own objects is there again."""
        kept = io.StringIO()
        observer = jsonFileLogObserver(kept)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        wire = self.connect(echo, request())
        wire.advance(0.12345)
        text = self.text("opened")
        wire.send(CLOSE)
        wire.fin()
        kept.seek(0)
        events = {each.get("event"): each for each in eventsFromJSONLogFile(kept)}
        closed = events["closed"]
        self.assertEqual((closed["host"], closed["code"]), ("192.0.2.1", 1000))
        self.assertEqual(closed["seconds"], 0.123)
        self.assertEqual(eventAsText(events["opened"], includeTimestamp=False), text)
        self.assertIn(" after 0.123 s", eventAsText(closed))

    def test_without_a_port(self) -> None:
        """Over a UNIX socket nobody has an address."""

        class Unix(MemoryWire):
            address = UNIXAddress(None)

        Unix(WebSocketFactory(echo, clock=self.clock), self.clock).send(b"GET\r\n")
        event = self.only("refused")
        self.assertEqual((event["host"], event["port"]), (None, None))


class Events(Case):
    def test_opened(self) -> None:
        """When the handshake has succeeded, before its handler is called."""
        known: list[list[str]] = []

        def handler(peer: WebSocketPeer) -> None:
            known.append(self.names())

        wire = self.connect(
            handler,
            request("GET /a?b HTTP/1.1", Sec_WebSocket_Protocol="chat"),
            subprotocols=["chat"],
        )
        event = self.only("opened")
        self.assertEqual(event["log_level"], LogLevel.debug)
        self.assertEqual(event["address"], wire.protocol.transport.getPeer())
        self.assertEqual((event["path"], event["subprotocol"]), ("/a", "chat"))
        address = event["address"]
        self.assertEqual((event["host"], event["port"]), (address.host, address.port))
        self.assertEqual(known, [["opened"]])

    def test_refused(self) -> None:
        wire = self.connect(echo, request(Origin="https://a.example"), origins=[])
        event = self.only("refused")
        self.assertEqual(event["log_level"], LogLevel.info)
        self.assertEqual(event["address"], wire.protocol.transport.getPeer())
        self.assertEqual(event["status"], 403)
        self.assertEqual(event["reason"], "origin is not allowed")
        self.assertEqual(
            (event["path"], event["origin"]), ("/chat", "https://a.example")
        )
        wire.fin()
        self.assertEqual(self.names(), ["refused"])

    def test_refused_before_it_was_whole(self) -> None:
        """With the phrase of a status that says all."""
        self.connect(echo, request(), on_request=lambda _: Response(404))
        self.connect(echo, b"POST / HTTP/1.1\r\n")
        whole, half = [one for one in self.logged if one.get("event") == "refused"]
        self.assertEqual((whole["path"], whole["reason"]), ("/chat", "Not Found"))
        self.assertEqual((half["path"], half["origin"]), (None, None))

    def test_closed(self) -> None:
        """At the end, with who, how long and how much."""
        wire = self.connect(echo, request("GET /a HTTP/1.1"), TEXT)
        self.clock.advance(1.5)
        wire.send(TEXT + CLOSE)
        self.assertEqual(self.names(), ["opened"])
        wire.fin()
        event = self.only("closed")
        self.assertEqual(event["log_level"], LogLevel.info)
        self.assertEqual(event["address"], wire.protocol.transport.getPeer())
        self.assertEqual(event["path"], "/a")
        self.assertEqual((event["code"], event["reason"]), (1000, "bye"))
        self.assertEqual((event["closed_by"], event["error"]), ("remote", None))
        self.assertEqual(event["seconds"], 1.5)
        self.assertEqual((event["frames_in"], event["frames_out"]), (2, 2))
        self.assertEqual((event["bytes_in"], event["bytes_out"]), (33, 21))
        self.assertIn(
            "'/a': 1000 'bye' by remote after 1.5 s, "
            "in 2 frames 33 bytes, out 2 frames 21 bytes",
            self.text("closed"),
        )

    def why(self, *segments: bytes, handler: Any = echo, **options: Any) -> Any:
        """How a connection ends that is lost after these, and has waited for long."""
        wire = self.connect(handler, request(), *segments, **options)
        for _ in range(20):
            wire.advance(1)
        if not wire.is_aborted:
            wire.reset()
        event = self.only("closed")
        return event["code"], event["closed_by"], event["error"], event["reason"]

    def test_lost(self) -> None:
        why = "connection was lost without Close"
        ends = (1006, "remote", "ConnectionClosed", why)
        self.assertEqual(self.why(ping_frequency=None), ends)

    def test_violation(self) -> None:
        ends = (1006, "local", "ProtocolError", "reserved bit or opcode")
        self.assertEqual(self.why(b"\xf1\x80abcd"), ends)

    def test_close_not_answered(self) -> None:
        ends = (1006, "local", "CloseTimeout", "close timeout")
        self.assertEqual(self.why(handler=lambda peer: None), ends)

    def test_no_pong(self) -> None:
        ends = (1006, "local", "PongTimeout", "pong timeout")
        self.assertEqual(self.why(ping_frequency=5, close_timeout=1), ends)

    def test_closed_at_once(self) -> None:
        ends = (1006, "local", "ConnectionClosed", "closed here")
        self.assertEqual(self.why(handler=lambda peer: peer.close()), ends)

    def test_a_code_of_the_application(self) -> None:
        close = client_frame(Opcode.CLOSE, b"\x0f\xa1")
        self.assertEqual(self.why(close), (4001, "remote", None, ""))


class Peers(Case):
    """Whatever a client does, it is an event, and no failure."""

    def assert_no_alarm(self) -> None:
        for event in self.logged:
            self.assertNotIn("log_failure", event)
            self.assertLessEqual(event["log_level"], LogLevel.info)
        self.assertTrue(self.logged)

    def test_what_they_send(self) -> None:
        handlers: list[Callable[[WebSocketPeer], Any]] = [echo, _read, _receive, _wait]
        for handler in handlers:
            for data in (
                b"\x16\x03\x01",
                b"POST / HTTP/1.1\r\n",
                request(Sec_WebSocket_Version="12"),
                request() + b"\x81\x00",
                request() + b"\xff" * 20,
                request() + client_frame(Opcode.TEXT, b"\xff"),
                request() + client_frame(Opcode.BINARY, b"x" * 100),
                request() + client_frame(Opcode.CLOSE, b"\x00\x00"),
                request() + CLOSE + TEXT,
                request() + TEXT[:4],
                request() + client_frame(Opcode.TEXT, b"a", fin=False) + CLOSE,
            ):
                wire = self.connect(handler, data, max_frame_size=99)
                wire.advance(0)
                wire.reset()
        self.assert_no_alarm()

    def test_when_they_go(self) -> None:
        for end in ("fin", "reset"):
            for before in (b"", b"GET /", request(), request() + TEXT):
                wire = self.connect(_read, before)
                getattr(wire, end)()
            wire = self.connect(echo, request(), on_request=lambda _: Deferred())
            getattr(wire, end)()
        self.assert_no_alarm()

    def test_what_they_do_not_read(self) -> None:
        """An application that writes on is told, and may leave it at that."""

        async def flood(peer: WebSocketPeer) -> None:
            while True:
                await peer.write(b"x" * 100_000)

        wire = self.connect(flood, max_buffered=1000)
        wire.stall()
        wire.send(request())
        wire.protocol.peer.write("x")
        wire.advance(0)
        wire.reset()
        self.assert_no_alarm()

    def test_silence(self) -> None:
        """Half a request, an answer that takes too long, no pong."""
        self.connect(echo, b"GET /").advance(20)
        self.connect(echo, request(), on_request=lambda _: Deferred()).advance(20)
        wire = self.connect(_read, request())
        for _ in range(60):
            wire.advance(1)
        self.assertTrue(wire.is_aborted)
        self.assert_no_alarm()


async def _read(peer: WebSocketPeer) -> None:
    while await peer.read() is not None:
        await peer.ping()


async def _receive(peer: WebSocketPeer) -> None:
    while (message := await peer.receive()) is not None:
        await peer.send(message, fragment_size=2)


async def _wait(peer: WebSocketPeer) -> None:
    async with peer:
        async for _ in peer:
            pass


class Alone(Case):
    def test_without_a_factory_or_a_request(self) -> None:
        """A transport that was taken over is logged as well."""
        transport = MemoryTransport(self.clock)
        peer = new(transport, handshaked=True, clock=self.clock)
        self.assertIsNone(self.only("opened")["path"])
        peer.close()
        self.clock.advance(0)
        self.assertIsNone(self.only("closed")["path"])

    def test_an_application_that_refuses(self) -> None:
        """Its reason is quoted, whatever it has put into it."""
        answer = Response(429, body="not\nyou")
        self.connect(echo, request(), on_request=lambda _: answer)
        self.assertIn(": 429 'not\\nyou'", self.text("refused"))


class EventsOverSockets(Events):
    wire_class = SocketWire


class PeersOverSockets(Peers):
    wire_class = SocketWire


del Case
