"""Leadership as a lease: never two at once that may answer, whatever clocks and messages do.

The real `Candidacy`, `Allegiance` and `LeaderLease`, around them three namenodes, three members,
and a network that loses and delays. Each process has a clock that is as wrong as the rule allows,
namenodes are paused for longer than a lease, members restart, and messages are late.
"""

import heapq
import itertools
from math import inf
from random import Random
from typing import Any, Callable, List, NamedTuple, Optional, Tuple, Type

import pytest

from data_service.namenode.leading.candidacy import LOOK_SECONDS, Candidacy
from data_service.namenode.leading.leader_lease import LeaderLease
from metadata_service.leader.allegiance import Allegiance
from metadata_service.leader.majorities import is_majority
from metadata_service.member.member_lease import LEASE_FACTOR
from metadata_service.quorum import OK, Configuration, MemberStatus, Place, Proved

LEADER_SECONDS = 1.5
NAME_NODES = ("n:0", "n:1", "n:2")
MEMBERS = Configuration(1, ((("a", "a:1"), ("b", "b:1"), ("c", "c:1")),))
RATES = (LEASE_FACTOR**-0.5, LEASE_FACTOR**0.5)
"""The slowest clock and the fastest one: as far apart as the rule allows."""


class World:
    """Time, and what is to happen when."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.now = 0.0
        self.calm = False
        self._events: List[Tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def at(self, moment: float, deed: Callable[[], None]) -> None:
        """Have something done then."""
        heapq.heappush(self._events, (moment, next(self._numbers), deed))

    def send(self, deed: Callable[[], None]) -> None:
        """A message: it may be lost, and late, but in calm times."""
        if self.calm:
            self.at(self.now + 0.001, deed)
        elif self.chance.random() > 0.1:
            late = self.chance.random() < 0.1
            self.at(self.now + self.chance.random() * (3.0 if late else 0.05), deed)

    def run(self, until: float, check: Callable[[], None]) -> None:
        """All that happens until then; `check` is called after each thing."""
        while self._events and self._events[0][0] <= until:
            self.now, _, deed = heapq.heappop(self._events)
            deed()
            check()


class Clock:
    """One machine's, which goes too fast or too slow."""

    def __init__(self, world: World) -> None:
        self._world, self._rate = world, world.chance.choice(RATES)
        self._start = world.chance.random() * 1e3

    def __call__(self) -> float:
        return self._start + self._rate * self._world.now


class Member:
    """What a member promises, as plainly as it can be said."""

    def __init__(self, world: World, name: str) -> None:
        self.name, self.clock = name, Clock(world)
        self.promised, self.owner = 0, ""
        self.heard_at = -inf

    def restart(self) -> None:
        """Nobody knows whom it heard a moment ago."""
        self.heard_at = self.clock()

    def status(self) -> MemberStatus:
        """As the real one."""
        place = Place(1, "d")
        return MemberStatus(
            "cluster", self.name, self.promised, self.owner, self.promised, 1, place, place, 1,
            MEMBERS, (), True, self.clock() - self.heard_at, OK,
        )  # fmt: skip

    def claim(self, epoch: int, owner: str) -> bool:
        """Whether it is promised."""
        own = self.owner.partition(" ")[0] == owner.partition(" ")[0]
        if epoch <= self.promised or not (own or self.is_silent()):
            return False
        self.promised, self.owner = epoch, owner
        self.heard_at = self.clock()
        return True

    def is_silent(self) -> bool:
        """Whether no proof that was answered here can last any more."""
        return self.clock() - self.heard_at >= LEADER_SECONDS * LEASE_FACTOR

    def prove(self, epoch: int) -> Proved:
        """A leader is heard."""
        if epoch == self.promised:
            self.heard_at = self.clock()
        return Proved(self.name, self.promised, 1, True, "")


class Claim(NamedTuple):
    """An epoch that was asked for, and who has promised it."""

    epoch: int
    owner: str
    promised: List[str]


