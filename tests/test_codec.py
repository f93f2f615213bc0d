"""The work on bytes: the twin in C, where it was built, against the reference."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txws_simple import _pure, codec
from txws_simple.errors import ProtocolError
from txws_simple.frames import Frame, Opcode, encode

twins = pytest.mark.parametrize("twin", [_pure, codec], ids=["pure", "chosen"])

keys = st.binary(min_size=4, max_size=4)
payloads = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=80).map(str.encode),
    st.sampled_from([125, 126, 127, 65535, 65536]).map(bytes),
)


@st.composite
def nearly_frames(draw: Any) -> bytes:
    """Frames as a client sends them, some with a byte changed or cut off."""
    data = b"".join(
        b"".join(
            encode(
                draw(st.sampled_from(Opcode)),
                draw(payloads),
                draw(st.booleans()),
                draw(keys),
            )
        )
        for _ in range(draw(st.integers(0, 4)))
    )
    if data and draw(st.booleans()):
        at = draw(st.integers(0, min(len(data) - 1, 20)))
        data = data[:at] + draw(st.binary(max_size=3)) + data[at + 1 :]
    return data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data


def outcome(call: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return call(*arguments)
    except ProtocolError as error:
        return error.code, error.reason


@given(
    data=nearly_frames(),
    masked=st.booleans(),
    most=st.sampled_from([10, 126, 1 << 20, 1 << 62]),
)
def test_split_as_the_reference(data: bytes, masked: bool, most: int) -> None:
    """The same frames, and the same place to stop, from any start."""
    for start in {0, 1, len(data) // 2, len(data)}:
        ours: list[Frame] = []
        theirs: list[Frame] = []
        assert codec.split(data, start, masked, most, ours) == _pure.split(
            data, start, masked, most, theirs
        )
        assert ours == theirs
        assert list(map(hash, ours)) == list(map(hash, theirs))
        assert [type(frame) for frame in ours] == [Frame] * len(ours)
        assert [type(frame.opcode) for frame in ours] == [Opcode] * len(ours)
        assert [type(frame.fin) for frame in ours] == [bool] * len(ours)


@given(
    pieces=st.lists(st.binary(max_size=40), max_size=6),
    key=st.one_of(keys, st.just(b"")),
)
def test_join_and_mask_as_the_reference(pieces: list[bytes], key: bytes) -> None:
    whole = b"".join(pieces)
    mixed = [bytearray(piece) if i % 2 else piece for i, piece in enumerate(pieces)]
    assert codec.join(mixed, key) == _pure.join(mixed, key) == _pure.mask(whole, key)
    assert codec.mask(whole, key) == _pure.mask(whole, key)


@given(
    data=nearly_frames(),
    masked=st.booleans(),
    most=st.sampled_from([10, 126, 1 << 20, 1 << 62]),
)
def test_messages_as_the_reference(data: bytes, masked: bool, most: int) -> None:
    """The same messages, and the same place to stop."""
    ours: list[Frame] = []
    theirs: list[Frame] = []
    stop = _pure.messages(data, masked, most, theirs)
    assert codec.messages(data, masked, most, ours) == stop
    assert ours == theirs
    # They are the first of the frames that are there.
    frames: list[Frame] = []
    _pure.split(data[:stop], 0, masked, most, frames)
    assert frames == theirs


@given(
    opcode=st.sampled_from([*Opcode, 1, 2, 3]),
    data=st.one_of(payloads, st.text().map(str.encode).map(bytearray)),
    fin=st.sampled_from([True, False, 1]),
)
def test_pack_frames_as_the_reference(opcode: Any, data: Any, fin: Any) -> None:
    frame = Frame(opcode, data, fin)
    packed = codec.pack(frame)
    assert packed == _pure.pack(frame)
    if packed is not None:
        assert [packed] == encode(opcode, data)


@given(message=st.one_of(st.text(st.characters(), max_size=200), payloads))
def test_pack_messages_as_the_reference(message: str | bytes) -> None:
    """The characters have surrogates among them, which have no UTF-8."""
    packed = codec.pack(message)
    assert packed == _pure.pack(message)
    if packed is None:
        assert len(message) > 16000 or not _is_encodable(message)


def _is_encodable(message: str | bytes) -> bool:
    try:
        return isinstance(message, bytes) or bool(message.encode() or True)
    except UnicodeEncodeError:
        return False


@twins
@pytest.mark.parametrize("size", [0, 125, 126, 127, 16383, 16384, 65535, 65536])
def test_pack_at_the_edges(twin: Any, size: int) -> None:
    """Small messages in one piece, in the shortest form; no others."""
    for message, opcode in (("a" * size, Opcode.TEXT), (b"a" * size, Opcode.BINARY)):
        pieces = encode(opcode, b"a" * size)
        packed = twin.pack(message)
        assert packed == (pieces[0] if size < 16384 else None)
        assert twin.pack(Frame(opcode, b"a" * size)) == packed
    assert twin.pack("\u20ac" * (size // 3 + 1)) == (
        None
        if size // 3 * 3 + 3 >= 16384
        else encode(Opcode.TEXT, ("\u20ac" * (size // 3 + 1)).encode())[0]
    )


@twins
def test_pack_of_what_is_no_message(twin: Any) -> None:
    class Text(str):
        pass

    for other in (None, 1, Text("a"), bytearray(b"a"), (Opcode.TEXT, b"a", True)):
        assert twin.pack(other) is None


@twins
def test_every_two_and_three_bytes_of_text(twin: Any) -> None:
    """UTF-8 is what Python's own codec takes for it."""
    first = [0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xEC, 0xED, 0xEE]
    first += [0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFF]
    later = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF]
    for a in first:
        for b in later:
            for c in later:
                for tail in (b"", b"\x80", b"\xbf", b"a"):
                    data = bytes((a, b, c)) + tail
                    try:
                        valid = bool(data.decode() or True)
                    except UnicodeDecodeError:
                        valid = False
                    sent = b"".join(encode(Opcode.TEXT, b"12345678" + data))
                    stop = len(sent) if valid else 0
                    assert twin.messages(sent, False, 99, []) == stop, data
                    frame = Frame(Opcode.TEXT, b"12345678" + data)
                    assert (twin.pack(frame) is not None) is valid, data


