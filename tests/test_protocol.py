"""The handshake of a connection, its handler, and taking a transport over."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.logger import globalLogPublisher
from twisted.protocols.policies import WrappingFactory
from zope.interface.verify import verifyObject

from txws_simple import (
    BufferOverrun,
    CloseTimeout,
    ConnectionClosed,
    Frame,
    HandshakeError,
    Opcode,
    Request,
    Response,
    WebSocketFactory,
    WebSocketPeer,
    new,
)
from txws_simple.testing.memory import MemoryTransport

from .held import held
from .helpers import ACCEPT, client_frame, request
from .ledger import WatchedCase
from .wires import MemoryWire, SocketWire, Wire

TEXT = Opcode.TEXT
CLOSE_1000 = client_frame(Opcode.CLOSE, b"\x03\xe8")


class Case(WatchedCase):
    """What the cases share; which wire they run over is said below."""

    wire_class: type[Wire] = MemoryWire

    def setUp(self) -> None:
        self.clock = Clock()
        self.peers: list[WebSocketPeer] = []
        self.events: list[Any] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def keep(self, peer: WebSocketPeer) -> Deferred[None]:
        self.peers.append(peer)
        return Deferred()

    def connect(self, factory: Any = None, **options: Any) -> Wire:
        if factory is None:
            factory = WebSocketFactory(self.keep, clock=self.clock, **options)
        wire = self.wire_class(factory, self.clock)
        if isinstance(wire, SocketWire):
            self.addCleanup(wire.end)
        self.addCleanup(lambda: self.end(wire))
        return wire

    def end(self, wire: Wire) -> None:
        wire.protocol.peer.close()
        wire.clock.advance(0)
        if not isinstance(wire, SocketWire):
            wire.reset()
        wire.pump()


class Handshake(Case):
    def test_accepted(self) -> None:
        wire = self.connect()
        wire.send(request())
        self.assertIn(b"Sec-WebSocket-Accept: " + ACCEPT.encode(), wire.response)
        self.assertEqual(len(self.peers), 1)

    def test_frames_behind_the_request(self) -> None:
        """They are handled after the 101, whole or byte by byte."""
        data = request() + client_frame(TEXT, b"early")
        for step in (len(data), 1):
            factory = WebSocketFactory(
                lambda peer: peer.each(peer.write), clock=self.clock
            )
            wire = self.connect(factory)
            for start in range(0, len(data), step):
                wire.send(data[start : start + step])
            self.assertTrue(wire.got.startswith(b"HTTP/1.1 101 "))
            self.assertEqual(wire.frames, [Frame(TEXT, b"early")])

    def test_refused(self) -> None:
        """One complete response, and an end; to the application, a line in the log."""
        wire = self.connect()
        wire.send(request("POST / HTTP/1.1") + b"more")
        wire.send(b"and more")
        head, _, body = wire.got.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 405 "))
        self.assertIn(b"Allow: GET", head)
        self.assertIn(b"Content-Length: %d\r\nConnection: close" % len(body), head)
        self.assertTrue(wire.is_ended)
        self.assertFalse(wire.is_aborted)
        wire.advance(10)
        self.assertTrue(wire.is_aborted)
        self.assertEqual(self.peers, [])
        [event] = [event for event in self.events if "status" in event]
        self.assertEqual(event["status"], 405)
        self.assertNotIn("log_failure", event)

    def test_refused_and_closed(self) -> None:
        """Who has the peer need not wait until the client has gone."""
        wire = self.connect()
        wire.send(request("POST / HTTP/1.1"))
        wire.protocol.peer.close()
        wire.advance(0)
        self.assertTrue(wire.is_aborted)

    def test_head_without_body(self) -> None:
        wire = self.connect()
        wire.send(request("HEAD / HTTP/1.1"))
        self.assertTrue(wire.got.endswith(b"\r\n\r\n"))

    def test_second_request(self) -> None:
        wire = self.connect()
        wire.send(request() + request())
        self.assertEqual([frame.opcode for frame in wire.frames], [Opcode.CLOSE])
        self.assertEqual(wire.frames[0].data[:2], b"\x03\xea")

    def test_silence(self) -> None:
        """The deadline is absolute: a byte a second doesn't move it."""
        wire = self.connect(open_timeout=10)
        for byte in request()[:9]:
            wire.send(bytes((byte,)))
            wire.advance(1)
        self.assertEqual(wire.got, b"")
        wire.advance(1)
        self.assertTrue(wire.got.startswith(b"HTTP/1.1 408 "))
        wire.advance(10)
        self.assertTrue(wire.is_aborted)

    def test_cut_off(self) -> None:
        wire = self.connect()
        wire.send(request()[:50])
        wire.fin()
        self.assertEqual((wire.got, self.peers), (b"", []))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_origins(self) -> None:
        for origin, status in (
            ("https://a.example", 101),
            ("https://a.example.evil", 403),
            ("https://a.exampl", 403),
            ("null", 403),
        ):
            wire = self.connect(origins=["https://a.example"])
            wire.send(request(Origin=origin))
            self.assertTrue(wire.got.startswith(b"HTTP/1.1 %d " % status), origin)

    def test_subprotocol(self) -> None:
        """Ours decide, in our order."""
        wire = self.connect(subprotocols=["b", "a"])
        wire.send(request(Sec_WebSocket_Protocol="a, b"))
        self.assertIn(b"Sec-WebSocket-Protocol: b", wire.response)
        self.assertEqual(self.peers[0].subprotocol, "b")

    def test_no_subprotocol_in_common(self) -> None:
        wire = self.connect(subprotocols=["c"])
        wire.send(request(Sec_WebSocket_Protocol="a, b"))
        self.assertNotIn(b"Sec-WebSocket-Protocol", wire.response)
        self.assertIsNone(self.peers[0].subprotocol)


