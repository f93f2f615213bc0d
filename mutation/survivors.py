"""The mutants that are known to survive, each with its reason."""

from __future__ import annotations

__all__ = ["SURVIVORS"]

#: Why, and the names of those that survive for it.
_BY_REASON: dict[str, tuple[str, ...]] = {
    "A dummy.": ("frames.nothing: a -> b",),
}

SURVIVORS = {name: reason for reason, names in _BY_REASON.items() for name in names}
