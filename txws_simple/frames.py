"""Frames (RFC 6455, section 5): bytes in, frames out, and the other way round.

A violation is seen from a frame's header, before any payload has arrived.
Nothing here knows what a frame means for the conversation, and nothing here
knows Twisted.
"""

from __future__ import annotations

from .codec import (
    PACKED,
    Header,
    join,
    mask,
    messages,
    pack,
    read_header,
    split,
    write_header,
)
from .errors import ProtocolError
from .vocabulary import MAX_CONTROL, Close, CloseCode, Frame, Opcode

__all__ = [
    "MAX_CONTROL",
    "Close",
    "CloseCode",
    "Decoder",
    "Frame",
    "Opcode",
    "encode",
    "mask",
    "messages",
    "pack",
]

#: Pieces of an unfinished frame that are smaller than this are put together,
#: so that a sender of tiny segments does not multiply what they occupy.
_SMALL = 4096

_Piece = bytes | bytearray | memoryview


class Decoder:
    """Bytes in, frames out, however the bytes are cut.

    It raises nothing: after a violation it gives out the frames before it, and
    :attr:`violation` says what it was.  Nothing is parsed after that.

    Args:
        masked: Whether the frames that arrive must be masked (they must where
            the other side is a client) or must not.
        max_frame_size: The largest payload accepted, in bytes.

    Attributes:
        is_idle: Whether no frame has begun and nothing was wrong.
        unfinished: The header of the frame of which the payload has not arrived
            whole, or ``None``.
        missing: How many bytes of that payload have not arrived.
        violation: The rule that was broken, or ``None``.
    """

    __slots__ = (
        "_masked",
        "_max_frame_size",
        "_pieces",
        "_rest",
        "is_idle",
        "missing",
        "unfinished",
        "violation",
    )

    def __init__(self, *, masked: bool, max_frame_size: int) -> None:
        self._masked = masked
        self._max_frame_size = max_frame_size
        self._rest = b""  # a header that has not arrived whole
        self._pieces: list[_Piece] = []  # of the unfinished frame, still masked
        self.is_idle = True
        self.unfinished: Header | None = None
        self.missing = 0
        self.violation: ProtocolError | None = None

    def receive(self, data: bytes, start: int = 0) -> list[Frame]:
        """All frames, control frames among them, that ``data`` completes.

        Its first ``start`` bytes, if any, were other frames, and whole.
        """
        frames: list[Frame] = []
        if not self.is_idle:
            if self.violation is not None:
                return frames
            if self.unfinished is not None:
                start = self._continue(self.unfinished, data, frames)
            else:
                data = self._rest + data
        start = split(data, start, self._masked, self._max_frame_size, frames)
        self.is_idle = start == len(data) and self.unfinished is None
        if start < len(data):
            self._begin(data, start)
        return frames

    def keep(self, piece: _Piece) -> None:
        """This is of the unfinished frame, and not its end."""
        self.missing -= len(piece)
        last = self._pieces[-1] if self._pieces else None
        if len(piece) >= _SMALL:
            self._pieces.append(piece)
        elif isinstance(last, bytearray):
            last += piece
        else:
            self._pieces.append(bytearray(piece))

    def latest(self, count: int) -> bytes:
        """The last ``count`` bytes that have arrived of the unfinished frame."""
        assert self.unfinished is not None
        _, _, length, key, _ = self.unfinished
        turn = (length - self.missing - count) & 3
        masked = bytes(memoryview(self._pieces[-1])[-count:]) if count else b""
        return mask(masked, key[turn:] + key[:turn])

    def _begin(self, data: bytes, start: int) -> None:
        """A frame begins at ``start`` that is not whole, or not without fault."""
        try:
            header = read_header(data, start, self._masked, self._max_frame_size)
        except ProtocolError as error:
            # The stack would keep ``data`` for as long as the error is kept.
            self.violation = error.with_traceback(None)
            return
        if header is None:
            self._rest = data[start:]
            return
        self.unfinished = header
        self.missing = header.length
        start += header.size
        # A view, for the piece may be large; but not of what is mostly other frames.
        is_most = start * 2 <= len(data)
        self.keep(memoryview(data)[start:] if is_most else data[start:])

    def _continue(self, header: Header, data: bytes, frames: list[Frame]) -> int:
        """Go on with the unfinished frame; how much of ``data`` it took."""
        missing = self.missing
        if len(data) < missing:
            self.keep(data)
            return len(data)
        self._pieces.append(memoryview(data)[:missing])
        payload = join(self._pieces, header.key)
        frames.append(Frame(header.opcode, payload, header.fin))
        self.unfinished = None
        self.missing = 0
        self._pieces = []
        return missing


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
    header = write_header(opcode, fin, len(data), key)
    if key:
        data = mask(bytes(data), key)
    return [header + data] if len(data) < PACKED else [header, data]
