"""How a journal is opened: a claim that may be repeated, an image page by page, odd answers."""

from pathlib import Path
from typing import Any, Iterator, List, Optional

import pytest

from metadata_service.calls import MemberCalls
from metadata_service.edits import decode_rows, join_lines
from metadata_service.exporting import ExportedImage
from metadata_service.leader.journal import CONFIRM_SECONDS
from metadata_service.quorum import Export, MemberStatus, Place
from metadata_service.record.metadata_db import MetadataDatabase
from tests.support.links.journals import (
    FRAME_BYTES,
    ModelService,
    Opened,
    edits_of,
    record,
    rows_of,
)
from tests.support.models.record_leader import served
from tests.support.models.sample_edits import file_edits, image_after
from zookeeper.fabric.calls import Call
from zookeeper.fabric.errors import (
    Busy,
    DeadlineExceeded,
    DfsError,
    Fenced,
    OutOfStep,
    ProtocolViolation,
    Unavailable,
)
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.rpc import Peer


pytestmark = pytest.mark.usefixtures("closed_journals")


@pytest.fixture(name="service")
def _service() -> ModelService:
    return ModelService()


class DirectPool:
    """A real service on a real database, without a connection between."""

    def __init__(self, database: MetadataDatabase) -> None:
        self.service = served(database, FRAME_BYTES // 2)
        self.service.peer = Peer(Principal("name_node", "localhost:1"), "127.0.0.1")
        self.failures: List[DfsError] = []

    def perform(self, call: Call, args: tuple, _seconds: Optional[float]) -> Any:
        """Call, unless a failure is due."""
        if self.failures:
            raise self.failures.pop()
        return getattr(self.service, "exposed_" + call.name)(*args)


@pytest.fixture(name="direct")
def _direct(tmp_path: Path) -> Iterator[DirectPool]:
    database = MetadataDatabase.open(str(tmp_path), 1000)
    yield DirectPool(database)
    database.check()
    database.close()


def test_a_namenode_starts_from_what_another_one_recorded(direct: DirectPool) -> None:
    first = Opened(direct).journal
    edits = file_edits(1, 60)
    for each in edits:
        first.submit(each)
    first.wait(60)
    direct.failures = [Unavailable("restarting"), DeadlineExceeded("late")]
    second = Opened(direct).journal
    assert (second.epoch, second.durable_txid) == (2, 60)
    for name, rows in image_after(edits).items():
        direct.failures = [Unavailable("restarting")]
        assert list(rows_of(second, name, 7)) == [rows[key] for key in sorted(rows)]
    assert edits_of(second, 7) == edits
    assert [row[0] for row in decode_rows(second.rows("journal", 40, 1000))] == [*range(41, 61)]
    second.confirm()


def test_an_image_that_another_namenode_may_have_changed_is_not_confirmed(
    direct: DirectPool
) -> None:
    first = Opened(direct).journal
    Opened(direct)
    with pytest.raises(Fenced):
        first.confirm()


def test_an_epoch_that_too_few_stand_by_is_given_up_soon(
    direct: DirectPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody leads while it is confirmed."""
    journal = Opened(direct).journal
    journal._timeout_seconds, asked = 60.0, []

    def renew(seconds: float) -> float:
        asked.append(seconds)
        raise OutOfStep("some members have promised a later epoch, and no majority is left")

    monkeypatch.setattr(journal._proofs, "renew", renew)
    with pytest.raises(OutOfStep):
        journal.confirm()
    assert asked == [CONFIRM_SECONDS]


def test_an_epoch_that_was_overtaken_at_once_is_noticed(service: ModelService) -> None:
    class Race(ModelService):
        """Another namenode claims between our look at the status and our claim."""

        def claim(self, cluster_id: str, epoch: int, owner: str) -> MemberStatus:
            """That one comes first."""
            super().claim(cluster_id, epoch, "another 1")
            return super().claim(cluster_id, epoch, owner)

    with pytest.raises(Fenced):
        Opened(Race())


def test_lost_answers_cost_an_epoch_and_no_more(direct: DirectPool) -> None:
    class LosesAnswers:
        """A way on which the first answer to each kind of call is lost."""

        lost: List[str] = []

        def perform(self, call: Call, args: tuple, seconds: Optional[float]) -> Any:
            """Run it, and say that nothing came back."""
            answer = direct.perform(call, args, seconds)
            if call.name not in self.lost:
                self.lost.append(call.name)
                raise DeadlineExceeded("no answer")
            return answer

    journal = Opened(LosesAnswers()).journal
    journal.confirm()
    assert journal.epoch == 2


def test_a_claim_that_arrives_late_ends_nobodys_term(direct: DirectPool) -> None:
    first = Opened(direct).journal
    calls = MemberCalls(direct.perform)
    for _ in range(2):
        with pytest.raises(Fenced):
            calls.claim(first.cluster_id, 1, "test slow")
    first.confirm()
    for _ in range(2):
        assert calls.claim(first.cluster_id, 2, "test again").promised == 2
    with pytest.raises(Fenced):
        first.confirm()


def test_who_proves_itself_is_not_followed_by_another_at_once(direct: DirectPool) -> None:
    first = Opened(direct).journal
    first.prove(5.0)
    calls = MemberCalls(direct.perform)
    with pytest.raises(Busy, match="lease of test"):
        calls.claim(first.cluster_id, 2, "another 1")
    calls.release(1)
    with pytest.raises(Fenced):
        first.prove(5.0)
    assert calls.claim(first.cluster_id, 2, "another 1").promised == 2


@pytest.mark.parametrize("method", ["status", "claim", "adopt"])
@pytest.mark.parametrize("odd", [None, (), ("c", 1, 0), "1", 10**22, True, (1,) * 14])
def test_an_odd_answer_opens_nothing(service: ModelService, method: str, odd: object) -> None:
    setattr(service, method, lambda *args: odd)
    with pytest.raises(ProtocolViolation):
        Opened(service)


@pytest.mark.parametrize(
    "odd",
    [
        None, 1, (1,), ("1", 1, True), ((1, "d"), 1, 1), ((10**22, "d"), 1, True),
        ((-1, "d"), 1, True), ((0, ""), 0, True), ((1, "another"), 1, True), ((2, "d"), 1, True),
    ],
)  # fmt: skip
def test_an_odd_answer_to_an_append_is_no_success(service: ModelService, odd: object) -> None:
    opened = Opened(service)
    service.append = lambda *args: odd  # type: ignore[assignment, method-assign, return-value]
    with pytest.raises(Unavailable):
        record(opened.journal)
    assert [type(error) for error in opened.failures] == [ProtocolViolation]


def test_an_image_is_read_when_all_edits_have_been_applied(direct: DirectPool) -> None:
    """Somebody else reads an image, for which the member stands still."""
    record(Opened(direct).journal, 1)
    database = direct.service._database
    database.stand_still()
    record(Opened(direct).journal, 2)
    asked: List[str] = []

    class GoesOn:
        """After a while the member applies what it has."""

        def perform(self, call: Call, args: tuple, seconds: Optional[float]) -> Any:
            """Watch what is asked for."""
            asked.append(call.name)
            if asked.count("status") == 3:
                database.go_on()
                database.settle()
            return direct.perform(call, args, seconds)

    third = Opened(GoesOn()).journal
    assert len(list(rows_of(third, "inodes"))) == 2 and asked.count("status") >= 3


def test_epochs_leap_above_what_others_know_but_not_beyond_belief(direct: DirectPool) -> None:
    """The record was restored from a backup: datanodes have met later epochs."""
    assert Opened(direct, at_least=40).journal.epoch == 40
    assert Opened(direct, at_least=7).journal.epoch == 41
    assert Opened(direct, at_least=1 << 62).journal.epoch == 42


def test_a_service_that_stays_away_refuses_to_open() -> None:
    class Away:
        """Nobody there."""

        calls = 0

        def perform(self, *_call: object) -> Any:
            """Refuse."""
            self.calls += 1
            raise Unavailable("down")

    pool = Away()
    with pytest.raises(Unavailable, match="down"):
        Opened(pool, timeout=0.2)
    assert pool.calls > 2


def test_odd_rows_are_refused(service: ModelService) -> None:
    double: Any = service
    double.begin_export = lambda *args: Export("e", Place(0, ""), ())
    double.load = lambda *args: join_lines(["[1,2,3]"])
    double.end_export = lambda *args: ""
    with ExportedImage(MemberCalls(service.perform, 5.0)) as image:
        with pytest.raises(ProtocolViolation):
            list(image.pages())
