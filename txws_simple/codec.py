"""The work on bytes, in C where that was built, else in plain Python.

The environment variable ``TXWS_SIMPLE_SPEEDUPS`` can ``require`` the one or
``forbid`` it.  No other module knows that there are two.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from . import _pure
from ._pure import Header, read_header
from .vocabulary import Frame, Opcode

__all__ = [
    "ACCELERATED",
    "Header",
    "are_messages",
    "join",
    "mask",
    "read_header",
    "split",
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
        _twin.configure(Frame, {int(opcode): opcode for opcode in Opcode})

#: Whether the C twin is in use.
ACCELERATED = _twin is not _pure

are_messages = _twin.are_messages
join = _twin.join
mask = _twin.mask
split = _twin.split
