"""Local files on their way into the cluster, several blocks at a time."""

import os
import threading
from pathlib import Path
from typing import Callable, List, Optional

import pytest

from data_service.filesystem.writing.upload import LocalBlocks, ShorterThanTold
from tests.support.disks.replicas import noise
from tests.support.models.stored import BLOCK_SIZE, Stored
from zookeeper.fabric.errors import LocalFileError, NotEnoughReplicas

DATA = noise(2 * BLOCK_SIZE + 1000, 3)


@pytest.fixture(name="stored")
def _stored() -> Stored:
    return Stored()


def send(stored: Stored, path: Path, parallel: int = 2,
         progress: Optional[Callable[[int, int], None]] = None) -> None:
    """Put a local file."""
    descriptor = os.open(path, os.O_RDONLY)
    blocks = LocalBlocks(stored, str(path), progress)  # type: ignore[arg-type]
    try:
        blocks.send(descriptor, parallel)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("parallel", [1, 2, 5])
@pytest.mark.parametrize("size", [0, 1, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1, len(DATA)])
def test_a_file_of_any_size(tmp_path: Path, stored: Stored, size: int, parallel: int) -> None:
    (tmp_path / "f").write_bytes(DATA[:size])
    send(stored, tmp_path / "f", parallel)
    assert stored.data() == DATA[:size]


def test_a_block_that_is_sent_again_counts_once(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(DATA)
    told: List[int] = []
    stored = Stored(repeat=True)
    send(stored, tmp_path / "f", 2, lambda done, total: told.append(done))
    assert stored.data() == DATA and told == sorted(told) and told[-1] == len(DATA)


def test_the_first_failure_ends_the_others(tmp_path: Path, stored: Stored) -> None:
    (tmp_path / "f").write_bytes(noise(20 * BLOCK_SIZE))
    stored.errors = {0: NotEnoughReplicas("no")}
    with pytest.raises(NotEnoughReplicas):
        send(stored, tmp_path / "f", 2)
    assert len(stored.blocks) < 20


def test_a_file_that_becomes_shorter_is_an_error(tmp_path: Path, stored: Stored) -> None:
    (tmp_path / "f").write_bytes(DATA)
    with pytest.raises(LocalFileError, match="shorter"):
        send(stored, tmp_path / "f", 1, lambda done, total: os.truncate(tmp_path / "f", 10))


@pytest.mark.parametrize("parallel", [1, 2])
def test_progress_may_stop_the_transfer(tmp_path: Path, stored: Stored, parallel: int) -> None:
    (tmp_path / "f").write_bytes(DATA)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send(stored, tmp_path / "f", parallel, interrupt)
    assert not [thread for thread in threading.enumerate() if "transfer" in thread.name]


def test_short_reads_are_no_end(
    tmp_path: Path, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of /proc give a page at a time."""
    (tmp_path / "f").write_bytes(DATA)
    whole = os.preadv
    monkeypatch.setattr(
        os, "preadv", lambda file, views, position: whole(file, [views[0][:4096]], position))
    send(stored, tmp_path / "f")
    assert stored.data() == DATA


def test_a_size_that_is_not_true_is_told_from_a_file_that_shrinks(
    tmp_path: Path, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_bytes(DATA)
    whole = os.preadv
    monkeypatch.setattr(
        os, "preadv", lambda file, views, position: position < 10 and whole(file, views, position))
    with pytest.raises(ShorterThanTold):
        send(stored, tmp_path / "f")
