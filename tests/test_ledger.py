"""The ledger objects: each thing that it looks for is done wrong here on purpose."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from twisted.internet.defer import AlreadyCalledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import Logger

from txws_simple import Frame, IWebSocketPeer, WebSocketFactory, WebSocketPeer
from txws_simple.deferreds import Outcome
from txws_simple.ending import Ending
from txws_simple.frames import Opcode
from txws_simple.inbox import Inbox
from txws_simple.outbox import Outbox

from .helpers import client_frame, request
from .ledger import VERBS, Ledger, WatchedCase
from .wires import MemoryWire, SocketWire, Wire

TEXT = client_frame(Opcode.TEXT, b"x")


def connect(wire_class: type[Wire] = MemoryWire) -> tuple[WebSocketPeer, Wire]:
    """A peer that nobody ends."""
    clock = Clock()
    peers: list[WebSocketPeer] = []

    def keep(peer: WebSocketPeer) -> Deferred[None]:
        peers.append(peer)
        return Deferred()

    wire = wire_class(WebSocketFactory(keep, clock=clock), clock)
    wire.send(request())
    return peers.pop(), wire


def objections(test: Callable[[], object]) -> list[str]:
    """What a ledger has against a test."""
    with Ledger() as ledger:
        kept = test()
        ledger.settle()
    del kept
    return ledger.objections


# What is in order


def everything(wire_class: type[Wire]) -> None:
    """Each verb, of which some Deferreds are listened to and some are not."""
    peer, wire = connect(wire_class)
    wire.send(TEXT * 3)
    peer.read()
    peer.receive().addCallback(lambda _: None)
    for verb in (peer.read, peer.receive, peer.ping, peer.shutdown):
        verb().addErrback(lambda _: None)
    peer.each(peer.write).addErrback(lambda _: None)
    peer.write("heard").addErrback(lambda _: None)
    peer.send("not heard")
    peer.ping()
    peer.close()
    if isinstance(wire, SocketWire):
        wire.end()


@pytest.mark.parametrize("wire_class", [MemoryWire, SocketWire])
def test_nothing_to_object(wire_class: type[Wire]) -> None:
    assert objections(lambda: everything(wire_class)) == []


def test_what_a_test_leaves_open_is_ended() -> None:
    """A peer that still waits is closed, and so fires what waits."""

    def wait() -> None:
        peer, _ = connect()
        peer.read().addErrback(lambda _: None)
        peer.write("x")

    assert objections(wait) == []


# What is not


def test_never_fired() -> None:
    def read() -> None:
        peer, _ = connect()
        peer.read()

    with patch.object(Inbox, "deliver"):
        assert objections(read) == ["read() never fired"]


def test_shutdown_never_told() -> None:
    def shut_down() -> None:
        peer, _ = connect()
        peer.shutdown()

    with patch.object(Ending, "tell"):
        assert objections(shut_down) == ["shutdown() never fired"]


@pytest.mark.parametrize("is_heard", [False, True])
def test_a_write_without_a_fate(is_heard: bool) -> None:
    """Whether somebody listens to it or not."""

    def write() -> None:
        peer, wire = connect()
        wire.stall()
        peer.write(b"x" * 100_000)
        write = peer.write("x")
        if is_heard:
            write.addErrback(lambda _: None)

    with patch.object(Outbox, "lost"):
        assert objections(write) == [
            "write() never fired",
            "write() never fired",
        ]


def test_fired_twice() -> None:
    """Though whoever did it caught the error."""

    def read() -> None:
        peer, wire = connect()
        read = peer.read()
        wire.send(TEXT)
        with pytest.raises(AlreadyCalledError):
            read.callback(None)

    assert objections(read) == ["read() fired 2 times"]


def test_fired_after_it_was_cancelled() -> None:
    """Once, a Deferred swallows this by itself."""

    def read() -> None:
        read: Deferred[None] = Deferred()
        ledger.give("read", read)
        read.addErrback(lambda _: None)
        read.cancel()
        read.callback(None)

    with Ledger() as ledger:
        read()
        ledger.settle()
    assert ledger.objections == ["read() fired 2 times"]


def test_unhandled() -> None:
    def read() -> None:
        peer, wire = connect()
        peer.read().addCallback(lambda _: 1 / 0)
        wire.send(TEXT)

    [objection] = objections(read)
    assert "ZeroDivisionError" in objection


def test_logged() -> None:
    def log() -> None:
        try:
            raise LookupError
        except LookupError:
            Logger().failure("it failed")

    [objection] = objections(log)
    assert "LookupError" in objection


def test_delayed_call() -> None:
    def wait() -> None:
        _, wire = connect()
        wire.clock.callLater(1, lambda: None)

    [objection] = objections(wait)
    assert objection.startswith("delayed call left: ")


def test_delayed_call_of_a_reactor() -> None:
    def wait() -> None:
        peer, wire = connect(SocketWire)
        calls.append(SocketWire.reactor.callLater(1000, lambda: None))
        peer.close()
        wire.end()  # type: ignore[attr-defined]

    calls: list[Any] = []
    [objection] = objections(wait)
    assert objection.startswith("delayed call left: ")
    calls[0].cancel()


def test_survivor() -> None:
    """Whatever is held, by whomever."""

    def keep() -> None:
        peer, wire = connect()
        kept.append((peer, wire))

    kept: list[object] = []
    assert sorted(objections(keep)) == [
        "survives: Connection",
        "survives: Session",
        "survives: WebSocketPeer",
        "survives: WebSocketProtocol",
    ]


def test_objects_by_failing() -> None:
    ledger = Ledger()
    ledger.check()
    ledger.objections.append("something")
    with pytest.raises(AssertionError, match="something"):
        ledger.check()


# How it looks


def test_it_does_not_listen() -> None:
    """A write to which nobody listened is as it was when it was given out."""
    peer, wire = connect()
    writes = []
    wire.stall()
    with Ledger() as ledger:
        writes += [peer.write("x"), peer.send(b"x" * 100_000), peer.write("y")]
        assert not any(write.is_heard for write in writes)  # type: ignore[attr-defined]
        peer.close()
        ledger.settle()
    assert not any(write.is_heard for write in writes)  # type: ignore[attr-defined]
    assert ledger.objections == []


def test_a_result_in_advance() -> None:
    """It counts as fired, and is not to be fired again."""
    for deferred in (succeed(1), Outcome(1), Outcome(LookupError())):
        with Ledger() as ledger:
            ledger.give("read", deferred)
            deferred.addErrback(lambda _: None)
            ledger.settle()
        assert ledger.objections == []


def test_every_verb_is_written_down() -> None:
    """All that the interface has, and that gives a Deferred."""
    arguments: dict[str, tuple[Any, ...]] = {
        "each": (lambda frame: None,),
        "write": (Frame(Opcode.TEXT, b"x"),),
        "send": ("x",),
    }
    attributes = {"close", "error"}
    for name in IWebSocketPeer.names():
        peer, _ = connect()
        verb = getattr(peer, name)
        if name in attributes or not callable(verb):
            continue
        assert name in VERBS[WebSocketPeer]
        with Ledger() as ledger:
            given = verb(*arguments.get(name, ()))
            assert isinstance(given, Deferred)
            assert ledger.given == {name: 1}
            given.addErrback(lambda _: None)
            peer.close()
            ledger.settle()
        assert ledger.objections == []


# Who is under it


def test_the_case_of_trial() -> None:
    """It has its ledger by itself, whoever runs it."""

    class Case(WatchedCase):
        def test_wrong(self) -> None:
            peer, _ = connect()
            peer.read()

        def test_right(self) -> None:
            self.peer, _ = connect()
            self.peer.read().addErrback(lambda _: None)

    for name, count in (("test_right", 0), ("test_wrong", 1)):
        result = unittest.TestResult()
        with patch.object(Inbox, "deliver") if count else nullcontext():
            Case(name).run(result)
        assert len(result.errors) == count, result.errors
        assert result.failures == []
        assert all("read() never fired" in text for _, text in result.errors)


def test_every_case_of_trial_is_watched() -> None:
    watched = []
    for path in Path(__file__).parent.glob("test_*.py"):
        module = import_module(f"{__package__}.{path.stem}")
        for case in vars(module).values():
            if isinstance(case, type) and issubclass(case, unittest.TestCase):
                assert issubclass(case, WatchedCase), case
                watched.append(case)
    assert len(watched) > 10


def test_every_function_is_watched(ledger: Ledger) -> None:
    """By the fixture, which is asked for by none and used by all."""
    peer, wire = connect()
    wire.send(TEXT)
    peer.read()
    assert ledger.given == {"read": 1}
