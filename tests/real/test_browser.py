"""The library and the chat of the examples, as a real browser sees them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, Keys

from tests.real.browser import Served, chatting, chromium, serving, until
from tests.real.page import PHONE, Page

MEBIBYTE = 1024 * 1024

# Sockets whose events are awaited one after the other.
SOCKETS = """
const base = arguments[0], done = arguments[1];
function open(path, protocols = []) {
  const socket = new WebSocket(base + path, protocols);
  const events = [], waiting = [];
  socket.binaryType = "arraybuffer";
  for (const kind of ["open", "message", "close"])
    socket.addEventListener(kind, event =>
      waiting.length ? waiting.shift()(event) : events.push(event));
  socket.next = () => new Promise(resolve =>
    events.length ? resolve(events.shift()) : waiting.push(resolve));
  return socket;
}
const end = ({type, code, reason, wasClean}) => [type, code, reason, wasClean];
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving("tests/real/served.py") as served:
        yield served


@pytest.fixture
def blank(driver: Chrome, served: Served) -> Chrome:
    """A page without content, of the right origin."""
    driver.get(served.url)
    return driver


def run(driver: Chrome, served: Served, script: str) -> Any:
    """What the script returns, with `open` and `end` at hand."""
    return driver.execute_async_script(
        f"{SOCKETS} (async () => {{ {script} }})().then(done, e => done(`${{e}}`))",
        f"ws://127.0.0.1:{served.socket}",
    )


@pytest.mark.parametrize("path", ["/echo", "/fragments"])
@pytest.mark.parametrize(
    "message",
    [
        "'hello'",
        "''",
        "'gr\u00fcn \U0001f600 \\u0000'",
        f"'\u00e9'.repeat({MEBIBYTE // 2})",
        "new Uint8Array(0)",
        "Uint8Array.from({length: 256}, (_, index) => index)",
        # Of a period that no piece has.
        f"Uint8Array.from({{length: {MEBIBYTE}}}, (_, index) => index % 251)",
    ],
)
def test_echo(blank: Chrome, served: Served, path: str, message: str) -> None:
    script = f"""
        const socket = open("{path}"), message = {message};
        await socket.next();
        socket.send(message);
        const back = (await socket.next()).data;
        socket.close();
        if (typeof message === "string") return back === message;
        const bytes = new Uint8Array(back);
        return bytes.length === message.length
            && bytes.every((byte, index) => byte === message[index]);
    """
    assert run(blank, served, script) is True


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4000, 4321, 4999])
def test_code_and_reason_reach_the_page(
    blank: Chrome, served: Served, code: int
) -> None:
    script = f"""
        const socket = open("/close?code={code}&reason=gr%C3%BCn");
        await socket.next();
        return end(await socket.next());
    """
    assert run(blank, served, script) == ["close", code, "gr\u00fcn", True]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("socket.close(4001, 'grün')", "4001 grün"),
        ("socket.close(1000)", "1000 "),
        ("socket.close()", "1005 "),
    ],
)
def test_code_and_reason_reach_the_server(
    blank: Chrome, served: Served, call: str, told: str
) -> None:
    script = f"""
        const socket = open("/farewell");
        await socket.next();
        {call};
        await socket.next();
        const report = open("/report");
        await report.next();
        return (await report.next()).data;
    """
    assert run(blank, served, script) == told


def test_page_that_is_left(blank: Chrome, served: Served) -> None:
    """The browser says goodbye for a page that does not."""
    run(blank, served, "window.socket = open('/farewell'); await socket.next();")
    blank.get(served.url)
    script = "const s = open('/report'); await s.next(); return (await s.next()).data;"
    assert run(blank, served, script) == "1001 "


def test_message_over_the_limit(blank: Chrome, served: Served) -> None:
    script = f"""
        const socket = open("/echo");
        await socket.next();
        socket.send(new Uint8Array({MEBIBYTE} + 1));
        return end(await socket.next());
    """
    kind, code, _, in_order = run(blank, served, script)
    assert (kind, code, in_order) == ("close", 1009, True)


