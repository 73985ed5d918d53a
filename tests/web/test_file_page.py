"""The page's files, before a real cluster: what people do with them there."""

import os
from pathlib import Path

from tests.support.browser.visitor import FILES, Visitor
from tests.support.clusters.cluster import Cluster
from tests.support.clusters.waiting import wait_until

BLOCK = 1 << 20
HOSTILE = [
    "<img src=x onerror=\"document.title='taken'\">", "<script>document.title='taken'<", "a&amp;b",
    "javascript:alert(1)", "%2e%2e%2fetc", "a+b c?d#e;f=g", "\"'`", "\u202egpj.exe", "...",
    "é" * 127,
]  # fmt: skip
"""Names that some program would take for more than names."""


def test_a_file_goes_up_is_seen_and_renamed_and_deleted_and_is_back(
    visitor: Visitor, watched: Cluster, home: str, tmp_path: Path
) -> None:
    browser, content = visitor.browser, b"first line\n" + bytes(range(32, 127)) * 12_000
    (tmp_path / "new file.txt").write_bytes(content)
    visitor.see_directory(home, 0)
    browser.choose_files("#upload", tmp_path / "new file.txt")
    visitor.wait_for_entries(1)
    assert visitor.names() == ["new file.txt"]
    with watched.file_system() as fs:
        assert fs.read_bytes(f"{home}/new file.txt") == content
        browser.click("[role=grid] a", "new file.txt")
        browser.wait_for("first line", "dialog pre")
        browser.click("button", "Tail")
        browser.wait_without("first line", "dialog pre")
        browser.click("button", "Hex")
        browser.wait_for(f"{len(content) - (32 << 10):08x}  ", "dialog pre")
        browser.press("Escape")
        visitor.choose("new file.txt")
        browser.click("button", "Rename")
        browser.write("dialog input", "renamed.txt")
        browser.click("dialog button", "Rename")
        browser.wait("return document.querySelector('.c-name a')?.innerText === 'renamed.txt'")
        assert fs.listdir(home) == ["renamed.txt"]
        visitor.choose("renamed.txt")
        browser.click("button", "Delete")
        browser.wait_for("to the trash")
        visitor.wait_for_entries(0)
        assert fs.listdir(home) == []
        browser.click("button", "Undo")
        visitor.wait_for_entries(1)
        assert fs.read_bytes(f"{home}/renamed.txt") == content


def test_a_large_upload_goes_on_and_can_be_cancelled(
    visitor: Visitor, watched: Cluster, home: str, tmp_path: Path
) -> None:
    browser = visitor.browser
    with open(tmp_path / "large", "wb") as file:
        file.truncate(4 << 30)  # As good as nothing of it is ever on the disk.
    visitor.see_directory(home, 0)
    browser.send_slowly(4 << 20)  # Where the disk is memory, there is not room for very much.
    browser.choose_files("#upload", tmp_path / "large")
    browser.wait_for("of 4.00 GB", ".uploads")
    browser.click("nav a", "Overview")
    browser.wait_for("All is well", ".health")
    browser.click("button", "Cancel large")
    browser.wait_for("Cancelled: nothing was stored.", ".uploads")
    with watched.file_system() as fs:
        wait_until(lambda: not [*fs.open_files(everywhere=True)], what="the end of the writer")
        assert fs.listdir(home) == []


def test_names_are_texts_and_nothing_else(visitor: Visitor, watched: Cluster, home: str) -> None:
    browser = visitor.browser
    with watched.file_system() as fs:
        for name in HOSTILE:
            fs.mkdir(f"{home}/{name}")
            fs.write_bytes(f"{home}/{name}/inner", b"<b>hello</b>")
    visitor.see_directory(home, len(HOSTILE))
    shown = {name.replace("\u202e", "\\u202e") for name in HOSTILE}
    assert set(visitor.names()) == shown
    for name in HOSTILE:
        browser.click("[role=grid] a", name.replace("\u202e", "\\u202e"))
        browser.wait_for("inner", "[role=grid]")
        browser.click("[role=grid] a", "inner")
        browser.wait_for("<b>hello</b>", "dialog pre")
        browser.press("Escape")
        browser.press("Backspace")
        visitor.wait_for_entries(len(HOSTILE))
    visitor.choose(HOSTILE[0])
    for deed in ("Rename", "Details", "Owner", "Permissions"):
        browser.click("button", deed)
        browser.wait("return document.querySelector('dialog')")
        browser.press("Escape")
        browser.wait("return !document.querySelector('dialog')")
    browser.click("button", "Delete")
    browser.wait_for("to the trash")
    assert browser.script("return document.title") != "taken"
    assert browser.script("return document.querySelectorAll('img[src=x], main script').length") == 0


