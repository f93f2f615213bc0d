"""txws_simple to be soaked: an echo with pings on, and its own figures on demand.

    soaked.py OPTIONS

The options are those of the factory, as JSON.  Two ports are printed: one that
answers each line with the figures, then that of the WebSockets.
"""

import ctypes
import gc
import json
import sys
from collections import Counter

from common import listen
from twisted.internet import reactor
from twisted.internet.protocol import Factory
from twisted.logger import LogLevel, formatEvent, globalLogBeginner
from twisted.protocols.basic import LineOnlyReceiver

from txws_simple import WebSocketFactory

#: What was logged as a failure.
failures: list[str] = []


def note_failure(event) -> None:
    if event["log_level"] >= LogLevel.error:
        failure = event.get("log_failure")
        failures.append(f"{formatEvent(event)} {failure.value if failure else ''}")


def objects() -> dict[str, int]:
    """How many there are of each class of ours, and of Twisted's connections."""
    names = (
        f"{type(each).__module__}.{type(each).__name__}" for each in gc.get_objects()
    )
    ours = ("txws_simple.", "twisted.internet.tcp.Server")
    return dict(Counter(name for name in names if name.startswith(ours)))


def figures() -> dict[str, object]:
    gc.collect()
    # What is free goes back to the system: it is not held by anything.
    ctypes.CDLL(None).malloc_trim(0)
    return {
        "objects": objects(),
        "blocks": sys.getallocatedblocks(),
        "delayed_calls": len(reactor.getDelayedCalls()),
        "failures": failures,
    }


class Figures(LineOnlyReceiver):
    delimiter = b"\n"

    def lineReceived(self, line: bytes) -> None:
        self.sendLine(json.dumps(figures()).encode())


globalLogBeginner.beginLoggingTo([note_failure], redirectStandardIO=False)
port = reactor.listenTCP(0, Factory.forProtocol(Figures), interface="127.0.0.1")
print(port.getHost().port, flush=True)
listen(WebSocketFactory(lambda peer: peer.each(peer.write), **json.loads(sys.argv[1])))
