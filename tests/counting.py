"""A factory that counts the bytes that arrive."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory


class Counting(Factory):
    """Builds what another factory builds, and counts what that is given.

    Attributes:
        protocol: The latest connection's.
        arrived: How many bytes it was given.
    """

    noisy = False

    def __init__(self, factory: Factory) -> None:
        self._factory = factory
        self.protocol: Any = None
        self.arrived = 0

    def buildProtocol(self, addr: Any) -> Any:
        self.protocol = protocol = self._factory.buildProtocol(addr)
        self.arrived = 0
        receive = protocol.dataReceived

        def count(data: bytes) -> None:
            self.arrived += len(data)
            receive(data)

        protocol.dataReceived = count
        return protocol
