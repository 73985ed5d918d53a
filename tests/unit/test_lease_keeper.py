"""The thread that keeps a leader's lease, and the calls that wait for a proof."""

import threading
from typing import Iterator, List, Optional

import pytest

from data_service.namenode.leading import lease_keeper as module
from data_service.namenode.leading.ending import Ending
from data_service.namenode.leading.leader_lease import LeaderLease
from data_service.namenode.leading.lease_keeper import LeaseKeeper, boottime
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from zookeeper.fabric.errors import Busy, Fenced, NotLeader, OutOfStep, Unavailable


class Held:
    """A keeper of a lease of half a second, and the members as a test lets them answer."""

    def __init__(self, alone: bool = False) -> None:
        self.error: Optional[Exception] = None
        self.asked = 0
        self.causes: List[Exception] = []
        self.ending = Ending(self.causes.append)
        lease = LeaderLease(0.5, alone)
        self.keeper = LeaseKeeper(lease, self._prove, self.ending)

    def _prove(self, _seconds: float) -> None:
        self.asked += 1
        if self.error is not None:
            raise self.error

    def refuses(self) -> bool:
        """Whether an answer is refused now."""
        try:
            self.keeper.require()
        except NotLeader:
            return True
        return False

    def end(self) -> None:
        """The term is over."""
        self.ending.set(NotLeader("over"))
        self.keeper.end()


@pytest.fixture(name="held")
def _held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    """Nobody waits for long; and nothing is proved until the keeper is started."""
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    held = Held()
    yield held
    held.end()


def test_who_proves_it_again_and_again_answers(held: Held) -> None:
    assert held.refuses() and held.keeper.age > 1e9
    held.keeper.start()
    wait_until(lambda: held.asked > 6, what="longer than a proof lasts")
    wait_until(lambda: not held.refuses())
    assert held.keeper.age < 1e9


@pytest.mark.parametrize("error", [Unavailable("away"), Busy("later")])
def test_without_a_proof_nothing_is_answered_until_there_is_one(
    held: Held, error: Exception
) -> None:
    held.keeper.start()
    wait_until(lambda: not held.refuses())
    held.error = error
    wait_until(held.refuses, what="the end of the proof")
    assert not held.ending.is_set, "they may come back"
    held.error = None
    wait_until(lambda: not held.refuses())


@pytest.mark.parametrize("error", [
    Fenced("epoch 1 is over"), OutOfStep("some have left"), KeyError("a defect"),
])  # fmt: skip
def test_what_ends_the_epoch_ends_the_term_and_so_does_a_defect(
    held: Held, error: Exception
) -> None:
    """The thread had ended without a word: every call waited, and was refused, for ever."""
    held.keeper.start()
    wait_until(lambda: not held.refuses())
    held.error = error
    wait_until(lambda: held.causes == [error])
    assert held.refuses()


def test_the_end_sends_home_who_waits_for_a_proof() -> None:
    held = Held()
    refused = threading.Event()

    def ask() -> None:
        with pytest.raises(NotLeader):
            held.keeper.require()
        refused.set()

    threading.Thread(target=ask, daemon=True).start()
    held.end()
    assert refused.wait(PATIENCE_SECONDS)


def test_the_only_namenode_answers_also_while_no_member_does() -> None:
    held = Held(alone=True)
    held.error = Unavailable("away")
    held.keeper.start()
    held.keeper.require()
    held.error = Fenced("epoch 1 is over")
    wait_until(lambda: held.causes, what="the news that it is fenced")
    held.end()


def test_an_ending_tells_its_first_cause_once() -> None:
    causes: List[Exception] = []
    ending = Ending(causes.append)
    assert not ending.is_set and not ending.wait(0.0)
    first = Fenced("first")
    for cause in (first, Fenced("second")):
        ending.set(cause)
    assert causes == [first] and ending.cause is first and ending.wait(0.0)


def test_the_clock_goes_on() -> None:
    before = boottime()
    wait_until(lambda: boottime() > before)
