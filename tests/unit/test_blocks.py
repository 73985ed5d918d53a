"""The facade: writing, reading, counting, dead nodes bit by bit, safe mode, and its speed."""

import itertools
from random import Random
from typing import Callable, List, Tuple

import pytest

from data_service.namenode.replicas import row_sweep
from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.replicas.events import Events
from data_service.protocol.blocks import Block
from data_service.protocol.health import Health
from data_service.protocol.nodes import REPORT
from data_service.protocol.redundancy import replicated
from tests.support.growth import LARGER, growth
from tests.support.models.block_side import report_fully
from tests.support.models.model_datanodes import (
    CAPACITY,
    CLUSTER_ID,
    POLICY,
    ModelCluster,
    node_info,
    node_stats,
)
from zookeeper.fabric.errors import Busy, NotEnoughReplicas

DEAD = int(POLICY.dead_seconds) + 10


def cluster(names: str = "abcd") -> ModelCluster:
    """Running datanodes named by the letters."""
    return ModelCluster(tuple(names), Random(0)).start_all()


# Writing.


def test_a_write_reserves_room_and_load_until_it_is_reported() -> None:
    world = cluster("ab")
    blocks = world.blocks
    targets = blocks.choose_targets(1, frozenset(), "a", CAPACITY, world.random)
    blocks.begin(1, 1, targets, CAPACITY)
    assert [target.node_id for target in targets] == ["a"]
    # The other one is chosen, although the writer is here; this one if nobody has other room.
    (other,) = blocks.choose_targets(1, frozenset(), "a", 1, world.random)
    assert other.node_id == "b"
    assert blocks.choose_targets(1, {"b"}, "a", 1, world.random) == targets
    world.nodes["a"].store(Block(1, 1, 5))
    world.beat_all()
    assert blocks.choose_targets(1, frozenset(), "a", CAPACITY, world.random) == targets
    blocks.begin(2, 1, targets, CAPACITY)
    blocks.invalidate(2, 0)
    assert blocks.choose_targets(1, frozenset(), "a", CAPACITY, world.random) == targets
    blocks.check()


def test_the_refusal_names_file_nodes_and_exclusions() -> None:
    world = cluster("ab")
    with pytest.raises(NotEnoughReplicas) as refused:
        world.blocks.choose_targets(2, {"a", "b"}, "a", 1, world.random, label="/x")
    assert refused.value.message == (
        "File /x could only be written to 0 of the 1 minReplication nodes. There are 2 "
        "datanode(s) running and 2 node(s) are excluded in this operation.")
    (target,) = world.blocks.choose_targets(2, {"a"}, "a", 1, world.random)
    assert target.node_id == "b"


def test_a_writer_asks_again_while_no_datanode_has_reported_yet() -> None:
    """All sessions may end at once, when the namenode or its disk had a hiccup: the put of a
    person must not fail for it."""
    world = cluster("ab")
    world.run(30)  # Long enough that nobody is waited for because of the start.
    for node in world.nodes.values():
        node.start()
        world.register(node)
    with pytest.raises(Busy, match="Cannot add block to /x: datanodes are still reporting"):
        world.blocks.choose_targets(2, frozenset(), "a", 1, world.random, label="/x")
    with pytest.raises(NotEnoughReplicas, match="2 node.s. are excluded"):
        world.blocks.choose_targets(2, {"a", "b"}, "a", 1, world.random, label="/x")
    for node in world.nodes.values():
        world.report(node)
    assert len(world.blocks.choose_targets(2, frozenset(), "a", 1, world.random)) == 2


def test_stale_and_dead_nodes_are_not_written_to() -> None:
    world = cluster("abc")
    world.nodes["a"].crash()
    world.run(6)
    for _ in range(20):
        targets = world.blocks.choose_targets(3, frozenset(), "a", 1, world.random)
        assert sorted(target.node_id for target in targets) == ["b", "c"]


def test_a_write_is_resumed_by_another_namenode() -> None:
    world = cluster("ab")
    targets = world.blocks.choose_targets(2, frozenset(), "a", 1, world.random)
    world.blocks.begin(1, 1, targets, 100)
    for target in targets:
        world.nodes[target.node_id].store(Block(1, 1, 100))
    world.beat_all()
    world.new_namenode().loaded(world.now)
    world.run(2)
    assert world.blocks.confirmations(Block(1, 1, 100)) == 0
    world.blocks.begin(1, 1, (), 100)
    assert world.blocks.confirmations(Block(1, 1, 100)) == 2
    world.blocks.track(Block(1, 1, 100), 5, replicated(2))
    assert world.census.health(1) == Health(2, 2, 0, 0)
    world.blocks.check()


