"""Words that the tests share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from txws_simple.frames import Opcode, encode

T = TypeVar("T")

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


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


def same_outcome(data: bytes, outcome: Callable[[list[bytes]], T]) -> T:
    """What ``outcome`` gives for every split of the data, the same for each."""
    first: Any = None
    for number, segments in enumerate(every_split(data)):
        result = outcome(segments)
        if number == 0:
            first = result
        assert result == first, (len(segments), segments[0][-20:], result, first)
    return first
