"""What mutation testing needs: an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["PYTHON", "ROOT", "VENV", "environment", "prepare"]

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv-mutation"
PYTHON = VENV / "bin" / "python"

#: Its operators are no public interface, and another one's mutants are others.
MUTMUT = "mutmut==3.8.1"


def prepare() -> None:
    """Make what is not there."""
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    install = ["-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run(
        [PYTHON, *install, MUTMUT, "-e", f"{ROOT}[test]"],
        check=True,
        env=environment(),
    )


def environment() -> dict[str, str]:
    """The twin in Python is in use: what it is given is looked at more closely."""
    return {**os.environ, "TXWS_SIMPLE_SPEEDUPS": "forbid", "PYTHONHASHSEED": "0"}
