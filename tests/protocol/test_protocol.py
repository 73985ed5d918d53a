"""Within small bounds the protocol holds in every state, and no planted mistake goes unnoticed.

The larger bounds: `scripts/check_protocol.py`.
"""

from typing import Callable, Iterator, Tuple

import pytest

from tests.protocol.bounds import BOUNDS, MISTAKES, Bounds
from tests.protocol.explorer import Model, Step, demand, explore
from tests.protocol.members_model import MembersModel
from tests.protocol.resize_model import GrowthModel, ShrinkModel

STATES_MAX = 100_000


@pytest.mark.parametrize("bounds", [b for b in BOUNDS if b.small], ids=lambda b: b.title)
def test_the_rules_hold_in_every_state(bounds: Bounds) -> None:
    found = explore(bounds.build(), STATES_MAX)
    assert (found.broken, found.finished) == ("", True)
    assert found.states == bounds.states or not bounds.states


@pytest.mark.parametrize("model", [MembersModel, GrowthModel, ShrinkModel])
def test_the_rules_hold_in_the_nearest_states_while_members_change(
    model: Callable[..., MembersModel]
) -> None:
    found = explore(model((1, 2), 1, led=True), 10_000)
    assert found.broken == "" and found.states > 10_000


@pytest.mark.parametrize("name", MISTAKES)
def test_a_planted_mistake_is_found(name: str) -> None:
    found = explore(MISTAKES[name](), STATES_MAX)
    assert found.broken, f"nothing noticed: {name}"
    assert len(found.way) == found.depth, "the way to it is not whole"


class _Counter(Model[int]):
    """It counts up by one or by two, and may not reach seven."""

    def first(self) -> int:
        return 0

    def successors(self, state: int) -> Iterator[Tuple[Step, int]]:
        yield ("{} and one", state), state + 1
        yield ("{} and two", state), state + 2

    def check(self, state: int) -> None:
        demand(state != 7, "it is {}", state)


def test_a_shortest_way_is_shown() -> None:
    found = explore(_Counter(), 100)
    assert found.broken == "it is 7"
    assert found.way == ("0 and one", "1 and two", "3 and two", "5 and two")


def test_a_search_that_gives_up_says_so() -> None:
    found = explore(_Counter(), 3)
    assert not found.finished and not found.broken
