"""What an operator sets against abuse: exactly at each limit, and over it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock

from txws_simple import ConnectionClosed, Opcode, Request, Response, WebSocketPeer
from txws_simple.policies import LimitedFactory, Limits

from .helpers import client_frame, parse_answer, request
from .ledger import WatchedCase
from .wires import MemoryWire, SocketWire, Wire

TEXT = client_frame(Opcode.TEXT, b"hello")
BEGUN = client_frame(Opcode.TEXT, b"hel", False)
ENDED = client_frame(Opcode.CONTINUATION, b"lo")
PING = client_frame(Opcode.PING, b"?")
CLOSE = client_frame(Opcode.CLOSE, b"\x03\xe8")


def wire_from(address: IAddress) -> type[MemoryWire]:
    """A kind of wire whose client has this address."""
    return type("MemoryWireFrom", (MemoryWire,), {"address": address})


class Case(WatchedCase):
    """What the cases share; which wire they run over is said below."""

    wire_class: type[Wire] = MemoryWire

    def setUp(self) -> None:
        self.clock = Clock()
        self.peers: list[WebSocketPeer] = []
        self.factory: LimitedFactory
        self.wires: list[Wire] = []
        self.addCleanup(self.end)

    def end(self) -> None:
        """Whatever has happened, nothing stays behind."""
        for wire in self.wires:
            wire.protocol.peer.close()
            wire.advance(0)
            if isinstance(wire, SocketWire):
                wire.end()
            else:
                wire.reset()  # also one that was refused, and waits for its client
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def serve(self, luck: float = 0, **limits: Any) -> None:
        """A factory with these limits, without pings, and a handler that stays."""

        def stay(peer: WebSocketPeer) -> Deferred[None]:
            self.peers.append(peer)
            return Deferred()

        self.factory = LimitedFactory(
            stay,
            Limits(**limits),
            random=lambda: luck,
            clock=self.clock,
            ping_frequency=None,
            on_request=self.on_request,
            close_timeout=self.close_timeout,
        )

    on_request: Callable[[Request], Any] | None = None
    close_timeout: float = 10

    def connect(self, kind: type[Wire] | None = None) -> Wire:
        """A connection, of which nothing was sent yet."""
        wire = (kind or self.wire_class)(self.factory, self.clock)
        self.wires.append(wire)
        return wire

    def open(self, kind: type[Wire] | None = None) -> Wire:
        """A connection that has sent its request."""
        wire = self.connect(kind)
        wire.send(request())
        return wire

    def status(self, wire: Wire) -> int:
        wire.pump()
        return int(wire.response.split(b" ")[1])

    def closed(self, wire: Wire) -> tuple[int, str] | None:
        """What the last frame says that the client got, if it is a Close."""
        frames = wire.frames
        if not frames or frames[-1].opcode is not Opcode.CLOSE:
            return None
        data = frames[-1].data
        return int.from_bytes(data[:2], "big"), data[2:].decode()


class Connections(Case):
    """How many there may be, in all."""

    def test_at_the_limit_and_over_it(self) -> None:
        self.serve(max_connections=2, retry_after=7)
        first, second, third = self.open(), self.open(), self.open()
        self.assertEqual([self.status(w) for w in (first, second)], [101, 101])
        self.assertEqual(self.status(third), 503)
        answer = parse_answer(third.got)
        self.assertEqual(answer.headers["Retry-After"], "7")
        self.assertEqual(len(self.peers), 2)

    def test_a_place_is_free_again(self) -> None:
        """However a connection ends."""

        def refused(wire: Wire) -> None:
            wire.send(b"nonsense\r\n")
            wire.fin()

        def late(wire: Wire) -> None:
            wire.advance(10)
            wire.fin()

        def closed(wire: Wire) -> None:
            wire.send(request() + CLOSE)
            wire.fin()

        ends: list[Callable[[Wire], object]] = [
            *(
                refused,
                late,
                closed,
                lambda wire: wire.fin(),
                lambda wire: wire.reset(),
            ),
            lambda wire: (wire.send(request()), wire.reset()),
            lambda wire: (wire.send(request()), wire.fin()),
            lambda wire: (wire.protocol.peer.close(), wire.pump()),
        ]
        self.serve(max_connections=1)
        for number, end in enumerate(ends):
            wire = self.connect()
            other = self.open()
            self.assertEqual(self.status(other), 503, number)
            other.reset()
            end(wire)
            again = self.open()
            self.assertEqual(self.status(again), 101, number)
            again.reset()

    def test_one_that_waits_for_its_refusal(self) -> None:
        """It gets a place that has become free before its request was read."""
        self.serve(max_connections=1)
        first, second = self.open(), self.connect()
        first.reset()
        second.send(request())
        self.assertEqual(self.status(second), 101)
        self.assertEqual(self.status(self.open()), 503)

    def test_many_that_wait(self) -> None:
        """Who connects without a request occupies no more than was allowed, twice."""
        self.serve(max_connections=2)
        wires = [self.connect() for _ in range(6)]
        self.assertEqual(
            [wire.is_aborted for wire in wires], [False] * 4 + [True, True]
        )
        wires[0].send(request())
        self.assertEqual(self.status(wires[0]), 101)

    def test_the_application_is_asked(self) -> None:
        """If there is a place, and only then."""
        asked: list[str] = []

        def refuse(request: Request) -> Response:
            asked.append(request.path)
            return Response(404)

        self.on_request = refuse
        self.serve(max_connections=1)
        first = self.open()
        self.assertEqual((self.status(first), asked), (404, ["/chat"]))
        self.assertEqual((self.status(self.open()), asked), (503, ["/chat"]))


class Addresses(Case):
    """How many there may be from one."""

    def test_at_the_limit_and_over_it(self) -> None:
        self.serve(max_per_address=2)
        wires = [self.open() for _ in range(3)]
        self.assertEqual([self.status(wire) for wire in wires], [101, 101, 429])
        wires[0].reset()
        self.assertEqual(self.status(self.open()), 101)


class AddressesOfAllKinds(Case):
    def statuses(self, *addresses: IAddress) -> list[int]:
        return [self.status(self.open(wire_from(address))) for address in addresses]

    def test_each_has_its_own_count(self) -> None:
        self.serve(max_per_address=1)
        hosts = ("192.0.2.1", "192.0.2.2", "192.0.2.1")
        found = self.statuses(*(IPv4Address("TCP", host, 1) for host in hosts))
        self.assertEqual(found, [101, 101, 429])

    def test_ipv6_by_network(self) -> None:
        self.serve(max_per_address=1)
        hosts = ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "::ffff:192.0.2.1")
        hosts += ("::ffff:192.0.2.2", "::ffff:192.0.2.1")
        found = self.statuses(*(IPv6Address("TCP", host, 1) for host in hosts))
        self.assertEqual(found, [101, 429, 101, 101, 101, 429])

    def test_whole_ipv6_addresses(self) -> None:
        self.serve(max_per_address=1, ipv6_prefix=128)
        hosts = ("2001:db8::1", "2001:db8::2", "2001:db8::1")
        found = self.statuses(*(IPv6Address("TCP", host, 1) for host in hosts))
        self.assertEqual(found, [101, 101, 429])

    def test_small_ipv6_addresses(self) -> None:
        """A number that could be one of IPv4 is none."""
        self.serve(max_per_address=1, ipv6_prefix=32)
        hosts = ("::1", "::2", "::ffff:0.0.0.1")
        found = self.statuses(*(IPv6Address("TCP", host, 1) for host in hosts))
        self.assertEqual(found, [101, 429, 101])

    def test_one_address_on_two_interfaces(self) -> None:
        self.serve(max_per_address=1, ipv6_prefix=128)
        hosts = ("fe80::1%lo", "fe80::1%eth0")
        found = self.statuses(*(IPv6Address("TCP", host, 1) for host in hosts))
        self.assertEqual(found, [101, 429])

    def test_what_is_no_number(self) -> None:
        """It is compared as it is."""
        self.serve(max_per_address=1)
        hosts = ("somewhere", "elsewhere", "somewhere")
        found = self.statuses(*(IPv4Address("TCP", host, 1) for host in hosts))
        self.assertEqual(found, [101, 101, 429])

    def test_unix_sockets_have_none(self) -> None:
        self.serve(max_per_address=1)
        addresses = [UNIXAddress(""), UNIXAddress("/x"), UNIXAddress("")]
        self.assertEqual(self.statuses(*addresses), [101] * 3)

    def test_an_address_that_is_known_later(self) -> None:
        """As behind a proxy that tells it before the request."""
        self.serve(max_per_address=1)
        kind = wire_from(IPv4Address("TCP", "192.0.2.9", 1))
        wires = [self.connect(kind) for _ in range(3)]
        for wire, host in zip(
            wires, ("192.0.2.1", "192.0.2.2", "192.0.2.1"), strict=True
        ):
            assert isinstance(wire, MemoryWire)
            wire.transport.address = IPv4Address("TCP", host, 1)
            wire.send(request())
        self.assertEqual([self.status(wire) for wire in wires], [101, 101, 429])
        wires[0].reset()
        self.assertEqual(self.statuses(IPv4Address("TCP", "192.0.2.1", 1)), [101])


class Deadlines(Case):
    """By when a client has to do something."""

    def test_first_message(self) -> None:
        self.serve(first_message_timeout=5)
        wire = self.open()
        wire.send(PING + BEGUN)
        wire.advance(4.9)
        self.assertIsNone(self.closed(wire))
        wire.advance(0.1)
        self.assertEqual(self.closed(wire), (1008, "no message"))

    def test_first_message_in_time(self) -> None:
        self.serve(first_message_timeout=5)
        wire = self.open()
        wire.send(BEGUN)
        wire.advance(4.9)
        wire.send(ENDED)
        wire.advance(100)
        self.assertIsNone(self.closed(wire))

    def test_unfinished(self) -> None:
        """A frame, a header, a message: each has begun, and does not end."""
        for begun in (TEXT[:1], TEXT[:-1], BEGUN, TEXT + BEGUN + PING):
            self.serve(message_timeout=5)
            wire = self.open()
            wire.advance(100)
            wire.send(begun)
            wire.advance(4.9)
            self.assertIsNone(self.closed(wire), begun)
            wire.advance(0.1)
            self.assertEqual(self.closed(wire), (1008, "unfinished message"), begun)

    def test_more_of_it_is_not_enough(self) -> None:
        self.serve(message_timeout=5)
        wire = self.open()
        wire.send(BEGUN)
        for _ in range(4):
            wire.advance(1)
            wire.send(client_frame(Opcode.CONTINUATION, b"", False))
        wire.advance(1)
        self.assertEqual(self.closed(wire), (1008, "unfinished message"))

    def test_the_next_message_has_its_own_time(self) -> None:
        self.serve(message_timeout=5)
        wire = self.open()
        wire.send(BEGUN)
        for _ in range(10):
            wire.advance(3)
            wire.send(ENDED + BEGUN)
        self.assertIsNone(self.closed(wire))
        wire.send(ENDED)
        wire.advance(100)
        self.assertIsNone(self.closed(wire))

    def test_idle(self) -> None:
        """Pings don't count."""
        self.serve(idle_timeout=5)
        wire = self.open()
        wire.advance(4.9)
        wire.send(TEXT)
        wire.advance(4.9)
        wire.send(PING)
        self.assertIsNone(self.closed(wire))
        wire.advance(0.1)
        self.assertEqual(self.closed(wire), (1001, "idle"))

    def test_fragments_are_not_idle(self) -> None:
        self.serve(idle_timeout=5)
        wire = self.open()
        wire.send(BEGUN)
        wire.advance(4.9)
        wire.send(client_frame(Opcode.CONTINUATION, b"", False))
        wire.advance(4.9)
        self.assertIsNone(self.closed(wire))
        wire.advance(0.1)
        self.assertEqual(self.closed(wire), (1001, "idle"))

    def test_behind_the_request(self) -> None:
        """What comes with it, or before the answer, counts from the 101 on."""
        for answer in (None, Deferred[None]()):
            self.on_request = lambda _, answer=answer: answer
            self.serve(first_message_timeout=4, message_timeout=5)
            wire = self.connect()
            wire.send(request() + TEXT + BEGUN)
            if answer is not None:
                wire.advance(9)
                answer.callback(None)
            wire.advance(4.9)
            self.assertIsNone(self.closed(wire))
            wire.advance(0.1)
            self.assertEqual(self.closed(wire), (1008, "unfinished message"))

    def test_an_old_one_that_is_not_read_from(self) -> None:
        """A connection's age is nobody's fault."""
        self.serve(max_age=100, age_jitter=0)
        wire = self.open()
        wire.send(client_frame(Opcode.BINARY, bytes(70_000)))
        self.assertTrue(wire.is_paused)
        wire.advance(100)
        self.assertEqual(self.closed(wire), (1001, "maximum age"))

    def test_nobody_is_blamed_who_is_not_read_from(self) -> None:
        """A deadline that comes while paused begins anew."""
        self.serve(idle_timeout=5)
        wire = self.open()
        wire.send(client_frame(Opcode.BINARY, bytes(70_000)))
        self.assertTrue(wire.is_paused)
        wire.advance(5)
        wire.advance(4.9)
        self.assertIsNone(self.closed(wire))
        self.successResultOf(self.peers[0].read())
        wire.pump()
        self.assertFalse(wire.is_paused)
        wire.advance(0.1)
        self.assertEqual(self.closed(wire), (1001, "idle"))

    def test_age(self) -> None:
        """Whatever the client does; by the jitter less."""
        for luck, age in ((0.0, 100.0), (0.5, 90.0), (1.0, 80.0)):
            self.serve(luck, max_age=100, age_jitter=0.2)
            wire = self.open()
            wire.advance(age - 0.1)
            wire.send(TEXT)
            self.assertIsNone(self.closed(wire))
            wire.advance(0.1)
            self.assertEqual(self.closed(wire), (1001, "maximum age"))

    def test_an_unanswered_close(self) -> None:
        """The connection is aborted after ``close_timeout``."""
        self.close_timeout = 3
        self.serve(max_age=100, age_jitter=0)
        wire = self.open()
        wire.advance(100)
        wire.advance(2.9)
        self.assertFalse(wire.is_aborted)
        wire.advance(0.1)
        self.assertTrue(wire.is_aborted)

    def test_one_that_is_being_closed(self) -> None:
        """Nothing is said twice."""
        self.serve(max_age=100, age_jitter=0, idle_timeout=50)
        wire = self.open()
        self.peers[0].shutdown(4000, timeout=1000)
        for _ in range(5):
            wire.advance(100)
        self.assertEqual(self.closed(wire), (4000, ""))
        self.assertFalse(wire.is_aborted)