class Asking(Case):
    """``on_request``, which decides."""

    def ask(self, answer: Any) -> Wire:
        wire = self.connect(on_request=lambda request: answer)
        wire.send(request())
        return wire

    def test_accepts(self) -> None:
        self.assertTrue(self.ask(None).got.startswith(b"HTTP/1.1 101 "))

    def test_adds_headers(self) -> None:
        wire = self.ask(Response(headers=[("Set-Cookie", "a=b")]))
        self.assertIn(b"\r\nSet-Cookie: a=b", wire.response)

    def test_rejects(self) -> None:
        wire = self.ask(Response(401, [("WWW-Authenticate", "Basic")], "who are you?"))
        self.assertTrue(wire.got.startswith(b"HTTP/1.1 401 Unauthorized\r\n"))
        self.assertTrue(wire.got.endswith(b"\r\n\r\nwho are you?\n"))
        self.assertEqual(self.peers, [])

    def test_is_given_the_request(self) -> None:
        asked: list[Request] = []
        wire = self.connect(on_request=asked.append)
        wire.send(request("GET /a?b HTTP/1.1"))
        self.assertEqual((asked[0].path, asked[0].query), ("/a", "b"))

    def test_answers_later(self) -> None:
        """What arrives meanwhile waits, in bounded memory."""
        answer: Deferred[None] = Deferred()
        wire = self.connect(on_request=lambda request: answer, max_unread=1000)
        wire.send(request() + client_frame(TEXT, b"1"))
        self.assertEqual((wire.got, wire.is_paused), (b"", False))
        wire.send(client_frame(TEXT, b"2" * 2000))
        self.assertTrue(wire.is_paused)
        answer.callback(None)
        wire.pump()
        self.assertTrue(wire.got.startswith(b"HTTP/1.1 101 "))
        # Nobody has read of it yet.
        self.assertTrue(wire.is_paused)
        for data in (b"1", b"2" * 2000):
            self.assertEqual(self.successResultOf(self.peers[0].read()).data, data)
        self.assertFalse(wire.is_paused)

    def test_coroutine(self) -> None:
        async def on_request(request: Request) -> Response:
            return await succeed(Response(302, [("Location", "/elsewhere")]))

        wire = self.connect(on_request=on_request)
        wire.send(request())
        self.assertTrue(wire.got.startswith(b"HTTP/1.1 302 Found\r\n"))

    def test_fails(self) -> None:
        def on_request(request: Request) -> None:
            raise LookupError

        wire = self.connect(on_request=on_request)
        wire.send(request())
        self.assertTrue(wire.got.startswith(b"HTTP/1.1 500 "))
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)

    def test_answers_nonsense(self) -> None:
        wire = self.ask("yes")
        self.assertTrue(wire.got.startswith(b"HTTP/1.1 500 "))
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_takes_too_long(self) -> None:
        answer: Deferred[None] = Deferred()
        wire = self.ask(answer)
        wire.advance(10)
        self.assertTrue(wire.got.startswith(b"HTTP/1.1 503 "))
        wire.advance(10)
        self.assertTrue(wire.is_aborted)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_answers_too_late(self) -> None:
        """An answer that can't be cancelled is too late, and changes nothing."""
        answer: Deferred[None] = Deferred(lambda deferred: deferred.callback(None))
        wire = self.ask(answer)
        wire.advance(10)
        self.assertEqual(wire.got.count(b"HTTP/1.1"), 1)
        self.assertEqual(self.peers, [])

    def test_closed_meanwhile(self) -> None:
        answer: Deferred[None] = Deferred()
        wire = self.ask(answer)
        wire.protocol.peer.close()
        answer.callback(None)
        wire.advance(0)
        self.assertEqual(self.peers, [])
        self.assertTrue(wire.is_aborted)

    def test_lost_meanwhile(self) -> None:
        answer: Deferred[None] = Deferred()
        wire = self.ask(answer)
        wire.reset()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertTrue(answer.called)

    def test_cancels_itself(self) -> None:
        answer: Deferred[None] = Deferred()
        wire = self.ask(answer)
        answer.cancel()
        wire.pump()
        self.assertTrue(wire.got.startswith(b"HTTP/1.1 500 "))
        self.assertEqual(len(self.flushLoggedErrors(CancelledError)), 1)


