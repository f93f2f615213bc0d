"""WebSocket (RFC 6455) for Twisted over raw TCP, without an HTTP stack."""

from .deferreds import TimedOut
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

__all__ = [
    "BufferOverrun",
    "CloseCode",
    "CloseTimeout",
    "ConnectionClosed",
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
    "TimedOut",
    "WebSocketError",
    "WebSocketFactory",
    "WebSocketPeer",
    "WebSocketProtocol",
    "new",
]
