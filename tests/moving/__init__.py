"""Programs before and after they moved in, and what a client sees of both.

The programs are those of ``docs/moving/``.  Those after are run by the tests, those
before by ``tests/moving/before.py``, for they need what they moved away from.
"""

from __future__ import annotations

import json
import re
import select
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from websockets.exceptions import ConnectionClosed

from ..test_examples import PATIENCE, SERVER, connect, receive, refused

PROGRAMS = Path(__file__).resolve().parent.parent.parent / "docs" / "moving"


class Move(NamedTuple):
    """One program that moved in.

    Attributes:
        check: Checks what it is there for, in either form.
        see: What else is seen of it.
        before: That of the program before.
        after: That of the program after: where they differ.
        fails: Whether the programs fail on the way, and say so.
    """

    check: Callable[[int], None]
    see: Callable[[int], dict[str, Any]]
    before: dict[str, Any]
    after: dict[str, Any]
    fails: bool = False


def run(python: str, name: str, when: str) -> dict[str, Any]:
    """Run a program, check it, and give what else is seen of it."""
    move = MOVES[name]
    process = subprocess.Popen(
        [python, str(PROGRAMS / f"from_{name}_{when}.py"), SERVER],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        port = port_of(process)
        move.check(port)
        seen = move.see(port)
    finally:
        process.terminate()
        _, log = process.communicate(timeout=PATIENCE)
    assert ("Traceback" in log) == move.fails, log
    return seen


def port_of(process: subprocess.Popen[str]) -> int:
    """Where a program says that it listens."""
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], PATIENCE)[0], "it says nothing"
    port = re.search(r"port=(\d+)", process.stdout.readline())
    if port is None:
        raise AssertionError(process.communicate(timeout=PATIENCE)[1])
    return int(port[1])


def code_after(port: int, target: str, *messages: str | bytes) -> int:
    """The close code that comes after these messages; 1006 for none."""
    with connect(port, target) as client:
        for message in messages:
            client.send(message)
        with pytest.raises(ConnectionClosed) as caught:
            while True:
                receive(client)
    return code_of(caught.value)


def code_of(closed: ConnectionClosed) -> int:
    return closed.rcvd.code if closed.rcvd is not None else 1006


def not_utf8(port: int, target: str) -> int:
    """The close code after a text that is none."""
    with connect(port, target) as client:
        client.send(b"\xff", text=True)
        with pytest.raises(ConnectionClosed) as caught:
            while True:
                receive(client)
    return code_of(caught.value)


def large(port: int, target: str, greetings: int = 0) -> str:
    """What becomes of a message of 2 MB, which comes after so many others."""
    with connect(port, target, max_size=None) as client:
        for _ in range(greetings):
            receive(client)
        client.send("1 " + "x" * 2_000_000)
        try:
            return "served" if len(receive(client)) >= 2_000_000 else "cut"
        except ConnectionClosed as closed:
            return f"closed with {code_of(closed)}"


# The chat of txWS


def check_chat(port: int) -> None:
    """Those who are there hear who comes, what is said, and who leaves."""
    with connect(port) as ann:
        assert receive(ann) == "who are you?"
        ann.send("ann")
        assert receive(ann) == "ann is here"
        with connect(port) as bob:
            assert receive(bob) == "who are you?"
            bob.send("bob")
            for client in (ann, bob):
                assert receive(client) == "bob is here"
            bob.send("hello, ann")
            for client in (ann, bob):
                assert receive(client) == "<bob> hello, ann"
        assert receive(ann) == "bob has left"


def see_chat(port: int) -> dict[str, Any]:
    with connect(port) as ann:
        ann.send("ann")
        assert [receive(ann), receive(ann)] == ["who are you?", "ann is here"]
        taken = code_after(port, "/", "ann")
    return {
        "refused by the program": taken,
        "2 MB": large(port, "/", greetings=1),
    }


# The counter of Autobahn


def check_counter(port: int) -> None:
    """All are told each total; who sends nonsense is closed."""
    assert refused(port, "/other").status_code == 404
    subprotocols: list[Any] = ["counter.v1", "counter.v0"]
    with (
        connect(port, "/counter", subprotocols=subprotocols) as ann,
        connect(port, "/counter") as bob,
    ):
        assert (ann.subprotocol, bob.subprotocol) == ("counter.v1", None)
        assert [json.loads(receive(client)) for client in (ann, bob)] == [
            {"total": 0},
            {"total": 0},
        ]
        ann.send('{"add": 2}')
        bob.send('{"add": 3}')
        for client in (ann, bob):
            assert json.loads(receive(client))["total"] in (2, 3)
            assert json.loads(receive(client)) == {"total": 5}
    assert code_after(port, "/counter", b"binary") == 4003
    assert code_after(port, "/counter", "no JSON") == 4000


def see_counter(port: int) -> dict[str, Any]:
    return {
        "over the limit": code_after(port, "/counter", "x" * 65537),
        "not UTF-8": not_utf8(port, "/counter"),
        "the program fails": code_after(port, "/counter", '{"add": "?"}'),
    }


# The megaphone of twisted.web


def check_megaphone(port: int) -> None:
    """All hear it louder."""
    assert refused(port, "/").status_code == 404
    with connect(port, "/megaphone") as ann, connect(port, "/megaphone") as bob:
        for client in (ann, bob):
            client.send("2 hip ")
        for client in (ann, bob):
            assert [receive(client), receive(client)] == ["HIP HIP ", "HIP HIP "]
        ann.send(["1 in ", "pieces"])
        assert receive(bob) == "IN PIECES"
    assert code_after(port, "/megaphone", "") == 4001
    assert code_after(port, "/megaphone", b"binary") == 1003


def see_megaphone(port: int) -> dict[str, Any]:
    return {
        "2 MB": large(port, "/megaphone"),
        "not UTF-8": not_utf8(port, "/megaphone"),
        "the program fails": code_after(port, "/megaphone", "hello"),
    }


MOVES = {
    "txws": Move(
        check_chat,
        see_chat,
        before={"refused by the program": 1006, "2 MB": "served"},
        after={"refused by the program": 1000, "2 MB": "closed with 1009"},
    ),
    "autobahn": Move(
        check_counter,
        see_counter,
        before={"over the limit": 1006, "not UTF-8": 1006, "the program fails": 1006},
        after={"over the limit": 1009, "not UTF-8": 1007, "the program fails": 1011},
        fails=True,
    ),
    "twisted_web": Move(
        check_megaphone,
        see_megaphone,
        before={"2 MB": "served", "not UTF-8": 1007, "the program fails": 1006},
        after={
            "2 MB": "closed with 1009",
            "not UTF-8": 1007,
            "the program fails": 1011,
        },
        fails=True,
    ),
}
