"""Protocols that know nothing of WebSocket, over it."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IPushProducer,
    ISSLTransport,
    ITransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.basic import FileSender, LineReceiver
from twisted.python.failure import Failure
from zope.interface import alsoProvides, implementer
from zope.interface.verify import verifyObject

from txws_simple import BufferOverrun, CloseTimeout, ConnectionClosed, Opcode
from txws_simple.wrapping import WrappingFactory, only_path

from .helpers import client_frame, request
from .wired import WiredCase
from .wires import MemoryTransport, MemoryWire, SocketWire, Wire

BINARY, TEXT, CLOSE = Opcode.BINARY, Opcode.TEXT, Opcode.CLOSE
CLOSE_1000 = client_frame(CLOSE, b"\x03\xe8")
LARGE = bytes(range(256)) * 4096  # 1 MiB


class Noting(Protocol):
    """Notes what it is told.

    Attributes:
        got: What arrived, piece by piece.
        ends: The reasons of its ends.
    """

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.ends: list[BaseException] = []

    def dataReceived(self, data: bytes) -> None:
        self.got.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ends.append(reason.value)

    @property
    def link(self) -> Any:
        """Its transport."""
        return self.transport


class Producer:
    """Notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def pauseProducing(self) -> None:
        self.asked.append("pause")

    def resumeProducing(self) -> None:
        self.asked.append("resume")

    def stopProducing(self) -> None:
        self.asked.append("stop")


class Case(WiredCase):
    """What the cases share; which wire they run over is said below."""

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def connect(self, kind: Any = Noting, **options: Any) -> tuple[Any, Wire]:
        """A protocol of this kind, and its connection after the handshake."""
        made: list[Any] = []
        factory = Factory.forProtocol(lambda: made.append(kind()) or made[-1])
        options = {"clock": self.clock, "ping_frequency": None, **options}
        self.factory = WrappingFactory(factory, **options)
        wire = self.connected(self.factory, request())
        return made[0], wire

    def end(self, wire: Wire) -> None:
        wire.protocol.peer.close()
        wire.clock.advance(0)
        if not isinstance(wire, SocketWire):
            wire.reset()
        wire.pump()

    def sent(self, wire: Wire) -> list[tuple[Opcode, bytes]]:
        """What the client was sent, frame by frame."""
        before = -1
        while len(wire.got) != before:
            before = len(wire.got)
            wire.pump()
        return [(frame.opcode, frame.data) for frame in wire.frames]

    def data(self, wire: Wire) -> bytes:
        """The same as the client's stream."""
        return b"".join(data for opcode, data in self.sent(wire) if opcode != CLOSE)

    def last_code(self, wire: Wire) -> int:
        """The code of the Close that came last of all."""
        opcode, data = self.sent(wire)[-1]
        self.assertIs(opcode, CLOSE)
        return int.from_bytes(data[:2], "big")

    def assert_lost(self, protocol: Noting, kind: type, cause: Any = None) -> None:
        """It was told of its end once, with this reason."""
        [reason] = protocol.ends
        self.assertIs(type(reason), kind)
        if isinstance(cause, int):
            self.assertEqual(reason.__cause__.code, cause)  # type: ignore[union-attr]
        elif cause is not None:
            self.assertIsInstance(reason.__cause__, cause)


class Lines(LineReceiver):
    delimiter = b"\n"

    def connectionMade(self) -> None:
        self.sendLine(b"hello")

    def lineReceived(self, line: bytes) -> None:
        self.sendLine(line.upper())
        if line == b"bye":
            self.transport.loseConnection()  # type: ignore[union-attr]


