"""A member goes on by itself when a person says so, and only then."""

from pathlib import Path

import pytest

from metadata_service.edits import join_lines
from metadata_service.going_alone import go_alone
from metadata_service.member.member_database import MemberDatabase
from metadata_service.quorum import OK, START, Configuration, MemberStatus
from metadata_service.record.opening import RESTORE_LEAP
from metadata_service.record.spare_promise import Promise, SparePromise
from tests.support.models.record_leader import lead
from tests.support.models.sample_edits import file_edits, image_after, image_of, lines_of
from zookeeper.fabric.errors import CorruptData, StartRefused

EPOCH, OWNER = 3, "namenode:1 x"


@pytest.fixture(name="directory")
def _directory(tmp_path: Path) -> str:
    """One of three members, with ten edits, of which it knows that eight are decided."""
    member = begin(str(tmp_path))
    ids = [(name, f"{name}:1") for name in (member.status().member_id, "other", "third")]
    member.claim("cluster", EPOCH, OWNER)
    payload = join_lines(lines_of(file_edits(1, 10)))
    member.adopt(EPOCH, OWNER, START, payload, 8, Configuration(4, (tuple(ids),)))
    member.close()
    return str(tmp_path)


def begin(directory: str) -> MemberDatabase:
    """It starts."""
    return MemberDatabase.begin(directory, 1000, 0.0, "own:1")


def test_it_decides_by_itself_from_then_on(directory: str) -> None:
    before = status_of(directory)
    for _ in range(2):
        go_alone(directory, "own:1", "cluster")
    member = begin(directory)
    status = member.status()
    assert status.configuration == (5, (((before.member_id, "own:1"),),)) and status.state == OK
    assert status.promised == EPOCH + RESTORE_LEAP and status.last == before.last
    while member.settle():
        pass
    assert member.status().applied == status.last
    assert image_of(member) == image_after(file_edits(1, 10))
    assert lead(member) == EPOCH + RESTORE_LEAP + 1
    member.check()
    member.close()


def status_of(directory: str) -> MemberStatus:
    """What the member tells."""
    member = begin(directory)
    status = member.status()
    member.close()
    return status


def test_an_epoch_that_had_no_room_in_the_database_is_not_forgotten(directory: str) -> None:
    """By the epochs of their logs, members that come back would know better who decides."""
    SparePromise(directory, "cluster").write(Promise(EPOCH + 2, "namenode:2 y", EPOCH + 2))
    go_alone(directory, "own:1", "cluster")
    status = status_of(directory)
    assert (status.promised, status.log_epoch) == (EPOCH + 2 + RESTORE_LEAP, EPOCH + 2)


def test_a_person_is_told_that_the_rows_are_damaged(directory: str) -> None:
    member = begin(directory)
    member.distrust(CorruptData("they differ"))
    member.close()
    with pytest.raises(StartRefused, match="not what was decided .they differ.") as refused:
        go_alone(directory, "own:1", "")
    assert str(refused.value).endswith("--alone cluster")


@pytest.mark.parametrize("cluster_id", ["", "another"])
def test_nothing_happens_before_a_person_names_the_cluster(
    directory: str, cluster_id: str
) -> None:
    with pytest.raises(StartRefused) as refused:
        go_alone(directory, "own:1", cluster_id)
    assert "up to edit 10, kept by 3 members" in refused.value.message
    assert refused.value.message.endswith("--alone cluster")
    assert status_of(directory).configuration.version == 4


def test_a_blank_member_has_nothing_to_go_on_with(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="holds no record"):
        go_alone(str(tmp_path), "own:1", "")
