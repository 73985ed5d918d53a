"""A namenode that stands by: it loads an image, follows the record, and notices when it cannot."""

import threading
import time
from pathlib import Path
from typing import Any, Iterator, List, Optional, Tuple

import pytest

from data_service.namenode.leading import following as module
from data_service.namenode.leading.following import Following
from data_service.namenode.leading.record_reader import RecordReader
from data_service.namenode.namenode_core import Core
from metadata_service.calls import MemberCalls
from metadata_service.edits import Edit, encode
from metadata_service.member.member_database import MemberDatabase
from metadata_service.record.metadata_db import MetadataDatabase
from metadata_service.service import MetadataService
from metadata_service.quorum import Tail
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.models import namenode_core
from tests.support.models.record_leader import append, lead, served
from zookeeper.fabric.calls import Call
from zookeeper.fabric.errors import CorruptData, OutOfStep, Unavailable
from zookeeper.fabric.settings import Settings


class Member:
    """A real member of the record, without a connection; `away` when it does not answer, `damaged`
    when it gives nothing of its record."""

    def __init__(self, directory: Path, keep_edits: int = 10_000, blank: bool = False) -> None:
        directory.mkdir(exist_ok=True)
        if blank:
            self.database: MetadataDatabase = MemberDatabase.begin(
                str(directory), keep_edits, 1.0, "localhost:1")
        else:
            self.database = MetadataDatabase.open(str(directory), keep_edits)
        self.service: MetadataService = served(self.database)
        self.epoch = 0 if blank else lead(self.database)
        self.away = self.damaged = False
        self.asked: List[str] = []
        self.calls = MemberCalls(self._perform)

    def _perform(self, call: Call, args: Tuple[Any, ...], _seconds: Optional[float]) -> Any:
        if self.away:
            raise Unavailable("away")
        if self.damaged and call.name in ("load", "tail"):
            raise CorruptData("this member waits for the image of another one")
        self.asked.append(call.name)
        return getattr(self.service, call.name)(*args)

    def record(self, edits: List[Edit]) -> None:
        """Make these durable, and known as decided."""
        last = self.database.status().last.txid
        new = [encode(edit) for edit in edits if edit.txid > last]
        append(self.database, self.epoch, last + 1, new)


class Leader:
    """A core that makes edits, which members record."""

    def __init__(self, *members: Member) -> None:
        self.core = namenode_core.Core()
        self.members = members

    def mkdir(self, path: str) -> None:
        """One edit."""
        self.core.mkdir(path)
        for member in self.members:
            member.record(self.core.metadata.edits)

    def rows(self) -> Any:
        """All that is in memory."""
        return self.core.state.image.rows()


class Standby:
    """One that follows, in its thread."""

    def __init__(self, *members: Member, core: Optional[Core] = None) -> None:
        self.told: List[Optional[Exception]] = []
        self.reader = RecordReader([member.calls for member in members], False)
        self.following = Following(self.reader, core, make, self.told.append, 0.02)
        self.following.start()

    def rows(self) -> Any:
        """All that is in memory."""
        core = self.following.core
        return None if core is None else core.state.image.rows()

    def ends(self) -> Exception:
        """With which error it ends."""
        wait_until(lambda: self.told and self.told[-1], what="the end")
        error = self.told[-1]
        assert error is not None and self.following.core is None
        return error


def make(cluster_id: str) -> Core:
    """A core that is empty."""
    return Core(Settings(), cluster_id, "root")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)


@pytest.fixture(name="members")
def _members(tmp_path: Path) -> Iterator[List[Member]]:
    """Three databases, which are told by hand what to hold."""
    members = [Member(tmp_path / name) for name in "abc"]
    yield members
    for member in members:
        member.database.close()


@pytest.fixture(name="leader")
def _leader(members: List[Member]) -> Leader:
    """It has made some directories."""
    leader = Leader(*members)
    for number in range(20):
        leader.mkdir(f"/d{number}")
    return leader


