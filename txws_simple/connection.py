"""The conversation after the handshake, without I/O, for either role.

Bytes in, data frames out, and what is to be sent in answer: the rules of
RFC 6455, sections 5.4 to 7, about fragments, control frames, UTF-8 and the
closing handshake, and the limits.  Nothing here knows Twisted.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

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
from .passage import Passage, State, passage_of

__all__ = ["Connection", "Sending"]

_DATA = {code: code for code in (Opcode.CONTINUATION, Opcode.TEXT, Opcode.BINARY)}

#: How many frames were sent, the message that has not been sent whole, its state.
Sending = tuple[int, "Passage | None", "State | None"]


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
        "_client",
        "_count",
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
        self._incoming: Passage | None = None
        self._outgoing: Passage | None = None
        self._begun = False  # the header of the unfinished frame was judged
        self._count = 0  # of all data frames sent
        self.has_control = False
        self.pings: Sequence[bytes] = ()
        self.pongs: Sequence[bytes] = ()
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

    @property
    def is_receiving(self) -> bool:
        """Whether a frame or a message has begun to arrive and is not whole."""
        return not self._decoder.is_idle or self._incoming is not None

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
        elif len(data) < self._decoder.missing and self._is_opaque:
            # The next most common: a piece of a large frame.
            self._decoder.keep(data)
            return frames
        if self.over:
            self._note([], [])
        else:
            self._receive_frames(data, start, frames)
        return frames

    @property
    def _is_text(self) -> bool:
        """Whether the message that arrives has to be looked at."""
        return self._incoming is not None and self._incoming.opcode is Opcode.TEXT

    @property
    def _is_opaque(self) -> bool:
        """Whether the unfinished frame has nothing in it to be looked at."""
        return self._begun and not self._is_text and not self.has_control

    def _receive_frames(self, data: bytes, start: int, delivered: list[Frame]) -> None:
        """What :meth:`receive` does, frame by frame."""
        pings: list[bytes] = []
        pongs: list[bytes] = []
        missing = self._decoder.missing
        try:
            for frame in self._decoder.receive(data, start):
                if frame.opcode is Opcode.PING:
                    pings.append(frame.data)
                elif frame.opcode is Opcode.PONG:
                    pongs.append(frame.data)
                elif frame.opcode is Opcode.CLOSE:
                    self.received = Close.parse(frame.data)
                    return
                else:
                    self._receive_data(frame, missing)
                    delivered.append(frame)
            self._receive_unfinished(missing)
            self.violation = self._decoder.violation
        except ProtocolError as error:
            self.violation = error
            # It is kept; the frames that it was found among shall not be.
            error.__traceback__ = error.__context__ = None
        finally:
            self._note(pings, pongs)

    def _note(self, pings: list[bytes], pongs: list[bytes]) -> None:
        """What a segment brought beside data."""
        self.pings = pings
        self.pongs = pongs
        self.has_control = bool(pings or pongs or self.over)
        self._is_between = (
            self._decoder.is_idle and self._incoming is None and not self.has_control
        )

    def _receive_data(self, frame: Frame, missing: int) -> None:
        """A whole frame; of one that had begun, ``missing`` bytes are new."""
        _, data, fin = frame
        if not self._begun:
            self._begin(frame.opcode, len(data))
        elif self._is_text:
            data = data[-missing:]
        self._begun = False
        if self._incoming is not None and self._is_text:
            self._incoming.check(data, fin)
        if fin:
            self._incoming = None

    def _receive_unfinished(self, missing: int) -> None:
        """Judge what has arrived of a frame that isn't whole."""
        header = self._decoder.unfinished
        if header is None or header.opcode >= Opcode.CLOSE:
            return
        if not self._begun:
            self._begin(header.opcode, header.length)
            self._begun = True
            missing = header.length
        if self._incoming is not None and self._is_text:
            new = self._decoder.latest(missing - self._decoder.missing)
            self._incoming.check(new, False)

    def _begin(self, opcode: Opcode, length: int) -> None:
        """A frame's header has arrived."""
        message = self._incoming = passage_of(opcode, self._incoming)
        message.add(length)
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
        if self.sent is not None or self._outgoing is not None or self._client:
            return None
        packed = pack(message)
        if packed is not None:
            self._count += 1
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
        opcode = _DATA[opcode]
        if fin and opcode is not Opcode.CONTINUATION:
            self._check_message(opcode, data)
        else:
            self._outgoing = self._check_fragment(opcode, data, fin)
        # Not before: a refused frame follows nothing.
        self._count += 1
        return self._encode(opcode, data, fin)

    def _check_message(self, opcode: Opcode, data: bytes) -> None:
        """Whether this can be sent: the common case, in which no state changes."""
        if self._outgoing is not None:
            raise ValueError("new message inside a fragmented one")
        if opcode is Opcode.TEXT and not data.isascii():
            str(data, "utf-8")

    def _check_fragment(self, opcode: Opcode, data: bytes, fin: bool) -> Passage | None:
        """The same; gives the message as it will be then, ``None`` at its end."""
        try:
            message = passage_of(opcode, self._outgoing)
        except ProtocolError as error:
            raise ValueError(error.reason) from None
        before = message.state()
        try:
            message.check(data, fin)
        except ProtocolError as error:
            message.restore(before)
            raise ValueError(error.reason) from None
        return None if fin else message

    @property
    def frames_sent(self) -> int:
        """How many data frames were sent, also those that were taken back."""
        return self._count

    @property
    def sending(self) -> Sending:
        """How far the message is that is being sent."""
        message = self._outgoing
        return self._count, message, message.state() if message is not None else None

    def take_back(self, before: Sending, after: Sending) -> bool:
        """Undo the sending between two states, if it was the last; whether it was."""
        if self._count != after[0]:
            return False
        _, self._outgoing, state = before
        if self._outgoing is not None and state is not None:
            self._outgoing.restore(state)
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
