"""What a member of the quorum stores, cuts, applies and forgets, rule by rule."""

import pytest

from metadata_service.edits import join_lines
from metadata_service.member import member_core as member_module
from metadata_service.member.member_record import alone
from metadata_service.quorum import BEHIND, FULL, OK, START, STRANGER, Configuration, Place
from tests.support.models.led_member import (
    LINES,
    ONE_OF_THREE,
    OTHER_PLACES,
    OTHERS,
    PLACES,
    THREE,
    A,
    B,
    append,
    led,
    payload,
)
from tests.support.models.memory_member import ALONE, CLUSTER, MemoryMember
from tests.support.models.sample_edits import file_edit, file_edits, image_after, lines_of
from zookeeper.fabric.errors import Fenced, OutOfStep, ProtocolViolation


def test_a_log_is_adopted_by_who_has_the_promise() -> None:
    member = MemoryMember(ONE_OF_THREE)
    member.claim(CLUSTER, 2, A)
    for epoch, owner in ((1, A), (2, B)):
        with pytest.raises(Fenced):
            member.adopt(epoch, owner, START, payload(1, 3), 0, THREE)
    assert member.adopt(2, A, START, payload(1, 3), 2, THREE) == (*PLACES[3], 2, True)
    assert member.status().log_epoch == 2 and member.status().decided == 2


def test_who_missed_the_claim_adopts_all_the_same() -> None:
    member = led()
    assert member.adopt(4, B, START, payload(1, 2), 0, THREE).last == PLACES[2]
    assert (member.record.promised, member.record.owner, member.record.log_epoch) == (4, B, 4)


def test_what_differs_goes_and_what_agrees_stays() -> None:
    member = led()
    append(member, 1, 10, decided=0)
    append(member, 11, 11, decided=2)
    member.claim(CLUSTER, 2, B)
    stored = member.adopt(2, B, PLACES[2], payload(3, 6, OTHERS), 4, THREE)
    assert stored == (*OTHER_PLACES[6], 4, True)
    assert member.lines == OTHERS[:6]


def test_a_longer_log_of_an_earlier_epoch_is_cut() -> None:
    member = led()
    append(member, 1, 10)
    member.claim(CLUSTER, 2, B)
    assert member.adopt(2, B, START, payload(1, 4), 0, THREE).last == PLACES[4]
    assert member.lines == LINES[:4]


def test_a_repeated_adopt_cuts_nothing() -> None:
    member = led()
    append(member, 1, 5)
    for _ in range(2):
        assert member.adopt(1, A, START, b"", 0, THREE).last == PLACES[5]
    with pytest.raises(Fenced):
        member.adopt(1, B, START, b"", 0, THREE)


@pytest.mark.parametrize(
    "behind", [PLACES[1], START, OTHER_PLACES[4], Place(5, "?"), PLACES[9], Place(0, "x")], ids=str
)
def test_a_log_that_does_not_begin_in_ours_or_before_what_is_applied_is_not_adopted(
    behind: Place,
) -> None:
    member = led()
    append(member, 1, 6)
    append(member, 7, 8, decided=3)
    member.claim(CLUSTER, 2, B)
    with pytest.raises(OutOfStep):
        member.adopt(2, B, behind, b"", 0, THREE)
    assert member.lines == LINES[:8] and member.record.log_epoch == 1


def test_in_the_same_epoch_only_a_later_configuration_is_taken() -> None:
    member = led()
    append(member, 1, 4)
    later = Configuration(3, (THREE.sets[0], (("m1", "a:1"),)))
    earlier = Configuration(2, (THREE.sets[0],))
    assert member.adopt(1, A, START, b"", 2, later) == (*PLACES[4], 2, True)
    member.adopt(1, A, START, b"", 0, earlier)
    assert member.status().configuration == later and member.lines == LINES[:4]


def test_a_new_leaders_configuration_is_taken_whatever_its_version() -> None:
    member = led()
    later = Configuration(3, (THREE.sets[0], (("m1", "a:1"),)))
    member.adopt(1, A, START, b"", 0, later)
    member.claim(CLUSTER, 2, B)
    member.adopt(2, B, START, b"", 0, THREE)
    assert member.status().configuration == THREE


def test_edits_are_stored_at_once_and_applied_when_they_are_decided() -> None:
    member = led()
    assert append(member, 1, 5) == (*PLACES[5], 0, True)
    assert member.tables == image_after([])
    assert append(member, 6, 9, decided=5) == (*PLACES[9], 5, True)
    assert member.tables == image_after(file_edits(1, 5))
    assert append(member, 10, 9, decided=99) == (*PLACES[9], 9, True), "no more than there are"
    assert member.tables == image_after(file_edits(1, 9))


