"""The processes: a server that is looked at, and clients that tell what they saw."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from prepare import HERE, PYTHON, VENV

SWARM = VENV / "swarm"

#: How long anything may take that is waited for, in seconds.
PATIENCE = 300


def cores() -> tuple[str, str]:
    """One for the server, and another for its clients, if there is one."""
    allowed = sorted(os.sched_getaffinity(0))
    return str(allowed[0]), str(allowed[-1])


class _Process:
    """A process on one core, which says a line at a time."""

    def __init__(self, core: str, command: list[Any], **more: Any) -> None:
        self._name = " ".join(map(str, command))
        self._process = subprocess.Popen(
            ["taskset", "-c", core, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            **more,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout

    def _line(self) -> str:
        """The next line that it says."""
        ready, _, _ = select.select([self._output], [], [], PATIENCE)
        line = self._output.readline().decode() if ready else ""
        if not line:
            raise RuntimeError(f"{self._name}: {'has ended' if ready else 'hangs'}")
        return line

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._input.close()
        self._output.close()


class Look(NamedTuple):
    """What a server holds at one moment, ``memory`` in bytes.

    ``blocks`` is how many pieces of memory Python has given out: unlike ``memory``, it
    does not depend on how compact the heap is.
    """

    memory: int
    files: int
    delayed_calls: int
    objects: int
    blocks: int
    failures: list[str]

    def holds_more_than(self, before: Look, kinds: Iterable[str]) -> bool:
        """Whether there is more than before of any of these."""
        return any(getattr(self, kind) > getattr(before, kind) for kind in kinds)


#: What has to be as before when all clients have gone.
HELD = ("files", "delayed_calls", "objects")


class Server(_Process):
    """A server of its own for one scenario, with these options of the factory."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            cores()[0],
            [PYTHON, "soaked.py", json.dumps(options)],
            cwd=HERE / "servers",
            env={**os.environ, "TXWS_SIMPLE_SPEEDUPS": "require"},
        )
        control = ("127.0.0.1", int(self._line()))
        self.port = self._line().strip()
        self._control = socket.create_connection(control, timeout=PATIENCE)
        self._answers = self._control.makefile()

    @property
    def pid(self) -> int:
        return self._process.pid

    def look(self) -> Look:
        """What it holds now, without what a collection of garbage frees."""
        self._control.sendall(b"\n")
        figures = json.loads(self._answers.readline())
        return Look(
            self._status("VmRSS"),
            len(os.listdir(f"/proc/{self.pid}/fd")),
            figures["delayed_calls"],
            sum(figures["objects"].values()),
            figures["blocks"],
            figures["failures"],
        )

    def settled(self, before: Look, kinds: Iterable[str] = HELD) -> Look:
        """The same, once it holds no more than before, or it has had time enough."""
        deadline = time.monotonic() + 30
        while (now := self.look()).holds_more_than(before, kinds):
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)
        return now

    def forget_peak(self) -> None:
        """From now on counts what :meth:`peak` gives."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")

    def peak(self) -> int:
        """The most memory that it has occupied, in bytes."""
        return self._status("VmHWM")

    def _status(self, name: str) -> int:
        lines = (
            Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines()
        )
        [line] = [line for line in lines if line.startswith(f"{name}:")]
        return int(line.split()[1]) * 1024

    def __exit__(self, *_: object) -> None:
        self._answers.close()
        self._control.close()
        super().__exit__()


class Swarm(_Process):
    """Clients of one kind; the roles and their arguments stand in swarm/main.c."""

    def __init__(
        self, server: Server, role: str, count: int, *more: object, window: int = 100
    ) -> None:
        arguments = [role, server.port, count, window, *more]
        # Attackers shall not keep honest ones from the core that they share.
        nice = [] if role == "honest" else ["nice", "-n", "10"]
        super().__init__(cores()[1], [*nice, SWARM, *map(str, arguments)])

    def ready(self) -> Swarm:
        """Wait till each client was open, or was sent away."""
        self._said("ready")
        return self

    def look(self) -> dict[str, Any]:
        """The figures so far; another phase begins."""
        self._input.write(b"\n")
        return self._said("look")

    def end(self) -> dict[str, Any]:
        """All leave; the figures in the end."""
        self._input.close()
        return self._said("end")

    def _said(self, wanted: str) -> dict[str, Any]:
        word = ""
        while word != wanted:
            word, _, figures = self._line().partition(" ")
        result: dict[str, Any] = json.loads(figures)
        return result
