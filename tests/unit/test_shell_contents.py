"""cat, text, head, tail, getmerge."""

import bz2
import gzip
import os
import zlib
from pathlib import Path
from typing import Iterator, List

import pytest

from data_service.shell import streams
from tests.support.terminal.shell import Shell
from zookeeper.fabric.errors import BlockMissing

BINARY = bytes(range(256)) * 300


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line on an empty file system."""
    with Shell(monkeypatch, tmp_path) as made:
        yield made


def as_bytes(text: str) -> bytes:
    """What a command really wrote."""
    return text.encode("utf-8", "surrogateescape")


def test_cat_writes_bytes_in_the_order_of_arguments(shell: Shell) -> None:
    shell.filesystem.write("/a", BINARY)
    shell.filesystem.write("/b", b"\r\n\0")
    shell.filesystem.write("/empty")
    assert as_bytes(shell.good("cat", "/b", "/empty", "/a")) == b"\r\n\0" + BINARY
    assert as_bytes(shell.good("cat", "-ignoreCrc", "/*")) == BINARY + b"\r\n\0"


def test_cat_goes_on_after_an_error(shell: Shell) -> None:
    shell.filesystem.write("/a", b"a")
    result = shell.run("cat", "/no", "/", "/a")
    assert (result.status, result.out) == (1, "a")
    assert result.err == "cat: `/no': No such file or directory\ncat: `/': Is a directory\n"
    shell.filesystem.fail("cat", BlockMissing("Could not obtain block: blk_1_1 file=/a"))
    assert shell.bad("cat", "/a") == "cat: Could not obtain block: blk_1_1 file=/a\n"


def test_text_unpacks(shell: Shell) -> None:
    shell.filesystem.write("/plain", BINARY)
    shell.filesystem.write("/packed", gzip.compress(BINARY))
    shell.filesystem.write("/x.bz2", bz2.compress(BINARY))
    shell.filesystem.write("/x.deflate", zlib.compress(BINARY))
    for name in ("/plain", "/packed", "/x.bz2", "/x.deflate"):
        assert as_bytes(shell.good("text", name)) == BINARY, name
    shell.filesystem.write("/broken.gz", gzip.compress(BINARY)[:100])
    result = shell.run("text", "/broken.gz")
    assert result.status == 1 and result.err.startswith("text: `/broken.gz': ")


def test_head_and_tail(shell: Shell) -> None:
    shell.filesystem.write("/f", BINARY)
    shell.filesystem.write("/short", b"abc")
    assert as_bytes(shell.good("head", "/f")) == BINARY[:1024]
    assert as_bytes(shell.good("tail", "/f")) == BINARY[-1024:]
    assert shell.good("head", "/short") == shell.good("tail", "/short") == "abc"
    for command in ("head", "tail"):
        assert shell.bad(command, "/no") == f"{command}: `/no': No such file or directory\n"
        assert shell.bad(command, "/") == f"{command}: `/': Is a directory\n"
        assert "Not enough arguments" in shell.bad(command, status=255)


def test_tail_follows(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.filesystem.write("/f", b"one ")
    pauses: List[float] = []
    versions = [b"one two ", b"one two ", b"x", b"xyz"]

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if not versions:
            raise KeyboardInterrupt
        shell.filesystem.write("/f", versions.pop(0))

    monkeypatch.setattr(streams.time, "sleep", sleep)
    result = shell.run("tail", "-f", "-s", "20", "/f")
    assert result == (130, "one two yz", "tail: Interrupted\n")
    assert pauses == [0.02] * 5


def test_getmerge(shell: Shell) -> None:
    shell.filesystem.write("/d/b", b"2")
    shell.filesystem.write("/d/a", b"1")
    shell.filesystem.write("/d/empty")
    shell.filesystem.write("/d/sub/c", b"3")
    shell.filesystem.write("/last", b"9")
    shell.local("out", b"old content")
    assert shell.good("getmerge", "/d", "/last", "out") == ""
    assert (shell.folder / "out").read_bytes() == b"129"
    shell.good("getmerge", "-nl", "/d", "out")
    assert (shell.folder / "out").read_bytes() == b"1\n2\n\n"
    shell.good("getmerge", "-nl", "-skip-empty-file", "/d", "out")
    assert (shell.folder / "out").read_bytes() == b"1\n2\n"


def test_getmerge_leaves_nothing_half_made(shell: Shell) -> None:
    shell.filesystem.write("/d/a", b"1")
    shell.local("out", b"old")
    (shell.folder / "dir").mkdir()
    assert shell.bad("getmerge", "/d", "/no", "out") == (
        "getmerge: `/no': No such file or directory\n"
    )
    assert shell.bad("getmerge", "/d", "dir") == "getmerge: `dir': Is a directory\n"
    shell.filesystem.fail("cat", BlockMissing("gone"))
    assert shell.bad("getmerge", "/d", "out") == "getmerge: gone\n"
    assert (shell.folder / "out").read_bytes() == b"old"
    assert sorted(os.listdir(shell.folder)) == ["dir", "out"]


def test_checksum_shows_the_algorithm_the_digits_and_with_v_the_block_size(shell: Shell) -> None:
    shell.filesystem.write("/d/empty")
    shell.filesystem.write("/d/f", bytes(1500))
    empty = "MD5-of-0MD5-of-0CRC32\t" + 24 * "0" + "70bc8f4b72a86921468bf8e8441dce51"
    assert shell.good("checksum", "/d/empty") == f"/d/empty\t{empty}\n"
    first, second = shell.good("checksum", "-v", "/d/*").splitlines()
    assert first == f"/d/empty\t{empty}\tBlockSize=1024"
    found = shell.filesystem.file_checksum("/d/f")
    assert second == f"/d/f\tMD5-of-2MD5-of-512CRC32\t{found.value}\tBlockSize=1024"
    assert len(found.value) == 56


def test_checksum_of_what_has_none(shell: Shell) -> None:
    shell.filesystem.write("/f")
    local = shell.local("f", b"x")
    result = shell.run("checksum", "/", "/no", f"file://{local}", "/f")
    assert result.status == 1 and result.lines[0] == f"file://{local}\tNONE"
    assert result.err == (
        "checksum: `/': Is a directory\nchecksum: `/no': No such file or directory\n")
    assert result.lines[1].startswith("/f\tMD5-of-0MD5")
    assert shell.bad("checksum", status=255).startswith("-checksum: Not enough arguments")


def test_getmerge_makes_directories_and_writes_to_uris(shell: Shell) -> None:
    shell.filesystem.write("/d/a", b"1")
    shell.filesystem.write("/d/b", b"2")
    shell.good("getmerge", "/d", "new/deep/x")
    assert (shell.folder / "new/deep/x").read_bytes() == b"12"
    shell.good("getmerge", "/d", "hdfs:///merged")
    assert shell.filesystem.contents("/merged") == b"12"
