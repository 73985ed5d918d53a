"""The block map: what a replica counts for, how blocks are judged and queued, what a row costs."""

import tracemalloc
from random import Random
from typing import Iterator, List

import pytest

from data_service.namenode.replicas.block_map import (
    CHECKSUM,
    GENERATION,
    LENGTH,
    BlockMap,
    Mark,
    rotate,
)
from data_service.namenode.replicas.judgement import (
    CORRUPT,
    EXCESS,
    FULL,
    MISSING,
    UNDER,
    urgency,
)
from data_service.namenode.replicas.node import Node
from data_service.protocol.blocks import Block
from data_service.protocol.health import DEAD
from data_service.protocol.redundancy import replicated
from tests.support.models.model_datanodes import node_info


@pytest.fixture(name="blocks")
def _blocks() -> Iterator[BlockMap]:
    blocks = BlockMap()
    yield blocks
    blocks.check()


def nodes(count: int) -> List[Node]:
    """Datanodes in the order of their registration."""
    return [Node(index, node_info(f"n{index}"), 0.0) for index in range(count)]


def test_an_image_fills_it_as_its_blocks_one_by_one_do(blocks: BlockMap) -> None:
    kept = [
        (Block(number, 1, 10 * number), number + 50, replicated(1 + number % 3))
        for number in range(1, 20)
    ]
    loaded = BlockMap()
    loaded.load(kept)
    for block in kept:
        blocks.add(*block)
    for each in (loaded, blocks):
        each.set_redundancy(3, replicated(1))
        each.remove(5)
        each.add(Block(99, 1, 1), 99, replicated(2))
    loaded.check()
    assert vars(loaded) == vars(blocks)


def test_lost_blocks_are_found_without_a_look_at_the_others(blocks: BlockMap) -> None:
    (node,) = nodes(1)
    for number in range(1, 9):
        blocks.add(Block(number, 1, 1), number, replicated(1))
    for number in (1, 2, 4, 5):
        blocks.put(number, node)
    blocks.mark(5, node, Mark(LENGTH, 1, 2))
    blocks.remove(6)
    blocks.remove(1)
    assert list(blocks.judged_as(MISSING)) == [3, 7, 8]
    assert list(blocks.judged_as(CORRUPT)) == [5]
    blocks.add(Block(9, 1, 1), 9, replicated(1))
    assert sorted(blocks.judged_as(MISSING)) == [3, 7, 8, 9]


def test_a_block_is_judged_by_its_good_replicas(blocks: BlockMap) -> None:
    a, b, c = nodes(3)
    blocks.add(Block(7, 1, 100), 70, replicated(2))
    seen = [blocks.judged(7)]
    for node in (c, a, b):
        blocks.put(7, node)
        seen.append(blocks.judged(7))
    assert seen == [MISSING, UNDER, FULL, EXCESS]
    assert blocks.holders(7) == (a, b, c), "in the order of registration"
    assert [node.replicas for node in (a, b, c)] == [1, 1, 1]
    assert (blocks.get(7), blocks.inode_id(7), blocks.redundancy(7)) == (
        Block(7, 1, 100), 70, replicated(2))
    assert repr(blocks) == ("<BlockMap 1 blocks, 0 under-replicated, 1 in excess, 0 missing, "
                            "0 corrupt>")


def test_a_corrupt_replica_counts_for_nothing(blocks: BlockMap) -> None:
    a, b = nodes(2)
    blocks.add(Block(7, 1, 100), 70, replicated(2))
    blocks.put(7, a)
    blocks.put(7, b)
    blocks.mark(7, b, Mark(CHECKSUM, 1, 100))
    assert (blocks.judged(7), blocks.holders(7)) == (UNDER, (a,))
    blocks.mark(7, a, Mark(LENGTH, 1, 50))
    assert blocks.judged(7) == CORRUPT
    blocks.drop(7, a)
    blocks.drop(7, b)
    assert (blocks.judged(7), blocks.marks) == (MISSING, {})


def test_a_checksum_error_is_not_weakened_to_a_mismatch_hdfs_4799(blocks: BlockMap) -> None:
    (a,) = nodes(1)
    blocks.add(Block(7, 2, 100), 70, replicated(1))
    blocks.mark(7, a, Mark(CHECKSUM, 2, 100))
    blocks.mark(7, a, Mark(GENERATION, 1, 100))
    assert blocks.marks[7] == {a: Mark(CHECKSUM, 1, 100)}


