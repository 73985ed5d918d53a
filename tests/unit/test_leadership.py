"""The machine that decides who leads: each event, in each standing."""

from math import inf
from random import Random
from typing import Callable, List

import pytest

from data_service.namenode.leading.leadership import (
    FAILED_PAUSE_SECONDS_MAX,
    FENCED_PAUSE_SECONDS,
    HAND_OVER_SECONDS,
    LASTING_SECONDS,
    RETRY_SECONDS,
    Action,
    Campaign,
    ClaimAndLoad,
    Elected,
    EndTerm,
    Event,
    Failed,
    HandOver,
    Leadership,
    Loaded,
    LoadFailed,
    Outlived,
    Pauses,
    Refuse,
    ReleaseMemory,
    Resign,
    Serve,
    Standing,
    TermOver,
    Woke,
)
from zookeeper.fabric.errors import CorruptData, Fenced, ProtocolViolation, Unavailable

AWAY = Unavailable("away")
FENCED = Fenced("a newer epoch")
DAMAGE = CorruptData("damage")
DEFECT = KeyError("a defect")


class Member:
    """A machine, checked after each event."""

    def __init__(self, alone: bool = False, seed: int = 0) -> None:
        self.machine = Leadership(alone, Random(seed))
        assert self.machine.start() == [Campaign(0)]
        self.machine.check()

    def on(self, event: Event, now: float = 0.0) -> List[Action]:
        """What it does."""
        actions = self.machine.handle(event, now)
        self.machine.check()
        return actions

    def lead(self, now: float = 0.0) -> "Member":
        """Be elected for the first time, and serve."""
        assert self.on(Elected(0, True, 3), now) == [ClaimAndLoad(1, 3)]
        assert self.on(Loaded(1), now) == [Serve()]
        assert self.machine.serves and self.machine.wake_at == inf
        return self


def test_who_is_elected_claims_loads_and_serves() -> None:
    Member().lead()


def test_who_is_not_waits_for_the_next_word() -> None:
    member = Member()
    assert member.on(Elected(0, False, 0)) == member.on(Woke(), 1e9) == []
    assert member.on(Elected(0, True, 4)) == [ClaimAndLoad(1, 4)]


def test_who_is_told_again_that_he_leads_goes_on() -> None:
    member = Member().lead()
    assert member.on(Elected(0, True, 3)) == [] and member.machine.serves


def test_who_is_deposed_ends_his_term_and_stays_a_candidate() -> None:
    member = Member().lead()
    assert member.on(Elected(0, False, 0)) == [EndTerm(), ReleaseMemory()]
    assert member.machine.standing is Standing.CANDIDATE
    assert member.on(Elected(0, True, 5)) == [ClaimAndLoad(2, 5)]


def test_who_is_deposed_while_he_loads_never_serves() -> None:
    member = Member()
    member.on(Elected(0, True, 3))
    assert member.on(Elected(0, False, 0)) == []
    assert member.on(Loaded(1)) == [EndTerm(), ReleaseMemory()]
    assert member.machine.standing is Standing.CANDIDATE


def test_who_is_fenced_lets_another_be_elected() -> None:
    """Two namenodes that both believed in their leadership would fence each other for ever."""
    member = Member().lead()
    assert member.on(TermOver(1, FENCED), 10.0) == [EndTerm(), Resign(), ReleaseMemory()]
    assert member.machine.wake_at == 10.0 + FENCED_PAUSE_SECONDS
    assert member.on(Woke(), 10.5) == []
    assert member.on(Woke(), 11.0) == [Campaign(1)]
    assert member.on(Elected(1, True, 4), 11.0) == [ClaimAndLoad(2, 4)]


def test_late_news_of_a_role_that_was_given_up_is_no_news_of_the_next() -> None:
    """A word of the last candidacy came in this one, and was believed."""
    member = Member().lead()
    member.on(TermOver(1, FENCED), 0.0)
    assert member.on(Elected(0, True, 3), 0.5) == [], "while it rests"
    member.on(Woke(), 1.0)
    assert member.on(Elected(0, True, 3), 1.0) == [], "and when it stands again"
    assert member.machine.standing is Standing.CANDIDATE


