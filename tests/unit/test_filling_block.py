"""A block that is sent while it fills: which ones are, and what becomes of it when that fails."""

from typing import Iterator

import pytest

from data_service.filesystem.writing import filling_block, spool
from data_service.filesystem.writing.filling_block import FillingBlock, comes_fast
from data_service.filesystem.writing.spool import SpareFiles
from data_service.protocol.checksums import CHUNK_BYTES
from tests.support.disks.replicas import noise
from tests.support.models.stored import Stored
from zookeeper.fabric.errors import NotEnoughReplicas, Unavailable

DATA = noise(6 * CHUNK_BYTES + 1000, 3)
LOST = Unavailable("the datanode is gone")


class Along(Stored):
    """With what its blocks need besides."""

    def __init__(self) -> None:
        super().__init__()
        self.block_size = 8 * CHUNK_BYTES
        self.files = SpareFiles()


@pytest.fixture(name="stored")
def _stored(monkeypatch: pytest.MonkeyPatch) -> Iterator[Along]:
    monkeypatch.setattr(spool, "MEMORY_BYTES", 2 * CHUNK_BYTES)
    monkeypatch.setattr(filling_block, "GRACE_SECONDS", 600.0)
    monkeypatch.setattr(filling_block, "PAUSE_SECONDS_MAX", 600.0)
    stored = Along()
    yield stored
    stored.files.close()
    assert all(attempt.closed for attempt in stored.attempts)


def filled(stored: Along, size: int = len(DATA)) -> FillingBlock:
    """A block with so many of the bytes."""
    block = FillingBlock(stored, 0, stored.files)  # type: ignore[arg-type]
    write(block, 0, size)
    return block


def write(block: FillingBlock, start: int, end: int) -> None:
    """This part of the bytes, in pieces."""
    for position in range(start, end, 100_000):
        view = memoryview(DATA)[position : min(position + 100_000, end)]
        while view:
            view = view[block.write(view) :]


def settled(stored: Along, block: FillingBlock) -> None:
    """It ends well, with all of its bytes."""
    block.settle()
    assert stored.data() == DATA[: block.length]


def test_a_large_block_is_sent_while_it_fills(stored: Along) -> None:
    block = filled(stored, 4 * CHUNK_BYTES + 5)
    (attempt,) = stored.attempts
    assert attempt.chunks == 4
    write(block, 4 * CHUNK_BYTES + 5, len(DATA))
    settled(stored, block)
    assert attempt.chunks == 7 and stored.threads == {}, "nothing was sent again"


def test_a_small_block_is_sent_at_its_end(stored: Along) -> None:
    block = filled(stored, 2 * CHUNK_BYTES + 5)
    settled(stored, block)
    assert stored.attempts == [] and list(stored.threads) == [0]


@pytest.mark.parametrize("chunk", [0, 1, 4, 7, -1])
def test_a_block_whose_pipeline_fails_is_written_when_it_is_whole(
    stored: Along, chunk: int
) -> None:
    stored.attempt_errors = {0: {chunk: LOST}}
    settled(stored, filled(stored))
    assert list(stored.threads) == [0] and len(stored.attempts) == 1
    assert stored.attempts[0].ended_by == (None if chunk == 0 else LOST)


def test_that_it_cannot_be_written_at_all_is_told_at_its_end(stored: Along) -> None:
    stored.attempt_errors = {0: {2: LOST}}
    stored.errors = {0: NotEnoughReplicas("no")}
    block = filled(stored)
    with pytest.raises(NotEnoughReplicas):
        block.settle()


@pytest.mark.parametrize("length, seconds, pause, fast", [
    (0, 1.0, 0.0, True), (0, 1.1, 0.0, False), (40 << 20, 11.0, 5.0, True),
    (40 << 20, 11.1, 5.0, False), (40 << 20, 9.0, 5.1, False)])
def test_what_counts_as_fast(length: int, seconds: float, pause: float, fast: bool) -> None:
    assert comes_fast(length, seconds, pause) == fast


def test_who_becomes_slow_loses_his_pipeline_and_nobody_is_blamed(
    stored: Along, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = filled(stored, 4 * CHUNK_BYTES)
    (attempt,) = stored.attempts
    monkeypatch.setattr(filling_block, "GRACE_SECONDS", -1e9)
    write(block, 4 * CHUNK_BYTES, 5 * CHUNK_BYTES)
    assert attempt.closed and attempt.chunks == 3 + 1 and attempt.ended_by is None
    monkeypatch.setattr(filling_block, "GRACE_SECONDS", 600.0)
    write(block, 5 * CHUNK_BYTES, len(DATA))
    settled(stored, block)
    assert len(stored.attempts) == 1, "he does not get another one for this block"


def test_who_is_slow_from_the_beginning_gets_none(
    stored: Along, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling_block, "GRACE_SECONDS", -1e9)
    settled(stored, filled(stored))
    assert stored.attempts == []


def test_after_an_interruption_it_is_written_when_it_is_whole(stored: Along) -> None:
    """Half a chunk may have gone out, and nobody knows."""
    stored.attempt_errors = {0: {4: KeyboardInterrupt()}}
    block = filled(stored, 3 * CHUNK_BYTES)
    with pytest.raises(KeyboardInterrupt):
        write(block, 3 * CHUNK_BYTES, 3 * CHUNK_BYTES + 100_000)
        write(block, 3 * CHUNK_BYTES + 100_000, 4 * CHUNK_BYTES)
    (attempt,) = stored.attempts
    assert attempt.closed and block.length == 4 * CHUNK_BYTES
    write(block, 4 * CHUNK_BYTES, len(DATA))
    settled(stored, block)


def test_a_block_that_is_forgotten_hangs_up(stored: Along) -> None:
    block = filled(stored)
    assert not stored.attempts[0].closed
    block.close()
    assert stored.blocks == {}