class Streaming(Case):
    """Bytes both ways."""

    def test_lines(self) -> None:
        """Cut as they like, of binary messages and text."""
        _, wire = self.connect(Lines)
        self.assertEqual(self.sent(wire), [(BINARY, b"hello\n")])
        wire.send(client_frame(BINARY, b"a\nb") + client_frame(TEXT, "ü\n".encode()))
        self.assertEqual(self.data(wire), "hello\nA\nBü\n".encode())

    def test_fragments_arrive_as_they_come(self) -> None:
        protocol, wire = self.connect(max_frame_size=4)
        for number in range(2000):
            opcode = Opcode.CONTINUATION if number else BINARY
            wire.send(client_frame(opcode, b"abcd", fin=False))
        self.assertEqual(b"".join(protocol.got), b"abcd" * 2000)

    def test_an_empty_message_is_no_data(self) -> None:
        protocol, wire = self.connect()
        wire.send(client_frame(BINARY) + client_frame(BINARY, b"x"))
        self.assertEqual(protocol.got, [b"x"])

    def test_writes_of_one_turn_are_one_message(self) -> None:
        """Whether the protocol was called, or writes by itself."""
        protocol, wire = self.connect()
        for piece in (b"a", b"", b"b"):
            protocol.link.write(piece)
        protocol.link.writeSequence([b"c", b"d"])
        self.assertEqual(self.sent(wire), [(BINARY, b"abcd")])
        protocol.link.write(bytearray(b"e"))
        self.assertEqual(self.sent(wire)[1:], [(BINARY, b"e")])

    def test_a_large_write_is_several_messages(self) -> None:
        protocol, wire = self.connect()
        protocol.link.write(b"x")
        protocol.link.write(LARGE)
        self.assertEqual(self.data(wire), b"x" + LARGE)
        self.assertEqual({len(data) for _, data in self.sent(wire)[:-1]}, {65536})

    def test_a_write_of_any_size(self) -> None:
        """It is only the one after it that finds too much waiting."""
        protocol, wire = self.connect(max_buffered=1000)
        protocol.link.write(LARGE)
        self.assertEqual(self.data(wire), LARGE)
        self.assertEqual(protocol.ends, [])

    def test_only_bytes(self) -> None:
        protocol, _ = self.connect()
        self.assertRaises(TypeError, protocol.link.write, "text")

    def test_what_arrives_is_echoed(self) -> None:
        class Echo(Noting):
            def dataReceived(self, data: bytes) -> None:
                self.link.write(data)

        _, wire = self.connect(Echo)
        for start in range(0, len(LARGE), 65536):
            wire.send(client_frame(BINARY, LARGE[start : start + 65536]))
        self.assertEqual(self.data(wire), LARGE)

    def test_addresses(self) -> None:
        protocol, wire = self.connect()
        below = wire.protocol.peer.transport
        self.assertEqual(protocol.link.getPeer(), below.getPeer())
        self.assertEqual(protocol.link.getHost(), below.getHost())
        for interface in (ITransport, IConsumer, IPushProducer):
            verifyObject(interface, protocol.link)
        self.assertFalse(ISSLTransport.providedBy(protocol.link))


class Text(Case):
    """Text messages instead of binary ones."""

    def test_text(self) -> None:
        _, wire = self.connect(Lines, binary=False)
        wire.send(client_frame(TEXT, "grün\n".encode()))
        self.assertEqual({opcode for opcode, _ in self.sent(wire)}, {TEXT})
        self.assertEqual(self.data(wire), b"hello\nGR\xc3\xbcN\n")

    def test_a_code_point_in_pieces(self) -> None:
        protocol, wire = self.connect(binary=False)
        for byte in "€𐍈".encode():
            protocol.link.write(bytes([byte]))
            wire.pump()
        self.assertEqual(self.sent(wire), [(TEXT, "€".encode()), (TEXT, "𐍈".encode())])

    def test_a_code_point_across_messages(self) -> None:
        protocol, wire = self.connect(binary=False)
        text = ("x" + "€" * 50_000).encode()
        protocol.link.write(text)
        self.assertEqual(self.data(wire), text)

    def test_not_utf_8(self) -> None:
        """It is the protocol's fault: 1011."""
        protocol, wire = self.connect(binary=False)
        protocol.link.write(b"fine")
        wire.pump()
        protocol.link.write(b"\xff")
        protocol.link.write(b"lost")
        self.assertEqual(self.last_code(wire), 1011)
        self.assertEqual(self.data(wire), b"fine")
        self.assertEqual(protocol.ends, [])
        wire.send(client_frame(CLOSE, b"\x03\xf3"))
        wire.fin()
        self.assert_lost(protocol, UnicodeDecodeError)
        self.assertEqual(len(self.flushLoggedErrors(UnicodeDecodeError)), 1)

    def test_ends_amid_a_code_point(self) -> None:
        protocol, wire = self.connect(binary=False)
        protocol.link.write("€".encode()[:2])
        protocol.link.loseConnection()
        self.assertEqual(self.last_code(wire), 1011)
        wire.fin()
        self.assert_lost(protocol, UnicodeDecodeError)
        self.assertEqual(len(self.flushLoggedErrors(UnicodeDecodeError)), 1)


