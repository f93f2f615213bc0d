"""``twistd wsecho`` on every kind of endpoint: a real process, and another's client."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedOK

from .helpers import request
from .processes import TWISTD, wait_until_listening
from .test_haproxy import V1, V2

PATIENCE = 30  # seconds

# What systemd does to the process that it starts: the socket is descriptor 3, and the
# environment says so, to this very process.
ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(
    LISTEN_FDS="1", LISTEN_FDNAMES="wsecho.socket", LISTEN_PID=str(os.getpid())
)
os.execv(sys.argv[2], sys.argv[2:])
"""


class Kind(NamedTuple):
    """One kind of endpoint.

    Attributes:
        endpoint: Its description, with what is only known later in braces.
        header: What a proxy sends before all else.
        named: What the log says of the client.
    """

    endpoint: str
    header: bytes = b""
    named: str = "127.0.0.1"


TCP = "tcp:{port}:interface=127.0.0.1"
KINDS = {
    "systemd": Kind("systemd:domain=INET:index=0"),
    "unix": Kind("unix:{path}", named="UNIXAddress"),
    "tcp6": Kind(r"tcp6:{port}:interface=\:\:1", named="::1"),
    "ssl": Kind("ssl:{port}:privateKey={pem}:certKey={pem}:interface=127.0.0.1"),
    "haproxy-v1": Kind(f"haproxy:{TCP}", V1, "203.0.113.7"),
    "haproxy-v2": Kind(f"haproxy:{TCP}", V2, "203.0.113.7"),
    "haproxy-unix": Kind("haproxy:unix:{path}", V2, "203.0.113.7"),
    "haproxy-tcp6": Kind(r"haproxy:tcp6:{port}:interface=\:\:1", V2, "203.0.113.7"),
    # The last to listen, for it says that all others do.
    "tcp": Kind(TCP),
}


def free_address(family: socket.AddressFamily) -> Any:
    with socket.socket(family) as probe:
        probe.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        return probe.getsockname()


class Servers:
    """The places to listen at, and the processes that do.

    Attributes:
        addresses: Where each kind is to be reached.
        logs: What the processes log, in their order.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = trustme.CA()
        self._pem = folder / "both.pem"
        certificate = self._authority.issue_cert("localhost")
        certificate.private_key_and_cert_chain_pem.write_to_path(str(self._pem))
        self._inherited = socket.create_server(("127.0.0.1", 0))
        self.addresses = {name: self._address(name) for name in KINDS}
        self._processes: list[subprocess.Popen[bytes]] = []
        self.logs: list[Path] = []

    def _address(self, name: str) -> Any:
        endpoint = KINDS[name].endpoint
        if "systemd" in endpoint:
            return self._inherited.getsockname()
        if "unix" in endpoint:
            return str(self._folder / name)
        return free_address(socket.AF_INET6 if "tcp6" in endpoint else socket.AF_INET)

    def start(self) -> subprocess.Popen[bytes]:
        """One ``twistd wsecho`` that listens at all of them."""
        log = self._folder / f"{len(self.logs)}.log"
        command = [*TWISTD, "--nodaemon", "--pidfile=", f"--logfile={log}", "wsecho"]
        command += [f"--endpoint={self._described(name)}" for name in KINDS]
        inherited = self._inherited.fileno()
        process = subprocess.Popen(
            [sys.executable, "-c", ACTIVATE, str(inherited), *command],
            pass_fds=[inherited],
            cwd=self._folder,
        )
        self._processes.append(process)
        self.logs.append(log)
        wait_until_listening(process, self.addresses["tcp"][1])
        return process

    def _described(self, name: str) -> str:
        address = self.addresses[name]
        port = None if isinstance(address, str) else address[1]
        return KINDS[name].endpoint.format(port=port, path=address, pem=self._pem)

    async def connect(self, name: str) -> ClientConnection:
        """A client at the endpoint of this kind."""
        kind, address = KINDS[name], self.addresses[name]
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        client = socket.socket(socket.AF_INET6 if "tcp6" in name else family)
        client.connect(address)
        client.sendall(kind.header)
        client.setblocking(False)
        if name != "ssl":
            return await connect(f"ws://localhost/{name}", sock=client)
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        return await connect(f"wss://localhost/{name}", sock=client, ssl=context)

    def __enter__(self) -> Servers:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait(PATIENCE)
        self._inherited.close()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with Servers(tmp_path_factory.mktemp("endpoints")) as servers:
        servers.start()
        yield servers


async def talk(servers: Servers, name: str) -> int | None:
    """Small messages and large ones both ways, then an end in order."""
    client = await servers.connect(name)
    for message in ("grün", b"\x00\xff", "", "x" * 300_000, os.urandom(1_000_000)):
        await client.send(message)
        assert await client.recv() == message
    await client.close(4321)
    # Lost is not closed, to the asyncio of Python 3.10.
    client.transport.close()
    return client.close_code


@pytest.mark.parametrize("name", KINDS)
def test_echo(servers: Servers, name: str) -> None:
    assert asyncio.run(asyncio.wait_for(talk(servers, name), PATIENCE)) == 4321


async def told_to_go(servers: Servers, process: subprocess.Popen[bytes]) -> list[int]:
    """The close codes of clients at all endpoints when the process is to end."""
    clients = [await servers.connect(name) for name in KINDS]
    process.send_signal(signal.SIGTERM)
    codes = []
    for client in clients:
        with pytest.raises(ConnectionClosedOK) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        codes.append(closed.value.rcvd.code)
        client.transport.close()
    return codes


def test_restart(tmp_path: Path) -> None:
    """All end in order; who comes to an inherited socket then is served by the next.

    The log says of each who it was.
    """
    with Servers(tmp_path) as servers:
        first = servers.start()
        codes = asyncio.run(asyncio.wait_for(told_to_go(servers, first), PATIENCE))
        assert codes == [1001] * len(KINDS)
        assert first.wait(PATIENCE) == 0
        log = servers.logs[0].read_text().splitlines()
        for name, kind in KINDS.items():
            [line] = [line for line in log if f"'/{name}': 1001 '' by local" in line]
            assert kind.named in line
        with socket.create_connection(servers.addresses["systemd"]) as early:
            servers.start()
            early.settimeout(PATIENCE)
            early.sendall(request())
            assert early.recv(4096).startswith(b"HTTP/1.1 101 ")
