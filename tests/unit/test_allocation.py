"""How many replicas a new block can have right after a start, when datanodes are coming back."""

from random import Random

import pytest

from data_service.protocol.blocks import Block
from data_service.protocol.nodes import Target
from data_service.protocol.redundancy import replicated
from tests.support.models.model_datanodes import POLICY, ModelCluster
from zookeeper.fabric.errors import SafeMode

SETTLING = 3
WRITTEN = Block(1, 1, 100)


def started(names: str, seconds: int) -> ModelCluster:
    """Of three datanodes that run, these found the namenode in the seconds since its start; a
    writer has resumed the block that all of them hold."""
    policy = POLICY._replace(settling_seconds=float(SETTLING))
    world = ModelCluster(tuple("abc"), Random(0), policy).start_all()
    for node in world.nodes.values():
        node.store(WRITTEN)
        node.session = 0
    world.new_namenode().loaded(world.now)
    world.blocks.begin(WRITTEN.block_id, WRITTEN.generation, ())
    world.run(seconds, but="".join(set("abc") - set(names)))
    return world


def attainable(world: ModelCluster) -> int:
    """Replicas that the resumed block can have, if three are wanted."""
    return world.blocks.attainable(WRITTEN, (), replicated(3))


def choose(world: ModelCluster) -> int:
    """On how many datanodes a new block is placed, if three are wanted."""
    chosen = world.blocks.choose_targets(3, frozenset(), "a", 1, world.random)
    assert all(isinstance(target, Target) for target in chosen)
    return len(chosen)


def test_a_datanode_that_the_zookeeper_sees_is_waited_for_beyond_the_settling_time() -> None:
    """A put of three replicas ended with one: two datanodes were slower to find the namenode."""
    world = started("a", SETTLING + 2)
    assert attainable(world) == 3
    with pytest.raises(SafeMode):
        choose(world)
    world.run(1)
    assert attainable(world) == 3 == world.blocks.confirmations(WRITTEN)
    assert choose(world) == 3


def test_a_datanode_that_never_comes_is_not_waited_for_for_ever() -> None:
    world = started("a", int(POLICY.awaited_seconds) - 1)
    assert attainable(world) == 3
    world.run(1, but="bc")
    assert attainable(world) == 1 == choose(world)


def test_a_datanode_that_is_gone_is_not_waited_for_after_the_settling_time() -> None:
    world = started("a", SETTLING)
    for name in "bc":
        world.nodes[name].crash()
    world.run(10)
    assert attainable(world) == 1 == choose(world)


def test_without_a_zookeeper_only_the_settling_time_counts() -> None:
    world = started("a", SETTLING - 1)
    world.zookeeper_up = False
    assert attainable(world) == 3
    world.run(1, but="bc")
    assert attainable(world) == 1 == choose(world)


def test_later_a_datanode_that_returns_holds_nobody_up() -> None:
    world = started("abc", int(POLICY.dead_seconds))
    for name in "bc":
        world.nodes[name].crash()
    world.run(10)
    world.nodes["b"].start()
    world.see()
    assert attainable(world) == 1 == choose(world)
