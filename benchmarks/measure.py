"""One measurement: a server on one core, the load on another."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loads import Load, Server
from prepare import CERTIFICATE, HERE, LOAD, PYTHON

SERVER_CORE, LOAD_CORE = "0", "1"


def cpu_seconds(pid: int) -> float:
    """The user and system time of a process, by the scheduler's account."""
    times = Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii")
    return int(times.split()[0]) / 1e9


def resident_bytes(pid: int) -> int:
    """What a process occupies in memory."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGESIZE")


@contextmanager
def serving(server: Server, *more: str) -> Iterator[tuple[int, str]]:
    """A running server: its process, its port."""
    environment = {**os.environ, "CERTIFICATE": str(CERTIFICATE)}
    environment["TXWS_SIMPLE_SPEEDUPS"] = "forbid" if server.pure else "require"
    environment["AUTOBAHN_USE_NVX"] = "0" if server.pure else "1"
    process = subprocess.Popen(
        ["taskset", "-c", SERVER_CORE, PYTHON, *server.command, *more],
        cwd=HERE / "servers",
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise RuntimeError(f"{server.command} does not start")
        yield process.pid, port
    finally:
        process.kill()
        process.wait()


class Generator:
    """The running load; it stops at each point where the server is idle."""

    def __init__(self, arguments: list[str]) -> None:
        self._arguments = arguments
        self._process = subprocess.Popen(
            ["taskset", "-c", LOAD_CORE, LOAD, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def stops(self, word: str) -> list[str]:
        """What it says at its next stop, which has this name."""
        assert self._process.stdout is not None
        said = self._process.stdout.readline().split()
        if not said or said[0] != word:
            raise RuntimeError(f"load {' '.join(self._arguments)} failed")
        return said[1:]

    def go_on(self) -> None:
        """Let it go on."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def __enter__(self) -> Generator:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def measure(server: Server, load: Load) -> tuple[float, float]:
    """Microseconds of the server's CPU for one message, and messages per second."""
    more = ["tls"] if load.mode == "echo-tls" else []
    with (
        serving(server, *more) as (pid, port),
        Generator(load.arguments(server, port)) as generator,
    ):
        generator.stops("warm")
        before = cpu_seconds(pid)
        generator.go_on()
        count, seconds = generator.stops("done")
        spent = cpu_seconds(pid) - before
        return spent / int(count) * 1e6, int(count) / float(seconds)


def measure_idle(server: Server, connections: int) -> float:
    """Bytes of memory for each of so many connections that are held."""
    with (
        serving(server) as (pid, port),
        Generator(["idle", port, str(connections)]) as generator,
    ):
        generator.stops("warm")
        before = resident_bytes(pid)
        generator.go_on()
        generator.stops("done")
        return (resident_bytes(pid) - before) / connections
