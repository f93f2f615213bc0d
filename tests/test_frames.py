"""The frames: header rules, masking, encoding, and the Close frame's payload."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame as OtherFrame
from websockets.frames import Opcode as OtherOpcode
from websockets.protocol import CLIENT, OPEN, SERVER, Protocol

from txws_simple.errors import ProtocolError
from txws_simple.frames import Close, CloseCode, Decoder, Frame, Opcode, encode, mask

from .helpers import same_outcome

KEY = b"\x37\xfa\x21\x3d"
BOUNDARIES = (0, 1, 124, 125, 126, 127, 16383, 16384, 65534, 65535, 65536, 65537)
CONTROL = (Opcode.CLOSE, Opcode.PING, Opcode.PONG)
DATA = (Opcode.CONTINUATION, Opcode.TEXT, Opcode.BINARY)

unhurried = settings(deadline=None)
roles = pytest.mark.parametrize("masked", [True, False], ids=["server", "client"])


def wire(frame: Frame, masked: bool, key: bytes = KEY) -> bytes:
    """The bytes of a frame."""
    return b"".join(encode(*frame, key=key if masked else b""))


def decoder(masked: bool, max_frame_size: int = 1 << 20) -> Decoder:
    return Decoder(masked=masked, max_frame_size=max_frame_size)


def decode(
    segments: list[bytes], masked: bool, max_frame_size: int = 1 << 20
) -> tuple[list[Frame], int | None]:
    """The frames of all segments, and the code of the violation, if any."""
    reader = decoder(masked, max_frame_size)
    frames = [frame for segment in segments for frame in reader.receive(segment)]
    return frames, None if reader.violation is None else reader.violation.code


def cut(data: bytes, *offsets: int) -> list[bytes]:
    """The data cut at these offsets, wherever they lie."""
    inner = sorted({0, len(data), *(offset % (len(data) + 1) for offset in offsets)})
    return [data[start:end] for start, end in pairwise(inner)]


def naive_mask(data: bytes, key: bytes) -> bytes:
    """RFC 6455, section 5.3, to the letter."""
    return bytes(byte ^ key[i % 4] for i, byte in enumerate(data))


def held(reader: Decoder, segments: list[bytes]) -> int:
    """How many bytes are occupied at most while the segments are received."""
    tracemalloc.start()
    try:
        for segment in segments:
            reader.receive(segment)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


payloads = st.binary(max_size=300) | st.sampled_from(BOUNDARIES).map(bytes)
frames_of_data = st.builds(Frame, st.sampled_from(DATA), payloads, st.booleans())
frames_of_control = st.builds(
    Frame, st.sampled_from(CONTROL), st.binary(max_size=125), st.just(True)
)
# Drawn, not parametrised: pytest-twisted wraps a @given once more per parameter.
sides = st.booleans()
streams = st.lists(frames_of_data | frames_of_control, max_size=6)
offsets = st.lists(st.integers(min_value=0), max_size=12)


# Both ways


@roles
@pytest.mark.parametrize("opcode", Opcode)
def test_every_frame_reads_as_it_was_written(opcode: Opcode, masked: bool) -> None:
    """Opcode, payload and FIN come out as they went in, for every cut."""
    fins = (True,) if opcode in CONTROL else (True, False)
    sent = [Frame(opcode, b"\x00payload\xff", fin) for fin in fins]
    data = b"".join(wire(frame, masked) for frame in sent)
    outcome = same_outcome(data, lambda segments: decode(segments, masked))
    assert outcome == (sent, None)


@roles
@pytest.mark.parametrize("length", BOUNDARIES)
def test_lengths_where_the_header_changes(length: int, masked: bool) -> None:
    """Either side of each form of the length, cut within header and payload."""
    sent = Frame(Opcode.BINARY, bytes(range(256)) * 257)
    sent = sent._replace(data=sent.data[:length])
    data = wire(sent, masked)
    for offset in (0, *range(1, 18), length // 2, -1, -2):
        assert decode(cut(data, offset), masked) == ([sent], None)


@given(masked=sides, sent=streams, where=offsets)
@unhurried
def test_any_cut_of_any_stream(
    sent: list[Frame], where: list[int], masked: bool
) -> None:
    """However valid frames are cut, the same frames come out."""
    data = b"".join(wire(frame, masked) for frame in sent)
    assert decode(cut(data, *where), masked) == (sent, None)


@given(
    masked=sides,
    length=st.sampled_from(BOUNDARIES).flatmap(
        lambda n: st.integers(min_value=max(0, n - 2), max_value=n + 2)
    ),
    opcode=st.sampled_from(DATA),
    fin=st.booleans(),
    key=st.binary(min_size=4, max_size=4),
)
@unhurried
def test_round_trip(
    length: int, opcode: Opcode, fin: bool, key: bytes, masked: bool
) -> None:
    """What is encoded decodes to itself, whatever its key."""
    sent = Frame(opcode, b"\xa5" * length, fin)
    assert decode([wire(sent, masked, key)], masked) == ([sent], None)


@given(masked=sides, sent=frames_of_data)
@unhurried
def test_another_implementation_reads_it(sent: Frame, masked: bool) -> None:
    """What goes out is what another library takes it for, and the other way."""
    other = Protocol(SERVER if masked else CLIENT, state=OPEN)
    # Only the first frame of a message may stand alone.
    sent = sent._replace(opcode=sent.opcode or Opcode.BINARY)
    other.receive_data(wire(sent, masked))
    (read,) = other.events_received()
    assert read == OtherFrame(OtherOpcode(sent.opcode), sent.data, sent.fin)
    written = read.serialize(mask=masked)
    assert decode([written], masked) == ([sent], None)


# The decoder


@given(masked=sides, data=st.binary(max_size=200), where=offsets)
@unhurried
def test_arbitrary_bytes(data: bytes, where: list[int], masked: bool) -> None:
    """Nothing is raised, and the outcome does not depend on the cuts."""
    frames, code = decode([data], masked)
    assert code in (None, CloseCode.PROTOCOL_ERROR, CloseCode.MESSAGE_TOO_BIG)
    assert decode(cut(data, *where), masked) == (frames, code)


@roles
def test_nothing_is_parsed_after_a_violation(masked: bool) -> None:
    """The frames before it are given out, those after it are not."""
    good = Frame(Opcode.TEXT, b"good")
    reader = decoder(masked)
    bad = b"\xc1" + wire(good, masked)[1:]
    assert reader.receive(wire(good, masked) + bad + wire(good, masked)) == [good]
    violation = reader.violation
    assert violation is not None
    assert reader.receive(wire(good, masked)) == []
    assert reader.violation is violation


@roles
def test_idle_is_between_two_frames(masked: bool) -> None:
    """Before the first, too, but not within one, nor after a violation."""
    reader = decoder(masked)
    data = wire(Frame(Opcode.TEXT, b"ab"), masked)
    assert reader.is_idle is True
    for segment in (data[:1], data[1:-1], data[-1:]):
        reader.receive(segment)
        assert reader.is_idle is (segment == data[-1:])
    reader.receive(data + b"\xc1\x00")
    assert reader.is_idle is False


@roles
def test_the_unfinished_frame_shows_the_latest_segment(masked: bool) -> None:
    """Unmasked at the right turn of the key, and never twice."""
    reader = decoder(masked)
    data = wire(Frame(Opcode.TEXT, b"0123456789", False), masked)
    size = len(data) - 10
    assert reader.unfinished is None
    reader.receive(data[: size - 1])
    assert reader.unfinished is None
    assert reader.missing == 0
    for start, end in pairwise((size - 1, size, size + 3, size + 3, size + 8)):
        reader.receive(data[start:end])
        arrived = b"0123456789"[max(0, start - size) : end - size]
        assert reader.latest(len(arrived)) == arrived
        assert reader.unfinished is not None
        assert reader.unfinished[:3] == (Opcode.TEXT, False, 10)
        assert reader.missing == size + 10 - end
    assert reader.receive(data[size + 8 :]) == [
        Frame(Opcode.TEXT, b"0123456789", False)
    ]
    assert reader.unfinished is None
    assert reader.missing == 0


@roles
@pytest.mark.parametrize("piece", [1, 100, 4095, 4096, 5000])
def test_pieces_of_any_size_are_put_together(piece: int, masked: bool) -> None:
    """Large and small pieces of one frame, also in turn."""
    sent = Frame(Opcode.BINARY, bytes(range(251)) * 80)
    data = wire(sent, masked)
    for first in (1, 20, 4100, 9000):
        rest = data[first:]
        pieces = [rest[i : i + piece] for i in range(0, len(rest), piece)]
        assert decode([data[:first], *pieces], masked) == ([sent], None)


@roles
def test_a_declared_length_occupies_nothing(masked: bool) -> None:
    """Of a terabyte that was only declared, what arrived is held."""
    header = b"\x82" + bytes([127 | masked << 7]) + (1 << 40).to_bytes(8, "big")
    reader = decoder(masked, 1 << 40)
    assert held(reader, [header + (KEY if masked else b"") + b"arrived"]) < 1 << 14
    assert reader.violation is None
    assert reader.missing == (1 << 40) - len(b"arrived")


@roles
def test_tiny_segments_do_not_multiply(masked: bool) -> None:
    """Bytes that arrive one by one occupy about as much as they would together."""
    data = wire(Frame(Opcode.BINARY, bytes(1 << 15)), masked)[:-1]
    segments = [data[i : i + 1] for i in range(len(data))]
    assert held(decoder(masked), segments) < 4 << 15


@roles
def test_a_beginning_holds_no_frames_before_it(masked: bool) -> None:
    """A little of a frame does not keep the segment that it came in."""
    before = wire(Frame(Opcode.BINARY, bytes(1 << 19)), masked)
    reader = decoder(masked)
    tracemalloc.start()
    try:
        reader.receive(before + wire(Frame(Opcode.BINARY, bytes(9000)), masked)[:5000])
        assert tracemalloc.get_traced_memory()[0] < 1 << 14
    finally:
        tracemalloc.stop()


@roles
def test_a_frame_that_was_given_out_is_not_held(masked: bool) -> None:
    """A decoder between two frames holds on to neither."""
    reader = decoder(masked)
    tracemalloc.start()
    try:
        data = wire(Frame(Opcode.BINARY, bytes(1 << 19)), masked)
        while data:
            reader.receive(data[:300_000])
            data = data[300_000:]
        assert tracemalloc.get_traced_memory()[0] < 1 << 13
    finally:
        tracemalloc.stop()


# Masking


def test_the_example_of_the_rfc() -> None:
    """RFC 6455, section 5.7: a masked and an unmasked "Hello"."""
    masked = bytes.fromhex("818537fa213d7f9f4d5158")
    assert wire(Frame(Opcode.TEXT, b"Hello"), True) == masked
    assert wire(Frame(Opcode.TEXT, b"Hello"), False) == b"\x81\x05Hello"


@given(data=st.binary(max_size=300), key=st.binary(min_size=4, max_size=4))
@unhurried
def test_masking_is_what_the_rfc_says(data: bytes, key: bytes) -> None:
    """It equals the definition, byte by byte, and undoes itself."""
    assert mask(data, key) == naive_mask(data, key)
    assert mask(mask(data, key), key) == data


def test_no_key_masks_nothing() -> None:
    """An empty key stands for a frame that is not masked."""
    assert mask(b"data", b"") == b"data"
    assert mask(b"", KEY) == b""


# Encoding


@roles
@pytest.mark.parametrize("opcode", Opcode)
@pytest.mark.parametrize("fin", [True, False])
def test_the_first_byte(opcode: Opcode, fin: bool, masked: bool) -> None:
    """It says opcode and FIN, and reserves nothing."""
    first = wire(Frame(opcode, b"data", fin), masked)[0]
    assert first == opcode + (0x80 if fin else 0)


@roles
@pytest.mark.parametrize(
    ("length", "header"),
    [
        (0, "00"),
        (125, "7d"),
        (126, "7e007e"),
        (65535, "7effff"),
        (65536, "7f0000000000010000"),
    ],
)
def test_a_length_in_its_shortest_form(length: int, header: str, masked: bool) -> None:
    """RFC 6455, section 5.2."""
    expected = bytearray(bytes.fromhex(header))
    expected[0] |= masked << 7
    data = wire(Frame(Opcode.BINARY, bytes(length)), masked)
    assert data[1 : 1 + len(expected)] == expected
    assert len(data) == 1 + len(expected) + (4 if masked else 0) + length


@roles
@pytest.mark.parametrize("length", [3, 16384])
def test_a_memoryview_is_encoded_as_its_bytes(length: int, masked: bool) -> None:
    """Whatever holds the payload, the same goes out."""
    data = b"abc" * length
    key = KEY if masked else b""
    pieces = encode(Opcode.BINARY, memoryview(data), key=key)
    assert b"".join(pieces) == wire(Frame(Opcode.BINARY, data), masked)


def test_a_large_payload_is_not_copied() -> None:
    """A server hands on what it was given, behind a header of its own."""
    data = bytes(1 << 20)
    _, payload = encode(Opcode.BINARY, data)
    assert payload is data
    assert len(encode(Opcode.BINARY, data[:1000])) == 1


# The Close frame's payload

SENDABLE = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}


def test_every_close_code_that_arrives() -> None:
    """RFC 6455, section 7.4: accepted, or a violation with code 1002."""
    accepted = set()
    for code in range(65536):
        try:
            accepted.add(Close.parse(code.to_bytes(2, "big") + b"why").code)
        except ProtocolError as error:
            assert error.code == CloseCode.PROTOCOL_ERROR
    assert accepted == SENDABLE


def test_every_close_code_that_is_to_be_sent() -> None:
    """What would be refused by the other side is not sent."""
    accepted = set()
    for code in (-1, *range(65537)):
        try:
            accepted.add(int.from_bytes(Close(code).serialize(), "big"))
        except ValueError as error:
            assert str(code) in str(error)
    assert accepted == SENDABLE


def test_a_close_without_a_code() -> None:
    """It counts as 1005 (RFC 6455, section 7.1.5)."""
    assert Close.parse(b"") == Close(CloseCode.NO_STATUS, "")


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"\x03", 1002),
        (b"\x03\xe8\xff", 1007),
        (b"\x03\xe8\xe2\x82", 1007),
        (b"\x03\xed\xff", 1002),
        (b"\x00\x00", 1002),
    ],
    ids=["one byte", "bad reason", "cut reason", "bad code before it", "zero"],
)
def test_a_close_that_is_wrong(payload: bytes, code: int) -> None:
    """The code is judged before the reason."""
    with pytest.raises(ProtocolError) as caught:
        Close.parse(payload)
    assert caught.value.code == code


@pytest.mark.parametrize("reason", ["x" * 123, "é" * 61 + "x", "", "\U0010ffff"])
def test_a_reason_that_fits(reason: str) -> None:
    """123 bytes, whatever the characters; and it reads as it was written."""
    payload = Close(CloseCode.NORMAL, reason).serialize()
    assert payload == b"\x03\xe8" + reason.encode()
    assert Close.parse(payload) == Close(1000, reason)


@pytest.mark.parametrize("reason", ["x" * 124, "é" * 62, "\ud800"])
def test_a_reason_that_does_not_fit(reason: str) -> None:
    """Bytes are counted, not characters; a lone surrogate has none."""
    with pytest.raises(ValueError):
        Close(CloseCode.NORMAL, reason).serialize()
