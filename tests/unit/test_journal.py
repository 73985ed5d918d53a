"""The journal: no edit is lost, doubled or reordered, whatever the way to the service does."""

import threading
from typing import Any

import pytest

from metadata_service.edits import decode
from metadata_service.leader import backlog
from metadata_service.leader.journal import Journal
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.links.journals import (
    FRAME_BYTES,
    GatedPool,
    ModelService,
    OneWay,
    Opened,
    ScriptedPool,
    edit,
    record,
    run_threads,
)
from zookeeper.fabric.errors import (
    Busy,
    CorruptData,
    DeadlineExceeded,
    DfsError,
    DiskFailed,
    DiskFull,
    Fenced,
    InternalError,
    NotLeader,
    ProtocolViolation,
    Unavailable,
)


pytestmark = pytest.mark.usefixtures("closed_journals")


@pytest.fixture(name="service")
def _service() -> ModelService:
    return ModelService()


def test_edits_are_durable_when_wait_returns(service: ModelService) -> None:
    journal = Opened(service).journal
    for number in range(1, 6):
        assert record(journal, number) == number == len(service.lines) == journal.durable_txid
        journal.check()
    assert [decode(line).call_number for line in service.lines] == [1, 2, 3, 4, 5]
    assert repr(journal) == "<Journal epoch 1, durable to 5 of 5>"


def test_nothing_is_sent_before_somebody_waits(service: ModelService) -> None:
    journal = Opened(service).journal
    for number in range(1, 4):
        journal.submit(edit(number))
    journal.check()
    assert service.lines == [] and (journal.durable_txid, journal.last_txid) == (0, 3)
    journal.wait(2)
    assert len(service.lines) == 3 and service.batches == [3], "one append takes all of them"


def test_txids_go_on_from_those_of_the_service(service: ModelService) -> None:
    first = Opened(service).journal
    record(first, 1)
    second = Opened(service).journal
    assert (second.epoch, second.last_txid, second.cluster_id) == (2, 1, "cluster")
    assert second.submit(edit(2, txid=2)) == 2, "a caller may number its edits itself"
    second.wait(2)
    with pytest.raises(Unavailable):
        record(first, 3)


def test_waiting_threads_share_an_append() -> None:
    pool = GatedPool()
    journal = Opened(pool).journal
    first = threading.Thread(target=record, args=(journal, 1), daemon=True)
    first.start()
    assert pool.arrived.acquire(timeout=PATIENCE_SECONDS)
    others = [
        threading.Thread(target=record, args=(journal, number), daemon=True)
        for number in range(2, 9)
    ]
    for thread in others:
        thread.start()
    wait_until(lambda: journal.last_txid == 8)
    pool.gate.set()
    for thread in [first] + others:
        thread.join(PATIENCE_SECONDS)
    assert pool.batches == [1, 7]


@pytest.mark.parametrize("edits_max, bytes_max", [(1, FRAME_BYTES), (3, FRAME_BYTES), (99, 400)])
def test_an_append_is_bounded(
    service: ModelService, monkeypatch: pytest.MonkeyPatch, edits_max: int, bytes_max: int
) -> None:
    monkeypatch.setattr(backlog, "BATCH_EDITS_MAX", edits_max)
    journal = Opened(service).journal
    journal._queue.batch_bytes_max = bytes_max
    txids = [journal.submit(edit(number)) for number in range(1, 21)]
    assert run_threads(*[lambda txid=txid: journal.wait(txid) for txid in txids]) == []
    assert len(service.lines) == 20 and max(service.batches) <= edits_max
    if bytes_max < FRAME_BYTES:
        assert len(service.batches) > 5, "an edit of 270 bytes leaves no room for another one"


PASSING = [Unavailable("down"), DeadlineExceeded("late"), Busy("busy"), DiskFull("full")]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: error.code)
def test_what_may_pass_is_tried_again(error: DfsError) -> None:
    pool = ScriptedPool(error, error, error, error)
    opened = Opened(pool)
    assert record(opened.journal) == 1
    assert pool.attempts == 5 and opened.failures == [] and len(pool.lines) == 1


LASTING = [
    Fenced("a newer epoch"), ProtocolViolation("gap"), DiskFailed("broken"), CorruptData("bad"),
    InternalError("defect"), ValueError("a defect of the pool"),
]  # fmt: skip


@pytest.mark.parametrize("error", LASTING, ids=lambda error: type(error).__name__)
def test_a_refusal_is_for_ever(error: Exception) -> None:
    pool = ScriptedPool(None, error)
    opened = Opened(pool)
    journal = opened.journal
    record(journal, 1)
    journal.check_room()
    raised = run_threads(*[lambda: record(journal, 2)] * 8)
    assert [type(failed) for failed in raised] == [DeadlineExceeded] * 8
    assert len(opened.failures) == 1 and journal.failure is opened.failures[0]
    with pytest.raises(NotLeader):
        journal.check_room()
    with pytest.raises(Unavailable):
        record(journal, 3)
    journal.wait(1)
    journal.check()
    assert pool.attempts == 2 and len(pool.lines) == 1, "nothing is sent after the refusal"


