"""Handlers by path: which one, with what, and what there is none for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from txws_simple import (
    Opcode,
    Request,
    Response,
    Router,
    WebSocketFactory,
    WebSocketPeer,
)
from txws_simple.policies import LimitedFactory, Limits

from .helpers import client_frame, request
from .ledger import Ledger
from .wires import MemoryWire

CLOSE = client_frame(Opcode.CLOSE, b"\x03\xe8")


class Served:
    """What handlers were called with, by what they stand for."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Mapping[str, str]]] = []

    def __call__(self, name: str) -> Any:
        def handler(peer: WebSocketPeer, **parts: str) -> None:
            self.calls.append((name, parts))

        return handler


def served(*paths: str, target: str) -> tuple[str, Mapping[str, str]] | int:
    """The path of the route that serves this target, and its parts; or the status."""
    routed = Served()
    router = Router({path: routed(path) for path in paths})
    factory = WebSocketFactory(
        router.handler, on_request=router.on_request, clock=Clock()
    )
    wire = get(factory, target)
    if not routed.calls:
        return int(wire.response.split()[1])
    [call] = routed.calls
    return call


def get(factory: Any, target: str) -> MemoryWire:
    """A connection that asks for this, up to its end."""
    wire = MemoryWire(factory, Clock())
    wire.send(request(f"GET {target} HTTP/1.1") + CLOSE)
    wire.fin()
    return wire


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/", ("/", {})),
        ("/chat", ("/chat", {})),
        ("/chat?a=/b", ("/chat", {})),
        ("/chat/", 404),
        ("/Chat", 404),
        ("/c%68at", 404),
        ("/other", 404),
        ("//chat", 404),
        ("http://example.com/chat", ("/chat", {})),
    ],
)
def test_exact(target: str, expected: object) -> None:
    assert served("/", "/chat", target=target) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/rooms/a", ("/rooms/{room}", {"room": "a"})),
        ("/rooms/a%2Fb%00", ("/rooms/{room}", {"room": "a%2Fb%00"})),
        ("/rooms/..", ("/rooms/{room}", {"room": ".."})),
        ("/rooms/{room}", ("/rooms/{room}", {"room": "{room}"})),
        ("/rooms/", 404),
        ("/rooms", 404),
        ("/rooms/a/", 404),
        ("/rooms/a/b", ("/rooms/{room}/{user}", {"room": "a", "user": "b"})),
        ("/rooms//b", 404),
        ("/rooms/a/b/c", 404),
        ("/halls/a", 404),
        ("/rooms/lobby", ("/rooms/lobby", {})),
        ("/rooms/a/door", ("/rooms/{room}/door", {"room": "a"})),
    ],
)
def test_a_segment_with_a_name(target: str, expected: object) -> None:
    """It is given on as it came; what is exact goes first, then the order counts."""
    paths = ("/rooms/{room}", "/rooms/{room}/door", "/rooms/{room}/{user}")
    assert served(*paths, "/rooms/lobby", target=target) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/files/", ("/files/{path...}", {"path": ""})),
        ("/files/a", ("/files/{path...}", {"path": "a"})),
        ("/files/a//../b/", ("/files/{path...}", {"path": "a//../b/"})),
        ("/files", 404),
        ("/filesystem", 404),
        ("/of/x/a/b", ("/of/{user}/{rest...}", {"user": "x", "rest": "a/b"})),
        ("/of//a", 404),
    ],
)
def test_all_that_follows(target: str, expected: object) -> None:
    assert served("/files/{path...}", "/of/{user}/{rest...}", target=target) == expected


def test_anything() -> None:
    assert served("/{path...}", target="/a/b") == ("/{path...}", {"path": "a/b"})


