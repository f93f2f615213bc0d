"""Programs of others, as processes of a test."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

DEPLOY = Path(__file__).parent.parent.parent / "examples" / "deploy"
PATIENCE = 30  # seconds


def program(name: str, package: str) -> str:
    """The path of a program.

    Args:
        name: What it is called.
        package: The package of Debian that has it.

    Raises:
        RuntimeError: It is not installed.
    """
    # Those for administrators are not on everybody's path.
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if path is None:
        raise RuntimeError(f"{name} is missing: apt-get install {package}")
    return path


class Programs:
    """A folder, and programs that run in it without being root."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="txws-"))
        self._processes: list[subprocess.Popen[bytes]] = []
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self._as = {"user": "nobody", "group": nobody.pw_gid, "extra_groups": []}

    def start(
        self, command: list[str], environment: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """A process; what it says goes to the test's own output."""
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env={**os.environ, **(environment or {})},
            **self._as,
        )
        self._processes.append(process)
        return process

    def run(self, command: list[str]) -> None:
        """A process that does its work and ends."""
        subprocess.run(
            command, cwd=self.folder, timeout=PATIENCE, check=True, **self._as
        )

    def end(self) -> None:
        """End all that still runs, and leave nothing."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(PATIENCE)
        shutil.rmtree(self.folder)
