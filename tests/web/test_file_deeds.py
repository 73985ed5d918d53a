"""Files and operations in the page, before a gateway whose files are in memory."""

import json
import re
from dataclasses import replace
from typing import Any, Iterator, List

import pytest

from data_service.protocol.health import FsckRow, Health
from tests.support.browser.browser import Browser
from tests.support.browser.played_gateway import PlayedGateway
from tests.support.clusters.waiting import wait_until
from tests.support.models.memory_file_system import MemoryFileSystem
from tests.support.models.web_asker import Asker

HOSTILE = "<img src=x onerror=document.title='hacked'>\u202e\n%41+#?&\"'"
CURSOR = ".grid tr.cursor"
ROWS = ".grid tbody:not([aria-hidden]) tr"


@pytest.fixture
def asker() -> Asker:
    """Files of `root`, who has a trash: in /d there are a directory and three files."""
    made = Asker()
    settings = made.fs.settings
    made.fs.settings = replace(settings, client=replace(settings.client, trash_minutes=60))
    made.fs.mkdir("/d/sub")
    made.fs.write("/d/g", b"text\n" * 20_000, replication=2)
    made.fs.write(f"/d/{HOSTILE}", b"\x00\x01binary")
    return made


@pytest.fixture
def fs(asker: Asker) -> MemoryFileSystem:
    """The files."""
    return asker.fs


@pytest.fixture
def gateway(asker: Asker, browser: Browser) -> Iterator[PlayedGateway]:
    """A gateway that root is looking at."""
    with PlayedGateway(asker.doors) as played:
        browser.open(played.url)
        browser.script("localStorage.setItem('pyhdfs.user', 'root')")
        yield played


def look(browser: Browser, gateway: PlayedGateway, path: str, rows: int) -> None:
    """Go to a directory, and wait for its rows."""
    browser.open(f"{gateway.url}#/files{path}")
    browser.reload()
    browser.wait(f"return document.querySelectorAll({json.dumps(ROWS)}).length === {rows}"
                 " && document.activeElement.role === 'grid'")  # fmt: skip


def click_row(browser: Browser, name: str, modifier: str = "") -> None:
    """Click on the row of a name, beside the name."""
    browser.wait("""
        const [rows, name, key] = arguments;
        const row = [...document.querySelectorAll(rows)].find((one) =>
          one.querySelector("a").textContent === name);
        row?.querySelector(".c-owner").dispatchEvent(
          new MouseEvent("click", {bubbles: true, shiftKey: key === "shift"}));
        return Boolean(row)""", ROWS, name, modifier)


def names(browser: Browser) -> List[str]:
    """The names that are shown."""
    return browser.texts(f"{ROWS} a")


def answer(browser: Browser, text: str) -> None:
    """Write a text into the field that has the focus in place of what is there, and Enter."""
    browser.press("a", holding="Control")
    browser.type(text)
    browser.press("Enter")


def call(browser: Browser, module: str, code: str, *arguments: object) -> Any:
    """What `code` gives, in which `it` is a module of the page and `given` are the arguments."""
    return browser.script(
        f"const given = [...arguments]; return import('/page/{module}.js').then((it) => {code})",
        *arguments,
    )


def test_a_directory_is_listed_sorted_and_searched(
    browser: Browser, gateway: PlayedGateway
) -> None:
    look(browser, gateway, "/d", 4)
    shown = names(browser)
    assert shown[0] == "sub" and shown[2:] == ["f", "g"]
    assert shown[1] == HOSTILE.replace("\u202e", "\\u202e").replace("\n", "\\u000a")
    browser.click(".c-size button")
    assert names(browser) == ["sub", "f", shown[1], "g"]
    browser.click(".c-size button")
    assert names(browser) == ["sub", "g", shown[1], "f"]
    assert browser.script("return document.querySelector('th.c-size').ariaSort") == "descending"
    browser.script("document.querySelector('[role=grid]').focus()")
    browser.type("G")
    browser.wait_for("2 matches in 4 entries", ".count")
    assert "hacked" not in browser.script("return document.title")
    browser.press("Escape")
    browser.wait_for("4 entries", ".count")


def test_the_keys_lead_everywhere(
    browser: Browser, gateway: PlayedGateway, fs: MemoryFileSystem
) -> None:
    look(browser, gateway, "/d", 4)
    browser.press("Home", "Enter")
    browser.wait_for("Nothing is in this directory.", ".count")
    browser.press("Backspace")
    browser.wait_for("sub", CURSOR)
    browser.wait_for("4 entries", ".count")
    browser.click(".head button", "This directory")
    browser.wait_for("3 files, 2 directories", "dialog")
    browser.press("Escape")
    browser.wait("return document.activeElement.role === 'grid'")
    browser.press("End", "F2")
    browser.wait_for("New name", "dialog")
    answer(browser, "a/b")
    browser.wait_for("A name cannot have a slash in it.", "dialog [role=alert]")
    answer(browser, "f")
    browser.wait("return document.querySelector('dialog [role=alert]')?.textContent.includes("
                 "'exists')")  # fmt: skip
    answer(browser, "renamed 1%41")
    browser.wait_for("renamed 1%41", CURSOR)
    assert fs.exists("/d/renamed 1%41") and not fs.exists("/d/g")
    browser.press(" ", "Delete")
    browser.wait_for("to the trash", ".toasts")
    assert fs.exists("/user/root/.Trash/Current/d/renamed 1%41")
    browser.click(".toasts button", "Undo")
    browser.wait_for("back", ".toasts")
    wait_until(lambda: fs.exists("/d/renamed 1%41"), what="the file being back")


