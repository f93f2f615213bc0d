"""The work on bytes, in plain Python: the reference for its C twin.

Neither decides anything: a frame that is not whole, or has something wrong with
it, is left where it is, and :func:`read_header` says what it was.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

from .errors import ProtocolError
from .vocabulary import MAX_CONTROL, CloseCode, Frame, Opcode

__all__ = ["Header", "are_messages", "join", "mask", "read_header", "split"]


class Header(NamedTuple):
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


def read_header(data: bytes, start: int, masked: bool, max_size: int) -> Header | None:
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
) -> Header | None:
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
    return Header(opcode, fin, length, data[at + extended : at - 2 + size], size)


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


def join(pieces: Sequence[bytes | bytearray], key: bytes) -> bytes:
    """The pieces as one, masked or unmasked with ``key``."""
    return mask(b"".join(pieces), key)


def split(data: bytes, start: int, masked: bool, most: int, frames: list[Frame]) -> int:
    """Take the frames that begin at ``start`` and after.

    Args:
        data: A segment.
        start: Where in it a frame begins.
        masked: Whether its frames must be masked.
        most: The largest payload accepted, in bytes.
        frames: Where the frames are added, unmasked.

    Returns:
        Where it stopped: at a frame that isn't whole or isn't without fault, or
        at the end.
    """
    size = len(data)
    while start < size:
        try:
            header = read_header(data, start, masked, most)
        except ProtocolError:
            return start
        if header is None or start + header.size + header.length > size:
            return start
        start += header.size
        payload = mask(data[start : start + header.length], header.key)
        frames.append(Frame(header.opcode, payload, header.fin))
        start += header.length
    return start


def are_messages(frames: list[Frame], most: int) -> bool:
    """Whether each frame is a message of its own, without fault."""
    for opcode, data, fin in frames:
        if not fin or len(data) > most:
            return False
        if opcode is Opcode.TEXT:
            if not _is_utf8(data):
                return False
        elif opcode is not Opcode.BINARY:
            return False
    return True


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        str(data, "utf-8")
    except UnicodeDecodeError:
        return False
    return True
