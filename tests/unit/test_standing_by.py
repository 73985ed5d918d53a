"""A block side that stands by: it hears everything, commands nothing, and may take over at once."""

from random import Random

import pytest

from data_service.protocol.blocks import Block
from data_service.protocol.nodes import DELETE, REPLICATE, REPORT, TRASH, VERIFY
from data_service.protocol.redundancy import replicated
from tests.support.models.model_datanodes import ModelCluster, node_stats


@pytest.fixture(name="world")
def _world() -> ModelCluster:
    """Four datanodes that have reported; block 1 is there three times, and two are wanted."""
    world = ModelCluster(("a", "b", "c", "d"), Random(1)).start_all()
    world.put(1, "abc", 2)
    world.run(3)
    return world


def take_over(world: ModelCluster) -> None:
    """The namenode leads from now on in the next epoch; no datanode knows that yet."""
    world.epoch += 1
    world.blocks.lead(world.epoch, world.now)


def beat(world: ModelCluster, name: str, acknowledged: int = 0) -> list:
    """What a datanode is told to do."""
    session = world.nodes[name].session
    commands = world.blocks.heartbeat(session, node_stats(), world.now, 0, acknowledged)
    return [command.action for command in commands]


def acknowledge(world: ModelCluster, names: str) -> None:
    """These datanodes obey who leads now."""
    for name in names:
        world.beat(world.nodes[name])
        assert world.nodes[name].obeyed == world.epoch
        beat(world, name, world.epoch)


def test_who_stands_by_changes_nothing_and_orders_nothing() -> None:
    world = ModelCluster(("a", "b", "c", "d"), Random(1)).start_all()
    world.blocks.stand_by()
    world.put(1, "abc", 2)
    world.put(2, "a", 3)
    world.blocks.invalidate(2, 0)
    world.run(60)
    assert world.blocks.safe_mode and not world.blocks.leads
    assert world.ordered() == []
    assert world.blocks.confirmed_deletions(10) == ()
    assert (world.census.health(1).live, world.census.counts().pending_deletion) == (3, 1)


def test_what_was_ordered_is_void_when_another_one_leads(world: ModelCluster) -> None:
    assert [action for _, action, _ in world.ordered()] == [DELETE]
    assert world.census.health(1).leaving == 1
    world.blocks.stand_by()
    world.blocks.check()
    assert world.census.health(1).leaving == 0 and world.census.health(1).live == 3
    # A removal that came before it counts when it is heard of.
    ((name, _, _),) = world.ordered()
    world.obey(world.nodes[name])
    world.tell(world.nodes[name])
    assert world.census.health(1).live == 2


def test_a_full_report_can_be_asked_for_by_who_stands_by(world: ModelCluster) -> None:
    world.blocks.stand_by()
    assert world.blocks.want_report("a", 1800) and world.blocks.has_orders(1 << 32 | 1)
    assert beat(world, "a") == [REPORT]


def test_safe_mode_is_over_at_once_when_the_reports_were_in_for_long_enough() -> None:
    world = ModelCluster(("a", "b"), Random(1)).start_all()
    world.blocks.enter_safe_mode()
    world.blocks.stand_by()
    world.put(1, "a", 1)
    world.run(1)
    take_over(world)
    assert world.blocks.safe_mode, "the extension has only begun"
    world.blocks.stand_by()
    world.run(5)
    take_over(world)
    assert not world.blocks.safe_mode
    world.blocks.stand_by()
    assert world.blocks.safe_mode
    world.blocks.track(Block(2, 1, 1), 2, replicated(1))
    world.run(5)
    take_over(world)
    assert world.blocks.safe_mode, "nobody has told of one of the blocks"


def test_nothing_is_removed_before_every_holder_obeys_who_leads_now(world: ModelCluster) -> None:
    world.blocks.stand_by()
    take_over(world)
    acknowledge(world, "bcd")
    for _ in range(40):
        world.pass_time(1.0)
        for name in "abcd":
            assert not {DELETE, TRASH} & set(beat(world, name)), name
    acknowledge(world, "a")
    world.run(3)
    assert [action for _, action, _ in world.ordered()] == [DELETE]


def test_an_order_waits_until_its_datanode_obeys_us(world: ModelCluster) -> None:
    world.blocks.stand_by()
    take_over(world)
    block = world.put(2, "a", 1)
    world.blocks.report_bad(block, "a")
    assert world.blocks.must_acknowledge(world.nodes["a"].session)
    assert beat(world, "a") == [] and beat(world, "a", world.epoch - 1) == []
    assert beat(world, "a", world.epoch) == [VERIFY]
    assert not world.blocks.must_acknowledge(world.nodes["a"].session)


def test_what_does_not_obey_us_is_no_source_of_copies(world: ModelCluster) -> None:
    world.put(3, "d", 1)
    world.blocks.stand_by()
    take_over(world)
    acknowledge(world, "abc")
    world.set_replication(3, 2)
    world.pass_time(1.0)
    assert beat(world, "d") == []
    assert world.blocks.monitor.tick(world.now, Random(1)) == []
    acknowledge(world, "d")
    world.pass_time(1.0)
    assert beat(world, "d") == [REPLICATE]


def test_who_registers_with_a_leader_obeys_nobody_else(world: ModelCluster) -> None:
    world.blocks.stand_by()
    world.register(world.nodes["a"])
    take_over(world)
    assert world.blocks.must_acknowledge(world.nodes["a"].session)
    world.register(world.nodes["a"])
    assert not world.blocks.must_acknowledge(world.nodes["a"].session)


def test_what_was_being_written_is_unknown_to_who_stands_by(world: ModelCluster) -> None:
    targets = world.blocks.choose_targets(2, frozenset(), "", 10, Random(1))
    world.blocks.begin(7, 1, targets, 10)
    block = Block(7, 1, 10)
    names = [target.node_id for target in targets]
    for name in names:
        world.nodes[name].store(block)
        world.tell(world.nodes[name])
    world.spoil(names[0], block)
    assert world.blocks.confirmations(block) == 1
    world.blocks.stand_by()
    world.blocks.check()
    assert world.census.counts().unknown == 2
    # It is written to its end, and the edit comes.
    world.blocks.track(block, 7, replicated(2))
    assert (world.census.health(7).live, world.census.health(7).corrupt) == (1, 1)


def test_graces_begin_again_with_who_leads(world: ModelCluster) -> None:
    world.blocks.stand_by()
    world.nodes["a"].store(Block(99, 1, 1))
    world.tell(world.nodes["a"])
    world.run(60)
    take_over(world)
    world.run(25)
    assert ("a", TRASH, 99) not in world.ordered(), "its writer may be about to present it"
    world.run(10)
    assert ("a", TRASH, 99) in world.ordered()


def test_a_deleted_replica_that_its_leader_has_not_heard_of_is_found_later(
    world: ModelCluster,
) -> None:
    """Its datanode was dead for the one that led, and is not for the one that follows."""
    world.blocks.invalidate(1, 0)
    world.blocks.stand_by()
    world.blocks.forget(1)
    world.blocks.check()
    assert world.census.counts().unknown == 3
    world.nodes["a"].remove(Block(1, 1, 100))
    world.tell(world.nodes["a"])
    assert world.census.counts().unknown == 2, "this one was only late"
    take_over(world)
    world.run(35)
    assert {("b", TRASH, 1), ("c", TRASH, 1)} <= set(world.ordered())
