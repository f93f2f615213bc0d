"""The figures of a run as tables, for the documentation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from report import table

from .figures import Figure
from .scenarios import SCENARIOS


def number(value: float) -> str:
    """With two decimals, where it has any."""
    return f"{value:,.{0 if value == int(value) else 2}f}"


def cell(figure: Figure | None) -> str:
    """A figure with its unit, and its bound in brackets."""
    if figure is None:
        return ""
    text = f"{number(figure.value)} {figure.unit}".rstrip()
    return text if figure.most is None else f"{text} (at most {number(figure.most)})"


def rows(columns: dict[str, list[Figure]]) -> Iterator[list[str]]:
    """The lines of a table, the head first; columns by their heads."""
    yield ["", *columns] if len(columns) > 1 else ["", "figure (bound)"]
    names = dict.fromkeys(each.what for figures in columns.values() for each in figures)
    for name in names:
        found = [
            next((figure for figure in figures if figure.what == name), None)
            for figures in columns.values()
        ]
        yield [name, *map(cell, found)]


def write_tables(results: dict[str, Any], folder: Path) -> str:
    """What ran on what, and all tables, in a file to be included; what it says."""
    tables: dict[str, dict[str, list[Figure]]] = {}
    for name, figures in results["figures"].items():
        scenario = SCENARIOS[name]
        columns = tables.setdefault(scenario.table, {})
        columns[scenario.column] = [Figure(*figure) for figure in figures]
    about = ", ".join(f"{name} {what}" for name, what in results["about"].items())
    parts = [
        f"{about}.\n",
        *(table(title, rows(each)) for title, each in tables.items()),
    ]
    text = "\n".join(parts)
    (folder / "load.rst").write_text(text, encoding="utf-8")
    return text
