"""A known divergence: one row of a table."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Change", "Divergence"]

Change = Callable[[Any], Any]


def _always(case: Any, theirs: Any) -> bool:
    return True


@dataclass(frozen=True)
class Divergence:
    """One row.

    Attributes:
        library: Whose verdict differs from ours.
        ours: How our end begins, an expression.
        theirs: How theirs begins.
        why: The reason.
        where: What else must hold, of the case and their verdict.
        without: Makes another case of it, without the difference.
    """

    library: str
    ours: str
    theirs: str
    why: str
    where: Callable[[Any, Any], bool] = _always
    without: Change | None = None

    def covers(self, case: Any, ours: Any, theirs: Any) -> bool:
        """Whether this is that divergence."""
        return (
            re.match(self.ours, ours.end) is not None
            and re.match(self.theirs, theirs.end) is not None
            and self.where(case, theirs)
        )
