"""A metadata service refuses to start on a damaged directory, and never starts empty in its place.

Damaged database, log or VERSION; foreign and old parts. Whatever is damaged: the service is
refused, or reading is refused, or everything that was ever answered is there. It never says
anything else than what was written.
"""

import os
import random
import shutil
import sqlite3
from pathlib import Path
from typing import Dict, NamedTuple

import pytest

from metadata_service.record import transactions, version_file
from metadata_service.record.metadata_db import MetadataDatabase
from metadata_service.record.opening import NAME
from metadata_service.record.schema import LAYOUT
from metadata_service.record.version_file import Version
from tests.support.disks.write_ahead_log import FRAME_BYTES, PAGE_BYTES, transaction_ends
from tests.support.models.record_leader import append, lead
from tests.support.models.sample_edits import (
    Image,
    file_edit,
    file_edits,
    image_after,
    image_of,
    lines_of,
)
from zookeeper.fabric.errors import DiskFailed, StartRefused

EDITS = 300
EXPECTED = image_after(file_edits(1, EDITS))
BEFORE_THE_LAST = image_after(file_edits(1, EDITS - 1))
LOG = NAME + "-wal"


def fill(directory: Path, edits: int = EDITS) -> MetadataDatabase:
    """An open database with so many edits: most in the database itself, the newest in its log."""
    directory.mkdir(exist_ok=True)
    database = MetadataDatabase.open(str(directory), 10_000)
    lead(database, "test")
    for txid in range(1, edits + 1):
        append(database, 1, txid, lines_of([file_edit(txid)]))
    return database


