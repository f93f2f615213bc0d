"""Programs as real processes, for tests."""

from __future__ import annotations

import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PATIENCE = 20  # seconds
TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]


class Server(NamedTuple):
    """A running command of twistd."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Its exit status after a signal."""
        self.process.send_signal(number)
        return self.process.wait(30)


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(folder: Path, *command: str) -> Iterator[Server]:
    """A command of twistd; ``{port}`` in it stands for where it shall listen."""
    port = free_port()
    log = folder / f"{port}.log"
    arguments = [argument.replace("{port}", str(port)) for argument in command]
    twistd = [*TWISTD, "--nodaemon", "--pidfile=", f"--logfile={log}"]
    with listening(folder, port, *twistd, *arguments) as process:
        yield Server(process, port, log)


@contextmanager
def saying_ports(
    *arguments: str,
) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A program of Python's that says where it listens; it must end without a word."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    try:
        assert select.select([process.stdout], [], [], PATIENCE)[0]
        line = process.stdout.readline()
        ports = re.findall(r"port=(\d+)", line)
        assert ports, (line, process.stderr.read())
        yield process, list(map(int, ports))
        # Those that end in order end by themselves, the others by the signal.
        process.terminate()
        process.wait(PATIENCE)
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.wait(PATIENCE)
        process.stdout.close()
        process.stderr.close()


@contextmanager
def listening(
    folder: Path, port: int, *command: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A program, once it listens on this port."""
    process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL)
    try:
        wait_until_listening(process, port)
        yield process
    finally:
        process.kill()
        process.wait()


def listens(port: int) -> bool:
    """Whether somebody listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    """Return once somebody listens; fail if the process ends before."""
    for _ in range(600):
        if listens(port):
            return
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)
    raise AssertionError("nobody listens")