def test_an_abandoned_blocks_replicas_are_deleted() -> None:
    world = cluster("ab")
    targets = world.blocks.choose_targets(2, frozenset(), "a", 1, world.random)
    world.blocks.begin(1, 1, targets, 100)
    world.nodes["a"].store(Block(1, 1, 100))
    world.beat_all()
    world.blocks.invalidate(1, 0)
    world.blocks.invalidate(1, 0)
    world.run(1)
    assert world.ordered() == [("a", "delete", 1)]
    world.nodes["b"].store(Block(1, 1, 100))
    world.run(1)
    assert ("b", "delete", 1) in world.ordered(), "one that comes late, too"


# Reading.


def test_locations_are_fresh_holders_first_and_spread_by_block() -> None:
    world = cluster("abc")
    for block_id in (3, 4, 5):
        world.put(block_id, "abc", 3)
    firsts = {world.census.locations(block_id)[0].node_id for block_id in (3, 4, 5)}
    assert firsts == {"a", "b", "c"}
    world.run(6, but="a")
    assert [world.census.locations(block_id)[-1].node_id for block_id in (3, 4, 5)] == ["a"] * 3
    assert world.census.locations(99) == ()


def test_a_dead_holder_is_no_location_even_before_it_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(row_sweep, "_SLICES", 0)
    world = cluster("ab")
    world.put(1, "ab", 2)
    world.nodes["a"].crash()
    world.run(DEAD)
    assert [target.node_id for target in world.census.locations(1)] == ["b"]
    assert world.census.health(1).live == 1


def test_corrupt_replicas_are_left_out_while_there_are_others() -> None:
    world = cluster("abc")
    block = world.put(1, "ab", 2)
    world.spoil("a", block)
    assert [target.node_id for target in world.census.locations(1)] == ["b"]
    world.spoil("b", block)
    assert sorted(target.node_id for target in world.census.locations(1)) == ["a", "b"]


def test_readers_of_a_block_being_written_find_its_replicas() -> None:
    world = cluster("a")
    world.blocks.begin(1, 1, (), 100)
    world.nodes["a"].store(Block(1, 1, 100))
    world.beat_all()
    assert [target.node_id for target in world.census.locations(1)] == ["a"]


def test_a_block_knows_its_file() -> None:
    world = cluster("a")
    block = world.put(1, "a", 1)
    assert (world.blocks.get(1), world.blocks.inode_id(1)) == (block, 1)
    world.blocks.track(block, 9, replicated(1))
    assert world.blocks.inode_id(1) == 9
    assert world.blocks.get(2) is None and world.blocks.inode_id(2) is None
    with pytest.raises(KeyError):
        world.census.health(2)


# Counting.


def test_counts_tell_each_kind_of_block() -> None:
    world = cluster("abc")
    world.blocks.enter_safe_mode()
    world.put(1, "ab", 2)
    world.put(2, "a", 2)
    world.put(3, "abc", 2)
    world.blocks.track(Block(4, 1, 1), 4, replicated(1))
    world.spoil("a", world.put(5, "a", 1))
    world.spoil("a", world.put(6, "ab", 1))
    world.blocks.invalidate(world.put(7, "a", 1).block_id, 0)
    world.nodes["a"].store(Block(77, 1, 1))
    world.beat_all()
    assert world.census.counts() == (6, 1, 1, 1, 1, 2, 1, 0, 1, 1, 2, 1)
    world.blocks.check()


# Dead and returning nodes.


def test_a_dead_nodes_replicas_are_forgotten_bit_by_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_sweep, "_ROWS", 10)
    monkeypatch.setattr(row_sweep, "_SLICES", 3)
    monkeypatch.setattr(row_sweep, "_REPLICAS", 15)
    world = cluster("ab")
    for block_id in range(1, 101):
        world.put(block_id, "ab", 2)
    world.nodes["a"].crash()
    seen = []
    for _ in range(DEAD + 10):
        world.run(1)
        seen.append(world.census.counts().under_replicated)
    steps = sorted(set(seen))
    assert steps == [0, 20, 40, 60, 80, 100], "slices of ten rows, until fifteen or more"


def test_few_replicas_are_forgotten_under_one_hold_of_the_lock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """20,000 were, in 60 ms."""
    world = cluster("ab")
    for block_id in range(1, 1201):
        world.put(block_id, "ab", 2)
    world.nodes["a"].crash()
    with monkeypatch.context() as patch:
        patch.setattr(row_sweep, "_SLICES", 0)
        world.run(DEAD)
    found = [0]
    while world.blocks.monitor.sweep():
        found.append(world.census.counts().under_replicated)
    assert found[-1] == 1200
    assert max(after - before for before, after in zip(found, found[1:])) < 700


def test_a_node_that_returns_half_forgotten_is_whole_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(row_sweep, "_ROWS", 10)
    monkeypatch.setattr(row_sweep, "_SLICES", 1)
    world = cluster("ab")
    for block_id in range(1, 101):
        world.put(block_id, "ab", 2)
    world.nodes["a"].crash()
    while world.census.counts().under_replicated != 30:
        world.run(1)
    world.nodes["a"].start()
    world.run(5)
    assert world.census.counts().under_replicated == 0


