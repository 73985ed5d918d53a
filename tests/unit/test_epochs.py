"""Which epochs are believed, and when a namenode must begin a later one."""

import pytest

from data_service.namenode.leading.epoch_floor import PAUSE_SECONDS, PAUSE_SECONDS_MAX, EpochFloor
from metadata_service.epochs import EPOCH_MAX, LEAP_MAX, MARGIN, is_believable
from zookeeper.fabric.errors import StartRefused

DAY = int(PAUSE_SECONDS_MAX)


@pytest.mark.parametrize("epoch, known, believed", [
    (1, 0, True), (EPOCH_MAX, 0, True), (7, 7, True), (7 + LEAP_MAX, 7, True), (6, 7, True),
    (0, 0, False), (-1, 0, False), (EPOCH_MAX + 1, 0, False), (8 + LEAP_MAX, 7, False),
])  # fmt: skip
def test_no_leap_is_longer_than_a_backup_is_old(epoch: int, known: int, believed: bool) -> None:
    assert is_believable(epoch, known) == believed


def test_a_namenode_with_a_restored_record_begins_a_later_epoch_than_its_datanodes_know() -> None:
    floor = EpochFloor()
    assert not floor.told(7, 7, 100.0) and floor.value == 0
    assert floor.told(9, 7, 100.0) and floor.value == 9 + MARGIN


def test_datanodes_do_not_end_one_term_after_the_other() -> None:
    floor = EpochFloor()
    assert floor.told(9, 7, 100.0)
    assert not floor.told(5000, 9 + MARGIN, 101.0) and floor.value == 9 + MARGIN
    assert floor.told(5000, 9 + MARGIN, 100.0 + PAUSE_SECONDS) and floor.value == 5000 + MARGIN


def test_a_datanode_that_lies_on_and_on_is_heard_less_and_less() -> None:
    floor, ends, own = EpochFloor(), [], 7
    for now in range(0, 2 * DAY, 10):
        if floor.told(own + 1, own, now):
            ends.append(now)
            own = floor.value
    assert ends[:4] == [0, 60, 180, 420] and len(ends) < 14
    assert floor.told(own + 1, own, 9 * DAY), "it may be true, a year later"
    assert floor.told(own + 2000, own, 9 * DAY + PAUSE_SECONDS)


@pytest.mark.parametrize("known", [10**22, 1 << 62, 7 + LEAP_MAX])
def test_nobody_leads_a_namenode_to_the_end_of_all_numbers(known: int) -> None:
    floor = EpochFloor()
    with pytest.raises(StartRefused, match="remove the file `epoch`"):
        floor.told(known, 7, 100.0)
    assert floor.value == 0
