"""Deadlines and rates, by a clock that schedules and one that tells what elapsed."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from txws_simple.limits import Bucket, Deadline


class Clocks:
    """Both clocks, and what has passed.

    Attributes:
        scheduler: Its seconds may jump.
        elapsed: Seconds that really elapsed.
        passed: When the deadline passed.
    """

    def __init__(self) -> None:
        self.scheduler = Clock()
        self.elapsed = 0.0
        self.passed: list[float] = []

    def deadline(self, seconds: float | None) -> Deadline:
        return Deadline(
            self.scheduler,
            lambda: self.elapsed,
            seconds,
            lambda: self.passed.append(self.elapsed),
        )

    def advance(self, seconds: float) -> None:
        self.elapsed += seconds
        self.scheduler.advance(seconds)

    def jump(self, seconds: float) -> None:
        self.scheduler.advance(seconds)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_passes_once(clocks: Clocks) -> None:
    deadline = clocks.deadline(10)
    deadline.start()
    clocks.advance(9)
    assert (clocks.passed, deadline.is_running) == ([], True)
    clocks.advance(1)
    assert (clocks.passed, deadline.is_running) == ([10], False)
    clocks.advance(100)
    assert clocks.passed == [10]


def test_begins_anew(clocks: Clocks) -> None:
    deadline = clocks.deadline(10)
    for _ in range(3):
        deadline.start()
        clocks.advance(9)
    clocks.advance(1)
    assert clocks.passed == [28]
    deadline.start()
    clocks.advance(10)
    assert clocks.passed == [28, 38]


def test_stopped(clocks: Clocks) -> None:
    deadline = clocks.deadline(10)
    deadline.stop()
    deadline.start()
    deadline.stop()
    assert not deadline.is_running
    assert clocks.scheduler.getDelayedCalls() == []


def test_never(clocks: Clocks) -> None:
    clocks.deadline(None).start()
    assert clocks.scheduler.getDelayedCalls() == []


def test_a_clock_that_jumps_passes_nothing(clocks: Clocks) -> None:
    clocks.deadline(10).start()
    clocks.advance(4)
    clocks.jump(3600)
    assert clocks.passed == []
    clocks.advance(6)
    assert clocks.passed == [10]


def test_a_bucket_holds_a_burst() -> None:
    """What may be taken at once is there at first, and again after long."""
    elapsed = [0.0]
    bucket = Bucket(10, 2, lambda: elapsed[0])
    for _ in range(2):
        assert bucket.take(20) <= 0
        assert bucket.take(5) == 0.5
        elapsed[0] += 1000


def test_a_bucket_fills_evenly() -> None:
    elapsed = [0.0]
    bucket = Bucket(10, 1, lambda: elapsed[0])
    bucket.take(10)
    for _ in range(8):
        elapsed[0] += 0.5
        assert bucket.take(5) <= 0
    assert bucket.take(1) == 0.1


def test_what_was_overdrawn_is_waited_for() -> None:
    elapsed = [0.0]
    bucket = Bucket(4, 1, lambda: elapsed[0])
    assert bucket.take(12) == 2
    elapsed[0] += 1
    assert bucket.take(0) == 1
    elapsed[0] += 1
    assert bucket.take(0) <= 0
    assert bucket.take(1) == 0.25


def test_no_rate() -> None:
    assert Bucket(None, 1, lambda: 0).take(1 << 40) <= 0
