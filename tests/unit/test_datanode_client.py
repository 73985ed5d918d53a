"""Calling datanodes: a connection serves many blocks, and none that broke is used again."""

from pathlib import Path
from typing import Any, Iterator, List

import pytest

from data_service.protocol.nodes import Target
from data_service.stubs.datanode_client import DataNodeClient
from tests.support.clusters.inner_cluster import USER, InnerCluster
from tests.support.disks.replicas import noise
from tests.support.disks.stores import chunks_of
from zookeeper.fabric.errors import BlockMissing, DfsError, InvalidArgument, PipelineFailed
from zookeeper.fabric.remote import Remote

DATA = noise(300_000)


@pytest.fixture(name="cluster")
def _cluster(tmp_path: Path) -> Iterator[InnerCluster]:
    with InnerCluster(tmp_path, 3) as started:
        yield started
        started.wait_clean()


@pytest.fixture(name="datanodes")
def _datanodes(cluster: InnerCluster) -> Iterator[DataNodeClient]:
    made = DataNodeClient(USER, cluster.settings.network)
    yield made
    made.close()


@pytest.fixture(name="dialled")
def _dialled(monkeypatch: pytest.MonkeyPatch) -> List[str]:
    """The servers to which connections were made, by whom ever in this process."""
    found: List[str] = []
    connect = Remote.connect

    def note(server: str, address: Any, *rest: Any) -> Remote:
        if server == "data_node":
            found.append(str(address))
        return connect(server, address, *rest)

    monkeypatch.setattr(Remote, "connect", note)
    return found


def targets(cluster: InnerCluster) -> List[Target]:
    """A pipeline of all datanodes."""
    return [Target(cluster.node_id(number), *node.address)
            for number, node in enumerate(cluster.data_nodes)]


def write(
    cluster: InnerCluster, datanodes: DataNodeClient, block_id: int, size: int = len(DATA)
) -> int:
    """Write a block to all datanodes; how many have it."""
    body = datanodes.write_block(block_id, 1, size, b"", targets(cluster))
    try:
        for data, checksum in chunks_of(DATA):
            body.send(data, checksum)
        return len(body.finish())
    finally:
        body.close()


def read(node: Target, datanodes: DataNodeClient, block_id: int) -> bytes:
    """All of a block."""
    body = datanodes.at(node).read_block(block_id, 1, 0, len(DATA), b"")
    buffer, found = memoryview(bytearray(1 << 18)), b""
    try:
        while True:
            packet = body.receive(buffer)
            if packet is None:
                return found
            found += bytes(packet[0])
    finally:
        body.close()


def test_blocks_go_in_and_out_over_one_connection_a_link(
    cluster: InnerCluster, datanodes: DataNodeClient, dialled: List[str]
) -> None:
    for block_id in (1, 2, 3):
        assert write(cluster, datanodes, block_id) == 3
    addresses = [str(node.address) for node in cluster.data_nodes]
    assert dialled == addresses, "from here to the first, to the second, to the third"
    first, second, _ = targets(cluster)
    for block_id in (1, 2):
        assert read(first, datanodes, block_id) == DATA
        assert datanodes.at(first).block_checksum(block_id, 1, len(DATA), b"").crc_count
    assert dialled == addresses
    assert read(second, datanodes, 3) == DATA and dialled == [*addresses, addresses[1]]


def test_what_was_refused_or_broken_off_costs_its_connection_and_nothing_else(
    cluster: InnerCluster, datanodes: DataNodeClient, dialled: List[str]
) -> None:
    assert write(cluster, datanodes, 1) == 3
    with pytest.raises(InvalidArgument, match="immutable"):
        write(cluster, datanodes, 1)
    with pytest.raises(DfsError):
        write(cluster, datanodes, 2, size=5)
    with pytest.raises(BlockMissing):
        read(targets(cluster)[0], datanodes, 9)
    body = datanodes.at(targets(cluster)[0]).read_block(1, 1, 0, len(DATA), b"")
    assert body.receive(memoryview(bytearray(1 << 18)))
    body.close()
    before = len(dialled)
    assert write(cluster, datanodes, 3) == 3 and len(dialled) > before
    assert read(targets(cluster)[0], datanodes, 3) == DATA


def test_a_datanode_that_was_started_anew_is_found_at_once(
    cluster: InnerCluster, datanodes: DataNodeClient
) -> None:
    for block_id, number in enumerate((0, 1, 2)):
        assert write(cluster, datanodes, block_id) == 3
        cluster.restart(number)
    assert write(cluster, datanodes, 7) == 3


def test_a_datanode_that_is_gone_breaks_its_link(
    cluster: InnerCluster, datanodes: DataNodeClient
) -> None:
    assert write(cluster, datanodes, 1) == 3
    cluster.data_nodes[2].stop()
    with pytest.raises(PipelineFailed):
        write(cluster, datanodes, 2)
