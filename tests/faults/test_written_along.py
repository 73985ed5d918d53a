"""A block that a program's own writes send while it fills, when its pipeline breaks on the way."""

from typing import Iterator

import pytest

from data_service.filesystem.writing import filling_block
from data_service.filesystem.writing.spool import MEMORY_BYTES
from tests.support.clusters.cluster import Cluster
from tests.support.clusters.waiting import wait_until
from tests.support.disks.replicas import holders, noise, unfinished

PART = MEMORY_BYTES + (1 << 20)
"""Enough to be sent before the block is whole."""

BLOCK = 32 << 20
WHOLE = noise(2 * PART, 7)


@pytest.fixture(name="nodes", scope="module")
def _nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two datanodes, each of which may be asked to take a block alone."""
    with Cluster(tmp_path_factory.mktemp("nodes"), data_nodes=2) as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, the writer counts as fast."""
    monkeypatch.setattr(filling_block, "GRACE_SECONDS", 600.0)
    monkeypatch.setattr(filling_block, "PAUSE_SECONDS_MAX", 600.0)


def receiving(cluster: Cluster) -> str:
    """The datanode that has a part of a block."""
    roles = ["data_node_0", "data_node_1"]
    wait_until(lambda: any(unfinished(cluster, role) for role in roles), what="a part of a block")
    return next(role for role in roles if unfinished(cluster, role))


def test_a_datanode_that_dies_is_replaced_and_its_bytes_are_sent_again(nodes: Cluster) -> None:
    with nodes.file_system() as fs:
        with fs.open("/killed", "wb", replication=1, block_size=BLOCK) as file:
            file.write(WHOLE[:PART])
            killed = receiving(nodes)
            nodes.kill(killed)
            file.write(WHOLE[PART:])
        assert fs.open("/killed").read() == WHOLE
        (located,) = fs.block_locations("/killed").blocks
        assert killed not in holders(nodes, located.block.name)
    nodes.start_daemon(killed)
    nodes.wait_live(2)


def test_a_program_that_gives_up_leaves_nothing_on_the_disks(nodes: Cluster) -> None:
    with nodes.file_system() as fs:
        file = fs.open("/given-up", "wb", replication=1, block_size=BLOCK)
        file.write(WHOLE[:PART])
        role = receiving(nodes)
        file.abandon()
        wait_until(lambda: not unfinished(nodes, role), what="the part to be dropped")
        assert not fs.exists("/given-up")


def test_what_is_flushed_amid_a_block_is_there_for_readers(nodes: Cluster) -> None:
    with nodes.file_system() as fs:
        with fs.open("/flushed", "wb", replication=2, block_size=BLOCK) as file:
            file.write(WHOLE[:PART])
            file.hflush()
            assert fs.open("/flushed").read() == WHOLE[:PART]
            file.write(WHOLE[PART:])
        assert fs.open("/flushed").read() == WHOLE
