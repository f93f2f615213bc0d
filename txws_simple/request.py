"""The request of an opening handshake: its form (RFC 9112), without I/O.

It is judged line by line as it arrives and never guessed at.  No expression
backtracks and nothing is looked at twice: the time is linear in the bytes.
What the request means is :mod:`.handshake`'s; nothing here knows Twisted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv6Address

from .errors import HandshakeError

__all__ = ["Headers", "Request", "RequestParser", "elements", "is_field", "is_token"]

_DIGITS = frozenset("0123456789")
_ALNUM = _DIGITS | frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_HEX = _DIGITS | frozenset("abcdefABCDEF")
# RFC 9110, section 5.6.2.
_TOKEN = _ALNUM | frozenset("!#$%&'*+-.^_`|~")
# RFC 3986, section 3.2.2, without the comma, which tells of two hosts in one.
_REG_NAME = _ALNUM | frozenset("-._~%!$&'()*+;=")
# RFC 9110, section 5.5: visible characters, blanks and obs-text.
_FIELD = frozenset(map(chr, (9, *range(0x20, 0x7F), *range(0x80, 0x100))))
_REQUEST_LINE = frozenset((*range(0x20, 0x7F), *b"\r\n"))
_SCHEMES = ("http://", "https://", "ws://", "wss://")
_BLANK = " \t"


class Headers:
    """The header fields of a request, in their order; names in any case.

    Values are text in which each character stands for the byte of the same
    number (ISO 8859-1), so nothing of what arrived is lost.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields = tuple(fields)

    def all(self, name: str) -> list[str]:
        """The values of all fields with this name."""
        name = name.lower()
        return [value for key, value in self._fields if key.lower() == name]

    def get(self, name: str, default: str | None = None) -> str | None:
        """The values with this name, joined by ``", "``, or ``default``."""
        values = self.all(name)
        return ", ".join(values) if values else default

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.all(name))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"Headers({self._fields!r})"


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
        self._fields: list[tuple[str, str]] = []
        self.method = ""
        self.rest = b""

    def receive(self, data: bytes) -> Request | None:
        """The request, once its last byte is there, until then ``None``.

        Raises:
            HandshakeError: With the status that it gets.
        """
        start = 0
        while (end := data.find(b"\n", start) + 1) > 0:
            self._arrive(data[start:end])
            line = bytes(self._line)
            self._line.clear()
            self._size += len(line)
            start = end
            if self._take(line):
                self.rest = data[start:]
                return self._request()
        self._arrive(data[start:])
        return None

    def _arrive(self, part: bytes) -> None:
        """More of a line is here: refuse at once what cannot become valid."""
        seen = len(self._line)
        self._line += part
        room = min(self._max_line_size, self._max_request_size - self._size - 2)
        # Where earlier lines took all the room and more, nothing is looked at.
        new = self._line[max(seen - 1, 0) : max(room + 1, 0)]
        cr = new.find(b"\r")
        bare = 0 <= cr < len(new) - 1 and new[cr + 1] != 0x0A
        if not self._target and (bare or not _REQUEST_LINE.issuperset(new)):
            # A TLS hello is seen by its first byte.
            raise _bad("request line is not visible ASCII")
        if bare:
            raise _bad("line does not end in CR LF")
        end = 2 if self._line.endswith(b"\r\n") else self._line.endswith(b"\r")
        if len(self._line) - end > room:
            if not self._target:
                raise HandshakeError(414, "request line is too long")
            raise HandshakeError(431, "header is too large")

    def _take(self, line: bytes) -> bool:
        """Take a whole line; whether it was the last."""
        if not line.endswith(b"\r\n"):
            raise _bad("line does not end in CR LF")
        text = line[:-2].decode("latin-1")
        if not self._target:
            self._take_request_line(text)
        elif text:
            self._take_header(text)
        else:
            return True
        return False

    def _take_request_line(self, text: str) -> None:
        if not text and not self._began:
            # RFC 9112, section 2.2: one empty line may come before.
            self._began = True
            return
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

    def _take_header(self, text: str) -> None:
        if len(self._fields) >= self._max_header_lines:
            raise HandshakeError(431, "too many header lines")
        name, colon, value = text.partition(":")
        # A folded line, a space before the colon and an empty name all end here:
        # RFC 9112, sections 5.1 and 5.2.
        if not colon or not is_token(name):
            raise _bad("malformed header name")
        if not is_field(value):
            raise _bad("control character in a header value")
        self._fields.append((name, value.strip(_BLANK)))

    def _request(self) -> Request:
        headers = Headers(self._fields)
        host = _host(headers)
        path, _, query = _origin_form(self._target, host).partition("?")
        return Request(path, query, headers)


def is_token(text: str) -> bool:
    """Whether it is a token (RFC 9110, section 5.6.2)."""
    return bool(text) and _TOKEN.issuperset(text)


def is_field(text: str) -> bool:
    """Whether it can stand in a header's value (RFC 9110, section 5.5)."""
    return _FIELD.issuperset(text)


def elements(text: str, separator: str = ",") -> list[str]:
    """The elements of a list (RFC 9110, section 5.6.1), empty ones left out."""
    parts = (part.strip(_BLANK) for part in text.split(separator))
    return [part for part in parts if part]


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
    return all(
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
