"""How the servers on asyncio run: the first line printed is the port."""

import asyncio
import os
import ssl
import sys

#: More than the largest message of any load.
MOST = 1 << 25


def context() -> ssl.SSLContext | None:
    """What TLS needs, if it is asked for."""
    if "tls" not in sys.argv:
        return None
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(os.environ["CERTIFICATE"])
    return served


def run(main) -> None:
    """``main`` serves on 127.0.0.1, on a port of the kernel's choice, and gives it."""

    async def serve() -> None:
        print(await main(), flush=True)
        await asyncio.Event().wait()

    if "uvloop" in sys.argv:
        import uvloop

        uvloop.run(serve())
    else:
        asyncio.run(serve())
