"""The journal: no edit is lost, doubled or reordered, whatever the way to the service does."""

import random
import sys
import threading
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional, Type

import pytest

from metadata_service import journal as journal_module
from metadata_service.edits import Edit, decode, join_lines, split_lines
from metadata_service.journal import Journal
from metadata_service.metadata_db import MetadataDatabase
from metadata_service.service import MetadataService
from tests.support.sample_edits import file_edit, file_edits, image_after, lines_of
from tests.support.waiting import PATIENCE_SECONDS, wait_until
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
from zookeeper.fabric.rpc import Peer

FRAME_BYTES = 1 << 20


class ModelService:
    """What the metadata service promises, as plainly as it can be said; also a pool to it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.lines: List[str] = []
        self.epoch = 0
        self.room = True
        self.batches: List[int] = []

    def call(self, method: str, *args: Any, timeout: float) -> Any:
        """Run a method, as the real pool does."""
        assert timeout > 0
        with self.lock:
            return getattr(self, method)(*args)

    def claim_epoch(self, _owner: str) -> int:
        """One more than ever before."""
        self.epoch += 1
        return self.epoch

    def status(self) -> tuple:
        """As exposed."""
        return "cluster", self.epoch, len(self.lines)

    def append(self, epoch: int, first_txid: int, payload: bytes) -> tuple:
        """As exposed."""
        if epoch != self.epoch:
            raise Fenced("a newer epoch")
        lines = split_lines(payload)
        assert [decode(line).txid for line in lines] == list(
            range(first_txid, first_txid + len(lines))
        )
        known = self.lines[first_txid - 1 :][: len(lines)]
        if first_txid > len(self.lines) + 1 or known != lines[: len(known)]:
            raise ProtocolViolation("a gap, or other content")
        self.lines += lines[len(known) :]
        self.batches.append(len(lines))
        return len(self.lines), self.room


class ChancyPool:
    """Loses requests, loses answers, and lets lost requests arrive late, by a seed."""

    def __init__(self, service: ModelService, seed: int) -> None:
        self._service = service
        self._chance = random.Random(seed)
        self._late: List[tuple] = []
        self._lock = threading.Lock()

    def call(self, method: str, *args: Any, timeout: float) -> Any:
        """One call that may or may not happen, now or later, and may or may not be answered."""
        with self._lock:
            fate = self._chance.random()
            late = self._late.pop() if self._late and self._chance.random() < 0.3 else None
            if fate < 0.15:
                self._late.append((method, *args))
        if late is not None:
            self._service.call(*late, timeout=timeout)
        if fate < 0.15:
            raise DeadlineExceeded("the request will arrive later")
        if fate < 0.25:
            raise Unavailable("the request was lost")
        result = self._service.call(method, *args, timeout=timeout)
        if fate < 0.4:
            raise Unavailable("the answer was lost")
        return result


class ScriptedPool(ModelService):
    """A model service whose appends meet a script: an error to raise, or None to work."""

    def __init__(self, *script: Optional[Exception], then: Optional[Exception] = None) -> None:
        super().__init__()
        self.script = list(script)
        self.then = then
        self.attempts = 0

    def append(self, epoch: int, first_txid: int, payload: bytes) -> tuple:
        """Meet the next entry of the script, or what comes after its end."""
        self.attempts += 1
        error = self.script.pop(0) if self.script else self.then
        if error is not None:
            raise error
        return super().append(epoch, first_txid, payload)


class GatedPool(ModelService):
    """A model service whose appends stand still until `gate` is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived = threading.Semaphore(0)
        self.gate = threading.Event()

    def call(self, method: str, *args: Any, timeout: float) -> Any:
        """Stand still outside of the service's lock."""
        if method == "append":
            self.arrived.release()
            assert self.gate.wait(PATIENCE_SECONDS)
        return super().call(method, *args, timeout=timeout)


