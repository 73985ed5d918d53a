"""The machine that decides who leads: each event, in each standing."""

from math import inf
from random import Random
from typing import Callable, List

import pytest

from data_service.namenode.leading.leadership import (
    FENCED_PAUSE_SECONDS,
    HAND_OVER_SECONDS,
    Action,
    Campaign,
    EndTerm,
    Event,
    Failed,
    Follow,
    HandOver,
    Leadership,
    Loaded,
    Lost,
    NotTakenOver,
    Outlived,
    Refuse,
    Resign,
    Serve,
    Standing,
    TakeOver,
    TermOver,
    TookOver,
    Vacant,
    Woke,
)
from data_service.namenode.leading.pauses import (
    FAILED_PAUSE_SECONDS_MAX,
    LASTING_SECONDS,
    LOST_CLAIM_SECONDS,
    RETRY_SECONDS,
    Pauses,
)
from zookeeper.fabric.errors import (
    Busy,
    CorruptData,
    DfsError,
    Fenced,
    OutOfStep,
    ProtocolViolation,
    Unavailable,
)

AWAY = Unavailable("away")
FENCED = Fenced("a newer epoch")
DAMAGE = CorruptData("damage")
DEFECT = KeyError("a defect")


class Member:
    """A machine, checked after each event. Its first attempt is to load, the second to lead."""

    def __init__(self, alone: bool = False, seed: int = 0) -> None:
        self.machine = Leadership(alone, Random(seed))
        assert self.machine.start() == [Follow(1)]
        self.machine.check()

    def on(self, event: Event, now: float = 0.0) -> List[Action]:
        """What it does."""
        actions = self.machine.handle(event, now)
        self.machine.check()
        return actions

    def follow(self, now: float = 0.0) -> "Member":
        """Load for the first time."""
        assert self.on(Loaded(1), now) == [Campaign(1)]
        assert self.machine.standing is Standing.FOLLOWING
        return self

    def claim(self, now: float = 0.0) -> "Member":
        """Be elected for the first time."""
        assert self.follow(now).on(Vacant(1), now) == [TakeOver(2, 0)]
        return self

    def lead(self, now: float = 0.0) -> "Member":
        """Take over."""
        assert self.claim(now).on(TookOver(2), now) == [Serve()]
        assert self.machine.serves and self.machine.wake_at == inf
        return self


def test_who_follows_and_is_elected_takes_over_and_serves() -> None:
    Member().lead()


def test_who_loads_is_no_candidate() -> None:
    member = Member()
    assert member.on(Vacant(0)) == member.on(Woke(), 1e9) == []
    assert member.machine.standing is Standing.LOADING


def test_who_is_told_again_that_he_leads_goes_on() -> None:
    member = Member().lead()
    assert member.on(Vacant(1)) == [] and member.machine.serves


def test_who_is_fenced_lets_another_be_elected() -> None:
    """Two namenodes that both believed in their leadership would fence each other for ever."""
    member = Member().lead()
    assert member.on(TermOver(2, FENCED), 10.0) == [EndTerm(), Resign(), Follow(3)]
    assert member.on(Loaded(3), 10.2) == [], "it follows, and is no candidate yet"
    assert member.machine.standing is Standing.RESTING
    assert member.machine.wake_at == 10.0 + FENCED_PAUSE_SECONDS
    assert member.on(Woke(), 10.5) == []
    assert member.on(Woke(), 11.0) == [Campaign(2)]
    assert member.on(Vacant(2), 11.0) == [TakeOver(4, 0)]


def test_who_had_to_load_for_longer_than_the_pause_is_a_candidate_at_once() -> None:
    member = Member().lead()
    member.on(TermOver(2, FENCED), 10.0)
    assert member.on(Loaded(3), 30.0) == [Campaign(2)]


def test_late_news_of_a_role_that_was_given_up_is_no_news_of_the_next() -> None:
    """A word of the last candidacy came in this one, and was believed."""
    member = Member().lead()
    member.on(TermOver(2, FENCED), 0.0)
    assert member.on(Vacant(1), 0.1) == [], "while it loads"
    member.on(Loaded(3), 0.2)
    assert member.on(Vacant(1), 0.5) == [], "while it rests"
    member.on(Woke(), 1.0)
    assert member.on(Vacant(1), 1.0) == [], "and when it stands again"
    assert member.machine.standing is Standing.FOLLOWING


