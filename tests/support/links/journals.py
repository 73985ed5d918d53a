"""Ways to a metadata service that fail on purpose, and journals on them."""

import random
import threading
from typing import Any, Callable, Iterator, List, Optional, Sequence, Type

from metadata_service.calls import MemberCalls, Witness
from metadata_service.edits import Edit, Row, decode, decode_rows, split_lines
from metadata_service.leader.journal import Journal
from metadata_service.quorum import Place, Stored
from metadata_service.record.schema import JOURNAL
from tests.support.clusters.waiting import PATIENCE_SECONDS
from tests.support.models.memory_member import MemoryMember
from tests.support.models.sample_edits import file_edit
from zookeeper.fabric.calls import Call, calls_of
from zookeeper.fabric.errors import (
    DeadlineExceeded,
    DfsError,
    Unavailable,
)
from zookeeper.fabric.frames import Request

FRAME_BYTES = 1 << 20

CALLS = calls_of(MemberCalls)


class ModelService(MemoryMember):
    """A metadata service without a disk; also a pool to it."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.batches: List[int] = []

    def perform(self, call: Call, args: tuple, seconds: Optional[float]) -> Any:
        """Run a method, as the real pool does."""
        assert seconds is not None and seconds > 0
        with self.lock:
            return getattr(self, call.name)(*args)

    def append(
        self, epoch: int, behind: Place, payload: bytes, decided: int, witness: Witness
    ) -> Stored:
        """See MemberCalls."""
        stored = super().append(epoch, behind, payload, decided, witness)
        self.batches.append(len(split_lines(payload)))
        return stored


class ChancyPool:
    """Loses requests, loses answers, and lets lost requests arrive late, by a seed."""

    def __init__(self, service: ModelService, seed: int) -> None:
        self._service = service
        self._chance = random.Random(seed)
        self._late: List[tuple] = []
        self._lock = threading.Lock()

    def perform(self, call: Call, args: tuple, seconds: Optional[float]) -> Any:
        """One call that may or may not happen, now or later, and may or may not be answered."""
        with self._lock:
            fate = self._chance.random()
            late = self._late.pop() if self._late and self._chance.random() < 0.3 else None
            if fate < 0.15:
                self._late.append((call, args))
        if late is not None:
            self._service.perform(*late, seconds)
        if fate < 0.15:
            raise DeadlineExceeded("the request will arrive later")
        if fate < 0.25:
            raise Unavailable("the request was lost")
        result = self._service.perform(call, args, seconds)
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

    def append(self, *args: Any) -> Stored:
        """Meet the next entry of the script, or what comes after its end."""
        self.attempts += 1
        error = self.script.pop(0) if self.script else self.then
        if error is not None:
            raise error
        return super().append(*args)


class GatedPool(ModelService):
    """A model service whose appends stand still until `gate` is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived = threading.Semaphore(0)
        self.gate = threading.Event()

    def perform(self, call: Call, args: tuple, seconds: Optional[float]) -> Any:
        """Stand still outside of the service's lock."""
        if call.name == "append":
            self.arrived.release()
            assert self.gate.wait(PATIENCE_SECONDS)
        return super().perform(call, args, seconds)


ANSWER_SECONDS = 1.0


class _Connection:
    """What is asked by it happens when the answer is taken, by a pool's `perform`."""

    closed = False

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.asked: Any = None

    def begin(self, request: Request, timeout: float) -> None:
        """See Remote."""
        assert timeout >= 0
        self.asked = CALLS[request.method], request.args

    def finish(self, timeout: float) -> Any:
        """See Remote."""
        asked, self.asked = self.asked, None
        return self._pool.perform(*asked, ANSWER_SECONDS)

    def close(self) -> None:
        """See Remote."""


class OneWay:
    """The way to a single metadata service, by a pool; see `lane.Ways`."""

    addresses = ("localhost:1",)

    def __init__(self, pool: Any) -> None:
        self.pool = pool

    def perform(self, _address: str, call: Call, args: tuple, seconds: float) -> Any:
        """See Ways."""
        return self.pool.perform(call, args, seconds)

    def dial(self, _address: str) -> _Connection:
        """See Ways."""
        return _Connection(self.pool)

    def answering(self, connections: Sequence[Any], _seconds: float) -> List[Any]:
        """See Ways."""
        return [one for one in connections if one.asked is not None]


_journals: List[Journal] = []


def close_journals() -> None:
    """Close all that was opened here: their keepers would dial on through the tests after this."""
    while _journals:
        _journals.pop().close()


class Opened:
    """A journal on a pool, with what it told by `on_failure`."""

    def __init__(
        self,
        pool: Any,
        timeout: float = PATIENCE_SECONDS,
        kind: Type[Journal] = Journal,
        at_least: int = 0,
    ) -> None:
        self.failures: List[DfsError] = []
        self.ways = OneWay(pool)
        self.journal = kind(self.ways, "test", timeout, FRAME_BYTES, self.failures.append)
        _journals.append(self.journal)
        self.journal.open(at_least)


def edit(number: int = 0, txid: int = 0) -> Edit:
    """An edit that lets the journal number it."""
    return file_edit(number or 1, call_number=number)._replace(txid=txid)


def record(journal: Journal, number: int = 0, timeout: Optional[float] = None) -> int:
    """Submit an edit and wait for it."""
    txid = journal.submit(edit(number))
    journal.wait(txid, timeout)
    return txid


def run_threads(
    *bodies: Callable[[], Any], patience: float = PATIENCE_SECONDS
) -> List[Exception]:
    """Run every body in a thread of its own to its end; what they raised."""
    raised: List[Exception] = []

    def guarded(body: Callable[[], Any]) -> None:
        try:
            body()
        except (DfsError, AssertionError) as error:
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=(body,), daemon=True) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(patience)
        assert not thread.is_alive(), "a thread waits for ever"
    return raised


def rows_of(journal: Journal, table: str, at_once: int = 5_000) -> Iterator[Row]:
    """All rows of a table of the record, in order of their keys, so many in a page."""
    after: Any = None
    while True:
        rows = decode_rows(journal.rows(table, after, at_once))
        if not rows:
            return
        yield from rows
        after = rows[-1][0]


def edits_of(journal: Journal, at_once: int = 5_000) -> List[Edit]:
    """All edits that are kept and decided."""
    return [decode(row[3]) for row in rows_of(journal, JOURNAL.name, at_once)]
