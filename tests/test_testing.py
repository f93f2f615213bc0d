"""The testing kit: what a test sees through it, and what it complains of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock, LoopingCall, deferLater
from twisted.logger import Logger, globalLogPublisher
from twisted.python.failure import Failure

from txws_simple import (
    ConnectionClosed,
    Frame,
    Opcode,
    PongTimeout,
    Request,
    Response,
    Router,
    WebSocketFactory,
    WebSocketPeer,
)
from txws_simple.draining import Drained
from txws_simple.policies import LimitedFactory, Limits
from txws_simple.testing import Client, connect
from txws_simple.testing.memory import MemoryTransport
from txws_simple.wrapping import WrappingFactory

from .ledger import Ledger, WatchedCase
from .wires import never

TEXT, CONTINUATION = Opcode.TEXT, Opcode.CONTINUATION


async def echo(peer: WebSocketPeer) -> None:
    async for frame in peer:
        await peer.write(frame)


def serve(handler: Callable[[WebSocketPeer], object], **options: Any) -> Client:
    """A client of a factory with these options."""
    return connect(WebSocketFactory(handler, clock=Clock(), **options))


# What a handler can be


def deferring(peer: WebSocketPeer) -> Deferred[None]:
    return peer.each(peer.write)


@pytest.mark.parametrize("handler", [echo, deferring])
def test_a_handler_echoes(handler: Callable[[WebSocketPeer], object]) -> None:
    with connect(handler) as client:
        client.send("hello")
        assert client.receive() == "hello"
        client.send(b"\0\xff")
        client.send("")
        assert client.received() == [b"\0\xff", ""]
        assert client.received() == []
    assert client.close_code == 1000


def test_a_plain_function() -> None:
    """It is done at once, so the connection is closed."""
    with connect(lambda peer: peer.send("bye")) as client:
        assert client.receive() == "bye"
        assert (client.is_open, client.close_code) == (False, 1000)


# The handshake


def test_what_the_application_is_asked() -> None:
    asked: list[Request] = []
    factory = WebSocketFactory(
        never, clock=Clock(), subprotocols=["b", "a"], on_request=asked.append
    )
    with connect(
        factory,
        "/chat?room=1",
        headers=[("X-Token", "t")],
        origin="http://example.com",
        subprotocols=["a", "b"],
    ) as client:
        [request] = asked
        assert (request.path, request.query) == ("/chat", "room=1")
        assert request.headers["X-Token"] == "t"
        assert request.origin == "http://example.com"
        assert request.subprotocols == ("a", "b")
        assert (client.status, client.subprotocol) == (101, "b")


def test_refused() -> None:
    client = serve(
        never, on_request=lambda _: Response(401, [("X-Why", "token")], "who?")
    )
    with client:
        assert (client.status, client.body) == (401, "who?\n")
        assert client.headers["X-Why"] == "token"
        assert not client.is_open
        with pytest.raises(AssertionError, match="refused: 401 'who"):
            client.send("x")
    assert client.close_code == 1006


def test_an_answer_that_comes_later() -> None:
    decision: Deferred[None] = Deferred()
    with serve(never, on_request=lambda _: decision) as client:
        assert client.status is None
        with pytest.raises(AssertionError, match="not answered"):
            client.receive()
        decision.callback(None)
        assert client.is_open


def test_an_answer_that_never_comes() -> None:
    with serve(never, on_request=never, open_timeout=3) as client:
        client.advance(3)
        assert client.status == 503


def test_the_address() -> None:
    address = IPv4Address("TCP", "192.0.2.77", 7)
    peers: list[WebSocketPeer] = []
    with connect(peers.append, address=address):
        [peer] = peers
        assert peer.transport.getPeer() == address


# Frames and bytes


def test_fragments() -> None:
    with connect(echo) as client:
        client.send("hello", fragment_size=2)
        assert client.frames == [
            Frame(TEXT, b"he", False),
            Frame(CONTINUATION, b"ll", False),
            Frame(CONTINUATION, b"o"),
        ]
        assert client.receive() == "hello"
        client.frame(TEXT, "\N{EURO SIGN}".encode()[:1], False)
        client.frame(CONTINUATION, "\N{EURO SIGN}".encode()[1:])
        assert client.receive() == "\N{EURO SIGN}"


def test_a_frame_that_is_not_allowed() -> None:
    with connect(echo) as client:
        client.frame(CONTINUATION)
        assert client.close_code == 1002


def test_bytes_that_are_no_frame() -> None:
    with connect(echo) as client:
        client.raw(b"\xff" * 14)
        assert client.close_code == 1002


def test_pings_go_both_ways() -> None:
    told: list[float] = []

    def ping(peer: WebSocketPeer) -> Deferred[None]:
        peer.ping(b"?").addCallback(told.append)
        return Deferred()

    factory = WebSocketFactory(ping, clock=Clock(), ping_frequency=None)
    with connect(factory) as client:
        assert (client.pings, told) == ([b"?"], [0])
        client.ping(b"!")
        assert client.pongs == [b"!"]


# The end


def test_the_client_closes() -> None:
    ends: list[object] = []

    async def listen(peer: WebSocketPeer) -> None:
        with pytest.raises(ConnectionClosed) as caught:
            await peer.read()
        ends.append((caught.value.code, caught.value.reason))

    with connect(listen) as client:
        client.close(4000, "enough")
        assert ends == [(4000, "enough")]
        assert (client.close_code, client.close_reason) == (4000, "enough")
        with pytest.raises(AssertionError, match="closed: 4000 'enough'"):
            client.close()


def test_a_close_that_is_not_answered() -> None:
    """A client that stalls does not hear the answer."""
    with connect(echo) as client:
        client.stall()
        client.close()
        with pytest.raises(AssertionError, match="client has closed"):
            client.send("x")
        client.advance(10)
        assert client.close_code == 1006


def test_stalled_from_the_beginning() -> None:
    """Before the handshake was answered, nobody writes."""
    decision: Deferred[None] = Deferred()
    with serve(lambda peer: peer.send("x"), on_request=lambda _: decision) as client:
        client.stall()
        decision.callback(None)
        assert client.status is None
        client.unstall()
        assert client.receive() == "x"


def test_the_server_closes() -> None:
    with connect(lambda peer: peer.shutdown(4001, "full")) as client:
        assert (client.close_code, client.close_reason) == (4001, "full")


@pytest.mark.parametrize("error", [None, ConnectionLost(), ConnectionDone()])
def test_lost(error: Exception | None) -> None:
    causes: list[object] = []

    async def listen(peer: WebSocketPeer) -> None:
        with pytest.raises(ConnectionClosed) as caught:
            await peer.read()
        causes.append(type(caught.value.__cause__))

    with connect(listen) as client:
        client.lose(error)
        assert causes == [ConnectionLost if error is None else type(error)]
        assert client.close_code == 1006
        with pytest.raises(AssertionError, match="was lost"):
            client.receive()


def test_aborted() -> None:
    with connect(lambda peer: peer.close()) as client:
        assert client.close_code == 1006


# Time, and a client that does not read


def test_time_passes_call_by_call() -> None:
    """Each ping is answered before the next one is due."""
    with serve(never, ping_frequency=20) as client:
        client.advance(100)
        assert len(client.pings) == 5
        assert client.is_open


def test_a_timeout() -> None:
    async def listen(peer: WebSocketPeer) -> None:
        with pytest.raises(TimeoutError):
            await peer.read(timeout=5)
        await peer.send("nothing?")

    with connect(listen) as client:
        client.advance(4.9)
        assert client.received() == []
        client.advance(0.1)
        assert client.receive() == "nothing?"


def test_a_client_that_stalls() -> None:
    sent: list[int] = []

    async def talk(peer: WebSocketPeer) -> None:
        await peer.read()
        sent.append(await peer.write("a"))
        sent.append(await peer.write("b"))

    with connect(talk) as client:
        client.stall()
        client.send("go")
        assert (sent, client.received()) == ([], [])
        client.unstall()
        assert (sent, client.received()) == ([3, 3], ["a", "b"])


def test_a_client_that_stalls_for_ever() -> None:
    errors: list[object] = []

    async def listen(peer: WebSocketPeer) -> None:
        with pytest.raises(ConnectionClosed):
            await peer.read()
        errors.append(peer.error())

    with connect(listen) as client:
        client.stall()
        client.advance(60)
        assert [type(error) for error in errors] == [PongTimeout]
        assert client.close_code == 1006


def test_an_application_that_does_not_read() -> None:
    """What is sent waits, as it does in a network."""
    go: Deferred[None] = Deferred()

    async def listen(peer: WebSocketPeer) -> None:
        await go
        async for frame in peer:
            await peer.write(frame.data[:1])

    with serve(listen, max_unread=1000) as client:
        for digit in b"0123":
            client.send(bytes([digit]) * 800)
        assert client.is_paused
        assert client.received() == []
        go.callback(None)
        assert not client.is_paused
        assert client.received() == [b"0", b"1", b"2", b"3"]


# Several clients


def test_clients_of_one_factory() -> None:
    """What one sends comes to the others, whichever is looked at."""
    peers: list[WebSocketPeer] = []

    async def chat(peer: WebSocketPeer) -> None:
        peers.append(peer)
        async for frame in peer:
            for other in peers:
                other.write(frame)
        peers.remove(peer)

    factory = WebSocketFactory(chat, clock=Clock())
    with connect(factory) as ann, connect(factory) as bob:
        ann.send("hi")
        assert (ann.received(), bob.received()) == (["hi"], ["hi"])
        ann.advance(100)
        assert ann.is_open and bob.is_open
        assert len(ann.pings) == len(bob.pings) == 5
        ann.close()
        bob.send("alone")
        assert bob.received() == ["alone"]


def test_clients_of_a_factory_with_limits() -> None:
    """Another kind of factory is as good, and sees the address."""
    factory = LimitedFactory(echo, Limits(max_per_address=1), clock=Clock())
    home, away = (IPv4Address("TCP", f"192.0.2.{host}", 1) for host in (1, 2))
    with (
        connect(factory, address=home) as first,
        connect(factory, address=home) as second,
        connect(factory, address=away) as third,
    ):
        assert [one.status for one in (first, second, third)] == [101, 429, 101]


def test_a_factory_that_is_drained() -> None:
    factory = WebSocketFactory(echo, clock=Clock())
    drained: list[Drained] = []
    with connect(factory) as quick, connect(factory) as stalled:
        stalled.stall()
        factory.drain(timeout=5).addCallback(drained.append)
        assert (quick.close_code, drained) == (1001, [])
        quick.advance(5)
        assert (stalled.close_code, drained) == (1006, [Drained(1, 1, 0)])


def test_a_client_that_is_used_within_the_application() -> None:
    """What it sends arrives after what the application is at."""
    seen: list[object] = []

    async def listen(peer: WebSocketPeer) -> None:
        seen.append(await peer.receive())
        client.send("two")
        seen.append("before")
        seen.append(await peer.receive())

    with connect(listen) as client:
        client.send("one")
        assert seen == ["one", "before", "two"]


# Where a reactor runs


def why_not(arrival: Deferred[Any]) -> Deferred[Any]:
    """Why no message comes."""
    return arrival.addErrback(lambda failure: failure.getErrorMessage())


def out_of_its_turn() -> Deferred[None]:
    """What called the test, for a message came, holds on to the client meanwhile."""
    return deferLater(reactor, 0)


@pytest_twisted.ensureDeferred
async def test_a_message_that_comes_later() -> None:
    async def late(peer: WebSocketPeer) -> None:
        await deferLater(reactor, 0)
        await peer.send("late")
        await deferLater(reactor, 0)
        await peer.send("later")

    with connect(late) as client:
        with pytest.raises(AssertionError, match="connection is open"):
            client.receive()
        assert await client.arrival() == "late"
        assert await client.arrival() == "later"
        assert "closed: 1000" in await why_not(client.arrival())
    await out_of_its_turn()


@pytest_twisted.ensureDeferred
async def test_a_message_that_has_come() -> None:
    with connect(echo) as client:
        client.send("x")
        assert await client.arrival() == "x"
        cancelled = client.arrival()
        cancelled.addErrback(lambda _: None)
        cancelled.cancel()
        client.send("y")
        assert client.receive() == "y"


def test_a_message_that_comes_after_the_client_has_closed() -> None:
    """Until a Close has come, more may."""
    came: list[object] = []
    with connect(echo) as client:
        client.stall()
        client.send("last")
        client.close()
        client.arrival().addCallback(came.append)
        assert came == []
        client.unstall()
        assert came == ["last"]


@pytest_twisted.ensureDeferred
async def test_an_abort_that_comes_later() -> None:
    async def late(peer: WebSocketPeer) -> None:
        await deferLater(reactor, 0)
        peer.close()

    with connect(late) as client:
        assert "was lost" in await why_not(client.arrival())
    await out_of_its_turn()


# What it complains of


def test_a_handler_that_still_waits() -> None:
    for_ever: Deferred[None] = Deferred()
    with (
        pytest.raises(AssertionError, match="handler still waits"),
        connect(lambda peer: for_ever),
    ):
        pass


def test_a_handler_that_fails(ledger: Ledger) -> None:
    async def fail(peer: WebSocketPeer) -> None:
        raise KeyError("spam")

    with (
        pytest.raises(AssertionError, match="spam") as caught,
        connect(fail) as client,
    ):
        assert client.close_code == 1011
    assert isinstance(caught.value.__cause__, KeyError)
    with connect(fail) as client:
        assert client.flush_failures(ValueError) == []
        [failure] = client.flush_failures(KeyError)
        assert failure.check(KeyError)
    assert len(ledger.failures) == 2
    ledger.forgive(list(ledger.failures))


def test_a_failure_is_flushed_for_all(ledger: Ledger) -> None:
    factory = WebSocketFactory(lambda peer: 1 / 0, clock=Clock())
    with connect(echo) as other, connect(factory) as one, connect(factory) as two:
        assert len(one.flush_failures(ZeroDivisionError)) == 2
        assert two.flush_failures() == []
        assert other.flush_failures() == []
    ledger.forgive(list(ledger.failures))


def test_what_another_logs(ledger: Ledger) -> None:
    def log(peer: WebSocketPeer) -> Deferred[None]:
        Logger().failure("by the way", failure=Failure(ValueError("spam")))
        return peer.each(peer.write)

    with pytest.raises(AssertionError, match="spam"), connect(log):
        pass
    ledger.forgive(list(ledger.failures))


def test_a_delayed_call_that_is_left() -> None:
    clock = Clock()
    loops: list[LoopingCall] = []

    async def tick(peer: WebSocketPeer) -> None:
        loop = LoopingCall(peer.write, "tick")
        loop.clock = clock
        loop.start(1).addErrback(lambda _: None)
        loops.append(loop)
        await peer.read()

    with (
        pytest.raises(AssertionError, match="delayed calls are left"),
        connect(tick, clock=clock) as client,
    ):
        client.advance(2.5)
        assert client.received() == ["tick"] * 3
    loops[0].stop()


def test_not_before_the_last_client() -> None:
    """The delayed calls of one are none that another leaves."""
    factory = WebSocketFactory(echo, clock=Clock())
    with connect(factory) as first:
        with connect(factory):
            pass
        assert first.clock.getDelayedCalls() != []


def test_the_first_error_counts() -> None:
    """A block that fails says why, not what it leaves."""
    with pytest.raises(KeyError), connect(never) as client:
        raise KeyError
    assert not client.is_open


def test_to_finish_twice() -> None:
    client = connect(echo)
    client.finish()
    client.finish()


def test_a_message_that_has_not_come() -> None:
    with (
        connect(echo) as client,
        pytest.raises(AssertionError, match="no message has come"),
    ):
        client.receive()


@pytest.mark.parametrize("clock", [None, Clock()])
def test_a_factory_with_another_clock(clock: Clock | None) -> None:
    with pytest.raises(ValueError, match="clock"):
        connect(WebSocketFactory(never), clock=clock)
    with pytest.raises(ValueError, match="another"):
        connect(WebSocketFactory(never, clock=Clock()), clock=clock or Clock())


def test_to_go_on_for_ever() -> None:
    """A test that would never end says so."""

    async def ping(peer: WebSocketPeer) -> None:
        while True:
            await peer.ping()

    with pytest.raises(AssertionError, match="without end"):
        connect(ping)


def test_a_transport_as_others_have_it() -> None:
    """For protocols of any kind: both addresses, and one producer at a time."""

    class Plain(Protocol):
        def connectionMade(self) -> None:
            transport: Any = self.transport
            assert transport.getHost() != transport.getPeer()
            transport.registerProducer(self, True)
            with pytest.raises(RuntimeError, match="registered"):
                transport.registerProducer(self, True)
            transport.unregisterProducer()
            with pytest.raises(NotImplementedError):
                transport.registerProducer(self, False)
            with pytest.raises(TypeError, match="str is not bytes"):
                transport.write("text")
            transport.writeSequence([b"HTTP/1.1 404 ", b"No\r\n\r\n", b"nothing here"])
            transport.stopProducing()

    with connect(Factory.forProtocol(Plain), clock=Clock()) as client:
        assert (client.status, client.body) == (404, "nothing here")
        assert client.close_code == 1006


def test_an_answer_in_pieces() -> None:
    class Slow(Protocol):
        pieces = iter((b"HTTP/1.1 4", b"04 No\r\n\r", b"\nnothing", b" here"))

        def dataReceived(self, data: bytes) -> None:
            self.transport.write(next(self.pieces))

    with connect(Factory.forProtocol(Slow), clock=Clock()) as client:
        for status, body in ((None, ""), (404, "nothing"), (404, "nothing here")):
            client.raw(b"more")
            assert (client.status, client.body) == (status, body)


def test_a_transport_with_a_producer_does_not_close() -> None:
    transport = MemoryTransport(Clock())
    transport.registerProducer(object(), True)
    with pytest.raises(AssertionError, match="producer"):
        transport.loseConnection()


def test_a_factory_that_takes_nobody() -> None:
    class Full(Factory):
        def buildProtocol(self, addr: object) -> None:
            return None

    with pytest.raises(AssertionError, match="no more connections"):
        connect(Full(), clock=Clock())


def test_a_server_that_breaks_the_protocol() -> None:
    class Wrong(Protocol):
        def dataReceived(self, data: bytes) -> None:
            self.transport.write(b"HTTP/1.1 101 Yes\r\n")
            self.transport.write(b"\r\n\x83\x00")

    with pytest.raises(AssertionError, match="protocol was broken"):
        connect(Factory.forProtocol(Wrong), clock=Clock())


class UnderTrial(WatchedCase):
    """The same in trial's own kind of case."""

    def test_echo(self) -> None:
        with connect(echo) as client:
            client.send("hello")
            self.assertEqual(client.receive(), "hello")

    def test_a_failure(self) -> None:
        with connect(lambda peer: 1 / 0) as client:
            self.assertEqual(client.close_code, 1011)
            client.flush_failures(ZeroDivisionError)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


