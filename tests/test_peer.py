"""The peer's verbs, over memory and over real sockets."""

from __future__ import annotations

import builtins
import tracemalloc
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from txws_simple import (
    BufferOverrun,
    CloseTimeout,
    ConnectionClosed,
    Frame,
    IRequest,
    IWebSocketPeer,
    Opcode,
    PongTimeout,
    ProtocolError,
    TimedOut,
    WebSocketFactory,
    WebSocketPeer,
)

from .helpers import client_frame, request
from .ledger import WatchedCase
from .wires import MemoryWire, SocketWire, Wire

TEXT, BINARY, CONTINUATION = Opcode.TEXT, Opcode.BINARY, Opcode.CONTINUATION
BIG = b"x" * (8 * 1024 * 1024)


def close_frame(code: int, reason: str = "") -> bytes:
    return client_frame(Opcode.CLOSE, code.to_bytes(2, "big") + reason.encode())


class PeerCase(WatchedCase):
    """What the cases share; which wire they run over is said below."""

    wire_class: type[Wire] = MemoryWire

    def connect(self, **options: Any) -> tuple[WebSocketPeer, Wire]:
        """A peer after its handshake, in nobody's hands but the test's."""
        clock = Clock()
        peers: list[WebSocketPeer] = []

        def keep(peer: WebSocketPeer) -> Deferred[None]:
            peers.append(peer)
            return Deferred()

        factory = WebSocketFactory(keep, clock=clock, **options)
        wire = self.wire_class(factory, clock)
        if isinstance(wire, SocketWire):
            self.addCleanup(wire.end)
        wire.send(request("GET /path?q=1 HTTP/1.1", Origin="https://a.example"))
        self.assertTrue(wire.got.startswith(b"HTTP/1.1 101 "), wire.got)
        wire.got = b""
        self.addCleanup(lambda: self.assertEqual(clock.getDelayedCalls(), []))
        self.addCleanup(lambda: self.end(peers[0], wire))
        return peers[0], wire

    def end(self, peer: WebSocketPeer, wire: Wire) -> None:
        peer.close()
        wire.clock.advance(0)
        wire.pump()

    def failure(self, deferred: Deferred[Any], kind: type[Exception]) -> Any:
        """The exception that a Deferred has failed with."""
        return self.failureResultOf(deferred, kind).value