def test_who_is_fenced_while_he_claims_lets_another_be_elected() -> None:
    member = Member()
    member.on(Elected(0, True, 3))
    assert member.on(LoadFailed(1, FENCED), 5.0) == [Resign(), ReleaseMemory()]
    assert member.machine.wake_at == 5.0 + FENCED_PAUSE_SECONDS


def test_a_term_that_ended_while_it_was_loaded_is_never_served() -> None:
    """The end was told before the term began: nobody would have told of it again."""
    for error, actions in ((FENCED, [EndTerm(), Resign(), ReleaseMemory()]),
                           (AWAY, [EndTerm(), ReleaseMemory()])):
        member = Member()
        member.on(Elected(0, True, 3))
        assert member.on(TermOver(1, error)) == []
        assert member.on(Loaded(1)) == actions
        assert not member.machine.serves and member.machine.wake_at < inf


def test_a_journal_that_failed_is_followed_by_a_new_term() -> None:
    member = Member().lead()
    assert member.on(TermOver(1, AWAY), 5.0) == [EndTerm(), ReleaseMemory()]
    assert member.machine.trouble == "could not record a change: away"
    assert 5.0 < member.machine.wake_at <= 5.0 + RETRY_SECONDS
    assert member.on(Woke(), 6.0) == [ClaimAndLoad(2, 3)]
    assert member.on(Loaded(2), 6.0) == [Serve()] and member.machine.trouble == ""


def test_after_a_long_term_the_next_one_begins_at_once() -> None:
    member = Member().lead()
    member.on(TermOver(1, AWAY), LASTING_SECONDS)
    assert member.machine.wake_at == LASTING_SECONDS


def test_a_defect_in_the_proof_of_leadership_ends_the_term_and_no_more() -> None:
    """The thread of it had died: every call was refused, for ever."""
    member = Member().lead()
    assert member.on(TermOver(1, DEFECT)) == [EndTerm(), ReleaseMemory()]
    assert "unexpected error (KeyError)" in member.machine.trouble
    assert member.on(Woke(), 1.0) == [ClaimAndLoad(2, 3)]


def test_the_end_of_an_earlier_term_is_no_end_of_this_one() -> None:
    member = Member().lead()
    member.on(TermOver(1, AWAY))
    member.on(Woke(), 1.0)
    assert member.on(TermOver(1, FENCED), 1.0) == []
    assert member.on(Loaded(2), 1.0) == [Serve()]
    assert member.on(TermOver(1, FENCED), 1.0) == [] and member.machine.serves


@pytest.mark.parametrize("damage", [DAMAGE, ProtocolViolation("odd rows")])
@pytest.mark.parametrize("alone", [True, False])
def test_an_image_that_cannot_be_read_does_not_keep_the_role(
    damage: Exception, alone: bool
) -> None:
    """A namenode that met damage claimed an epoch twice a second, for ever."""
    member, now, pauses = Member(alone), 0.0, []
    for attempt in range(1, 12):
        assert member.on(Elected(attempt - 1, True, 3), now) == [ClaimAndLoad(attempt, 3)]
        actions = member.on(LoadFailed(attempt, damage), now)
        assert actions == [Resign(), ReleaseMemory(), Refuse(damage)]
        pauses.append(member.machine.wake_at - now)
        now = member.machine.wake_at
        assert member.on(Woke(), now) == [Campaign(attempt)]
    assert all(second > first for first, second in zip(pauses, pauses[1:6])), pauses
    assert 20 < max(pauses) <= FAILED_PAUSE_SECONDS_MAX
    assert member.machine.trouble.startswith("cannot use the record of the namespace: ")


def test_who_does_not_reach_the_record_lets_another_try() -> None:
    member = Member()
    member.on(Elected(0, True, 3))
    assert member.on(LoadFailed(1, AWAY)) == [Resign(), ReleaseMemory()]
    assert member.machine.trouble == "waits for the metadata service: away"


