"""Logging in to the page where everybody proves who he is: a real browser, page and session."""

from typing import Iterator

import pytest

from tests.support.browser.browser import Browser
from tests.support.browser.played_gateway import PlayedGateway
from tests.support.clusters.waiting import wait_until
from tests.support.models.proving_asker import ProvingAsker


@pytest.fixture
def ask() -> ProvingAsker:
    """The cluster behind the gateway."""
    return ProvingAsker()


@pytest.fixture
def url(ask: ProvingAsker) -> Iterator[str]:
    """Where the gateway is; what it tells of the cluster is nothing."""
    with PlayedGateway(ask.doors) as made:
        yield made.url


def log_in(browser: Browser, user: str, password: str) -> None:
    """As a person does."""
    browser.wait_for("Log in")
    browser.write("input", user, "User name")
    browser.write("input", password, "Web password")
    browser.click("button", "Log in")


def test_a_session_of_the_page_is_a_token_from_its_beginning_to_its_end(
    browser: Browser, url: str, ask: ProvingAsker
) -> None:
    browser.open(url + "#/files/d")
    log_in(browser, "alice", "wrong")
    browser.wait_for("Not a valid key of this cluster", "[role=alert]")
    assert ask.tokens == {}
    log_in(browser, "alice", "pa")
    browser.wait_for("alice", "#who")
    browser.wait_for("5 B")
    (token,) = ask.tokens
    assert token not in browser.script("return document.cookie + JSON.stringify(localStorage)")
    assert "pa" not in browser.script("return Object.values(localStorage)")
    browser.reload()
    browser.wait_for("5 B")
    # It ends elsewhere: whoever has the page open is asked anew.
    del ask.tokens[token]
    ask.moment += 3600
    browser.reload()
    log_in(browser, "bob", "pb")
    browser.wait_for("bob", "#who")
    assert list(ask.tokens.values()) == ["bob"]
    browser.click("button", "Log out")
    browser.wait_for("web password")
    wait_until(lambda: ask.tokens == {})
    browser.reload()
    browser.wait_for("web password")
