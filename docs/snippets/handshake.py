"""Who may connect, and with what."""

import secrets
from http.cookies import CookieError, SimpleCookie

from twisted.internet.task import deferLater

from txws_simple import Request, Response, Router, WebSocketFactory, WebSocketPeer


async def echo(peer: WebSocketPeer) -> None:
    async for frame in peer:
        await peer.write(frame)


origins_factory = WebSocketFactory(
    echo, origins=["https://example.com", "https://www.example.com"]
)


async def speak(peer: WebSocketPeer) -> None:
    await peer.send(f"speaking {peer.subprotocol or 'plainly'}")


subprotocols_factory = WebSocketFactory(speak, subprotocols=["chat.v2", "chat.v1"])


def by_path(request: Request) -> Response | None:
    if request.path == "/old":
        return Response(308, [("Location", "/new")])
    if request.path != "/new":
        return Response(404)
    return None


paths_factory = WebSocketFactory(echo, on_request=by_path)

TOKENS = {"s3cret": "alice"}


async def look_up(token: str) -> str | None:
    from twisted.internet import reactor

    await deferLater(reactor, 0.01)  # stands for a database
    return TOKENS.get(token)


async def authenticate(request: Request) -> Response | None:
    scheme, _, token = (request.headers.get("Authorization") or "").partition(" ")
    user = await look_up(token) if scheme.lower() == "bearer" else None
    if user is None:
        return Response(401, [("WWW-Authenticate", "Bearer")])
    request.context["user"] = user
    return None


async def greet(peer: WebSocketPeer) -> None:
    assert peer.request is not None
    await peer.send(f"hello {peer.request.context['user']}")


users_factory = WebSocketFactory(greet, on_request=authenticate)


def with_session(request: Request) -> Response | None:
    try:
        if "session" in SimpleCookie(request.headers.get("Cookie")):
            return None
    except CookieError:
        return Response(400)
    cookie = f"session={secrets.token_urlsafe()}; Path=/; HttpOnly; SameSite=Strict"
    return Response(headers=[("Set-Cookie", cookie)])


cookies_factory = WebSocketFactory(echo, on_request=with_session)


async def lobby(peer: WebSocketPeer) -> None:
    await peer.send("which room?")


async def enter(peer: WebSocketPeer, room: str) -> None:
    await peer.send(f"this is {room}")


async def deliver(peer: WebSocketPeer, path: str) -> None:
    await peer.send(f"no file {path}")


router = Router({"/": lobby, "/rooms/{room}": enter, "/files/{path...}": deliver})
router_factory = WebSocketFactory(router.handler, on_request=router.on_request)