class Ending(Case):
    """Each end is told once, and as one of TCP would be."""

    def test_lose_connection(self) -> None:
        """What was written goes out first, also after the call."""
        protocol, wire = self.connect()
        protocol.link.write(LARGE)
        protocol.link.loseConnection()
        protocol.link.write(b"last")
        self.assertTrue(protocol.link.disconnecting)
        self.assertEqual(self.data(wire), LARGE + b"last")
        self.assertEqual(self.last_code(wire), 1000)
        protocol.link.write(b"too late")
        self.assertEqual(protocol.ends, [])
        wire.send(client_frame(BINARY, b"unheard") + CLOSE_1000)
        wire.fin()
        self.assert_lost(protocol, ConnectionDone)
        self.assertEqual(protocol.got, [])
        self.assertTrue(protocol.link.disconnected)

    def test_lose_connection_within_a_segment(self) -> None:
        """What follows in it is not delivered."""
        _, wire = self.connect(Lines)
        wire.send(client_frame(BINARY, b"bye\n") + client_frame(BINARY, b"more\n"))
        self.assertEqual(self.data(wire), b"hello\nBYE\n")
        self.assertEqual(self.last_code(wire), 1000)

    def test_lose_connection_with_a_code(self) -> None:
        protocol, wire = self.connect()
        protocol.link.loseConnection(4000)
        protocol.link.loseConnection(4001)
        self.assertEqual(self.last_code(wire), 4000)
        wire.send(client_frame(CLOSE, b"\x0f\xa0"))
        wire.fin()
        self.assert_lost(protocol, ConnectionDone)

    def test_stop_producing(self) -> None:
        protocol, wire = self.connect()
        protocol.link.stopProducing()
        self.assertEqual(self.last_code(wire), 1000)

    def test_not_answered(self) -> None:
        protocol, wire = self.connect(close_timeout=3)
        protocol.link.loseConnection()
        wire.pump()
        wire.advance(2.9)
        self.assertEqual(protocol.ends, [])
        wire.advance(0.2)
        self.assert_lost(protocol, ConnectionLost, CloseTimeout)
        self.assertTrue(wire.is_aborted)

    def test_a_client_that_takes_nothing(self) -> None:
        protocol, wire = self.connect(close_timeout=3)
        wire.stall()
        protocol.link.write(LARGE * 8)
        wire.pump()
        protocol.link.loseConnection()
        wire.advance(2.9)
        self.assertEqual(protocol.ends, [])
        wire.advance(0.2)
        self.assert_lost(protocol, ConnectionLost, CloseTimeout)

    def test_a_client_that_takes_nothing_but_pings(self) -> None:
        """That more lies here, or less, is no sign that it takes anything."""
        protocol, wire = self.connect(close_timeout=3)
        wire.stall()
        protocol.link.write(LARGE * 8)
        wire.pump()
        protocol.link.loseConnection()
        for size in (1, 2, 1):
            wire.advance(0.9)
            wire.send(client_frame(Opcode.PING, b"x" * size))
        self.assertEqual(protocol.ends, [])
        wire.advance(0.4)
        self.assert_lost(protocol, ConnectionLost, CloseTimeout)

    def test_a_client_that_has_taken_all_so_far_is_waited_for(self) -> None:
        """A producer may need longer: that is no fault of the client's."""
        protocol, wire = self.connect(close_timeout=3)
        producer = Producer()
        protocol.link.registerProducer(producer, False)
        protocol.link.loseConnection()
        for _ in range(3):
            wire.advance(2.9)
        self.assertEqual((protocol.ends, producer.asked), ([], ["resume"]))
        protocol.link.write(b"late")
        protocol.link.unregisterProducer()
        self.assertEqual(self.data(wire), b"late")
        self.assertEqual(self.last_code(wire), 1000)

    def test_a_client_that_takes_something_is_waited_for(self) -> None:
        protocol, wire = self.connect(close_timeout=3)
        wire.stall()
        protocol.link.write(LARGE * 8)
        wire.pump()
        protocol.link.loseConnection()
        wire.advance(2.9)
        wire.unstall()
        wire.stall()
        wire.advance(2.9)
        self.assertEqual(protocol.ends, [])
        wire.unstall()
        self.assertEqual(self.data(wire), LARGE * 8)
        self.assertEqual(self.last_code(wire), 1000)

    def test_abort_connection(self) -> None:
        protocol, wire = self.connect()
        protocol.link.write(b"dropped")
        protocol.link.abortConnection()
        protocol.link.abortConnection()
        self.assertEqual(protocol.ends, [])  # not in the call itself
        wire.pump()
        self.assertTrue(wire.is_aborted)
        self.assertEqual(self.data(wire), b"")
        self.assert_lost(protocol, ConnectionAborted)
        protocol.link.write(b"nothing")
        protocol.link.loseConnection()
        protocol.link.abortConnection()

    def test_closed_by_the_client(self) -> None:
        for payload in (b"", b"\x03\xe8", b"\x03\xe9"):
            protocol, wire = self.connect()
            wire.send(client_frame(BINARY, b"x"))
            protocol.link.write(b"on its way")
            wire.send(client_frame(CLOSE, payload))
            self.assertEqual(self.data(wire), b"on its way")
            wire.fin()
            self.assert_lost(protocol, ConnectionDone)
            self.assertEqual(protocol.got, [b"x"])

    def test_closed_with_a_code(self) -> None:
        protocol, wire = self.connect()
        wire.send(client_frame(CLOSE, b"\x0f\xa0why"))
        wire.fin()
        self.assert_lost(protocol, ConnectionLost, 4000)
        self.assertIn("4000 'why'", str(protocol.ends[0]))

    def test_fin_or_reset(self) -> None:
        """Without a Close something is missing."""
        for end in ("fin", "reset"):
            protocol, wire = self.connect()
            wire.send(client_frame(BINARY, b"x"))
            getattr(wire, end)()
            wire.pump()
            self.assertEqual(protocol.got, [b"x"])
            self.assert_lost(protocol, ConnectionLost, 1006)

    def test_a_violation(self) -> None:
        protocol, wire = self.connect()
        wire.send(b"\xff\xff")
        self.assertEqual(self.last_code(wire), 1002)
        wire.fin()
        self.assert_lost(protocol, ConnectionLost, 1002)

    def test_too_much_waits(self) -> None:
        protocol, wire = self.connect(max_buffered=1 << 20)
        wire.stall()
        for _ in range(64):
            protocol.link.write(LARGE)
            wire.clock.advance(0)
        self.assert_lost(protocol, ConnectionLost, BufferOverrun)
        self.assertTrue(wire.is_aborted)

    def test_a_protocol_that_fails(self) -> None:
        class Failing(Noting):
            def dataReceived(self, data: bytes) -> None:
                super().dataReceived(data)
                raise ZeroDivisionError

        protocol, wire = self.connect(Failing)
        wire.send(client_frame(BINARY, b"x") + client_frame(BINARY, b"y"))
        self.assertEqual(self.last_code(wire), 1011)
        wire.send(client_frame(CLOSE, b"\x03\xf3"))
        wire.fin()
        self.assertEqual(protocol.got, [b"x"])
        self.assert_lost(protocol, ZeroDivisionError)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_protocol_that_fails_at_its_ends(self) -> None:
        class Failing(Noting):
            def connectionMade(self) -> None:
                raise ZeroDivisionError

            def connectionLost(self, reason: Failure = connectionDone) -> None:
                super().connectionLost(reason)
                raise ZeroDivisionError

        protocol, wire = self.connect(Failing)
        self.assertEqual(self.last_code(wire), 1011)
        wire.fin()
        self.assert_lost(protocol, ZeroDivisionError)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_no_pong(self) -> None:
        protocol, wire = self.connect(ping_frequency=20)
        for _ in range(5):
            wire.advance(20)
        self.assert_lost(protocol, ConnectionLost, 1011)


