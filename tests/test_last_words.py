"""What a wrapped protocol has written goes before the Close, whoever wants the end."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory
from twisted.protocols.basic import FileSender

from txws_simple import Opcode, Router, WebSocketFactory, WebSocketPeer
from txws_simple.policies import LimitedFactory, Limits
from txws_simple.wrapping import wrap

from .helpers import client_frame, request
from .test_wrapping import CLOSE_1000, LARGE, Case, Noting, Producer
from .wires import SocketWire, Wire

BINARY, CLOSE = Opcode.BINARY, Opcode.CLOSE


class LastWords(Case):
    def slow(self, protocol: Noting, wire: Wire, data: bytes) -> None:
        """This is written, and the client takes none of it."""
        wire.stall()
        protocol.link.write(data)
        wire.pump()

    def test_the_peer_is_shut_down(self) -> None:
        """With a reason, which a transport can't give."""

        class Kicks(Noting):
            def dataReceived(self, data: bytes) -> None:
                self.link.write(b"bye")
                self.link.peer.shutdown(4000, "kicked")
                self.link.write(b"too late")

        _, wire = self.connect(Kicks)
        wire.send(client_frame(BINARY, b"x"))
        frames = [(BINARY, b"bye"), (CLOSE, b"\x0f\xa0kicked")]
        self.assertEqual(self.sent(wire), frames)

    def test_the_client_closes(self) -> None:
        """Also where nothing is read at the time."""
        for pause in (False, True):
            protocol, wire = self.connect()
            if pause:
                protocol.link.pauseProducing()
            self.slow(protocol, wire, LARGE)
            wire.send(CLOSE_1000)
            wire.unstall()
            self.assertEqual(self.data(wire), LARGE)
            self.assertEqual(self.last_code(wire), 1000)
            wire.fin()
            protocol.link.resumeProducing()
            wire.pump()
            self.assert_lost(protocol, ConnectionDone)

    def test_more_than_may_wait(self) -> None:
        """It was accepted, and is no fault of the client."""
        protocol, wire = self.connect(max_buffered=1000)
        self.slow(protocol, wire, LARGE * 3)
        self.factory.drain()
        wire.unstall()
        self.assertEqual(self.data(wire), LARGE * 3)
        self.assertEqual(self.last_code(wire), 1001)

    def test_a_limit(self) -> None:
        made: list[Any] = []
        inner = Factory.forProtocol(lambda: made.append(Noting()) or made[-1])
        limits = Limits(max_age=60, age_jitter=0)
        factory = LimitedFactory(
            wrap(inner), limits, clock=self.clock, ping_frequency=None
        )
        wire = self.connected(factory, request())
        self.slow(made[0], wire, LARGE)
        wire.advance(60)
        wire.unstall()
        self.assertEqual(self.data(wire), LARGE)
        self.assertEqual(self.last_code(wire), 1001)

    def test_a_producer_is_told(self) -> None:
        """It is not asked for what would go nowhere, and knows that it was not all."""

        class Sends(Noting):
            error: Any = None

            def dataReceived(self, data: bytes) -> None:
                sender: Any = FileSender()
                sent = sender.beginFileTransfer(BytesIO(LARGE * 20), self.transport)
                sent.addErrback(lambda failure: setattr(self, "error", failure))

        protocol, wire = self.connect(Sends)
        wire.stall()
        wire.send(client_frame(BINARY, b"x"))
        self.factory.drain()
        wire.unstall()
        wire.pump()
        self.assertIn("stop producing", protocol.error.getErrorMessage())
        self.assertEqual(self.last_code(wire), 1001)

    def test_text_that_ends_amid_a_code_point(self) -> None:
        """The protocol's fault, which is logged."""
        protocol, wire = self.connect(binary=False)
        self.slow(protocol, wire, b"a" * 200_000 + b"\xc3")
        self.factory.drain()
        wire.unstall()
        self.assertEqual(self.data(wire), b"a" * 200_000)
        self.assertEqual(self.last_code(wire), 1011)
        self.assertEqual(len(self.flushLoggedErrors(UnicodeDecodeError)), 1)


class LastWordsOverSockets(LastWords):
    wire_class = SocketWire


def failing(error: BaseException) -> type[Noting]:
    """Protocols that fail with what arrives."""

    class Fails(Noting):
        def dataReceived(self, data: bytes) -> None:
            raise error

    return Fails


