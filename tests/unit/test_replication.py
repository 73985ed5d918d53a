"""Copies: when they begin, from where, to where, how many at once, and how they end."""

from random import Random
from typing import Callable, List, Tuple

import pytest

from data_service.namenode.replicas.replication import Replication
from data_service.protocol.nodes import DELETE, REPLICATE
from tests.support.models.model_datanodes import POLICY, ModelCluster, node_stats

DEAD = int(POLICY.dead_seconds) + 10


def cluster(names: str = "abcd", seed: int = 0, **policy: object) -> ModelCluster:
    """Running datanodes named by the letters."""
    made = ModelCluster(tuple(names), Random(seed), POLICY._replace(**policy))
    return made.start_all()


def copies(world: ModelCluster) -> List[Tuple[str, int]]:
    """(source, block id) of the copies that were ordered."""
    return [(name, block_id) for name, action, block_id in world.ordered() if action == REPLICATE]


def obey_all(world: ModelCluster) -> None:
    """Every node carries out its orders and tells."""
    for node in world.nodes.values():
        while node.orders:
            world.obey(node)
    world.beat_all()


def test_a_dead_nodes_blocks_are_copied_from_the_others() -> None:
    world = cluster("abc")
    world.put(1, "ab", 2)
    world.nodes["a"].crash()
    world.run(int(POLICY.dead_seconds) - 2)
    assert copies(world) == [], "stale is not dead"
    world.run(12)
    assert copies(world) == [("b", 1)]
    obey_all(world)
    assert world.census.health(1).live == 2 and world.census.counts().pending_replication == 0
    assert 1 in world.nodes["c"].disk


def test_a_missing_zookeeper_and_a_silent_node_start_no_copies() -> None:
    world = cluster("abc")
    world.put(1, "ab", 2)
    world.zookeeper_up = False
    world.nodes["a"].crash()
    world.run(100)
    assert copies(world) == []


def test_a_sleep_of_the_namenode_starts_no_copies_hdfs_9107_hadoop_641() -> None:
    world = cluster("abc")
    for block_id in range(1, 20):
        world.put(block_id, "ab", 2)
    world.pass_time(3600.0)
    world.run(3)
    assert copies(world) == [] and world.census.live_nodes() == 3


def test_one_good_replica_left_comes_first_then_the_largest_deficit() -> None:
    world = cluster("abcdefgh", max_replications=1)
    world.put(1, "abc", 4)
    world.put(2, "abc", 6)
    world.put(3, "a", 2)
    order = []
    for _ in range(3):
        world.run(1)
        order += [block_id for _, block_id in copies(world)]
        obey_all(world)
    assert order == [3, 2, 1]


@pytest.mark.parametrize("seed", range(5))
def test_copies_are_bounded_for_each_source_and_in_all(seed: int) -> None:
    world = cluster("abcde", seed, max_replications=5, replication_seconds=1000.0)
    for block_id in range(1, 30):
        world.put(block_id, "ab", 3)
    world.run(4)
    sources = [name for name, _ in copies(world)]
    assert len(sources) == 4 and sources.count("a") == sources.count("b") == 2
    assert world.census.counts().pending_replication == 4
    for block_id in range(30, 40):
        world.put(block_id, "c", 2)
    world.run(4)
    assert len(copies(world)) == 5


def test_streams_that_end_are_used_at_once_between_ticks() -> None:
    world = cluster("abc")
    for block_id in range(1, 6):
        world.put(block_id, "a", 2)
    world.run(1)
    assert len(copies(world)) == 2
    obey_all(world)
    world.blocks.monitor.refill(world.now, world.random)
    world.beat_all()
    assert len(copies(world)) == 2 and world.census.counts().pending_replication == 2


def test_a_copy_that_ended_is_followed_by_one_from_its_source_and_nothing_else_is_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All that busy nodes have was looked at, again and again, under the namenode's lock."""
    world = cluster("abcde", max_replication_streams=1)
    for block_id in range(1, 40):
        world.put(block_id, "a" if block_id % 2 else "b", 2)
    world.run(1)
    assert [name for name, _ in copies(world)] == ["a", "b"]
    tried: List[int] = []
    start = Replication._start
    monkeypatch.setattr(Replication, "_start", lambda self, block_id, *rest: (
        tried.append(block_id), start(self, block_id, *rest)))
    world.obey(world.nodes["a"])
    for node in world.nodes.values():
        world.tell(node)
    assert world.blocks.monitor.refill(world.now, world.random) == 1 and len(tried) == 1
    assert world.blocks.monitor.refill(world.now, world.random) == 0 and len(tried) == 1
    world.beat_all()
    assert [name for name, _ in copies(world)] == ["a", "b"]


def test_after_too_many_copies_in_all_any_idle_node_goes_on() -> None:
    world = cluster("abcd", max_replications=1)
    world.put(1, "a", 2)
    world.put(2, "b", 2)
    world.run(1)
    (first,) = copies(world)
    obey_all(world)
    assert world.blocks.monitor.refill(world.now, world.random) == 1
    world.beat_all()
    (second,) = copies(world)
    assert {first, second} == {("a", 1), ("b", 2)}


