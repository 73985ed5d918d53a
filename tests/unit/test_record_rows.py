"""From whom the record is read, while edits come in: of members that lag, no old row, and of the
log nothing that is not decided."""

import threading
from types import SimpleNamespace
from typing import Any, Dict, List, Tuple

import pytest

from metadata_service.leader.record_rows import RecordRows
from metadata_service.quorum import NOBODY, MemberStatus, Place
from zookeeper.fabric.calls import Call
from zookeeper.fabric.errors import Unavailable


class LaggingMembers:
    """Members of a leader, each of which has applied so much; a proof tells all what is decided."""

    def __init__(self, decided: int, **applied: int) -> None:
        self.decided = decided
        self.applied: Dict[str, int] = applied
        self.lanes = [SimpleNamespace(address=address) for address in applied]
        self.in_step = lambda: self.lanes
        self.ways = self
        self.proofs = 0
        self.loads: List[Tuple[Any, ...]] = []

    def perform(self, address: str, call: Call, args: Tuple[Any, ...], _seconds: float) -> Any:
        """See Ways."""
        if call.name == "load":
            self.loads.append((address, *args))
            return b"row\n"
        place = Place(self.applied[address], "")
        return MemberStatus("c", address, 1, "", 1, 1, place, place, 0, NOBODY, (), True, 0.0, "ok")

    def renew(self, _seconds: float) -> None:
        """See Proofs."""
        self.proofs += 1
        for address in self.applied:
            self.applied[address] = self.decided

    def reader(self) -> Any:
        """Who reads from them."""
        made: Any = RecordRows
        return made(self, self, 0.2, threading.Event())


def test_a_member_that_has_fallen_behind_is_read_no_more() -> None:
    members = LaggingMembers(5, one=5, other=5)
    reader = members.reader()
    reader.rows("inodes", None, 10)
    members.decided, members.applied["other"] = 9, 9
    reader.rows("inodes", None, 10)
    assert [load[0] for load in members.loads] == ["one", "other"]


def test_when_nobody_has_applied_all_a_proof_tells_what_is_decided() -> None:
    members = LaggingMembers(9, one=5, other=8)
    members.reader().rows("inodes", None, 10)
    assert members.loads and members.proofs == 1


def test_who_never_applies_anything_is_not_read() -> None:
    members = LaggingMembers(9, one=5)
    members.renew = lambda _seconds: None  # type: ignore[method-assign]
    with pytest.raises(Unavailable, match="has applied all"):
        members.reader().rows("inodes", None, 10)
    assert not members.loads


@pytest.mark.parametrize("after, limit, asked", [(None, 100, 9), (3, 100, 6), (3, 2, 2)])
def test_of_the_log_only_decided_edits_are_read(after: Any, limit: int, asked: int) -> None:
    members = LaggingMembers(9, one=12)
    members.reader().rows("journal", after, limit)
    assert members.loads == [("one", "journal", after, asked)]


@pytest.mark.parametrize("after", [9, 12])
def test_behind_what_is_decided_the_log_is_empty(after: int) -> None:
    members = LaggingMembers(9, one=12)
    assert members.reader().rows("journal", after, 100) == b"" and not members.loads
