"""A real browser, and the servers that it is pointed at."""

from __future__ import annotations

import re
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.support.wait import WebDriverWait

ROOT = Path(__file__).resolve().parent.parent.parent
CHAT = "examples/chat/server.py"
PATIENCE = 20  # seconds

# Headless, as root, and without a word to anybody else.
SWITCHES = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking", "--disable-sync"),
    *("--disable-component-update", "--disable-dev-shm-usage"),
)


def installed(program: str) -> str:
    """The path of a program."""
    path = shutil.which(program)
    if path is None:
        raise RuntimeError(
            f"{program} is missing: apt-get install chromium chromium-driver"
        )
    return path


@contextmanager
def chromium(profile: Path) -> Iterator[Chrome]:
    """A browser with a profile of its own, in an empty folder."""
    options = ChromeOptions()
    options.binary_location = installed("chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for switch in (*SWITCHES, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    driver = Chrome(options, ChromeService(installed("chromedriver")))
    driver.set_script_timeout(PATIENCE)
    try:
        yield driver
    finally:
        driver.quit()


def until(driver: Chrome, condition: Callable[[], Any]) -> Any:
    """What the condition gives, once that is true."""
    return WebDriverWait(driver, PATIENCE, poll_frequency=0.02).until(
        lambda _: condition()
    )


class Served(NamedTuple):
    """A server that is running.

    Attributes:
        process: Its process.
        page: The port of its page.
        socket: The port of its WebSocket.
    """

    process: subprocess.Popen[str]
    page: int
    socket: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.page}/"


@contextmanager
def serving(*arguments: str) -> Iterator[Served]:
    """A program that says where it listens; it must end without a complaint."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    try:
        assert select.select([process.stdout], [], [], PATIENCE)[0]
        ports = re.findall(r"port=(\d+)", process.stdout.readline())
        assert len(ports) == 2, process.stderr.read()
        yield Served(process, *map(int, ports))
        process.terminate()
        process.wait(PATIENCE)
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.wait(PATIENCE)
        process.stdout.close()
        process.stderr.close()


@contextmanager
def chatting(page: int = 0, socket: int = 0) -> Iterator[Served]:
    """The server of the chat; at these ports, if they are said."""
    local = "tcp:{}:interface=127.0.0.1"
    with serving(CHAT, local.format(page), local.format(socket)) as served:
        yield served
