"""The conversation: what every byte gets, for either role.

The table says for bytes that arrive which data frames are delivered, what is
answered, and which close code ends it.  Each case is fed whole, byte by byte
and cut in two at every offset, to a server and to a client, with and without
more bytes behind it, with the same outcome.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise, product
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from txws_simple.connection import Connection
from txws_simple.frames import Close, CloseCode, Frame, Opcode

from .helpers import same_outcome

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = Opcode
CONTROL = (CLOSE, PING, PONG)
FIN = 0x80
KEY = b"\x37\xfa\x21\x3d"
LIMITS = {"max_frame_size": 1 << 20, "max_message_size": 1 << 20, "max_fragments": 1024}

unhurried = settings(deadline=None)
roles = pytest.mark.parametrize("client", [False, True], ids=["server", "client"])
# Drawn, not parametrised: pytest-twisted wraps a @given once more per parameter.
sides = st.booleans()


# What arrives


class Raw(NamedTuple):
    """One frame as it stands on the wire, with all that can be wrong in it.

    Attributes:
        first: The first byte.
        payload: As much of the payload as arrives.
        length: What the header says of it.
        form: The bytes of the extended length; ``None`` for the shortest form.
        masked_wrongly: Masked where it must not be, or the other way round.
        key: The masking key, where there is one.
    """

    first: int
    payload: bytes = b""
    length: int | None = None
    form: int | None = None
    masked_wrongly: bool = False
    key: bytes = KEY

    def header(self, client: bool) -> bytes:
        """The header, as it arrives at this role."""
        length = len(self.payload) if self.length is None else self.length
        form = self.form
        if form is None:
            form = 0 if length < 126 else 2 if length < 65536 else 8
        short = {0: length, 2: 126, 8: 127}[form]
        masked = client is self.masked_wrongly
        second = bytes((self.first, short | masked << 7))
        return second + length.to_bytes(8, "big")[8 - form :] + self.key * masked

    def bytes(self, client: bool) -> bytes:
        if client is not self.masked_wrongly:
            return self.header(client) + self.payload
        return self.header(client) + xor(self.payload, self.key)


def xor(data: bytes, key: bytes) -> bytes:
    """RFC 6455, section 5.3, to the letter."""
    return bytes(byte ^ key[i % 4] for i, byte in enumerate(data))


def wire(frames: Iterable[Raw], client: bool) -> bytes:
    return b"".join(frame.bytes(client) for frame in frames)


def raw(frame: Frame) -> Raw:
    return Raw(frame.opcode | (FIN if frame.fin else 0), frame.data)


# What comes of it


class Outcome(NamedTuple):
    """All that a conversation leads to.

    Attributes:
        delivered: The data frames.
        answers: Opcode and payload of all that goes out, in its order, with
            the code alone where a violation is answered with a Close.
        violation: The close code of the violation.
        received: The code of the Close that came.
    """

    delivered: list[Frame]
    answers: list[tuple[Opcode, Any]]
    violation: int | None
    received: int | None


def connection(client: bool = False, **limits: int | None) -> Connection:
    return Connection(client=client, **{**LIMITS, **limits})  # type: ignore[arg-type]


def sent(pieces: Iterable[bytes | memoryview], client: bool) -> tuple[Opcode, bytes]:
    """Read one small unfragmented frame, masked where a client sent it."""
    data = b"".join(pieces)
    assert data[0] & FIN
    assert data[1] == (len(data) - 6 | 0x80 if client else len(data) - 2)
    payload = xor(data[6:], data[2:6]) if client else data[2:]
    return Opcode(data[0] & 0x7F), payload


def talk(segments: Iterable[bytes], client: bool, **limits: int | None) -> Outcome:
    """Feed the segments, one by one, and answer pings."""
    side = connection(client, **limits)
    delivered: list[Frame] = []
    answers: list[tuple[Opcode, Any]] = []
    for segment in segments:
        delivered += side.receive(segment)
        answers += [sent(side.pong(data), client) for data in side.pings]
        if answer := side.answer():
            answers.append(sent(answer, client))
    if side.violation is not None:
        opcode, payload = answers.pop()
        assert Close.parse(payload) == (side.violation.code, side.violation.reason)
        answers.append((opcode, side.violation.code))
    violation = side.violation.code if side.violation is not None else None
    received = side.received.code if side.received is not None else None
    assert side.over is (violation is not None or received is not None)
    return Outcome(delivered, answers, violation, received)


# The table


@dataclass(frozen=True)
class Case:
    """What arrives, and what comes of it.

    Attributes:
        id: Names the case.
        frames: What arrives.
        delivered: The data frames that are delivered.
        code: The close code of the violation.
        answers: What goes out before the Close of a violation.
        received: The code of the Close that arrives.
        at_header: Whether the last frame's header is all that it takes.
        limits: Other limits than usual.
    """

    id: str
    frames: list[Raw]
    delivered: list[Frame] = field(default_factory=list)
    code: int | None = None
    answers: list[tuple[Opcode, bytes]] = field(default_factory=list)
    received: int | None = None
    at_header: bool = False
    limits: dict[str, int | None] = field(default_factory=dict)

    def outcome(self) -> Outcome:
        answers: list[tuple[Opcode, Any]] = list(self.answers)
        if self.code is not None:
            answers.append((CLOSE, self.code))
        return Outcome(self.delivered, answers, self.code, self.received)


def violation(id: str, *frames: Raw, code: int = 1002, **limits: int | None) -> Case:
    """Seen from the last frame's header; all frames before it are data."""
    delivered = [_read(frame) for frame in frames[:-1]]
    return Case(id, list(frames), delivered, code, at_header=True, limits=limits)


def garbled(id: str, *frames: Raw) -> Case:
    """Text that is not UTF-8 in the last frame; all before it are data."""
    return Case(id, list(frames), [_read(frame) for frame in frames[:-1]], 1007)


def accepted(id: str, *frames: Raw, **limits: int | None) -> Case:
    """All are delivered, but for control frames; pings are answered."""
    read = [_read(frame) for frame in frames]
    delivered = [frame for frame in read if frame.opcode not in CONTROL]
    answers = [(PONG, frame.data) for frame in read if frame.opcode is PING]
    return Case(id, list(frames), delivered, answers=answers, limits=limits)


def echoed(id: str, payload: bytes, *, code: int) -> Case:
    """A Close that is answered in kind."""
    return Case(
        id, [Raw(FIN | CLOSE, payload)], answers=[(CLOSE, payload)], received=code
    )


def _read(frame: Raw) -> Frame:
    return Frame(Opcode(frame.first & 0x0F), frame.payload, frame.first >= FIN)


def text(data: bytes) -> Raw:
    return Raw(FIN | TEXT, data)


