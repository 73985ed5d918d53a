"""What a member of the quorum promises, to whom, and when it lets nobody claim."""

import pytest

from metadata_service.epochs import LEAP_MAX
from metadata_service.quorum import BLANK as IS_BLANK
from metadata_service.quorum import NOBODY, OK, START
from tests.support.models.led_member import ONE_OF_THREE, THREE, A, B, lead, led
from tests.support.models.memory_member import BLANK, CLUSTER, LEASE_SECONDS, MemoryMember
from zookeeper.fabric.errors import Busy, Fenced, ProtocolViolation



def test_an_epoch_is_promised_to_one_owner() -> None:
    member = MemoryMember(ONE_OF_THREE)
    for _ in range(2):
        status = member.claim(CLUSTER, 3, A)
        assert (status.promised, status.owner, status.log_epoch) == (3, A, 0)
    for epoch, owner in ((3, B), (2, A), (1, B)):
        with pytest.raises(Fenced, match="epoch 3 has been promised to a:1"):
            member.claim(CLUSTER, epoch, owner)
    member.restart()
    assert member.claim(CLUSTER, 3, A).promised == 3
    with pytest.raises(Fenced):
        member.claim(CLUSTER, 3, B)


def test_an_epoch_beyond_belief_is_not_promised() -> None:
    member = MemoryMember(ONE_OF_THREE)
    member.claim(CLUSTER, 5, A)
    for epoch in (5 + LEAP_MAX + 1, 1 << 60):
        with pytest.raises(ProtocolViolation):
            member.claim(CLUSTER, epoch, A)
    assert member.claim(CLUSTER, 5 + LEAP_MAX, A).promised == 5 + LEAP_MAX


@pytest.mark.parametrize("cluster_id", ["", "another"])
def test_a_claim_of_another_cluster_is_refused(cluster_id: str) -> None:
    with pytest.raises(ProtocolViolation, match="is of cluster"):
        MemoryMember(ONE_OF_THREE).claim(cluster_id, 1, A)


def test_a_blank_member_belongs_to_nobody_before_it_adopts() -> None:
    member = MemoryMember(BLANK)
    assert member.status().state == IS_BLANK
    for epoch, cluster_id in ((1, "x"), (2, "y")):
        assert member.claim(cluster_id, epoch, A).cluster_id == cluster_id
        assert member.status().state == IS_BLANK and member.status().configuration == NOBODY
    with pytest.raises(ProtocolViolation, match="members that decide"):
        member.adopt(2, A, START, b"", 0, NOBODY)
    member.adopt(2, A, START, b"", 0, THREE)
    assert (member.status().state, member.status().cluster_id) == (OK, "y")
    with pytest.raises(ProtocolViolation):
        member.claim("x", 3, A)


def test_while_a_lease_runs_nobody_else_may_claim() -> None:
    member = led()
    member.now = 10.0
    member.prove(1, 0)
    for passed in (0.0, 1.0, LEASE_SECONDS - 0.01):
        member.now = 10.0 + passed
        with pytest.raises(Busy, match="lease of a:1"):
            member.claim(CLUSTER, 2, B)
        assert member.status().silent_seconds == pytest.approx(passed)
    with pytest.raises(Fenced):
        member.claim(CLUSTER, 1, B)
    member.now = 10.0 + LEASE_SECONDS + 0.01
    assert member.claim(CLUSTER, 2, B).promised == 2


def test_a_restarted_process_at_the_same_address_need_not_wait() -> None:
    member = led()
    member.prove(1, 0)
    assert member.claim(CLUSTER, 2, "a:1 again").promised == 2


def test_who_lets_go_is_followed_at_once_and_leads_no_more() -> None:
    member = led()
    member.prove(1, 0)
    member.release(1)
    assert member.status().silent_seconds == float("inf")
    with pytest.raises(Fenced, match="has let go"):
        member.prove(1, 0)
    assert member.claim(CLUSTER, 2, B).promised == 2


def test_a_late_word_of_an_earlier_leader_ends_no_lease() -> None:
    member = led()
    member.claim(CLUSTER, 2, "a:1 again")
    member.prove(2, 0)
    member.release(1)
    with pytest.raises(Busy):
        member.claim(CLUSTER, 3, B)


def test_after_a_start_a_member_behaves_as_if_it_had_just_answered() -> None:
    member = led()
    member.now = 100.0
    member.restart()
    with pytest.raises(Busy):
        member.claim(CLUSTER, 2, B)
    member.now = 100.0 + LEASE_SECONDS
    assert member.claim(CLUSTER, 2, B).promised == 2


def test_who_was_never_promised_anything_leaves_nobody_waiting() -> None:
    assert MemoryMember(ONE_OF_THREE).claim(CLUSTER, 1, A).promised == 1


def test_from_the_decision_to_promise_on_no_earlier_proof_counts() -> None:
    """Both leaders would have a majority while one member writes."""
    member = led()
    member.now = 5.0
    change = member.core.claim(CLUSTER, 2, B, member.now)
    assert change is not None and member.prove(1, 0).promised == 2
    assert member.status().silent_seconds >= 5.0, "that was no proof"
    assert member.prove(2, 0).promised == 1, "nor is the promise durable yet"
    member.carry_out(change)
    assert member.prove(2, 0).promised == 2


def test_a_promise_that_could_not_be_stored_is_none() -> None:
    member = led()
    member.core.claim(CLUSTER, 2, "a:1 again", member.now)
    member.core.lease.withdraw()
    assert member.prove(1, 0).promised == 1


@pytest.mark.parametrize("epoch, promised", [(1, 2), (2, 2), (3, 2)])
def test_only_who_was_promised_last_renews_the_lease(epoch: int, promised: int) -> None:
    member = led()
    lead(member, 2, "a:1 again")
    member.now = 7.0
    assert member.prove(epoch, 0).promised == promised
    assert (member.status().silent_seconds == 0.0) == (epoch == promised)


def test_the_leader_is_told_who_wishes_to_lead_and_only_that_one_may_be_the_next() -> None:
    member = led()
    assert member.prove(1, 0)[4:] == ("", 0)
    member.core.wishes.file("b:1", 2, member.now)
    assert member.prove(1, 0)[4:] == ("b:1", 2)
    member.release(1)
    with pytest.raises(Busy, match="b:1"):
        member.claim(CLUSTER, 2, "c:1 nonce")
    assert member.claim(CLUSTER, 2, B).promised == 2
