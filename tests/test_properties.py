"""What holds of the whole server, whatever arrives: outcomes and memory.

What holds of its parts alone is tried with each of them.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from txws_simple import Frame, Opcode, WebSocketFactory
from txws_simple.frames import Decoder

from .helpers import client_frame, in_segments, request
from .wires import MemoryWire, never, opened

TEXT, BINARY, CONTINUATION = Opcode.TEXT, Opcode.BINARY, Opcode.CONTINUATION
CLOSE, PING, PONG = Opcode.CLOSE, Opcode.PING, Opcode.PONG

#: What a handshake that fails gets, and what a conversation that fails does.
STATUSES = {400, 405, 414, 426, 431, 505}
VIOLATIONS = {1002, 1007, 1008, 1009}
ECHOED = {1000, 1001, 1005}
KEY = b"\x37\xfa\x21\x3d"


class Outcome(NamedTuple):
    """All that a client sees of an echo server.

    Attributes:
        status: The answer to the handshake, 0 for none.
        echoes: The data frames.
        pongs: The payloads of the Pongs.
        close: The code of the Close, ``None`` for none.
        is_ended: Whether the server has ended its side.
    """

    status: int
    echoes: list[Frame]
    pongs: list[bytes]
    close: int | None
    is_ended: bool


def serve(segments: Iterable[bytes], **options: Any) -> Outcome:
    clock = Clock()
    factory = WebSocketFactory(
        lambda peer: peer.each(peer.write), clock=clock, ping_frequency=None, **options
    )
    wire = MemoryWire(factory, clock)
    for segment in segments:
        wire.send(segment)
    outcome = seen(wire)
    wire.reset()
    assert clock.getDelayedCalls() == []
    return outcome


def seen(wire: MemoryWire) -> Outcome:
    wire.pump()
    head, _, body = wire.got.partition(b"\r\n\r\n")
    status = int(head.split(b" ")[1]) if head else 0
    if status != 101:
        return Outcome(status, [], [], None, wire.is_ended)
    decoder = Decoder(masked=False, max_frame_size=1 << 30)
    frames = decoder.receive(body)
    assert decoder.is_idle
    opcodes = [frame.opcode for frame in frames]
    assert CLOSE not in opcodes[:-1], "one Close, and nothing behind it"
    close = None
    if opcodes[-1:] == [CLOSE]:
        close = int.from_bytes(frames.pop().data[:2], "big") or 1005
    return Outcome(
        status,
        [frame for frame in frames if frame.opcode < CLOSE],
        [frame.data for frame in frames if frame.opcode is PONG],
        close,
        wire.is_ended,
    )


def cut(data: bytes, offsets: Iterable[int]) -> list[bytes]:
    """The data cut at these offsets, wherever they lie."""
    inner = sorted({0, len(data), *(offset % (len(data) + 1) for offset in offsets)})
    return [data[start:end] for start, end in pairwise(inner)]


payloads = st.binary(max_size=140) | st.text(max_size=40).map(str.encode)
client_frames = st.builds(
    client_frame,
    st.sampled_from([TEXT, BINARY, CONTINUATION, PING, PONG]),
    payloads,
    st.booleans(),
    st.just(KEY),
)
closes = st.sampled_from([b"", b"\x03\xe8", b"\x03\xe9bye", b"\x03", b"\x0f\xa0\xff"])
close_frames = closes.map(lambda data: client_frame(CLOSE, data, key=KEY))
messages = payloads.map(lambda data: client_frame(BINARY, data, key=KEY))
streams = st.lists(
    messages | messages | client_frames | close_frames | st.binary(max_size=4),
    max_size=8,
).map(b"".join)
offsets = st.lists(st.integers(min_value=0), max_size=12)


# Outcomes


@given(stream=streams, where=offsets)
def test_any_cut_of_any_stream(stream: bytes, where: list[int]) -> None:
    """However a handshake and what follows are cut, the client sees the same."""
    data = request() + stream
    outcome = serve([data])
    assert serve(cut(data, where)) == outcome
    assert outcome.status == 101
    assert outcome.close in {None, *VIOLATIONS, *ECHOED}
    assert outcome.is_ended is (outcome.close is not None)


@given(
    at=st.integers(min_value=0),
    junk=st.binary(max_size=4),
    stream=streams,
    where=offsets,
)
def test_any_handshake(at: int, junk: bytes, stream: bytes, where: list[int]) -> None:
    """It is accepted, or refused in a documented way, or waits for more."""
    data = request()
    at %= len(data)
    data = data[:at] + junk + data[at + len(junk) :] + stream
    outcome = serve([data])
    assert serve(cut(data, where)) == outcome
    assert outcome.status in {0, 101, *STATUSES}
    assert outcome.is_ended is (outcome.close is not None or outcome.status in STATUSES)


# Memory


def held(steps: Iterable[Callable[[], object]]) -> int:
    """The most bytes that are occupied after any of these."""
    tracemalloc.start()
    try:
        most = 0
        for step in steps:
            step()
            most = max(most, tracemalloc.get_traced_memory()[0])
        return most
    finally:
        tracemalloc.stop()


def until_paused(wire: MemoryWire, segments: Iterable[bytes]) -> Iterator[Any]:
    """The client sends as long as the server reads."""
    for segment in segments:
        if wire.is_paused:
            return
        yield lambda segment=segment: wire.protocol.dataReceived(segment)


@settings(max_examples=30)
@given(length=st.sampled_from([0, 1, 100, 900]), segment=st.integers(1, 100))
def test_unread_is_bounded(length: int, segment: int) -> None:
    """A peer that nobody reads from, whatever the size of frames and segments."""
    wire = opened(max_unread=4000, max_frame_size=1000)
    frame = client_frame(BINARY, bytes(length), key=KEY)
    data = in_segments(frame * (200_000 // len(frame)), segment)
    assert held(until_paused(wire, data)) < 4000 + 1000 + 128 * 17 + 4096
    assert wire.is_paused
    wire.reset()


@settings(max_examples=30)
@given(segment=st.integers(1, 100))
def test_what_waits_for_the_answer_is_bounded(segment: int) -> None:
    """While the application makes up its mind about the request."""
    wire = opened(on_request=never, max_unread=4000)
    data = in_segments(bytes(200_000), segment)
    assert held(until_paused(wire, data)) < 4000 + 4096
    assert wire.is_paused
    wire.reset()


@settings(max_examples=30)
@given(length=st.sampled_from([0, 1, 100, 1000]), segment=st.integers(1, 100))
def test_a_message_is_bounded(length: int, segment: int) -> None:
    """One that is awaited, and whose fragments never end."""
    wire = opened(max_message_size=8000, max_fragments=100)
    wire.protocol.peer.receive().addErrback(lambda _: None)
    first = client_frame(BINARY, bytes(length), False, KEY)
    more = client_frame(CONTINUATION, bytes(length), False, KEY)
    data = in_segments(first + more * 200, segment)
    assert held(until_paused(wire, data)) < 8000 + 1000 + 128 * 100 + 8192
    assert seen(wire).close in (1008, 1009)
    wire.reset()


@settings(max_examples=30)
@given(
    line=st.sampled_from([b"", b"a", b"GET / HTTP/1.1\r\n", b"A: b\r\n"]),
    segment=st.integers(1, 100),
)
def test_a_request_is_bounded(line: bytes, segment: int) -> None:
    clock = Clock()
    wire = MemoryWire(WebSocketFactory(never, clock=clock), clock)
    data = request()[:-2] + line * 20_000 + b"x" * 100_000
    # Each header is two strings and a tuple.
    assert held(until_paused(wire, in_segments(data, segment))) < 3 * 16384 + 100 * 256
    assert seen(wire).status in (400, 431)
    wire.reset()


@pytest.mark.parametrize("size", [1, 100, 20_000])
def test_written_is_bounded(size: int) -> None:
    """A peer that writes to a client that reads nothing."""
    wire = opened(max_buffered=100_000)
    wire.stall()
    peer = wire.protocol.peer
    most = 0
    while peer.error() is None:
        peer.write(bytes(size))
        most = max(most, peer.buffered)
    assert 100_000 < most <= 100_000 + size + 10
    assert wire.is_aborted
    wire.pump()
