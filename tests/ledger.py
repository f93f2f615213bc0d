"""What peers owe: each Deferred that they give out, and that nothing of them stays.

A `Ledger` that is open writes down every Deferred that a verb of any peer gives
out.  When it is settled, each must have fired exactly once, no delayed call may be
left, nothing may have been logged as a failure, and no peer, protocol, session or
connection may have survived a collection.

It only looks at the end: a write that nobody listens to behaves otherwise than one
that is listened to, and stays unheard.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache, wraps
from typing import Any, ClassVar
from weakref import WeakSet

from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txws_simple.connection import Connection
from txws_simple.deferreds import Outcome
from txws_simple.peer import WebSocketPeer
from txws_simple.protocol import WebSocketFactory, WebSocketProtocol
from txws_simple.session import Session

#: The verbs that give a Deferred out, and who has them.
VERBS = {
    WebSocketPeer: (
        *("read", "receive", "each", "write", "send", "ping", "shutdown", "ended"),
    ),
    WebSocketFactory: ("drain",),
}

#: Of what nothing may stay.
KINDS = (WebSocketPeer, WebSocketProtocol, Session, Connection)

#: Those that are open; only the last one is written to.
_open: list[Ledger] = []

#: Survivors that were objected to already: no test pays for another.
_known: list[object] = []


class Entry:
    """What is noted of one Deferred that was given out; it hangs on that.

    Attributes:
        verb: What gave it out.
        count: How often it was fired.
    """

    def __init__(self, ledger: Ledger, verb: str, deferred: Deferred[Any]) -> None:
        self._ledger = ledger
        self.verb = verb
        self.count = int(deferred.called and not _is_unheard(deferred))

    def fire(self) -> None:
        """It is fired."""
        self.count += 1
        self._ledger.waiting.pop(self, None)
        if self.count > 1:
            self._ledger.objections.append(f"{self.verb}() fired {self.count} times")


def _is_unheard(deferred: Deferred[Any]) -> bool:
    return isinstance(deferred, Outcome) and not deferred.is_heard


class Ledger:
    """All that is given out while it is open.

    Attributes:
        given: How many Deferreds each verb gave out.
        waiting: Those that have no result yet.
        failures: What was logged as a failure.
        objections: What was found to be wrong.
    """

    #: The same as ``given``, of all ledgers; and the peers.
    totals: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        self.given: Counter[str] = Counter()
        self.waiting: dict[Entry, Deferred[Any]] = {}
        self.failures: list[Failure] = []
        self.objections: list[str] = []
        self._peers: WeakSet[WebSocketPeer] = WeakSet()
        self._made = 0
        self._clocks: list[Any] = []

    # While it is open

    def __enter__(self) -> Ledger:
        _freeze()
        _open.append(self)
        globalLogPublisher.addObserver(self._observe)
        gc.callbacks.append(self._before_collection)
        self._before = _reactor_calls()
        return self

    def __exit__(self, *_: object) -> None:
        gc.callbacks.remove(self._before_collection)
        globalLogPublisher.removeObserver(self._observe)
        _open.remove(self)

    def give(self, verb: str, deferred: Deferred[Any]) -> None:
        """A verb gives this out."""
        attributes = vars(deferred)
        if "entry" not in attributes:
            entry = attributes["entry"] = Entry(self, verb, deferred)
            self.given[verb] += 1
            self.totals[verb] += 1
            if not deferred.called:
                self.waiting[entry] = deferred

    def watch(self, peer: WebSocketPeer, session: Session) -> None:
        """A peer was made."""
        self._made += 1
        self._peers.add(peer)
        for clock in (session.clock, getattr(peer.transport, "reactor", None)):
            if clock is not None and clock not in self._clocks:
                self._clocks.append(clock)

    def _observe(self, event: Any) -> None:
        if _open[-1] is self and event.get("log_failure") is not None:
            self.failures.append(event["log_failure"])

    def _before_collection(self, phase: str, info: dict[str, int]) -> None:
        """A full one must not find what we alone keep."""
        if phase == "start" and info["generation"] == 2:
            self._let_go()

    def _let_go(self) -> None:
        """Keep none that has its result, for whoever should look."""
        # A copy, for a collection may come at any time.
        for entry, deferred in self.waiting.copy().items():
            if _is_unheard(deferred) and deferred.called:
                self.waiting.pop(entry, None)

    def forgive(self, failures: list[Failure]) -> None:
        """These were logged because the test wanted it so."""
        self.failures = [one for one in self.failures if one not in failures]

    # When it is settled

    def settle(self, turn: Callable[[], None] = lambda: None) -> None:
        """End what is still open, and look at everything.

        Args:
            turn: Turns the global reactor, where the test can't do that itself.
        """
        self._end_all(turn)
        self._settle_waiting()
        self._settle_calls()
        if self._made:
            gc.collect()
        # Not before: a collection can be what tells of an unhandled failure.
        self._settle_failures()
        if self._made:
            self._settle_survivors()
        self.totals["peers"] += self._made

    def _end_all(self, turn: Callable[[], None]) -> None:
        for peer in list(self._peers):
            peer.close()
        for clock in self._clocks:
            if hasattr(clock, "advance"):
                clock.advance(0)
            elif clock is sys.modules.get("twisted.internet.reactor"):
                turn()
            else:
                clock.iterate(0)

    def _settle_waiting(self) -> None:
        self._let_go()
        self.objections += [f"{entry.verb}() never fired" for entry in self.waiting]
        self.waiting.clear()

    def _settle_calls(self) -> None:
        for clock in self._clocks:
            for call in clock.getDelayedCalls():
                if call not in self._before:
                    self.objections.append(f"delayed call left: {call}")
        self._clocks.clear()

    def _settle_failures(self) -> None:
        self.objections += [f"logged: {one.getTraceback()}" for one in self.failures]
        if self.failures:
            # What hangs on them is no survivor.
            self.failures.clear()
            gc.collect()

    def _settle_survivors(self) -> None:
        for survivor in _survivors():
            self.objections.append(f"survives: {type(survivor).__name__}")
            _known.append(survivor)
        # What there is now stays, reports of tests most of all: thousands of them
        # would be looked through after each test.
        gc.freeze()

    def check(self) -> None:
        """Fail if there is an objection."""
        assert not self.objections, "\n".join(self.objections)


def _survivors() -> Iterator[object]:
    for one in gc.get_objects():
        if issubclass(type(one), KINDS) and not any(one is known for known in _known):
            yield one


@cache
def _freeze() -> None:
    """Spare the collections what is there before the first test."""
    gc.collect()
    gc.freeze()


def _reactor_calls() -> list[Any]:
    reactor: Any = sys.modules.get("twisted.internet.reactor")
    return reactor.getDelayedCalls() if reactor is not None else []


def giving(verb: Callable[..., Any]) -> Callable[..., Any]:
    """The verb, of which each Deferred is written down."""

    @wraps(verb)
    def given(*arguments: Any, **keywords: Any) -> Any:
        deferred = verb(*arguments, **keywords)
        if _open:
            _open[-1].give(verb.__name__, deferred)
        return deferred

    return given


def _counting(fire: Callable[..., None]) -> Callable[..., None]:
    """A Deferred's method that fires it, of which each call is counted."""

    @wraps(fire)
    def counted(deferred: Deferred[Any], *arguments: Any) -> None:
        entry = vars(deferred).get("entry")
        if entry is not None:
            entry.fire()
        fire(deferred, *arguments)

    return counted


