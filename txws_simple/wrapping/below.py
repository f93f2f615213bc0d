"""What is asked of the transport below a peer."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress, ISSLTransport
from zope.interface import alsoProvides

from ..peer import WebSocketPeer

__all__ = ["Below"]


class Below:
    """Answers for the transport below: addresses, TCP's options, a certificate.

    Args:
        peer: Whose transport it is.

    Attributes:
        peer: The same.
    """

    def __init__(self, peer: WebSocketPeer) -> None:
        self.peer = peer
        if ISSLTransport.providedBy(peer.transport):
            alsoProvides(self, ISSLTransport)

    def getPeer(self) -> IAddress:
        """The client's address."""
        return self.peer.transport.getPeer()  # type: ignore[no-any-return]

    def getHost(self) -> IAddress:
        """Our own."""
        return self.peer.transport.getHost()  # type: ignore[no-any-return]

    def getTcpNoDelay(self) -> bool:
        """As the transport below has it."""
        return self.peer.transport.getTcpNoDelay()  # type: ignore[no-any-return]

    def setTcpNoDelay(self, enabled: bool) -> None:
        """For the transport below; one that is not of TCP has nothing to set."""
        self._set("setTcpNoDelay", enabled)

    def getTcpKeepAlive(self) -> bool:
        """As the transport below has it."""
        return self.peer.transport.getTcpKeepAlive()  # type: ignore[no-any-return]

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """As `setTcpNoDelay`."""
        self._set("setTcpKeepAlive", enabled)

    def getPeerCertificate(self) -> Any:
        """The client's certificate, where the transport below is one of TLS."""
        return self.peer.transport.getPeerCertificate()

    def _set(self, name: str, enabled: bool) -> None:
        if hasattr(self.peer.transport, name):
            getattr(self.peer.transport, name)(enabled)