@pytest.fixture(name="models", scope="module")
def _models(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Path]:
    """Two directories of the same edits: `stopped` cleanly, and `killed`, with edits in its log."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transactions, "LOG_ROWS", 550)
        database = fill(folder / "stopped")
        shutil.copytree(folder / "stopped", folder / "killed")
        database.close()
    return {"stopped": folder / "stopped", "killed": folder / "killed"}


@pytest.fixture(name="directory", params=["stopped", "killed"])
def _directory(request: pytest.FixtureRequest, models: Dict[str, Path], tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(models[request.param], tmp_path / "metadata"))


@pytest.fixture(name="killed")
def _killed(models: Dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(models["killed"], tmp_path / "metadata"))


class Found(NamedTuple):
    """What an opened directory says."""

    cluster_id: str
    last_txid: int
    image: Image


def look(directory: Path) -> Found:
    """Open, read everything, close; raises what a namenode would meet."""
    database = MetadataDatabase.open(str(directory), 10_000)
    try:
        image = image_of(database)
        for first in range(0, EDITS, 100):
            database.tail(first, 100, 0.0, 1 << 30).payload
        database.check()
        return Found(database.cluster_id, database.status().last.txid, image)
    finally:
        database.close()


def contents(directory: Path) -> Dict[str, bytes]:
    """Every file that holds anything, but for the index of the log, which SQLite makes at will."""
    paths = [path for path in directory.iterdir() if not path.name.endswith("-shm")]
    return {path.name: path.read_bytes() for path in paths if path.stat().st_size}


def refusal(directory: Path) -> str:
    """Assert that the start is refused and changes nothing; the message."""
    before = contents(directory)
    with pytest.raises(StartRefused) as refused:
        look(directory)
    assert contents(directory) == before, "a refused directory stays as it was found"
    message = refused.value.message
    assert str(directory) in message and "\n" not in message
    return message


def truncate(path: Path, size: int) -> None:
    """Cut a file to `size` bytes."""
    os.truncate(path, size)


def flip(path: Path, offset: int, bit: int) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 1 << bit
    path.write_bytes(data)


def test_the_models_are_whole(directory: Path) -> None:
    assert look(directory)[1:] == (EDITS, EXPECTED)


def test_the_killed_model_has_edits_in_its_log_and_more_in_its_database(killed: Path) -> None:
    assert len(transaction_ends((killed / LOG).read_bytes())) > 30
    found = version_file.read(str(killed))
    assert found is not None
    (killed / LOG).unlink()
    version_file.write(str(killed), found._replace(log=0))
    assert 50 < look(killed).last_txid < EDITS - 30


def test_a_missing_database_is_not_a_new_one(directory: Path) -> None:
    (directory / NAME).unlink()
    assert "missing or empty" in refusal(directory)


def test_an_empty_database_is_not_a_new_one(directory: Path) -> None:
    truncate(directory / NAME, 0)
    assert "missing or empty" in refusal(directory)


@pytest.mark.parametrize("part", [1, 99, 100, 4095, 4096, 8192, 0.3, 0.5, 0.9, -4097, -4096])
def test_a_truncated_database_is_refused(
    models: Dict[str, Path], tmp_path: Path, part: float
) -> None:
    directory = Path(shutil.copytree(models["stopped"], tmp_path / "metadata"))
    size = (directory / NAME).stat().st_size
    cut = int(size * part) if 0 < part < 1 else int(part) if part > 0 else size + int(part)
    truncate(directory / NAME, cut)
    assert "restore the whole directory from a backup" in refusal(directory)


@pytest.mark.parametrize("part", [1, 100, 4096, 0.3, 0.6, 0.9])
def test_a_truncated_database_with_its_log_is_whole_again_or_refused(
    killed: Path, part: float
) -> None:
    """The log holds pages of its own: if it has all that were cut off, nothing is lost."""
    size = (killed / NAME).stat().st_size
    truncate(killed / NAME, int(size * part) if part < 1 else int(part))
    try:
        assert look(killed)[1:] == (EDITS, EXPECTED)
    except StartRefused:
        pass


def test_a_database_full_of_something_else_is_refused(directory: Path) -> None:
    (directory / NAME).write_bytes(random.Random(1).randbytes(20_000))
    assert "damaged" in refusal(directory)


def test_another_sqlite_database_is_refused(models: Dict[str, Path], tmp_path: Path) -> None:
    directory = Path(shutil.copytree(models["stopped"], tmp_path / "metadata"))
    (directory / NAME).unlink()
    other = sqlite3.connect(str(directory / NAME))
    other.execute("CREATE TABLE other (id INTEGER)")
    other.close()
    assert "tables" in refusal(directory)


def test_a_missing_version_file_is_refused_and_can_be_written_by_hand(directory: Path) -> None:
    (directory / version_file.NAME).unlink()
    message = refusal(directory)
    lines = message.rpartition(": ")[2].split()
    names = [line.partition("=")[0] for line in lines]
    assert names == ["cluster_id", "layout", "log", "member_id"]
    (directory / version_file.NAME).write_text("\n".join(lines) + "\n")
    assert look(directory)[1:] == (EDITS, EXPECTED)


def test_a_cut_version_file_is_refused(directory: Path) -> None:
    path = directory / version_file.NAME
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert "VERSION is damaged" in refusal(directory)
    path.write_bytes(whole + b"x" * 5000)
    assert "VERSION is damaged" in refusal(directory)


def test_a_flipped_bit_in_the_version_file_changes_nothing_or_is_refused(killed: Path) -> None:
    path = killed / version_file.NAME
    whole = path.read_bytes()
    cluster_id = version_file._parse(whole).cluster_id  # type: ignore[union-attr]
    chance = random.Random(5)
    for _ in range(60):
        path.write_bytes(whole)
        flip(path, chance.randrange(len(whole)), chance.randrange(8))
        try:
            assert look(killed) == (cluster_id, EDITS, EXPECTED)
        except StartRefused:
            pass


def test_the_version_file_of_another_cluster_is_refused(
    directory: Path, tmp_path: Path
) -> None:
    fill(tmp_path / "other", 3).close()
    shutil.copy(tmp_path / "other" / version_file.NAME, directory / version_file.NAME)
    message = refusal(directory)
    assert "cluster" in message
    other = version_file.read(str(directory))
    assert other is not None and other.cluster_id in message


def test_the_database_of_another_cluster_is_refused(tmp_path: Path, directory: Path) -> None:
    fill(tmp_path / "other", 3).close()
    (directory / LOG).unlink() if (directory / LOG).exists() else None
    shutil.copy(tmp_path / "other" / NAME, directory / NAME)
    assert "cluster" in refusal(directory)


def test_a_newer_layout_is_refused(directory: Path) -> None:
    found = version_file.read(str(directory))
    assert found is not None
    version_file.write(str(directory), found._replace(layout=LAYOUT + 1))
    assert f"layout {LAYOUT + 1}" in refusal(directory)


def test_a_lost_log_is_noticed(killed: Path) -> None:
    (killed / LOG).unlink()
    assert "newest edits" in refusal(killed)


@pytest.mark.parametrize("size", [0, 31, 32, 4000, 32 + 24 + 4096 - 1])
def test_an_emptied_log_is_noticed(killed: Path, size: int) -> None:
    truncate(killed / LOG, size)
    assert "newest edits" in refusal(killed)


def test_a_log_without_its_database_is_refused(killed: Path) -> None:
    (killed / NAME).unlink()
    (killed / version_file.NAME).unlink()
    assert "missing or empty" in refusal(killed)


def test_an_old_copy_of_the_database_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "metadata"
    fill(directory, 20).close()
    old = (directory / NAME).read_bytes()
    database = MetadataDatabase.open(str(directory), 10_000)
    append(database, 1, 21, lines_of(file_edits(21, 21)))
    database.close()
    (directory / NAME).write_bytes(old)
    assert "old copy" in refusal(directory)


@pytest.mark.parametrize("missing", [1, 24, 4095, FRAME_BYTES - 1, FRAME_BYTES])
def test_a_torn_tail_of_the_log_costs_only_what_was_never_answered(
    killed: Path, missing: int
) -> None:
    end = transaction_ends((killed / LOG).read_bytes())[-1]
    truncate(killed / LOG, end - missing)
    assert look(killed)[1:] == (EDITS - 1, BEFORE_THE_LAST)


@pytest.mark.parametrize("seed", range(80))
def test_a_flipped_bit_in_the_database_is_never_believed(directory: Path, seed: int) -> None:
    chance = random.Random(seed)
    size = (directory / NAME).stat().st_size
    # Every fourth hits the first page, which holds the header and the list of tables.
    flip(directory / NAME, chance.randrange(size if seed % 4 else 4096), chance.randrange(8))
    try:
        assert look(directory)[1:] == (EDITS, EXPECTED)
    except StartRefused as error:
        assert "damaged" in error.message


@pytest.mark.parametrize("seed", range(60))
def test_a_flipped_bit_in_the_log_is_never_believed(killed: Path, seed: int) -> None:
    """Only the very last transaction may go: nobody can tell its damage from a torn tail."""
    chance = random.Random(seed)
    end = transaction_ends((killed / LOG).read_bytes())[-1]
    flip(killed / LOG, chance.randrange(end), chance.randrange(8))
    try:
        assert look(killed)[1:] in ((EDITS, EXPECTED), (EDITS - 1, BEFORE_THE_LAST))
    except StartRefused:
        pass


@pytest.mark.parametrize("behind", [3, 10, 30])
def test_a_flipped_bit_amid_the_log_is_refused(killed: Path, behind: int) -> None:
    ends = transaction_ends((killed / LOG).read_bytes())
    flip(killed / LOG, ends[-behind] - 100, 3)
    assert "broken in front of committed edits" in refusal(killed)


def change_row(directory: Path, statement: str) -> None:
    """Change the database by another program, as rot that keeps SQLite's structure would."""
    connection = sqlite3.connect(str(directory / NAME))
    assert connection.execute(statement).rowcount >= 1
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE inodes SET name = 'evil' WHERE id = 21",
        "UPDATE inodes SET id = 900000 WHERE id = 21",
        "UPDATE inodes SET mode = CAST('x' AS BLOB) WHERE id = 21",
        "UPDATE blocks SET length = length + 1 WHERE id = 31",
        "UPDATE counters SET value = value - 1",
        "UPDATE journal SET edit = replace(edit, 'complete', 'delete') WHERE txid = 7",
        "UPDATE state SET value = '0' WHERE name = 'promised'",
        "DELETE FROM state WHERE name = 'promised'",
        "DELETE FROM journal WHERE txid = 7",
    ],
)
def test_what_was_not_written_by_us_is_refused(directory: Path, statement: str) -> None:
    change_row(directory, statement)
    assert "restore the whole directory" in refusal(directory)