@implementer(IHalfCloseableProtocol)
class Halves(Noting):
    """Answers what arrived when no more does."""

    def __init__(self) -> None:
        super().__init__()
        self.halves: list[str] = []

    def readConnectionLost(self) -> None:
        self.halves.append("read")
        self.link.write(b"sum %d" % len(b"".join(self.got)))
        self.link.loseConnection()

    def writeConnectionLost(self) -> None:
        self.halves.append("write")


class HalfClosing(Case):
    """As much of it as WebSocket has."""

    def test_the_client_closes(self) -> None:
        """What is written at once still goes out before our Close."""
        protocol, wire = self.connect(Halves)
        wire.send(client_frame(BINARY, b"abc") + CLOSE_1000)
        self.assertEqual(self.data(wire), b"sum 3")
        self.assertEqual(self.last_code(wire), 1000)
        wire.fin()
        self.assertEqual(protocol.halves, ["read"])
        self.assert_lost(protocol, ConnectionDone)

    def test_the_client_is_lost(self) -> None:
        """That is no half of an end."""
        protocol, wire = self.connect(Halves)
        wire.fin()
        self.assertEqual(protocol.halves, [])
        self.assert_lost(protocol, ConnectionLost)

    def test_lose_write_connection(self) -> None:
        """What still arrives is delivered."""
        protocol, wire = self.connect(Halves)
        protocol.link.write(b"all")
        protocol.link.loseWriteConnection()
        protocol.link.loseWriteConnection()
        self.assertEqual(self.data(wire), b"all")
        self.assertEqual(self.last_code(wire), 1000)
        self.assertEqual(protocol.halves, ["write"])
        wire.send(client_frame(BINARY, b"still"))
        wire.send(CLOSE_1000)
        wire.fin()
        self.assertEqual(protocol.got, [b"still"])
        self.assertEqual(protocol.halves, ["write", "read"])
        self.assert_lost(protocol, ConnectionDone)

    def test_a_protocol_that_knows_no_halves(self) -> None:
        protocol, wire = self.connect()
        protocol.link.loseWriteConnection()
        self.assertEqual(self.last_code(wire), 1000)
        protocol.link.loseConnection()
        wire.pump()
        wire.send(client_frame(BINARY, b"dropped"))
        wire.send(CLOSE_1000)
        wire.fin()
        self.assertEqual(protocol.got, [])
        self.assert_lost(protocol, ConnectionDone)