def test_a_returning_nodes_surplus_goes_and_nothing_else() -> None:
    world = cluster("abcd")
    for block_id in range(1, 11):
        world.put(block_id, "ab", 2)
    world.nodes["a"].crash()
    world.quiet_rounds(DEAD + 20)
    assert world.census.counts()[1:5] == (0, 0, 0, 0)
    world.nodes["a"].start()
    world.quiet_rounds(20)
    holders = [sum(block_id in node.disk for node in world.nodes.values())
               for block_id in range(1, 11)]
    assert holders == [2] * 10


# Safe mode.


def test_safe_mode_holds_until_reports_are_in_f2() -> None:
    world = cluster("abc")
    committed = [world.put(block_id, "ab", 2) for block_id in range(1, 6)]
    blocks = world.new_namenode()
    for block in committed:
        blocks.track(block, 1, replicated(2))
    world.connect(world.nodes["c"])
    world.connect(world.nodes["c"])
    assert blocks.safe_mode and "being loaded" in blocks.safe_mode_reason(world.now)
    blocks.loaded(world.now)
    world.run(10, but="ab")
    assert blocks.safe_mode and "needs additional 5 blocks" in blocks.safe_mode_reason(world.now)
    world.connect(world.nodes["a"])
    world.connect(world.nodes["a"])
    assert "In safe mode extension" in blocks.safe_mode_reason(world.now)
    world.run(3, but="b")
    assert not blocks.safe_mode and blocks.safe_mode_reason(world.now) == ""
    assert "safe_mode.left" in world.seen


# Events.


def test_events_are_bounded() -> None:
    events = Events()
    for number in range(1_005):
        events.note("node.dead", number=number)
    drained = events.drain()
    assert (len(drained), drained[0].fields) == (1_001, (("number", 0),))
    assert drained[-1] == ("events.dropped", (("count", 5),)) and events.drain() == []


# Speed: how it grows, with bounds that only a change of order exceeds.


def filled(count: int) -> Tuple[Blocks, List[int], List[Block]]:
    """So many blocks, the sessions of three nodes that hold nothing yet, and what each is to say
    that it holds."""
    policy = POLICY._replace(safe_mode_extension_seconds=0.0)
    blocks = Blocks(CLUSTER_ID, policy, itertools.count(1))
    blocks.lead(1, 0.0)
    listed = [Block(block_id, 1, 100) for block_id in range(1, count + 1)]
    for block in listed:
        blocks.track(block, block.block_id, replicated(3))
    blocks.loaded(0.0)
    sessions = [blocks.register(node_info(name), 0.0) for name in "abc"]
    for session in sessions:
        blocks.heartbeat(session, node_stats(), 0.0, 0)
    return blocks, sessions, listed


def reported(count: int) -> Tuple[Blocks, List[int], List[Block]]:
    """The same with every replica known."""
    blocks, sessions, listed = filled(count)
    for session in sessions:
        report_fully(blocks, session, 1, listed, 0.0)
    return blocks, sessions, listed


def first_report(count: int) -> Callable[[], object]:
    """A node tells of all that it holds, and nothing was known of it."""
    blocks, sessions, listed = filled(count)
    return lambda: report_fully(blocks, sessions[0], 1, listed, 0.0)


def next_report(count: int) -> Callable[[], object]:
    """It tells of the same once more."""
    blocks, sessions, listed = reported(count)
    return lambda: report_fully(blocks, sessions[0], 2, listed, 0.0)


def changes(count: int) -> Callable[[], object]:
    """A node tells of 2,000 blocks, one after the other."""
    blocks, sessions, listed = reported(count)
    return lambda: [
        blocks.block_changes(sessions[0], (block,), (), (), 0.0) for block in listed[:2_000]
    ]


def ticks(count: int) -> Callable[[], object]:
    """The monitor looks 500 times, and there is nothing to do."""
    blocks, _, _ = reported(count)
    blocks.monitor.tick(0.5, Random(0))
    return lambda: [blocks.monitor.tick(1.0 + step / 1_000, Random(0)) for step in range(500)]


@pytest.mark.parametrize("report", [first_report, next_report])
def test_the_time_of_a_report_is_proportional_to_it(
    report: Callable[[int], Callable[[], object]],
) -> None:
    assert growth(report, 2_000) < 4 * LARGER


@pytest.mark.parametrize("work", [changes, ticks])
def test_what_changes_little_takes_as_long_with_many_blocks(
    work: Callable[[int], Callable[[], object]],
) -> None:
    assert growth(work, 2_000) < LARGER / 2


# What administrators ask for.


def test_a_full_report_is_asked_for_even_in_safe_mode() -> None:
    world = cluster("ab")
    world.blocks.enter_safe_mode()
    assert world.blocks.want_report("a", 1800) and not world.blocks.want_report("c", 1800)
    assert not world.blocks.want_report("a", 1801)
    world.beat_all()
    assert [command.action for command in world.nodes["a"].orders] == [REPORT]
    world.beat_all()
    assert len(world.nodes["a"].orders) == 1, "once is enough"
    assert not world.nodes["b"].orders
