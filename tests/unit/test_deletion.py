"""Deletions: only what the namenode decided, on fresh knowledge, in the right order, confirmed."""

from random import Random
from typing import List, Tuple

from data_service.protocol.blocks import Block
from data_service.protocol.nodes import DELETE, DELETE_CORRUPT, TRASH
from data_service.protocol.redundancy import replicated
from tests.support.models.model_datanodes import POLICY, ModelCluster

DEAD = int(POLICY.dead_seconds) + 10
REPEAT = int(POLICY.command_repeat_seconds)


def cluster(names: str = "abcd", **policy: object) -> ModelCluster:
    """Running datanodes named by the letters."""
    return ModelCluster(tuple(names), Random(0), POLICY._replace(**policy)).start_all()


def deletes(world: ModelCluster, action: str = DELETE) -> List[Tuple[str, int]]:
    """(node, block id) of the orders to delete."""
    kinds = (DELETE, DELETE_CORRUPT) if action == DELETE else (action,)
    return [(name, block_id) for name, kind, block_id in world.ordered() if kind in kinds]


def obey_all(world: ModelCluster) -> None:
    """Every node carries out its orders and tells."""
    for node in world.nodes.values():
        while node.orders:
            world.obey(node)
    world.beat_all()


# Deleted files.


def test_a_deleted_blocks_holders_are_told_once_the_edit_is_durable_swift_8d8820953() -> None:
    world = cluster()
    block = world.put(1, "abc", 3)
    world.blocks.invalidate(block.block_id, 5)
    world.durable_txid = 4
    world.run(2)
    assert deletes(world) == [] and world.census.counts().pending_deletion == 1
    world.durable_txid = 5
    world.run(1)
    assert deletes(world) == [("a", 1), ("b", 1), ("c", 1)]


def test_a_deletion_is_confirmed_when_the_last_holder_has_confirmed() -> None:
    world = cluster()
    world.blocks.invalidate(world.put(1, "ab", 2).block_id, 0)
    world.run(1)
    world.obey(world.nodes["a"])
    world.run(1)
    assert world.forget_deletions(10) == ()
    obey_all(world)
    assert world.forget_deletions(10) == (1,)
    assert world.forget_deletions(10) == ()
    assert world.census.counts().pending_deletion == 0


def test_a_lost_delete_command_is_repeated() -> None:
    world = cluster()
    world.blocks.invalidate(world.put(1, "a", 1).block_id, 0)
    world.beat(world.nodes["a"], lose_reply=True)
    world.run(REPEAT - 1)
    assert deletes(world) == []
    world.run(2)
    assert deletes(world) == [("a", 1)]


def test_a_deleted_block_does_not_come_back_with_a_returning_node_swift_8d8820953() -> None:
    world = cluster()
    block = world.put(1, "ab", 2)
    world.nodes["b"].crash()
    world.run(2)
    world.blocks.invalidate(block.block_id, 0)
    world.run(2)
    world.nodes["b"].start()
    world.run(2)
    assert ("b", 1) in deletes(world)
    assert world.blocks.get(1) is None and world.census.locations(1) == ()


def test_deletions_outlive_the_namenode() -> None:
    world = cluster()
    block = world.put(1, "ab", 2)
    world.new_namenode().invalidate(block.block_id, 0)
    assert world.forget_deletions(10) == (), "in safe mode nothing is known"
    world.blocks.loaded(world.now)
    world.run(2)
    assert sorted(deletes(world)) == [("a", 1), ("b", 1)]
    assert world.forget_deletions(10) == ()
    obey_all(world)
    assert world.forget_deletions(10) == (1,)


def test_nothing_is_confirmed_while_a_node_has_not_reported() -> None:
    world = cluster("ab")
    world.blocks.invalidate(world.put(1, "a", 1).block_id, 0)
    world.run(1)
    obey_all(world)
    world.nodes["b"].start()
    world.register(world.nodes["b"])
    assert world.forget_deletions(10) == ()
    world.report(world.nodes["b"])
    assert world.forget_deletions(10) == (1,)


def test_a_dead_holder_is_not_waited_for() -> None:
    world = cluster()
    world.blocks.invalidate(world.put(1, "a", 1).block_id, 0)
    world.nodes["a"].crash()
    world.run(DEAD)
    assert world.forget_deletions(10) == (1,)