# What an application does with time, and a reactor


@pytest_twisted.ensureDeferred
async def test_a_stream_that_goes_on_by_the_reactor() -> None:
    """Its next step is due on the clock of the test, and nobody else turns that."""

    class Late(Protocol):
        def connectionMade(self) -> None:
            assert self.transport is not None
            self.call = reactor.callLater(0.02, self.transport.write, b"late")

    factory = WrappingFactory(Factory.forProtocol(Late), clock=Clock())
    with connect(factory) as client:
        assert await client.arrival() == b"late"
    await out_of_its_turn()


@pytest_twisted.ensureDeferred
async def test_a_handler_that_reads_late() -> None:
    """What waits for it is sent when it reads on."""

    async def count(peer: WebSocketPeer) -> None:
        size = 0
        while (message := await peer.receive()) != "end":
            size += len(message or "")
            await deferLater(reactor, 0.01)
        await peer.send(str(size))

    with connect(count) as client:
        for _ in range(3):
            client.send("x" * 40_000)
        client.send("end")
        assert client.is_paused
        assert await client.arrival() == "120000"
    await out_of_its_turn()


@pytest_twisted.ensureDeferred
async def test_two_who_wait() -> None:
    """The first message is for the first of them, be it there already."""
    with connect(echo) as client:
        first, second = client.arrival(), client.arrival()
        client.send("one")
        third = client.arrival()
        client.send("two")
        client.send("three")
        assert [await first, await second, await third] == ["one", "two", "three"]