class Pausing(Case):
    """A protocol that wants nothing more for now."""

    def test_pause(self) -> None:
        """Nothing is delivered, and in the end the client is not read from."""
        protocol, wire = self.connect()
        protocol.link.pauseProducing()
        wire.send(client_frame(BINARY, b"a"))
        self.assertEqual(protocol.got, [])
        self.assertFalse(wire.is_paused)
        wire.send(client_frame(BINARY, bytes(100_000)))
        self.assertTrue(wire.is_paused)
        protocol.link.resumeProducing()
        self.assertEqual(protocol.got, [])  # not in the call itself
        wire.pump()
        self.assertEqual(b"".join(protocol.got), b"a" + bytes(100_000))
        self.assertFalse(wire.is_paused)

    def test_pause_within_a_segment(self) -> None:
        class Pauses(Noting):
            def dataReceived(self, data: bytes) -> None:
                super().dataReceived(data)
                self.link.pauseProducing()

        protocol, wire = self.connect(Pauses)
        wire.send(b"".join(client_frame(BINARY, bytes([i])) for i in range(3)))
        for count in (1, 2, 3):
            self.assertEqual(len(protocol.got), count)
            protocol.link.resumeProducing()
            wire.pump()
        wire.send(client_frame(BINARY, b"x"))
        self.assertEqual(protocol.got, [b"\0", b"\1", b"\2", b"x"])

    def test_pause_and_resume_at_once(self) -> None:
        class Wavers(Noting):
            def dataReceived(self, data: bytes) -> None:
                super().dataReceived(data)
                self.link.pauseProducing()
                self.link.resumeProducing()

        protocol, wire = self.connect(Wavers)
        frames = b"".join(client_frame(BINARY, b"x") for _ in range(2000))
        wire.send(frames)
        for _ in range(2000):
            self.clock.advance(0)
        self.assertEqual(len(protocol.got), 2000)

    def test_paused_at_the_end(self) -> None:
        """What came before a Close is delivered, once it is wanted, and then that."""
        protocol, wire = self.connect()
        protocol.link.pauseProducing()
        wire.send(client_frame(BINARY, b"a") + CLOSE_1000)
        wire.fin()
        self.assertEqual((protocol.got, protocol.ends), ([], []))
        protocol.link.resumeProducing()
        wire.pump()
        self.assertEqual(protocol.got, [b"a"])
        self.assert_lost(protocol, ConnectionDone)

    def test_paused_at_the_end_and_ended(self) -> None:
        """Who doesn't want it any more is told of the end."""
        for verb in ("loseConnection", "abortConnection"):
            protocol, wire = self.connect()
            protocol.link.pauseProducing()
            wire.send(client_frame(BINARY, b"a") + CLOSE_1000)
            wire.fin()
            getattr(protocol.link, verb)()
            self.assertEqual(protocol.ends, [])
            wire.pump()
            self.assertEqual(len(protocol.ends), 1)
            self.assertEqual(protocol.got, [])

    def test_paused_when_the_client_is_lost(self) -> None:
        """There is no whole to wait for."""
        protocol, wire = self.connect()
        protocol.link.pauseProducing()
        wire.send(client_frame(BINARY, b"a"))
        wire.reset()
        wire.pump()
        self.assert_lost(protocol, ConnectionLost, 1006)

    def test_paused_and_ended(self) -> None:
        """The other side's Close is heard, though nothing is delivered."""
        protocol, wire = self.connect()
        protocol.link.pauseProducing()
        wire.send(client_frame(BINARY, bytes(100_000)))
        protocol.link.loseConnection()
        self.assertEqual(self.last_code(wire), 1000)
        wire.send(CLOSE_1000)
        wire.fin()
        self.assert_lost(protocol, ConnectionDone)


