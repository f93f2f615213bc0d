"""The tests, collected once, and run in a fork for each mutant."""

from __future__ import annotations

import gc
import os
import pickle
import resource
import signal
from collections import deque
from collections.abc import Sequence
from importlib import import_module
from itertools import islice, pairwise
from types import ModuleType
from typing import BinaryIO

import pytest
from twisted.internet.epollreactor import EPollReactor

from .coverage import Coverage, Lines, Seconds, Witness, span
from .forks import Fork
from .graft import graft
from .mutant import Mutant, Outcome, outcome
from .prepare import ROOT

__all__ = ["Run"]

#: The files of tests that are run for each module: its own, and those of the layers
#: above it that are quick for what they look at.  None of them needs the global
#: reactor, which all forks would share.
TESTS = {
    "frames": ("frames", "connection", "messages"),
    "handshake": ("handshake", "protocol"),
    "connection": ("connection", "messages", "peer"),
    "inbox": ("inbox", "peer", "watching", "faults", "machine"),
    "outbox": ("outbox", "peer", "protocol", "faults", "machine"),
}

_OPTIONS = (
    "-qs",
    "--override-ini=addopts=",
    "-pno:twisted",
    "-pno:cacheprovider",
    "--hypothesis-profile=mutation",
)

#: How many seconds one test may take, of the processor and on the clock.
_SECONDS = 10
_PATIENCE = 120

#: How much memory a process may have, in bytes.
_MEMORY = 4 << 30


class Run:
    """A run of all tests, and of some for each mutant, as a plugin of pytest.

    Args:
        mutants: The mutants.
        jobs: How many at a time.

    Attributes:
        outcomes: What became of each mutant.
    """

    def __init__(self, mutants: Sequence[Mutant], jobs: int) -> None:
        self._mutants = mutants
        self._jobs = jobs
        self._items: dict[str, pytest.Item] = {}
        self._modules: dict[str, ModuleType] = {}
        self._coverage = Coverage({}, {})
        self._killers: deque[str] = deque(maxlen=12)  # the latest ones
        self._failed = self._ignore
        self.outcomes: dict[Mutant, Outcome] = {}

    def run(self) -> None:
        """Run them all.

        Raises:
            RuntimeError: If a test fails without any mistake.
        """
        modules = dict.fromkeys(mutant.module for mutant in self._mutants)
        files = dict.fromkeys(_file(name) for one in modules for name in TESTS[one])
        os.chdir(ROOT)  # tests are known by their paths from there
        if pytest.main([*_OPTIONS, *files], plugins=[self]):
            raise RuntimeError("the tests can't be run")

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self) -> None:
        _register_profile()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise session.Failed("a file of tests can't be imported")
        self._items = {item.nodeid: item for item in session.items}
        for mutant in self._mutants:
            name = mutant.module
            self._modules[name] = import_module(f"txws_simple.{name}")
        _freeze()
        self._look()
        gc.freeze()  # what was seen, for else each collection in a fork goes through it
        self._try_all()
        return True

    # Without any mistake

    def _look(self) -> None:
        """Run all tests as they are, twice: some notice that they are traced."""
        paths = {str(module.__file__): name for name, module in self._modules.items()}
        timing = Fork(lambda pipe: self._show(Seconds(), pipe))
        tracing = Fork(lambda pipe: self._show(Lines(paths), pipe))
        seconds, lines = timing.said(), tracing.said()
        if timing.status():
            raise RuntimeError(f"without any mistake: {seconds.decode()}")
        if tracing.status():
            raise RuntimeError(f"while they are traced: {lines.decode()}")
        self._coverage = Coverage(pickle.loads(seconds), pickle.loads(lines))

    def _show(self, witness: Witness, pipe: BinaryIO) -> None:
        if isinstance(witness, Seconds):
            self._end_at_failure(pipe)
        self._run_tests(list(self._items), witness)
        pickle.dump(witness.seen, pipe)

    # With one

    def _try_all(self) -> None:
        waiting = iter(self._mutants)
        running: dict[int, tuple[Mutant, Fork]] = {}

        def start(count: int) -> None:
            for mutant in islice(waiting, count):
                fork = self._start(mutant)
                running[fork.pid] = mutant, fork

        start(self._jobs)
        while running:
            pid, status = os.wait()
            mutant, fork = running.pop(pid)
            self._note(mutant, outcome(os.waitstatus_to_exitcode(status)), fork.said())
            start(1)

    def _start(self, mutant: Mutant) -> Fork:
        module = self._modules[mutant.module]
        lines = span(mutant.original, mutant.line)
        files = tuple(f"{_file(name)}::" for name in TESTS[mutant.module])
        covering = self._coverage.tests(mutant.module, lines)
        tests = [test for test in covering if test.startswith(files)]
        likely = set(self._killers)
        tests.sort(key=lambda test: test not in likely)

        def work(pipe: BinaryIO) -> None:
            self._end_at_failure(pipe)
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
            if not graft(module, mutant.source):
                os._exit(1)
            self._run_tests(tests, Impatience())

        return Fork(work)

    def _note(self, mutant: Mutant, result: Outcome, said: bytes) -> None:
        self.outcomes[mutant] = result
        if result is Outcome.KILLED:
            killer, _, _ = said.decode().partition("\n")
            if killer in self._items and killer not in self._killers:
                self._killers.appendleft(killer)
            return
        count = f"{len(self.outcomes)}/{len(self._mutants)}"
        print(f"{count} {result.value}: {mutant.name}", flush=True)
        if result is Outcome.BROKEN:
            print(said.decode())

    # In a fork

    def _run_tests(self, tests: list[str], witness: Witness) -> None:
        # That of the collection would be one that all forks share.
        import_module("tests.wires").SocketWire.reactor = EPollReactor()
        for test, after in pairwise([*tests, ""]):
            witness.begin(test)
            item = self._items[test]
            item.config.hook.pytest_runtest_protocol(
                item=item, nextitem=self._items[after] if after else None
            )
            witness.end(test)

    def _end_at_failure(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self._failed = self._end

    def _end(self, report: pytest.TestReport) -> None:
        # No more than a pipe takes: it is read when this process has ended.
        self._pipe.write(f"{report.nodeid}\n{report.longreprtext}"[:10_000].encode())
        self._pipe.flush()
        os._exit(1)

    def _ignore(self, report: pytest.TestReport) -> None:
        """It is not this run that says whether the tests pass."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed(report)


def _file(name: str) -> str:
    return f"tests/test_{name}.py"


class Impatience:
    """Ends the process with a signal when a test does not end."""

    seen = None

    def begin(self, test: str) -> None:
        signal.setitimer(signal.ITIMER_PROF, _SECONDS)
        signal.alarm(_PATIENCE)

    def end(self, test: str) -> None:
        """The next one begins anew."""


def _freeze() -> None:
    """What the first ledger does, done once for all forks."""
    from tests import ledger

    ledger._freeze()


def _register_profile() -> None:
    """What hypothesis finds is the same each time, and nobody wants it small."""
    from hypothesis import HealthCheck, Phase, settings

    settings.register_profile(
        "mutation",
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
        phases=[Phase.explicit, Phase.generate],
    )