def test_a_member_that_is_alone_decides_by_itself() -> None:
    member = led(ALONE)
    assert append(member, 1, 5) == (*PLACES[5], 5, True)
    assert member.status().decided == 5 and member.tables == image_after(file_edits(1, 5))
    member.restart()
    assert member.status().decided == 5


def test_a_member_of_several_knows_after_a_start_only_what_it_applied() -> None:
    member = led()
    append(member, 1, 5)
    append(member, 6, 9, decided=5)
    member.restart()
    assert member.status().decided == 5 and member.record.last == PLACES[9]


@pytest.mark.parametrize("first, last", [(1, 3), (1, 6), (3, 6), (4, 9), (6, 6), (7, 6), (3, 2)])
def test_a_repeated_append_counts_once(first: int, last: int) -> None:
    member = led()
    append(member, 1, 6)
    for _ in range(2):
        assert append(member, first, last).last == PLACES[max(last, 6)]
    assert member.lines == LINES[: max(last, 6)]


@pytest.mark.parametrize("first, last", [(8, 9), (20, 20), (9, 8)])
def test_a_gap_is_no_error_but_told(first: int, last: int) -> None:
    member = led()
    append(member, 1, 6)
    assert append(member, first, last, decided=6).last == PLACES[6]
    assert member.lines == LINES[:6]


@pytest.mark.parametrize("position", range(1, 7))
def test_other_edits_under_known_numbers_are_refused(position: int) -> None:
    member = led()
    append(member, 1, 6)
    lines = LINES[: position - 1] + lines_of([file_edit(position, "other")]) + LINES[position:]
    with pytest.raises(OutOfStep, match="is another one"):
        member.append(1, START, join_lines(lines[:8]), 0, ())
    with pytest.raises(OutOfStep):
        member.append(1, Place(6, "other"), payload(7, 8), 0, ())
    assert member.lines == LINES[:6]


def test_who_was_replaced_can_append_nothing() -> None:
    member = led()
    append(member, 1, 3)
    member.claim(CLUSTER, 2, "a:1 again")
    with pytest.raises(Fenced, match="epoch 1 is over"):
        append(member, 4, 4)
    with pytest.raises(OutOfStep, match="not yet of 2"):
        append(member, 4, 4, epoch=2)
    with pytest.raises(OutOfStep, match="not yet of 3"):
        append(member, 4, 4, epoch=3)
    assert member.lines == LINES[:3]


@pytest.mark.parametrize("junk", [b"\n", b"[]", b"\xff", payload(5, 5), payload(4, 4) + b"\n"])
def test_what_is_no_edit_that_follows_is_refused(junk: bytes) -> None:
    member = led()
    append(member, 1, 3)
    with pytest.raises(ProtocolViolation):
        member.append(1, PLACES[3], junk, 3, ())
    assert member.lines == LINES[:3] and member.status().decided == 0


def test_what_the_others_have_is_remembered() -> None:
    member = led()
    witness = (("m2", 1, 3), ("m3", 1, 2))
    member.append(1, START, payload(1, 3), 0, witness)
    member.restart()
    assert member.status().witness == witness
    member.append(1, member.record.last, b"", 0, ())
    assert member.status().witness == witness, "none leaves the one of before"


def test_old_edits_are_forgotten_when_they_are_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member_module, "PRUNE_EDITS", 3)
    member = led(keep_edits=5)
    append(member, 1, 20)
    assert member.status().first_txid == 1, "none of them is decided yet"
    append(member, 21, 21, decided=20)
    append(member, 22, 22, decided=21)
    assert 1 < member.status().first_txid <= 18
    for txid in range(23, 41):
        append(member, txid, txid, decided=txid - 1)
    assert 40 - 5 - 3 <= member.status().first_txid <= 36
    with pytest.raises(OutOfStep, match="not kept"):
        append(member, 1, 5)
    assert member.tail(10, 5, 0.0).behind and not member.tail(39, 5, 0.0).behind


def test_no_transaction_applies_more_than_it_should(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member_module, "APPLY_EDITS_MAX", 4)
    member = led()
    append(member, 1, 20)
    assert append(member, 21, 21, decided=20).applied_txid == 4
    member.settle()
    assert member.record.applied == PLACES[8]
    for _ in range(9):
        member.settle()
    assert member.record.applied == PLACES[20] and member.core.settle(member.log) is None


