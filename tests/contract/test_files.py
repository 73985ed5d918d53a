"""How files appear, change and are read."""

import io
from pathlib import Path
from typing import Any, Dict

import pytest

from data_service.filesystem import (
    AlreadyBeingCreated,
    InvalidArgument,
    LocalFileError,
    PathExists,
    PathNotFound,
)
from tests.contract.worlds import BLOCK, HERE, at, outcome, plant, tree

SIZES = (0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7)


def content(size: int) -> bytes:
    """Bytes in which no two blocks are equal."""
    return bytes(number * 7 % 251 for number in range(size))


@pytest.mark.parametrize("size", SIZES)
def test_what_is_written_is_read(fs: Any, tmp_path: Path, size: int) -> None:
    data, local = content(size), tmp_path / "local"
    local.write_bytes(data)
    with fs.open(at("opened"), "wb") as file:
        for start in range(0, size, 1000):
            assert file.write(data[start : start + 1000]) == len(data[start : start + 1000])
    fs.put(str(local), at("put"))
    fs.put_stream(io.BytesIO(data), at("stream"))
    assert fs.put(local, at("status")).length == size
    for name in ("opened", "put", "stream", "status"):
        pieces: list = []
        fs.cat(at(name), lambda piece: pieces.append(bytes(piece)))
        assert b"".join(pieces) == fs.read_bytes(at(name)) == data
        fs.get(at(name), tmp_path / name)
        assert (tmp_path / name).read_bytes() == data
        assert fs.stat(at(name)).length == size