def test_subprotocol(blank: Chrome, served: Served) -> None:
    """The one that the server likes most; a browser insists on one of its own."""
    script = """
        const offered = ["none.example", "first.example", "second.example"];
        const socket = open("/echo", offered);
        await socket.next();
        return socket.protocol;
    """
    assert run(blank, served, script) == "second.example"
    script = "return end(await open('/echo', ['none.example']).next());"
    assert run(blank, served, script) == ["close", 1006, "", False]


def test_pings_keep_it_alive(blank: Chrome, served: Served) -> None:
    """The browser answers ping after ping; without a pong it would be closed."""
    script = """
        const socket = open("/patience");
        await socket.next();
        const told = (await socket.next()).data;
        socket.send("still here");
        return [told, (await socket.next()).data];
    """
    assert run(blank, served, script) == ["5 pongs", "still here"]


def test_foreign_origin_is_refused(blank: Chrome, served: Served) -> None:
    """A page of another port is one of another origin, and so is a data URL's."""
    script = "return end(await open('/echo').next());"
    refused = ["close", 1006, "", False]
    with serving("tests/real/served.py") as other:
        blank.get(other.url)
        assert run(blank, served, script) == refused
    blank.get("data:text/html,<!DOCTYPE html><title>Nobody</title>")
    assert run(blank, served, script) == refused
    blank.get(served.url)
    assert run(blank, served, "return (await open('/echo').next()).type") == "open"


# The chat


@pytest.fixture
def chat() -> Iterator[Served]:
    with chatting() as served:
        yield served


@pytest.fixture
def tabs(driver: Chrome) -> Iterator[None]:
    """Close what the test has opened."""
    driver.get("about:blank")
    driver.get_log("browser")
    first = driver.current_window_handle
    yield
    for window in driver.window_handles:
        if window != first:
            driver.switch_to.window(window)
            driver.close()
    driver.switch_to.window(first)


@pytest.fixture
def ann(tabs: None, driver: Chrome, chat: Served) -> Page:
    return Page(driver, chat)


@pytest.fixture
def bob(tabs: None, driver: Chrome, chat: Served) -> Page:
    return Page(driver, chat)


def test_two_pages_chat(ann: Page, bob: Page) -> None:
    ann.come_in("Ann")
    ann.until("log", r"connected, with chat\.v1")
    bob.come_in("Bob")
    ann.until("names", "^Ann\nBob$")
    ann.say("hello, Bob")
    bob.until("log", "Ann.*\nhello, Bob")
    bob.say("hello, Ann")
    ann.until("log", "Bob.*\nhello, Ann")
    bob.find("leave").click()
    ann.until("log", "Bob has left")
    ann.until("names", "^Ann$")
    assert ann.complaints() == []


def test_text_is_no_markup(ann: Page, bob: Page) -> None:
    ann.come_in("<b>Ann</b>")
    bob.come_in("Bob")
    markup = "<img src=x onerror=\"document.title='owned'\"><script>alert(1)</script>"
    ann.say(markup)
    bob.until("log", re.escape(markup))
    assert "<b>Ann</b>" in bob.text("names")
    assert bob.look().title == "Chat"
    assert bob.find("log").find_elements("css selector", "img, script, b") == []


def test_latency(ann: Page) -> None:
    ann.come_in("Ann")
    ann.until("latency", r"^\d+\.\d ms$")


def test_file(ann: Page, bob: Page, tmp_path: Path) -> None:
    """A whole mebibyte arrives as it was sent; one byte more is not sent."""
    ann.come_in("Ann")
    bob.come_in("Bob")
    data = bytes(index % 251 for index in range(MEBIBYTE))
    (tmp_path / "file").write_bytes(data)
    ann.find("file").send_keys(str(tmp_path / "file"))
    for page in (ann, bob):
        shown = page.until("log", "SHA-256 .*, intact")
        assert "Save 1.0 MiB" in shown
        assert sha256(data).hexdigest()[:16] in shown
    (tmp_path / "file").write_bytes(data + b"x")
    ann.find("file").send_keys(str(tmp_path / "file"))
    ann.until("log", "too big")
    assert bob.text("log").count("SHA-256") == 1


