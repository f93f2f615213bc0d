"""Ways to read."""

import tempfile

from txws_simple import Frame, WebSocketFactory, WebSocketPeer


async def by_message(peer: WebSocketPeer) -> None:
    while (message := await peer.receive()) is not None:
        kind = "text" if isinstance(message, str) else "binary"
        await peer.send(f"{kind} of length {len(message)}")


async def by_frame(peer: WebSocketPeer) -> None:
    """Take uploads of any length, in bounded memory."""
    async with peer:
        with tempfile.TemporaryFile() as file:
            async for frame in peer:
                file.write(frame.data)
                if frame.fin:
                    await peer.send(f"{file.tell()} bytes")


async def by_each(peer: WebSocketPeer) -> None:
    total = 0

    def count(frame: Frame) -> None:
        nonlocal total
        total += len(frame.data)
        if frame.fin:
            peer.send(str(total))

    await peer.each(count)


by_message_factory = WebSocketFactory(by_message)
by_frame_factory = WebSocketFactory(by_frame, max_message_size=None, max_fragments=None)
by_each_factory = WebSocketFactory(by_each)
