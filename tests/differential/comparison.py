"""Verdicts held against each other, one generated case after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from . import (
    frame_divergences,
    frame_verdicts,
    request_divergences,
    request_verdicts,
    requests,
    streams,
)
from .divergence import Divergence

__all__ = ["REQUESTS", "STREAMS", "Result", "Subject", "Unknown", "compare"]


class Pair(NamedTuple):
    """Our verdict, as that library would tell it, and the library's own."""

    ours: Callable[[Any], Any]
    theirs: Callable[[Any], Any]


@dataclass(frozen=True)
class Subject:
    """What there are opinions on.

    Attributes:
        name: What the cases are.
        generate: Makes a case.
        pairs: For each library, whose verdicts are compared.
        known: The known divergences.
    """

    name: str
    generate: Callable[[Random], Any]
    pairs: Mapping[str, Pair]
    known: tuple[Divergence, ...]

    def case(self, seed: str, number: int) -> Any:
        """Each has a seed of its own, and so can be made without the others."""
        return self.generate(Random(f"{seed} {self.name} {number}"))


STREAMS = Subject(
    "streams",
    streams.generate,
    {
        "wsproto": Pair(frame_verdicts.of_us_in_characters, frame_verdicts.of_wsproto),
        "websockets": Pair(frame_verdicts.of_us, frame_verdicts.of_websockets),
    },
    frame_divergences.DIVERGENCES,
)
REQUESTS = Subject(
    "requests",
    requests.generate,
    {
        "wsproto": Pair(
            request_verdicts.of_us_without_headers, request_verdicts.of_wsproto
        ),
        "websockets": Pair(request_verdicts.of_us, request_verdicts.of_websockets),
    },
    request_divergences.DIVERGENCES,
)


class Unknown(NamedTuple):
    """A divergence that no row covers."""

    number: int
    library: str
    case: Any
    ours: Any
    theirs: Any


@dataclass
class Result:
    """What a comparison has shown.

    Attributes:
        kinds: How many cases there were of each kind.
        size: Bytes in all.
        alike: In how many cases each library agreed.
        known: How often each row was needed.
        unknown: What no row covers.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    size: int = 0
    alike: Counter[str] = field(default_factory=Counter)
    known: Counter[Divergence] = field(default_factory=Counter)
    unknown: list[Unknown] = field(default_factory=list)


def compare(subject: Subject, seed: str, count: int) -> Result:
    """All opinions on so many cases."""
    result = Result()
    for number in range(count):
        case = subject.case(seed, number)
        result.kinds[case.kind] += 1
        result.size += sum(map(len, case.segments))
        for library in subject.pairs:
            try:
                _compare(subject, library, number, case, result)
            except Exception as error:
                raise RuntimeError(f"case {number}, {library}: {case}") from error
    return result


def _compare(
    subject: Subject, library: str, number: int, case: Any, result: Result
) -> None:
    pair = subject.pairs[library]
    ours, theirs = pair.ours(case), pair.theirs(case)
    if ours.is_like(theirs):
        result.alike[library] += 1
        return
    rows = [row for row in subject.known if row.library == library]
    needed = _explain(pair, rows, case, ours, theirs)
    result.known.update(needed)
    if not needed:
        result.unknown.append(Unknown(number, library, case, ours, theirs))


def _explain(
    pair: Pair, rows: list[Divergence], case: Any, ours: Any, theirs: Any
) -> list[Divergence]:
    """The rows that say why they differ; none where none does."""
    if not ours.fits(theirs):
        return []
    for row in rows:
        if row.covers(case, ours, theirs):
            if row.without is None:
                return [row]
            others = [other for other in rows if other is not row]
            further = _explain_rest(pair, others, row.without(case))
            if further is not None:
                return [row, *further]
    return []


def _explain_rest(
    pair: Pair, rows: list[Divergence], case: Any
) -> list[Divergence] | None:
    """The rows that say why they still differ; ``None`` where none does."""
    ours, theirs = pair.ours(case), pair.theirs(case)
    if ours.is_like(theirs):
        return []
    return _explain(pair, rows, case, ours, theirs) or None
