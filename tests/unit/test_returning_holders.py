"""Holders of deleted blocks that are down, and come back: within a grace the record is kept."""

from random import Random
from typing import Tuple

from data_service.protocol.nodes import DELETE
from tests.support.models.model_datanodes import POLICY, ModelCluster

GRACE = 60
DEAD = int(POLICY.dead_seconds) + 10


def cluster() -> ModelCluster:
    """Three datanodes that run, and a namenode that keeps the ids of deleted blocks for them."""
    policy = POLICY._replace(return_grace_seconds=float(GRACE))
    return ModelCluster(tuple("abc"), Random(0), policy).start_all()


def forget(world: ModelCluster, seconds: int) -> Tuple[int, ...]:
    """What is forgotten in so many seconds, in which all orders are obeyed."""
    taken: Tuple[int, ...] = ()
    for _ in range(seconds):
        for node in world.nodes.values():
            world.obey(node)
        world.beat_all()
        taken += world.forget_deletions(10)
        world.pass_time(1.0)
    return taken


def test_a_holder_not_met_since_the_namenodes_start_loses_its_replica_by_the_record() -> None:
    world = cluster()
    block = world.put(1, "ab", 2)
    world.nodes["b"].crash()
    world.new_namenode().invalidate(block.block_id, 0)
    world.blocks.loaded(world.now)
    assert forget(world, GRACE - 10) == () and world.census.counts().pending_deletion == 0
    world.nodes["b"].start()
    world.run(1)
    assert world.ordered() == [("b", DELETE, 1)], "not unknown, as what would go to the trash"
    assert world.census.counts().pending_deletion == 1
    assert forget(world, 20) == (1,) and world.nodes["b"].disk == {}


def test_a_dead_holder_that_returns_within_the_grace_loses_its_replica_by_the_record() -> None:
    world = cluster()
    block = world.put(1, "ab", 2)
    world.run(GRACE)
    world.nodes["b"].crash()
    world.run(DEAD)
    world.blocks.invalidate(block.block_id, 0)
    assert forget(world, GRACE - 5 - DEAD) == ()
    world.nodes["b"].start()
    world.run(1)
    assert world.ordered() == [("b", DELETE, 1)]
    assert forget(world, 3) == (1,), "nobody is missing: nothing more to wait for"


def test_a_dead_holder_is_waited_for_no_longer_than_the_grace() -> None:
    world = cluster()
    block = world.put(1, "ab", 2)
    world.run(GRACE)
    world.nodes["b"].crash()
    world.run(DEAD)
    world.blocks.invalidate(block.block_id, 0)
    assert forget(world, GRACE + 5 - DEAD) == (1,)
