#!/usr/bin/env python3
"""Costs that must grow linearly: CPU time against what doubles, in memory.

    python3 benchmarks/linear.py [--out DIR]

The size of a message, the segments it comes in, its fragments, the frames that wait
to be read, the connections: each is doubled several times, with the accelerator and
without.  The slope of the doubled times, both as logarithms, is 1 where the cost is
linear, and 2 where it is quadratic.  The results go to ``linear.rst``.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prepare import HERE, PYTHON, VENV, prepare
from report import table

#: As much as Twisted reads at a time.
SEGMENT = 65536
KEY = b"\x01\x02\x03\x04"
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n\r\n"
)
LIMITS: dict[str, Any] = {
    "max_frame_size": 1 << 26,
    "max_message_size": None,
    "max_fragments": None,
    "max_unread": 1 << 30,
}


def connected(handler: Callable[[Any], object]) -> Any:
    """A connection in memory, its handshake done."""
    from twisted.internet.task import Clock
    from twisted.internet.testing import StringTransport

    from txws_simple import WebSocketFactory

    factory = WebSocketFactory(handler, clock=Clock(), **LIMITS)
    protocol = factory.buildProtocol(None)
    protocol.makeConnection(StringTransport())
    protocol.dataReceived(REQUEST)
    return protocol


def each(peer: Any) -> object:
    return peer.each(lambda frame: None)


def frame(data: bytes, opcode: int = 2, fin: bool = True) -> bytes:
    from txws_simple.frames import Opcode, encode

    return b"".join(encode(Opcode(opcode), data, fin, KEY))


def feed(handler: Callable[[Any], object], data: bytes, size: int) -> float:
    """The seconds of CPU to take ``data`` in segments of ``size``."""
    protocol = connected(handler)
    segments = [data[at : at + size] for at in range(0, len(data), size)]
    began = time.process_time()
    for segment in segments:
        protocol.dataReceived(segment)
    return time.process_time() - began


def by_size(count: int) -> float:
    return feed(each, frame(bytes(count)), SEGMENT)


def by_segments(count: int) -> float:
    data = frame(bytes(1 << 20))
    return feed(each, data, len(data) // count)


def by_fragments(count: int) -> float:
    parts = [frame(bytes(4), 0 if n else 2, n == count - 1) for n in range(count)]
    return feed(each, b"".join(parts), SEGMENT)


def by_waiting(count: int) -> float:
    from twisted.internet.defer import Deferred

    peers: list[Any] = []

    def hold(peer: Any) -> Deferred[None]:
        peers.append(peer)
        return Deferred()

    protocol = connected(hold)
    data = frame(bytes(4)) * 64
    began = time.process_time()
    for _ in range(count // 64):
        protocol.dataReceived(data)
    taken: list[object] = []
    for _ in range(count):
        peers[0].read().addCallback(taken.append)
    spent = time.process_time() - began
    assert len(taken) == count
    return spent


def by_connections(count: int) -> float:
    data = frame(bytes(64))
    protocols = [connected(each) for _ in range(count)]
    began = time.process_time()
    for _ in range(10):
        for protocol in protocols:
            protocol.dataReceived(data)
    return time.process_time() - began


CASES: dict[str, tuple[Callable[[int], float], int]] = {
    "bytes of a message": (by_size, 1 << 20),
    "segments of a message of 1 MiB": (by_segments, 1 << 13),
    "fragments of a message": (by_fragments, 1 << 12),
    "frames that wait to be read": (by_waiting, 1 << 12),
    "connections": (by_connections, 1 << 7),
}
DOUBLINGS = 5


def best(case: Callable[[int], float], count: int) -> float:
    """Of several times, for the others are disturbed ones."""
    return min(case(count) for _ in range(5))


def slope(times: list[float]) -> float:
    """Of a line through the logarithms, for a count that doubles each time."""
    points = [(step, math.log2(spent)) for step, spent in enumerate(times)]
    middle = sum(x for x, _ in points) / len(points)
    return sum((x - middle) * y for x, y in points) / sum(
        (x - middle) ** 2 for x, _ in points
    )


def measure_all() -> dict[str, list[float]]:
    """The times of each case, one for each doubling."""
    return {
        name: [best(case, first << step) for step in range(DOUBLINGS + 1)]
        for name, (case, first) in CASES.items()
    }


def of_build(wish: str) -> dict[str, list[float]]:
    """The same, of the accelerated or the pure build."""
    shown = subprocess.run(
        [PYTHON, __file__, "--measure"],
        env={**os.environ, "TXWS_SIMPLE_SPEEDUPS": wish},
        check=True,
        stdout=subprocess.PIPE,
    )
    times: dict[str, list[float]] = json.loads(shown.stdout)
    return times


def rows(builds: dict[str, dict[str, list[float]]]) -> list[list[str]]:
    """The lines of the table, the head first."""
    lines = [["what doubles", "from", "to"]]
    lines[0] += [f"slope, {build}" for build in builds]
    for name, (_, first) in CASES.items():
        slopes = [f"{slope(times[name]):.2f}" for times in builds.values()]
        lines.append([name, f"{first:,}", f"{first << DOUBLINGS:,}", *slopes])
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure_all()))
        return
    if Path(sys.prefix) != VENV:
        prepare()
        os.execv(PYTHON, [str(PYTHON), __file__, *sys.argv[1:]])
    builds = {"accelerated": of_build("require"), "pure": of_build("forbid")}
    options.out.mkdir(parents=True, exist_ok=True)
    text = table("How cost grows", rows(builds))
    (options.out / "linear.rst").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
