"""The work on bytes, in C where that was built, else in plain Python.

The environment variable ``TXWS_SIMPLE_SPEEDUPS`` can ``require`` the one or
``forbid`` it.  No other module knows that there are two.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from . import _pure
from ._pure import PACKED, Header, read_header, write_header
from .vocabulary import Frame, Opcode

__all__ = [
    "ACCELERATED",
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

_twin = _pure
_wish = os.environ.get("TXWS_SIMPLE_SPEEDUPS")

if _wish != "forbid" and not TYPE_CHECKING:
    try:
        from . import _speedups as _twin
    except ImportError:
        if _wish == "require":
            raise
    else:
        _twin.configure(Frame, {int(opcode): opcode for opcode in Opcode}, PACKED)

#: Whether the C twin is in use.
ACCELERATED = _twin is not _pure

join = _twin.join
mask = _twin.mask
messages = _twin.messages
pack = _twin.pack
split = _twin.split
