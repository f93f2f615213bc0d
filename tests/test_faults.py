"""What can go wrong, and which test shows what comes of it.

The catalogue of faults, each with the tests that show it:

1. A reset, or TLS that ends without its own end, at any byte.
   test_sweep.test_over_tcp, test_sweep.test_over_tls
2. The end of TCP without a Close.
   test_peer.Ending.test_fin_without_close, test_tcp.test_fin,
   test_sweep.test_over_tcp
3. A client that reads too slowly for large writes.
   test_peer.Writing.test_waits_for_a_slow_reader, test_peer.Writing.test_overrun,
   test_peer.Writing.test_timeout_withdraws_what_has_not_begun,
   test_tcp.test_tls_slow_reader
4. A Close that is never answered.
   test_peer.Ending.test_shutdown_unanswered, test_tcp.test_close_never_answered
5. No pong.
   test_peer.Pinging.test_gives_up, test_peer.Pinging.test_blocked_is_given_up
6. A timeout and its result in the same turn.
   test_faults.AtOnce
7. A read that is cancelled.
   test_peer.Reading.test_cancelling_loses_nothing, test_machine.test_by_walks
8. Writing after the end.
   test_peer.Writing.test_after_the_end, test_peer.Writing.test_after_shutdown
9. A handler that raises, fails later, or returns early.
   test_protocol.Handling, test_faults.Among.test_a_handler_that_fails
10. Any verb from within any callback.
    test_faults.Within, test_peer.Ending.test_from_within_callbacks
11. Shutting down twice, and closing meanwhile.
    test_peer.Ending.test_shutdown_twice,
    test_peer.Ending.test_close_discards_the_unread, test_machine.test_by_walks
12. The service stops.
    test_service.test_signal, test_service.test_stops_though_a_client_does_not_answer,
    test_protocol.Draining
13. An application that never reads.
    test_peer.Pausing, test_faults.Unread, test_properties.test_unread_is_bounded
14. One slow listener of many.
    test_faults.Among.test_a_slow_listener
15. A clock that jumps by an hour, either way.
    test_pinger.Cases.test_clock_jumps_forward,
    test_pinger.Cases.test_clock_jumps_back, test_tcp.test_clock_jumps
16. No file descriptor left to accept with.
    test_load.test_out_of_descriptors
17. Many idle connections.
    test_load.test_idle
18. Many connects at once.
    test_load.test_at_once
19. Many connects and disconnects.
    test_load.test_cycles
20. All of these, at each byte of a session.
    test_sweep.test_over_tcp, test_sweep.test_over_tls
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from txws_simple import (
    BufferOverrun,
    Frame,
    Opcode,
    TimedOut,
    WebSocketFactory,
    WebSocketPeer,
)

from .helpers import client_frame, request, server_frame
from .ledger import WatchedCase
from .scripted import ScriptedWire
from .test_peer import PeerCase, close_frame, over_sockets
from .test_scripted import scripted
from .wires import MemoryWire, SocketWire, Wire

TEXT, BINARY = Opcode.TEXT, Opcode.BINARY

Begin = Callable[[Callable[[object], None]], object]


def test_each_fault_is_shown() -> None:
    """By tests that are there."""
    assert __doc__ is not None
    rows = re.findall(
        r"^(\d+)\. (.*?)(?=^\d+\. |\Z)", __doc__, re.MULTILINE | re.DOTALL
    )
    assert [int(number) for number, _ in rows] == list(range(1, 21))
    for number, row in rows:
        names = re.findall(r"\btest_\w+(?:\.\w+)+", row)
        assert names, number
        for name in names:
            module, *path = name.split(".")
            found: Any = import_module(f"{__package__}.{module}")
            for part in path:
                found = getattr(found, part)
            assert callable(found)


class AtOnce(PeerCase):
    """A deadline, and what was waited for, in one turn: one of them counts."""

    def test_the_frame_comes_first(self) -> None:
        peer, wire = self.connect()
        read, message = peer.read(timeout=3), peer.receive(timeout=3)
        wire.send(client_frame(TEXT, b"a") + client_frame(TEXT, b"b"))
        wire.clock.advance(3)
        self.assertEqual(self.successResultOf(read), Frame(TEXT, b"a"))
        self.assertEqual(self.successResultOf(message), "b")

    def test_the_deadline_comes_first(self) -> None:
        """The frame goes to the next read."""
        peer, wire = self.connect()
        read, message = peer.read(timeout=3), peer.receive(timeout=3)
        wire.clock.advance(3)
        wire.send(client_frame(TEXT, b"a") + client_frame(TEXT, b"b"))
        self.failure(read, TimedOut)
        self.failure(message, TimedOut)
        self.assertEqual(self.successResultOf(peer.read()), Frame(TEXT, b"a"))
        self.assertEqual(self.successResultOf(peer.receive()), "b")

    def test_the_deadline_comes_while_frames_are_handed_out(self) -> None:
        peer, wire = self.connect()
        first, second = peer.read(), peer.read(timeout=3)
        first.addCallback(lambda _: wire.clock.advance(3))
        wire.send(client_frame(TEXT, b"a") + client_frame(TEXT, b"b"))
        self.successResultOf(first)
        self.failure(second, TimedOut)
        self.assertEqual(self.successResultOf(peer.read()), Frame(TEXT, b"b"))

    def test_bytes_leave_at_the_deadline(self) -> None:
        """A write that was told of its bytes is not told of its time, too."""
        peer, wire = self.connect()
        wire.stall()
        write = peer.write(b"x" * 1_000_000, timeout=3)
        wire.pump()
        self.assertNoResult(write)
        wire.unstall()
        wire.clock.advance(3)
        self.assertEqual(self.successResultOf(write), 1_000_010)

    def test_the_close_comes_at_the_deadline(self) -> None:
        peer, wire = self.connect()
        done = peer.shutdown(timeout=3)
        wire.send(close_frame(1000))
        wire.fin()
        wire.clock.advance(3)
        self.assertTrue(self.successResultOf(done))

    def test_the_close_comes_after_the_deadline(self) -> None:
        peer, wire = self.connect()
        done = peer.shutdown(timeout=3)
        wire.clock.advance(3)
        wire.send(close_frame(1000))
        self.assertFalse(self.successResultOf(done))
        self.assertTrue(wire.is_aborted)


class Within(PeerCase):
    """Any verb, called by whoever is told of something."""

    def verbs(self, peer: WebSocketPeer) -> dict[str, Callable[[], object]]:
        return {
            "read": peer.read,
            "receive": lambda: peer.receive(timeout=5),
            "each": lambda: peer.each(peer.write),
            "write": lambda: peer.write("within"),
            "send": lambda: peer.send("within", timeout=5, fragment_size=3),
            "ping": peer.ping,
            "shutdown": peer.shutdown,
            "close": peer.close,
        }

    def places(
        self, peer: WebSocketPeer, wire: Wire
    ) -> dict[str, Callable[[Any], Any]]:
        """Who is told; each begins what leads to it, given whom it is to call."""
        return {
            "a frame": lambda call: self.on(peer.read(), call),
            "a message": lambda call: self.on(peer.receive(), call),
            "a receiver": lambda call: self.on(peer.each(call), None),
            "the end of a write": lambda call: self.slow_write(peer, wire, call),
            "a pong": lambda call: self.on(peer.ping(b"?"), call),
            "a timeout": lambda call: self.on(self.impatient(peer), call),
            "a cancelled read": lambda call: self.on(peer.read(), call).cancel(),
            "the end": lambda call: self.on(peer.shutdown(), call),
        }

    def on(self, deferred: Deferred[Any], call: Any) -> Deferred[Any]:
        if call is not None:
            deferred.addBoth(call)
        return deferred.addErrback(lambda _: None)

    def slow_write(self, peer: WebSocketPeer, wire: Wire, call: Any) -> None:
        wire.stall()
        self.on(peer.write(b"x" * 1_000_000), call)
        wire.unstall()

    def impatient(self, peer: WebSocketPeer) -> Deferred[Any]:
        peer.receive().addErrback(lambda _: None)
        return peer.read(timeout=3)

    def cases(self) -> Iterator[tuple[WebSocketPeer, Wire, str, str]]:
        peer, wire = self.connect()
        for place in self.places(peer, wire):
            for verb in self.verbs(peer):
                yield (*self.connect(), place, verb)

    def call_within(
        self, peer: WebSocketPeer, wire: Wire, place: str, verb: str
    ) -> list[object]:
        """What the verb will have given out, once it was called there."""
        given: list[object] = []

        def call(_: object) -> None:
            if not given:
                given.append(self.verbs(peer)[verb]())

        self.places(peer, wire)[place](call)
        return given

    def test_every_verb_everywhere(self) -> None:
        """It is called once, what it gives out fires once, the stream is valid."""
        for peer, wire, place, verb in self.cases():
            given = self.call_within(peer, wire, place, verb)
            wire.send(client_frame(TEXT, b"a") + client_frame(Opcode.PONG, b"?"))
            wire.send(client_frame(TEXT, b"b"))
            wire.advance(3)
            wire.send(close_frame(1000))
            if not wire.is_aborted:
                wire.fin()
            self.assertEqual(len(given), 1, (place, verb))
            if isinstance(given[0], Deferred):
                given[0].addErrback(lambda _: None)
                self.assertTrue(given[0].called, (place, verb))
            closes = [frame.opcode is Opcode.CLOSE for frame in wire.frames]
            self.assertNotIn(True, closes[:-1], (place, verb))


class Unread(PeerCase):
    """An application that doesn't read."""

    wire_class = ScriptedWire

    def test_pings_are_answered_until_it_is_paused(self) -> None:
        peer, wire = self.connect(max_unread=1000)
        wire.send(client_frame(TEXT, b"unread") + client_frame(Opcode.PING, b"1"))
        self.assertEqual(wire.frames, [Frame(Opcode.PONG, b"1")])
        wire.send(client_frame(TEXT, b"x" * 1000))
        self.assertTrue(wire.is_paused)
        wire.send(client_frame(Opcode.PING, b"2"))
        self.assertEqual(len(wire.frames), 1)
        for _ in range(2):
            self.successResultOf(peer.read())
        self.assertEqual(wire.frames[1:], [Frame(Opcode.PONG, b"2")])