def binary(data: bytes) -> Raw:
    return Raw(FIN | BINARY, data)


def begin(data: bytes, opcode: Opcode = TEXT) -> Raw:
    """The first fragment of several."""
    return Raw(opcode, data)


def more(data: bytes) -> Raw:
    """A fragment that is neither the first nor the last."""
    return Raw(CONTINUATION, data)


def last(data: bytes) -> Raw:
    return Raw(FIN | CONTINUATION, data)


def ping(data: bytes = b"") -> Raw:
    return Raw(FIN | PING, data)


def pong(data: bytes = b"") -> Raw:
    return Raw(FIN | PONG, data)


def close(code: int, reason: bytes = b"") -> Raw:
    return Raw(FIN | CLOSE, code.to_bytes(2, "big") + reason)


def headers() -> Iterator[Case]:
    """RFC 6455, sections 5.1 and 5.2: 1002 for each."""
    for bits, opcode in product(range(1, 8), Opcode):
        frame = Raw(FIN | bits << 4 | opcode, b"\x03\xe8")
        yield violation(f"reserved bits {bits:03b} of {opcode.name}", frame)
    for bits, opcode in product((1, 2, 4), (CONTINUATION, TEXT)):
        frames = begin(b"a"), Raw(bits << 4 | opcode, b"b")
        yield violation(f"reserved bits {bits:03b} of a fragment, {opcode}", *frames)
    for opcode, fin in product((*range(3, 8), *range(11, 16)), (0, FIN)):
        yield violation(f"opcode {opcode:X}, FIN {fin:X}", Raw(fin | opcode, b"data"))
    for opcode, data in product(Opcode, (b"", b"\x03\xe8")):
        frame = Raw(FIN | opcode, data, masked_wrongly=True)
        yield violation(f"masking of {opcode.name} with {len(data)} bytes", frame)
    for opcode in (TEXT, BINARY):
        frame = Raw(opcode, b"data", masked_wrongly=True)
        yield violation(f"masking of a fragment, {opcode.name}", frame)
    frame = Raw(CONTINUATION, b"data", masked_wrongly=True)
    yield violation("masking of a continuation", begin(b"a"), frame)


def lengths() -> Iterator[Case]:
    """RFC 6455, section 5.2: the shortest form, at most 63 bits."""
    too_long = [(2, 0), (2, 1), (2, 125), (8, 0), (8, 125), (8, 126), (8, 65535)]
    top_bit = [(8, 1 << 63), (8, (1 << 63) + 5), (8, (1 << 64) - 1)]
    for (form, length), opcode in product(too_long + top_bit, (TEXT, BINARY)):
        frame = Raw(FIN | opcode, length=length, form=form)
        yield violation(f"length {length} in {form} bytes, {opcode.name}", frame)
    for form, length in too_long + top_bit:
        frames = begin(b"a"), Raw(CONTINUATION, length=length, form=form)
        yield violation(f"length {length} in {form} bytes, continued", *frames)
    yield violation("length 5 in 2 bytes, with data", Raw(FIN | TEXT, b"Hello", form=2))
    yield violation("length 5 in 8 bytes, with data", Raw(FIN | TEXT, b"Hello", form=8))


def controls() -> Iterator[Case]:
    """RFC 6455, section 5.5: up to 125 bytes, and whole."""
    for opcode in CONTROL:
        for length in (126, 65535, 65536, 1 << 62):
            frame = Raw(FIN | opcode, length=length)
            yield violation(f"{opcode.name} of {length} bytes", frame)
        for length, form in ((0, 2), (125, 2), (0, 8), (125, 8)):
            frame = Raw(FIN | opcode, length=length, form=form)
            yield violation(f"{opcode.name}, length {length} in {form} bytes", frame)
        for data in (b"", b"\x03\xe8", b"\x03\xe8" + bytes(123)):
            id = f"{opcode.name} of {len(data)} bytes without FIN"
            yield violation(id, Raw(opcode, data))
        yield violation(f"{opcode.name} within, no FIN", begin(b"a"), Raw(opcode))
        too_big = Raw(FIN | opcode, bytes(126))
        yield violation(f"{opcode.name} of 126 bytes, within", begin(b"a"), too_big)


def orders() -> Iterator[Case]:
    """RFC 6455, section 5.4: fragments in their order."""
    for opcode, data in product((TEXT, BINARY), (b"", b"b")):
        id = f"{opcode.name} of {len(data)} bytes"
        for first in (TEXT, BINARY):
            start = begin(b"a", first)
            whole = Raw(FIN | opcode, data)
            yield violation(f"{id} in fragmented {first.name}", start, whole)
            yield violation(f"first {id} in {first.name}", start, Raw(opcode, data))
        yield violation(f"{id} later on", begin(b"a"), more(b""), Raw(opcode, data))
        for extra in (more(data), last(data)):
            id = f"{opcode.name} and {extra.first:02X}, {len(data)} bytes"
            yield violation(f"after whole {id}", Raw(FIN | opcode, b"a"), extra)
            frames = begin(b"a", opcode), last(b"b"), extra
            yield violation(f"after the last of {id}", *frames)
    for data in (b"", b"data"):
        yield violation(f"continuation of nothing, {len(data)}", more(data))
        yield violation(f"last of nothing, {len(data)}", last(data))


def limits() -> Iterator[Case]:
    """RFC 6455, section 10.4: 1009 for sizes, 1008 for too many fragments."""
    for length in (101, 125, 126, 65536, 1 << 32, (1 << 63) - 1):
        for first in (FIN | TEXT, FIN | BINARY, TEXT, BINARY):
            frame, id = Raw(first, length=length), f"{first:02X} of {length} bytes"
            yield violation(f"frame {id}", frame, code=1009, max_frame_size=100)
            yield violation(f"message {id}", frame, code=1009, max_message_size=100)
        frames = begin(b"a"), Raw(CONTINUATION, length=length)
        id = f"continuation of {length} bytes"
        yield violation(f"frame, {id}", *frames, code=1009, max_frame_size=100)
        yield violation(f"sum, {id}", *frames, code=1009, max_message_size=100)
    for length in ((1 << 20) + 1, 1 << 62, (1 << 63) - 1):
        frame = Raw(FIN | BINARY, length=length)
        yield violation(f"frame of {length} bytes", frame, code=1009)
    frame = Raw(FIN | BINARY, bytes(11))
    yield violation("frame with its data", frame, code=1009, max_frame_size=10)
    for extra in (more(b"x"), last(b"x")):
        full = begin(bytes(60)), more(bytes(40)), more(b"")
        id = f"sum over by one, {extra.first:02X}"
        yield violation(id, *full, extra, code=1009, max_message_size=100)
    for extra in (more(b""), last(b""), more(b"x"), last(b"x")):
        full = begin(b""), more(b"a"), more(b"")
        id = f"fourth fragment {extra.first:02X}, {len(extra.payload)}"
        yield violation(id, *full, extra, code=1008, max_fragments=3)
    both = begin(b"12"), more(b"3")
    yield violation(
        "size before number", *both, code=1009, max_message_size=2, max_fragments=1
    )
    yield violation(
        "first message counted whole", binary(b""), begin(b""), last(b""), more(b"")
    )