def test_edit_after_edit_is_followed_from_where_the_image_stands(
    leader: Leader, members: List[Member]
) -> None:
    standby = Standby(members[0])
    wait_until(lambda: standby.told == [None], what="the image")
    assert standby.rows() == leader.rows()
    for number in range(70):
        leader.mkdir(f"/e{number}")
    wait_until(lambda: standby.rows() == leader.rows(), what="the edits")
    assert standby.following.lag(time.monotonic()) == (0, 0.0)
    core = standby.following.stop()
    assert core is not None and core.digest == members[0].database.status().last.digest
    op = leader.core.metadata.edits[-1]
    assert core.state.commits.retries.get((op.client_id, op.call_number)) is not None


def test_nothing_changes_after_a_stop(leader: Leader, members: List[Member]) -> None:
    standby = Standby(members[0])
    wait_until(lambda: standby.told == [None], what="the image")
    core = standby.following.stop()
    assert core is not None and standby.following.core is None
    before = core.state.image.rows()
    leader.mkdir("/late")
    wait_until(lambda: not any(one.name == "following" for one in threading.enumerate()),
               PATIENCE_SECONDS)
    assert core.state.image.rows() == before and standby.told == [None]


def test_what_is_in_memory_is_not_loaded_again(leader: Leader, members: List[Member]) -> None:
    first = Standby(members[0])
    wait_until(lambda: first.told == [None], what="the image")
    core = first.following.stop()
    leader.mkdir("/more")
    members[1].asked.clear()
    second = Standby(members[1], core=core)
    wait_until(lambda: second.rows() == leader.rows(), what="the edit")
    assert "begin_export" not in members[1].asked and second.following.stop() is core


def test_a_member_that_does_not_answer_is_left_for_another(
    leader: Leader, members: List[Member]
) -> None:
    standby = Standby(*members)
    wait_until(lambda: standby.told == [None], what="the image")
    for member in members[:2]:
        member.away = True
    leader.mkdir("/more")
    wait_until(lambda: standby.rows() == leader.rows(), what="the edit")
    members[2].away, members[1].away = True, False
    leader.mkdir("/again")
    wait_until(lambda: standby.rows() == leader.rows(), what="the next edit")
    assert standby.told == [None]
    standby.following.stop()


def test_the_image_comes_from_whoever_answers(leader: Leader, members: List[Member]) -> None:
    leader.mkdir("/before")
    members[0].away = members[1].away = True
    standby = Standby(*members)
    wait_until(lambda: standby.told, what="the image")
    assert standby.told == [None] and standby.rows() == leader.rows()
    standby.following.stop()


def test_a_damaged_member_is_left_for_another(leader: Leader, members: List[Member]) -> None:
    """It gets another image by itself; meanwhile its peers have what is needed."""
    members[0].damaged = True
    standby = Standby(*members[:2])
    wait_until(lambda: standby.told == [None], what="the image")
    members[0].damaged, members[1].damaged = False, True
    leader.mkdir("/more")
    wait_until(lambda: standby.rows() == leader.rows(), what="the edit, by another member")
    assert standby.told == [None]
    standby.following.stop()


def test_the_damage_of_all_members_is_told(leader: Leader, members: List[Member]) -> None:
    leader.mkdir("/before")
    for member in members:
        member.damaged = True
    assert isinstance(Standby(*members).ends(), CorruptData)


def test_a_member_that_may_come_back_is_waited_for_beside_damaged_ones(
    leader: Leader, members: List[Member]
) -> None:
    leader.mkdir("/before")
    members[0].away = members[1].damaged = members[2].damaged = True
    assert isinstance(Standby(*members).ends(), Unavailable)


class LongJournal:
    """The journal of who takes over, which keeps no edit in memory any more."""

    def __init__(self, durable_txid: int) -> None:
        self.durable_txid = durable_txid

    def confirm(self) -> None:
        """See Journal."""

    def kept_behind(self, _txid: int, _digest: str) -> None:
        """See Journal."""


