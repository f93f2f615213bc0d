"""A chat with txWS: ``python from_txws_before.py [tcp:8080]``."""

import sys

from twisted.internet import endpoints, reactor
from twisted.internet.protocol import Factory, Protocol
from txws import WebSocketFactory


class Chat(Protocol):
    name = None

    def connectionMade(self):
        self.transport.write(b"who are you?")

    def dataReceived(self, line):
        if self.name is not None:
            self.factory.say(b"<" + self.name + b"> " + line)
        elif line in self.factory.chats:
            self.transport.write(b"taken")
            self.transport.loseConnection()
        else:
            self.name = line
            self.factory.chats[line] = self
            self.factory.say(line + b" is here")

    def connectionLost(self, reason):
        if self.name is not None:
            del self.factory.chats[self.name]
            self.factory.say(self.name + b" has left")


class Room(Factory):
    protocol = Chat

    def __init__(self):
        self.chats = {}

    def say(self, line):
        for chat in self.chats.values():
            chat.transport.write(line)


def listening(port):
    print("listening on", port.getHost())
    sys.stdout.flush()


endpoint = endpoints.serverFromString(reactor, (sys.argv[1:] or ["tcp:8080"])[0])
endpoint.listen(WebSocketFactory(Room())).addCallback(listening)
reactor.run()