def within_limits() -> Iterator[Case]:
    """At a limit is not over it."""
    for frame in (binary(bytes(100)), text(bytes(100))):
        id = f"{frame.first:02X} at"
        yield accepted(f"{id} frame size", frame, max_frame_size=100)
        yield accepted(f"{id} message size", frame, max_message_size=100)
        yield accepted(f"{id} size, twice", frame, frame, max_message_size=100)
    three = begin(bytes(60)), more(bytes(40)), last(b"")
    yield accepted("sum at message size", *three, max_message_size=100)
    yield accepted("sum at it, twice", *three, *three, max_message_size=100)
    yield accepted("at number of fragments", *three, max_fragments=3)
    yield accepted("at it, twice", *three, *three, max_fragments=3)
    chatty = begin(b"a"), ping(b"b"), more(b"c"), pong(b"d"), ping(b"e"), last(b"f")
    yield accepted(
        "controls are not counted", *chatty, max_fragments=3, max_message_size=3
    )
    many = begin(b"a"), *(more(b"b") for _ in range(40)), last(b"c")
    yield accepted("no bounds", *many, max_fragments=None, max_message_size=None)
    yield accepted("one fragment", text(b"abc"), binary(b""), max_fragments=1)


#: Bytes that are not UTF-8 (RFC 3629, section 4), and which of them shows it.
NOT_UTF8 = [
    ("overlong slash", b"\xc0\xaf", 0),
    ("overlong C1", b"\xc1\xbf", 0),
    ("overlong three bytes", b"\xe0\x80\x80", 1),
    ("overlong three bytes, highest", b"\xe0\x9f\xbf", 1),
    ("overlong four bytes", b"\xf0\x80\x80\x80", 1),
    ("overlong four bytes, highest", b"\xf0\x8f\xbf\xbf", 1),
    ("lowest surrogate", b"\xed\xa0\x80", 1),
    ("highest surrogate", b"\xed\xbf\xbf", 1),
    ("surrogate pair", b"\xed\xa0\xbd\xed\xb8\x80", 1),
    ("just over the last code point", b"\xf4\x90\x80\x80", 1),
    ("far over it", b"\xf4\xbf\xbf\xbf", 1),
    *((f"byte {byte:02X}", bytes((byte,)), 0) for byte in range(0xF5, 0x100)),
    ("five bytes", b"\xf8\x88\x80\x80\x80", 0),
    ("six bytes", b"\xfc\x84\x80\x80\x80\x80", 0),
    ("lone continuation 80", b"\x80", 0),
    ("lone continuation BF", b"\xbf", 0),
    ("one continuation too many", b"\xc3\xa9\xa9", 2),
    ("truncated, two bytes", b"\xc3a", 1),
    ("truncated, three bytes, at the second", b"\xe2a", 1),
    ("truncated, three bytes, at the third", b"\xe2\x82a", 2),
    ("truncated, four bytes, at the second", b"\xf0a", 1),
    ("truncated, four bytes, at the third", b"\xf0\x9fa", 2),
    ("truncated, four bytes, at the fourth", b"\xf0\x9f\x98a", 3),
    ("a first byte after a first byte", b"\xe2\xe2\x82\xac", 1),
]
TRUNCATED = [b"\xc3", b"\xe2", b"\xe2\x82", b"\xf0", b"\xf0\x9f", b"\xf0\x9f\x98"]
GOOD = "kööd".encode()


def garbled_texts() -> Iterator[Case]:
    """RFC 6455, section 8.1: 1007."""
    for id, bad, _ in NOT_UTF8:
        yield garbled(f"{id}, alone", text(bad))
        yield garbled(f"{id}, inside", text(GOOD + bad + GOOD))
        yield garbled(f"{id}, first fragment", begin(bad))
        yield garbled(f"{id}, later fragment", begin(GOOD), more(GOOD + bad))
        yield garbled(f"{id}, last fragment", begin(GOOD), last(bad + GOOD))
        yield garbled(f"{id}, unfinished", Raw(FIN | TEXT, GOOD + bad, length=1000))
        frames = begin(GOOD), Raw(CONTINUATION, GOOD + bad, length=1000)
        yield garbled(f"{id}, unfinished fragment", *frames)
    for id, bad, at in NOT_UTF8:
        if at:
            start, end = begin(bad[:at]), last(bad[at:])
            yield garbled(f"{id}, split", start, end)
            yield garbled(f"{id}, split by empty frames", start, more(b""), end)
    for cut in TRUNCATED:
        yield garbled(f"cut off at the end, {cut.hex()}", text(cut))
        yield garbled(f"cut off after more, {cut.hex()}", text(GOOD + cut))
        yield garbled(
            f"cut off in the last fragment, {cut.hex()}", begin(b""), last(cut)
        )
        yield garbled(f"cut off by an empty last, {cut.hex()}", begin(cut), last(b""))


def good_texts() -> Iterator[Case]:
    """RFC 6455, sections 5.4, 5.6 and 8.1: all that may look odd and is not."""
    odd = {
        "the last code point": "\U0010ffff",
        "a noncharacter": "\ufffe",
        "another": "\uffff",
        "NUL": "\0",
        "BOM": "\ufeff",
        "BOM and more": "\ufeffmore",
        "either side of the surrogates": "\ud7ff\ue000",
        "first of each length": "\x7f\x80\u07ff\u0800\uffff\U00010000",
    }
    for id, string in odd.items():
        data = string.encode()
        yield accepted(id, text(data))
        for cut in range(1, len(data)):
            first, rest = begin(data[:cut]), last(data[cut:])
            yield accepted(f"{id}, split at {cut}", first, rest)
            yield accepted(f"{id}, {cut}, an empty frame", first, more(b""), rest)
            yield accepted(f"{id}, {cut}, a ping", first, ping(b"?"), rest)
            yield accepted(f"{id}, {cut}, a pong", first, pong(b"\xff"), rest)
    pieces = [bytes((byte,)) for byte in "€\U0001f600".encode()]
    frames = begin(pieces[0]), *map(more, pieces[1:-1]), last(pieces[-1])
    yield accepted("a byte in each fragment", *frames)
    for opcode in (TEXT, BINARY):
        none = begin(b"", opcode)
        yield accepted(f"empty {opcode.name}", Raw(FIN | opcode))
        yield accepted(
            f"all fragments empty, {opcode.name}", none, more(b""), last(b"")
        )
        yield accepted(f"two empty fragments, {opcode.name}", none, last(b""))


