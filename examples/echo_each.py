"""The fastest echo server: ``python examples/echo_each.py [tcp:8080]``.

``each`` calls the receiver for every frame as it arrives, with no Deferred in
between.  A write that does not leave at once holds further frames back.
"""

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import react

from txws_simple import WebSocketFactory


async def main(reactor: Any, endpoint: str = "tcp:8080") -> None:
    factory = WebSocketFactory(
        lambda peer: peer.each(peer.write),
        # Frames pass by one at a time, so a message may have any length.
        max_message_size=None,
        max_fragments=None,
    )
    port = await serverFromString(reactor, endpoint).listen(factory)
    print("listening on", port.getHost(), flush=True)
    await Deferred[None]()  # until the process is stopped


if __name__ == "__main__":
    react(main, sys.argv[1:])
