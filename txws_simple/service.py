"""``twistd wsecho``: an echo server, and an example of a well-behaved service."""

from __future__ import annotations

from twisted.application.service import IService

from .commands import Command, CommandOptions

__all__ = ["Options", "makeService"]


class Options(CommandOptions):
    """The command line of ``twistd wsecho``."""

    longdesc = (
        "A WebSocket server that sends every data frame back as it came. It reads "
        "frame by frame, so a message of any length passes in bounded memory. On "
        "SIGTERM or Ctrl-C it closes every connection in order, with code 1001."
    )

    def opt_endpoint(self, endpoint: str) -> None:
        """Where to listen: a Twisted server endpoint, such as
        tcp:8080:interface=127.0.0.1,
        ssl:8443:privateKey=key.pem:certKey=cert.pem or unix:/run/wsecho.sock.
        May be given more than once. [default: tcp:8080]
        """
        self["endpoint"].append(endpoint)

    opt_e = opt_endpoint


def makeService(options: Options) -> IService:
    """The service of ``twistd wsecho``."""
    factory = options.factory(lambda peer: peer.each(peer.write))
    return Command(factory, options["endpoint"])