def good_frames() -> Iterator[Case]:
    """RFC 6455, section 5: what is accepted as it comes."""
    yield accepted("zero key", Raw(FIN | TEXT, b"Hello", key=bytes(4)))
    yield accepted("key of ones", Raw(FIN | TEXT, b"Hello", key=b"\xff" * 4))
    for length in (0, 1, 124, 125, 126, 127, 200):
        yield accepted(f"text of {length} bytes", text(b"x" * length))
        yield accepted(f"binary of {length} bytes", binary(b"\xff" * length))
    yield accepted("any bytes in binary", binary(bytes(range(256))))
    for id, bad, _ in NOT_UTF8[:8]:
        yield accepted(f"{id}, in binary", binary(bad))
        frames = begin(bad, BINARY), last(bad)
        yield accepted(f"{id}, in fragments of binary", *frames)
        yield accepted(f"{id}, in a ping", ping(bad))
    yield accepted("text, then binary", text(b"a"), binary(b"\xff"), text(b"b"))
    yield accepted("binary, then text", begin(b"\xe2", BINARY), last(b""), text(b"a"))
    yield accepted("fragments of binary", begin(b"\xff", BINARY), more(b"b"), last(b""))


def good_controls() -> Iterator[Case]:
    """RFC 6455, sections 5.5.2 and 5.5.3."""
    for length in (0, 1, 124, 125):
        yield accepted(f"ping of {length} bytes", ping(b"\x80" * length))
        yield accepted(f"unsolicited pong of {length} bytes", pong(b"\x80" * length))
    yield accepted("three pings", ping(b"1"), ping(b"2"), ping(b"3"))
    yield accepted("between fragments", begin(b"a"), ping(b"b"), pong(), last(b"c"))
    yield accepted("between messages", text(b"a"), ping(b"b"), text(b"c"))


SENDABLE = (1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999)
UNSENDABLE = (
    *(0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999),
    *(5000, 5001, 32768, 65535),
)


def closes() -> Iterator[Case]:
    """RFC 6455, sections 5.5.1, 7.1.5 and 7.4."""
    yield echoed("close, empty", b"", code=1005)
    yield Case("close of one byte", [Raw(FIN | CLOSE, b"\x03")], code=1002)
    for code in SENDABLE:
        yield echoed(f"close {code}", close(code).payload, code=code)
        payload = close(code, GOOD).payload
        yield echoed(f"close {code} with a reason", payload, code=code)
    for code in UNSENDABLE:
        yield Case(f"close {code}", [close(code)], code=1002)
        yield Case(f"close {code} with a reason", [close(code, GOOD)], code=1002)
        yield Case(f"close {code}, bad reason", [close(code, b"\xff")], code=1002)
    for id, bad, _ in NOT_UTF8:
        yield Case(f"close, {id}", [close(1000, GOOD + bad)], code=1007)
    for cut in TRUNCATED:
        yield Case(f"close, cut reason {cut.hex()}", [close(1000, cut)], code=1007)
    yield echoed("close of 125 bytes", close(1000, b"x" * 123).payload, code=1000)
    both = close(1000, b"1"), close(1001, b"2")
    yield Case(
        "two closes", list(both), answers=[(CLOSE, both[0].payload)], received=1000
    )


def mixed() -> Iterator[Case]:
    """What came whole before the end still counts, in its order."""
    good = [
        *(text(b"a"), ping(b"1"), begin(GOOD[:2]), ping(b"2")),
        *(more(GOOD[2:]), ping(b"3"), last(b""), binary(b"\xff"), ping(b"4")),
    ]
    before = accepted("", *good)
    bad = {
        "reserved bit": (Raw(FIN | 0x40 | TEXT, b"b"), 1002, True),
        "opcode": (Raw(FIN | 0x3, b"b"), 1002, True),
        "masking": (Raw(FIN | TEXT, b"b", masked_wrongly=True), 1002, True),
        "order": (last(b"b"), 1002, True),
        "size": (Raw(FIN | TEXT, length=1 << 40), 1009, True),
        "UTF-8": (text(b"\xff"), 1007, False),
        "a close of one byte": (Raw(FIN | CLOSE, b"\x03"), 1002, False),
        "a bad reason": (close(1000, b"\xff"), 1007, False),
    }
    for id, (frame, code, at_header) in bad.items():
        frames = [*good, frame]
        case = replace(before, id=f"frames, then {id}", frames=frames, code=code)
        yield replace(case, at_header=at_header)
    goodbye = close(1001, b"bye")
    end = [(CLOSE, goodbye.payload)]
    yield replace(
        before,
        id="frames, then a close",
        frames=[*good, goodbye],
        answers=before.answers + end,
        received=1001,
    )
    first = begin(b"\xe2\x82")
    yield Case(
        "close between fragments",
        [first, goodbye],
        [_read(first)],
        answers=end,
        received=1001,
    )


TABLE = [
    *headers(),
    *lengths(),
    *controls(),
    *orders(),
    *limits(),
    *within_limits(),
    *garbled_texts(),
    *good_texts(),
    *good_frames(),
    *good_controls(),
    *closes(),
    *mixed(),
]

#: What would be delivered and answered, were it parsed.
BEHIND = [text(b"behind"), ping(b"behind"), close(1000), Raw(0xFF, b"behind")]

table = pytest.mark.parametrize("case", TABLE, ids=[case.id for case in TABLE])


@roles
@table
def test_every_case(case: Case, client: bool) -> None:
    """Whole, byte by byte, and cut in two anywhere: the outcome is the same."""
    data = wire(case.frames, client)
    outcome = same_outcome(data, lambda segments: talk(segments, client, **case.limits))
    assert outcome == case.outcome()


@roles
@table
def test_nothing_after_the_end(case: Case, client: bool) -> None:
    """Behind a violation or a Close nothing is parsed and nothing goes out."""
    data = wire(case.frames, client)
    behind = wire(BEHIND, client)
    if case.outcome().violation is case.received is None:
        behind = b""
    outcome = same_outcome(
        data + behind, lambda segments: talk(segments, client, **case.limits)
    )
    assert outcome == case.outcome()