@twins
@pytest.mark.parametrize(
    "frame",
    [
        Frame(Opcode.TEXT, b"a", False),
        Frame(Opcode.CONTINUATION, b"a"),
        Frame(Opcode.PING, b"a"),
        Frame(Opcode.CLOSE, b""),
    ],
)
def test_no_message_of_its_own(twin: Any, frame: Frame) -> None:
    """It is left where it is, with all that follows."""
    first = b"".join(encode(Opcode.BINARY, b"first"))
    data = first + b"".join(encode(*frame)) + first
    found: list[Frame] = []
    assert twin.messages(data, False, 99, found) == len(first)
    assert found == [Frame(Opcode.BINARY, b"first")]
    assert twin.pack(frame) is None


@twins
def test_of_nothing(twin: Any) -> None:
    assert twin.messages(b"", True, 9, []) == 0
    assert twin.split(b"", 0, True, 9, []) == 0
    assert twin.join([], b"abcd") == b""


def test_wrong_arguments() -> None:
    """They are errors, and nothing worse, in both twins."""
    calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
        (codec.mask, ("x", b"abcd")),
        (codec.join, ([1], b"abcd")),
        (codec.join, (None, b"abcd")),
        (codec.messages, (None, True, 9, [])),
        (codec.messages, (b"\x82\x00", False, "9", [])),
    ]
    if codec.ACCELERATED:
        # What plain Python bears, C must not.
        calls += [
            (codec.mask, (b"x", b"abc")),
            (codec.join, ([b"x"], b"abc")),
            (codec.split, (b"x", 0, True, 9, ())),
            (codec.messages, (b"x", True, 9, ())),
            (codec.messages, (b"x", True, -1, [])),
            (codec.messages, (b"x", True, 9)),
            (codec.messages, (bytearray(b"x"), True, 9, [])),
        ]
    for call, arguments in calls:
        with pytest.raises((TypeError, ValueError, OverflowError)):
            call(*arguments)


@pytest.mark.parametrize("wish", ["forbid", "require", ""])
def test_what_is_wished_for(wish: str) -> None:
    """The environment decides which twin is used, or that there must be one."""
    shown = subprocess.run(
        [
            sys.executable,
            "-c",
            "from txws_simple import codec; print(codec.ACCELERATED)",
        ],
        env={**os.environ, "TXWS_SIMPLE_SPEEDUPS": wish},
        capture_output=True,
        text=True,
        check=False,
    )
    built = _is_built()
    if wish == "require" and not built:
        assert "ImportError" in shown.stderr
    else:
        assert shown.stdout.strip() == str(built and wish != "forbid")


def _is_built() -> bool:
    try:
        from txws_simple import _speedups  # noqa: F401
    except ImportError:
        return False
    return True
