"""A database of an older layout becomes one of this layout: whole, or not at all."""

import sqlite3
from pathlib import Path
from typing import Any, List

import pytest

from metadata_service.edits import split_lines
from metadata_service.member.member_record import alone
from metadata_service.quorum import START
from metadata_service.record import chain, migrations, version_file
from metadata_service.record.chain import following
from metadata_service.record.metadata_db import MetadataDatabase
from metadata_service.record.migrations import LAYOUTS
from metadata_service.record.opening import NAME
from metadata_service.record.schema import LAYOUT, SQL, stored
from metadata_service.record.version_file import Version
from tests.support.models.record_leader import append, standing
from tests.support.models.sample_edits import file_edit, file_edits, image_after, image_of, lines_of
from zookeeper.fabric.errors import DiskFailed, DiskFull, StartRefused

DUMP = Path(__file__).parent.parent / "support" / "layout_1.sql"
CLUSTER = "a4aac58b-d5ad-41be-aa57-d313d5a3e7ef"
EDITS = 4


@pytest.fixture(name="directory")
def _directory(tmp_path: Path) -> Path:
    """A directory of layout 1, with four edits of epoch 2."""
    connection = sqlite3.connect(str(tmp_path / NAME))
    connection.execute("PRAGMA journal_mode=WAL")
    connection.executescript(DUMP.read_text("utf-8"))
    connection.close()
    version_file.write(str(tmp_path), Version(CLUSTER, 1, 1))
    return tmp_path


def opened(directory: Path) -> MetadataDatabase:
    """The directory's database, verified."""
    database = MetadataDatabase.open(str(directory), 1000)
    database.check()
    return database


def lines(database: MetadataDatabase) -> List[str]:
    """All edits that it keeps."""
    return split_lines(database.tail(0, 1000, 0.0, 1 << 20).payload)


def layouts(directory: Path) -> List[Any]:
    """The layout that VERSION tells, and that of the database."""
    connection = sqlite3.connect(str(directory / NAME))
    rows = connection.execute("SELECT value FROM state WHERE name = 'layout'").fetchall()
    connection.close()
    version = version_file.read(str(directory))
    return [version and version.layout, int(rows[0][0])]


def test_it_holds_what_it_held_and_goes_on(directory: Path) -> None:
    database = opened(directory)
    assert standing(database) == (CLUSTER, 2, EDITS)
    assert image_of(database) == image_after(file_edits(1, EDITS))
    # An edit of today has fields more, and one of before keeps the text that it had.
    before = lines(database)
    assert len(before) == EDITS and all('"complete","client-' in line for line in before)
    append(database, 2, EDITS + 1, lines_of([file_edit(EDITS + 1)]))
    database.close()
    database = opened(directory)
    assert image_of(database) == image_after(file_edits(1, EDITS + 1))
    assert lines(database)[:EDITS] == before
    database.close()
    assert layouts(directory) == [LAYOUT, LAYOUT]


def test_the_edits_are_chained(directory: Path) -> None:
    database = opened(directory)
    digest = ""
    for line in lines(database):
        digest = following(digest, line)
    status = database.status()
    assert status.last == status.applied == (EDITS, digest) and status.first_txid == 1
    database.close()


def test_a_start_that_ends_before_version_is_written_is_gone_on_with(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_directory: str, _version: Version) -> None:
        raise DiskFailed("the power goes here")

    with monkeypatch.context() as patch:
        patch.setattr(version_file, "write", fail)
        with pytest.raises(DiskFailed):
            opened(directory)
    assert layouts(directory) == [1, LAYOUT]
    database = opened(directory)
    assert image_of(database) == image_after(file_edits(1, EDITS))
    database.close()
    assert layouts(directory) == [LAYOUT, LAYOUT]


