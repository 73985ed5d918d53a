"""Who looks at the page of a cluster in mode secret."""

from typing import Iterator

import pytest

from tests.support.browser.browser import Browser
from tests.support.browser.visitor import FILES, Visitor
from tests.support.clusters.cluster import Cluster

USER = "alice"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, one_browser: Browser) -> Iterator[Cluster]:
    """A cluster in mode secret, in which alice has a file."""
    folder = tmp_path_factory.mktemp("guarded")
    one = {"replication_factor": 1}
    with Cluster(folder, data_nodes=1, gateways=1, security="secret", name_node=one) as made:
        with made.file_system() as fs:
            fs.write_bytes(f"/{USER}/file", b"hers")
            fs.set_owner(f"/{USER}", USER)
            fs.set_mode(f"/{USER}", 0o700)
        yield made


@pytest.fixture(scope="module")
def password(guarded: Cluster) -> str:
    """Alice's web password."""
    return guarded.client("issueKey", "--web", USER).text.strip()


@pytest.fixture
def alice(browser: Browser, guarded: Cluster) -> Visitor:
    """Alice, who has just opened the page."""
    made = Visitor(browser, "http://{}:{}/".format(*guarded.address("gateway_0")))
    made.arrive()
    return made


def test_one_logs_in_and_out(alice: Visitor, password: str) -> None:
    browser = alice.browser
    alice.say(USER, password[:-1] + ("a" if password[-1] != "a" else "b"))
    browser.wait("return document.querySelector('main [role=alert]')")
    assert len(browser.text("main [role=alert]").split()) > 3
    browser.write("input", password, "Web password")
    browser.press("Enter")
    browser.wait_for("All is well", ".health")
    alice.see_directory(f"/{USER}", 1)
    browser.reload()
    alice.wait_for_entries(1)
    kept = browser.script("return document.cookie + JSON.stringify({...localStorage})"
                          " + JSON.stringify({...sessionStorage}) + document.body.innerHTML")
    assert password not in kept and browser.script("return document.cookie") == ""
    browser.click("button", "Log out")
    browser.wait("return document.querySelector('form.login')")
    browser.open(f"{alice.root}#/{FILES}/{USER}")
    browser.wait("return document.querySelector('form.login')")
    assert not browser.find("[role=grid]")
