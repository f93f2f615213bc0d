"""The figures of a run as tables, for the documentation, and as plots."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from loads import LOADS, Load

OURS = ("each", "read", "broadcast, each")


def about(packages: Iterable[str]) -> dict[str, str]:
    """What was measured, on what."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(": ")[2] for line in lines if "model name" in line]
    return {
        "cpu": models[0] if models else platform.processor(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def ratios(figures: dict[str, Any], name: str, base: str) -> list[float]:
    """Of one server to another, round by round."""
    pairs = zip(figures[name]["cpu"], figures[base]["cpu"], strict=True)
    return [cpu / other for cpu, other in pairs]


def spread(values: list[float]) -> str:
    """The median, with the lowest and the highest."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):.2f} ({low:.2f}-{high:.2f})"


def rows(load: Load, figures: dict[str, Any]) -> Iterator[list[str]]:
    """The lines of a load's table, the head first."""
    picows = next(name for name in figures if name.endswith("picows"))
    bases = list(dict.fromkeys([load.base, picows]))
    yield ["server", f"CPU us per {load.unit}", *(f"to {b}" for b in bases), "per s"]
    for name, each in figures.items():
        cpu = statistics.median(each["cpu"])
        rate = statistics.median(each["rate"])
        parts = [spread(ratios(figures, name, base)) for base in bases]
        yield [name, f"{cpu:.2f}", *parts, f"{rate:,.0f}"]


def idle_rows(idle: dict[str, Any]) -> Iterator[list[str]]:
    """The same of the memory of idle connections."""
    counts = list(next(iter(idle.values())))
    yield ["server", *(f"bytes each, {int(count):,} held" for count in counts)]
    for name, held in idle.items():
        yield [name, *(f"{statistics.median(held[count]):,.0f}" for count in counts)]


def table(title: str, lines: Iterable[list[str]]) -> str:
    """A list-table of reStructuredText."""
    text = [f".. list-table:: {title}", "   :header-rows: 1", ""]
    for line in lines:
        text += [f"   {'*' if not i else ' '} - {cell}" for i, cell in enumerate(line)]
    return "\n".join([*text, ""])


def write_about(about: dict[str, str], folder: Path) -> None:
    """What was measured on what, in a file to be included."""
    text = ", ".join(f"{name} {what}" for name, what in about.items())
    (folder / "about.rst").write_text(f"{text}.\n", encoding="utf-8")


def write_tables(results: dict[str, Any], folder: Path) -> str:
    """All tables, in a file to be included; and what it says."""
    tables = [
        table(LOADS[name].title, rows(LOADS[name], figures))
        for name, figures in results["loads"].items()
    ]
    if results.get("idle"):
        tables.append(table("Memory of idle connections", idle_rows(results["idle"])))
    text = "\n".join(tables)
    (folder / "tables.rst").write_text(text, encoding="utf-8")
    return text


def write_plots(results: dict[str, Any], folder: Path) -> None:
    """One plot for each load; the same figures give the same file."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "txws_simple"
    for name, figures in results["loads"].items():
        _plot(LOADS[name], figures, folder / f"{name}.svg")


def _plot(load: Load, figures: dict[str, Any], path: Path) -> None:
    from matplotlib import pyplot

    medians = {
        name: statistics.median(ratios(figures, name, load.base)) for name in figures
    }
    names = sorted(medians, key=lambda name: -medians[name])
    colours = ["C1" if name.startswith(OURS) else "C0" for name in names]
    figure, axes = pyplot.subplots(figsize=(7, 0.35 * len(names) + 1))
    axes.barh(names, [medians[name] for name in names], color=colours)
    axes.axvline(1, color="black", linewidth=0.5)
    axes.set_xscale("log")
    axes.set_xlabel(f"CPU time of the server per {load.unit}; {load.base} = 1")
    axes.set_title(load.title)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