class Handling(Case):
    def serve(self, handler: Any, **options: Any) -> Wire:
        factory = WebSocketFactory(handler, clock=self.clock, **options)
        wire = self.connect(factory)
        wire.send(request())
        return wire

    def code(self, wire: Wire) -> int:
        """The code of the only frame sent, a Close."""
        [frame] = wire.frames
        self.assertEqual(frame.opcode, Opcode.CLOSE)
        return int.from_bytes(frame.data[:2], "big")

    def test_returns(self) -> None:
        self.assertEqual(self.code(self.serve(lambda peer: None)), 1000)

    def test_deferred_ends(self) -> None:
        done: Deferred[None] = Deferred()
        wire = self.serve(lambda peer: done)
        self.assertEqual(wire.frames, [])
        done.callback(None)
        self.assertEqual(self.code(wire), 1000)

    def test_coroutine_ends(self) -> None:
        async def handler(peer: WebSocketPeer) -> None:
            await peer.read()

        wire = self.serve(handler)
        self.assertEqual(wire.frames, [])
        wire.send(client_frame(TEXT, b"x"))
        self.assertEqual(self.code(wire), 1000)

    def test_raises(self) -> None:
        def handler(peer: WebSocketPeer) -> None:
            raise LookupError

        self.assertEqual(self.code(self.serve(handler)), 1011)
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)

    def test_fails_later(self) -> None:
        done: Deferred[None] = Deferred()
        wire = self.serve(lambda peer: done)
        done.errback(LookupError())
        self.assertEqual(self.code(wire), 1011)
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)

    def test_lost_connection_is_no_failure(self) -> None:
        async def handler(peer: WebSocketPeer) -> None:
            async for _ in peer:
                pass

        wire = self.serve(handler)
        wire.reset()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_others_connection_lost_is_a_failure(self) -> None:
        def handler(peer: WebSocketPeer) -> None:
            raise ConnectionClosed(1006)

        self.assertEqual(self.code(self.serve(handler)), 1011)
        self.assertEqual(len(self.flushLoggedErrors(ConnectionClosed)), 1)

    def test_unread_is_dropped_at_the_end(self) -> None:
        """A handler that is done reads nothing: its client's Close is seen."""
        done: Deferred[None] = Deferred()
        wire = self.serve(lambda peer: done)
        wire.send(client_frame(Opcode.BINARY, b"x" * 70_000))
        self.assertTrue(wire.is_paused)
        done.callback(None)
        wire.send(client_frame(Opcode.BINARY, b"x" * 70_000))
        wire.send(CLOSE_1000)
        self.assertTrue(wire.is_ended)

    def test_greeting(self) -> None:
        wire = self.serve(lambda peer: peer.write("hello"))
        self.assertEqual(wire.frames[0], Frame(TEXT, b"hello"))

    def test_no_peer_stays(self) -> None:
        """When a connection is over, nothing holds it."""

        async def handler(peer: WebSocketPeer) -> None:
            async for frame in peer:
                await peer.write(frame)

        factory = WebSocketFactory(handler, clock=self.clock)
        wire = self.wire_class(factory, self.clock)
        wire.send(request() + client_frame(TEXT, b"x"))
        peer = weakref.ref(wire.protocol.peer)
        wire.reset()
        if isinstance(wire, SocketWire):
            wire.end()
        del wire
        gc.collect()
        self.assertIsNone(peer())

    def test_what_came_with_the_request_does_not_stay(self) -> None:
        """It was handled; a connection may last for days."""
        factory = WebSocketFactory(
            lambda peer: peer.each(lambda frame: None), clock=self.clock
        )
        wire = self.connect(factory)
        wire.send(request() + client_frame(TEXT, b"x" * 30_000))
        self.assertLess(held(wire.protocol), 30_000)


