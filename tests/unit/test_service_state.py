"""Service states: what a node that is taken out is still good for, and how its blocks fare."""

from random import Random
from typing import List, Tuple

import pytest

from data_service.namenode.replicas import row_sweep
from data_service.namenode.replicas.judgement import (
    CORRUPT,
    EXCESS,
    FULL,
    MISSING,
    UNDER,
    judge,
    lacking,
)
from data_service.namenode.replicas.node import Node
from data_service.namenode.replicas.service_state import (
    DECOMMISSIONED,
    DECOMMISSIONING,
    ENTERING_MAINTENANCE,
    IN_MAINTENANCE,
    IN_SERVICE,
    STANDINGS,
)
from data_service.protocol.health import DEAD, LIVE, STALE
from data_service.protocol.nodes import REPLICATE
from data_service.protocol.redundancy import replicated
from tests.support.models.model_datanodes import POLICY, ModelCluster, node_info
from zookeeper.fabric.errors import NotEnoughReplicas


def cluster(names: str = "abcd") -> ModelCluster:
    """Running datanodes named by the letters."""
    return ModelCluster(tuple(names), Random(0)).start_all()


def put(world: ModelCluster, name: str, service_state: str) -> None:
    """Somebody decides about a node; a tick passes."""
    assert world.blocks.monitor.set_service_state(name, service_state)
    world.run(1)


def copies(world: ModelCluster) -> List[Tuple[str, int]]:
    """(source, block id) of the copies that were ordered."""
    return [(name, block_id) for name, action, block_id in world.ordered() if action == REPLICATE]


def obey_all(world: ModelCluster) -> None:
    """Every node carries out its orders and tells, until there are no more."""
    while world.ordered():
        for node in world.nodes.values():
            while node.orders:
                world.obey(node)
        world.run(1)


def readers(world: ModelCluster, block_id: int) -> List[str]:
    """Where a reader is sent, the first first."""
    return [target.node_id for target in world.census.locations(block_id)]


# The three questions.


@pytest.mark.parametrize("service_state", STANDINGS)
def test_only_a_live_node_in_service_takes_replicas_and_justifies_removing_others(
    service_state: str,
) -> None:
    for liveness in (LIVE, STALE, DEAD):
        standing = STANDINGS[service_state][liveness]
        expected = service_state == IN_SERVICE and liveness == LIVE
        assert standing.may_take_replicas is standing.replicas_count is expected


@pytest.mark.parametrize("service_state", STANDINGS)
def test_all_but_dead_nodes_and_those_in_maintenance_may_be_read(service_state: str) -> None:
    readable = service_state != IN_MAINTENANCE
    row = STANDINGS[service_state]
    assert [row[liveness].may_be_read for liveness in (LIVE, STALE, DEAD)] == [
        readable, readable, False]


def test_a_node_takes_replicas_once_it_has_reported_and_counts_once_it_obeys_us() -> None:
    node = Node(0, node_info("a"), 0.0)
    assert (node.may_take_replicas, node.replicas_count, node.may_be_read) == (False, False, True)
    node.reported = True
    assert (node.may_take_replicas, node.replicas_count, node.may_be_read) == (True, False, True)
    node.settled = True
    assert (node.may_take_replicas, node.replicas_count, node.may_be_read) == (True, True, True)


# The judgement of a block.


def held(*service_states: str) -> Tuple[Node, ...]:
    """Good replicas on nodes in these states."""
    nodes = []
    for index, service_state in enumerate(service_states):
        node = Node(index, node_info(f"n{index}"), 0.0)
        node.service_state = service_state
        nodes.append(node)
    return tuple(nodes)


S, D, E, M = IN_SERVICE, DECOMMISSIONING, ENTERING_MAINTENANCE, IN_MAINTENANCE


