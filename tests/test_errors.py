"""The exceptions: what they carry, and what they say."""

from __future__ import annotations

import txws_simple
from txws_simple.errors import (
    BufferOverrun,
    CloseTimeout,
    ConnectionClosed,
    HandshakeError,
    PongTimeout,
    WebSocketError,
)


def test_all_have_one_base() -> None:
    for name in txws_simple.errors.__all__:
        assert issubclass(getattr(txws_simple.errors, name), WebSocketError)


def test_a_refusal_says_its_status() -> None:
    error = HandshakeError(405, "method is not GET", (("Allow", "GET"),))
    assert str(error) == "405 method is not GET"
    assert (error.status, error.headers) == (405, (("Allow", "GET"),))


def test_a_refusal_writes_no_line_of_its_own() -> None:
    """Its reason may be an application's, with something of the request in it."""
    error = HandshakeError(403, "no\n\x1b[0mb\x85")
    assert str(error) == r"403 'no\n\x1b[0mb\x85'"
    assert error.reason == "no\n\x1b[0mb\x85"


def test_an_end_says_its_code() -> None:
    assert str(ConnectionClosed(4000)) == "4000"
    assert str(ConnectionClosed(4000, "why")) == "4000 'why'"
    assert repr(ConnectionClosed(4000, "why")) == "ConnectionClosed(4000, 'why')"
    assert (PongTimeout().code, CloseTimeout().code, BufferOverrun(9).code) == (
        1011,
        1006,
        1006,
    )
