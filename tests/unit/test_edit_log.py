"""The log of edits: chained, so that a log which was changed anywhere is another log."""

import sqlite3
from pathlib import Path
from typing import Iterator

import pytest

from metadata_service.member import member_core as member
from metadata_service.record.chain import following
from metadata_service.record.edit_log import EditLog
from metadata_service.record.inspection import check_rows
from metadata_service.record.metadata_db import MetadataDatabase
from metadata_service.record.opening import NAME
from metadata_service.record.schema import SQL, stored
from tests.support.models.record_leader import append, lead
from tests.support.models.sample_edits import file_edit, file_edits, lines_of
from zookeeper.fabric.errors import StartRefused

KEEP = 20


@pytest.fixture(name="database")
def _database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MetadataDatabase]:
    """Ten edits; of more, about twenty are kept."""
    monkeypatch.setattr(member, "PRUNE_EDITS", 5)
    database = MetadataDatabase.open(str(tmp_path), KEEP)
    lead(database, "test")
    append(database, 1, 1, lines_of(file_edits(1, 10)))
    yield database
    database.close()


def test_equal_edits_make_equal_logs_however_they_came(
    database: MetadataDatabase, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = MetadataDatabase.open(str(tmp_path / "other"), KEEP)
    lead(other, "another")
    lead(other, "another")
    for txid in range(1, 11):
        append(other, 2, txid, lines_of([file_edit(txid)]))
    assert other.status().last == database.status().last
    other.close()


def test_one_edit_that_differs_makes_another_log() -> None:
    first, other = following("", "one"), following("", "another")
    assert first != other and following(first, "two") != following(other, "two")
    assert following(first, "two") == following(following("", "one"), "two")


def test_a_pruned_log_goes_on_in_the_same_chain(database: MetadataDatabase) -> None:
    digest = ""
    for edit in file_edits(1, 200):
        digest = following(digest, lines_of([edit])[0])
        if edit.txid > 10:
            append(database, 1, edit.txid, lines_of([edit]))
    status = database.status()
    assert status.last == (200, digest) == EditLog(database._connection).last()
    assert KEEP <= 200 - status.first_txid + 1 <= KEEP + 10
    check_rows(database._connection)
    database.check()


def test_an_edit_that_was_exchanged_with_its_checksum_is_noticed(
    database: MetadataDatabase, tmp_path: Path
) -> None:
    database.close()
    connection = sqlite3.connect(str(tmp_path / NAME))
    forged = lines_of([file_edit(5, name="forged")])[0]
    query = "SELECT digest FROM journal WHERE txid = 5"
    (digest,) = connection.execute(query).fetchone()
    connection.execute(SQL["journal"].put, stored((5, 1, digest, forged)))
    connection.commit()
    connection.close()
    with pytest.raises(StartRefused, match="edit 5 does not follow"):
        MetadataDatabase.open(str(tmp_path), KEEP)
