"""Timeouts, and two things at a time."""

from twisted.internet import reactor
from twisted.internet.defer import Deferred, race
from twisted.internet.task import deferLater

from txws_simple import WebSocketFactory, WebSocketPeer


async def prompt(peer: WebSocketPeer) -> None:
    """Ask again while nothing comes."""
    while True:
        try:
            message = await peer.receive(timeout=0.2)
        except TimeoutError:
            await peer.send("anybody there?")
        else:
            break
    await peer.send(f"at last: {message!r}")


async def first_of_two(peer: WebSocketPeer) -> None:
    """Wait for a message or for news, whichever is first."""
    news: Deferred[str | bytes | None] = deferLater(reactor, 0.2, lambda: "no news")
    # race() cancels the one that lost: the message goes to the next read.
    _, first = await race([peer.receive(), news])
    await peer.send(f"first: {first!r}")
    await peer.send(f"next: {await peer.receive()!r}")


prompt_factory = WebSocketFactory(prompt)
first_of_two_factory = WebSocketFactory(first_of_two)
