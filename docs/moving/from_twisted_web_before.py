"""A megaphone with twisted.web: ``python from_twisted_web_before.py [tcp:8080]``."""

import sys

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import react
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.websocket import WebSocketResource


class Megaphone:
    def __init__(self, crowd):
        self.crowd = crowd

    @classmethod
    def buildProtocol(cls, request):
        return cls(CROWD)

    def negotiationStarted(self, transport):
        self.transport = transport

    def negotiationFinished(self):
        self.crowd.append(self)

    def textMessageReceived(self, message):
        if message == "":
            self.transport.loseConnection(4001)
            return
        times, words = message.split(" ", 1)
        for each in self.crowd:
            each.transport.sendTextMessage(words.upper() * int(times))

    def bytesMessageReceived(self, data):
        self.transport.loseConnection(1003)

    def pongReceived(self, payload):
        pass

    def connectionLost(self, reason):
        self.crowd.remove(self)


CROWD = []


async def main(reactor, endpoint="tcp:8080"):
    root = Resource()
    root.putChild(b"megaphone", WebSocketResource(Megaphone))
    site = Site(root)
    port = await serverFromString(reactor, endpoint).listen(site)
    print("listening on", port.getHost(), flush=True)
    await Deferred()  # until the process is stopped


react(main, sys.argv[1:])