class Reading(PeerCase):
    def test_provides_the_interface(self) -> None:
        peer, _ = self.connect()
        verifyObject(IWebSocketPeer, peer)
        verifyObject(IRequest, peer.request)

    def test_request(self) -> None:
        """What was asked for is there to be looked at."""
        peer, _ = self.connect()
        assert peer.request is not None
        self.assertEqual(
            (peer.request.path, peer.request.query, peer.request.origin),
            ("/path", "q=1", "https://a.example"),
        )

    def test_read_before_and_after_arrival(self) -> None:
        peer, wire = self.connect()
        before = peer.read()
        self.assertNoResult(before)
        wire.send(client_frame(TEXT, b"one") + client_frame(BINARY, b"two"))
        self.assertEqual(self.successResultOf(before), Frame(TEXT, b"one"))
        self.assertEqual(self.successResultOf(peer.read()), Frame(BINARY, b"two"))

    def test_fragments_one_by_one(self) -> None:
        peer, wire = self.connect()
        wire.send(client_frame(TEXT, b"a", False) + client_frame(CONTINUATION, b"b"))
        self.assertEqual(self.successResultOf(peer.read()), Frame(TEXT, b"a", False))
        self.assertEqual(self.successResultOf(peer.read()), Frame(CONTINUATION, b"b"))

    def test_first_come_first_served(self) -> None:
        peer, wire = self.connect()
        reads = [peer.read() for _ in range(3)]
        for data in (b"0", b"1", b"2"):
            wire.send(client_frame(BINARY, data))
        self.assertEqual(
            [self.successResultOf(read).data for read in reads], [b"0", b"1", b"2"]
        )

    def test_timeout_loses_nothing(self) -> None:
        """A half-arrived frame goes on arriving, for the next read."""
        peer, wire = self.connect()
        frame = client_frame(TEXT, b"hello")
        first = peer.read(timeout=3)
        wire.send(frame[:7])
        wire.advance(3)
        self.assertIsInstance(self.failure(first, TimedOut), builtins.TimeoutError)
        second = peer.read(timeout=3)
        wire.send(frame[7:])
        self.assertEqual(self.successResultOf(second), Frame(TEXT, b"hello"))
        wire.advance(5)

    def test_cancelling_loses_nothing(self) -> None:
        peer, wire = self.connect()
        first, second = peer.read(), peer.read()
        first.cancel()
        self.failure(first, CancelledError)
        wire.send(client_frame(TEXT, b"hello"))
        self.assertEqual(self.successResultOf(second), Frame(TEXT, b"hello"))

    def test_bad_timeout(self) -> None:
        peer, wire = self.connect()
        wire.send(client_frame(TEXT, b"kept"))
        for timeout in (-1, float("nan"), float("inf")):
            self.failure(peer.read(timeout), ValueError)
        self.failure(peer.read("1"), TypeError)  # type: ignore[arg-type]
        self.assertEqual(self.successResultOf(peer.read(0)), Frame(TEXT, b"kept"))

    def test_receive_assembles(self) -> None:
        peer, wire = self.connect()
        waiting = peer.receive()
        wire.send(client_frame(TEXT, "grü".encode()[:3], False))
        self.assertNoResult(waiting)
        wire.send(client_frame(CONTINUATION, "grü".encode()[3:], False))
        wire.send(client_frame(CONTINUATION, b"n") + client_frame(BINARY, b"\xff"))
        self.assertEqual(self.successResultOf(waiting), "grün")
        self.assertEqual(self.successResultOf(peer.receive()), b"\xff")

    def test_receive_timeout_keeps_fragments(self) -> None:
        peer, wire = self.connect()
        waiting = peer.receive(timeout=1)
        wire.send(client_frame(TEXT, b"a", False))
        wire.advance(1)
        self.failure(waiting, TimeoutError)
        wire.send(client_frame(CONTINUATION, b"b"))
        self.assertEqual(self.successResultOf(peer.receive()), "ab")

    def test_receive_within_a_message(self) -> None:
        """That is a mistake of the application, and costs no byte."""
        peer, wire = self.connect()
        wire.send(client_frame(TEXT, b"a", False) + client_frame(CONTINUATION, b"b"))
        self.successResultOf(peer.read())
        self.failure(peer.receive(), RuntimeError)
        self.assertEqual(self.successResultOf(peer.read()), Frame(CONTINUATION, b"b"))
        wire.send(client_frame(TEXT, b"c"))
        self.assertEqual(self.successResultOf(peer.receive()), "c")

    def test_frames_and_messages_in_turn(self) -> None:
        peer, wire = self.connect()
        frame, message = peer.read(), peer.receive()
        wire.send(client_frame(TEXT, b"a") + client_frame(TEXT, b"b"))
        self.assertEqual(self.successResultOf(frame).data, b"a")
        self.assertEqual(self.successResultOf(message), "b")

    def test_cancelling_serves_who_waits_behind(self) -> None:
        peer, wire = self.connect()
        message = peer.receive()
        wire.send(client_frame(TEXT, b"a", False))
        frame = peer.read()
        self.assertNoResult(frame)
        message.cancel()
        self.failure(message, CancelledError)
        self.assertEqual(self.successResultOf(frame), Frame(TEXT, b"a", False))

    def test_timeout_in_a_chain(self) -> None:
        """A result that led to something to wait for can still be cancelled."""
        peer, wire = self.connect()
        wire.send(client_frame(TEXT, b"a"))
        inner: Deferred[None] = Deferred()
        chained = peer.read().addCallback(lambda _: inner)
        chained.addTimeout(1, wire.clock)
        wire.advance(1)
        self.failure(chained, defer.TimeoutError)
        self.assertTrue(inner.called)

    def test_async_for_ends_normally(self) -> None:
        peer, wire = self.connect()
        got = []

        async def collect() -> str:
            async for frame in peer:
                got.append(frame.data)
            return "done"

        done = Deferred.fromCoroutine(collect())
        wire.send(client_frame(TEXT, b"a") + client_frame(TEXT, b"b"))
        wire.send(close_frame(1000))
        self.assertEqual((self.successResultOf(done), got), ("done", [b"a", b"b"]))

    def test_async_with_shuts_down(self) -> None:
        peer, wire = self.connect()

        async def visit() -> None:
            async with peer as same:
                self.assertIs(same, peer)

        done = Deferred.fromCoroutine(visit())
        self.assertEqual(wire.frames, [Frame(Opcode.CLOSE, b"\x03\xe8")])
        wire.send(close_frame(1000))
        wire.fin()
        self.successResultOf(done)

    def test_async_with_failing(self) -> None:
        peer, wire = self.connect()

        async def visit() -> None:
            async with peer:
                raise LookupError

        done = Deferred.fromCoroutine(visit())
        self.assertEqual(wire.frames, [Frame(Opcode.CLOSE, b"\x03\xf3")])
        wire.send(close_frame(1011))
        wire.fin()
        self.failure(done, LookupError)

    def test_async_with_thrown_away(self) -> None:
        """A coroutine that is collected can't wait for the end."""
        peer, wire = self.connect()

        async def visit() -> None:
            async with peer:
                await Deferred[None]()

        coroutine = visit()
        coroutine.send(None)
        coroutine.close()  # which complains of one that awaits
        self.assertEqual(wire.frames, [Frame(Opcode.CLOSE, b"\x03\xf3")])


