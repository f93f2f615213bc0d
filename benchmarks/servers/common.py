"""How the servers on Twisted listen: on a port of the kernel's choice."""

import os
import sys

if "asyncio" in sys.argv or "uvloop" in sys.argv:
    import asyncio

    from twisted.internet import asyncioreactor

    if "uvloop" in sys.argv:
        import uvloop

        loop = uvloop.new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    asyncioreactor.install(loop)

from twisted.internet import reactor

#: More than the largest message of any load.
MOST = 1 << 25


def listen(factory) -> None:
    """Serve until killed; the first line printed is the port."""
    if "tls" in sys.argv:
        from twisted.internet.ssl import DefaultOpenSSLContextFactory

        certificate = os.environ["CERTIFICATE"]
        context = DefaultOpenSSLContextFactory(certificate, certificate)
        port = reactor.listenSSL(0, factory, context, 4096, "127.0.0.1")
    else:
        port = reactor.listenTCP(0, factory, 4096, "127.0.0.1")
    print(port.getHost().port, flush=True)
    reactor.run()
