"""Append, hflush, truncate and concat by the client library, on real datanodes."""

from pathlib import Path
from typing import Any, Iterator

import pytest

from data_service.filesystem import FileSystem
from tests.support.clusters.inner_cluster import InnerCluster
from tests.support.models.plain_namenode import BLOCK_SIZE
from tests.support.disks.replicas import noise
from zookeeper.fabric.errors import (
    BlockMissing,
    LeaseExpired,
    PathNotFound,
    SafeMode,
)

DATA = noise(2 * BLOCK_SIZE + 1000, 4)


def content(fs: FileSystem, path: str = "/f") -> bytes:
    """All bytes of a file, read in each way that there is."""
    with fs.open(path) as file:
        data = bytes(file.read())
        for offset in (0, len(data) // 2, max(0, len(data) - 1)):
            file.seek(offset)
            assert file.read(10) == data[offset : offset + 10]
    pieces: "list[bytes]" = []
    fs.cat(path, lambda piece: pieces.append(bytes(piece)))
    assert b"".join(pieces) == data
    return data


def write(fs: FileSystem, data: bytes, path: str = "/f") -> None:
    """Make a file."""
    with fs.open(path, "wb") as file:
        file.write(data)


@pytest.mark.parametrize("old", [0, 10, BLOCK_SIZE, BLOCK_SIZE + 5])
@pytest.mark.parametrize("new", [0, 10, BLOCK_SIZE, 2 * BLOCK_SIZE + 5])
def test_append(fs: FileSystem, old: int, new: int) -> None:
    write(fs, DATA[:old])
    with fs.append("/f") as file:
        assert file.tell() == old
        file.write(DATA[:new])
        assert file.tell() == old + new
        assert fs.stat("/f").length == old
    assert content(fs) == DATA[:old] + DATA[:new]


def test_a_file_of_many_short_blocks(tmp_path: Path, fs: FileSystem) -> None:
    write(fs, b"0")
    for number in range(1, 6):
        with fs.append("/f") as file:
            file.write(b"%d" % number * number)
    whole = b"0" + b"".join(b"%d" % number * number for number in range(1, 6))
    assert content(fs) == whole
    fs.get("/f", str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == whole
    for offset in range(len(whole)):
        located = fs.block_locations("/f", offset, 1).blocks
        assert len(located) == 1 and whole[located[0].offset] == whole[offset]


def test_an_append_that_fails_leaves_the_file_as_it_was(fs: FileSystem) -> None:
    write(fs, b"old")
    with pytest.raises(KeyError):
        with fs.append("/f") as file:
            file.write(DATA)
            raise KeyError
    assert content(fs) == b"old"
    with pytest.raises(PathNotFound):
        fs.append("/no")


def test_every_byte_that_was_flushed_is_read_by_others(fs: FileSystem) -> None:
    file = fs.open("/f", "wb")
    file.write(b"lost?")
    assert not fs.exists("/f")
    file.hflush()
    assert content(fs) == b"lost?"
    file.write(DATA)
    file.hsync()
    file.hflush()
    assert content(fs) == b"lost?" + DATA
    file.write(b" and more")
    assert fs.stat("/f").length == 5 + len(DATA)
    file.close()
    assert content(fs) == b"lost?" + DATA + b" and more"


def test_a_flush_of_nothing_makes_an_empty_file_and_is_no_call_after_that(
    cluster: InnerCluster, fs: FileSystem
) -> None:
    with fs.open("/f", "wb") as file:
        file.hflush()
        assert fs.stat("/f").length == 0
        file.hflush()
    assert len(cluster.namenode.called("flush")) == 1


def test_what_was_flushed_stays_when_the_writer_gives_up(fs: FileSystem) -> None:
    file = fs.open("/f", "wb")
    file.write(b"kept")
    file.hflush()
    file.write(b"dropped")
    file.abandon()
    assert content(fs) == b"kept"


def test_a_flush_that_fails_gives_the_writer_up(
    cluster: InnerCluster, fs: FileSystem
) -> None:
    file = fs.open("/f", "wb")
    file.write(b"kept")
    file.hflush()
    cluster.namenode.errors["flush"] = [LeaseExpired("gone"), LeaseExpired("for good")]
    file.write(b"more")
    with pytest.raises(LeaseExpired):
        file.hflush()
    with pytest.raises(LeaseExpired, match="could not be flushed"):
        file.close()
    assert file.closed and content(fs) == b"kept"
    assert len(cluster.namenode.called("abandon_file")) == 1


@pytest.mark.parametrize("flushed", [False, True])
def test_a_writer_goes_on_with_a_namenode_that_forgot_it(
    cluster: InnerCluster, fs: FileSystem, flushed: bool
) -> None:
    if flushed:
        file = fs.open("/f", "wb")
        file.write(b"old")
        file.hflush()
    else:
        write(fs, b"old")
        file = fs.append("/f")
    cluster.namenode.open.clear()
    file.write(DATA)
    file.close()
    assert content(fs) == b"old" + DATA
    assert not cluster.namenode.called("resume")
    _, _, tail, _, _ = cluster.namenode.called("resume_visible")[0]
    assert tail == (1, 3, 3)


@pytest.mark.parametrize("length", [0, 1, 5, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 262_145,
                                    2 * BLOCK_SIZE + 1000])  # fmt: skip
def test_truncate(fs: FileSystem, length: int) -> None:
    write(fs, DATA)
    fs.truncate("/f", length)
    assert fs.stat("/f").length == length
    assert content(fs) == DATA[:length]
    with fs.append("/f") as file:
        file.write(b"more")
    assert content(fs) == DATA[:length] + b"more"


@pytest.mark.parametrize("method", ["cut_block", "add_block", "complete"])
def test_a_truncation_goes_on_with_a_namenode_that_forgot_it(
    cluster: InnerCluster, fs: FileSystem, method: str
) -> None:
    write(fs, DATA)
    cluster.namenode.errors[method] = [LeaseExpired("restarted"), SafeMode("still starting")]
    fs.truncate("/f", 1000)
    assert content(fs) == DATA[:1000]


def test_a_truncation_that_fails_changes_nothing(
    cluster: InnerCluster, fs: FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(fs, DATA)
    (block, _, _) = cluster.blocks("/f")

    def damage(*_arguments: Any) -> Iterator[memoryview]:
        raise BlockMissing("no replica")

    monkeypatch.setattr("data_service.filesystem.reading.block_reader.BlockReader.read", damage)
    with pytest.raises(BlockMissing):
        fs.truncate("/f", 1000)
    monkeypatch.undo()
    assert len(cluster.namenode.called("add_block")) == 4
    assert content(fs) == DATA and cluster.blocks("/f")[0] == block


def test_concat(fs: FileSystem) -> None:
    write(fs, b"one", "/a")
    write(fs, DATA, "/b")
    write(fs, b"three", "/c")
    fs.concat("/a", "/b", "/c")
    assert content(fs, "/a") == b"one" + DATA + b"three"
    assert not fs.exists("/b") and not fs.exists("/c")
