"""How much is read from a connection at a time.

The reactor reads once from each connection in turn, and all others wait for what is
made of it.  So as much is read as brings some hundred frames, judged by those before;
a piece that arrives by itself counts as one, for TLS hands on each record alone.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.tcp import Connection as TCPConnection
from twisted.protocols.policies import ProtocolWrapper

__all__ = ["FIRST", "LONG", "MUCH", "amount", "read_at_most"]

#: Until it is known what comes, in bytes; so many tell.
FIRST = 4096

#: The most, in bytes.  Twisted's own 64 KiB would cut a frame of just that common size
#: behind its header.
MUCH = 98304

#: The least, in bytes.
_LITTLE = 1024

#: How many frames and pieces one read may bring.
_WORK = 256

#: For so many bytes little is read, once it was.  With fewer, one large read after them
#: would be worth its price to an attacker.
LONG = 65536


def amount(size: int, work: int) -> int:
    """How much to read at a time, in bytes.

    Args:
        size: How many bytes have arrived lately.
        work: In how many pieces they did, plus how many frames they brought; one at
            least.
    """
    return min(max(size * _WORK // work, _LITTLE), MUCH)


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
