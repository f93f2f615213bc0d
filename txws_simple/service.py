"""``twistd wsecho``: an echo server, and an example of a well-behaved service."""

from __future__ import annotations

import time

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from .errors import WebSocketError
from .frames import Frame
from .peer import WebSocketPeer
from .protocol import WebSocketFactory
from .serving import ServingOptions, ServingService, positive

__all__ = ["Options", "makeService"]

_log = Logger()


class Options(ServingOptions):
    """The command line of ``twistd wsecho``."""

    longdesc = (
        "A WebSocket server that sends every data frame back as it came. It reads "
        "frame by frame, so a message of any length passes in bounded memory. On "
        "SIGTERM or Ctrl-C it closes every connection in order, with code 1001."
    )
    optParameters = [  # noqa: RUF012
        [
            "max-frame-size",
            "m",
            1024 * 1024,
            "The largest payload of a frame, in bytes; over it the connection is "
            "closed with code 1009.",
            positive(int),
        ],
    ]

    def opt_endpoint(self, endpoint: str) -> None:
        """Where to listen: a Twisted server endpoint, such as
        tcp:8080:interface=127.0.0.1,
        ssl:8443:privateKey=key.pem:certKey=cert.pem or unix:/run/wsecho.sock.
        May be given more than once. [default: tcp:8080]
        """
        self["endpoint"].append(endpoint)

    opt_e = opt_endpoint


class _Echo:
    """One connection: its echo, and what is counted of it."""

    def __init__(self, peer: WebSocketPeer) -> None:
        self._peer = peer
        self._began = time.monotonic()
        self._frames_in = self._frames_out = self._bytes_in = self._bytes_out = 0

    def serve(self) -> Deferred[None]:
        done = self._peer.each(self._receive)
        # However it ended, it is reported when all is over.
        done.addErrback(lambda failure: failure.trap(WebSocketError))
        ended = done.addCallback(lambda _: self._peer.shutdown())
        return ended.addCallback(lambda _: self._report())

    def _receive(self, frame: Frame) -> Deferred[int]:
        size = len(frame.data)
        self._frames_in += 1
        self._bytes_in += size
        write = self._peer.write(frame)
        self._frames_out += 1
        self._bytes_out += size
        return write

    def _report(self) -> None:
        peer = self._peer
        _log.info(
            "{address!r} {path!r} {seconds:.3f}s "
            "in {frames_in} frames {bytes_in} bytes "
            "out {frames_out} frames {bytes_out} bytes "
            "code {code} closed by {closed_by}",
            address=peer.transport.getPeer(),
            path=peer.request.path if peer.request else "",
            seconds=time.monotonic() - self._began,
            frames_in=self._frames_in,
            bytes_in=self._bytes_in,
            frames_out=self._frames_out,
            bytes_out=self._bytes_out,
            code=peer.close_code,
            closed_by=peer.closed_by,
        )


def makeService(options: Options) -> IService:
    """The service of ``twistd wsecho``."""
    factory = WebSocketFactory(
        lambda peer: _Echo(peer).serve(),
        ping_frequency=options["ping-frequency"],
        max_frame_size=options["max-frame-size"],
        max_message_size=None,
        max_fragments=None,
        origins=options["origin"] or None,
        subprotocols=options["subprotocol"],
    )
    return ServingService(factory, options["endpoint"])
