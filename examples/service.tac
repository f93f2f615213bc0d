"""Two handlers, metrics, and an end in order: ``twistd -ny examples/service.tac``.

WebSockets are on port 8080, ``/echo`` and ``/hello/NAME``; what Prometheus wants to
know is on http://127.0.0.1:9100/metrics.  Needs the extra ``txws_simple[prometheus]``.
"""

from prometheus_client import REGISTRY
from prometheus_client.twisted import MetricsResource
from twisted.application import strports
from twisted.application.service import Application
from twisted.web.resource import Resource
from twisted.web.server import Site

from txws_simple import Router, WebSocketFactory, WebSocketPeer, WebSocketService
from txws_simple.prometheus import FactoryCollector


async def echo(peer: WebSocketPeer) -> None:
    async for frame in peer:
        await peer.write(frame)


async def hello(peer: WebSocketPeer, name: str) -> None:
    await peer.send(f"hello {name}")


router = Router({"/echo": echo, "/hello/{name}": hello})
factory = WebSocketFactory(router.handler, on_request=router.on_request)
REGISTRY.register(FactoryCollector({"example": factory}))
metrics = Resource()
metrics.putChild(b"metrics", MetricsResource())

application = Application("example")
sockets = WebSocketService(factory, "tcp:8080", timeout=5)
sockets.setServiceParent(application)
site = strports.service("tcp:9100:interface=127.0.0.1", Site(metrics))
site.setServiceParent(application)
