"""Links between datanodes and namenodes fail and heal at random; the real rules say who leads.

Three namenodes, three members of the record, five datanodes. In every other world two of them tell
lies; in the others all may be suspended, and come back together. Time passes in steps. A leader
gives way only when it deserves it, only to who asked for it, and not to and fro; and one that most
datanodes miss leads no longer than it takes to find out.
"""

from math import inf
from random import Random
from typing import Any, Dict, List, Tuple

import pytest

from data_service.namenode.leading import unheard as rules
from data_service.namenode.leading.unheard import KEEPS_SECONDS, Beat, Unheard
from metadata_service.leader.allegiance import WISH_HEARD_SECONDS, Allegiance, Wish
from metadata_service.member.wishes import Wishes
from metadata_service.quorum import Configuration, Proved
from zookeeper.fabric.errors import Busy

STEP, BEAT, LONG, REST, LEASE = 0.1, 1.0, 10.0, 5.0, 1.65
DATANODES, NAMES, MEMBERS = range(5), ("n:0", "n:1", "n:2"), "abc"
CONFIGURATION = Configuration(1, (tuple((one, f"{one}:1") for one in MEMBERS),))
FOUND_SECONDS = LONG + BEAT + WISH_HEARD_SECONDS + LEASE + 1.0
"""By then the datanodes have said that they miss the leader, and another one leads."""


class Broken(AssertionError):
    """Something happened that never should."""


