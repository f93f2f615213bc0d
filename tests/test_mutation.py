"""What mutation testing says of mutants whose fate is known."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

import pytest

from mutation.coverage import Coverage, Lines, Seconds, span
from mutation.forks import Fork
from mutation.graft import graft
from mutation.mutant import Mutant, Outcome, outcome
from mutation.report import report
from mutation.survivors import SURVIVORS, read

SOURCE = '''\
"""A module to be changed."""

SIZE = 1


def double(number: int, times: int = 2) -> int:
    if number:
        return (
            number
            * times
        )
    return 0


class Box:
    size = SIZE

    @property
    def full(self) -> bool:
        return double(self.size) > 3
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module, as others have imported it."""
    (tmp_path / "to_be_changed.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield import_module("to_be_changed")
    del sys.modules["to_be_changed"]


@pytest.mark.parametrize(
    ("before", "after", "value"),
    [
        ("* times", "+ times", 3),
        ("times: int = 2", "times: int = 5", 5),
        ("SIZE = 1", "SIZE = 2", 4),
        ("size = SIZE", "size = 3", 6),
        ("if number", "if not number", 0),
    ],
)
def test_a_graft_is_seen_by_all(
    module: ModuleType, before: str, after: str, value: int
) -> None:
    double, box = module.double, module.Box()
    assert graft(module, SOURCE.replace(before, after))
    assert double(box.size) == value


def test_a_graft_of_a_property(module: ModuleType) -> None:
    box = module.Box()
    assert not box.full
    assert graft(module, SOURCE.replace("> 3", "> 1"))
    assert box.full


def test_what_cannot_be_imported(module: ModuleType) -> None:
    assert not graft(module, SOURCE.replace("SIZE = 1", "SIZE = 1 // 0"))
    assert module.SIZE == 1


def fate(work: object) -> tuple[Outcome, bytes]:
    """What a fork comes to that does this."""
    assert callable(work)
    fork = Fork(work)
    said = fork.said()
    return outcome(fork.status()), said


def killed_by(number: int) -> object:
    return lambda _pipe: os.kill(os.getpid(), number)


# Threads that other tests have left are of no use to these forks.
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_outcomes() -> None:
    """As the process ends, so the mutant."""

    def say(pipe: BinaryIO) -> None:
        pipe.write(b"said")

    assert fate(say) == (Outcome.SURVIVED, b"said")
    assert fate(lambda _pipe: os._exit(1)) == (Outcome.KILLED, b"")
    assert fate(killed_by(signal.SIGALRM)) == (Outcome.TIMEOUT, b"")
    assert fate(killed_by(signal.SIGPROF)) == (Outcome.TIMEOUT, b"")
    assert fate(killed_by(signal.SIGKILL)) == (Outcome.BROKEN, b"")
    result, said = fate(lambda _pipe: 1 // 0)
    assert result is Outcome.BROKEN and b"ZeroDivisionError" in said


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        (1, range(1, 22)),
        (3, range(1, 22)),
        (6, range(6, 13)),
        (7, range(7, 8)),
        (9, range(8, 12)),
        (12, range(12, 13)),
        (16, range(1, 22)),
        (20, range(20, 21)),
    ],
)
def test_lines_that_run_together(line: int, lines: range) -> None:
    assert span(SOURCE, line) == lines


def test_the_tests_of_a_line(module: ModuleType) -> None:
    """Those that run it; one of each function first, and the quick ones before."""
    lines, seconds = Lines({str(module.__file__): "changed"}), Seconds()
    numbers = {"test_a[1]": 1, "test_a[2]": 1, "test_b": 1, "test_c": 0}
    for test, number in numbers.items():
        seconds.begin(test)
        lines.begin(test)
        module.double(number)
        lines.end(test)
        seconds.end(test)
    assert seconds.seen.keys() == numbers.keys()
    took = {"test_a[1]": 3.0, "test_a[2]": 1.0, "test_b": 2.0, "test_c": 0.0}
    coverage = Coverage(took, lines.seen)
    assert coverage.tests("changed", range(8, 12)) == [
        "test_a[2]",
        "test_b",
        "test_a[1]",
    ]
    assert coverage.tests("changed", range(12, 13)) == ["test_c"]


def mutant(name: str, number: int = 1) -> Mutant:
    return Mutant("frames", name, "a", "b", number, 1, "a", "b")


def test_names() -> None:
    """They say where it is and what, and nothing that changes with other lines."""
    assert mutant("encode").name == "frames.encode: a -> b"
    assert mutant("", 2).name == "frames: a -> b (2)"


def test_enough_is_killed() -> None:
    outcomes = {mutant("f", number): Outcome.KILLED for number in range(17)}
    outcomes[mutant("hangs")] = outcomes[mutant("loops")] = Outcome.TIMEOUT
    outcomes[mutant("known")] = outcomes[mutant("new")] = Outcome.SURVIVED
    result = report(outcomes, {"frames.known: a -> b": "why"})
    assert result.passes and result.total.rate == 0.95
    assert result.survivors == ["frames.new: a -> b"]
    assert result.as_json()["total"] == {
        "mutants": 21,
        "killed": 17,
        "timeouts": 2,
        "known": 1,
        "survived": 1,
        "rate": 0.95,
    }
    assert result.lines()[-1] == (
        "all: 21 mutants, 17 killed, 2 timeouts, 1 known to survive, "
        "1 other survivors, rate 95.0%"
    )
    outcomes[mutant("another")] = Outcome.SURVIVED
    assert not report(outcomes, {"frames.known: a -> b": "why"}).passes


@pytest.mark.parametrize("result", [Outcome.KILLED, Outcome.TIMEOUT])
def test_a_known_survivor_is_killed(result: Outcome) -> None:
    found = report({mutant("f"): result}, {"frames.f: a -> b": "why"})
    assert not found.passes
    assert found.untrue == [f"is known, and {result.value}: frames.f: a -> b"]


def test_a_known_survivor_does_not_exist() -> None:
    """It is missed where its module was looked at."""
    known = {"frames.g: a -> b": "why", "inbox.g: a -> b": "why"}
    found = report({mutant("f"): Outcome.KILLED}, known)
    assert not found.passes
    assert found.untrue == ["is known, and does not exist: frames.g: a -> b"]


def test_a_run_that_says_nothing() -> None:
    found = report({mutant("f"): Outcome.BROKEN}, {})
    assert not found.passes and found.broken == ["frames.f: a -> b"]


def test_each_known_survivor_has_a_reason() -> None:
    assert SURVIVORS and all(reason.endswith(".") for reason in SURVIVORS.values())
    assert read("# Why.\na: b -> c\nd: e -> f\n\n# No.\ng: h -> i\n") == {
        "a: b -> c": "Why.",
        "d: e -> f": "Why.",
        "g: h -> i": "No.",
    }


@pytest.mark.parametrize("text", ["a\n", "# Why.\na\n\nb\n", "# Why.\na\na\n"])
def test_a_known_survivor_without_a_reason(text: str) -> None:
    with pytest.raises(ValueError, match="without a reason, or twice"):
        read(text)
