"""Target: a whole connection, from its first byte to its end, on a transport in memory.

Input: a byte of choices; eight steps, each a segment's size and what happens behind
it; what arrives.  The application is one of several, and its Deferreds are counted.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, LogLevel, globalLogPublisher

from tests.held import held
from tests.helpers import parse_answer, request
from tests.wires import MemoryWire
from txws_simple import (
    ConnectionClosed,
    Frame,
    Opcode,
    Request,
    TimedOut,
    WebSocketFactory,
    WebSocketPeer,
)
from txws_simple.connection import Connection
from txws_simple.frames import Decoder

__all__ = ["check"]

#: What the first byte chooses, beside the application in its last three bits.
BRINGS_REQUEST, HAS_LOW_LIMITS, PINGS, DECIDES_LATER, IS_FLOOD = 8, 16, 32, 64, 128

STEPS = 8
SIZES = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 1024)

#: What the server may say by itself; anything else has to be an answer.
OWN_CODES = {1000, 1002, 1007, 1008, 1009, 1011}

_LOW: dict[str, Any] = {
    **{"max_frame_size": 300, "max_message_size": 400, "max_fragments": 5},
    **{"max_unread": 512, "max_buffered": 1024},
    **{"max_line_size": 200, "max_header_lines": 8, "max_request_size": 512},
}
#: With these limits a connection occupies no more, in bytes, all objects together.
#: A segment of 1,024 bytes brings up to 170 frames, each of 121 bytes as objects, and
#: two may lie unread: the one that comes before the bound, and the one that crosses it.
_MOST_HELD = 64 * 1024
#: How often a flood repeats what arrives.
_REPEATED = 100


class Deliberate(Exception):
    """What an application of these raises."""


class Application:
    """What is done with a peer, and whether each Deferred of it fires just once."""

    def __init__(self, kind: int) -> None:
        self.handler = getattr(self, _KINDS[kind % len(_KINDS)])
        self.fired: list[int] = []
        self.waiting: list[Deferred[Any]] = []
        self.decision: Deferred[None] = Deferred()

    def watch(self, deferred: Deferred[Any]) -> Deferred[Any]:
        """Count how often it fires."""
        number = len(self.fired)
        self.fired.append(0)
        self.waiting.append(deferred)

        def count(result: Any) -> Any:
            self.fired[number] += 1
            return result

        return deferred.addBoth(count)

    def start(self, deferred: Deferred[Any]) -> None:
        """The same for one whose result nobody needs."""
        self.watch(deferred).addErrback(_expect)

    def decide(self, request: Request) -> Deferred[None]:
        return self.decision

    def cancel(self) -> None:
        if self.waiting:
            self.waiting.pop(0).cancel()

    async def echo(self, peer: WebSocketPeer) -> None:
        await self.watch(peer.each(peer.write))

    async def frames(self, peer: WebSocketPeer) -> None:
        while (frame := await self.watch(peer.read())) is not None:
            await self.watch(peer.write(frame))

    async def messages(self, peer: WebSocketPeer) -> None:
        while (message := await self.watch(peer.receive())) is not None:
            await self.watch(peer.send(message, fragment_size=3))

    async def several(self, peer: WebSocketPeer) -> None:
        """All verbs at once."""
        self.start(peer.ping())
        self.start(peer.read(timeout=1))
        self.start(peer.receive(timeout=2))
        self.start(peer.write(Frame(Opcode.TEXT, b"part", False), timeout=1))
        self.start(peer.write(Frame(Opcode.CONTINUATION, b"end")))
        self.start(peer.each(lambda frame: peer.write(frame.data)))
        await self.watch(peer.read())

    async def short(self, peer: WebSocketPeer) -> None:
        await self.watch(peer.receive())
        self.start(peer.shutdown(4000, "enough", timeout=3))

    def idle(self, peer: WebSocketPeer) -> Deferred[None]:
        return Deferred()

    def done(self, peer: WebSocketPeer) -> None:
        pass

    def failing(self, peer: WebSocketPeer) -> None:
        raise Deliberate


_KINDS = ("echo", "frames", "messages", "several", "short", "idle", "done", "failing")

#: What a verb may say of its use; here steps and handlers write without each other.
_MISUSES = {
    "receive() within a message whose first fragment was read",
    "new message inside a fragmented one",
    "continuation of nothing",
}


def _is_documented(failure: Any) -> bool:
    """Whether a verb may fail with it."""
    if failure.check(ValueError, RuntimeError):
        return str(failure.value) in _MISUSES
    return bool(failure.check(ConnectionClosed, TimedOut, CancelledError))


def _expect(failure: Any) -> None:
    if not _is_documented(failure):
        raise AssertionError(failure) from failure.value


def check(data: bytes) -> None:
    """One connection; afterwards there is nothing left of it."""
    wrong: list[str] = []

    def listen(event: LogEvent) -> None:
        wrong.extend(_complaints(event))

    globalLogPublisher.addObserver(cast(ILogObserver, listen))
    try:
        remains = _connect(data)
        # What nobody has caught is told when its Deferred goes.
        gc.collect()
    finally:
        globalLogPublisher.removeObserver(cast(ILogObserver, listen))
    assert not wrong, "\n".join(wrong)
    assert [thing() for thing in remains] == [None] * len(remains)


def _complaints(event: LogEvent) -> Iterator[str]:
    """What an event says is wrong: all but information, and how handlers fail."""
    # Taken out: whoever keeps the event shall keep no frame with it.
    failure = event.pop("log_failure", None)
    if failure is None:
        if event.get("log_level") not in (LogLevel.debug, LogLevel.info):
            yield str(event)
        return
    is_handlers = str(event.get("log_format")).startswith("handler of")
    if not is_handlers or not (failure.check(Deliberate) or _is_documented(failure)):
        yield failure.getTraceback()


def _connect(data: bytes) -> list[weakref.ref[Any]]:
    choices = data[0] if data else 0
    application = Application(choices)
    clock = Clock()
    factory = WebSocketFactory(
        application.handler,
        ping_frequency=5 if choices & PINGS else None,
        clock=clock,
        on_request=application.decide if choices & DECIDES_LATER else None,
        **(_LOW if choices & HAS_LOW_LIMITS else {}),
    )
    wire = MemoryWire(factory, clock)
    stream = data[1 + STEPS :] * (_REPEATED if choices & IS_FLOOD else 1)
    arriving = bytearray(stream if choices & BRINGS_REQUEST else request() + stream)
    for step in data[1 : 1 + STEPS]:
        _deliver(wire, arriving, SIZES[step & 15])
        _ACTIONS[step >> 4](wire, application)
    while arriving and _deliver(wire, arriving, 512):
        pass
    if choices & HAS_LOW_LIMITS:
        assert held(wire.protocol) <= _MOST_HELD, held(wire.protocol)
    _end(wire, application)
    _check_sent(wire, application)
    return [weakref.ref(wire.protocol), weakref.ref(wire.protocol.peer)]


# What arrives, and what else happens


def _deliver(wire: MemoryWire, arriving: bytearray, size: int) -> bool:
    """A segment, as a transport would give it; whether it did."""
    transport = wire.transport
    if transport.disconnecting and not transport.is_full:
        wire.fin()
    if wire.is_paused or wire.is_aborted or transport.is_lost or not size:
        return False
    segment = bytes(arriving[:size])
    del arriving[:size]
    if segment:
        wire.send(segment)
    return True


def _decide(wire: MemoryWire, application: Application) -> None:
    if not application.decision.called:
        application.decision.callback(None)


def _on_peer(action: Callable[[WebSocketPeer], Any]) -> Callable[..., None]:
    def act(wire: MemoryWire, application: Application) -> None:
        result = action(wire.protocol.peer)
        if isinstance(result, Deferred):
            application.start(result)

    return act


_ACTIONS: tuple[Callable[[MemoryWire, Application], Any], ...] = (
    lambda wire, application: None,
    _decide,
    lambda wire, application: wire.advance(0.5),
    lambda wire, application: wire.advance(4),
    lambda wire, application: wire.advance(20),
    lambda wire, application: wire.stall(),
    lambda wire, application: wire.unstall(),
    lambda wire, application: wire.fin(),
    lambda wire, application: wire.reset(),
    lambda wire, application: application.cancel(),
    _on_peer(lambda peer: peer.write("some text")),
    _on_peer(lambda peer: peer.write(bytes(500), timeout=1)),
    _on_peer(lambda peer: peer.ping(b"ping")),
    _on_peer(lambda peer: peer.read(timeout=1)),
    _on_peer(lambda peer: peer.shutdown(1001, timeout=2)),
    _on_peer(lambda peer: peer.close()),
)


# How it has to end


def _end(wire: MemoryWire, application: Application) -> None:
    """The client goes away, if the server has not; then nothing may wait."""
    wire.unstall()
    if wire.transport.disconnecting:
        wire.fin()
    wire.reset()
    wire.advance(100)
    assert wire.clock.getDelayedCalls() == []
    assert application.fired == [1] * len(application.fired), application.fired


def _check_sent(wire: MemoryWire, application: Application) -> None:
    sent = wire.got
    if not sent:
        return
    assert sent.startswith(b"HTTP/1.1 ")
    if not sent.startswith(b"HTTP/1.1 101 "):
        assert 400 <= parse_answer(sent).status < 600
        return
    body = sent.partition(b"\r\n\r\n")[2]
    decoder = Decoder(masked=False, max_frame_size=1 << 20)
    frames = decoder.receive(body)
    assert decoder.violation is None
    closes = [number for number, f in enumerate(frames) if f.opcode is Opcode.CLOSE]
    assert closes in ([], [len(frames) - 1]), "a frame behind the Close"
    assert decoder.is_idle or not closes
    client = Connection(
        client=True, max_frame_size=2**40, max_message_size=None, max_fragments=None
    )
    client.receive(body)
    assert client.violation is None, client.violation
    if client.received is not None:
        _check_close(wire, client.received.code, client.received.reason)


def _check_close(wire: MemoryWire, code: int, reason: str) -> None:
    """It is documented, or what the application said, or an answer in kind."""
    peer = wire.protocol.peer
    answered = peer.close_code == code and peer.close_reason == reason
    assert code in OWN_CODES | {1001, 4000} or answered, (code, peer.close_code)
