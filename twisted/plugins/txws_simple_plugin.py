"""Makes ``wsecho`` known to twistd, without importing the library."""

from twisted.application.service import ServiceMaker

wsecho = ServiceMaker(
    "WebSocket echo server",
    "txws_simple.service",
    "A WebSocket server that sends back what it gets.",
    "wsecho",
)
