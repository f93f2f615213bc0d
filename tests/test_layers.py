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
    "wrapping.below": {"peer"},
    "wrapping.outgoing": {"frames", "messages", "peer"},
    "wrapping.reasons": {"errors", "frames", "peer"},
    "wrapping.stream": {
        *("errors", "frames", "peer", "pinger"),
        *("wrapping.below", "wrapping.outgoing", "wrapping.reasons"),
    },
    "wrapping.factory": {
        *("frames", "handshake", "options", "peer", "protocol", "request"),
        "wrapping.stream",
    },
    "wrapping.endpoint": {"wrapping.factory"},
    "wrapping": {"wrapping.endpoint", "wrapping.factory", "wrapping.stream"},
    "limits": {"events", "frames", "options", "peer", "pinger"},
    "policies": {
        *("handshake", "limits", "options", "peer", "protocol", "request"),
    },
    "routing": {"handshake", "peer", "request"},
    "serving": {"draining", "protocol"},
    "prometheus": {"counters", "protocol"},
    "commands": {"peer", "policies", "protocol", "request", "serving"},
    "service": {"commands"},
    "proxy": {"commands", "frames", "wrapping"},
    "testing.memory": set(),
    "testing.ports": set(),
    "testing.leftovers": {"peer"},
    "testing.heard": {"connection", "frames", "headers"},
    "testing.waiting": set(),
    "testing.turns": {
        *("connection", "testing.heard", "testing.leftovers", "testing.memory"),
        "testing.waiting",
    },
    "testing.client": {
        *("frames", "headers", "messages", "testing.leftovers", "testing.ports"),
        "testing.turns",
    },
    "testing.connecting": {"peer", "protocol", "testing.client", "testing.leftovers"},
    "testing": {"testing.client", "testing.connecting"},
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


def imports(source: str, package: str = PACKAGE) -> Iterator[Import]:
    """All imports of a module of that package, those inside of functions among them."""
    tree = ast.parse(source)
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        for name in _names(node, package):
            yield Import(name, id(node) in for_types)


def _names(node: ast.AST, package: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    origin = [node.module] if node.module else []
    if node.level:
        above = package.split(".")
        origin = [*above[: len(above) - node.level + 1], *origin]
    # "from package import module" names a module, too.
    if origin == [PACKAGE] or not node.module:
        return [".".join([*origin, alias.name]) for alias in node.names]
    return [".".join(origin)]


def path(module: str) -> Path:
    base = ROOT.joinpath(PACKAGE, *module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def found(module: str) -> list[Import]:
    """What this module of the package imports."""
    file = path(module)
    package = ".".join(file.parent.relative_to(ROOT).parts)
    return list(imports(file.read_text(encoding="utf-8"), package))


def arrows(module: str) -> set[str]:
    """The modules of the package that this one imports."""
    names = {each.name for each in found(module) if each.top == PACKAGE}
    return {name.removeprefix(PACKAGE)[1:] or "__init__" for name in names}


modules = pytest.mark.parametrize("module", MAY_IMPORT)


def test_every_module_has_its_place() -> None:
    """A new file says what it may import, here."""
    files = set((ROOT / PACKAGE).rglob("*.py"))
    assert files == {path(module) for module in MAY_IMPORT}


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
    others = [each for each in found(module) if each.top != PACKAGE]
    if module == "options":
        others = [each for each in others if not each.for_types]
    assert {each.top for each in others} <= sys.stdlib_module_names


@pytest.mark.parametrize("module", [name for name in CORE if name != "_speedups"])
def test_the_core_stands_on_itself(module: str) -> None:
    """What the core imports is of the core."""
    assert arrows(module) <= set(CORE)


@modules
def test_nobody_imports_the_top(module: str) -> None:
    """The protocol is for what is built upon it, and that for nobody."""
    above = {"__init__", "commands", "policies", "prometheus", "protocol"}
    above |= {"proxy", "service", "serving", "testing", "wrapping"}
    between = {"commands", "policies", "protocol", "serving", "wrapping"}
    allowed = between if module.partition(".")[0] in above else set()
    assert arrows(module) & above <= allowed


@modules
def test_nothing_else_is_needed(module: str) -> None:
    """At run time: the standard library, Twisted and zope.interface."""
    needed = {
        each.name if each.top == "zope" else each.top
        for each in found(module)
        if not each.for_types
    }
    own = {PACKAGE, "twisted", "zope.interface"}
    if module == "prometheus":  # an extra
        own.add("prometheus_client")
    assert needed - sys.stdlib_module_names <= own


@modules
def test_no_import_by_another_way(module: str) -> None:
    """No name is imported that can't be read off the source."""
    names = {
        node.id
        for node in ast.walk(ast.parse(path(module).read_text(encoding="utf-8")))
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
    assert [each.name for each in imports(line)] == names


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("from .stream import x", "txws_simple.wrapping.stream"),
        ("from . import stream", "txws_simple.wrapping.stream"),
        ("from ..frames import Frame", "txws_simple.frames"),
        ("from .. import frames", "txws_simple.frames"),
    ],
)
def test_the_walk_knows_where_it_is(line: str, name: str) -> None:
    """In a folder, one dot more leads out of it."""
    assert [each.name for each in imports(line, "txws_simple.wrapping")] == [name]


def test_the_walk_tells_types_apart() -> None:
    """What stands under TYPE_CHECKING is not imported; its else branch is."""
    line = "if TYPE_CHECKING:\n    import a\nelse:\n    import b\n"
    assert list(imports(line)) == [Import("a", True), Import("b", False)]
