"""The thread that keeps a leader's lease, and the calls that wait for a proof."""

import math
import threading
import time
from typing import Iterator, List, Optional

import pytest

from data_service.namenode.leading import lease_keeper as module
from data_service.namenode.leading.ending import Ending
from data_service.namenode.leading.leader_lease import Election, LeaderLease
from data_service.namenode.leading.lease_keeper import LeaseKeeper
from tests.support.clusters.waiting import wait_until
from zookeeper.fabric.errors import Busy, Fenced, NotLeader, Unavailable

EXPIRY_SECONDS = 0.6


class Held:
    """A keeper, and its witnesses as a test lets them answer."""

    def __init__(self, alone: bool = True) -> None:
        self.error: Optional[Exception] = None
        self.election = 1
        self.elected_at = time.monotonic
        self.asked = 0
        self.causes: List[Exception] = []
        self.ending = Ending(self.causes.append)
        lease = LeaderLease(EXPIRY_SECONDS, alone, time.monotonic())
        self.keeper = LeaseKeeper(
            lease, self.prove, lambda: Election(self.election, self.elected_at()), self.ending
        )

    def prove(self, _seconds: float) -> None:
        """What the metadata service says."""
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
    """Times are short, and nobody renews the proof until the keeper is started."""
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    held = Held()
    yield held
    held.end()


def test_who_proves_it_again_and_again_answers(held: Held) -> None:
    held.keeper.start()
    wait_until(lambda: held.asked > 5)
    wait_until(lambda: not held.refuses())


def test_who_does_not_is_refused(held: Held) -> None:
    wait_until(held.refuses, what="the end of the proof")


def test_a_newer_epoch_ends_the_term(held: Held) -> None:
    held.error = Fenced("epoch 1 is over")
    held.keeper.start()
    wait_until(lambda: held.causes == [held.error])
    assert held.ending.is_set and held.refuses()


def test_a_defect_ends_the_term_too(held: Held) -> None:
    """The thread had ended without a word: every call waited, and was refused, for ever."""
    held.error = KeyError("a defect")
    held.keeper.start()
    wait_until(lambda: held.causes == [held.error])


def test_another_refusal_is_no_proof_and_no_end(held: Held) -> None:
    held.error = Busy("later")
    held.keeper.start()
    wait_until(held.refuses, what="the end of the proof")
    assert not held.ending.is_set
    held.error = None
    wait_until(lambda: not held.refuses())


def test_the_zookeeper_will_do_while_the_metadata_service_is_away(held: Held) -> None:
    held.keeper.start()
    wait_until(lambda: held.asked > 1, what="a proof of this election")
    held.error = Unavailable("away")
    wait_until(lambda: held.asked > 10, what="longer than a proof lasts")
    wait_until(lambda: not held.refuses())
    held.elected_at = lambda: -math.inf
    wait_until(held.refuses, what="the end of the proof")
    assert not held.ending.is_set, "it may come back"
    held.error = None
    wait_until(lambda: not held.refuses())


def test_a_change_waits_until_earlier_leaders_are_silent() -> None:
    held = Held(alone=False)
    assert not held.keeper.lease.may_change(time.monotonic())
    held.keeper.await_change()
    assert held.keeper.lease.may_change(time.monotonic())
    held.end()


def test_who_waits_to_change_is_sent_home(monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(alone=False)
    monkeypatch.setattr(held.keeper.lease, "seconds_to_change", lambda now: 1e6)
    held.end()
    held.keeper.await_change()


def test_the_end_sends_home_who_waits_for_a_proof() -> None:
    held = Held()
    wait_until(lambda: not held.keeper.lease.holds(time.monotonic()))
    refused = threading.Event()

    def ask() -> None:
        with pytest.raises(NotLeader):
            held.keeper.require()
        refused.set()

    threading.Thread(target=ask, daemon=True).start()
    held.end()
    assert refused.wait(5)


def test_an_ending_tells_its_first_cause_once() -> None:
    causes: List[Exception] = []
    ending = Ending(causes.append)
    assert not ending.is_set and not ending.wait(0.0)
    first = Fenced("first")
    for cause in (first, Fenced("second")):
        ending.set(cause)
    assert causes == [first] and ending.cause is first and ending.wait(0.0)
