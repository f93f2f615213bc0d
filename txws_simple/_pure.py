"""The work on bytes, in plain Python: the reference for its C twin.

Neither decides anything: a frame that is not whole, or has something wrong with
it, is left where it is, and :func:`read_header` says what it was.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from .errors import ProtocolError
from .vocabulary import MAX_CONTROL, CloseCode, Frame, Opcode

__all__ = [
    "PACKED",
    "Header",
    "join",
    "mask",
    "messages",
    "pack",
    "read_header",
    "split",
    "write_header",
]

#: Below this size, header and payload are joined: cheaper than two pieces.
PACKED = 16384


#: From this size on, masking in four strides is the faster way.
_STRIDED = 4096


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
    if length < _STRIDED:
        keys = key * (length // 4) + key[: length % 4]
        number = _number(data) ^ _number(keys)
        return number.to_bytes(length, sys.byteorder)
    # Conversions grow dearer with the size of the number; what costs the same for
    # each byte is to translate those together that meet the same byte of the key.
    masked = bytearray(length)
    for turn in range(4):
        masked[turn::4] = data[turn::4].translate(_table(key[turn]))
    return bytes(masked)


def _number(data: bytes) -> int:
    return int.from_bytes(data, sys.byteorder)


@cache
def _table(key: int) -> bytes:
    """What each byte becomes under one byte of a key."""
    return bytes(byte ^ key for byte in range(256))


def join(pieces: Sequence[bytes | bytearray | memoryview], key: bytes) -> bytes:
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
    while (found := _frame_at(data, start, masked, most)) is not None:
        frame, start = found
        frames.append(frame)
    return start


def messages(data: bytes, masked: bool, most: int, frames: list[Frame]) -> int:
    """Take the messages that ``data`` begins with, as long as each is one frame.

    Args:
        data: A segment.
        masked: Whether its frames must be masked.
        most: The largest payload accepted, in bytes.
        frames: Where the frames are added, unmasked.

    Returns:
        Where it stopped: at anything else, or at the end.
    """
    stop = 0
    while (found := _frame_at(data, stop, masked, most)) and _is_message(found[0]):
        frame, stop = found
        frames.append(frame)
    return stop


def _frame_at(
    data: bytes, start: int, masked: bool, most: int
) -> tuple[Frame, int] | None:
    """The frame at ``start``, and where it stops, if it is whole and without fault."""
    try:
        header = read_header(data, start, masked, most)
    except ProtocolError:
        return None
    if header is None:
        return None
    opcode, fin, length, key, size = header
    stop = start + size + length
    if stop > len(data):
        return None
    return Frame(opcode, mask(data[start + size : stop], key), fin), stop


def pack(message: Frame | str | bytes) -> bytes | None:
    """A whole message as one frame without a mask.

    Returns:
        Nothing for what is no such message, is not UTF-8, or is too large to be
        worth the copy: all that has to be looked at.
    """
    if type(message) is str:
        try:
            message = Frame(Opcode.TEXT, message.encode())
        except UnicodeEncodeError:
            return None
    elif type(message) is bytes:
        message = Frame(Opcode.BINARY, message)
    elif type(message) is not Frame or type(message.data) is not bytes:
        return None
    opcode, data, _ = message
    if len(data) >= PACKED or not _is_message(message):
        return None
    return write_header(opcode, True, len(data)) + data


def write_header(opcode: Opcode, fin: bool, length: int, key: bytes = b"") -> bytes:
    """The header of a frame, in its shortest form (RFC 6455, section 5.2)."""
    first = (0x80 if fin else 0) | opcode
    masked = 0x80 if key else 0
    if length < 126:
        return bytes((first, masked | length)) + key
    if length < 65536:
        return bytes((first, masked | 126)) + length.to_bytes(2, "big") + key
    return bytes((first, masked | 127)) + length.to_bytes(8, "big") + key


def _is_message(frame: Frame) -> bool:
    opcode, data, fin = frame
    if fin is not True:
        return False
    if opcode is Opcode.TEXT:
        return data.isascii() or _is_utf8(data)
    return opcode is Opcode.BINARY


def _is_utf8(data: bytes) -> bool:
    try:
        str(data, "utf-8")
    except UnicodeDecodeError:
        return False
    return True
