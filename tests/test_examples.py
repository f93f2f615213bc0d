"""The examples, and the programs in the documentation, each as its own process."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as _connect

from txws_simple.frames import Opcode

from .helpers import client_frame, request
from .processes import PATIENCE, ROOT, free_port, listening, saying_ports

SERVER = "tcp:0:interface=127.0.0.1"

# Serves one factory of a file of snippets, as the tutorial's programs do it.
SERVE = """
import runpy, sys
from twisted.internet import defer, endpoints, task
async def main(reactor, path, name, endpoint):
    factory = runpy.run_path(path)[name]
    port = await endpoints.serverFromString(reactor, endpoint).listen(factory)
    print("listening on", port.getHost(), flush=True)
    await defer.Deferred()
task.react(main, sys.argv[1:])
"""


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A program that says where it listens, and its port."""
    with saying_ports(*arguments) as (process, ports):
        yield process, ports[0]


@contextmanager
def serving(*arguments: str) -> Iterator[int]:
    """The same, of which only the port is of interest."""
    with running(*arguments) as (_, port):
        yield port


@contextmanager
def snippet(file: str, factory: str) -> Iterator[int]:
    """One factory of the documentation's snippets."""
    with serving("-c", SERVE, f"docs/snippets/{file}.py", factory, SERVER) as port:
        yield port


def connect(port: int, target: str = "/", **options: Any) -> ClientConnection:
    """A client of another make."""
    url = f"ws://127.0.0.1:{port}{target}"
    client: ClientConnection = _connect(url, open_timeout=PATIENCE, **options)
    return client


def receive(client: ClientConnection) -> str | bytes:
    """The next message, in bounded time."""
    return client.recv(PATIENCE)


def ends(client: ClientConnection) -> tuple[int, str]:
    """Code and reason of the Close that comes next."""
    with pytest.raises(ConnectionClosed) as caught:
        receive(client)
    close = caught.value.rcvd
    assert close is not None
    return close.code, close.reason


def refused(port: int, target: str = "/", **options: Any) -> Any:
    """The response to a handshake that fails."""
    with pytest.raises(InvalidStatus) as caught:
        connect(port, target, **options)
    return caught.value.response


