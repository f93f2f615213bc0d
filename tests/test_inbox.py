"""Who is given what has arrived, and when the sender pauses; it is a scripted one."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred

from txws_simple.frames import Frame, Opcode
from txws_simple.inbox import Inbox
from txws_simple.outbox import Outbox
from txws_simple.unread import OVERHEAD

from .ledger import WatchedCase

MAX_UNREAD = 1000


class Sender:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")


def frame(data: bytes = b"", fin: bool = True) -> Frame:
    return Frame(Opcode.BINARY, data, fin)


def of_size(size: int, fin: bool = True) -> Frame:
    """A frame that counts as so many bytes."""
    return frame(bytes(size - OVERHEAD), fin)


class Cases(WatchedCase):
    def setUp(self) -> None:
        self.sender = Sender()
        self.inbox = Inbox(MAX_UNREAD, self.sender)

    def each(self, receiver: object) -> Deferred[None]:
        assert callable(receiver)
        return self.inbox.each(receiver, Outbox())

    def test_arriving_within_a_receiver(self) -> None:
        """It comes behind what had arrived before."""
        got: list[bytes] = []

        def receiver(frame: Frame) -> None:
            got.append(frame.data)
            if frame.data == b"a":
                self.inbox.arrive([Frame(Opcode.TEXT, b"c")])

        self.each(receiver)
        self.inbox.arrive([frame(b"a"), frame(b"b")])
        self.assertEqual(got, [b"a", b"b", b"c"])

    def test_served_within_a_receiver(self) -> None:
        """What arrives while a receiver is served waits until that is done."""
        told: list[str] = []

        def receiver(frame: Frame) -> None:
            told.append(f"begin {frame.data.decode()}")
            if frame.data == b"a":
                self.inbox.arrive([Frame(Opcode.TEXT, b"b")])
            told.append(f"end {frame.data.decode()}")

        self.inbox.arrive([frame(b"a")])
        self.each(receiver)
        self.assertEqual(told, ["begin a", "end a", "begin b", "end b"])

    def test_leaving_within_a_receiver(self) -> None:
        """Whoever waits behind is served with what is left."""
        gate: Deferred[None] = Deferred()

        def receiver(frame: Frame) -> Deferred[None] | None:
            if frame.data == b"a":
                return gate
            done.cancel()
            return None

        done = self.each(receiver)
        behind = self.inbox.read()
        self.inbox.arrive([frame(b"a"), frame(b"b"), frame(b"c")])
        gate.callback(None)
        self.failureResultOf(done, CancelledError)
        self.assertEqual(self.successResultOf(behind), frame(b"c"))

    def test_the_bound(self) -> None:
        """Above it the sender pauses, until half of it is left."""
        self.inbox.arrive([of_size(500), of_size(500)])
        self.assertEqual(self.sender.told, [])
        self.inbox.arrive([of_size(OVERHEAD)])
        self.assertEqual(self.sender.told, ["pause"])
        self.inbox.read()
        self.assertEqual(self.sender.told, ["pause"])
        self.inbox.read()
        self.assertEqual(self.sender.told, ["pause", "resume"])

    def test_half_of_the_bound(self) -> None:
        self.inbox.arrive([of_size(501), of_size(500)])
        self.inbox.read()
        self.assertEqual(self.sender.told, ["pause", "resume"])

    def test_more_than_half_of_the_bound(self) -> None:
        self.inbox.arrive([of_size(500), of_size(501)])
        self.inbox.read()
        self.assertEqual(self.sender.told, ["pause"])

    def test_held(self) -> None:
        """The sender pauses, and goes on only when it is released."""
        self.inbox.hold()
        self.inbox.hold()
        self.assertEqual((self.sender.told, self.inbox.paused), (["pause"], True))
        read = self.inbox.read()
        self.inbox.arrive([frame(b"a")])
        self.assertEqual(self.successResultOf(read), frame(b"a"))
        self.assertEqual(self.sender.told, ["pause"])
        self.inbox.release()
        self.inbox.release()
        self.assertEqual(self.sender.told, ["pause", "resume"])
        self.assertFalse(self.inbox.paused)

    def test_released_with_much_unread(self) -> None:
        self.inbox.hold()
        self.inbox.arrive([of_size(2000)])
        self.inbox.release()
        self.assertEqual(self.sender.told, ["pause"])

    def test_nothing_pauses_after_the_end(self) -> None:
        """Or what ends the connection would not be heard."""
        self.inbox.end(lambda: None)
        self.inbox.arrive([of_size(2000)])
        self.assertEqual(self.sender.told, [])
        self.assertEqual(self.successResultOf(self.inbox.read()), of_size(2000))
        self.assertIsNone(self.successResultOf(self.inbox.read()))

    def test_the_end_lets_the_sender_go_on(self) -> None:
        self.inbox.arrive([of_size(1001), of_size(1001)])
        self.inbox.end(lambda: None)
        self.inbox.deliver()
        self.assertEqual(self.sender.told, ["pause", "resume"])

    def test_the_first_end_counts(self) -> None:
        self.inbox.end(lambda: None)
        self.inbox.end(LookupError)
        self.assertIsNone(self.successResultOf(self.inbox.read()))

    def test_cut(self) -> None:
        """Every reader gets the end, whatever lies unread or held it back."""
        gate: Deferred[None] = Deferred()
        held = self.each(lambda frame: gate)
        behind = self.inbox.receive()
        self.inbox.arrive([frame(b"a"), frame(b"b")])
        self.inbox.cut(LookupError)
        self.inbox.deliver()
        for reader in (held, behind, self.inbox.read()):
            self.failureResultOf(reader, LookupError)
        gate.callback(None)

    def test_discarded(self) -> None:
        """What was not read, and what still arrives; the sender goes on."""
        self.inbox.arrive([of_size(2000)])
        self.inbox.discard()
        self.inbox.arrive([of_size(2000)])
        self.assertEqual(self.sender.told, ["pause", "resume"])
        self.assertEqual(self.inbox.unread.size, 0)
