"""A directory of very many entries in the page, of which the gateway tells as of any other."""

from itertools import islice
from typing import Iterator, List

import pytest

from data_service.filesystem.paths import AnyPath
from data_service.protocol.files import Entry
from tests.support.browser.browser import Browser
from tests.support.browser.played_gateway import PlayedGateway
from tests.support.browser.visitor import Visitor
from tests.support.models.memory_file_system import MemoryFileSystem
from tests.support.models.web_asker import Asker

MANY = 100_000
ROWS_MAX = 200
"""So many may stand in the page at a time: what is seen, and a little more."""


class ManyFiles(MemoryFileSystem):
    """Has a directory /many of so many empty files, which no tree could hold so quickly."""

    def __init__(self) -> None:
        super().__init__()
        self.write("/many/0", b"")
        like = self.stat("/many/0")
        self._rows = [
            Entry(like._replace(name=f"file {at:06d}", length=MANY - at, inode_id=at + 100), 0)
            for at in range(MANY)
        ]

    def entries(self, path: AnyPath, after: str = "") -> Iterator[Entry]:
        """As FileSystem.entries."""
        if path != "/many":
            return super().entries(path, after)
        return islice(self._rows, int(after[5:]) + 1 if after else 0, None)


@pytest.fixture
def gateway() -> Iterator[PlayedGateway]:
    """The gateway to them."""
    asker = Asker()
    asker.fs = ManyFiles()
    with PlayedGateway(asker.doors) as played:
        played.answers["/who"] = {"user": "root", "mode": "simple", "superuser": True}
        yield played


def seen(browser: Browser) -> List[str]:
    """The names of the rows that a person sees."""
    found: List[str] = browser.script("""
        const box = document.querySelector(".grid").getBoundingClientRect();
        const head = document.querySelector(".grid thead").getBoundingClientRect();
        return [...document.querySelectorAll(".grid .c-name a")].filter((it) => {
            const { top, bottom } = it.getBoundingClientRect();
            return top >= head.bottom && bottom <= box.bottom;
        }).map((it) => it.innerText);
    """)
    assert len(browser.find(".grid tbody tr")) < ROWS_MAX
    return found


def test_very_many_are_there_and_few_are_in_the_way(
    browser: Browser, gateway: PlayedGateway
) -> None:
    visitor = Visitor(browser, gateway.url)
    browser.open(gateway.url)
    browser.script("localStorage.setItem('pyhdfs.user', 'root')")
    visitor.see_directory("/many", MANY)
    assert seen(browser)[:2] == ["file 000000", "file 000001"]
    assert browser.script("return document.querySelector('[role=grid]').ariaRowCount") == "100001"
    browser.press("End")
    browser.wait_for("file 099999", ".grid .cursor")
    assert seen(browser)[-1] == "file 099999"
    browser.click("th button", "Size")
    # Not by a key: the browser would still glide there when the next place is chosen.
    browser.script("document.querySelector('.grid').scrollTop = 0")
    browser.wait("return document.querySelector('.grid .c-name a').innerText === 'file 099999'")
    browser.script("document.querySelector('.grid').scrollTop = 40 * 50000")
    browser.wait("return [...document.querySelectorAll('.grid .c-name a')]"
                 ".some((it) => it.innerText === 'file 049990')")
    assert "file 049990" in seen(browser)
    browser.write("input[type=search]", "77777")
    browser.wait_for("1 match", ".count")
    assert seen(browser) == ["file 077777"]
    browser.write("input[type=search]", "9999")
    browser.wait_for("19 matches", ".count")
    browser.click("input", "Select all")
    browser.wait_for("19 selected", ".chosen")
