"""A member's database: one transaction a decision, and nobody waits who need not."""

import shutil
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from metadata_service.edits import TABLES, decode_rows, join_lines
from metadata_service.member import applier
from metadata_service.quorum import START, Configuration, MemberStatus
from metadata_service.record.backup import Backup, restore, version_of
from metadata_service.record.exports import Exports
from metadata_service.record.metadata_db import MetadataDatabase
from metadata_service.record.opening import RESTORE_LEAP
from metadata_service.record.schema import JOURNAL
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.models.led_member import LINES, OTHER_PLACES, OTHERS, PLACES, A, B, payload
from tests.support.models.record_leader import append, lead
from tests.support.models.sample_edits import (
    BYTES_MAX,
    file_edit,
    file_edits,
    image_after,
    image_of,
    lines_of,
)
from zookeeper.fabric.errors import Busy, Unavailable

CLUSTER = "cluster"


def opened(folder: Path) -> MetadataDatabase:
    """One of three members, or what it was."""
    return MetadataDatabase.open(str(folder), 1000, blank=True)


def three(database: MetadataDatabase) -> Configuration:
    """It and two others."""
    own = database.status().member_id
    return Configuration(1, (((own, "a:1"), ("m2", "b:1"), ("m3", "c:1")),))


@pytest.fixture(name="database")
def _database(tmp_path: Path) -> Iterator[MetadataDatabase]:
    """One of three members, with ten edits of the leader A, of which four are decided."""
    (tmp_path / "m").mkdir()
    database = opened(tmp_path / "m")
    database.claim(CLUSTER, 1, A)
    database.adopt(1, A, START, b"", 0, three(database))
    database.append(1, START, payload(1, 9), 0, (("m2", 1, 0),))
    database.append(1, PLACES[9], payload(10, 10), 2, (("m2", 1, 9),))
    yield database
    database.close()


def known(database: MetadataDatabase) -> List[Any]:
    """All that it would know after a start."""
    return [database.status()._replace(silent_seconds=0.0), image_of(database),
            decode_rows(database.load(JOURNAL, None, 1000, BYTES_MAX))]


class CopyingConnection:
    """Has the directory copied before every statement."""

    def __init__(self, real: Any, copy: Callable[[], None]) -> None:
        self._real, self._copy = real, copy

    def execute(self, statement: str, *values: Any) -> Any:
        """Copy, then pass the statement on."""
        self._copy()
        return self._real.execute(statement, *values)

    def cursor(self) -> "CopyingConnection":
        """What is executed by a cursor goes the same way."""
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


DECISIONS = {
    "claim": lambda database: database.claim(CLUSTER, 2, B),
    "adopt": lambda database: database.adopt(
        2, B, PLACES[3], payload(4, 12, OTHERS), 7, three(database)._replace(version=5)),
    "append": lambda database: database.append(
        1, PLACES[10], payload(11, 20), 10, (("m2", 1, 10), ("m3", 1, 4))),
    "pull": lambda database: database.pull(PLACES[2], payload(3, 12, OTHERS)),
}