@pytest.mark.parametrize(
    "targets, holders, lacks, state",
    [
        (3, (), 3, MISSING),
        (3, (S, S, S), 0, FULL),
        (2, (S, S, S), 0, EXCESS),
        (3, (S, S), 1, UNDER),
        # What is being decommissioned is replaced, and is no surplus when it has been.
        (3, (S, S, D), 1, UNDER),
        (3, (S, S, S, D), 0, FULL),
        (3, (S, S, S, DECOMMISSIONED), 0, FULL),
        (1, (D,), 1, UNDER),
        (2, (D, D), 2, UNDER),
        # What is in maintenance comes back; one other replica is enough to read the block.
        (3, (S, S, M), 0, FULL),
        (3, (S, E, M), 0, FULL),
        (3, (E, E, E), 1, UNDER),
        (1, (M,), 1, UNDER),
        (3, (S, S, S, M), 0, FULL),
        (3, (S, S, S, S, M), 0, EXCESS),
        (3, (S, D, M), 1, UNDER),
    ],
)
def test_what_lacks_replicas(
    targets: int, holders: Tuple[str, ...], lacks: int, state: int
) -> None:
    redundancy, nodes = replicated(targets), held(*holders)
    assert lacking(redundancy, nodes) == lacks
    assert min(judge(redundancy, nodes, False), UNDER) == state
    assert min(judge(redundancy, nodes, True), UNDER) == (CORRUPT if state == MISSING else state)


def test_a_block_whose_nodes_all_leave_is_the_most_urgent() -> None:
    assert judge(replicated(3), held(D, D, D), False) == UNDER
    assert judge(replicated(5), held(S, S, D, D, D), False) > UNDER


# Decommission.


def test_a_node_that_is_decommissioned_gets_no_new_block() -> None:
    world = cluster("abc")
    put(world, "b", DECOMMISSIONING)
    for _ in range(20):
        targets = world.blocks.choose_targets(3, frozenset(), "", 100, world.random)
        assert sorted(target.node_id for target in targets) == ["a", "c"]


def test_when_all_nodes_leave_the_refusal_calls_them_excluded_as_hdfs() -> None:
    world = cluster("abc")
    for name in "abc":
        put(world, name, DECOMMISSIONING)
    with pytest.raises(NotEnoughReplicas, match=r"3 datanode\(s\) running and 3 node\(s\) are exc"):
        world.blocks.choose_targets(1, frozenset("a"), "", 100, world.random, "/f")


def test_what_it_holds_is_copied_from_it_and_then_stays_there() -> None:
    world = cluster("abc")
    world.put(1, "ab", 2)
    put(world, "b", DECOMMISSIONING)
    assert copies(world) == [("b", 1)], "nobody writes to it, so it has the time"
    counts = world.census.counts()
    assert (counts.under_replicated, counts.missing, counts.urgent) == (1, 0, 1)
    obey_all(world)
    world.run(120)
    assert 1 in world.nodes["c"].disk and 1 in world.nodes["b"].disk and world.ordered() == []
    counts = world.census.counts()
    assert (counts.under_replicated, counts.excess) == (0, 0)


def test_readers_are_sent_to_it_last() -> None:
    world = cluster("abc")
    for block_id in (3, 4, 5):
        world.put(block_id, "abc", 3)
    put(world, "b", DECOMMISSIONING)
    assert [readers(world, block_id)[-1] for block_id in (3, 4, 5)] == ["b"] * 3
    assert [len(readers(world, block_id)) for block_id in (3, 4, 5)] == [3] * 3


def test_with_too_few_other_nodes_its_blocks_stay_under_replicated_and_are_not_lost() -> None:
    world = cluster("ab")
    world.put(1, "ab", 2)
    world.put(2, "b", 1)
    put(world, "b", DECOMMISSIONING)
    obey_all(world)
    counts = world.census.counts()
    assert (counts.under_replicated, counts.missing, counts.corrupt) == (1, 0, 0)
    assert sorted(world.nodes["a"].disk) == [1, 2] and readers(world, 1) == ["a", "b"]


