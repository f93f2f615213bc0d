"""``twistd``, but whose ``wsecho`` is given what arrives byte by byte.

    python bytewise.py --nodaemon wsecho --endpoint tcp:8080

A sender's segments come cut by chance; here they are cut as badly as can be.
"""

from __future__ import annotations

from typing import Any

from twisted.scripts.twistd import run

from txws_simple import WebSocketFactory, service


class BytewiseFactory(WebSocketFactory):
    """Makes every byte a segment of its own."""

    def buildProtocol(self, addr: Any) -> Any:
        protocol = super().buildProtocol(addr)
        receive = protocol.dataReceived

        def receive_bytewise(data: bytes) -> None:
            for at in range(len(data)):
                receive(data[at : at + 1])

        protocol.dataReceived = receive_bytewise  # type: ignore[method-assign]
        return protocol


if __name__ == "__main__":
    # Where the service takes it from.
    vars(service)["WebSocketFactory"] = BytewiseFactory
    run()
