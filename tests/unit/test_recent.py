"""Finding the recent ones of very many edits."""

import math
from typing import List

import pytest

from data_service.namenode.leading.recent import READ_ANYWAY, recent
from metadata_service.edits import Edit

LAST = 50_000


class Log:
    """Edits behind `pruned`, one a millisecond; it counts what is asked."""

    def __init__(self, pruned: int = 0) -> None:
        self.pruned = pruned
        self.calls = 0

    def behind(self, txid: int, limit: int) -> List[Edit]:
        """As the metadata service answers."""
        self.calls += 1
        first = max(txid, self.pruned) + 1
        last = min(LAST, first + limit - 1)
        return [Edit(number, "x", "", 0, "null", (), number) for number in range(first, last + 1)]


@pytest.mark.parametrize("pruned", [0, 7_000])
@pytest.mark.parametrize("seconds", [60.0, 30.0, 0.01])
def test_all_of_a_time_is_found_and_little_more(seconds: float, pruned: int) -> None:
    log = Log(pruned)
    found = [edit.txid for edit in recent(log.behind, 0, LAST, seconds)]
    first = max(LAST - int(1000 * seconds), pruned + 1)
    assert found == list(range(found[0], LAST + 1))
    assert first - READ_ANYWAY <= found[0] <= first
    assert log.calls < 30


def test_no_more_are_read_than_there_is_room_for() -> None:
    for seconds in (math.inf, 60.0):
        found = [edit.txid for edit in recent(Log().behind, 40_000, LAST, seconds)]
        assert found == list(range(40_001, LAST + 1))
    assert list(recent(lambda txid, limit: [], 0, 0, 60.0)) == []