class Draining(Case):
    def test_all_end(self) -> None:
        factory = WebSocketFactory(self.keep, clock=self.clock)
        wires = [self.connect(factory) for _ in range(3)]
        for wire in wires[:2]:
            wire.send(request())
        done = factory.drain(timeout=5)
        wires[2].pump()
        self.assertTrue(wires[2].got.startswith(b"HTTP/1.1 503 "))
        for wire in wires[:2]:
            self.assertEqual(wire.frames, [Frame(Opcode.CLOSE, b"\x03\xe9")])
        wires[0].send(client_frame(Opcode.CLOSE, b"\x03\xe9"))
        wires[0].fin()
        self.assertNoResult(done)
        wires[1].advance(5)
        wires[2].advance(0)
        self.assertEqual(self.successResultOf(done), (1, 1, 1))
        self.assertTrue(wires[1].is_aborted)
        self.assertTrue(wires[2].is_aborted)

    def test_what_still_arrives_is_no_failure(self) -> None:
        """A handler can't know that its answer is too late."""

        async def echo(peer: WebSocketPeer) -> None:
            async for frame in peer:
                await peer.write(frame)

        factory = WebSocketFactory(echo, clock=self.clock)
        wire = self.connect(factory)
        wire.send(request())
        factory.drain(timeout=5)
        wire.send(client_frame(TEXT, b"late"))
        self.assertEqual(wire.frames, [Frame(Opcode.CLOSE, b"\x03\xe9")])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_refused(self) -> None:
        """Who was refused gets the answer, and no more time than the others."""
        factory = WebSocketFactory(self.keep, clock=self.clock)
        wire = self.connect(factory)
        wire.send(b"POST / HTTP/1.1\r\n")
        done = factory.drain(timeout=3)
        wire.advance(3)
        wire.advance(0)
        self.assertTrue(wire.is_ended)
        self.assertTrue(wire.got.startswith(b"HTTP/1.1 405 "))
        self.assertEqual(self.successResultOf(done), (0, 0, 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_none(self) -> None:
        factory = WebSocketFactory(self.keep)
        self.assertEqual(self.successResultOf(factory.drain()), (0, 0, 0))


class Factories(Case):
    def test_provides_the_interface(self) -> None:
        verifyObject(IProtocolFactory, WebSocketFactory(self.keep))

    def test_bad_options(self) -> None:
        with self.assertRaises(TypeError):
            WebSocketFactory(self.keep, max_speed=1)  # type: ignore[call-arg]
        with self.assertRaises(ValueError):
            WebSocketFactory(self.keep, max_frame_size=0)

    def test_without_a_clock(self) -> None:
        """The reactor is the clock."""
        from twisted.internet import reactor

        factory = WebSocketFactory(self.keep)
        protocol = factory.buildProtocol(None)
        protocol.makeConnection(MemoryTransport(Clock()))
        self.assertIs(protocol.peer._session.clock, reactor)
        protocol.peer.close()
        protocol.connectionLost()


class Hasty(Case):
    """A transport that says within a call that it is gone, as one of Twisted's does."""

    def hasty(self, **options: Any) -> tuple[Any, Any]:
        transport = StringTransportWithDisconnection()
        factory = WebSocketFactory(
            lambda peer: Deferred(), clock=self.clock, ping_frequency=None, **options
        )
        protocol = factory.buildProtocol(None)
        transport.protocol = protocol
        protocol.makeConnection(transport)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        return transport, protocol

    def test_why_it_has_ended(self) -> None:
        """It is what ended it, not what the transport said."""

        def overrun(transport: Any, peer: WebSocketPeer) -> None:
            transport.producer.pauseProducing()
            for _ in range(2):
                peer.write(b"x" * 100)

        def time_out(transport: Any, peer: WebSocketPeer) -> None:
            peer.shutdown(timeout=1)
            self.clock.advance(1)

        for end, error in (
            (overrun, BufferOverrun),
            (time_out, CloseTimeout),
            (lambda _, peer: peer.close(), ConnectionClosed),
        ):
            transport, protocol = self.hasty(max_buffered=50)
            protocol.dataReceived(request())
            peer = protocol.peer
            end(transport, peer)
            self.assertIs(type(peer.error()), error)
            self.assertNotIn("without Close", str(peer.error()))
            self.assertEqual(peer.closed_by, "local")
            self.assertFalse(transport.connected)

    def test_refused(self) -> None:
        transport, protocol = self.hasty()
        protocol.dataReceived(b"nonsense\r\n")
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 400 "))
        self.assertIsInstance(protocol.peer.error(), HandshakeError)
        self.assertEqual(protocol.peer.closed_by, "local")


class Upgrade(Protocol):
    """A protocol that has a connection taken over as soon as bytes arrive."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.peer: WebSocketPeer

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(b"HTTP/1.1 101 \r\n\r\n")
        self.peer = new(self.transport, **self.options)


class TakingOver(Case):
    """`new`, on a transport that belongs to another protocol."""

    def take_over(self, **options: Any) -> tuple[WebSocketPeer, Wire]:
        options = {"handshaked": True, "clock": self.clock, **options}
        first = Upgrade(**options)
        wire = self.wire_class(Factory.forProtocol(lambda: first), self.clock)
        if isinstance(wire, SocketWire):
            self.addCleanup(wire.end)
            del first.dataReceived  # the count of what arrives ends here
        first.dataReceived(b"")
        self.addCleanup(lambda: self.end_peer(first.peer, wire))
        wire.pump()
        return first.peer, wire

    def end_peer(self, peer: WebSocketPeer, wire: Wire) -> None:
        peer.close()
        self.clock.advance(0)
        wire.reset()

    def test_what_was_written_goes_first(self) -> None:
        peer, wire = self.take_over()
        write = peer.write("first")
        wire.pump()
        self.assertEqual(wire.got, b"HTTP/1.1 101 \r\n\r\n\x81\x05first")
        self.assertEqual(self.successResultOf(write), 7)
        self.assertEqual(self.successResultOf(peer.write("again")), 7)

    def test_bytes_read_already(self) -> None:
        frame = client_frame(TEXT, b"hello")
        peer, wire = self.take_over(received=frame[:4])
        wire.transport.protocol.dataReceived(frame[4:])  # type: ignore[attr-defined]
        self.assertEqual(self.successResultOf(peer.read()), Frame(TEXT, b"hello"))

    def test_too_much_was_read_already(self) -> None:
        """Then nothing more is read, until somebody takes it."""
        frames = client_frame(TEXT, b"") * 600
        peer, wire = self.take_over(received=frames)
        self.assertTrue(peer.is_paused)
        self.assertTrue(wire.is_paused)
        reading = peer.each(lambda frame: None)
        self.assertFalse(wire.is_paused)
        peer.close()
        self.failureResultOf(reading, ConnectionClosed)

    def test_too_much_came_behind_the_request(self) -> None:
        """The same while the application thinks."""
        frames = client_frame(TEXT, b"") * 600
        thinks: Deferred[None] = Deferred()
        _, wire = self.take_over(
            handshaked=False,
            received=request() + frames,
            on_request=lambda _: thinks,
            max_unread=1000,
        )
        self.assertTrue(wire.is_paused)

    def test_what_is_known(self) -> None:
        asked = Request("/x")
        peer, _ = self.take_over(request=asked, subprotocol="a")
        self.assertEqual((peer.request, peer.subprotocol), (asked, "a"))

    def test_no_pings_by_default(self) -> None:
        _, wire = self.take_over()
        wire.advance(1000)
        self.assertEqual(wire.frames, [])

    def test_pings(self) -> None:
        _, wire = self.take_over(ping_frequency=5)
        wire.advance(5)
        self.assertEqual([frame.opcode for frame in wire.frames], [Opcode.PING])

    def test_old_protocol_hears_nothing(self) -> None:
        peer, wire = self.take_over()
        read = peer.read()
        wire.fin()
        self.failureResultOf(read, ConnectionClosed)

    def test_with_its_handshake(self) -> None:
        """What is written before waits for the handshake."""
        peer, wire = self.take_over(handshaked=False)
        wire.got = b""
        write = peer.write("early")
        self.assertNoResult(write)
        wire.transport.protocol.dataReceived(request())  # type: ignore[attr-defined]
        wire.pump()
        self.assertTrue(wire.got.startswith(b"HTTP/1.1 101 "))
        self.assertEqual(wire.frames, [Frame(TEXT, b"early")])
        self.assertEqual(self.successResultOf(write), 7)

    def test_handshake_refused(self) -> None:
        peer, wire = self.take_over(handshaked=False)
        read, write = peer.read(), peer.write("x")
        done = peer.shutdown()
        wire.transport.protocol.dataReceived(b"\x16")  # type: ignore[attr-defined]
        error = self.failureResultOf(read, ConnectionClosed).value
        self.assertEqual(error.code, 1006)
        self.assertIn("400", error.reason)
        self.failureResultOf(write, ConnectionClosed)
        self.assertFalse(self.successResultOf(done))
        self.assertIsInstance(peer.error(), HandshakeError)
        self.assertEqual(peer.closed_by, "local")

    def test_shut_down_before_the_handshake(self) -> None:
        peer, wire = self.take_over(handshaked=False, ping_frequency=5)
        wire.got = b""
        peer.shutdown(timeout=20)
        wire.transport.protocol.dataReceived(request())  # type: ignore[attr-defined]
        wire.advance(6)
        self.assertEqual(wire.frames, [Frame(Opcode.CLOSE, b"\x03\xe8")])

    def test_closed_by_the_handshake(self) -> None:
        """No timer is left of a peer that its first write has closed."""
        peer, wire = self.take_over(handshaked=False, ping_frequency=5)
        peer.write("x").addCallback(lambda _: peer.close())
        wire.transport.protocol.dataReceived(request())  # type: ignore[attr-defined]
        wire.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_closed_before_the_handshake(self) -> None:
        peer, wire = self.take_over(handshaked=False)
        peer.close()
        self.clock.advance(0)
        self.assertTrue(wire.is_aborted)

    def test_a_producer_is_unregistered(self) -> None:
        transport = MemoryTransport(self.clock)
        transport.registerProducer(object(), True)
        peer = new(transport, handshaked=True, clock=self.clock)
        peer.write("x")
        self.assertEqual(transport.value(), b"\x81\x01x")
        peer.close()
        self.clock.advance(0)

    def test_wrapped(self) -> None:
        """A wrapper, as of TLS, passes what arrives on to the new protocol."""
        factory = WrappingFactory(Factory.forProtocol(Protocol))
        transport = MemoryTransport(self.clock)
        wrapper = factory.buildProtocol(None)
        transport.protocol = wrapper
        wrapper.makeConnection(transport)
        peer = new(wrapper, handshaked=True, clock=self.clock)
        wrapper.dataReceived(client_frame(TEXT, b"x"))
        self.assertEqual(self.successResultOf(peer.read()).data, b"x")
        peer.close()
        self.clock.advance(0)


def over_sockets(case: type[Case]) -> type[Case]:
    """The same cases over real sockets."""
    return type(f"{case.__name__}OverSockets", (case,), {"wire_class": SocketWire})


HandshakeOverSockets = over_sockets(Handshake)
AskingOverSockets = over_sockets(Asking)
HandlingOverSockets = over_sockets(Handling)
DrainingOverSockets = over_sockets(Draining)
TakingOverOverSockets = over_sockets(TakingOver)
