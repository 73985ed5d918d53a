"""The table of a datanode's replicas: what is in it, and what each step makes of it."""

from typing import List

import pytest

from data_service.datanode.store.found_replicas import Replica
from data_service.datanode.store.replica_map import ReplicaMap
from data_service.datanode.store.volume import Volume
from data_service.protocol.blocks import Block
from zookeeper.fabric.errors import BlockMissing, DiskFailed, InvalidArgument, SessionExpired


@pytest.fixture(name="volume")
def _volume() -> Volume:
    return Volume("/nowhere/a", 0)


@pytest.fixture(name="replicas")
def _replicas() -> ReplicaMap:
    return ReplicaMap()


def replica(volume: Volume, block_id: int, length: int = 100, problem: str = "") -> Replica:
    """Generation 1 of a block."""
    return Replica(Block(block_id, 1, length), volume, problem)


def always() -> bool:
    """An order that holds."""
    return True


def test_a_block_is_written_by_one_at_a_time_and_once(
    replicas: ReplicaMap, volume: Volume
) -> None:
    replicas.begin(7)
    with pytest.raises(InvalidArgument, match="immutable"):
        replicas.begin(7)
    replicas.end(7)
    replicas.begin(7)
    replicas.enter(replica(volume, 7))
    replicas.end(7)
    with pytest.raises(InvalidArgument, match="immutable"):
        replicas.begin(7)
    replicas.check()


def test_what_is_found_is_what_was_entered(replicas: ReplicaMap, volume: Volume) -> None:
    for block_id in (5, 3, 9):
        replicas.enter(replica(volume, block_id))
    assert replicas.find(3, 1) == replica(volume, 3) and len(replicas) == 3
    for block_id, generation in ((4, 1), (3, 2)):
        with pytest.raises(BlockMissing):
            replicas.find(block_id, generation)
    assert [block.block_id for block in replicas.good_after(3, 1)] == [5]
    assert [block.block_id for block in replicas.good_after(-1, 9)] == [3, 5, 9]
    assert replicas.good_on(volume, "05") == [replica(volume, 5)]
    assert replicas.good_on(Volume("/nowhere/b", 0), "05") == []


def test_damage_is_told_once_and_can_turn_out_to_be_none(
    replicas: ReplicaMap, volume: Volume
) -> None:
    replicas.enter(replica(volume, 7))
    assert replicas.mark(Block(7, 2, 100), "odd") is None, "another generation"
    assert replicas.mark(Block(7, 1, 0), "odd") == Block(7, 1, 100)
    assert replicas.mark(Block(7, 1, 0), "odder") is None
    assert replicas.inventory()[:2] == ((), (Block(7, 1, 100),)) and replicas.good_after(0, 9) == []
    assert replicas.heal(replica(Volume("/nowhere/b", 0), 7)) == ""
    assert replicas.heal(replica(volume, 7, 90)) == "odd"
    assert replicas.heal(replica(volume, 7)) == "", "it is good already"
    assert replicas.inventory()[:2] == ((Block(7, 1, 90),), ())
    replicas.check()


def test_an_order_takes_out_what_it_names_while_it_holds(
    replicas: ReplicaMap, volume: Volume
) -> None:
    replicas.enter(replica(volume, 7))
    with pytest.raises(SessionExpired):
        replicas.take_out(Block(7, 1, 100), lambda: False)
    with pytest.raises(InvalidArgument, match="is here, and not"):
        replicas.take_out(Block(7, 1, 99), always)
    assert replicas.take_out(Block(7, 2, 100), always) == []
    (taken,) = replicas.take_out(Block(7, 1, 0), always)
    assert len(replicas) == 0 and replicas.used == 0
    replicas.put_back(taken, [])
    assert replicas.find(7, 1) == taken and replicas.used == taken.footprint
    replicas.mark(taken.block, "cut short")
    assert replicas.take_out(Block(7, 1, 99), always), "who knows how long a damaged one was"
    replicas.check()


def test_the_replicas_of_a_volume_that_failed_are_gone(
    replicas: ReplicaMap, volume: Volume
) -> None:
    other = Volume("/nowhere/b", 0)
    spares: List[Replica] = [replica(volume, 2)]
    replicas.fill({1: replica(volume, 1), 2: replica(other, 2)}, {2: spares})
    volume.fail("pulled out")
    assert replicas.drop_failed() == 1 and replicas.inventory().good == (Block(2, 1, 100),)
    with pytest.raises(DiskFailed, match="pulled out"):
        replicas.enter(replica(volume, 3))
    replicas.use_next(2)
    assert replicas.find(2, 1).volume is other, "the spare went with its volume"
    replicas.check()


def test_spares_take_turns_until_one_is_good(replicas: ReplicaMap, volume: Volume) -> None:
    other = Volume("/nowhere/b", 0)
    replicas.fill({7: replica(volume, 7)}, {7: [replica(other, 7, 90)]})
    assert replicas.doubles() == [Block(7, 1, 100)] and len(replicas.spares(7)) == 1
    for used in (other, volume, other):
        replicas.use_next(7)
        assert replicas.find(7, 1).volume is used
        replicas.check()
    (spare,) = replicas.spares(7)
    assert spare == replica(volume, 7)
    replicas.forget_spare(spare)
    assert replicas.doubles() == [] and replicas.spares(7) == []
    replicas.forget_spare(spare)