def test_the_only_namenode_waits_for_the_record_and_keeps_the_role() -> None:
    member, now = Member(alone=True), 0.0
    member.on(Elected(0, True, 3))
    for attempt in range(1, 10):
        assert member.on(LoadFailed(attempt, AWAY), now) == [ReleaseMemory()]
        assert member.machine.wake_at == now + RETRY_SECONDS, "the pauses do not grow"
        now += RETRY_SECONDS
        assert member.on(Woke(), now) == [ClaimAndLoad(attempt + 1, 3)]


def test_who_is_deposed_while_he_waits_does_not_try_again() -> None:
    member = Member(alone=True)
    member.on(Elected(0, True, 3))
    member.on(LoadFailed(1, AWAY))
    assert member.on(Elected(0, False, 0)) == [] and member.on(Woke(), 1e9) == []


def leading() -> Member:
    """One that serves."""
    return Member().lead()


def claiming() -> Member:
    """One that loads."""
    member = Member()
    member.on(Elected(0, True, 3))
    return member


def waiting() -> Member:
    """One that tries again later."""
    member = Member().lead()
    member.on(TermOver(1, AWAY))
    return member


@pytest.mark.parametrize("standing", [Member, claiming, leading, waiting])
def test_a_defect_does_not_leave_the_role_with_who_does_nothing(
    standing: Callable[[], Member],
) -> None:
    """The thread that leads died of any error that was none of ours: leader for ever."""
    member = standing()
    assert member.on(Failed(DEFECT), 5.0) == [EndTerm(), Resign(), ReleaseMemory()]
    assert member.machine.standing is Standing.RESTING and member.machine.wake_at > 5.0
    resting = member.machine.wake_at
    assert member.on(Failed(DEFECT), 5.0) == [], "it is as given up as it can be"
    assert member.machine.wake_at == resting
    assert member.on(Woke(), resting) == [Campaign(1)]


def test_what_was_loaded_by_an_attempt_that_is_no_more_is_nothing() -> None:
    member = claiming()
    member.on(Failed(DEFECT))
    assert member.on(Loaded(1)) == [] and member.machine.standing is Standing.RESTING


def test_a_later_epoch_that_a_datanode_has_obeyed_is_outbid() -> None:
    member = Member().lead()
    assert member.on(Outlived(1, 9, 9)) == []
    assert member.on(Outlived(1, 20, 9), 1.0) == [EndTerm(), ReleaseMemory()]
    ((claim,), now) = member.on(Woke(), 2.0), 2.0
    assert isinstance(claim, ClaimAndLoad) and claim.at_least > 20
    member.on(Loaded(2), now)
    assert member.on(Outlived(2, 30, claim.at_least), now) == []
    assert member.on(Outlived(2, claim.at_least + 5, claim.at_least), now) == [], "too soon"
    assert member.on(Outlived(1, 10**6, 9), 1e6) == [], "of a term that is no more"


def test_pauses_grow_to_a_limit_and_a_good_term_ends_them() -> None:
    pauses = Pauses(Random(1))
    taken = [pauses.after_failure() for _ in range(20)]
    assert RETRY_SECONDS / 2 < taken[0] <= RETRY_SECONDS
    assert 20 < max(taken) == max(taken[7:]) <= FAILED_PAUSE_SECONDS_MAX
    assert pauses.after_term(LASTING_SECONDS / 2) > 20
    assert pauses.after_term(LASTING_SECONDS) == 0.0
    assert pauses.after_failure() <= RETRY_SECONDS


def test_who_is_told_to_hand_over_ends_his_term_and_is_no_candidate_for_a_while() -> None:
    member = Member().lead()
    assert member.on(HandOver(), 5.0) == [EndTerm(), Resign(), ReleaseMemory()]
    assert member.machine.standing is Standing.RESTING
    assert member.on(Woke(), 5.0 + HAND_OVER_SECONDS - 0.1) == []
    assert member.on(Woke(), 5.0 + HAND_OVER_SECONDS) == [Campaign(1)]


def test_nobody_hands_over_what_he_has_not_or_what_nobody_else_could_take() -> None:
    assert Member().on(HandOver()) == []
    alone = Member(alone=True).lead()
    assert alone.on(HandOver()) == [] and alone.machine.serves
