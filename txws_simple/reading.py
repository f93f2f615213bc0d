"""How much is read from a connection at a time, in bytes."""

from __future__ import annotations

from typing import Any

from twisted.internet.tcp import Connection as TCPConnection
from twisted.protocols.policies import ProtocolWrapper

__all__ = ["FIRST", "LITTLE", "MUCH", "is_dense", "read_at_most"]

#: Until it is known what comes.
FIRST = 4096

#: Twisted's own 64 KiB would cut a frame of just that common size behind its header.
MUCH = 98304

#: From whoever sends tiny frames by the hundred, for good: the reactor reads once from
#: each connection in turn, and all others wait for what is made of it.
LITTLE = 1024

#: With fewer bytes for each frame, header and all, a segment is dense.
_DENSE = 16


def is_dense(size: int, frames: int) -> bool:
    """Whether a segment of ``size`` bytes is costly for the frames in it."""
    return frames * _DENSE > size


def read_at_most(transport: Any, size: int) -> None:
    """Have no more read in one go, where that can be said.

    Args:
        transport: A transport, or a wrapper of one, such as that of TLS.
        size: In bytes.
    """
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    if isinstance(transport, TCPConnection):
        transport.bufferSize = size
