"""Corrupt replicas: who says that they are, when they go, and what is verified before."""

from random import Random

from data_service.protocol.blocks import Block
from data_service.protocol.nodes import DELETE_CORRUPT, TRASH
from tests.support.models.model_datanodes import ModelCluster, Replica
from tests.unit.test_deletion import DEAD, cluster, deletes, obey_all


def test_a_corrupt_replica_goes_only_after_a_good_copy_exists_hdfs_15200_hdfs_16064() -> None:
    world = cluster("abc")
    block = world.put(1, "ab", 2)
    world.rot("b", block)
    world.run(2)
    assert world.ordered() == [("a", "replicate", 1)]
    obey_all(world)
    world.run(1)
    assert deletes(world) == [("b", 1)]
    obey_all(world)
    assert world.census.health(1) == (2, 2, 0, 0, 0) and world.census.counts().corrupt_replicas == 0


def test_a_corrupt_replica_in_the_only_place_makes_room_hdfs_3493() -> None:
    world = cluster("ab")
    block = world.put(1, "ab", 2)
    world.rot("b", block)
    for _ in range(3):
        world.run(1)
        obey_all(world)
    assert world.census.health(1) == (2, 2, 0, 0, 0)
    assert world.nodes["b"].disk[1] == Replica(block, True)


def test_all_corrupt_replicas_are_kept_and_served_last() -> None:
    world = cluster("abc")
    block = world.put(1, "ab", 2)
    for name in "ab":
        world.spoil(name, block)
    world.run(20)
    assert world.ordered() == [] and world.census.is_corrupt(1)
    assert world.census.counts().corrupt == 1 and len(world.census.locations(1)) == 2


def test_a_mark_stays_until_the_deletion_is_confirmed_hdfs_4799() -> None:
    world = cluster("abc")
    block = world.put(1, "abc", 2)
    world.spoil("c", block)
    world.run(1)
    assert deletes(world) == [("c", 1)]
    world.report(world.nodes["c"])
    assert world.census.health(1) == (2, 2, 1, 0, 0), "its file is still listed"
    obey_all(world)
    assert world.census.health(1) == (2, 2, 0, 0, 0)


def test_a_mark_survives_the_death_and_return_of_its_node_hdfs_4799() -> None:
    world = cluster("abc", replication_seconds=10_000.0)
    block = world.put(1, "ab", 2)
    world.spoil("b", block)
    world.nodes["b"].crash()
    world.run(DEAD)
    assert world.census.health(1).corrupt == 0
    world.nodes["b"].start()
    world.run(1)
    assert world.census.health(1)[1:3] == (1, 1)


def test_a_replica_of_a_later_generation_is_never_deleted_hdfs_2742() -> None:
    world = cluster("abc")
    world.put(1, "ab", 2)
    world.nodes["c"].store(Block(1, 9, 100))
    world.run(10)
    assert world.ordered() == [] and world.census.health(1).corrupt == 1


def test_a_good_replica_is_no_surplus_while_what_stays_is_rotten_unnoticed() -> None:
    """setrep 2 -> 1, and the replica that was to stay had a flipped bit that nobody had read."""
    for seed in range(6):
        world = ModelCluster(("a", "b"), Random(seed)).start_all()
        block = world.put(1, "ab", 2)
        rotten = "ab"[seed % 2]
        world.nodes[rotten].disk[1] = Replica(block, False)
        world.set_replication(1, 1)
        for _ in range(6):
            world.run(1)
            obey_all(world)
        kept = [node.name for node in world.nodes.values() if 1 in node.disk]
        assert kept == [name for name in "ab" if name != rotten]


def test_an_answer_that_does_not_come_keeps_the_surplus() -> None:
    world = cluster("abc", replication_seconds=4.0)
    world.put(1, "abc", 2)
    for _ in range(3):
        world.beat_all()
        world.pass_time(1.0)
        world.beat_all()
        assert deletes(world) == []
        for node in world.nodes.values():
            node.orders.clear()
    for _ in range(5):
        world.beat_all()
        world.pass_time(1.0)
    assert deletes(world) == []
    world.run(1)
    assert len(deletes(world)) == 1, "it is asked again"


def test_a_replica_that_turns_out_good_is_not_removed_as_corrupt() -> None:
    world = cluster("abc")
    block = world.put(1, "abc", 2)
    world.spoil("c", block)
    world.run(1)
    assert world.ordered() == [("c", DELETE_CORRUPT, 1)]
    world.nodes["c"].disk[1] = Replica(block, True)
    world.obey(world.nodes["c"])
    world.beat_all()
    assert 1 in world.nodes["c"].disk and world.census.health(1)[1:3] == (3, 0)


def test_one_of_another_length_goes_to_the_trash_and_is_not_lost_for_good() -> None:
    world = cluster("abc")
    world.put(1, "ab", 2)
    world.nodes["c"].store(Block(1, 1, 60))
    world.run(2)
    assert world.ordered() == [("c", TRASH, 1)]
