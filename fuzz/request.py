"""Target: the request of the handshake, parsed, judged and answered.

Input: a byte of choices, the size of the segments (0: all in one), what arrives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tests.helpers import LIMITS, parse_answer
from txws_simple.errors import HandshakeError
from txws_simple.handshake import Response, accept, choose_subprotocol
from txws_simple.handshake import check as judge
from txws_simple.request import Request, RequestParser

from .pieces import pieces

#: All that the documentation names.
STATUSES = {400, 403, 405, 414, 426, 431, 505}

_LOW = {"max_line_size": 64, "max_header_lines": 6, "max_request_size": 256}


class Outcome(NamedTuple):
    """What became of a request.

    Attributes:
        status: That of the answer; 0 while the request is not whole.
        answer: The bytes of the answer.
        rest: What came behind the request.
    """

    status: int
    answer: bytes = b""
    rest: bytes = b""


def check(data: bytes) -> None:
    """However it is cut, it gets the same answer, one of those documented."""
    choices, size, stream = data[0:1], data[1:2], data[2:]
    limits = _LOW if choices and choices[0] & 1 else LIMITS
    origins = ["http://example.com"] if choices and choices[0] & 2 else None
    whole = _outcome([stream], limits, origins)
    assert _outcome(pieces(stream, size), limits, origins) == whole
    if whole.status == 0:
        assert len(stream) <= limits["max_request_size"], "more is kept than may be"
    elif whole.status == 101:
        _check_accepted(stream, whole, limits)
    else:
        _check_refused(whole)


def _outcome(
    segments: list[bytes], limits: dict[str, int], origins: Sequence[str] | None
) -> Outcome:
    parser = RequestParser(**limits)
    for number, segment in enumerate(segments):
        try:
            request = parser.receive(segment)
            if request is None:
                continue
            judge(request, origins)
        except HandshakeError as error:
            refusal = Response(error.status, error.headers, error.reason)
            return Outcome(error.status, refusal.refusal(parser.method))
        rest = parser.rest + b"".join(segments[number + 1 :])
        return Outcome(101, _accept(request), rest)
    return Outcome(0)


def _accept(request: Request) -> bytes:
    assert request.path.startswith("/")
    assert (request.path + request.query).isascii()
    assert (request.path + request.query).isprintable()
    subprotocol = choose_subprotocol(request, ["chat", "superchat"])
    assert subprotocol is None or subprotocol in request.subprotocols
    return accept(request, subprotocol)


def _check_accepted(stream: bytes, outcome: Outcome, limits: dict[str, int]) -> None:
    answer = parse_answer(outcome.answer)
    assert answer.status == 101 and answer.body == ""
    assert len(answer.headers["Sec-WebSocket-Accept"]) == 28
    assert stream.endswith(outcome.rest)
    request = stream[: len(stream) - len(outcome.rest)]
    assert request.endswith(b"\r\n\r\n")
    assert len(request) <= limits["max_request_size"]


def _check_refused(outcome: Outcome) -> None:
    assert outcome.status in STATUSES, outcome
    answer = parse_answer(outcome.answer)
    assert answer.status == outcome.status
    assert answer.headers["Connection"] == "close"
    assert answer.body.isascii() and answer.body.count("\n") <= 1