def get(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    """Status and body of a plain HTTP request."""
    client = http.client.HTTPConnection("127.0.0.1", port, PATIENCE)
    try:
        client.request(method, path, headers=headers)
        response = client.getresponse()
        return response.status, response.read().decode()
    finally:
        client.close()


def check_echo(client: ClientConnection) -> None:
    """Each message comes back as it is, fragments too."""
    for message in ("hello", "", "\N{GRINNING FACE}" * 1000, b"\0\xff", b"x" * 500_000):
        client.send(message)
        assert receive(client) == message
    client.send(["in ", "three ", "parts"])
    # That client ends what it sends in parts with an empty one.
    assert [*client.recv_streaming()] == ["in ", "three ", "parts", ""]


@pytest.mark.parametrize("name", ["echo", "echo_each"])
def test_echo(name: str) -> None:
    with serving(f"examples/{name}.py", SERVER) as port, connect(port) as client:
        check_echo(client)


def test_echo_each_takes_a_message_of_any_length() -> None:
    with (
        serving("examples/echo_each.py", SERVER) as port,
        connect(port, max_size=None) as client,
    ):
        client.send([b"x" * 100_000] * 20)
        assert len(receive(client)) == 2_000_000


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certificate(authority: trustme.CA, tmp_path: Path) -> tuple[str, str]:
    """The files of a certificate, its chain behind it, and of its key."""
    issued = authority.create_child_ca().issue_cert("127.0.0.1")
    chain = tmp_path / "chain.pem"
    for blob in issued.cert_chain_pems:
        blob.write_to_path(str(chain), append=True)
    key = tmp_path / "key.pem"
    issued.private_key_pem.write_to_path(str(key))
    return str(chain), str(key)


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_tls(authority: trustme.CA, certificate: tuple[str, str]) -> None:
    with serving("examples/tls.py", *certificate, "0") as port:
        url = f"wss://127.0.0.1:{port}/"
        with _connect(url, ssl=trusting(authority)) as client:
            check_echo(client)


@pytest.fixture(scope="module")
def json_rpc() -> Iterator[int]:
    with serving("examples/json_rpc.py", SERVER) as port:
        yield port


@pytest.fixture(scope="module")
def upgrade() -> Iterator[int]:
    with serving("examples/upgrade.py", SERVER) as port:
        yield port


class TestJsonRpc:
    @pytest.fixture
    def client(self, json_rpc: int) -> Iterator[ClientConnection]:
        with connect(json_rpc) as client:
            yield client

    @pytest.fixture
    def ask(self, client: ClientConnection) -> Callable[[object], Any]:
        def ask(call: object) -> Any:
            client.send(call if isinstance(call, str) else json.dumps(call))
            return json.loads(receive(client))

        return ask

    @staticmethod
    def call(method: str, params: object = (), **more: object) -> dict[str, object]:
        return {"jsonrpc": "2.0", "method": method, "params": params, "id": 1, **more}

    @pytest.mark.parametrize("params", [[3, 4], {"a": 3, "b": 4}])
    def test_call(self, ask: Callable[[object], Any], params: object) -> None:
        reply = ask(self.call("add", params, id="x"))
        assert reply == {"jsonrpc": "2.0", "result": 7, "id": "x"}

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("no json", -32700),
            ("[" * 50_000, -32700),
            ("[]", -32600),
            ('{"method": "add"}', -32600),
            ('{"jsonrpc": "2.0", "method": "add", "id": []}', -32600),
            ('{"jsonrpc": "2.0", "method": "none", "id": 1}', -32601),
            ('{"jsonrpc": "2.0", "method": "add", "params": [1], "id": 1}', -32602),
            ('{"jsonrpc": "2.0", "method": "sleep", "params": [9], "id": 1}', -32000),
            ('{"jsonrpc": "2.0", "method": "divide", "params": [1, 0], "id": 1}', 1),
        ],
    )
    def test_error(self, ask: Callable[[object], Any], text: str, code: int) -> None:
        assert ask(text)["error"]["code"] == code

    def test_batch(self, ask: Callable[[object], Any]) -> None:
        silent = self.call("add", [1, 1])
        del silent["id"]
        replies = ask([self.call("add", [1, 2]), silent, 5])
        assert [reply.get("result") for reply in replies] == [3, None]

    def test_notification_gets_no_answer(
        self, client: ClientConnection, ask: Callable[[object], Any]
    ) -> None:
        client.send('{"jsonrpc": "2.0", "method": "add", "params": [1, 2]}')
        assert ask(self.call("add", [5, 6]))["result"] == 11

    def test_binary_is_refused(self, client: ClientConnection) -> None:
        client.send(b"{}")
        assert ends(client) == (1003, "text only")

    def test_ends_in_order(self) -> None:
        with running("examples/json_rpc.py", SERVER) as (process, port):
            with connect(port) as client:
                process.terminate()
                assert ends(client) == (1001, "")
            assert process.wait(PATIENCE) == 0


class TestUpgrade:
    def test_page(self, upgrade: int) -> None:
        status, body = get(upgrade, "/")
        assert status == 200 and "new WebSocket(" in body

    def test_echo(self, upgrade: int) -> None:
        with connect(upgrade, "/ws") as client:
            check_echo(client)

    def test_frames_behind_the_request(self, upgrade: int) -> None:
        """What the site has read of them already is not lost."""
        with socket.create_connection(("127.0.0.1", upgrade), PATIENCE) as client:
            client.sendall(
                request("GET /ws HTTP/1.1") + client_frame(Opcode.TEXT, b"early")
            )
            answer = b""
            while not answer.endswith(b"\x81\x05early"):
                piece = client.recv(1000)
                assert piece, answer
                answer += piece
            assert answer.startswith(b"HTTP/1.1 101 ")

    def test_refusals(self, upgrade: int) -> None:
        assert get(upgrade, "/ws")[0] == 426
        assert get(upgrade, "/ws", "POST")[0] == 405
        assert get(upgrade, "/ws", Upgrade="websocket")[0] == 400
        assert get(upgrade, "/other")[0] == 404

    def test_over_tls(
        self, authority: trustme.CA, certificate: tuple[str, str], tmp_path: Path
    ) -> None:
        chain, key = certificate
        endpoint = (
            f"ssl:0:interface=127.0.0.1:certKey={chain}:privateKey={key}"
            f":extraCertChain={chain}"
        )
        with serving("examples/upgrade.py", endpoint) as port:
            url = f"wss://127.0.0.1:{port}/ws"
            with _connect(url, ssl=trusting(authority)) as client:
                check_echo(client)


