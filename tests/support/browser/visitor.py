"""A person at the page of one gateway."""

from typing import List
from urllib.parse import quote

from tests.support.browser.browser import Browser

OVERVIEW, DATANODES, FILES, OPERATIONS = "", "datanodes", "files", "operations"

VIEWS = {
    OVERVIEW: ".health", DATANODES: "main table tbody tr", FILES: "[role=grid]",
    OPERATIONS: "form.check",
}  # fmt: skip
"""The views, with what is there when one is."""


class Visitor:
    """`root` is the address of the gateway, with a / at its end."""

    def __init__(self, browser: Browser, root: str) -> None:
        self.browser = browser
        self.root = root

    def arrive(self) -> None:
        """Open the page, as somebody whom it does not know."""
        self.browser.open(self.root)
        self.browser.wait("return document.querySelector('form.login [type=submit]')")

    def say(self, user: str, password: str = "") -> None:
        """Fill in who one is, and send it."""
        self.browser.write("input", user, "User name")
        if password:
            self.browser.write("input", password, "Web password")
        self.browser.click("button", "Log in")

    def enter(self, user: str) -> None:
        """Open the page and log in, where names are believed."""
        self.arrive()
        self.say(user)
        self.browser.wait("return document.querySelector('.health')", what="the overview")

    def go(self, view: str, path: str = "") -> None:
        """Go to a view by its address, and wait until it is there."""
        self.browser.open(f"{self.root}#/{view}{quote(path)}")
        self.browser.wait("return document.querySelector(arguments[0])", VIEWS[view])

    def see_directory(self, path: str, entries: int) -> None:
        """Go to a directory and wait until all of it is there, and heeds keys."""
        self.go(FILES, path)
        self.wait_for_entries(entries)
        self.browser.wait("return document.activeElement.matches('[role=grid]')")

    def wait_for_entries(self, count: int) -> None:
        """Wait until the directory has so many."""
        words = "Nothing is in" if not count else f"{count:,} entr{'y' if count == 1 else 'ies'}"
        self.browser.wait_for(words, ".count")

    def names(self) -> List[str]:
        """The names that the table of files shows."""
        return self.browser.texts("[role=grid] .c-name a")

    def choose(self, name: str) -> None:
        """Select a file by its box."""
        self.browser.click("input", f"Select {name}")
