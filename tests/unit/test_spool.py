"""The bytes of a block, set aside in memory and in a temporary file."""

import os
import tempfile
from contextlib import closing, contextmanager
from typing import Any, Callable, Iterator, List

import pytest

from data_service.filesystem.writing import spool as spool_module
from data_service.filesystem.writing.spool import MEMORY_BYTES, MEMORY_BYTES_MAX, SpareFiles, Spool
from data_service.protocol.checksums import CHUNK_BYTES, crc32
from tests.support.disks.replicas import noise
from zookeeper.fabric.errors import LocalFileError

DATA = noise(MEMORY_BYTES_MAX + 2 * MEMORY_BYTES + 777, 5)


@contextmanager
def spooled(size: int) -> Iterator[Spool]:
    """A spool whose file is closed with it."""
    files = SpareFiles()
    with closing(files), Spool(size, files) as spool:
        yield spool


def fill(spool: Spool, size: int) -> int:
    """Write until it is full, or has so many bytes; how many it has."""
    view = memoryview(DATA)[:size]
    while view:
        taken = spool.write(view)
        if not taken:
            break
        view = view[taken:]
    return spool.length


def content(spool: Spool) -> bytes:
    """All its bytes, read twice."""
    for _ in range(2):
        pieces: List[bytes] = []
        for data, checksum in spool.chunks():
            assert crc32(data) == checksum
            pieces.append(bytes(data))
        assert all(len(piece) == CHUNK_BYTES for piece in pieces[:-1])
    return b"".join(pieces)


@pytest.mark.parametrize("size", [
    0, 1, CHUNK_BYTES, MEMORY_BYTES - 1, MEMORY_BYTES, MEMORY_BYTES + CHUNK_BYTES, len(DATA)])
def test_what_goes_in_comes_out(size: int) -> None:
    with spooled(len(DATA)) as spool:
        assert fill(spool, size) == size and content(spool) == DATA[:size]
        assert spool.full == (size == len(DATA)) and spool.in_file == (size > MEMORY_BYTES)


def test_it_takes_no_more_than_its_size() -> None:
    with spooled(1000) as spool:
        assert fill(spool, 5000) == 1000 and spool.full
        assert spool.write(memoryview(b"x")) == 0


def _refuse(**_options: Any) -> Any:
    raise FileNotFoundError(2, "No usable temporary directory found")


def _full_at(limit: int) -> Callable[..., int]:
    """A disk on which a file takes so many bytes, and the last write only a part of its own."""
    write = os.pwrite

    def pwrite(descriptor: int, data: Any, position: int) -> int:
        if position >= limit:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[: limit - position], position)

    return pwrite


@pytest.mark.parametrize("room", [0, 1, MEMORY_BYTES + 5, 2 * MEMORY_BYTES])
def test_without_room_for_a_file_it_is_full_early_and_loses_nothing(
    room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not room:
        monkeypatch.setattr(tempfile, "TemporaryFile", _refuse)
    monkeypatch.setattr(os, "pwrite", _full_at(room))
    with spooled(len(DATA)) as spool:
        length = fill(spool, len(DATA))
        assert length == room // CHUNK_BYTES * CHUNK_BYTES + MEMORY_BYTES_MAX
        assert spool.full and content(spool) == DATA[:length]


@pytest.mark.parametrize("free, total, has_room", [
    (256 << 20, 1 << 40, True), ((256 << 20) - 4096, 1 << 40, False),
    (10 << 20, 100 << 20, True), (9 << 20, 100 << 20, False),
])  # fmt: skip
def test_it_leaves_room_on_the_disk_for_others(
    free: int, total: int, has_room: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(_descriptor: int) -> os.statvfs_result:
        size = 4096
        return os.statvfs_result((size, size, total // size, 0, free // size, 0, 0, 0, 0, 255))

    monkeypatch.setattr(os, "fstatvfs", found)
    with spooled(len(DATA)) as spool:
        length = fill(spool, len(DATA))
        assert (length == len(DATA)) == has_room == spool.in_file
        assert content(spool) == DATA[:length]


def test_a_file_that_somebody_cuts_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "MEMORY_BYTES", CHUNK_BYTES)
    with spooled(len(DATA)) as spool:
        fill(spool, 3 * CHUNK_BYTES)
        assert spool._file is not None
        os.truncate(spool._file.fileno(), CHUNK_BYTES)
        with pytest.raises(LocalFileError):
            content(spool)


def test_a_file_whose_bytes_changed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "MEMORY_BYTES", CHUNK_BYTES)
    with spooled(len(DATA)) as spool:
        fill(spool, 3 * CHUNK_BYTES)
        assert spool._file is not None
        os.pwrite(spool._file.fileno(), b"other bytes", 100)
        with pytest.raises(LocalFileError, match="damaged"):
            content(spool)


@pytest.mark.parametrize("memory", [CHUNK_BYTES, MEMORY_BYTES])
def test_it_can_be_followed(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole chunks can be had while it fills, from any of them on."""
    monkeypatch.setattr(spool_module, "MEMORY_BYTES", memory)
    pieces: List[bytes] = []
    size = 5 * CHUNK_BYTES + 7
    with spooled(size) as spool:
        for start in range(0, size, 100_000):
            view = memoryview(DATA)[start : min(start + 100_000, size)]
            while view:
                view = view[spool.write(view) :]
            if start % 300_000 == 0:
                pieces += [bytes(data) for data, _ in spool.whole_chunks(len(pieces))]
                assert len(pieces) == spool.length // CHUNK_BYTES
        pieces += [bytes(data) for data, _ in spool.chunks(len(pieces))]
    assert b"".join(pieces) == DATA[:size]


def test_the_file_of_one_block_serves_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "MEMORY_BYTES", CHUNK_BYTES)
    spare, size = SpareFiles(), 3 * CHUNK_BYTES
    with Spool(size, spare) as first:
        fill(first, size)
        file = first._file
    with Spool(size, spare) as second, Spool(size, spare) as third:
        for start, spool in ((CHUNK_BYTES, second), (2 * CHUNK_BYTES, third)):
            view = memoryview(DATA)[start : start + 2 * CHUNK_BYTES]
            while view:
                view = view[spool.write(view) :]
            assert content(spool) == DATA[start : start + 2 * CHUNK_BYTES]
        assert file is not None and second._file is file is not third._file
        spare.close()
        assert not file.closed
    assert file.closed


@pytest.mark.parametrize("room", [True, False])
def test_many_of_them_share_the_memory(room: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is more than there is for all goes to files, or ends a block early."""
    monkeypatch.setattr(spool_module, "SHARED_BYTES_MAX", 3 * CHUNK_BYTES)
    if not room:
        monkeypatch.setattr(tempfile, "TemporaryFile", _refuse)
    shared = spool_module._SharedMemory()
    monkeypatch.setattr(spool_module, "_shared", shared)
    with spooled(len(DATA)) as first, spooled(len(DATA)) as second:
        fill(first, 3 * CHUNK_BYTES)
        assert shared.crowded and not first.in_file
        length = fill(second, len(DATA))
        assert content(second) == DATA[:length] and second.in_file == room
        assert length == (len(DATA) if room else MEMORY_BYTES)
        fill(first, CHUNK_BYTES)
        assert first.in_file == room and first.length == 4 * CHUNK_BYTES
    assert shared._bytes == 0
