"""Words that the tests share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from txws_simple.errors import HandshakeError
from txws_simple.frames import Opcode, encode
from txws_simple.handshake import Response, accept, check, choose_subprotocol
from txws_simple.request import Request, RequestParser

T = TypeVar("T")

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
# Those of a connection where nothing else is said.
LIMITS = {"max_line_size": 8192, "max_header_lines": 100, "max_request_size": 16384}


def request(
    line: str = "GET /chat HTTP/1.1",
    *,
    without: tuple[str, ...] = (),
    extra: tuple[str, ...] = (),
    **fields: str,
) -> bytes:
    """A valid request, but for what is said.

    Args:
        line: The request line.
        without: Names of headers to leave out.
        extra: Whole header lines to add at the end, not encoded further.
        **fields: Values in place of the usual ones, ``_`` standing for ``-``.
    """
    headers = {
        "Host": "example.com",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
    }
    headers.update({name.replace("_", "-"): value for name, value in fields.items()})
    lines = [line]
    lines += [
        f"{name}: {value}" for name, value in headers.items() if name not in without
    ]
    lines += extra
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def client_frame(
    opcode: Opcode, data: bytes = b"", fin: bool = True, key: bytes | None = None
) -> bytes:
    """A frame as a client sends it, masked."""
    key = os.urandom(4) if key is None else key
    return b"".join(encode(opcode, data, fin, key))


def server_frame(opcode: Opcode, data: bytes = b"", fin: bool = True) -> bytes:
    """A frame as a server sends it, not masked."""
    return b"".join(encode(opcode, data, fin))


def every_split(data: bytes) -> Iterator[list[bytes]]:
    """The data whole, byte by byte, and cut in two at every offset."""
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    for cut in range(1, len(data)):
        yield [data[:cut], data[cut:]]


def in_segments(data: bytes, size: int) -> list[bytes]:
    """The data in pieces of this size, the last one as it comes."""
    return [data[start : start + size] for start in range(0, len(data), size)]


def some_splits(data: bytes, limits: tuple[int, ...]) -> Iterator[list[bytes]]:
    """As `every_split`, for what is large: 200 cuts, and those around the limits.

    A limit counts from the beginning of all, and of the last line.
    """
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    line = data.rstrip(b"\r\n").rfind(b"\n") + 1
    marks = (line, len(data), *limits, *(line + limit for limit in limits))
    cuts = {mark + i for mark in marks for i in range(-3, 4)}
    for cut in sorted(cuts | set(range(0, len(data), len(data) // 200))):
        if 0 < cut < len(data):
            yield [data[:cut], data[cut:]]


def same_outcome(
    data: bytes,
    outcome: Callable[[list[bytes]], T],
    splits: Iterable[list[bytes]] | None = None,
) -> T:
    """What ``outcome`` gives for every split of the data, the same for each."""
    first: Any = None
    for number, segments in enumerate(splits or every_split(data)):
        result = outcome(segments)
        if number == 0:
            first = result
        assert result == first, (len(segments), segments[0][-20:], result, first)
    return first


def parse(data: bytes) -> Request:
    """The request, which is all there, as it was parsed."""
    result = RequestParser(**LIMITS).receive(data)
    assert result is not None
    return result


class Answer(NamedTuple):
    """What a request got, and what came behind it."""

    status: int
    headers: dict[str, str]
    body: str
    rest: bytes


def answer(
    segments: Iterable[bytes],
    *,
    origins: Sequence[str] | None = None,
    subprotocols: Sequence[str] = (),
    **limits: int,
) -> Answer | None:
    """The answer to a request that arrives in segments; ``None`` for none yet."""
    parser = RequestParser(**{**LIMITS, **limits})
    arriving = iter(segments)
    for segment in arriving:
        try:
            found = parser.receive(segment)
            if found is None:
                continue
            check(found, origins)
        except HandshakeError as error:
            refusal = Response(error.status, error.headers, error.reason)
            return parse_answer(refusal.refusal(parser.method))
        accepted = accept(found, choose_subprotocol(found, subprotocols))
        return parse_answer(accepted, parser.rest + b"".join(arriving))
    return None


def parse_answer(raw: bytes, rest: bytes = b"") -> Answer:
    """A complete response, taken apart."""
    head, _, body = raw.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    version, status, _ = first.split(" ", 2)
    assert version == "HTTP/1.1"
    headers = dict(line.split(": ", 1) for line in lines)
    assert len(headers) == len(lines), "a header twice"
    return Answer(int(status), headers, body, rest)


Row = tuple[bytes, int, dict[str, str]]


def gets(status: int, data: bytes, **headers: str) -> Row:
    """A row of a table: the status for a request, and the headers with it.

    Those that come with each refusal or acceptance need not be named.
    """
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return data, status, named


def assert_answer(row: Row, **options: Any) -> None:
    """The request gets just this, however it is cut."""
    data, status, headers = row
    splits = None if len(data) < 1000 else some_splits(data, (8192, 16384))
    result = same_outcome(data, partial(answer, **options), splits)
    assert result is not None, "no answer"
    assert result.status == status, result
    if status == 101:
        usual = {"Upgrade": "websocket", "Connection": "Upgrade"}
        usual["Sec-WebSocket-Accept"] = ACCEPT
        assert result.headers == {**usual, **headers}, result
        assert result.body == ""
        return
    usual = {"Content-Type": "text/plain; charset=utf-8", "Connection": "close"}
    usual["Content-Length"] = str(len(result.body))
    assert result.headers == {**usual, **headers}, result
    assert result.body.isascii() and result.body.count("\n") == 1
    assert result.body.endswith("\n") and result.body.strip()
