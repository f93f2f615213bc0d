"""Makes the commands and ``ws:`` known to Twisted, without importing the library."""

from typing import Any

from twisted.application.service import ServiceMaker
from twisted.internet.interfaces import (
    IStreamServerEndpoint,
    IStreamServerEndpointStringParser,
)
from twisted.plugin import IPlugin
from zope.interface import implementer

wsecho = ServiceMaker(
    "WebSocket echo server",
    "txws_simple.service",
    "A WebSocket server that sends back what it gets.",
    "wsecho",
)

wsproxy = ServiceMaker(
    "WebSocket to TCP proxy",
    "txws_simple.proxy",
    "Carries the bytes of WebSocket clients to a server that knows only TCP.",
    "wsproxy",
)


@implementer(IPlugin, IStreamServerEndpointStringParser)
class _WebSocketParser:
    prefix = "ws"

    def parseStreamServer(
        self, reactor: Any, *args: Any, **kwargs: Any
    ) -> IStreamServerEndpoint:
        # Not before somebody asks for it: every start of twistd reads this file.
        from txws_simple.wrapping.endpoint import from_arguments

        return from_arguments(reactor, *args, **kwargs)


ws = _WebSocketParser()