@pytest.mark.parametrize("lost", [FENCED, Busy("a leader was heard")])
def test_who_is_fenced_while_he_claims_lets_another_be_elected(lost: DfsError) -> None:
    member = Member().claim()
    assert member.on(NotTakenOver(2, lost), 5.0) == [Resign(), Follow(3)]
    member.on(Loaded(3), 5.0)
    pause = member.machine.wake_at - 5.0
    assert LOST_CLAIM_SECONDS / 2 <= pause <= LOST_CLAIM_SECONDS


@pytest.mark.parametrize("error", [FENCED, AWAY])
def test_a_term_that_ended_before_it_was_served_never_is(error: Exception) -> None:
    """The end was told before the term began: nobody would have told of it again."""
    member = Member().claim()
    assert member.on(TermOver(2, error)) == []
    assert member.on(TookOver(2)) == [EndTerm(), Resign(), Follow(3)]
    assert not member.machine.serves


def test_a_journal_that_failed_is_followed_by_a_new_term() -> None:
    member = Member().lead()
    assert member.on(TermOver(2, AWAY), 5.0) == [EndTerm(), Resign(), Follow(3)]
    assert member.machine.trouble == "could not record a change: away"
    member.on(Loaded(3), 5.0)
    assert 5.0 < member.machine.wake_at <= 5.0 + RETRY_SECONDS
    assert member.on(Woke(), 6.0) == [Campaign(2)] and member.machine.trouble == ""


def test_the_only_namenode_keeps_the_role_when_its_journal_failed() -> None:
    """Nobody is there to elect another, and who elects may be out of reach."""
    member = Member(alone=True).lead()
    assert member.on(TermOver(2, AWAY), 5.0) == [EndTerm()]
    assert 5.0 < member.machine.wake_at <= 5.0 + RETRY_SECONDS
    assert member.on(Woke(), 6.0) == [Follow(3)]
    assert member.on(Loaded(3), 6.0) == [TakeOver(4, 0)]
    assert member.on(TookOver(4), 6.0) == [Serve()] and member.machine.trouble == ""


def test_after_a_long_term_the_next_one_begins_at_once() -> None:
    member = Member(alone=True).lead()
    assert member.on(TermOver(2, AWAY), LASTING_SECONDS) == [EndTerm(), Follow(3)]
    assert member.on(Loaded(3), LASTING_SECONDS) == [TakeOver(4, 0)]


def test_a_defect_in_the_proof_of_leadership_ends_the_term_and_no_more() -> None:
    """The thread of it had died: every call was refused, for ever."""
    member = Member().lead()
    assert member.on(TermOver(2, DEFECT)) == [EndTerm(), Resign(), Follow(3)]
    assert "unexpected error (KeyError)" in member.machine.trouble
    member.on(Loaded(3))
    assert member.on(Woke(), 1.0) == [Campaign(2)]


def test_the_end_of_an_earlier_term_is_no_end_of_this_one() -> None:
    member = Member(alone=True).lead()
    member.on(TermOver(2, AWAY))
    member.on(Woke(), 1.0)
    member.on(Loaded(3), 1.0)
    assert member.on(TermOver(2, FENCED), 1.0) == []
    assert member.on(TookOver(4), 1.0) == [Serve()]
    assert member.on(TermOver(2, FENCED), 1.0) == [] and member.machine.serves


@pytest.mark.parametrize("damage", [DAMAGE, ProtocolViolation("odd rows")])
@pytest.mark.parametrize("alone", [True, False])
def test_an_image_that_cannot_be_read_is_read_again_and_again_ever_later(
    damage: Exception, alone: bool
) -> None:
    member, now, pauses = Member(alone), 0.0, []
    for attempt in range(1, 12):
        assert member.on(Lost(attempt, damage), now) == [Refuse(damage)]
        pauses.append(member.machine.wake_at - now)
        now = member.machine.wake_at
        assert member.on(Woke(), now) == [Follow(attempt + 1)]
    assert all(second > first for first, second in zip(pauses, pauses[1:6])), pauses
    assert 20 < max(pauses) <= FAILED_PAUSE_SECONDS_MAX
    assert member.machine.trouble.startswith("cannot use the record of the namespace: ")


@pytest.mark.parametrize("error", [DAMAGE, DEFECT, OutOfStep("other edits")])
def test_who_cannot_follow_any_more_is_no_candidate_until_he_has_loaded(error: Exception) -> None:
    member = Member().follow()
    assert member.on(Lost(1, error))[0] == Resign()
    now = member.machine.wake_at
    assert member.on(Vacant(1), now) == []
    assert member.on(Woke(), now) == [Follow(2)]
    assert member.on(Loaded(2), now) == [Campaign(2)]


def test_who_does_not_reach_the_record_lets_another_try() -> None:
    member = Member().claim()
    assert member.on(NotTakenOver(2, AWAY)) == [Resign(), Follow(3)]
    assert member.machine.trouble == "waits for the metadata service: away"


