"""A peer beside its model: what a test does to the one, it does to the other.

Whenever it is settled, every Deferred must have come to just what the model says, or
wait as the model does; and what went over the wire must be a valid stream of what was
written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from txws_simple import (
    BufferOverrun,
    ConnectionClosed,
    Frame,
    Opcode,
    TimedOut,
    WebSocketFactory,
    WebSocketPeer,
)
from txws_simple.frames import Decoder

from .given import Call, Given
from .helpers import request, server_frame
from .model import Model
from .scripted import ScriptedWire
from .wires import MemoryWire, Wire

MAX_UNREAD = 700
MAX_BUFFERED = 100_000
CLOSE_TIMEOUT = 10

#: So much of what was written may have been lent to the transport.
LENT = 4096


class Observed:
    """One connection, from the end of its handshake to whatever ends it.

    Attributes:
        given: All Deferreds that were given out.
        gates: What holds receivers back.
        pings: Those of the client that are to be answered.
    """

    def __init__(self, wire_class: type[Wire], ping_frequency: float | None) -> None:
        peers: list[WebSocketPeer] = []
        clock = Clock()

        def keep(peer: WebSocketPeer) -> Deferred[None]:
            peers.append(peer)
            return Deferred()

        factory = WebSocketFactory(
            keep,
            ping_frequency=ping_frequency,
            clock=clock,
            max_unread=MAX_UNREAD,
            max_buffered=MAX_BUFFERED,
            close_timeout=CLOSE_TIMEOUT,
        )
        self.wire = wire_class(factory, clock)
        self.wire.send(request())
        [self.peer] = peers
        self.model = Model(ping_frequency, CLOSE_TIMEOUT)
        self.given: list[Given] = []
        self.gates: list[tuple[Call, Deferred[None]]] = []
        self.pings: list[bytes] = []
        self._lent = 0 if isinstance(self.wire, MemoryWire) else LENT
        self._expected: list[tuple[Given, Frame]] = []  # at the client, and in order
        self._last: Given | None = None  # the last that was written
        self._seen = len(self.wire.response) + 4  # bytes that were looked at
        self._decoder = Decoder(masked=False, max_frame_size=1 << 30)
        self._has_closed = self._is_stalled = self._is_cut_off = False

    def _give(self, call: Call, deferred: Deferred[Any], is_heard: bool) -> Given:
        self.given.append(Given(call, deferred, is_heard))
        return self.given[-1]

    # The application's verbs

    def read(self, verb: str, timeout: float | None) -> None:
        """``read`` or ``receive``."""
        call = Call(verb)
        self.model.read(call)
        self.model.time_out(call, timeout)
        self._give(call, getattr(self.peer, verb)(timeout), True)

    def each(self) -> None:
        """With a receiver that some frames hold back."""
        call = Call("each")
        frames: list[Frame] = []

        def receiver(frame: Frame) -> Deferred[None] | None:
            frames.append(frame)
            if not frame.data.startswith(b"hold"):
                return None
            gate: Deferred[None] = Deferred()
            self.gates.append((call, gate))
            return gate

        self.model.read(call)
        self._give(call, self.peer.each(receiver), True).frames = frames

    def release(self, fails: bool) -> None:
        """The first gate opens, or fails while somebody waits for it."""
        call, gate = self.gates.pop(0)
        if fails and call.is_pending:
            self.model.release(call, LookupError)
            gate.errback(LookupError())
        else:
            self.model.release(call, None)
            gate.callback(None)

    def write(
        self,
        frames: list[Frame],
        verb: Callable[[float | None], Deferred[int]],
        timeout: float | None,
        is_heard: bool,
    ) -> None:
        """These frames, by this verb, whatever it may be."""
        if timeout is not None:
            # No two at the same time: so what each of them changes can be told.
            timeout += (len(self.given) + 1) / 1024
        call = Call("write", frames)
        self._end_if_overrun()
        at = self._left - self._begun + self.peer.buffered
        is_written = self.model.refuse_or_write(call)
        given = self._give(call, verb(timeout), is_heard or timeout is not None)
        if is_written:
            self._last = given
            given.at = at
            given.size = sum(len(server_frame(*frame)) for frame in frames)
            self._expected += [(given, frame) for frame in frames]
        self._find_gone()
        self.model.time_out(call, timeout)

    def ping(self, is_heard: bool) -> None:
        call = Call("ping")
        payload = b"%d" % len(self.given)
        self._end_if_overrun()
        self.model.ping(call, payload)
        self._give(call, self.peer.ping(payload), is_heard)

    def _end_if_overrun(self) -> None:
        """Who writes finds a listener that is too slow."""
        self._see()
        if self.peer.buffered > MAX_BUFFERED:
            self.model.abort(BufferOverrun)

    def shutdown(self, code: int, timeout: float) -> None:
        call = Call("shutdown")
        if code == 1005:
            call.come_to((ValueError, None))
        else:
            self.model.shutdown(call, code, timeout)
        self._give(call, self.peer.shutdown(code, "", timeout), True)

    def close(self) -> None:
        self._see()
        self.model.cut()
        self.peer.close()

    # What happens to it

    def cancel(self, given: Given) -> None:
        is_unheard, buffered = given.is_unheard, self.peer.buffered
        self.model.give_up(given.call, CancelledError)
        given.deferred.cancel()
        if is_unheard:
            given.hear()
        if given.call.verb == "write":
            self._find_withdrawn(given, buffered)

    def wait(self, seconds: float) -> None:
        """Step by step, so that what happens first is known."""
        until = self.model.now + seconds
        while self.model.now < until:
            waiting = [one for one in self.given if one.call.is_pending]
            buffered = self.peer.buffered
            self._see()
            step = self.model.next_step(until)
            self.model.advance(step)
            self.wire.advance(step - self.wire.clock.seconds())
            for given in waiting:
                if given.call.verb == "write" and given.outcome == (TimedOut, None):
                    self._find_withdrawn(given, buffered)

    def stall(self) -> None:
        self._is_stalled = True
        self.wire.stall()

    def unstall(self) -> None:
        self._is_stalled = False
        self.wire.unstall()

    def take(self, count: int) -> None:
        """So many bytes leave, and then none, where that can be said."""
        self.stall()
        if isinstance(self.wire, ScriptedWire):
            self.wire.take(count)

    @property
    def can_arrive(self) -> bool:
        return not (self._is_cut_off or self.model.is_done or self.wire.is_paused)

    def cut_off(self, is_reset: bool) -> None:
        """The connection breaks, or is ended by the client."""
        self._see()
        self._is_cut_off = True
        self.model.lose(ConnectionClosed, "remote")
        (self.wire.reset if is_reset else self.wire.fin)()

    # What has come of it

    @property
    def _left(self) -> int:
        """Bytes that have left for the kernel, or for the transport."""
        if isinstance(self.wire, MemoryWire):
            return len(self.wire.got) + len(self.wire.transport.value())
        assert isinstance(self.wire, ScriptedWire)
        return len(self.wire.got) + len(self.wire.socket.taken)

    @property
    def _begun(self) -> int:
        """How many of them are of a loan to the transport that has not gone whole."""
        return self.wire.transport.begun if isinstance(self.wire, ScriptedWire) else 0

    def _see(self) -> None:
        """What the model is told, before anything may end."""
        self.model.buffered = self.peer.buffered
        self.model.is_deaf = self.wire.is_paused

    def settle(self) -> None:
        """Let happen what can, and look at it all."""
        self._see()
        self._find_gone()
        self.model.advance(self.model.now)
        self.wire.pump()
        self._check_wire()
        self._check_peer()
        for given in self.given:
            given.check()

    def end(self) -> None:
        """At the end everything comes to its end."""
        while self.gates:
            self.release(False)
        self.close()
        self.settle()
        for given in self.given:
            assert not given.call.is_pending, given.call.verb
            if given.is_unheard:
                given.hear()
            given.check()

    def _find_gone(self) -> None:
        """The writes whose bytes have gone are told so, or soon will be."""
        for given in self.given:
            if given.call not in self.model.writes or not given.call.is_pending:
                continue
            end = given.at + given.size
            if given.deferred.called:
                assert self._left >= end
                self.model.leave(given.call, given.size)
            else:
                assert self._left - self._begun < end

    def _find_withdrawn(self, given: Given, buffered: int) -> None:
        """Whether a write that was given up was taken back, as it had to be."""
        self.model.writes.remove(given.call)
        withdrawn = buffered - self.peer.buffered
        assert withdrawn in (0, given.size)
        if self._left > given.at or (
            given.call.is_fragment and self._expected[-1][0] is not given
        ):
            assert not withdrawn
        elif self._left - self._begun + self._lent <= given.at and (
            not given.call.is_fragment or self._last is given
        ):
            assert withdrawn
        if withdrawn:
            self.model.withdraw(given.call)
            self._expected = [one for one in self._expected if one[0] is not given]
            for later in self.given[self.given.index(given) :]:
                later.at -= withdrawn

    def _check_wire(self) -> None:
        """All is in order that the client received."""
        frames = self._decoder.receive(self.wire.got[self._seen :])
        self._seen = len(self.wire.got)
        assert self._decoder.violation is None
        for opcode, data, fin in frames:
            assert not self._has_closed, "something follows the Close"
            if opcode is Opcode.PONG:
                # Of those that waited for room only the last is answered.
                self.pings = self.pings[self.pings.index(data) + 1 :]
            elif opcode is Opcode.CLOSE:
                self._has_closed = True
                code = int.from_bytes(data[:2], "big") if data else 1005
                assert code == self.model.sent
            elif opcode is not Opcode.PING:
                assert self._expected.pop(0)[1] == Frame(opcode, data, fin)
        if not (self._is_stalled or self.model.is_done):
            assert self.peer.buffered == 0
            assert self.pings == [] and self._expected == []
            assert self._has_closed is (self.model.sent is not None)

    def _check_peer(self) -> None:
        peer, model, wire = self.peer, self.model, self.wire
        error = peer.error()
        assert (None if error is None else type(error)) is model.error
        assert peer.closed_by == model.closed_by
        assert peer.close_code == (model.received or (1006 if model.is_done else None))
        if model.is_done:
            assert peer.buffered == 0
            assert self._is_cut_off or wire.is_aborted
            return
        if not self._is_stalled:
            assert wire.is_ended is (model.is_over and model.sent is not None)
        if not model.unread or model.is_over:
            assert not wire.is_paused
        elif not model.readers:
            size = sum(len(frame.data) for frame in model.unread)
            assert wire.is_paused or size <= MAX_UNREAD
