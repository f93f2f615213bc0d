"""Figures, and the bounds that they must keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from .process import Look, Server

KIB, MIB = 1024, 1024 * 1024


class Figure(NamedTuple):
    """One figure; over ``most``, if there is one, the scenario has failed."""

    what: str
    value: float
    unit: str = ""
    most: float | None = None

    @property
    def held(self) -> bool:
        return self.most is None or self.value <= self.most


def none(what: str, value: float) -> Figure:
    """What there must be none of."""
    return Figure(what, value, most=0)


def kib(what: str, size: float, most: float) -> Figure:
    """A size, given in bytes as the bound is."""
    return Figure(what, size / KIB, "KiB", most / KIB)


def mib(what: str, size: float, most: float | None = None) -> Figure:
    """The same for a larger one, which may have no bound."""
    return Figure(what, size / MIB, "MiB", None if most is None else most / MIB)


def latencies(when: str, latency: dict[str, float]) -> Iterator[Figure]:
    """Of echoes; they decide nothing."""
    for name in ("p50", "p99"):
        yield Figure(f"{name} {when}", latency[name] * 1000, "ms")


#: How many blocks may be left: free lists and caches come and go.
MOST_BLOCKS = 10_000


def left_behind(server: Server, before: Look) -> Iterator[Figure]:
    """What there is more than before, now that all clients have gone."""
    after = server.settled(before)
    yield none("objects left", after.objects - before.objects)
    yield none("timers left", after.delayed_calls - before.delayed_calls)
    yield none("descriptors left", after.files - before.files)
    yield none("failures logged", len(after.failures))
    blocks = after.blocks - before.blocks
    yield Figure("blocks of memory left", blocks, most=MOST_BLOCKS)
    # What is free and could not be given back to the system.
    yield mib("memory left", after.memory - before.memory)


def honest(count: int, tally: dict[str, Any]) -> Iterator[Figure]:
    """What may not happen to honest clients."""
    yield none("honest clients dropped", count - tally["in_order"])
    yield none("wrong echoes", tally["wrong"])
