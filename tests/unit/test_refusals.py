"""When members refuse: whether a majority is left, and what is to be told."""

import pytest

from metadata_service.leader.refusals import ending
from metadata_service.quorum import Configuration
from zookeeper.fabric.errors import Busy, DfsError, DiskFull, Fenced, OutOfStep

FENCED, LASTING, FULL, PASSING = Fenced("epoch"), OutOfStep("other"), DiskFull("room"), Busy("soon")

THREE = Configuration(1, ((("a", ""), ("b", ""), ("c", "")),))
JOINT = Configuration(2, ((("a", ""),), (("a", ""), ("b", ""), ("c", ""))))


@pytest.mark.parametrize(
    "refusals, error",
    [
        ({}, None),
        ({"a": FENCED}, None),
        ({"a": FENCED, "b": FENCED}, FENCED),
        ({"a": FULL, "b": LASTING}, FULL),
        ({"a": LASTING, "b": FULL, "c": FENCED}, LASTING),
        ({"a": PASSING, "b": PASSING, "c": PASSING}, None),
        ({"": LASTING, "x": LASTING, "a": LASTING}, None),
    ],
)
def test_the_first_kind_that_leaves_no_majority_is_told(
    refusals: "dict[str, DfsError]", error: DfsError
) -> None:
    assert ending(THREE, refusals) is error


def test_each_set_needs_its_majority() -> None:
    assert ending(JOINT, {"a": FULL}) is FULL
    assert ending(JOINT, {"b": FULL}) is None
