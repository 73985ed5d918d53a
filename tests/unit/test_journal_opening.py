"""How a journal is opened: a claim that may be repeated, an image page by page, odd answers."""

from pathlib import Path
from typing import Any, Iterator, List, Optional

import pytest

from metadata_service import journal as journal_module
from metadata_service.edits import join_lines
from metadata_service.calls import MetadataCalls
from metadata_service.metadata_db import MetadataDatabase
from metadata_service.service import MetadataService
from tests.support.links.journals import FRAME_BYTES, ModelService, Opened, record
from tests.support.models.sample_edits import file_edits, image_after
from zookeeper.fabric.calls import Call
from zookeeper.fabric.errors import (
    Busy,
    DeadlineExceeded,
    DfsError,
    Fenced,
    ProtocolViolation,
    Unavailable,
)
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.rpc import Peer


@pytest.fixture(name="service")
def _service() -> ModelService:
    return ModelService()


class DirectPool:
    """A real service on a real database, without a connection between."""

    def __init__(self, database: MetadataDatabase, directory: str) -> None:
        self.service = MetadataService(database, directory, FRAME_BYTES)
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
    yield DirectPool(database, str(tmp_path))
    database.check()
    database.close()


def test_a_namenode_starts_from_what_another_one_recorded(
    direct: DirectPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "PAGE_ROWS", 7)
    first = Opened(direct).journal
    edits = file_edits(1, 60)
    for each in edits:
        first.submit(each)
    first.wait(60)
    direct.failures = [Unavailable("restarting"), Busy("busy")]
    second = Opened(direct).journal
    assert (second.epoch, second.durable_txid) == (2, 60)
    for name, rows in image_after(edits).items():
        direct.failures = [Unavailable("restarting")]
        assert list(second.load(name)) == [rows[key] for key in sorted(rows)]
    assert list(second.recent_edits(20)) == edits[40:]
    assert list(second.recent_edits(1000)) == edits and list(second.recent_edits(0)) == []
    assert second.confirm()[1] == 2


def test_an_image_that_another_namenode_may_have_changed_is_not_confirmed(
    direct: DirectPool
) -> None:
    first = Opened(direct).journal
    Opened(direct)
    with pytest.raises(Fenced):
        first.confirm()


def test_an_epoch_that_was_overtaken_at_once_is_noticed(service: ModelService) -> None:
    class Race(ModelService):
        """Another namenode claims between our claim and our look at the status."""

        def status(self) -> tuple:
            return "cluster", self.epoch + 1, 0, True

    with pytest.raises(Fenced):
        Opened(Race())


def test_a_claim_whose_answer_was_lost_is_not_made_twice(direct: DirectPool) -> None:
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
    assert journal.epoch == 1 and journal.confirm().epoch == 1


def test_a_claim_that_arrives_late_ends_nobodys_term(direct: DirectPool) -> None:
    first = Opened(direct).journal
    for late in (0, 5):
        with pytest.raises(Fenced):
            MetadataCalls(direct.perform).claim_epoch("somebody slow", late)
    assert first.confirm().epoch == 1
    for _ in range(2):
        assert MetadataCalls(direct.perform).claim_epoch("somebody else", 1) == 2


@pytest.mark.parametrize(
    "method, odd",
    [
        ("status", None), ("status", ("c", 1, 0)), ("status", ("c", "1", 0, True)),
        ("status", ("c", 10**22, 0, True)), ("status", (b"c", 1, 0, True)),
        ("status", ("c", 1, -1, True)), ("claim_epoch", None), ("claim_epoch", "1"),
        ("claim_epoch", 10**22), ("claim_epoch", 0), ("claim_epoch", True),
    ],
)  # fmt: skip
def test_an_odd_answer_opens_nothing(service: ModelService, method: str, odd: object) -> None:
    setattr(service, method, lambda *args: odd)
    with pytest.raises(ProtocolViolation):
        Opened(service)


@pytest.mark.parametrize("odd", [None, 1, (1,), ("1", True), (1, 1), (10**22, True), (-1, True)])
def test_an_odd_answer_to_an_append_is_no_success(service: ModelService, odd: object) -> None:
    opened = Opened(service)
    service.append = lambda *args: odd  # type: ignore[assignment, method-assign]
    with pytest.raises(Unavailable):
        record(opened.journal)
    assert [type(error) for error in opened.failures] == [ProtocolViolation]


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
    journal = Opened(service).journal
    service.load = lambda *args: join_lines(["[1,2,3]"])  # type: ignore[attr-defined]
    with pytest.raises(ProtocolViolation):
        list(journal.load("deleted_blocks"))
