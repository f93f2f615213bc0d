"""The port, as it were, that all clients of a factory come by."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from twisted.internet.interfaces import IProtocolFactory

__all__ = ["come", "leave"]

_clients: WeakKeyDictionary[IProtocolFactory, int] = WeakKeyDictionary()


def come(factory: IProtocolFactory) -> None:
    """A client comes; with the first one, the factory is started."""
    if factory not in _clients:
        factory.doStart()
    _clients[factory] = _clients.get(factory, 0) + 1


def leave(factory: IProtocolFactory) -> None:
    """A client leaves; with the last one, the factory is stopped."""
    _clients[factory] -= 1
    if not _clients[factory]:
        del _clients[factory]
        factory.doStop()