def test_a_migration_that_fails_changes_nothing(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = migrations.put
    calls: List[Any] = []

    def fail_at_last(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == EDITS + 2:
            raise sqlite3.OperationalError("database or disk is full")
        real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(migrations, "put", fail_at_last)
        with pytest.raises(DiskFull):
            opened(directory)
    assert layouts(directory) == [1, 1]
    opened(directory).close()
    assert layouts(directory) == [LAYOUT, LAYOUT]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE inodes SET name = 'evil' WHERE id = 13",
        "UPDATE edits SET edit = replace(edit, 'complete', 'delete') WHERE txid = 2",
        "DELETE FROM edits WHERE txid = 2",
        "DELETE FROM state WHERE name = 'owner'",
        "ALTER TABLE inodes ADD COLUMN more INTEGER",
    ],
)
def test_a_damaged_one_is_refused_and_left_as_it_is(directory: Path, statement: str) -> None:
    connection = sqlite3.connect(str(directory / NAME))
    connection.execute(statement)
    connection.commit()
    connection.close()
    with pytest.raises(StartRefused, match="restore the whole directory"):
        opened(directory)
    assert layouts(directory) == [1, 1]


def test_a_database_older_than_its_version_file_is_refused(directory: Path) -> None:
    version_file.write(str(directory), Version(CLUSTER, LAYOUT, 1))
    with pytest.raises(StartRefused, match="bring database and VERSION"):
        opened(directory)


def test_what_layout_1_was_stays_as_its_program_wrote_it() -> None:
    creates = [line for line in DUMP.read_text("utf-8").splitlines() if "CREATE TABLE" in line]
    assert {line.rstrip(";") for line in creates} == LAYOUTS[1].schema


def test_there_is_a_way_from_every_layout() -> None:
    assert sorted(LAYOUTS) == list(range(1, LAYOUT + 1))
    assert sorted(migrations._STEPS) == list(range(1, LAYOUT))


LATER = [(2, ["digests", "delegations"]), (3, ["delegations"]), (4, [])]


@pytest.mark.parametrize("layout, later", LATER)
def test_the_layouts_before_get_what_they_lack(
    directory: Path, layout: int, later: List[str]
) -> None:
    opened(directory).close()
    go_back(directory, layout, later, "")
    database = opened(directory)
    assert image_of(database) == image_after(file_edits(1, EDITS))
    assert standing(database) == (CLUSTER, 2, EDITS)
    database.close()
    assert layouts(directory) == [LAYOUT, LAYOUT]


def test_who_was_the_only_one_becomes_the_only_member(directory: Path) -> None:
    database = opened(directory)
    places = [START, *chain.places(START, lines(database))]
    database.close()
    go_back(directory, 4, [], places[2].digest)
    connection = sqlite3.connect(str(directory / NAME))
    connection.execute("DELETE FROM journal WHERE txid <= 2")
    connection.commit()
    connection.close()
    database = MetadataDatabase.open(str(directory), 1000, address="here:1")
    database.check()
    status = database.status()
    assert (status.promised, status.log_epoch, status.first_txid, status.state) == (2, 2, 3, "ok")
    assert status.last == status.applied == places[EDITS] and status.decided == EDITS
    assert status.configuration == alone(status.member_id, "here:1")
    append(database, 2, EDITS + 1, lines_of([file_edit(EDITS + 1)]))
    database.close()


def go_back(directory: Path, layout: int, later: List[str], base: str) -> None:
    """Make the database in a directory one of an older layout, whose log begins behind `base`."""
    connection = sqlite3.connect(str(directory / NAME))
    for table in later:
        connection.execute(f"DROP TABLE {table}")
    known = {row[0]: row[1] for row in connection.execute("SELECT name, value FROM state")}
    connection.execute("DELETE FROM state")
    rows = {
        **{name: known[name] for name in ("cluster_id", "log", "owner")},
        "layout": str(layout), "epoch": known["promised"], "base": base,
    }  # fmt: skip
    for row in rows.items():
        connection.execute(SQL["state"].put, stored(row))
    connection.commit()
    connection.close()
    found = version_file.read(str(directory))
    assert found is not None
    version_file.write(str(directory), found._replace(layout=layout))
