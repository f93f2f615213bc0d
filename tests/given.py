"""A Deferred that a verb gave, beside what a model expects of it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txws_simple import Frame, Opcode
from txws_simple.deferreds import Outcome

#: What is expected of a Deferred that still waits.
PENDING = "pending"


class Call:
    """One call of a verb.

    Attributes:
        verb: Which.
        expected: A result, what it has to fail with, or `PENDING`.
        is_held: Of `each`, whether its receiver holds further frames back.
        frames: Of `each`, what its receiver was given; of a write, what it sends.
        is_fragment: Of a write, whether others may have to follow.
        before: Of a fragment, what was being sent before it.
    """

    def __init__(self, verb: str, frames: list[Frame] | None = None) -> None:
        self.verb = verb
        self.expected: Any = PENDING
        self.is_held = False
        self.frames = frames or []
        self.is_fragment = False
        self.before: Opcode | None = None

    def come_to(self, expected: Any) -> None:
        """This is the outcome; only the first counts."""
        if self.expected == PENDING:
            self.expected = expected

    @property
    def is_pending(self) -> bool:
        return bool(self.expected == PENDING)


class Given:
    """One call of a verb, as it is and as it should be.

    Attributes:
        call: What the model expects.
        deferred: What was given.
        outcome: What it has come to, as far as somebody listens.
        frames: What a receiver was given.
        at: Of a write, its first byte's number among all that are to go.
        size: How many it has.
    """

    def __init__(self, call: Call, deferred: Deferred[Any], is_heard: bool) -> None:
        self.call = call
        self.deferred = deferred
        self.outcome: Any = PENDING
        self.frames: list[Frame] = []
        self.at = self.size = 0
        if is_heard or not isinstance(deferred, Outcome):
            self.hear()

    def hear(self) -> None:
        self.deferred.addBoth(self._come_to)

    def _come_to(self, result: Any) -> None:
        assert self.outcome == PENDING
        if isinstance(result, Failure):
            result = (result.type, getattr(result.value, "code", None))
        self.outcome = result

    @property
    def is_unheard(self) -> bool:
        return isinstance(self.deferred, Outcome) and not self.deferred.is_heard

    def check(self) -> None:
        if self.is_unheard:
            assert self.deferred.called is not self.call.is_pending, self.call.verb
        else:
            assert self.outcome == self.call.expected, self.call.verb
        if self.call.verb == "each":
            assert self.frames == self.call.frames
