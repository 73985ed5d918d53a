"""The database: all or nothing, once only, fenced, and durable before it answers."""

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Callable, Iterator, List

import pytest

from metadata_service.edits import TABLES, Edit, decode_rows, split_lines
from metadata_service.member import member_core as member
from metadata_service.member.member_core import PRUNE_EDITS
from metadata_service.record import transactions, version_file
from metadata_service.record.metadata_db import MetadataDatabase
from metadata_service.record.opening import NAME
from metadata_service.record.schema import JOURNAL
from tests.support.models.record_leader import append, lead, standing
from tests.support.models.sample_edits import (
    BYTES_MAX,
    file_edit,
    file_edits,
    image_after,
    image_of,
    lines_of,
)
from zookeeper.fabric.errors import (
    DfsError,
    Fenced,
    OutOfStep,
    ProtocolViolation,
    StartRefused,
)

KEEP_EDITS = 1000
Open = Callable[[], MetadataDatabase]


@pytest.fixture(name="open_database")
def _open_database(tmp_path: Path) -> Iterator[Open]:
    """Opens the one database of this test; the one opened before is checked and closed."""
    opened: List[MetadataDatabase] = []

    def close() -> None:
        while opened:
            database = opened.pop()
            database.check()
            database.close()

    def open_again() -> MetadataDatabase:
        close()
        opened.append(MetadataDatabase.open(str(tmp_path), KEEP_EDITS))
        return opened[0]

    yield open_again
    close()


@pytest.fixture(name="database")
def _database(open_database: Open) -> MetadataDatabase:
    database = open_database()
    assert lead(database, "test") == 1
    return database


def now_and_restarted(database: MetadataDatabase, again: Open) -> Iterator[MetadataDatabase]:
    """The database as it is, then the same one opened anew."""
    yield database
    yield again()


def kept_edits(database: MetadataDatabase, txid: int = 0) -> List[str]:
    """The lines of all edits that are kept behind `txid`."""
    rows = decode_rows(database.load(JOURNAL, txid, 1 << 30, 1 << 30))
    return [row[3] for row in rows]


def test_a_new_directory_gets_a_database_and_an_identity(
    tmp_path: Path, open_database: Open
) -> None:
    database = open_database()
    cluster_id, epoch, last_txid = standing(database)
    assert (epoch, last_txid) == (0, 0)
    version = version_file.read(str(tmp_path))
    assert version is not None and version.cluster_id == cluster_id and len(cluster_id) == 36
    assert version.member_id == database.status().member_id != cluster_id
    assert standing(open_database()) == (cluster_id, 0, 0)


def test_two_directories_have_two_identities(tmp_path: Path) -> None:
    found = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        database = MetadataDatabase.open(str(tmp_path / name), KEEP_EDITS)
        found.add(database.cluster_id)
        database.close()
    assert len(found) == 2


def test_commits_are_synced_by_one_connection_alone(
    tmp_path: Path, database: MetadataDatabase
) -> None:
    settings = ("journal_mode", "synchronous", "locking_mode", "wal_autocheckpoint")
    found = [database._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in settings]
    assert found == ["wal", 2, "exclusive", 0]
    other = sqlite3.connect(str(tmp_path / NAME), timeout=0)
    try:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("SELECT count(*) FROM journal")
    finally:
        other.close()
    with pytest.raises(StartRefused, match="another program"):
        MetadataDatabase.open(str(tmp_path), KEEP_EDITS)


def test_edits_and_their_rows_survive_a_restart(
    database: MetadataDatabase, open_database: Open
) -> None:
    edits = file_edits(1, 50)
    assert append(database, 1, 1, lines_of(edits[:1])) == 1
    assert append(database, 1, 2, lines_of(edits[1:])) == 50
    for current in now_and_restarted(database, open_database):
        assert standing(current) == (database.cluster_id, 1, 50)
        assert image_of(current) == image_after(edits)
        assert kept_edits(current) == lines_of(edits)