class Among(WatchedCase):
    """One connection of many fails; the others go on."""

    wire_class: type[Wire] = MemoryWire

    def setUp(self) -> None:
        self.clock = Clock()

    def crowd(self, handler: Any, **options: Any) -> list[Wire]:
        factory = WebSocketFactory(handler, clock=self.clock, **options)
        wires = [self.wire_class(factory, self.clock) for _ in range(5)]
        for number, wire in enumerate(wires):
            self.addCleanup(self.end, wire)
            wire.send(request(f"GET /{number} HTTP/1.1"))
            wire.got = b""
        return wires

    def end(self, wire: Wire) -> None:
        wire.protocol.peer.close()
        wire.advance(0)
        if isinstance(wire, SocketWire):
            wire.end()

    def assert_untouched(self, wires: list[Wire]) -> None:
        for wire in wires:
            wire.got = b""
            wire.send(client_frame(TEXT, b"still here"))
            self.assertEqual(wire.frames, [Frame(TEXT, b"still here")])
            self.assertIsNone(wire.protocol.peer.error())

    def test_a_handler_that_fails(self) -> None:
        """At once, later, or by being done early."""
        later: Deferred[None] = Deferred()

        def handler(peer: WebSocketPeer) -> Any:
            assert peer.request is not None
            if peer.request.path == "/0":
                raise LookupError
            if peer.request.path == "/1":
                return later
            return None if peer.request.path == "/2" else peer.each(peer.write)

        wires = self.crowd(handler)
        later.errback(LookupError())
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 2)
        self.assert_untouched(wires[3:])
        for wire, code in zip(wires, (1011, 1011, 1000), strict=False):
            wire.pump()
            wire.send(client_frame(Opcode.CLOSE, code.to_bytes(2, "big")))
            wire.fin()
            self.assertEqual(wire.protocol.peer.close_code, code)

    def test_a_slow_listener(self) -> None:
        """All are written to; who takes nothing is given up, the others get all."""
        wires = self.crowd(lambda peer: peer.each(peer.write), max_buffered=1_000_000)
        slow, *others = wires
        slow.stall()
        message = b"x" * 100_000
        for _ in range(60):
            for wire in wires:
                wire.protocol.peer.write(message)
            for wire in others:
                wire.pump()
        self.assertIsInstance(slow.protocol.peer.error(), BufferOverrun)
        self.assertTrue(slow.is_aborted)
        for wire in others:
            self.assertEqual(wire.got, server_frame(BINARY, message) * 60)
        self.assert_untouched(others)


AtOnceOverSockets = over_sockets(AtOnce)
AtOnceScripted = scripted(AtOnce)
WithinOverSockets = over_sockets(Within)
WithinScripted = scripted(Within)
UnreadOverSockets = over_sockets(Unread)
AmongScripted = scripted(Among)


class AmongOverSockets(Among):
    wire_class = SocketWire
