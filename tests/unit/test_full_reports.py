"""Full reports: in parts and slices, absence last, and whatever is newer counts."""

from random import Random
from typing import Callable, List, Tuple

import pytest

from data_service.namenode.replicas import block_reports, full_reports
from data_service.protocol.blocks import Block
from data_service.protocol.redundancy import replicated
from tests.support.models.model_datanodes import POLICY, ModelCluster, ModelDataNode
from zookeeper.fabric.errors import Busy, ProtocolViolation, SessionExpired


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


def test_absence_is_not_said_before_the_last_part_hdfs_10301() -> None:
    world = cluster()
    first, second = world.put(1, "a", 1), world.put(2, "a", 1)
    third = Block(3, 1, 100)
    world.blocks.track(third, 3, replicated(1))
    node = world.nodes["a"]
    send(world, node, 5, 0, 3)
    send(world, node, 5, 1, 3, second, third)
    assert live(world, 1, 2, 3) == [1, 1, 1], "a part is applied when it comes"
    send(world, node, 5, 2, 3)
    assert live(world, 1, 2) == [0, 1]
    send(world, node, 6, 0, 1, first, second)
    assert live(world, 1, 2, 3) == [1, 1, 0]


@pytest.fixture
def thin_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two replicas, or rows, at once."""
    for name, size in (("SLICE_BLOCKS", 2), ("SLICE_ROWS", 1), ("SLICES_OF_ROWS", 2)):
        monkeypatch.setattr(full_reports, name, size)


@pytest.mark.usefixtures("thin_slices")
def test_a_report_is_taken_in_slices_and_others_come_in_between() -> None:
    world = cluster()
    node = world.nodes["a"]
    blocks = [world.put(block_id, "a", 1) for block_id in range(1, 12)]
    unknown, new = Block(99, 1, 5), Block(12, 1, 100)
    change(world, "a", received=(unknown,))
    send(world, node, 5, 0, 3)
    between: List[Callable[[], object]] = [
        lambda: world.blocks.invalidate(1, 0),
        lambda: change(world, "a", deleted=(blocks[1],)),
        lambda: world.blocks.track(new, 12, replicated(1)),
        lambda: change(world, "a", received=(new,)),
        lambda: world.blocks.track(unknown, 13, replicated(1)),
        lambda: change(world, "b", received=(blocks[10],)),
    ]
    for part, listed in ((1, blocks[:5]), (2, blocks[5:9])):
        while not world.blocks.block_report(node.session, 5, part, 3, listed, world.now):
            world.blocks.check()
            if between:
                between.pop(0)()
    assert not between and node.session and world.census.counts().unknown == 0
    assert live(world, *range(2, 13)) == [0, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1]
    assert [target.node_id for target in world.census.locations(11)] == ["b"]
    assert live(world, 99) == [0], "it was not listed, and became known before that was said"
    assert world.ordered() == [], "absence orders nothing"


@pytest.mark.usefixtures("thin_slices")
def test_a_datanode_that_got_no_answer_repeats_the_part_and_goes_on() -> None:
    world = cluster()
    node = world.nodes["a"]
    blocks = [Block(block_id, 1, 100) for block_id in range(1, 8)]
    for block in blocks:
        world.blocks.track(block, block.block_id, replicated(1))
    send(world, node, 5, 0, 2)
    part = (node.session, 5, 1, 2, blocks)
    assert not world.blocks.block_report(*part, world.now)
    assert live(world, *range(1, 8)) == [1, 1, 0, 0, 0, 0, 0]
    while not world.blocks.block_report(*part, world.now):
        pass
    assert live(world, *range(1, 8)) == [1] * 7
    assert world.blocks.block_report(*part, world.now), "it is acknowledged again"


@pytest.mark.usefixtures("thin_slices")
def test_what_a_datanode_lost_counts_until_the_end_but_justifies_no_removal() -> None:
    """Before all of its report is in, nobody knows what else it has (HDFS-1972)."""
    world = cluster("abc")
    for block_id in range(1, 8):
        world.put(block_id, "abc", 2)
    node = world.nodes["a"]
    node.start()
    world.register(node)
    send(world, node, 5, 0, 2)
    while not world.blocks.block_report(node.session, 5, 1, 2, (), world.now):
        world.run(1, but="a")
        assert not [order for order in world.ordered() if order[1] == "delete"]
        world.blocks.check()
    assert live(world, *range(1, 8)) == [2] * 7


def test_a_part_of_a_report_is_a_sign_of_life() -> None:
    world = cluster("ab")
    node = world.nodes["a"]
    node.start()
    world.register(node)
    report = [Block(block_id, 1, 100) for block_id in range(1, 90)]
    for second in range(60):
        send(world, node, 5, second, 60, report[second])
        world.run(1, but="a")
    states = {found.node_id: found.state for found in world.census.datanodes(world.now)}
    assert states["a"] == states["b"]


def test_a_repeated_part_changes_nothing_hdfs_10301() -> None:
    world = cluster()
    block = world.put(1, "a", 1)
    node = world.nodes["a"]
    send(world, node, 5, 0, 2, block)
    send(world, node, 5, 0, 2)
    send(world, node, 5, 1, 2)
    change(world, "a", deleted=(block,))
    send(world, node, 5, 1, 2, block)
    send(world, node, 5, 0, 2, block)
    assert live(world, 1) == [0], "the whole report came before the deletion"


def test_an_overtaken_report_is_refused_and_changes_nothing_hdfs_7960() -> None:
    world = cluster()
    block = world.put(1, "a", 1)
    node = world.nodes["a"]
    send(world, node, 5, 0, 2)
    send(world, node, 6, 0, 2, block)
    with pytest.raises(ProtocolViolation, match="overtaken"):
        send(world, node, 5, 1, 2)
    send(world, node, 6, 1, 2)
    with pytest.raises(ProtocolViolation, match="overtaken"):
        send(world, node, 5, 1, 2)
    assert live(world, 1) == [1]


@pytest.mark.parametrize("part, parts", [(2, 4), (1, 3), (-1, 2), (2, 2), (0, 0), (0, 10**9)])
def test_a_part_out_of_order_or_range_is_refused_hdfs_12914(part: int, parts: int) -> None:
    world = cluster()
    block = world.put(1, "a", 1)
    node = world.nodes["a"]
    send(world, node, 5, 0, 4)
    with pytest.raises(ProtocolViolation):
        send(world, node, 5, part, parts)
    send(world, node, 6, 0, 1, block)
    assert live(world, 1) == [1]


def test_a_report_of_an_ended_session_is_refused_aloud_hdfs_12914() -> None:
    world = cluster()
    node = world.nodes["a"]
    send(world, node, 5, 0, 2)
    old = node.session
    node.start()
    world.register(node)
    with pytest.raises(SessionExpired):
        world.blocks.block_report(old, 5, 1, 2, (), world.now)
    with pytest.raises(ProtocolViolation):
        send(world, node, 5, 1, 2)


def test_what_was_received_since_the_first_part_stays_hdfs_10301() -> None:
    world = cluster()
    node = world.nodes["a"]
    send(world, node, 5, 0, 2)
    world.put(1, "a", 1)
    send(world, node, 5, 1, 2)
    assert live(world, 1) == [1]


def test_what_was_deleted_since_the_first_part_does_not_come_back_hdfs_10301() -> None:
    world = cluster()
    block = world.put(1, "a", 1)
    node = world.nodes["a"]
    send(world, node, 5, 0, 2)
    change(world, "a", deleted=(block,))
    send(world, node, 5, 1, 2, block)
    assert live(world, 1) == [0]


def test_of_two_generations_in_a_report_the_later_counts_hdfs_16922() -> None:
    world = cluster()
    world.blocks.track(Block(1, 2, 100), 1, replicated(1))
    for order in ((1, 2), (2, 1)):
        blocks = tuple(Block(1, generation, 100) for generation in order)
        send(world, world.nodes["a"], 4 + order[0], 0, 1, *blocks)
        assert live(world, 1) == [1]


def test_absence_takes_open_and_unknown_replicas_too() -> None:
    world = cluster()
    targets = world.blocks.choose_targets(1, frozenset(), "a", 1, world.random)
    world.blocks.begin(1, 1, targets, 100)
    change(world, "a", received=(Block(1, 1, 100), Block(77, 1, 5)))
    assert world.blocks.confirmations(Block(1, 1, 100)) == 1
    send(world, world.nodes["a"], 5, 0, 1)
    assert world.blocks.confirmations(Block(1, 1, 100)) == 0
    assert world.census.counts().unknown == 0


def test_a_node_is_not_usable_before_its_first_report_is_whole_hdfs_1972() -> None:
    world = cluster("a")
    world.run(30)
    node = world.nodes["a"]
    node.start()
    world.register(node)
    send(world, node, 5, 0, 2)
    assert world.blocks.take_commands(node.session, world.now, 0) == ()
    with pytest.raises(Busy, match="datanodes are still reporting"):
        world.blocks.choose_targets(1, frozenset(), "a", 1, world.random)
    send(world, node, 5, 1, 2)
    world.beat(node)
    assert len(world.blocks.choose_targets(1, frozenset(), "a", 1, world.random)) == 1


def test_a_report_ends_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_service.namenode.replicas.full_reports.BLOCKS_MAX", 3)
    world = cluster("a")
    node = world.nodes["a"]
    world.blocks.block_report(node.session, 7, 0, 9, [Block(n, 1, 1) for n in range(3)], world.now)
    with pytest.raises(ProtocolViolation):
        world.blocks.block_report(node.session, 7, 1, 9, [Block(4, 1, 1)], world.now)
    with pytest.raises(ProtocolViolation):
        world.blocks.block_report(node.session, 8, 0, 10_001, (), world.now)


@pytest.mark.usefixtures("thin_slices")
def test_of_what_nobody_knows_only_so_much_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A datanode could fill the memory with claims. What is known counts all the same."""
    monkeypatch.setattr(block_reports, "UNKNOWN_MAX", 3)
    world = cluster()
    node = world.nodes["a"]
    known = tuple(Block(block_id, 1, 100) for block_id in (1, 2))
    for block in known:
        world.blocks.track(block, block.block_id, replicated(1))
    claimed = tuple(Block(block_id, 1, 5) for block_id in range(100, 120))
    change(world, "a", received=claimed[5:10] + known[:1], corrupt=claimed[10:])
    assert live(world, 1, 2) == [1, 0] and world.census.counts().unknown == 3
    for report_id in (5, 6):
        send(world, node, report_id, 0, 2)
        part = (node.session, report_id, 1, 2, claimed + known)
        while not world.blocks.block_report(*part, world.now):
            pass
        assert live(world, 1, 2) == [1, 1] and world.census.counts().unknown == 3
    change(world, "a", deleted=claimed[5:7], received=claimed[:5])
    assert world.census.counts().unknown == 3, "there is room for as many as went"


def test_a_report_that_too_much_news_overtakes_is_begun_anew(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_reports, "NEWS_MAX", 3)
    world = cluster()
    node, block = world.nodes["a"], world.put(1, "a", 1)
    send(world, node, 5, 0, 2)
    for block_id in range(100, 104):
        change(world, "a", deleted=(Block(block_id, 1, 5),))
    with pytest.raises(ProtocolViolation, match="begin a new report"):
        send(world, node, 5, 1, 2, block)
    send(world, node, 6, 0, 1, block)
    assert live(world, 1) == [1]