def test_many_are_chosen_moved_and_changed(
    browser: Browser, gateway: PlayedGateway, fs: MemoryFileSystem
) -> None:
    look(browser, gateway, "/d", 4)
    click_row(browser, "f")
    click_row(browser, "g", "shift")
    browser.wait_for("2 selected", ".chosen")
    browser.click(".chosen button", "Permissions")
    browser.click("dialog input", "Others: write")
    assert browser.script("return document.querySelector('dialog [name=octal]').value") == "646"
    browser.click("dialog button", "Set")
    wait_until(lambda: fs.stat("/d/f").mode == fs.stat("/d/g").mode == 0o646, what="the modes")
    browser.click(".chosen button", "Replicas")
    browser.wait_for("Replicas of each block", "dialog")
    answer(browser, "3")
    wait_until(lambda: fs.stat("/d/g").replication == 3, what="the replication")
    browser.click(".chosen button", "Owner")
    browser.wait_for("superuser", "dialog")
    answer(browser, "ann")
    wait_until(lambda: fs.stat("/d/g").owner == "ann", what="the owner")
    assert fs.stat("/d/g").group == "supergroup"
    browser.wait_without("superuser", "body")
    browser.click(".chosen button", "Move")
    browser.wait_for("To the directory", "dialog")
    answer(browser, "nowhere")
    browser.wait_for("There is no directory /d/nowhere.", "dialog [role=alert]")
    answer(browser, "sub")
    browser.wait_for("Moved", ".toasts")
    assert [status.name for status in fs.list("/d/sub")] == ["f", "g"]


def test_nothing_is_lost_for_good_without_two_answers(
    browser: Browser, gateway: PlayedGateway, fs: MemoryFileSystem
) -> None:
    look(browser, gateway, "/d", 4)
    browser.press("Home", "ArrowDown", "ArrowDown", "ArrowDown")
    browser.press("Delete", holding="Shift")
    browser.click("dialog button", "Delete…")
    browser.wait_for("1 file with 97.7 KB", "dialog")
    browser.press("Escape")
    browser.wait("return !document.querySelector('dialog')")
    assert fs.exists("/d/g")
    browser.press("Delete", holding="Shift")
    browser.click("dialog button", "Delete…")
    browser.click("dialog button", "Delete for good")
    browser.wait_for("for good", ".toasts")
    assert not fs.exists("/d/g") and not fs.exists("/user/root/.Trash")


def test_what_is_dropped_on_the_page_is_uploaded(
    browser: Browser, gateway: PlayedGateway, fs: MemoryFileSystem
) -> None:
    look(browser, gateway, "/d/sub", 0)
    browser.script("""
        const files = new DataTransfer();
        files.items.add(new File(["1"], "first #1"));
        files.items.add(new File(["22"], "second <b>"));
        document.dispatchEvent(new DragEvent("drop", {dataTransfer: files, cancelable: true}));""")
    browser.wait_for("2 entries", ".count")
    assert names(browser) == ["first #1", "second <b>"]
    assert fs.contents("/d/sub/first #1") == b"1" and fs.contents("/d/sub/second <b>") == b"22"


def test_a_file_is_looked_at_and_never_run(browser: Browser, gateway: PlayedGateway) -> None:
    look(browser, gateway, "/d", 4)
    click_row(browser, "g")
    browser.click(".chosen button", "Preview")
    browser.wait_for("text", "dialog pre")
    browser.wait_for("32.0 KB from byte 0 of 97.7 KB", "dialog")
    browser.click("dialog button", "Tail")
    browser.wait_for("from byte 67232", "dialog")
    browser.click("dialog button", "Hex")
    browser.wait_for("000106a0", "dialog pre")
    browser.press("Escape")
    browser.wait("return document.activeElement.role === 'grid'")
    browser.press("Home", "ArrowDown", "Enter")
    browser.wait_for("00 01 62 69 6e 61 72 79", "dialog pre")


def test_the_blocks_of_a_file_are_shown(
    browser: Browser, gateway: PlayedGateway, fs: MemoryFileSystem
) -> None:
    fs.health["/d/g"] = Health(2, 1, 0, 0)
    look(browser, gateway, "/d", 4)
    click_row(browser, "g")
    browser.click(".chosen button", "Details")
    browser.wait_for("98 blocks", "dialog")
    browser.wait_for("too few replicas 1 of 2 good", "dialog .blocks")
    browser.click("dialog button", "Compute the checksum")
    browser.wait_for("MD5-of-", "dialog")


