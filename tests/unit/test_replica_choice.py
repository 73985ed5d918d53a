"""Which replica is read next, what is remembered of datanodes, and how long one is waited for."""

from typing import List, Optional

import pytest

from data_service.filesystem.reading.node_memory import NodeMemory
from data_service.filesystem.reading.patience import Patience
from data_service.filesystem.reading.replica_choice import (
    PAUSES_SECONDS,
    RETURN_SECONDS,
    Attempt,
    ReplicaChoice,
)
from data_service.protocol.blocks import Block
from data_service.protocol.files import LocatedBlock
from data_service.protocol.nodes import Target
from zookeeper.fabric.errors import (
    BlockMissing,
    Busy,
    CorruptData,
    DfsError,
    TokenExpired,
    Unavailable,
)

A, B, C = (Target(name, name + ".example", 80) for name in "abc")
GONE, WRONG, FULL = Unavailable("gone"), CorruptData("wrong"), Busy("full")
EXPIRED = TokenExpired("too old")


def located(*targets: Target) -> LocatedBlock:
    """A block on these."""
    return LocatedBlock(Block(7, 1, 100), 0, targets, False, b"")


class Chooser:
    """A choice, the waits of which are noted and not waited."""

    def __init__(self, *targets: Target, memory: Optional[NodeMemory] = None,
                 found: Optional[LocatedBlock] = None, as_they_are: bool = False,
                 busy_seconds: float = 1e9) -> None:
        self.waits: List[float] = []
        self.given_up = False
        self.memory = memory or NodeMemory()
        self.found = found
        self.asked = 0
        self.choice = ReplicaChoice(located(*targets), self.memory, self._relocate, self._wait,
                                    busy_seconds, as_they_are, lambda: sum(self.waits))

    def _relocate(self, _located: LocatedBlock) -> Optional[LocatedBlock]:
        self.asked += 1
        return self.found

    def _wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        return self.given_up

    def next(self) -> Attempt:
        """The next attempt, which there must be."""
        attempt = self.choice.next()
        assert attempt is not None
        return attempt

    def fail(self, error: DfsError, some_came: bool = False, paused: bool = False) -> Target:
        """The next replica fails so; which it was."""
        attempt = self.next()
        if some_came:
            self.choice.came(attempt)
        self.choice.failed(attempt, error, some_came, paused)
        return attempt.target


def test_each_replica_once_then_those_that_the_namenode_knows_by_then() -> None:
    chooser = Chooser(A, B, found=located(C))
    assert [chooser.fail(BlockMissing("no")) for _ in range(3)] == [A, B, C]
    assert chooser.choice.next() is None and chooser.asked == 1 and chooser.waits == []


def test_what_is_damaged_stays_out() -> None:
    chooser = Chooser(A, B, found=located(A, B))
    assert [chooser.fail(WRONG), chooser.fail(BlockMissing("no")), chooser.fail(WRONG)] == [A, B, B]
    assert chooser.choice.next() is None


def test_a_reader_that_paused_goes_on_with_the_same_replica_as_often_as_it_takes() -> None:
    chooser = Chooser(A, B)
    assert [chooser.fail(GONE, some_came=True, paused=True) for _ in range(50)] == [A] * 50
    assert chooser.memory.avoided == frozenset() and chooser.asked == 0


def test_a_replica_that_broke_off_is_read_on_after_all_others() -> None:
    chooser = Chooser(A, B, C)
    tried = [chooser.fail(GONE, True), chooser.fail(GONE), chooser.fail(BlockMissing("no"))]
    assert tried == [A, B, C] and chooser.memory.avoided == {"a", "b"}
    assert chooser.next().target == A


def test_who_may_come_back_is_waited_for_but_not_for_long() -> None:
    chooser = Chooser(A, found=located(A))
    tries = 0
    while chooser.choice.next() is not None:
        tries += 1
        assert tries < 20
        chooser.choice.failed(Attempt(A, located(A)), GONE, False, False)
    assert tries >= 2 and len(chooser.waits) >= len(PAUSES_SECONDS)
    assert sum(chooser.waits) <= RETURN_SECONDS + max(PAUSES_SECONDS)


