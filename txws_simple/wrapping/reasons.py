"""Why a connection ended, in the terms of a protocol that knows TCP."""

from __future__ import annotations

from twisted.internet.error import ConnectionDone, ConnectionLost

from ..errors import ConnectionClosed
from ..frames import CloseCode
from ..peer import WebSocketPeer

__all__ = ["is_whole", "lost", "reason_of"]

#: The codes with which the other side ends in the normal way.
_NORMAL = (CloseCode.NORMAL, CloseCode.GOING_AWAY, CloseCode.NO_STATUS)


def reason_of(peer: WebSocketPeer, in_order: bool) -> Exception:
    """Why this connection is gone.

    Args:
        peer: Whose it was.
        in_order: Whether it ended with a closing handshake.
    """
    if in_order and (peer.closed_by == "local" or peer.close_code in _NORMAL):
        return ConnectionDone()
    code = peer.close_code or CloseCode.ABNORMAL
    return lost(peer.error() or ConnectionClosed(code, peer.close_reason))


def is_whole(peer: WebSocketPeer) -> bool:
    """Whether all that was sent has arrived: a Close came after it, or a FIN."""
    cause = getattr(peer.error(), "__cause__", None)
    return peer.close_code != CloseCode.ABNORMAL or isinstance(cause, ConnectionDone)


def lost(error: Exception) -> ConnectionLost:
    """Tells of this end; its cause has the close code."""
    reason = ConnectionLost(str(error))
    reason.__cause__ = error
    return reason
