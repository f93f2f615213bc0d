"""What an application writes, as frames."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from txws_simple.connection import Connection
from txws_simple.frames import Frame, Opcode
from txws_simple.messages import as_frame, fragments

CONTINUATION, TEXT, BINARY = Opcode.CONTINUATION, Opcode.TEXT, Opcode.BINARY

unhurried = settings(deadline=None)


@pytest.mark.parametrize(
    ("written", "frame"),
    [
        ("", Frame(TEXT, b"")),
        ("plain", Frame(TEXT, b"plain")),
        ("é€\U0001f600\0", Frame(TEXT, "é€\U0001f600\0".encode())),
        (b"", Frame(BINARY, b"")),
        (b"\xff", Frame(BINARY, b"\xff")),
        (bytearray(b"\xff"), Frame(BINARY, b"\xff")),
        (memoryview(b"\xff"), Frame(BINARY, b"\xff")),
        (Frame(TEXT, b"a"), Frame(TEXT, b"a")),
        (Frame(TEXT, b"a", False), Frame(TEXT, b"a", False)),
        (Frame(CONTINUATION, b"\xff"), Frame(CONTINUATION, b"\xff")),
    ],
    ids=repr,
)
def test_what_may_be_written(written: Any, frame: Frame) -> None:
    """Text and bytes are whole messages; a frame is what it is."""
    assert as_frame(written) == frame
    assert type(as_frame(written).data) is bytes


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_a_frame_of_other_bytes(kind: Any) -> None:
    """Whatever holds a frame's data, it is sent as bytes."""
    frame = as_frame(Frame(BINARY, kind(b"data"), False))
    assert frame == Frame(BINARY, b"data", False)
    assert type(frame.data) is bytes


def test_what_is_changed_later_is_not_sent() -> None:
    """A frame keeps what it was given when it was written."""
    data: Any = bytearray(b"before")
    frames = [as_frame(data), as_frame(Frame(TEXT, data))]
    data[:] = b"behind"
    assert [frame.data for frame in frames] == [b"before", b"before"]


def test_bytes_are_not_copied() -> None:
    """What can't change needs no copy."""
    data = b"data" * 100
    assert as_frame(data).data is data
    assert as_frame(Frame(TEXT, data)).data is data


@pytest.mark.parametrize(
    "written",
    [None, 1, 1.5, ["a"], (TEXT, b"a", True), object, Frame],
    ids=repr,
)
def test_what_may_not_be_written(written: Any) -> None:
    """The error names what it got."""
    with pytest.raises(TypeError, match=type(written).__name__):
        as_frame(written)


@pytest.mark.parametrize("data", ["text", None, 1, [1]], ids=repr)
def test_a_frame_of_no_bytes(data: Any) -> None:
    """A frame's text is encoded by who makes it."""
    with pytest.raises(TypeError, match=type(data).__name__):
        as_frame(Frame(TEXT, data))


def test_text_that_has_no_utf8() -> None:
    """A lone surrogate is a `ValueError`, not something to be sent."""
    with pytest.raises(ValueError):
        as_frame("\ud800")


@pytest.mark.parametrize(
    ("data", "size", "pieces"),
    [
        (b"", 1, [b""]),
        (b"a", 1, [b"a"]),
        (b"abc", 1, [b"a", b"b", b"c"]),
        (b"abcd", 2, [b"ab", b"cd"]),
        (b"abcde", 2, [b"ab", b"cd", b"e"]),
        (b"abc", 3, [b"abc"]),
        (b"abc", 4, [b"abc"]),
    ],
)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_fragments(opcode: Opcode, data: bytes, size: int, pieces: list[bytes]) -> None:
    """The first says what the message is, the last that it is the last."""
    frames = fragments(Frame(opcode, data), size)
    assert [frame.data for frame in frames] == pieces
    assert [frame.opcode for frame in frames] == [opcode] + [CONTINUATION] * (
        len(pieces) - 1
    )
    assert [frame.fin for frame in frames] == [False] * (len(pieces) - 1) + [True]


def test_no_size_is_one_frame() -> None:
    """Without a size nothing is cut."""
    message = Frame(TEXT, b"x" * 100_000)
    assert fragments(message, None) == [message]


@pytest.mark.parametrize("size", [0, -1])
def test_a_size_that_is_none(size: int) -> None:
    """It names the argument of the application."""
    with pytest.raises(ValueError, match="fragment_size"):
        fragments(Frame(TEXT, b"data"), size)


@given(
    message=st.text(max_size=60) | st.binary(max_size=60),
    size=st.none() | st.integers(min_value=1, max_value=70),
)
@unhurried
def test_fragments_arrive_as_the_message(
    message: str | bytes, size: int | None
) -> None:
    """However it is cut, also inside a code point, it is sent and received whole."""
    limits: Any = {"max_frame_size": 300, "max_message_size": 300, "max_fragments": 300}
    server, client = Connection(**limits), Connection(client=True, **limits)
    frames = fragments(as_frame(message), size)
    data = b"".join(piece for frame in frames for piece in server.send(frame))
    assert client.receive(data) == frames
    assert client.violation is None
    assert b"".join(frame.data for frame in frames) == as_frame(message).data