def test_what_was_removed_is_found_and_restored(
    browser: Browser, gateway: PlayedGateway, fs: MemoryFileSystem
) -> None:
    browser.script("""return fetch("/files/trash?user.name=root&path=/d/f",
        {method: "POST", headers: {"X-Requested-By": "page"}}).then((it) => it.status)""")
    browser.open(f"{gateway.url}#/operations")
    browser.reload()
    browser.click("a", "Look and restore")
    browser.wait_for("d", f"{ROWS} a")
    browser.press("Home", " ")
    browser.press("Enter")
    browser.wait_for("f", f"{ROWS} a")
    browser.press("Home", " ")
    browser.click(".chosen button", "Restore")
    browser.wait_for("back to /d/f", ".toasts")
    assert fs.contents("/d/f") == b"hello"
    browser.open(f"{gateway.url}#/operations")
    browser.click("button", "Empty the trash")
    browser.click("dialog button", "Empty the trash")
    browser.wait_for("The trash is empty.", ".operations")
    assert not [*fs.list("/user/root/.Trash")]


def test_what_goes_on_is_shown_and_checked(
    browser: Browser, gateway: PlayedGateway, fs: MemoryFileSystem
) -> None:
    status = fs.stat("/d/f")
    fs.written.append(FsckRow("/d/w", status._replace(inode_id=99), (), "client-7", "host"))
    fs.health["/d/g"] = Health(2, 1, 0, 0)
    fs.health["/d/f"] = Health(1, 0, 1, 0)
    browser.open(f"{gateway.url}#/operations")
    browser.reload()
    browser.wait_for("client-7", ".operations")
    browser.click("button", "Check")
    browser.wait_for("1 file cannot be read whole: 1 block corrupt, 98 blocks with too few",
                     ".operations")  # fmt: skip
    faulty = browser.text("[aria-label='Faulty files']")
    assert re.search(r"/d/g.*98 blocks too few replicas", faulty, re.DOTALL)
    assert "Nothing is at /cluster/log" in browser.text(".operations"), "said where one looks"


def test_what_paths_and_names_are(browser: Browser, gateway: PlayedGateway) -> None:
    assert [call(browser, "paths", "it.normal(...given)", *one) for one in (
        ("/a//b/../c/.",), ("x", "/h"), ("/..",), ("../y", "/a/b"),
    )] == ["/a/c", "/h/x", "/", "/a/y"]  # fmt: skip
    assert call(browser, "paths", "it.crumbs('/a/b')") == [["", "/"], ["a", "/a"], ["b", "/a/b"]]
    route = call(browser, "paths", "it.route(given[0])", "/ä %#?+")
    assert route == "#/files/%C3%A4%20%25%23%3F%2B"
    assert call(browser, "paths", "[it.isBelow('/ab', '/a'), it.isBelow('/a/b', '/a')]") == [
        False, True]  # fmt: skip
    for bad in ("", ".", "..", "a/b", "\0", "é" * 128):
        assert call(browser, "paths", "it.nameFault(given[0])", bad), bad
    assert call(browser, "paths", "it.nameFault(given[0])", "é" * 127) == ""


def test_which_rows_are_there_and_chosen(browser: Browser, gateway: PlayedGateway) -> None:
    windows = ((0, 400, 40, 5), (4000, 400, 40, 100_000), (10**9, 400, 40, 50))
    assert [call(browser, "entries", "it.windowOf(...given)", *one) for one in windows] == [
        [0, 5], [90, 120], [40, 50]]  # fmt: skip
    chosen = call(browser, "entries", """(() => {
        const rows = [..."abcdef"].map((name) => ({name})), it2 = new it.Selection(), seen = [];
        const note = () => seen.push([...it2.names].join(""));
        it2.only("c"); note(); it2.extend(rows, "e"); note(); it2.extend(rows, "a"); note();
        it2.toggle("b"); note(); it2.keep(rows.slice(2)); note(); it2.clear(); note();
        return seen; })()""")
    assert chosen == ["c", "cde", "abc", "ac", "c", ""]


def test_what_a_look_at_bytes_shows(browser: Browser, gateway: PlayedGateway) -> None:
    code = "it.hexLines(new Uint8Array(given[0]), given[1])"
    assert call(browser, "preview", code, [*b"0123456789abcdefg\n"], 32).splitlines() == [
        "00000020  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66   |0123456789abcdef|",
        "00000030  67 0a                                              |g.|",
    ]
    kind = "it.pictureKind(new Uint8Array(given))"
    assert call(browser, "preview", kind, *b"\x89PNG\r\n") == "image/png"
    assert call(browser, "preview", kind, *b"RIFF1234WEBPx") == "image/webp"
    assert call(browser, "preview", kind, *b"<svg onload=alert(1)>") == ""
    assert call(browser, "preview", "[it.piece(10, true), it.piece(100000, true)]") == [
        [0, 10], [67232, 32768]]  # fmt: skip
    assert call(browser, "operations", "it.takeLines(given[0])", '{"a":1}\n{"b":2}\n{"c"') == [
        [{"a": 1}, {"b": 2}], '{"c"']  # fmt: skip