class Reign:
    """An epoch in which a namenode leads, or thinks so."""

    def __init__(self, epoch: int) -> None:
        self.allegiance = Allegiance(epoch)
        self.lease = LeaderLease(LEADER_SECONDS, False)

    def answered(self, told: Proved, asked_at: float) -> bool:
        """A member's answer to a question for a proof; whether the epoch is over by it."""
        self.allegiance.answered(told, asked_at)
        proved_at = self.allegiance.proved_at(MEMBERS)
        if proved_at is not None:
            self.lease.proved(proved_at)
        return bool(self.allegiance.fenced_by(MEMBERS))


class NameNode:
    """A namenode that looks, claims, leads and is paused. It may restart, and forget all."""

    def __init__(self, town: "Town", address: str) -> None:
        self.town, self.world, self.address = town, town.world, address
        self.clock = Clock(self.world)
        self.paused_until = 0.0
        self._nonces = itertools.count()
        self.restart()
        self.world.at(self.world.chance.random(), self.round)

    def restart(self) -> None:
        """Begin anew, with nothing."""
        self.candidacy = Candidacy(
            self.address, NAME_NODES, 3, LEADER_SECONDS, self.world.chance
        )
        self.reign: Optional[Reign] = None
        self.claim: Optional[Claim] = None
        self.claimed_at = -inf

    @property
    def leads(self) -> bool:
        """Whether it may answer, as far as it knows."""
        return self.reign is not None and self.reign.lease.holds(self.clock())

    def awake(self, deed: Callable[[], None]) -> None:
        """Do something now, or after the pause."""
        if self.world.now < self.paused_until:
            self.world.at(self.paused_until, lambda: self.awake(deed))
        else:
            deed()

    def round(self) -> None:
        """Ask all members for a proof, or what they know; again and again."""
        self.awake(self._ask)
        pause = LOOK_SECONDS if self.reign is None else self.reign.lease.renewal_seconds
        self.world.at(self.world.now + pause, self.round)

    def _ask(self) -> None:
        for member in self.town.members:
            if self.reign is None:
                self.call(lambda m=member: m.status(), lambda s, m=member: self._heard(m, s))
            else:
                reign, asked_at = self.reign, self.clock()
                self.call(
                    lambda m=member: m.prove(reign.allegiance.epoch),
                    lambda told: self._proved(reign, told, asked_at),
                )

    def call(self, ask: Callable[[], Any], answered: Callable[[Any], None]) -> None:
        """Ask a member something; either way may be lost."""

        def asked() -> None:
            answer = ask()
            self.world.send(lambda: self.awake(lambda: answered(answer)))

        self.world.send(asked)

    def _proved(self, reign: Reign, told: Proved, asked_at: float) -> None:
        if reign is self.reign and reign.answered(told, asked_at):
            self.reign = None

    def _heard(self, member: Member, status: MemberStatus) -> None:
        now = self.clock()
        self.candidacy.heard(f"{member.name}:1", status, now)
        resting = now - self.claimed_at < 1.0
        if self.reign is not None or resting or not self.candidacy.claims(now):
            return
        self.claimed_at = now
        epoch = 1 + max(one.promised for one in self.candidacy._known(now))
        claim = Claim(epoch, f"{self.address} {next(self._nonces)}", [])
        self.claim = claim
        for one in self.town.members:
            self.call(
                lambda m=one: m.claim(epoch, claim.owner) and m.name,
                lambda name: self._promised(claim, name),
            )

    def _promised(self, claim: Claim, name: str) -> None:
        if name and claim is self.claim:
            claim.promised.append(name)
            if is_majority(MEMBERS, set(claim.promised)) and self.reign is None:
                self.town.won(claim.epoch)
                self.reign = self.town.reign_kind(claim.epoch)