class Switching(Case):
    def test_another_protocol(self) -> None:
        """As over TCP, where a protocol hands its transport on to the next."""
        protocol, wire = self.connect()
        wire.send(client_frame(BINARY, b"for the first"))
        other = Noting()
        protocol.link.protocol = other
        other.makeConnection(protocol.link)
        wire.send(client_frame(BINARY, b"for the second"))
        self.assertEqual(protocol.got, [b"for the first"])
        self.assertEqual(other.got, [b"for the second"])
        self.end(wire)
        self.assertEqual((len(protocol.ends), len(other.ends)), (0, 1))


class Producing(Case):
    """Who produces is asked for no more than the client takes."""

    def test_streaming(self) -> None:
        protocol, wire = self.connect()
        producer = Producer()
        protocol.link.registerProducer(producer, True)
        protocol.link.write(b"x")
        wire.pump()
        self.assertEqual(producer.asked, [])
        wire.stall()
        protocol.link.write(LARGE * 8)
        wire.pump()
        self.assertEqual(producer.asked, ["pause"])
        wire.unstall()
        self.assertEqual(self.data(wire), b"x" + LARGE * 8)
        self.assertEqual(producer.asked, ["pause", "resume"])
        protocol.link.unregisterProducer()
        protocol.link.write(LARGE)
        wire.pump()
        self.assertEqual(producer.asked, ["pause", "resume"])

    def test_a_file(self) -> None:
        """A pull producer: bit by bit, to its end, then ours."""

        class Sends(Noting):
            def connectionMade(self) -> None:
                sent = FileSender().beginFileTransfer(BytesIO(LARGE), self.link)
                sent.addCallback(lambda _: self.link.write(b"end"))
                self.link.loseConnection()

        _, wire = self.connect(Sends)
        wire.stall()
        for _ in range(1000):
            self.clock.advance(0)
        self.assertLess(wire.protocol.peer.buffered, len(LARGE))
        wire.unstall()
        self.assertEqual(self.data(wire), LARGE + b"end")
        self.assertEqual(self.last_code(wire), 1000)

    def test_one_that_says_nothing_more(self) -> None:
        """A streaming producer that was paused doesn't keep the connection."""
        protocol, wire = self.connect()
        producer = Producer()
        protocol.link.registerProducer(producer, True)
        protocol.link.write(LARGE)
        protocol.link.loseConnection()
        self.assertEqual(self.data(wire), LARGE)
        wire.pump()
        self.assertEqual(self.last_code(wire), 1000)
        self.assertEqual(producer.asked, ["pause", "resume", "stop"])

    def test_stopped_at_the_end(self) -> None:
        protocol, wire = self.connect()
        producer = Producer()
        protocol.link.registerProducer(producer, True)
        wire.reset()
        wire.pump()
        self.assertEqual(producer.asked, ["stop"])
        protocol.link.unregisterProducer()
        late = Producer()
        protocol.link.registerProducer(late, True)
        self.assertEqual(late.asked, ["stop"])

    def test_a_producer_that_fails(self) -> None:
        """As a protocol that does."""

        class Failing(Producer):
            def resumeProducing(self) -> None:
                raise ZeroDivisionError

            def stopProducing(self) -> None:
                raise ZeroDivisionError

        protocol, wire = self.connect()
        protocol.link.registerProducer(Failing(), False)
        self.assertEqual(self.last_code(wire), 1011)
        wire.reset()
        wire.pump()
        self.assert_lost(protocol, ZeroDivisionError)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_only_one(self) -> None:
        protocol, _ = self.connect()
        protocol.link.registerProducer(Producer(), True)
        self.assertRaises(
            RuntimeError, protocol.link.registerProducer, Producer(), True
        )

    def test_the_client_is_held_back_by_another(self) -> None:
        """What a slow client doesn't take holds back the one who sends it."""
        front, slow = self.connect()
        factory = self.factory
        back, fast = self.connect()
        front.link.registerProducer(back.link, True)
        back.dataReceived = front.link.write
        slow.stall()
        sent = 0
        while not fast.is_paused:
            fast.send(client_frame(BINARY, LARGE[:65536]))
            self.clock.advance(0)
            sent += 65536
            self.assertLess(sent, 32 << 20)
        self.assertLess(front.link.peer.buffered, 4 << 20)
        self.assertIsNotNone(factory)
        slow.unstall()
        for _ in range(200):
            slow.pump()
            fast.pump()
        self.assertFalse(fast.is_paused)
        self.assertEqual(len(self.data(slow)), sent)


