"""Where wsproto or websockets differ from us about requests, and why.

The rows are read as those about frames are.
"""

from __future__ import annotations

import re

from .divergence import Change, Divergence
from .requests import Arrival

__all__ = ["DIVERGENCES"]


def _with_an_end(arrival: Arrival) -> Arrival:
    """What is missing of the request arrives."""
    return arrival._replace(segments=[*arrival.segments, b"\r\n\r\n"])


def _with(line: bytes = rb"\2", **fields: bytes | None) -> Change:
    """Another request line, and other values of these fields, ``_`` for ``-``."""
    names = [name.replace("_", "-").encode() for name in fields]
    pairs = zip(names, fields.values(), strict=True)
    lines = [line, *(b"%s: %s\r\n" % pair for pair in pairs if pair[1] is not None)]

    def change(arrival: Arrival) -> Arrival:
        data = b"".join(arrival.segments)
        for name in names:
            data = re.sub(rb"(?im)^%s:[^\n]*\n" % re.escape(name), b"", data)
        data = re.sub(rb"\A((?:\r\n)?)([^\n]*\n)", rb"\1" + b"".join(lines), data)
        return arrival._replace(segments=[data])

    return change


_LINE = b"GET / HTTP/1.1\r\n"
_KEY = b"dGhlIHNhbXBsZSBub25jZQ=="

DIVERGENCES = (
    # What they take and we don't.
    Divergence(
        "wsproto",
        "403",
        "101",
        "leaves Origin to the application",
        without=_with(Origin=b"http://example.com"),
    ),
    Divergence(
        "wsproto", "505", "101", "takes HTTP of any version", without=_with(_LINE)
    ),
    Divergence(
        "wsproto",
        "400 malformed Host",
        "101",
        "decodes Host as a name, and takes what comes out",
        without=_with(Host=b"example.com"),
    ),
    Divergence(
        "wsproto",
        "400 (fragment in|target|malformed percent)",
        "101",
        "takes a target of any visible characters",
        without=_with(_LINE),
    ),
    Divergence(
        "wsproto",
        "400 (line does not end|malformed header name)",
        "101",
        "takes bare LF, and folded lines",
    ),
    Divergence(
        "wsproto",
        "400 control character",
        "101",
        "takes control characters in the value of a field",
    ),
    Divergence(
        "wsproto",
        "400 Sec-WebSocket-Key is not",
        "101",
        "takes any key",
        without=_with(Sec_WebSocket_Key=_KEY),
    ),
    Divergence(
        "wsproto",
        "400 (more than one|malformed Upgrade|Connection is not Upgrade)",
        "101",
        "looks at the last of several lines of a field that must not be repeated",
    ),
    Divergence(
        "wsproto",
        "400 (malformed Sec-WebSocket-|subprotocol offered twice)",
        "101",
        "leaves what is offered to the application",
        without=_with(Sec_WebSocket_Protocol=None, Sec_WebSocket_Extensions=None),
    ),
    Divergence(
        "wsproto",
        "400 request has a body",
        "101",
        "takes a body, too",
        without=_with(Content_Length=None, Transfer_Encoding=None),
    ),
    Divergence(
        "wsproto",
        "414|431",
        "101",
        "has one limit, that of all bytes that wait to be parsed",
    ),
    Divergence(
        "websockets",
        "400 (malformed|not one) Host",
        "101",
        "leaves Host to the caller",
        without=_with(Host=b"example.com"),
    ),
    Divergence(
        "websockets",
        "400 (fragment in|target|malformed percent|request line|malformed request)",
        "101",
        "takes any target",
        without=_with(_LINE),
    ),
    Divergence(
        "websockets",
        "400 malformed Sec-WebSocket-Extensions",
        "101",
        "does not look at what is offered where nothing is served",
        without=_with(Sec_WebSocket_Extensions=None),
    ),
    Divergence(
        "websockets",
        "400 subprotocol offered twice",
        "101",
        "takes a subprotocol twice",
        without=_with(Sec_WebSocket_Protocol=b"chat"),
    ),
    Divergence(
        "websockets",
        "431",
        "101",
        "has higher limits, and none for all lines together",
    ),
    Divergence(
        "websockets",
        "400 request has a body",
        "101",
        "takes a Content-Length of 0 more than once",
        without=_with(Content_Length=None),
    ),
    # What we take and they don't.
    Divergence(
        "wsproto",
        "101",
        "400 Missing header, 'Upgrade",
        "takes no other protocol beside websocket, and only the last line",
    ),
    Divergence(
        "wsproto",
        "101",
        "400 Missing header, 'Connection",
        "looks at the last of several lines only",
    ),
    Divergence(
        "wsproto",
        "101|waiting",
        "400 (no request line received|illegal request line)",
        "takes no empty line before the request",
    ),
    Divergence(
        "wsproto",
        "",
        "crash Unicode",
        "lets an error of its decoders out, for what is not ASCII, or no name",
    ),
    Divergence(
        "websockets",
        "101|waiting",
        "400 invalid HTTP request line: $",
        "takes no empty line before the request",
    ),
    Divergence(
        "websockets",
        "101",
        "426 invalid Upgrade header: .*,",
        "takes no other protocol beside websocket",
    ),
    Divergence(
        "websockets",
        "101",
        "400 (missing|invalid) subprotocol",
        "refuses who offers none of those served",
    ),
    Divergence(
        "websockets",
        "101",
        r"400 invalid .* header: expected (token|protocol) at \d+ in ,*$",
        "takes no line without an element, even beside one that has some",
    ),
    Divergence(
        "websockets",
        "101|waiting",
        "4(14|31) read 819[34] bytes",
        "counts the end of a line as part of it",
    ),
    # What is refused in another way, or later.
    Divergence(
        "websockets",
        "505",
        "4",
        "looks at the fields before the version, and takes none but 1.0 for one",
    ),
    Divergence(
        "websockets",
        "400 (malformed request line|request line is not visible ASCII)",
        "505",
        "looks at the version, but not at the target",
        without=_with(_LINE),
    ),
    Divergence("wsproto", "505", "4", "looks at the version last"),
    Divergence(
        "wsproto",
        "4|5",
        "waiting",
        "looks at a request when all of it is there",
        without=_with_an_end,
    ),
    Divergence(
        "websockets",
        "4|5",
        "waiting",
        "looks at a line when all of it is there, and at the method last",
        without=_with_an_end,
    ),
)
