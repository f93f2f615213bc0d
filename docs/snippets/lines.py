from twisted.internet import endpoints, protocol, reactor
from twisted.protocols.basic import LineReceiver

from txws_simple.wrapping import WrappingFactory


class Shout(LineReceiver):
    def lineReceived(self, line):
        self.sendLine(line.upper())


factory = WrappingFactory(protocol.Factory.forProtocol(Shout))
endpoints.serverFromString(reactor, "tcp:8080").listen(factory)
reactor.run()