class Opened:
    """A journal on a pool, with what it told by `on_failure`."""

    def __init__(
        self, pool: Any, timeout: float = PATIENCE_SECONDS, kind: Type[Journal] = Journal
    ) -> None:
        self.failures: List[DfsError] = []
        self.journal = kind(pool, "test", timeout, FRAME_BYTES, self.failures.append)
        self.journal.open()


def edit(number: int = 0, txid: int = 0) -> Edit:
    """An edit that lets the journal number it."""
    return file_edit(number or 1, call_number=number)._replace(txid=txid)


def record(journal: Journal, number: int = 0, timeout: Optional[float] = None) -> int:
    """Submit an edit and wait for it."""
    txid = journal.submit(edit(number))
    journal.wait(txid, timeout)
    return txid


def run_threads(*bodies: Callable[[], Any]) -> List[BaseException]:
    """Run every body in a thread of its own to its end; what they raised."""
    raised: List[BaseException] = []

    def guarded(body: Callable[[], Any]) -> None:
        try:
            body()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=(body,), daemon=True) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive(), "a thread waits for ever"
    return raised


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


def walk_on_a_bad_connection(seed: int, kind: Type[Journal]) -> None:
    """Eight threads record 25 edits each; asserts that the service has all of them in order."""
    service = ModelService()
    opened = Opened(service, kind=kind)
    journal = opened.journal
    journal._pool = ChancyPool(service, seed)
    namenode_lock = threading.Lock()
    submitted: List[int] = []

    def client(name: int) -> None:
        for number in range(25):
            with namenode_lock:
                journal.check_room()
                txid = journal.submit(edit(1000 * name + number))
                submitted.append(1000 * name + number)
            journal.wait(txid, PATIENCE_SECONDS)
            assert len(service.lines) >= txid, "wait returned too early"

    assert run_threads(*[lambda name=name: client(name) for name in range(1, 9)]) == []
    journal.check()
    assert [decode(line).call_number for line in service.lines] == submitted
    assert [decode(line).txid for line in service.lines] == list(range(1, 201))
    assert opened.failures == [] and journal.durable_txid == 200


@pytest.fixture(name="impatient")
def _impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Short pauses, and threads that take turns often enough to get into each other's way."""
    monkeypatch.setattr(journal_module, "RETRY_SECONDS_MIN", 0.0005)
    monkeypatch.setattr(journal_module, "RETRY_SECONDS_MAX", 0.002)
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("seed", range(25))
def test_threads_on_a_bad_connection_lose_and_reorder_nothing(seed: int) -> None:
    walk_on_a_bad_connection(seed, Journal)


class AnswersBeforeItIsDurable(Journal):
    """Mutant: one attempt, and the edit is taken for recorded."""

    def wait(self, txid: int, timeout: Optional[float] = None) -> None:
        """Send, and do not look again."""
        batch = self._await_turn(txid, None)
        if batch is not None:
            self._send(batch, None)


class TakesAFailureForSuccess(Journal):
    """Mutant: an append that was not answered is not repeated."""

    def _after_failure(self, error: DfsError, started: float) -> None:
        self._after_success(self._last_txid, True)


class SendsTheNewestFirst(Journal):
    """Mutant: what came last goes out first."""

    def _oldest(self) -> Any:
        return list(self._pending)[-1:]


class GivesTheTurnToNobody(Journal):
    """Mutant: the first failure leaves the turn taken."""

    def _after_failure(self, error: DfsError, started: float) -> None:
        super()._after_failure(error, started)
        self._turn_taken = True


MUTANTS = [AnswersBeforeItIsDurable, TakesAFailureForSuccess, SendsTheNewestFirst]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_walk_catches_a_journal_that_is_wrong(mutant: Type[Journal]) -> None:
    with pytest.raises(AssertionError):
        for seed in range(25):
            walk_on_a_bad_connection(seed, mutant)


