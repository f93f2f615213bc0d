"""The example for ``twistd``: routes, metrics and an end in order, as a process."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.request import urlopen

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from .processes import TWISTD, Server, free_port, listening

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "service.tac"
SMALLEST = ROOT / "docs" / "snippets" / "service.tac"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Runs such a file, but for its ports, and ends what a test has left."""
    with ExitStack() as stack:

        def start(path: Path, **ports: int) -> Server:
            text = path.read_text(encoding="utf-8")
            for name, port in ports.items():
                old = f'"tcp:{name.removeprefix("_")}'
                assert text.count(old) == 1
                text = text.replace(old, f'"tcp:{port}')
            tac, log = tmp_path / path.name, tmp_path / "log"
            tac.write_text(text, encoding="utf-8")
            options = ["--nodaemon", "--pidfile=", f"--logfile={log}", "--python"]
            port = ports["_8080"]
            command = [*TWISTD, *options, str(tac)]
            process = stack.enter_context(listening(tmp_path, port, *command))
            return Server(process, port, log)

        yield start


def scrape(port: int) -> list[str]:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as response:
        lines: list[str] = response.read().decode().splitlines()
    return lines


def test_all_of_it(start: Callable[..., Server]) -> None:
    """It serves by path, counts what it does, and ends with 1001 and a line each."""
    port = free_port()
    server = start(EXAMPLE, _8080=free_port(), _9100=port)
    with connect(f"{server.url}/hello/you") as client:
        assert client.recv(20) == "hello you"
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(f"{server.url}/nowhere"),
    ):
        pass
    assert refused.value.response.status_code == 404
    with connect(f"{server.url}/echo") as client:
        client.send("x")
        assert client.recv(20) == "x"
        lines = scrape(port)
        for line in (
            'txws_simple_open{factory="example"} 1.0',
            'txws_simple_opened_total{factory="example"} 2.0',
            'txws_simple_refused_total{factory="example",status="404"} 1.0',
            'txws_simple_frames_total{direction="out",factory="example"} 2.0',
        ):
            assert line in lines
        server.process.terminate()
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
    server.process.wait(20)
    text = server.log.read_text()
    assert "drained: 1 ended in order, 0 aborted, 0 refused" in text
    assert len(re.findall(r"\[txws_simple#debug\] opened ", text)) == 2
    assert len(re.findall(r"\[txws_simple#info\] closed ", text)) == 2
    assert "refused IPv4Address" in text
    assert "Traceback" not in text


def test_the_smallest(start: Callable[..., Server]) -> None:
    server = start(SMALLEST, _8080=free_port())
    with connect(server.url) as client:
        client.send("x")
        assert client.recv(20) == "x"
        server.process.terminate()
        with pytest.raises(ConnectionClosed):
            client.recv(20)
    server.process.wait(20)
    assert "drained: 1 ended in order" in server.log.read_text()
