"""The conversation after the handshake, without I/O, for either role.

Bytes in, data frames out, and what is to be sent in answer: the rules of
RFC 6455, sections 5.4 to 7, about fragments, control frames, UTF-8 and the
closing handshake, and the limits.  Nothing here knows Twisted.
"""

from __future__ import annotations

import os
from codecs import getincrementaldecoder

from .errors import ProtocolError
from .frames import MAX_CONTROL, Close, CloseCode, Decoder, Frame, Opcode, encode

__all__ = ["Connection"]

_Utf8 = getincrementaldecoder("utf-8")

_State = tuple[int, "Opcode | None", int, int, tuple[bytes, int]]


class _Message:
    """The message whose fragments pass by in one direction.

    ``opcode`` is that of its first frame, and ``None`` between messages.
    """

    __slots__ = ("_utf8", "count", "fragments", "opcode", "size")

    def __init__(self) -> None:
        self._utf8 = _Utf8()
        self.count = 0  # of all frames sent, whatever their message
        self.reset()

    def reset(self) -> None:
        self.opcode: Opcode | None = None
        self.size = 0
        self.fragments = 0

    def begin(self, opcode: Opcode, length: int) -> None:
        """A frame's header has arrived (RFC 6455, section 5.4).

        Raises:
            ProtocolError: 1002 for a frame out of order.
        """
        if opcode is not Opcode.CONTINUATION:
            if self.opcode is not None:
                raise _violation("new message inside a fragmented one")
            self.opcode = opcode
            self._utf8.reset()
        elif self.opcode is None:
            raise _violation("continuation of nothing")
        self.size += length
        self.fragments += 1

    def check(self, data: bytes, last: bool) -> None:
        """Payload has arrived; ``last`` where the message ends with it.

        Raises:
            ProtocolError: 1007 for text that is not UTF-8 (section 8.1).
        """
        if self.opcode is not Opcode.TEXT:
            return
        try:
            self._utf8.decode(data, last)
        except UnicodeDecodeError:
            raise _not_utf8() from None
        # RFC 3629, section 3: no surrogates.  The second byte shows one, and yet
        # the decoder waits for the third.
        if not last and b"\xed\xa0" <= self._utf8.getstate()[0] < b"\xee":
            raise _not_utf8()

    def state(self) -> _State:
        """All there is to know, to be restored."""
        return (
            self.count,
            self.opcode,
            self.size,
            self.fragments,
            self._utf8.getstate(),
        )

    def restore(self, state: _State) -> None:
        _, self.opcode, self.size, self.fragments, utf8 = state
        self._utf8.setstate(utf8)


