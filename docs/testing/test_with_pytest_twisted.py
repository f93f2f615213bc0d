"""A handler that waits for the reactor, under pytest-twisted."""

import pytest_twisted
from twisted.internet.threads import deferToThread

from txws_simple import WebSocketPeer
from txws_simple.testing import connect


async def count_words(peer: WebSocketPeer) -> None:
    """Count in a thread, for texts are long."""
    async for frame in peer:
        words = await deferToThread(frame.data.split)
        await peer.send(f"{len(words)} words")


@pytest_twisted.ensureDeferred
async def test_words_are_counted() -> None:
    with connect(count_words) as client:
        client.send("to be or not to be")
        assert await client.arrival() == "6 words"
