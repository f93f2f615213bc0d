"""The documentation's word on the tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def names(path: Path) -> set[str]:
    """The tests of a file: functions, and methods of classes behind their class."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            inner = (part for part in node.body if isinstance(part, ast.FunctionDef))
            found |= {f"{node.name}::{part.name}" for part in inner}
    return found


def missing(text: str) -> list[str]:
    """The tests that a page names and that there are not."""
    named = re.findall(r"``(tests/[\w/]+\.py)::([\w:]+)``", text)
    assert named, "the page names no test"
    return [f"{file}::{test}" for file, test in named if test not in names(ROOT / file)]


def test_each_test_that_a_page_names_is_there() -> None:
    for page in ("security",):
        text = (ROOT / "docs" / f"{page}.rst").read_text(encoding="utf-8")
        assert missing(text) == []


def test_a_missing_one_is_seen() -> None:
    assert missing("``tests/test_docs.py::test_none``") != []