@roles
@pytest.mark.parametrize(
    "case",
    [case for case in TABLE if case.at_header],
    ids=[case.id for case in TABLE if case.at_header],
)
def test_a_header_is_enough(case: Case, client: bool) -> None:
    """A violation in a header is seen before any payload."""
    *before, bad = case.frames
    data = wire(before, client) + bad.header(client)
    outcome = same_outcome(data, lambda segments: talk(segments, client, **case.limits))
    assert outcome == case.outcome()


def test_every_case_has_a_name_of_its_own() -> None:
    """So that none hides behind another."""
    assert len({case.id for case in TABLE}) == len(TABLE)


# Large payloads


def sampled(data: bytes) -> Iterator[list[bytes]]:
    """Whole, in two at some 200 offsets, and in small and large pieces."""
    yield [data]
    edges = (*range(1, 20), *range(len(data) - 20, len(data)))
    for at in sorted({*edges, *range(1, len(data), len(data) // 160)}):
        yield [data[:at], data[at:]]
    for size in (997, 4096, 5000):
        yield [data[i : i + size] for i in range(0, len(data), size)]
    if len(data) < 5000:
        yield [data[i : i + 1] for i in range(len(data))]


LARGE = [
    *(accepted(f"text of {n} bytes", text(b"x" * n)) for n in (4000, 65535, 65536)),
    *(accepted(f"binary of {n} bytes", binary(b"\xff" * n)) for n in (65535, 65536)),
    accepted("fragments", begin(b"x" * 65536), ping(b"?"), last(b"y" * 65535)),
    accepted("at the limit", binary(bytes(70000)), max_frame_size=70000),
    accepted("wide characters", text("€\U0001f600".encode() * 10000)),
    garbled("bad at the end", text(b"x" * 65536 + b"\xff")),
    garbled("cut off at the end", text(b"x" * 65536 + b"\xe2\x82")),
    garbled("bad in a later fragment", begin(b"x" * 3000), last(b"y" * 4000 + b"\xff")),
    violation("one over", binary(bytes(70001)), code=1009, max_frame_size=70000),
    violation(
        "sum over",
        begin(bytes(65536)),
        last(bytes(65536)),
        code=1009,
        max_message_size=131071,
    ),
]


@roles
@pytest.mark.parametrize("case", LARGE, ids=[case.id for case in LARGE])
def test_large_payloads(case: Case, client: bool) -> None:
    """As above, for a sample of the cuts."""
    for segments in sampled(wire(case.frames, client)):
        assert talk(segments, client, **case.limits) == case.outcome()


def test_the_last_of_too_many_fragments() -> None:
    """The usual number of fragments is accepted, one more is not."""
    frames = [begin(b""), *[more(b"")] * 1023]
    assert talk([wire(frames, False)], False).violation is None
    frames.append(last(b""))
    outcome = talk([wire(frames, False)], False)
    assert outcome.violation == CloseCode.POLICY_VIOLATION
    assert len(outcome.delivered) == 1024


# As soon as it can be seen


@roles
@pytest.mark.parametrize(
    "before",
    [
        [],
        [text(GOOD)],
        [begin(GOOD)],
        [begin(b"\xe2\x82"), more(b"\xac")],
        [begin(GOOD), ping(b"?")],
    ],
    ids=["first", "second", "continued", "continued again", "after a ping"],
)
@pytest.mark.parametrize(("id", "bad", "at"), NOT_UTF8, ids=[b[0] for b in NOT_UTF8])
def test_the_byte_that_is_wrong(
    id: str, bad: bytes, at: int, before: list[Raw], client: bool
) -> None:
    """It is seen when it arrives, also inside a frame that is not whole."""
    side = connection(client)
    side.receive(wire(before, client))
    fragmented = before and before[-1].first != FIN | TEXT
    frame = Raw(CONTINUATION if fragmented else TEXT, GOOD + bad, length=1000)
    data = frame.bytes(client)
    end = len(data) - len(bad) + at
    for i in range(end):
        side.receive(data[i : i + 1])
        assert side.violation is None
    assert side.receive(data[end : end + 1]) == []
    assert side.violation is not None
    assert side.violation.code == CloseCode.INVALID_DATA


@roles
def test_a_declared_length_occupies_nothing(client: bool) -> None:
    """Of a terabyte that was only declared, what arrived is held."""
    side = connection(client, max_frame_size=1 << 40, max_message_size=None)
    data = Raw(TEXT, b"arrived", length=1 << 40).bytes(client)
    tracemalloc.start()
    try:
        assert side.receive(data) == []
        assert tracemalloc.get_traced_memory()[1] < 1 << 14
    finally:
        tracemalloc.stop()
    assert not side.over


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(Raw(CONTINUATION), id="a frame out of order"),
        pytest.param(Raw(FIN | TEXT, b"x" * 20_000 + b"\xff"), id="not UTF-8"),
        pytest.param(Raw(FIN | 3), id="a header"),
        pytest.param(Raw(FIN | CLOSE, b"x"), id="a Close"),
    ],
)
@roles
def test_a_violation_holds_nothing(bad: Raw, client: bool) -> None:
    """What it was found in and among is not kept with it."""
    side = connection(client)
    tracemalloc.start()
    try:
        side.receive(wire([Raw(FIN | BINARY, b"data")] * 2000 + [bad], client))
        assert side.violation is not None
        assert tracemalloc.get_traced_memory()[0] < 1 << 13
    finally:
        tracemalloc.stop()


# Any bytes at all


def utf8_fails_at(data: bytes) -> int | None:
    """The first byte after which no text begins like this (RFC 3629, section 4)."""
    tail = range(0x80, 0xC0)
    second = {0xE0: range(0xA0, 0xC0), 0xED: range(0x80, 0xA0)}
    second |= {0xF0: range(0x90, 0xC0), 0xF4: range(0x80, 0x90)}
    expected: list[range] = []
    for at, byte in enumerate(data):
        if expected:
            if byte not in expected.pop(0):
                return at
        elif byte in range(0x80, 0xC2) or byte > 0xF4:
            return at
        elif byte >= 0x80:
            more_tails = (byte >= 0xE0) + (byte >= 0xF0)
            expected = [second.get(byte, tail), *[tail] * more_tails]
    return None


def cut(data: bytes, offsets: Iterable[int]) -> list[bytes]:
    """The data cut at these offsets, wherever they lie."""
    inner = sorted({0, len(data), *(offset % (len(data) + 1) for offset in offsets)})
    return [data[start:end] for start, end in pairwise(inner)]


offsets = st.lists(st.integers(min_value=0), max_size=12)
characters = st.text(max_size=30).map(str.encode)
near_utf8 = st.tuples(characters, st.binary(max_size=5), characters).map(b"".join)
firsts = st.sampled_from([fin | opcode for fin in (0, FIN) for opcode in Opcode])
payloads = near_utf8 | st.binary(max_size=140) | st.sampled_from([b"", b"\x03\xe8"])
keys = st.binary(min_size=4, max_size=4)
none = st.none()
right = st.just(False)
usual = st.builds(Raw, firsts, payloads, none, none, right, keys)
odd = st.builds(
    Raw,
    st.integers(min_value=0, max_value=255),
    payloads,
    st.integers(min_value=0, max_value=(1 << 64) - 1),
    st.just(8),
    st.booleans(),
    keys,
)
raws = usual | usual | usual | odd


@st.composite
def conversations(draw: st.DrawFn) -> list[Frame]:
    """Valid messages, fragmented anyhow, with control frames in between."""
    frames: list[Frame] = []
    control = st.builds(
        Frame, st.sampled_from([PING, PONG]), st.binary(max_size=125), st.just(True)
    )
    for _ in range(draw(st.integers(min_value=0, max_value=4))):
        opcode, data = draw(
            st.tuples(st.just(TEXT), characters)
            | st.tuples(st.just(BINARY), st.binary(max_size=150))
        )
        pieces = cut(data, draw(offsets)) or [b""]
        for number, piece in enumerate(pieces):
            kind = CONTINUATION if number else opcode
            frames.append(Frame(kind, piece, number == len(pieces) - 1))
            frames += draw(st.lists(control, max_size=2))
    return frames


@given(client=sides, frames=conversations(), where=offsets)
@unhurried
def test_any_cut_of_any_conversation(
    client: bool, frames: list[Frame], where: list[int]
) -> None:
    """Valid frames are all delivered, and pings answered, however they are cut."""
    data = wire(map(raw, frames), client)
    expected = accepted("", *map(raw, frames)).outcome()
    assert talk(cut(data, where), client) == expected


@given(
    client=sides,
    data=st.binary(max_size=300) | st.lists(raws, max_size=6),
    junk=st.binary(max_size=3),
    where=offsets,
)
@unhurried
def test_arbitrary_bytes(
    client: bool, data: bytes | list[Raw], junk: bytes, where: list[int]
) -> None:
    """Nothing is raised; each end is one that is documented, with one Close."""
    if isinstance(data, list):
        data = wire(data, client)
    at = where[0] % (len(data) + 1) if where else 0
    data = data[:at] + junk + data[at + len(junk) :]
    outcome = talk([data], client)
    assert outcome.violation in (None, 1002, 1007, 1008, 1009)
    assert outcome.received in (None, 1005, *range(1000, 5000))
    assert None in (outcome.violation, outcome.received)
    closed = outcome.violation is not None or outcome.received is not None
    sent = [opcode for opcode, _ in outcome.answers]
    assert sent == [PONG] * (len(sent) - closed) + [CLOSE] * closed
    assert talk(cut(data, where), client) == outcome


@given(client=sides, data=near_utf8 | st.binary(max_size=12), where=offsets)
@unhurried
def test_utf8_is_judged_byte_by_byte(
    client: bool, data: bytes, where: list[int]
) -> None:
    """Text fails at the very byte that RFC 3629 does not allow, if at any."""
    side = connection(client)
    seen = 0
    for number, piece in enumerate(cut(data, where) or [b""]):
        frame = Raw(CONTINUATION if number else TEXT, piece).bytes(client)
        for i in range(len(frame)):
            if not side.over:
                side.receive(frame[i : i + 1])
                seen += i >= len(frame) - len(piece)
    failed = utf8_fails_at(data)
    assert side.over is (failed is not None)
    assert seen == (len(data) if failed is None else failed + 1)


# Closing from here


@roles
def test_both_close_at_once(client: bool) -> None:
    """One Close each way: the other side's is not answered."""

    def outcome(segments: list[bytes]) -> Any:
        side = connection(client)
        first = sent(side.close(1000, "bye"), client)
        assert not side.done
        for segment in segments:
            assert side.receive(segment) == []
            assert side.answer() == []
        return first, side.sent, side.received, side.done

    data = wire([close(1001, b"me too"), *BEHIND], client)
    assert same_outcome(data, outcome) == (
        (CLOSE, b"\x03\xe8bye"),
        Close(1000, "bye"),
        Close(1001, "me too"),
        True,
    )


@roles
def test_frames_after_our_close(client: bool) -> None:
    """What is still under way is delivered, until the other side's Close."""
    side = connection(client)
    side.close(1000)
    data = wire([text(b"a"), ping(b"?"), text(b"b"), close(1000)], client)
    assert side.receive(data) == [Frame(TEXT, b"a"), Frame(TEXT, b"b")]
    assert side.answer() == []
    assert side.done


@roles
@pytest.mark.parametrize(
    "bad",
    [Raw(0xFF), text(b"\xff"), last(b""), close(999)],
    ids=["opcode", "UTF-8", "order", "close"],
)
def test_a_violation_after_our_close(bad: Raw, client: bool) -> None:
    """It ends the conversation, and no second Close goes out."""
    side = connection(client)
    side.close(1000)
    side.receive(wire([bad], client))
    assert side.violation is not None
    assert side.answer() == []
    assert side.sent == Close(1000)
    assert side.over
    assert not side.done


@roles
def test_a_close_that_is_answered(client: bool) -> None:
    """Both have closed once the answer was fetched, and there is only one."""
    side = connection(client)
    assert not side.over
    assert side.answer() == []
    side.receive(wire([close(1001, b"bye")], client))
    assert side.over
    assert not side.done
    assert sent(side.answer(), client) == (CLOSE, b"\x03\xe9bye")
    assert side.sent == side.received == Close(1001, "bye")
    assert side.done
    assert side.answer() == []


@roles
def test_a_violation_is_no_closing_handshake(client: bool) -> None:
    """A Close went out, none came in."""
    side = connection(client)
    side.receive(b"\xff\xff")
    assert side.over
    assert side.answer()
    assert side.sent is not None
    assert side.sent.code == CloseCode.PROTOCOL_ERROR
    assert not side.done
    assert side.answer() == []


@roles
def test_each_segment_brings_its_own(client: bool) -> None:
    """Pings and pongs are those of the last segment, not of all."""
    side = connection(client)
    side.receive(wire([text(b"0")], client))
    assert side.has_control is False
    assert [*side.pings, *side.pongs] == []
    side.receive(wire([ping(b"1"), pong(b"2"), pong(b"3")], client))
    assert (side.pings, side.pongs) == ([b"1"], [b"2", b"3"])
    side.receive(wire([ping(b"4")], client))
    assert (side.pings, side.pongs) == ([b"4"], [])
    assert side.has_control is True
    large = wire([ping(b"5"), binary(bytes(100))], client)
    side.receive(large[:-20])
    assert side.pings == [b"5"]
    side.receive(large[-20:-10])
    assert side.pings == []
    side.receive(large[-10:])
    side.receive(wire([close(1000)], client))
    assert (side.pings, bool(side.answer())) == ([], True)
    side.receive(b"")
    assert side.answer() == []


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"max_message_size": 3}, "message is over 3 bytes"),
        ({"max_fragments": 2}, "message has over 2 fragments"),
    ],
    ids=["size", "fragments"],
)
def test_a_message_over_a_limit_is_told_of_it(
    limits: dict[str, int], reason: str
) -> None:
    side = connection(**limits)
    side.receive(wire([begin(b"ab"), more(b"c"), more(b"d")], False))
    assert side.violation is not None and side.violation.reason == reason


