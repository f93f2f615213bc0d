"""Where wsproto or websockets differ from us about frames, and why.

A row excuses nothing but what it names: how it ended with us, how it ended with
them, and what else must hold.  Where a difference lets a stream go on and end in any
way, its row also says how to change the stream so that the difference is gone: then
both must agree, or another row must say why not.
"""

from __future__ import annotations

import re

from txws_simple.frames import Decoder, Frame, Opcode

from .divergence import Change, Divergence
from .frame_verdicts import Verdict
from .streams import Stream, in_binary, in_shortest_form

__all__ = ["DIVERGENCES"]


def _without_size(stream: Stream) -> Stream:
    return stream._replace(max_size=None)


def _without_count(stream: Stream) -> Stream:
    return stream._replace(max_fragments=None)


def _with_more(count: int) -> Change:
    """What has not arrived of a frame arrives."""
    more = b"\xff" * count
    return lambda stream: stream._replace(segments=[*stream.segments, more])


def _frames(stream: Stream) -> list[Frame]:
    """All frames of a stream, as far as they keep the rules of a frame."""
    decoder = Decoder(masked=True, max_frame_size=(1 << 63) - 1)
    # A header that was cut off is completed.
    frames = decoder.receive(b"".join(stream.segments) + bytes(12))
    last = decoder.unfinished
    if last is None:
        return frames
    data = decoder.latest(last.length - decoder.missing)
    return [*frames, Frame(last.opcode, data, last.fin)]


def _has_half_a_surrogate(stream: Stream, theirs: Verdict) -> bool:
    """Whether a text begins to encode a surrogate, which no text may."""
    data = b"".join(f.data for f in _frames(stream) if f.opcode < Opcode.CLOSE)
    return re.search(rb"\xed[\xa0-\xbf]", data) is not None


def _is_at_a_control_frame(stream: Stream, theirs: Verdict) -> bool:
    """Whether a control frame follows the last data frame that they delivered."""
    delivered = 0
    for frame in _frames(in_shortest_form(stream)):
        if delivered == len(theirs.frames) and frame.opcode >= Opcode.CLOSE:
            return True
        delivered += frame.opcode < Opcode.CLOSE
    return False


DIVERGENCES = (
    Divergence("wsproto", "1009", "", "has no limit of size", without=_without_size),
    Divergence(
        "wsproto", "1008", "", "has no limit of fragments", without=_without_count
    ),
    Divergence(
        "wsproto",
        "close 1014|1007 close reason",
        "1002 CLOSE with unknown reserved code",
        "does not know the code 1014, which IANA has registered",
    ),
    Divergence(
        "wsproto",
        "1007 text is not UTF-8",
        "",
        "waits for the third byte of a surrogate, as Python's decoder does",
        where=_has_half_a_surrogate,
        without=in_binary,
    ),
    Divergence(
        "wsproto",
        "1002 (continuation of nothing|new message inside)",
        "open",
        "looks at the order of fragments when some payload is there",
        without=_with_more(12),
    ),
    Divergence(
        "wsproto",
        "1002 (reserved bit|frame is not masked)",
        "open",
        "looks at a header when all of its length is there",
        without=_with_more(12),
    ),
    Divergence(
        "websockets", "1008", "", "has no limit of fragments", without=_without_count
    ),
    Divergence(
        "websockets",
        "1002 (length is not in its shortest form|control frame .* over 125 bytes)",
        "",
        "takes a length in any form",
        without=in_shortest_form,
    ),
    Divergence(
        "websockets",
        "1002",
        r"1009 frame with \d{19,} bytes",
        "takes the top bit of a length as any other",
    ),
    Divergence(
        "websockets",
        "1002 (reserved bit|continuation of nothing|new message inside|control frame)",
        "open",
        "looks at what a frame may be when it is whole",
        without=_with_more(1 << 21),
    ),
    Divergence(
        "websockets",
        "1002 (reserved bit|continuation of nothing|new message inside|control frame)",
        "1009",
        "looks at the size of a frame before it looks at what that may be",
    ),
    Divergence(
        "websockets",
        "1007 text is not UTF-8",
        "",
        "leaves text to the layer above",
        without=in_binary,
    ),
    Divergence(
        "websockets",
        "1002 invalid close code",
        "1007",
        "looks at the reason of a Close before its code",
    ),
    Divergence(
        "websockets",
        "close",
        "1002 incomplete fragmented message",
        "refuses a Close between fragments",
    ),
    Divergence(
        "websockets",
        "",
        "1009 frame with .* after reading",
        "counts a control frame between fragments as part of the message",
        where=_is_at_a_control_frame,
    ),
    Divergence(
        "websockets",
        "open",
        "1009 frame with .* after reading",
        "looks at the size of a message before the masking key is there",
        without=_with_more(4),
    ),
)
