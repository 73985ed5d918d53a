"""One browser for all tests of the page; each of them meets it as if it was new."""

from typing import Iterator

import pytest

from tests.support.browser.browser import Browser
from tests.support.browser.web_driver import WebDriver


@pytest.fixture(scope="session")
def one_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The browser, whatever it has seen."""
    with WebDriver(tmp_path_factory.mktemp("browser")) as driver:
        yield Browser(driver)


@pytest.fixture
def browser(one_browser: Browser) -> Browser:
    """The browser, without anything that a test before has left in it."""
    one_browser.forget()
    return one_browser
