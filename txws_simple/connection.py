"""The conversation after the handshake, without I/O, for either role.

Bytes in, data frames out, and what is to be sent in answer: the rules of
RFC 6455, sections 5.4 to 7, about fragments, control frames, UTF-8 and the
closing handshake, and the limits.  Nothing here knows Twisted.
"""

from __future__ import annotations

import os

from .errors import ProtocolError
from .frames import (
    MAX_CONTROL,
    Close,
    CloseCode,
    Decoder,
    Frame,
    Opcode,
    encode,
    messages,
    pack,
)
from .passage import Passage, State

__all__ = ["Connection"]


_DATA = {code: code for code in (Opcode.CONTINUATION, Opcode.TEXT, Opcode.BINARY)}


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
        "_is_between",
        "_max_fragments",
        "_max_message_size",
        "_max_single",
        "_outgoing",
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
        self._max_single = min(max_frame_size, max_message_size or max_frame_size)
        self._is_between = True  # the next byte to arrive begins a message
        self._incoming = Passage()
        self._outgoing = Passage()
        self._begun = False  # the header of the unfinished frame was judged
        self._checked = 0  # bytes of its payload that were judged too
        self.has_control = False
        self.pings: list[bytes] = []
        self.pongs: list[bytes] = []
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

        What else it brought stands in ``pings``, ``pongs``, ``received`` and
        ``violation`` afterwards; the last two call for an :meth:`answer`.
        """
        frames: list[Frame] = []
        start = 0
        if self._is_between:
            # The common case: nothing but messages, each of one frame.
            start = messages(data, not self._client, self._max_single, frames)
            if start == len(data):
                return frames
        if self.has_control:
            self._forget_control()
        if not self.over:
            self._receive_frames(self._decoder.receive(data, start), frames)
        return frames

    def _receive_frames(self, frames: list[Frame], delivered: list[Frame]) -> None:
        """What :meth:`receive` does, frame by frame."""
        try:
            for frame in frames:
                if frame.opcode >= Opcode.CLOSE:
                    self._receive_control(frame)
                    if self.received is not None:
                        return
                else:
                    self._receive_data(frame)
                    delivered.append(frame)
            self._receive_unfinished()
            if self._decoder.violation is not None:
                raise self._decoder.violation
        except ProtocolError as error:
            self.has_control = True
            self.violation = error
            # It is kept; the frames that it was found among shall not be.
            error.__traceback__ = error.__context__ = None
        finally:
            self._is_between = (
                self._decoder.is_idle
                and self._incoming.opcode is None
                and not self.has_control
            )

    def _forget_control(self) -> None:
        self.has_control = False
        self.pings = []
        self.pongs = []

    def _receive_control(self, frame: Frame) -> None:
        self.has_control = True
        if frame.opcode is Opcode.PING:
            self.pings.append(frame.data)
        elif frame.opcode is Opcode.PONG:
            self.pongs.append(frame.data)
        else:
            self.received = Close.parse(frame.data)

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

    # Sending: each gives the bytes of one frame.

    def pack(self, message: Frame | str | bytes) -> bytes | None:
        """A whole message, where nothing has to be decided: the common case.

        For anything else there is :meth:`send`, which also says what is wrong.
        """
        if self.sent is not None or self._outgoing.opcode is not None or self._client:
            return None
        packed = pack(message)
        if packed is not None:
            self._outgoing.count += 1
        return packed

    def send(self, frame: Frame) -> list[bytes | memoryview]:
        """One data frame.

        Raises:
            ValueError: For an opcode that is none of a data frame, a fragment
                out of order, or text that is not UTF-8; nothing has changed.
        """
        opcode, data, fin = frame
        if opcode not in _DATA:
            raise ValueError(f"{opcode!r} is not the opcode of a data frame")
        if fin and opcode:
            return self._send_message(_DATA[opcode], data)
        before = self._outgoing.state()
        try:
            self._outgoing.begin(_DATA[opcode], len(data))
            self._outgoing.check(data, fin)
        except ProtocolError as error:
            self._outgoing.restore(before)
            raise ValueError(error.reason) from None
        # Not before: a refused frame follows nothing.
        self._outgoing.count += 1
        if fin:
            self._outgoing.reset()
        return self._encode(_DATA[opcode], data, fin)

    def _send_message(self, opcode: Opcode, data: bytes) -> list[bytes | memoryview]:
        """A whole message: the common case, in which no state changes."""
        if self._outgoing.opcode is not None:
            raise ValueError("new message inside a fragmented one")
        if opcode is Opcode.TEXT and not data.isascii():
            str(data, "utf-8")
        self._outgoing.count += 1
        return encode(opcode, data, True, os.urandom(4) if self._client else b"")

    @property
    def sending(self) -> State:
        """How far the message is that is being sent."""
        return self._outgoing.state()

    def take_back(self, before: State, after: State) -> bool:
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

    def answer(self) -> list[bytes | memoryview]:
        """The Close that ends a conversation which is over, if none was sent yet.

        What was delivered before can still be replied to before this.
        """
        if self.sent is not None or not self.over:
            return []
        if self.received is None:
            assert self.violation is not None
            return self.close(self.violation.code, self.violation.reason)
        # Section 5.5.1: a Close is answered in kind.
        self.sent = self.received
        is_empty = self.sent.code == CloseCode.NO_STATUS
        return self._encode(Opcode.CLOSE, b"" if is_empty else self.sent.serialize())

    def _encode(
        self, opcode: Opcode, data: bytes | memoryview, fin: bool = True
    ) -> list[bytes | memoryview]:
        # Section 5.3: a new key, not to be foreseen, for every frame.
        key = os.urandom(4) if self._client else b""
        return encode(opcode, data, fin, key)
