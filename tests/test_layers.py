"""The layers: who imports whom, as the sources say it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "txws_simple"

#: What each module may import of the package.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "vocabulary": {"errors"},
    "_pure": {"errors", "vocabulary"},
    "codec": {"_pure", "_speedups", "vocabulary"},
    "frames": {"codec", "errors", "vocabulary"},
    "headers": set(),
    "request": {"errors", "headers"},
    "handshake": {"errors", "headers", "request"},
    "passage": {"errors", "vocabulary"},
    "connection": {"errors", "frames", "passage"},
    "messages": {"frames"},
    "options": {"headers", "request"},
    "deferreds": set(),
    "interfaces": {"frames"},
    "counters": set(),
    "ending": set(),
    "unread": {"frames"},
    "outbox": {"deferreds", "interfaces"},
    "readers": {"deferreds", "errors", "frames", "outbox", "unread"},
    "inbox": {"deferreds", "frames", "outbox", "readers", "unread"},
    "outlet": {"interfaces"},
    "pinger": {"deferreds"},
    "reading": set(),
    "session": {
        *("connection", "counters", "ending", "errors", "frames", "inbox"),
        *("interfaces", "options", "outbox", "pinger", "reading"),
    },
    "peer": {
        *("counters", "deferreds", "errors", "frames", "interfaces", "messages"),
        *("options", "request", "session"),
    },
    "opening": {"errors", "handshake", "outlet", "request", "session"},
    "events": {"handshake", "peer", "request"},
    "draining": {"deferreds", "events", "frames", "handshake", "peer", "request"},
    "protocol": {
        *("counters", "draining", "errors", "events", "frames"),
        *("handshake", "interfaces", "opening", "options", "outlet"),
        *("peer", "pinger", "request", "session"),
    },
    "below": {"peer"},
    "outgoing": {"frames", "messages", "peer"},
    "reasons": {"errors", "frames", "peer"},
    "stream": {"below", "errors", "frames", "outgoing", "peer", "pinger", "reasons"},
    "wrapping": {
        *("frames", "handshake", "options", "peer", "protocol", "request", "stream"),
    },
    "limits": {"frames", "options", "peer", "pinger"},
    "policies": {
        *("handshake", "limits", "options", "peer", "protocol", "request"),
    },
    "routing": {"handshake", "peer", "request"},
    "serving": {"draining", "protocol"},
    "prometheus": {"counters", "protocol"},
    "commands": {"options", "protocol", "serving"},
    "service": {"commands", "protocol"},
    "endpoint": {"wrapping"},
    "proxy": {"commands", "frames", "wrapping"},
    "memory": set(),
    "turns": {"connection", "frames", "headers", "leftovers", "memory"},
    "leftovers": {"peer"},
    "testing": {"frames", "leftovers", "messages", "peer", "protocol", "turns"},
    "__init__": {
        *("counters", "deferreds", "draining", "errors", "frames", "handshake"),
        *("headers", "interfaces", "options", "peer", "protocol", "request"),
        *("routing", "serving"),
    },
}

#: The core, without I/O: it works without Twisted.
CORE = (
    *("errors", "vocabulary", "_pure", "codec", "_speedups", "passage", "frames"),
    *("headers", "request", "handshake", "connection", "messages", "options"),
)


class Import(NamedTuple):
    """One import, wherever in a module it stands.

    Attributes:
        name: Whole, as in ``twisted.internet.defer`` or ``txws_simple.frames``.
        for_types: Whether it is there for a type checker only.
    """

    name: str
    for_types: bool

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]


def imports(source: str) -> Iterator[Import]:
    """All imports of a module, those inside of functions among them."""
    tree = ast.parse(source)
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        for name in _names(node):
            yield Import(name, id(node) in for_types)


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    if not node.level:
        # "from package import module" names a module, too.
        own = node.module == PACKAGE
        return (
            [f"{PACKAGE}.{a.name}" for a in node.names] if own else [str(node.module)]
        )
    if node.module is None:
        return [f"{PACKAGE}.{alias.name}" for alias in node.names]
    return [f"{PACKAGE}.{node.module}"]


def source(module: str) -> str:
    return (ROOT / PACKAGE / f"{module}.py").read_text(encoding="utf-8")


def arrows(module: str) -> set[str]:
    """The modules of the package that this one imports."""
    names = {found.name for found in imports(source(module)) if found.top == PACKAGE}
    return {name.partition(".")[2].partition(".")[0] or "__init__" for name in names}


modules = pytest.mark.parametrize("module", MAY_IMPORT)


def test_every_module_has_its_place() -> None:
    """A new file says what it may import, here."""
    files = {path.stem for path in (ROOT / PACKAGE).rglob("*.py")}
    assert files == set(MAY_IMPORT)


@modules
def test_a_module_imports_what_it_may(module: str) -> None:
    """Of the package, nothing but what its duty needs."""
    assert arrows(module) <= MAY_IMPORT[module]


def test_no_import_leads_back() -> None:
    """Arrows point one way: the table is followed, and has no cycle."""
    for graph in (MAY_IMPORT, {module: arrows(module) for module in MAY_IMPORT}):
        order = list(TopologicalSorter(graph).static_order())
        assert order.index("errors") < order.index("connection") < order.index("peer")


@pytest.mark.parametrize("module", [name for name in CORE if name != "_speedups"])
def test_the_core_knows_no_twisted(module: str) -> None:
    """Neither Twisted nor zope, but that `options` names a type for a checker."""
    found = [found for found in imports(source(module)) if found.top != PACKAGE]
    if module == "options":
        found = [each for each in found if not each.for_types]
    assert {each.top for each in found} <= sys.stdlib_module_names


@pytest.mark.parametrize("module", [name for name in CORE if name != "_speedups"])
def test_the_core_stands_on_itself(module: str) -> None:
    """What the core imports is of the core."""
    assert arrows(module) <= set(CORE)


@modules
def test_nobody_imports_the_top(module: str) -> None:
    """The protocol is for what is built upon it, and that for nobody."""
    above = {"__init__", "commands", "endpoint", "policies", "prometheus", "protocol"}
    above |= {"proxy", "service", "serving", "testing", "wrapping"}
    between = {"commands", "protocol", "serving", "wrapping"}
    allowed = between if module in above else set()
    assert arrows(module) & above <= allowed


@modules
def test_nothing_else_is_needed(module: str) -> None:
    """At run time: the standard library, Twisted and zope.interface."""
    found = {
        each.name if each.top == "zope" else each.top
        for each in imports(source(module))
        if not each.for_types
    }
    own = {PACKAGE, "twisted", "zope.interface"}
    if module == "prometheus":  # an extra
        own.add("prometheus_client")
    assert found - sys.stdlib_module_names <= own


@modules
def test_no_import_by_another_way(module: str) -> None:
    """No name is imported that can't be read off the source."""
    names = {
        node.id
        for node in ast.walk(ast.parse(source(module)))
        if type(node) is ast.Name
    }
    assert not names & {"__import__", "import_module", "importlib"}


