"""`FileSystem.open` in all modes: what Python's own `open` does, for bytes and for text."""

import csv
from typing import Any

import pytest

from data_service.filesystem import FileSystem
from data_service.filesystem.open_modes import Mode, parse_mode
from tests.support.clusters.inner_cluster import InnerCluster
from zookeeper.fabric.errors import PathExists, PathNotFound


@pytest.mark.parametrize("mode, deed, text", [
    ("r", "r", True), ("rt", "r", True), ("rb", "r", False), ("br", "r", False), ("w", "w", True),
    ("wt", "w", True), ("ab", "a", False), ("x", "x", True), ("bx", "x", False)])
def test_modes(mode: str, deed: str, text: bool) -> None:
    assert parse_mode(mode) == Mode(deed, text)


@pytest.mark.parametrize("mode", ["", "b", "t", "r+", "rb+", "rw", "rbt", "rbb", "U", "R", "wbx"])
def test_what_is_no_mode(mode: str) -> None:
    with pytest.raises(ValueError, match="mode"):
        parse_mode(mode)


def test_text_goes_in_and_comes_out(fs: FileSystem) -> None:
    with fs.open("/t", "w", newline="") as file:
        csv.writer(file).writerows([["a", "ä"], ["b\n", "ö"]])
    with fs.open("/t", "r", newline="") as file:
        assert list(csv.reader(file)) == [["a", "ä"], ["b\n", "ö"]]
    with fs.open("/t") as file:
        assert file.read() == 'a,ä\r\n"b\n",ö\r\n'.encode()
    with fs.open("/t", "w", encoding="latin-1") as file:
        file.write("ü")
    with fs.open("/t", "a", encoding="latin-1") as file:
        file.write("ü")
        file.hflush()
        assert fs.stat("/t").length == 2
    with fs.open("/t", "r", encoding="latin-1") as file:
        assert file.read() == "üü"


@pytest.mark.parametrize("mode", ["w", "wb", "x", "xb"])
def test_what_fails_appears_nowhere(fs: FileSystem, mode: str) -> None:
    part: Any = b"half" if "b" in mode else "half"
    with pytest.raises(KeyError):
        with fs.open("/t", mode) as file:
            file.write(part)
            raise KeyError
    assert not fs.exists("/t")
    file.close()


def test_what_is_there_is_replaced_only_by_writing_anew(fs: FileSystem) -> None:
    fs.open("/t", "x").close()
    for mode in ("x", "xb"):
        with pytest.raises(PathExists):
            fs.open("/t", mode)
    with pytest.raises(PathExists):
        fs.open("/t", "w", overwrite=False)
    for mode, content in (("w", b"w"), ("a", b"wa"), ("wb", b"w"), ("ab", b"wa")):
        with fs.open("/t", mode) as file:
            file.write(mode[0].encode() if "b" in mode else mode[0])
        assert fs.open("/t").read() == content


def test_appending_makes_what_is_missing(cluster: InnerCluster, fs: FileSystem) -> None:
    with pytest.raises(PathNotFound):
        fs.append("/t")
    with fs.open("/t", "ab") as file:
        file.write(b"first")
    assert fs.open("/t").read() == b"first"


def test_a_file_that_appears_before_the_first_append_is_not_replaced(
    cluster: InnerCluster, fs: FileSystem
) -> None:
    with fs.open("/t", "wb") as file:
        file.write(b"theirs ")
    cluster.namenode.errors["append"] = [PathNotFound("not yet")]
    with fs.open("/t", "ab") as file:
        file.write(b"ours")
    assert fs.open("/t").read() == b"theirs ours"


def test_wrong_words_leave_nothing_open(cluster: InnerCluster, fs: FileSystem) -> None:
    with pytest.raises(LookupError):
        fs.open("/t", "w", encoding="no-such-encoding")
    with pytest.raises(ValueError, match="encoding"):
        fs.open("/t", "wb", encoding="utf-8")
    assert cluster.namenode.open == {}
