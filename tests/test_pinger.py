"""Pings: when they go out, and who is given up."""

from __future__ import annotations

from twisted.internet.task import Clock

from txws_simple.pinger import Pinger

from .ledger import WatchedCase


class Cases(WatchedCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.elapsed = Clock()
        self.log: list[str] = []
        self.is_deaf = False
        self.pinger = Pinger(
            10,
            lambda: self.log.append("ping"),
            self.give_up,
            lambda: self.is_deaf,
            self.clock,
            self.elapsed.seconds,
        )
        self.addCleanup(self.pinger.stop)

    def give_up(self) -> None:
        self.log.append("given up")
        self.pinger.stop()

    def advance(self, seconds: float) -> None:
        self.elapsed.advance(seconds)
        self.clock.advance(seconds)

    def test_given_up_after_a_silent_period(self) -> None:
        self.advance(9.9)
        self.assertEqual(self.log, [])
        self.advance(0.1)
        self.assertEqual(self.log, ["ping"])
        self.advance(10)
        self.assertEqual(self.log, ["ping", "given up"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_any_sign_of_life(self) -> None:
        for _ in range(4):
            self.advance(10)
            self.pinger.heard = True
        self.assertEqual(self.log, ["ping"] * 4)

    def test_deaf(self) -> None:
        self.is_deaf = True
        for _ in range(4):
            self.advance(10)
        self.assertEqual(self.log, ["ping"] * 4)

    def test_clock_jumps_forward(self) -> None:
        """An hour that did not pass gives nobody up."""
        self.advance(10)
        self.elapsed.advance(1)
        self.clock.advance(3600)
        self.assertEqual(self.log, ["ping"] * 2)
        self.advance(10)
        self.assertEqual(self.log[2:], ["given up"])

    def test_clock_jumps_back(self) -> None:
        """Nobody is given up, though no ping goes out until it has caught up."""
        self.advance(10)
        self.clock.rightNow -= 3600
        self.elapsed.advance(1)
        self.clock.advance(3600)
        self.assertEqual(self.log, ["ping"])
        self.pinger.heard = True
        self.advance(10)
        self.assertEqual(self.log, ["ping"] * 2)

    def test_stop_twice(self) -> None:
        self.pinger.stop()
        self.pinger.stop()
        self.advance(100)
        self.assertEqual(self.log, [])

    def test_failing(self) -> None:
        """What goes wrong is logged, not lost."""
        self.pinger.ping = lambda: [][0]
        self.advance(10)
        self.assertEqual(len(self.flushLoggedErrors(IndexError)), 1)
