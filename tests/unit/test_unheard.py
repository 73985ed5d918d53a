"""When a namenode wishes to lead, and when the one that leads gives way."""

from random import Random
from typing import List

import pytest

from data_service.namenode.leading.unheard import KEEPS_SECONDS, Beat, Unheard, beats_of
from data_service.namenode.replicas.node import Node
from data_service.protocol.health import DEAD
from metadata_service.leader.allegiance import NO_WISH, Wish
from tests.support.models.model_datanodes import node_info

LONG = 10.0
HEARS, MISSES = Beat(0.1, 0.2), Beat(0.1, LONG)
AWAY = Beat(LONG, LONG)
"""A datanode that is not heard here, and had missed the leader before."""


def missed_by(*beats: Beat) -> int:
    """How many datanodes miss the leader, if that is a reason to wish."""
    return Unheard("n:1", LONG).missed_by(beats, 0.0)


@pytest.mark.parametrize("beats, expected", [
    ([], 0),
    ([MISSES], 1),
    ([HEARS], 0),
    ([MISSES, HEARS], 0),  # Half is not most.
    ([MISSES, MISSES, HEARS], 2),
    ([MISSES, MISSES, AWAY], 2),
    ([MISSES, AWAY, AWAY], 0),  # It is this namenode that is cut off.
    ([MISSES, MISSES, AWAY, AWAY], 2),  # Half of them are down.
    ([MISSES, HEARS, AWAY, AWAY], 0),
    ([AWAY] * 3, 0),  # All datanodes are down.
    ([Beat(0.1, LONG - 0.1)] * 3, 0),
    ([Beat(LONG - 0.1, 1e9)] * 3, 3),
])  # fmt: skip
def test_who_hears_most_of_them_say_that_they_miss_the_leader_wishes(
    beats: List[Beat], expected: int
) -> None:
    assert missed_by(*beats) == expected


def gives_way(wish: Wish, *beats: Beat, led_since: float = 0.0, now: float = 100.0) -> bool:
    """Whether a leader that has wished nothing does."""
    return Unheard("n:0", LONG).gives_way(wish, beats, led_since, now)


def test_a_leader_gives_way_when_more_miss_it_than_it_hears() -> None:
    assert gives_way(Wish("n:1", 3), AWAY, AWAY, AWAY)
    assert gives_way(Wish("n:1", 3)), "also when it knows of none"
    assert gives_way(Wish("n:1", 3), HEARS, HEARS, AWAY)
    assert not gives_way(Wish("n:1", 3), HEARS, HEARS, HEARS)


def test_it_gives_way_to_nobody_and_not_to_itself() -> None:
    assert not gives_way(NO_WISH)
    assert not gives_way(Wish("n:0", 3))


def test_a_leader_that_has_just_begun_or_could_answer_nobody_waits_to_be_heard() -> None:
    assert not gives_way(Wish("n:1", 3), led_since=100.0 - LONG + 0.1)
    assert gives_way(Wish("n:1", 3), led_since=100.0 - LONG)


def test_who_has_wished_does_not_give_way_for_a_minute() -> None:
    one = Unheard("n:0", LONG)
    assert one.missed_by([MISSES], 100.0) and not one.missed_by([HEARS], 101.0)
    later = 100.0 + KEEPS_SECONDS
    assert not one.gives_way(Wish("n:1", 3), [], 0.0, later - 0.1)
    assert one.gives_way(Wish("n:1", 3), [], 0.0, later)


def test_beats_of_datanodes() -> None:
    node = Node(0, node_info("a"), 5.0)
    node.unheard_seconds = 7.0
    assert beats_of([node], 6.0) == [Beat(1.0, 0.0)], "its blocks are not known yet"
    node.reported = True
    assert beats_of([node], 6.0) == [Beat(1.0, 7.0)]
    node.liveness = DEAD
    assert beats_of([node], 6.0) == []


def test_a_minority_of_liars_never_sends_a_leader_away_that_the_others_hear() -> None:
    """Whatever they say to whom, and however many are down for everybody."""
    random = Random(7)
    for _ in range(3_000):
        honest, liars, down = random.randint(1, 9), random.randint(0, 9), random.randint(0, 9)
        liars = min(liars, honest)
        standby, leader = Unheard("n:1", LONG), Unheard("n:0", LONG)
        lies = [Beat(random.uniform(0, 2 * LONG), random.uniform(0, 1e9)) for _ in range(liars)]
        heard = [Beat(random.uniform(0, 5), random.uniform(0, 5)) for _ in range(honest)]
        lost = [Beat(LONG + random.uniform(0, 5), random.uniform(0, 1e9)) for _ in range(down)]
        wish = Wish("n:1", standby.missed_by([*heard, *lies, *lost], 100.0))
        liars_at_leader = lies[: random.randint(0, liars)]
        beats = [*heard, *liars_at_leader, *lost]
        assert not (wish.missed_by and leader.gives_way(wish, beats, 0.0, 100.0))
