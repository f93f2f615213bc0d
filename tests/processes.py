"""Commands of twistd as real processes, for tests."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

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
