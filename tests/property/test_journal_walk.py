"""The journal against a model, over connections that lose, repeat and delay, by a seed."""

import math
import sys
import threading
from typing import Any, Iterator, List, Optional, Type

import pytest

from metadata_service.edits import decode
from metadata_service.leader import append_queue
from metadata_service.leader.append_queue import AppendQueue
from metadata_service.leader.journal import Journal
from tests.support.clusters.waiting import PATIENCE_SECONDS
from tests.support.links.journals import ChancyPool, ModelService, Opened, edit, run_threads
from zookeeper.fabric.errors import DfsError


pytestmark = pytest.mark.usefixtures("closed_journals")


def walk_on_a_bad_connection(
    seed: int, kind: Type[Journal], patience: float = PATIENCE_SECONDS
) -> None:
    """Eight threads record 25 edits each; asserts that the service has all of them in order."""
    service = ModelService()
    opened = Opened(service, kind=kind)
    journal = opened.journal
    opened.ways.pool = ChancyPool(service, seed)
    namenode_lock = threading.Lock()
    submitted: List[int] = []

    def client(name: int) -> None:
        for number in range(25):
            with namenode_lock:
                journal.check_room()
                txid = journal.submit(edit(1000 * name + number))
                submitted.append(1000 * name + number)
            journal.wait(txid, patience)
            assert len(service.lines) >= txid, "wait returned too early"

    clients = [lambda name=name: client(name) for name in range(1, 9)]
    assert run_threads(*clients, patience=2 * patience) == []
    journal.check()
    assert [decode(line).call_number for line in service.lines] == submitted
    assert [decode(line).txid for line in service.lines] == list(range(1, 201))
    assert opened.failures == [] and journal.durable_txid == 200


@pytest.fixture(name="impatient")
def _impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Attempts so short that the first ones fail, and threads in each other's way."""
    monkeypatch.setattr(append_queue, "ATTEMPTS", PATIENCE_SECONDS / 0.00001)
    monkeypatch.setattr(append_queue, "RETRY_SECONDS_MIN", 0.0005)
    monkeypatch.setattr(append_queue, "RETRY_SECONDS_MAX", 0.002)
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
        batch = self._await_turn(txid, math.inf)
        if batch is not None:
            self._send(batch, math.inf)


class _TakesAFailureForSuccess(AppendQueue):
    def refused(self, error: DfsError, started: float, now: float) -> None:
        self.appended(self.last_txid, True)


class TakesAFailureForSuccess(Journal):
    """Mutant: an append that was not answered is not repeated."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._queue.__class__ = _TakesAFailureForSuccess


class SendsTheNewestFirst(Journal):
    """Mutant: what came last goes out first."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        backlog = self._queue.backlog
        oldest = backlog.oldest
        backlog.oldest = lambda bytes_max: oldest(bytes_max)[-1:]  # type: ignore


class _GivesTheTurnToNobody(AppendQueue):
    def refused(self, error: DfsError, started: float, now: float) -> None:
        super().refused(error, started, now)
        self.turn_taken = True


class GivesTheTurnToNobody(Journal):
    """Mutant: the first failure leaves the turn taken."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._queue.__class__ = _GivesTheTurnToNobody


MUTANTS = [AnswersBeforeItIsDurable, TakesAFailureForSuccess, SendsTheNewestFirst]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_walk_catches_a_journal_that_is_wrong(mutant: Type[Journal]) -> None:
    with pytest.raises(AssertionError):
        for seed in range(25):
            walk_on_a_bad_connection(seed, mutant)


@pytest.mark.usefixtures("impatient")
def test_the_walk_catches_a_turn_that_is_lost() -> None:
    with pytest.raises(AssertionError):
        walk_on_a_bad_connection(1, GivesTheTurnToNobody, patience=0.5)
