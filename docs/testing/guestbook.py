"""A guest book: whoever writes in it is read by all who are there."""

from twisted.internet.interfaces import IReactorTime

from txws_simple import Request, Response, WebSocketFactory, WebSocketPeer


class GuestBook:
    """The guests who are there, and what serves each of them."""

    def __init__(self) -> None:
        self.guests: list[WebSocketPeer] = []

    async def serve(self, peer: WebSocketPeer) -> None:
        """Hand on what a guest says, until it leaves or says nothing for a minute."""
        self.guests.append(peer)
        try:
            while (message := await peer.receive(timeout=60)) is not None:
                for guest in list(self.guests):  # one that is too slow goes
                    guest.send(message)
        except TimeoutError:
            await peer.shutdown(4000, "idle")
        finally:
            self.guests.remove(peer)


def check(request: Request) -> Response | None:
    """Let in who has the token."""
    if request.query == "token=secret":
        return None
    return Response(403, body="no token")


def make_factory(clock: IReactorTime | None = None) -> WebSocketFactory:
    """What the program listens with, and its tests connect to."""
    return WebSocketFactory(GuestBook().serve, on_request=check, clock=clock)
