"""The mutants that are known to survive, each with its reason.

They are in ``survivors.txt``, one in a line, as the command prints them; above those
that survive for the same reason, that is said.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["SURVIVORS", "read"]


def read(text: str) -> dict[str, str]:
    """The reason of each name.

    Raises:
        ValueError: For a name without a reason, or one that is there twice.
    """
    known: dict[str, str] = {}
    reason = ""
    for line in text.splitlines():
        if not line:
            reason = ""
        elif line.startswith("# "):
            reason = line.removeprefix("# ")
        elif not reason or line in known:
            raise ValueError(f"without a reason, or twice: {line}")
        else:
            known[line] = reason
    return known


SURVIVORS = read(Path(__file__).with_suffix(".txt").read_text(encoding="utf-8"))