class TestTutorial:
    def test_step_1(self) -> None:
        with (
            serving("docs/tutorial/chat1.py", SERVER) as port,
            connect(port) as client,
        ):
            assert receive(client) == "welcome"
            assert ends(client) == (1000, "")

    def test_step_2(self) -> None:
        with (
            serving("docs/tutorial/chat2.py", SERVER) as port,
            connect(port) as client,
        ):
            assert receive(client) == "welcome"
            client.send("hi")
            assert receive(client) == "you said: hi"
            client.send(b"hi")
            assert ends(client) == (1003, "text only")

    def test_step_3(self) -> None:
        with (
            serving("docs/tutorial/chat3.py", SERVER) as port,
            connect(port) as one,
            connect(port) as two,
        ):
            for sender in (one, two):
                sender.send("hi")
                assert receive(one) == receive(two) == "hi"

    def test_step_4(self) -> None:
        with running("docs/tutorial/chat4.py", SERVER) as (process, port):
            assert refused(port, "/").status_code == 404
            assert refused(port, "/chat").body == b"who are you?\n"
            with connect(port, "/chat?name=eve") as eve:
                assert receive(eve) == "eve has come"
                with connect(port, "/chat?name=bob") as bob:
                    assert receive(bob) == receive(eve) == "bob has come"
                    bob.send("hi")
                    assert receive(bob) == receive(eve) == "bob: hi"
                assert receive(eve) == "bob has left"
                process.terminate()
                assert ends(eve) == (1001, "")
            assert process.wait(PATIENCE) == 0


class TestSnippets:
    def test_limited(self) -> None:
        with (
            snippet("abuse", "limited_factory") as port,
            connect(port) as first,
            connect(port) as second,
        ):
            first.send("a")
            second.send("b")
            assert (receive(first), receive(second)) == ("a", "b")
            response = refused(port)
            assert response.status_code == 429
            assert response.headers["Retry-After"] == "30"

    def test_by_message(self) -> None:
        with (
            snippet("reading", "by_message_factory") as port,
            connect(port) as client,
        ):
            client.send(["a", "b"])
            assert receive(client) == "text of length 2"
            client.send(b"abc")
            assert receive(client) == "binary of length 3"

    def test_by_frame(self) -> None:
        with (
            snippet("reading", "by_frame_factory") as port,
            connect(port) as client,
        ):
            client.send([b"x" * 1_000_000] * 3)
            assert receive(client) == "3000000 bytes"

    def test_by_each(self) -> None:
        with (
            snippet("reading", "by_each_factory") as port,
            connect(port) as client,
        ):
            client.send(["abc", "d"])
            client.send("e")
            assert [receive(client), receive(client)] == ["4", "5"]

    @pytest.mark.parametrize("factory", ["in_step_factory", "in_time_factory"])
    def test_writing(self, factory: str) -> None:
        with snippet("writing", factory) as port, connect(port) as client:
            lines = [receive(client) for _ in range(1000)]
            assert lines[-1] == "line 999"
            assert ends(client) == (1000, "")

    def test_newest(self) -> None:
        with snippet("writing", "newest_factory") as port, connect(port) as client:
            client.send("is dropped")
            assert re.fullmatch(r"\d\d:\d\d:\d\d", str(receive(client)))

    def test_report(self) -> None:
        with (
            snippet("closing", "report_factory") as port,
            connect(port) as client,
        ):
            client.send("hi")
            assert receive(client) == "hi"
            with connect(port) as client:
                client.close(4000, "enough")

    def test_goodbye(self) -> None:
        with snippet("closing", "goodbye_factory") as port, connect(port) as client:
            assert receive(client) == "one thing"
            assert ends(client) == (4000, "that was all")

    def test_prompt(self) -> None:
        with snippet("timeouts", "prompt_factory") as port, connect(port) as client:
            assert receive(client) == "anybody there?"
            client.send("yes")
            while (answer := receive(client)) == "anybody there?":
                pass
            assert answer == "at last: 'yes'"

    def test_first_of_two(self) -> None:
        with (
            snippet("timeouts", "first_of_two_factory") as port,
            connect(port) as client,
        ):
            assert receive(client) == "first: 'no news'"
            client.send("here")
            assert receive(client) == "next: 'here'"

    def test_origins(self) -> None:
        with snippet("handshake", "origins_factory") as port:
            assert refused(port).status_code == 403
            assert refused(port, origin="https://evil.example").status_code == 403
            with connect(port, origin="https://example.com") as client:
                check_echo(client)

    def test_subprotocols(self) -> None:
        with (
            snippet("handshake", "subprotocols_factory") as port,
            connect(port, subprotocols=["chat.v1", "chat.v2"]) as client,
        ):
            assert client.subprotocol == "chat.v2"
            assert receive(client) == "speaking chat.v2"
            with connect(port) as client:
                assert receive(client) == "speaking plainly"

    def test_paths(self) -> None:
        with snippet("handshake", "paths_factory") as port:
            assert refused(port, "/other").status_code == 404
            # By hand: only later versions of the client follow a redirect.
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as old:
                old.sendall(request("GET /old HTTP/1.1"))
                response = old.makefile("rb").read()
            assert response.startswith(b"HTTP/1.1 308 ")
            assert b"\r\nLocation: /new\r\n" in response
            with connect(port, "/new") as client:
                check_echo(client)

    def test_routes(self) -> None:
        with snippet("handshake", "router_factory") as port:
            for target, expected in (
                ("/", "which room?"),
                ("/rooms/a%2Fb", "this is a%2Fb"),
                ("/files/a/b", "no file a/b"),
            ):
                with connect(port, target) as client:
                    assert receive(client) == expected
            assert refused(port, "/rooms/").status_code == 404

    def test_users(self) -> None:
        with snippet("handshake", "users_factory") as port:
            response = refused(port)
            assert response.status_code == 401
            assert response.headers["WWW-Authenticate"] == "Bearer"
            headers = {"Authorization": "Bearer s3cret"}
            with connect(port, additional_headers=headers) as client:
                assert receive(client) == "hello alice"

    def test_cookies(self) -> None:
        with (
            snippet("handshake", "cookies_factory") as port,
            connect(port) as client,
        ):
            assert client.response is not None
            cookie = client.response.headers["Set-Cookie"]
            assert cookie.startswith("session=")
            headers = {"Cookie": cookie.partition(";")[0]}
            with connect(port, additional_headers=headers) as client:
                assert client.response is not None
                assert "Set-Cookie" not in client.response.headers


