"""Takes the pictures of the documentation: ``python -m tests.real.screenshot``."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.real.browser import chatting, chromium
from tests.real.page import DESKTOP, PHONE, Page

FOLDER = Path(__file__).parent
PICTURES = FOLDER.parent.parent / "docs" / "howto"


def talk(ada: Page, grace: Page) -> None:
    """Something to be seen."""
    ada.come_in("Ada")
    grace.come_in("Grace")
    grace.say("Good morning! Is the server back?")
    ada.say("It is. My page came back by itself, in half a second.")
    grace.find("file").send_keys(str(FOLDER / "picture.png"))
    ada.until("log", "intact")
    ada.say("What a view!")
    grace.until("log", "view")
    for page in (ada, grace):
        page.until("latency", "ms")


def main() -> None:
    with (
        TemporaryDirectory() as profile,
        chromium(Path(profile)) as driver,
        chatting() as served,
    ):
        ada, grace = Page(driver, served), Page(driver, served)
        talk(ada, grace)
        for page, screen, scheme, name in (
            (ada, DESKTOP, "light", "chat"),
            (grace, PHONE, "dark", "chat-phone"),
        ):
            page.resize(screen, scheme)
            page.look().save_screenshot(str(PICTURES / f"{name}.png"))


if __name__ == "__main__":
    main()
