"""Several handlers on one port, each for its paths.

All of it is built on ``on_request`` and a handler; nothing below knows of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any

from .handshake import Response
from .peer import WebSocketPeer
from .request import Request, check_path

__all__ = ["Router"]

_NAMED = re.compile(r"\{[^{}/]*\}")
_NOT_FOUND = Response(404)


class Router:
    """Handlers by path.

    A path is exact, as ``/chat``, or a pattern.  In a pattern, ``{name}`` stands for
    one segment that is not empty, and ``{name...}``, at its end, for all that follows,
    be it nothing.  What they stand for is given to the handler by these names.

    A path that is exact goes before all patterns; of these the first that fits counts.
    Paths are compared and given on as they came: nothing is decoded, and nothing is
    resolved, so ``/a``, ``/a/`` and ``/%61`` are three.

    Args:
        routes: What serves each path: called with the peer and with the parts that
            were named, as `IWebSocketHandler` otherwise.
        on_request: What else says who may connect, once a route was found; as of
            `Options`.

    Raises:
        ValueError: For a path that no request has, or for braces that are not around
            the name of a whole segment, or a name twice; for a handler that can't be
            called, or does not take the names.
    """

    def __init__(
        self,
        routes: Mapping[str, Callable[..., object]],
        on_request: Callable[[Request], Any] | None = None,
    ) -> None:
        self._on_request = on_request
        self._exact: dict[str, Callable[..., object]] = {}
        self._patterns: list[tuple[_Pattern, Callable[..., object]]] = []
        for path, handler in routes.items():
            check_path(_NAMED.sub("{}", path))
            if "{" in path or "}" in path:
                pattern = _Pattern(path)
                _check_takes(handler, pattern.names)
                self._patterns.append((pattern, handler))
            else:
                _check_takes(handler, ())
                self._exact[path] = handler

    def on_request(self, request: Request) -> Any:
        """The factory's ``on_request``: 404 where no route fits."""
        if self._route(request.path) is None:
            return _NOT_FOUND
        return None if self._on_request is None else self._on_request(request)

    def handler(self, peer: WebSocketPeer) -> object:
        """The factory's handler: that of the route.

        Raises:
            LookupError: Where there is none, for it was not asked before.
        """
        route = None if peer.request is None else self._route(peer.request.path)
        if route is None:
            raise LookupError("no route: the factory's on_request is not the router's")
        handler, parts = route
        return handler(peer, **parts)

    def _route(self, path: str) -> tuple[Callable[..., object], dict[str, str]] | None:
        if path in self._exact:
            return self._exact[path], {}
        for pattern, handler in self._patterns:
            parts = pattern.match(path)
            if parts is not None:
                return handler, parts
        return None


def _check_takes(handler: Callable[..., object], names: Sequence[str]) -> None:
    """Refuse what would fail with each connection."""
    if not callable(handler):
        raise ValueError(f"handler {handler!r} is not callable")
    try:
        takes = signature(handler)
    except (TypeError, ValueError):
        return  # of some that are built in, there is no telling
    try:
        takes.bind(None, **dict.fromkeys(names))
    except TypeError as error:
        raise ValueError(f"{handler!r} does not take {names}: {error}") from None


class _Pattern:
    """A path of which some segments are named."""

    def __init__(self, path: str) -> None:
        *segments, last = path.split("/")
        takes_rest = last.endswith("...}")
        segments.append(last.replace("...}", "}"))
        self._rest = _name(segments[-1]) if takes_rest else None
        self._splits = len(segments) - 1 if takes_rest else -1
        self._segments = [(segment, _name(segment)) for segment in segments]
        self.names = [name for _, name in self._segments if name]
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"path {path!r} has a name twice")

    def match(self, path: str) -> dict[str, str] | None:
        """What the names stand for in a path, or ``None`` if it doesn't fit."""
        segments = path.split("/", self._splits)
        if len(segments) != len(self._segments):
            return None
        named = {}
        for (own, name), segment in zip(self._segments, segments, strict=True):
            if name and (segment or name == self._rest):
                named[name] = segment
            elif name or segment != own:
                return None
        return named


def _name(segment: str) -> str | None:
    """What a segment of a pattern is called, ``None`` if it stands for itself."""
    if "{" not in segment and "}" not in segment:
        return None
    name = segment[1:-1]
    if segment != f"{{{name}}}" or not name.isidentifier():
        raise ValueError(f"segment {segment!r} is not a name in braces")
    return name
