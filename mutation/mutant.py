"""What is known of one mutant."""

from __future__ import annotations

import signal
from enum import Enum
from typing import NamedTuple

__all__ = ["Mutant", "Outcome", "outcome"]


class Mutant(NamedTuple):
    """A module with one small mistake in it.

    Attributes:
        module: The module's name in the package.
        place: The function or class that the mistake is in; empty outside of all.
        before: The lines that differ, as they are, each without its indent.
        after: The same with the mistake.
        number: Which one it is of those that read the same.
        line: Where the difference begins, from 1 on.
        original: The whole module as it is.
        source: The same with the mistake.
    """

    module: str
    place: str
    before: str
    after: str
    number: int
    line: int
    original: str
    source: str

    @property
    def name(self) -> str:
        """What it is known by, whatever else changes in the module."""
        number = f" ({self.number})" if self.number > 1 else ""
        place = f"{self.module}.{self.place}".rstrip(".")
        return f"{place}: {self.before} -> {self.after}{number}"


class Outcome(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    TIMEOUT = "timeout"
    #: Neither: something is wrong with the run itself.
    BROKEN = "broken"


def outcome(status: int) -> Outcome:
    """That of a process with this exit status; below 0 it was a signal."""
    if status in (-signal.SIGPROF, -signal.SIGALRM):
        return Outcome.TIMEOUT
    return {0: Outcome.SURVIVED, 1: Outcome.KILLED}.get(status, Outcome.BROKEN)