class AfterTheEnd(Case):
    """What a protocol hears once it has ended the connection."""

    def test_nothing_is_delivered(self) -> None:
        """However long the client takes to take what was written before."""
        protocol, wire = self.connect()
        wire.stall()
        protocol.link.write(LARGE)
        wire.send(client_frame(BINARY, b"x"))
        protocol.link.loseConnection()
        wire.send(client_frame(BINARY, b"y"))
        wire.unstall()
        self.assertEqual(self.last_code(wire), 1000)
        self.assertEqual(protocol.got, [b"x"])

    def test_a_code_that_must_not_be_sent(self) -> None:
        """Nothing has ended."""
        protocol, wire = self.connect()
        self.assertRaises(ValueError, protocol.link.loseConnection, 1006)
        protocol.link.write(b"x")
        self.assertEqual(self.sent(wire), [(BINARY, b"x")])
        protocol.link.loseConnection(4000)
        self.assertEqual(self.last_code(wire), 4000)

    def test_any_exception(self) -> None:
        """One that is none of `Exception`, too."""
        _, wire = self.connect(failing(GeneratorExit("now")))
        wire.send(client_frame(BINARY, b"x"))
        self.assertEqual(self.last_code(wire), 1011)
        self.assertEqual(len(self.flushLoggedErrors(GeneratorExit)), 1)

    def test_failed_and_aborted(self) -> None:
        """The first reason counts, and the end comes at once."""
        protocol, wire = self.connect(failing(KeyError("x")))
        wire.send(client_frame(BINARY, b"x"))
        protocol.link.abortConnection()
        wire.advance(0)
        wire.pump()
        self.assert_lost(protocol, KeyError)
        self.flushLoggedErrors(KeyError)

    def test_a_producer_that_can_not_be_stopped(self) -> None:
        """Whatever it raises, the protocol is told of the end, and the client, too."""

        class Fails(Producer):
            def stopProducing(self) -> None:
                raise SystemExit("never")

        for end in (b"", CLOSE_1000):
            protocol, wire = self.connect()
            protocol.link.registerProducer(Fails(), True)
            wire.send(end)
            if end:
                self.assertEqual(self.last_code(wire), 1000)
            wire.fin()
            wire.pump()
            self.assertEqual(len(protocol.ends), 1)
            self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)

    def test_a_producer_that_fails_when_it_is_asked(self) -> None:
        class Fails(Producer):
            def resumeProducing(self) -> None:
                raise SystemExit("not now")

        protocol, wire = self.connect()
        protocol.link.registerProducer(Fails(), False)
        wire.pump()
        self.assertEqual(self.last_code(wire), 1011)
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)

    def test_an_end_that_fails(self) -> None:
        """The handler ends with it, all the same."""

        class Fails(Noting):
            def connectionLost(self, reason: Any = None) -> None:
                raise SystemExit("too late")

        protocol, wire = self.connect(Fails)
        wire.fin()
        wire.pump()
        self.assertTrue(protocol.link.disconnected)
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)

    def test_paused_and_a_fin(self) -> None:
        """What came before it is delivered, as it is over TCP."""
        protocol, wire = self.connect()
        protocol.link.pauseProducing()
        wire.send(client_frame(BINARY, b"last words"))
        wire.fin()
        self.assertEqual((protocol.got, protocol.ends), ([], []))
        protocol.link.resumeProducing()
        wire.pump()
        self.assertEqual(protocol.got, [b"last words"])
        self.assert_lost(protocol, ConnectionLost, 1006)


class Wrapping(Case):
    def test_beside_another_handler(self) -> None:
        """On one port, by path."""

        async def hello(peer: WebSocketPeer) -> None:
            await peer.send("hello")

        made: list[Any] = []
        inner = Factory.forProtocol(lambda: made.append(Noting()) or made[-1])
        router = Router({"/bytes": wrap(inner), "/hello": hello})
        factory = WebSocketFactory(
            router.handler,
            on_request=router.on_request,
            clock=self.clock,
            ping_frequency=None,
        )
        wires = {}
        for path in ("/bytes", "/hello"):
            asked = request(f"GET {path} HTTP/1.1")
            wires[path] = self.connected(factory, asked)
        self.assertEqual(self.sent(wires["/hello"])[0], (Opcode.TEXT, b"hello"))
        wires["/bytes"].send(client_frame(BINARY, b"x"))
        self.assertEqual(made[0].got, [b"x"])
