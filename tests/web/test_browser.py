"""The browser that judges the page is judged itself, by a page of which everything is known."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Iterator

import pytest

from tests.support.browser import browser as driving
from tests.support.browser import web_driver
from tests.support.browser.browser import Browser

# Its icon is in it: one that is not named is asked for when a browser likes, long after the page.
PAGE = b"""<!doctype html><title>t</title><link rel="icon" href="data:,">
<label>Name <input id="name" value="old"></label><input type="file" hidden>
<p hidden>never seen</p><button hidden>Go</button>
<button onclick="document.querySelector('p').hidden = false">Go</button>
<dialog><button aria-label="Close">x</button></dialog>
<script>
    document.querySelector("[type=file]").onchange = (event) => {
        document.title = event.target.files[0].name; };
    console.warn("beware");
    localStorage.visits = 1 + Number(localStorage.visits || 0);
</script>"""


class Handler(BaseHTTPRequestHandler):
    """Answers every request with the page."""

    def do_GET(self) -> None:
        """As http.server wants it."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def place() -> Iterator[str]:
    """Where the page is served, as host and port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


def test_it_sees_what_can_be_seen_and_does_what_can_be_done(
    browser: Browser, place: str, tmp_path: Path
) -> None:
    browser.open(f"http://{place}/")
    assert len(browser.find("button", "Go")) == 1 and "never" not in browser.text()
    browser.click("button", "Go")
    browser.wait_for("never seen")
    browser.write("input", "new", "Name")
    browser.press("Home")
    browser.type("a ")
    assert browser.script("return document.querySelector('#name').value") == "a new"
    assert browser.focused == "Name"
    browser.script("document.querySelector('dialog').showModal()")
    assert [browser.name_of(it) for it in browser.find("button")] == ["Close"]
    (tmp_path / "chosen").touch()
    browser.choose_files("[type=file]", tmp_path / "chosen")
    browser.wait("return document.title === 'chosen'")


def test_it_tells_what_went_on_and_then_forgets(
    browser: Browser, place: str, tmp_path: Path
) -> None:
    browser.open(f"http://{place}/")
    assert browser.hosts_asked() == [place] and browser.hosts_asked() == []
    (line,) = browser.console()
    assert line.level == "WARNING" and "beware" in line.message
    browser.look(width=400, dark=True)
    seen = "return [innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]"
    assert browser.script(seen) == [400, True]
    browser.photograph(tmp_path / "seen.png")
    assert (tmp_path / "seen.png").read_bytes().startswith(b"\x89PNG")
    browser.forget()
    browser.open(f"http://{place}/")
    assert browser.script("return localStorage.visits") == "1"
    assert browser.script(seen) == [1280, False]


def test_what_never_comes_is_told_with_what_is_there(
    browser: Browser, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_once(predicate: object, timeout: float = 0.0, what: str = "") -> object:
        return real(predicate, 0.1, what)  # type: ignore[arg-type]

    real = driving.wait_until
    monkeypatch.setattr(driving, "wait_until", at_once)
    browser.open(f"http://{place}/")
    with pytest.raises(AssertionError, match="body with 'absent'.* it says 'Name"):
        browser.wait_for("absent")
    with pytest.raises(AssertionError, match="button 'Stop'.* the page says 'Name"):
        browser.click("button", "Stop")


def test_without_a_browser_tests_are_skipped_where_that_is_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web_driver.shutil, "which", lambda name: None)
    monkeypatch.setattr(web_driver, "MUST_BE_THERE", False)
    with pytest.raises(pytest.skip.Exception, match="there is no Chromium"):
        web_driver.installed_browser()
    monkeypatch.setattr(web_driver, "MUST_BE_THERE", True)
    with pytest.raises(pytest.fail.Exception, match="there is no Chromium"):
        web_driver.installed_browser()
