"""An input's bytes in segments, as the input itself wants them."""

from __future__ import annotations

__all__ = ["pieces"]

#: More of them only take time.
_MOST = 64


def pieces(stream: bytes, size: bytes) -> list[bytes]:
    """The stream in segments of a size, in one byte; 0 or none stands for whole."""
    step = max(size[0], len(stream) // _MOST) if size and size[0] else len(stream)
    return [stream[at : at + step] for at in range(0, len(stream), step or 1)]