def test_a_leaving_replica_counts_for_nothing_hdfs_1972(blocks: BlockMap) -> None:
    a, b = nodes(2)
    blocks.add(Block(7, 1, 100), 70, replicated(1))
    blocks.put(7, a)
    blocks.put(7, b)
    blocks.leave(7, b)
    assert (blocks.judged(7), blocks.holders(7), blocks.everyone(7)) == (FULL, (a,), (a, b))
    blocks.put(7, b)
    assert (blocks.judged(7), blocks.leaving) == (EXCESS, {})


def test_marks_on_dead_nodes_are_kept_but_not_counted_hdfs_4799(blocks: BlockMap) -> None:
    (a,) = nodes(1)
    blocks.add(Block(7, 1, 100), 70, replicated(1))
    blocks.mark(7, a, Mark(CHECKSUM, 1, 100))
    a.liveness = DEAD
    blocks.rejudge(7)
    assert (blocks.judged(7), 7 in blocks.marks) == (MISSING, True)


def test_the_fewer_good_replicas_the_more_urgent() -> None:
    levels = [urgency(good, wanted) for good, wanted in ((1, 2), (1, 9), (2, 9), (2, 4), (2, 3))]
    assert levels == sorted(levels) and levels[:2] == [0, 0] and len(set(levels)) == 4


def test_queues_follow_the_wanted_number(blocks: BlockMap) -> None:
    a, b = nodes(2)
    blocks.add(Block(7, 1, 100), 70, replicated(2))
    blocks.put(7, a)
    blocks.put(7, b)
    blocks.set_redundancy(7, replicated(4))
    assert [list(queue) for queue in blocks.under if queue] == [[7]]
    blocks.set_redundancy(7, replicated(1))
    assert not any(blocks.under) and list(blocks.excess) == [7]


def test_a_removed_row_is_used_again(blocks: BlockMap) -> None:
    a, b = nodes(2)
    blocks.add(Block(7, 1, 100), 70, replicated(1))
    blocks.put(7, a)
    blocks.mark(7, b, Mark(LENGTH, 1, 5))
    blocks.remove(7)
    assert (7 in blocks, blocks.marks, a.replicas, blocks.get(7)) == (False, {}, 0, None)
    blocks.add(Block(8, 3, 9), 80, replicated(2))
    assert blocks.rows == 1 and blocks.get(8) == Block(8, 3, 9) and blocks.holders(8) == ()


def test_rotation_puts_an_entry_last(blocks: BlockMap) -> None:
    a, b = nodes(2)
    for block_id in (1, 2, 3):
        blocks.add(Block(block_id, 1, 1), 1, replicated(1))
        blocks.put(block_id, a)
        blocks.put(block_id, b)
    rotate(blocks.excess, 1)
    assert list(blocks.excess) == [2, 3, 1]


@pytest.mark.parametrize("seed", range(10))
def test_counts_and_queues_equal_a_walk_over_all_rows(seed: int) -> None:
    random = Random(seed)
    blocks, members = BlockMap(), nodes(4)
    for step in range(400):
        block_id, node = random.randint(1, 12), random.choice(members)
        if block_id not in blocks:
            blocks.add(Block(block_id, 1, step), step, replicated(random.randint(1, 4)))
        action = random.randint(0, 6)
        if action <= 2:
            blocks.put(block_id, node)
        elif action == 3:
            blocks.drop(block_id, node)
        elif action == 4:
            blocks.mark(block_id, node, Mark(random.choice([LENGTH, CHECKSUM]), 1, 2))
        elif action == 5 and node in blocks.holders(block_id) and block_id not in blocks.leaving:
            blocks.leave(block_id, node)
        elif random.random() < 0.5:
            blocks.set_redundancy(block_id, replicated(random.randint(1, 4)))
        else:
            blocks.remove(block_id)
        blocks.check()


def test_a_block_costs_less_than_220_bytes() -> None:
    members = nodes(5)
    combinations = [tuple(members[:3]), tuple(members[1:4]), tuple(members[2:])]
    count = 20_000
    tracemalloc.start()
    try:
        blocks = BlockMap()
        for block_id in range(10_000, 10_000 + count):
            blocks.add(Block(block_id, 1, block_id * 4096), block_id + 500_000, replicated(3))
            for node in combinations[block_id % 3]:
                blocks.put(block_id, node)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(blocks) == count and used / count < 220, used / count
