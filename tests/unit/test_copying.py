"""Copying a replica to other datanodes, which are real ones in this process."""

from pathlib import Path
from typing import Iterator

import pytest

from data_service.datanode.copying import copy_block, unreached_targets
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES
from data_service.protocol.failures import pipeline_failure
from tests.support.clusters.inner_cluster import InnerCluster
from tests.support.clusters.ports import Ports
from tests.support.disks.replicas import noise
from tests.support.disks.stores import get, put
from data_service.protocol.nodes import Target
from zookeeper.fabric.errors import (
    BlockMissing,
    Busy,
    CorruptData,
    InvalidArgument,
    PipelineFailed,
    Unavailable,
)

DATA = noise(2 * CHUNK_BYTES + 777)


@pytest.fixture(name="cluster")
def _cluster(tmp_path: Path) -> Iterator[InnerCluster]:
    with InnerCluster(tmp_path, 3) as started:
        yield started
        started.wait_clean()


@pytest.fixture(name="ports")
def _ports() -> Iterator[Ports]:
    made = Ports()
    yield made
    made.close()


def target(cluster: InnerCluster, number: int) -> Target:
    """A datanode as a peer."""
    return Target(cluster.node_id(number), *cluster.data_nodes[number].address)


def copy(cluster: InnerCluster, block: Block, *targets: Target) -> tuple:
    """Copy a replica of the first datanode."""
    store = cluster.data_nodes[0].store
    return copy_block(store, block, targets, cluster.data_nodes[0].peers, b"")


def test_a_copy_is_the_same_and_is_told(cluster: InnerCluster) -> None:
    block = put(cluster.data_nodes[0].store, 7, DATA)
    holders = copy(cluster, block, target(cluster, 1), target(cluster, 2))
    assert holders == (cluster.node_id(1), cluster.node_id(2))
    for number in (1, 2):
        assert get(cluster.data_nodes[number].store, block) == DATA
        assert cluster.known(number).good == {7: block}


def test_a_damaged_replica_is_not_copied(cluster: InnerCluster) -> None:
    block = put(cluster.data_nodes[0].store, 7, DATA)
    with open(cluster.path(0, block), "r+b") as file:
        file.seek(2 * CHUNK_BYTES)
        file.write(bytes([DATA[2 * CHUNK_BYTES] ^ 1]))
    with pytest.raises(CorruptData):
        copy(cluster, block, target(cluster, 1))
    cluster.wait_clean()
    assert cluster.data_nodes[1].store.replicas.inventory()[:2] == ((), ())
    assert cluster.known(0).corrupt == {7: block}


def test_damage_at_the_target_says_nothing_of_the_source(
    cluster: InnerCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The good replica must not be called corrupt because a packet was damaged on its way."""
    block = put(cluster.data_nodes[0].store, 7, DATA)
    monkeypatch.setattr("data_service.datanode.pipeline.crc32", lambda data: 0)
    with pytest.raises(CorruptData, match="on its way"):
        copy(cluster, block, target(cluster, 1))
    assert cluster.data_nodes[0].store.replicas.inventory()[:2] == ((block,), ())
    assert cluster.known(0).corrupt == {}


@pytest.mark.parametrize("wanted", [Block(8, 1, 5), Block(7, 2, 5), Block(7, 1, 5)])
def test_another_replica_than_ordered_is_not_copied(cluster: InnerCluster, wanted: Block) -> None:
    put(cluster.data_nodes[0].store, 7, DATA)
    with pytest.raises(BlockMissing):
        copy(cluster, wanted, target(cluster, 1))


def test_a_target_that_has_the_block_refuses_it(cluster: InnerCluster) -> None:
    block = put(cluster.data_nodes[0].store, 7, DATA)
    put(cluster.data_nodes[1].store, 7, DATA)
    with pytest.raises(InvalidArgument, match="immutable"):
        copy(cluster, block, target(cluster, 1))


def test_who_cannot_be_reached(cluster: InnerCluster, ports: Ports) -> None:
    block = put(cluster.data_nodes[0].store, 7, DATA)
    nobody = Target("nobody", ports.host, ports.take())
    with pytest.raises(Unavailable):
        copy(cluster, block, nobody)
    with pytest.raises(PipelineFailed, match=f"{cluster.node_id(1)}>nobody"):
        copy(cluster, block, target(cluster, 1), nobody)
    cluster.wait_clean()
    assert cluster.data_nodes[1].store.replicas.inventory()[:2] == ((), ())


def test_who_was_not_reached_is_told_from_what_failed_here() -> None:
    targets = (Target("b", "h", 1), Target("c", "h", 2))
    assert unreached_targets(Unavailable("no route"), targets) == ("b",)
    assert unreached_targets(pipeline_failure(("b", "c"), "no route"), targets) == ("c",)
    assert unreached_targets(CorruptData("here"), targets) == ()
    assert unreached_targets(Busy("enough transfers"), targets) == ()
    assert unreached_targets(Unavailable("no route"), ()) == ()