def test_of_a_row_that_edits_of_one_append_change_the_last_state_is_kept(
    database: MetadataDatabase, open_database: Open
) -> None:
    table = TABLES["counters"]
    changes = [
        (("counters", "a", ("a", 1)), ("counters", "b", ("b", 1)), ("counters", "c", ("c", 1))),
        (("counters", "a", ("a", 2)), ("counters", "b", None), ("deleted_blocks", 1, (1, 7))),
        (("counters", "c", None), ("counters", "a", ("a", 3)), ("counters", "c", ("c", 3))),
    ]
    edits = [Edit(txid, "op", "", 0, "", rows) for txid, rows in enumerate(changes, 1)]
    append(database, 1, 1, lines_of(edits))
    for each in now_and_restarted(database, open_database):
        assert decode_rows(each.load(table, None, 9, 1000)) == [("a", 3), ("c", 3)]
        assert decode_rows(each.load(TABLES["deleted_blocks"], None, 9, 1000)) == [(1, 7)]
        assert kept_edits(each) == lines_of(edits)


def test_a_copy_of_the_directory_at_any_moment_has_all_that_was_answered(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, database: MetadataDatabase
) -> None:
    """A kill leaves exactly these files: nothing of an answered append is in memory only."""
    for txid in range(1, 30):
        append(database, 1, txid, lines_of(file_edits(txid, txid)))
        crashed = tmp_path_factory.mktemp("crashed")
        for path in tmp_path.iterdir():
            (crashed / path.name).write_bytes(path.read_bytes())
        restarted = MetadataDatabase.open(str(crashed), KEEP_EDITS)
        try:
            assert standing(restarted) == (database.cluster_id, 1, txid)
            assert image_of(restarted) == image_after(file_edits(1, txid))
            restarted.check()
        finally:
            restarted.close()


@pytest.mark.parametrize("page_rows", [1, 7, 1000])
@pytest.mark.parametrize("bytes_max", [1, 500, BYTES_MAX])
def test_pages_have_every_row_once(
    database: MetadataDatabase, page_rows: int, bytes_max: int
) -> None:
    edits = file_edits(1, 40)
    append(database, 1, 1, lines_of(edits))
    keys: List[int] = []
    while True:
        after = keys[-1] if keys else None
        payload = database.load(TABLES["inodes"], after, page_rows, bytes_max)
        page = [row[0] for row in decode_rows(payload)]
        assert len(page) <= page_rows and (len(payload) <= bytes_max or len(page) == 1)
        if not page:
            break
        keys += page
    assert keys == sorted(image_after(edits)["inodes"])


def test_edits_come_in_pages_too(database: MetadataDatabase) -> None:
    lines = lines_of(file_edits(1, 9))
    append(database, 1, 1, lines)
    assert split_lines(database.tail(0, 4, 0.0, BYTES_MAX).payload) == lines[:4]
    assert split_lines(database.tail(4, 4, 0.0, BYTES_MAX).payload) == lines[4:8]
    assert split_lines(database.tail(4, 4, 0.0, 1).payload) == lines[4:5]
    assert database.tail(9, 4, 0.0, BYTES_MAX).payload == b""


@pytest.mark.parametrize("first, last", [(1, 5), (1, 1), (5, 5), (2, 4), (3, 9), (5, 6), (1, 9)])
def test_a_repeated_append_counts_once(
    database: MetadataDatabase, open_database: Open, first: int, last: int
) -> None:
    edits = file_edits(1, 9)
    assert append(database, 1, 1, lines_of(edits[:5])) == 5
    assert append(database, 1, first, lines_of(edits[first - 1 : last])) == max(last, 5)
    for current in now_and_restarted(database, open_database):
        assert kept_edits(current) == lines_of(edits[: max(last, 5)])
        assert image_of(current) == image_after(edits[: max(last, 5)])