def test_a_block_that_was_being_written_waits_for_the_record_of_its_deletion() -> None:
    world = cluster()
    target = world.blocks.choose_targets(1, frozenset(), "a", 1, world.random)
    world.blocks.begin(1, 1, target, 100)
    world.nodes["a"].store(Block(1, 1, 100))
    world.beat_all()
    world.blocks.invalidate(1, 7)
    world.run(1)
    assert deletes(world) == []
    world.durable_txid = 7
    world.run(1)
    assert deletes(world) == [("a", 1)]
    obey_all(world)
    assert world.forget_deletions(10) == (1,)


def test_what_is_still_there_when_its_record_is_forgotten_is_unknown() -> None:
    """Another namenode decided that, which had heard of more confirmations than this one."""
    world = cluster()
    world.blocks.invalidate(world.put(1, "a", 1).block_id, 5)
    world.blocks.forget(1)
    world.durable_txid = 5
    world.run(1)
    assert deletes(world) == [] and world.blocks.census.counts().pending_deletion == 0
    world.report(world.nodes["a"])
    assert world.blocks.census.counts().unknown == 1
    world.blocks.check()


# Surplus.


def test_surplus_goes_one_at_a_time_never_below_the_target() -> None:
    world = cluster("abcde")
    world.put(1, "abcde", 2)
    left = []
    for _ in range(5):
        world.run(1)
        assert len(deletes(world)) <= 1
        obey_all(world)
        left.append(world.census.health(1).live)
    assert left[-1] == 2 and sum(1 in node.disk for node in world.nodes.values()) == 2


def test_no_surplus_goes_while_a_holder_has_not_reported_hdfs_1972() -> None:
    world = cluster()
    world.put(1, "abcd", 2)
    world.nodes["a"].start()
    world.register(world.nodes["a"])
    for _ in range(5):
        world.beat_all(but="a")
        world.pass_time(1.0)
    assert deletes(world) == [] and world.census.health(1).live == 4
    world.report(world.nodes["a"])
    world.run(1)
    assert len(deletes(world)) == 1


def test_stale_holders_justify_no_deletion_hdfs_1972() -> None:
    world = cluster("abc")
    world.put(1, "abc", 1)
    world.set_replication(1, 2)
    world.run(7, but="ab")
    assert deletes(world) == []


def test_what_a_lower_replication_makes_surplus_stays_until_that_is_durable() -> None:
    world = cluster("abc")
    world.put(1, "abc", 3)
    world.set_replication(1, 2, txid=7)
    world.durable_txid = 6
    world.run(2)
    assert deletes(world) == []
    world.durable_txid = 7
    world.run(1)
    assert len(deletes(world)) == 1


def test_a_new_namenode_deletes_no_surplus_before_all_have_reported_hdfs_1972() -> None:
    world = cluster("abc")
    block = world.put(1, "abc", 2)
    world.new_namenode().track(block, 1, replicated(2))
    world.blocks.loaded(world.now)
    for name in "abc":
        world.nodes[name].start()
    for name in "ab":
        world.connect(world.nodes[name])
    world.register(world.nodes["c"])
    world.run(10, but="c")
    assert not world.blocks.safe_mode and deletes(world) == []


def test_a_surplus_replica_counts_for_nothing_once_ordered() -> None:
    world = cluster("abc")
    world.put(1, "abc", 2)
    world.run(1)
    ((victim, _),) = deletes(world)
    assert world.census.health(1) == (2, 2, 0, 1, 0)
    assert victim not in {target.node_id for target in world.census.locations(1)}


def test_an_order_that_was_not_sent_is_withdrawn_when_another_holder_fails() -> None:
    world = cluster("abc")
    block = world.put(1, "abc", 2)
    world.pass_time(1.0)
    world.beat_all()
    assert world.verify_all()
    world.pass_time(0.0)
    health = world.census.health(1)
    assert (health.live, health.leaving) == (2, 1)
    keeper = world.census.locations(1)[0].node_id
    world.spoil(keeper, block)
    world.beat_all()
    assert deletes(world) == [] and world.census.health(1) == (2, 2, 1, 0, 0)


