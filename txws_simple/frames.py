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
        violation: The rule that was broken, or ``None``.
    """

    __slots__ = (
        "_arrived",
        "_header",
        "_latest",
        "_masked",
        "_max_frame_size",
        "_pieces",
        "_rest",
        "is_idle",
        "violation",
    )

    def __init__(self, *, masked: bool, max_frame_size: int) -> None:
        self._masked = masked
        self._max_frame_size = max_frame_size
        self._rest = b""  # a header that has not arrived whole
        self._header: Header | None = None  # of a frame that hasn't
        self._pieces: list[bytes | bytearray] = []  # of that frame, still masked
        self._latest = b""  # the one that came last
        self._arrived = 0  # how long they are together
        self.is_idle = True
        self.violation: ProtocolError | None = None

    def receive(self, data: bytes, start: int = 0) -> list[Frame]:
        """All frames, control frames among them, that ``data`` completes.

        Its first ``start`` bytes, if any, were other frames, and whole.
        """
        frames: list[Frame] = []
        if not self.is_idle:
            if self.violation is not None:
                return frames
            if self._header is not None:
                start = self._continue(self._header, data, frames)
            else:
                data = self._rest + data
                self._rest = b""
        start = split(data, start, self._masked, self._max_frame_size, frames)
        self.is_idle = start == len(data) and self._header is None
        if start < len(data):
            self._begin(data, start)
        return frames

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
        else:
            self._header = header
            self._keep(data[start + header.size :])

    def _continue(self, header: Header, data: bytes, frames: list[Frame]) -> int:
        """Go on with the unfinished frame; how much of ``data`` it took."""
        missing = header.length - self._arrived
        self._keep(data if len(data) <= missing else data[:missing])
        if len(data) < missing:
            return len(data)
        payload = join(self._pieces, header.key)
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
