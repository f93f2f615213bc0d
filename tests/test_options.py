"""The limits and choices."""

from __future__ import annotations

import dataclasses

import pytest

from txws_simple.options import Keywords, Options


def test_defaults_are_finite() -> None:
    for field in dataclasses.fields(Options):
        if field.name not in ("origins", "subprotocols", "on_request", "clock"):
            assert 0 < getattr(Options(), field.name) < float("inf"), field.name


def test_keywords_are_the_options() -> None:
    """What type checkers see is what there is."""
    options = {field.name: field.type for field in dataclasses.fields(Options)}
    frequency = options.pop("ping_frequency")
    assert frequency == "float | None"
    assert {
        k: t.__forward_arg__ for k, t in Keywords.__annotations__.items()
    } == options


@pytest.mark.parametrize(
    "options",
    [
        {"max_frame_size": 0},
        {"max_frame_size": -1},
        {"max_frame_size": None},
        {"max_frame_size": "1"},
        {"max_buffered": float("inf")},
        {"max_frame_size": 1e6},
        {"max_frame_size": 1 << 64},
        {"open_timeout": float("nan")},
        {"ping_frequency": 0},
        {"origins": "https://a.example"},
        {"origins": ["a.example"]},
        {"origins": ["https://a.example/"]},
        {"origins": ["https://a.example", "HTTPS://b.example"]},
        {"origins": ["https://A.example"]},
        {"origins": ["https://a.example,https://b.example"]},
        {"origins": ["://a.example"]},
        {"origins": ["a://b?c"]},
        {"origins": ["a://b c"]},
        {"origins": [""]},
        {"subprotocols": "chat"},
        {"subprotocols": ["a b"]},
        {"subprotocols": [""]},
    ],
)
def test_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(options)).rstrip("s")):
        Options(**options)  # type: ignore[arg-type]


def test_boundless() -> None:
    options = Options(ping_frequency=None, max_message_size=None, max_fragments=None)
    assert options.max_fragments is None


def test_origins() -> None:
    """All forms in which a browser sends them."""
    origins = ["https://a.example", "http://[::1]:8080", "null", "app://x-y", "file://"]
    assert Options(origins=origins).origins == origins
    assert Options(origins=[]).origins == []