def test_a_proof_tells_what_is_decided_in_the_log_of_its_epoch_only() -> None:
    member = led()
    append(member, 1, 5)
    assert member.prove(1, 3) == ("m1", 1, 5, True, "", 0) and member.status().decided == 3
    member.prove(1, 99)
    assert member.status().decided == 5
    member.claim(CLUSTER, 2, "a:1 again")
    append_after = led()
    append_after.append(1, START, payload(1, 5), 0, ())
    append_after.claim(CLUSTER, 2, "a:1 again")
    append_after.prove(2, 5)
    assert append_after.status().decided == 0, "its tail may be another one's"


def test_while_its_image_is_read_it_stores_and_applies_nothing() -> None:
    for record in (ALONE, ONE_OF_THREE):
        member = led(record)
        append(member, 1, 3, decided=0)
        append(member, 4, 4, decided=3)
        applied = member.record.applied
        member.core.still = True
        assert append(member, 5, 8, decided=4) == (*PLACES[8], applied.txid, True)
        assert member.core.settle(member.log) is None
        member.restart()
        member.settle()
        append(member, 9, 9, decided=8)
        assert member.record.applied.txid >= 8


def test_a_member_pulls_what_is_decided_elsewhere() -> None:
    member = led()
    append(member, 1, 5)
    append(member, 6, 6, decided=3)
    assert member.pull(PLACES[3], payload(4, 9)) == (*PLACES[9], 9, True)
    assert (member.record.promised, member.record.log_epoch) == (1, 1)


def test_a_pull_keeps_an_own_tail_that_agrees_and_cuts_one_that_differs() -> None:
    agreeing, differing = led(), led()
    for member in (agreeing, differing):
        append(member, 1, 9)
        append(member, 10, 10, decided=2)
    assert agreeing.pull(PLACES[2], payload(3, 5)) == (*PLACES[10], 5, True)
    assert differing.pull(PLACES[2], payload(3, 5, OTHERS)) == (*OTHER_PLACES[5], 5, True)
    assert differing.lines == OTHERS[:5]


def test_a_pull_never_touches_what_was_applied() -> None:
    member = led()
    append(member, 1, 9)
    append(member, 10, 10, decided=6)
    assert member.pull(PLACES[2], payload(3, 5)).last == PLACES[10], "all of it is known"
    with pytest.raises(OutOfStep, match="these differ"):
        member.pull(PLACES[2], payload(3, 8, OTHERS))
    for behind in (Place(8, "?"), PLACES[20]):
        with pytest.raises(OutOfStep):
            member.pull(behind, b"")
    assert member.lines == LINES[:10]


def test_what_is_known_as_decided_is_cut_by_nobody() -> None:
    """Also before it has been applied."""
    member = led()
    append(member, 1, 9)
    member.prove(1, 6)
    for call in (lambda: member.pull(START, payload(1, 5, OTHERS)),
                 lambda: member.adopt(2, B, START, payload(1, 9, OTHERS), 0, THREE),
                 lambda: member.adopt(2, B, START, payload(1, 5), 0, THREE)):
        with pytest.raises(OutOfStep, match="6 are decided"):
            call()
    assert member.adopt(2, B, START, payload(1, 6), 0, THREE).last == PLACES[6]


def test_only_who_has_the_promise_reads_what_is_not_decided() -> None:
    member = led()
    append(member, 1, 5)
    assert member.undecided(1, 2, 9) == payload(3, 5)
    for epoch in (0, 2):
        with pytest.raises(Fenced):
            member.undecided(epoch, 2, 9)


def test_who_follows_reads_what_is_decided() -> None:
    member = led()
    append(member, 1, 5)
    append(member, 6, 8, decided=5)
    assert member.tail(2, 2, 0.0) == (5, payload(3, 4), False)
    assert member.tail(5, 9, 0.0) == (5, b"", False)
    assert member.tail(6, 9, 0.0).behind


def test_a_member_tells_how_it_fares() -> None:
    member = led(ONE_OF_THREE)
    assert member.status().state == OK
    member.room = False
    assert member.status().state == FULL and not append(member, 1, 1).room
    member.core.trouble = BEHIND
    assert member.status().state == BEHIND
    stranger = MemoryMember(ONE_OF_THREE._replace(member_id="m9"))
    assert stranger.status().state == STRANGER


def test_a_member_that_becomes_the_only_one_decides_what_it_has() -> None:
    member = led()
    append(member, 1, 5)
    member.adopt(1, A, START, b"", 0, alone("m1", "a:1")._replace(version=3))
    assert member.status().decided == 5 and member.tables == image_after(file_edits(1, 5))