def test_who_takes_over_catches_up_by_any_member(leader: Leader, members: List[Member]) -> None:
    """The first one may be lost together with the last leader, the next one lag behind, and
    another keep no old edits, since it got an image."""
    standby = Standby(members[2])
    wait_until(lambda: standby.told == [None], what="the image")
    core = standby.following.stop()
    assert core is not None
    members[0].away = True
    leader.core.mkdir("/only-here")
    members[2].record(leader.core.metadata.edits)
    journal: Any = LongJournal(leader.core.metadata.edits[-1].txid)
    imaged = MemberCalls(lambda *_: Tail(journal.durable_txid, b"", True))
    calls = [imaged, *(one.calls for one in members)]
    module.catch_up(core, journal, RecordReader(calls, False))
    assert core.state.image.rows() == leader.rows()


def test_damage_ends_a_standby_of_one_member(leader: Leader, members: List[Member]) -> None:
    standby = Standby(members[0])
    wait_until(lambda: standby.told == [None], what="the image")
    members[0].damaged = True
    leader.mkdir("/more")
    assert isinstance(standby.ends(), CorruptData)


def test_an_emptied_member_is_left_for_one_that_has_a_record(
    leader: Leader, members: List[Member], tmp_path: Path
) -> None:
    leader.mkdir("/before")
    blank = Member(tmp_path / "blank", blank=True)
    standby = Standby(blank, members[0])
    wait_until(lambda: standby.told, what="the image")
    assert standby.told == [None] and standby.rows() == leader.rows()
    standby.following.stop()
    blank.database.close()


def test_a_record_that_is_out_of_reach_is_waited_for(
    leader: Leader, members: List[Member]
) -> None:
    standby = Standby(members[0])
    wait_until(lambda: standby.told == [None], what="the image")
    members[0].away = True
    leader.mkdir("/more")
    members[0].away = False
    wait_until(lambda: standby.rows() == leader.rows(), what="the edit")
    standby.following.stop()


def test_a_record_with_other_edits_is_not_followed(members: List[Member]) -> None:
    """Such as one that was put back from a backup, and went on differently."""
    first, second = members[:2]
    leader, other = Leader(first), Leader(second)
    leader.mkdir("/a")
    other.mkdir("/b")
    standby = Standby(first)
    wait_until(lambda: standby.told == [None], what="the image")
    core = standby.following.stop()
    other.mkdir("/c")
    second_one = Standby(second, core=core)
    assert isinstance(second_one.ends(), OutOfStep)


def test_edits_that_are_kept_no_more_are_not_passed_over(tmp_path: Path) -> None:
    member = Member(tmp_path, keep_edits=1)
    leader = Leader(member)
    leader.mkdir("/a")
    standby = Standby(member)
    wait_until(lambda: standby.told == [None], what="the image")
    core = standby.following.stop()
    for number in range(600):
        leader.core.mkdir(f"/b{number}")
    for first in range(0, 600, 50):
        member.record(leader.core.metadata.edits[: first + 51])
    assert isinstance(Standby(member, core=core).ends(), OutOfStep)
    member.database.close()


@pytest.mark.parametrize("short, lost", [(1, False), (2, True)])
def test_what_a_majority_lacks_was_never_decided(
    members: List[Member], short: int, lost: bool
) -> None:
    """What was followed is at a majority: one member that lacks it will get it."""
    leader = Leader(*members[short:])
    for number in range(3):
        leader.mkdir(f"/d{number}")
    standby = Standby(members[2])
    wait_until(lambda: standby.told == [None], what="the image")
    core = standby.following.stop()
    again = Standby(*members, core=core)
    if lost:
        assert isinstance(again.ends(), OutOfStep)
    else:
        leader.mkdir("/more")
        wait_until(lambda: again.rows() == leader.rows(), what="the edit, by another member")
        again.following.stop()