class Town:
    """All of it. A kind of member or reign may be one with a planted defect."""

    def __init__(
        self, seed: int, member_kind: Type[Member] = Member, reign_kind: Type[Reign] = Reign
    ) -> None:
        self.world = World(seed)
        self.reign_kind = reign_kind
        self.members = [member_kind(self.world, name) for name in "abc"]
        self.name_nodes = [NameNode(self, address) for address in NAME_NODES]
        self.elections = 0
        self.world.at(1.0, self._trouble)

    def won(self, epoch: int) -> None:
        """From now on this one may change things, unless a still newer epoch has been promised."""
        self.elections += 1
        for one in self.name_nodes:
            earlier = one.reign is not None and one.reign.allegiance.epoch < epoch
            assert not (earlier and one.leads), f"{one.address} may answer in epoch {epoch}"

    def _trouble(self) -> None:
        chance, now = self.world.chance, self.world.now
        if self.world.calm:
            return
        deed = chance.randrange(5)
        if deed < 3:
            one = chance.choice(self.name_nodes)
            one.paused_until = max(one.paused_until, now + chance.random() * 4.0)
        elif deed == 3:
            chance.choice(self.members).restart()
        else:
            chance.choice(self.name_nodes).restart()
        self.world.at(now + chance.random() * 1.5, self._trouble)

    def check(self) -> None:
        """Never two."""
        leading = [one for one in self.name_nodes if one.leads]
        assert len(leading) <= 1, f"{[one.address for one in leading]} lead at once"

    def walk(self) -> None:
        """Trouble for a while, then calm: somebody leads."""
        self.world.run(40.0, self.check)
        self.world.calm = True
        self.world.run(55.0, self.check)
        assert [one for one in self.name_nodes if one.leads], "nobody leads, and all is well"


def test_never_two_may_answer_at_once_and_in_calm_times_one_leads() -> None:
    elections = 0
    for seed in range(25):
        town = Town(seed)
        town.walk()
        elections += town.elections
    assert elections > 100, "the walk has become too calm"


class PromisesAnybody(Member):
    """It does not wait until a leader has been silent."""

    def is_silent(self) -> bool:
        """Wrong."""
        return True


class ForgetsWhomItHeard(Member):
    """After a restart it promises at once."""

    def restart(self) -> None:
        """Wrong."""
        self.heard_at = -inf


class IsHasty(Member):
    """It waits for a part of what a proof lasts, and says that it has heard nobody."""

    def is_silent(self) -> bool:
        """Wrong."""
        return self.clock() - self.heard_at >= LEADER_SECONDS / 2

    def status(self) -> MemberStatus:
        """Wrong."""
        return super().status()._replace(silent_seconds=inf)


class OneAnswerIsEnough(Reign):
    """It counts no majority."""

    def answered(self, told: Proved, asked_at: float) -> bool:
        """Wrong."""
        if told.promised == self.allegiance.epoch:
            self.lease.proved(asked_at)
        return super().answered(told, asked_at)


class LivesTooLong(Reign):
    """As if the answer had been asked for later than it was."""

    def answered(self, told: Proved, asked_at: float) -> bool:
        """Wrong."""
        return super().answered(told, asked_at + 1.0)


class TakesAnyPromise(Reign):
    """Whoever answers counts, whatever was promised."""

    def answered(self, told: Proved, asked_at: float) -> bool:
        """Wrong."""
        return super().answered(told._replace(promised=self.allegiance.epoch), asked_at)


@pytest.mark.parametrize("kinds", [
    (PromisesAnybody, Reign), (ForgetsWhomItHeard, Reign), (IsHasty, Reign),
    (Member, OneAnswerIsEnough), (Member, LivesTooLong), (Member, TakesAnyPromise),
])  # fmt: skip
def test_a_planted_defect_is_found(kinds: Tuple[Type[Member], Type[Reign]]) -> None:
    with pytest.raises(AssertionError, match="lead at once|may answer"):
        for seed in range(60):
            Town(seed, *kinds).walk()
