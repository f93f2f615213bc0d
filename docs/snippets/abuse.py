"""How many may connect, how fast, how long."""

from txws_simple import WebSocketPeer
from txws_simple.policies import LimitedFactory, Limits


async def echo(peer: WebSocketPeer) -> None:
    async for frame in peer:
        await peer.write(frame)


limited_factory = LimitedFactory(
    echo,
    Limits(
        max_connections=10_000,
        max_per_address=2,
        first_message_timeout=10,
        max_message_rate=50,
        max_age=24 * 3600,
    ),
)
