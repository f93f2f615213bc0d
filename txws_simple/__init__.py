"""WebSocket (RFC 6455) for Twisted over raw TCP, without an HTTP stack."""

from .counters import Counters, Traffic
from .deferreds import TimedOut
from .draining import Drained
from .errors import (
    BufferOverrun,
    CloseTimeout,
    ConnectionClosed,
    HandshakeError,
    PongTimeout,
    ProtocolError,
    WebSocketError,
)
from .frames import CloseCode, Frame, Opcode
from .handshake import Response
from .headers import Headers
from .interfaces import IRequest, IWebSocketHandler, IWebSocketPeer
from .options import Options
from .peer import WebSocketPeer
from .protocol import WebSocketFactory, WebSocketProtocol, new
from .request import Request
from .routing import Router
from .serving import WebSocketService

__all__ = [
    "BufferOverrun",
    "CloseCode",
    "CloseTimeout",
    "ConnectionClosed",
    "Counters",
    "Drained",
    "Frame",
    "HandshakeError",
    "Headers",
    "IRequest",
    "IWebSocketHandler",
    "IWebSocketPeer",
    "Opcode",
    "Options",
    "PongTimeout",
    "ProtocolError",
    "Request",
    "Response",
    "Router",
    "TimedOut",
    "Traffic",
    "WebSocketError",
    "WebSocketFactory",
    "WebSocketPeer",
    "WebSocketProtocol",
    "WebSocketService",
    "new",
]
