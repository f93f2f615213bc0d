"""The order of what is written, and who is told; the way out is a scripted one."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable

from twisted.internet.defer import CancelledError
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txws_simple.interfaces import IOutlet
from txws_simple.outbox import Outbox

from .ledger import WatchedCase


@implementer(IOutlet)
class Outlet:
    """Takes ``room`` bytes, then none."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.room = room
        self.lent = 0
        self.taken = b""
        self.given: list[list[int]] = []  # the sizes of the pieces, call by call
        self.meanwhile: Callable[[], object] = lambda: None

    @property
    def calls(self) -> int:
        return len(self.given)

    def send(self, pieces: list[bytes], size: int) -> int:
        self.given.append([len(piece) for piece in pieces])
        data = b"".join(map(bytes, pieces))
        assert len(data) == size
        count = min(self.room, size)
        self.taken += data[:count]
        self.room -= count
        self.meanwhile()
        return count

    def finish(self) -> None:
        raise AssertionError("nobody asked for this")

    abort = finish


class Cases(WatchedCase):
    def setUp(self) -> None:
        self.drained = 0
        self.outbox = Outbox()
        self.outbox.drained = self.count
        self.outlet = Outlet()
        verifyObject(IOutlet, self.outlet)

    def count(self) -> None:
        self.drained += 1

    def open(self, room: int = 1 << 30) -> None:
        self.outlet.room = room
        self.outbox.open(self.outlet, b"")

    def test_waits_for_the_way_out(self) -> None:
        write = self.outbox.write([b"abc"])
        self.assertNoResult(write)
        self.assertEqual(self.outbox.buffered, 3)
        self.outbox.open(self.outlet, b"first")
        self.assertEqual(self.outlet.taken, b"firstabc")
        self.assertEqual((self.successResultOf(write), self.outbox.buffered), (3, 0))

    def test_what_goes_before_all_else(self) -> None:
        """It counts for nobody: no write has gone with it."""
        writes = [self.outbox.write([b"a"]), self.outbox.write([b"b"])]
        self.outlet.room = 3
        self.outbox.open(self.outlet, b"first")
        self.assertEqual((self.outbox.buffered, self.outbox.sent), (4, -2))
        steps = (
            (0, [False] * 2),
            (2, [False] * 2),
            (1, [True, False]),
            (1, [True] * 2),
        )
        for room, called in steps:
            self.outlet.room = room
            self.outbox.go_on(0)
            self.assertEqual([write.called for write in writes], called)
            self.assertEqual(self.outbox.sent, len(self.outlet.taken) - len(b"first"))
        self.assertEqual(self.outlet.taken, b"firstab")

    def test_cut_at_every_byte(self) -> None:
        """However little is taken at a time, every byte goes once, in order."""
        data = [[b"ab", b"cde"], [b"f"], [b"ghi", b"j", b"kl"]]
        for step in range(1, 13):
            self.setUp()
            self.open(step)
            writes = [self.outbox.write(list(pieces)) for pieces in data]
            for _ in range(12):
                self.outlet.room = step
                self.outbox.go_on(0)
            self.assertEqual(self.outlet.taken, b"abcdefghijkl")
            self.assertEqual([self.successResultOf(w) for w in writes], [5, 1, 6])
            self.assertEqual(self.outbox.buffered, 0)

    def test_corked(self) -> None:
        """What is written meanwhile goes out in one."""
        self.open()
        self.outbox.cork()
        self.outbox.cork()
        self.outbox.write([b"a"])
        self.outbox.uncork()
        self.outbox.write([b"b"])
        self.assertEqual(self.outlet.calls, 0)
        self.outbox.uncork()
        self.assertEqual((self.outlet.calls, self.outlet.taken), (1, b"ab"))
        self.assertEqual(self.drained, 1)

    def test_listening_sends(self) -> None:
        self.open()
        self.outbox.cork()
        write = self.outbox.write([b"a"])
        self.assertEqual((self.outlet.taken, write.is_heard), (b"", False))
        write.addCallback(lambda size: size + 1)
        self.assertEqual((self.outlet.taken, self.successResultOf(write)), (b"a", 2))
        self.assertTrue(write.is_heard)

    def test_many_pieces(self) -> None:
        """More than the kernel takes in one call."""
        self.open()
        self.outbox.cork()
        for number in range(2000):
            self.outbox.write([b"%04d" % number])
        self.outbox.uncork()
        self.assertEqual(self.outlet.taken, b"".join(b"%04d" % n for n in range(2000)))

    def test_small_pieces_go_joined(self) -> None:
        """Those of many bytes go as they are, and no more than a batch in one call."""
        for size, pieces in (
            (4096, [8192]),
            (4097, [4097, 4097]),
            (40_000, [40_000] * 2),
        ):
            self.setUp()
            self.open()
            self.outbox.cork()
            for _ in range(2):
                self.outbox.write_packed(bytes(size))
            self.outbox.uncork()
            self.assertEqual(self.outlet.given, [pieces])

    def test_a_batch_at_a_time(self) -> None:
        self.open(0)
        for _ in range(5):
            self.outbox.write([bytes(30_000)])
        self.outlet.given.clear()
        self.outlet.room = 1 << 30
        self.outbox.go_on(0)
        self.assertEqual(self.outlet.given, [[30_000] * 3, [30_000] * 2])

    def test_the_way_out_goes_on_at_once(self) -> None:
        """A transport may tell so while it is given something."""
        self.open(0)
        self.outbox.write([bytes(40_000)])
        self.outbox.write([b"a" * 40_000])
        self.outlet.room = 1 << 30
        self.outlet.meanwhile = lambda: self.outbox.go_on(0)
        self.outbox.go_on(0)
        self.assertEqual(self.outlet.taken, bytes(40_000) + b"a" * 40_000)
        self.assertEqual(self.outbox.buffered, 0)

    def test_bytes_that_left_meanwhile(self) -> None:
        self.open(0)
        write = self.outbox.write([b"abc"])
        self.outlet.room = 1
        self.outbox.go_on(2)
        self.assertEqual(self.outlet.taken, b"c")
        self.assertEqual(self.successResultOf(write), 3)

    def test_withdrawing(self) -> None:
        self.open(0)
        first, second = self.outbox.write([b"a"]), self.outbox.write([b"b"])
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.outlet.lent = 1
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual(self.outbox.buffered, 1)
        self.outbox.go_on(1)
        self.assertEqual((self.outbox.buffered, self.outlet.taken), (0, b""))

    def test_withdrawing_before_there_is_a_way_out(self) -> None:
        """Nothing of it stays, however often."""
        tracemalloc.start()
        try:
            for _ in range(5000):
                write = self.outbox.write([b"a"])
                write.cancel()
                self.failureResultOf(write, CancelledError)
            self.assertLess(tracemalloc.get_traced_memory()[0], 1 << 14)
        finally:
            tracemalloc.stop()
        self.assertEqual(self.outbox.buffered, 0)

    def test_withdrawing_behind_what_is_lent(self) -> None:
        """What is lent may be of several pieces; a write that has begun stays."""
        for lent, withdrawn in ((2, 4), (3, 4), (4, 0), (7, 0)):
            self.setUp()
            self.open(1)
            self.outbox.write([b"abc"])
            self.outbox.write([b"d"])
            write = self.outbox.write([b"ef", b"gh"])
            self.outlet.lent = lent
            write.cancel()
            self.failureResultOf(write, CancelledError)
            self.assertEqual(self.outbox.buffered, 7 - withdrawn)

    def test_a_piece_that_has_begun_stays(self) -> None:
        self.open(1)
        write = self.outbox.write([b"ab"])
        write.cancel()
        self.failureResultOf(write, CancelledError)
        self.assertEqual(self.outbox.buffered, 1)

    def test_withdrawing_behind_a_piece_that_has_begun(self) -> None:
        self.open(1)
        self.outbox.write([b"ab"])
        write = self.outbox.write([b"cd"])
        write.cancel()
        self.failureResultOf(write, CancelledError)
        self.outlet.room = 10
        self.outbox.go_on(0)
        self.assertEqual(self.outlet.taken, b"ab")

    def test_a_long_queue(self) -> None:
        """What has gone is taken off its head, and the numbers of the others hold."""
        self.open(0)
        writes = [self.outbox.write([b"%03d" % number]) for number in range(300)]
        last = writes[299]
        self.assertNoResult(last)
        for number in range(0, 290, 10):
            self.outlet.room = 30
            self.outbox.go_on(0)
            self.assertEqual(writes[number + 9].peek(), 3)
            self.assertEqual(self.outbox.buffered, 3 * (290 - number))
        writes[295].cancel()
        self.failureResultOf(writes[295], CancelledError)
        self.outlet.room = 1000
        self.outbox.go_on(0)
        sent = [number for number in range(300) if number != 295]
        self.assertEqual(self.outlet.taken, b"".join(b"%03d" % n for n in sent))
        self.assertEqual(self.successResultOf(last), 3)

    def test_a_queue_that_is_never_empty(self) -> None:
        """What has gone does not stay in it."""
        self.open(0)
        self.outbox.write([b"waiting"])
        tracemalloc.start()
        try:
            for _ in range(5000):
                self.outbox.write([b"waiting"])
                self.outlet.room = 7
                self.outbox.go_on(0)
                self.outlet.given.clear()
                self.outlet.taken = b""
            self.assertLess(tracemalloc.get_traced_memory()[0], 1 << 14)
        finally:
            tracemalloc.stop()
        self.assertEqual(self.outbox.buffered, 7)

    def test_undo_may_say_no(self) -> None:
        self.open(0)
        write = self.outbox.write([b"a"])
        write.undo = lambda: False
        write.cancel()
        self.failureResultOf(write, CancelledError)
        self.outlet.room = 1
        self.outbox.go_on(0)
        self.assertEqual(self.outlet.taken, b"a")

    def test_pongs_while_blocked(self) -> None:
        """The last stands for all that have not begun."""
        self.open(2)
        self.outbox.write([b"abc"])
        for number in range(5):
            self.outbox.write_pong([b"%02d" % number * (number + 1)])
        self.assertEqual(self.outbox.buffered, 1 + 10)
        self.outlet.room = 3
        self.outbox.go_on(0)
        self.outbox.write_pong([b"++"])
        self.outlet.room = 100
        self.outbox.go_on(0)
        self.assertEqual(self.outlet.taken, b"abc" + b"04" * 5 + b"++")

    def test_pongs_behind_what_is_lent(self) -> None:
        """Each costs the same, however many pieces the transport has borrowed."""
        self.open(0)
        for _ in range(1000):
            self.outbox.write([b"a"])
        self.outlet.lent = 900
        steps = 0

        def count(_frame: object, event: str, _function: object) -> None:
            nonlocal steps
            steps += event in ("call", "c_call")

        sys.setprofile(count)
        try:
            for _ in range(100):
                self.outbox.write_pong([b"pong"])
        finally:
            sys.setprofile(None)
        self.assertEqual(self.outbox.buffered, 1000 + 4)
        self.assertLess(steps, 100 * 20)

    def test_a_pong_that_has_gone_in_part(self) -> None:
        """Nothing stands for that one: its rest has to follow."""
        self.open(1000)
        self.outbox.cork()
        self.outbox.write_pong([b"a" * 70_000])  # too much to wait for the uncorking
        self.outbox.uncork()
        for data in (b"b", b"c"):
            self.outbox.write_pong([data])
        self.assertEqual(self.outbox.buffered, 69_000 + 1)
        self.outlet.room = 100_000
        self.outbox.go_on(0)
        self.assertEqual(self.outlet.taken, b"a" * 70_000 + b"c")
        self.assertEqual(self.outbox.buffered, 0)

    def test_pong_after_the_end(self) -> None:
        """None waits for a way out that is lost."""
        self.open(0)
        self.outbox.write([b"a"])
        self.outbox.write_pong([b"b"])
        self.outbox.lost(LookupError())
        self.outbox.write_pong([b"c"])
        self.outbox.write_pong([b"d"])
        self.assertEqual(self.outbox.buffered, 0)

    def test_lost(self) -> None:
        self.open(1)
        waiting, unheard = self.outbox.write([b"ab"]), self.outbox.write([b"c"])
        self.assertNoResult(waiting)
        self.outbox.lost(LookupError())
        self.failureResultOf(waiting, LookupError)
        self.failureResultOf(self.outbox.write([b"d"]), LookupError)
        self.assertEqual(self.outbox.buffered, 0)
        self.assertTrue(unheard.called)
        self.outbox.go_on(0)
        self.assertEqual(self.outlet.taken, b"a")

    def test_lost_while_sending(self) -> None:
        """What has gone before has gone."""
        self.open()
        first = self.outbox.write([b"a"])
        self.outlet.meanwhile = lambda: self.outbox.lost(LookupError())
        second = self.outbox.write([b"b"])
        self.failureResultOf(second, LookupError)
        self.assertEqual(self.successResultOf(first), 1)
        self.assertEqual(self.outbox.buffered, 0)

    def test_writing_when_told(self) -> None:
        """A callback may write; its bytes come behind all others."""
        self.open(1)
        first = self.outbox.write([b"ab"])
        self.outbox.write([b"c"])
        first.addCallback(lambda _: self.outbox.write([b"d"]))
        self.outlet.room = 100
        self.outbox.go_on(0)
        self.assertEqual(self.outlet.taken, b"abcd")