@pytest.mark.parametrize("position", range(1, 6))
def test_other_content_under_a_known_txid_is_refused(
    database: MetadataDatabase, position: int
) -> None:
    edits = file_edits(1, 7)
    append(database, 1, 1, lines_of(edits[:5]))
    edits[position - 1] = file_edit(position, "other name")
    with pytest.raises(OutOfStep, match="another one"):
        append(database, 1, 1, lines_of(edits))
    assert database.status().last.txid == 5 and kept_edits(database) == lines_of(file_edits(1, 5))


@pytest.mark.parametrize(
    "first, txids", [(6, [6, 8]), (6, [7]), (6, [6, 6]), (0, [0]), (-3, [-3])]
)
def test_nonsense_is_refused(
    database: MetadataDatabase, first: int, txids: List[int]
) -> None:
    append(database, 1, 1, lines_of(file_edits(1, 5)))
    with pytest.raises(ProtocolViolation):
        append(database, 1, first, lines_of([file_edit(txid) for txid in txids]))
    assert append(database, 1, 6, lines_of(file_edits(6, 6))) == 6


@pytest.mark.parametrize("first, last", [(7, 7), (8, 9), (6, 5)])
def test_who_leaves_a_gap_is_told_where_the_log_ends(
    database: MetadataDatabase, first: int, last: int
) -> None:
    append(database, 1, 1, lines_of(file_edits(1, 5)))
    assert append(database, 1, first, lines_of(file_edits(first, last))) == 5
    assert append(database, 1, 6, lines_of(file_edits(6, 6))) == 6


@pytest.mark.parametrize(
    "name, size", [("lone surrogate \ud800", 1), ("number too large", 1 << 63)], ids=["text", "int"]
)
def test_an_append_that_cannot_be_stored_leaves_nothing_behind(
    database: MetadataDatabase, open_database: Open, name: str, size: int
) -> None:
    append(database, 1, 1, lines_of(file_edits(1, 5)))
    odd = ("inodes", 99, (99, 1, name, "f", "a", "g", 0, 0, 0, 1, size, None, None))
    edits = file_edits(6, 8) + [Edit(9, "complete", "c", 9, "null", (odd,))]
    with pytest.raises(ProtocolViolation, match="cannot be stored"):
        append(database, 1, 6, lines_of(edits))
    database.check()
    for current in now_and_restarted(database, open_database):
        assert current.status().last.txid == 5
        assert image_of(current) == image_after(file_edits(1, 5))
    assert append(current, 1, 6, lines_of(file_edits(6, 9))) == 9, "the service goes on"


def test_an_older_epoch_is_fenced_for_ever(
    database: MetadataDatabase, open_database: Open
) -> None:
    """HDFS's journal nodes: whoever was paused and comes back finds its epoch refused."""
    append(database, 1, 1, lines_of(file_edits(1, 3)))
    assert lead(database, "another") == 2
    for current in now_and_restarted(database, open_database):
        for first in (1, 4):
            with pytest.raises(Fenced):
                append(current, 1, first, lines_of(file_edits(first, first)))
        assert standing(current)[1:] == (2, 3)
    assert append(current, 2, 4, lines_of(file_edits(4, 4))) == 4
    assert lead(current, "another") == 3
    with pytest.raises(Fenced):
        append(current, 2, 5, lines_of(file_edits(5, 5)))


def test_an_epoch_that_nobody_claimed_is_refused(database: MetadataDatabase) -> None:
    with pytest.raises(OutOfStep, match="not yet of 2"):
        append(database, 2, 1, lines_of(file_edits(1, 1)))


