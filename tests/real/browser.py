"""A real browser, and the servers that it is pointed at."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.support.wait import WebDriverWait

from tests.processes import PATIENCE, saying_ports
from tests.real.programs import program

CHAT = "examples/chat/server.py"

# Headless, as root, and without a word to anybody else.
SWITCHES = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking", "--disable-sync"),
    *("--disable-component-update", "--disable-dev-shm-usage"),
)


@contextmanager
def chromium(profile: Path) -> Iterator[Chrome]:
    """A browser with a profile of its own, in an empty folder."""
    options = ChromeOptions()
    options.binary_location = program("chromium", "chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for switch in (*SWITCHES, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    driver = Chrome(options, ChromeService(program("chromedriver", "chromium-driver")))
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
    """A server that says where its page and its WebSocket are."""
    with saying_ports(*arguments) as (process, (page, socket)):
        yield Served(process, page, socket)


@contextmanager
def chatting(page: int = 0, socket: int = 0) -> Iterator[Served]:
    """The server of the chat; at these ports, if they are said."""
    local = "tcp:{}:interface=127.0.0.1"
    with serving(CHAT, local.format(page), local.format(socket)) as served:
        yield served