def test_what_an_idle_node_has_is_found_behind_much_that_busy_nodes_have() -> None:
    world = cluster("abcd", max_replication_streams=1)
    for block_id in range(1, 1500):
        world.put(block_id, "a", 2)
    world.put(1500, "b", 2)
    world.run(1)
    assert sorted(copies(world)) == [("a", 1), ("b", 1500)]


def test_a_block_is_copied_once_at_a_time_to_all_that_it_lacks() -> None:
    world = cluster("abcd")
    world.put(1, "a", 4)
    world.run(3)
    (command,) = world.nodes["a"].orders
    assert sorted(target.node_id for target in command.targets) == ["b", "c", "d"]


def test_a_copy_that_does_not_arrive_is_planned_anew() -> None:
    world = cluster("abc")
    world.put(1, "a", 2)
    world.run(1)
    world.nodes["a"].orders.clear()
    world.run(int(POLICY.replication_seconds) - 2)
    assert copies(world) == []
    world.run(3)
    assert copies(world) == [("a", 1)]


def test_a_target_that_dies_ends_its_copy_at_once() -> None:
    world = cluster("ab", replication_seconds=10_000.0)
    world.put(1, "a", 2)
    world.run(1)
    world.nodes["b"].crash()
    world.run(DEAD)
    assert world.census.counts().pending_replication == 0
    world.nodes["b"].start()
    world.nodes["a"].orders.clear()
    world.run(2)
    assert copies(world) == [("a", 1)]


def test_a_source_that_restarts_gets_a_new_order() -> None:
    world = cluster("ab", replication_seconds=10_000.0)
    world.put(1, "a", 2)
    world.run(1)
    world.nodes["a"].start()
    world.run(2)
    assert copies(world) == [("a", 1)] and world.census.counts().pending_replication == 1


def test_a_corrupt_replica_is_no_source_hdfs_3493() -> None:
    world = cluster("abc")
    block = world.put(1, "ab", 3)
    world.run(1)
    source = copies(world)[0][0]
    other = "b" if source == "a" else "a"
    world.rot(source, block)
    world.run(2)
    assert [name for name, _ in copies(world)] == [source, other]


def test_a_stale_node_is_the_last_source() -> None:
    world = cluster("abc")
    world.put(1, "ab", 2)
    world.run(6, but="a")
    world.set_replication(1, 3)
    world.run(1, but="a")
    assert {name for name, _ in copies(world)} == {"b"}
    world = cluster("abc")
    world.put(1, "a", 1)
    world.run(6, but="a")
    world.set_replication(1, 2)
    world.pass_time(1.0)
    world.beat(world.nodes["a"])
    assert copies(world) == [("a", 1)]


def test_a_source_must_have_reported_in_this_session() -> None:
    world = cluster("abc")
    world.put(1, "a", 2)
    world.nodes["a"].start()
    world.register(world.nodes["a"])
    world.pass_time(1.0)
    assert world.census.counts().pending_replication == 0


def test_blocks_that_cannot_be_helped_do_not_hide_those_that_can() -> None:
    world = cluster("abd")
    world.blocks.heartbeat(world.nodes["d"].session, node_stats(remaining=10), world.now, 0)
    for block_id in range(1, 2500):
        world.put(block_id, "ab", 3)
    world.put(9999, "ad", 3)
    for _ in range(4):
        world.pass_time(1.0)
    assert world.census.counts().pending_replication == 1, "only the last one has where to go"


def test_a_sleep_of_the_namenode_ends_no_copy_hdfs_9107() -> None:
    world = cluster("abc")
    world.put(1, "a", 2)
    world.run(1)
    world.pass_time(3600.0)
    world.run(2)
    assert "replication.expired" not in world.seen and copies(world) == [("a", 1)]


@pytest.mark.parametrize("act", [
    lambda world, block: world.blocks.invalidate(block.block_id, 0),
    lambda world, block: world.blocks.enter_safe_mode(),
])
def test_no_copy_of_a_deleted_block_or_in_safe_mode(act: Callable) -> None:
    world = cluster("abc")
    block = world.put(1, "a", 2)
    act(world, block)
    world.run(3)
    assert copies(world) == []


def test_of_two_holders_only_one_is_ever_told_to_remove_its_replica() -> None:
    """LP#1897177: two nodes each pushed its copy to the other, and then removed it."""
    world = cluster("ab")
    world.put(1, "ab", 1)
    world.run(3 * int(POLICY.command_repeat_seconds))
    told = {name for name, action, _ in world.ordered() if action == DELETE}
    assert len(told) == 1 and world.census.counts().removals == 1


# More racks than a block is on.


def on_racks(**racks: str) -> ModelCluster:
    """Running datanodes by name, on these racks."""
    made = ModelCluster(tuple(racks), Random(0), POLICY)
    for name, rack in racks.items():
        made.nodes[name].rack = "/" + rack
    return made.start_all()


