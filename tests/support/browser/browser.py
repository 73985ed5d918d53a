"""What a person does in a browser, and sees there: every deed waits until it can be done.

    browser.open("http://localhost:9870/")
    browser.click("button", "New directory")
    browser.write("dialog input", "photos")
    browser.wait_for("photos")

Things are found by a CSS selector and, where several are alike, by the name that a screen reader
tells. What cannot be seen cannot be found; behind an open dialog nothing can.
"""

import base64
import json
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple
from urllib.parse import urlsplit

from tests.support.browser.web_driver import WebDriver, WebDriverError
from tests.support.clusters.waiting import wait_until

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The protocol's key for the name of an element."""

_PASSING = (
    "element click intercepted",
    "element not interactable",
    "no such element",
    "stale element reference",
)
"""What a page that is about to change makes of a deed: it is tried again."""

_FIND = """
    const [selector, name] = arguments;
    const within = [...document.querySelectorAll("dialog:modal")].pop() || document;
    const names = (it) => [it.getAttribute("aria-label"), it.innerText, it.title,
        ...[...(it.labels || [])].map((label) => label.innerText)];
    return [...within.querySelectorAll(selector)].filter((it) => it.checkVisibility() &&
        (!name || names(it).some((text) => text && text.trim() === name)));
"""

KEYS = {
    "Backspace": "\ue003", "Tab": "\ue004", "Enter": "\ue007", "Shift": "\ue008",
    "Control": "\ue009", "Escape": "\ue00c", "Space": " ", "End": "\ue010", "Home": "\ue011",
    "ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015",
    "Delete": "\ue017", "F2": "\ue032",
}  # fmt: skip
"""Keys that write nothing, by the names that pages know them by."""


class Logged(NamedTuple):
    """A line of the browser's console."""

    level: str
    message: str


