"""The rule of the leader's lease: how old a proof may be."""

from math import inf

import pytest

from data_service.namenode.leading.leader_lease import LeaderLease


def test_nothing_is_proved_before_the_first_answer() -> None:
    lease = LeaderLease(1.0, alone=False)
    assert not lease.holds(0.0) and lease.age(0.0) == inf


def test_a_proof_is_as_old_as_its_question_and_gets_old() -> None:
    """As after a suspension: nobody has renewed it."""
    lease = LeaderLease(1.0, alone=False)
    lease.proved(5.0)
    assert lease.holds(5.9) and not lease.holds(6.0) and lease.age(6.5) == 1.5
    lease.proved(3.0)
    assert lease.holds(5.9), "a late answer takes nothing back"


def test_the_only_namenode_needs_no_proof() -> None:
    assert LeaderLease(1.0, alone=True).holds(1e9)


def test_a_proof_is_renewed_several_times_while_it_lasts() -> None:
    lease = LeaderLease(1.5, alone=False)
    assert lease.renewal_seconds == pytest.approx(0.3) and "1.5 s" in repr(lease)