def test_epochs_grow_over_restarts_and_threads(open_database: Open) -> None:
    claimed: List[int] = []

    def claim(database: MetadataDatabase, number: int) -> None:
        while True:
            try:
                claimed.append(lead(database, f"racer {number}"))
                return
            except Fenced:
                continue

    for _ in range(3):
        database = open_database()
        threads = [
            threading.Thread(target=claim, args=(database, number))
            for number in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(set(claimed)) == 12


def test_old_edits_go_a_bit_at_a_time(
    database: MetadataDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database._core, "_keep_edits", 20)
    monkeypatch.setattr(member, "PRUNE_EDITS", 10)
    most = 0
    for txid in range(1, 200, 3):
        append(database, 1, txid, lines_of(file_edits(txid, txid + 2)))
        kept = kept_edits(database)
        most = max(most, len(kept))
        assert kept[-20:] == lines_of(file_edits(max(txid + 2 - 19, 1), txid + 2))
        database.check()
    assert 20 <= most < 20 + 10 + 3
    assert image_of(database) == image_after(file_edits(1, 201)), "only the edits are pruned"
    with pytest.raises(OutOfStep):
        append(database, 1, 1, lines_of(file_edits(1, 1)))


def test_pruning_catches_up_when_fewer_edits_shall_be_kept(
    tmp_path: Path, database: MetadataDatabase, open_database: Open
) -> None:
    append(database, 1, 1, lines_of(file_edits(1, 4 * PRUNE_EDITS)))
    later = open_database()
    later._core._keep_edits = 1
    for txid in range(4 * PRUNE_EDITS + 1, 4 * PRUNE_EDITS + 6):
        append(later, 1, txid, lines_of(file_edits(txid, txid)))
    assert len(kept_edits(later)) <= PRUNE_EDITS


def test_the_log_begins_again_and_nothing_is_lost(
    tmp_path: Path,
    database: MetadataDatabase,
    open_database: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transactions, "LOG_ROWS", 25)
    before = version_file.read(str(tmp_path))
    sizes = set()
    for txid in range(1, 101):
        append(database, 1, txid, lines_of(file_edits(txid, txid)))
        sizes.add(os.path.getsize(tmp_path / (NAME + "-wal")))
    after = version_file.read(str(tmp_path))
    assert before is not None and after is not None and after.log >= before.log + 10
    assert max(sizes) < 60 * 4120, "the file of the log is used again and again"
    assert image_of(open_database()) == image_after(file_edits(1, 100))


def test_a_checkpoint_leaves_nothing_in_the_log_alone(
    tmp_path: Path, database: MetadataDatabase, open_database: Open
) -> None:
    edits = file_edits(1, 40)
    append(database, 1, 1, lines_of(edits))

    def files_in_a_copy() -> int:
        # Without the log beside it: SQLite reads what is in the database itself.
        copy = tmp_path / "copy.db"
        copy.write_bytes((tmp_path / NAME).read_bytes())
        with closing(sqlite3.connect(copy)) as connection:
            return connection.execute("SELECT count(*) FROM inodes").fetchone()[0]

    files = len(image_after(edits)["inodes"])
    assert files_in_a_copy() < files
    before = version_file.read(str(tmp_path))
    assert database.checkpoint(1) == 40
    assert files_in_a_copy() == files
    after = version_file.read(str(tmp_path))
    assert before is not None and after is not None and after.log == before.log + 1
    append(database, 1, 41, lines_of(file_edits(41, 50)))
    assert image_of(open_database()) == image_after(file_edits(1, 50))
    lead(open_database(), "newer")
    with pytest.raises(Fenced):
        open_database().checkpoint(1)


def test_threads_that_race_with_the_same_appends_agree(database: MetadataDatabase) -> None:
    lines = lines_of(file_edits(1, 60))
    errors: List[DfsError] = []

    def send() -> None:
        for first in range(1, 61, 3):
            try:
                append(database, 1, first, lines[first - 1 : first + 2])
            except DfsError as error:
                errors.append(error)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and kept_edits(database) == lines
    assert image_of(database) == image_after(file_edits(1, 60))


def test_repr_tells_the_state(database: MetadataDatabase) -> None:
    append(database, 1, 1, lines_of(file_edits(1, 2)))
    assert repr(database) == "<MetadataDatabase to txid 2, epoch 1>"