@roles
def test_receiving_is_within_a_frame_or_a_message(client: bool) -> None:
    side = connection(client)
    assert not side.is_receiving
    data = wire([begin(b"a"), ping(), last(b"b")], client)
    for i in range(len(data)):
        side.receive(data[i : i + 1])
        assert side.is_receiving is (i < len(data) - 1)


@pytest.mark.parametrize("code", UNSENDABLE)
def test_a_close_that_must_not_be_sent(code: int) -> None:
    """It is refused, and nothing was closed."""
    side = connection()
    with pytest.raises(ValueError, match=str(code)):
        side.close(code)
    assert side.sent is None


@pytest.mark.parametrize("reason", ["x" * 124, "é" * 62, "\ud800"])
def test_a_reason_that_must_not_be_sent(reason: str) -> None:
    """The same for a reason that does not fit, or has no UTF-8."""
    side = connection()
    with pytest.raises(ValueError):
        side.close(1000, reason)
    assert side.sent is None


# Sending


@roles
@pytest.mark.parametrize("data", [b"", b"\x80" * 125], ids=len)
def test_pings_and_pongs(data: bytes, client: bool) -> None:
    """They go out with their payload, up to 125 bytes."""
    side = connection(client)
    assert sent(side.ping(data), client) == (PING, data)
    assert sent(side.pong(data), client) == (PONG, data)


