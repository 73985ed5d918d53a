"""The machines that decide who leads, on random walks: two or three namenodes that compete, a
zookeeper and a record. After any finite sequence of events, the elected one leads."""

from random import Random
from typing import Dict, List, NamedTuple, Optional, Set, Type

import pytest

from data_service.namenode.leading import pauses
from data_service.namenode.leading.leadership import (
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
    Resign,
    Serve,
    Standing,
    TakeOver,
    TermOver,
    TookOver,
    Vacant,
    Woke,
)
from zookeeper.fabric.errors import CorruptData, Fenced, OutOfStep, Unavailable

AWAY = Unavailable("away")
FENCED = Fenced("a newer epoch")
DAMAGE = CorruptData("damage")
DEFECT = KeyError("a defect")
BEHIND = OutOfStep("the record has other edits")


class Candidate(NamedTuple):
    """As a zookeeper sees one; `told` is what it was told last."""

    candidacy: int
    told: Optional[Vacant] = None


class Town:
    """Machines that compete. The zookeeper tells changes only, and sometimes late; the record
    fences, and sometimes fails, as do the machines' actions."""

    def __init__(self, seed: int, count: int) -> None:
        self.chance = Random(seed)
        self.machines = [Leadership(count == 1, Random(seed + n)) for n in range(count)]
        self.candidates: Dict[int, Candidate] = {}
        self.leader: Optional[int] = None
        self.epoch = 0
        self.epochs: Dict[int, int] = {}
        """Machine -> the epoch of the term that it has begun."""
        self.followed: Dict[int, int] = {}
        """Machine -> the attempt that follows, of those that have an image and follow."""
        self.serving: Dict[int, int] = {}
        self.dead: Set[int] = set()
        """Epochs of terms that ended by themselves; each tells so once."""
        self.mail: List[List[Event]] = [[] for _ in range(count)]
        self.now = 0.0
        self.calm = False
        for number, machine in enumerate(self.machines):
            self.carry_out(number, machine.start())

    def fails(self, probability: float = 0.2) -> bool:
        """Whether something goes wrong now."""
        return not self.calm and self.chance.random() < probability

    def carry_out(self, number: int, actions: List[Action]) -> None:
        """Each by itself: a defect in one hinders no other, and is told."""
        for action in actions:
            # Candidacies are only written down; and a term is forgotten before it is ended.
            failed = not isinstance(action, (Campaign, Resign)) and self.fails(0.05)
            if not failed or isinstance(action, EndTerm):
                self.act(number, action)
            if failed:
                self.mail[number].append(Failed(DEFECT))

    def act(self, number: int, action: Action) -> None:
        """One action."""
        if isinstance(action, Campaign):
            self.candidates[number] = Candidate(action.candidacy)
        elif isinstance(action, Resign):
            self.candidates.pop(number, None)
            self.leader = None if self.leader == number else self.leader
        elif isinstance(action, Follow):
            self.follow(number, action)
        elif isinstance(action, TakeOver):
            self.take_over(number, action)
        elif isinstance(action, Serve):
            assert number in self.epochs, "only a term that has begun is served"
            self.serving[number] = self.epochs[number]
        elif isinstance(action, EndTerm):
            self.epochs.pop(number, None)
            self.serving.pop(number, None)

    def follow(self, number: int, action: Follow) -> None:
        """Load, or go on; what comes of it is told."""
        assert number not in self.epochs, "a term was left behind"
        self.followed.pop(number, None)
        if self.fails():
            error = self.chance.choice([AWAY, DAMAGE, DEFECT, BEHIND])
            self.mail[number].append(Lost(action.attempt, error))
        else:
            self.followed[number] = action.attempt
            self.mail[number].append(Loaded(action.attempt))

    def take_over(self, number: int, action: TakeOver) -> None:
        """Claim an epoch, which fences all others; what comes of it is told, perhaps twice."""
        assert number not in self.epochs, "a term was left behind"
        candidate = self.candidates.get(number)
        assert candidate and candidate.told, "nobody told him anything in this candidacy"
        if self.followed.pop(number, None) is None:
            # It has just lost what it had in memory; that was told, too.
            self.mail[number].append(NotTakenOver(action.attempt, BEHIND))
            return
        self.epoch = max(self.epoch + 1, action.at_least)
        if self.fails():
            error = self.chance.choice([AWAY, FENCED, DAMAGE, DEFECT, BEHIND])
            self.mail[number].append(NotTakenOver(action.attempt, error))
            return
        self.epochs[number] = self.epoch
        if self.fails():
            self.die(number, action.attempt, self.chance.choice([AWAY, FENCED, DEFECT]))
        self.mail[number].append(TookOver(action.attempt))

    def die(self, number: int, attempt: int, error: Exception) -> None:
        """The term is worth nothing any more."""
        if self.epochs[number] not in self.dead:
            self.dead.add(self.epochs[number])
            self.mail[number].append(TermOver(attempt, error))

    def step(self) -> None:
        """Something happens."""
        self.now += self.chance.random() * 0.3
        number = self.chance.randrange(len(self.machines))
        machine = self.machines[number]
        if self.fails(0.05):
            self.leader = None  # A session expired.
        if self.fails(0.02):
            self.epoch += 1  # Somebody claimed that nobody elected.
        if number in self.followed and self.fails(0.05):
            lost = Lost(self.followed.pop(number), self.chance.choice([BEHIND, DAMAGE, DEFECT]))
            self.mail[number].append(lost)
        self.tell(number)
        attempt = machine._attempt
        if self.epochs.get(number, self.epoch) < self.epoch:
            self.die(number, attempt, FENCED)
        elif number in self.serving and self.fails(0.1):
            self.die(number, attempt, self.chance.choice([AWAY, DEFECT]))
        elif number in self.serving and self.fails(0.1):
            self.mail[number].append(self.chance.choice([
                TermOver(attempt - 1, FENCED), Outlived(attempt, self.epoch + 5, self.epoch),
                Failed(DEFECT), HandOver(),
            ]))  # fmt: skip
        if self.mail[number]:
            self.deliver(number, self.mail[number].pop(0))
        if machine.wake_at <= self.now or self.fails():
            self.deliver(number, Woke())

    def tell(self, number: int) -> None:
        """A round of a candidate at the zookeeper, which may be out of reach."""
        candidate = self.candidates.get(number)
        if candidate is None or self.fails(0.3):
            return
        if self.leader is None:
            self.leader = number
        word = Vacant(candidate.candidacy)
        if self.leader == number and word != candidate.told:
            self.candidates[number] = candidate._replace(told=word)
            self.mail[number].append(word)
        elif self.fails():
            # News of an earlier candidacy was on its way for long.
            late = Vacant(self.chance.randrange(-1, word.candidacy))
            self.mail[number].append(late)

    def deliver(self, number: int, event: Event) -> None:
        """The machine does something about it, and never nothing for ever."""
        machine = self.machines[number]
        actions = machine.handle(event, self.now)
        machine.check()
        left = number in self.serving and not machine.serves and EndTerm() not in actions
        assert not left, "a term goes on that is over"
        self.carry_out(number, actions)
        if machine.standing is Standing.RESTING:
            assert number in self.followed or self.mail[number], "it rests without following"
            assert number not in self.candidates and self.leader != number, "it keeps the role"

    def rests(self) -> bool:
        """Whether exactly the elected one leads, in the newest epoch."""
        newest = {number for number, epoch in self.serving.items() if epoch == self.epoch}
        settled = not any(self.mail) and not self.dead.intersection(self.serving.values())
        return settled and newest == {self.leader} == set(self.serving)


