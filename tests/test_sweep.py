"""A session that breaks at every byte, over TCP and TLS.

It has text, fragments, pings both ways, and a Close each way, begun by either side.
For each byte that goes to the server and each that goes to the client, it is cut there
in order, reset there, stalled there for ever, and delayed there.  What the server's
application sees must follow from what had reached it, alone.
"""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme
from twisted.internet.protocol import Factory
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from txws_simple import ConnectionClosed, Frame, Opcode, WebSocketFactory, WebSocketPeer
from txws_simple.handshake import accept

from .helpers import client_frame, parse, request, server_frame
from .ledger import Ledger
from .relay import Fault, Listener, PlainClient, Relay, Step, TLSClient

TEXT, BINARY, CONTINUATION = Opcode.TEXT, Opcode.BINARY, Opcode.CONTINUATION
CLOSE, PING, PONG = Opcode.CLOSE, Opcode.PING, Opcode.PONG
KEY = b"\x37\xfa\x21\x3d"
NORMAL = b"\x03\xe8"
BYE = b"bye"


class Session:
    """What is said, by whom, and what comes of it.

    Attributes:
        steps: What the client sends, and when.
        server_ends: Whether it is the server that ends it.
        reads: For each step, the data frame that the server's application reads.
    """

    def __init__(self, server_ends: bool) -> None:
        self.steps: list[Step] = []
        self.reads: list[Frame | None] = []
        self._said = 0  # bytes of the server
        self.server_ends = server_ends
        self._say(request(), accept(parse(request()), None))
        self._said += len(server_frame(PING, b"?"))
        self._exchange(TEXT, "grün".encode())
        self._exchange(BINARY, b"a", False)
        self._say(client_frame(PING, b"p", key=KEY), server_frame(PONG, b"p"))
        self._exchange(CONTINUATION, b"b" * 130)
        self._ponged = len(self.steps)
        self._say(client_frame(PONG, b"?", key=KEY), b"")
        if server_ends:
            self._exchange(TEXT, BYE)
            self._said += len(server_frame(CLOSE, NORMAL))
        self._say(client_frame(CLOSE, NORMAL, key=KEY), b"")

    def _say(self, data: bytes, answer: bytes, read: Frame | None = None) -> None:
        self.steps.append(Step(self._said, data))
        self._said += len(answer)
        self.reads.append(read)

    def _exchange(self, opcode: Opcode, data: bytes, fin: bool = True) -> None:
        frame = Frame(opcode, data, fin)
        self._say(client_frame(*frame, key=KEY), server_frame(*frame), frame)

    def expected(self, count: int) -> list[Any]:
        """What the application sees when so many steps have reached the server."""
        if count == 0:
            return []
        seen: list[Any] = [frame for frame in self.reads[:count] if frame is not None]
        is_whole = count == len(self.steps)
        if self.server_ends and BYE in [frame.data for frame in seen]:
            seen.append(("shutdown", is_whole))
        seen.append(("end", None if is_whole else 1006))
        seen.append(("ping", None if count > self._ponged else 1006))
        return seen


class Application:
    """Reads, writes, pings, shuts down, and notes what comes of it."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.ping: tuple[str, int | None] | None = None

    async def serve(self, peer: WebSocketPeer) -> None:
        peer.ping(b"?").addCallbacks(lambda _: None, code_of).addCallback(self._note)
        try:
            async for frame in peer:
                self.seen.append(frame)
                await peer.write(frame)
                if frame.data == BYE:
                    self.seen.append(("shutdown", await peer.shutdown()))
            self.seen.append(("end", None))
        except ConnectionClosed as error:
            self.seen.append(("end", error.code))

    def _note(self, code: int | None) -> None:
        self.ping = ("ping", code)

    @property
    def outcome(self) -> list[Any]:
        return [*self.seen, self.ping] if self.ping else self.seen


def code_of(failure: Failure) -> int:
    failure.trap(ConnectionClosed)
    code: int = failure.value.code
    return code


class Sweep:
    """One session, over and over, with one fault each.

    Attributes:
        outcomes: How often the application saw what.
    """

    def __init__(
        self,
        session: Session,
        client: Callable[[list[Step]], PlainClient],
        wrap: Callable[[Factory, Clock], Factory],
    ) -> None:
        self.session = session
        self._client = client
        self._clock = Clock()
        self._application = Application()
        factory = WebSocketFactory(
            lambda peer: self._application.serve(peer), clock=self._clock
        )
        self.listener = Listener(wrap(factory, self._clock))
        self.outcomes: Counter[str] = Counter()
        self._before = Ledger.totals.total()

    @property
    def deferreds(self) -> int:
        """How many were given out."""
        return Ledger.totals.total() - self._before

    def run(self, fault: Fault | None = None) -> Relay:
        """With this fault, it all has to come as expected; the relay knows how far."""
        self._application = application = Application()
        client = self._client(self.session.steps)
        relay = Relay(self.listener, client, self._clock, fault)
        relay.run()
        arrived = sum(mark <= relay.to_server for mark in client.marks)
        assert application.outcome == self.session.expected(arrived), fault
        assert self._clock.getDelayedCalls() == [], fault
        if fault is None or fault.how == "delay":
            assert arrived == len(self.session.steps), fault
        self.outcomes[f"{arrived} of {len(self.session.steps)} steps"] += 1
        return relay

    def over_every_byte(self, how: str, skips_tls: bool = False) -> None:
        whole = self.run()
        for to_server, begin, end in whole.extent:
            for at in range(begin if skips_tls else 0, end + 1):
                self.run(Fault(to_server, at, how))


@pytest.fixture(params=[False, True], ids=["client-ends", "server-ends"])
def session(request: pytest.FixtureRequest) -> Session:
    return Session(request.param)


@pytest.fixture
def over_tcp(session: Session) -> Iterator[Sweep]:
    sweep = Sweep(session, PlainClient, lambda factory, clock: factory)
    yield sweep
    sweep.listener.stop()


@pytest.fixture(scope="module")
def contexts() -> tuple[Any, ssl.SSLContext]:
    """Of the server and the client, which trusts it."""
    authority = trustme.CA()
    pem = authority.issue_cert("localhost").private_key_and_cert_chain_pem.bytes()
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return PrivateCertificate.loadPEM(pem).options(), client


@pytest.fixture
def over_tls(session: Session, contexts: tuple[Any, ssl.SSLContext]) -> Iterator[Sweep]:
    server, client = contexts
    sweep = Sweep(
        session,
        lambda steps: TLSClient(steps, client),
        lambda factory, clock: TLSMemoryBIOFactory(server, False, factory, clock),
    )
    yield sweep
    sweep.listener.stop()


Record = Callable[[str, object], None]


def tell(sweep: Sweep, record_property: Record) -> None:
    """For the report."""
    record_property("sessions", sweep.outcomes.total())
    record_property("Deferreds", sweep.deferreds)
    for outcome, count in sorted(sweep.outcomes.items()):
        record_property(outcome, count)


HOW = pytest.mark.parametrize("how", ["fin", "reset", "stall", "delay"])


@HOW
def test_over_tcp(over_tcp: Sweep, how: str, record_property: Record) -> None:
    over_tcp.over_every_byte(how)
    tell(over_tcp, record_property)


@HOW
def test_over_tls(over_tls: Sweep, how: str, record_property: Record) -> None:
    """TLS's own handshake too, but only once, for it is the same in both."""
    over_tls.over_every_byte(how, skips_tls=over_tls.session.server_ends)
    tell(over_tls, record_property)