class Rates(Case):
    """How much may arrive in the long run."""

    def test_messages(self) -> None:
        """A burst passes; what is over it is paid for by a pause."""
        self.serve(max_message_rate=10, burst=2)
        wire = self.open()
        wire.send(TEXT * 20)
        self.assertFalse(wire.is_paused)
        wire.send(TEXT * 5)
        self.assertTrue(wire.is_paused)
        wire.advance(0.4)
        self.assertTrue(wire.is_paused)
        wire.advance(0.1)
        self.assertFalse(wire.is_paused)
        self.assertEqual(self.drain(), 25)

    def test_fragments_are_one_message(self) -> None:
        self.serve(max_message_rate=1)
        wire = self.open()
        wire.send(BEGUN)
        wire.send(client_frame(Opcode.CONTINUATION, b"", False) * 10)
        wire.send(ENDED)
        self.assertFalse(wire.is_paused)
        wire.send(TEXT)
        self.assertTrue(wire.is_paused)

    def test_bytes(self) -> None:
        """Of whatever kind."""
        self.serve(max_byte_rate=100)
        wire = self.open()
        for _ in range(14):
            wire.send(PING)
        self.assertFalse(wire.is_paused)
        wire.send(PING)
        self.assertTrue(wire.is_paused)
        wire.advance(0.1)
        self.assertFalse(wire.is_paused)

    def test_nothing_is_lost(self) -> None:
        """What was sent during a pause is read after it."""
        self.serve(max_message_rate=10, burst=0.1)
        wire = self.open()
        sent = 12
        for _ in range(sent):
            wire.clock.advance(0.1)
            if not wire.is_paused:
                wire.send(TEXT * 2)
            else:
                sent -= 1
        wire.advance(1)
        self.assertEqual(self.drain(), sent * 2)

    def test_reading_does_not_end_a_pause(self) -> None:
        self.serve(max_message_rate=1)
        wire = self.open()
        wire.send(TEXT * 2)
        self.assertEqual(self.drain(), 2)
        self.peers[0].read().addErrback(lambda failure: failure.trap(ConnectionClosed))
        wire.pump()
        self.assertTrue(wire.is_paused)
        wire.advance(1)
        self.assertFalse(wire.is_paused)

    def test_ending_during_a_pause(self) -> None:
        """The other side's Close is heard."""
        self.serve(max_message_rate=1)
        wire = self.open()
        wire.send(TEXT * 100)
        done = self.peers[0].shutdown()
        wire.pump()
        wire.send(TEXT * 100)
        wire.send(CLOSE)
        wire.fin()
        self.assertTrue(self.successResultOf(done))

    def test_both(self) -> None:
        """The longer pause counts."""
        self.serve(max_message_rate=100, max_byte_rate=len(TEXT))
        wire = self.open()
        wire.send(TEXT * 3)
        wire.advance(1.9)
        self.assertTrue(wire.is_paused)
        wire.advance(0.1)
        self.assertFalse(wire.is_paused)

    def test_lost_during_a_pause(self) -> None:
        self.serve(max_message_rate=1)
        wire = self.open()
        wire.send(TEXT * 100)
        self.peers[0].close()
        wire.advance(0)
        wire.advance(1000)
        self.assertTrue(wire.is_aborted)

    def drain(self) -> int:
        """How many frames lie there to be read."""
        count = 0
        peer = self.peers[0]
        while (frame := peer.read()).called:
            self.successResultOf(frame)
            count += 1
        frame.addErrback(lambda failure: failure.trap(CancelledError))
        frame.cancel()
        return count


