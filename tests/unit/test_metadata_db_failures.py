"""The database on a disk that is full or fails: all or nothing, and no second try."""

import errno
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any, Iterator

import pytest

from metadata_service.edits import TABLES
from metadata_service.record import inspection, transactions
from metadata_service.record.metadata_db import MetadataDatabase
from metadata_service.record.recent_entries import RecentEntries
from tests.support.models.record_leader import append, lead, standing
from tests.support.models.sample_edits import BYTES_MAX, file_edits, image_after, image_of, lines_of
from zookeeper.fabric import disk
from zookeeper.fabric.errors import Busy, CorruptData, DiskFailed, DiskFull

KEEP_EDITS = 1000


@pytest.fixture(name="database")
def _database(tmp_path: Path) -> Iterator[MetadataDatabase]:
    database = MetadataDatabase.open(str(tmp_path), KEEP_EDITS)
    lead(database, "test")
    append(database, 1, 1, lines_of(file_edits(1, 5)))
    yield database
    database.close()


def edits_after_restart(directory: Path) -> int:
    """The last durable edit of the closed database, whose image must be the one of these edits."""
    database = MetadataDatabase.open(str(directory), KEEP_EDITS)
    try:
        database.check()
        last_txid = database.status().last.txid
        assert image_of(database) == image_after(file_edits(1, last_txid))
        return last_txid
    finally:
        database.close()


class BrokenConnection:
    """A connection that refuses statements of one beginning, as a failing disk would."""

    def __init__(self, real: Any, beginning: str, error: sqlite3.Error) -> None:
        self._real = real
        self._beginning = beginning
        self._error = error
        self.refused = 0

    def execute(self, statement: str, *values: Any) -> Any:
        """Refuse, or pass the statement on."""
        if statement.startswith(self._beginning):
            self.refused += 1
            raise self._error
        return self._real.execute(statement, *values)

    def cursor(self) -> "BrokenConnection":
        """What is executed by a cursor goes the same way."""
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def use(monkeypatch: pytest.MonkeyPatch, database: MetadataDatabase, broken: Any) -> None:
    """Have a database go through a broken connection."""
    for owner in (database, database._log, database._transactions):
        monkeypatch.setattr(owner, "_connection", broken)


def test_a_full_disk_refuses_an_append_whole_and_passes(
    database: MetadataDatabase, tmp_path: Path
) -> None:
    pages = database._connection.execute("PRAGMA page_count").fetchone()[0]
    database._connection.execute(f"PRAGMA max_page_count={pages}")
    many = lines_of(file_edits(6, 200))
    with pytest.raises(DiskFull):
        append(database, 1, 6, many)
    database.check()
    assert database.status().last.txid == 5 and image_of(database) == image_after(file_edits(1, 5))
    database._connection.execute("PRAGMA max_page_count=1000000")
    assert append(database, 1, 6, many) == 200
    database.close()
    assert edits_after_restart(tmp_path) == 200


@pytest.mark.parametrize("beginning", ["COMMIT", "INSERT", "BEGIN"])
def test_after_a_failed_write_nothing_is_tried_again(
    database: MetadataDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beginning: str
) -> None:
    """ATC'20 Rebello: after a failed fsync the kernel takes the pages for clean."""
    error = sqlite3.OperationalError("disk I/O error")
    broken = BrokenConnection(database._connection, beginning, error)
    use(monkeypatch, database, broken)
    with pytest.raises(DiskFailed, match="disk I/O error"):
        append(database, 1, 6, lines_of(file_edits(6, 8)))
    monkeypatch.undo()
    with pytest.raises(DiskFailed, match="takes no more edits"):
        append(database, 1, 6, lines_of(file_edits(6, 8)))
    with pytest.raises(DiskFailed, match="takes no more edits"):
        lead(database, "next")
    assert broken.refused == 1 and standing(database)[1:] == (1, 5)
    assert image_of(database) == image_after(file_edits(1, 5)), "reads go on"
    database.close()
    assert edits_after_restart(tmp_path) == 5


