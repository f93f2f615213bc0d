"""The chat of the examples, met by a client that is no browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, NamedTuple

import pytest
from websockets.sync.client import ClientConnection

from .test_examples import SERVER, connect, ends, get, receive, refused, running

PROGRAM = ("examples/chat/server.py", SERVER, SERVER)


class Chat(NamedTuple):
    """The server of the chat.

    Attributes:
        process: Its process.
        page: The port of its page.
        socket: The port of its WebSocket, as the page says it.
    """

    process: Any
    page: int
    socket: int

    @property
    def from_page(self) -> dict[str, Any]:
        """What a browser sends for the page."""
        origin = f"http://127.0.0.1:{self.page}"
        return {"origin": origin, "subprotocols": ["chat.v1"]}

    def enter(self, name: str) -> ClientConnection:
        return connect(self.socket, f"/?name={name}", **self.from_page)


@contextmanager
def chatting(*origins: str) -> Iterator[Chat]:
    with running(*PROGRAM, *origins) as (process, port):
        status, page = get(port, "/")
        assert status == 200
        [socket] = re.findall(r'data-port="(\d+)"', page)
        yield Chat(process, port, int(socket))


@pytest.fixture(scope="module")
def chat() -> Iterator[Chat]:
    with chatting() as chat:
        yield chat


def events(client: ClientConnection, *wanted: str) -> list[dict[str, Any]]:
    """The next ones; a latency comes whenever it likes."""
    found: list[dict[str, Any]] = []
    while len(found) < len(wanted):
        event = json.loads(receive(client))
        if event["event"] != "latency" or "latency" in wanted:
            found.append(event)
    assert [event["event"] for event in found] == [*wanted]
    return found


def test_page(chat: Chat) -> None:
    """Each of its files is served, and nothing else of the folder."""
    for file in re.findall(r'(?:src|href)="([\w.]+)"', get(chat.page, "/")[1]):
        assert get(chat.page, f"/{file}")[0] == 200
    assert get(chat.page, "/server.py")[0] == 404


def test_two_talk(chat: Chat) -> None:
    with chat.enter("ann") as ann:
        assert ann.subprotocol == "chat.v1"
        [come] = events(ann, "joined")
        assert come == {"event": "joined", "name": "ann", "here": ["ann"]}
        with chat.enter("bob") as bob:
            [come] = events(bob, "joined")
            assert (come["name"], come["here"]) == ("bob", ["ann", "bob"])
            bob.send("hi")
            [said] = events(bob, "said")
            assert (said["name"], said["text"]) == ("bob", "hi")
        *_, left = events(ann, "joined", "said", "left")
        assert (left["name"], left["here"]) == ("bob", ["ann"])


def test_latency(chat: Chat) -> None:
    with chat.enter("ann") as ann:
        _, latency = events(ann, "joined", "latency")
        assert latency["seconds"] > 0


@pytest.mark.parametrize("size", [0, 1024 * 1024])
def test_file(chat: Chat, size: int) -> None:
    data = bytes(size)
    with chat.enter("ann") as ann:
        ann.send(data)
        _, file = events(ann, "joined", "file")
        assert (file["size"], file["sha256"]) == (size, sha256(data).hexdigest())
        assert receive(ann) == data


@pytest.mark.parametrize("name", ["", "%20", "x" * 31, "a%0Ab", "%E2%80%AEa"])
def test_bad_name(chat: Chat, name: str) -> None:
    """Too long, or with what would not be seen or turn other text around."""
    with chat.enter(name) as client:
        assert ends(client) == (4000, "a name has 1 to 30 characters")


def test_name_is_taken(chat: Chat) -> None:
    with chat.enter("ann") as ann, chat.enter("ann") as other:
        assert ends(other) == (4001, "this name is taken")
        ann.send("still here")
        events(ann, "joined", "said")


def test_limits(chat: Chat) -> None:
    for message, reason in (
        ("x" * 2001, "that is too long"),
        (bytes(1024 * 1024 + 1), "frame is over 1048576 bytes"),
    ):
        with chat.enter("ann") as ann:
            events(ann, "joined", "latency")
            ann.send(message)
            assert ends(ann) == (1009, reason)


def test_origins() -> None:
    """Those that are said, and the page's own."""
    with chatting("https://chat.example") as chat:
        target = "/?name=ann"
        assert refused(chat.socket, target).status_code == 403
        for origin in ("https://other.example", "http://127.0.0.1"):
            assert refused(chat.socket, target, origin=origin).status_code == 403
        with connect(chat.socket, target, origin="https://chat.example") as client:
            events(client, "joined")


def test_ends_in_order() -> None:
    with chatting() as chat:
        with chat.enter("ann") as ann:
            events(ann, "joined", "latency")
            chat.process.terminate()
            assert ends(ann) == (1001, "")
        assert chat.process.wait(20) == 0