class Factories(Case):
    """What the factory is asked for."""

    def test_it_refuses(self) -> None:
        """A factory that builds nothing."""

        class Refusing(Factory):
            def buildProtocol(self, addr: object) -> None:
                return None

        factory = WrappingFactory(Refusing(), clock=self.clock, ping_frequency=None)
        wire = MemoryWire(factory, self.clock)
        self.addCleanup(self.end, wire)
        wire.send(request())
        self.assertEqual(self.last_code(wire), 1008)

    def test_drain(self) -> None:
        """What was written goes out, however slow the client was until then."""
        protocol, wire = self.connect()
        wire.stall()
        protocol.link.write(LARGE * 8)
        wire.pump()
        drained = self.factory.drain()
        wire.unstall()
        self.assertEqual(self.data(wire), LARGE * 8)
        self.assertEqual(self.last_code(wire), 1001)
        wire.send(client_frame(CLOSE, b"\x03\xe9"))
        wire.fin()
        self.successResultOf(drained)
        self.assert_lost(protocol, ConnectionDone)

    def test_started_and_stopped(self) -> None:
        inner = Factory()
        inner.noisy = False
        outer = WrappingFactory(inner)
        outer.doStart()  # type: ignore[no-untyped-call]
        self.assertEqual(inner.numPorts, 1)
        outer.doStop()  # type: ignore[no-untyped-call]
        self.assertEqual(inner.numPorts, 0)

    def test_only_path(self) -> None:
        protocols: list[Any] = []
        factory = Factory.forProtocol(lambda: protocols.append(1) or Noting())
        for line, status in (("/chat", b"101"), ("/chat?x", b"101"), ("/", b"404")):
            wrapping = WrappingFactory(
                factory, clock=self.clock, on_request=only_path("/chat")
            )
            wire = MemoryWire(wrapping, self.clock)
            self.addCleanup(self.end, wire)
            wire.send(request(f"GET {line} HTTP/1.1"))
            self.assertEqual(wire.response.split(b" ")[1], status)
        self.assertEqual(len(protocols), 2)

    def test_over_tls(self) -> None:
        """Seen from the protocol it is TLS, too."""

        class Secure(MemoryTransport):
            def getPeerCertificate(self) -> str:
                return "certificate"

        noting = Noting()
        factory = WrappingFactory(Factory.forProtocol(lambda: noting), clock=self.clock)
        wire = MemoryWire(factory, self.clock)
        wire.protocol.connectionLost(Failure(ConnectionLost()))
        transport = Secure(self.clock)
        alsoProvides(transport, ISSLTransport)
        protocol = transport.protocol = factory.buildProtocol(None)
        protocol.makeConnection(transport)
        protocol.dataReceived(request())
        self.assertTrue(ISSLTransport.providedBy(noting.link))
        self.assertEqual(noting.link.getPeerCertificate(), "certificate")
        noting.link.setTcpNoDelay(True)
        noting.link.setTcpKeepAlive(True)
        protocol.peer.close()
        self.clock.advance(0)

    def test_the_options_of_tcp(self) -> None:
        """They are those of the connection below."""
        self.wire_class = SocketWire
        protocol, _ = self.connect()
        protocol.link.setTcpKeepAlive(True)
        self.assertTrue(protocol.link.getTcpKeepAlive())
        protocol.link.setTcpNoDelay(False)
        self.assertFalse(protocol.link.getTcpNoDelay())

    def test_reasons_carry_their_cause(self) -> None:
        protocol, wire = self.connect()
        wire.reset()
        wire.pump()
        self.assertIsInstance(protocol.ends[0].__cause__, ConnectionClosed)


def over_sockets(case: type[Case]) -> type[Case]:
    """The same cases over real sockets."""
    return type(f"{case.__name__}OverSockets", (case,), {"wire_class": SocketWire})


StreamingOverSockets = over_sockets(Streaming)
TextOverSockets = over_sockets(Text)
EndingOverSockets = over_sockets(Ending)
HalfClosingOverSockets = over_sockets(HalfClosing)
PausingOverSockets = over_sockets(Pausing)
ProducingOverSockets = over_sockets(Producing)
