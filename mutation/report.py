"""What a run came to: figures for each module, and whether that is enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .mutant import Mutant, Outcome

__all__ = ["GOAL", "Figures", "Report", "report"]

#: The share of mutants that have to be killed, of those not known to survive.
GOAL = 0.95


@dataclass
class Figures:
    """Those of one module, or of all.

    Attributes:
        mutants: How many there are.
        killed: Those that made a test fail.
        timeouts: Those that let a test not end, which is noticed as well.
        known: Those that survive with a reason.
        survived: All others that survive.
    """

    mutants: int = 0
    killed: int = 0
    timeouts: int = 0
    known: int = 0
    survived: int = 0

    @property
    def rate(self) -> float:
        """The share that was noticed, of those not known to survive."""
        counted = self.mutants - self.known
        return (self.killed + self.timeouts) / counted if counted else 1.0

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            self.mutants + other.mutants,
            self.killed + other.killed,
            self.timeouts + other.timeouts,
            self.known + other.known,
            self.survived + other.survived,
        )


@dataclass
class Report:
    """The whole run.

    Attributes:
        modules: The figures of each module.
        survivors: The names of those that survive without a known reason.
        untrue: What the table of the known ones says and is not so.
        broken: The names of those of which nothing can be said.
    """

    modules: dict[str, Figures] = field(default_factory=dict)
    survivors: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def total(self) -> Figures:
        return sum(self.modules.values(), Figures())

    @property
    def passes(self) -> bool:
        """Whether enough was killed, and all that is known is true."""
        return self.total.rate >= GOAL and not self.untrue and not self.broken

    def count(self, mutant: Mutant, outcome: Outcome, is_known: bool) -> None:
        """Add one mutant."""
        figures = self.modules.setdefault(mutant.module, Figures())
        figures.mutants += 1
        if outcome is Outcome.BROKEN:
            self.broken.append(mutant.name)
        elif outcome is Outcome.KILLED:
            figures.killed += 1
        elif outcome is Outcome.TIMEOUT:
            figures.timeouts += 1
        elif is_known:
            figures.known += 1
        else:
            figures.survived += 1
            self.survivors.append(mutant.name)

    def as_json(self) -> dict[str, Any]:
        """What is written to a file."""
        return {
            "modules": {name: _row(one) for name, one in self.modules.items()},
            "total": _row(self.total),
            "survivors": self.survivors,
            "untrue": self.untrue,
            "broken": self.broken,
        }

    def lines(self) -> list[str]:
        """What is printed."""
        rows = [*self.modules.items(), ("all", self.total)]
        lines = [f"survived: {name}" for name in self.survivors]
        lines += [f"broken: {name}" for name in self.broken]
        lines += self.untrue
        lines += [
            f"{name}: {one.mutants} mutants, {one.killed} killed, "
            f"{one.timeouts} timeouts, {one.known} known to survive, "
            f"{one.survived} other survivors, rate {one.rate:.1%}"
            for name, one in rows
        ]
        return lines


def _row(figures: Figures) -> dict[str, float]:
    return {**vars(figures), "rate": round(figures.rate, 4)}


def report(outcomes: Mapping[Mutant, Outcome], known: Mapping[str, str]) -> Report:
    """What these outcomes come to.

    Args:
        outcomes: That of each mutant of some modules.
        known: The names of the known survivors, of any module, with their reasons.
    """
    result = Report()
    for mutant, outcome in outcomes.items():
        is_known = mutant.name in known
        result.count(mutant, outcome, is_known)
        if is_known and outcome is not Outcome.SURVIVED:
            result.untrue.append(f"is known, and {outcome.value}: {mutant.name}")
    names = {mutant.name for mutant in outcomes}
    for name in known:
        module = name.partition(":")[0].partition(".")[0]
        if module in result.modules and name not in names:
            result.untrue.append(f"is known, and does not exist: {name}")
    return result