class Each(PeerCase):
    def test_echo(self) -> None:
        peer, wire = self.connect()
        done = peer.each(peer.write)
        wire.send(client_frame(TEXT, b"a", False) + client_frame(CONTINUATION, b"b"))
        self.assertEqual(
            wire.frames, [Frame(TEXT, b"a", False), Frame(CONTINUATION, b"b")]
        )
        self.assertNoResult(done)
        wire.send(close_frame(1001))
        self.assertIsNone(self.successResultOf(done))

    def test_takes_what_lies_there(self) -> None:
        peer, wire = self.connect()
        wire.send(client_frame(TEXT, b"a") + client_frame(TEXT, b"b"))
        got: list[bytes] = []
        peer.each(lambda frame: got.append(frame.data)).addErrback(lambda _: None)
        self.assertEqual(got, [b"a", b"b"])

    def test_deferred_holds_back(self) -> None:
        peer, wire = self.connect()
        got: list[bytes] = []
        gate: Deferred[None] = Deferred()

        def receiver(frame: Frame) -> Deferred[None] | None:
            got.append(frame.data)
            return gate if frame.data == b"a" else None

        done = peer.each(receiver)
        wire.send(client_frame(TEXT, b"a") + client_frame(TEXT, b"b"))
        wire.send(client_frame(TEXT, b"c") + close_frame(1000))
        self.assertEqual(got, [b"a"])
        self.assertNoResult(done)
        gate.callback(None)
        self.assertEqual(got, [b"a", b"b", b"c"])
        self.assertIsNone(self.successResultOf(done))

    def test_coroutine_holds_back(self) -> None:
        peer, wire = self.connect()
        got: list[bytes] = []
        gate: Deferred[None] = Deferred()

        async def receiver(frame: Frame) -> None:
            got.append(frame.data)
            await gate

        peer.each(receiver).addErrback(lambda _: None)
        wire.send(client_frame(TEXT, b"a") + client_frame(TEXT, b"b"))
        self.assertEqual(got, [b"a"])
        gate.callback(None)
        self.assertEqual(got, [b"a", b"b"])

    def test_receiver_raises(self) -> None:
        """Its error comes out, and frames go on to the next reader."""
        peer, wire = self.connect()
        done = peer.each(lambda frame: 1 / 0)
        wire.send(client_frame(TEXT, b"a") + client_frame(TEXT, b"b"))
        self.failure(done, ZeroDivisionError)
        self.assertEqual(self.successResultOf(peer.read()).data, b"b")

    def test_receiver_fails_later(self) -> None:
        peer, wire = self.connect()
        gate: Deferred[None] = Deferred()
        done = peer.each(lambda frame: gate)
        wire.send(client_frame(TEXT, b"a"))
        gate.errback(LookupError())
        self.failure(done, LookupError)

    def test_ended_with_others_behind(self) -> None:
        """Whoever waits behind is served, and nobody stays paused."""
        for how in ("cancel", "fail"):
            peer, wire = self.connect()
            gate: Deferred[None] = Deferred()
            done = peer.each(lambda frame, gate=gate: gate)
            for _ in range(3):
                wire.send(client_frame(BINARY, b"x" * 40_000))
            read = peer.read()
            self.assertTrue(wire.is_paused)
            if how == "cancel":
                done.cancel()
                self.failure(done, CancelledError)
            else:
                gate.errback(LookupError())
                self.failure(done, LookupError)
            self.assertEqual(len(self.successResultOf(read).data), 40_000)
            self.successResultOf(peer.read())
            wire.pump()
            self.assertFalse(wire.is_paused)

    def test_many_answers_to_one_segment(self) -> None:
        """Who returns the writes is held back within a segment, too."""
        peer, wire = self.connect(max_buffered=1_000_000)
        done = peer.each(lambda frame: peer.write(b"y" * 100_000))
        wire.send(client_frame(BINARY) * 300)
        self.assertEqual(len(wire.frames), 300)
        self.assertNoResult(done)
        done.addErrback(lambda _: None)

    def test_receiver_leaves(self) -> None:
        """Even what is no Exception ends only this."""
        peer, wire = self.connect()

        def receiver(frame: Frame) -> None:
            raise SystemExit

        done = peer.each(receiver)
        wire.send(client_frame(TEXT, b"a") + client_frame(TEXT, b"b"))
        self.failureResultOf(done, SystemExit)
        self.assertEqual(self.successResultOf(peer.read()).data, b"b")
        self.successResultOf(peer.write("still open"))

    def test_cancelled(self) -> None:
        peer, wire = self.connect()
        done = peer.each(lambda frame: done.cancel())
        wire.send(client_frame(TEXT, b"a") + client_frame(TEXT, b"b"))
        self.failure(done, CancelledError)
        self.assertEqual(self.successResultOf(peer.read()).data, b"b")

    def test_close_ends_it_while_held_back(self) -> None:
        peer, wire = self.connect()
        gate: Deferred[None] = Deferred()
        done = peer.each(lambda frame: gate)
        wire.send(client_frame(TEXT, b"a"))
        peer.close()
        self.failure(done, ConnectionClosed)
        gate.callback(None)

    def test_failure_after_close(self) -> None:
        """What the receiver fails with then is logged, if it is news."""
        peer, wire = self.connect()
        gates: list[Deferred[None]] = [Deferred(), Deferred()]
        done = peer.each(lambda frame: gates[0])
        wire.send(client_frame(TEXT, b"a"))
        peer.close()
        self.failure(done, ConnectionClosed)
        gates[0].errback(LookupError())
        self.failure(gates[0], LookupError)

    def test_failure_of_a_receiver_that_has_left(self) -> None:
        """It is logged, and the connection goes on."""
        peer, wire = self.connect()

        def receiver(frame: Frame) -> None:
            done.cancel()
            raise LookupError

        done = peer.each(receiver)
        wire.send(client_frame(TEXT, b"a"))
        self.failure(done, CancelledError)
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)
        wire.send(client_frame(Opcode.PING, b"b"))
        self.assertEqual(wire.frames, [Frame(Opcode.PONG, b"b")])

    def test_backpressure(self) -> None:
        """A client that doesn't read is not read from, and nothing is lost."""
        peer, wire = self.connect(max_frame_size=len(BIG))
        count = 0

        def receiver(frame: Frame) -> Deferred[int]:
            nonlocal count
            count += 1
            return peer.write(b"y" * 1_000_000)

        peer.each(receiver).addErrback(lambda _: None)
        wire.stall()
        for _ in range(20):
            wire.send(client_frame(BINARY, b"z"))
        held = count
        self.assertLess(held, 20)
        wire.unstall()
        wire.pump()
        self.assertEqual(count, 20)
        self.assertEqual(len(wire.frames), 20)


