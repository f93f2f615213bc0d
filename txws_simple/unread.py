"""Frames that arrived and were not read yet."""

from __future__ import annotations

from collections import deque

from .frames import Frame, Opcode

__all__ = ["Unread"]

#: What a frame occupies beside its payload, about, in bytes.
OVERHEAD = 128

#: What there is before anything had to wait: one for all, for each would occupy
#: more than the rest of a connection's inbox.
_NOTHING: deque[Frame] = deque(maxlen=0)


class Unread:
    """They are taken in the order in which they came, as frames or as messages.

    Attributes:
        frames: The frames.
        size: Their bytes, each frame counted with an overhead.
        messages: How many whole messages end among them.
        within: Whether the last frame taken was not the last of its message.
    """

    __slots__ = ("frames", "messages", "size", "within")

    def __init__(self) -> None:
        self.frames = _NOTHING
        self.size = 0
        self.messages = 0
        self.within = False

    def keep(self, frames: list[Frame]) -> None:
        """These wait to be read."""
        if self.frames is _NOTHING:
            self.frames = deque()
        self.frames.extend(frames)
        for _, data, fin in frames:
            self.size += len(data) + OVERHEAD
            self.messages += fin

    def take(self) -> Frame:
        """The first frame."""
        frame = self.frames.popleft()
        _, data, fin = frame
        self.size -= len(data) + OVERHEAD
        self.messages -= fin
        self.within = not fin
        return frame

    def take_message(self) -> str | bytes:
        """The first message, which is whole."""
        first = self.take()
        parts = [first.data]
        while self.within:
            parts.append(self.take().data)
        data = b"".join(parts) if len(parts) > 1 else first.data
        return data.decode() if first.opcode is Opcode.TEXT else data

    def clear(self) -> None:
        """Forget them all."""
        self.frames = _NOTHING
        self.size = self.messages = 0
        self.within = False
