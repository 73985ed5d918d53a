"""Reports of single replicas: news is judged by generation, length and order."""

from random import Random
from typing import List, Tuple

import pytest

from data_service.protocol.blocks import Block
from data_service.protocol.nodes import Target
from data_service.protocol.redundancy import replicated
from tests.support.models.model_datanodes import POLICY, ModelCluster, ModelDataNode, Replica


def cluster(names: str = "abc", **policy: object) -> ModelCluster:
    """Running datanodes named by the letters."""
    return ModelCluster(tuple(names), Random(0), POLICY._replace(**policy)).start_all()


def send(world: ModelCluster, node: ModelDataNode, report_id: int, part: int, parts: int,
         *blocks: Block) -> None:
    """One part of a full report."""
    world.blocks.block_report(node.session, report_id, part, parts, blocks, world.now)


def change(world: ModelCluster, name: str, received: Tuple[Block, ...] = (),
           deleted: Tuple[Block, ...] = (), corrupt: Tuple[Block, ...] = ()) -> None:
    """Incremental news from a node."""
    world.blocks.block_changes(world.nodes[name].session, received, deleted, corrupt, world.now)
    world.blocks.check()


def live(world: ModelCluster, *block_ids: int) -> List[int]:
    """How many good replicas each of these blocks has."""
    world.blocks.check()
    return [world.census.health(block_id).live for block_id in block_ids]


# Single replicas.


def test_another_length_or_generation_is_corrupt_with_its_reason_hdfs_5438() -> None:
    world = cluster()
    world.blocks.track(Block(1, 2, 100), 1, replicated(2))
    change(world, "a", received=(Block(1, 2, 99),))
    change(world, "b", received=(Block(1, 1, 100),))
    assert world.census.health(1) == (2, 0, 2, 0, 0) and world.census.is_corrupt(1)
    events = world.blocks.monitor.tick(world.now, world.random)
    reasons = [dict(event.fields)["reason"] for event in events if event.name == "replica.corrupt"]
    assert reasons == ["length", "generation"]


def test_a_later_good_report_clears_a_mismatch_hdfs_5438() -> None:
    world = cluster()
    world.blocks.track(Block(1, 2, 100), 1, replicated(1))
    change(world, "a", received=(Block(1, 1, 100),))
    assert live(world, 1) == [0]
    change(world, "a", received=(Block(1, 2, 100),))
    assert live(world, 1) == [1] and world.census.counts().corrupt_replicas == 0


def test_a_repeated_report_does_not_clear_a_checksum_error_hdfs_4799() -> None:
    world = cluster()
    block = world.put(1, "ab", 2)
    change(world, "a", corrupt=(block,))
    change(world, "a", received=(block,))
    send(world, world.nodes["a"], 5, 0, 1, block)
    assert world.census.health(1) == (2, 1, 1, 0, 0)
    change(world, "a", deleted=(block,))
    change(world, "a", received=(block,))
    assert world.census.health(1) == (2, 2, 0, 0, 0)


def test_older_news_demotes_nothing_hdfs_2742_hdfs_16922() -> None:
    world = cluster()
    world.blocks.track(Block(1, 2, 100), 1, replicated(1))
    change(world, "a", received=(Block(1, 2, 100),))
    change(world, "a", received=(Block(1, 1, 60),))
    change(world, "a", deleted=(Block(1, 1, 60),))
    assert not world.blocks.report_bad(Block(1, 1, 60), "a")
    assert world.census.health(1) == (1, 1, 0, 0, 0)


def test_a_length_reported_while_writing_is_judged_at_the_commit_hdfs_2742() -> None:
    world = cluster("abcd")
    targets = world.blocks.choose_targets(4, frozenset(), "a", 1, world.random)
    world.blocks.begin(1, 1, targets, 100)
    change(world, "a", received=(Block(1, 1, 100),))
    change(world, "b", received=(Block(1, 1, 60),))
    change(world, "c", received=(Block(1, 7, 100),))
    change(world, "d", received=(Block(1, 1, 100),))
    change(world, "d", corrupt=(Block(1, 1, 100),))
    assert world.blocks.confirmations(Block(1, 1, 100)) == 1
    world.blocks.track(Block(1, 1, 100), 5, replicated(3))
    assert world.census.health(1) == (3, 1, 2, 0, 0)
    assert world.blocks.confirmations(Block(1, 1, 100)) == 1


def test_confirmations_are_of_distinct_living_nodes_tahoe_happiness_hdfs_16146() -> None:
    world = cluster("ab")
    targets = world.blocks.choose_targets(2, frozenset(), "a", 1, world.random)
    world.blocks.begin(1, 1, targets, 100)
    for _ in range(3):
        change(world, "a", received=(Block(1, 1, 100),))
    assert world.blocks.confirmations(Block(1, 1, 100)) == 1
    world.nodes["a"].crash()
    world.run(int(POLICY.dead_seconds) + 10)
    assert world.blocks.confirmations(Block(1, 1, 100)) == 0
    assert world.blocks.confirmations(Block(99, 1, 1)) == 0


def test_a_readers_word_has_a_replica_verified_and_counts_for_nothing_else() -> None:
    """A reader with bad memory, or bad intent, could have good replicas removed, unread."""
    world = cluster("ab")
    block = world.put(1, "ab", 2)
    assert not world.blocks.report_bad(block, "nobody")
    assert not world.blocks.report_bad(Block(9, 1, 1), "a")
    assert not world.blocks.report_bad(Block(1, 7, 100), "a")
    for name in "ab":
        assert world.blocks.report_bad(block, name) and world.blocks.report_bad(block, name)
    assert world.census.counts().corrupt_replicas == 0 and world.census.health(1).live == 2
    world.beat_all()
    assert [len(node.orders) for node in world.nodes.values()] == [1, 1]
    world.nodes["b"].disk[1] = Replica(block, False)
    world.run(3)
    assert world.census.health(1)[1:3] == (1, 1), "what was true of it, its datanode says"
    world.blocks.report_bad(block, "a")
    world.beat_all()
    assert not world.nodes["a"].orders, "it has just been read"


