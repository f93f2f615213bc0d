"""Which tests run a line, and how long they take."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from time import process_time
from types import FrameType
from typing import Any, Protocol

__all__ = ["Coverage", "Lines", "Seconds", "Witness", "span"]

#: For each module, and each line of it that is run, the tests that do.
Tests = dict[str, dict[int, list[str]]]


class Witness(Protocol):
    """Sees each test, and keeps what there is to say of it."""

    seen: Any

    def begin(self, test: str) -> None:
        """This test begins."""

    def end(self, test: str) -> None:
        """It has passed."""


class Seconds:
    """How long each test takes."""

    def __init__(self) -> None:
        self.seen: dict[str, float] = {}

    def begin(self, test: str) -> None:
        self.seen[test] = -process_time()

    def end(self, test: str) -> None:
        self.seen[test] += process_time()


class Lines:
    """Which lines each test runs.

    Args:
        modules: The name of each module to look at, by its path.
    """

    def __init__(self, modules: dict[str, str]) -> None:
        self._modules = modules
        self._test = ""
        self.seen: Tests = {module: {} for module in modules.values()}

    def begin(self, test: str) -> None:
        self._test = test
        self._before = sys.gettrace()
        sys.settrace(self._trace)

    def end(self, test: str) -> None:
        sys.settrace(self._before)

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        is_ours = frame.f_code.co_filename in self._modules
        return self._note(frame, event, argument) if is_ours else None

    def _note(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        lines = self.seen[self._modules[frame.f_code.co_filename]]
        tests = lines.setdefault(frame.f_lineno, [])
        if not tests or tests[-1] != self._test:
            tests.append(self._test)
        return self._note


class Coverage:
    """What was seen of the tests as they are."""

    def __init__(self, seconds: dict[str, float], lines: Tests) -> None:
        self._seconds = seconds
        self._lines = lines

    def tests(self, module: str, lines: range) -> list[str]:
        """Those that run any of these lines: one of each function, then another ...

        Of those, the quickest first.
        """
        covered = self._lines[module]
        found = {test for line in lines for test in covered.get(line, ())}
        turns: Counter[str] = Counter()
        order: list[tuple[int, float, str]] = []
        for test in sorted(found, key=lambda test: (self._seconds[test], test)):
            function, _, _ = test.partition("[")
            order.append((turns[function], self._seconds[test], test))
            turns[function] += 1
        return [test for _, _, test in sorted(order)]


def span(source: str, line: int) -> range:
    """The lines of the statement at a line, or of its head if it has a body.

    A function's head stands for the whole of it, and what is outside of all functions
    for the whole module.
    """
    around = list(_statements_at(ast.parse(source), line))
    if not any(isinstance(node, ast.FunctionDef) for node in around):
        return range(1, source.count("\n") + 2)
    inner: Any = around[-1]
    end = inner.end_lineno
    if not isinstance(inner, ast.FunctionDef) and hasattr(inner, "body"):
        end = max(inner.lineno, inner.body[0].lineno - 1)
    return range(inner.lineno, end + 1)


def _statements_at(tree: ast.Module, line: int) -> Iterator[ast.stmt]:
    """Those around a line, the outer ones first."""
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0):
            yield node
