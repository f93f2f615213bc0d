"""Streams of frames as a client sends them: valid, slightly invalid, and random.

They are built byte by byte here, not by the library that is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

__all__ = ["Stream", "cut", "generate", "in_binary", "in_shortest_form"]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

_TEXTS = [
    *("", "a", "hello", "\0", "\ufeffmark", "\ufffe", "é", "ƒø∂", "€uro", "漢字"),
    *("\U0001f600", "\U0010ffff", "x" * 124 + "é", "€" * 42, "𝄞" * 40, "mixed ä€𝄞 end"),
]
_SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 124, 125, 126, 127, 128, 300]
_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 4999]
_BAD_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]
_BAD_UTF8 = [
    *(b"\x80", b"\xbf", b"\xc0\xaf", b"\xc1\xbf", b"\xe0\x80\x80", b"\xe0\x9f\xbf"),
    *(b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf0\x80\x80\x80", b"\xf4\x90\x80\x80"),
    *(b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfe", b"\xff", b"\xe2\x28\xa1"),
]
_CUT_UTF8 = [b"\xc3", b"\xe2", b"\xe2\x82", b"\xed\xa0", b"\xf0\x9f", b"\xf0\x9f\x98"]


class Stream(NamedTuple):
    """What one connection receives, and under which limits."""

    kind: str
    segments: list[bytes]
    max_size: int | None
    max_fragments: int | None


@dataclass
class Draft:
    """A frame to be, with all that can be wrong with it.

    Attributes:
        extended: How many bytes its length has behind the first, if not more are
            needed: 0, 2 or 8.
        declared: Its length as the header says it; ``None`` for the true one.
    """

    opcode: int
    payload: bytes = b""
    fin: bool = True
    reserved: int = 0
    masked: bool = True
    extended: int = 0
    declared: int | None = None

    def serialize(self, random: Random) -> bytes:
        length = len(self.payload) if self.declared is None else self.declared
        first = self.fin << 7 | self.reserved << 4 | self.opcode
        header = _header(first, self.masked << 7, length, self.extended)
        if not self.masked:
            return header + self.payload
        key = random.choice((b"\0\0\0\0", random.randbytes(4)))
        return header + key + _masked(self.payload, key)


def _header(first: int, masked: int, length: int, extended: int = 0) -> bytes:
    """All of a header but the key, with at least so many bytes for the length."""
    needed = 0 if length < 126 else 2 if length < 65536 else 8
    extended = max(extended, needed)
    short = {0: length, 2: 126, 8: 127}[extended]
    header = bytes((first, masked | short))
    return header + length.to_bytes(extended, "big") if extended else header


def _masked(data: bytes, key: bytes) -> bytes:
    keys = (key * (len(data) // 4 + 1))[: len(data)]
    number = int.from_bytes(data, "big") ^ int.from_bytes(keys, "big")
    return number.to_bytes(len(data), "big")


# What is valid


def _text(random: Random) -> bytes:
    return "".join(random.choices(_TEXTS, k=random.randint(1, 3))).encode()


def _binary(random: Random) -> bytes:
    if random.random() < 0.005:
        return random.randbytes(random.choice((65535, 65536, 65537)))
    return random.randbytes(random.choice(_SIZES))


def _control(random: Random) -> Draft:
    size = random.choice((0, 1, 4, 8, 124, 125))
    return Draft(random.choice((PING, PONG)), random.randbytes(size))


def _message(random: Random) -> list[Draft]:
    """One message, perhaps in fragments, perhaps with control frames in between."""
    opcode = random.choice((TEXT, BINARY))
    data = _text(random) if opcode == TEXT else _binary(random)
    count = random.choice((1, 1, 1, 2, 3, 6))
    marks = sorted(random.randint(0, len(data)) for _ in range(count - 1))
    drafts: list[Draft] = []
    for start, stop in zip([0, *marks], [*marks, len(data)], strict=True):
        if drafts and random.random() < 0.2:
            drafts.append(_control(random))
        drafts.append(
            Draft(CONTINUATION if drafts else opcode, data[start:stop], False)
        )
    drafts[-1].fin = True
    return drafts


def _close(random: Random) -> Draft:
    code = random.choice(_CODES).to_bytes(2, "big")
    reason = random.choice(_TEXTS[:10]).encode()
    return Draft(CLOSE, random.choice((b"", code, code + reason)))


def conversation(random: Random) -> list[Draft]:
    """Messages and control frames in order, perhaps with a Close at the end."""
    drafts: list[Draft] = []
    for _ in range(random.randint(0, 4)):
        if random.random() < 0.3:
            drafts.append(_control(random))
        else:
            drafts += _message(random)
    if random.random() < 0.4:
        drafts.append(_close(random))
    return drafts


# What is not

Blemish = Callable[[Random, list[Draft]], None]


def _insert(random: Random, drafts: list[Draft], draft: Draft) -> None:
    drafts.insert(random.randint(0, len(drafts)), draft)


def _one(random: Random, drafts: list[Draft]) -> Draft:
    """Any one of them."""
    if not drafts:
        drafts += _message(random)
    return random.choice(drafts)


def reserved_bit(random: Random, drafts: list[Draft]) -> None:
    _one(random, drafts).reserved = random.randint(1, 7)


def unknown_opcode(random: Random, drafts: list[Draft]) -> None:
    _one(random, drafts).opcode = random.choice((3, 4, 5, 6, 7, 11, 12, 13, 14, 15))


def other_opcode(random: Random, drafts: list[Draft]) -> None:
    _one(random, drafts).opcode = random.choice((0, 1, 2, 8, 9, 10))


def other_fin(random: Random, drafts: list[Draft]) -> None:
    draft = _one(random, drafts)
    draft.fin = not draft.fin


def not_masked(random: Random, drafts: list[Draft]) -> None:
    _one(random, drafts).masked = False


def long_length(random: Random, drafts: list[Draft]) -> None:
    draft = _one(random, drafts)
    draft.extended = random.choice((2, 8))
    if random.random() < 0.3:
        draft.opcode, draft.payload = BINARY, bytes(random.choice((125, 126, 65535)))


def other_length(random: Random, drafts: list[Draft]) -> None:
    draft = _one(random, drafts)
    draft.declared = random.choice((0, 1, 5, 125, 126, 500, 65536, 1 << 20, 1 << 32))


def huge_length(random: Random, drafts: list[Draft]) -> None:
    draft = _one(random, drafts)
    draft.declared = random.choice((1 << 63, (1 << 63) - 1, (1 << 64) - 1))


def over_the_limit(random: Random, drafts: list[Draft]) -> None:
    draft = _one(random, drafts)
    draft.declared = (1 << 20) + random.randint(0, 1)


def long_control(random: Random, drafts: list[Draft]) -> None:
    size = random.choice((126, 127, 200, 65536))
    _insert(random, drafts, Draft(random.choice((CLOSE, PING, PONG)), bytes(size)))


def control_in_fragments(random: Random, drafts: list[Draft]) -> None:
    draft = Draft(random.choice((CLOSE, PING, PONG)), b"\x03\xe8", fin=False)
    _insert(random, drafts, draft)


def stray_data(random: Random, drafts: list[Draft]) -> None:
    opcode = random.choice((CONTINUATION, TEXT, BINARY))
    _insert(random, drafts, Draft(opcode, b"stray", random.random() < 0.5))


def bad_text(random: Random, drafts: list[Draft]) -> None:
    draft = _one(random, drafts)
    at = random.randint(0, len(draft.payload))
    bad = random.choice(_BAD_UTF8)
    draft.payload = draft.payload[:at] + bad + draft.payload[at:]


def cut_text(random: Random, drafts: list[Draft]) -> None:
    data = _text(random) + random.choice(_CUT_UTF8)
    _insert(random, drafts, Draft(TEXT, data, random.random() < 0.7))


def bad_close(random: Random, drafts: list[Draft]) -> None:
    good = random.choice(_CODES).to_bytes(2, "big")
    bad = random.choice(_BAD_CODES).to_bytes(2, "big")
    not_utf8 = random.choice(_BAD_UTF8)
    payload = random.choice(
        (b"\x03", bad, bad + b"why", good + not_utf8, bad + not_utf8)
    )
    _insert(random, drafts, Draft(CLOSE, payload))


def bad_gateway(random: Random, drafts: list[Draft]) -> None:
    _insert(random, drafts, Draft(CLOSE, (1014).to_bytes(2, "big")))


def early_close(random: Random, drafts: list[Draft]) -> None:
    _insert(random, drafts, _close(random))


def many_fragments(random: Random, drafts: list[Draft]) -> None:
    fragments = [Draft(CONTINUATION, b"", False) for _ in range(1030)]
    drafts += [Draft(BINARY, b"", False), *fragments]


BLEMISHES: tuple[Blemish, ...] = (
    *(reserved_bit, unknown_opcode, other_opcode, other_fin, not_masked),
    *(long_length, other_length, huge_length, over_the_limit, long_control),
    *(control_in_fragments, stray_data, bad_text, cut_text, bad_close),
    *(bad_gateway, early_close),
)


# Changed again


def _headers(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """For each header that is there, whatever it says: the places where it begins,
    where its key or payload does, and where the frame ends; and its length."""
    start = 0
    while len(data) - start >= 2:
        extended = {126: 2, 127: 8}.get(data[start + 1] & 0x7F, 0)
        behind = start + 2 + extended
        if behind > len(data):
            return
        length = int.from_bytes(data[start + 2 : behind], "big")
        length = length if extended else data[start + 1] & 0x7F
        stop = behind + (4 if data[start + 1] & 0x80 else 0) + length
        yield start, behind, min(stop, len(data)), length
        start = stop


def in_shortest_form(stream: Stream) -> Stream:
    """The same, but with each length in its shortest form."""
    data = b"".join(stream.segments)
    changed: list[bytes] = []
    stop = 0
    for start, behind, stop, length in _headers(data):
        header = data[start:behind]
        if length < 1 << 63:
            header = _header(header[0], header[1] & 0x80, length)
        changed += [header, data[behind:stop]]
    return stream._replace(segments=[b"".join(changed) + data[stop:]])


def in_binary(stream: Stream) -> Stream:
    """The same, but with each text as a binary message."""
    data = bytearray(b"".join(stream.segments))
    for start, *_ in _headers(bytes(data) + bytes(8)):
        if start < len(data) and data[start] & 0x0F == TEXT:
            data[start] += 1
    return stream._replace(segments=[bytes(data)])


# Put together


def cut(random: Random, data: bytes) -> list[bytes]:
    """The data whole, byte by byte, or cut at a few places."""
    how = random.random()
    if how < 0.4 or not data:
        return [data]
    if how < 0.5 and len(data) < 400:
        return [data[i : i + 1] for i in range(len(data))]
    some = {random.randrange(len(data)) for _ in range(random.randint(1, 5))} - {0}
    marks = sorted(some)
    return [data[a:b] for a, b in zip([0, *marks], [*marks, len(data)], strict=True)]


def damage(random: Random, data: bytes) -> bytes:
    """The data with a byte or two changed, added or taken out."""
    for _ in range(random.randint(1, 2)):
        at = random.randint(0, len(data))
        new = random.choice((b"", random.randbytes(1), random.randbytes(3)))
        data = data[:at] + new + data[at + random.randint(0, 1) :]
    return data


def _noise(random: Random) -> bytes:
    """Random bytes, most of which begin like frames of a client."""
    data = random.randbytes(random.choice((1, 2, 6, 14, 40, 200)))
    if random.random() < 0.2:
        return data
    first = random.choice((0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A))
    return bytes((first, 0x80 | random.choice((0, 1, 2, 5, 30, 126, 127)))) + data


def _cut_off(random: Random, data: bytes, frames: list[bytes]) -> bytes:
    """Its beginning; as often as not it ends in the header of a frame."""
    if not frames or random.random() < 0.5:
        return data[: random.randint(0, len(data))]
    whole = sum(map(len, frames[: random.randrange(len(frames))]))
    return data[: whole + random.randint(1, 14)]


def generate(random: Random) -> Stream:
    """One stream."""
    kind = random.choices(("valid", "blemished", "damaged", "random"), (4, 4, 1, 1))[0]
    drafts = conversation(random)
    if kind == "blemished":
        for _ in range(random.choice((1, 1, 2))):
            random.choice(BLEMISHES)(random, drafts)
        if random.random() < 0.001:
            many_fragments(random, drafts)
    frames = [draft.serialize(random) for draft in drafts]
    data = b"".join(frames)
    if kind == "damaged":
        data = damage(random, data)
    elif kind == "random":
        data += b"".join(_noise(random) for _ in range(random.randint(1, 3)))
    if random.random() < 0.2:
        kind += ", cut off"
        data = _cut_off(random, data, frames)
    max_size = random.choice((1 << 20, 1 << 20, 1 << 20, 125, 300))
    max_fragments = random.choice((1024, 1024, 1024, 3))
    return Stream(kind, cut(random, data), max_size, max_fragments)