def test_a_reader_cannot_keep_a_datanode_reading_for_ever() -> None:
    world = cluster("ab", replication_seconds=1e9)
    for block_id in range(1, 1200):
        world.blocks.report_bad(world.put(block_id, "a", 1), "a")
    world.nodes["a"].orders.clear()
    for _ in range(20):
        world.beat(world.nodes["a"])
    told = [block for command in world.nodes["a"].orders for block in command.blocks]
    assert len(told) == 1000 and all(len(c.blocks) <= 100 for c in world.nodes["a"].orders)


def test_what_was_found_corrupt_by_mistake_is_good_again() -> None:
    world = cluster("ab")
    block = world.put(1, "ab", 2)
    for name in "ab":
        world.spoil(name, block)
        world.nodes[name].disk[1] = Replica(block, True)
    assert world.census.is_corrupt(1)
    world.run(3)
    assert world.census.health(1) == (2, 2, 0, 0, 0)
    assert not world.ordered()


def test_a_datanode_that_lists_a_corrupt_replica_as_good_has_to_read_it() -> None:
    world = cluster("abc", replication_seconds=1e9)
    block = world.put(1, "abc", 3)
    world.spoil("a", block)
    world.report(world.nodes["a"])
    assert world.census.health(1)[1:3] == (2, 1), "its name says nothing of its bytes"
    world.nodes["a"].disk[1] = Replica(block, True)
    world.run(1)
    assert world.census.health(1)[1:3] == (3, 0)


def test_a_node_that_finds_its_own_replica_corrupt_is_believed_hdfs_3493() -> None:
    world = cluster("abc")
    block = world.put(1, "ab", 2)
    send(world, world.nodes["b"], 5, 0, 1)
    change(world, "b", corrupt=(block,))
    assert world.census.health(1) == (2, 1, 1, 0, 0), "although its report did not list it"


@pytest.mark.parametrize("again", [False, True])
def test_what_was_corrupt_before_its_writer_resumed_is_corrupt_afterwards(again: bool) -> None:
    """A namenode that was restarted hears of the replica before it hears of the file."""
    world = cluster("abc")
    block = Block(1, 1, 100)
    change(world, "a", corrupt=(block,))
    change(world, "b", received=(block,))
    if again:
        change(world, "a", received=(block,))
    world.blocks.begin(1, 1, (), 100)
    assert world.blocks.confirmations(block) == 1
    world.blocks.track(block, 5, replicated(2))
    assert world.census.health(1)[1:3] == (1, 1)


def test_what_was_corrupt_before_it_was_known_is_corrupt_when_it_is_committed() -> None:
    world = cluster("abc")
    block = Block(1, 1, 100)
    change(world, "a", corrupt=(block,))
    world.blocks.track(block, 5, replicated(2))
    assert world.census.health(1)[1:3] == (0, 1)


def test_an_unknown_replica_that_was_read_again_is_good() -> None:
    world = cluster("abc")
    block = Block(1, 1, 100)
    change(world, "a", corrupt=(block,))
    session = world.nodes["a"].session
    world.blocks.block_changes(session, (), (), (), world.now, (block,))
    world.blocks.begin(1, 1, (), 100)
    assert world.blocks.confirmations(block) == 1


@pytest.mark.parametrize("in_report", [True, False])
def test_a_marked_replica_that_changed_is_ordered_by_its_new_name_hdfs_5438(
    in_report: bool,
) -> None:
    world = cluster("abc")
    block = world.put(1, "abc", 2)
    world.rot("c", block)
    world.run(1)
    node = world.nodes["c"]
    assert [order.blocks for order in node.orders] == [(block,)]
    node.orders.clear()
    short = block._replace(length=60)
    if in_report:
        send(world, node, 50, 0, 1, short)
    else:
        change(world, "c", corrupt=(short,))
    world.run(2)
    assert [order.blocks for order in node.orders] == [(short,)]


# Blocks on datanodes that they were never allocated on.


def test_a_replica_that_nobody_can_have_meant_counts_for_nothing() -> None:
    """Somebody wrote blocks of numbers to come; puts exited 0 and were read back as his bytes."""
    world = cluster("abc")
    change(world, "c", received=(Block(1, 1, 100),))
    targets = [Target(name, name, 1800) for name in "ab"]
    world.blocks.begin(1, 1, targets, 100)
    change(world, "a", received=(Block(1, 1, 100),))
    assert world.blocks.confirmations(Block(1, 1, 100)) == 1
    change(world, "c", received=(Block(1, 1, 100),))
    assert world.blocks.confirmations(Block(1, 1, 100)) == 1
    world.blocks.track(Block(1, 1, 100), 5, replicated(2))
    change(world, "c", received=(Block(1, 1, 100),))
    assert [target.node_id for target in world.census.locations(1)] == ["a"]
    world.beat(world.nodes["c"])
    assert world.ordered() == [("c", "trash", 1)]
    change(world, "c", deleted=(Block(1, 1, 100),))
    change(world, "c", received=(Block(1, 1, 100),))
    assert world.census.health(1).live == 2, "a copy that was ordered since"


def test_after_a_restart_the_writers_block_counts_wherever_it_is() -> None:
    world = cluster("abc")
    for name in "ab":
        change(world, name, received=(Block(1, 1, 100),))
    world.blocks.begin(1, 1, (), 100)
    assert world.blocks.confirmations(Block(1, 1, 100)) == 2
