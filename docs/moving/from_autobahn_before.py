"""A shared counter with Autobahn: ``python from_autobahn_before.py [tcp:8080]``."""

import json
import sys

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.types import ConnectionDeny
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import react


class Counter(WebSocketServerProtocol):
    def onConnect(self, request):
        if request.path != "/counter":
            raise ConnectionDeny(404, "no such counter")
        return "counter.v1" if "counter.v1" in request.protocols else None

    def onOpen(self):
        self.factory.counters.append(self)
        self.tell()

    def tell(self):
        self.sendMessage(json.dumps({"total": self.factory.total}).encode())

    def onMessage(self, payload, isBinary):
        if isBinary:
            self.sendClose(4003, "text only")
            return
        try:
            order = json.loads(payload)
        except ValueError:
            self.sendClose(4000, "not JSON")
            return
        self.factory.total += order["add"]
        for counter in self.factory.counters:
            counter.tell()

    def onClose(self, wasClean, code, reason):
        if self in self.factory.counters:
            self.factory.counters.remove(self)


async def main(reactor, endpoint="tcp:8080"):
    factory = WebSocketServerFactory()
    factory.protocol = Counter
    factory.counters = []
    factory.total = 0
    factory.setProtocolOptions(
        autoPingInterval=20,
        autoPingTimeout=20,
        maxMessagePayloadSize=65536,
    )
    port = await serverFromString(reactor, endpoint).listen(factory)
    print("listening on", port.getHost(), flush=True)
    await Deferred()  # until the process is stopped


react(main, sys.argv[1:])
