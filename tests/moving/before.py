"""The programs before they moved in: ``python -m pytest tests/moving/before.py``.

They need the extra ``moving``; and for txWS, which does not run on a Python of today,
``$TXWS_PYTHON`` is one that has it.  The step ``moving`` of ``.ci/run`` makes both.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from . import MOVES, run


def python_for(name: str) -> str:
    if name != "txws":
        return sys.executable
    if "TXWS_PYTHON" not in os.environ:
        raise AssertionError("$TXWS_PYTHON: the path of a Python 2.7 with txWS")
    return os.environ["TXWS_PYTHON"]


@pytest.mark.parametrize("name", MOVES)
def test_before(name: str) -> None:
    assert run(python_for(name), name, "before") == MOVES[name].before


def test_txws_needs_an_array_of_long_ago() -> None:
    """Why it does not run on a Python of today."""
    code = "import array; array.array('B').tostring()"
    for python, status in ((python_for("txws"), 0), (sys.executable, 1)):
        assert subprocess.run([python, "-c", code], check=False).returncode == status
