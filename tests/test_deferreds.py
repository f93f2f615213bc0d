"""Deferreds that fire when somebody listens."""

from __future__ import annotations

from collections.abc import Generator

from twisted.internet.defer import (
    CancelledError,
    Deferred,
    gatherResults,
    inlineCallbacks,
    succeed,
)

from txws_simple.deferreds import Outcome

from .ledger import WatchedCase


class Cases(WatchedCase):
    def test_result_before_and_after(self) -> None:
        early: Outcome[int] = Outcome()
        early.settle(1)
        self.assertEqual(self.successResultOf(early), 1)
        late: Outcome[int] = Outcome()
        got: list[int] = []
        late.addCallback(got.append)
        late.settle(2)
        self.assertEqual(got, [2])

    def test_only_the_first_counts(self) -> None:
        outcome: Outcome[int] = Outcome()
        outcome.settle(1)
        outcome.settle(LookupError())
        self.assertEqual(self.successResultOf(outcome), 1)

    def test_failure_nobody_hears_of(self) -> None:
        outcome: Outcome[int] = Outcome()
        outcome.settle(LookupError())
        del outcome
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_failure_somebody_hears_of(self) -> None:
        for method in ("addErrback", "addBoth"):
            outcome: Outcome[int] = Outcome()
            outcome.settle(LookupError())
            heard: list[object] = []
            getattr(outcome, method)(heard.append)
            self.assertEqual(len(heard), 1)
        outcome = Outcome()
        outcome.settle(LookupError())
        outcome.addCallbacks(lambda _: None)
        self.failureResultOf(outcome, LookupError)

    def test_awaited(self) -> None:
        outcome: Outcome[int] = Outcome()

        async def wait() -> int:
            return await outcome

        done = Deferred.fromCoroutine(wait())
        self.assertNoResult(done)
        outcome.settle(3)
        self.assertEqual(self.successResultOf(done), 3)

    def test_chained(self) -> None:
        """Given out of a callback, it is waited for like any other."""
        for settle_first in (True, False):
            outcome: Outcome[int] = Outcome()
            if settle_first:
                outcome.settle(4)
            chained = succeed(None).addCallback(lambda _, inner=outcome: inner)
            outcome.settle(4)
            self.assertEqual(self.successResultOf(chained), 4)

    def test_gathered(self) -> None:
        outcomes: list[Outcome[int]] = [Outcome(), Outcome()]
        outcomes[0].settle(1)
        together = gatherResults(outcomes)
        outcomes[1].settle(2)
        self.assertEqual(self.successResultOf(together), [1, 2])

    def test_awaited_failure(self) -> None:
        outcome: Outcome[int] = Outcome()
        outcome.settle(LookupError())

        async def wait() -> int:
            return await outcome

        self.failureResultOf(Deferred.fromCoroutine(wait()), LookupError)

    def test_yielded(self) -> None:
        outcome: Outcome[int] = Outcome()

        @inlineCallbacks
        def wait() -> Generator[Deferred[int], int, int]:
            return (yield outcome)

        done = wait()
        outcome.settle(5)
        self.assertEqual(self.successResultOf(done), 5)

    def test_called(self) -> None:
        """Whether there is a result can be seen before anybody listens."""
        outcome: Outcome[int] = Outcome()
        self.assertFalse(outcome.called)
        outcome.settle(1)
        self.assertTrue(outcome.called)
        self.assertEqual(outcome.result, 1)
        self.assertEqual(self.successResultOf(outcome), 1)

    def test_awaited_before_it_fails(self) -> None:
        outcome: Outcome[int] = Outcome()

        async def wait() -> int:
            return await outcome

        done = Deferred.fromCoroutine(wait())
        outcome.settle(LookupError())
        self.failureResultOf(done, LookupError)

    def test_is_no_riddle(self) -> None:
        """What a Deferred doesn't have, this hasn't either."""
        self.assertFalse(hasattr(Outcome(), "nonsense"))
        self.assertIn("Outcome at", repr(Outcome()))

    def test_cancelled(self) -> None:
        """A result that is there stands, and one that comes later is dropped."""
        outcome: Outcome[int] = Outcome()
        outcome.settle(1)
        outcome.cancel()
        self.assertEqual(self.successResultOf(outcome), 1)
        outcome = Outcome()
        outcome.cancel()
        outcome.settle(1)
        self.failureResultOf(outcome, CancelledError)
