"""What the targets of fuzzing say of inputs that are known, and of what is broken."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

from fuzz.inputs import MODULES, generated, keep, kept
from fuzz.protocol import Application
from txws_simple.connection import Connection
from txws_simple.frames import Decoder
from txws_simple.request import RequestParser


@pytest.fixture(autouse=True)
def ledger() -> None:
    """A target keeps its own, and one that is kept beside it would be in its way."""


@pytest.fixture(autouse=True)
def nothing_old() -> Iterator[None]:
    """Collecting what a connection leaves takes no time for all else."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def check_all(module: str) -> None:
    check: Callable[[bytes], None] = import_module(f"fuzz.{module}").check
    for data in (b"", b"\0", *generated(module), *kept(module)):
        check(data)


@pytest.mark.parametrize("module", MODULES)
def test_known_inputs(module: str) -> None:
    """What is generated, and what was found in long runs."""
    assert len(generated(module)) > 100 and len(kept(module)) > 50
    check_all(module)


@pytest.mark.parametrize("module", MODULES)
def test_inputs_are_kept_as_they_are(
    module: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr("fuzz.inputs._CORPUS", tmp_path)
    keep(module, [b"\x81\x80\r\n'\"\\", b"", b"\0"])
    assert kept(module) == [b"", b"\0", b"\x81\x80\r\n'\"\\"]


def _forgetful(receive: Any) -> Any:
    """As it was, but without the second frame of a segment."""
    return lambda self, data, start=0: receive(self, data, start)[:1]


@pytest.mark.parametrize(
    ("module", "broken", "name", "by"),
    [
        ("request", RequestParser, "receive", lambda self, data: None),
        ("decoder", Decoder, "receive", _forgetful(Decoder.receive)),
        ("decoder", Connection, "answer", lambda self: []),
        ("protocol", Connection, "answer", lambda self: self.close(1002)),
        ("protocol", Connection, "answer", lambda self: self.close(1013)),
        ("protocol", Connection, "pong", lambda self, data: [data]),
        ("protocol", Connection, "pong", lambda self, data: self.close(1000)),
        ("protocol", Connection, "receive", lambda self, data: 1 // 0),
        ("protocol", Application, "failing", lambda self, peer: 1 // 0),
    ],
)
def test_what_is_wrong_is_found(
    module: str, broken: type, name: str, by: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broken, name, by)
    with pytest.raises((AssertionError, ZeroDivisionError)):
        check_all(module)