class NameNode:
    """What one knows of datanodes: when each beat last, and what it said."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.unheard = Unheard(address, LONG)
        self.heard: Dict[int, Tuple[float, float]] = dict.fromkeys(DATANODES, (-inf, 0.0))
        self.rests_until = -inf

    def beats(self, now: float) -> List[Beat]:
        """See `Beat`."""
        return [Beat(now - at, said) for at, said in self.heard.values()]


class World:
    """Who leads, and which links work, since when."""

    def __init__(self, seed: int) -> None:
        self.chance, self.now = Random(seed), 1000.0
        self.liars = (3, 4) if seed % 2 else ()
        self.suspended_until = -inf
        self.namenodes = [NameNode(address) for address in NAMES]
        self.members = {name: Wishes() for name in MEMBERS}
        self.leader, self.led_since = self.namenodes[0], self.now
        self.vacant_at = inf  # From when on another one may claim.
        self.record_away_until = -inf
        self.allegiance = Allegiance(1)
        self.changed_at = {(d, n): 0.0 for d in DATANODES for n in NAMES}
        self.works = dict.fromkeys(self.changed_at, True)
        self.heard_leader = dict.fromkeys(DATANODES, self.now)
        self.given: List[float] = []
        self.asked: Wish = Wish("", 0)

    def step(self) -> None:
        """Let a moment pass."""
        self.now += STEP
        if self.chance.random() < 0.002:
            self._break_or_heal()
        for datanode in DATANODES:
            if self.chance.random() < STEP / BEAT * 2 and self.now >= self.suspended_until:
                self._beat(datanode)
        if self.now < self.record_away_until:
            self.led_since = self.now
            return
        if self.now >= self.vacant_at:
            self._claim()
        elif self.vacant_at == inf:
            self._ask_to_lead()
            self._prove()
            self._require_useful()

    def _break_or_heal(self) -> None:
        kind = self.chance.random()
        if kind < 0.1:
            self.record_away_until = self.now + 2 * LONG
        elif kind < 0.2 and not self.liars:
            self.suspended_until = self.now + 2 * LONG
        heals, namenode = kind > 0.5, self.chance.choice(NAMES)
        for datanode in self.chance.sample(DATANODES, self.chance.choice([1, 3, 5])):
            for name in NAMES if heals and kind > 0.75 else (namenode,):
                if self.works[datanode, name] != heals:
                    self.works[datanode, name] = heals
                    self.changed_at[datanode, name] = self.now

    def _beat(self, datanode: int) -> None:
        for namenode in self.namenodes:
            if not self.works[datanode, namenode.address]:
                continue
            leads = namenode is self.leader and self.vacant_at == inf
            if leads and self.now < self.record_away_until:
                continue  # It answers nobody, and lets nobody in.
            silence = self.now - self.heard_leader[datanode]
            if datanode in self.liars:
                if leads and self.chance.random() < 0.9:
                    continue  # They would have it seem deaf.
                silence = 1e6
            namenode.heard[datanode] = self.now, silence
            if leads:
                self.heard_leader[datanode] = self.now

    def _ask_to_lead(self) -> None:
        for namenode in self.namenodes:
            if namenode is self.leader or self.now < namenode.rests_until:
                continue
            missed_by = namenode.unheard.missed_by(namenode.beats(self.now), self.now)
            if missed_by:
                for member in self.members.values():
                    member.file(namenode.address, missed_by, self.now)

    def _prove(self) -> None:
        for name, member in self.members.items():
            self.allegiance.answered(
                Proved(name, 1, 1, True, *member.told(self.now)), self.now)
        wish = self.allegiance.wish(CONFIGURATION, self.now)
        beats = self.leader.beats(self.now)
        if self.leader.unheard.gives_way(wish, beats, self.led_since, self.now):
            self._require_deserved(wish)
            self.given.append(self.now)
            self.asked, self.leader.rests_until = wish, self.now + REST
            self.vacant_at = self.now + STEP

    def _claim(self) -> None:
        candidates = [one for one in self.namenodes if self.now >= one.rests_until]
        self.chance.shuffle(candidates)
        for namenode in candidates:
            try:
                for member in self.members.values():
                    member.check_claim(namenode.address, self.now)
            except Busy:
                continue
            if namenode.address != self.asked.address:
                raise Broken(f"{namenode} leads, and {self.asked} was to")
            self.leader, self.led_since, self.vacant_at = namenode, self.now, inf
            self.allegiance = Allegiance(1)
            return

    def _require_deserved(self, wish: Wish) -> None:
        heard = self.namenodes[NAMES.index(wish.address)].beats(self.now - 2 * WISH_HEARD_SECONDS)
        if 2 * sum(1 for beat in heard if beat.age < LONG) < len(DATANODES):
            raise Broken(f"{wish.address} is cut off, and will lead")
        links = [(d, self.leader.address) for d in DATANODES if d not in self.liars]
        well = [one for one in links
                if self.works[one] and self.now - self.changed_at[one] > LONG + BEAT]
        # While they come back from a pause, who is reached by more of them may seem to be better.
        coming_back = self.now - self.suspended_until < 2 * LONG
        if len(well) > (len(DATANODES) - 1 if coming_back else len(DATANODES) // 2):
            raise Broken(f"{len(well)} datanodes hear it all the time")
        if self.given and self.now - self.given[-1] < KEEPS_SECONDS - WISH_HEARD_SECONDS - 1.0:
            raise Broken("it goes to and fro")

    def _require_useful(self) -> None:
        """Unless all is well, or nobody else would be better, or it has come to lead so lately."""
        since = self.now - max([*self.changed_at.values(), self.led_since,
                                self.record_away_until, self.suspended_until])
        patience = FOUND_SECONDS
        if self.given:
            patience += max(0.0, self.given[-1] + KEEPS_SECONDS - (self.now - since))
        honest = [d for d in DATANODES if d not in self.liars]
        deaf = not any(self.works[d, self.leader.address] for d in DATANODES)
        better = any(all(self.works[d, n] for d in honest) for n in NAMES)
        if since > patience and deaf and better:
            raise Broken(f"{self.leader.address} has led for nobody for {since:.0f} s")


def walk(seed: int, steps: int = 6_000) -> World:
    """Ten minutes of a world."""
    world = World(seed)
    for _ in range(steps):
        world.step()
    return world


def test_leaders_give_way_when_they_deserve_it_and_not_else() -> None:
    given = sum(len(walk(seed).given) for seed in range(12))
    assert given > 12, "else nothing was tried"


def _whatever_it_hears(self: Any, wish: Wish, _beats: Any, led_since: float, now: float) -> bool:
    return GIVES_WAY(self, wish, [], led_since, now)


def _from_its_first_moment(self: Any, wish: Wish, beats: Any, _since: float, now: float) -> bool:
    return GIVES_WAY(self, wish, beats, -inf, now)


def _whoever_says_so(self: Any, beats: List[Beat], now: float) -> int:
    return MISSED_BY(self, [beat for beat in beats if beat.unheard_seconds >= LONG], now)


def _heard_or_not(self: Any, beats: List[Beat], now: float) -> int:
    return MISSED_BY(self, [beat._replace(age=0.0) for beat in beats], now)


def _anybody_may_claim(_self: Wishes, _claimant: str, _now: float) -> None:
    pass


GIVES_WAY, MISSED_BY = Unheard.gives_way, Unheard.missed_by
MISTAKES: Dict[str, Tuple[Any, str, Any]] = {
    "a leader trusts whoever wishes": (Unheard, "gives_way", _whatever_it_hears),
    "a leader does not wait to be heard": (Unheard, "gives_way", _from_its_first_moment),
    "who has wished gives way": (rules, "KEEPS_SECONDS", 0.0),
    "what was said long ago counts": (Unheard, "missed_by", _heard_or_not),
    "a few are enough": (Unheard, "missed_by", _whoever_says_so),
    "a wish is kept": (Wishes, "_forget", lambda *_: None),
    "nobody wishes": (Unheard, "missed_by", lambda *_: 0),
    "anybody may be the next": (Wishes, "check_claim", _anybody_may_claim),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_planted_mistake_is_found(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*MISTAKES[mistake])
    with pytest.raises(Broken):
        for seed in range(40):
            walk(seed)
