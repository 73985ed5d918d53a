"""The names of a big directory in order, against a plain sorted list."""

from random import Random
from typing import Set

import pytest

from data_service.namenode.namespace import sorted_names
from data_service.namenode.namespace.sorted_names import SortedNames


@pytest.mark.parametrize("seed", range(40))
def test_names_that_come_and_go_stay_in_order(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorted_names, "RUN_MAX", 4)
    random = Random(seed)
    present: Set[str] = {f"{random.randrange(30)}" for _ in range(random.randrange(20))}
    names = SortedNames(present)
    for _ in range(150):
        name = f"{random.randrange(30)}"
        if name in present:
            names.remove(name)
            present.discard(name)
        else:
            names.add(name)
            present.add(name)
        assert names.equals(present) and len(names) == len(present), names
        after, limit = f"{random.randrange(30)}", random.randrange(1, 40)
        wanted = sorted(other for other in present if other > after)
        assert names.after(after, limit) == wanted[:limit]
        assert names.after("", limit) == sorted(present)[:limit]


def test_an_entry_moves_no_more_than_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one list of a million, each new entry moved half a million."""
    monkeypatch.setattr(sorted_names, "RUN_MAX", 10)
    names = SortedNames(f"{number:03}" for number in range(0, 400, 2))
    for number in range(1, 400, 2):
        names.add(f"{number:03}")
    assert names.equals({f"{number:03}" for number in range(400)})
    for number in range(399):
        names.remove(f"{number:03}")
    assert names.equals({"399"}), "and no run is left empty"
