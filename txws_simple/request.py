"""The request of an opening handshake: its form (RFC 9112), without I/O.

It is judged line by line as it arrives and never guessed at.  No expression
backtracks and nothing is looked at twice: the time is linear in the bytes.
What the request means is :mod:`.handshake`'s; nothing here knows Twisted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import AddressValueError, IPv6Address
from typing import Any

from .errors import HandshakeError
from .headers import FIELD_BYTES, TOKEN_BYTES, Headers, elements, is_token

__all__ = ["Request", "RequestParser", "check_path"]

_DIGITS = frozenset("0123456789")
_ALNUM = _DIGITS | frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_HEX = _DIGITS | frozenset("abcdefABCDEF")
# RFC 3986, section 3.2.2, without the comma, which tells of two hosts in one.
_REG_NAME = _ALNUM | frozenset("-._~%!$&'()*+;=")
_REQUEST_LINE = bytes((*range(0x20, 0x7F), *b"\r\n"))
_PATH = frozenset(map(chr, range(0x21, 0x7F))) - frozenset("?#")
_SCHEMES = ("http://", "https://", "ws://", "wss://")


@dataclass(frozen=True)
class Request:
    """The request of an opening handshake, as it was parsed.

    Attributes:
        path: The path of the target, as it came: nothing is decoded.
        query: What followed its ``?``, or empty.
        headers: The header fields.
    """

    path: str
    query: str = ""
    headers: Headers = field(default_factory=Headers)

    @property
    def origin(self) -> str | None:
        """The value of ``Origin`` (RFC 6455, section 10.2), or ``None``."""
        return self.headers.get("Origin")

    @property
    def subprotocols(self) -> tuple[str, ...]:
        """What the client offers, in its order of preference (section 1.9)."""
        return tuple(elements(self.headers.get("Sec-WebSocket-Protocol") or ""))

    @cached_property
    def context(self) -> dict[str, Any]:
        """What ``on_request`` learns and keeps here, for the handler to find."""
        return {}


class RequestParser:
    """Bytes in, one request out, however the bytes are cut.

    Args:
        max_line_size: The longest line, without its end, in bytes.
        max_header_lines: The most header lines.
        max_request_size: The most bytes in all.

    Attributes:
        method: The method, as soon as its line was read.
        rest: What arrived behind the request.
    """

    def __init__(
        self, *, max_line_size: int, max_header_lines: int, max_request_size: int
    ) -> None:
        self._max_line_size = max_line_size
        self._max_header_lines = max_header_lines
        self._max_request_size = max_request_size
        self._line = bytearray()  # the one that has not arrived whole
        self._size = 0  # of those before it, in bytes
        self._began = False  # with the empty line that may come first
        self._target = ""
        self._lines: list[str] = []  # of the headers
        self.method = ""
        self.rest = b""

    def receive(self, data: bytes) -> Request | None:
        """The request, once its last byte is there, until then ``None``.

        Raises:
            HandshakeError: With the status that it gets.
        """
        start = 0
        while (end := data.find(b"\n", start) + 1) > 0:
            line = data[start:end]
            if self._line or len(line) > self._room:
                self._arrive(line)
                line = bytes(self._line)
                self._line.clear()
            else:
                self._look_at(line)
            self._size += len(line)
            start = end
            if self._take(line):
                self.rest = data[start:]
                return self._request()
        self._arrive(data[start:])
        return None

    @property
    def _room(self) -> int:
        """How long the line that arrives may be, without its end."""
        return min(self._max_line_size, self._max_request_size - self._size - 2)

    def _arrive(self, part: bytes) -> None:
        """More of a line is here: refuse at once what cannot become valid."""
        seen = len(self._line)
        self._line += part
        room = self._room
        # Where earlier lines took all the room and more, nothing is looked at.
        self._look_at(self._line[max(seen - 1, 0) : max(room + 1, 0)])
        end = 2 if self._line.endswith(b"\r\n") else self._line.endswith(b"\r")
        if len(self._line) - end > room:
            if not self._target:
                raise HandshakeError(414, "request line is too long")
            raise HandshakeError(431, "header is too large")

    def _look_at(self, part: bytes | bytearray) -> None:
        """Refuse what no line may have in it."""
        cr = part.find(b"\r")
        bare = 0 <= cr < len(part) - 1 and part[cr + 1] != 0x0A
        if not self._target and (bare or part.translate(None, _REQUEST_LINE)):
            # A TLS hello is seen by its first byte.
            raise _bad("request line is not visible ASCII")
        if bare:
            raise _bad("line does not end in CR LF")

    def _take(self, line: bytes) -> bool:
        """Take a whole line; whether it was the last."""
        if not line.endswith(b"\r\n"):
            raise _bad("line does not end in CR LF")
        if not self._target:
            self._take_request_line(line[:-2])
        elif len(line) > 2:
            self._take_header(line[:-2])
        else:
            return True
        return False

    def _take_request_line(self, line: bytes) -> None:
        if not line and not self._began:
            # RFC 9112, section 2.2: one empty line may come before.
            self._began = True
            return
        text = line.decode()
        parts = text.split(" ")
        if len(parts) != 3 or not all(parts) or text == "PRI * HTTP/2.0":
            raise _bad("malformed request line")
        self.method, target, version = parts
        if not is_token(self.method):
            raise _bad("malformed method")
        _check_version(version)
        if self.method != "GET":
            # RFC 6455, section 4.2.1, point 1; RFC 9110, section 15.5.6.
            raise HandshakeError(405, "method is not GET", (("Allow", "GET"),))
        _check_target(target)
        self._target = target

    def _take_header(self, line: bytes) -> None:
        if len(self._lines) >= self._max_header_lines:
            raise HandshakeError(431, "too many header lines")
        name, colon, value = line.partition(b":")
        # A folded line, a space before the colon and an empty name all end here:
        # RFC 9112, sections 5.1 and 5.2.
        if not colon or not name or name.translate(None, TOKEN_BYTES):
            raise _bad("malformed header name")
        if value.translate(None, FIELD_BYTES):
            raise _bad("control character in a header value")
        self._lines.append(line.decode("latin-1"))

    def _request(self) -> Request:
        headers = Headers.parsed(self._lines)
        host = _host(headers)
        path, _, query = _origin_form(self._target, host).partition("?")
        return Request(path, query, headers)


def check_path(path: str) -> None:
    """Refuse to serve what no request has for a path.

    Raises:
        ValueError: For one that doesn't begin with a slash, or has in it what a target
            does not, or not in its path.
    """
    if not path.startswith("/"):
        raise ValueError(f"path {path!r} does not begin with a slash")
    if not _PATH.issuperset(path) or not _is_percent_encoded(path):
        raise ValueError(f"path {path!r} is not as it is sent, percent-encoded")


def _bad(reason: str) -> HandshakeError:
    return HandshakeError(400, reason)


def _check_version(version: str) -> None:
    """RFC 9112, section 2.3: ``HTTP/``, a digit, a dot, a digit."""
    name, _, number = version.partition("/")
    major, _, minor = number.partition(".")
    if name != "HTTP" or not {major, minor} <= _DIGITS:
        raise _bad("malformed HTTP version")
    if number != "1.1":
        raise HandshakeError(505, "HTTP version is not 1.1")


def _check_target(target: str) -> None:
    """RFC 9112, section 3.2; RFC 6455, section 3: no fragment."""
    if "#" in target:
        raise _bad("fragment in the target")
    if not target.startswith(("/", *_SCHEMES)):
        raise _bad("target is not a path")
    if not _is_percent_encoded(target):
        raise _bad("malformed percent-encoding")


def _is_percent_encoded(text: str) -> bool:
    """Whether each percent sign begins a triplet (RFC 3986, section 2.1)."""
    return "%" not in text or all(
        len(part) >= 2 and _HEX.issuperset(part[:2]) for part in text.split("%")[1:]
    )


def _origin_form(target: str, host: str) -> str:
    """The path and query of a target, whose host must be the Host's own."""
    if target.startswith("/"):
        return target
    rest = target.partition("//")[2]
    authority = rest.partition("/")[0].partition("?")[0]
    if authority.lower() != host.lower():
        raise _bad("target names another host")
    path = rest[len(authority) :]
    return path if path.startswith("/") else "/" + path


def _host(headers: Headers) -> str:
    """The value of Host (RFC 9112, section 3.2; RFC 3986, section 3.2)."""
    values = headers.all("Host")
    if len(values) != 1:
        raise _bad("not one Host")
    host = values[0]
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        name, port = host, ""
    if not _is_host(name) or not _is_port(port):
        raise _bad("malformed Host")
    return host


def _is_host(name: str) -> bool:
    if name.startswith("[") and name.endswith("]"):
        return _is_ipv6(name[1:-1])
    return bool(name) and _REG_NAME.issuperset(name) and _is_percent_encoded(name)


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return "%" not in text


def _is_port(text: str) -> bool:
    return len(text) <= 5 and _DIGITS.issuperset(text) and int(text or "0") <= 65535
