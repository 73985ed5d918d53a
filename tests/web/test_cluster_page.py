"""The page before a real cluster: what it tells, and to whom it can be told."""

from typing import Dict, List

import pytest

from tests.support.browser.accessibility import by_tab, faults
from tests.support.browser.browser import Browser
from tests.support.browser.visitor import DATANODES, FILES, OPERATIONS, VIEWS, Visitor
from tests.support.clusters.cluster import Cluster

PAGE_BYTES_MAX = 100_000
NARROW = 360
LOST = "data_node_2"


def test_the_page_says_how_the_cluster_is(visitor: Visitor) -> None:
    browser = visitor.browser
    browser.wait_for("All is well", ".health")
    browser.wait_for("3 live")
    browser.click("nav a", "Datanodes")
    browser.wait("return document.querySelectorAll('main tbody tr').length === 3")
    assert browser.text("main").count("live") >= 3
    browser.click("nav a", "Operations")
    browser.click("button", "Check")
    browser.wait_for("Everything is healthy")


def test_a_datanode_that_is_lost_is_told_while_one_watches(
    visitor: Visitor, watched: Cluster
) -> None:
    browser = visitor.browser
    browser.wait_for("All is well", ".health")
    watched.kill(LOST)
    try:
        address = "{}:{}".format(*watched.address(LOST))
        browser.wait_for(address, ".health")
        assert browser.text(".health .word") != "Healthy"
        browser.click("nav a", "Datanodes")
        browser.wait_for("1 dead")
        (row,) = [row for row in browser.texts("main tbody tr") if "dead" in row]
        assert row.startswith(address)
    finally:
        watched.start_daemon(LOST)
        watched.wait_live(3)
    browser.wait_for("3 live")
    browser.click("nav a", "Overview")
    browser.wait_for("All is well", ".health")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nobody_is_kept_out(visitor: Visitor, home: str, watched: Cluster, dark: bool) -> None:
    with watched.file_system() as fs:
        fs.write_bytes(f"{home}/file", b"hello")
    browser = visitor.browser
    browser.look(dark=dark)
    for view in VIEWS:
        visitor.go(view, home if view == "files" else "")
        assert (view, faults(browser)) == (view, [])
    visitor.see_directory(home, 1)
    visitor.choose("file")
    for deed in ("Rename", "Permissions", "Owner", "Details", "Preview"):
        browser.click("button", deed)
        browser.wait("return document.querySelector('dialog')")
        assert (deed, faults(browser)) == (deed, [])
        browser.press("Escape")
        browser.wait("return !document.querySelector('dialog')")


def test_everything_is_within_reach_of_the_keyboard(visitor: Visitor) -> None:
    within: Dict[str, List[str]] = {}
    for view in VIEWS:
        visitor.go(view)
        reached = within[view] = by_tab(visitor.browser)
        assert reached[0] == "Skip to the content"
        assert {"Overview", "Datanodes", "Files", "Operations", "Log out"} <= set(reached)
        assert not [name for name in reached if "focus not shown" in name or not name.strip()]
    assert {"Upload files", "New directory", "Files"} <= set(within[FILES])
    assert "Check" in within[OPERATIONS] and "Search datanodes" in within[DATANODES]


def test_nothing_is_wider_than_a_telephone(visitor: Visitor) -> None:
    browser = visitor.browser
    browser.look(width=NARROW, height=800)
    for view in VIEWS:
        visitor.go(view)
        wide = browser.script("return document.documentElement.scrollWidth")
        assert wide <= NARROW, view


def test_the_whole_page_is_small(visitor: Visitor) -> None:
    browser = visitor.browser
    for name in ("Datanodes", "Files", "Operations"):
        browser.click("nav a", name)
        browser.wait_for(name, "nav [aria-current]")
        browser.wait("return document.querySelector('main button')")
    sent = browser.script("""
        const pages = performance.getEntriesByType("navigation");
        const rest = performance.getEntriesByType("resource")
            .filter((one) => new URL(one.name).pathname.startsWith("/page/"));
        return [...pages, ...rest].reduce((sum, one) => sum + one.encodedBodySize, 0);
    """)
    assert 0 < sent < PAGE_BYTES_MAX


def test_a_gateway_that_is_gone_is_told(browser: Browser, watched: Cluster) -> None:
    visitor = Visitor(browser, "http://{}:{}/".format(*watched.address("gateway_0")))
    visitor.enter("root")
    watched.kill("gateway_0")
    try:
        browser.wait_for("The gateway cannot be reached.")
        browser.click("nav a", "Files")
        browser.wait("return document.querySelector('main .notice.bad, main .bad')")
    finally:
        watched.start_daemon("gateway_0")
    browser.click("button", "Try again")
    browser.wait("return document.querySelector('[role=grid] tbody tr')")
    browser.click("nav a", "Overview")
    browser.wait_for("All is well", ".health")
    browser.wait_without("cannot be reached")


def test_what_is_no_address_of_the_page_leads_to_its_beginning(visitor: Visitor) -> None:
    for odd in ("nowhere", "files/%", "constructor", "__proto__/x", "<img src=x onerror=alert(1)>"):
        visitor.browser.open(f"{visitor.root}#/{odd}")
        visitor.browser.wait("return document.querySelector('.health, [role=grid]')", what=odd)