class Connection:
    """One side of a WebSocket conversation, from the end of the handshake on.

    Args:
        client: Whether this side is the client, which masks what it sends.
        max_frame_size: The largest payload of a frame accepted, in bytes.
        max_message_size: The same for the fragments of a message together;
            ``None`` for no bound.
        max_fragments: How many fragments a message may have; ``None`` for no
            bound.

    Attributes:
        has_control: Whether the last segment brought more than data.
        pings: Payloads of the pings that the last segment brought, to be
            answered with :meth:`pong`.
        pongs: Payloads of the pongs that it brought.
        answer: The Close frame that it calls for, to be sent, or empty.
        sent: The Close that was sent, or is to be sent, or ``None``.
        received: The Close that arrived, or ``None``.
        violation: The rule that the other side broke, or ``None``.
    """

    __slots__ = (
        "_begun",
        "_checked",
        "_client",
        "_decoder",
        "_incoming",
        "_max_fragments",
        "_max_message_size",
        "_outgoing",
        "answer",
        "has_control",
        "pings",
        "pongs",
        "received",
        "sent",
        "violation",
    )

    def __init__(
        self,
        *,
        client: bool = False,
        max_frame_size: int,
        max_message_size: int | None,
        max_fragments: int | None,
    ) -> None:
        self._client = client
        self._decoder = Decoder(masked=not client, max_frame_size=max_frame_size)
        self._max_message_size = max_message_size
        self._max_fragments = max_fragments
        self._incoming = _Message()
        self._outgoing = _Message()
        self._begun = False  # the header of the unfinished frame was judged
        self._checked = 0  # bytes of its payload that were judged too
        self.has_control = False
        self.pings: list[bytes] = []
        self.pongs: list[bytes] = []
        self.answer: list[bytes | memoryview] = []
        self.sent: Close | None = None
        self.received: Close | None = None
        self.violation: ProtocolError | None = None

    @property
    def over(self) -> bool:
        """Whether nothing that arrives matters any more."""
        return self.received is not None or self.violation is not None

    @property
    def done(self) -> bool:
        """Whether the closing handshake was done, by both sides."""
        return self.received is not None and self.sent is not None

    # Receiving

    def receive(self, data: bytes) -> list[Frame]:
        """The data frames that ``data`` completes.

        What else it brought stands in ``pings``, ``pongs``, ``answer``,
        ``received`` and ``violation`` afterwards.
        """
        if self.has_control:
            self._forget_control()
        if self.over:
            return []
        decoder = self._decoder
        frames = decoder.receive(data)
        if decoder.is_between_frames and self._are_messages(frames):
            return frames
        return self._receive_frames(frames)

    def _are_messages(self, frames: list[Frame]) -> bool:
        """Whether each frame is a message without a fault: the common case."""
        if self._incoming.opcode is not None:
            return False
        limit = self._max_message_size
        for opcode, data, fin in frames:
            if not fin or (limit is not None and len(data) > limit):
                return False
            if opcode is Opcode.TEXT:
                if not data.isascii():
                    return False
            elif opcode is not Opcode.BINARY:
                return False
        return True

    def _receive_frames(self, frames: list[Frame]) -> list[Frame]:
        """What :meth:`receive` gives, frame by frame."""
        delivered: list[Frame] = []
        try:
            for frame in frames:
                if frame.opcode >= Opcode.CLOSE:
                    self._receive_control(frame)
                    if self.received is not None:
                        return delivered
                else:
                    self._receive_data(frame)
                    delivered.append(frame)
            self._receive_unfinished()
            if self._decoder.violation is not None:
                raise self._decoder.violation
        except ProtocolError as error:
            self.has_control = True
            self.violation = error
            if self.sent is None:
                self.answer = self.close(error.code, error.reason)
        return delivered

    def _forget_control(self) -> None:
        self.has_control = False
        self.pings = []
        self.pongs = []
        self.answer = []

    def _receive_control(self, frame: Frame) -> None:
        self.has_control = True
        if frame.opcode is Opcode.PING:
            self.pings.append(frame.data)
        elif frame.opcode is Opcode.PONG:
            self.pongs.append(frame.data)
        else:
            self.received = Close.parse(frame.data)
            if self.sent is None:
                # Section 5.5.1: it is answered in kind.
                self.sent = self.received
                self.answer = self._encode(Opcode.CLOSE, frame.data)

    def _receive_data(self, frame: Frame) -> None:
        if not self._begun:
            self._begin(frame.opcode, len(frame.data))
        data = frame.data[self._checked :] if self._checked else frame.data
        self._incoming.check(data, frame.fin)
        self._begun = False
        self._checked = 0
        if frame.fin:
            self._incoming.reset()

    def _receive_unfinished(self) -> None:
        """Judge what has arrived of a frame that isn't whole."""
        frame = self._decoder.unfinished()
        if frame is None or frame.opcode >= Opcode.CLOSE:
            return
        if not self._begun:
            self._begin(frame.opcode, self._decoder.expected)
            self._begun = True
        self._incoming.check(frame.data, False)
        self._checked += len(frame.data)

    def _begin(self, opcode: Opcode, length: int) -> None:
        message = self._incoming
        message.begin(opcode, length)
        if self._max_message_size is not None and message.size > self._max_message_size:
            raise ProtocolError(
                CloseCode.MESSAGE_TOO_BIG,
                f"message is over {self._max_message_size} bytes",
            )
        if self._max_fragments is not None and message.fragments > self._max_fragments:
            raise ProtocolError(
                CloseCode.POLICY_VIOLATION,
                f"message has over {self._max_fragments} fragments",
            )

    # Sending: each gives the bytes of one frame, in pieces.

    def send(self, frame: Frame) -> list[bytes | memoryview]:
        """One data frame.

        Raises:
            ValueError: For an opcode that is none of a data frame, a fragment
                out of order, or text that is not UTF-8; nothing has changed.
        """
        opcode, data, fin = frame
        if opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONTINUATION):
            raise ValueError(f"{opcode!r} is not the opcode of a data frame")
        if fin and opcode:
            return self._send_message(Opcode(opcode), data)
        before = self._outgoing.state()
        try:
            self._outgoing.begin(Opcode(opcode), len(data))
            self._outgoing.check(data, fin)
        except ProtocolError as error:
            self._outgoing.restore(before)
            raise ValueError(error.reason) from None
        # Not before: a refused frame follows nothing.
        self._outgoing.count += 1
        if fin:
            self._outgoing.reset()
        return self._encode(Opcode(opcode), data, fin)

    def _send_message(self, opcode: Opcode, data: bytes) -> list[bytes | memoryview]:
        """A whole message: the common case, in which no state changes."""
        if self._outgoing.opcode is not None:
            raise ValueError("new message inside a fragmented one")
        if opcode is Opcode.TEXT:
            str(data, "utf-8")
        self._outgoing.count += 1
        return self._encode(opcode, data)

    @property
    def sending(self) -> _State:
        """How far the message is that is being sent."""
        return self._outgoing.state()

    def take_back(self, before: _State, after: _State) -> bool:
        """Undo the sending between two states, if it was the last; whether it was."""
        if self._outgoing.count != after[0]:
            return False
        self._outgoing.restore(before)
        return True

    def ping(self, data: bytes) -> list[bytes | memoryview]:
        """A Ping.

        Raises:
            ValueError: For more than 125 bytes.
        """
        if len(data) > MAX_CONTROL:
            raise ValueError("ping is over 125 bytes")
        return self._encode(Opcode.PING, data)

    def pong(self, data: bytes) -> list[bytes | memoryview]:
        """The answer to a Ping with this payload."""
        return self._encode(Opcode.PONG, data)

    def close(self, code: int, reason: str = "") -> list[bytes | memoryview]:
        """The one Close frame; no other frame may follow it.

        Raises:
            ValueError: For a code that must not be sent, or a reason of more
                than 123 bytes in UTF-8.
        """
        close = Close(code, reason)
        payload = close.serialize()
        self.sent = close
        return self._encode(Opcode.CLOSE, payload)

    def _encode(
        self, opcode: Opcode, data: bytes | memoryview, fin: bool = True
    ) -> list[bytes | memoryview]:
        # Section 5.3: a new key, not to be foreseen, for every frame.
        key = os.urandom(4) if self._client else b""
        return encode(opcode, data, fin, key)


def _violation(reason: str) -> ProtocolError:
    return ProtocolError(CloseCode.PROTOCOL_ERROR, reason)


def _not_utf8() -> ProtocolError:
    return ProtocolError(CloseCode.INVALID_DATA, "text is not UTF-8")