class Values(WatchedCase):
    def test_what_makes_no_sense(self) -> None:
        rows: list[tuple[str, object]] = [
            ("max_connections", 0),
            ("max_connections", 1.5),
            ("max_per_address", -1),
            ("ipv6_prefix", 129),
            ("ipv6_prefix", None),
            ("retry_after", -1),
            ("first_message_timeout", 0),
            ("message_timeout", "5"),
            ("idle_timeout", float("nan")),
            ("max_message_rate", 0),
            ("max_byte_rate", float("inf")),
            ("burst", 0),
            ("max_age", -5),
            ("age_jitter", 1.1),
        ]
        for name, value in rows:
            with self.assertRaisesRegex(ValueError, name):
                Limits(**{name: value})  # type: ignore[arg-type]

    def test_all_off(self) -> None:
        """Nothing is watched that nobody wants to limit."""
        self.assertFalse(Limits().is_watched)
        self.assertFalse(Limits(max_connections=5, max_per_address=1).is_watched)
        for name in ("first_message_timeout", "message_timeout", "idle_timeout"):
            self.assertTrue(Limits(**{name: 1}).is_watched)  # type: ignore[arg-type]


class Overrun(Case):
    def test_who_has_a_place_stays(self) -> None:
        """Even while one that was too many is on its way out."""
        self.serve(max_connections=1)
        inside, waiting, aborted = (self.connect(MemoryWire) for _ in range(3))
        assert isinstance(inside, MemoryWire)
        inside.transport.lose(ConnectionDone())
        late = self.connect(MemoryWire)
        found = [wire.is_aborted for wire in (waiting, aborted, late)]
        self.assertEqual(found, [False, True, False])
        late.send(request())
        self.assertEqual(self.status(late), 101)