def _watching(make: Callable[..., None]) -> Callable[..., None]:
    """The peer's constructor, of which each call is written down."""

    @wraps(make)
    def made(peer: WebSocketPeer, session: Session) -> None:
        make(peer, session)
        if _open:
            _open[-1].watch(peer, session)

    return made


def _install() -> None:
    for owner, verbs in VERBS.items():
        for verb in verbs:
            setattr(owner, verb, giving(getattr(owner, verb)))
    for fire in ("callback", "errback"):
        setattr(Deferred, fire, _counting(getattr(Deferred, fire)))
    # No type checker lets a method be assigned.
    setattr(WebSocketPeer, "__init__", _watching(WebSocketPeer.__init__))  # noqa: B010


_install()


class WatchedCase(SynchronousTestCase):
    """One whose tests each have a ledger, whatever runs them."""

    def run(self, result: Any) -> None:
        self._ledger = Ledger()
        tear_down, before = self.tearDown, set(vars(self))

        def settle() -> None:
            # Trial does this last, after all cleanups; a method is replaced for it.
            tear_down()
            self._settle(before)

        self.tearDown = settle  # type: ignore[method-assign]
        with self._ledger:
            super().run(result)

    def _settle(self, before: set[str]) -> None:
        # What the test has kept is no survivor.
        for name in set(vars(self)) - before:
            if not name.startswith("_") and name != "tearDown":
                delattr(self, name)
        self._ledger.settle()
        self._ledger.check()

    def flushLoggedErrors(self, *kinds: Any) -> list[Failure]:
        flushed: list[Failure] = super().flushLoggedErrors(*kinds)
        self._ledger.forgive(flushed)
        return flushed