class Writing(PeerCase):
    def test_what_can_be_written(self) -> None:
        peer, wire = self.connect()
        messages = ["é", b"\xff", bytearray(b"a"), memoryview(b"b"), Frame(TEXT, b"c")]
        writes = [peer.write(message) for message in messages]  # type: ignore[arg-type]
        self.assertEqual(
            wire.frames,
            [
                Frame(TEXT, "é".encode()),
                Frame(BINARY, b"\xff"),
                Frame(BINARY, b"a"),
                Frame(BINARY, b"b"),
                Frame(TEXT, b"c"),
            ],
        )
        self.assertEqual([self.successResultOf(w) for w in writes], [4, 3, 3, 3, 3])

    def test_size_counts_the_header(self) -> None:
        peer, wire = self.connect()
        for length, size in (
            (0, 2),
            (125, 127),
            (126, 130),
            (65535, 65539),
            (65536, 65546),
        ):
            write = peer.write(b"x" * length)
            wire.pump()
            self.assertEqual(self.successResultOf(write), size)

    def test_refused_frames(self) -> None:
        """Nothing is sent, and nothing has changed."""
        peer, wire = self.connect()
        self.failure(peer.write(Frame(Opcode.PING, b"")), ValueError)
        self.failure(peer.write(Frame(CONTINUATION, b"")), ValueError)
        self.failure(peer.write(Frame(TEXT, b"\xff")), ValueError)
        self.failure(peer.write("\ud800"), ValueError)
        self.failure(peer.write(Frame(TEXT, "text")), TypeError)  # type: ignore[arg-type]
        self.failure(peer.write(7), TypeError)  # type: ignore[arg-type]
        self.failure(peer.send("x", fragment_size=0), ValueError)
        self.failure(peer.send(Frame(TEXT, b"x")), TypeError)  # type: ignore[arg-type]
        self.assertEqual(wire.frames, [])
        self.successResultOf(peer.write(Frame(TEXT, b"a", False)))
        self.failure(peer.write("b"), ValueError)
        self.successResultOf(peer.write(Frame(CONTINUATION, b"c")))
        self.assertEqual(len(wire.frames), 2)

    def test_send_in_fragments(self) -> None:
        peer, wire = self.connect()
        self.assertEqual(self.successResultOf(peer.send("aéb", fragment_size=2)), 8)
        self.assertEqual(
            wire.frames,
            [Frame(TEXT, b"a\xc3", False), Frame(CONTINUATION, b"\xa9b")],
        )
        self.successResultOf(peer.send(b"", fragment_size=2))
        self.assertEqual(wire.frames[2:], [Frame(BINARY, b"")])

    def test_waits_for_a_slow_reader(self) -> None:
        peer, wire = self.connect(max_buffered=2 * len(BIG))
        wire.stall()
        write = peer.write(BIG)
        wire.pump()
        self.assertNoResult(write)
        self.assertGreater(peer.buffered, len(BIG) // 2)
        wire.unstall()
        self.assertEqual(self.successResultOf(write), len(BIG) + 10)
        self.assertEqual((peer.buffered, wire.frames), (0, [Frame(BINARY, BIG)]))

    def test_timeout_withdraws_what_has_not_begun(self) -> None:
        peer, wire = self.connect()
        wire.stall()
        first = peer.write(BIG, timeout=1)
        wire.pump()
        second = peer.write("withdrawn", timeout=1)
        third = peer.write("kept")
        wire.advance(1)
        self.failure(first, TimeoutError)
        self.failure(second, TimeoutError)
        wire.unstall()
        # The first was partly out: it is sent to its end.
        self.assertEqual(wire.frames, [Frame(BINARY, BIG), Frame(TEXT, b"kept")])
        self.assertEqual(self.successResultOf(third), 6)

    def test_withdrawn_fragments(self) -> None:
        """The last fragment can go, and then be written anew; one before it can't."""
        peer, wire = self.connect()
        wire.stall()
        peer.write(BIG)
        wire.pump()
        peer.write(Frame(TEXT, b"a", False))
        second = peer.write(Frame(CONTINUATION, b"b", False))
        third = peer.write(Frame(CONTINUATION, b"c"))
        second.cancel()
        third.cancel()
        peer.write(Frame(CONTINUATION, b"d"))
        wire.unstall()
        self.failure(second, CancelledError)
        self.failure(third, CancelledError)
        self.assertEqual([frame.data for frame in wire.frames[1:]], [b"a", b"b", b"d"])

    def test_loan_of_several_writes(self) -> None:
        """What was lent to the transport can't be withdrawn, nor replaced."""
        peer, wire = self.connect()
        wire.stall()
        peer.write(BIG)
        wire.pump()
        small = [peer.write(b"%03d" % number) for number in range(200)]
        wire.unstall()
        wire.stall()
        wire.send(client_frame(Opcode.PING, b"abc"))
        for write in small[1::2]:
            write.cancel()
            write.addErrback(lambda _: None)
        wire.send(client_frame(Opcode.PING, b"d" * 100))
        wire.unstall()
        rest = [frame.data for frame in wire.frames[1:]]
        self.assertEqual(rest[:200], [b"%03d" % number for number in range(200)])
        self.assertEqual(rest[-1], b"d" * 100)

    def test_cancelling_what_is_done(self) -> None:
        peer, _ = self.connect()
        write = peer.write("x")
        write.cancel()
        self.assertEqual(self.successResultOf(write), 3)

    def test_after_the_end(self) -> None:
        peer, wire = self.connect()
        wire.send(close_frame(4000, "bye"))
        error = self.failure(peer.write("x"), ConnectionClosed)
        self.assertEqual((error.code, error.reason), (4000, "bye"))
        self.failure(peer.ping(), ConnectionClosed)
        wire.fin()
        self.failure(peer.send("x"), ConnectionClosed)

    def test_after_shutdown(self) -> None:
        peer, _ = self.connect()
        peer.shutdown()
        self.assertEqual(self.failure(peer.write("x"), ConnectionClosed).code, 1006)

    def test_nobody_has_to_listen(self) -> None:
        """Writes that nobody waits for end in silence when the connection does."""
        peer, wire = self.connect()
        wire.stall()
        peer.write(BIG)
        peer.write("x")
        peer.ping()
        wire.reset()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_overrun(self) -> None:
        """A listener too slow to keep is not kept."""
        peer, wire = self.connect(max_buffered=1_000_000)
        wire.stall()
        first = peer.write(BIG)
        wire.pump()
        second = peer.write("one more")
        self.failure(first, ConnectionClosed)
        self.failure(second, ConnectionClosed)
        self.assertIsInstance(peer.error(), BufferOverrun)
        self.assertTrue(wire.is_aborted)

    def test_close_discards(self) -> None:
        peer, wire = self.connect()
        wire.stall()
        write = peer.write(b"x" * (64 * 1024 * 1024))
        wire.pump()
        peer.close()
        self.failure(write, ConnectionClosed)
        self.assertEqual(peer.buffered, 0)
        wire.advance(0)
        self.assertTrue(wire.is_aborted)

    def test_reset_within_a_write(self) -> None:
        peer, wire = self.connect()
        wire.stall()
        write = peer.write(BIG)
        read = peer.read()
        wire.pump()
        wire.reset()
        self.assertEqual(self.failure(write, ConnectionClosed).code, 1006)
        self.assertEqual(self.failure(read, ConnectionClosed).code, 1006)

    def test_order_of_many(self) -> None:
        """Small and large ones leave in their order."""
        peer, wire = self.connect()
        sizes = [3, 70_000, 0, 20_000, 1, 300_000, 126]
        writes = [peer.write(b"%c" % (65 + i) * size) for i, size in enumerate(sizes)]
        wire.pump()
        self.assertEqual([len(frame.data) for frame in wire.frames], sizes)
        for write in writes:
            self.successResultOf(write)


class Pinging(PeerCase):
    def test_ping_and_pong(self) -> None:
        peer, wire = self.connect()
        ping = peer.ping(b"abc")
        self.assertEqual(wire.frames, [Frame(Opcode.PING, b"abc")])
        wire.clock.advance(2)
        wire.send(client_frame(Opcode.PONG, b"abc"))
        self.assertEqual((self.successResultOf(ping), peer.latency), (2, 2))

    def test_pong_answers_for_earlier_pings(self) -> None:
        peer, wire = self.connect()
        pings = [peer.ping(), peer.ping(), peer.ping(b"x"), peer.ping(b"y")]
        wire.send(client_frame(Opcode.PONG, b"nobody asked"))
        self.assertNoResult(pings[0])
        wire.send(client_frame(Opcode.PONG, b"x"))
        for ping in pings[:3]:
            self.assertEqual(self.successResultOf(ping), 0)
        self.assertNoResult(pings[3])
        pings[3].cancel()
        self.failure(pings[3], CancelledError)

    def test_closing_when_a_pong_arrives(self) -> None:
        peer, wire = self.connect()
        pings = [peer.ping(b"1"), peer.ping(b"2"), peer.ping(b"3")]
        pings[0].addCallback(lambda _: peer.close())
        wire.send(client_frame(Opcode.PONG, b"2"))
        self.assertEqual(self.successResultOf(pings[1]), 0)
        self.failure(pings[2], ConnectionClosed)

    def test_cancelling_when_a_pong_arrives(self) -> None:
        peer, wire = self.connect()
        pings = [peer.ping(b"1"), peer.ping(b"2"), peer.ping(b"3")]
        pings[0].addCallback(lambda _: pings[1].cancel())
        wire.send(client_frame(Opcode.PONG, b"2"))
        self.failure(pings[1], CancelledError)
        self.assertNoResult(pings[2])
        pings[2].addErrback(lambda _: None)

    def test_too_long(self) -> None:
        peer, wire = self.connect()
        self.failure(peer.ping("text"), TypeError)  # type: ignore[arg-type]
        self.failure(peer.ping(b"x" * 126), ValueError)
        self.assertEqual(wire.frames, [])

    def test_lost(self) -> None:
        peer, wire = self.connect()
        ping = peer.ping()
        wire.fin()
        self.failure(ping, ConnectionClosed)

    def test_answers_each_ping(self) -> None:
        _, wire = self.connect()
        wire.send(client_frame(Opcode.PING, b"1") + client_frame(Opcode.PING, b"2"))
        self.assertEqual(
            wire.frames, [Frame(Opcode.PONG, b"1"), Frame(Opcode.PONG, b"2")]
        )

    def test_flood_of_pings(self) -> None:
        """Of pings that can't be answered for want of room, the last is."""
        peer, wire = self.connect()
        wire.stall()
        peer.write(BIG)
        wire.pump()
        before = peer.buffered
        for number in range(1000):
            wire.send(client_frame(Opcode.PING, b"%d" % number))
        self.assertLessEqual(peer.buffered, before + 127)
        wire.unstall()
        self.assertEqual(wire.frames[1:], [Frame(Opcode.PONG, b"999")])

    def test_flood_of_large_pings(self) -> None:
        """In one segment: of their answers a part is on its way when one more comes."""
        peer, wire = self.connect()
        wire.stall()
        sent = [b"%0125d" % number for number in range(1000)]
        segment = b"".join(client_frame(Opcode.PING, data) for data in sent)
        for data in (segment, client_frame(Opcode.PING, b"1")):
            wire.protocol.dataReceived(data)
        wire.unstall()
        self.assertEqual([frame.data for frame in wire.frames], [*sent, b"1"])
        self.assertEqual(peer.buffered, 0)

    def test_pings_of_our_own_are_bounded(self) -> None:
        """As other writes are: who takes none is not kept."""
        peer, wire = self.connect(max_buffered=1000)
        wire.stall()
        peer.write(BIG)
        pings = [peer.ping() for _ in range(2)]
        for ping in pings:
            self.failure(ping, ConnectionClosed)
        self.assertIsInstance(peer.error(), BufferOverrun)

    def test_keeps_alive(self) -> None:
        """Pings go out in each period, reading or not; any byte is an answer."""
        peer, wire = self.connect(ping_frequency=20)
        for _ in range(5):
            wire.advance(20)
            wire.send(client_frame(BINARY))
        self.assertEqual([frame.opcode for frame in wire.frames], [Opcode.PING] * 5)
        self.assertIsNone(peer.error())

    def test_gives_up(self) -> None:
        peer, wire = self.connect(ping_frequency=20)
        read = peer.read()
        wire.advance(20)
        wire.advance(20)
        self.assertEqual(
            wire.frames[1:], [Frame(Opcode.CLOSE, b"\x03\xf3pong timeout")]
        )
        wire.advance(10)
        self.assertTrue(wire.is_aborted)
        self.assertIsInstance(peer.error(), PongTimeout)
        self.assertEqual(self.failure(read, ConnectionClosed).code, 1006)

    def test_no_pings(self) -> None:
        _, wire = self.connect(ping_frequency=None)
        wire.advance(1000)
        self.assertEqual(wire.frames, [])

    def test_deaf_does_not_give_up(self) -> None:
        """Whom the application doesn't listen to can't be heard to be dead."""
        peer, wire = self.connect(ping_frequency=20)
        wire.send(client_frame(BINARY, b"x" * 70_000))
        self.assertTrue(wire.is_paused)
        for _ in range(5):
            wire.advance(20)
        self.assertIsNone(peer.error())
        self.assertFalse(wire.is_aborted)

    def test_blocked_is_given_up(self) -> None:
        """A client that takes nothing and says nothing is dead."""
        peer, wire = self.connect(ping_frequency=20)
        wire.stall()
        peer.write(BIG)
        wire.pump()
        for _ in range(5):
            wire.advance(20)
        self.assertIsInstance(peer.error(), PongTimeout)
        self.assertTrue(wire.is_aborted)


class Ending(PeerCase):
    def test_they_close(self) -> None:
        for code in (1000, 1001):
            peer, wire = self.connect()
            read = peer.read()
            wire.send(close_frame(code, "bye"))
            self.assertIsNone(self.successResultOf(read))
            self.assertIsNone(self.successResultOf(peer.read()))
            self.assertIsNone(self.successResultOf(peer.receive()))
            self.assertEqual(
                (peer.close_code, peer.close_reason, peer.closed_by),
                (code, "bye", "remote"),
            )
            self.assertEqual(len(wire.frames), 1)
            self.assertTrue(wire.is_ended)
            wire.fin()
            self.assertIsNone(peer.error())

    def test_they_close_without_code(self) -> None:
        peer, wire = self.connect()
        wire.send(client_frame(Opcode.CLOSE))
        self.assertIsNone(self.successResultOf(peer.read()))
        self.assertEqual(
            (peer.close_code, wire.frames), (1005, [Frame(Opcode.CLOSE, b"")])
        )

    def test_they_close_with_another_code(self) -> None:
        peer, wire = self.connect()
        wire.send(client_frame(TEXT, b"last") + close_frame(4001, "why"))
        self.assertEqual(self.successResultOf(peer.read()).data, b"last")
        error = self.failure(peer.read(), ConnectionClosed)
        self.assertEqual(
            (error.code, error.reason, str(error)), (4001, "why", "4001 'why'")
        )
        wire.fin()
        self.assertIsNone(peer.error())

    def test_close_between_fragments(self) -> None:
        """The fragments that came can be read; no message is there."""
        peer, wire = self.connect()
        message = peer.receive()
        wire.send(client_frame(TEXT, b"a", False) + close_frame(1000))
        self.assertIsNone(self.successResultOf(message))
        self.assertEqual(self.successResultOf(peer.read()), Frame(TEXT, b"a", False))
        self.assertIsNone(self.successResultOf(peer.read()))

    def test_violation(self) -> None:
        peer, wire = self.connect()
        wire.send(client_frame(TEXT, b"ok") + b"\xff\x80" + client_frame(TEXT, b"no"))
        self.assertEqual(self.successResultOf(peer.read()).data, b"ok")
        self.assertEqual(self.failure(peer.read(), ConnectionClosed).code, 1006)
        self.assertEqual(wire.frames[0].data[:2], b"\x03\xea")
        self.assertEqual(len(wire.frames), 1)
        self.assertIsInstance(peer.error(), ProtocolError)
        self.assertEqual(peer.closed_by, "local")
        self.assertTrue(wire.is_ended)
        wire.advance(10)
        self.assertTrue(wire.is_aborted)
        self.assertEqual(peer.close_code, 1006)

    def test_shutdown(self) -> None:
        """What was written goes first, then a Close; frames are read meanwhile."""
        peer, wire = self.connect()
        peer.write("last words")
        done = peer.shutdown(4000, "enough")
        self.assertEqual(
            wire.frames,
            [Frame(TEXT, b"last words"), Frame(Opcode.CLOSE, b"\x0f\xa0enough")],
        )
        wire.send(client_frame(TEXT, b"mine"))
        self.assertEqual(self.successResultOf(peer.read()).data, b"mine")
        self.assertNoResult(done)
        wire.send(close_frame(4000))
        self.assertTrue(wire.is_ended)
        wire.fin()
        self.assertTrue(self.successResultOf(done))
        self.assertEqual((peer.error(), peer.closed_by), (None, "local"))

    def test_shutdown_twice(self) -> None:
        peer, wire = self.connect()
        first, second = peer.shutdown(), peer.shutdown(1001)
        wire.send(close_frame(1000))
        wire.fin()
        third = peer.shutdown()
        for done in (first, second, third):
            self.assertTrue(self.successResultOf(done))
        self.assertEqual(wire.frames, [Frame(Opcode.CLOSE, b"\x03\xe8")])

    def test_shutdown_refused(self) -> None:
        peer, wire = self.connect()
        for code in (999, 1004, 1005, 1006, 1015, 1016, 2999, 5000):
            self.failure(peer.shutdown(code), ValueError)
        self.failure(peer.shutdown(1000, "x" * 124), ValueError)
        self.failure(peer.shutdown(1000, timeout=-1), ValueError)
        self.failure(peer.shutdown(timeout=None), TypeError)  # type: ignore[arg-type]
        self.assertIsNone(peer.closed_by)
        self.failure(peer.shutdown("1000"), TypeError)  # type: ignore[arg-type]
        self.failure(peer.shutdown(1000, b"x"), TypeError)  # type: ignore[arg-type]
        self.assertEqual(wire.frames, [])
        self.successResultOf(peer.write("still open"))

    def test_shutdown_unanswered(self) -> None:
        peer, wire = self.connect()
        done = peer.shutdown(timeout=5)
        wire.advance(4.9)
        self.assertNoResult(done)
        wire.advance(0.2)
        self.assertFalse(self.successResultOf(done))
        self.assertIsInstance(peer.error(), CloseTimeout)
        self.assertTrue(wire.is_aborted)

    def test_earliest_deadline_counts(self) -> None:
        peer, wire = self.connect()
        first, second = peer.shutdown(timeout=3600), peer.shutdown(timeout=5)
        wire.advance(5)
        self.assertFalse(self.successResultOf(first))
        self.assertFalse(self.successResultOf(second))

    def test_shutdown_cancelled(self) -> None:
        """Who cancels only stops waiting."""
        peer, wire = self.connect()
        first, second = peer.shutdown(), peer.shutdown()
        first.cancel()
        self.failure(first, CancelledError)
        wire.send(close_frame(1000))
        wire.fin()
        self.assertTrue(self.successResultOf(second))

    def test_shutdown_when_lost(self) -> None:
        peer, wire = self.connect()
        done = peer.shutdown()
        wire.reset()
        self.assertFalse(self.successResultOf(done))
        self.assertIsInstance(peer.error(), ConnectionClosed)

    def test_both_at_once(self) -> None:
        peer, wire = self.connect()
        done = peer.shutdown(1000)
        wire.send(close_frame(1001))
        self.assertEqual(wire.frames, [Frame(Opcode.CLOSE, b"\x03\xe8")])
        wire.fin()
        self.assertTrue(self.successResultOf(done))

    def test_shutdown_behind_a_slow_reader(self) -> None:
        peer, wire = self.connect()
        wire.stall()
        peer.write(BIG)
        done = peer.shutdown()
        wire.pump()
        wire.unstall()
        self.assertEqual(wire.frames[-1], Frame(Opcode.CLOSE, b"\x03\xe8"))
        wire.send(close_frame(1000))
        wire.fin()
        self.assertTrue(self.successResultOf(done))

    def test_close_in_the_same_segment(self) -> None:
        """However the stream is cut, what came before the Close is replied to."""
        peer, wire = self.connect()
        peer.each(peer.write).addErrback(lambda _: None)
        wire.send(client_frame(TEXT, b"a") + close_frame(4000))
        self.assertEqual(
            wire.frames, [Frame(TEXT, b"a"), Frame(Opcode.CLOSE, b"\x0f\xa0")]
        )

    def test_violation_in_the_same_segment(self) -> None:
        peer, wire = self.connect()
        peer.each(peer.write).addErrback(lambda _: None)
        wire.send(client_frame(TEXT, b"a") + b"\xff\x80")
        self.assertEqual([frame.opcode for frame in wire.frames], [TEXT, Opcode.CLOSE])

    def test_shutdown_when_they_have_closed(self) -> None:
        """Their code is answered, whatever ours would have been."""
        peer, wire = self.connect()
        peer.read().addBoth(lambda _: peer.shutdown(1011))
        wire.send(close_frame(4000))
        self.assertEqual(wire.frames, [Frame(Opcode.CLOSE, b"\x0f\xa0")])
        self.assertEqual(peer.closed_by, "remote")

    def test_client_that_never_reads_or_closes(self) -> None:
        """After both Closes a client that holds the connection is dropped."""
        peer, wire = self.connect(close_timeout=3)
        wire.send(close_frame(1000))
        self.assertFalse(wire.is_aborted)
        wire.advance(3)
        self.assertTrue(wire.is_aborted)
        self.assertIsNone(peer.error())
        self.assertTrue(self.successResultOf(peer.shutdown()))

    def test_bytes_after_close_are_dropped(self) -> None:
        peer, wire = self.connect()
        wire.send(close_frame(1000) + client_frame(TEXT, b"late"))
        wire.send(client_frame(TEXT, b"later"))
        self.assertIsNone(self.successResultOf(peer.read()))
        self.assertEqual(len(wire.frames), 1)

    def test_no_pong_after_close(self) -> None:
        peer, wire = self.connect()
        peer.shutdown()
        wire.send(client_frame(Opcode.PING, b"?"))
        self.assertEqual([frame.opcode for frame in wire.frames], [Opcode.CLOSE])

    def test_close_discards_the_unread(self) -> None:
        peer, wire = self.connect()
        wire.send(client_frame(TEXT, b"a"))
        reads = peer.shutdown()
        peer.close()
        peer.close()
        self.assertFalse(self.successResultOf(reads))
        self.assertEqual(self.failure(peer.read(), ConnectionClosed).code, 1006)
        self.assertEqual(peer.closed_by, "local")

    def test_fin_without_close(self) -> None:
        """What arrived is read first, then the end."""
        peer, wire = self.connect()
        wire.send(client_frame(TEXT, b"a"))
        wire.fin()
        self.assertEqual(self.successResultOf(peer.read()).data, b"a")
        error = self.failure(peer.read(), ConnectionClosed)
        self.assertEqual(
            (error.code, peer.close_code, peer.closed_by), (1006, 1006, "remote")
        )
        self.assertIsInstance(peer.error(), ConnectionClosed)

    def test_from_within_callbacks(self) -> None:
        """Any verb may be called from anywhere; each Deferred still fires once."""
        peer, wire = self.connect()
        log: list[str] = []

        def on_first(_: object) -> None:
            peer.write("from within")
            peer.read().addBoth(lambda result: log.append(type(result).__name__))
            peer.shutdown().addBoth(lambda result: log.append(repr(result)))
            peer.close()
            log.append("closed")

        peer.read().addCallback(on_first)
        wire.send(client_frame(TEXT, b"a") + client_frame(TEXT, b"b"))
        self.assertEqual(log, ["Frame", "False", "closed"])

    def test_closing_within_each(self) -> None:
        peer, wire = self.connect()
        got: list[bytes] = []

        def receiver(frame: Frame) -> None:
            got.append(frame.data)
            peer.close()

        done = peer.each(receiver)
        wire.send(client_frame(TEXT, b"a") + client_frame(TEXT, b"b"))
        self.failure(done, ConnectionClosed)
        self.assertEqual(got, [b"a"])


class Pausing(PeerCase):
    def test_never_reading_is_bounded(self) -> None:
        """The transport is paused, and resumed when it has been read."""
        peer, wire = self.connect()
        wire.send(client_frame(BINARY, b"x" * 70_000))
        self.assertTrue(wire.is_paused)
        self.successResultOf(peer.read())
        self.assertFalse(wire.is_paused)

    def test_empty_frames_count(self) -> None:
        peer, wire = self.connect()
        wire.send(client_frame(BINARY) * 600)
        self.assertTrue(wire.is_paused)
        for _ in range(600):
            self.successResultOf(peer.read())
        self.assertFalse(wire.is_paused)

    def test_message_larger_than_the_bound(self) -> None:
        """Who waits for a whole message is not paused for its first fragments."""
        peer, wire = self.connect()
        fragment = client_frame(CONTINUATION, b"x" * 60_000, False)
        wire.send(client_frame(BINARY, b"x" * 60_000, False) + fragment)
        self.assertTrue(wire.is_paused)
        message = peer.receive()
        self.assertFalse(wire.is_paused)
        wire.send(fragment)
        self.assertFalse(wire.is_paused)
        wire.send(client_frame(CONTINUATION, b""))
        self.assertEqual(len(self.successResultOf(message)), 180_000)

    def test_paused_and_shut_down(self) -> None:
        """Nothing that arrived is dropped: somebody has to read."""
        peer, wire = self.connect()
        wire.send(client_frame(BINARY, b"x" * 70_000))
        done = peer.shutdown()
        self.successResultOf(peer.read())
        wire.send(close_frame(1000))
        wire.fin()
        self.assertTrue(self.successResultOf(done))


class Flooded(PeerCase):
    """What a client that reads nothing can make the server hold."""

    wire_class = SocketWire

    def test_a_segment_of_pings(self) -> None:
        """Answers that wait are not much more than their bytes."""
        peer, wire = self.connect()
        wire.stall()
        data = client_frame(Opcode.PING) * 10_000
        tracemalloc.start()
        try:
            wire.protocol.dataReceived(data)
            occupied, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        self.assertGreater(peer.buffered, 10_000)
        self.assertLess(occupied, 200_000)


class EndedByOthers(PeerCase):
    """Somebody else ends the transport; only a plain connection can tell."""

    wire_class = SocketWire

    def test_it_is_not_kept_waiting(self) -> None:
        peer, wire = self.connect()
        read = peer.read()
        peer.write("last")
        peer.transport.loseConnection()
        self.assertTrue(wire.is_ended)
        wire.fin()
        self.failure(read, ConnectionClosed)


def over_sockets(case: type[PeerCase]) -> type[PeerCase]:
    """The same cases over real sockets."""
    return type(f"{case.__name__}OverSockets", (case,), {"wire_class": SocketWire})


ReadingOverSockets = over_sockets(Reading)
EachOverSockets = over_sockets(Each)
WritingOverSockets = over_sockets(Writing)
PingingOverSockets = over_sockets(Pinging)
EndingOverSockets = over_sockets(Ending)
PausingOverSockets = over_sockets(Pausing)