def walk(seed: int, count: int) -> None:
    """Any events for a while, then calm: whatever has happened, the elected one leads."""
    town = Town(seed, count)
    for _ in range(200):
        town.step()
    town.calm = True
    for _ in range(400 * count):
        town.step()
    assert town.rests(), f"seed {seed}: {town.machines}, {town.serving} of {town.epoch}"
    assert all(machine.trouble == "" for machine in town.machines if machine.serves)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pauses, "FAILED_PAUSE_SECONDS_MAX", 5.0)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_after_any_events_the_elected_one_leads(count: int) -> None:
    for seed in range(60):
        walk(seed, count)


class ForgetsEarlyEnds(Leadership):
    """A term that ended before it was served is served."""

    def _took_over(self, now: float) -> List[Action]:
        self._over = None
        return super()._took_over(now)


class BelievesLateNews(Leadership):
    """A word of an earlier candidacy counts."""

    def _told(self, event: Vacant) -> List[Action]:
        return super()._told(event._replace(candidacy=self._candidacy))


class IgnoresDefects(Leadership):
    """What could not be carried out is left at that."""

    def _failed(self, error: Exception, now: float) -> List[Action]:
        return []


class KeepsTheRole(Leadership):
    """It rests, and is the zookeeper's leader."""

    def _resign(self) -> List[Action]:
        super()._resign()
        return []


class FollowsNoMore(Leadership):
    """After a term it stands by, and follows nothing."""

    def _follow(self) -> List[Action]:
        return super()._follow() if not self._attempt else []


class GoesOn(Leadership):
    """A term that is over is not ended."""

    def _ended(self) -> List[Action]:
        return []


class LeadsColdly(Leadership):
    """Who has lost what was in memory stays a candidate."""

    def _lost(self, error: Exception, now: float) -> List[Action]:
        return []


@pytest.mark.parametrize("mutant", [
    ForgetsEarlyEnds, BelievesLateNews, IgnoresDefects, KeepsTheRole, FollowsNoMore, GoesOn,
    LeadsColdly,
])  # fmt: skip
def test_a_planted_defect_is_found(
    mutant: Type[Leadership], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "Leadership", mutant)
    with pytest.raises(AssertionError):
        for seed in range(60):
            walk(seed, 2)
