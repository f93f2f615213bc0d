"""A peer in the hands of chance: verbs, time and faults in any order.

Hypothesis finds the shortest way into trouble; long walks, whose steps are weighted,
come to where several things have to have happened before.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from txws_simple import Frame, Opcode

from .helpers import client_frame
from .observed import Observed
from .scripted import ScriptedWire
from .wires import MemoryWire, Wire

TEXT, BINARY, CONTINUATION = Opcode.TEXT, Opcode.BINARY, Opcode.CONTINUATION

#: So many steps are taken before anything may end the connection.
BEFORE_THE_END = 12

#: What there is to choose from.
READS = ["read", "receive", "each"]
WRITES = ["write", "send", "first", "next", "last"]
SIZES = [4, 125, 126, 5000, 30_000, 65_536]
TIMEOUTS = [None, None, 0, 1, 3, 30]
SECONDS = [None, None, 1, 2, 5, 20, 3600]
KINDS = ["text", "binary", "part", "ping", "flood", "pong"]
TEXTS = ["", "hold", "grün", "y" * 300]
CODES = [1000, 1001, 1002, 1005, 4000]
ENDS = ["close", "fin", "reset"]
ROOMS = [None, *range(20), *range(0, 100_000, 4999)]
ALL = 1 << 20

choices = st.integers(min_value=0, max_value=1 << 16)
counts = st.just(ALL) | st.integers(0, 400)


def ending(machine: PeerMachine) -> bool:
    return machine.steps >= BEFORE_THE_END


class PeerMachine(RuleBasedStateMachine):
    """One connection: what the application does, the client, the wire, and time."""

    wire_class: type[Wire] = MemoryWire

    @initialize(ping_frequency=st.sampled_from([None, 20]))
    def connect(self, ping_frequency: float | None) -> None:
        self.one = Observed(self.wire_class, ping_frequency)
        self.steps = 0
        self.count = 0  # of what has a payload of its own
        self.coming: list[tuple[bytes, Callable[[], None]]] = []  # from the client
        self.is_within = False  # a message that the client sends

    def settle(self) -> None:
        self.steps += 1
        self.one.settle()

    def teardown(self) -> None:
        if hasattr(self, "one"):
            self.one.end()

    # The application

    @rule(verb=st.sampled_from(READS), timeout=st.sampled_from(TIMEOUTS))
    def read(self, verb: str, timeout: float | None) -> None:
        if verb == "each":
            self.one.each()
        else:
            self.one.read(verb, timeout)
        self.settle()

    @precondition(lambda self: self.one.gates)
    @rule(fails=st.booleans())
    def release(self, fails: bool) -> None:
        """What a receiver returned fires."""
        self.one.release(fails)
        self.settle()

    @rule(
        kind=st.sampled_from(WRITES),
        size=st.sampled_from(SIZES),
        timeout=st.sampled_from(TIMEOUTS),
        is_heard=st.booleans(),
        stalls=st.booleans(),
    )
    def write(
        self,
        kind: str,
        size: int,
        timeout: float | None,
        is_heard: bool,
        stalls: bool,
    ) -> None:
        """Messages, and fragments in their order or not."""
        if stalls:
            self.one.stall()
        data = self.payload() * (size // 4)
        write, send = self.one.peer.write, self.one.peer.send
        if kind == "send":
            frames = in_pieces(data, 9000)
            verb = partial(send, data, fragment_size=9000)
        else:
            opcode = CONTINUATION if kind in ("next", "last") else BINARY
            frames = [Frame(opcode, data, kind in ("write", "last"))]
            verb = partial(write, frames[0])
        self.one.write(frames, verb, timeout, is_heard)
        self.settle()

    def payload(self) -> bytes:
        """One that is like no other."""
        self.count += 1
        return b"%04d" % self.count

    @rule(is_heard=st.booleans())
    def ping(self, is_heard: bool) -> None:
        self.one.ping(is_heard)
        self.settle()

    @rule(which=choices, seconds=st.sampled_from(SECONDS))
    def wait(self, which: int, seconds: float | None) -> None:
        """For some time, or for one of those that wait no longer."""
        waiting = [one for one in self.one.given if one.call.is_pending]
        if seconds is not None:
            self.one.wait(seconds)
        elif waiting:
            self.one.cancel(waiting[which % len(waiting)])
        self.settle()

    @precondition(ending)
    @rule(code=st.sampled_from([1000, 1005, 4000]), timeout=st.sampled_from([0, 3, 15]))
    def shutdown(self, code: int, timeout: float) -> None:
        self.one.shutdown(code, timeout)
        self.settle()

    # The client, whose bytes arrive at once or later

    @rule(
        kind=st.sampled_from(KINDS),
        text=st.sampled_from(TEXTS),
        which=choices,
        count=counts,
    )
    def client_sends(self, kind: str, text: str, which: int, count: int) -> None:
        if kind == "ping":
            self.client_pings(1, count)
        elif kind == "flood":
            # Their answers are more than what is written before some of it is sent.
            self.client_pings(600, count)
        elif kind == "pong":
            self.client_pongs(which, count)
        else:
            opcode = TEXT if kind == "text" else BINARY
            frame = Frame(
                CONTINUATION if self.is_within else opcode,
                text.encode(),
                kind != "part",
            )
            self.is_within = not frame.fin
            self.come(client_frame(*frame), lambda: self.one.model.arrive(frame), count)

    def client_pings(self, number: int, count: int) -> None:
        # All of one size: so what was written behind an answer stays where it is when
        # another takes its place.
        payloads = [self.payload().ljust(125) for _ in range(number)]

        def arrive(payload: bytes) -> None:
            if self.one.model.may_write and not self.one.model.is_over:
                self.one.pings.append(payload)

        self.coming += [
            (client_frame(Opcode.PING, payload), partial(arrive, payload))
            for payload in payloads
        ]
        self.deliver(count)

    def client_pongs(self, which: int, count: int) -> None:
        """To one of our pings, or to none."""
        payloads = [b"unsolicited", *(ping[0] for ping in self.one.model.pings)]
        payload = payloads[which % len(payloads)]
        frame = client_frame(Opcode.PONG, payload)
        self.come(frame, lambda: self.one.model.pong(payload), count)

    @precondition(ending)
    @rule(code=st.sampled_from(CODES), count=counts)
    def client_closes(self, code: int, count: int) -> None:
        """In order, or by breaking a rule."""
        if code == 1002:
            self.come(b"\xc1\x80", self.one.model.violate, count)
            return
        payload = b"" if code == 1005 else code.to_bytes(2, "big")
        frame = client_frame(Opcode.CLOSE, payload)
        self.come(frame, lambda: self.one.model.close(code), count)

    def come(self, data: bytes, arrive: Callable[[], None], count: int) -> None:
        self.coming.append((data, arrive))
        self.deliver(count)

    def deliver(self, count: int) -> None:
        """So many bytes, as one segment, which may end within a frame."""
        segment = b"".join(data for data, _ in self.coming)[:count]
        if not segment or not self.one.can_arrive:
            return
        self.one.model.hear()
        left = len(segment)
        while self.coming and left >= len(self.coming[0][0]):
            whole, arrive = self.coming.pop(0)
            left -= len(whole)
            arrive()
        if left:
            rest, arrive = self.coming[0]
            self.coming[0] = (rest[left:], arrive)
        self.one.wire.send(segment)
        self.settle()

    # The wire

    @rule(room=st.sampled_from(ROOMS))
    def take(self, room: int | None) -> None:
        """Bytes leave until there is no room, which may be at any of them."""
        if room is None:
            self.one.unstall()
        else:
            self.one.take(room)
        self.settle()

    @precondition(ending)
    @rule(how=st.sampled_from(ENDS))
    def end(self, how: str) -> None:
        if how == "close":
            self.one.close()
        elif self.one.can_arrive:
            self.one.cut_off(is_reset=how == "reset")
        self.settle()


def in_pieces(data: bytes, size: int) -> list[Frame]:
    """A binary message in fragments."""
    return [
        Frame(CONTINUATION if start else BINARY, data[start : start + size], end)
        for start in range(0, len(data), size)
        for end in [start + size >= len(data)]
    ]


class ScriptedMachine(PeerMachine):
    wire_class = ScriptedWire


machines = pytest.mark.parametrize("machine", [PeerMachine, ScriptedMachine])


@machines
def test_by_hypothesis(machine: type[PeerMachine]) -> None:
    chosen = settings(stateful_step_count=40)
    run_state_machine_as_test(machine, settings=chosen)  # type: ignore[no-untyped-call]


@machines
def test_by_walks(machine: type[PeerMachine]) -> None:
    """What it takes to repeat one is its number."""
    for number in range(4 * settings().max_examples):
        walk(machine, number)


def walk(kind: type[PeerMachine], number: int) -> None:
    random = Random(number)
    weights = [weight for weight, _, _ in STEPS]
    machine = kind()  # type: ignore[no-untyped-call]
    machine.connect(ping_frequency=random.choice([None, 20]))
    for _ in range(60):
        [(_, step, arguments)] = random.choices(STEPS, weights)
        if step in ENDING and not ending(machine):
            continue
        if step is not PeerMachine.release or machine.one.gates:
            step(machine, **arguments(random))
    machine.teardown()


def any_count(random: Random) -> int:
    return random.choice([ALL, random.randrange(400)])


ENDING = (PeerMachine.shutdown, PeerMachine.client_closes, PeerMachine.end)

#: How often, what, and with which arguments.
STEPS: list[tuple[float, Callable[..., None], Callable[[Random], dict[str, Any]]]] = [
    (
        6,
        PeerMachine.read,
        lambda random: {
            "verb": random.choice(READS),
            "timeout": random.choice(TIMEOUTS),
        },
    ),
    (3, PeerMachine.release, lambda random: {"fails": random.random() < 0.2}),
    (
        6,
        PeerMachine.write,
        lambda random: {
            "kind": random.choice(WRITES),
            "size": random.choice(SIZES),
            "timeout": random.choice(TIMEOUTS),
            "is_heard": random.random() < 0.5,
            "stalls": random.random() < 0.4,
        },
    ),
    (2, PeerMachine.ping, lambda random: {"is_heard": random.random() < 0.5}),
    (
        5,
        PeerMachine.wait,
        lambda random: {
            "which": random.randrange(ALL),
            "seconds": random.choice(SECONDS),
        },
    ),
    (
        9,
        PeerMachine.client_sends,
        lambda random: {
            "kind": random.choice(KINDS),
            "text": random.choice(TEXTS),
            "which": random.randrange(ALL),
            "count": any_count(random),
        },
    ),
    (3, PeerMachine.take, lambda random: {"room": random.choice(ROOMS)}),
    (
        1,
        PeerMachine.shutdown,
        lambda random: {
            "code": random.choice([1000, 4000]),
            "timeout": random.choice([0, 3, 15]),
        },
    ),
    (
        1,
        PeerMachine.client_closes,
        lambda random: {"code": random.choice(CODES), "count": any_count(random)},
    ),
    (1, PeerMachine.end, lambda random: {"how": random.choice(ENDS)}),
]
