"""The end of all connections of a factory, whatever they are in the middle of."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.logger import globalLogPublisher

from txws_simple import Frame, Opcode, Request, WebSocketFactory, WebSocketPeer

from .helpers import client_frame, request
from .wired import WiredCase
from .wires import SocketWire, Wire

CLOSE = client_frame(Opcode.CLOSE, b"\x03\xe9")
GOING_AWAY = Frame(Opcode.CLOSE, b"\x03\xe9")


class Case(WiredCase):
    """What the cases share; which wire they run over is said below."""

    def setUp(self) -> None:
        super().setUp()
        self.asked: list[Deferred[None]] = []
        self.cancelled: list[Deferred[None]] = []
        self.served: list[WebSocketPeer] = []
        self.factory = WebSocketFactory(
            self.serve, on_request=self.ask, max_buffered=10**9, clock=self.clock
        )
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def serve(self, peer: WebSocketPeer) -> Deferred[None]:
        self.served.append(peer)
        return Deferred()

    def ask(self, request: Request) -> Any:
        """Whoever asks for this path waits for an answer."""
        if request.path != "/wait":
            return None
        self.asked.append(Deferred(self.cancelled.append))
        return self.asked[-1]

    def connect(self, data: bytes = b"") -> Wire:
        return self.connected(self.factory, data)

    def assert_refused(self, wire: Wire) -> None:
        wire.pump()
        self.assertTrue(wire.got.startswith(b"HTTP/1.1 503 "))
        self.assertTrue(wire.got.endswith(b"\r\n\r\nshutting down\n"))
        self.assertTrue(wire.is_ended)
        self.assertFalse(wire.is_aborted)


class Drains(Case):
    def test_in_the_middle_of_a_handshake(self) -> None:
        """It is refused, wherever it is, and waited for, so that it hears of it."""
        half = self.connect(b"GET / HTTP/1.1\r\nHost:")
        asking = self.connect(request("GET /wait HTTP/1.1"))
        done = self.factory.drain()
        self.assert_refused(half)
        self.assert_refused(asking)
        self.assertEqual(self.cancelled, self.asked)
        half.fin()
        self.assertNoResult(done)
        asking.fin()
        self.assertEqual(self.successResultOf(done), (0, 0, 2))
        self.assertEqual(self.served, [])

    def test_a_refused_one_that_lingers(self) -> None:
        """Up to the timeout, no longer."""
        wire = self.connect()
        done = self.factory.drain(timeout=3)
        self.assert_refused(wire)
        wire.advance(2.9)
        self.assertNoResult(done)
        wire.advance(0.1)
        wire.advance(0)
        self.assertTrue(wire.is_aborted)
        self.assertEqual(self.successResultOf(done), (0, 0, 1))

    def test_twice_in_a_handshake(self) -> None:
        """The second time doesn't take the answer of the first one away."""
        wire = self.connect(b"GET / HTTP/1.1\r\n")
        self.factory.drain()
        self.factory.drain()
        wire.pump()
        self.assertTrue(wire.got.endswith(b"\r\n\r\nshutting down\n"))
        self.assertTrue(wire.is_ended)

    def test_one_that_can_not_be_cancelled(self) -> None:
        """The application's failure, which keeps nobody."""

        for error in (KeyError, SystemExit):

            def fail(_: Any, error: type[BaseException] = error) -> None:
                raise error("no")

            self.factory = WebSocketFactory(
                self.serve,
                on_request=lambda _, fail=fail: Deferred(fail),
                clock=self.clock,
            )
            lost, drained = self.connect(request()), self.connect(request())
            lost.reset()
            self.assertEqual(self.factory.counters().connected, 1)
            done = self.factory.drain()
            self.assert_refused(drained)
            drained.fin()
            self.assertEqual(self.successResultOf(done), (0, 0, 1))
            self.assertEqual(len(self.flushLoggedErrors(error)), 2)

    def test_drained_by_what_is_cancelled(self) -> None:
        """A handshake that is being refused is not refused once more."""

        async def ask(request: Request) -> None:
            try:
                await Deferred[None]()
            finally:
                self.factory.drain(1)

        self.factory = WebSocketFactory(
            self.serve, on_request=ask, open_timeout=3, clock=self.clock
        )
        wire = self.connect(request())
        wire.advance(3)
        self.assert_refused_once(wire)
        wire.fin()

    def assert_refused_once(self, wire: Wire) -> None:
        self.assertEqual(wire.got.count(b"HTTP/1.1 "), 1)
        self.assertEqual(self.factory.counters().refused, {503: 1})

    def test_an_answer_that_comes_too_late(self) -> None:
        """An application that does not let itself be cancelled changes nothing."""
        late: Deferred[None] = Deferred(lambda deferred: deferred.callback(None))
        self.factory = WebSocketFactory(
            self.serve, on_request=lambda _: late, clock=self.clock
        )
        wire = self.connect(request())
        done = self.factory.drain()
        self.assert_refused(wire)
        wire.fin()
        self.assertEqual(self.successResultOf(done), (0, 0, 1))
        self.assertEqual(self.served, [])

    def test_in_the_middle_of_a_large_write(self) -> None:
        """What was written goes out first, then the Close."""
        wire = self.connect(request())
        wire.stall()
        written = self.served[0].write(b"x" * 1_000_000)
        done = self.factory.drain()
        self.assertNoResult(written)
        wire.unstall()
        self.assertEqual(wire.frames[1:], [GOING_AWAY])
        self.assertEqual(len(wire.frames[0].data), 1_000_000)
        self.assertEqual(self.successResultOf(written), 1_000_010)
        wire.send(CLOSE)
        wire.fin()
        self.assertEqual(self.successResultOf(done), (1, 0, 0))

    def test_a_large_write_that_is_not_read(self) -> None:
        wire = self.connect(request())
        wire.stall()
        written = self.served[0].write(b"x" * 10_000_000)
        done = self.factory.drain(timeout=3)
        wire.advance(3)
        wire.advance(0)
        self.failureResultOf(written)
        self.assertTrue(wire.is_aborted)
        self.assertEqual(self.successResultOf(done), (0, 1, 0))

    def test_lost_meanwhile(self) -> None:
        """It didn't end in order."""
        wire = self.connect(request())
        done = self.factory.drain()
        wire.reset()
        self.assertEqual(self.successResultOf(done), (0, 1, 0))

    def test_one_that_is_closing(self) -> None:
        """Its own code stays, and it counts."""
        wire = self.connect(request())
        self.served[0].shutdown(4000)
        done = self.factory.drain()
        self.assertEqual(wire.frames, [Frame(Opcode.CLOSE, b"\x0f\xa0")])
        wire.send(client_frame(Opcode.CLOSE, b"\x0f\xa0"))
        wire.fin()
        self.assertEqual(self.successResultOf(done), (1, 0, 0))

    def test_another_code(self) -> None:
        wire = self.connect(request())
        done = self.factory.drain(code=1012)
        self.assertEqual(wire.frames, [Frame(Opcode.CLOSE, b"\x03\xf4")])
        wire.send(CLOSE)
        wire.fin()
        self.successResultOf(done)

    def test_what_can_not_be(self) -> None:
        """It is an error, and nothing has begun to end."""
        wire = self.connect(request())
        for name, value in (
            ("code", 1005),
            ("timeout", -1),
            ("timeout", float("inf")),
            ("timeout", None),
        ):
            wrong: Any = {name: value}
            with self.assertRaises(ValueError):
                self.factory.drain(**wrong)
        self.connect(request())
        self.assertEqual(len(self.served), 2)
        self.assertEqual(wire.frames, [])

    def test_who_comes_late(self) -> None:
        """It is refused, once it has asked, as long as nobody listens anew."""
        wire = self.connect(request())
        done = self.factory.drain()
        late = self.connect(request())
        self.assert_refused(late)
        early = self.connect()
        wire.send(CLOSE)
        wire.fin()
        self.assertEqual(self.successResultOf(done), (1, 0, 1))
        self.factory.doStart()
        self.connect(request())
        early.send(request())
        self.assert_refused(early)
        self.assertEqual(len(self.served), 2)

    def test_who_listens_anew(self) -> None:
        """Those of before still end, those that came since stay."""
        old = self.connect(request())
        done = self.factory.drain(timeout=3)
        self.factory.doStart()
        new = self.connect(request())
        new.advance(3)
        old.advance(0)
        self.assertEqual(self.successResultOf(done), (0, 1, 0))
        self.assertTrue(old.is_aborted)
        self.assertEqual(new.frames, [])
        self.assertFalse(new.is_aborted)

    def test_twice(self) -> None:
        """The earlier deadline counts, and both hear of the end."""
        wire = self.connect(request())
        patient, impatient = self.factory.drain(9), self.factory.drain(2)
        wire.advance(2)
        wire.advance(0)
        self.assertEqual(self.successResultOf(patient), (0, 1, 0))
        self.assertEqual(self.successResultOf(impatient), (0, 1, 0))

    def test_cancelled(self) -> None:
        """Who does not wait changes nothing: they end all the same."""
        wire = self.connect(request())
        logged: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, logged.append)
        done = self.factory.drain(timeout=3)
        done.addTimeout(1, self.clock)
        wire.advance(1)
        self.failureResultOf(done, TimeoutError)
        self.assertEqual(wire.frames, [GOING_AWAY])
        wire.advance(2)
        wire.advance(0)
        self.assertTrue(wire.is_aborted)
        self.assertIn("drained", [each.get("event") for each in logged])

    def test_cancelled_with_nobody_late(self) -> None:
        """Nothing is left to wait for then."""
        wire = self.connect(request())
        done = self.factory.drain(timeout=3)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        wire.send(CLOSE)
        wire.fin()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_is_logged(self) -> None:
        logged: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, logged.append)
        self.connect(request()).reset()
        wires = self.connect(request()), self.connect()
        done = self.factory.drain(timeout=3)
        for wire in wires:
            wire.advance(3)
            wire.advance(0)
        self.successResultOf(done)
        [event] = [event for event in logged if event.get("event") == "drained"]
        counts = [event[name] for name in ("ended", "aborted", "refused")]
        self.assertEqual(counts, [0, 1, 1])


class DrainsOverSockets(Drains):
    wire_class = SocketWire


del Case