@pytest.mark.usefixtures("impatient")
def test_the_walk_catches_a_turn_that_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "PATIENCE_SECONDS", 0.5)
    with pytest.raises(AssertionError):
        walk_on_a_bad_connection(1, GivesTheTurnToNobody)


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
    monkeypatch.setattr(journal_module, "BATCH_EDITS_MAX", edits_max)
    journal = Opened(service).journal
    journal._batch_bytes_max = bytes_max
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
    assert [type(failed) for failed in raised] == [Unavailable] * 8
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
    opened = Opened(pool, timeout=0.2)
    with pytest.raises(Unavailable, match="down"):
        record(opened.journal)
    assert pool.attempts > 2 and [error.code for error in opened.failures] == ["unavailable"]


def test_attempts_are_not_a_storm(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    pool = ScriptedPool(then=Unavailable("down"))
    opened = Opened(pool, timeout=10.0)
    moments: List[float] = []
    monkeypatch.setattr(journal_module.time, "monotonic", lambda: now[0])
    journal = opened.journal

    def pass_time(seconds: Optional[float]) -> None:
        assert seconds is not None
        moments.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(journal._changed, "wait", pass_time)
    with pytest.raises(Unavailable):
        record(journal)
    assert moments[:4] == pytest.approx([0.01, 0.02, 0.04, 0.08])
    assert max(moments) <= 0.5 and 20 < pool.attempts < 40


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
    opened.journal._pool = type("Pool", (), {"call": lambda *args, timeout: answer})()
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
    monkeypatch.setattr(journal_module, "PENDING_EDITS_MAX", 3)
    for number in range(1, 4):
        journal.check_room()
        journal.submit(edit(number))
    with pytest.raises(Busy):
        journal.check_room()
    assert journal.submit(edit(4)) == 4, "what was applied must never be refused"
    journal.wait(4)
    journal.check_room()
    monkeypatch.setattr(journal_module, "PENDING_BYTES_MAX", 100)
    journal.submit(edit(5))
    with pytest.raises(Busy):
        journal.check_room()


def test_a_disk_that_is_nearly_full_stops_changes_before_it_is_full(
    service: ModelService, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(journal_module.time, "monotonic", lambda: now[0])
    opened = Opened(service)
    journal = opened.journal
    service.room = False
    record(journal, 1)
    journal.check_room()
    for _ in range(3):
        with pytest.raises(DiskFull):
            journal.check_room()
    now[0] += 1.0
    service.room = True
    journal.check_room()
    record(journal, 2)
    for _ in range(3):
        journal.check_room()
    assert opened.failures == []


def test_close_sends_everybody_home() -> None:
    pool = ScriptedPool(then=Unavailable("down"))
    opened = Opened(pool)

    def close_once_they_wait() -> None:
        wait_until(lambda: pool.attempts and opened.journal.last_txid == 4)
        opened.journal.close()

    waiting = [lambda: record(opened.journal, 1)] * 4
    raised = run_threads(close_once_they_wait, *waiting)
    assert [type(error) for error in raised] == [Unavailable] * 4 and opened.failures == []
    with pytest.raises(NotLeader):
        opened.journal.check_room()


def test_before_it_is_open_it_takes_nothing(service: ModelService) -> None:
    journal = Journal(service, "test", 1.0, FRAME_BYTES, lambda error: None)
    with pytest.raises(NotLeader, match="not open"):
        journal.check_room()


class DirectPool:
    """A real service on a real database, without a connection between."""

    def __init__(self, database: MetadataDatabase, directory: str) -> None:
        self.service = MetadataService(database, directory, FRAME_BYTES)
        self.service.peer = Peer("name_node:localhost:1", "127.0.0.1")
        self.failures: List[DfsError] = []

    def call(self, method: str, *args: Any, timeout: float) -> Any:
        """Call, unless a failure is due."""
        if self.failures:
            raise self.failures.pop()
        return getattr(self.service, "exposed_" + method)(*args)


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
            return "cluster", self.epoch + 1, 0

    with pytest.raises(Fenced):
        Opened(Race())


def test_a_service_that_stays_away_refuses_to_open() -> None:
    class Away:
        """Nobody there."""

        calls = 0

        def call(self, *args: Any, timeout: float) -> Any:
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
    assert lines_of([]) == []
