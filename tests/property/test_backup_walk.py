"""Backups of a record that changes between any two of their pages, by a seed."""

from pathlib import Path
from random import Random
from typing import Dict, List, Optional, Tuple

import pytest

from data_service.filesystem import backing_up
from metadata_service.edits import TABLES, Change, Edit, Row, encode
from metadata_service.record.metadata_db import MetadataDatabase
from metadata_service.record.record_copy import RecordCopy
from tests.support.models.record_leader import append, lead, served
from tests.support.models.sample_edits import image_of
from zookeeper.fabric.errors import CorruptData

Image = Dict[Tuple[str, int], Row]
FRAME_BYTES = 1 << 20
KEYS = 60
STEPS = 3


def number_row(key: int, value: int) -> Row:
    """A row of `blocks`, of which each column tells which edit wrote it."""
    return (key, value, value, value, value)


class ChangingRecord:
    """Answers what a backup asks of the namenode, and makes some changes before each answer.

    `images` are the images after each edit.
    """

    def __init__(self, folder: Path, seed: int, keep_edits: int) -> None:
        self._random = Random(seed)
        folder.mkdir(parents=True)
        self.database = MetadataDatabase.open(str(folder), keep_edits)
        self._service = served(self.database, FRAME_BYTES // 2)
        self._epoch = lead(self.database, "test")
        self.images: List[Image] = [{}]
        for _ in range(self._random.randrange(40)):
            self.change()

    def change(self) -> None:
        """One edit that writes and removes rows."""
        image, changes = dict(self.images[-1]), []
        txid = len(self.images)
        for key in {self._random.randrange(1, KEYS) for _ in range(self._random.randrange(1, 5))}:
            row: Optional[Row] = number_row(key, txid)
            if self._random.random() < 0.3:
                row = None
            changes.append(("blocks", key, row))
            image.pop(("blocks", key), None)
            if row is not None:
                image["blocks", key] = row
        found: Tuple[Change, ...] = tuple(changes)
        edit = Edit(txid, "test", "client", txid, "null", found)
        append(self.database, self._epoch, txid, [encode(edit)])
        self.images.append(image)

    def record_txid(self) -> int:
        """See AdministrationCalls."""
        self._go_on()
        return self.database.status().last.txid

    def record_rows(self, table: str, after: object, limit: int) -> bytes:
        """See AdministrationCalls."""
        self._go_on()
        return self._service.load(table, after, limit)  # type: ignore[arg-type]

    def _go_on(self) -> None:
        for _ in range(self._random.randrange(STEPS)):
            self.change()


def image_in(folder: Path) -> Image:
    """What the backup in this folder holds."""
    database = MetadataDatabase.open(str(folder), 1000)
    try:
        return {("blocks", key): row for key, row in image_of(database)["blocks"].items()}
    finally:
        database.check()
        database.close()


@pytest.fixture(name="small_pages", autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backing_up, "PAGE_ROWS", 3)
    monkeypatch.setattr(backing_up, "PAGES_BETWEEN", 2)


def back_up(folder: Path, seed: int, keep_edits: int = 1000) -> Tuple[Image, Image]:
    """What a backup holds, and what it should."""
    record = ChangingRecord(folder / "record", seed, keep_edits)
    try:
        done = backing_up.back_up(record, str(folder / "backup"))  # type: ignore[arg-type]
        record.database.check()
    finally:
        record.database.close()
    assert set(done.rows) == set(TABLES)
    return image_in(folder / "backup"), record.images[done.last_txid]


@pytest.mark.parametrize("seed", range(25))
def test_a_backup_is_one_moment_of_a_record_that_changes(tmp_path: Path, seed: int) -> None:
    found, expected = back_up(tmp_path, seed)
    assert found == expected


def test_without_the_edits_it_would_be_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RecordCopy, "carry_out", lambda self, *_: self.last_txid)
    pairs = [back_up(tmp_path / str(seed), seed) for seed in range(5)]
    assert any(found != expected for found, expected in pairs)


def test_a_log_that_is_pruned_faster_than_it_is_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metadata_service.member.member_core.PRUNE_EDITS", 1)
    monkeypatch.setattr("tests.property.test_backup_walk.STEPS", 30)
    with pytest.raises(CorruptData, match="does not follow"):
        back_up(tmp_path, 1, keep_edits=5)
    assert not (tmp_path / "backup" / "VERSION").exists()