def test_a_damaged_tree_of_pages_is_refused(directory: Path) -> None:
    """SQLite's own check knows of pages that no row leads to any more."""
    connection = sqlite3.connect(str(directory / NAME))
    query = "SELECT rootpage FROM sqlite_master WHERE name = 'journal'"
    root = connection.execute(query).fetchone()
    connection.close()
    (directory / LOG).unlink(missing_ok=True)
    free_blocks = PAGE_BYTES * (root[0] - 1) + 1
    data = bytearray((directory / NAME).read_bytes())
    data[free_blocks : free_blocks + 2] = b"\xff\xf0"
    (directory / NAME).write_bytes(data)
    assert "is damaged" in refusal(directory)


# The first start.


def test_a_first_start_that_ended_before_version_was_written_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(directory: str, version: Version) -> None:
        raise DiskFailed("the power goes here")

    with monkeypatch.context() as patch:
        patch.setattr(version_file, "write", fail)
        with pytest.raises(DiskFailed):
            MetadataDatabase.open(str(tmp_path), 10)
    assert (tmp_path / NAME).exists() and not (tmp_path / version_file.NAME).exists()
    assert look(tmp_path)[1:] == (0, image_after([]))
    assert (tmp_path / version_file.NAME).exists()


@pytest.mark.parametrize("beginning", ["nothing", "an empty file", "no tables"])
def test_a_first_start_that_ended_at_its_beginning_is_gone_on_with(
    tmp_path: Path, beginning: str
) -> None:
    if beginning == "an empty file":
        (tmp_path / NAME).touch()
    if beginning == "no tables":
        connection = sqlite3.connect(str(tmp_path / NAME))
        connection.execute("PRAGMA journal_mode=WAL")
        connection.close()
        assert (tmp_path / NAME).stat().st_size
    assert look(tmp_path)[1:] == (0, image_after([]))
