"""A WebSocket client in memory, for the tests of an application."""

from .client import Client
from .connecting import connect

__all__ = ["Client", "connect"]
