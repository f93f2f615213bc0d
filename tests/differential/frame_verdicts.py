"""What each library makes of a stream of frames, in the same words.

An end is ``open`` where neither side has closed, ``close 1000 bye`` for a Close that
was answered, and else the close code of a violation with the rule that was broken.
"""

from __future__ import annotations

import logging
from codecs import getincrementaldecoder
from typing import Any, NamedTuple

from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from wsproto.connection import Connection as WsprotoConnection
from wsproto.connection import ConnectionState, ConnectionType
from wsproto.events import CloseConnection, Message, Ping, TextMessage

from txws_simple.connection import Connection

from .streams import CLOSE, PONG, TEXT, Stream

__all__ = ["Verdict", "of_us", "of_us_in_characters", "of_websockets", "of_wsproto"]

#: Whether it is text, its payload, whether it is the last of its message.
Delivered = tuple[bool, Any, bool]

_silent = logging.getLogger("differential")
_silent.setLevel(logging.CRITICAL + 1)


class Verdict(NamedTuple):
    """What was delivered, what was answered, and how it ended."""

    frames: list[Delivered]
    pongs: list[bytes]
    end: str

    def is_like(self, other: Verdict) -> bool:
        """Whether both mean the same; the rule may have other words."""
        if self.frames != other.frames or self.pongs != other.pongs:
            return False
        code = self.end[:4]
        return self.end == other.end or (code.isdigit() and code == other.end[:4])

    def fits(self, other: Verdict) -> bool:
        """Whether one of both went on where the other stopped, and no more."""
        one, two = sorted((self, other), key=_progress)
        return (
            two.frames[: len(one.frames)] == one.frames
            and two.pongs[: len(one.pongs)] == one.pongs
        )


def _progress(verdict: Verdict) -> tuple[int, int]:
    return len(verdict.frames), len(verdict.pongs)


def of_us(stream: Stream) -> Verdict:
    connection = Connection(
        max_frame_size=stream.max_size or (1 << 63) - 1,
        max_message_size=stream.max_size,
        max_fragments=stream.max_fragments,
    )
    frames: list[Any] = []
    sent: list[bytes | memoryview] = []
    for segment in stream.segments:
        frames += connection.receive(segment)
        if not connection.has_control:
            continue
        if connection.sent is None:
            for payload in connection.pings:
                sent += connection.pong(payload)
            sent += connection.answer()
    violation = connection.violation
    broken = f"{violation.code} {violation.reason}" if violation else ""
    return _verdict(frames, sent, broken)


def of_websockets(stream: Stream) -> Verdict:
    protocol = ServerProtocol(state=OPEN, max_size=stream.max_size, logger=_silent)
    for segment in stream.segments:
        protocol.receive_data(segment)
    broken = ""
    if protocol.parser_exc is not None:
        assert protocol.close_sent is not None
        broken = f"{protocol.close_sent.code} {protocol.parser_exc}"
    events: list[Any] = protocol.events_received()
    frames = [frame for frame in events if frame.opcode < CLOSE]
    return _verdict(frames, protocol.data_to_send(), broken)


def _verdict(frames: list[Any], sent: list[Any], broken: str) -> Verdict:
    is_text = False
    delivered: list[Delivered] = []
    for frame in frames:
        is_text = frame.opcode == TEXT or (is_text and not frame.opcode)
        delivered.append((is_text, bytes(frame.data), frame.fin))
    return _with_replies(delivered, b"".join(sent), broken)


def of_wsproto(stream: Stream) -> Verdict:
    connection = WsprotoConnection(ConnectionType.SERVER)
    delivered: list[Delivered] = []
    data: Any = None
    sent = b""
    broken = ""
    for segment in stream.segments:
        connection.receive_data(segment)
        for event in connection.events():
            if isinstance(event, Message):
                data = event.data if data is None else data + event.data
                if event.frame_finished:
                    is_text = isinstance(event, TextMessage)
                    delivered.append((is_text, data, event.message_finished))
                    data = None
            elif isinstance(event, Ping):
                sent += connection.send(event.response())
            elif isinstance(event, CloseConnection):
                if connection.state is ConnectionState.OPEN:
                    broken = f"{int(event.code)} {event.reason}"
                sent += connection.send(event.response())
                return _with_replies(delivered, sent, broken)
    return _with_replies(delivered, sent, broken)


def _with_replies(delivered: list[Delivered], sent: bytes, broken: str) -> Verdict:
    pongs, close = _replies(sent)
    if broken:
        assert close is not None and close[:2] == _code(broken), (close, broken)
        return Verdict(delivered, pongs, broken)
    if close is None:
        return Verdict(delivered, pongs, "open")
    code = int.from_bytes(close[:2], "big") or ""
    return Verdict(delivered, pongs, f"close {code} {close[2:].decode()}".rstrip())


def _code(broken: str) -> bytes:
    return int(broken.partition(" ")[0]).to_bytes(2, "big")


def _replies(sent: bytes) -> tuple[list[bytes], bytes | None]:
    """The pongs that a server sent, and its Close, behind which is nothing."""
    pongs: list[bytes] = []
    while sent:
        opcode, size = sent[0] & 0x0F, sent[1]
        payload, sent = sent[2 : 2 + size], sent[2 + size :]
        if opcode == CLOSE:
            assert not sent, "a frame behind the Close"
            return pongs, payload
        assert opcode == PONG
        pongs.append(payload)
    return pongs, None


def of_us_in_characters(stream: Stream) -> Verdict:
    """Ours with text as wsproto gives it: as far as its characters are whole."""
    verdict = of_us(stream)
    frames: list[Delivered] = []
    decoder = getincrementaldecoder("utf-8")("backslashreplace")
    for is_text, data, fin in verdict.frames:
        frames.append((is_text, decoder.decode(data, fin) if is_text else data, fin))
    return verdict._replace(frames=frames)
