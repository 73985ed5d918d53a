"""The rule of the leader's lease: how old a proof may be, and whose word is one."""

import pytest

from data_service.namenode.leading.leader_lease import (
    CLOCK_DRIFT,
    PROOF_SECONDS_MAX,
    RENEWAL_SECONDS,
    Election,
    LeaderLease,
)

EXPIRY_SECONDS = 3.0
"""A proof lives a third of it."""


def new_lease(now: float = 0.0, alone: bool = True) -> LeaderLease:
    """A lease whose proofs live for a second."""
    return LeaderLease(EXPIRY_SECONDS, alone, now)


def test_a_proof_gets_old() -> None:
    """As after a suspension: nobody has renewed it."""
    lease = new_lease(now=10.0)
    assert lease.holds(10.9) and not lease.holds(11.0)


def test_a_proof_is_as_old_as_its_question() -> None:
    lease = new_lease()
    lease.proved(5.0, Election(1, 4.9))
    assert lease.holds(5.9) and not lease.holds(6.0)
    lease.proved(3.0, Election(1, 2.9))
    assert lease.holds(5.9), "a late answer takes nothing back"


def test_a_proof_lives_for_a_third_of_a_session_and_not_for_long() -> None:
    assert new_lease().seconds == EXPIRY_SECONDS / 3
    assert LeaderLease(3600.0, True, 0.0).seconds == PROOF_SECONDS_MAX
    for expiry in (0.3, 3.0, 3600.0):
        lease = LeaderLease(expiry, True, 0.0)
        assert lease.renewal_seconds <= min(RENEWAL_SECONDS, lease.seconds / 2)
        assert lease.renewal_seconds + lease.question_seconds <= lease.seconds


def test_the_zookeeper_will_do_while_the_metadata_service_is_away() -> None:
    lease = new_lease()
    lease.proved(1.0, Election(1, 0.9))
    assert lease.unanswered(Election(1, 4.8))
    assert lease.holds(5.7) and not lease.holds(5.8), "its word is as old as its last answer"
    assert lease.unanswered(Election(1, 2.0)) and lease.holds(5.7)


def test_the_zookeeper_alone_proves_nothing() -> None:
    """Before the metadata service said that this epoch is the newest in this election."""
    lease = new_lease()
    assert not lease.unanswered(Election(1, 0.9))
    assert not lease.holds(1.0)


def test_a_later_election_is_no_proof() -> None:
    """Another one may have led, and claimed an epoch, between the two."""
    lease = new_lease()
    lease.proved(1.0, Election(1, 0.9))
    assert not lease.unanswered(Election(2, 1.9)) and not lease.holds(2.0)
    lease.proved(3.0, Election(2, 2.9))
    assert lease.unanswered(Election(2, 4.0)) and lease.holds(4.9)


def test_an_election_during_the_question_is_no_proof() -> None:
    """The answer was of the time before it."""
    lease = new_lease()
    lease.proved(1.0, Election(1, 0.9))
    assert not lease.unanswered(Election(2, 1.5)), "won after the question was asked"


def test_a_new_leader_changes_nothing_while_the_old_one_may_answer() -> None:
    for late in (0.0, 0.5, 0.99):
        old, new = new_lease(), new_lease(late, alone=False)
        held_back = old.seconds * CLOCK_DRIFT
        assert not new.may_change(late)
        from_then = late + new.seconds_to_change(late)
        assert from_then == pytest.approx(late + held_back)
        from_then += 1e-6
        assert new.may_change(from_then) and new.seconds_to_change(from_then) == 0.0
        assert not old.holds(from_then)


def test_who_is_the_only_namenode_changes_at_once() -> None:
    assert new_lease().may_change(0.0) and new_lease().seconds_to_change(0.0) == 0.0
