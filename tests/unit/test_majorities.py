"""Majorities: of one set, of two while members change, and of none."""

from itertools import combinations
from typing import Dict, Optional, Sequence

import pytest

from metadata_service.leader.majorities import can_decide, is_majority, reached
from metadata_service.quorum import NOBODY, Configuration


def of(*sets: str) -> Configuration:
    """A configuration of members that are named by letters."""
    return Configuration(1, tuple(tuple((one, f"{one}:1") for one in members) for members in sets))


@pytest.mark.parametrize("sets, marks, expected", [
    (["a"], {"a": 7}, 7),
    (["a"], {}, None),
    (["a"], {"b": 7}, None),
    (["abc"], {"a": 7, "b": 5}, 5),
    (["abc"], {"a": 7, "b": 5, "c": 6}, 6),
    (["abc"], {"a": 7}, None),
    (["abcde"], {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}, 3),
    (["abcde"], {"a": 1, "b": 2}, None),
    (["abcd"], {"a": 1, "b": 2}, None),
    (["abc", "abd"], {"a": 9, "c": 8}, None),
    (["abc", "abd"], {"a": 9, "c": 8, "d": 7}, 7),
    (["a", "abc"], {"b": 9, "c": 8}, None),
    (["a", "abc"], {"a": 3, "c": 8}, 3),
    ([], {"a": 3}, None),
])  # fmt: skip
def test_the_largest_mark_that_majorities_of_all_sets_have_reached(
    sets: Sequence[str], marks: Dict[str, int], expected: Optional[int]
) -> None:
    assert reached(of(*sets), marks) == expected
    if expected is not None:
        assert is_majority(of(*sets), set(marks))


def test_nobody_is_no_majority() -> None:
    assert not is_majority(NOBODY, {"a"}) and reached(NOBODY, {"a": 1}) is None


@pytest.mark.parametrize("sets", [["a"], ["abc"], ["abcde"], ["abc", "abd"], ["abc", "cde"]])
def test_two_majorities_meet(sets: Sequence[str]) -> None:
    """All that is decided rests on this."""
    everybody = sorted(set("".join(sets)))
    found = [set(some) for count in range(1, len(everybody) + 1)
             for some in combinations(everybody, count) if is_majority(of(*sets), set(some))]
    assert found and all(one & another for one in found for another in found)


def test_a_minority_may_be_lost() -> None:
    assert can_decide(of("abc"), {"a"}) and not can_decide(of("abc"), {"a", "b"})
    assert not can_decide(of("abc", "abd"), {"c", "b"}) and can_decide(of("a", "abc"), {"c", "x"})
    assert not can_decide(of("a", "abc"), {"a"}) and not can_decide(NOBODY, set())