def test_a_block_on_one_rack_is_spread_when_that_is_asked_for() -> None:
    world = on_racks(a="r1", b="r1", c="r2")
    world.put(1, "ab", 2)
    world.run(5)
    assert copies(world) == [], "enough replicas start nothing by themselves"
    assert world.blocks.monitor.spread([1, 1, 99], world.random) == 1
    assert world.census.counts().pending_replication == 1
    world.blocks.check()
    world.beat_all()
    obey_all(world)
    world.run(60)
    obey_all(world)
    world.run(2)
    racks = sorted(world.nodes[name].rack for name in "abc" if 1 in world.nodes[name].disk)
    assert racks == ["/r1", "/r2"] and world.census.health(1) == (2, 2, 0, 0, 0)


def test_what_needs_no_other_rack_or_has_none_is_not_spread() -> None:
    world = on_racks(a="r1", b="r1", c="r2")
    world.put(1, "ac", 2)
    world.put(2, "a", 1)
    assert world.blocks.monitor.spread([1, 2], world.random) == 0
    world.blocks.enter_safe_mode()
    world.put(3, "ab", 2)
    assert world.blocks.monitor.spread([3], world.random) == 0
    narrow = on_racks(a="r1", b="r1", c="r1")
    narrow.put(1, "ab", 2)
    assert narrow.blocks.monitor.spread([1], narrow.random) == 0


def fail_copy(world: ModelCluster) -> str:
    """The one copy that was ordered fails, and its source says so; the source."""
    (source, block_id), = copies(world)
    node = world.nodes[source]
    node.orders.clear()
    world.blocks.copy_failed(node.session, block_id, world.now)
    world.blocks.check()
    return source


def test_a_copy_that_failed_is_planned_again_from_another_source() -> None:
    """It used to wait for the end of its time, five minutes by default."""
    world = cluster("abcd", replication_seconds=1000.0)
    world.put(1, "ab", 3)
    world.run(1)
    first = fail_copy(world)
    assert world.census.counts().pending_replication == 0
    world.run(2)
    assert {first, *(source for source, _ in copies(world))} == {"a", "b"}
    obey_all(world)
    assert world.census.health(1).live == 3


def test_the_pauses_between_attempts_double_up_to_the_time_of_a_copy() -> None:
    world = cluster("abc", replication_seconds=8.0)
    world.put(1, "a", 2)
    world.run(1)
    pauses = []
    for _ in range(6):
        fail_copy(world)
        failed_at = world.now
        while not copies(world):
            world.run(1)
        pauses.append(world.now - failed_at)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_only_the_source_of_a_copy_can_fail_it() -> None:
    world = cluster("abc")
    world.put(1, "a", 2)
    world.run(1)
    for name in "bc":
        world.blocks.copy_failed(world.nodes[name].session, 1, world.now)
    world.blocks.copy_failed(world.nodes["a"].session, 2, world.now)
    assert world.census.counts().pending_replication == 1


def test_a_target_that_nobody_reaches_is_avoided_by_all_copies_and_longer_each_time() -> None:
    """Its heartbeats arrived, so each of its blocks tried it anew: sixty copies took minutes."""
    world = cluster("abc", replication_seconds=1000.0, max_replication_streams=20)
    for block_id in range(1, 9):
        world.put(block_id, "a", 2)
    world.blocks.choose_targets(1, frozenset("ac"), "", 1, world.random)
    world.nodes["c"].crash()
    world.run(20)
    avoided_from = []
    for _ in range(3):
        orders = copies(world)
        assert len(orders) == 8, "nobody else is there"
        world.nodes["a"].orders.clear()
        for _, block_id in orders:
            world.blocks.copy_failed(world.nodes["a"].session, block_id, world.now, ("b",))
        avoided_from.append(world.now)
        while not copies(world):
            world.run(1)
    pauses = [int(later - earlier) for earlier, later in zip(avoided_from, avoided_from[1:])]
    assert pauses[1] > pauses[0] >= POLICY.stale_seconds
    world.nodes["c"].start()
    orders = copies(world)
    for _, block_id in orders:
        world.blocks.copy_failed(world.nodes["a"].session, block_id, world.now, ("b",))
    world.nodes["a"].orders.clear()
    world.run(3)
    assert len(copies(world)) == 8, "the other one is used at once"
    obey_all(world)
    assert all(block_id in world.nodes["c"].disk for block_id in range(1, 9))


def test_a_target_that_was_reached_again_is_no_worse_than_others() -> None:
    world = cluster("ab", replication_seconds=1000.0)
    world.put(1, "a", 2)
    world.run(1)
    world.nodes["a"].orders.clear()
    world.blocks.copy_failed(world.nodes["a"].session, 1, world.now, ("b", "nobody"))
    world.run(int(POLICY.stale_seconds) + 1)
    obey_all(world)
    assert world.census.health(1).live == 2
    world.put(2, "a", 2)
    world.run(1)
    world.nodes["a"].orders.clear()
    world.blocks.copy_failed(world.nodes["a"].session, 2, world.now, ("b",))
    world.run(int(POLICY.stale_seconds) + 1)
    assert len(copies(world)) == 1, "not twice as long"
