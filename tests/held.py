"""What a connection occupies, seen from outside."""

from __future__ import annotations

import gc
import sys
from collections import deque
from functools import partial
from types import CoroutineType, GeneratorType, MethodType
from typing import Any

from twisted.internet.defer import Deferred

__all__ = ["held"]

_CONTAINERS = (list, tuple, dict, set, deque, memoryview, MethodType, partial)
_WAITING = (Deferred, CoroutineType, GeneratorType)
_LEAVES = (bytes, bytearray, str)


def held(*things: Any) -> int:
    """The bytes of all objects of this library that these lead to.

    What they hold counts too: bytes, containers, and who waits.  Transports, clocks
    and the like are others' and don't.
    """
    seen: dict[int, Any] = {}
    found = list(things)
    while found:
        thing = found.pop()
        if id(thing) not in seen and _counts(thing):
            seen[id(thing)] = thing
            found += gc.get_referents(thing)
    return sum(map(sys.getsizeof, seen.values()))


def _counts(thing: Any) -> bool:
    if isinstance(thing, type):
        return False
    is_ours = type(thing).__module__.startswith("txws_simple")
    return is_ours or isinstance(thing, (*_CONTAINERS, *_WAITING, *_LEAVES))
