"""What a member does that lacks something: nothing, edits, an image, or a new beginning."""

from typing import Dict, Tuple

import pytest

from metadata_service.member.catch_up_plan import IMAGE, PULL, RENEW, WAIT, Step, next_step
from metadata_service.member.member_record import alone
from metadata_service.quorum import NOBODY, Configuration, MemberStatus, Place

EPOCH = 3


def status(
    member_id: str, last: int, state: str = "ok", first: int = 1, cluster_id: str = "cluster",
    applied: int = -1,
) -> MemberStatus:
    """What a member tells whose log goes so far."""
    done = Place(last if applied < 0 else applied, "x")
    return MemberStatus(cluster_id, member_id, EPOCH, "", EPOCH, first, Place(last, "x"), done,
                        done.txid, NOBODY, (), True, 0.0, state)


def step(
    own: MemberStatus, stuck: bool = True, pruned: bool = False, **peers: MemberStatus
) -> Step:
    """What it does next, having acknowledged what it has."""
    return next_step(own, (own.log_epoch, own.last.txid), peers, stuck, pruned)


OWN = status("own", 10)


def test_a_member_that_lacks_nothing_waits() -> None:
    assert step(OWN).deed == step(OWN, a=status("a", 10)).deed == WAIT
    assert step(OWN, a=status("a", 20, applied=10)).deed == WAIT, "the rest may never be decided"


def test_one_that_gets_its_edits_from_the_leader_waits() -> None:
    assert step(OWN, stuck=False, a=status("a", 12)).deed == WAIT


def test_edits_come_from_who_has_most() -> None:
    found = step(OWN, a=status("a", 12), b=status("b", 15), c=status("c", 14))
    assert found == (PULL, "b", "has applied edits to 10 of 15")


def test_edits_that_were_never_decided_keep_nobody_from_those_that_were() -> None:
    own = status("own", 14, applied=10)
    assert step(own, a=status("a", 14)).deed == PULL
    assert step(own, a=status("a", 30, first=12)).deed == IMAGE
    assert step(own, a=status("a", 14, applied=10)).deed == WAIT


def test_an_image_comes_when_the_edits_are_not_kept() -> None:
    assert step(OWN, a=status("a", 30, first=11)).deed == PULL
    assert step(OWN, a=status("a", 30, first=12)).deed == IMAGE
    assert step(OWN, a=status("a", 30, first=0)).deed == IMAGE
    assert step(OWN, pruned=True, a=status("a", 30)).deed == IMAGE


@pytest.mark.parametrize("own", [status("own", 0, "blank", 0, ""), status("own", 50, "damaged")])
def test_who_has_no_image_of_its_own_takes_one_at_once(own: MemberStatus) -> None:
    assert step(own, stuck=False, a=status("a", 12))[:2] == (IMAGE, "a")
    assert step(own).why == "no other member has a whole record"


def test_a_damaged_member_waits_for_an_image_that_its_own_edits_follow() -> None:
    own = status("own", 50, "damaged", first=41, applied=45)
    assert step(own, a=status("a", 39)) == (
        WAIT, "", "no other member has applied what it has acknowledged")
    assert step(own, a=status("a", 40)).deed == IMAGE
    none = status("own", 50, "damaged", first=0)
    assert step(none, a=status("a", 49)).deed == WAIT
    assert step(none, a=status("a", 50)).deed == IMAGE


@pytest.mark.parametrize("state", ["blank", "damaged"])
def test_nothing_is_taken_from_who_has_no_whole_record(state: str) -> None:
    for own in (OWN, status("own", 0, "blank", 0, "")):
        assert step(own, a=status("a", 20, state)).deed == WAIT


def test_nothing_is_taken_from_another_cluster() -> None:
    assert step(OWN, a=status("a", 20, cluster_id="foreign")).deed == WAIT
    blank = status("own", 0, "blank", 0, "")
    both: Dict[str, MemberStatus] = {"a": status("a", 20), "b": status("b", 9, cluster_id="other")}
    assert step(blank, **both) == (WAIT, "", "the others keep records of different clusters")


def test_nothing_is_taken_from_a_copy_of_itself() -> None:
    assert step(OWN, a=status("own", 20)).deed == WAIT


@pytest.mark.parametrize(
    "mark, deed",
    [((EPOCH, 10), WAIT), ((EPOCH, 11), RENEW), ((EPOCH + 1, 1), RENEW), ((EPOCH - 1, 99), WAIT)],
)
def test_who_has_less_than_it_once_acknowledged_begins_anew(
    mark: Tuple[int, int], deed: str
) -> None:
    peer = status("a", 20)._replace(witness=(("own", *mark), ("other", EPOCH + 9, 99)))
    assert step(OWN, stuck=False, a=peer).deed == deed


def test_who_has_cut_its_log_by_decided_edits_still_is_itself() -> None:
    peer = status("a", 20)._replace(witness=(("own", EPOCH, 15),))
    assert next_step(OWN, (EPOCH, 15), {"a": peer}, False, False).deed == WAIT


def test_who_decides_alone_takes_nothing_from_those_that_did_before() -> None:
    """It goes on from what it has, as a person said: what others have beyond that is void."""
    own = OWN._replace(configuration=alone("own", "own:1"))
    others = Configuration(9, ((("own", "own:1"), ("a", "a:1"), ("b", "b:1")),))
    for peer in (status("a", 30), status("a", 30, first=20), status("a", 30, first=0)):
        peer = peer._replace(configuration=others, witness=(("own", EPOCH, 15),))
        assert step(own, a=peer).deed == WAIT
        assert step(own._replace(configuration=others), a=peer).deed == RENEW


def test_nothing_comes_from_a_record_of_before_a_restore() -> None:
    """Somebody forgot to move it away, and it has more edits than the one that was put back."""
    left, restored = status("left", 90), status("restored", 20)._replace(promised=EPOCH + 65536)
    blank = status("own", 0, "blank", 0, "")
    assert step(blank, left=left, restored=restored)[:2] == (IMAGE, "restored")
    assert step(OWN, left=left, restored=restored)[:2] == (PULL, "restored")
    assert step(OWN, left=left, restored=restored._replace(state="damaged")).peer == "left"
    led = OWN._replace(promised=restored.promised, log_epoch=restored.promised)
    assert step(led, left=left).deed == WAIT, "its own promise tells"


def test_an_image_is_that_of_the_latest_log() -> None:
    blank = status("own", 0, "blank", 0, "")
    early = status("a", 20)._replace(log_epoch=EPOCH - 1)
    assert step(blank, a=early, b=status("b", 15)).peer == "b"
    assert step(blank, a=early).peer == "a"


@pytest.mark.parametrize("state", ["blank", "stranger", "damaged"])
def test_a_promise_that_binds_no_leader_shuts_out_nobody(state: str) -> None:
    """Who wanted to lead may have got it from there alone; no leader would learn of it."""
    peer = status("b", 0, state)._replace(promised=EPOCH + 1)
    own = status("own", 10, state)._replace(promised=EPOCH + 1)
    for one in (OWN, own):
        assert step(one, a=status("a", 20), b=peer).peer == "a"


def test_a_promise_that_nobody_can_have_asked_for_shuts_out_nobody() -> None:
    peer = status("b", 0)._replace(promised=1 << 50)
    assert step(OWN, a=status("a", 20), b=peer).peer == "a"