def test_one_that_is_to_be_stopped_any_moment_is_the_last_source() -> None:
    world = cluster("abc")
    world.put(1, "ab", 3)
    world.put(2, "b", 2)
    put(world, "b", DECOMMISSIONED)
    assert sorted(copies(world)) == [("a", 1), ("b", 2)]


def test_one_that_is_put_back_brings_a_surplus() -> None:
    world = cluster("abc")
    world.put(1, "ab", 2)
    put(world, "b", DECOMMISSIONING)
    obey_all(world)
    put(world, "b", IN_SERVICE)
    world.run(3)
    assert [action for _, action, _ in world.ordered()] == ["delete"]
    obey_all(world)
    assert world.census.health(1).live == 2 and world.census.counts().excess == 0


def test_its_replicas_justify_no_removal_of_others() -> None:
    world = cluster("abc")
    world.put(1, "abc", 2)
    world.blocks.monitor.set_service_state("b", DECOMMISSIONING)
    world.blocks.monitor.set_service_state("c", DECOMMISSIONING)
    world.run(60)
    assert "delete" not in [action for _, action, _ in world.ordered()]


# Maintenance.


def test_maintenance_copies_only_what_could_not_be_read_elsewhere() -> None:
    world = cluster("abc")
    world.put(1, "ab", 2)
    world.put(2, "b", 1)
    put(world, "b", ENTERING_MAINTENANCE)
    world.run(3)
    assert copies(world) == [("b", 2)]
    assert world.census.counts().under_replicated == 1


def test_nobody_reads_from_one_in_maintenance() -> None:
    world = cluster("abc")
    world.put(1, "ab", 2)
    put(world, "b", IN_MAINTENANCE)
    assert readers(world, 1) == ["a"] and copies(world) == []


def test_one_that_dies_in_maintenance_is_expected_back_with_all_that_it_has() -> None:
    world = cluster("abc")
    world.put(1, "ab", 2)
    put(world, "b", IN_MAINTENANCE)
    world.nodes["b"].crash()
    world.run(int(POLICY.dead_seconds) + 20)
    assert copies(world) == [] and world.census.counts().under_replicated == 0
    world.nodes["b"].start()
    world.run(3)
    put(world, "b", IN_SERVICE)
    assert readers(world, 1) != ["a"] and world.ordered() == []


def test_when_maintenance_ends_and_it_is_dead_its_blocks_are_copied() -> None:
    world = cluster("abc")
    world.put(1, "ab", 2)
    put(world, "b", IN_MAINTENANCE)
    world.nodes["b"].crash()
    world.run(int(POLICY.dead_seconds) + 20)
    put(world, "b", IN_SERVICE)
    world.run(2)
    assert copies(world) == [("a", 1)]


def test_a_dead_one_that_is_put_into_maintenance_keeps_what_is_not_forgotten_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(row_sweep, "_SLICES", 0)
    world = cluster("abc")
    world.put(1, "ab", 2)
    world.nodes["b"].crash()
    world.run(int(POLICY.dead_seconds) + 20)
    put(world, "b", IN_MAINTENANCE)
    monkeypatch.undo()
    world.run(3)
    assert copies(world) == [] and world.census.counts().under_replicated == 0


# Bit by bit.


def test_blocks_of_a_node_that_changes_are_judged_bit_by_bit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(row_sweep, "_ROWS", 2)
    monkeypatch.setattr(row_sweep, "_SLICES", 1)
    world = cluster("ab")
    for block_id in range(1, 7):
        world.put(block_id, "ab", 2)
    seen = []
    world.blocks.monitor.set_service_state("b", DECOMMISSIONING)
    for _ in range(3):
        world.run(1)
        seen.append(world.census.counts().under_replicated)
    assert seen == [2, 4, 6]


def test_a_node_that_nobody_knows_has_no_service_state() -> None:
    assert not cluster("a").blocks.monitor.set_service_state("z", DECOMMISSIONING)
