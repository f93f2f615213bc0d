"""Pings: when they go out, and who is given up."""

from __future__ import annotations

from twisted.internet.task import Clock

from txws_simple.pinger import Pinger

from .ledger import WatchedCase


class Other:
    """One more connection, which ends another with itself."""

    heard = True

    def __init__(self, log: list[str], pinger: Pinger, neighbour: object) -> None:
        self.log = log
        self.pinger = pinger
        self.neighbour = neighbour

    def is_deaf(self) -> bool:
        return False

    def keep_alive(self) -> None:
        self.log.append("other")
        self.pinger.discard(self.neighbour)

    def give_up(self) -> None:
        raise AssertionError("it was heard")


class Broken(Other):
    """One that can't be given up."""

    heard = False

    def keep_alive(self) -> None:
        self.log.append("broken")

    def give_up(self) -> None:
        raise LookupError


class Cases(WatchedCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.elapsed = Clock()
        self.log: list[str] = []
        self.heard = self.deaf = False
        self.pinger = Pinger(10, self.clock, self.elapsed.seconds)
        self.pinger.add(self)
        self.addCleanup(self.end)

    def end(self) -> None:
        self.pinger.discard(self)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def is_deaf(self) -> bool:
        return self.deaf

    def keep_alive(self) -> None:
        self.log.append("ping")

    def give_up(self) -> None:
        self.log.append("given up")

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

    def hear(self) -> None:
        self.heard = True

    def test_read_after_a_long_turn(self) -> None:
        """What came while this side was busy is read after the timers have run."""
        self.advance(10)
        self.clock.callLater(10, self.hear)
        self.advance(25)
        self.assertEqual(self.log, ["ping", "ping"])
        self.advance(10)
        self.assertEqual(self.log, ["ping", "ping", "given up"])

    def test_ends_before_the_verdict(self) -> None:
        """Another's end is none of the pinger's business."""
        self.advance(10)
        self.clock.callLater(10, self.pinger.discard, self)
        self.advance(10)
        self.assertEqual(self.log, ["ping"])

    def test_any_sign_of_life(self) -> None:
        for _ in range(4):
            self.advance(10)
            self.heard = True
        self.assertEqual(self.log, ["ping"] * 4)

    def test_deaf(self) -> None:
        self.deaf = True
        for _ in range(4):
            self.advance(10)
        self.assertEqual(self.log, ["ping"] * 4)

    def test_clock_jumps_forward(self) -> None:
        """An hour that did not pass gives nobody up, and pings nobody."""
        self.advance(10)
        self.elapsed.advance(1)
        self.clock.advance(3600)
        self.assertEqual(self.log, ["ping"])
        self.advance(8.9)
        self.assertEqual(self.log, ["ping"])
        self.advance(0.2)
        self.assertEqual(self.log, ["ping", "given up"])

    def test_clock_jumps_back(self) -> None:
        """Nobody is given up, though no ping goes out until it has caught up."""
        self.advance(10)
        self.clock.rightNow -= 3600
        self.elapsed.advance(1)
        self.clock.advance(3600)
        self.assertEqual(self.log, ["ping"])
        self.heard = True
        self.advance(10)
        self.assertEqual(self.log, ["ping"] * 2)

    def test_giving_up_fails(self) -> None:
        """It is logged, and the others are looked at all the same."""
        self.pinger.discard(self)
        self.pinger.add(Broken(self.log, self.pinger, None))
        self.pinger.add(self)
        self.advance(10)
        self.advance(10)
        self.assertEqual(self.log, ["broken", "ping", "given up"])
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)

    def test_stopped(self) -> None:
        self.pinger.discard(self)
        self.pinger.discard(self)
        self.advance(100)
        self.assertEqual(self.log, [])

    def test_failing(self) -> None:
        """What goes wrong is logged, not lost, and pings go on."""
        self.keep_alive = lambda: [][0]  # type: ignore[method-assign]
        self.advance(10)
        self.assertEqual(len(self.flushLoggedErrors(IndexError)), 1)
        del self.keep_alive
        self.heard = True
        self.advance(10)
        self.assertEqual(self.log, ["ping"])

    def test_each_in_its_own_time(self) -> None:
        other = Other(self.log, self.pinger, None)
        self.advance(4)
        self.pinger.add(other)
        self.advance(6)
        self.assertEqual(self.log, ["ping"])
        self.advance(3)
        self.assertEqual(self.log, ["ping"])
        self.advance(1)
        self.assertEqual(self.log, ["ping", "other"])
        self.pinger.discard(other)
        self.heard = True
        self.advance(6)
        self.assertEqual(self.log, ["ping", "other", "ping"])

    def test_one_ends_with_another(self) -> None:
        """Both are due, and the first ends the second."""
        self.pinger.discard(self)
        other = Other(self.log, self.pinger, self)
        self.pinger.add(other)
        self.pinger.add(self)
        self.advance(10)
        self.assertEqual(self.log, ["other"])
        self.pinger.discard(other)
