"""The mutants of a module: its source with one small mistake in it each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import libcst as cst
from mutmut.mutation.mutators import mutation_operators, operator_assignment

from .mutant import Mutant

__all__ = ["mutants"]

_Node = cst.CSTNode
_Operator = tuple[type[_Node], Callable[[Any], Iterable[_Node]]]


def _without_call(statement: cst.Expr) -> Iterator[_Node]:
    """``call()`` -> nothing."""
    if isinstance(statement.value, cst.Call):
        yield cst.Pass()


def _negated(branch: cst.If | cst.While) -> Iterator[_Node]:
    """``if test`` -> ``if not test``, where no other operator reaches it."""
    if isinstance(branch.test, cst.Name | cst.Attribute | cst.Call):
        yield branch.with_changes(test=cst.UnaryOperation(cst.Not(), branch.test))


def _assigned(statement: cst.Assign | cst.AnnAssign) -> Iterable[_Node]:
    """``a = b`` -> ``a = None``; but in place of ``False`` that would be no mistake."""
    if isinstance(statement.value, cst.Name) and statement.value.value == "False":
        return ()
    return operator_assignment(statement)


_OPERATORS: list[_Operator] = [
    *(pair for pair in mutation_operators if pair[1] is not operator_assignment),
    (cst.Assign, _assigned),
    (cst.AnnAssign, _assigned),
    (cst.Expr, _without_call),
    (cst.If, _negated),
    (cst.While, _negated),
]

#: What says something to a type checker only, or is evaluated by it.
_SKIPPED = (cst.Annotation, cst.Decorator, cst.Import, cst.ImportFrom)

#: Of these calls, other arguments are never a mistake that could pass.
_KEPT_CALLS = ("len", "isinstance")


class _Visitor(cst.CSTVisitor):
    """Finds what could be changed, and how."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, _Node, _Node]] = []
        self._scope: list[str] = []

    def on_visit(self, node: _Node) -> bool:
        if isinstance(node, _SKIPPED) or self._is_for_types(node):
            return False
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self._scope.append(node.name.value)
        if not _is_kept(node):
            for kind, operator in _OPERATORS:
                if isinstance(node, kind):
                    place = ".".join(self._scope)
                    self.found += [(place, node, other) for other in operator(node)]
        return True

    def on_leave(self, original_node: _Node) -> None:
        if isinstance(original_node, cst.FunctionDef | cst.ClassDef):
            self._scope.pop()

    def _is_for_types(self, node: _Node) -> bool:
        """An assignment that is no constant: an alias, or ``__all__``."""
        if isinstance(node, cst.AnnAssign):
            target = node.target
        elif isinstance(node, cst.Assign):
            target = node.targets[0].target
        else:
            return False
        if not isinstance(target, cst.Name):
            return False
        if isinstance(node.value, cst.Call) and _called(node.value) == "TypeVar":
            return True
        is_constant = target.value.isupper() or bool(self._scope)
        return target.value.startswith("__") or not is_constant


def _is_kept(node: _Node) -> bool:
    return isinstance(node, cst.Call) and _called(node) in _KEPT_CALLS


def _called(call: cst.Call) -> str | None:
    return call.func.value if isinstance(call.func, cst.Name) else None


def mutants(module: str, source: str) -> list[Mutant]:
    """All mutants of a module with this source."""
    tree = cst.parse_module(source)
    visitor = _Visitor()
    tree.visit(visitor)
    made: list[Mutant] = []
    same: Counter[tuple[str, str, str]] = Counter()
    for place, node, other in visitor.found:
        mutated = tree.deep_replace(node, other)
        assert isinstance(mutated, cst.Module)
        line, before, after = _difference(source, mutated.code)
        if before == after:
            continue
        same[place, before, after] += 1
        number = same[place, before, after]
        made.append(
            Mutant(module, place, before, after, number, line, source, mutated.code)
        )
    return made


def _difference(source: str, mutated: str) -> tuple[int, str, str]:
    """The number of the first line that differs, and the lines, before and after."""
    before, after = source.splitlines(), mutated.splitlines()
    start = 0
    while before[start : start + 1] == after[start : start + 1] != []:
        start += 1
    while len(before) > start < len(after) and before[-1] == after[-1]:
        before.pop()
        after.pop()
    return start + 1, _joined(before[start:]), _joined(after[start:])


def _joined(lines: list[str]) -> str:
    return " ".join(line.strip() for line in lines)
