"""Which members' rows are not what was decided, by the digests of their images."""

from typing import Dict, Tuple

import pytest

from metadata_service.leader.verdict import Verdict, verdict_on


@pytest.mark.parametrize(
    "digests, members, expected",
    [
        ({"a": "1"}, 1, Verdict("1")),
        ({"a": "1", "b": "1", "c": "1"}, 3, Verdict("1")),
        ({"a": "1", "b": "2", "c": "1"}, 3, Verdict("1", ("b",))),
        ({"a": "1", "b": "", "c": "1"}, 3, Verdict("1", (), ("b",))),
        ({"a": "1", "b": "2", "c": ""}, 3, Verdict("", ("a", "b"), ("c",))),
        ({"a": "1", "b": "", "c": ""}, 3, Verdict("", (), ("b", "c"))),
        ({"a": "1", "b": "2", "c": "3"}, 3, Verdict("", ("a", "b", "c"))),
        ({"a": "1", "b": "1", "c": "2", "d": "2", "e": ""}, 5,
         Verdict("", ("a", "b", "c", "d"), ("e",))),
        ({"a": ""}, 1, Verdict("", (), ("a",))),
        ({}, 1, Verdict("")),
    ],
)
def test_a_majority_of_those_who_decide_is_right(
    digests: Dict[str, str], members: int, expected: Tuple[str, ...]
) -> None:
    verdict = verdict_on(digests, members)
    assert verdict == expected
    assert verdict.sound == (set(digests.values()) == {"1"})
