"""The proof of leadership: who cannot prove it does not answer."""

import math
import threading
import time
from typing import Iterator, List, Optional

import pytest

from data_service.namenode.leading import leader_lease as module
from data_service.namenode.leading.leader_lease import Office
from tests.support.clusters.waiting import wait_until
from zookeeper.fabric.errors import Fenced, NotLeader, Unavailable

EXPIRY_SECONDS = 3.0


class Witnesses:
    """The metadata service and the zookeeper, as a test lets them answer."""

    def __init__(self) -> None:
        self.error: Optional[Exception] = None
        self.election = 1
        self.elected_at = time.monotonic
        self.asked = 0
        self.lost: List[str] = []

    def prove(self, _seconds: float) -> None:
        """What the metadata service says."""
        self.asked += 1
        if self.error is not None:
            raise self.error


def new_office(witnesses: Witnesses, alone: bool) -> Office:
    """One with short times, which nobody renews."""
    return Office(witnesses.prove, lambda: (1, -math.inf), 0.3, alone, lambda: None)


@pytest.fixture
def witnesses() -> Witnesses:
    """Both agree that this namenode leads."""
    return Witnesses()


@pytest.fixture
def office(witnesses: Witnesses, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """An office whose times are short; nobody renews its proof until `hold`."""
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(module, "RENEWAL_SECONDS", 0.01)
    monkeypatch.setattr(module, "PROOF_SECONDS_MAX", 0.2)
    held = Office(
        witnesses.prove,
        lambda: (witnesses.election, witnesses.elected_at()),
        EXPIRY_SECONDS,
        True,
        lambda: witnesses.lost.append("lost"),
    )
    yield held
    held.lose()


def refuses(office: Office) -> bool:
    """Whether an answer is refused now."""
    try:
        office.require()
    except NotLeader:
        return True
    return False


def test_who_proves_it_again_and_again_answers(office: Office, witnesses: Witnesses) -> None:
    office.hold()
    wait_until(lambda: witnesses.asked > 5)
    office.require()


def test_a_proof_gets_old(office: Office) -> None:
    # As after a suspension: nobody has renewed the proof.
    wait_until(lambda: refuses(office), what="the end of the proof")


def test_a_newer_epoch_ends_it_for_good(office: Office, witnesses: Witnesses) -> None:
    witnesses.error = Fenced("epoch 1 is over")
    office.hold()
    wait_until(lambda: office.lost)
    assert office.fenced and refuses(office)
    wait_until(lambda: witnesses.lost == ["lost"])


def test_the_zookeeper_will_do_while_the_metadata_service_is_away(
    office: Office, witnesses: Witnesses
) -> None:
    office.hold()
    wait_until(lambda: witnesses.asked > 1, what="a proof of this election")
    witnesses.error = Unavailable("away")
    wait_until(lambda: witnesses.asked > 30, what="longer than a proof lasts")
    assert not refuses(office)
    last = time.monotonic()
    witnesses.elected_at = lambda: last
    wait_until(lambda: refuses(office), what="the end of the proof")
    assert not office.lost, "it may come back"
    witnesses.error = None
    wait_until(lambda: not refuses(office))


def test_the_word_of_the_zookeeper_is_as_old_as_its_last_answer(
    office: Office, witnesses: Witnesses
) -> None:
    """A connection that is not known to be broken yet proved leadership as of now."""
    office.hold()
    wait_until(lambda: witnesses.asked > 1, what="a proof of this election")
    witnesses.elected_at = lambda: -math.inf
    witnesses.error = Unavailable("away")
    wait_until(lambda: refuses(office), what="the end of the proof")


def test_a_later_election_is_no_proof(office: Office, witnesses: Witnesses) -> None:
    """Another one may have led, and claimed an epoch, between the two."""
    office.hold()
    wait_until(lambda: witnesses.asked > 1, what="a proof of this election")
    witnesses.error = Unavailable("away")
    witnesses.election = 2
    wait_until(lambda: refuses(office), what="the end of the proof")
    witnesses.error = None
    wait_until(lambda: not refuses(office), what="a proof in the new election")
    witnesses.error = Unavailable("away")
    asked = witnesses.asked
    wait_until(lambda: witnesses.asked > asked + 30, what="longer than a proof lasts")
    assert not refuses(office)


def test_a_new_leader_changes_nothing_while_the_old_one_may_answer(witnesses: Witnesses) -> None:
    old = new_office(witnesses, alone=True)
    new = new_office(witnesses, alone=False)
    assert not new.may_change and old._is_proved()
    new.await_change()
    assert new.may_change and not old._is_proved()
    new.await_change()


def test_who_is_the_only_namenode_changes_at_once(witnesses: Witnesses) -> None:
    assert new_office(witnesses, alone=True).may_change


def test_who_waits_to_change_is_sent_home(witnesses: Witnesses) -> None:
    held = new_office(witnesses, alone=False)
    held.lose()
    held.await_change()


def test_losing_it_sends_home_who_waits(witnesses: Witnesses) -> None:
    witnesses.error = Unavailable("away")
    held = new_office(witnesses, alone=True)
    wait_until(lambda: not held._is_proved())
    refused = threading.Event()

    def ask() -> None:
        with pytest.raises(NotLeader):
            held.require()
        refused.set()

    threading.Thread(target=ask, daemon=True).start()
    held.lose()
    assert refused.wait(5)