def test_a_failed_rollback_ends_it_too(
    database: MetadataDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullAndStuck(BrokenConnection):
        """Says full at COMMIT, and cannot roll back either."""

        def execute(self, statement: str, *values: Any) -> Any:
            if statement == "ROLLBACK":
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(statement, *values)

    error = sqlite3.OperationalError("database or disk is full")
    stuck = FullAndStuck(database._connection, "COMMIT", error)
    use(monkeypatch, database, stuck)
    with pytest.raises(DiskFull):
        append(database, 1, 6, lines_of(file_edits(6, 6)))
    monkeypatch.undo()
    database._connection.execute("ROLLBACK")
    with pytest.raises(DiskFailed):
        append(database, 1, 6, lines_of(file_edits(6, 6)))


def test_a_log_that_cannot_be_emptied_costs_no_answer(
    database: MetadataDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "LOG_ROWS", 1)
    real = database._connection
    full = sqlite3.OperationalError("database or disk is full")
    use(monkeypatch, database, BrokenConnection(real, "PRAGMA wal", full))
    assert append(database, 1, 6, lines_of(file_edits(6, 6))) == 6
    assert append(database, 1, 7, lines_of(file_edits(7, 7))) == 7, "it stays in the log"
    failed = sqlite3.OperationalError("disk I/O error")
    use(monkeypatch, database, BrokenConnection(real, "PRAGMA wal", failed))
    assert append(database, 1, 8, lines_of(file_edits(8, 8))) == 8, "it was durable before"
    with pytest.raises(DiskFailed):
        append(database, 1, 9, lines_of(file_edits(9, 9)))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE inodes SET name = 'evil' WHERE id = 12",
        "UPDATE inodes SET id = 900000 WHERE id = 12",
        "UPDATE inodes SET mode = CAST('x' AS BLOB) WHERE id = 12",
        "UPDATE inodes SET name = CAST(x'ff' AS TEXT) WHERE id = 12",
        "UPDATE inodes SET mode = 420.5 WHERE id = 12",
        "UPDATE inodes SET crc = crc + 1 WHERE id = 12",
    ],
)
def test_a_damaged_row_is_never_read_out(database: MetadataDatabase, statement: str) -> None:
    database._connection.execute(statement)
    with pytest.raises(CorruptData):
        database.load(TABLES["inodes"], None, 100, BYTES_MAX)
    assert database.load(TABLES["blocks"], None, 100, BYTES_MAX), "the others are whole"


def test_a_damaged_edit_is_never_read_out(database: MetadataDatabase) -> None:
    database._connection.execute("UPDATE journal SET epoch = 2 WHERE txid = 4")
    database._log._recent = RecentEntries()
    assert database.tail(0, 3, 0.0, BYTES_MAX).payload
    with pytest.raises(CorruptData):
        database.tail(0, 4, 0.0, BYTES_MAX)


def test_a_start_compares_only_some_checksums(
    database: MetadataDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database._connection.execute("UPDATE inodes SET name = 'evil' WHERE id = 15")
    database.close()
    monkeypatch.setattr(inspection, "ROWS_CHECKED", 2)
    with pytest.raises(CorruptData):
        edits_after_restart(tmp_path)


def test_a_checkpoint_tells_of_damage(database: MetadataDatabase) -> None:
    real = database._connection
    real.execute("UPDATE inodes SET name = 'other' WHERE id = 12")
    with pytest.raises(CorruptData):
        database.checkpoint(1)
    # What is damaged is one row; the namenode still has it, and goes on recording.
    assert append(database, 1, 6, lines_of(file_edits(6, 6))) == 6


def test_a_checkpoint_on_a_full_disk_passes(
    database: MetadataDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = sqlite3.OperationalError("disk is full")
    use(monkeypatch, database, BrokenConnection(database._connection, "PRAGMA wal", full))
    with pytest.raises(DiskFull):
        database.checkpoint(1)
    monkeypatch.undo()
    assert database.checkpoint(1) == 5


def test_a_checkpoint_that_fails_ends_the_database(
    database: MetadataDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = sqlite3.OperationalError("disk I/O error")
    use(monkeypatch, database, BrokenConnection(database._connection, "PRAGMA wal", failed))
    with pytest.raises(DiskFailed):
        database.checkpoint(1)
    monkeypatch.undo()
    for attempt in (lambda: database.checkpoint(1), lambda: append(database, 1, 6, lines_of(
            file_edits(6, 6)))):
        with pytest.raises(DiskFailed):
            attempt()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_too_many_open_files_end_no_database(
    database: MetadataDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Whoever connects often enough would otherwise end it until somebody starts it again."""

    def refuse(*_arguments: Any) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(transactions, "LOG_ROWS", 1)
    monkeypatch.setattr(disk.SystemCalls, "open", staticmethod(refuse))
    with pytest.raises(Busy):
        database.checkpoint(1)
    assert append(database, 1, 6, lines_of(file_edits(6, 6))) == 6
    monkeypatch.undo()
    assert append(database, 1, 7, lines_of(file_edits(7, 7))) == 7 and database.checkpoint(1) == 7
    database.close()
    assert edits_after_restart(tmp_path) == 7


@pytest.mark.parametrize("name", ["metadata.db", "metadata.db-wal", ""])
@pytest.mark.parametrize("replaced", [False, True])
def test_what_goes_into_files_that_were_taken_away_is_not_answered(
    database: MetadataDatabase, tmp_path: Path, name: str, replaced: bool
) -> None:
    """It was synced, answered, and gone at the next start."""
    path = tmp_path / name
    away = path.rename(tmp_path.parent / f"{tmp_path.name}.away")
    if replaced and name:
        shutil.copy(away, path)
    elif replaced:
        shutil.copytree(away, path)
    with pytest.raises(DiskFailed, match="was taken away or replaced"):
        append(database, 1, 6, lines_of(file_edits(6, 6)))
    with pytest.raises(DiskFailed):
        append(database, 1, 6, lines_of(file_edits(6, 6)))
    if not path.exists():
        away.rename(path)
    elif not name:
        shutil.rmtree(away)
    database.close()
