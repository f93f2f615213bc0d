"""Any Twisted protocol over WebSocket: an existing factory, served unchanged."""

from .endpoint import WebSocketEndpoint
from .factory import WrappingFactory, only_path, wrap
from .stream import StreamTransport

__all__ = [
    "StreamTransport",
    "WebSocketEndpoint",
    "WrappingFactory",
    "only_path",
    "wrap",
]
