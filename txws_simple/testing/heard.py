"""What a client was sent: the answer to its handshake, frames, and messages of them."""

from __future__ import annotations

from collections import deque

from ..connection import Connection
from ..frames import Frame, Opcode
from ..headers import Headers

__all__ = ["Heard"]

#: With so many messages, or bytes of them, that the test has not received, a client
#: reads no more: or one that is sent messages without end would never return.
_MANY = 100_000
_MUCH = 64 << 20


class Heard:
    """What has come, as it comes; it also says what a decent client answers.

    Args:
        connection: The client's side of the conversation.

    Attributes:
        status: The HTTP status of the answer; ``None`` before it.
        headers: Its header fields.
        body: Its text, where the handshake was refused.
        frames: All data frames.
        pings: The payloads of the pings.
        pongs: Those of the pongs.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._head = b""  # of the answer, until it is whole
        self._unread: deque[str | bytes] = deque()
        self._size = 0  # of the unread messages
        self.status: int | None = None
        self.headers = Headers()
        self.body = ""
        self.frames: list[Frame] = []
        self.pings: list[bytes] = []
        self.pongs: list[bytes] = []

    # Messages

    @property
    def unread(self) -> int:
        """How many messages have come that were not received."""
        return len(self._unread)

    @property
    def is_enough(self) -> bool:
        """Whether no more is read until some were received."""
        return len(self._unread) >= _MANY or self._size >= _MUCH

    def next_message(self) -> str | bytes:
        """Receive the first of them."""
        message = self._unread.popleft()
        self._size -= len(message)
        return message

    # Bytes

    def receive(self, data: bytes) -> list[bytes | memoryview]:
        """Take what has come.

        Returns:
            What is to be sent for it: pongs, and the answer to a Close.

        Raises:
            AssertionError: If it is not what a WebSocket server may send.
        """
        if self.status is None:
            data = self._read_head(data)
        if self.status == 101:
            return self._read_frames(data)
        self.body += data.decode()
        return []

    def _read_head(self, data: bytes) -> bytes:
        """The answer to the handshake, and what came behind it."""
        head, end, rest = (self._head + data).partition(b"\r\n\r\n")
        if not end:
            self._head = head
            return b""
        first, *lines = head.decode("latin-1").split("\r\n")
        if not first.startswith("HTTP/1.1 "):
            raise AssertionError(f"the answer is not one of WebSocket: {first!r}")
        self.status = int(first.split(" ")[1])
        self.headers = Headers.parsed(lines)
        return rest

    def _read_frames(self, data: bytes) -> list[bytes | memoryview]:
        connection = self._connection
        for frame in connection.receive(data):
            self.frames.append(frame)
            if frame.fin:
                message = self._last_message()
                self._unread.append(message)
                self._size += len(message)
        if connection.violation is not None:
            raise AssertionError("the protocol was broken") from connection.violation
        self.pings += connection.pings
        self.pongs += connection.pongs
        answered = connection.pings if connection.sent is None else []
        pongs = [piece for data in answered for piece in connection.pong(data)]
        return [*pongs, *connection.answer()]

    def _last_message(self) -> str | bytes:
        """The last frame, with those before it up to one that begins a message."""
        first = len(self.frames) - 1
        while self.frames[first].opcode is Opcode.CONTINUATION:
            first -= 1
        data = b"".join(frame.data for frame in self.frames[first:])
        return data.decode() if self.frames[first].opcode is Opcode.TEXT else data