def test_a_ping_that_is_too_large() -> None:
    """RFC 6455, section 5.5: 125 bytes and no more."""
    with pytest.raises(ValueError, match=r"^ping is over 125 bytes$"):
        connection().ping(bytes(126))


def test_a_client_masks_each_frame_with_another_key() -> None:
    """RFC 6455, section 5.3: fresh keys, not to be foreseen."""
    side = connection(client=True)
    frames = [b"".join(side.send(Frame(BINARY, b"data"))) for _ in range(20)]
    assert len({frame[2:6] for frame in frames}) > 10
    assert {sent([frame], True) for frame in frames} == {(BINARY, b"data")}


@given(client=sides, frames=conversations())
@unhurried
def test_what_is_sent_is_what_arrives(client: bool, frames: list[Frame]) -> None:
    """One role reads all that the other writes."""
    writer, reader = connection(client), connection(not client)
    data = [frame for frame in frames if frame.opcode not in CONTROL]
    pieces = [piece for frame in data for piece in writer.send(frame)]
    assert reader.receive(b"".join(pieces)) == data
    assert reader.violation is None


def refuse(side: Connection, *frame: Any) -> None:
    """This frame is refused, and what is known of the message stays."""
    before = side.sending
    with pytest.raises(ValueError):
        side.send(Frame(*frame))
    assert side.sending == before


def test_a_fragment_that_begins_a_surrogate() -> None:
    """It is refused, and the message goes on without it."""
    side = connection()
    side.send(Frame(TEXT, b"a", False))
    refuse(side, CONTINUATION, b"\xed\xa0", False)
    side.send(Frame(CONTINUATION, b"b"))


@pytest.mark.parametrize("fin", [True, False])
@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG, 3, 7, 11, -1, 257, None, "text"])
def test_an_opcode_that_is_none_of_data(opcode: Any, fin: bool) -> None:
    """It is refused, within a message and between two."""
    side = connection()
    refuse(side, opcode, b"", fin)
    side.send(Frame(TEXT, b"a", False))
    refuse(side, opcode, b"", fin)
    side.send(Frame(CONTINUATION, b"b"))


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (Frame(PING, b""), f"{PING!r} is not the opcode of a data frame"),
        (Frame(TEXT, b""), "new message inside a fragmented one"),
        (Frame(TEXT, b"", False), "new message inside a fragmented one"),
        (Frame(CONTINUATION, b"\xff"), "text is not UTF-8"),
    ],
    ids=["opcode", "message", "first fragment", "text"],
)
def test_a_refusal_says_why(frame: Frame, reason: str) -> None:
    side = connection()
    side.send(Frame(TEXT, b"a", False))
    with pytest.raises(ValueError) as refused:
        side.send(frame)
    assert str(refused.value) == reason


@pytest.mark.parametrize("opcode", [0, 1, 2])
def test_an_opcode_may_be_a_number(opcode: int) -> None:
    """An `Opcode` is one, and counts as it."""
    side, twin = connection(), connection()
    for connected in (side, twin):
        if not opcode:
            connected.send(Frame(TEXT, b"a", False))
    number: Any = opcode
    assert side.send(Frame(number, b"b")) == twin.send(Frame(Opcode(opcode), b"b"))


@pytest.mark.parametrize("fin", [True, False])
def test_a_continuation_of_nothing_is_not_sent(fin: bool) -> None:
    """RFC 6455, section 5.4, also after a whole message."""
    side = connection()
    refuse(side, CONTINUATION, b"a", fin)
    side.send(Frame(TEXT, b"a"))
    refuse(side, CONTINUATION, b"a", fin)
    side.send(Frame(TEXT, b"a", False))
    side.send(Frame(CONTINUATION, b"b"))
    refuse(side, CONTINUATION, b"a", fin)


@pytest.mark.parametrize("fin", [True, False])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_message_inside_a_message_is_not_sent(opcode: Opcode, fin: bool) -> None:
    """It is refused; the message that was begun can be ended."""
    side = connection()
    side.send(Frame(TEXT, b"\xe2\x82", False))
    refuse(side, opcode, b"a", fin)
    side.send(Frame(CONTINUATION, b"\xac"))
    side.send(Frame(opcode, b"a"))


@pytest.mark.parametrize("fin", [True, False])
@pytest.mark.parametrize(("id", "bad", "at"), NOT_UTF8, ids=[b[0] for b in NOT_UTF8])
def test_text_that_is_not_utf8_is_not_sent(
    id: str, bad: bytes, at: int, fin: bool
) -> None:
    """Whole, as a fragment, or split across fragments; binary may be so."""
    side = connection()
    refuse(side, TEXT, bad, fin)
    side.send(Frame(BINARY, bad))
    side.send(Frame(TEXT, bad[:at], False))
    refuse(side, CONTINUATION, bad[at:], fin)
    refuse(side, CONTINUATION, bad[at:], fin)