def test_each_byte_that_comes_gives_fresh_hope() -> None:
    chooser = Chooser(A, found=located(A))
    for _ in range(30):
        chooser.fail(GONE)
        chooser.fail(GONE, some_came=True)
    assert chooser.next().target == A


def test_a_busy_datanode_is_waited_for() -> None:
    chooser = Chooser(A, B, found=located(A, B))
    for _ in range(200):
        chooser.fail(FULL)
    assert chooser.memory.avoided == frozenset(), "there is nothing wrong with it"
    chooser.given_up = True
    while chooser.choice.next() is not None:
        pass
    patient = Chooser(A, found=located(A), busy_seconds=0.0)
    patient.fail(FULL)
    patient.fail(FULL)
    patient.waits.clear()
    while patient.choice.next() is not None:
        assert len(patient.waits) < 5


def test_an_expired_token_is_replaced_before_anybody_else_is_asked() -> None:
    chooser = Chooser(A, B, C, found=located(B, A))
    assert chooser.fail(EXPIRED) == A and chooser.memory.avoided == frozenset()
    assert chooser.next() == Attempt(B, located(B, A), hasty=True)
    assert chooser.asked == 1 and chooser.waits == []


def test_a_datanode_with_a_wrong_clock_keeps_nobody_from_the_others() -> None:
    chooser = Chooser(A, B, found=located(A, B))
    assert [chooser.fail(EXPIRED), chooser.fail(EXPIRED)] == [A, A]
    assert chooser.next().target == B
    assert chooser.memory.avoided == {"a"} and chooser.asked == 1 and chooser.waits == []


def test_tokens_that_come_expired_are_given_up_at_last() -> None:
    chooser = Chooser(A, B, found=located(A, B))
    tries = 0
    while chooser.choice.next() is not None:
        chooser.choice.failed(Attempt(A, located(A, B)), EXPIRED, False, False)
        tries += 1
    assert 2 <= tries < 20 and len(chooser.waits) >= len(PAUSES_SECONDS)
    assert sum(chooser.waits) <= RETURN_SECONDS + max(PAUSES_SECONDS)


def test_nobody_is_waited_for_whose_block_is_no_more() -> None:
    chooser = Chooser(A)
    chooser.fail(GONE)
    assert chooser.choice.next() is None and chooser.waits == []


def test_datanodes_with_trouble_come_last_and_nobody_hastes_for_them() -> None:
    memory = NodeMemory()
    memory.avoid("a")
    chooser = Chooser(A, B, memory=memory)
    first = chooser.next()
    assert first.target == B and not first.hasty
    assert chooser.next() == Attempt(A, located(A, B))
    assert Chooser(A, B).next().hasty and not Chooser(A).next().hasty


def test_damaged_bytes_as_they_are_once_all_else_failed() -> None:
    chooser = Chooser(A, B, as_they_are=True, found=located(A, B))
    assert [chooser.fail(WRONG), chooser.fail(WRONG)] == [A, B]
    last = [chooser.next(), chooser.next()]
    assert [(attempt.target, attempt.verify) for attempt in last] == [(A, False), (B, False)]
    for attempt in last:
        chooser.choice.failed(attempt, WRONG, False, False)
    assert chooser.choice.next() is None


def test_trouble_is_forgotten_after_a_while_and_by_success() -> None:
    now = [0.0]
    memory = NodeMemory(lambda: now[0])
    memory.avoid("a", 10.0)
    memory.avoid("b", 20.0)
    memory.forgive("c")
    assert memory.avoided == {"a", "b"}
    now[0] = 10.0
    assert memory.avoided == {"b"}
    memory.forgive("b")
    assert memory.avoided == frozenset()


@pytest.mark.parametrize("error, again", [(GONE, 7), (FULL, 7)])
def test_a_writer_tries_so_often(error: DfsError, again: int) -> None:
    waits: List[float] = []
    patience = Patience(8, 0.0, waits.append)
    results = [patience.again(error) for _ in range(8)]
    assert results == [True] * again + [False] and len(waits) == 5


def test_a_writer_waits_for_its_turn() -> None:
    waits: List[float] = []
    patience = Patience(2, 1e9, waits.append)
    assert all(patience.again(FULL) for _ in range(100)) and len(waits) == 100
    assert patience.again(GONE) and not patience.again(GONE)
