"""What is measured: the loads, and the servers that each is put on."""

from __future__ import annotations

from typing import Any, NamedTuple

FLOOR = "twisted tcp"
FIXED = "twisted, a fixed answer"


class Server(NamedTuple):
    """A server: its script and arguments, and what has to be known of it.

    ``raw`` ones send back bytes and know no WebSocket; ``slow`` ones get a fifth of
    the messages, for they need several times as long for each.
    """

    command: list[str]
    pure: bool = False
    raw: bool = False
    slow: bool = False


SERVERS = {
    FLOOR: Server(["twisted_tcp.py"], raw=True),
    "twisted tcp, sent at once": Server(["twisted_sends.py"], raw=True),
    "asyncio tcp": Server(["asyncio_tcp.py"], raw=True),
    FIXED: Server(["twisted_101.py"], raw=True),
    "each": Server(["ours.py", "each"]),
    "read": Server(["ours.py", "read"]),
    "read, writes awaited": Server(["ours.py", "awaited"]),
    "each, pure": Server(["ours.py", "each"], pure=True),
    "read, pure": Server(["ours.py", "read"], pure=True),
    "each, asyncio reactor": Server(["ours.py", "each", "asyncio"]),
    "each, uvloop reactor": Server(["ours.py", "each", "uvloop"]),
    "read, uvloop reactor": Server(["ours.py", "read", "uvloop"]),
    "picows": Server(["picows_server.py"]),
    "picows, uvloop": Server(["picows_server.py", "uvloop"]),
    "websockets": Server(["websockets_server.py"], slow=True),
    "aiohttp": Server(["aiohttp_server.py"], slow=True),
    "autobahn": Server(["autobahn_twisted.py"], slow=True),
    "autobahn, pure": Server(["autobahn_twisted.py"], pure=True, slow=True),
    "twisted.web": Server(["twisted_web.py"], slow=True),
    "broadcast, each": Server(["ours.py", "broadcast"]),
    "broadcast, autobahn": Server(["autobahn_twisted.py", "broadcast"], slow=True),
    "broadcast, autobahn prepared": Server(["autobahn_twisted.py", "prepared"]),
    "broadcast, picows": Server(["picows_server.py", "broadcast"]),
    "broadcast, websockets": Server(["websockets_server.py", "broadcast"]),
}

#: Of the loads with WebSocket only.
WEBSOCKET = ["each", "each, pure", "picows", "picows, uvloop", "websockets", "aiohttp"]
WEBSOCKET += ["autobahn", "twisted.web"]
BROADCAST = [name for name in SERVERS if name.startswith("broadcast")]
#: Their scripts take ``tls`` as one more argument.
TLS = [FLOOR, "asyncio tcp", "each", "picows", "websockets", "autobahn"]
ECHO = [name for name in SERVERS if name not in (*BROADCAST, FIXED)]
#: Without the one that only sends what the kernel takes at once.
LARGE = [name for name in ECHO if name != "twisted tcp, sent at once"]


class Load(NamedTuple):
    """One load: the arguments of the generator, see the head of load.c.

    ``unit`` is what one figure is for, ``base`` what its ratios stand to.
    """

    title: str
    mode: str
    connections: int
    messages: int
    servers: list[str]
    depth: int = 1
    size: int = 64
    kind: str = "binary"
    fragments: int = 1
    unit: str = "message"
    base: str = FLOOR

    def arguments(self, server: Server, port: str) -> list[str]:
        """The command line of the generator."""
        count = max(self.messages // (5 if server.slow else 1), 1)
        head = [self.mode, port, str(self.connections)]
        if self.mode == "handshake":
            return [*head, str(count)]
        if self.mode == "listen":
            return [*head, str(self.size), str(count)]
        kind = "raw" if server.raw else self.kind
        echo = (self.depth, self.size, kind, self.fragments, count)
        return [*head, *map(str, echo)]


def _echo(title: str, connections: int, messages: int, **more: Any) -> Load:
    servers = LARGE if more.get("size", 0) >= 65536 else ECHO
    return Load(title, "echo", connections, messages, servers, **more)


LOADS = {
    "rtt-1": _echo("64 bytes, 1 connection, 1 in flight", 1, 20_000),
    "rtt-100": _echo("64 bytes, 100 connections, 1 in flight each", 100, 40_000),
    "pipelined": _echo("64 bytes, 1 connection, 64 in flight", 1, 100_000, depth=64),
    "1k": _echo("1 KiB, 100 connections", 100, 30_000, size=1024),
    "64k": _echo("64 KiB, 4 connections", 4, 3_000, size=65536),
    "1m": _echo("1 MiB, 4 connections", 4, 200, size=1 << 20),
    "16m": _echo("16 MiB, 1 connection", 1, 10, size=1 << 24),
    "text": _echo(
        "1,200 bytes of text, 100 connections", 100, 30_000, size=1200, kind="text"
    ),
    "fragments": _echo(
        "64,000 bytes in 1,000 fragments", 1, 150, size=64_000, fragments=1000
    ),
    "tls": Load("64 bytes over TLS, 100 connections", "echo-tls", 100, 20_000, TLS),
    "tls-64k": Load(
        "64 KiB over TLS, 4 connections", "echo-tls", 4, 400, TLS, size=65536
    ),
    "handshakes": Load(
        *("Handshakes, 50 at a time", "handshake", 50, 5_000, [FIXED, *WEBSOCKET]),
        unit="handshake",
        base="picows",
    ),
    "broadcast": Load(
        *("One message of 64 bytes to 500 listeners", "listen", 500, 200, BROADCAST),
        unit="delivery",
        base="broadcast, autobahn prepared",
    ),
}

#: How many connections are held when memory is looked at.
IDLE = (1000, 5000, 10_000)
IDLE_SERVERS = ["each", "picows", "websockets", "aiohttp", "autobahn", "twisted.web"]
