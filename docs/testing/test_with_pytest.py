"""The guest book under pytest, with no plugin."""

from collections.abc import Iterator

import pytest
from guestbook import GuestBook, make_factory
from twisted.internet.task import Clock

from txws_simple.testing import Client, connect


@pytest.fixture
def guest() -> Iterator[Client]:
    """A client of the handler alone."""
    with connect(GuestBook().serve) as client:
        yield client


def test_a_guest_reads_what_it_wrote(guest: Client) -> None:
    guest.send("I was here")
    assert guest.receive() == "I was here"


def test_all_guests_read_it() -> None:
    factory = make_factory(Clock())
    with (
        connect(factory, "/?token=secret") as ann,
        connect(factory, "/?token=secret") as bob,
    ):
        ann.send("hello")
        assert (ann.received(), bob.received()) == (["hello"], ["hello"])


def test_no_token() -> None:
    with connect(make_factory(Clock()), "/") as client:
        assert (client.status, client.body) == (403, "no token\n")


def test_silence(guest: Client) -> None:
    guest.advance(59)
    assert guest.is_open
    guest.advance(1)
    assert (guest.close_code, guest.close_reason) == (4000, "idle")


def test_one_is_lost() -> None:
    """The others do not hear of it."""
    book, clock = GuestBook(), Clock()
    with (
        connect(book.serve, clock=clock) as ann,
        connect(book.serve, clock=clock) as bob,
    ):
        ann.lose()
        bob.send("alone?")
        assert bob.receive() == "alone?"
        assert len(book.guests) == 1
        # The handler of a lost connection ends with ConnectionClosed: no failure.


def test_a_slow_reader() -> None:
    """What is written waits for it, and nobody else does."""
    factory = make_factory(Clock())
    with (
        connect(factory, "/?token=secret") as slow,
        connect(factory, "/?token=secret") as other,
    ):
        slow.stall()
        other.send("hello")
        assert other.receive() == "hello"
        slow.unstall()
        assert slow.receive() == "hello"


def test_one_that_is_much_too_slow() -> None:
    """It is thrown out, and the guest after it misses nothing."""
    factory = make_factory(Clock())
    with (
        connect(factory, "/?token=secret") as slow,
        connect(factory, "/?token=secret") as bob,
        connect(factory, "/?token=secret") as ann,
    ):
        slow.stall()
        for _ in range(20):
            ann.send("x" * 1_000_000)
        assert len(bob.received()) == len(ann.received()) == 20
        assert not slow.is_open


def test_something_that_is_not_allowed(guest: Client) -> None:
    guest.raw(b"\xff\xff")
    assert guest.close_code == 1002
