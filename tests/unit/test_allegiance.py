"""Which members stand by a leader: whose word is a proof, as of when, and who has left."""

from typing import Dict

import pytest

from metadata_service.epochs import LEAP_MAX
from metadata_service.leader.allegiance import (
    DESERTED_SECONDS,
    NO_WISH,
    WISH_HEARD_SECONDS,
    Allegiance,
    Wish,
)
from metadata_service.quorum import NOBODY, Configuration, Proved

EPOCH = 7


def of(*sets: str) -> Configuration:
    """A configuration of members that are named by letters."""
    return Configuration(1, tuple(tuple((one, f"{one}:1") for one in members) for members in sets))


def told(asked: Dict[str, float], promised: int = EPOCH, to: object = None) -> Allegiance:
    """Members that were asked at these moments have promised this epoch."""
    allegiance = to if isinstance(to, Allegiance) else Allegiance(EPOCH)
    for member, asked_at in asked.items():
        allegiance.answered(Proved(member, promised, 1, True, ""), asked_at)
    return allegiance


def test_nothing_is_proved_before_the_first_answer() -> None:
    assert Allegiance(EPOCH).proved_at(of("a")) is None


def test_a_late_answer_takes_nothing_back() -> None:
    one = told({"a": 5.0})
    assert told({"a": 3.0}, to=one).proved_at(of("a")) == 5.0


def test_a_proof_is_as_old_as_the_oldest_question_that_a_majority_needs() -> None:
    one, three = told({"a": 5.0}), of("abc")
    assert one.proved_at(three) is None, "one member proves nothing"
    assert told({"b": 3.0}, to=one).proved_at(three) == 3.0
    assert told({"c": 4.5}, to=one).proved_at(three) == 4.5


def test_majorities_of_both_sets_prove_while_members_change() -> None:
    one, joint = told({"a": 1.0, "b": 1.0}), of("abc", "ade")
    assert one.proved_at(joint) is None
    assert told({"d": 0.5}, to=one).proved_at(joint) == 0.5


@pytest.mark.parametrize("promised", [EPOCH - 1, EPOCH + 1, 0])
def test_who_promised_another_epoch_proves_nothing(promised: int) -> None:
    assert told({"a": 1.0, "b": 1.0, "c": 1.0}, promised).proved_at(of("abc")) is None


def test_the_word_of_who_decides_nothing_is_no_proof() -> None:
    one = told({"a": 1.0, "x": 1.0, "y": 1.0})
    assert one.proved_at(of("abc")) is None and one.proved_at(NOBODY) is None


def test_a_promise_beyond_belief_makes_nobody_claim_anew() -> None:
    one = told({"a": 1.0}, EPOCH + LEAP_MAX + 1)
    assert not one.is_deserted(1.0 + 2 * DESERTED_SECONDS), "that would not bring it back"
    assert told({"b": 2.0, "c": 2.0}, to=one).proved_at(of("abc")) == 2.0
    assert told({"a": 3.0}, EPOCH + LEAP_MAX, to=one).is_deserted(3.0 + DESERTED_SECONDS)


def test_a_leader_is_fenced_when_no_majority_is_left_to_it() -> None:
    one, three = told({"a": 1.0}, EPOCH + 3), of("abc")
    assert not one.fenced_by(three) and not Allegiance(EPOCH).fenced_by(three)
    assert told({"b": 1.0}, EPOCH + 2, one).fenced_by(three) == EPOCH + 3
    assert told({"a": 1.0}, EPOCH + 1).fenced_by(of("a")) == EPOCH + 1


def test_what_a_member_said_before_it_left_stays_a_proof() -> None:
    """Before that it had promised nobody else an epoch."""
    one = told({"a": 1.5}, EPOCH + 1, told({"a": 1.0}))
    assert one.proved_at(of("a")) == 1.0


def test_a_leader_that_some_have_left_for_long_should_claim_anew() -> None:
    one = told({"a": 1.0, "b": 1.0})
    assert not one.is_deserted(1e6) and not one.has_lost_some
    for asked_at in (2.0, 3.0):
        told({"c": asked_at}, EPOCH + 1, one)
    assert not one.is_deserted(1.9 + DESERTED_SECONDS) and one.is_deserted(2.0 + DESERTED_SECONDS)
    assert one.has_lost_some
    assert repr(one) == "<Allegiance to 7 of 2, 1 left>"


def wished(wishes: Dict[str, str], at: float = 5.0, missed_by: int = 3) -> Allegiance:
    """Members that tell of these wishes (member -> address)."""
    allegiance = Allegiance(EPOCH)
    for member, address in wishes.items():
        allegiance.answered(Proved(member, EPOCH, 1, True, address, missed_by), at)
    return allegiance


def test_a_wish_counts_that_majorities_tell_of() -> None:
    three = of("abc")
    assert Allegiance(EPOCH).wish(three, 0.0) == NO_WISH
    assert wished({"a": "n:1", "b": ""}).wish(three, 5.0) == NO_WISH
    assert wished({"a": "n:1", "b": "n:2"}).wish(three, 5.0) == NO_WISH
    assert wished({"a": "n:1", "c": "n:1"}).wish(three, 5.0) == Wish("n:1", 3)
    assert wished({"a": "n:2", "b": "n:1", "c": "n:2"}).wish(three, 5.0) == Wish("n:2", 3)
    assert wished({"a": "n:1", "b": "n:1"}).wish(of("abc", "ade"), 5.0) == NO_WISH


def test_members_that_count_differently_are_believed_as_far_as_a_majority_agrees() -> None:
    one = wished({"a": "n:1", "b": "n:1"}, missed_by=2)
    one.answered(Proved("c", EPOCH, 1, True, "n:1", 9), 5.0)
    assert one.wish(of("abc"), 5.0) == Wish("n:1", 2)


def test_a_wish_is_forgotten_that_is_not_told_of_any_more() -> None:
    one = wished({"a": "n:1", "b": "n:1"})
    assert one.wish(of("abc"), 5.0 + WISH_HEARD_SECONDS) == Wish("n:1", 3)
    assert one.wish(of("abc"), 5.1 + WISH_HEARD_SECONDS) == NO_WISH
    one.answered(Proved("b", EPOCH, 1, True, ""), 5.1)
    assert one.wish(of("abc"), 5.1) == NO_WISH
