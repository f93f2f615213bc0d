"""What is given of a peer to what stands above it: to watch, to wait, to hold."""

from __future__ import annotations

from twisted.internet.defer import CancelledError

from txws_simple import ConnectionClosed, Frame, Opcode

from .helpers import client_frame
from .test_peer import PeerCase, close_frame, over_sockets

TEXT, CONTINUATION = Opcode.TEXT, Opcode.CONTINUATION

_WHOLE = client_frame(TEXT, b"whole")
_FIRST = client_frame(TEXT, b"fir", fin=False)
_LAST = client_frame(CONTINUATION, b"st")
_PING = client_frame(Opcode.PING, b"ping")


class Watching(PeerCase):
    def test_every_segment(self) -> None:
        """Its size, its data frames, and whether it leaves something unfinished."""
        peer, wire = self.connect()
        seen: list[tuple[int, list[bytes], bool]] = []
        peer.watch(
            lambda size, frames, is_receiving: seen.append(
                (size, [frame.data for frame in frames], is_receiving)
            )
        )
        for segment, data, is_receiving in (
            (_WHOLE, [b"whole"], False),
            (_WHOLE + _WHOLE[:1], [b"whole"], True),
            (_WHOLE[1:7], [], True),
            (_WHOLE[7:], [b"whole"], False),
            (_PING[:3], [], True),
            (_PING[3:], [], False),
            (_FIRST, [b"fir"], True),
            (_PING, [], True),
            (_LAST, [b"st"], False),
            (_PING, [], False),
            (_LAST, [], False),  # a violation: it continues nothing
        ):
            wire.send(segment)
            self.assertEqual(seen.pop(), (len(segment), data, is_receiving))
            self.assertEqual(seen, [])

    def test_before_anybody_reads(self) -> None:
        peer, wire = self.connect()
        order: list[str] = []
        peer.watch(lambda *segment: order.append("watched"))
        peer.each(lambda frame: order.append("read")).addErrback(lambda _: None)
        wire.send(_WHOLE)
        self.assertEqual(order, ["watched", "read"])


class Ending(PeerCase):
    def test_waiting_begins_nothing(self) -> None:
        peer, wire = self.connect()
        ended, late = peer.ended(), peer.ended()
        late.addErrback(lambda failure: failure.trap(CancelledError))
        late.cancel()
        self.assertIsNone(peer.closed_by)
        self.assertNoResult(ended)
        wire.send(close_frame(1000))
        self.assertNoResult(ended)
        wire.fin()
        self.assertTrue(self.successResultOf(ended))
        self.assertTrue(self.successResultOf(peer.ended()))

    def test_not_in_order(self) -> None:
        peer, wire = self.connect()
        ended = peer.ended()
        wire.reset()
        self.assertFalse(self.successResultOf(ended))


class Holding(PeerCase):
    def test_until_released(self) -> None:
        peer, wire = self.connect()
        peer.hold()
        self.assertTrue(peer.is_paused)
        self.assertTrue(wire.is_paused)
        peer.release()
        self.assertFalse(peer.is_paused)
        self.assertFalse(wire.is_paused)

    def test_by_the_watcher(self) -> None:
        """What the segment brought is read, and nothing after it."""
        peer, wire = self.connect()
        peer.watch(lambda *segment: peer.hold())
        wire.send(_WHOLE)
        self.assertTrue(wire.is_paused)
        self.assertEqual(self.successResultOf(peer.read()), Frame(TEXT, b"whole"))
        self.assertTrue(wire.is_paused)

    def test_somebody_who_waits_does_not_end_it(self) -> None:
        peer, wire = self.connect()
        peer.hold()
        read = peer.read()
        self.assertTrue(wire.is_paused)
        read.cancel()
        self.failureResultOf(read)

    def test_released_while_much_is_unread(self) -> None:
        """The two reasons to pause do not undo each other."""
        for first in ("release", "read"):
            peer, wire = self.connect(max_unread=1000)
            wire.send(client_frame(TEXT, b"x" * 2000))
            peer.hold()
            steps = {"release": peer.release, "read": peer.read}
            steps.pop(first)()
            self.assertTrue(wire.is_paused)
            [last] = steps.values()
            last()
            self.assertFalse(wire.is_paused)

    def test_nobody_is_given_up(self) -> None:
        """No pong can be seen meanwhile."""
        peer, wire = self.connect(ping_frequency=5)
        peer.hold()
        for _ in range(5):
            wire.advance(5)
        self.assertIsNone(peer.closed_by)

    def test_shutdown_ends_it(self) -> None:
        """The other side's Close is heard."""
        peer, wire = self.connect()
        peer.hold()
        done = peer.shutdown()
        self.assertFalse(wire.is_paused)
        peer.hold()
        self.assertFalse(wire.is_paused)
        wire.send(close_frame(1000))
        wire.fin()
        self.assertTrue(self.successResultOf(done))

    def test_a_close_ends_it(self) -> None:
        peer, wire = self.connect()
        peer.watch(lambda *segment: peer.hold())
        wire.send(close_frame(1000))
        self.assertFalse(wire.is_paused)
        self.assertIsNone(self.successResultOf(peer.read()))

    def test_closed_meanwhile(self) -> None:
        peer, wire = self.connect()
        peer.hold()
        read = peer.read()
        peer.close()
        wire.advance(0)
        peer.release()
        self.failureResultOf(read, ConnectionClosed)


WatchingOverSockets = over_sockets(Watching)
EndingOverSockets = over_sockets(Ending)
HoldingOverSockets = over_sockets(Holding)
