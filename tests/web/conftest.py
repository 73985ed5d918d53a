"""One browser for all tests of the page, and one cluster; each test meets them as if new."""

from typing import Iterator

import pytest

from tests.support.browser.browser import Browser
from tests.support.browser.visitor import Visitor
from tests.support.browser.web_driver import WebDriver
from tests.support.clusters.cluster import Cluster


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


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory, one_browser: Browser) -> Iterator[Cluster]:
    """A cluster with a gateway, and with a trash; it is not started where there is no browser."""
    folder = tmp_path_factory.mktemp("watched")
    trash = {"trash_minutes": 60}
    with Cluster(folder, gateways=1, security="simple", client=trash) as made:
        yield made


@pytest.fixture
def visitor(browser: Browser, watched: Cluster) -> Iterator[Visitor]:
    """A person whom the page knows; when she leaves, the page must have asked nobody but its own
    gateway, and have complained of nothing."""
    place = "{}:{}".format(*watched.address("gateway_0"))
    made = Visitor(browser, f"http://{place}/")
    with watched.file_system() as fs:
        made.enter(fs.user)
    yield made
    assert browser.console() == []
    assert browser.hosts_asked() == [place]


@pytest.fixture
def home(watched: Cluster, request: pytest.FixtureRequest) -> str:
    """A directory of this test alone."""
    path = f"/{request.node.name}"
    with watched.file_system() as fs:
        fs.mkdir(path)
    return path
