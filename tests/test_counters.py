"""What is counted: of a connection, and of all of a factory."""

from __future__ import annotations

import sys
from threading import Thread
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from txws_simple import Counters, Opcode, Traffic, WebSocketFactory, new
from txws_simple.counters import Tally

from .helpers import client_frame, request
from .ledger import WatchedCase
from .wired import WiredCase
from .wires import MemoryTransport, SocketWire, Wire

TEXT, CLOSE = Opcode.TEXT, Opcode.CLOSE
CLOSE_4001 = client_frame(CLOSE, b"\x0f\xa1")


class Case(WiredCase):
    """What the cases share; which wire they run over is said below."""

    def serve(self, handler: Any = lambda peer: Deferred(), **options: Any) -> None:
        self.factory = WebSocketFactory(handler, clock=self.clock, **options)

    def connect(self, *segments: bytes) -> Wire:
        return self.connected(self.factory, *segments)

    def count(self) -> Counters:
        return self.factory.counters()


class Connections(Case):
    def test_nothing_yet(self) -> None:
        self.serve()
        self.assertEqual(self.count(), (0, 0, 0, 0, {}, {}, 0, 0, 0, 0, 0))

    def test_one_comes_and_goes(self) -> None:
        self.serve()
        wire = self.connect()
        self.assertEqual(self.count()[:4], (1, 1, 0, 0))
        wire.send(request())
        self.assertEqual(self.count()[:4], (1, 1, 1, 1))
        wire.send(CLOSE_4001)
        wire.fin()
        self.assertEqual(self.count()[:4], (1, 0, 1, 0))
        self.assertEqual(self.count().closed, {(4001, "remote"): 1})
        self.assertEqual(self.count().refused, {})

    def test_how_they_end(self) -> None:
        self.serve()
        self.connect(request()).reset()
        self.connect(request()).reset()
        wire = self.connect(request())
        wire.protocol.peer.close()
        wire.advance(0)
        self.assertEqual(self.count().closed, {(1006, "remote"): 2, (1006, "local"): 1})

    def test_refused(self) -> None:
        """By status, once each, and they count as connected while they linger."""
        self.serve(origins=["https://a"])
        wires = [
            self.connect(request()),
            self.connect(request(Origin="b")),
            self.connect(b"\x16"),
        ]
        self.assertEqual(self.count().refused, {403: 2, 400: 1})
        self.assertEqual(self.count()[:4], (3, 3, 0, 0))
        for wire in wires:
            wire.fin()
        self.assertEqual(self.count()[:4], (3, 0, 0, 0))
        self.assertEqual(self.count().closed, {})

    def test_gone_before_the_request(self) -> None:
        """Neither opened nor refused."""
        self.serve()
        self.connect(b"GET /").fin()
        self.assertEqual(self.count(), (1, 0, 0, 0, {}, {}, 0, 0, 0, 0, 0))


class Passing(Case):
    def test_both_ways(self) -> None:
        """Frames of data, and the bytes of all frames, but not of the handshake."""
        self.serve(lambda peer: peer.each(peer.write))
        wire = self.connect(request() + client_frame(TEXT, b"hello"))
        wire.send(client_frame(TEXT, b"a", fin=False) + client_frame(Opcode.PING))
        wire.send(client_frame(Opcode.CONTINUATION, b"b" * 200))
        expected = Traffic(3, 11 + 7 + 6 + 208, 3, 7 + 3 + 2 + 204)
        wire.pump()
        self.assertEqual(wire.protocol.peer.traffic, expected)
        self.assertEqual(self.count()[7:], expected)
        wire.reset()
        self.assertEqual(wire.protocol.peer.traffic, expected)
        self.assertEqual(self.count()[7:], expected)

    def test_of_all(self) -> None:
        """Of those that are gone, and of those that are not."""
        self.serve(lambda peer: peer.each(lambda frame: None))
        frame = client_frame(TEXT, b"x")
        self.connect(request(), frame).reset()
        self.connect(request(), frame, frame)
        self.connect(request(), frame * 3)
        self.assertEqual(self.count().frames_in, 6)
        self.assertEqual(self.count().bytes_in, 42)

    def test_a_frame_that_is_cut(self) -> None:
        """Its bytes count as they come, it when it is whole."""
        self.serve()
        frame = client_frame(TEXT, b"x" * 10)
        wire = self.connect(request(), frame[:9])
        self.assertEqual(wire.protocol.peer.traffic, (0, 9, 0, 0))
        wire.send(frame[9:])
        self.assertEqual(wire.protocol.peer.traffic, (1, 16, 0, 0))

    def test_what_has_not_gone(self) -> None:
        """It is buffered; with the connection it is lost, and never counts."""
        self.serve(max_buffered=10**9)
        wire = self.connect(request())
        peer = wire.protocol.peer
        wire.stall()
        for _ in range(3):
            peer.write(b"x" * 1_000_000)
        count, size = self.count(), 3 * 1_000_010
        self.assertGreater(count.buffered, 1_000_000)
        self.assertEqual(count.bytes_out + count.buffered, size)
        self.assertEqual(count.frames_out, 3)
        wire.protocol.peer.close()
        wire.advance(0)
        self.assertEqual(self.count().buffered, 0)
        self.assertLess(self.count().bytes_out, size)

    def test_what_was_withdrawn(self) -> None:
        """Its bytes have not gone; that it was written stays true."""
        self.serve()
        wire = self.connect(request())
        peer = wire.protocol.peer
        wire.stall()
        peer.write(b"x" * 1_000_000)
        late = peer.write(b"late" * 30_000, timeout=1)
        before = self.count().buffered
        self.clock.advance(1)
        self.failureResultOf(late, TimeoutError)
        self.assertEqual(before - self.count().buffered, 120_010)
        self.assertEqual(self.count().frames_out, 2)

    def test_not_even_the_answer(self) -> None:
        """What goes before the first frame is not counted below zero."""
        self.serve()
        wire = self.connect()
        wire.stall()
        wire.send(request())
        self.assertGreaterEqual(self.count().bytes_out, 0)


class ConnectionsOverSockets(Connections):
    wire_class = SocketWire


class PassingOverSockets(Passing):
    wire_class = SocketWire


class Alone(WatchedCase):
    def test_of_a_peer_without_a_factory(self) -> None:
        transport = MemoryTransport(Clock())
        peer = new(transport, handshaked=True, clock=Clock())
        transport.protocol.dataReceived(client_frame(TEXT, b"x"))
        self.assertEqual(peer.traffic, (1, 7, 0, 0))
        peer.write("ab")
        self.assertEqual(peer.traffic, (1, 7, 1, 4))
        transport.lose(ConnectionError())


class Line:
    """A connection over which one frame has come."""

    buffered = 0
    traffic = Traffic(1, 1, 1, 1)


class Threads(WatchedCase):
    def test_no_sum_is_in_between(self) -> None:
        """Another thread sees each connection once: here, or gone."""
        tally: Tally[Line] = Tally()
        seen: list[Counters] = []

        def look() -> None:
            for _ in range(500):
                seen.append(tally.count())

        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(1e-6)
        thread = Thread(target=look)
        thread.start()
        while thread.is_alive():
            lines = [Line() for _ in range(5)]
            for line in lines:
                tally.made(line)
            for line in lines:
                tally.lost(line)
        thread.join()
        self.assertEqual(len(seen), 500)
        for count in seen:
            self.assertEqual(count.frames_in, count.connections)


del Case
