"""The page of the chat, as its user sees it."""

from __future__ import annotations

import re
from typing import Any

from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.real.browser import Served, until

PHONE = {"width": 360, "height": 640, "deviceScaleFactor": 1.5, "mobile": True}
DESKTOP = {"width": 1000, "height": 680, "deviceScaleFactor": 1, "mobile": False}


class Page:
    """A window with the page of the chat, seen as its user sees it."""

    def __init__(self, driver: Chrome, served: Served) -> None:
        self._driver = driver
        driver.switch_to.new_window("tab")
        self._window = driver.current_window_handle
        self.resize(DESKTOP)
        driver.get(served.url)

    def look(self) -> Chrome:
        """Bring the window to the front."""
        if self._driver.current_window_handle != self._window:
            self._driver.switch_to.window(self._window)
        return self._driver

    def resize(self, screen: dict[str, Any], scheme: str = "light") -> None:
        """Show it as on this screen, in this colour scheme."""
        driver = self.look()
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def find(self, part: str) -> WebElement:
        return self.look().find_element("id", part)

    def text(self, part: str) -> str:
        return self.find(part).text

    def until(self, part: str, pattern: str) -> str:
        """The text of a part, once it has what is looked for."""

        def find() -> re.Match[str] | None:
            return re.search(pattern, self.text(part))

        found: re.Match[str] = until(self.look(), find)
        return found.string

    @property
    def focus(self) -> WebElement:
        return self.look().switch_to.active_element

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        self.look()
        ActionChains(self._driver).send_keys(*keys).perform()

    def step_back(self) -> None:
        """To what has the focus before this."""
        self.look()
        keys = ActionChains(self._driver).key_down(Keys.SHIFT).send_keys(Keys.TAB)
        keys.key_up(Keys.SHIFT).perform()

    def enter(self, name: str) -> None:
        self.find("name").clear()
        self.find("name").send_keys(name, Keys.ENTER)

    def come_in(self, name: str) -> None:
        self.enter(name)
        self.until("state", "^connected")

    def say(self, text: str) -> None:
        self.find("text").send_keys(text, Keys.ENTER)

    def hidden_width(self, selector: str) -> int:
        """Of a part, how much lies beyond its edge, in pixels."""
        script = "return arguments[0].scrollWidth - arguments[0].clientWidth"
        part = self.look().find_element("css selector", selector)
        return int(self._driver.execute_script(script, part))

    def complaints(self) -> list[str]:
        """What the browser has to say of the page since the last time."""
        return [entry["message"] for entry in self.look().get_log("browser")]
