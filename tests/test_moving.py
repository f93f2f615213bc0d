"""The programs of ``docs/moving/``: those after the move run, those before compile.

What those before do is seen by ``tests/moving/before.py``.
"""

from __future__ import annotations

import sys

import pytest

from .moving import MOVES, PROGRAMS, run


def test_each_program_is_checked() -> None:
    names = {f"from_{name}_{when}.py" for name in MOVES for when in ("before", "after")}
    assert {path.name for path in PROGRAMS.glob("*.py")} == names


@pytest.mark.parametrize("name", MOVES)
def test_before(name: str) -> None:
    """It is Python, whatever else it needs."""
    path = PROGRAMS / f"from_{name}_before.py"
    compile(path.read_text(encoding="utf-8"), path, "exec")


@pytest.mark.parametrize("name", MOVES)
def test_after(name: str) -> None:
    assert run(sys.executable, name, "after") == MOVES[name].after