def blocks(path: str, language: str) -> list[str]:
    """The fenced blocks of a page."""
    text = (ROOT / path).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_readme_shows_the_example() -> None:
    assert (ROOT / "examples/echo.py").read_text() in blocks("README.md", "python")


def test_lines(tmp_path: Path) -> None:
    """The README's program for a protocol of Twisted's: it is all that's needed."""
    program = (ROOT / "docs/snippets/lines.py").read_text()
    assert program in blocks("README.md", "python")
    assert len([line for line in program.splitlines() if line]) < 10
    port = free_port()
    program = program.replace("tcp:8080", f"tcp:{port}:interface=127.0.0.1")
    command = (sys.executable, "-c", program)
    with listening(tmp_path, port, *command), connect(port) as client:
        client.send("hello\r\nwor")
        assert receive(client) == b"HELLO\r\n"
        client.send("ld\r\n")
        assert receive(client) == b"WORLD\r\n"


def test_wrapped(tmp_path: Path) -> None:
    """The how-to's program: lines beside another handler, with a cap."""
    program = (ROOT / "docs/snippets/wrapped.py").read_text()
    port = free_port()
    program = program.replace("tcp:8080", f"tcp:{port}:interface=127.0.0.1")
    with listening(tmp_path, port, sys.executable, "-c", program), ExitStack() as held:
        with connect(port, "/hello") as client:
            assert receive(client) == "hello"
        for _ in range(10):
            client = held.enter_context(connect(port, "/lines"))
            client.send("a\r\n")
            assert receive(client) == b"A\r\n"
        with pytest.raises(InvalidStatus, match="429"), connect(port, "/hello"):
            pass


@pytest.mark.parametrize("mark", ["start", "test"])
def test_readme_marks_its_commands(mark: str) -> None:
    text = (ROOT / "README.md").read_text()
    command = re.findall(rf"^<!-- {mark} -->\n```sh\n(.+)\n```$", text, re.MULTILINE)
    assert len(command) == 1 and command[0].startswith("python3 -m venv .venv && ")
