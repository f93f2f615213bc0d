"""Frames (RFC 6455, section 5): bytes in, frames out, and the other way round.

A violation is seen from a frame's header, before any payload has arrived.
Nothing here knows what a frame means for the conversation, and nothing here
knows Twisted.
"""

from __future__ import annotations

import sys
from enum import IntEnum
from typing import NamedTuple

from .errors import ProtocolError

__all__ = ["Close", "CloseCode", "Decoder", "Frame", "Opcode", "encode", "mask"]

#: The largest payload of a control frame, in bytes (RFC 6455, section 5.5).
MAX_CONTROL = 125

#: Up to this size, header and payload are joined: cheaper than two pieces.
_JOINED = 16384

#: Pieces of an unfinished frame that are smaller than this are put together,
#: so that a sender of tiny segments does not multiply what they occupy.
_SMALL = 4096


class Opcode(IntEnum):
    """What a frame is (RFC 6455, section 5.2)."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


class CloseCode(IntEnum):
    """Why a connection is closed (RFC 6455, section 7.4, and IANA's registry)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    #: Stands for a Close frame without a code; never sent.
    NO_STATUS = 1005
    #: Stands for a connection that ended without a Close frame; never sent.
    ABNORMAL = 1006
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014


class Frame(NamedTuple):
    """One data frame, as it came or as it is to be sent.

    Attributes:
        opcode: ``TEXT``, ``BINARY`` or ``CONTINUATION``.
        data: The payload.
        fin: Whether it is the last frame of its message.
    """

    opcode: Opcode
    data: bytes
    fin: bool = True


class Close(NamedTuple):
    """What a Close frame says (RFC 6455, section 5.5.1)."""

    code: int
    reason: str = ""

    @classmethod
    def parse(cls, payload: bytes) -> Close:
        """Read a payload; an empty one counts as code 1005.

        Raises:
            ProtocolError: 1002 for a code that must not be sent or a cut one,
                1007 for a reason that is not UTF-8.
        """
        if not payload:
            return cls(CloseCode.NO_STATUS)
        code = int.from_bytes(payload[:2], "big")
        if len(payload) == 1 or not _may_be_sent(code):
            raise ProtocolError(CloseCode.PROTOCOL_ERROR, "invalid close code")
        try:
            return cls(code, payload[2:].decode())
        except UnicodeDecodeError:
            raise ProtocolError(
                CloseCode.INVALID_DATA, "close reason is not UTF-8"
            ) from None

    def serialize(self) -> bytes:
        """The payload that says this.

        Raises:
            ValueError: For a code that must not be sent, or a reason of more
                than 123 bytes in UTF-8.
        """
        if not _may_be_sent(self.code):
            raise ValueError(f"close code {self.code!r} must not be sent")
        payload = int(self.code).to_bytes(2, "big") + self.reason.encode()
        if len(payload) > MAX_CONTROL:
            raise ValueError("close reason is over 123 bytes in UTF-8")
        return payload


def _may_be_sent(code: int) -> bool:
    # RFC 6455, section 7.4.2: 1004 to 1006 and 1015 never stand in a frame, the
    # rest up to 2999 is for the protocol itself, 3000 to 4999 for applications.
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


class _Header(NamedTuple):
    """The header of one frame, checked; ``size`` is its own length in bytes."""

    opcode: Opcode
    fin: bool
    length: int
    key: bytes
    size: int


# The first byte of a frame that has no reserved bit set and a known opcode.
_FIRST = {
    (0x80 if fin else 0) | opcode: (opcode, fin)
    for opcode in Opcode
    for fin in (True, False)
}


def _violation(reason: str) -> ProtocolError:
    return ProtocolError(CloseCode.PROTOCOL_ERROR, reason)


def _read_header(
    data: bytes, start: int, masked: bool, max_size: int
) -> _Header | None:
    """The header that begins at ``start``, or ``None`` while it is not whole.

    Raises:
        ProtocolError: 1002, or 1009 for a length over ``max_size``.
    """
    if len(data) - start < 2:
        return None
    if data[start] not in _FIRST:
        # Sections 5.2 and 5.8: no extension gives these bits a meaning here.
        raise _violation("reserved bit or opcode")
    opcode, fin = _FIRST[data[start]]
    length = data[start + 1] & 0x7F
    if (data[start + 1] & 0x80 != 0) is not masked:
        # Section 5.1: a client masks all its frames, a server none.
        raise _violation("frame is not masked" if masked else "frame is masked")
    if opcode >= Opcode.CLOSE and (not fin or length > MAX_CONTROL):
        # Section 5.5.
        raise _violation("control frame is fragmented or over 125 bytes")
    return _read_length(data, start + 2, opcode, fin, length, masked, max_size)


def _read_length(
    data: bytes,
    at: int,
    opcode: Opcode,
    fin: bool,
    length: int,
    masked: bool,
    max_size: int,
) -> _Header | None:
    """The rest of a header, from its extended length at ``at`` on."""
    extended = {126: 2, 127: 8}.get(length, 0)
    size = 2 + extended + (4 if masked else 0)
    if len(data) - at < extended:
        return None
    if extended:
        length = int.from_bytes(data[at : at + extended], "big")
        if length < (126 if extended == 2 else 65536) or length >> 63:
            # Section 5.2: the shortest form, and the top bit is 0.
            raise _violation("length is not in its shortest form")
    if length > max_size:
        raise ProtocolError(
            CloseCode.MESSAGE_TOO_BIG, f"frame is over {max_size} bytes"
        )
    if len(data) - at + 2 < size:
        return None
    return _Header(opcode, fin, length, data[at + extended : at - 2 + size], size)


class Decoder:
    """Bytes in, frames out, however the bytes are cut.

    It raises nothing: after a violation it gives out the frames before it, and
    :attr:`violation` says what it was.  Nothing is parsed after that.

    Args:
        masked: Whether the frames that arrive must be masked (they must where
            the other side is a client) or must not.
        max_frame_size: The largest payload accepted, in bytes.
    """

    __slots__ = (
        "_arrived",
        "_header",
        "_latest",
        "_masked",
        "_max_frame_size",
        "_pieces",
        "_rest",
        "violation",
    )

    def __init__(self, *, masked: bool, max_frame_size: int) -> None:
        self._masked = masked
        self._max_frame_size = max_frame_size
        self._rest = b""  # a header that has not arrived whole
        self._header: _Header | None = None  # of a frame that hasn't
        self._pieces: list[bytes | bytearray] = []  # of that frame, still masked
        self._latest = b""  # the one that came last
        self._arrived = 0  # how long they are together
        self.violation: ProtocolError | None = None

    def receive(self, data: bytes) -> list[Frame]:
        """All frames, control frames among them, that ``data`` completes."""
        frames: list[Frame] = []
        if self.violation is not None:
            return frames
        if self._header is not None:
            start = self._continue(self._header, data, frames)
        else:
            start = 0
            if self._rest:
                data = self._rest + data
                self._rest = b""
        try:
            self._split(data, start, frames)
        except ProtocolError as error:
            self.violation = error
        return frames

    @property
    def is_between_frames(self) -> bool:
        """Whether no frame is unfinished, and nothing was wrong."""
        return self._header is None and self.violation is None

    def unfinished(self) -> Frame | None:
        """The frame of which the header has arrived and the payload has not.

        Its ``data`` is what the last segment brought of it.
        """
        if self._header is None:
            return None
        opcode, fin, _, key, _ = self._header
        turn = (self._arrived - len(self._latest)) & 3
        return Frame(opcode, mask(self._latest, key[turn:] + key[:turn]), fin)

    @property
    def expected(self) -> int:
        """The length of the unfinished frame's payload, in bytes."""
        return self._header.length if self._header is not None else 0

    def _split(self, data: bytes, start: int, frames: list[Frame]) -> None:
        """Take the frames that begin at ``start`` and after."""
        while start < len(data):
            header = _read_header(data, start, self._masked, self._max_frame_size)
            if header is None:
                self._rest = data[start:]
                return
            start += header.size
            end = start + header.length
            if end > len(data):
                self._header = header
                self._keep(data[start:])
                return
            payload = mask(data[start:end], header.key)
            frames.append(Frame(header.opcode, payload, header.fin))
            start = end

    def _continue(self, header: _Header, data: bytes, frames: list[Frame]) -> int:
        """Go on with the unfinished frame; how much of ``data`` it took."""
        missing = header.length - self._arrived
        self._keep(data if len(data) <= missing else data[:missing])
        if len(data) < missing:
            return len(data)
        payload = mask(b"".join(self._pieces), header.key)
        frames.append(Frame(header.opcode, payload, header.fin))
        self._header = None
        self._pieces = []
        self._latest = b""
        self._arrived = 0
        return missing

    def _keep(self, piece: bytes) -> None:
        self._latest = piece
        self._arrived += len(piece)
        last = self._pieces[-1] if self._pieces else None
        if len(piece) >= _SMALL:
            self._pieces.append(piece)
        elif isinstance(last, bytearray):
            last += piece
        else:
            self._pieces.append(bytearray(piece))


def mask(data: bytes, key: bytes) -> bytes:
    """``data`` masked or unmasked with ``key`` (RFC 6455, section 5.3).

    An empty ``key`` stands for a frame that is not masked.
    """
    length = len(data)
    if not key or not length:
        return data
    # One operation on two large numbers is the fastest that plain Python has.
    keys = key * (length // 4) + key[: length % 4]
    number = int.from_bytes(data, sys.byteorder) ^ int.from_bytes(keys, sys.byteorder)
    return number.to_bytes(length, sys.byteorder)


def encode(
    opcode: Opcode, data: bytes | memoryview, fin: bool = True, key: bytes = b""
) -> list[bytes | memoryview]:
    """One frame as the pieces that go on the wire, one after the other.

    Args:
        opcode: What the frame is.
        data: The payload, of any length.
        fin: Whether it is the last frame of its message.
        key: Four bytes to mask it with; empty in a server.
    """
    length = len(data)
    first = (0x80 if fin else 0) | opcode
    masked = 0x80 if key else 0
    if length < 126:
        header = bytes((first, masked | length))
    elif length < 65536:
        header = bytes((first, masked | 126)) + length.to_bytes(2, "big")
    else:
        header = bytes((first, masked | 127)) + length.to_bytes(8, "big")
    if key:
        header += key
        data = mask(bytes(data), key)
    return [header + data] if length < _JOINED else [header, data]