@pytest.mark.parametrize("name", sorted(DECISIONS))
def test_a_kill_in_the_midst_of_a_decision_leaves_all_of_it_or_nothing(
    database: MetadataDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before = known(database)
    copies: List[Path] = []

    def copy() -> None:
        copies.append(tmp_path / f"copy {len(copies)}")
        shutil.copytree(tmp_path / "m", copies[-1])

    copying = CopyingConnection(database._connection, copy)
    with monkeypatch.context() as patch:
        for owner in (database, database._log, database._transactions):
            patch.setattr(owner, "_connection", copying)
        DECISIONS[name](database)
        copy()
    after = known(database)
    assert after != before
    found = []
    for folder in copies:
        killed = opened(folder)
        killed.check()
        found.append(known(killed))
        killed.close()
    # What is decided is not kept, but for what has been applied.
    for state in (before, after, *found):
        state[0] = state[0]._replace(decided=0)
    assert [state in (before, after) for state in found] == [True] * len(found)
    assert found[0] == before and found[-1] == after and len(found) > 4


def test_who_proves_itself_or_asks_for_the_status_does_not_wait_for_the_disk(
    database: MetadataDatabase
) -> None:
    told: List[Any] = []

    def ask() -> None:
        told.append(database.prove(1, 10))
        told.append(database.status())
        database.release(1)

    with database._lock:  # As while it syncs.
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive() and told[0].promised == 1
        status: MemberStatus = told[1]
        assert (status.decided, status.applied) == (10, PLACES[2])


def test_who_follows_hears_of_an_edit_when_it_is_decided(database: MetadataDatabase) -> None:
    heard: List[Any] = []
    thread = threading.Thread(
        target=lambda: heard.append(database.tail(2, 100, PATIENCE_SECONDS, BYTES_MAX)))
    thread.start()
    database.append(1, PLACES[10], payload(11, 11), 2, ())
    assert thread.is_alive() and not heard, "it is stored, and not decided"
    database.prove(1, 6)
    thread.join(PATIENCE_SECONDS)
    assert heard == [(6, payload(3, 6), False)]


def test_a_wait_for_edits_ends_in_time_and_with_the_database(database: MetadataDatabase) -> None:
    assert database.tail(2, 100, 0.01, BYTES_MAX) == (2, b"", False)
    assert database.tail(2, 100, -5.0, BYTES_MAX).payload == b""
    raised: List[Unavailable] = []

    def follow() -> None:
        try:
            database.tail(2, 100, 30.0, BYTES_MAX)
        except Unavailable as error:
            raised.append(error)

    thread = threading.Thread(target=follow)
    began = time.monotonic()
    thread.start()
    database.close()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive() and raised and time.monotonic() - began < 30.0


def test_who_follows_gets_old_edits_from_the_disk(tmp_path: Path) -> None:
    database = MetadataDatabase.open(str(tmp_path), 1000)
    lead(database)
    append(database, 1, 1, LINES)
    database.close()
    database = MetadataDatabase.open(str(tmp_path), 1000)
    assert database.tail(3, 4, 0.0, BYTES_MAX) == (40, payload(4, 7), False)
    append(database, 1, 41, lines_of([file_edit(41)]))
    assert database.tail(39, 9, 0.0, BYTES_MAX).payload == join_lines(
        [LINES[39], *lines_of([file_edit(41)])])
    assert database.tail(40, 9, 0.0, BYTES_MAX).payload == join_lines(lines_of([file_edit(41)]))
    database.close()


def test_what_a_proof_tells_is_applied_without_another_edit(database: MetadataDatabase) -> None:
    applying = applier.Applier(database, Exports(database, BYTES_MAX, time.monotonic))
    try:
        database.prove(1, 10)
        wait_until(lambda: database.status().applied == PLACES[10], what="all are applied")
        assert image_of(database) == image_after(file_edits(1, 10))
        database.check()
    finally:
        applying.stop()


def test_who_applies_goes_on_after_a_defect(
    database: MetadataDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, broken = database.settle, iter([RuntimeError("a defect")])

    def settle() -> bool:
        for error in broken:
            raise error
        return real()

    monkeypatch.setattr(applier, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(database, "settle", settle)
    applying = applier.Applier(database, Exports(database, BYTES_MAX, time.monotonic))
    try:
        database.prove(1, 10)
        wait_until(lambda: database.status().applied == PLACES[10], what="all are applied")
    finally:
        applying.stop()


def test_a_member_that_stood_still_while_it_was_killed_has_lost_nothing(tmp_path: Path) -> None:
    """Also one that is alone: its image may be older than its log."""
    database = MetadataDatabase.open(str(tmp_path), 1000)
    lead(database)
    append(database, 1, 1, LINES[:3])
    assert database.stand_still() == PLACES[3]
    append(database, 1, 4, LINES[3:9])
    assert image_of(database) == image_after(file_edits(1, 3))
    database.close()
    database = MetadataDatabase.open(str(tmp_path), 1000)
    database.check()
    status = database.status()
    assert (status.applied, status.last, status.decided) == (PLACES[3], PLACES[9], 9)
    assert not database.settle() and image_of(database) == image_after(file_edits(1, 9))
    database.check()
    database.close()


def test_a_record_from_a_backup_is_another_member_and_leaps(tmp_path: Path) -> None:
    for name in ("m", "backup", "new"):
        (tmp_path / name).mkdir()
    database = MetadataDatabase.open(str(tmp_path / "m"), 1000, address="a:1")
    lead(database, epoch=7)
    append(database, 7, 1, LINES[:9])
    backup = Backup(str(tmp_path / "backup"))
    backup.begin(database.cluster_id, 7, START, [])
    for name, table in TABLES.items():
        backup.add_rows(table, decode_rows(database.load(table, None, 1000, BYTES_MAX)))
    backup.add_edits(decode_rows(database.load(JOURNAL, None, 1000, BYTES_MAX)))
    backup.finish()
    before = database.status()
    database.close()
    backup = str(tmp_path / "backup")
    restore(backup, version_of(backup), str(tmp_path / "new"))
    for _ in range(2):
        restored = MetadataDatabase.open(str(tmp_path / "new"), 1000, address="b:1")
        restored.check()
        status = restored.status()
        assert status.cluster_id == before.cluster_id and status.member_id != before.member_id
        assert (status.promised, status.log_epoch) == (7 + RESTORE_LEAP, 7 + RESTORE_LEAP)
        assert status.configuration.sets == (((status.member_id, "b:1"),),)
        assert (status.last, status.applied) == (PLACES[9], PLACES[9])
        assert image_of(restored) == image_after(file_edits(1, 9))
        restored.close()


def test_after_a_start_the_leader_before_it_may_still_lead(tmp_path: Path) -> None:
    database = MetadataDatabase.open(str(tmp_path), 1000, 3600.0)
    database.claim(database.cluster_id, 1, A)
    database.close()
    database = MetadataDatabase.open(str(tmp_path), 1000, 3600.0)
    with pytest.raises(Busy):
        database.claim(database.cluster_id, 2, B)
    assert database.claim(database.cluster_id, 2, "a:1 again").promised == 2
    database.close()
    database = MetadataDatabase.open(str(tmp_path), 1000, 0.0)
    assert database.claim(database.cluster_id, 3, B).promised == 3
    database.close()


def test_of_another_leaders_log_nothing_is_known_as_decided_before_it_is_adopted(
    database: MetadataDatabase
) -> None:
    database.release(1)
    database.claim(CLUSTER, 2, B)
    database.prove(2, 10)
    assert database.status().decided == 2
    database.adopt(2, B, PLACES[2], payload(3, 5, OTHERS), 4, three(database))
    assert database.status().last == OTHER_PLACES[5] and database.status().decided == 4
    assert image_of(database) == image_after(
        [*file_edits(1, 3), file_edit(4, "of another leader")])
