"""A WebSocket client in memory, for the tests of an application."""

from .client import Client, connect

__all__ = ["Client", "connect"]