def test_the_plugin_imports_nothing_of_the_library() -> None:
    """twistd reads every plugin at each start: it has to be cheap."""
    look = (
        "import sys, twisted.plugins.txws_simple_plugin as plugin;"
        "print(plugin.ws.prefix, [m for m in sys.modules if m.startswith('txws_')])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, check=True
    )
    assert shown.stdout == b"ws []\n"


def test_the_plugins_are_no_package() -> None:
    """Beside an ``__init__.py`` Twisted's own plugins would be hidden."""
    assert not list((ROOT / "twisted").rglob("__init__.py"))


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("import twisted.internet.defer as d, os", ["twisted.internet.defer", "os"]),
        ("from twisted.internet import defer", ["twisted.internet"]),
        ("from .frames import Frame", ["txws_simple.frames"]),
        ("from . import frames, errors", ["txws_simple.frames", "txws_simple.errors"]),
        ("from txws_simple import frames", ["txws_simple.frames"]),
        ("from txws_simple.frames import Frame", ["txws_simple.frames"]),
        ("def f():\n    from .peer import x", ["txws_simple.peer"]),
    ],
)
def test_the_walk_sees_every_import(line: str, names: list[str]) -> None:
    """Each way to write one, wherever it stands."""
    assert [found.name for found in imports(line)] == names


def test_the_walk_tells_types_apart() -> None:
    """What stands under TYPE_CHECKING is not imported; its else branch is."""
    line = "if TYPE_CHECKING:\n    import a\nelse:\n    import b\n"
    assert list(imports(line)) == [Import("a", True), Import("b", False)]
