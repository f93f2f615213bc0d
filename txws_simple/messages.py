"""What an application writes, as frames."""

from __future__ import annotations

from .frames import Frame, Opcode

__all__ = ["as_frame", "fragments"]


def as_frame(frame: Frame | str | bytes) -> Frame:
    """A frame as it is, or a whole message as one.

    Raises:
        TypeError: For anything else.
        UnicodeEncodeError: For text that has no UTF-8, a `ValueError`.
    """
    if isinstance(frame, str):
        return Frame(Opcode.TEXT, frame.encode())
    if isinstance(frame, (bytes, bytearray, memoryview)):
        return Frame(Opcode.BINARY, bytes(frame))
    if not isinstance(frame, Frame):
        raise TypeError(f"{type(frame).__name__} is not a Frame, str or bytes")
    if type(frame.data) is bytes:
        return frame
    if not isinstance(frame.data, (bytes, bytearray, memoryview)):
        raise TypeError(f"a frame's data is bytes, not {type(frame.data).__name__}")
    return frame._replace(data=bytes(frame.data))


def fragments(message: Frame, size: int | None) -> list[Frame]:
    """A message cut into frames of at most ``size`` bytes."""
    opcode, data, _ = message
    if size is None:
        return [message]
    if size < 1:
        raise ValueError(f"fragment_size is {size!r}, not a positive number")
    starts = range(0, len(data) or 1, size)
    return [
        Frame(
            Opcode.CONTINUATION if start else opcode,
            data[start : start + size],
            start == starts[-1],
        )
        for start in starts
    ]
