"""chromedriver as a process, and what the WebDriver protocol lets one session say to it.

    with WebDriver(folder) as driver:
        driver("POST", "/url", url="http://localhost:9870/")
        title = driver("GET", "/title")
"""

import json
import os
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Optional, Type

import pytest

from tests.support.clusters.daemon import Daemon
from tests.support.clusters.ports import Ports
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_DRIVER = "chromedriver"

MUST_BE_THERE = os.environ.get("PYHDFS_TEST_BROWSER", "") == "required"
"""Where nobody would notice that these tests were skipped, the want of a browser is a failure."""


class WebDriverError(Exception):
    """What the driver refused; `code` is the protocol's word for it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


def installed_browser() -> str:
    """The path of a browser that can be driven; without one the test that asks is skipped."""
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser and shutil.which(_DRIVER):
        return browser
    reason = "there is no Chromium with its chromedriver (Debian: chromium, chromium-driver)"
    if MUST_BE_THERE:
        pytest.fail(reason)
    pytest.skip(reason)


class WebDriver:
    """One session with a browser without a window, from `with` to its end; all that either of
    them writes is below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._browser = installed_browser()
        home = folder / "home"
        home.mkdir(parents=True)
        environment = {**os.environ, "HOME": str(home), "TMPDIR": str(folder)}
        # Where it chooses itself, it takes one that is free for IPv6, and may not be for IPv4.
        self._ports = Ports()
        port = self._ports.take()
        self._root = f"http://127.0.0.1:{port}"
        self._daemon = Daemon(
            _DRIVER, [_DRIVER, f"--port={port}"], folder / f"{_DRIVER}.log", environment
        )
        self._browser_pid = 0
        self._session = ""
        # What the environment says of proxies is not for this machine's own programs.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def __call__(self, method: str, path: str, **parameters: object) -> Any:
        """The value that a command of the session gives. Raises WebDriverError."""
        return self._say(method, f"{self._session}{path}", parameters)

    def __enter__(self) -> "WebDriver":
        self._daemon.start()
        try:
            self._daemon.wait_for_log("started successfully on port")
            made = self._say("POST", "/session", {"capabilities": {"alwaysMatch": self._wanted()}})
        except BaseException:
            self._daemon.kill_group()
            self._ports.close()
            raise
        self._session = f"/session/{made['sessionId']}"
        self._browser_pid = int(made["capabilities"]["goog:processID"])
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        try:
            self("DELETE", "")
            wait_until(lambda: not _exists(self._browser_pid), what="the end of the browser")
            self._daemon.terminate()
        finally:
            self._daemon.kill_group()
            self._ports.close()

    def _wanted(self) -> object:
        arguments = ["--headless=new", "--disable-dev-shm-usage", "--window-size=1280,900"]
        # Nothing that a browser does for its maker: updates, suggestions, a first-run page.
        arguments += ["--no-first-run", "--disable-background-networking", "--disable-sync"]
        arguments += ["--disable-component-update", "--disable-default-apps", "--no-proxy-server"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")  # The browser refuses to be root in its sandbox.
        return {
            "browserName": "chrome",
            "unhandledPromptBehavior": "ignore",
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "goog:chromeOptions": {"binary": self._browser, "args": arguments},
        }

    def _say(self, method: str, path: str, parameters: object) -> Any:
        data = json.dumps(parameters).encode("utf-8") if method == "POST" else None
        headers = {"Content-Type": "application/json; charset=utf-8"}
        request = urllib.request.Request(self._root + path, data, headers, method=method)
        try:
            with self._opener.open(request, timeout=2 * PATIENCE_SECONDS) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            with error:
                told = json.load(error)["value"]
            raise WebDriverError(told["error"], told["message"]) from None


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
