"""Cases that connect over a wire, of whatever kind."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from .ledger import WatchedCase
from .wires import MemoryWire, SocketWire, Wire

__all__ = ["WiredCase"]


class WiredCase(WatchedCase):
    """One whose connections end with the test.

    Attributes:
        wire_class: The kind of wire.
        clock: Schedules what the server waits for.
    """

    wire_class: type[Wire] = MemoryWire

    def setUp(self) -> None:
        self.clock = Clock()

    def connected(self, factory: Any, *segments: bytes) -> Wire:
        """A client of this factory, which has sent these."""
        wire = self.wire_class(factory, self.clock)
        if isinstance(wire, SocketWire):
            self.addCleanup(wire.end)
        self.addCleanup(self.end, wire)
        for segment in segments:
            wire.send(segment)
        return wire

    def end(self, wire: Wire) -> None:
        """Leave nothing of it."""
        wire.protocol.peer.close()
        wire.advance(0)