@pytest.mark.parametrize("size", SIZES)
def test_what_is_read_within_a_file(fs: Any, size: int) -> None:
    data = content(size)
    fs.write_bytes(at("f"), data)
    with fs.open(at("f")) as file, io.BytesIO(data) as same:
        assert file.readable() and file.seekable() and not file.writable()
        for offset, count in ((0, 3), (size // 2, 100), (size, 1), (BLOCK - 1, 2), (5, 0)):
            assert file.seek(offset) == same.seek(offset)
            assert file.read(count) == same.read(count)
            assert file.tell() == same.tell()
        file.seek(-min(size, 2), io.SEEK_END)
        assert file.read() == data[max(0, size - 2) :]
        with pytest.raises(OSError):
            file.write(b"x")


@pytest.mark.parametrize("mode, old, new", [
    ("wb", None, b"xy"), ("wb", b"old", b"xy"), ("ab", None, b"xy"), ("ab", b"old", b"oldxy"),
    ("ab", b"", b"xy"), ("xb", None, b"xy"), ("w", b"old", b"xy"), ("a", b"old", b"oldxy"),
])  # fmt: skip
def test_how_a_file_is_opened(fs: Any, mode: str, old: Any, new: bytes) -> None:
    path = at("new/directory/f")
    if old is not None:
        fs.makedirs(at("new/directory"))
        fs.write_bytes(path, old)
    with fs.open(path, mode) as file:
        assert file.writable() and not file.readable()
        assert file.write("x" if "b" not in mode else b"x") == 1
        file.write("y" if "b" not in mode else b"y")
        if old is None:
            assert not fs.exists(path), "it appears when it is closed"
        else:
            assert fs.read_bytes(path) == old, "it changes when it is closed"
    assert fs.read_bytes(path) == new
    assert file.closed
    file.close()


@pytest.mark.parametrize("mode", ["wb", "ab", "w", "a"])
def test_a_file_that_is_given_up(fs: Any, mode: str) -> None:
    plant(fs, "old")
    for path, left in ((at("old"), b"old"), (at("new"), None)):
        with pytest.raises(ZeroDivisionError):
            with fs.open(path, mode) as file:
                file.write("x" if "b" not in mode else b"x")
                raise ZeroDivisionError
        assert (fs.read_bytes(path) if left is not None else fs.exists(path) or None) == left
        file = fs.open(path, mode)
        file.write("x" if "b" not in mode else b"x")
        file.abandon()
        assert (fs.read_bytes(path) if left is not None else fs.exists(path) or None) == left
    assert tree(fs) == {"old": b"old"}


def test_what_is_flushed_is_seen(fs: Any) -> None:
    with fs.open(at("f"), "wb") as file:
        file.write(b"one")
        file.hflush()
        assert fs.read_bytes(at("f")) == b"one"
        file.write(b" two")
        assert fs.read_bytes(at("f")) == b"one"
        file.hflush()
        assert fs.read_bytes(at("f")) == b"one two"
    with fs.append(at("f")) as file:
        file.write(b" three")
        file.hflush()
        assert fs.read_bytes(at("f")) == b"one two three"
        file.write(b" lost")
        file.abandon()
    assert fs.read_bytes(at("f")) == b"one two three"


def test_a_file_has_one_writer(fs: Any) -> None:
    plant(fs, "f", "g")
    deeds: Dict[str, Any] = {
        "w": lambda: fs.open(at("f"), "wb"), "a": lambda: fs.append(at("f")),
        "t": lambda: fs.truncate(at("f"), 0), "c": lambda: fs.concat(at("f"), at("g")),
    }  # fmt: skip
    with fs.append(at("f")) as file:
        file.write(b"x")
        for deed in deeds.values():
            assert outcome(deed) == (None, AlreadyBeingCreated)
        assert outcome(lambda: fs.concat(at("g"), at("f"))) == (None, AlreadyBeingCreated)
    assert tree(fs) == {"f": b"fx", "g": b"g"}
    with fs.open(at("n"), "wb"):
        assert outcome(lambda: fs.open(at("n"), "wb")) == (None, AlreadyBeingCreated)
        assert outcome(lambda: fs.append(at("n"))) == (None, PathNotFound)
    with fs.append(at("n")) as file:
        file.write(b"y")
    assert fs.read_bytes(at("n")) == b"y"


def test_who_comes_last_finds_the_place_taken(fs: Any) -> None:
    file = fs.open(at("f"), "wb", overwrite=False)
    file.write(b"late")
    file.abandon()
    fs.write_bytes(at("f"), b"first")
    assert outcome(lambda: fs.open(at("f"), "wb", overwrite=False)) == (None, PathExists)
    assert fs.read_bytes(at("f")) == b"first"


@pytest.mark.parametrize("old", SIZES)
@pytest.mark.parametrize("more", [0, 1, BLOCK])
def test_append(fs: Any, old: int, more: int) -> None:
    fs.write_bytes(at("f"), content(old))
    with fs.append(at("f")) as file:
        file.write(b"n" * more)
    assert fs.read_bytes(at("f")) == content(old) + b"n" * more
    assert fs.stat(at("f")).length == old + more


@pytest.mark.parametrize("size", SIZES)
def test_truncate(fs: Any, size: int) -> None:
    for length in sorted({0, 1, BLOCK - 1, BLOCK, BLOCK + 1, size // 2, size - 1, size}):
        if 0 <= length <= size:
            fs.write_bytes(at("f"), content(size))
            fs.truncate(at("f"), length)
            assert fs.read_bytes(at("f")) == content(size)[:length]
            with fs.append(at("f")) as file:
                file.write(b"behind")
            assert fs.read_bytes(at("f")) == content(size)[:length] + b"behind"


def test_concat(fs: Any) -> None:
    plant(fs, "a", "b", "c", "d")
    fs.concat(at("a"), at("c"), at("b"))
    assert tree(fs) == {"a": b"acb", "d": b"d"}
    fs.write_bytes(at("empty"), b"")
    fs.concat(at("empty"), at("a"))
    assert tree(fs) == {"empty": b"acb", "d": b"d"}
    fs.open(at("large"), "wb", block_size=2 * BLOCK).close()
    with fs.append(at("large")) as file:
        file.write(b"large")
    assert outcome(lambda: fs.concat(at("d"), at("large"))) == (None, InvalidArgument)


@pytest.mark.parametrize("text, read", [
    ("", ""), ("ä\nb", "ä\nb"), ("a\r\nb\rc", "a\nb\nc"),
    ("\N{GRINNING FACE}", "\N{GRINNING FACE}"),
])  # fmt: skip
def test_text(fs: Any, text: str, read: str) -> None:
    fs.write_bytes(at("t"), text.encode())
    assert fs.read_text(at("t")) == read
    for encoding in ("utf-16", "utf-8"):
        fs.write_text(at("t"), read, encoding=encoding)
        assert fs.read_text(at("t"), encoding=encoding) == read
        assert fs.read_bytes(at("t")) == read.encode(encoding)
    with fs.open(at("t"), "r", newline="") as file:
        assert file.read() == read


def test_text_is_marked_once(fs: Any) -> None:
    for encoding in ("utf-16", "utf-32"):
        fs.open(at("t"), "w", encoding=encoding).close()
        assert fs.read_bytes(at("t")) == b""
        for _ in range(2):
            with fs.open(at("t"), "a", encoding=encoding) as file:
                file.writelines(["a", "b"])
        assert fs.read_bytes(at("t")) == "abab".encode(encoding)


def test_text_that_is_none(fs: Any) -> None:
    fs.write_bytes(at("t"), b"\xff\xfe\xfd")
    with pytest.raises(UnicodeDecodeError):
        fs.read_text(at("t"))
    with fs.open(at("t"), errors="replace", mode="r") as file:
        assert file.read() == "\ufffd" * 3
    with pytest.raises(UnicodeEncodeError):
        fs.write_text(at("u"), "ä", encoding="ascii")
    assert not fs.exists(at("u"))


def test_files_of_this_machine(fs: Any, tmp_path: Path) -> None:
    plant(fs, "f")
    there, missing = tmp_path / "there", tmp_path / "missing"
    there.write_bytes(b"there")
    with pytest.raises(FileNotFoundError) as caught:
        fs.put(str(missing), at("n"))
    assert isinstance(caught.value, LocalFileError) and caught.value.filename == str(missing)
    with pytest.raises(IsADirectoryError):
        fs.put(str(tmp_path), at("n"))
    with pytest.raises(FileExistsError) as taken:
        fs.get(at("f"), there)
    assert isinstance(taken.value, LocalFileError) and taken.value.filename == str(there)
    with pytest.raises(FileNotFoundError):
        fs.get(at("f"), tmp_path / "no" / "folder")
    assert there.read_bytes() == b"there" and fs.listdir(HERE) == ["f"]
    fs.get(at("f"), there, overwrite=True)
    assert there.read_bytes() == b"f" and list(tmp_path.iterdir()) == [there]


def test_attributes_that_are_asked_for(fs: Any) -> None:
    with fs.open(at("f"), "wb", replication=3, block_size=2 * BLOCK) as file:
        file.write(b"x")
    found = fs.stat(at("f"))
    assert (found.replication, found.block_size) == (3, 2 * BLOCK)
    fs.set_replication(at("f"), 2)
    assert fs.stat(at("f")).replication == 2
    assert (fs.stat(HERE).replication, fs.stat(HERE).block_size, fs.stat(HERE).length) == (0, 0, 0)


@pytest.mark.parametrize("size", SIZES)
def test_where_blocks_are(fs: Any, size: int) -> None:
    with fs.open(at("f"), "wb", block_size=BLOCK) as file:
        file.write(content(size))
    found = fs.block_locations(at("f"))
    lengths = [min(BLOCK, size - start) for start in range(0, size, BLOCK)]
    assert [located.block.length for located in found.blocks] == lengths
    assert [located.offset for located in found.blocks] == list(range(0, size, BLOCK))
    assert found.status.length == size
    last = fs.block_locations(at("f"), max(0, size - 1), 1).blocks
    assert [located.offset for located in last] == [located.offset for located in found.blocks[-1:]]
    assert fs.block_locations(at("f"), size, 1).blocks == ()


@pytest.mark.parametrize("size", SIZES)
def test_checksums(fs: Any, size: int) -> None:
    for name, data in (("a", content(size)), ("b", content(size)), ("c", content(size) + b"c")):
        fs.write_bytes(at(name), data)
    sums = [fs.file_checksum(at(name)) for name in "abc"]
    assert sums[0] == sums[1] != sums[2]