class Browser:
    """One tab, in a session of `driver`."""

    def __init__(self, driver: WebDriver) -> None:
        self._driver = driver

    def open(self, url: str) -> None:
        """Go to an address as if it was typed, also where only what is behind its # differs."""
        self._driver("POST", "/url", url="about:blank")
        self._driver("POST", "/url", url=url)

    def reload(self) -> None:
        """Have the page come anew."""
        self._driver("POST", "/refresh")

    def script(self, code: str, *arguments: object) -> Any:
        """What JavaScript returns, a promise's value where it is one."""
        return self._driver("POST", "/execute/sync", script=code, args=list(arguments))

    def wait(self, code: str, *arguments: object, what: str = "") -> Any:
        """The first true value that JavaScript returns."""
        return wait_until(lambda: self.script(code, *arguments), what=what or code)

    def wait_for(self, text: str, selector: str = "body") -> None:
        """Wait until this text can be read within the first thing that fits."""
        self._wait_for_text(text, selector, True)

    def wait_without(self, text: str, selector: str = "body") -> None:
        """Wait until this text can no longer be read there."""
        self._wait_for_text(text, selector, False)

    def _wait_for_text(self, text: str, selector: str, there: bool) -> None:
        def is_so() -> bool:
            return (text in self.text(selector)) == there

        what = f"{selector} {'with' if there else 'without'} {text!r}"
        try:
            wait_until(is_so, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}; it says {self.text(selector)!r}") from None

    def text(self, selector: str = "body") -> str:
        """What can be read in the first thing that fits; nothing where there is none."""
        found = "const it = document.querySelector(arguments[0]); return it ? it.innerText : '';"
        return str(self.script(found, selector))

    def texts(self, selector: str) -> List[str]:
        """What can be read in each visible thing that fits."""
        return [str(self.script("return arguments[0].innerText", it)) for it in self.find(selector)]

    def find(self, selector: str, name: str = "") -> List[Dict[str, str]]:
        """The visible things that fit, as `script` takes them for arguments."""
        found: List[Dict[str, str]] = self.script(_FIND, selector, name)
        return found

    def click(self, selector: str, name: str = "") -> None:
        """Click the first thing that fits."""
        self._do(selector, name, lambda it: self._driver("POST", f"{it}/click"))

    def write(self, selector: str, text: str, name: str = "") -> None:
        """Put this text in the place of what a field holds."""

        def deed(element: str) -> None:
            self._driver("POST", f"{element}/clear")
            self._driver("POST", f"{element}/value", text=text)

        self._do(selector, name, deed)

    def choose_files(self, selector: str, *paths: Path) -> None:
        """Choose local files in a file field, which may be hidden behind a button."""
        found = self.wait("return document.querySelector(arguments[0])", selector)
        text = "\n".join(map(str, paths))
        self._driver("POST", f"/element/{found[_ELEMENT]}/value", text=text)

    def _do(self, selector: str, name: str, deed: Callable[[str], object]) -> None:
        def is_done() -> bool:
            try:
                found = self.find(selector, name)
                if found:
                    deed(f"/element/{found[0][_ELEMENT]}")
                return bool(found)
            except WebDriverError as error:
                if error.code not in _PASSING:
                    raise
                return False

        try:
            wait_until(is_done, what=f"{selector} {name!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}; the page says {self.text()!r}") from None

    def press(self, *keys: str, holding: str = "") -> None:
        """Press and let go keys, one after the other, wherever the focus is."""
        held = [{"type": "keyDown", "value": KEYS[holding]}] if holding else []
        strokes: List[Dict[str, str]] = []
        for key in keys:
            value = KEYS.get(key, key)
            strokes += [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        let_go = [{"type": "keyUp", "value": KEYS[holding]}] if holding else []
        actions = [{"type": "key", "id": "keyboard", "actions": held + strokes + let_go}]
        self._driver("POST", "/actions", actions=actions)

    def type(self, text: str) -> None:
        """Write a text by its keys, wherever the focus is."""
        self.press(*text)

    @property
    def focused(self) -> str:
        """What a screen reader calls the thing that has the focus."""
        active = self._driver("GET", "/element/active")
        return str(self._driver("GET", f"/element/{active[_ELEMENT]}/computedlabel"))

    def name_of(self, element: Dict[str, str]) -> str:
        """What a screen reader calls this thing of `find`."""
        return str(self._driver("GET", f"/element/{element[_ELEMENT]}/computedlabel"))

    def look(self, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """From now on see pages in a window of this size, by day or by night."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._tools("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        calm = {"name": "prefers-reduced-motion", "value": "reduce"}
        self._tools("Emulation.setEmulatedMedia", {"features": [scheme, calm]})

    def send_slowly(self, bytes_per_second: float) -> None:
        """From now on send no faster than that; -1 is as fast as it goes."""
        limits = {"uploadThroughput": bytes_per_second, "downloadThroughput": -1}
        self._tools("Network.enable", {})
        self._tools(
            "Network.emulateNetworkConditions", {"offline": False, "latency": 0, **limits}
        )

    def photograph(self, path: Path) -> None:
        """Write a picture of what is seen, as PNG."""
        path.write_bytes(base64.b64decode(self._driver("GET", "/screenshot")))

    def console(self) -> List[Logged]:
        """What was written to the console since the last call, and not only to inform."""
        lines = self._driver("POST", "/se/log", type="browser")
        return [Logged(line["level"], line["message"]) for line in lines
                if line["level"] in ("WARNING", "SEVERE")]

    def hosts_asked(self) -> List[str]:
        """The hosts, with their ports, that pages have asked for anything since the last call."""
        events = [json.loads(entry["message"])["message"]
                  for entry in self._driver("POST", "/se/log", type="performance")]
        urls = [event["params"]["request"]["url"] for event in events
                if event["method"] == "Network.requestWillBeSent"]
        return sorted({urlsplit(url).netloc for url in urls} - {""})

    def forget(self) -> None:
        """Be as a browser that has never seen any page: no cookies, no storage, no log."""
        self._tools("Network.clearBrowserCookies", {})
        if str(self._driver("GET", "/url")).startswith("http"):
            self.script("localStorage.clear(); sessionStorage.clear();")
        self._driver("POST", "/url", url="about:blank")
        self.look()
        self.send_slowly(-1)
        self.console()
        self.hosts_asked()

    def _tools(self, command: str, parameters: object) -> Any:
        return self._driver("POST", "/goog/cdp/execute", cmd=command, params=parameters)
