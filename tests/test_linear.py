"""Time grows as what arrives does; it is counted, in calls and in bytes moved.

Nothing here looks at a clock.
"""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable, Iterable, Iterator

import pytest

from txws_simple import Opcode
from txws_simple.connection import Connection
from txws_simple.frames import Decoder
from txws_simple.request import RequestParser

from .helpers import LIMITS, client_frame, in_segments, request
from .wires import never, opened

TEXT, BINARY, CONTINUATION = Opcode.TEXT, Opcode.BINARY, Opcode.CONTINUATION
PING = Opcode.PING
KEY = b"\x37\xfa\x21\x3d"


def calls(steps: Iterable[Callable[[], object]]) -> int:
    """How many functions are called."""
    count = 0

    def profile(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    for step in steps:
        sys.setprofile(profile)
        try:
            step()
        finally:
            sys.setprofile(None)
    return count


def moved(steps: Iterable[Callable[[], object]]) -> int:
    """How many bytes are occupied anew, be it for a moment."""
    count = 0
    tracemalloc.start()
    try:
        for step in steps:
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            step()
            count += tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    return count


Steps = Iterator[Callable[[], object]]


def feed(receive: Callable[[bytes], object], segments: Iterable[bytes]) -> Steps:
    for segment in segments:
        yield lambda segment=segment: receive(segment)


def decode(data: bytes, size: int) -> Steps:
    decoder = Decoder(masked=True, max_frame_size=1 << 30)
    return feed(decoder.receive, in_segments(data, size))


def converse(data: bytes, size: int) -> Steps:
    side = Connection(max_frame_size=1 << 30, max_message_size=None, max_fragments=None)
    return feed(side.receive, in_segments(data, size))


def parse(data: bytes, size: int) -> Steps:
    parser = RequestParser(**dict.fromkeys(LIMITS, 1 << 30))
    return feed(parser.receive, in_segments(data, size))


def echo(data: bytes, size: int) -> Steps:
    wire = opened(lambda peer: peer.each(peer.write), max_message_size=None)
    yield from feed(wire.protocol.dataReceived, in_segments(data, size))
    wire.reset()


def lie_unread(data: bytes, size: int) -> Steps:
    wire = opened(max_unread=1 << 30, max_fragments=None)
    yield from feed(wire.protocol.dataReceived, in_segments(data, size))
    wire.reset()


def arrive_early(data: bytes, size: int) -> Steps:
    """While the application thinks about the request."""
    wire = opened(on_request=never, max_unread=1 << 30)
    yield from feed(wire.protocol.dataReceived, in_segments(data, size))
    wire.reset()


def frame(length: int, opcode: Opcode = TEXT, fin: bool = True) -> bytes:
    return client_frame(opcode, b"x" * length, fin, KEY)


FRAGMENTS = frame(0, BINARY, False), frame(3, CONTINUATION, False)

#: What arrives, by its size; how; and in segments of which size.
GROWING: dict[str, tuple[Callable[[int], bytes], Callable[..., Steps], int]] = {
    "a frame byte by byte": (frame, decode, 1),
    "a frame in pieces": (lambda n: frame(20 * n), decode, 50),
    "a frame in large pieces": (lambda n: frame(2000 * n), decode, 5000),
    "tiny frames in one segment": (lambda n: frame(1) * n, decode, 1 << 30),
    "frames cut anywhere": (lambda n: frame(90) * n, decode, 61),
    "text byte by byte": (frame, converse, 1),
    "text in pieces": (lambda n: frame(20 * n), converse, 50),
    "fragments": (lambda n: FRAGMENTS[0] + FRAGMENTS[1] * n, converse, 1 << 30),
    "fragments cut anywhere": (lambda n: FRAGMENTS[0] + FRAGMENTS[1] * n, converse, 7),
    "pings": (lambda n: frame(9, PING) * n, converse, 1 << 30),
    "pings one by one": (lambda n: frame(9, PING) * n, converse, 15),
    "a request line": (lambda n: b"GET /" + b"a" * n, parse, 1),
    "a request line at once": (lambda n: b"GET /" + b"a" * 20 * n, parse, 1 << 30),
    "headers": (lambda n: request()[:-2] + b"A: b\r\n" * n, parse, 1 << 30),
    "headers byte by byte": (lambda n: request()[:-2] + b"A: b\r\n" * n, parse, 1),
    "tokens": (lambda n: request(Upgrade="a," * n + "websocket"), parse, 1 << 30),
    "an echo": (lambda n: frame(10) * n, echo, 1 << 30),
    "an echo one by one": (lambda n: frame(10) * n, echo, 16),
    "pings to an echo": (lambda n: frame(9, PING) * n, echo, 1 << 30),
    "early": (lambda n: frame(10) * n, arrive_early, 16),
    "unread": (lambda n: frame(10) * n, lie_unread, 100),
    "unread fragments": (lambda n: FRAGMENTS[0] + FRAGMENTS[1] * n, lie_unread, 100),
}


@pytest.mark.parametrize("name", GROWING)
@pytest.mark.parametrize("measure", [calls, moved])
def test_time_is_linear(name: str, measure: Callable[[Steps], int]) -> None:
    make, steps, size = GROWING[name]
    assert is_linear(lambda n: measure(steps(make(n), size)))


def is_linear(cost: Callable[[int], int]) -> bool:
    """Eight times as much costs about eight times as much, not sixty-four times.

    Twice as much is let pass, and what an allocator keeps at hand.
    """
    few, many = cost(500), cost(4000)
    return many < 16 * few + 200_000


def test_what_is_not_linear() -> None:
    """It is seen, be it bytes that are copied or a list that is looked through."""

    def copy(n: int) -> Steps:
        data = b""

        def receive(segment: bytes) -> None:
            nonlocal data
            data += segment

        return feed(receive, [b"x"] * n)

    def look(n: int) -> Steps:
        frames: list[int] = []

        def receive(segment: bytes) -> None:
            frames.append(len(segment))
            for length in frames:
                length.bit_length()

        return feed(receive, [b"x"] * n)

    assert not is_linear(lambda n: moved(copy(n)))
    assert not is_linear(lambda n: calls(look(n)))
