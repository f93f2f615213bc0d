"""What is logged of each connection, for those who run a server.

Every event has a field ``event`` that says which it is, and the namespace
``txws_simple``; both stay.  What came from outside is quoted in its text.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger

from .handshake import Response
from .peer import WebSocketPeer
from .request import Request

__all__ = ["closed", "closing", "drained", "opened", "refused"]

_log = Logger("txws_simple")


def opened(peer: WebSocketPeer) -> None:
    """A handshake has succeeded."""
    _log.debug(
        "opened {address!r} {path!r} subprotocol {subprotocol!r}",
        event="opened",
        **_client(peer.transport),
        path=_path(peer),
        subprotocol=peer.subprotocol,
    )


def refused(transport: Any, response: Response, request: Request | None) -> None:
    """A handshake was refused, maybe before there was a whole request."""
    _log.info(
        "refused {address!r} {path!r} origin {origin!r}: {status} {reason!r}",
        event="refused",
        **_client(transport),
        path=None if request is None else request.path,
        origin=None if request is None else request.origin,
        status=response.status,
        reason=response.reason,
    )


def closing(peer: WebSocketPeer, reason: str) -> None:
    """A connection is about to be closed, for a limit that it has reached."""
    _log.info(
        "closing {address!r}: {reason}",
        event="closing",
        **_client(peer.transport),
        reason=reason,
    )


def closed(peer: WebSocketPeer, code: int, seconds: float) -> None:
    """A connection has ended, this long after its handshake."""
    error = peer.error()
    frames_in, bytes_in, frames_out, bytes_out = peer.traffic
    _log.info(
        "closed {address!r} {path!r}: {code} {reason!r} by {closed_by} "
        "after {seconds} s, in {frames_in} frames {bytes_in} bytes, "
        "out {frames_out} frames {bytes_out} bytes",
        event="closed",
        **_client(peer.transport),
        path=_path(peer),
        code=code,
        reason=peer.close_reason or getattr(error, "reason", ""),
        error=None if error is None else type(error).__name__,
        closed_by=peer.closed_by,
        seconds=round(seconds, 3),
        frames_in=frames_in,
        bytes_in=bytes_in,
        frames_out=frames_out,
        bytes_out=bytes_out,
    )


def drained(ended: int, aborted: int, refused: int) -> None:
    """All connections of a factory have ended."""
    _log.info(
        "drained: {ended} ended in order, {aborted} aborted, {refused} refused",
        event="drained",
        ended=ended,
        aborted=aborted,
        refused=refused,
    )


def _client(transport: Any) -> dict[str, Any]:
    """Whose connection it is; of an address, JSON would keep nothing."""
    address = transport.getPeer()
    host, port = getattr(address, "host", None), getattr(address, "port", None)
    return {"address": address, "host": host, "port": port}


def _path(peer: WebSocketPeer) -> str | None:
    return None if peer.request is None else peer.request.path