@pytest_twisted.ensureDeferred
async def test_waiting_for_something_else() -> None:
    """An answer, a Close, or what the application does."""
    left: list[str] = []

    async def handler(peer: WebSocketPeer) -> None:
        await deferLater(reactor, 0.01)
        await peer.shutdown(4001, "over")
        await deferLater(reactor, 0.01)
        left.append("gone")

    factory = WebSocketFactory(
        handler, on_request=lambda _: deferLater(reactor, 0.01), clock=Clock()
    )
    with connect(factory) as client:
        assert client.status is None
        await client.until(lambda: client.status)
        assert client.status == 101
        assert await client.until(lambda: client.close_code) is None
        assert (client.close_code, client.close_reason) == (4001, "over")
        await client.until(lambda: left)
    await out_of_its_turn()


@pytest_twisted.ensureDeferred
async def test_waiting_in_vain() -> None:
    """It ends, and says how things are."""
    with connect(never) as client:
        for vain in (client.arrival(0.02), client.until(lambda: False, 0.02)):
            assert "in time: the connection is open" in await why_not(vain)
        with pytest.raises(ZeroDivisionError):
            await client.until(lambda: 1 / 0)
        last = client.until(lambda: False)
        client.lose()
        with pytest.raises(AssertionError, match="still waits"):
            client.finish()
        assert "did not happen: the connection was lost" in await why_not(last)
    await out_of_its_turn()


