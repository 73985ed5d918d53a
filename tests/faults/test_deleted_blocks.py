"""Deleted files: their bytes go, soon, everywhere, and do not come back."""

from pathlib import Path
from typing import Iterator, List

import pytest

from tests.support.clusters.cluster import Cluster
from tests.support.disks.replicas import (
    block_names,
    data_node_roles,
    holders,
    noise,
    stored,
    wait_gone,
    wait_replicas,
)
from tests.support.clusters.waiting import wait_until

SIZE = 3 * 64 * 1024 + 1
OPTIONS = {"block_size": "64K", "replication_factor": 3}


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three datanodes, each of which holds everything."""
    with Cluster(tmp_path_factory.mktemp("deleted"), name_node=OPTIONS) as cluster:
        yield cluster


def put(cluster: Cluster, path: str, seed: int = 0, overwrite: bool = False) -> List[str]:
    """Store a file; the names of its blocks."""
    with cluster.file_system() as file_system:
        with file_system.open(path, "wb", overwrite=overwrite) as file:
            file.write(noise(SIZE, seed))
        return block_names(file_system, path)


def test_a_deleted_file_frees_its_space_on_every_datanode(nodes: Cluster) -> None:
    names = put(nodes, "/a")
    assert all(len(holders(nodes, name)) == 3 for name in names)
    assert nodes.client("rm", "/a").status == 0
    wait_gone(nodes, names)
    with nodes.file_system() as file_system:
        wait_until(lambda: file_system.cluster_status().pending_deletion == 0)
        wait_until(lambda: all(node.stats.used == 0 for node in file_system.datanodes()))


def test_a_deleted_tree_frees_its_space(nodes: Cluster) -> None:
    names = [name for number in range(5) for name in put(nodes, f"/tree/{number}/file", number)]
    assert nodes.client("rm", "-r", "/tree").status == 0
    wait_gone(nodes, names)


def test_the_blocks_of_an_overwritten_file_go(nodes: Cluster) -> None:
    old = put(nodes, "/b", 1)
    new = put(nodes, "/b", 2, overwrite=True)
    assert not set(old) & set(new)
    wait_gone(nodes, old)
    assert nodes.client("cat", "/b").out == noise(SIZE, 2)
    assert all(len(holders(nodes, name)) == 3 for name in new)
    assert nodes.client("rm", "/b").status == 0
    wait_gone(nodes, new)


def test_a_deleted_file_does_not_come_back_when_everything_is_killed_at_once(
    nodes: Cluster,
) -> None:
    kept = put(nodes, "/kept", 3)
    names = put(nodes, "/c", 4)
    # Nobody can carry the order out before the reply: all that is left of it is its record.
    for role in nodes.data_nodes:
        nodes.pause(role)
    assert nodes.client("rm", "/c").status == 0
    assert nodes.client("rm", "/c").status == 1
    for role in nodes.roles:
        nodes.kill(role)
    assert all(len(holders(nodes, name)) == 3 for name in names)
    for role in reversed(nodes.roles):
        nodes.daemons[role].start()
    for role in nodes.roles:
        nodes.daemons[role].wait_ready()
    nodes.wait_live(3)
    assert nodes.client("test", "-e", "/c").status == 1
    wait_gone(nodes, names)
    assert all(len(holders(nodes, name)) == 3 for name in kept)
    assert nodes.client("cat", "/kept").out == noise(SIZE, 3)
    assert nodes.client("rm", "/kept").status == 0


def test_a_datanode_that_was_down_while_a_file_was_deleted_loses_its_replica_when_it_returns(
    nodes: Cluster,
) -> None:
    names = put(nodes, "/d", 5)
    nodes.kill("data_node_1")
    assert nodes.client("rm", "/d").status == 0
    wait_until(lambda: all(holders(nodes, name) == ["data_node_1"] for name in names))
    nodes.start_daemon("data_node_1")
    wait_gone(nodes, names)
    nodes.wait_live(3)


def test_a_namenode_that_starts_with_few_datanodes_orders_no_deletion(nodes: Cluster) -> None:
    names = put(nodes, "/f", 7)
    for role in ["name_node"] + nodes.data_nodes:
        nodes.kill(role)
    nodes.start_daemon("name_node")
    with nodes.file_system() as file_system:
        assert file_system.cluster_status().safe_mode
        assert nodes.client("rm", "/f").status == 1
        nodes.start_daemon("data_node_0")
        wait_until(lambda: not file_system.cluster_status().safe_mode)
    for role in nodes.data_nodes[1:]:
        nodes.start_daemon(role)
    nodes.wait_live(3)
    wait_replicas(nodes, "/f", 3)
    assert nodes.client("cat", "/f").out == noise(SIZE, 7)
    assert nodes.client("rm", "/f").status == 0
    wait_gone(nodes, names)


def test_a_replica_that_nobody_knows_any_more_is_set_aside_and_not_unlinked(
    tmp_path: Path,
) -> None:
    # A writer may come back with its blocks until its lease ends: so long no replica is unknown.
    leases = {"lease_soft_seconds": 0.5, "lease_hard_seconds": 0.5}
    with Cluster(tmp_path, name_node={**OPTIONS, **leases}) as cluster:
        names = put(cluster, "/e", 6)
        cluster.kill("data_node_2")
        content = {name: path.read_bytes() for name, path in stored(cluster, "data_node_2").items()}
        assert cluster.client("rm", "/e").status == 0
        wait_until(lambda: all(holders(cluster, name) == ["data_node_2"] for name in names))
        # The namenode that starts now has never heard of the third datanode, and once all whom it
        # knows have confirmed, of the deleted blocks neither.
        cluster.restart("name_node")
        cluster.wait_live(2)
        with cluster.file_system() as file_system:
            wait_until(lambda: file_system.cluster_status().pending_deletion == 0)
        cluster.start_daemon("data_node_2")
        wait_gone(cluster, names)
        trash = cluster.directory("data_node_2") / "trash"
        kept = {path.name: path.read_bytes() for path in trash.glob("blk_*") if not path.suffix}
        assert kept == content or not kept, "all in the trash, or deleted by a record"
        cluster.wait_live(3)


def test_nothing_is_left_on_any_disk(nodes: Cluster) -> None:
    with nodes.file_system() as file_system:
        assert [status.name for status in file_system.list("/") if not status.is_directory] == []
    wait_until(lambda: not any(stored(nodes, role) for role in data_node_roles(nodes)))
