"""What a leader knows of its members besides their logs: that it leads, and how they fare."""

import time
from typing import Iterator

import pytest

from metadata_service.leader.journal import Journal
from metadata_service.leader.member_figures import figures
from metadata_service.leader.proofs import Proofs
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.models.lettered_members import BYTES_MAX, Quorum, write
from zookeeper.fabric.errors import Busy, Fenced, OutOfStep, Unavailable


@pytest.fixture(name="quorum")
def _quorum() -> Iterator[Quorum]:
    made = Quorum(3)
    yield made
    made.close()


def test_a_proof_is_as_old_as_its_question(quorum: Quorum) -> None:
    leader = quorum.lead()
    proofs, before = Proofs(leader), time.monotonic()
    quorum.ways.held.add("c:1")
    assert before <= proofs.renew(1) <= time.monotonic()
    quorum.ways.held.update(("a:1", "b:1"))
    with pytest.raises(Unavailable):
        proofs.renew(0.05)
    between = time.monotonic()
    quorum.ways.held.clear()
    assert proofs.renew(PATIENCE_SECONDS) >= between, "late answers are of older questions"
    quorum.ways.dead.update(("a:1", "b:1"))
    with pytest.raises(Unavailable):
        proofs.renew(0.05)
    quorum.ways.dead.clear()
    assert proofs.renew(PATIENCE_SECONDS)


def test_who_lets_go_may_be_followed_at_once(quorum: Quorum) -> None:
    leader = quorum.lead()
    proofs = Proofs(leader)
    wait_until(lambda: proofs.renew(1) and all(lane.proving.idle for lane in leader.lanes))
    args = leader.reign.cluster_id, leader.reign.epoch + 1, "another:1 nonce"
    with pytest.raises(Busy):
        quorum.members[0].claim(*args)
    leader.close()
    proofs.release()
    for one in quorum.members:
        assert one.claim(*args).promised == leader.reign.epoch + 1
    with pytest.raises(Unavailable):
        proofs.renew(1)


def test_a_majority_that_promised_another_ends_the_proofs(quorum: Quorum) -> None:
    leader = quorum.lead()
    proofs = Proofs(leader)
    wait_until(lambda: proofs.renew(1) and all(lane.proving.idle for lane in leader.lanes))
    args = leader.reign.cluster_id, leader.reign.epoch + 1, "namenode:1 later"
    quorum.members[0].claim(*args)
    assert proofs.renew(PATIENCE_SECONDS), "a minority is none"
    quorum.members[1].claim(*args)
    with pytest.raises(Fenced, match="epoch 1 is over, 2 has been promised"):
        proofs.renew(PATIENCE_SECONDS)


def test_who_was_left_by_some_and_has_no_majority_any_more_gives_up_soon(quorum: Quorum) -> None:
    """Its questions would keep the last one from promising another, who has the first one."""
    leader = quorum.lead()
    proofs = Proofs(leader)
    wait_until(lambda: proofs.renew(1) and all(lane.proving.idle for lane in leader.lanes))
    quorum.ways.held.add("c:1")
    quorum.members[0].claim(leader.reign.cluster_id, leader.reign.epoch + 1, "namenode:1 later")
    with pytest.raises(OutOfStep, match="and no majority is left"):
        proofs.renew(0.3)
    proofs.release()
    assert quorum.members[1].claim(leader.reign.cluster_id, leader.reign.epoch + 2, "another:1 x")


def test_who_had_left_before_he_was_reached_is_known_to_have_left(quorum: Quorum) -> None:
    """He takes part in nothing until another epoch unites all, so the leader has to know."""
    quorum.lead().close()
    quorum.ways.dead.add("a:1")
    leader = quorum.lead()
    proofs = Proofs(leader)
    quorum.members[0].claim(leader.reign.cluster_id, leader.reign.epoch + 1, "namenode:1 later")
    assert proofs.renew(PATIENCE_SECONDS) and not proofs.allegiance.has_lost_some
    quorum.ways.dead.clear()
    wait_until(lambda: proofs.renew(PATIENCE_SECONDS) and proofs.allegiance.has_lost_some)


def test_who_has_promised_the_same_epoch_to_another_claim_is_known_to_have_left(
    quorum: Quorum,
) -> None:
    """A claim that only one of them heard, and the next one, of those that did not hear it, have
    the same number. It was fenced off for ever, while its answers to proofs said that all is well:
    a disk in the place of another never came to count."""
    quorum.lead().close()
    quorum.ways.dead.add("a:1")
    leader = quorum.lead()
    proofs = Proofs(leader)
    quorum.members[0].claim(leader.reign.cluster_id, leader.reign.epoch, "namenode:1 earlier")
    assert proofs.renew(PATIENCE_SECONDS) and not proofs.allegiance.has_lost_some
    quorum.ways.dead.clear()
    wait_until(lambda: proofs.renew(PATIENCE_SECONDS) and proofs.allegiance.has_lost_some)
    leader.close()
    after = quorum.lead()
    assert after.reign.epoch == leader.reign.epoch + 1
    wait_until(lambda: len(after.in_step()) == 3)


def test_a_claim_that_comes_too_early_is_given_up(quorum: Quorum) -> None:
    """Made again and again it would have a member that nobody leads yet promise ever later epochs,
    and take part in nothing."""
    quorum.lead().close()
    quorum.ways.dead.add("a:1")
    assert Proofs(quorum.lead()).renew(PATIENCE_SECONDS), "the others answer one leader"
    quorum.ways.dead.clear()
    other = Journal(quorum.ways, "another:1", PATIENCE_SECONDS, BYTES_MAX, lambda error: None)
    with pytest.raises(Busy, match="lease of namenode:1 may run"):
        other.open()
    assert quorum.members[0].record.promised == 3


def test_figures_tell_who_lags(quorum: Quorum) -> None:
    leader = quorum.lead()
    wait_until(lambda: len(leader.in_step()) == 3)
    quorum.ways.dead.add("a:1")
    write(leader, "abc")
    wait_until(lambda: len(leader.in_step()) == 2)
    found = {one.name: one for one in figures(leader, time.monotonic() + 5)}
    behind, seconds, in_step = [
        {sample.tags[0][1]: sample.values[0] for sample in found[f"pyhdfs_member_{name}"].samples}
        for name in ("edits_behind", "seconds_behind", "in_step")
    ]
    assert behind["a:1"] == 3 and max(behind["b:1"], behind["c:1"]) <= 3
    assert seconds["a:1"] >= 5 and in_step == {"a:1": 0, "b:1": 1, "c:1": 1}
    assert found["pyhdfs_decided_txid"].samples[0].values == (3,)
    appends = found["pyhdfs_member_append_seconds"]
    assert len(appends.samples) == 3 and sum(appends.samples[1].values[:-1]) >= 1