def test_no_routes() -> None:
    assert served(target="/") == 404


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("chat", "does not begin with a slash"),
        ("", "does not begin with a slash"),
        ("{a}", "does not begin with a slash"),
        ("/a?b", "'/a?b' is not as it is sent, percent-encoded"),
        ("/a?b/{c}", "is not as it is sent"),
        ("/a#b", "is not as it is sent"),
        ("/a b", "is not as it is sent"),
        ("/é", "is not as it is sent"),
        ("/%zz", "is not as it is sent"),
        ("/%4", "is not as it is sent"),
        ("/{}", "'{}' is not a name in braces"),
        ("/{1}", "'{1}' is not a name in braces"),
        ("/{a b}", "is not a name in braces"),
        ("/room-{a}", "'room-{a}' is not a name in braces"),
        ("/{a", "'{a' is not a name in braces"),
        ("/a}", "'a}' is not a name in braces"),
        ("/{a}{b}", "is not a name in braces"),
        ("/{a...}/b", "is not a name in braces"),
        ("/{...}", "is not a name in braces"),
        ("/x{a...}", "is not a name in braces"),
        ("/{a}/{a}", "has a name twice"),
        ("/{a}/{a...}", "has a name twice"),
    ],
)
def test_what_is_no_path(path: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        Router({path: lambda peer: None})


def test_what_is_no_handler() -> None:
    nothing: Any = None
    for path in ("/a", "/{a}"):
        with pytest.raises(ValueError, match="handler None is not callable"):
            Router({path: nothing})


def test_a_handler_is_as_any_other(ledger: Ledger) -> None:
    """It may be a coroutine, and its end closes the connection."""

    async def greet(peer: WebSocketPeer, name: str) -> None:
        await peer.send(f"hello {name}")

    router = Router({"/{name}": greet})
    factory = WebSocketFactory(
        router.handler, on_request=router.on_request, clock=Clock()
    )
    frames = get(factory, "/you").frames
    assert [frame.data for frame in frames] == [b"hello you", b"\x03\xe8"]


def test_who_may_connect_is_asked_behind_the_route() -> None:
    """For a path without a route it is not; its answer counts, a later one too."""
    asked: list[str] = []

    def on_request(request: Request) -> Any:
        asked.append(request.path)
        return succeed(Response(401) if request.path == "/b" else None)

    routed = Served()
    router = Router({"/a": routed("a"), "/b": routed("b")}, on_request=on_request)
    factory = WebSocketFactory(
        router.handler, on_request=router.on_request, clock=Clock()
    )
    statuses = [get(factory, path).response.split()[1] for path in ("/a", "/b", "/c")]
    assert statuses == [b"101", b"401", b"404"]
    assert asked == ["/a", "/b"]
    assert routed.calls == [("a", {})]


def test_what_was_learnt_reaches_the_handler() -> None:
    """Each request has a context of its own."""
    seen: list[object] = []

    def on_request(request: Request) -> None:
        assert request.context == {}
        request.context["user"] = request.path

    def handler(peer: WebSocketPeer) -> None:
        assert peer.request is not None
        seen.append(peer.request.context["user"])

    factory = WebSocketFactory(handler, on_request=on_request, clock=Clock())
    for path in ("/a", "/b"):
        get(factory, path)
    assert seen == ["/a", "/b"]


def test_limits_go_along() -> None:
    """It is no factory, so any factory takes it."""
    router = Router({"/": lambda peer: Deferred()})
    factory = LimitedFactory(
        router.handler,
        Limits(max_connections=1),
        on_request=router.on_request,
        clock=Clock(),
    )
    wires = [MemoryWire(factory, Clock()) for _ in range(2)]
    for wire in wires:
        wire.send(request("GET / HTTP/1.1"))
    assert [wire.response.split()[1] for wire in wires] == [b"101", b"503"]
    for wire in wires:
        wire.reset()
    assert get(factory, "/x").response.split()[1] == b"404"


def test_a_factory_that_does_not_ask_the_router(ledger: Ledger) -> None:
    """That is a mistake in the program, and said to be."""
    router = Router({"/a": lambda peer: None})
    factory = WebSocketFactory(router.handler, clock=Clock())
    wire = get(factory, "/b")
    assert wire.frames[-1].data[:2] == b"\x03\xf3"
    [failure] = ledger.failures
    assert isinstance(failure.value, LookupError)
    ledger.forgive([failure])


@pytest.mark.parametrize(
    ("path", "handler"),
    [
        ("/{peer}", lambda peer, **parts: None),
        ("/{a}", lambda peer: None),
        ("/{a}", lambda peer, a, b: None),
        ("/a", lambda: None),
    ],
)
def test_a_handler_that_does_not_take_the_parts(path: str, handler: Any) -> None:
    """It is seen at once, not with each connection."""
    with pytest.raises(ValueError, match="does not take"):
        Router({path: handler})


def test_a_handler_of_which_there_is_no_telling() -> None:
    router = Router({"/{a}": type})
    assert isinstance(router, Router)
