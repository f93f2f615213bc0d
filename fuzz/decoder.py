"""Target: frames out of bytes, and what a conversation makes of them.

Input: a byte of choices, the size of the segments (0: all in one), what arrives.
Where the accelerator is in use, it is held against its twin in Python.
"""

from __future__ import annotations

from typing import Any

from txws_simple import _pure, codec
from txws_simple.connection import Connection
from txws_simple.frames import Decoder, Frame, Opcode, encode

from .pieces import pieces

_SIZES = (1 << 20, 125, 300, (1 << 63) - 1)


def check(data: bytes) -> None:
    """However it is cut, the same comes of it, in Python and in C."""
    choices = data[0] if data else 0
    masked = not choices & 1
    size = _SIZES[choices >> 1 & 3]
    stream = data[2:]
    segments = pieces(stream, data[1:2])
    frames = _check_decoder(stream, segments, masked, size)
    _check_round_trip(frames, masked)
    assert _talk([stream], not masked, size) == _talk(segments, not masked, size)
    if codec.ACCELERATED:
        _check_twins(stream, segments, frames, masked, size)


def _check_decoder(
    stream: bytes, segments: list[bytes], masked: bool, size: int
) -> list[Frame]:
    whole = Decoder(masked=masked, max_frame_size=size)
    frames = whole.receive(stream)
    cut = Decoder(masked=masked, max_frame_size=size)
    assert _received_in_pieces(cut, segments) == frames
    assert str(cut.violation) == str(whole.violation)
    assert cut.is_idle == whole.is_idle
    assert (cut.unfinished, cut.missing) == (whole.unfinished, whole.missing)
    if whole.violation is not None:
        assert whole.violation.code in (1002, 1009)
        assert whole.receive(stream) == []
    for frame in frames:
        assert len(frame.data) <= size
        assert frame.opcode < Opcode.CLOSE or (frame.fin and len(frame.data) <= 125)
    return frames


def _received_in_pieces(decoder: Decoder, segments: list[bytes]) -> list[Frame]:
    """All frames; what is told of an unfinished one has to be what it begins with."""
    frames: list[Frame] = []
    beginning = b""
    for segment in segments:
        completed = decoder.receive(segment)
        if completed:
            assert completed[0].data.startswith(beginning)
            beginning = b""
        frames += completed
        header = decoder.unfinished
        if header is not None:
            arrived = header.length - decoder.missing
            beginning += decoder.latest(arrived - len(beginning))
            assert len(beginning) == arrived
    return frames


def _check_round_trip(frames: list[Frame], masked: bool) -> None:
    key = b"\x01\x80\xff\x00" if masked else b""
    data = b"".join(
        piece
        for opcode, data, fin in frames
        for piece in encode(opcode, data, fin, key)
    )
    again = Decoder(masked=masked, max_frame_size=1 << 30)
    assert again.receive(data) == frames
    assert again.is_idle


def _talk(segments: list[bytes], client: bool, size: int) -> tuple[Any, ...]:
    """What a conversation makes of it."""
    connection = Connection(
        client=client, max_frame_size=size, max_message_size=400, max_fragments=5
    )
    frames: list[Frame] = []
    pings: list[bytes] = []
    pongs: list[bytes] = []
    for segment in segments:
        frames += connection.receive(segment)
        if connection.has_control:
            pings += connection.pings
            pongs += connection.pongs
    violation = connection.violation
    if violation is not None:
        assert violation.code in (1002, 1007, 1008, 1009)
    answer = [*connection.answer(), *connection.answer()]
    assert len(answer) == connection.over
    said = "" if violation is None else str(violation)
    return frames, pings, pongs, connection.received, said


def _check_twins(
    stream: bytes, segments: list[bytes], frames: list[Frame], masked: bool, size: int
) -> None:
    for start in {0, 1, len(stream) // 2, len(stream)}:
        _check_both("split", stream, start, masked, size)
    _check_both("messages", stream, masked, size)
    mixed = [bytearray(s) if i % 2 else s for i, s in enumerate(segments)]
    key = stream[:4].ljust(4)
    assert codec.join(mixed, key) == _pure.join(mixed, key)
    assert codec.mask(stream, key) == _pure.mask(stream, key)
    # Any two bytes are a character here, also one that has no UTF-8.
    text = stream[: len(stream) & ~1].decode("utf-16-le", "surrogatepass")
    messages: list[Frame | str | bytes] = [*frames, stream, text]
    for message in messages:
        assert codec.pack(message) == _pure.pack(message)


def _check_both(name: str, *arguments: Any) -> None:
    """Both find the same frames, and stop at the same place."""
    ours: list[Frame] = []
    theirs: list[Frame] = []
    stop = getattr(codec, name)(*arguments, ours)
    assert stop == getattr(_pure, name)(*arguments, theirs)
    assert ours == theirs
    assert all(type(frame) is Frame for frame in ours)