def test_what_is_refused_is_told_in_words(
    visitor: Visitor, watched: Cluster, home: str, tmp_path: Path
) -> None:
    browser = visitor.browser
    (tmp_path / "unwanted").touch()
    with watched.file_system() as fs:
        fs.mkdir(f"{home}/mine", mode=0o700)
    browser.click("button", "Log out")
    visitor.enter("mallory")
    visitor.see_directory(home, 1)
    browser.click("button", "New directory")
    browser.write("dialog input", "hers")
    browser.click("dialog button", "Make")
    browser.wait_for("Permission denied", "dialog [role=alert]")
    browser.press("Escape")
    browser.choose_files("#upload", tmp_path / "unwanted")
    browser.wait_for("Permission denied", ".uploads")
    browser.wait_for("1 upload failed", ".uploads h2")
    visitor.browser.open(f"{visitor.root}#/{FILES}{home}/mine")
    browser.wait_for("Permission denied", "main [role=alert]")
    browser.open(f"{visitor.root}#/{FILES}{home}/nowhere")
    browser.wait_for("nowhere", "main [role=alert]")
    told = [line.message for line in browser.console()]
    assert all("status of 403" in line or "status of 404" in line for line in told), told


def test_a_telephone_is_wide_enough(visitor: Visitor, watched: Cluster, home: str) -> None:
    longest = "long" * 60
    with watched.file_system() as fs:
        fs.write_bytes(f"{home}/photograph.jpg", os.urandom(10))
        fs.write_bytes(f"{home}/{longest}", b"")
        for number in range(40):  # So many that not all of them are in the page.
            fs.write_bytes(f"{home}/z{number}", b"")
    browser = visitor.browser
    browser.look(width=360, height=740)
    visitor.see_directory(home, 42)
    (link,) = browser.find("[role=grid] a", "photograph.jpg")
    assert browser.script("return arguments[0].closest('td').clientWidth", link) > 120
    visitor.choose(longest)
    for deed in ("Details", "Preview", "Permissions", "Owner", "Replicas", "Rename", "Move"):
        browser.click("button", deed)
        browser.wait("return document.querySelector('dialog h2, dialog h3')")
        for wide in ("dialog", "html"):
            sizes = "const it = document.querySelector(arguments[0]); return it.scrollWidth"
            assert browser.script(sizes, wide) <= 360, (deed, wide)
        browser.press("Escape")
        browser.wait("return !document.querySelector('dialog')")
    browser.click("button", "Delete")
    visitor.wait_for_entries(41)
    browser.click("button", "Undo")
    visitor.wait_for_entries(42)


def test_where_the_blocks_of_a_file_are(visitor: Visitor, watched: Cluster, home: str) -> None:
    with watched.file_system() as fs:
        fs.write_bytes(f"{home}/blocks", os.urandom(2 * BLOCK + 1))
    browser = visitor.browser
    visitor.see_directory(home, 1)
    visitor.choose("blocks")
    browser.click("button", "Details")
    browser.wait_for("3 blocks", "dialog")
    ports = [str(watched.address(role)[1]) for role in watched.data_nodes]
    text = browser.text("dialog")
    assert sum(text.count(f":{port}") for port in ports) == 6
    assert text.count("healthy") == 3
    browser.click("button", "Compute the checksum")
    browser.wait_for("Algorithm", "dialog")
