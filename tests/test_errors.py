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


def test_an_end_says_its_code() -> None:
    assert str(ConnectionClosed(4000)) == "4000"
    assert str(ConnectionClosed(4000, "why")) == "4000 'why'"
    assert repr(ConnectionClosed(4000, "why")) == "ConnectionClosed(4000, 'why')"
    assert (PongTimeout().code, CloseTimeout().code, BufferOverrun(9).code) == (
        1011,
        1006,
        1006,
    )