class Verbs(Case):
    def test_the_transport_is_the_real_one(self) -> None:
        """So what is written takes the short way."""
        self.serve(max_connections=9, max_byte_rate=1 << 20, idle_timeout=9)
        wire = self.open()
        self.assertIs(self.peers[0].transport, wire.transport)
        plain = isinstance(self.peers[0].transport, tcp.Connection)
        self.assertEqual(plain, self.wire_class is SocketWire)

    def test_they_do_what_they_do(self) -> None:
        self.serve(max_connections=9, max_byte_rate=1 << 20, idle_timeout=9)
        wire, peer = self.open(), self.peers[0]
        self.assertEqual(self.successResultOf(peer.write("x")), 3)
        ping = peer.ping(b"p")
        wire.send(TEXT + client_frame(Opcode.PONG, b"p"))
        self.assertEqual(self.successResultOf(peer.receive()), "hello")
        self.assertEqual(self.successResultOf(ping), 0)
        done = peer.shutdown()
        wire.send(CLOSE)
        wire.fin()
        self.assertTrue(self.successResultOf(done))

    def test_drain(self) -> None:
        """It refuses those that wait for a place, too."""
        self.serve(max_connections=1)
        inside, waiting = self.open(), self.connect()
        done = self.factory.drain()
        inside.pump()
        waiting.pump()
        self.assertTrue(waiting.got.startswith(b"HTTP/1.1 503 "))
        self.assertEqual(self.closed(inside), (1001, ""))
        inside.send(client_frame(Opcode.CLOSE, b"\x03\xe9"))
        inside.fin()
        waiting.fin()
        self.assertEqual(self.successResultOf(done), (1, 0, 1))


class ConnectionsOverSockets(Connections):
    wire_class = SocketWire


class AddressesOverSockets(Addresses):
    wire_class = SocketWire


class DeadlinesOverSockets(Deadlines):
    wire_class = SocketWire


class RatesOverSockets(Rates):
    wire_class = SocketWire


class VerbsOverSockets(Verbs):
    wire_class = SocketWire


del Case
