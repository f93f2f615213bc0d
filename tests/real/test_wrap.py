"""Servers and clients that know nothing of WebSocket, and it between them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any, NamedTuple

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from ..processes import Server, free_port, listening, running

PATIENCE = 30  # seconds
LARGE = os.urandom(1 << 20) * 32  # 32 MiB
PIPE = Path(__file__).parent / "pipe.py"


def program(name: str, package: str) -> str:
    """Its path; a test that needs it fails without."""
    path = shutil.which(name)
    assert path is not None, f"{name} is missing: apt-get install {package}"
    return path


# Redis behind wsproxy


class Redis:
    """A client of Redis, by its protocol, over WebSocket."""

    def __init__(self, client: Any) -> None:
        self._socket = client
        self._got = bytearray()

    def send(self, *words: bytes) -> None:
        """Ask for this."""
        command = b"*%d\r\n" % len(words)
        command += b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
        for start in range(0, len(command), 1 << 20):
            self._socket.send(command[start : start + (1 << 20)])

    def answer(self) -> Any:
        """The next one."""
        kind, word = chr(self._take(1)[0]), self._line()
        if kind == "$":
            return self._take(int(word) + 2)[:-2]
        if kind == "*":
            return [self.answer() for _ in range(int(word))]
        return int(word) if kind == ":" else word

    def ask(self, *words: bytes) -> Any:
        self.send(*words)
        return self.answer()

    def close_code(self) -> int:
        with pytest.raises(ConnectionClosed) as closed:
            self._socket.recv(PATIENCE)
        assert closed.value.rcvd is not None
        return int(closed.value.rcvd.code)

    def close(self) -> None:
        self._socket.close()

    def _line(self) -> bytes:
        while b"\r\n" not in self._got:
            self._got += self._socket.recv(PATIENCE)
        line, _, self._got = self._got.partition(b"\r\n")
        return bytes(line)

    def _take(self, size: int) -> bytes:
        while len(self._got) < size:
            self._got += self._socket.recv(PATIENCE)
        taken = bytes(self._got[:size])
        del self._got[:size]
        return taken


@contextmanager
def connected(server: Server) -> Iterator[Redis]:
    with connect(server.url, max_size=None, open_timeout=PATIENCE) as client:
        yield Redis(client)


class Behind(NamedTuple):
    """A Redis, and the proxy before it."""

    redis: subprocess.Popen[bytes]
    proxy: Server


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[Behind]:
    port = free_port()
    command = [program("redis-server", "redis-server"), "--port", str(port)]
    command += ["--bind", "127.0.0.1", "--save", "", "--logfile", "redis.log"]
    listen = "--listen=tcp:{port}:interface=127.0.0.1"
    to = f"--to=tcp:127.0.0.1:{port}"
    with (
        listening(tmp_path, port, *command) as redis,
        running(tmp_path, "wsproxy", listen, to) as proxy,
    ):
        yield Behind(redis, proxy)


def test_redis(behind: Behind) -> None:
    """Large values both ways, many commands at once, news unasked for."""
    with connected(behind.proxy) as one, connected(behind.proxy) as other:
        assert one.ask(b"PING") == b"PONG"
        assert one.ask(b"SET", b"large", LARGE) == b"OK"
        assert other.ask(b"GET", b"large") == LARGE
        for _ in range(10_000):
            one.send(b"INCR", b"count")
        assert [one.answer() for _ in range(10_000)] == [*range(1, 10_001)]
        assert one.ask(b"SUBSCRIBE", b"news") == [b"subscribe", b"news", 1]
        assert other.ask(b"PUBLISH", b"news", b"it works") == 1
        assert one.answer() == [b"message", b"news", b"it works"]


def test_redis_waits_for_the_client(behind: Behind) -> None:
    """What the client doesn't read for now stays with Redis, not in between."""
    with connected(behind.proxy) as client:
        assert client.ask(b"SET", b"large", LARGE) == b"OK"
        for _ in range(8):
            client.send(b"GET", b"large")
        with connected(behind.proxy) as other:
            assert any(b"omem=0" not in clients_behind(other) for _ in range(10_000))
            status = Path(f"/proc/{behind.proxy.process.pid}/status").read_text()
            peak = int(status.partition("VmHWM:")[2].split()[0]) * 1024
            assert peak < len(LARGE) * 4
        for _ in range(8):
            assert client.answer() == LARGE


def clients_behind(client: Redis) -> bytes:
    """The line of the one to whom Redis has most to send."""
    lines = client.ask(b"CLIENT", b"LIST").splitlines()
    most: bytes = max(lines, key=lambda line: int(line.split(b"omem=")[1].split()[0]))
    return most


def test_either_side_ends(behind: Behind) -> None:
    with connected(behind.proxy) as client:
        assert client.ask(b"QUIT") == b"OK"
        assert client.close_code() == 1000
    with connected(behind.proxy) as client, connected(behind.proxy) as other:
        assert client.ask(b"CLIENT", b"SETNAME", b"leaves") == b"OK"
        client.close()
        assert any(
            b"name=leaves" not in other.ask(b"CLIENT", b"LIST") for _ in range(10_000)
        )
        other.send(b"SHUTDOWN", b"NOSAVE")
        assert other.close_code() == 1000
    behind.redis.wait(PATIENCE)
    with connected(behind.proxy) as client:
        assert client.close_code() == 1014


# OpenSSH before twistd conch


def test_ssh(tmp_path: Path) -> None:
    """A login, a command, what it reads and what it says."""
    ssh, keygen = (program(each, "openssh-client") for each in ("ssh", "ssh-keygen"))
    key = tmp_path / "ssh_host_rsa_key"
    generate = [keygen, "-q", "-t", "rsa", "-m", "PEM", "-N", "", "-f", str(key)]
    subprocess.run(generate, check=True, timeout=PATIENCE)
    (tmp_path / "passwd").write_text("root:secret\n")
    ask = tmp_path / "ask"
    ask.write_text("#!/bin/sh\necho secret\n")
    ask.chmod(0o700)
    port = "ws:tcp:{port}:interface=127.0.0.1:path=/ssh"
    conch = ("conch", f"--port={port}", "--auth=file:passwd", "--data=.")
    with running(tmp_path, *conch) as server:
        pipe = f"{sys.executable} {PIPE} {server.url}/ssh"
        options = {
            "ProxyCommand": pipe,
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "PreferredAuthentications": "password",
        }
        command = [
            *(ssh, "-F", "/dev/null"),
            *(word for o in options.items() for word in ("-o", "=".join(o))),
            *("root@there", "cat; echo done"),
        ]
        env = {**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}
        with (
            subprocess.Popen(
                command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            ) as shell,
            ThreadPoolExecutor() as pool,
        ):
            assert shell.stdin is not None and shell.stdout is not None
            too_long = Timer(PATIENCE, shell.kill)
            too_long.start()
            writing = pool.submit(shell.stdin.write, LARGE)
            # Its input ends when all has come back: conch drops what it could not
            # send when a command ends, over plain TCP as well.
            assert shell.stdout.read(len(LARGE)) == LARGE
            writing.result()
            shell.stdin.close()
            assert shell.stdout.read() == b"done\n"
            too_long.cancel()
        assert shell.returncode == 0
