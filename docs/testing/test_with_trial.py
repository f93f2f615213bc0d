"""The guest book under trial, whichever kind of case."""

from guestbook import GuestBook
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from txws_simple import WebSocketPeer
from txws_simple.testing import connect


def divide(peer: WebSocketPeer) -> Deferred[None]:
    """Divide a hundred by what comes; written with Deferreds."""

    def answer(message: str | bytes | None) -> Deferred[int]:
        assert message is not None
        return peer.send(str(100 // int(message)))

    return peer.receive().addCallback(answer).addCallback(lambda _: None)


class GuestBookTests(SynchronousTestCase):
    """No reactor runs."""

    def setUp(self) -> None:
        self.client = connect(GuestBook().serve)
        self.addCleanup(self.client.finish)

    def test_a_guest_reads_what_it_wrote(self) -> None:
        self.client.send("I was here")
        self.assertEqual(self.client.receive(), "I was here")

    def test_silence(self) -> None:
        self.client.advance(60)
        self.assertEqual(self.client.close_code, 4000)


class DivisionTests(SynchronousTestCase):
    """A handler that fails logs it."""

    def test_a_number(self) -> None:
        with connect(divide) as client:
            client.send("7")
            self.assertEqual(client.receive(), "14")
            self.assertEqual(client.close_code, 1000)

    def test_nothing_is_divided_by_nought(self) -> None:
        with connect(divide) as client:
            client.send("0")
            self.assertEqual(client.close_code, 1011)
            client.flush_failures(ZeroDivisionError)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class ThreadTests(TestCase):
    """Here trial runs the reactor."""

    async def test_a_thread(self) -> None:
        async def shout(peer: WebSocketPeer) -> None:
            async for frame in peer:
                await peer.send(await deferToThread(frame.data.decode().upper))

        with connect(shout) as client:
            client.send("hello")
            self.assertEqual(await client.arrival(), "HELLO")
