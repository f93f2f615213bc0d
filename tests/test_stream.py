"""The stream under a wrapped protocol, whatever is done to it in whatever order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock

from txws_simple import Opcode
from txws_simple.wrapping import WrappingFactory

from .helpers import client_frame, request
from .test_wrapping import Noting
from .wires import MemoryWire

PATTERN = bytes(number * number % 251 for number in range(300_000))
BYTES = st.binary(max_size=100) | st.integers(1, 300_000).map(lambda n: PATTERN[-n:])


class Both:
    """A protocol and its client, and what each should have got.

    Attributes:
        to_client: What was written.
        to_protocol: What the client sent.
    """

    def __init__(self) -> None:
        self.protocol = Noting()
        self.clock = Clock()
        factory = Factory.forProtocol(lambda: self.protocol)
        wrapping = WrappingFactory(factory, clock=self.clock, ping_frequency=None)
        self.wire = MemoryWire(wrapping, self.clock)
        self.wire.send(request())
        self.to_client = self.to_protocol = b""

    def write(self, data: bytes) -> None:
        self.protocol.link.write(data)
        self.to_client += data

    def send(self, data: bytes) -> None:
        frame = client_frame(Opcode.BINARY, data)
        middle = len(frame) // 2
        for piece in (frame[:middle], frame[middle:]):
            self.wire.transport.protocol.dataReceived(piece)
        self.to_protocol += data

    def pause(self, _: bytes) -> None:
        self.protocol.link.pauseProducing()

    def resume(self, _: bytes) -> None:
        self.protocol.link.resumeProducing()

    def stall(self, _: bytes) -> None:
        self.wire.stall()

    def unstall(self, _: bytes) -> None:
        self.wire.unstall()

    def turn(self, _: bytes) -> None:
        self.wire.pump()

    def settle(self) -> None:
        before = -1
        while len(self.wire.got) != before:
            before = len(self.wire.got)
            self.wire.pump()

    def check(self, closes: bool) -> None:
        """All arrives, in its order, and then the end, once."""
        self.wire.unstall()
        if closes:
            self.protocol.link.resumeProducing()
            self.settle()
            assert b"".join(self.protocol.got) == self.to_protocol
            self.protocol.link.loseConnection()
            self.settle()
            self.wire.send(client_frame(Opcode.CLOSE, b"\x03\xe8"))
        else:
            self.settle()
            self.wire.send(client_frame(Opcode.CLOSE, b"\x03\xe8"))
        self.wire.fin()
        self.protocol.link.resumeProducing()
        self.settle()
        frames = self.wire.frames
        assert [frame.opcode for frame in frames].count(Opcode.CLOSE) == 1
        assert b"".join(frame.data for frame in frames[:-1]) == self.to_client
        assert b"".join(self.protocol.got) == self.to_protocol
        assert [type(end) for end in self.protocol.ends] == [ConnectionDone]


DEEDS = ("write", "send", "pause", "resume", "stall", "unstall", "turn")


@given(st.lists(st.tuples(st.sampled_from(DEEDS), BYTES), max_size=30), st.booleans())
def test_nothing_is_lost(deeds: list[tuple[str, bytes]], closes: bool) -> None:
    both = Both()
    for deed, data in deeds:
        getattr(both, deed)(data)
    both.check(closes)
    assert both.clock.getDelayedCalls() == []
