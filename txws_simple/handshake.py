"""The opening handshake (RFC 6455, section 4), without I/O: its rules, and the answer.

What a request has to say, who may connect, and the bytes that accept or refuse
it.  Nothing here knows Twisted.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from http import HTTPStatus

from .errors import HandshakeError
from .headers import Headers, elements, is_field, is_token
from .request import Request

__all__ = ["Response", "accept", "check", "choose_subprotocol"]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_BASE64 = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/")

_PHRASES = {status.value: status.phrase for status in HTTPStatus}

# What the handshake answers by itself; an application must not add a second one.
_OWN_HEADERS = frozenset(
    {
        "connection",
        "content-length",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-protocol",
        "transfer-encoding",
        "upgrade",
    }
)


@dataclass(frozen=True)
class Response:
    """What the server answers to a request.

    Status 101 accepts; its ``headers`` go out with it.  Any other status, from
    200 to 599, refuses.

    Attributes:
        status: The HTTP status.
        headers: Header fields to add.
        body: The text of a refusal, sent as UTF-8, and as plain text if no
            header says what else it is; the status' own phrase where it is empty.

    Raises:
        ValueError: For another status, for a header that is not valid or that
            the handshake sets itself, and for a 101 with a body.
    """

    status: int = 101
    headers: Sequence[tuple[str, str]] = ()
    body: str = ""

    def __post_init__(self) -> None:
        if self.status != 101 and not 200 <= self.status <= 599:
            raise ValueError(f"{self.status!r} is no status of a handshake's answer")
        if self.status == 101 and self.body:
            raise ValueError("a 101 has no body")
        self.body.encode()  # or an error here, where it can be mended
        for name, value in self.headers:
            if not is_token(name) or not is_field(value):
                raise ValueError(f"header {name!r} is not valid")
            if name.lower() in _OWN_HEADERS and not self._refuses_with(name):
                raise ValueError(f"header {name!r} is set by the handshake itself")

    def _refuses_with(self, name: str) -> bool:
        # RFC 9110, section 15.5.22: a 426 names the protocol it wants.
        return self.status == 426 and name.lower() == "upgrade"

    @property
    def accepts(self) -> bool:
        """Whether the connection becomes a WebSocket."""
        return self.status == 101

    @property
    def reason(self) -> str:
        """What a refusal says: its body, or the phrase of its status."""
        return self.body or _phrase(self.status)

    def refusal(self, method: str = "GET") -> bytes:
        """The bytes of a complete response that ends the connection."""
        fields = [("Connection", "close"), *self.headers]
        # RFC 9110, sections 8.6 and 15.3.6: these have no content.
        if self.status in (204, 205, 304):
            return _serialize(self.status, fields)
        body = f"{self.reason}\n".encode()
        fields.insert(0, ("Content-Length", str(len(body))))
        if not any(name.lower() == "content-type" for name, _ in self.headers):
            fields.insert(0, ("Content-Type", "text/plain; charset=utf-8"))
        return _serialize(self.status, fields) + (b"" if method == "HEAD" else body)


def accept(
    request: Request, subprotocol: str | None, headers: Sequence[tuple[str, str]] = ()
) -> bytes:
    """The bytes of the 101 that accepts a request (RFC 6455, section 4.2.2)."""
    key = request.headers["Sec-WebSocket-Key"].encode()
    # The GUID's digest proves that the request was read, nothing more.
    digest = b64encode(sha1(key + _GUID, usedforsecurity=False).digest())
    fields = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", digest.decode()),
    ]
    if subprotocol is not None:
        fields.append(("Sec-WebSocket-Protocol", subprotocol))
    return _serialize(101, [*fields, *headers])


def _serialize(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status} {_phrase(status)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _phrase(status: int) -> str:
    return _PHRASES.get(status, "Unknown")


def check(request: Request, origins: Sequence[str] | None = None) -> None:
    """Refuse a request that doesn't open a WebSocket.

    Args:
        request: The request.
        origins: The origins that may connect (RFC 6455, section 10.2);
            ``None`` for any.

    Raises:
        HandshakeError: With the status that it gets.
    """
    headers = request.headers
    _check_no_body(headers)
    _check_upgrade(headers)
    _check_version_and_key(headers)
    _check_subprotocols(headers, request.subprotocols)
    _check_extensions(headers)
    _only("Origin", headers)
    if origins is not None and request.origin not in origins:
        raise HandshakeError(403, "origin is not allowed")


def _bad(reason: str) -> HandshakeError:
    return HandshakeError(400, reason)


def _only(name: str, headers: Headers) -> str | None:
    """The value of a field that must not be repeated, or ``None``."""
    values = headers.all(name)
    if len(values) > 1:
        raise _bad(f"more than one {name}")
    return values[0] if values else None


def _check_no_body(headers: Headers) -> None:
    lengths = headers.all("Content-Length")
    if "Transfer-Encoding" in headers or lengths not in ([], ["0"]):
        raise _bad("request has a body")


def _check_upgrade(headers: Headers) -> None:
    protocols = elements(headers.get("Upgrade") or "")
    for protocol in protocols:
        name, slash, version = protocol.partition("/")
        if not is_token(name) or (slash and not is_token(version)):
            raise _bad("malformed Upgrade")
    if "websocket" not in map(str.lower, protocols):
        raise HandshakeError(426, "this is a WebSocket", (("Upgrade", "websocket"),))
    options = elements(headers.get("Connection") or "")
    if not all(map(is_token, options)) or "upgrade" not in map(str.lower, options):
        raise _bad("Connection is not Upgrade")


def _check_version_and_key(headers: Headers) -> None:
    version = _only("Sec-WebSocket-Version", headers)
    if version is not None and "," in version:
        raise _bad("more than one Sec-WebSocket-Version")
    if version != "13":
        # Section 4.4.
        raise HandshakeError(
            426,
            "Sec-WebSocket-Version is not 13",
            (("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")),
        )
    key = _only("Sec-WebSocket-Key", headers)
    # 16 bytes in base64; what its last bits say is not looked at.
    if key is None or not (
        len(key) == 24 and key.endswith("==") and _BASE64.issuperset(key[:22])
    ):
        raise _bad("Sec-WebSocket-Key is not 16 bytes in base64")


def _check_subprotocols(headers: Headers, offered: Sequence[str]) -> None:
    if "Sec-WebSocket-Protocol" not in headers:
        return
    if not offered or not all(map(is_token, offered)):
        raise _bad("malformed Sec-WebSocket-Protocol")
    if len(set(offered)) != len(offered):
        # Section 4.1, point 10.
        raise _bad("subprotocol offered twice")


def _check_extensions(headers: Headers) -> None:
    """Section 9.1; none is accepted, but an offer has to be well formed."""
    text = headers.get("Sec-WebSocket-Extensions")
    if text is None:
        return
    offers = elements(text)
    if not offers or not all(map(_is_extension, offers)):
        raise _bad("malformed Sec-WebSocket-Extensions")


def _is_extension(text: str) -> bool:
    name, *parameters = (part.strip(" \t") for part in text.split(";"))
    return is_token(name) and all(map(_is_parameter, parameters))


def _is_parameter(text: str) -> bool:
    name, equals, value = text.partition("=")
    value = value.strip(" \t")
    if value[:1] == value[-1:] == '"':
        # What is quoted has to be a token once unquoted.
        value = _unquote(value[1:-1])
    return is_token(name.strip(" \t")) and (not equals or is_token(value))


def _unquote(text: str) -> str:
    characters = iter(text)
    return "".join(
        next(characters, " ") if character == "\\" else character
        for character in characters
    )


def choose_subprotocol(request: Request, ours: Sequence[str]) -> str | None:
    """The first of ours that the client offers, or ``None``."""
    return next((name for name in ours if name in request.subprotocols), None)
