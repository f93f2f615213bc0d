"""Lines and a chat on one port, by path, with a cap for each address."""

from twisted.internet import endpoints, reactor
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver

from txws_simple import Router, WebSocketPeer
from txws_simple.policies import LimitedFactory, Limits
from txws_simple.wrapping import wrap


class Shout(LineReceiver):
    def lineReceived(self, line: bytes) -> None:
        self.sendLine(line.upper())


async def hello(peer: WebSocketPeer) -> None:
    await peer.send("hello")


router = Router({"/lines": wrap(Factory.forProtocol(Shout)), "/hello": hello})
factory = LimitedFactory(
    router.handler, Limits(max_per_address=10), on_request=router.on_request
)
endpoints.serverFromString(reactor, "tcp:8080").listen(factory)
reactor.run()