def test_the_only_namenode_waits_for_the_record_and_keeps_the_role() -> None:
    member, now = Member(alone=True).claim(), 0.0
    for attempt in range(2, 20, 2):
        assert member.on(NotTakenOver(attempt, AWAY), now) == []
        assert member.machine.wake_at == now + RETRY_SECONDS, "the pauses do not grow"
        now += RETRY_SECONDS
        assert member.on(Woke(), now) == [Follow(attempt + 1)]
        assert member.on(Loaded(attempt + 1), now) == [TakeOver(attempt + 2, 0)]


def test_who_waits_for_the_record_before_he_has_loaded_asks_often() -> None:
    member, now = Member(), 0.0
    for attempt in range(1, 10):
        assert member.on(Lost(attempt, AWAY), now) == []
        assert member.machine.wake_at == now + RETRY_SECONDS
        now += RETRY_SECONDS
        assert member.on(Woke(), now) == [Follow(attempt + 1)]


def following() -> Member:
    """One that follows."""
    return Member().follow()


def claiming() -> Member:
    """One that takes over."""
    return Member().claim()


def leading() -> Member:
    """One that serves."""
    return Member().lead()


def waiting() -> Member:
    """One that tries again later."""
    member = Member(alone=True).lead()
    member.on(TermOver(2, AWAY))
    return member


@pytest.mark.parametrize("standing", [Member, following, claiming, leading, waiting])
def test_a_defect_does_not_leave_the_role_with_who_does_nothing(
    standing: Callable[[], Member],
) -> None:
    """The thread that leads died of any error that was none of ours: leader for ever."""
    member = standing()
    resigned = [] if standing is Member else [Resign()]
    assert member.on(Failed(DEFECT), 5.0) == [EndTerm(), *resigned]
    assert member.machine.standing is Standing.PAUSING and member.machine.wake_at > 5.0
    ((follow,), now) = member.on(Woke(), 6.0), 6.0
    assert isinstance(follow, Follow)
    ((campaign,), now) = member.on(Loaded(follow.attempt), now), now
    assert isinstance(campaign, Campaign)


def test_what_was_taken_over_by_an_attempt_that_is_no_more_is_nothing() -> None:
    member = claiming()
    member.on(Failed(DEFECT))
    assert member.on(TookOver(2)) == [] and member.machine.standing is Standing.PAUSING


def test_a_later_epoch_that_a_datanode_has_obeyed_is_outbid() -> None:
    member = Member(alone=True).lead()
    assert member.on(Outlived(2, 9, 9)) == []
    assert member.on(Outlived(2, 20, 9), 1.0) == [EndTerm()]
    member.on(Woke(), 2.0)
    ((claim,), now) = member.on(Loaded(3), 2.0), 2.0
    assert isinstance(claim, TakeOver) and claim.at_least > 20
    member.on(TookOver(4), now)
    assert member.on(Outlived(4, 30, claim.at_least), now) == []
    assert member.on(Outlived(4, claim.at_least + 5, claim.at_least), now) == [], "too soon"
    assert member.on(Outlived(2, 10**6, 9), 1e6) == [], "of a term that is no more"


def test_pauses_grow_to_a_limit_and_a_good_term_ends_them() -> None:
    pauses = Pauses(Random(1))
    taken = [pauses.after_failure() for _ in range(20)]
    assert RETRY_SECONDS / 2 < taken[0] <= RETRY_SECONDS
    assert 20 < max(taken) == max(taken[7:]) <= FAILED_PAUSE_SECONDS_MAX
    assert pauses.after_term(LASTING_SECONDS / 2) > 20
    assert pauses.after_term(LASTING_SECONDS) == 0.0
    assert pauses.after_failure() <= RETRY_SECONDS


def test_who_is_told_to_hand_over_ends_his_term_and_is_the_last_candidate_for_a_while() -> None:
    member = Member().lead()
    assert member.on(HandOver(), 5.0) == [EndTerm(), Resign(), Follow(3)]
    assert member.on(Loaded(3), 6.0) == [Campaign(2, HAND_OVER_SECONDS - 1.0)]
    assert member.machine.standing is Standing.FOLLOWING


def test_who_handed_over_and_loads_for_long_yields_no_more() -> None:
    member = Member().lead()
    member.on(HandOver(), 5.0)
    assert member.on(Loaded(3), 60.0) == [Campaign(2)]


def test_the_only_namenode_hands_over_to_nobody() -> None:
    member = Member(alone=True).lead()
    assert member.on(HandOver(), 5.0) == [] and member.machine.serves
