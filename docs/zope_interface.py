"""A directive that documents a zope interface: ``.. zope-interface:: package.IName``.

Everything is taken from the interface itself, so nothing can be missing: the
signatures, with their types, from its source, the rest from its docstrings.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from textwrap import indent
from typing import TYPE_CHECKING, Any

from sphinx.ext.napoleon.docstring import GoogleDocstring
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx


class ZopeInterface(SphinxDirective):
    """One interface, with all its attributes and methods, in their order."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Give the nodes of the interface."""
        module, _, name = self.arguments[0].rpartition(".")
        interface = getattr(import_module(module), name)
        source = import_module(interface.__module__).__file__
        if source is not None:
            self.env.note_dependency(source)
        text = "\n".join(self._lines(module, name, interface))
        return self.parse_text_to_nodes(text)

    def _lines(self, module: str, name: str, interface: Any) -> Iterator[str]:
        yield f".. py:class:: {name}"
        yield f"   :module: {module}"
        yield from self._body(interface.__doc__)
        source = _source(interface)
        for member in sorted(interface.names(), key=lambda name: source[name].lineno):
            yield f"   {_heading(member, source[member])}"
            body = self._body(interface[member].__doc__)
            yield from (f"   {line}" for line in body)

    def _body(self, docstring: str) -> Iterator[str]:
        text = inspect.cleandoc(docstring)
        yield ""
        yield from indent(str(GoogleDocstring(text, self.config)), "   ").splitlines()
        yield ""


def _source(interface: Any) -> dict[str, ast.stmt]:
    """The statement that defines each member."""
    module = ast.parse(inspect.getsource(import_module(interface.__module__)))
    members: dict[str, ast.stmt] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef) and node.name == interface.__name__:
            for statement in node.body:
                if isinstance(statement, ast.FunctionDef):
                    members[statement.name] = statement
                elif isinstance(statement, ast.Assign):
                    members[ast.unparse(statement.targets[0])] = statement
    return members


def _heading(name: str, statement: ast.stmt) -> str:
    """The directive that a member begins with."""
    if not isinstance(statement, ast.FunctionDef):
        return f".. py:attribute:: {name}"
    returns = f" -> {ast.unparse(statement.returns)}" if statement.returns else ""
    return f".. py:method:: {name}({ast.unparse(statement.args)}){returns}"


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directive known."""
    app.add_directive("zope-interface", ZopeInterface)
    return {"parallel_read_safe": True}
