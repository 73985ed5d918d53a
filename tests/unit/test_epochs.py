"""Which epochs are believed, and when a namenode must begin a later one."""

from typing import Any

import pytest

from data_service.namenode.leading.epoch_floor import PAUSE_SECONDS, EpochFloor
from data_service.protocol import answers
from data_service.protocol.blocks import Block
from data_service.protocol.nodes import DELETE, Command, Registration, Target
from metadata_service.epochs import EPOCH_MAX, LEAP_MAX, MARGIN, is_believable
from zookeeper.fabric.errors import ProtocolViolation, StartRefused

BLOCKS = ((7, 1, 100),)
TARGETS = (("id", "host", 1800),)


@pytest.mark.parametrize("epoch, known, believed", [
    (1, 0, True), (EPOCH_MAX, 0, True), (7, 7, True), (7 + LEAP_MAX, 7, True), (6, 7, True),
    (0, 0, False), (-1, 0, False), (EPOCH_MAX + 1, 0, False), (8 + LEAP_MAX, 7, False),
])  # fmt: skip
def test_no_leap_is_longer_than_a_backup_is_old(epoch: int, known: int, believed: bool) -> None:
    assert is_believable(epoch, known) == believed


def test_an_answer_to_a_registration_is_taken_when_it_is_one() -> None:
    assert answers.registration((1, 5, "c"), 5) == Registration(1, 5, "c")
    assert answers.registration((1, 4, "c"), 5).epoch == 4, "an older namenode is no malformed one"


@pytest.mark.parametrize("answer", [
    None, (), (1, 5), (1, 5, "c", 0), [1, 5, "c"], ("1", 5, "c"), (-1, 5, "c"), (1 << 63, 5, "c"),
    (1, 10**22, "c"), (1, 1 << 62, "c"), (1, 0, "c"), (1, -5, "c"), (1, True, "c"), (1, 5.0, "c"),
    (1, "5", "c"), (1, 5, b"c"), (1, 5, ""), (1, 5, "c\n"), (1, 5, "c" * 256),
])  # fmt: skip
def test_what_is_no_answer_to_a_registration_is_refused(answer: Any) -> None:
    with pytest.raises(ProtocolViolation):
        answers.registration(answer, 5)


def test_commands_are_rebuilt_from_the_wire() -> None:
    command = Command(DELETE, (Block(7, 1, 100),), (Target(*TARGETS[0]),))
    assert answers.commands((5, ((DELETE, BLOCKS, TARGETS),)), 5) == (5, (command,))
    assert answers.commands((6, ()), 5) == (6, ())


@pytest.mark.parametrize("answer", [
    None, (5,), (5, [], 0), (5, []), (5, None), (10**22, ()), (1 << 62, ()), (None, ()), (True, ()),
    (5, (None,)), (5, ((DELETE, BLOCKS),)), (5, ((None, BLOCKS, TARGETS),)),
    (5, (("\x1b[31m", BLOCKS, TARGETS),)), (5, ((DELETE, None, ()),)), (5, ((DELETE, (7,), ()),)),
    (5, ((DELETE, ((-7, 1, 1),), ()),)), (5, ((DELETE, ((7, 1, 10**22),), ()),)),
    (5, ((DELETE, BLOCKS, (("id", 1, 1800),)),)), (5, ((DELETE, BLOCKS, (("id", "h", 70000),)),)),
    (5, ((DELETE, (), ()),) * 10_001),
])  # fmt: skip
def test_what_are_no_commands_is_refused(answer: Any) -> None:
    with pytest.raises(ProtocolViolation):
        answers.commands(answer, 5)


def test_a_namenode_with_a_restored_record_begins_a_later_epoch_than_its_datanodes_know() -> None:
    floor = EpochFloor()
    assert not floor.told(7, 7, 100.0) and floor.value == 0
    assert floor.told(9, 7, 100.0) and floor.value == 9 + MARGIN


def test_datanodes_do_not_end_one_term_after_the_other() -> None:
    floor = EpochFloor()
    assert floor.told(9, 7, 100.0)
    assert not floor.told(5000, 9 + MARGIN, 101.0) and floor.value == 9 + MARGIN
    assert floor.told(5000, 9 + MARGIN, 100.0 + PAUSE_SECONDS) and floor.value == 5000 + MARGIN


@pytest.mark.parametrize("known", [10**22, 1 << 62, 7 + LEAP_MAX])
def test_nobody_leads_a_namenode_to_the_end_of_all_numbers(known: int) -> None:
    floor = EpochFloor()
    with pytest.raises(StartRefused, match="remove the file `epoch`"):
        floor.told(known, 7, 100.0)
    assert floor.value == 0
