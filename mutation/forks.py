"""A piece of work in a process of its own, which begins as this one is now."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import BinaryIO

__all__ = ["Fork"]


class Fork:
    """A process that does one thing, and may say something meanwhile.

    Its exit status is 0, or what the work has ended it with, or 2 for an exception.

    Args:
        work: What it does; it is given where to say something.

    Attributes:
        pid: Its number.
    """

    def __init__(self, work: Callable[[BinaryIO], None]) -> None:
        reading, writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reading)
            _work(work, os.fdopen(writing, "wb"))
        os.close(writing)
        self._pipe = os.fdopen(reading, "rb")

    def said(self) -> bytes:
        """All that it has said until it ended."""
        with self._pipe:
            return self._pipe.read()

    def status(self) -> int:
        """Its exit status, when it has ended; below 0 a signal has ended it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def _work(work: Callable[[BinaryIO], None], pipe: BinaryIO) -> None:
    """Whatever happens, the process ends here."""
    status = 2
    try:
        _be_silent()
        work(pipe)
        pipe.flush()
        status = 0
    except BaseException as error:
        pipe.write(f"{error!r}\n".encode())
        pipe.flush()
    finally:
        os._exit(status)


def _be_silent() -> None:
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