@pytest.mark.parametrize(
    "character", ["é", "€", "\ud7ff", "\ue000", "\U0001f600", "\U0010ffff"], ids=ascii
)
def test_text_that_is_cut_off_is_not_sent(character: str) -> None:
    """A code point may end in a later fragment, not later than the message."""
    data = character.encode()
    for cut in range(1, len(data)):
        side = connection()
        refuse(side, TEXT, data[:cut])
        side.send(Frame(TEXT, data[:cut], False))
        refuse(side, CONTINUATION, b"")
        side.send(Frame(CONTINUATION, b"", False))
        side.send(Frame(CONTINUATION, data[cut:]))


def test_what_one_message_left_is_not_in_the_next() -> None:
    """Each begins anew, whatever came of the one before."""
    side = connection()
    refuse(side, TEXT, b"\xe2\x82\xff", False)
    side.send(Frame(BINARY, b"\xe2", False))
    side.send(Frame(CONTINUATION, b""))
    side.send(Frame(TEXT, b"a", False))
    side.send(Frame(CONTINUATION, b"b"))


def test_what_is_sent_does_not_touch_what_arrives() -> None:
    """The two directions know nothing of each other."""
    side = connection()
    side.send(Frame(TEXT, b"\xe2", False))
    assert side.receive(wire([text(b"a")], False)) == [Frame(TEXT, b"a")]
    side.receive(wire([begin(b"\xc3")], False))
    side.send(Frame(CONTINUATION, b"\x82\xac"))
    assert side.receive(wire([last(b"\xa9")], False)) == [Frame(CONTINUATION, b"\xa9")]


def test_limits_are_for_what_arrives() -> None:
    """What the application sends is its own affair."""
    side = connection(max_frame_size=1, max_message_size=1, max_fragments=1)
    side.send(Frame(TEXT, b"long", False))
    side.send(Frame(CONTINUATION, b"longer", False))
    side.send(Frame(CONTINUATION, b"longest"))


# Taking back


def test_a_message_that_is_packed() -> None:
    """The same bytes, where a whole message may be sent; else none at all."""
    side = connection()
    assert side.pack("a") == b"".join(connection().send(Frame(TEXT, b"a")))
    assert side.pack(b"a") == b"".join(connection().send(Frame(BINARY, b"a")))
    side.send(Frame(TEXT, b"a", False))
    assert side.pack("b") is None
    side.send(Frame(CONTINUATION, b"c"))
    assert side.pack("d") is not None
    side.close(1000)
    assert side.pack("e") is None
    assert connection(client=True).pack("a") is None


@pytest.mark.parametrize("packed", [1, 2])
def test_whatever_was_sent_behind_a_message_counts(packed: int) -> None:
    """Whether it was packed or not."""
    side = connection()
    states = send(side, TEXT, b"a")
    for _ in range(packed):
        assert side.pack("b") is not None
    assert not side.take_back(*states)
    for _ in range(packed):
        side.send(Frame(TEXT, b"c"))
    assert not side.take_back(*states)


def test_a_packed_message_keeps_the_last_fragment() -> None:
    """It counts as any other; one that was not packed does not."""
    side = connection()
    side.send(Frame(TEXT, b"a", False))
    states = send(side, CONTINUATION, b"b")
    assert side.pack("\ud800") is None
    assert side.take_back(*states)
    states = send(side, CONTINUATION, b"b")
    assert side.pack("c") is not None
    assert not side.take_back(*states)


def send(side: Connection, *frame: Any) -> tuple[Any, Any]:
    """The states before and after one frame."""
    before = side.sending
    side.send(Frame(*frame))
    return before, side.sending


def test_a_first_fragment_is_taken_back() -> None:
    """As if it had never been: another message can begin."""
    side = connection()
    assert side.take_back(*send(side, TEXT, b"\xe2\x82", False))
    refuse(side, CONTINUATION, b"\xac")
    side.send(Frame(BINARY, b"a"))


def test_a_later_fragment_is_taken_back() -> None:
    """The message goes on from where it was, code points included."""
    side = connection()
    side.send(Frame(TEXT, b"\xe2", False))
    assert side.take_back(*send(side, CONTINUATION, b"\x82", False))
    refuse(side, CONTINUATION, b"\xac")
    side.send(Frame(CONTINUATION, b"\x82\xac"))


def test_a_last_fragment_is_taken_back() -> None:
    """The message is open again."""
    side = connection()
    side.send(Frame(TEXT, b"a", False))
    assert side.take_back(*send(side, CONTINUATION, b"b"))
    refuse(side, TEXT, b"c")
    side.send(Frame(CONTINUATION, b"d"))


@pytest.mark.parametrize(
    "after",
    [
        [Frame(CONTINUATION, b"b", False)],
        [Frame(CONTINUATION, b"b")],
        [Frame(CONTINUATION, b"b"), Frame(TEXT, b"c")],
        [Frame(CONTINUATION, b"b"), Frame(TEXT, b"a", False)],
    ],
    ids=["continued", "ended", "a message behind", "the same behind"],
)
def test_a_fragment_that_was_followed_stays(after: list[Frame]) -> None:
    """What was sent behind it relies on it."""
    side = connection()
    states = send(side, TEXT, b"a", False)
    for frame in after:
        side.send(frame)
    now = side.sending
    assert not side.take_back(*states)
    assert side.sending == now


def test_a_message_behind_keeps_the_last_fragment() -> None:
    """Whole messages count, too."""
    side = connection()
    side.send(Frame(TEXT, b"a", False))
    states = send(side, CONTINUATION, b"b")
    side.send(Frame(BINARY, b"c"))
    assert not side.take_back(*states)


@pytest.mark.parametrize(
    "bad",
    [
        (CONTINUATION, b"\xff"),
        (CONTINUATION, b"\xff", False),
        (TEXT, b"c"),
        (PING, b""),
    ],
    ids=["last", "continuation", "out of order", "control"],
)
def test_a_refused_frame_does_not_follow(bad: tuple[Any, ...]) -> None:
    """The one before it can still be taken back."""
    side = connection()
    states = send(side, TEXT, b"a", False)
    refuse(side, *bad)
    assert side.take_back(*states)
    side.send(Frame(TEXT, b"d"))


def test_control_frames_do_not_follow_either() -> None:
    """They are no part of the message."""
    side = connection()
    states = send(side, TEXT, b"a", False)
    side.ping(b"")
    side.pong(b"")
    assert side.take_back(*states)
