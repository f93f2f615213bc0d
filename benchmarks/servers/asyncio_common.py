"""How the servers on asyncio run: the first line printed is the port."""

import asyncio
import sys

#: More than the largest message of any load.
MOST = 1 << 25


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
