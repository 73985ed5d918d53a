"""Members compare their images at one place, and one whose rows differ serves nobody."""

import threading
from pathlib import Path
from typing import Iterator, List

import pytest

from metadata_service.edits import TABLES, join_lines
from metadata_service.member import member_database
from metadata_service.member.member_database import MemberDatabase
from metadata_service.quorum import BLANK, DAMAGED, OK, START, Configuration
from tests.support.clusters.waiting import wait_until
from tests.support.models.sample_edits import file_edits, lines_of
from zookeeper.fabric.errors import Busy, CorruptData, DfsError, Fenced, OutOfStep

EPOCH, OWNER = 3, "namenode:1 x"


@pytest.fixture(name="members")
def _members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[List[MemberDatabase]]:
    """Two that decide together, with ten edits, all applied."""
    monkeypatch.setattr(member_database, "PLACE_SECONDS", 0.05)
    monkeypatch.setattr(member_database, "PAGE_ROWS", 3)
    made = []
    for name in "ab":
        (tmp_path / name).mkdir()
        made.append(MemberDatabase.begin(str(tmp_path / name), 1000, 0.0, f"{name}:1"))
    ids = tuple((one.status().member_id, "x:1") for one in made)
    for one in made:
        assert one.status().state == BLANK
        one.claim("cluster", EPOCH, OWNER)
        payload = join_lines(lines_of(file_edits(1, 10)))
        one.adopt(EPOCH, OWNER, START, payload, 10, Configuration(1, (ids,)))
    yield made
    for one in made:
        one.close()


def append(member: MemberDatabase, first: int, last: int, decided: int) -> None:
    """More edits, up to one that is decided."""
    payload = join_lines(lines_of(file_edits(first, last)))
    member.append(EPOCH, member.status().last, payload, decided, ())


def test_members_with_the_same_edits_have_the_same_digest(members: List[MemberDatabase]) -> None:
    first, second = members
    digest = first.image_digest(EPOCH, 10)
    assert second.image_digest(EPOCH, 10) == digest
    append(first, 11, 12, 12)
    assert first.image_digest(EPOCH, 12) != digest


def test_only_the_image_at_that_place_is_compared(members: List[MemberDatabase]) -> None:
    member = members[0]
    for txid in (9, 11):
        with pytest.raises(OutOfStep):
            member.image_digest(EPOCH, txid)
    with pytest.raises(Fenced):
        member.image_digest(EPOCH - 1, 10)
    append(member, 11, 12, 12)
    assert member.status().applied.txid == 12, "nothing holds it back any more"


def test_a_member_comes_to_the_place_and_stays_there_until_it_has_looked(
    members: List[MemberDatabase], monkeypatch: pytest.MonkeyPatch
) -> None:
    member, other = members
    append(other, 11, 12, 12)
    monkeypatch.setattr(member_database, "PLACE_SECONDS", 20.0)
    found: List[str] = []
    thread = threading.Thread(target=lambda: found.append(member.image_digest(EPOCH, 12)))
    thread.start()
    wait_until(lambda: member._core.halt == 12)
    with pytest.raises(Busy):
        member.image_digest(EPOCH, 10)
    append(member, 11, 20, 20)
    thread.join()
    assert found == [other.image_digest(EPOCH, 12)]
    while member.settle():
        pass
    assert member.status().applied.txid == 20


def test_who_differs_from_most_serves_nobody(members: List[MemberDatabase]) -> None:
    member, other = members
    member._connection.execute("DELETE FROM blocks WHERE id = 23")
    digest = other.image_digest(EPOCH, 10)
    assert member.image_digest(EPOCH, 10) != digest
    other.doubt(EPOCH, digest)
    member.doubt(EPOCH, digest)
    assert (other.status().state, member.status().state) == (OK, DAMAGED)
    with pytest.raises(DfsError):
        member.prove(EPOCH, 10)
    with pytest.raises(CorruptData):
        member.load(TABLES["blocks"], None, 1, 1)


def test_a_row_that_is_not_what_was_written_is_found(members: List[MemberDatabase]) -> None:
    member = members[0]
    member._connection.execute("UPDATE blocks SET length = 1 WHERE id = 25")
    with pytest.raises(CorruptData):
        member.image_digest(EPOCH, 10)
    assert member.status().state == DAMAGED


def test_who_is_alone_goes_on_with_a_damaged_row(tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    member = MemberDatabase.open(str(tmp_path / "alone"), 1000)
    status = member.claim(member.cluster_id, EPOCH, OWNER)
    member.adopt(EPOCH, OWNER, START, b"", 0, status.configuration)
    append(member, 1, 5, 5)
    member._connection.execute("UPDATE blocks SET length = 1")
    with pytest.raises(CorruptData):
        member.load(TABLES["blocks"], None, 1, 1)
    append(member, 6, 7, 7)
    assert member.status().state == OK and member.status().applied.txid == 7
    member.close()
