"""A module's new source put into the module that is running.

Others have imported its classes and functions; they keep them, and what those do
becomes something else.
"""

from __future__ import annotations

from types import FunctionType, ModuleType
from typing import Any

__all__ = ["graft"]


def graft(module: ModuleType, source: str) -> bool:
    """Let the module be as if this were its source; for the rest of the process.

    Args:
        module: The module.
        source: Another source, with the same classes and functions.

    Returns:
        Whether the source can be imported at all.
    """
    fresh = ModuleType(module.__name__)
    fresh.__package__ = module.__package__
    try:
        exec(compile(source, str(module.__file__), "exec"), vars(fresh))
    except Exception:
        return False
    _graft_all(module, fresh, module.__name__)
    return True


def _graft_all(old: Any, new: Any, module: str) -> None:
    for name, value in list(vars(new).items()):
        if name.startswith("__") and not isinstance(value, FunctionType):
            continue
        _graft_one(old, name, value, module)


def _graft_one(old: Any, name: str, value: Any, module: str) -> None:
    present = vars(old).get(name)
    if isinstance(value, FunctionType):
        _graft_function(present, value)
    elif isinstance(value, property):
        assert isinstance(present, property)
        _graft_function(present.fget, value.fget)
    elif isinstance(value, type):
        if value.__module__ == module:
            _graft_all(present, value, module)
    elif _is_constant(value) and value != present:
        setattr(old, name, value)


def _graft_function(old: Any, new: Any) -> None:
    if old is not new:
        old.__code__ = new.__code__
        old.__defaults__ = new.__defaults__
        old.__kwdefaults__ = new.__kwdefaults__


def _is_constant(value: object) -> bool:
    kinds = (int, str, bytes, tuple, dict, frozenset, type(None))
    return isinstance(value, kinds)
