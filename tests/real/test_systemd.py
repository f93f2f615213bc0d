"""The unit files of ``examples/deploy``, with systemd's own programs."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import connect

from ..processes import free_port, wait_until_listening
from .programs import DEPLOY, PATIENCE, program

#: Where the unit says that the library is installed; here it is elsewhere.
INSTALLED = "/opt/wsecho/bin/twistd"


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """A folder with the unit files, for the place where twistd is."""
    twistd = Path(sys.executable).parent / "twistd"
    for name in ("wsecho.service", "wsecho.socket"):
        text = (DEPLOY / name).read_text()
        assert text.count(INSTALLED) == (name == "wsecho.service")
        (tmp_path / name).write_text(text.replace(INSTALLED, str(twistd)))
    return tmp_path


def unit(path: Path) -> RawConfigParser:
    parsed = RawConfigParser()
    parsed.optionxform = str
    parsed.read_string(path.read_text())
    return parsed


def verify(units: Path) -> str:
    """What systemd has to say against the unit files."""
    analyze = program("systemd-analyze", "systemd")
    names = ("wsecho.service", "wsecho.socket")
    verified = subprocess.run(
        [analyze, "verify", "--man=no", *(str(units / name) for name in names)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return verified.stderr + f"status {verified.returncode}" * bool(verified.returncode)


def test_units_are_valid(units: Path) -> None:
    assert verify(units) == ""


def test_a_wrong_one_is_seen(units: Path) -> None:
    path = units / "wsecho.service"
    path.write_text(path.read_text().replace("ProtectHome", "ProtectHouse"))
    assert "ProtectHouse" in verify(units)


@pytest.fixture
def activated(units: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The service, started by the first connection to its socket, and the port."""
    port = free_port()
    name = unit(units / "wsecho.socket")["Socket"]["FileDescriptorName"]
    command = shlex.split(unit(units / "wsecho.service")["Service"]["ExecStart"])
    activate = program("systemd-socket-activate", "systemd")
    process = subprocess.Popen(
        [activate, f"--listen=127.0.0.1:{port}", f"--fdname={name}", *command],
        cwd=units,
    )
    yield process, port
    process.kill()
    process.wait(PATIENCE)


def test_activation(activated: tuple[subprocess.Popen[bytes], int]) -> None:
    """Served on the socket that was there before; on SIGTERM all end in order."""
    process, port = activated
    wait_until_listening(process, port)
    with connect(f"ws://127.0.0.1:{port}/", open_timeout=PATIENCE) as client:
        for message in ("grün", b"x" * 1_000_000):
            client.send(message)
            assert client.recv(PATIENCE) == message
        process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosedOK) as closed:
            client.recv(PATIENCE)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    assert process.wait(PATIENCE) == 0