def test_a_service_that_stays_away_ends_the_journal() -> None:
    pool = ScriptedPool(then=Unavailable("down"))
    opened = Opened(pool, timeout=1.5)
    with pytest.raises(Unavailable, match="no majority of its members has answered"):
        record(opened.journal)
    assert 1 < pool.attempts < 20, "attempts are repeated, and are no storm"
    assert [error.code for error in opened.failures] == ["unavailable"]


def test_one_waiter_gives_up_and_the_edit_is_recorded_all_the_same() -> None:
    pool = GatedPool()
    journal = Opened(pool).journal
    first = threading.Thread(target=record, args=(journal, 1), daemon=True)
    first.start()
    assert pool.arrived.acquire(timeout=PATIENCE_SECONDS)
    with pytest.raises(DeadlineExceeded):
        record(journal, 2, timeout=0.01)
    pool.gate.set()
    first.join(PATIENCE_SECONDS)
    journal.wait(2, PATIENCE_SECONDS)
    assert len(pool.lines) == 2


def test_who_gives_the_turn_back_wakes_one_that_takes_it() -> None:
    pool = GatedPool()
    journal = Opened(pool).journal
    first = threading.Thread(target=record, args=(journal, 1), daemon=True)
    first.start()
    assert pool.arrived.acquire(timeout=PATIENCE_SECONDS)
    others = [threading.Thread(target=record, args=(journal, n), daemon=True) for n in (2, 3)]
    for other in others:
        other.start()
    wait_until(lambda: len(journal._waiters) == 2)
    pool.gate.set()
    for thread in (first, *others):
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive(), "nobody else comes who could send its edit"
    assert len(pool.lines) == 3 and len(journal._waiters) == 0


def test_the_turn_passes_on_when_its_holder_gives_up() -> None:
    pool = ScriptedPool(DeadlineExceeded("late"))
    journal = Opened(pool).journal
    txid = journal.submit(edit(1))
    with pytest.raises(DeadlineExceeded):
        journal.wait(txid, timeout=0)
    pool.script[:] = [DeadlineExceeded("late")] * 3
    assert run_threads(*[lambda: journal.wait(txid, PATIENCE_SECONDS)] * 4) == []


def test_an_edit_that_cannot_be_sent_ends_the_journal(service: ModelService) -> None:
    odd = [
        edit(1, txid=7),
        edit(1)._replace(result=b"bytes"),  # type: ignore[arg-type]
        edit(1)._replace(result="x" * FRAME_BYTES),
    ]
    for each in odd:
        opened = Opened(service)
        txid = opened.journal.submit(each)
        assert txid == 1 and [error.code for error in opened.failures] == ["internal"]
        with pytest.raises(Unavailable, match="cannot be sent"):
            opened.journal.wait(txid)
    assert service.lines == []


@pytest.mark.parametrize("answer", [(0, True), (2, True), (1,), None, ("1", True)])
def test_an_odd_answer_ends_the_journal(service: ModelService, answer: Any) -> None:
    opened = Opened(service)
    service.append = lambda *args: answer  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        record(opened.journal)
    assert len(opened.failures) == 1


def test_waiting_for_an_edit_that_was_never_submitted_is_a_defect(service: ModelService) -> None:
    with pytest.raises(InternalError):
        Opened(service).journal.wait(1)


def test_too_many_waiting_edits_are_refused_beforehand(
    service: ModelService, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Opened(service).journal
    monkeypatch.setattr(backlog, "EDITS_MAX", 3)
    for number in range(1, 4):
        journal.check_room()
        journal.submit(edit(number))
    with pytest.raises(Busy):
        journal.check_room()
    assert journal.submit(edit(4)) == 4, "what was applied must never be refused"
    journal.wait(4)
    journal.check_room()
    monkeypatch.setattr(backlog, "BYTES_MAX", 100)
    journal.submit(edit(5))
    with pytest.raises(Busy):
        journal.check_room()


def test_a_disk_that_is_nearly_full_stops_changes_before_it_is_full(
    service: ModelService,
) -> None:
    opened = Opened(service)
    journal = opened.journal
    service.room = False
    record(journal, 1)
    for _ in range(3):
        with pytest.raises(DiskFull):
            journal.check_room()
    service.room = True
    journal.prove(1.0)
    journal.check_room()
    record(journal, 2)
    journal.check_room()
    assert opened.failures == []


def test_a_disk_that_filled_while_nothing_changed_gets_no_change(service: ModelService) -> None:
    """The first one would have failed, and ended the term: nobody could read any more."""
    journal = Opened(service).journal
    service.room = False
    journal.prove(1.0)
    assert not journal.has_room
    with pytest.raises(DiskFull):
        journal.check_room()


def test_close_sends_everybody_home() -> None:
    pool = ScriptedPool(then=Unavailable("down"))
    opened = Opened(pool)

    def close_once_they_wait() -> None:
        wait_until(lambda: pool.attempts and opened.journal.last_txid == 4)
        opened.journal.close()

    waiting = [lambda: record(opened.journal, 1)] * 4
    raised = run_threads(close_once_they_wait, *waiting)
    assert [type(error) for error in raised] == [DeadlineExceeded] * 4 and opened.failures == []
    with pytest.raises(NotLeader):
        opened.journal.check_room()


def test_before_it_is_open_it_takes_nothing(service: ModelService) -> None:
    journal = Journal(OneWay(service), "test", 1.0, FRAME_BYTES, lambda error: None)
    with pytest.raises(NotLeader, match="not open"):
        journal.check_room()
