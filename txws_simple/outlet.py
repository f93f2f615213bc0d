"""Ways out: how bytes get from an outbox to the other side, and word of it back.

A plain TCP or UNIX connection of a posix reactor is sent to at once, and tells
exactly when bytes have left for the kernel (:class:`DirectOutlet`).  Any other
transport is written to (:class:`TransportOutlet`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

from twisted.internet.interfaces import (
    IPullProducer,
    IPushProducer,
)
from twisted.internet.tcp import Connection as TCPConnection
from twisted.protocols.policies import ProtocolWrapper
from zope.interface import implementer

from .interfaces import IOutlet

__all__ = ["DirectOutlet", "TransportOutlet", "outlet_for"]

#: The most pieces given to the kernel in one call; POSIX warrants 16, Linux 1024.
_PIECES = 1024

#: The most bytes given to a transport that keeps what it can't send, in one go.
_CHUNK = 65536

#: How many bytes are lent to the transport for it to say when to go on.
_LOAN = 4096

Pieces = Sequence[bytes | memoryview]


class Source(Protocol):
    """What a way out is for."""

    def go_on(self, sent: int) -> None:
        """More can be sent, and ``sent`` bytes have left meanwhile."""


def outlet_for(transport: Any, source: Source, *, fresh: bool) -> IOutlet:
    """The way out of a transport.

    Args:
        transport: A connected transport without a producer.
        source: Where the bytes come from.
        fresh: Whether nothing was ever written to it.
    """
    if hasattr(transport, "setTcpNoDelay"):
        # Frames are small and answers awaited: none shall wait for an
        # acknowledgement.  A UNIX socket refuses, and has nothing to wait for.
        with suppress(OSError):
            transport.setTcpNoDelay(True)
    if _is_plain(transport):
        return DirectOutlet(transport, source, fresh=fresh)
    return TransportOutlet(transport, source)


def finish(transport: Any) -> None:
    """End a connection in order, once what was written has gone.

    On a plain connection this is a FIN without closing: what still arrives is
    read, so that no reset overtakes the last bytes (RFC 6455, section 7.1.1).
    Behind a wrapper that leaves the end to it, such as that of the PROXY protocol,
    it is the same.
    """
    if _is_plain(_below(transport)):
        transport.loseWriteConnection()
    else:
        transport.loseConnection()


def _is_plain(transport: object) -> bool:
    return isinstance(transport, TCPConnection) and not transport.TLS


def _below(transport: Any) -> object:
    """The transport that ends the connection; that of TLS is itself a wrapper."""
    while (
        isinstance(transport, ProtocolWrapper)
        and type(transport).loseConnection is ProtocolWrapper.loseConnection
    ):
        transport = transport.transport
    return transport


class _Outlet:
    """What all ways out have in common: they are their transport's producer."""

    __slots__ = ("_is_producer", "_source", "_transport")

    def __init__(self, transport: Any, source: Source) -> None:
        self._transport = transport
        self._source = source
        self._is_producer = False

    def stopProducing(self) -> None:
        """The connection is lost; its protocol hears of it too."""
        self._is_producer = False

    def finish(self) -> None:
        if self._release():
            finish(self._transport)

    def abort(self) -> None:
        self._release()
        self._transport.abortConnection()

    def _release(self) -> bool:
        # A transport with a producer waits for that before it closes.
        released, self._is_producer = self._is_producer, False
        if released:
            self._transport.unregisterProducer()
        return released


@implementer(IPullProducer, IOutlet)
class DirectOutlet(_Outlet):
    """Sends to the socket itself, while nothing waits in the transport's buffer.

    As a pull producer it is told whenever that buffer has run empty.  What the
    kernel doesn't take stays with the outbox, except for a small loan to the
    transport: the reactor sends that as soon as it can, which is the sign to go
    on, and meets any error of the socket while it does.
    """

    __slots__ = ("_empty", "_lent", "_socket")

    def __init__(
        self, transport: TCPConnection, source: Source, *, fresh: bool
    ) -> None:
        super().__init__(transport, source)
        self._socket = transport.getHandle()
        self._lent = 0
        # Registering calls resumeProducing, whether the buffer is empty or not.
        transport.registerProducer(self, False)
        self._is_producer = True
        self._empty = fresh

    def send(self, pieces: Pieces, size: int) -> int:
        if self._lent:
            return 0
        sent = 0
        if self._empty:
            try:
                if len(pieces) == 1:
                    sent = self._socket.send(pieces[0])
                else:
                    sent = self._socket.sendmsg(pieces[:_PIECES])
            except OSError:
                # Full, or broken: the reactor finds out, with what is lent to it.
                pass
        if sent < size:
            self._lend(pieces, sent)
        return sent

    @property
    def lent(self) -> int:
        return self._lent

    def _lend(self, pieces: Pieces, sent: int) -> None:
        for piece in pieces:
            if sent < len(piece):
                break
            sent -= len(piece)
        loan = bytes(memoryview(piece)[sent : sent + _LOAN])
        self._empty = False
        self._lent = len(loan)
        self._transport.write(loan)

    def resumeProducing(self) -> None:
        """The transport's buffer is empty."""
        if not self._is_producer:
            return
        lent, self._lent = self._lent, 0
        self._empty = True
        self._source.go_on(lent)
        if self._transport.disconnecting and not self._lent:
            # Somebody else ends the connection; it waits for its producer.
            self._release()


@implementer(IPushProducer, IOutlet)
class TransportOutlet(_Outlet):
    """Writes to the transport while it takes more.

    Bytes count as sent when the transport has them; there is no telling more.
    """

    __slots__ = ("_paused",)

    def __init__(self, transport: Any, source: Source) -> None:
        super().__init__(transport, source)
        self._paused = False
        transport.registerProducer(self, True)
        self._is_producer = True

    def send(self, pieces: Pieces, size: int) -> int:
        if self._paused:
            return 0
        if size <= _CHUNK:
            self._transport.writeSequence([bytes(piece) for piece in pieces])
            return size
        sent = 0
        for piece in pieces:
            view = memoryview(piece)
            for start in range(0, len(view), _CHUNK):
                if self._paused:
                    return sent
                chunk = bytes(view[start : start + _CHUNK])
                self._transport.write(chunk)
                sent += len(chunk)
        return sent

    @property
    def lent(self) -> int:
        return 0

    def pauseProducing(self) -> None:
        """The transport has enough for now."""
        self._paused = True

    def resumeProducing(self) -> None:
        """The transport takes more."""
        self._paused = False
        self._source.go_on(0)
