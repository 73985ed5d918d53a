"""Which models are explored within which bounds, and the mistakes that must be found in them."""

from typing import Any, Callable, Dict, List, NamedTuple

from tests.protocol import lease_model, log_mistakes, members_mistakes
from tests.protocol.explorer import Model
from tests.protocol.lease_model import LeaseModel
from tests.protocol.log_model import LogModel
from tests.protocol.members_model import MembersModel
from tests.protocol.resize_model import GrowthModel, ShrinkModel


class Bounds(NamedTuple):
    """A model, and how much of it there is.

    `states` is how many states there are within the bounds, all of which are visited; 0: nobody
    has waited for the last one. Small ones are explored by the tests.
    """

    title: str
    build: Callable[[], Model[Any]]
    states: int
    small: bool = False


BOUNDS: List[Bounds] = [
    Bounds("log: two candidates of one epoch", lambda: LogModel(3, (1, 1), 1), 98, True),
    Bounds("log: epochs 1 2 2, of two one", lambda: LogModel(3, (1, 2, 2), 1), 1_843, True),
    Bounds("log: two edits undecided at once", lambda: LogModel(3, (1, 2), 2, 2), 5_285, True),
    Bounds("log: three edits, two undecided", lambda: LogModel(3, (1, 2), 3, 2), 27_027),
    Bounds("log: five members", lambda: LogModel(5, (1, 2), 1), 15_240),
    Bounds("log: three epochs, one edit", lambda: LogModel(3, (1, 2, 3), 1, led=True), 3_344, True),
    Bounds("log: three epochs, two undecided", lambda: LogModel(3, (1, 2, 3), 2, 2), 92_565),
    Bounds("log: epochs 1 2 2 3", lambda: LogModel(3, (1, 2, 2, 3), 1), 27_794),
    Bounds("log: four epochs", lambda: LogModel(3, (1, 2, 3, 4), 1), 107_315),
    Bounds("log: three epochs, three edits", lambda: LogModel(3, (1, 2, 3), 3), 354_383),
    Bounds("members: one grows to three, under a leader",
           lambda: GrowthModel((1, 2), 1, led=True), 45_068),
    Bounds("members: three shrink to one, under a leader",
           lambda: ShrinkModel((1, 2), 1, led=True), 34_228),
    Bounds("members: under a leader", lambda: MembersModel((1, 2), 1, led=True), 283_050),
    Bounds("members: a disk is replaced", lambda: MembersModel((1, 2), 1), 668_312),
    Bounds("members: and given up", lambda: MembersModel((1, 2), 1, back=True), 0),
    Bounds("members: two edits", lambda: MembersModel((1, 2), 2), 0),
    Bounds("members: three epochs", lambda: MembersModel((1, 2, 3), 1), 0),
    Bounds("lease: two questions", lambda: LeaseModel(6, 2), 0, True),
    Bounds("lease: three questions, two restarts", lambda: LeaseModel(7, 3, 2), 32_572),
]
"""From small to large within each model."""

MISTAKES: Dict[str, Callable[[], Model[Any]]] = {
    "the longest log is chosen": lambda: log_mistakes.LongestLogIsChosen(
        3, (1, 2, 3), 2, 2, led=True),
    "one member's word decides": lambda: log_mistakes.OneMemberDecides(3, (1, 2), 2),
    "too few promises are believed": lambda: log_mistakes.FewPromisesAreBelieved(3, (1, 2), 1),
    "appended to a log that was not adopted": lambda: log_mistakes.AppendsWithoutAdopting(
        3, (1, 2, 3), 2),
    "edits are applied when they are stored": lambda: log_mistakes.AppliedWhenStored(3, (1, 2), 1),
    "a promise is forgotten": lambda: log_mistakes.PromiseIsForgotten(3, (1, 2), 1),
    "the epoch is stored before the log": lambda: log_mistakes.EpochIsStoredFirst(3, (1, 2, 3), 1),
    "two candidates share an epoch": lambda: log_mistakes.EpochIsShared(3, (1, 1), 1),
    "adopt is two transactions": lambda: log_mistakes.AdoptIsCutInTwo(3, (1, 2, 3), 1),
    "a repeated adopt cuts the log": lambda: log_mistakes.RepeatedAdoptCuts(3, (1, 2), 1),
    "what is not decided is pulled": lambda: log_mistakes.UndecidedIsPulled(3, (1, 2), 1),
    "an image replaces the own tail": lambda: log_mistakes.ImageReplacesTheTail(3, (1, 2), 2),
    "a pull takes over the log epoch": lambda: log_mistakes.PullTakesTheEpoch(
        3, (1, 2, 3), 2, led=True),
    "a wiped member keeps its name": lambda: members_mistakes.WipedMemberKeepsItsName(
        (1, 2), 1, led=True),
    "members change without a joint decision": lambda: members_mistakes.NoJointDecision(
        (1, 2), 1, led=True),
    "the longest log configures": lambda: members_mistakes.LongestLogConfigures(
        (1, 2), 1, led=True),
    "the old members are not asked": lambda: members_mistakes.OldMembersAreNotAsked(
        (1, 2), 1, led=True),
    "the new members lack the log": lambda: members_mistakes.NewMembersLackTheLog(
        (1, 2), 1, led=True),
    "who was not heard has nothing": lambda: log_mistakes.UnheardHaveNothing(
        3, (1, 2), 1),
    "a full disk spares all but the shortest log": lambda: log_mistakes.OnlyWhatAllHaveIsSpared(
        3, (1, 2), 1),
    "what is on its way is forgotten": lambda: members_mistakes.WhatIsOnItsWayIsForgotten(
        (1, 2), 1, led=True),
    "the only member goes on alone": lambda: members_mistakes.OneOfTwoSetsDecides(
        (1, 2), 1, led=True),
    "a member promises to whoever asks": lambda: lease_model.PromisesToWhoeverAsks(4, 2),
    "a member forgets at a restart": lambda: lease_model.ForgetsAtARestart(4, 2),
    "a proof is dated by its answer": lambda: lease_model.ProofIsDatedByItsAnswer(5, 2),
    "one answer is a proof": lambda: lease_model.OneAnswerIsAProof(4, 2),
    "one promise is enough": lambda: lease_model.OnePromiseIsEnough(4, 2),
}
"""Each within bounds that are just large enough to meet it."""
