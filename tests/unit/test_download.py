"""`get` into a local file: complete or not at all."""

import errno
import os
import threading
from pathlib import Path
from typing import Callable, Iterator, List, Optional

import pytest

from data_service.filesystem.reading.download import download
from data_service.protocol.blocks import Block
from data_service.protocol.files import FileStatus, LocatedBlock, Locations
from tests.support.disks.replicas import noise
from zookeeper.fabric.errors import BlockMissing, LocalFileError

BLOCK_SIZE = 10_000
DATA = noise(5 * BLOCK_SIZE + 123)


class Memory:
    """Takes the place of a BlockReader; `failing` is the id of a block without a good replica."""

    def __init__(self, failing: int = -1) -> None:
        self.failing = failing
        self.stop = threading.Event()
        self.read_blocks: List[int] = []

    def read(self, located: LocatedBlock, offset: int, length: int,
             buffer: Optional[memoryview] = None) -> Iterator[memoryview]:
        """The block in pieces of 777 bytes."""
        self.read_blocks.append(located.block.block_id)
        for start in range(located.offset, located.offset + length, 777):
            if located.block.block_id == self.failing and start > located.offset:
                raise BlockMissing("Could not obtain block")
            yield memoryview(DATA)[start : min(start + 777, located.offset + length)]


def locations(length: int = len(DATA)) -> Locations:
    """The blocks of the first `length` bytes of DATA."""
    status = FileStatus("f", 1, "f", length, 1, BLOCK_SIZE, "me", "us", 0o644, 1, 1)
    return Locations(status, tuple(
        LocatedBlock(Block(index, 1, min(BLOCK_SIZE, length - start)), start, (), False, b"")
        for index, start in enumerate(range(0, length, BLOCK_SIZE))))


def fetch(path: str, memory: Optional[Memory] = None, parallel: int = 2, length: int = len(DATA),
          progress: Optional[Callable[[int, int], None]] = None) -> None:
    """Get the file."""
    download(locations(length), memory or Memory(), path, parallel,  # type: ignore[arg-type]
             progress)


@pytest.mark.parametrize("parallel", [1, 2, 9])
@pytest.mark.parametrize("length", [0, 1, BLOCK_SIZE, BLOCK_SIZE + 1, len(DATA)])
def test_a_file_of_any_size(tmp_path: Path, length: int, parallel: int) -> None:
    fetch(str(tmp_path / "out"), parallel=parallel, length=length)
    assert (tmp_path / "out").read_bytes() == DATA[:length]
    assert os.listdir(tmp_path) == ["out"]


def test_an_old_file_is_replaced_whole(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"old" * 10**6)
    fetch(str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == DATA


def test_a_relative_path_and_the_longest_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("out", "é" * 127, "n" * 255):
        fetch(name)
        assert (tmp_path / name).read_bytes() == DATA


@pytest.mark.parametrize("parallel", [1, 3])
@pytest.mark.parametrize("block_id", [0, 3, 4])
def test_a_missing_block_leaves_nothing_and_keeps_the_old(
    tmp_path: Path, block_id: int, parallel: int
) -> None:
    (tmp_path / "out").write_bytes(b"old")
    with pytest.raises(BlockMissing):
        fetch(str(tmp_path / "out"), Memory(block_id), parallel)
    assert os.listdir(tmp_path) == ["out"] and (tmp_path / "out").read_bytes() == b"old"


@pytest.mark.parametrize("parallel", [1, 2])
@pytest.mark.parametrize("after", [0, 5, 40])
def test_ctrl_c_leaves_nothing(tmp_path: Path, parallel: int, after: int) -> None:
    calls = []

    def interrupt(done: int, total: int) -> None:
        calls.append(done)
        if len(calls) > after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(str(tmp_path / "out"), parallel=parallel, progress=interrupt)
    assert os.listdir(tmp_path) == []
    assert not [thread for thread in threading.enumerate() if "transfer" in thread.name]


def test_ctrl_c_right_after_the_rename_keeps_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def rename_and_interrupt(old: str, new: str) -> None:
        rename(old, new)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", rename_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch(str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == DATA and os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("path", ["", "file/out", "missing/out", "dir"])
def test_a_place_that_cannot_be_written(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "dir").mkdir()
    memory = Memory()
    with pytest.raises(LocalFileError) as caught:
        fetch(str(tmp_path / path), memory)
    assert str(tmp_path / path).rstrip("/") in caught.value.message and memory.read_blocks == []
    assert sorted(os.listdir(tmp_path)) == ["dir", "file"]


def test_a_device_is_not_replaced_by_a_file() -> None:
    with pytest.raises(LocalFileError, match="not a regular file"):
        fetch("/dev/null")
    assert not os.path.isfile("/dev/null")


def test_a_full_local_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def pwrite(descriptor: int, data: bytes, offset: int) -> int:
        written.append(offset)
        if len(written) > 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return len(data)

    monkeypatch.setattr(os, "pwrite", pwrite)
    with pytest.raises(LocalFileError, match="No space left on device"):
        fetch(str(tmp_path / "out"))
    assert os.listdir(tmp_path) == []


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(
        os, "pwrite", lambda descriptor, data, offset: pwrite(descriptor, data[:100], offset))
    fetch(str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == DATA


def test_progress_tells_every_byte_once(tmp_path: Path) -> None:
    told: List[int] = []
    fetch(str(tmp_path / "out"), progress=lambda done, total: told.append(done))
    assert told == sorted(told) and told[-1] == len(DATA)


def test_after_a_failure_no_further_block_is_begun(tmp_path: Path) -> None:
    memory = Memory(0)
    with pytest.raises(BlockMissing):
        fetch(str(tmp_path / "out"), memory, parallel=1)
    assert memory.read_blocks == [0]
