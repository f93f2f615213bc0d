"""What holds for all tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from hypothesis import HealthCheck, settings
from twisted.internet.task import deferLater
from twisted.logger import eventAsText, globalLogBeginner
from twisted.trial.unittest import SynchronousTestCase

from .ledger import Ledger

# What needs more than the test dependencies is run on its own.
collect_ignore = ["real"]

# A slow machine makes no test fail.
settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
# To look for long: pytest --hypothesis-profile=fuzz
settings.register_profile("fuzz", settings.get_profile("unhurried"), max_examples=3000)
settings.load_profile("unhurried")

# Until it has begun, the log keeps what it is told, and all that hangs on it.
globalLogBeginner.beginLoggingTo(
    [lambda event: print(eventAsText(event), file=sys.stderr)],
    discardBuffer=True,
    redirectStandardIO=False,
)


@pytest.fixture(autouse=True)
def ledger(request: pytest.FixtureRequest) -> Iterator[Ledger | None]:
    """What the test's peers owe; trial's cases have one by themselves."""
    if request.cls is not None and issubclass(request.cls, SynchronousTestCase):
        yield None
        return
    with Ledger() as ledger:
        yield ledger
        # What the other fixtures gave is no survivor.
        request.node.funcargs.clear()
        ledger.settle(turn_reactor)
        ledger.check()


def turn_reactor() -> None:
    from twisted.internet import reactor

    # Twice: what the first turn calls may call for another.
    for _ in range(2):
        pytest_twisted.blockon(deferLater(reactor, 0))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    given = Ledger.totals.copy()
    peers = given.pop("peers", 0)
    terminalreporter.write_line(
        f"{given.total()} Deferreds given out by {peers} peers: "
        + ", ".join(f"{verb} {count}" for verb, count in given.most_common())
    )
    for report in terminalreporter.stats.get("passed", []):
        if report.user_properties:
            told = [f"{name}: {value}" for name, value in report.user_properties]
            terminalreporter.write_line(f"{report.nodeid}: {', '.join(told)}")