def test_an_obeyed_order_cannot_meet_a_later_decision_that_trusts_the_replica() -> None:
    """The order to delete reached the victim, which is slow. Then all others are lost. The victim
    counts again only after it has started over, without its orders."""
    world = cluster("abc")
    block = world.put(1, "abc", 2)
    world.run(1)
    ((victim, _),) = deletes(world)
    for name in "abc":
        if name != victim:
            world.rot(name, block)
    world.run(1)
    world.report(world.nodes[victim])
    assert world.census.health(1).live == 0, "listed, but ordered to go"
    assert [target.node_id for target in world.census.locations(1)][0] == victim
    world.run(REPEAT + 2)
    assert "session.ended" in world.seen
    assert world.census.health(1).live == 1 and world.ordered() != [(victim, DELETE, 1)]


def test_setrep_down_removes_and_up_copies() -> None:
    world = cluster("abcd")
    world.put(1, "abc", 3)
    world.set_replication(1, 1)
    for _ in range(3):
        world.run(1)
        obey_all(world)
    assert world.census.health(1).live == 1
    world.set_replication(1, 4)
    world.run(1)
    obey_all(world)
    assert world.census.health(1).live == 4


def test_no_surplus_goes_while_a_copy_is_under_way() -> None:
    world = cluster("abcd")
    world.put(1, "abc", 4)
    world.run(1)
    world.set_replication(1, 2)
    world.run(3)
    assert deletes(world) == [] and world.census.counts().pending_replication == 1
    obey_all(world)
    world.run(1)
    assert len(deletes(world)) == 1


def test_a_sleep_of_the_namenode_repeats_no_order_hdfs_9107() -> None:
    world = cluster()
    world.blocks.invalidate(world.put(1, "a", 1).block_id, 0)
    world.run(1)
    world.pass_time(3600.0)
    world.run(1)
    assert deletes(world) == [("a", 1)]


# Unknown replicas.


def test_an_unknown_block_goes_to_the_trash_after_a_grace_swift_92aef484b() -> None:
    world = cluster("ab")
    world.run(1)
    world.nodes["a"].store(Block(77, 1, 5))
    world.run(int(POLICY.trash_grace_seconds) - 1)
    assert world.ordered() == [] and world.census.counts().unknown == 1
    world.run(2)
    assert world.ordered() == [("a", TRASH, 77)]
    obey_all(world)
    assert world.census.counts().unknown == 0


def test_the_grace_counts_from_the_end_of_safe_mode_minio_14053() -> None:
    world = cluster("ab")
    world.blocks.enter_safe_mode()
    world.nodes["a"].store(Block(77, 1, 5))
    world.run(500)
    world.blocks.leave_safe_mode(world.now)
    world.run(int(POLICY.trash_grace_seconds) - 1)
    assert world.ordered() == []
    world.run(2)
    assert world.ordered() == [("a", TRASH, 77)]


def test_a_sleep_of_the_namenode_is_no_grace() -> None:
    world = cluster("ab")
    world.nodes["a"].store(Block(77, 1, 5))
    world.run(2)
    world.pass_time(10 * POLICY.trash_grace_seconds)
    world.run(2)
    assert world.ordered() == []


def test_an_unknown_block_that_becomes_known_is_a_replica() -> None:
    world = cluster("ab")
    world.nodes["a"].store(Block(77, 1, 5))
    world.run(1)
    world.blocks.begin(77, 1, (), 0)
    assert world.blocks.confirmations(Block(77, 1, 5)) == 1
    world.nodes["b"].store(Block(78, 1, 5))
    world.run(1)
    world.blocks.track(Block(78, 1, 5), 1, replicated(1))
    assert world.census.health(78).live == 1 and world.census.counts().unknown == 0
    world.run(int(POLICY.trash_grace_seconds) + 5)
    assert deletes(world, TRASH) == []


def test_safe_mode_orders_nothing_at_all_f2() -> None:
    world = cluster("abcd")
    world.blocks.enter_safe_mode()
    world.put(1, "abcd", 2)
    world.put(2, "a", 3)
    world.blocks.invalidate(world.put(3, "ab", 2).block_id, 0)
    world.nodes["a"].store(Block(77, 1, 5))
    world.run(100)
    assert world.ordered() == []