@pytest_twisted.ensureDeferred
async def test_who_waits_hears_of_a_loop() -> None:
    clock = Clock()

    async def spin(peer: WebSocketPeer) -> None:
        await deferLater(reactor, 0.01)
        while peer.closed_by is None:
            await deferLater(clock, 0)

    client = connect(spin, clock=clock)
    assert "without end" in str(await why_not(client.arrival()))
    with pytest.raises(AssertionError, match="without end"):
        client.finish()
    await out_of_its_turn()


def test_a_loop_without_end() -> None:
    """It is an error, not a test that hangs."""
    clock = Clock()
    ends: list[bool] = []

    async def spin(peer: WebSocketPeer) -> None:
        while not ends:
            await deferLater(clock, 0)

    with pytest.raises(AssertionError, match=r"without end: .*DelayedCall"):
        connect(spin, clock=clock)
    ends.append(True)
    clock.advance(0)


def test_some_turns_of_the_clock() -> None:
    clock = Clock()

    async def wait(peer: WebSocketPeer) -> None:
        for _ in range(100):
            await deferLater(clock, 0)
        await peer.send("done")

    with connect(wait, clock=clock) as client:
        assert client.receive() == "done"


# What a test is told


def test_all_failures_are_flushed(ledger: Ledger) -> None:
    with connect(lambda peer: 1 // 0) as client:
        [failure] = client.flush_failures()
        assert failure.check(ZeroDivisionError)
        assert client.flush_failures() == []
    ledger.forgive(list(ledger.failures))


def test_why_a_message_has_not_come(ledger: Ledger) -> None:
    """It was the handler's failure: that is named, and is the cause."""

    def fail(peer: WebSocketPeer) -> None:
        raise KeyError("my bug")

    with connect(fail) as client:
        for use in (client.receive, lambda: client.send("x")):
            with pytest.raises(AssertionError, match=r"1011 .*'my bug'") as told:
                use()
            assert isinstance(told.value.__cause__, KeyError)
        client.flush_failures()
    ledger.forgive(list(ledger.failures))


def test_a_handler_ends_the_transport() -> None:
    """As it may over TCP."""

    async def end(peer: WebSocketPeer) -> None:
        await peer.send("last")
        peer.transport.loseConnection()
        await peer.read()

    with connect(end) as client:
        assert client.receive() == "last"
        assert client.close_code == 1006


def test_options_of_tcp() -> None:
    def set_them(peer: WebSocketPeer) -> Deferred[None]:
        peer.transport.setTcpKeepAlive(True)
        peer.transport.setTcpNoDelay(False)
        seen.append(peer.transport.getTcpKeepAlive())
        seen.append(peer.transport.getTcpNoDelay())
        return never(peer)

    seen: list[bool] = []
    client = connect(set_them)
    assert seen == [True, False]
    client.lose()
    with pytest.raises(AssertionError, match="still waits"):
        client.finish()


def test_what_is_no_application() -> None:
    wrong: Any = Router({"/": never})
    with pytest.raises(TypeError, match="neither a handler nor a factory"):
        connect(wrong)


def test_a_host_of_its_own() -> None:
    hosts: list[list[str]] = []

    def ask(request: Request) -> Response:
        hosts.append(request.headers.all("Host"))
        return Response(403)

    factory = WebSocketFactory(never, on_request=ask, clock=Clock())
    for headers in ([], [("host", "a.example")]):
        with connect(factory, headers=headers):
            pass
    assert hosts == [["localhost"], ["a.example"]]


@pytest.mark.parametrize("path", ["/\u20ac", "/a\u0394"])
def test_a_path_that_can_not_be_sent(path: str) -> None:
    """Nothing is left of it."""
    before = len(globalLogPublisher._observers)
    with pytest.raises(ValueError, match="has to be quoted"):
        connect(never, path)
    assert len(globalLogPublisher._observers) == before


def test_what_is_no_argument() -> None:
    wrong: Any = "v1"
    with pytest.raises(TypeError, match="is a str"):
        connect(never, subprotocols=wrong)
    with pytest.raises(ValueError, match="make the factory with"):
        connect(WebSocketFactory(never), clock=Clock())
    with connect(echo, headers={"X-A": "y"}) as client:
        for send in (client.raw, lambda text: client.frame(Opcode.TEXT, text)):
            with pytest.raises(TypeError, match="str, not bytes"):
                send(wrong)


def test_a_factory_that_is_not_of_websocket() -> None:
    """It takes the request for something else, and says so."""

    class Talkative(Protocol):
        def connectionMade(self) -> None:
            self.transport.write(b"220 hello\r\n\r\n")

    factory = Factory.forProtocol(Talkative)
    with pytest.raises(AssertionError, match="not one of WebSocket: '220 hello'"):
        connect(factory, clock=Clock())


class Counting(Factory):
    """Sets itself up when it is started."""

    noisy = False
    protocol = Protocol

    def __init__(self) -> None:
        self.seen: list[str] = []

    def startFactory(self) -> None:
        self.seen.append("start")

    def stopFactory(self) -> None:
        self.seen.append("stop")


def test_a_factory_is_started_and_stopped() -> None:
    """With the first of its clients, and with the last."""
    inner = Counting()
    factory = WrappingFactory(inner, clock=Clock())
    with connect(factory), connect(factory):
        assert inner.seen == ["start"]
    assert inner.seen == ["start", "stop"]
    with connect(factory):
        assert inner.seen == ["start", "stop", "start"]


def test_a_factory_that_was_drained() -> None:
    """It serves nobody more, until its last client has left."""
    factory = WebSocketFactory(lambda peer: peer.each(peer.write), clock=Clock())
    with connect(factory) as client:
        drained = factory.drain()
        assert client.close_code == 1001
        with connect(factory) as other:
            assert other.status == 503
    assert drained.called
    with connect(factory) as client:
        assert client.status == 101


async def endless(peer: WebSocketPeer) -> None:
    while True:
        await peer.send("x" * 100_000)


async def endless_crumbs(peer: WebSocketPeer) -> None:
    while True:
        await peer.send("")


@pytest.mark.parametrize("handler", [endless, endless_crumbs])
def test_a_handler_that_never_ends(handler: Callable[[WebSocketPeer], object]) -> None:
    """It is held back by what the client has not received, as by a real one."""
    with connect(handler) as client:
        first = len(client.received())
        assert 600 < first < 140_000
        assert len(client.received()) > 600
        client.send("is heard")
        assert client.is_open


def test_the_end_behind_all_that_the_client_reads() -> None:
    """It overtakes nothing, though the application does not wait for an answer."""

    async def much(peer: WebSocketPeer) -> None:
        for _ in range(64):
            await peer.send(b"x" * (1 << 20))
        await peer.send("rest")
        await peer.receive()

    with connect(much) as client:
        client.raw(b"\xff\xff")
        assert len(client.received()) == 64
        assert client.received() == ["rest"]
        assert client.close_code == 1002


@pytest.mark.parametrize(
    ("name", "value"), [("status", 101), ("pings", [b"late"]), ("close_reason", "ok")]
)
def test_what_the_client_says_is_up_to_date(name: str, value: object) -> None:
    """Whatever is asked first."""
    answer: Deferred[None] = Deferred()

    async def handler(peer: WebSocketPeer) -> None:
        peer.ping(b"late")
        await peer.shutdown(1000, "ok")

    factory = WebSocketFactory(handler, on_request=lambda _: answer, clock=Clock())
    with connect(factory) as client:
        assert client.status is None
        answer.callback(None)
        assert getattr(client, name) == value
        assert client.body == ""


def test_a_failure_of_which_nobody_hears(ledger: Ledger) -> None:
    """The background's failures are this test's, not those of a later one."""

    async def fail() -> None:
        raise LookupError("in the background")

    async def handler(peer: WebSocketPeer) -> None:
        Deferred.fromCoroutine(fail())
        await peer.receive()

    client = connect(handler)
    with pytest.raises(AssertionError, match="in the background"):
        client.finish()
    ledger.forgive(list(ledger.failures))
