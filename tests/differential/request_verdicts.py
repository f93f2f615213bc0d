"""What each library makes of the request of a handshake, in the same words.

An end is ``101``, or the status of a refusal with its reason, or ``waiting``.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from websockets.http11 import Request as WebsocketsRequest
from websockets.server import ServerProtocol
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, RejectConnection
from wsproto.events import Request as WsprotoRequest
from wsproto.utilities import RemoteProtocolError

from tests.helpers import LIMITS, parse_answer
from txws_simple.errors import HandshakeError
from txws_simple.handshake import accept, check, choose_subprotocol
from txws_simple.request import Request, RequestParser

from .requests import Arrival

__all__ = ["Verdict", "of_us", "of_us_without_headers", "of_websockets", "of_wsproto"]

_silent = logging.getLogger("differential")
_silent.setLevel(logging.CRITICAL + 1)


class Verdict(NamedTuple):
    """How it ended, and what was understood where it was accepted.

    Attributes:
        end: The status, and the reason.
        proof: The value of ``Sec-WebSocket-Accept``.
        subprotocol: The one agreed on.
        target: What was asked for, as path and query.
        headers: The fields, where the library shows them as they came.
    """

    end: str
    proof: str = ""
    subprotocol: str | None = None
    target: str = ""
    headers: list[tuple[str, str]] | None = None

    def is_like(self, other: Verdict) -> bool:
        """Whether both mean the same: of a refusal, only the class of its status."""
        return self == other or (
            self.end[:1] == other.end[:1] and self.end[:1] in ("4", "5")
        )

    def fits(self, other: Verdict) -> bool:
        """Whether nothing but the end may differ."""
        return self.end != other.end


def of_us(arrival: Arrival) -> Verdict:
    parser = RequestParser(**LIMITS)
    try:
        for segment in arrival.segments:
            request = parser.receive(segment)
            if request is not None:
                check(request, arrival.origins)
                return _accepted_by_us(request, arrival)
    except HandshakeError as error:
        return Verdict(str(error))
    return Verdict("waiting")


def of_us_without_headers(arrival: Arrival) -> Verdict:
    """Ours as wsproto tells it."""
    return of_us(arrival)._replace(headers=None)


def _accepted_by_us(request: Request, arrival: Arrival) -> Verdict:
    subprotocol = choose_subprotocol(request, arrival.subprotocols)
    proof = parse_answer(accept(request, subprotocol)).headers["Sec-WebSocket-Accept"]
    target = f"{request.path}?{request.query}" if request.query else request.path
    return Verdict("101", proof, subprotocol, target, list(request.headers))


def of_websockets(arrival: Arrival) -> Verdict:
    protocol = ServerProtocol(
        origins=arrival.origins,  # type: ignore[arg-type]
        subprotocols=arrival.subprotocols,  # type: ignore[arg-type]
        logger=_silent,
    )
    for segment in arrival.segments:
        protocol.receive_data(segment)
        error = protocol.handshake_exc
        if error is not None:
            return Verdict(_refused_by_websockets(protocol, error))
        for event in protocol.events_received():
            assert isinstance(event, WebsocketsRequest)
            return _answered_by_websockets(protocol, event)
    return Verdict("waiting")


def _refused_by_websockets(protocol: ServerProtocol, error: Exception) -> str:
    sent = b"".join(protocol.data_to_send()) or b"HTTP/1.1 400"
    return f"{sent.split()[1].decode()} {error.__cause__ or error}"


def _answered_by_websockets(
    protocol: ServerProtocol, request: WebsocketsRequest
) -> Verdict:
    response = protocol.accept(request)
    if response.status_code != 101:
        return Verdict(f"{response.status_code} {protocol.handshake_exc}")
    return Verdict(
        "101",
        response.headers["Sec-WebSocket-Accept"],
        response.headers.get("Sec-WebSocket-Protocol"),
        _origin_form(request.path),
        list(request.headers.raw_items()),
    )


def of_wsproto(arrival: Arrival) -> Verdict:
    connection = WSConnection(ConnectionType.SERVER)
    for segment in arrival.segments:
        try:
            connection.receive_data(segment)
        except RemoteProtocolError as error:
            return Verdict(_refused_by_wsproto(error))
        except UnicodeError as error:
            return Verdict(f"crash {type(error).__name__}")
        for event in connection.events():
            assert isinstance(event, WsprotoRequest)
            return _accepted_by_wsproto(connection, event, arrival)
    return Verdict("waiting")


def _refused_by_wsproto(error: RemoteProtocolError) -> str:
    assert isinstance(error.event_hint, RejectConnection)
    return f"{error.event_hint.status_code} {error.__context__ or error}"


def _accepted_by_wsproto(
    connection: WSConnection, request: WsprotoRequest, arrival: Arrival
) -> Verdict:
    common = (name for name in arrival.subprotocols if name in request.subprotocols)
    subprotocol = next(common, None)
    sent = connection.send(AcceptConnection(subprotocol=subprotocol))
    head = dict(line.split(b": ") for line in sent.split(b"\r\n")[1:] if line)
    proof = {name.lower(): value for name, value in head.items()}
    return Verdict(
        "101",
        proof[b"sec-websocket-accept"].decode(),
        subprotocol,
        _origin_form(request.target),
    )


def _origin_form(target: str) -> str:
    """The path and query, where neither is empty, as we give them."""
    if not target.startswith("/"):
        target = "/" + target.split("/", 3)[-1]
    return target.removesuffix("?")