def test_picture(ann: Page) -> None:
    """What is a picture is shown."""
    ann.come_in("Ann")
    ann.find("file").send_keys(str(Path(__file__).with_name("picture.png")))
    ann.until("log", "intact")
    [image] = ann.find("log").find_elements("css selector", "img")
    until(ann.look(), lambda: image.get_property("naturalWidth"))
    assert image.accessible_name == "Picture from Ann"


def test_close_code_is_shown(ann: Page, bob: Page) -> None:
    """The server's own code, and the way back."""
    ann.come_in("Ann")
    bob.enter("Ann")
    bob.until("why", "^closed: 4001, this name is taken$")
    assert bob.focus == bob.find("name")
    bob.come_in("Bob")
    assert bob.text("why") == ""


def test_server_is_restarted(tabs: None, driver: Chrome) -> None:
    """The page says so, keeps what is being written, and comes back by itself."""
    with chatting() as first:
        page = Page(driver, first)
        page.come_in("Ann")
        page.say("before")
        page.until("log", "before")
        page.find("text").send_keys("half a sen")
    page.until("log", "closed: 1001, the server goes away")
    page.until("state", "again in")
    page.press(Keys.ENTER)
    with chatting(first.page, first.socket):
        page.until("state", "^connected")
        page.press("tence", Keys.ENTER)
        page.until("log", "(?s)before.*closed: 1001.*half a sentence")
        assert page.text("names") == "Ann"


def test_keyboard_alone(ann: Page) -> None:
    """In, said, around and out, with the focus in sight."""
    assert ann.focus == ann.find("name")
    ann.press("Ann", Keys.ENTER)
    ann.until("state", "^connected")
    assert ann.focus == ann.find("text")
    ann.press("hello", Keys.ENTER)
    ann.until("log", "hello")
    assert ann.focus == ann.find("text")
    ann.press(Keys.TAB)
    assert ann.focus == ann.find("attach")
    for part in ("text", "log", "leave"):
        ann.step_back()
        assert ann.focus == ann.find(part)
        assert ann.focus.value_of_css_property("outline-style") == "solid"
    ann.press(Keys.ENTER)
    assert ann.text("state") == "not connected"
    assert ann.focus == ann.find("name")


def test_what_a_screen_reader_says(ann: Page) -> None:
    names = {"name": ann.find("name").accessible_name}
    ann.come_in("Ann")
    parts = ("text", "log", "names", "attach", "leave")
    names |= {part: ann.find(part).accessible_name for part in parts}
    assert names == {
        "name": "Your name",
        "text": "Message",
        "log": "Messages",
        "names": "Here: 1",
        "attach": "File",
        "leave": "Leave",
    }
    # Both are live by their role.
    assert ann.find("log").aria_role == "log"
    assert ann.find("state").aria_role == "status"


def test_phone(ann: Page, bob: Page) -> None:
    """Nothing is wider than the screen, whatever is said, and fingers find it."""
    ann.resize(PHONE)
    assert ann.hidden_width("html") == 0
    ann.come_in("W" * 30)
    bob.come_in("M" * 30)
    bob.say("x" * 2000)
    ann.until("log", "x{2000}")
    assert ann.hidden_width("html") == ann.hidden_width("#log") == 0
    for part in ("text", "attach", "leave"):
        place = ann.find(part).rect
        assert place["height"] >= 44
        assert place["x"] >= 0 and place["x"] + place["width"] <= PHONE["width"]
        assert place["y"] >= 0 and place["y"] + place["height"] <= PHONE["height"]


def test_keyboard_of_a_phone(ann: Page) -> None:
    """The last that was said stays in sight when half of the screen is taken."""
    ann.resize(PHONE)
    ann.come_in("Ann")
    for number in range(10):
        ann.say(f"message {number}")
    ann.until("log", "message 9")
    ann.resize({**PHONE, "height": 340})
    log = ann.find("log")
    [*_, last] = log.find_elements("css selector", "p")
    assert last.text == "message 9"
    until(
        ann.look(), lambda: log.rect["y"] <= last.rect["y"] < ann.find("text").rect["y"]
    )
